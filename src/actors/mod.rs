//! The actors of a connection: thin shells that turn the outside world into an `Input`, and an `Effect`
//! into the outside world. [`spawn_connection`] wires one connection.
//!
//! Functions run in a pool on threads of its own; the gate's actor waits for what they return.
//!
//! All three run on the worker thread that accepted the client, so messages arrive in the order in which
//! they were sent. Nobody waits for anybody: a leg's queue is counted in bytes by the gate, which hands a
//! leg no more than a window at a time.

mod audio;
mod budget;
mod client_reading;
mod client_session;
mod client_socket;
mod dial;
mod messages;
mod ordering_gate;
mod paced_body;
mod reader;
mod state_machine;
mod trace;
mod upstream_pumps;
mod upstream_session;
mod upstream_socket;
mod witness;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix::{Actor, AsyncContext, Context};
use actix_web::{Error, HttpRequest, HttpResponse, web};

pub use budget::Budget;
pub use client_socket::ClientSocket;
pub use dial::{Dialer, OwnListener};
pub use messages::{Drain, Shutdown};
pub use ordering_gate::OrderingGate;
pub use trace::Trace;

use crate::{
    config::Backend,
    functions::ExecutorPool,
    gate::{BASE_WEIGHT, Gate, Limits, Relay, Service, WINDOW},
    metrics::{BackendMetrics, FunctionMetrics, SessionMetrics, WireCounts},
    recording::{Header, Origin, Recorder, RecordingSettings, Recordings},
    tally::Tally,
    usage_log::UsageLog,
};
use budget::Account;
use client_reading::ReadSwitch;
use client_session::ClientSession;
use ordering_gate::GateParts;
use reader::Reader;
use state_machine::StateMachine;
use upstream_session::UpstreamSession;
use witness::WitnessParts;

/// How many messages a mailbox takes before one is refused. It is far more than the frames of a window on
/// each side, their deliveries and the frames of one read, so that a full mailbox is a bug.
const MAILBOX: usize = 8 * WINDOW / BASE_WEIGHT;

/// What a worker needs to serve the connections of one backend.
#[derive(Clone)]
pub struct BackendRuntime {
    /// The backend as configured.
    pub backend: Arc<Backend>,
    /// Dials it.
    pub dialer: Rc<Dialer>,
    /// Bounds of each connection.
    pub limits: Limits,
    /// The largest message taken from a client, bytes.
    pub max_client_message: usize,
    /// The largest message taken from upstream, bytes.
    pub max_upstream_message: usize,
    /// Runs functions.
    pub functions: ExecutorPool,
    /// What all connections may hold together.
    pub budget: Arc<Budget>,
    /// Whether log lines and recordings may hold what is said.
    pub log_content: bool,
    /// Counts what its connections come to.
    pub metrics: Arc<BackendMetrics>,
    /// Counts what its functions come to.
    pub function_metrics: FunctionMetrics,
    /// Where usage is written.
    pub usage_log: UsageLog,
    /// Writes recordings.
    pub recordings: Recordings,
    /// How; none is made without.
    pub recording: Option<Arc<RecordingSettings>>,
}

/// Where a connection goes, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The URL to dial, with scheme, path and query.
    pub url: String,
    /// Whether that is our own listener.
    pub own: bool,
    /// What is passed through; without one, messages are translated.
    pub service: Option<Service>,
}

/// A connection that has been set up: the answer to the upgrade, and a way to reach its gate.
pub struct Connection {
    /// The answer, whose body is the client's WebSocket.
    pub response: HttpResponse,
    /// The gate.
    pub gate: actix::Addr<OrderingGate>,
}

/// Answers the upgrade `request` and starts the three actors of its connection.
pub fn spawn_connection<G: 'static>(
    runtime: &BackendRuntime,
    request: &HttpRequest,
    payload: web::Payload,
    destination: Destination,
    trace: Trace,
    on_end: G,
) -> Result<Connection, Error> {
    let mut context = Context::<OrderingGate>::new();
    context.set_mailbox_capacity(MAILBOX);
    let gate = context.address();

    let reading = Rc::new(ReadSwitch::default());
    let account = Account::open(&runtime.budget);
    let wire = Arc::new(WireCounts::default());
    let client = ClientSession::new(
        gate.clone().recipient(),
        Rc::clone(&reading),
        Reader::new(destination.service, runtime.max_client_message),
        (runtime.max_client_message, Rc::clone(&account), Arc::clone(&wire)),
        trace.clone(),
    );
    let (client, response) = client.answer(request, payload)?;

    let service = destination.service;
    let tally = match service {
        None => Tally::default(),
        Some(service) => Tally::passed_through(service, &destination.url),
    };
    let backend = Arc::clone(&runtime.backend);
    let limits = Limits {
        ping_interval: runtime.limits.ping_interval.map(|interval| spread(interval, trace.connection())),
        ..runtime.limits.clone()
    };
    let recorder = runtime.recording.as_ref().map(|settings| {
        let id = trace.connection().to_owned();
        let header = Header::new(&backend, limits.clone(), service, id);
        let origin = Origin {
            header: Header { trace: trace.name().unwrap_or_default().to_owned(), ..header },
            url: &destination.url,
            content: runtime.log_content,
            scrubber: Rc::clone(runtime.dialer.scrubber()),
        };
        Box::new(Recorder::begin(&runtime.recordings, settings, origin))
    });
    let upstream = UpstreamSession::new(
        gate.clone().recipient(),
        (Rc::clone(&runtime.dialer), destination),
        Reader::new(service, runtime.max_upstream_message),
        (runtime.max_upstream_message, Rc::clone(&account), Arc::clone(&wire)),
        trace.clone(),
    );
    let model = backend.model.clone().filter(|_| service.is_none());
    let machine = match service {
        None => StateMachine::Translated(Box::new(Gate::new(backend, limits, trace.connection().to_owned()))),
        Some(service) => StateMachine::PassedThrough(Box::new(Relay::new(backend, limits, service))),
    };
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    context.run(OrderingGate::new(
        machine,
        GateParts {
            client: client.recipient(),
            reading,
            socket: request.conn_data::<ClientSocket>().cloned(),
            upstream: upstream.start().recipient(),
            account,
            trace: trace.clone(),
            functions: runtime.functions.clone(),
            function_metrics: runtime.function_metrics.clone(),
            traceparent: traceparent.map(str::to_owned),
            on_end: Box::new(on_end),
        },
        WitnessParts {
            trace,
            log_content: runtime.log_content,
            scrubber: Rc::clone(runtime.dialer.scrubber()),
            tally,
            metrics: SessionMetrics::begin(Arc::clone(&runtime.metrics), wire),
            usage_log: runtime.usage_log.clone(),
            model,
            recorder,
        },
    ));
    Ok(Connection { response, gate })
}

/// An interval of this connection: up to a tenth longer or shorter, or connections that began together would all be
/// pinged at the same time.
fn spread(interval: Duration, connection: &str) -> Duration {
    let mut hasher = DefaultHasher::new();
    connection.hash(&mut hasher);
    interval * 9 / 10 + interval / 5 * (hasher.finish() % 1_001) as u32 / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_not_pinged_all_at_the_same_time() {
        let interval = Duration::from_secs(20);
        let intervals: Vec<_> = (0..1_000).map(|n| spread(interval, &n.to_string())).collect();
        assert!(intervals.iter().all(|spread| (18..=22).contains(&spread.as_secs())));
        let tenths = |from: u64| {
            let within = |spread: &&Duration| (from..from + 500).contains(&(spread.as_millis() as u64));
            intervals.iter().filter(within).count()
        };
        assert!((18_000..22_000).step_by(500).all(|from| (90..160).contains(&tenths(from))));
    }
}
