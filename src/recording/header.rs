//! The first line of a recording: everything that a gate is made from, and a gate made from it again. Knows nothing of
//! what the gate was given.

use std::{sync::Arc, time::Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::serde_as;

use super::{
    VERSION,
    schema::{BackendDef, LimitsDef, ServiceDef},
    shown,
};
use crate::{
    config::{ApiShape, Backend},
    gate::{CloseReason, Effect, Gate, Input, Limits, Phase, Relay, Service},
};

/// What a recording begins with.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format, which is [`VERSION`].
    #[serde(rename = "voxbridge_recording")]
    pub version: u32,
    /// The program that wrote it, with its version.
    pub program: String,
    /// Names the connection: what its `Welcome` says.
    pub request_id: String,
    /// The client's trace, or empty.
    pub trace: String,
    /// When the connection began, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// Whether stand-ins take the place of what was said.
    pub masked: bool,
    /// What is passed through; none if messages are translated.
    #[serde_as(as = "Option<ServiceDef>")]
    pub service: Option<Service>,
    /// The bounds of that connection.
    #[serde_as(as = "LimitsDef")]
    pub limits: Limits,
    /// What the gate asks the backend's configuration for. The rest is as [`Backend::new`] has it.
    #[serde_as(as = "BackendDef")]
    pub backend: Backend,
}

impl Header {
    /// The header of a connection that begins now: its gate is made from `backend`, `limits` and `service`.
    pub fn new(backend: &Backend, limits: Limits, service: Option<Service>, request_id: String) -> Self {
        Self {
            version: VERSION,
            program: concat!("voxbridge ", env!("CARGO_PKG_VERSION")).to_owned(),
            request_id,
            trace: String::new(),
            started_unix_ms: 0,
            masked: false,
            service,
            limits,
            backend: asked_for(backend.clone()),
        }
    }

    /// Writes the line.
    pub fn encode(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(&mut *out, self).expect("a header is text, numbers and maps with text keys");
        out.push(b'\n');
    }

    /// Reads the line; says what is wrong with it. Another version is refused by its number.
    pub fn decode(line: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            voxbridge_recording: Option<Value>,
        }
        let version: Version =
            serde_json::from_str(line).map_err(|_| "not a recording of voxbridge".to_owned())?;
        match version.voxbridge_recording {
            None => return Err("not a recording of voxbridge".to_owned()),
            Some(version) if version != VERSION => {
                let version = shown(&version.to_string(), 40);
                return Err(format!("version {version} of the format is not known here, only {VERSION}"));
            }
            Some(_) => (),
        }
        serde_json::from_str(line).map_err(|error| format!("the header: {error}"))
    }

    /// A gate that behaves as the recorded one did, as long as it is given what that was given.
    pub fn gate(&self) -> AnyGate {
        let (backend, limits) = (Arc::new(self.backend.clone()), self.limits.clone());
        match self.service {
            None => AnyGate::Gate(Box::new(Gate::new(backend, limits, self.request_id.clone()))),
            Some(service) => AnyGate::Relay(Box::new(Relay::new(backend, limits, service))),
        }
    }
}

/// Either gate.
pub enum AnyGate {
    /// Messages are translated.
    Gate(Box<Gate>),
    /// Frames are passed through.
    Relay(Box<Relay>),
}

impl AnyGate {
    /// See [`Gate::handle`].
    #[must_use = "the effects are what is compared"]
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        match self {
            Self::Gate(gate) => gate.handle(input, now),
            Self::Relay(relay) => relay.handle(input, now),
        }
    }

    /// See [`Gate::phase`].
    pub fn phase(&self) -> Phase {
        match self {
            Self::Gate(gate) => gate.phase(),
            Self::Relay(relay) => relay.phase(),
        }
    }

    /// See [`Gate::close_reason`].
    pub fn close_reason(&self) -> Option<&CloseReason> {
        match self {
            Self::Gate(gate) => gate.close_reason(),
            Self::Relay(relay) => relay.close_reason(),
        }
    }
}

/// The backend with what is written of it: a secret that is not kept cannot be written either.
fn asked_for(backend: Backend) -> Backend {
    // Of the URL a gate asks only this.
    let api_shape = if backend.speaks_beta() { ApiShape::Beta } else { ApiShape::Ga };
    let json = serde_json::to_value(Written(Backend { api_shape, ..backend }));
    json.and_then(serde_json::from_value)
        .map(|Written(backend)| backend)
        .expect("what is written can be read")
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Written(#[serde_as(as = "BackendDef")] Backend);

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::config::{
        AuthHeader, BackendUrl, EndpointHost, FunctionCalls, Functions, ListenVersion, Route, Secret, Target,
        Tool, TurnDetection,
    };

    fn limits(backend: &Backend) -> Limits {
        Limits {
            ping_interval: Some(Duration::from_nanos(19_123_456_789)),
            messages_per_s: std::num::NonZeroU32::new(7),
            ..Limits::new(backend, Duration::from_millis(1_500))
        }
    }

    /// A backend of which every field is other than by default, with `secret` wherever one may be.
    fn backend() -> Backend {
        let url = |text: &str| text.parse().expect("a url");
        let headers = || BTreeMap::from([("x-key".to_owned(), "secret".to_owned())]);
        let tool = |name: &str| Tool {
            name: name.to_owned(),
            description: Some("what it does".to_owned()),
            parameters: serde_json::json!({"type": "object", "properties": {}}),
        };
        let route = Route {
            backends: vec!["b".to_owned()],
            headers: headers(),
            timeout: Duration::from_millis(1_234),
            max_response_bytes: 77,
            offer: Some(tool("f")),
            ..Route::new(vec!["f".to_owned()], Target::Url(url("https://h/?key=secret")))
        };
        let host = |host: &str| EndpointHost { host: url::Host::parse(host).expect("a host"), port: Some(1) };
        let functions = Functions {
            allowed_endpoint_hosts: vec![host("a.example"), host("[::1]"), host("10.0.0.1")],
            routes: vec![route],
            ..Functions::default()
        };
        Backend {
            api_key: Some(Secret::new("secret")),
            auth_header: AuthHeader::ApiKey,
            headers: headers(),
            function_calls: FunctionCalls::Server(Arc::new(functions)),
            turn_detection: TurnDetection::ServerVad {
                threshold: 0.1 + 0.2,
                prefix_padding_ms: 1,
                silence_duration_ms: 2,
                idle_timeout_ms: Some(5_000),
                create_response: false,
                interrupt_response: false,
            },
            voices: BTreeMap::from([("*".to_owned(), "alloy".to_owned())]),
            voice: Some("verse".to_owned()),
            instructions: Some("Be brief.\n\"Really.\"".to_owned()),
            tools: vec![tool("g")],
            ..Backend::new("b", "/b", BackendUrl::Remote(url("wss://h/?api-version=1&api-key=secret")))
        }
    }

    fn line(header: &Header) -> String {
        let mut line = Vec::new();
        header.encode(&mut line);
        String::from_utf8(line).expect("JSON is text")
    }

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        let backend = backend();
        let services = [None, Some(Service::Agent), Some(Service::Transcription(ListenVersion::V2))]
            .map(|service| Header::new(&backend, limits(&backend), service, "request-1".to_owned()));
        for header in services {
            assert_eq!(Header::decode(&line(&header)), Ok(header));
        }
        let plain = Backend::passed_through("b", "/b", BackendUrl::SelfPath("/".to_owned()));
        let header = Header::new(&plain, limits(&plain), Some(Service::Agent), String::new());
        assert_eq!(Header::decode(&line(&header)), Ok(header));
    }

    #[test]
    fn what_a_gate_asks_for_is_kept_and_nothing_that_may_be_secret() {
        let (backend, header) = {
            let backend = backend();
            let header = Header::new(&backend, limits(&backend), None, "request-1".to_owned());
            (backend, header)
        };
        assert!(!line(&header).contains("secret"));
        let FunctionCalls::Server(functions) = &backend.function_calls else { unreachable!() };
        let routes = functions.routes.iter().map(|route| Route {
            target: header_route(&header).target.clone(),
            headers: BTreeMap::new(),
            ..route.clone()
        });
        let functions = Functions {
            client_timeout: Duration::ZERO,
            max_concurrent: 0,
            max_queued: 0,
            routes: routes.collect(),
            ..(**functions).clone()
        };
        let kept = Backend {
            path: String::new(),
            url: header.backend.url.clone(),
            api_key: None,
            auth_header: AuthHeader::Bearer,
            api_shape: ApiShape::Beta,
            headers: BTreeMap::new(),
            ping_interval: None,
            function_calls: FunctionCalls::Server(Arc::new(functions)),
            ..backend
        };
        assert!(header.backend == kept, "{:?}", header.backend);
    }

    fn header_route(header: &Header) -> &Route {
        let FunctionCalls::Server(functions) = &header.backend.function_calls else { unreachable!() };
        &functions.routes[0]
    }

    #[test]
    fn what_is_no_header_is_refused_by_what_is_wrong_with_it() {
        let backend = backend();
        let good = line(&Header::new(&backend, limits(&backend), None, String::new()));
        for (bad, reason) in [
            ("".to_owned(), "not a recording of voxbridge"),
            ("{}".to_owned(), "not a recording of voxbridge"),
            (r#"{"n":1}"#.to_owned(), "not a recording of voxbridge"),
            (
                r#"{"voxbridge_recording":2,"x":1}"#.to_owned(),
                "version 2 of the format is not known here, only 1",
            ),
            (
                r#"{"voxbridge_recording":"\u001b"}"#.to_owned(),
                r#"version "\u001b" of the format is not known here, only 1"#,
            ),
            (good.replace("\"barge_in\"", "\"barge\""), "the header: unknown field `barge`"),
            (good.replace("\"dial_attempts\":2", "\"dial_attempts\":4000000000"), "is more than 1000"),
            (good.replace("19123456789", "18446744073709551615"), "is more than 3153600000000000000"),
            (good.replace("\"leg\":4194304", "\"leg\":10000000000"), "is more than 1073741824"),
            (good.replace("\"[::1]\"", "\"a b\""), "\"a b\" is no host"),
        ] {
            let error = Header::decode(&bad).expect_err(&bad);
            assert!(error.contains(reason), "{error}, not {reason}");
        }
    }
}
