//! Prints a configuration as TOML: what `voxbridge check` shows, and `Debug` of a backend or a route.
//! Decides, with `show_auth`, what is secret in print; knows nothing of where a value came from.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::Value;

use super::address::Shown;
use super::check::{FORMATS, LEVELS};
use super::check_backend::{DIALECTS, FUNCTION_CALLS};
use super::{
    Backend, BackendKind, Config, Deepgram, FunctionCalls, Limits, Route, Target, Tool, Transcription,
    TurnDetection, address, check_deepgram, check_openai, show_auth,
};

/// The whole configuration.
pub(super) fn config(config: &Config) -> String {
    let mut out = Toml::default();
    let Config {
        server,
        logging,
        auth,
        console,
        limits,
        process,
        functions,
        simulator,
        backends,
        warnings: _,
    } = config;
    out.table("[server]");
    out.key("host", quoted(&server.host));
    out.key("port", server.port);
    out.optional("admin_port", server.admin_port.map(|port| port.to_string()));
    let tls = server.tls.as_ref();
    out.optional("tls_cert", tls.map(|files| quoted(&files.certificate)));
    out.optional("tls_key", tls.map(|files| quoted(&files.key)));
    out.key("workers", server.workers);
    out.key("max_sessions", server.max_sessions);
    out.key("drain_timeout_s", server.drain_timeout.as_secs());
    out.key(
        "trusted_proxies",
        list(server.trusted_proxies.iter().map(|network| quoted(&network.to_string()))),
    );
    out.table("[logging]");
    out.key("level", word(&LEVELS, logging.level));
    out.key("format", word(&FORMATS, logging.format));
    out.key("log_content", logging.log_content);
    let usage_log = logging.usage_log.as_ref();
    out.optional("usage_log", usage_log.map(|file| quoted(&file.display().to_string())));
    out.key("record_dir", quoted(logging.record_dir.as_deref().unwrap_or_default()));
    out.key("record_audio", logging.record_audio);
    out.key("record_session_bytes", logging.record_session_bytes);
    out.key("record_total_bytes", logging.record_total_bytes);
    out.table("[auth]");
    out.0 += &show_auth::auth(auth);
    out.table("[console]");
    out.key("enabled", console.enabled);
    out.table("[limits]");
    out.0 += &limits_of(limits);
    out.key("process_bytes", process.bytes);
    out.key("max_sessions_per_ip", or_off(process.sessions_per_address));
    out.key("max_sessions_per_subject", or_off(process.sessions_per_subject));
    out.table("[functions]");
    out.key("client_timeout_ms", millis(functions.client_timeout));
    out.key("max_concurrent", functions.max_concurrent);
    out.key("max_queued", functions.max_queued);
    let hosts = functions.allowed_endpoint_hosts.iter();
    out.key("allowed_endpoint_hosts", list(hosts.map(|host| quoted(&host.to_string()))));
    functions.routes.iter().for_each(|each| out.paragraph(&route(each)));
    out.table("[simulator]");
    out.key("enabled", simulator.enabled);
    for (header, options) in
        [("[simulator.openai]", &simulator.openai), ("[simulator.deepgram]", &simulator.deepgram)]
    {
        out.table(header);
        options.iter().for_each(|(name, value)| out.key(&key(name), quoted(value)));
    }
    backends.iter().for_each(|each| out.paragraph(&backend(each)));
    out.0
}

fn limits_of(limits: &Limits) -> String {
    let mut out = Toml::default();
    out.key("before_ready_bytes", limits.before_ready_bytes);
    out.key("leg_bytes", limits.leg_bytes);
    out.key("max_message_bytes", limits.max_message_bytes);
    out.key("max_upstream_message_bytes", limits.max_upstream_message_bytes);
    out.key("settings_timeout_s", limits.settings_timeout.as_secs());
    out.key("idle_timeout_s", limits.idle_timeout.map_or(0, |limit| limit.as_secs()));
    out.key("max_session_s", limits.max_session.map_or(0, |limit| limit.as_secs()));
    out.key("slow_client_timeout_s", limits.slow_client_timeout.as_secs());
    out.key("messages_per_s", or_off(limits.messages_per_s));
    out.0
}

fn or_off(number: Option<NonZeroU32>) -> u32 {
    number.map_or(0, NonZeroU32::get)
}

/// One route as its `[[functions.route]]` entry.
pub(super) fn route(route: &Route) -> String {
    let Route {
        names,
        backends,
        target,
        timeout,
        headers,
        idempotent,
        retries,
        max_response_bytes,
        tls_ca,
        offer,
    } = route;
    let mut out = Toml("[[functions.route]]\n".to_owned());
    out.key("names", list(names.iter().map(|name| quoted(name))));
    let backends = (!backends.is_empty()).then(|| list(backends.iter().map(|name| quoted(name))));
    out.optional("backends", backends);
    let url = match target {
        Target::Url(url) => Some(quoted(&Shown(url.as_str()).to_string())),
        Target::BuiltIn(_) => None,
    };
    // For a built-in function what belongs to requests is neither used nor taken back.
    let is_requested = url.is_some();
    out.optional("url", url);
    out.key("timeout_ms", millis(*timeout));
    if is_requested {
        out.key("headers", hidden(headers));
        out.key("idempotent", idempotent);
        out.key("retries", retries);
        out.key("max_response_bytes", max_response_bytes);
        out.optional("tls_ca_file", tls_ca.as_ref().map(|ca| quoted(&ca.file)));
    }
    let description = offer.as_ref().and_then(|tool| tool.description.as_deref());
    out.optional("description", description.map(quoted));
    out.optional("parameters", offer.as_ref().map(|tool| inline(&tool.parameters)));
    out.0
}

/// One backend as its `[[backends]]` entry: the keys that its kind has.
pub(super) fn backend(backend: &Backend) -> String {
    let mut out = Toml("[[backends]]\n".to_owned());
    out.key("name", quoted(&backend.name));
    out.key("kind", quoted(backend.kind.name()));
    out.key("path", quoted(&backend.path));
    out.key("aliases", list(backend.aliases.iter().map(|alias| quoted(alias))));
    out.key("url", quoted(&backend.url.to_string()));
    out.optional("api_key", backend.api_key.as_ref().map(|secret| quoted(&secret.to_string())));
    out.key(
        "auth_header",
        match backend.kind {
            BackendKind::OpenaiRealtime => word(&check_openai::AUTH_HEADERS, backend.auth_header),
            BackendKind::DeepgramAgent(_) => word(&check_deepgram::AUTH_HEADERS, backend.auth_header),
        },
    );
    out.key("headers", hidden(&backend.headers));
    out.optional("tls_ca_file", backend.tls_ca.as_ref().map(|ca| quoted(&ca.file)));
    let [client, server] = FUNCTION_CALLS;
    out.key(
        "function_calls",
        match backend.function_calls {
            FunctionCalls::Client => quoted(client),
            FunctionCalls::Server(_) => quoted(server),
        },
    );
    out.key("dialect", word(&DIALECTS, backend.dialect));
    out.key("connect_timeout_ms", millis(backend.connect_timeout));
    out.key("dial_attempts", backend.dial_attempts);
    out.key("ping_interval_s", backend.ping_interval.map_or(0, |interval| interval.as_secs()));
    out.0 += &match &backend.kind {
        BackendKind::OpenaiRealtime => openai(backend),
        BackendKind::DeepgramAgent(own) => deepgram(own),
    };
    out.table("[backends.limits]");
    out.0 += &limits_of(&backend.limits);
    out.0
}

/// What only a backend of Deepgram has.
pub(super) fn deepgram(deepgram: &Deepgram) -> String {
    let Deepgram { transcription_url, query_defaults, repair_component_messages } = deepgram;
    let mut out = Toml::default();
    let url = transcription_url.as_ref().map(ToString::to_string);
    out.key("transcription_url", quoted(&url.unwrap_or_default()));
    let mut parameters: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in query_defaults {
        let shown = if address::is_secret(name) { "***" } else { value };
        parameters.entry(name).or_default().push(quoted(shown));
    }
    let parameter = |(name, mut values): (&str, Vec<String>)| match values.pop() {
        Some(only) if values.is_empty() => format!("{} = {only}", key(name)),
        last => format!("{} = {}", key(name), list(values.into_iter().chain(last))),
    };
    out.key("query_defaults", table(parameters.into_iter().map(parameter)));
    out.key("repair_component_messages", repair_component_messages);
    out.0
}

/// What only a backend of OpenAI Realtime has.
fn openai(backend: &Backend) -> String {
    let mut out = Toml::default();
    out.key("model", quoted(backend.model.as_deref().unwrap_or_default()));
    out.key("api_shape", word(&check_openai::API_SHAPES, backend.api_shape));
    out.key("deferred_response_timeout_ms", millis(backend.deferred_response_timeout));
    out.key("allow_client_json_passthrough", backend.allow_client_json_passthrough);
    out.key("greeting_mode", word(&check_openai::GREETING_MODES, backend.greeting_mode));
    let locked = check_openai::lock_words(backend.lock).into_iter().filter(|(_, locked)| *locked);
    out.key("lock", list(locked.map(|(word, _)| quoted(word))));
    out.key("barge_in", backend.barge_in);
    out.key("turn_detection", turn_detection(&backend.turn_detection));
    out.key("transcription", transcription(&backend.transcription));
    out.optional("voice", backend.voice.as_deref().map(quoted));
    let voices = backend.voices.iter().map(|(name, voice)| format!("{} = {}", key(name), quoted(voice)));
    out.key("voices", table(voices));
    out.optional("instructions", backend.instructions.as_deref().map(quoted));
    out.key("tools", list(backend.tools.iter().map(tool)));
    out.0
}

/// TOML in the making.
#[derive(Default)]
pub(super) struct Toml(pub(super) String);

impl Toml {
    pub(super) fn table(&mut self, header: &str) {
        self.paragraph(&format!("{header}\n"));
    }

    fn paragraph(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(text);
    }

    pub(super) fn key(&mut self, name: &str, value: impl Display) {
        self.0.push_str(&format!("{name} = {value}\n"));
    }

    pub(super) fn optional(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) => self.key(name, value),
            None => self.0.push_str(&format!("# {name} is not set\n")),
        }
    }
}

/// Which header holds a credential cannot be told from its name.
fn hidden(headers: &BTreeMap<String, String>) -> String {
    table(headers.keys().map(|name| format!("{} = \"***\"", key(name))))
}

fn turn_detection(detection: &TurnDetection) -> String {
    match detection {
        TurnDetection::ServerVad {
            threshold,
            prefix_padding_ms,
            silence_duration_ms,
            idle_timeout_ms,
            create_response,
            interrupt_response,
        } => {
            let mut fields = vec![
                "type = \"server_vad\"".to_owned(),
                format!("threshold = {threshold:?}"),
                format!("prefix_padding_ms = {prefix_padding_ms}"),
                format!("silence_duration_ms = {silence_duration_ms}"),
            ];
            fields.extend(idle_timeout_ms.map(|timeout| format!("idle_timeout_ms = {timeout}")));
            fields.push(format!("create_response = {create_response}"));
            fields.push(format!("interrupt_response = {interrupt_response}"));
            table(fields)
        }
        TurnDetection::SemanticVad { eagerness, create_response, interrupt_response } => table([
            "type = \"semantic_vad\"".to_owned(),
            format!("eagerness = {}", word(&check_openai::EAGERNESS, *eagerness)),
            format!("create_response = {create_response}"),
            format!("interrupt_response = {interrupt_response}"),
        ]),
        TurnDetection::Manual => table(["type = \"manual\"".to_owned()]),
    }
}

fn transcription(transcription: &Transcription) -> String {
    let fields = [
        Some(format!("model = {}", quoted(&transcription.model))),
        transcription.language.as_deref().map(|language| format!("language = {}", quoted(language))),
        transcription.prompt.as_deref().map(|prompt| format!("prompt = {}", quoted(prompt))),
    ];
    table(fields.into_iter().flatten())
}

fn tool(tool: &Tool) -> String {
    let fields = [
        Some(format!("name = {}", quoted(&tool.name))),
        tool.description.as_deref().map(|description| format!("description = {}", quoted(description))),
        Some(format!("parameters = {}", inline(&tool.parameters))),
    ];
    table(fields.into_iter().flatten())
}

fn inline(value: &Value) -> String {
    match value {
        // Not from a file, which has no null; a tool built by hand may have one.
        Value::Null => quoted("null"),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => list(items.iter().map(inline)),
        Value::Object(fields) => {
            table(fields.iter().map(|(name, value)| format!("{} = {}", key(name), inline(value))))
        }
    }
}

pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

fn table(fields: impl IntoIterator<Item = String>) -> String {
    match fields.into_iter().collect::<Vec<_>>().join(", ") {
        fields if fields.is_empty() => "{}".to_owned(),
        fields => format!("{{ {fields} }}"),
    }
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { quoted(name) }
}

/// JSON's escapes are TOML's too; only DEL, which TOML wants escaped, JSON leaves alone.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

fn word<T: PartialEq>(words: &[(&str, T)], value: T) -> String {
    let word = words.iter().find(|(_, known)| *known == value).map(|(word, _)| *word);
    quoted(word.expect("the table of words names every variant"))
}

fn millis(duration: Duration) -> u128 {
    duration.as_millis()
}
