//! One raw backend becomes a `Backend`: what every kind has, the API key's source, the URL, and that no key of
//! another kind is there. Knows nothing of what only one kind has, nor of other backends or sections.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::backend::{DEEPGRAM_AGENT, OPENAI_REALTIME};
use super::check_limits::of_backend;
use super::check_request::{headers, tls_ca};
use super::check_secret::secret;
use super::error::ConfigError;
use super::raw::{Raw, RawBackend};
use super::reader::Reader;
use super::{
    AuthHeader, Backend, BackendUrl, Dialect, FunctionCalls, Functions, Limits, Secret, address,
    check_deepgram, check_openai,
};

/// What backends have from elsewhere.
pub(super) struct Surroundings<'s> {
    /// Where `api_key_env` and `${NAME}` are looked up.
    pub(super) environment: &'s BTreeMap<String, String>,
    /// What runs here if the backend says so.
    pub(super) functions: &'s Arc<Functions>,
    /// The bounds where the backend has none of its own.
    pub(super) limits: &'s Limits,
}

/// Checks one backend.
pub(super) fn backend(
    raw: &RawBackend,
    reader: &Reader<'_>,
    surroundings: &Surroundings<'_>,
) -> Result<Backend, ConfigError> {
    let name = reader.required(&raw.name, "name")?;
    let kind = kind(raw, reader)?;
    let path = reader.required(&raw.path, "path")?;
    let url = url(&raw.url, "url", reader)?;
    let default = match kind {
        Kind::Openai => Backend::new(name, path, url),
        Kind::Deepgram => Backend::passed_through(name, path, url),
    };
    let backend = Backend {
        aliases: reader.list(&raw.aliases, "aliases")?,
        api_key: api_key(raw, reader, surroundings.environment)?,
        headers: headers(&raw.headers, &reader.inside("headers"), surroundings.environment, of_handshake)?,
        tls_ca: tls_ca(&raw.tls_ca_file, reader)?,
        function_calls: function_calls(raw, reader, surroundings.functions)?,
        dialect: reader.word(&raw.dialect, "dialect", &DIALECTS, default.dialect)?,
        connect_timeout: reader.millis(
            &raw.connect_timeout_ms,
            "connect_timeout_ms",
            default.connect_timeout,
        )?,
        dial_attempts: reader.integer(&raw.dial_attempts, "dial_attempts", 1..=10, default.dial_attempts)?,
        ping_interval: reader.seconds_or_off(
            &raw.ping_interval_s,
            "ping_interval_s",
            default.ping_interval,
        )?,
        limits: of_backend(&raw.limits, &reader.inside("limits"), surroundings.limits)?,
        ..default
    };
    match kind {
        Kind::Openai => check_openai::complete(backend, raw, reader),
        Kind::Deepgram => check_deepgram::complete(backend, raw, reader),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Openai,
    Deepgram,
}

/// The kind, once nothing is there that belongs to another.
fn kind(raw: &RawBackend, reader: &Reader<'_>) -> Result<Kind, ConfigError> {
    let word = reader.required(&raw.kind, "kind")?;
    let kinds = [(OPENAI_REALTIME, Kind::Openai), (DEEPGRAM_AGENT, Kind::Deepgram)];
    let kind = reader.word(&raw.kind, "kind", &kinds, Kind::Openai)?;
    let (of_openai, of_deepgram) = (&check_openai::AUTH_HEADERS[..], &check_deepgram::AUTH_HEADERS[..]);
    let (keys, headers, own_headers): (&[(&str, bool)], _, _) = match kind {
        Kind::Openai => (&check_deepgram::given(raw), of_deepgram, of_openai),
        Kind::Deepgram => (&check_openai::given(raw), of_openai, of_deepgram),
    };
    let foreign = |reason: &str| format!("{reason}does not belong to kind \"{word}\"");
    if let Some((key, _)) = keys.iter().find(|(_, given)| *given) {
        return Err(reader.error(key, foreign("")));
    }
    if let Some(header) = reader.given_text(&raw.auth_header, "auth_header")? {
        let is_in = |words: &[(&str, AuthHeader)]| words.iter().any(|(word, _)| *word == header);
        if is_in(headers) && !is_in(own_headers) {
            return Err(reader.error("auth_header", foreign(&format!("\"{header}\" "))));
        }
    }
    Ok(kind)
}

/// Checks a URL that must be there. Reasons leave it out: its query may hold a key.
pub(super) fn url(raw: &Raw, name: &str, reader: &Reader<'_>) -> Result<BackendUrl, ConfigError> {
    let text = reader.required(raw, name)?;
    let Some(path) = text.strip_prefix("self:") else {
        let forms = "\"ws://\", \"wss://\" or \"self:/\"";
        let url = address::remote(&text, ["ws", "wss"], forms, "api_key");
        return url.map(BackendUrl::Remote).map_err(|reason| reader.error(name, reason));
    };
    if !path.starts_with('/') {
        return Err(reader.error(name, "must have a path after \"self:\", such as \"self:/sim/openai\""));
    }
    if path.contains(|c: char| !c.is_ascii_graphic() || c == '#') {
        return Err(reader.error(name, "must not contain spaces, \"#\" or letters outside ascii"));
    }
    Ok(BackendUrl::SelfPath(path.to_owned()))
}

fn api_key(
    raw: &RawBackend,
    reader: &Reader<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Option<Secret>, ConfigError> {
    let sources =
        [("api_key", &raw.api_key), ("api_key_env", &raw.api_key_env), ("api_key_file", &raw.api_key_file)];
    let Some(found) = secret(sources, reader, environment)? else { return Ok(None) };
    if !found.text.chars().all(|c| c.is_ascii_graphic()) {
        let reason = format!("{} holds a character that no http header can carry", found.place);
        return Err(reader.error(found.name, reason));
    }
    Ok(Some(Secret::new(found.text)))
}

fn of_handshake(header: &str) -> Option<&'static str> {
    let is_of_handshake = HANDSHAKE.contains(&header) || header.starts_with("sec-websocket-");
    is_of_handshake.then_some("belongs to the WebSocket handshake")
}

fn function_calls(
    raw: &RawBackend,
    reader: &Reader<'_>,
    functions: &Arc<Functions>,
) -> Result<FunctionCalls, ConfigError> {
    let [client, server] = FUNCTION_CALLS;
    let who =
        reader.word(&raw.function_calls, "function_calls", &[(client, client), (server, server)], client)?;
    Ok(if who == server { FunctionCalls::Server(Arc::clone(functions)) } else { FunctionCalls::Client })
}

/// Who runs functions: the client or the gateway.
pub(super) const FUNCTION_CALLS: [&str; 2] = ["client", "server"];
pub(super) const DIALECTS: [(&str, Dialect); 3] =
    [("auto", Dialect::Auto), ("deepgram", Dialect::Deepgram), ("component", Dialect::Component)];
/// Headers that the upgrade itself sets.
const HANDSHAKE: [&str; 5] = ["host", "connection", "upgrade", "content-length", "transfer-encoding"];
