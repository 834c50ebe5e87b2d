//! A configured backend, its choices and their defaults.
//! Knows the words of the configuration, but not how they are read or printed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use serde_json::Value;
use url::Url;

use super::{Functions, address};

/// One upstream service and the paths under which clients reach it.
///
/// `Debug` prints what `voxbridge check` prints: no secret.
#[derive(Clone, PartialEq)]
pub struct Backend {
    /// Unique name: letters, digits, `_` and `-`.
    pub name: String,
    /// What is spoken upstream.
    pub kind: BackendKind,
    /// The path that clients connect to.
    pub path: String,
    /// Further paths for the same backend.
    pub aliases: Vec<String>,
    /// Where upstream is.
    pub url: BackendUrl,
    /// Becomes `?model=` unless the URL has one; `None` (`model = ""`) sends none.
    pub model: Option<String>,
    /// The key that upstream is given, wherever it was configured.
    pub api_key: Option<Secret>,
    /// The header that carries the key.
    pub auth_header: AuthHeader,
    /// The shape of the events that upstream takes; see [`Backend::speaks_beta`].
    pub api_shape: ApiShape,
    /// Further headers of the upgrade request. Values may be secrets: they are never printed.
    pub headers: BTreeMap<String, String>,
    /// Authorities that vouch for upstream, besides those that browsers trust.
    pub tls_ca: Option<TlsCa>,
    /// Who runs the functions that the model calls.
    pub function_calls: FunctionCalls,
    /// Which extra messages the client is sent.
    pub dialect: Dialect,
    /// The ordering rules' *T*: how long a response or a confirmation is waited for.
    pub deferred_response_timeout: Duration,
    /// Whether a client may send upstream JSON of its own.
    pub allow_client_json_passthrough: bool,
    /// How long one attempt to dial may take.
    pub connect_timeout: Duration,
    /// How often upstream is dialled before the client is told; 1 to 10.
    pub dial_attempts: u32,
    /// How a greeting is delivered.
    pub greeting_mode: GreetingMode,
    /// What the client cannot set.
    pub lock: Lock,
    /// Whether the user can interrupt the agent by speaking.
    pub barge_in: bool,
    /// Who decides that the user's turn is over.
    pub turn_detection: TurnDetection,
    /// How the user's speech is transcribed.
    pub transcription: Transcription,
    /// Voice where the client names none; `None` leaves it to upstream.
    pub voice: Option<String>,
    /// The voice for each that a client's `speak.provider` may name; `*` stands for any other.
    pub voices: BTreeMap<String, String>,
    /// Instructions where the client gives none.
    pub instructions: Option<String>,
    /// Functions offered to the model where the client gives none.
    pub tools: Vec<Tool>,
}

/// What is spoken upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendKind {
    /// OpenAI Realtime: translated.
    OpenaiRealtime,
}

/// Where upstream is. `Display` and `Debug` hide values of the query that look like keys.
#[derive(Clone, PartialEq, Eq)]
pub enum BackendUrl {
    /// A `ws` or `wss` URL with a host, without user name, password or fragment.
    Remote(Url),
    /// Path (and query) on this server's own listener, written `self:/…`.
    SelfPath(String),
}

/// The header that carries the API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `api-key: KEY`, as Azure has it.
    ApiKey,
}

/// The shape of the events that upstream takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiShape {
    /// `Beta` if the URL's query has `api-version`, as Azure's preview endpoint wants it, else `Ga`.
    Auto,
    /// The general-availability API.
    Ga,
    /// The beta before it.
    Beta,
}

/// Which messages the client is sent beyond the Voice Agent protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `Component` as soon as Settings carries one of the component's own fields, else `Deepgram`.
    Auto,
    /// Exactly Deepgram's messages.
    Deepgram,
    /// With the React component's `AgentDone`, `Transcript` and `UtteranceEnd`.
    Component,
}

/// How a greeting is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GreetingMode {
    /// As text alone; upstream is not asked.
    Text,
    /// As text, and spoken by upstream word for word.
    Speak,
}

/// Who runs the functions that the model calls.
#[derive(Debug, Clone, PartialEq)]
pub enum FunctionCalls {
    /// The client, all of them.
    Client,
    /// The gateway, those that it has a route for; the client the others.
    Server(Arc<Functions>),
}

/// What the operator alone sets: of these the client's `Settings` and updates are ignored, with a Warning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lock {
    /// The prompt, stored ones included; the conversation before this one is still the client's to tell.
    pub instructions: bool,
    /// The functions and which of them the model has to call.
    pub tools: bool,
    /// The voice.
    pub voice: bool,
}

/// Who decides that the user's turn is over (OpenAI Realtime, turn detection).
#[derive(Debug, Clone, PartialEq)]
pub enum TurnDetection {
    /// Upstream, by silence.
    ServerVad {
        /// Loudness that counts as speech, 0 to 1.
        threshold: f64,
        /// Audio kept from before the speech, in milliseconds.
        prefix_padding_ms: u32,
        /// Silence that ends a turn, in milliseconds.
        silence_duration_ms: u32,
        /// Silence after which the model speaks unasked, 5000 to 30000 ms; `None` is never.
        idle_timeout_ms: Option<u32>,
        /// Whether upstream answers a turn by itself.
        create_response: bool,
        /// Whether upstream cancels its response when the user speaks.
        interrupt_response: bool,
    },
    /// Upstream, by meaning.
    SemanticVad {
        /// How soon it takes a turn for finished.
        eagerness: Eagerness,
        /// Whether upstream answers a turn by itself.
        create_response: bool,
        /// Whether upstream cancels its response when the user speaks.
        interrupt_response: bool,
    },
    /// The gateway commits by time and amount of audio.
    Manual,
}

/// How soon semantic turn detection takes a turn for finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eagerness {
    /// Waits at most 8 s.
    Low,
    /// Waits at most 4 s.
    Medium,
    /// Waits at most 2 s.
    High,
    /// Upstream's choice, the same as medium.
    Auto,
}

impl BackendKind {
    /// The word for it in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenaiRealtime => "openai-realtime",
        }
    }
}

impl Eagerness {
    /// The word for it, in the configuration and in the Realtime API alike.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Auto => "auto",
        }
    }
}

/// How the user's speech is transcribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcription {
    /// Transcription model.
    pub model: String,
    /// Language of the speech where the client names none, `en` if `None`; `multi` lets the model find out.
    pub language: Option<String>,
    /// Hint for the model, such as names to expect.
    pub prompt: Option<String>,
}

/// Certificate authorities from a PEM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsCa {
    /// The file.
    pub file: String,
    /// What it holds, at least one.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// A function offered to the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Name: 1 to 64 letters, digits, `_` and `-`.
    pub name: String,
    /// What the function does, for the model.
    pub description: Option<String>,
    /// JSON Schema of the arguments: an object, its keys in alphabetical order.
    pub parameters: Value,
}

/// Text that is never printed: `Debug` and `Display` give `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Backend {
    /// An OpenAI Realtime backend with every other value at its default.
    pub fn new(name: impl Into<String>, path: impl Into<String>, url: BackendUrl) -> Self {
        Self {
            name: name.into(),
            kind: BackendKind::OpenaiRealtime,
            path: path.into(),
            aliases: Vec::new(),
            url,
            model: Some("gpt-realtime".into()),
            api_key: None,
            auth_header: AuthHeader::Bearer,
            api_shape: ApiShape::Auto,
            headers: BTreeMap::new(),
            tls_ca: None,
            function_calls: FunctionCalls::Client,
            dialect: Dialect::Auto,
            deferred_response_timeout: Duration::from_secs(20),
            allow_client_json_passthrough: false,
            connect_timeout: Duration::from_secs(10),
            dial_attempts: 2,
            greeting_mode: GreetingMode::Text,
            lock: Lock::default(),
            barge_in: true,
            turn_detection: TurnDetection::default(),
            transcription: Transcription::default(),
            voice: None,
            voices: BTreeMap::new(),
            instructions: None,
            tools: Vec::new(),
        }
    }

    /// Whether upstream takes events in the shape of the beta API.
    pub fn speaks_beta(&self) -> bool {
        match self.api_shape {
            ApiShape::Auto => self.url.has_parameter("api-version"),
            ApiShape::Ga => false,
            ApiShape::Beta => true,
        }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::show::backend(self))
    }
}

impl BackendUrl {
    /// Whether audio and keys would cross a network in clear: `ws` to a host other than loopback.
    pub fn is_cleartext_to_others(&self) -> bool {
        let Self::Remote(url) = self else { return false };
        url.scheme() == "ws" && !address::is_loopback(url)
    }

    /// Whether the query has a parameter of this name.
    pub fn has_parameter(&self, name: &str) -> bool {
        let query = match self {
            Self::Remote(url) => url.query(),
            Self::SelfPath(path) => path.split_once('?').map(|(_, query)| query),
        };
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).any(|(known, _)| known == name)
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote(url) => write!(f, "{}", address::Shown(url.as_str())),
            Self::SelfPath(path) => write!(f, "self:{}", address::Shown(path)),
        }
    }
}

impl fmt::Debug for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Default for TurnDetection {
    fn default() -> Self {
        Self::ServerVad {
            threshold: 0.5,
            prefix_padding_ms: 300,
            silence_duration_ms: 200,
            idle_timeout_ms: None,
            create_response: true,
            interrupt_response: true,
        }
    }
}

impl Default for Transcription {
    fn default() -> Self {
        Self { model: "gpt-4o-transcribe".into(), language: None, prompt: None }
    }
}

impl Secret {
    /// Wraps a key.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
