//! Section 8: "live sessions go on until their turn ends …, then 1012".

use super::{
    scenario::{Scenario, at, check, component, deepgram, due, fresh, here, manual},
    words::{
        answer, audio, call_done, confirmed, created, done, finished, inject, message_added, microphone, say,
        session_updated, settings, speech_started, speech_stopped, transcript_done,
    },
};
use crate::gate::{Effect, Input, Leg};

const END: [&str; 3] = ["client Error(SERVER_GOING_AWAY)", "close client 1012", "close upstream 1000"];

/// It ends with the last of these steps, and not before.
fn drains_after<const N: usize>(scenario: Scenario, steps: [super::scenario::Action; N]) {
    let mut run = check(scenario, [at(0, Input::Drain, [])]);
    let closes = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Close { .. }));
    for (n, step) in steps.into_iter().enumerate() {
        let before = format!("{step:?}");
        let effects = run.happen(10 * n as u64, step);
        assert_eq!(closes(&effects), n == N - 1, "{before}: {effects:?}");
    }
}

#[test]
fn between_two_turns_the_connection_ends_at_once() {
    check(deepgram(), [at(0, Input::Drain, END)]);
    check(fresh().upto(Input::ClientConnected), [at(0, Input::Drain, END)]);
    let answered = deepgram().upto(created("resp_1")).upto(transcript_done("resp_1", "item_1", "Hello"));
    check(answered.upto(done("resp_1", "completed")), [at(1, Input::Drain, END)]);
}

#[test]
fn an_answer_is_given_to_its_end() {
    let running = deepgram().upto(created("resp_1"));
    drains_after(running, [transcript_done("resp_1", "item_1", "Hello"), done("resp_1", "completed")]);
    let asked = deepgram().upto(inject("Hi"));
    drains_after(
        asked,
        [
            confirmed(),
            created("resp_1"),
            transcript_done("resp_1", "item_1", "Hello"),
            done("resp_1", "completed"),
        ],
    );
}

#[test]
fn who_speaks_gets_an_answer() {
    let speaking = deepgram().upto(speech_started());
    drains_after(speaking, [speech_stopped(), created("resp_1"), done("resp_1", "completed")]);
    // Unless upstream gives none.
    check(
        deepgram().upto(speech_started()).upto(speech_stopped()),
        [at(0, Input::Drain, []), due(1_000, END)],
    );
}

#[test]
fn what_was_said_before_the_session_was_open_is_answered() {
    let early = fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened);
    let early = early.upto(settings("{}")).upto(inject("Hi"));
    drains_after(early, [session_updated(), confirmed(), created("resp_1"), done("resp_1", "completed")]);
}

#[test]
fn functions_are_answered_and_followed_up() {
    let calling = deepgram().upto(created("resp_1")).upto(call_done("resp_1", 0, "call_1", "f", "completed"));
    let calling = calling.upto(done("resp_1", "completed"));
    drains_after(calling, [answer("call_1", "a"), created("resp_2"), done("resp_2", "completed")]);
    let calling = component().backend(|backend| backend.function_calls = here(&["f"]));
    let calling = calling.upto(created("resp_1")).upto(call_done("resp_1", 0, "call_1", "f", "completed"));
    let calling = calling.upto(done("resp_1", "completed"));
    drains_after(calling, [finished("call_1", Ok("a")), created("resp_2"), done("resp_2", "completed")]);
}

#[test]
fn what_the_agent_is_to_say_is_said() {
    let saying = deepgram().upto(say("Good bye.", "queue"));
    drains_after(saying, [created("resp_1"), done("resp_1", "completed")]);
}

#[test]
fn what_was_given_is_heard_to_its_end() {
    // 24,000 bytes are half a second.
    let speaking = || deepgram().upto(created("resp_1")).upto(message_added("resp_1", "item_1"));
    let speaking = || speaking().upto(audio("resp_1", "item_1", 24_000)).upto(done("resp_1", "completed"));
    check(speaking(), [at(0, Input::Drain, []), due(500, END)]);
    check(speaking(), [at(499, Input::Drain, []), due(500, END)]);
    check(speaking(), [at(500, Input::Drain, END)]);
    // An interruption ends it, but then somebody speaks.
    let interrupted = speaking().upto(speech_started());
    drains_after(interrupted, [speech_stopped(), created("resp_2"), done("resp_2", "completed")]);
}

#[test]
fn what_the_client_has_not_read_is_waited_for() {
    let mut run = check(deepgram().upto(created("resp_1")), []);
    run.act(transcript_done("resp_1", "item_1", "Hello"));
    run.act(done("resp_1", "completed"));
    assert!(run.act(Input::Drain.into()).is_empty());
    let delivered = run.act(super::scenario::Action::Delivers(Leg::Client));
    assert!(delivered.contains(&Effect::Close { leg: Leg::Upstream, code: 1000, reason: String::new() }));
}

#[test]
fn who_speaks_is_heard_where_nothing_but_commits_tells_of_it() {
    let mut run = check(manual(), []);
    run.happen(0, microphone(80_000));
    assert!(run.happen(1, Input::Drain.into()).is_empty(), "what was said is not committed yet");
    run.pass(2_000);
    assert!(run.gate.close_reason().is_none(), "and asks for an answer then");
}
