//! A function that does not answer: the session and the others go on as if it did not run, and its request ends with
//! its session.

use std::sync::Arc;

use serde_json::{Value, json};

use super::stage::{Session, Stage, assert_each_once, error_output, gateway, output, outputs, route, script};
use crate::peers::application::Application;
use crate::peers::frames;
use crate::peers::journal::Journal;
use crate::peers::mock::Mock;
use crate::peers::pace::Pace;
use crate::peers::reply::{Latch, Reply};
use crate::peers::s;
use crate::peers::sound::{appended, counted, heard, plain_settings};

/// 20 ms of 24 kHz PCM.
const FRAME: usize = 960;

/// The call that hangs.
const SLOW: (&str, &str, &str) = ("call_slow", "slow", "{}");

/// An application that answers `slow` behind the latch and the others at once; the session has called `slow`.
async fn stage(latch: &Arc<Latch>) -> Stage {
    let latch = Arc::clone(latch);
    let mut stage = Stage::any("timeout_ms = 600000", move |request| match request.body["name"].as_str() {
        Some("slow") => Reply::content("at last").behind(&latch),
        _ => Reply::content("at once"),
    })
    .await;
    stage.session.call(&[SLOW]);
    stage.application.expect_requests(1, s(5)).await;
    stage
}

/// The answer comes after all, and only now.
async fn assert_ends(stage: &mut Stage, latch: &Latch) {
    assert_eq!(outputs(&stage.mock.journal(), 1).filter(|(id, _)| *id == SLOW.0).count(), 0, "too early");
    latch.open();
    let output = output(&stage.mock, 1, SLOW.0).await;
    assert_eq!(output, "at last");
    stage.session.assert_told(SLOW, &output).await;
    stage.assert_goes_on().await;
    stage.session.client.journal().assert_no_error();
}

/// An announced answer that speaks.
fn speak(session: &Session, response: &str, audio: &[u8]) {
    let item = format!("{response}_item");
    session.upstream.send(&json!({"type": "response.created", "response": {"id": response}}));
    for piece in audio.chunks(FRAME) {
        let mut delta = frames::output_audio_delta(piece);
        delta["response_id"] = json!(response);
        delta["item_id"] = json!(item);
        session.upstream.send(&delta);
    }
}

fn end(session: &Session, response: &str) {
    let done = json!({"type": "response.done", "response": {"id": response, "status": "completed"}});
    session.upstream.send(&done);
}

/// Every frame of both directions passes, in order.
async fn assert_audio_passes(session: &mut Session, mock: &Mock) {
    const FRAMES: usize = 100;
    let audio = counted(FRAMES * FRAME);
    speak(session, "resp_speaks", &audio);
    for frame in audio.chunks(FRAME) {
        session.client.send_binary(frame.to_vec()).await;
    }
    let number = session.number;
    let all_heard = |journal: &Journal| (journal.binaries().count() >= FRAMES).then(|| heard(journal));
    assert!(
        session.client.wait_for("agent audio", s(10), all_heard).await == audio,
        "agent audio has changed"
    );
    let all_appended = |journal: &Journal| {
        let journal = journal.on(number);
        (journal.count("input_audio_buffer.append") >= FRAMES).then(|| appended(&journal))
    };
    assert!(mock.wait_for("user audio", s(10), all_appended).await == audio, "user audio has changed");
    end(session, "resp_speaks");
    session.client.expect("AgentAudioDone", s(5)).await;
}

#[tokio::test]
async fn audio_of_all_sessions_passes_while_a_function_runs() {
    let latch = Arc::new(Latch::new());
    let mut stage = stage(&latch).await;
    let mut other = Session::open(&stage.gateway, &stage.mock, &plain_settings()).await;
    assert_audio_passes(&mut stage.session, &stage.mock).await;
    assert_audio_passes(&mut other, &stage.mock).await;
    other.assert_goes_on().await;
    assert_ends(&mut stage, &latch).await;
}

#[tokio::test]
async fn the_user_may_interrupt_while_a_function_runs() {
    let latch = Arc::new(Latch::new());
    let mut stage = stage(&latch).await;
    speak(&stage.session, "resp_speaks", &counted(50 * FRAME));
    stage.session.client.wait_for("audio", s(5), |journal| journal.binaries().next().map(|_| ())).await;
    stage.session.upstream.send(&frames::speech_started());
    stage.session.client.expect("UserStartedSpeaking", s(5)).await;
    let cut = stage.mock.expect("conversation.item.truncate", s(5)).await;
    assert_eq!(cut["item_id"], "resp_speaks_item");
    let cancelled =
        json!({"type": "response.done", "response": {"id": "resp_speaks", "status": "cancelled"}});
    stage.session.upstream.send(&cancelled);
    stage.session.upstream.send(&frames::speech_stopped());
    stage.assert_goes_on().await;
    // What was interrupted is the answer, not the function.
    assert!(stage.application.requests().iter().all(|request| request.cut_off.is_none()));
    assert_ends(&mut stage, &latch).await;
}

#[tokio::test]
async fn other_turns_and_other_functions_end_before_it() {
    let latch = Arc::new(Latch::new());
    let mut stage = stage(&latch).await;
    for turn in 0..5 {
        stage.assert_goes_on().await;
        let id = format!("call_{turn}");
        let call = (&*id, "fast", "{}");
        assert_eq!(stage.output_of(call).await, "at once");
        stage.session.assert_told(call, "at once").await;
    }
    assert_ends(&mut stage, &latch).await;
}

/// A session whose function runs ends in some way, one answer half sent: the application sees both requests cut off.
/// Another session's function goes on.
async fn ends(end: impl AsyncFnOnce(&mut Stage)) {
    let latch = Arc::new(Latch::new());
    let held = Arc::clone(&latch);
    let application = Application::start(move |request| match request.body["name"].as_str() {
        Some("other") => Reply::content("at last").behind(&held),
        Some("half") => Reply::content("never").half().then_hang(),
        _ => Reply::nothing().then_hang(),
    })
    .await;
    let routes = route("[\"*\"]", &application, "timeout_ms = 600000");
    let mut stage = Stage::over(application, &routes).await;
    stage.session.call(&[("call_1", "silent", "{}"), ("call_2", "half", "{}")]);
    stage.application.expect_requests(2, s(5)).await;
    let mut other = Session::open(&stage.gateway, &stage.mock, &plain_settings()).await;
    other.call(&[("call_1", "other", "{}")]);
    stage.application.expect_requests(3, s(5)).await;
    end(&mut stage).await;
    stage.application.expect_cut_off(2, s(5)).await;
    let cut_off = stage.application.requests();
    let cut_off = cut_off.iter().filter(|request| request.cut_off.is_some());
    let mut names: Vec<&Value> = cut_off.map(|request| &request.body["name"]).collect();
    names.sort_by_key(|name| name.to_string());
    assert_eq!(names, ["half", "silent"]);
    assert_eq!(outputs(&stage.mock.journal(), 1).count(), 0, "outputs in a session that is over");
    latch.open();
    assert_eq!(output(&stage.mock, other.number, "call_1").await, "at last");
    other.assert_goes_on().await;
    assert_each_once(&stage.mock.journal());
}

#[tokio::test]
async fn the_requests_end_when_the_client_closes() {
    ends(async |stage| stage.session.client.close(1000, "").await).await;
}

#[tokio::test]
async fn the_requests_end_when_the_client_vanishes() {
    ends(async |stage| {
        let spare = stage.gateway.connect().await;
        drop(std::mem::replace(&mut stage.session.client, spare));
    })
    .await;
}

#[tokio::test]
async fn the_requests_end_when_upstream_closes() {
    ends(async |stage| stage.session.upstream.close(1000, "")).await;
}

#[tokio::test]
async fn the_requests_end_when_upstream_vanishes() {
    ends(async |stage| stage.session.upstream.vanish()).await;
}

/// The end of a session waits for a client that does not read its close. Its functions do not: another session's has
/// its place before that.
#[tokio::test]
async fn the_requests_end_before_a_close_that_nobody_reads() {
    let application = Application::start(|request| match request.body["name"].as_str() {
        Some("slow") => Reply::nothing().then_hang(),
        _ => Reply::content("at once"),
    })
    .await;
    let routes = route("[\"*\"]", &application, "timeout_ms = 600000");
    let mock = Mock::start(script()).await;
    let gateway = gateway(&mock, &format!("[functions]\nmax_concurrent = 1\n{routes}")).await;
    let pace = Pace::variable();
    let mut client = gateway.connect_at(&pace).await;
    client.open_with(&plain_settings()).await;
    let mut stuck = Session::of(client, mock.peer(1).await, 1);
    stuck.call(&[SLOW]);
    application.expect_requests(1, s(5)).await;
    let mut other = Session::open(&gateway, &mock, &plain_settings()).await;
    other.call(&[("call_next", "fast", "{}")]);
    other.client.expect("FunctionCallRequest", s(5)).await;
    pace.set(0);
    speak(&stuck, "resp_speaks", &counted(1_000 * FRAME));
    end(&stuck, "resp_speaks");
    stuck.upstream.close(1000, "");
    application.expect_cut_off(1, s(5)).await;
    assert_eq!(output(&mock, other.number, "call_next").await, "at once");
    gateway.expect_log(&["session ended"], s(10)).await;
    let log = gateway.log();
    let line = |parts: [&str; 2]| log.lines().position(|line| parts.iter().all(|part| line.contains(part)));
    let next = line(["dir=function", "call_next"]).expect("the other function's end is in the log");
    assert!(
        Some(next) < line(["session ended", "upstream_closed"]),
        "the place was free only with the session"
    );
}

#[tokio::test]
async fn the_requests_end_with_the_longest_session() {
    let latch = Arc::new(Latch::new());
    let held = Arc::clone(&latch);
    let application = Application::start(move |_| Reply::content("never").behind(&held)).await;
    let routes = route("[\"*\"]", &application, "timeout_ms = 600000");
    let mut stage = Stage::over(application, &format!("[limits]\nmax_session_s = 4\n{routes}")).await;
    stage.session.call(&[SLOW]);
    stage.application.expect_requests(1, s(5)).await;
    stage.session.client.expect_ending("session_max_duration", 1000).await;
    stage.application.expect_cut_off(1, s(5)).await;
}

#[tokio::test]
async fn the_requests_end_with_the_gateway() {
    let latch = Arc::new(Latch::new());
    let mut stage = stage(&latch).await;
    stage.gateway.terminate().await;
    // Until the second signal the turn goes on, and its functions with it.
    stage.gateway.expect_log(&["draining sessions=1 "], s(5)).await;
    stage.gateway.terminate().await;
    stage.session.client.expect_ending("SERVER_GOING_AWAY", 1012).await;
    stage.application.expect_cut_off(1, s(5)).await;
    assert_eq!(stage.gateway.exit(s(10)).await, Some(0));
}

#[tokio::test]
async fn the_place_of_a_session_that_is_over_is_the_next_calls() {
    let application = Application::start(|request| match request.body["name"].as_str() {
        Some("slow") => Reply::nothing().then_hang(),
        _ => Reply::content("at once"),
    })
    .await;
    let routes = route("[\"*\"]", &application, "timeout_ms = 600000");
    let mut stage = Stage::over(application, &format!("[functions]\nmax_concurrent = 1\n{routes}")).await;
    // The second waits for the first, and is never asked for.
    stage.session.call(&[SLOW, ("call_waits", "slow", "{}")]);
    stage.application.expect_requests(1, s(5)).await;
    let mut other = Session::open(&stage.gateway, &stage.mock, &plain_settings()).await;
    other.call(&[("call_1", "fast", "{}")]);
    other.client.expect("FunctionCallRequest", s(5)).await;
    other.assert_goes_on().await;
    assert_eq!(stage.application.requests().len(), 1);
    stage.session.client.close(1000, "").await;
    assert_eq!(output(&stage.mock, other.number, "call_1").await, "at once");
    stage.application.expect_cut_off(1, s(5)).await;
    assert_eq!(stage.application.requests().len(), 2);
}

/// The deadline of a call that waits for its turn passes, and its place in the queue is free.
#[tokio::test]
async fn a_call_whose_turn_does_not_come_is_late_all_the_same() {
    let latch = Arc::new(Latch::new());
    let held = Arc::clone(&latch);
    let application =
        Application::start(move |request| Reply::content(request.call_id()).behind(&held)).await;
    let bounds = "[functions]\nmax_concurrent = 1\nmax_queued = 1";
    let patient = route("[\"slow\"]", &application, "timeout_ms = 600000");
    let impatient = route("[\"*\"]", &application, "timeout_ms = 300");
    let mut stage = Stage::over(application, &format!("{bounds}\n{patient}\n{impatient}")).await;
    stage.session.call(&[SLOW]);
    stage.application.expect_requests(1, s(5)).await;
    for id in ["call_1", "call_2"] {
        let call = (id, "hurried", "{}");
        let output = stage.output_of(call).await;
        assert_eq!(output, error_output("the function did not answer in time"));
        stage.session.assert_told(call, &output).await;
    }
    stage.session.call(&[("call_3", "slow", "{}")]);
    stage.assert_goes_on().await;
    latch.open();
    for id in [SLOW.0, "call_3"] {
        assert_eq!(output(&stage.mock, 1, id).await, id);
    }
    assert_eq!(stage.application.requests().len(), 2, "a call that was late has been made");
}
