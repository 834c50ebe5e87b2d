//! What a gate asks its configuration for, as JSON. Each schema names every field of the type that it stands for, so
//! that none can be forgotten: what no gate asks for, above all whatever may hold a secret, is skipped by name. A field
//! that is skipped is as its default.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;
use serde_with::{DeserializeAs, SerializeAs, serde_as};
use url::Host;

use crate::{
    config::{
        ApiShape, AuthHeader, Backend, BackendKind, BackendUrl, BuiltIn, Deepgram, Dialect, Eagerness,
        EndpointHost, FunctionCalls, Functions, GreetingMode, Limits as BackendLimits, ListenVersion, Lock,
        Route, Secret, Target, TlsCa, Tool, Transcription, TurnDetection,
    },
    gate::{Limits, Service},
};

/// A schema that stands for a type of ours, also within lists.
macro_rules! stands_for {
    ($($schema:ident => $type:ty),+ $(,)?) => {$(
        impl SerializeAs<$type> for $schema {
            fn serialize_as<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(value, serializer)
            }
        }

        impl<'de> DeserializeAs<'de, $type> for $schema {
            fn deserialize_as<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                Self::deserialize(deserializer)
            }
        }
    )+};
}

stands_for! {
    ServiceDef => Service,
    LimitsDef => Limits,
    BackendDef => Backend,
    KindDef => BackendKind,
    DeepgramDef => Deepgram,
    ApiShapeDef => ApiShape,
    CallsDef => FunctionCalls,
    FunctionsDef => Functions,
    HostDef => EndpointHost,
    RouteDef => Route,
    ToolDef => Tool,
    DialectDef => Dialect,
    GreetingDef => GreetingMode,
    LockDef => Lock,
    DetectionDef => TurnDetection,
    EagernessDef => Eagerness,
    TranscriptionDef => Transcription,
    VersionDef => ListenVersion,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Service", rename_all = "snake_case")]
pub(super) enum ServiceDef {
    Agent,
    Transcription(#[serde_as(as = "VersionDef")] ListenVersion),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ListenVersion", rename_all = "snake_case")]
enum VersionDef {
    V1,
    V2,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Limits", deny_unknown_fields)]
pub(super) struct LimitsDef {
    #[serde_as(as = "Size")]
    before_ready: usize,
    #[serde_as(as = "Size")]
    leg: usize,
    #[serde(rename = "settings_timeout_ns")]
    #[serde_as(as = "Nanos")]
    settings_timeout: Duration,
    #[serde(rename = "idle_timeout_ns")]
    #[serde_as(as = "Option<Nanos>")]
    idle_timeout: Option<Duration>,
    #[serde(rename = "max_session_ns")]
    #[serde_as(as = "Option<Nanos>")]
    max_session: Option<Duration>,
    #[serde(rename = "slow_leg_timeout_ns")]
    #[serde_as(as = "Nanos")]
    slow_leg_timeout: Duration,
    #[serde(rename = "call_timeout_ns")]
    #[serde_as(as = "Nanos")]
    call_timeout: Duration,
    #[serde(rename = "ping_interval_ns")]
    #[serde_as(as = "Option<Nanos>")]
    ping_interval: Option<Duration>,
    messages_per_s: Option<NonZeroU32>,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Backend", deny_unknown_fields)]
pub(super) struct BackendDef {
    name: String,
    #[serde_as(as = "KindDef")]
    kind: BackendKind,
    #[serde(skip)]
    path: String,
    #[serde(skip)]
    aliases: Vec<String>,
    #[serde(skip, default = "nowhere")]
    url: BackendUrl,
    model: Option<String>,
    #[serde(skip)]
    api_key: Option<Secret>,
    #[serde(skip, default = "any_header")]
    auth_header: AuthHeader,
    #[serde_as(as = "ApiShapeDef")]
    api_shape: ApiShape,
    #[serde(skip)]
    headers: BTreeMap<String, String>,
    #[serde(skip)]
    tls_ca: Option<TlsCa>,
    #[serde_as(as = "CallsDef")]
    function_calls: FunctionCalls,
    #[serde_as(as = "DialectDef")]
    dialect: Dialect,
    #[serde(rename = "deferred_response_timeout_ns")]
    #[serde_as(as = "Nanos")]
    deferred_response_timeout: Duration,
    allow_client_json_passthrough: bool,
    #[serde(rename = "connect_timeout_ns")]
    #[serde_as(as = "Nanos")]
    connect_timeout: Duration,
    #[serde_as(as = "Attempts")]
    dial_attempts: u32,
    /// That of the connection stands among its limits, and those of the backend do.
    #[serde(skip)]
    ping_interval: Option<Duration>,
    #[serde_as(as = "GreetingDef")]
    greeting_mode: GreetingMode,
    #[serde_as(as = "LockDef")]
    lock: Lock,
    barge_in: bool,
    #[serde_as(as = "DetectionDef")]
    turn_detection: TurnDetection,
    #[serde_as(as = "TranscriptionDef")]
    transcription: Transcription,
    voice: Option<String>,
    voices: BTreeMap<String, String>,
    instructions: Option<String>,
    #[serde_as(as = "Vec<ToolDef>")]
    tools: Vec<Tool>,
    #[serde(skip)]
    limits: BackendLimits,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "BackendKind", rename_all = "snake_case")]
enum KindDef {
    OpenaiRealtime,
    DeepgramAgent(#[serde_as(as = "DeepgramDef")] Deepgram),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Deepgram", deny_unknown_fields)]
struct DeepgramDef {
    #[serde(skip)]
    transcription_url: Option<BackendUrl>,
    #[serde(skip)]
    query_defaults: Vec<(String, String)>,
    repair_component_messages: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ApiShape", rename_all = "snake_case")]
enum ApiShapeDef {
    Auto,
    Ga,
    Beta,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "FunctionCalls", rename_all = "snake_case")]
enum CallsDef {
    Client,
    Server(#[serde_as(as = "Arc<FunctionsDef>")] Arc<Functions>),
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Functions", deny_unknown_fields)]
struct FunctionsDef {
    /// That of the connection stands among its limits.
    #[serde(skip)]
    client_timeout: Duration,
    #[serde(skip)]
    max_concurrent: usize,
    #[serde(skip)]
    max_queued: usize,
    #[serde_as(as = "Vec<HostDef>")]
    allowed_endpoint_hosts: Vec<EndpointHost>,
    #[serde_as(as = "Vec<RouteDef>")]
    routes: Vec<Route>,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "EndpointHost", deny_unknown_fields)]
struct HostDef {
    #[serde_as(as = "HostText")]
    host: Host,
    port: Option<u16>,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Route", deny_unknown_fields)]
struct RouteDef {
    names: Vec<String>,
    backends: Vec<String>,
    #[serde(skip, default = "any_target")]
    target: Target,
    #[serde(rename = "timeout_ns")]
    #[serde_as(as = "Nanos")]
    timeout: Duration,
    #[serde(skip)]
    headers: BTreeMap<String, String>,
    #[serde(skip)]
    idempotent: bool,
    #[serde(skip)]
    retries: u32,
    #[serde_as(as = "Size")]
    max_response_bytes: usize,
    #[serde(skip)]
    tls_ca: Option<TlsCa>,
    #[serde_as(as = "Option<ToolDef>")]
    offer: Option<Tool>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Tool", deny_unknown_fields)]
struct ToolDef {
    name: String,
    description: Option<String>,
    parameters: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Dialect", rename_all = "snake_case")]
enum DialectDef {
    Auto,
    Deepgram,
    Component,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "GreetingMode", rename_all = "snake_case")]
enum GreetingDef {
    Text,
    Speak,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Lock", deny_unknown_fields)]
struct LockDef {
    instructions: bool,
    tools: bool,
    voice: bool,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "TurnDetection", rename_all = "snake_case", deny_unknown_fields)]
enum DetectionDef {
    ServerVad {
        threshold: f64,
        prefix_padding_ms: u32,
        silence_duration_ms: u32,
        idle_timeout_ms: Option<u32>,
        create_response: bool,
        interrupt_response: bool,
    },
    SemanticVad {
        #[serde_as(as = "EagernessDef")]
        eagerness: Eagerness,
        create_response: bool,
        interrupt_response: bool,
    },
    Manual,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Eagerness", rename_all = "snake_case")]
enum EagernessDef {
    Low,
    Medium,
    High,
    Auto,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Transcription", deny_unknown_fields)]
struct TranscriptionDef {
    model: String,
    language: Option<String>,
    prompt: Option<String>,
}

/// A time in nanoseconds. None is so long that a deadline could be beyond what a clock can show.
struct Nanos;

impl SerializeAs<Duration> for Nanos {
    fn serialize_as<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(time.as_nanos()).unwrap_or(LONGEST).min(LONGEST).serialize(serializer)
    }
}

impl<'de> DeserializeAs<'de, Duration> for Nanos {
    fn deserialize_as<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        up_to(LONGEST, u64::deserialize(deserializer)?).map(Duration::from_nanos)
    }
}

/// A number of bytes, as many as the configuration allows for anything.
struct Size;

impl SerializeAs<usize> for Size {
    fn serialize_as<S: Serializer>(bytes: &usize, serializer: S) -> Result<S::Ok, S::Error> {
        (*bytes).min(LARGEST).serialize(serializer)
    }
}

impl<'de> DeserializeAs<'de, usize> for Size {
    fn deserialize_as<D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
        up_to(LARGEST, usize::deserialize(deserializer)?)
    }
}

/// `dial_attempts`.
struct Attempts;

impl SerializeAs<u32> for Attempts {
    fn serialize_as<S: Serializer>(attempts: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        attempts.serialize(serializer)
    }
}

impl<'de> DeserializeAs<'de, u32> for Attempts {
    fn deserialize_as<D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        up_to(1_000, u32::deserialize(deserializer)?)
    }
}

struct HostText;

impl SerializeAs<Host> for HostText {
    fn serialize_as<S: Serializer>(host: &Host, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(host)
    }
}

impl<'de> DeserializeAs<'de, Host> for HostText {
    fn deserialize_as<D: Deserializer<'de>>(deserializer: D) -> Result<Host, D::Error> {
        let text = String::deserialize(deserializer)?;
        Host::parse(&text).map_err(|error| D::Error::custom(format_args!("{text:?} is no host: {error}")))
    }
}

fn up_to<T: PartialOrd + std::fmt::Display, E: Error>(most: T, value: T) -> Result<T, E> {
    if value > most {
        return Err(E::custom(format_args!("{value} is more than {most}")));
    }
    Ok(value)
}

fn nowhere() -> BackendUrl {
    BackendUrl::SelfPath("/".to_owned())
}

fn any_header() -> AuthHeader {
    AuthHeader::Bearer
}

fn any_target() -> Target {
    Target::BuiltIn(BuiltIn::GetCurrentTime)
}

/// A hundred years, nanoseconds.
const LONGEST: u64 = 100 * 365 * 24 * 3_600 * 1_000_000_000;
/// Bytes; what the configuration allows.
const LARGEST: usize = 1 << 30;
