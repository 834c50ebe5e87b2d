//! The WebSocket paths: who gets in, and the upgrade itself.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse, Resource,
    http::{StatusCode, header},
    web,
};
use uuid::Uuid;

use super::{
    credentials::{identify, refused},
    destination::{Destinations, NoService},
    http::refusal,
    origins::{Origins, Verdict},
    sessions::{NoPlace, Sessions},
};
use crate::{
    actors::{BackendRuntime, Trace, spawn_connection},
    config::{FunctionCalls, Rights},
    gate::Limits,
    identity::Identities,
    protocol::log_field,
};

/// The header by which Deepgram's SDKs name a session.
const SESSION_ID: &str = "x-deepgram-session-id";

/// The longest name that a client may give its connection, or a function, bytes.
const TRACE_LIMIT: usize = 128;

/// What is behind a backend's paths.
pub(super) struct Door {
    pub(super) runtime: BackendRuntime,
    pub(super) destinations: Destinations,
}

/// The resource of one of a backend's paths.
pub(super) fn resource(path: &str, door: Rc<Door>) -> Resource {
    let path: Rc<str> = path.into();
    web::resource(&*path)
        .route(web::get().to(
            move |request: HttpRequest,
                  payload: web::Payload,
                  sessions: web::Data<Sessions>,
                  origins: web::Data<Origins>,
                  identities: web::Data<Identities>| {
                let deciders = (&**origins, &**identities);
                let answer = upgrade(&request, &path, payload, &sessions.into_inner(), deciders, &door);
                async move { answer }
            },
        ))
        .default_service(web::to(|| async {
            refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path takes GET with an upgrade",
            )
        }))
}

/// `path` is the one of the configuration: the request may write it in another way.
fn upgrade(
    request: &HttpRequest,
    path: &str,
    payload: web::Payload,
    sessions: &Arc<Sessions>,
    (origins, identities): (&Origins, &Identities),
    door: &Door,
) -> HttpResponse {
    if !is_websocket(request) {
        let mut answer =
            refusal(StatusCode::UPGRADE_REQUIRED, "upgrade_required", "this path speaks websocket");
        answer.headers_mut().insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
        return answer;
    }
    if origins.judge(request.headers()) == Verdict::Refused {
        return refusal(StatusCode::FORBIDDEN, "origin_not_allowed", "pages of this origin may not connect");
    }
    let name = &door.runtime.backend.name;
    let identity = match identify(request, identities) {
        Ok(identity) => identity,
        Err(stranger) => return refused(request, stranger),
    };
    let subject = identity.subject.as_deref().map(|subject| format!(" subject={}", log_field(subject)));
    let subject = subject.unwrap_or_default();
    if !identity.rights.allow_backend(name) {
        log::info!("refused path={path} peer={:?}{subject} code=backend_not_allowed", request.peer_addr());
        return refusal(StatusCode::FORBIDDEN, "backend_not_allowed", "the token is not for this backend");
    }
    let destination = match door.destinations.of(path, request.query_string()) {
        Ok(destination) => destination,
        Err(NoService::Unknown) => {
            let description = "service must be \"agent\" or \"transcription\"";
            return refusal(StatusCode::BAD_REQUEST, "unknown_service", description);
        }
        Err(NoService::NoTranscription) => {
            let description = "this backend has no transcription_url";
            return refusal(StatusCode::BAD_REQUEST, "no_transcription", description);
        }
    };
    let ticket = match sessions.admit() {
        Ok(ticket) => ticket,
        Err(NoPlace::Full) => {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "too_many_sessions", "every session is taken");
        }
        Err(NoPlace::Stopping) => {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the gateway is going away");
        }
    };
    if door.runtime.budget.is_tight() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "the gateway is short of memory");
    }
    // From here on nothing but the handshake itself can go wrong.
    if let Err(stranger) = identities.admit(&identity) {
        return refused(request, stranger);
    }
    let trace = Trace::new(Uuid::new_v4().to_string(), trace_of(request), name.clone());
    let number = ticket.number();
    let runtime = within(&door.runtime, &identity.rights);
    match spawn_connection(&runtime, request, payload, destination, trace.clone(), ticket) {
        Ok(connection) => {
            sessions.register(number, &connection.gate);
            log::info!("{trace} connected path={path} peer={:?}{subject}", request.peer_addr());
            connection.response
        }
        Err(error) => refusal(StatusCode::BAD_REQUEST, "bad_handshake", &error.to_string()),
    }
}

/// What a connection with these rights runs on: its length is the shorter one, and of functions those that a token
/// names are run here, while others are the client's, as if there were no route.
fn within(runtime: &BackendRuntime, rights: &Rights) -> BackendRuntime {
    let longest = [runtime.limits.max_session, rights.max_session].into_iter().flatten().min();
    let backend = match (&runtime.backend.function_calls, &rights.functions) {
        (FunctionCalls::Server(functions), Some(names)) => {
            let mut backend = (*runtime.backend).clone();
            backend.function_calls = FunctionCalls::Server(Arc::new(functions.only(names, &backend.name)));
            Arc::new(backend)
        }
        (FunctionCalls::Client, _) | (_, None) => Arc::clone(&runtime.backend),
    };
    let limits = Limits { max_session: longest, ..runtime.limits.clone() };
    BackendRuntime { backend, limits, ..runtime.clone() }
}

fn is_websocket(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.to_ascii_lowercase().contains("websocket"))
}

/// The client's own name for the connection: `?traceId=`, a `traceparent` header, or the id that
/// Deepgram's SDKs send. Only what is harmless in a log line.
fn trace_of(request: &HttpRequest) -> Option<String> {
    let query = web::Query::<HashMap<String, String>>::from_query(request.query_string());
    let header = |name: &str| request.headers().get(name)?.to_str().ok().map(str::to_owned);
    let named = query.ok().and_then(|mut query| query.remove("traceId"));
    named
        .or_else(|| header("traceparent"))
        .or_else(|| header(SESSION_ID))
        .or_else(|| offered_session_id(request))
        .filter(|name| is_loggable(name))
}

/// The id that Deepgram's SDK for JavaScript sends where it can send no header: behind its name among the
/// subprotocols. The others are secrets.
fn offered_session_id(request: &HttpRequest) -> Option<String> {
    let offered = request.headers().get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let mut words = offered.split(',').map(str::trim);
    words.find(|word| word.eq_ignore_ascii_case(SESSION_ID))?;
    words.next().map(str::to_owned)
}

/// Whether a name that a client gave is harmless in a log line.
pub(super) fn is_loggable(name: &str) -> bool {
    (1..=TRACE_LIMIT).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_connection_is_named_by_query_then_header_and_only_harmlessly() {
        let of = |request: TestRequest| trace_of(&request.to_http_request());
        let query = |query: &str| TestRequest::with_uri(&format!("/openai?{query}"));
        assert_eq!(of(query("traceId=abc-1&service=agent")), Some("abc-1".to_owned()));
        assert_eq!(
            of(query("")
                .insert_header(("traceparent", "00-a-b-01"))
                .insert_header(("x-deepgram-session-id", "s"))),
            Some("00-a-b-01".to_owned())
        );
        assert_eq!(of(query("").insert_header(("x-deepgram-session-id", "s"))), Some("s".to_owned()));
        let protocols = |offered| query("").insert_header(("sec-websocket-protocol", offered));
        assert_eq!(of(protocols("token, KEY, x-deepgram-session-id, s-1")), Some("s-1".to_owned()));
        assert_eq!(of(protocols("token, KEY")), None);
        assert_eq!(of(query("")), None);
        assert_eq!(of(query("traceId=a%0Aforged+line")), None);
        assert_eq!(of(query(&format!("traceId={}", "x".repeat(TRACE_LIMIT + 1)))), None);
    }
}
