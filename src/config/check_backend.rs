//! One raw backend becomes a `Backend`: required keys, choices, the API key's source, the URL.
//! Knows nothing of other backends or sections.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::address;
use super::check_request::{headers, is_variable_name, tls_ca};
use super::check_tools::tools;
use super::error::ConfigError;
use super::language::primary_language;
use super::raw::{Raw, RawBackend, RawTranscription, RawTurnDetection};
use super::reader::Reader;
use super::{
    ApiShape, AuthHeader, Backend, BackendKind, BackendUrl, Dialect, Eagerness, FunctionCalls, Functions,
    GreetingMode, Lock, Secret, Transcription, TurnDetection,
};

/// Checks one backend. The environment is where `api_key_env` and `${NAME}` are looked up, `functions` what runs
/// here if the backend says so.
pub(super) fn backend(
    raw: &RawBackend,
    reader: &Reader<'_>,
    environment: &BTreeMap<String, String>,
    functions: &Arc<Functions>,
) -> Result<Backend, ConfigError> {
    let name = reader.required(&raw.name, "name")?;
    reader.required(&raw.kind, "kind")?;
    let path = reader.required(&raw.path, "path")?;
    let url = url(&reader.required(&raw.url, "url")?).map_err(|reason| reader.error("url", reason))?;
    let default = Backend::new(name, path, url);
    let barge_in = reader.flag(&raw.barge_in, "barge_in", default.barge_in)?;
    Ok(Backend {
        kind: reader.word(&raw.kind, "kind", &KINDS, default.kind)?,
        aliases: reader.list(&raw.aliases, "aliases")?,
        model: if raw.model.is_some() { reader.text(&raw.model, "model")? } else { default.model },
        api_key: api_key(raw, reader, environment)?,
        auth_header: reader.word(&raw.auth_header, "auth_header", &AUTH_HEADERS, default.auth_header)?,
        api_shape: reader.word(&raw.api_shape, "api_shape", &API_SHAPES, default.api_shape)?,
        headers: headers(&raw.headers, &reader.inside("headers"), environment, of_handshake)?,
        tls_ca: tls_ca(&raw.tls_ca_file, reader)?,
        function_calls: function_calls(raw, reader, functions)?,
        dialect: reader.word(&raw.dialect, "dialect", &DIALECTS, default.dialect)?,
        deferred_response_timeout: reader.millis(
            &raw.deferred_response_timeout_ms,
            "deferred_response_timeout_ms",
            default.deferred_response_timeout,
        )?,
        allow_client_json_passthrough: reader.flag(
            &raw.allow_client_json_passthrough,
            "allow_client_json_passthrough",
            default.allow_client_json_passthrough,
        )?,
        connect_timeout: reader.millis(
            &raw.connect_timeout_ms,
            "connect_timeout_ms",
            default.connect_timeout,
        )?,
        dial_attempts: reader.integer(&raw.dial_attempts, "dial_attempts", 1..=10, default.dial_attempts)?,
        greeting_mode: reader.word(
            &raw.greeting_mode,
            "greeting_mode",
            &GREETING_MODES,
            default.greeting_mode,
        )?,
        lock: lock(raw, reader)?,
        barge_in,
        turn_detection: turn_detection(&raw.turn_detection, barge_in, &reader.inside("turn_detection"))?,
        transcription: transcription(&raw.transcription, &reader.inside("transcription"))?,
        voice: reader.text(&raw.voice, "voice")?,
        voices: voices(&raw.voices, &reader.inside("voices"))?,
        instructions: reader.text(&raw.instructions, "instructions")?,
        tools: tools(&raw.tools, reader)?,
        name: default.name,
        path: default.path,
        url: default.url,
    })
}

/// Whether a name is safe in a log field and in a variable's name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Reasons leave the URL out: its query may hold a key.
fn url(text: &str) -> Result<BackendUrl, String> {
    if let Some(path) = text.strip_prefix("self:") {
        if !path.starts_with('/') {
            return Err("must have a path after \"self:\", such as \"self:/sim/openai\"".into());
        }
        if path.contains(|c: char| !c.is_ascii_graphic() || c == '#') {
            return Err("must not contain spaces, \"#\" or letters outside ascii".into());
        }
        return Ok(BackendUrl::SelfPath(path.to_owned()));
    }
    let forms = "\"ws://\", \"wss://\" or \"self:/\"";
    address::remote(text, ["ws", "wss"], forms, "api_key").map(BackendUrl::Remote)
}

fn api_key(
    raw: &RawBackend,
    reader: &Reader<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Option<Secret>, ConfigError> {
    let given =
        [("api_key", &raw.api_key), ("api_key_env", &raw.api_key_env), ("api_key_file", &raw.api_key_file)];
    let mut given = given.into_iter().filter(|(_, raw)| raw.is_some());
    let Some((name, value)) = given.next() else { return Ok(None) };
    if let Some((second, _)) = given.next() {
        return Err(reader.error(second, format!("{name} is given as well, only one may be")));
    }
    let value = reader.required(value, name)?;
    let (key, source) = match name {
        "api_key_env" => {
            // Somebody may have put the key itself here: then it must not be repeated.
            if !is_variable_name(&value) {
                return Err(reader.error(name, "is not the name of an environment variable"));
            }
            let missing = || reader.error(name, format!("environment variable {value} is not set"));
            (environment.get(&value).ok_or_else(missing)?.clone(), format!("environment variable {value}"))
        }
        "api_key_file" => {
            let text = std::fs::read_to_string(&value)
                .map_err(|error| reader.error(name, format!("cannot read {value}: {error}")))?;
            (text.trim().to_owned(), value)
        }
        _ => (value, "the key".to_owned()),
    };
    if key.is_empty() {
        return Err(reader.error(name, format!("{source} is empty")));
    }
    if !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err(reader.error(name, format!("{source} holds a character that no http header can carry")));
    }
    Ok(Some(Secret::new(key)))
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

fn lock(raw: &RawBackend, reader: &Reader<'_>) -> Result<Lock, ConfigError> {
    let names = lock_words(Lock::default()).map(|(word, _)| (word, word));
    let given = reader.words(&raw.lock, "lock", &names)?;
    Ok(Lock {
        instructions: given.contains(&"instructions"),
        tools: given.contains(&"tools"),
        voice: given.contains(&"voice"),
    })
}

/// What can be locked, by its word in the configuration, and whether `lock` locks it.
pub(super) const fn lock_words(lock: Lock) -> [(&'static str, bool); 3] {
    [("instructions", lock.instructions), ("tools", lock.tools), ("voice", lock.voice)]
}

fn voices(
    raw: &BTreeMap<String, Value>,
    reader: &Reader<'_>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let voice = |(name, value): (&String, &Value)| match value {
        _ if name.trim().is_empty() => Err(reader.error(name, "a voice has no name")),
        Value::String(voice) if voice.trim().is_empty() => Err(reader.error(name, "must not be empty")),
        Value::String(voice) => Ok((name.clone(), voice.clone())),
        other => Err(reader.mismatch(name, "text", other)),
    };
    raw.iter().map(voice).collect()
}

fn turn_detection(
    raw: &RawTurnDetection,
    barge_in: bool,
    reader: &Reader<'_>,
) -> Result<TurnDetection, ConfigError> {
    #[derive(Clone, Copy, PartialEq)]
    enum Type {
        Server,
        Semantic,
        Manual,
    }
    let types = [("server_vad", Type::Server), ("semantic_vad", Type::Semantic), ("manual", Type::Manual)];
    let kind = reader.word(&raw.r#type, "type", &types, Type::Server)?;
    let (server, either) = (&[Type::Server][..], &[Type::Server, Type::Semantic][..]);
    let fields: [(&str, &Raw, &[Type]); 7] = [
        ("threshold", &raw.threshold, server),
        ("prefix_padding_ms", &raw.prefix_padding_ms, server),
        ("silence_duration_ms", &raw.silence_duration_ms, server),
        ("idle_timeout_ms", &raw.idle_timeout_ms, server),
        ("eagerness", &raw.eagerness, &[Type::Semantic]),
        ("create_response", &raw.create_response, either),
        ("interrupt_response", &raw.interrupt_response, either),
    ];
    if let Some((name, ..)) = fields.iter().find(|(_, raw, owners)| raw.is_some() && !owners.contains(&kind))
    {
        let word = types.iter().find(|(_, other)| *other == kind).map_or("", |(word, _)| word);
        return Err(reader.error(name, format!("does not belong to type \"{word}\"")));
    }
    let create_response = reader.flag(&raw.create_response, "create_response", true)?;
    let interrupt_response = reader.flag(&raw.interrupt_response, "interrupt_response", barge_in)?;
    if interrupt_response && !barge_in {
        return Err(reader.error("interrupt_response", "must not be true beside barge_in = false"));
    }
    Ok(match kind {
        Type::Server => TurnDetection::ServerVad {
            threshold: reader.number(&raw.threshold, "threshold", 0.0..=1.0, 0.5)?,
            prefix_padding_ms: reader.integer(
                &raw.prefix_padding_ms,
                "prefix_padding_ms",
                0..=60_000,
                300,
            )?,
            silence_duration_ms: reader.integer(
                &raw.silence_duration_ms,
                "silence_duration_ms",
                0..=60_000,
                200,
            )?,
            idle_timeout_ms: reader.optional_integer(
                &raw.idle_timeout_ms,
                "idle_timeout_ms",
                5_000..=30_000,
            )?,
            create_response,
            interrupt_response,
        },
        Type::Semantic => TurnDetection::SemanticVad {
            eagerness: reader.word(&raw.eagerness, "eagerness", &EAGERNESS, Eagerness::Auto)?,
            create_response,
            interrupt_response,
        },
        Type::Manual => TurnDetection::Manual,
    })
}

fn transcription(raw: &RawTranscription, reader: &Reader<'_>) -> Result<Transcription, ConfigError> {
    Ok(Transcription {
        model: reader.text_or(&raw.model, "model", Transcription::default().model)?,
        language: language(raw, reader)?,
        prompt: reader.text(&raw.prompt, "prompt")?,
    })
}

fn language(raw: &RawTranscription, reader: &Reader<'_>) -> Result<Option<String>, ConfigError> {
    let language = reader.text(&raw.language, "language")?;
    match language.as_deref().filter(|tag| primary_language(tag).is_none()) {
        Some(tag) => {
            let reason = format!("\"{tag}\" is no language tag, must be like \"de\", \"pt-BR\" or \"multi\"");
            Err(reader.error("language", reason))
        }
        None => Ok(language),
    }
}

pub(super) const KINDS: [(&str, BackendKind); 1] =
    [(BackendKind::OpenaiRealtime.name(), BackendKind::OpenaiRealtime)];
pub(super) const AUTH_HEADERS: [(&str, AuthHeader); 2] =
    [("bearer", AuthHeader::Bearer), ("api-key", AuthHeader::ApiKey)];
pub(super) const API_SHAPES: [(&str, ApiShape); 3] =
    [("auto", ApiShape::Auto), ("ga", ApiShape::Ga), ("beta", ApiShape::Beta)];
/// Who runs functions: the client or the gateway.
pub(super) const FUNCTION_CALLS: [&str; 2] = ["client", "server"];
pub(super) const DIALECTS: [(&str, Dialect); 3] =
    [("auto", Dialect::Auto), ("deepgram", Dialect::Deepgram), ("component", Dialect::Component)];
pub(super) const GREETING_MODES: [(&str, GreetingMode); 2] =
    [("text", GreetingMode::Text), ("speak", GreetingMode::Speak)];
pub(super) const EAGERNESS: [(&str, Eagerness); 4] = [
    (Eagerness::Low.name(), Eagerness::Low),
    (Eagerness::Medium.name(), Eagerness::Medium),
    (Eagerness::High.name(), Eagerness::High),
    (Eagerness::Auto.name(), Eagerness::Auto),
];
/// Headers that the upgrade itself sets.
const HANDSHAKE: [&str; 5] = ["host", "connection", "upgrade", "content-length", "transfer-encoding"];
