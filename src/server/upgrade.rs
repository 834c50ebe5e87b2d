//! The WebSocket paths: who gets in, and the upgrade itself.

use std::{collections::HashMap, sync::Arc};

use actix_http::ws::verify_handshake;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web,
};
use log::Level;
use uuid::Uuid;

use super::{
    client_address::Sender,
    credentials::identify,
    destination::Destinations,
    generation::Doors,
    http::not_found,
    origins::{Origins, Verdict},
    refusal_log::log_refusal,
    refuse::Refuse,
    sessions::{Sessions, Ticket},
    shares::{Holder, Places},
    upgrade_refusal::NoUpgrade,
};
use crate::{
    actors::{BackendRuntime, Destination, Trace, spawn_connection},
    config::{Config, FunctionCalls, Rights},
    gate::Limits,
    identity::{Identities, Identity},
    logging::connection_log,
    protocol::shorten,
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

/// Whatever no other resource has: the paths of the backends, each exactly, in whatever way the request writes it.
pub(super) async fn at_its_path(
    request: HttpRequest,
    payload: web::Payload,
    doors: web::Data<Doors>,
    sessions: web::Data<Sessions>,
    config: web::Data<Config>,
    (origins, identities): (web::Data<Origins>, web::Data<Identities>),
) -> HttpResponse {
    // As the router has decoded it, by which it finds the other resources as well.
    let Some((path, door)) = doors.at(request.match_info().as_str()) else { return not_found(request).await };
    if request.method() != Method::GET {
        return refuse(&request, path, None, NoUpgrade::Method);
    }
    let deciders = Deciders {
        places: Places::new(&config),
        sessions: sessions.into_inner(),
        origins: &origins,
        identities: &identities,
    };
    upgrade(&request, path, payload, &deciders, door)
}

/// Who has a say in whether somebody gets in.
struct Deciders<'d> {
    places: Places,
    sessions: Arc<Sessions>,
    origins: &'d Origins,
    identities: &'d Identities,
}

/// `path` is the one of the configuration: the request may write it in another way.
fn upgrade(
    request: &HttpRequest,
    path: &str,
    payload: web::Payload,
    deciders: &Deciders<'_>,
    door: &Door,
) -> HttpResponse {
    let mut subject = None;
    let admitted = admit(request, path, deciders, door, &mut subject);
    let Admitted { identity, destination, ticket, sender } = match admitted {
        Ok(admitted) => admitted,
        Err(reason) => return refuse(request, path, subject.as_deref(), reason),
    };
    let name = door.runtime.backend.name.clone();
    let trace = Trace::new(Uuid::new_v4().to_string(), trace_of(request), name, subject.clone());
    let number = ticket.number();
    let runtime = within(&door.runtime, &identity.rights);
    let connection = spawn_connection(&runtime, request, payload, destination, trace.clone(), ticket)
        .expect("the handshake has been checked");
    deciders.sessions.register(number, &connection.gate);
    let from = sender.fields().with_some("subject", subject.map(shorten));
    connection_log!(Level::Info, trace, path = path, ..from; "connected");
    connection.response
}

/// Somebody who gets in.
struct Admitted {
    identity: Identity,
    destination: Destination,
    ticket: Ticket,
    sender: Sender,
}

/// Lets a request in or not. Whose it is stands in `subject` in either case, as soon as it is known.
fn admit(
    request: &HttpRequest,
    path: &str,
    deciders: &Deciders<'_>,
    door: &Door,
    subject: &mut Option<String>,
) -> Result<Admitted, NoUpgrade> {
    let Deciders { places, sessions, origins, identities } = deciders;
    if !is_websocket(request) {
        return Err(NoUpgrade::NotWebsocket);
    }
    if origins.judge(request.headers()) == Verdict::Refused {
        return Err(NoUpgrade::Origin);
    }
    let identity = identify(request, identities)?;
    subject.clone_from(&identity.subject);
    if !identity.rights.allow_backend(&door.runtime.backend.name) {
        return Err(NoUpgrade::Backend);
    }
    let destination = door.destinations.of(path, request.query_string())?;
    // The actor behind it would take a key that is none, and versions that were drafts.
    verify_handshake(request.head())?;
    if door.runtime.budget.is_tight() {
        return Err(NoUpgrade::Overloaded);
    }
    let sender = Sender::of(request);
    let ticket = sessions.admit(Holder::new(sender.client(), subject.as_deref()), places)?;
    // Last of all: who is refused for another reason may come again with the same token.
    identities.admit(&identity)?;
    Ok(Admitted { identity, destination, ticket, sender })
}

fn refuse(request: &HttpRequest, path: &str, subject: Option<&str>, reason: NoUpgrade) -> HttpResponse {
    log_refusal(request, path, subject, &reason);
    reason.answer()
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
