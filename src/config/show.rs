//! Prints a configuration as TOML: what `voxbridge check` shows, and `Debug` of a backend.
//! The one place that decides what is secret in print; knows nothing of where a value came from.

use std::fmt::Display;
use std::time::Duration;

use serde_json::Value;

use super::check::LEVELS;
use super::check_backend::{
    API_SHAPES, AUTH_HEADERS, DIALECTS, EAGERNESS, GREETING_MODES, KINDS, lock_words,
};
use super::{Backend, Config, Tool, Transcription, TurnDetection};

/// The whole configuration.
pub(super) fn config(config: &Config) -> String {
    let mut out = Toml::default();
    let Config { server, logging, auth, limits, functions, simulator, backends, warnings: _ } = config;
    out.table("[server]");
    out.key("host", quoted(&server.host));
    out.key("port", server.port);
    out.key("workers", server.workers);
    out.key("max_sessions", server.max_sessions);
    out.table("[logging]");
    out.key("level", word(&LEVELS, logging.level));
    out.key("log_content", logging.log_content);
    out.table("[auth]");
    out.key("mode", quoted("none"));
    out.key("allow_anonymous", auth.allow_anonymous);
    out.table("[limits]");
    out.key("before_ready_bytes", limits.before_ready_bytes);
    out.key("leg_bytes", limits.leg_bytes);
    out.key("max_message_bytes", limits.max_message_bytes);
    out.key("max_upstream_message_bytes", limits.max_upstream_message_bytes);
    out.key("settings_timeout_s", limits.settings_timeout.as_secs());
    out.key("idle_timeout_s", limits.idle_timeout.map_or(0, |limit| limit.as_secs()));
    out.key("max_session_s", limits.max_session.map_or(0, |limit| limit.as_secs()));
    out.key("slow_client_timeout_s", limits.slow_client_timeout.as_secs());
    out.table("[functions]");
    out.key("client_timeout_ms", functions.client_timeout.as_millis());
    out.table("[simulator]");
    out.key("enabled", simulator.enabled);
    out.table("[simulator.openai]");
    for (name, value) in &simulator.options {
        out.key(&key(name), quoted(value));
    }
    backends.iter().fold(out.0, |out, each| out + "\n" + &backend(each))
}

/// One backend as its `[[backends]]` entry.
pub(super) fn backend(backend: &Backend) -> String {
    let mut out = Toml("[[backends]]\n".to_owned());
    out.key("name", quoted(&backend.name));
    out.key("kind", word(&KINDS, backend.kind));
    out.key("path", quoted(&backend.path));
    out.key("aliases", list(backend.aliases.iter().map(|alias| quoted(alias))));
    out.key("url", quoted(&backend.url.to_string()));
    out.key("model", quoted(backend.model.as_deref().unwrap_or_default()));
    out.optional("api_key", backend.api_key.as_ref().map(|secret| quoted(&secret.to_string())));
    out.key("auth_header", word(&AUTH_HEADERS, backend.auth_header));
    out.key("api_shape", word(&API_SHAPES, backend.api_shape));
    // Which header holds a credential cannot be told from its name.
    let headers = backend.headers.keys().map(|name| format!("{} = \"***\"", key(name)));
    out.key("headers", table(headers));
    out.optional("tls_ca_file", backend.tls_ca.as_ref().map(|ca| quoted(&ca.file)));
    out.key("function_calls", quoted("client"));
    out.key("dialect", word(&DIALECTS, backend.dialect));
    out.key("deferred_response_timeout_ms", millis(backend.deferred_response_timeout));
    out.key("allow_client_json_passthrough", backend.allow_client_json_passthrough);
    out.key("connect_timeout_ms", millis(backend.connect_timeout));
    out.key("dial_attempts", backend.dial_attempts);
    out.key("greeting_mode", word(&GREETING_MODES, backend.greeting_mode));
    let locked = lock_words(backend.lock).into_iter().filter(|(_, locked)| *locked);
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

#[derive(Default)]
struct Toml(String);

impl Toml {
    fn table(&mut self, header: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(header);
        self.0.push('\n');
    }

    fn key(&mut self, name: &str, value: impl Display) {
        self.0.push_str(&format!("{name} = {value}\n"));
    }

    fn optional(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) => self.key(name, value),
            None => self.0.push_str(&format!("# {name} is not set\n")),
        }
    }
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
            format!("eagerness = {}", word(&EAGERNESS, *eagerness)),
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

fn list(items: impl IntoIterator<Item = String>) -> String {
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
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

fn word<T: PartialEq>(words: &[(&str, T)], value: T) -> String {
    let word = words.iter().find(|(_, known)| *known == value).map(|(word, _)| *word);
    quoted(word.expect("the table of words names every variant"))
}

fn millis(duration: Duration) -> u128 {
    duration.as_millis()
}
