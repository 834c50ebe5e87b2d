use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::{
    actors::Budget,
    config::{Backend, BackendUrl, Functions},
    gate::{Limits, Relay, Service, WINDOW},
    metrics::{Metrics, SessionMetrics},
    protocol::Frame,
    tally::Tally,
    usage_log::UsageLog,
};

/// A leg that takes everything and delivers nothing.
struct Stuck;

impl Actor for Stuck {
    type Context = Context<Self>;
}

impl Handler<ToClient> for Stuck {
    type Result = ();

    fn handle(&mut self, _: ToClient, _: &mut Self::Context) {}
}

impl Handler<ToUpstream> for Stuck {
    type Result = ();

    fn handle(&mut self, _: ToUpstream, _: &mut Self::Context) {}
}

/// The gate of a passed-through connection with this budget, between legs that deliver nothing.
fn gate(budget: &Arc<Budget>) -> OrderingGate {
    gate_with(budget, UsageLog::default())
}

/// The same with a usage log.
fn gate_with(budget: &Arc<Budget>, usage_log: UsageLog) -> OrderingGate {
    let backend = Arc::new(Backend::new("b", "/b", BackendUrl::SelfPath("/".to_owned())));
    let limits = Limits::new(&backend, Duration::from_secs(60));
    let machine = StateMachine::PassedThrough(Box::new(Relay::new(backend, limits, Service::Agent)));
    let leg = Stuck.start();
    let metrics = Metrics::new();
    let trace = Trace::new("c".to_owned(), None, "b".to_owned(), None);
    let parts = GateParts {
        client: leg.clone().recipient(),
        reading: Rc::default(),
        socket: None,
        upstream: leg.recipient(),
        account: Account::open(budget),
        trace: trace.clone(),
        functions: ExecutorPool::start(Arc::new(Functions::default())),
        function_metrics: metrics.functions([]),
        traceparent: None,
        on_end: Box::new(()),
    };
    let witness = WitnessParts {
        trace,
        log_content: false,
        scrubber: Rc::default(),
        tally: Tally::default(),
        metrics: SessionMetrics::begin(metrics.backend("b"), Arc::default()),
        usage_log,
        model: None,
        recorder: None,
    };
    OrderingGate::new(machine, parts, witness)
}

#[actix_web::test]
async fn what_an_overloaded_connection_lets_go_of_is_the_others_at_once() {
    const LIMIT: usize = 1024 * 1024;
    const FRAME: usize = 100 * 1024;
    let budget = Arc::new(Budget::new(LIMIT));
    let gate = gate(&budget).start();
    let happens = async |input| gate.send(FromLeg(input)).await.expect("the gate lives");
    happens(Input::ClientConnected).await;
    happens(Input::UpstreamOpened).await;
    for _ in 0..LIMIT / FRAME {
        happens(Input::UpstreamFrame(Frame::binary(Bytes::from(vec![0; FRAME])))).await;
    }
    assert!(budget.is_tight(), "{} bytes are held", budget.held());
    happens(Input::UpstreamFrame(Frame::binary(Bytes::from(vec![0; FRAME])))).await;
    // What the leg was handed is the leg's.
    assert!(budget.held() < WINDOW + 2 * FRAME, "{} bytes are held", budget.held());
}

#[actix_web::test]
async fn what_a_connection_came_to_is_written_whatever_becomes_of_its_gate() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("usage");
    let usage_log = UsageLog::start(Some(file.clone()));
    let gate = gate_with(&Arc::new(Budget::new(1024 * 1024)), usage_log.clone());
    drop(gate);
    usage_log.finish();
    let text = std::fs::read_to_string(file).expect("it is there");
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).expect("one line");
    assert_eq!((&line["kind"], &line["cause"]), (&"session".into(), &"cut".into()), "{text}");
}
