//! Two scripts of seven steps, one per leg, in every order that they can come in: 3,432 each. The oracle
//! judges every step, and what is owed at the end is paid.

use super::{
    scenario::{Action, Run, Scenario, fresh, here},
    words::{
        agent_item, answer, audio, audio_delta, bare_call, bare_call_of, bare_response_done, call_done,
        client, client_closes, closed, confirmed, created, done, error, error_for, finished, inject,
        message_added, microphone, say, session_updated, settings, speech_started, speech_stopped, text_done,
        update_prompt, update_speed, update_voice, user_item,
    },
};
use crate::{
    config::GreetingMode,
    gate::{CloseReason, Input, Phase},
};

const STEPS: usize = 7;

type Script = [Action; STEPS];

/// Runs the two scripts merged in every order; `end` judges what is left, once time enough has passed.
fn in_every_order(scenario: fn() -> Scenario, client: &Script, upstream: &Script, end: fn(&mut Run)) {
    let [client, upstream] = [client, upstream].map(|script| script.clone().map(Action::decoded));
    let mut orders = 0;
    for order in 0_u32..1 << (2 * STEPS) {
        if order.count_ones() as usize != STEPS {
            continue;
        }
        orders += 1;
        let mut run = Run::new(scenario());
        let (mut clients, mut upstreams) = (client.iter(), upstream.iter());
        for n in 0..2 * STEPS {
            let script = if order & (1 << n) == 0 { &mut clients } else { &mut upstreams };
            let action = script.next().expect("each script has as many steps as the order has");
            run.happen(10 * (n as u64 + 1), action.clone());
        }
        end(&mut run);
    }
    assert_eq!(orders, 3_432);
}

fn connected() -> Scenario {
    fresh().upto(Input::ClientConnected)
}

/// The session is ready, whatever came first, and everything that was owed is paid in time.
fn all_is_paid(run: &mut Run) {
    rest(run);
    judge(run);
    let (settings, applied) = run.oracle.settings();
    if settings != applied {
        run.fail("every Settings is answered");
    }
}

/// The same where upstream refuses things: what is not done, the client is told of.
fn all_is_paid_or_refused(run: &mut Run) {
    rest(run);
    if run.gate.close_reason() == Some(&CloseReason::SettingsTimeout) {
        // Every Settings was refused.
        return;
    }
    judge(run);
    let (settings, applied) = run.oracle.settings();
    let errors = run.client_messages().filter(|message| message.kind() == "Error").count();
    if settings > applied + errors {
        run.fail("every Settings is answered");
    }
}

/// Everything has the time it needs.
fn rest(run: &mut Run) {
    let now = run.now_ms();
    for second in 1..=250 {
        run.pass(now + second * 1_000);
        if run.gate.opening.update_in_flight().or(run.gate.updates.in_flight()).is_some() {
            // What the scripts ask for last upstream has not answered yet.
            run.happen(now + second * 1_000, session_updated());
        }
    }
}

fn judge(run: &Run) {
    if run.gate.phase() != Phase::Active {
        run.fail("the session goes on");
    }
    if !run.gate.wishes.is_empty() || run.gate.turn.running() || run.gate.updates.queued() {
        run.fail("no wish is left");
    }
    if let Err(broken) = run.oracle.settled() {
        run.fail(broken);
    }
}

/// Both sides are closed and gone, and nothing is waited for.
fn all_is_over(run: &mut Run) {
    let now = run.now_ms();
    run.pass(now + 10_000);
    if run.gate.phase() != Phase::Closed || run.gate.deadline().is_some() {
        run.fail("the connection is over");
    }
}

#[test]
fn a_typed_turn_and_a_function_call_and_settings_in_every_order() {
    let component = r#"{"idleTimeoutMs":10000,"greeting":"Hello"}"#;
    in_every_order(
        connected,
        &[
            settings(component),
            inject("one"),
            answer("call_a", "1"),
            settings("{}"),
            inject("two"),
            microphone(320),
            answer("call_a", "2"),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            created("resp_1"),
            call_done("resp_1", 0, "call_a", "f", "completed"),
            confirmed(),
            done("resp_1", "completed"),
            confirmed(),
        ],
        all_is_paid,
    );
}

#[test]
fn functions_that_run_here_in_every_order() {
    in_every_order(
        || connected().backend(|backend| backend.function_calls = here(&["f"])),
        &[
            settings(r#"{"idleTimeoutMs":10000}"#),
            finished("call_a", Ok("1")),
            inject("one"),
            answer("call_a", "forged"),
            finished("call_b", Err("2")),
            finished("call_a", Ok("1")),
            answer("call_c", "3"),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            bare_call_of("call_a", "f"),
            created("resp_1"),
            call_done("resp_1", 0, "call_b", "f", "completed"),
            call_done("resp_1", 1, "call_c", "theirs", "completed"),
            done("resp_1", "completed"),
        ],
        all_is_paid,
    );
}

#[test]
fn a_client_that_leaves_its_functions_behind_in_every_order() {
    in_every_order(
        || connected().backend(|backend| backend.function_calls = here(&["f"])),
        &[
            settings("{}"),
            inject("one"),
            finished("call_a", Ok("1")),
            microphone(320),
            answer("call_b", "forged"),
            inject("two"),
            client_closes(1000),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            bare_call_of("call_a", "f"),
            bare_call_of("call_b", "f"),
            confirmed(),
            text_done("So."),
            Input::UpstreamClosed { end: closed(1000, ""), unix_s: 0 }.into(),
        ],
        all_is_over,
    );
}

#[test]
fn speech_and_typed_turns_and_barge_in_in_every_order() {
    in_every_order(
        connected,
        &[
            settings("{}"),
            microphone(320),
            inject("one"),
            microphone(320),
            client(r#"{"type":"KeepAlive"}"#),
            inject("two"),
            microphone(320),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            created("resp_1"),
            audio("resp_1", "item_1", 48_000),
            speech_started(),
            done("resp_1", "cancelled"),
            speech_stopped(),
        ],
        all_is_paid,
    );
}

#[test]
fn a_server_that_announces_nothing_in_every_order() {
    in_every_order(
        connected,
        &[
            settings(r#"{"useOpenAIManualAudioCommit":true}"#),
            inject("Hi"),
            microphone(40_000),
            answer("call_a", "1"),
            inject("Hi"),
            settings("{}"),
            microphone(1_800),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            bare_call("call_a"),
            audio_delta(320),
            user_item("added", "item_mock_1", "Hi"),
            text_done("Hello from mock"),
            bare_response_done(),
        ],
        all_is_paid,
    );
}

#[test]
fn a_client_that_leaves_and_an_upstream_that_closes_in_every_order() {
    in_every_order(
        connected,
        &[
            settings(r#"{"useOpenAIManualAudioCommit":true}"#),
            microphone(24_000),
            inject("one"),
            microphone(24_000),
            inject("two"),
            client(r#"{"type":"ForceEndTurn"}"#),
            client_closes(1000),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            confirmed(),
            message_added("resp_1", "item_1"),
            agent_item("done", "item_1", "Hello"),
            audio_delta(320),
            Input::UpstreamClosed { end: closed(1001, "bye"), unix_s: 0 }.into(),
        ],
        all_is_over,
    );
}

#[test]
fn changes_and_messages_for_the_agent_in_every_order() {
    in_every_order(
        connected,
        &[
            settings("{}"),
            update_prompt("More."),
            inject("one"),
            update_voice("cedar"),
            say("Hello", "queue"),
            update_speed(1.25),
            say("Hello", "default"),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            session_updated(),
            confirmed(),
            created("resp_1"),
            audio("resp_1", "item_1", 4_800),
            done("resp_1", "completed"),
        ],
        all_is_paid,
    );
}

#[test]
fn a_message_that_cuts_in_and_speech_in_every_order() {
    in_every_order(
        connected,
        &[
            settings("{}"),
            inject("one"),
            say("Stop", "interrupt"),
            microphone(320),
            say("Hello", "queue"),
            inject("two"),
            say("Stop again", "interrupt"),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            created("resp_1"),
            audio("resp_1", "item_1", 48_000),
            speech_started(),
            done("resp_1", "cancelled"),
            speech_stopped(),
        ],
        all_is_paid,
    );
}

#[test]
fn speech_that_may_not_interrupt_in_every_order() {
    in_every_order(
        || connected().backend(|backend| backend.barge_in = false),
        &[
            settings("{}"),
            microphone(320),
            inject("one"),
            say("Hello", "default"),
            update_prompt("More."),
            inject("two"),
            microphone(320),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            created("resp_1"),
            speech_started(),
            audio("resp_1", "item_1", 48_000),
            speech_stopped(),
            done("resp_1", "completed"),
        ],
        all_is_paid,
    );
}

#[test]
fn parallel_calls_and_speech_in_every_order() {
    in_every_order(
        connected,
        &[
            settings("{}"),
            answer("call_a", "1"),
            inject("one"),
            answer("call_b", "2"),
            answer("call_a", "3"),
            answer("call_c", "4"),
            update_prompt("More."),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            created("resp_1"),
            call_done("resp_1", 0, "call_a", "f", "completed"),
            call_done("resp_1", 1, "call_b", "f", "completed"),
            speech_started(),
            done("resp_1", "completed"),
        ],
        all_is_paid,
    );
}

#[test]
fn refusals_of_everything_in_every_order() {
    in_every_order(
        || connected().losing_races(),
        &[
            settings("{}"),
            inject("one"),
            update_prompt("More."),
            settings("{}"),
            inject("two"),
            say("Hello", "queue"),
            update_voice("cedar"),
        ],
        &[
            Input::UpstreamOpened.into(),
            error_for("$update", "invalid_value"),
            session_updated(),
            error_for("$item_event", "invalid_value"),
            error_for("$create", "conversation_already_has_active_response"),
            error("server_error"),
            error_for("$update", "cannot_update_voice"),
        ],
        all_is_paid_or_refused,
    );
}

#[test]
fn answers_of_upstreams_own_to_speech_in_every_order() {
    in_every_order(
        connected,
        &[
            settings(r#"{"idleTimeoutMs":10000,"greeting":"Hello"}"#),
            inject("one"),
            microphone(320),
            say("Hello", "interrupt"),
            inject("two"),
            client(r#"{"type":"ForceEndTurn"}"#),
            settings("{}"),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            speech_started(),
            speech_stopped(),
            created("resp_1"),
            message_added("resp_1", "item_1"),
            agent_item("done", "item_1", "Hello"),
        ],
        all_is_paid,
    );
}

#[test]
fn a_greeting_that_is_spoken_in_every_order() {
    in_every_order(
        || connected().backend(|backend| backend.greeting_mode = GreetingMode::Speak).losing_races(),
        &[
            settings(r#"{"greeting":"Hello"}"#),
            inject("one"),
            say("Hello", "queue"),
            microphone(320),
            inject("two"),
            settings("{}"),
            say("Hello", "interrupt"),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            created("resp_1"),
            error_for("$create", "conversation_already_has_active_response"),
            agent_item("done", "item_1", "Hello"),
            done("resp_1", "completed"),
            confirmed(),
        ],
        all_is_paid,
    );
}

#[test]
fn messages_for_the_agent_at_a_server_that_announces_nothing_in_every_order() {
    in_every_order(
        connected,
        &[
            settings(r#"{"idleTimeoutMs":10000}"#),
            say("Hello", "default"),
            inject("Hi"),
            say("Hello", "queue"),
            answer("call_a", "1"),
            say("Hello", "interrupt"),
            update_prompt("More."),
        ],
        &[
            Input::UpstreamOpened.into(),
            session_updated(),
            bare_call("call_a"),
            audio_delta(320),
            text_done("Hello from mock"),
            user_item("added", "item_mock_1", "Hi"),
            bare_response_done(),
        ],
        all_is_paid,
    );
}
