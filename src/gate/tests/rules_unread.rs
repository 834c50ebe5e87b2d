//! Section 6: what is waited for while a leg is not read. What its peer has said by then may wait to be read, so
//! no wait for it runs out; it has all of its time once it is read again.

use std::time::Duration;

use bytes::Bytes;

use super::{
    scenario::{Action, Scenario, at, check, deepgram, due, fresh},
    words::{
        answer, audio_delta, bare_call, bare_response_done, client_closes, confirmed, created, error_for,
        inject, microphone, session_updated, settings, speech_started, speech_stopped, update_prompt,
    },
};
use crate::gate::{ClientFrame, Input, Leg, WINDOW};

/// The same with legs that are soon full and may be slow.
fn small(scenario: Scenario) -> Scenario {
    scenario.limits(|limits| {
        limits.leg = 10_000;
        limits.slow_leg_timeout = Duration::from_secs(100);
    })
}

fn connected() -> Scenario {
    fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened)
}

const FULL: [&str; 3] = ["client AgentStartedSpeaking", "client audio", "pause upstream"];

/// R2: the `session.updated` that answers our update.
#[test]
fn r02_a_session_updated_that_is_not_read_is_not_missed() {
    check(
        small(connected().upto(session_updated())),
        [
            at(0, audio_delta(11_000), FULL).undelivered(),
            at(1, settings("{}"), ["up session.update"]).undelivered(),
            at(30_000, Input::Timeout, []).undelivered(),
            at(31_000, Action::Delivers(Leg::Client), ["resume upstream"]),
            at(40_000, session_updated(), ["use audio", "client SettingsApplied"]),
        ],
    );
    check(
        small(connected().upto(session_updated())),
        [
            at(0, audio_delta(11_000), FULL).undelivered(),
            at(1, settings("{}"), ["up session.update"]).undelivered(),
            at(31_000, Action::Delivers(Leg::Client), ["resume upstream"]),
            due(
                51_000,
                ["ran out R2", "client Error(upstream_silent)", "close client 1011", "close upstream 1000"],
            ),
        ],
    );
}

/// R6: "Between `speech_started` and `speech_stopped` wishes wait as well", and "a wish waits 1 s after
/// `speech_stopped`" for upstream's own answer.
#[test]
fn r06_the_end_of_speech_and_the_answer_to_it_that_are_not_read_are_not_missed() {
    check(
        small(deepgram()),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(2, confirmed(), ["held R6"]),
            at(3, audio_delta(11_000), FULL).undelivered(),
            at(61_000, Input::Timeout, []).undelivered(),
            at(62_000, Action::Delivers(Leg::Client), ["resume upstream"]),
            at(63_000, speech_stopped(), []),
            at(63_001, audio_delta(11_000), ["client audio", "pause upstream"]).undelivered(),
            at(65_000, Input::Timeout, []).undelivered(),
            at(66_000, Action::Delivers(Leg::Client), ["resume upstream"]),
            at(66_500, created("resp_1"), ["client AgentAudioDone"]),
            at(68_000, Input::Timeout, []),
        ],
    );
}

/// R3: the `session.updated` that answers a change.
#[test]
fn r03_the_answer_to_a_change_that_is_not_read_is_not_missed() {
    check(
        small(deepgram()),
        [
            at(0, update_prompt("Be brief."), ["up session.update"]),
            at(1, audio_delta(11_000), FULL).undelivered(),
            at(25_000, Input::Timeout, []).undelivered(),
            at(26_000, Action::Delivers(Leg::Client), ["resume upstream"]),
            at(40_000, session_updated(), ["client PromptUpdated"]),
        ],
    );
}

/// R8: "with no end, T after the last answer".
#[test]
fn r08_the_end_of_a_response_that_is_not_read_is_not_missed() {
    check(
        small(deepgram()),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, answer("call_a", "1"), ["client AgentThinking", "up output"]),
            at(2, audio_delta(11_000), FULL).undelivered(),
            at(25_000, Input::Timeout, []).undelivered(),
            at(26_000, Action::Delivers(Leg::Client), ["resume upstream"]),
            at(30_000, bare_response_done(), ["client AgentAudioDone", "up response.create"]),
        ],
    );
}

/// R8: "A call the client has not answered after `functions.client_timeout_ms`".
#[test]
fn r08_an_answer_that_is_not_read_is_not_missed() {
    check(
        small(deepgram()),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, microphone(6_000), ["up append", "pause client"]).undelivered(),
            at(61_000, Input::Timeout, []).undelivered(),
            at(62_000, Action::Delivers(Leg::Upstream), ["resume client"]),
            at(100_000, answer("call_a", "1"), ["client AgentThinking", "up output call_a \"1\""]),
        ],
    );
    check(
        small(deepgram()),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, microphone(6_000), ["up append", "pause client"]).undelivered(),
            at(62_000, Action::Delivers(Leg::Upstream), ["resume client"]),
            due(122_000, ["ran out R8", "client FunctionCallCancelled", "up output call_a"]),
        ],
    );
}

/// R2: "what is held stays held, and the next Settings counts as the first", which a client that is not read
/// could not send.
#[test]
fn r02_a_client_whose_settings_were_refused_is_read_again() {
    check(
        connected().limits(|limits| limits.before_ready = 1_000),
        [
            at(0, settings("{}"), ["up session.update"]),
            at(1, microphone(2_000), ["held R2", "pause client"]),
            at(2, error_for("$update", "invalid_value"), ["client Error(invalid_value)", "resume client"]),
            at(3, settings("{}"), ["up session.update", "pause client"]),
            at(
                4,
                session_updated(),
                ["use audio", "client SettingsApplied", "up append 2000", "resume client"],
            ),
        ],
    );
}

/// A leg that takes something is read for again when half of what waited for it is gone, not before and not later.
#[test]
fn upstream_is_read_again_when_half_of_what_waited_is_gone() {
    let takes = |bytes| Input::Delivered { leg: Leg::Client, bytes };
    let started = ClientFrame::Audio(Bytes::new()).weight();
    check(
        small(deepgram()),
        [
            at(0, audio_delta(4_000), ["client AgentStartedSpeaking", "client audio"]).undelivered(),
            at(1, audio_delta(4_000), ["client audio"]).undelivered(),
            at(2, audio_delta(4_000), ["client audio", "pause upstream"]).undelivered(),
            at(3, takes(started + 4_000), []).undelivered(),
            at(4, takes(4_000), ["resume upstream"]).undelivered(),
        ],
    );
}

/// An upstream that takes nothing for a while is too slow only once the client has to wait for it.
#[test]
fn upstream_is_not_too_slow_while_the_client_need_not_wait_for_it() {
    let patient = deepgram().limits(|limits| limits.leg = 10_000);
    check(
        patient,
        [
            at(0, microphone(3_000), ["up append"]).undelivered(),
            at(60_000, microphone(1_000), ["up append"]).undelivered(),
            at(60_001, microphone(1_000), ["up append", "pause client"]).undelivered(),
            due(
                70_001,
                [
                    "resume client",
                    "client Error(upstream_too_slow)",
                    "close client 1011",
                    "close upstream 1000",
                ],
            )
            .undelivered(),
        ],
    );
}

/// R2: what a client said before it left still goes up, though it had not read what it was sent: upstream, which
/// was not read on for that, is read again.
#[test]
fn r02_a_client_that_leaves_unread_what_it_was_sent_holds_up_nothing() {
    let full = connected().limits(|limits| limits.leg = 3 * WINDOW);
    check(
        full.upto(settings("{}")),
        [
            at(0, audio_delta(WINDOW), ["client AgentStartedSpeaking", "client audio"]).undelivered(),
            at(1, audio_delta(WINDOW), []).undelivered(),
            at(2, audio_delta(WINDOW), ["pause upstream"]).undelivered(),
            at(3, inject("Goodbye"), ["held R2"]).undelivered(),
            at(4, client_closes(1000), ["held R2", "resume upstream"]).undelivered(),
            at(5, session_updated(), ["use audio", "up item \"Goodbye\"", "close upstream 1000"])
                .undelivered(),
        ],
    );
}
