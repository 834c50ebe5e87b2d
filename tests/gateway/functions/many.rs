//! A thousand calls, many at a time, with the same ids in every session: each has one output, in its own session, and
//! no more run and wait than may.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::stage::{
    Session, assert_each_once, error_output, gateway, output, outputs, results, route, script,
};
use crate::peers::application::{Application, Request};
use crate::peers::gateway::Gateway;
use crate::peers::journal::Journal;
use crate::peers::mock::Mock;
use crate::peers::reply::{Latch, Reply};
use crate::peers::sound::plain_settings;
use crate::peers::{ms, s};

const SESSIONS: usize = 100;
const CALLS: usize = 10;
const SEED: u64 = 4;

/// A number that is always the same for the same call (splitmix64).
fn random(session: usize, call: usize) -> u64 {
    let mut z = SEED.wrapping_add((session * CALLS + call) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What the application does with a call after up to 40 ms, and what the model gets.
fn reply(session: usize, call: usize) -> (Reply, String) {
    let random = random(session, call);
    let text = format!("call {call} of session {session}");
    let (reply, output) = match random % 10 {
        0 => (Reply::error(200, &text), error_output(&text)),
        1 => (Reply::error(422, &text), error_output(&text)),
        2 => (Reply::body(500, "", &text), error_output("the function answered with status 500")),
        3 => (Reply::body(200, "", &text), error_output("the function's answer is no json")),
        4 => {
            let output = error_output("the connection ended before the function's answer did");
            (Reply::content(&text).half().then_reset(), output)
        }
        5 => {
            let body = json!({ "content": text }).to_string();
            (Reply::body(200, "", &body).then_close(), text)
        }
        _ => (Reply::content(&text), text),
    };
    (reply.after(ms((random >> 8) % 40)), output)
}

/// Which call of which session a request is for.
fn origin(request: &Request) -> (usize, usize) {
    let arguments = request.body["arguments"].as_str().expect("arguments are text");
    let arguments: Value = serde_json::from_str(arguments).expect("arguments are JSON");
    let number = |name: &str| arguments[name].as_u64().expect("a number") as usize;
    (number("session"), number("call"))
}

fn id(call: usize) -> String {
    format!("call_{call}")
}

/// Open sessions of one gateway, and the application that it calls, which answers once the latch is open.
struct Crowd {
    latch: Arc<Latch>,
    application: Application,
    mock: Mock,
    gateway: Gateway,
    sessions: Vec<Session>,
}

impl Crowd {
    async fn gather(
        sessions: usize,
        max_concurrent: usize,
        max_queued: usize,
        reply: impl Fn(usize, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let latch = Arc::new(Latch::new());
        let held = Arc::clone(&latch);
        let application = Application::start(move |request| {
            let (session, call) = origin(request);
            reply(session, call).behind(&held)
        })
        .await;
        let routes = route("[\"*\"]", &application, "timeout_ms = 600000");
        let bounds =
            format!("[functions]\nmax_concurrent = {max_concurrent}\nmax_queued = {max_queued}\n{routes}");
        let mock = Mock::start(script()).await;
        let gateway = gateway(&mock, &bounds).await;
        let mut all = Vec::new();
        for _ in 0..sessions {
            all.push(Session::open(&gateway, &mock, &plain_settings()).await);
        }
        Self { latch, application, mock, gateway, sessions: all }
    }
}

/// What upstream got on each connection, by call id; fails if a call was answered twice.
fn all_outputs(journal: &Journal) -> BTreeMap<(usize, String), String> {
    let mut all = BTreeMap::new();
    for session in 1..=SESSIONS {
        for (id, output) in outputs(journal, session) {
            let twice = all.insert((session, id.to_owned()), output.to_owned());
            assert_eq!(twice, None, "{id} of session {session} was answered twice");
        }
    }
    all
}

fn calls_of(session: usize) -> Vec<(String, String)> {
    (0..CALLS).map(|call| (id(call), json!({"session": session, "call": call}).to_string())).collect()
}

/// Makes a session's calls from `first` on, each after the result of the one before it.
async fn call_in_turns(session: &mut Session, first: usize) {
    for (place, (id, arguments)) in calls_of(session.number).iter().enumerate().skip(first) {
        expect_result(session, &self::id(place - 1)).await;
        session.call(&[(id, "f", arguments)]);
    }
    expect_result(session, &id(CALLS - 1)).await;
}

async fn expect_result(session: &Session, id: &str) {
    let is_there = |journal: &Journal| (!results(journal, id).is_empty()).then_some(());
    session.client.wait_for(&format!("result of {id}"), s(60), is_there).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_of_a_hundred_sessions() {
    const CONCURRENT: usize = 16;
    let crowd = Crowd::gather(SESSIONS, CONCURRENT, 1_000, |session, call| reply(session, call).0).await;
    let Crowd { latch, application, mock, gateway: _gateway, mut sessions } = crowd;
    // Every other session makes all its calls in one response, the others one after the other.
    for session in &mut sessions {
        let calls = calls_of(session.number);
        let calls: Vec<_> = calls.iter().map(|(id, arguments)| (&**id, "f", &**arguments)).collect();
        session.call(if session.number % 2 == 0 { &calls } else { &calls[..1] });
    }
    application.expect_requests(CONCURRENT, s(30)).await;
    for session in &sessions {
        session.client.expect("FunctionCallRequest", s(30)).await;
    }
    // Hundreds wait by now, and none of them has been asked for.
    assert_eq!(application.requests().len(), CONCURRENT);
    latch.open();
    let in_turns = sessions.iter_mut().filter(|session| session.number % 2 == 1);
    join_all(in_turns.map(|session| call_in_turns(session, 1))).await;
    let all = |journal: &Journal| {
        let creates = journal.count("conversation.item.create");
        (creates >= SESSIONS * CALLS).then(|| all_outputs(journal))
    };
    let got = mock.wait_for("outputs of all calls", s(60), all).await;
    let calls = (1..=SESSIONS).flat_map(|session| (0..CALLS).map(move |call| (session, call)));
    for (session, call) in calls {
        let (reply, expected) = reply(session, call);
        let output = got.get(&(session, id(call))).map(String::as_str);
        assert_eq!(output, Some(&*expected), "call {call} of session {session}, after {reply:?}");
    }
    assert_eq!(got.len(), SESSIONS * CALLS);
    assert_eq!(application.most_open(), CONCURRENT);
    assert_eq!(application.requests().len(), SESSIONS * CALLS, "each call is one request");
    for session in &sessions {
        for call in 0..CALLS {
            expect_result(session, &id(call)).await;
            let journal = session.client.journal();
            let contents: Vec<&Value> =
                results(&journal, &id(call)).iter().map(|it| &it["content"]).collect();
            assert_eq!(contents, [&reply(session.number, call).1], "session {}", session.number);
        }
    }
    join_all(sessions.iter_mut().map(Session::assert_goes_on)).await;
    assert_each_once(&mock.journal());
}

/// Twenty calls of five sessions at a pool for four, with eight in the queue: the rest is told at once.
#[tokio::test]
async fn calls_over_the_bounds_are_refused_at_once() {
    const RUNNING: usize = 4;
    const QUEUED: usize = 8;
    const SESSIONS: usize = 5;
    const CALLS: usize = 4;
    let content = |session, call| Reply::content(&format!("call {call} of session {session}"));
    let crowd = Crowd::gather(SESSIONS, RUNNING, QUEUED, content).await;
    let Crowd { latch, application, mock, gateway: _gateway, mut sessions } = crowd;
    for session in &mut sessions {
        let calls = calls_of(session.number);
        let calls: Vec<_> = calls.iter().map(|(id, arguments)| (&**id, "f", &**arguments)).collect();
        session.call(&calls[..CALLS]);
    }
    let busy = error_output("too many functions are running");
    let refused = |journal: &Journal| all_outputs(journal).values().filter(|output| **output == busy).count();
    const REFUSED: usize = SESSIONS * CALLS - RUNNING - QUEUED;
    mock.wait_for("refusals", s(10), |journal| (refused(journal) >= REFUSED).then_some(())).await;
    application.expect_requests(RUNNING, s(10)).await;
    assert_eq!(all_outputs(&mock.journal()).len(), REFUSED, "an output of a function that has none");
    assert_eq!(application.requests().len(), RUNNING);
    latch.open();
    let all = |journal: &Journal| {
        let all = all_outputs(journal);
        (all.len() == SESSIONS * CALLS).then_some(all)
    };
    for ((session, id), output) in mock.wait_for("outputs of all calls", s(10), all).await {
        let call = id.trim_start_matches("call_");
        assert!(output == busy || output == format!("call {call} of session {session}"), "{output}");
    }
    assert_eq!(refused(&mock.journal()), REFUSED);
    assert_eq!(application.most_open(), RUNNING);
    assert_eq!(application.requests().len(), RUNNING + QUEUED);
    // All places are free again.
    for session in &mut sessions {
        session.assert_goes_on().await;
        session.call(&[("call_again", "f", r#"{"session":0,"call":0}"#)]);
    }
    for session in 1..=SESSIONS {
        assert_eq!(output(&mock, session, "call_again").await, "call 0 of session 0");
    }
}
