//! The configuration as the program uses it: every value present, checked and of its own type.
//! [`Config::load`] is the only way in; nothing outside this module knows what a TOML file is.
//!
//! ```text
//! text ── raw::parse ──▶ tree ── env::fold ──▶ tree ── raw::deserialize ──▶ RawConfig ── check ──▶ Config
//! ```

mod address;
mod auth;
mod backend;
mod backend_url;
mod check;
mod check_auth;
mod check_backend;
mod check_deepgram;
mod check_functions;
mod check_jwt;
mod check_limits;
mod check_openai;
mod check_paths;
mod check_proxies;
mod check_recording;
mod check_request;
mod check_secret;
mod check_tools;
mod env;
mod error;
mod functions;
mod jwks;
mod key_material;
pub(crate) mod language;
mod raw;
mod reader;
#[cfg(test)]
pub(crate) mod rsa_key;
mod scrubber;
mod service;
mod show;
mod show_auth;
mod succession;
#[cfg(test)]
mod tests;
mod turn_detection;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use log::LevelFilter;

use crate::tls::CertificateFiles;

pub(crate) use self::address::page_origin;
pub use self::auth::{
    Auth, AuthMode, Jwt, JwtAlgorithm, JwtSources, KeyMaterial, Rights, SigningKey, StaticToken, VerifyingKey,
};
pub use self::backend::{
    ApiShape, AuthHeader, Backend, BackendKind, Deepgram, Dialect, FunctionCalls, GreetingMode, Lock, Secret,
    TlsCa, Tool,
};
pub use self::backend_url::BackendUrl;
pub(crate) use self::check_request::{is_header_name, is_header_value};
pub(crate) use self::check_tools::is_function_name;
pub use self::error::ConfigError;
pub use self::functions::{
    BuiltIn, DEFAULT_RESPONSE_BYTES, DEFAULT_TIMEOUT, EndpointHost, Functions, Route, Target,
};
pub use self::scrubber::Scrubber;
pub use self::service::{ListenVersion, PathService};
pub use self::succession::Succession;
pub use self::turn_detection::{Eagerness, Transcription, TurnDetection};

/// Everything that is configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `[server]`.
    pub server: Server,
    /// `[logging]`.
    pub logging: Logging,
    /// `[auth]`.
    pub auth: Auth,
    /// `[console]`.
    pub console: Console,
    /// `[limits]`.
    pub limits: Limits,
    /// What `[limits]` says of all connections together.
    pub process: ProcessLimits,
    /// `[functions]`, the same that backends with `function_calls = "server"` hold.
    pub functions: Arc<Functions>,
    /// `[simulator]`.
    pub simulator: Simulator,
    /// `[[backends]]`, in the file's order; never empty, names and paths unique.
    pub backends: Vec<Backend>,
    /// What is allowed but worth a line in the log at start, each naming its key.
    pub warnings: Vec<String>,
}

/// Where and how much the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Address or name to listen on; an IPv6 address without brackets.
    pub host: String,
    /// Port to listen on; 0 lets the system choose.
    pub port: u16,
    /// Port on the same host where alone probes are answered, without TLS; never 0 and never that of `port`. `None`: they
    /// are answered on `port`.
    pub admin_port: Option<u16>,
    /// Where the listener's certificate is, which could be used when the configuration was read; without one it speaks
    /// without TLS.
    pub tls: Option<CertificateFiles>,
    /// Worker threads; 0 is one per core.
    pub workers: usize,
    /// Connections served at the same time, over all workers; at least 1.
    pub max_sessions: usize,
    /// How long live connections may take to finish their turns when the program is asked to stop; zero: no time.
    pub drain_timeout: Duration,
    /// Proxies whose word counts for where a client is: networks, of which IPv4 is never written as IPv6.
    pub trusted_proxies: Vec<IpNet>,
}

/// What is logged, and recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// Level unless `RUST_LOG` says otherwise.
    pub level: LevelFilter,
    /// How a line is written.
    pub format: LogFormat,
    /// Whether speech, transcripts, arguments and results may appear in the log.
    pub log_content: bool,
    /// The file to which usage is appended; none: it is not written.
    pub usage_log: Option<PathBuf>,
    /// Where recordings of connections are written; the directory was there when the configuration was read. `None`: none
    /// is made.
    pub record_dir: Option<String>,
    /// Whether audio is recorded as well.
    pub record_audio: bool,
    /// What the files of one recording may come to, bytes.
    pub record_session_bytes: u64,
    /// What all recordings in the directory may come to, bytes, before the oldest are deleted; at least one recording.
    pub record_total_bytes: u64,
}

/// How a line of the log is written; the fields are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: what it is about, a message, `name=value`.
    Text,
    /// For programs: one object.
    Json,
}

/// The page that talks to the backends from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// Whether it is served.
    pub enabled: bool,
}

/// Bounds of one connection. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Audio and typed messages held until the session is ready.
    pub before_ready_bytes: usize,
    /// What may wait for one leg that does not read.
    pub leg_bytes: usize,
    /// One message from the client, fragments included.
    pub max_message_bytes: usize,
    /// One message from upstream, fragments included.
    pub max_upstream_message_bytes: usize,
    /// How long a client may take to send its first Settings.
    pub settings_timeout: Duration,
    /// How long a client may send nothing at all; `None` is for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a connection may last; `None` is for ever.
    pub max_session: Option<Duration>,
    /// How long a leg may stay over `leg_bytes`.
    pub slow_client_timeout: Duration,
    /// Messages that are read from the client in a second; `None` is any number.
    pub messages_per_s: Option<NonZeroU32>,
}

/// Bounds of all connections together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessLimits {
    /// What all connections together may hold, bytes.
    pub bytes: usize,
    /// Connections from one address, or from one /64 network of IPv6; `None` is any number.
    pub sessions_per_address: Option<NonZeroU32>,
    /// Connections with tokens of one subject; `None` is any number.
    pub sessions_per_subject: Option<NonZeroU32>,
}

/// The simulators that the server itself can mount under `/sim/`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Simulator {
    /// Whether they are mounted.
    pub enabled: bool,
    /// `[simulator.openai]`: names and values as text, for the simulator to check.
    pub openai: BTreeMap<String, String>,
    /// `[simulator.deepgram]`: the same for that simulator.
    pub deepgram: BTreeMap<String, String>,
}

impl Config {
    /// Reads a file, or without one the embedded default, and the `VOXBRIDGE__` variables of the process.
    ///
    /// # Errors
    ///
    /// The first unknown key, missing key or bad value, with the file (or variable), the key and the reason.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let environment = env::variables(std::env::vars_os())?;
        let Some(path) = path else {
            return Self::from_toml(DEFAULT_NAME, DEFAULT_TEXT, environment);
        };
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::from_toml(&name, &text, environment),
            Err(error) => {
                Err(ConfigError::Unreadable { file: name, reason: format!("cannot be read: {error}") })
            }
        }
    }

    /// Reads TOML text with an environment given. `name` stands for the file in errors; the environment serves
    /// the overrides and `api_key_env`. Files that `api_key_file` names are read.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn from_toml(
        name: &str,
        text: &str,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let environment: BTreeMap<String, String> = env.into_iter().collect();
        let mut tree = raw::parse(name, text)?;
        let variables = env::fold(&mut tree, &environment)?;
        let origin = reader::Origin { file: name.to_owned(), variables };
        let raw = raw::deserialize(&origin, tree)?;
        let mut config = check::check(&raw, &origin, &environment)?;
        config.warnings.extend(env::unused_proxies(&environment));
        Ok(config)
    }

    /// Everything in force as TOML that could be read again, but for secrets, which read `***`.
    pub fn show(&self) -> String {
        show::config(self)
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8080,
            admin_port: None,
            tls: None,
            workers: 0,
            max_sessions: 5000,
            drain_timeout: Duration::from_secs(25),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            level: LevelFilter::Info,
            format: LogFormat::Text,
            log_content: false,
            usage_log: None,
            record_dir: None,
            record_audio: false,
            record_session_bytes: 64 << 20,
            record_total_bytes: 1 << 30,
        }
    }
}

impl Default for Console {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            before_ready_bytes: 2 * MIB,
            leg_bytes: 4 * MIB,
            max_message_bytes: MIB,
            max_upstream_message_bytes: 32 * MIB,
            settings_timeout: Duration::from_secs(60),
            idle_timeout: Some(Duration::from_secs(300)),
            max_session: None,
            slow_client_timeout: Duration::from_secs(10),
            messages_per_s: None,
        }
    }
}

impl Default for ProcessLimits {
    fn default() -> Self {
        Self { bytes: 512 * MIB, sessions_per_address: None, sessions_per_subject: None }
    }
}

const DEFAULT_NAME: &str = "config/default.toml";
const DEFAULT_TEXT: &str = include_str!("../../config/default.toml");
const MIB: usize = 1024 * 1024;
