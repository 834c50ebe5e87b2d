//! The TOML as it is written: every key that exists, as an unconverted value that may be absent.
//! Refuses keys that do not exist; knows nothing of defaults, ranges or what a value means.

use std::collections::BTreeMap;

use config::{ConfigError as ParseError, File, FileFormat, Value as Tree};
use serde::Deserialize;
use serde_json::Value;

use super::error::ConfigError;
use super::reader::Origin;

/// A value that may be absent; its type is judged where its key is known.
pub(super) type Raw = Option<Value>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawConfig {
    pub(super) server: RawServer,
    pub(super) logging: RawLogging,
    pub(super) auth: RawAuth,
    pub(super) console: RawConsole,
    pub(super) limits: RawLimits,
    pub(super) functions: RawFunctions,
    pub(super) simulator: RawSimulator,
    pub(super) backends: Vec<RawBackend>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawServer {
    pub(super) host: Raw,
    pub(super) port: Raw,
    pub(super) admin_port: Raw,
    pub(super) tls_cert: Raw,
    pub(super) tls_key: Raw,
    pub(super) workers: Raw,
    pub(super) max_sessions: Raw,
    pub(super) drain_timeout_s: Raw,
    pub(super) trusted_proxies: Raw,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawLogging {
    pub(super) level: Raw,
    pub(super) format: Raw,
    pub(super) log_content: Raw,
    pub(super) usage_log: Raw,
    pub(super) record_dir: Raw,
    pub(super) record_audio: Raw,
    pub(super) record_session_bytes: Raw,
    pub(super) record_total_bytes: Raw,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawAuth {
    pub(super) mode: Raw,
    pub(super) allow_anonymous: Raw,
    pub(super) allowed_origins: Raw,
    pub(super) tokens: Vec<RawToken>,
    pub(super) jwt: Option<RawJwt>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawToken {
    pub(super) subject: Raw,
    pub(super) token: Raw,
    pub(super) token_env: Raw,
    pub(super) token_file: Raw,
    pub(super) backends: Raw,
    pub(super) functions: Raw,
    pub(super) max_session_s: Raw,
    pub(super) may_grant: Raw,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawJwt {
    pub(super) algorithms: Raw,
    pub(super) secret: Raw,
    pub(super) secret_env: Raw,
    pub(super) secret_file: Raw,
    pub(super) public_key: Raw,
    pub(super) public_key_env: Raw,
    pub(super) public_key_file: Raw,
    pub(super) jwks_file: Raw,
    pub(super) signing_key: Raw,
    pub(super) signing_key_env: Raw,
    pub(super) signing_key_file: Raw,
    pub(super) issuer: Raw,
    pub(super) audience: Raw,
    pub(super) leeway_s: Raw,
    pub(super) max_grant_ttl_s: Raw,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawConsole {
    pub(super) enabled: Raw,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawLimits {
    pub(super) before_ready_bytes: Raw,
    pub(super) leg_bytes: Raw,
    pub(super) max_message_bytes: Raw,
    pub(super) max_upstream_message_bytes: Raw,
    pub(super) settings_timeout_s: Raw,
    pub(super) idle_timeout_s: Raw,
    pub(super) max_session_s: Raw,
    pub(super) slow_client_timeout_s: Raw,
    pub(super) messages_per_s: Raw,

    // Of the whole process.
    pub(super) process_bytes: Raw,
    pub(super) max_sessions_per_ip: Raw,
    pub(super) max_sessions_per_subject: Raw,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawFunctions {
    pub(super) client_timeout_ms: Raw,
    pub(super) max_concurrent: Raw,
    pub(super) max_queued: Raw,
    pub(super) allowed_endpoint_hosts: Raw,
    pub(super) route: Vec<RawRoute>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawRoute {
    pub(super) names: Raw,
    pub(super) backends: Raw,
    pub(super) url: Raw,
    pub(super) timeout_ms: Raw,
    pub(super) headers: BTreeMap<String, Value>,
    pub(super) idempotent: Raw,
    pub(super) retries: Raw,
    pub(super) max_response_bytes: Raw,
    pub(super) tls_ca_file: Raw,
    pub(super) description: Raw,
    pub(super) parameters: Raw,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawSimulator {
    pub(super) enabled: Raw,
    pub(super) openai: BTreeMap<String, Value>,
    pub(super) deepgram: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawBackend {
    pub(super) name: Raw,
    pub(super) kind: Raw,
    pub(super) path: Raw,
    pub(super) aliases: Raw,
    pub(super) url: Raw,
    pub(super) api_key: Raw,
    pub(super) api_key_env: Raw,
    pub(super) api_key_file: Raw,
    pub(super) auth_header: Raw,
    pub(super) headers: BTreeMap<String, Value>,
    pub(super) tls_ca_file: Raw,
    pub(super) function_calls: Raw,
    pub(super) dialect: Raw,
    pub(super) connect_timeout_ms: Raw,
    pub(super) dial_attempts: Raw,
    pub(super) ping_interval_s: Raw,
    pub(super) limits: RawLimits,

    // OpenAI Realtime.
    pub(super) model: Raw,
    pub(super) api_shape: Raw,
    pub(super) deferred_response_timeout_ms: Raw,
    pub(super) allow_client_json_passthrough: Raw,
    pub(super) greeting_mode: Raw,
    pub(super) lock: Raw,
    pub(super) barge_in: Raw,
    pub(super) turn_detection: Option<RawTurnDetection>,
    pub(super) transcription: Option<RawTranscription>,
    pub(super) voice: Raw,
    pub(super) voices: Option<BTreeMap<String, Value>>,
    pub(super) instructions: Raw,
    pub(super) tools: Option<Vec<RawTool>>,

    // Deepgram.
    pub(super) transcription_url: Raw,
    pub(super) query_defaults: Option<BTreeMap<String, Value>>,
    pub(super) repair_component_messages: Raw,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawTurnDetection {
    pub(super) r#type: Raw,
    pub(super) threshold: Raw,
    pub(super) prefix_padding_ms: Raw,
    pub(super) silence_duration_ms: Raw,
    pub(super) idle_timeout_ms: Raw,
    pub(super) eagerness: Raw,
    pub(super) create_response: Raw,
    pub(super) interrupt_response: Raw,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawTranscription {
    pub(super) model: Raw,
    pub(super) language: Raw,
    pub(super) prompt: Raw,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct RawTool {
    pub(super) name: Raw,
    pub(super) description: Raw,
    pub(super) parameters: Raw,
}

/// Parses TOML text into a tree that environment overrides can still be folded into.
pub(super) fn parse(file: &str, text: &str) -> Result<Tree, ConfigError> {
    config::Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .build()
        .map(|parsed| parsed.cache)
        .map_err(|error| syntax_error(file, &error.to_string()))
}

/// Deserializes the tree, naming the first key (in alphabetical order) that does not exist.
pub(super) fn deserialize(origin: &Origin, tree: Tree) -> Result<RawConfig, ConfigError> {
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(tree, &mut track);
    let parsed = serde_ignored::deserialize(tracked, |path| unknown.push(dotted(&path)));
    // A misspelt key explains whatever else is wrong, so it is told first.
    if let Some(key) = unknown.iter().min() {
        return Err(origin.unknown_key(key));
    }
    parsed.map_err(|error| origin.error(&track.path().to_string(), structure_reason(&error)))
}

/// The parser's report quotes the offending line, which may hold an API key: only its place and its reason are kept.
fn syntax_error(file: &str, report: &str) -> ConfigError {
    let mut lines = report.lines();
    let first = lines.next().unwrap_or_default();
    match first.strip_prefix("TOML parse error at ") {
        Some(position) => {
            let quoted =
                |line: &&str| line.trim_start().starts_with(|c: char| c == '|' || c.is_ascii_digit());
            let reason: Vec<_> = lines.skip_while(quoted).map(str::trim).collect();
            ConfigError::Syntax {
                file: file.to_owned(),
                position: position.to_owned(),
                reason: reason.join(", "),
            }
        }
        None => {
            ConfigError::Syntax { file: file.to_owned(), position: "syntax".into(), reason: first.to_owned() }
        }
    }
}

/// All leaves accept any value, so what is left is a table or list in the wrong place. The value found
/// is not repeated: it may be a secret.
fn structure_reason(error: &ParseError) -> &'static str {
    let message = match error {
        ParseError::At { error, .. } => error.to_string(),
        other => other.to_string(),
    };
    match message.rsplit_once(", expected ") {
        Some((_, "a map" | "a table")) => "expected a table",
        Some((_, "a sequence")) => "expected a list",
        _ => "has a value that cannot be read",
    }
}

fn dotted(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", dotted(parent)),
        Path::Map { parent, key } => match dotted(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            dotted(parent)
        }
    }
}
