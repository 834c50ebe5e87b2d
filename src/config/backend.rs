//! A configured backend, its choices and their defaults.
//! Knows the words of the configuration, but not how they are read or printed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use serde_json::Value;

use super::{BackendUrl, Functions, Limits, ListenVersion, Transcription, TurnDetection};

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
    /// After how much silence a peer of either leg is pinged; it is gone when it has been silent for as long again.
    /// `None`: never.
    pub ping_interval: Option<Duration>,
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
    /// Bounds of one connection.
    pub limits: Limits,
}

/// What is spoken upstream.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendKind {
    /// OpenAI Realtime: translated.
    OpenaiRealtime,
    /// Deepgram's Voice Agent and its transcription: passed through.
    DeepgramAgent(Deepgram),
}

/// What only a backend of Deepgram has. `Debug` hides values of `query_defaults` that look like keys.
#[derive(Clone, PartialEq)]
pub struct Deepgram {
    /// Where transcription is, whose version the path ends with: `/v1/listen` or `/v2/listen`. Without it
    /// the backend transcribes nothing.
    pub transcription_url: Option<BackendUrl>,
    /// Parameters that a transcription socket of that version has unless its client names them, in the order in
    /// which they go into the query. A name may stand here more than once.
    pub query_defaults: Vec<(String, String)>,
    /// Whether what the component says and Deepgram refuses is put right on its way.
    pub repair_component_messages: bool,
}

/// The header that carries the API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `api-key: KEY`, as Azure has it.
    ApiKey,
    /// `Authorization: Token KEY`, as Deepgram has it.
    Token,
    /// None: the subprotocols `token, KEY`, as Deepgram's browser clients have it.
    Subprotocol,
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

impl BackendKind {
    /// The word for it in the configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OpenaiRealtime => OPENAI_REALTIME,
            Self::DeepgramAgent(_) => DEEPGRAM_AGENT,
        }
    }
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
    /// What is Deepgram's alone, if the backend is.
    pub fn deepgram(&self) -> Option<&Deepgram> {
        match &self.kind {
            BackendKind::OpenaiRealtime => None,
            BackendKind::DeepgramAgent(deepgram) => Some(deepgram),
        }
    }

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
            ping_interval: Some(Duration::from_secs(20)),
            greeting_mode: GreetingMode::Text,
            lock: Lock::default(),
            barge_in: true,
            turn_detection: TurnDetection::default(),
            transcription: Transcription::default(),
            voice: None,
            voices: BTreeMap::new(),
            instructions: None,
            tools: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// A Deepgram backend with every other value at its default.
    pub fn passed_through(name: impl Into<String>, path: impl Into<String>, url: BackendUrl) -> Self {
        let transcription_url = url.transcription();
        Self {
            kind: BackendKind::DeepgramAgent(Deepgram { transcription_url, ..Deepgram::default() }),
            model: None,
            auth_header: AuthHeader::Token,
            ..Self::new(name, path, url)
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

impl Deepgram {
    /// The version that [`transcription_url`](Self::transcription_url) names, which is the one that
    /// [`query_defaults`](Self::query_defaults) are for.
    pub fn listen_version(&self) -> Option<ListenVersion> {
        ListenVersion::of_path(self.transcription_url.as_ref()?.path())
    }
}

impl fmt::Debug for Deepgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::show::deepgram(self))
    }
}

impl Default for Deepgram {
    fn default() -> Self {
        Self { transcription_url: None, query_defaults: Vec::new(), repair_component_messages: true }
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

/// The words for the kinds.
pub(super) const OPENAI_REALTIME: &str = "openai-realtime";
pub(super) const DEEPGRAM_AGENT: &str = "deepgram-agent";
