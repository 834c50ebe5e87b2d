//! `InjectAgentMessage`: what the client has the agent say (Voice Agent protocol, A3), and when it is refused.

use super::{
    scenario::{Scenario, at, check, component, deepgram},
    words::{
        self, agent_item, audio, audio_delta, client, confirmed, created, done, error_for, inject,
        message_added, speech_started, speech_stopped, text_done, transcript_delta,
    },
};
use crate::gate::tests::scenario::Action;

const VERBATIM: &str = "up response.create \"Say the following text word for word, and nothing else:\\nHello";

fn say(behavior: &str) -> Action {
    words::say("Hello", behavior)
}

/// The agent speaks: 1 s of audio was delivered at 0 ms, and its response runs.
fn speaking() -> Scenario {
    deepgram().upto(created("resp_0")).upto(audio("resp_0", "item_0", 48_000))
}

/// `default`: "ConversationText + audio + AgentAudioDone". The client gets our wording once, with the speech.
#[test]
fn the_agent_says_it_word_for_word_and_the_client_gets_the_text_once() {
    for name in ["message", "content"] {
        check(
            deepgram(),
            [
                at(0, client(&format!(r#"{{"type":"InjectAgentMessage","{name}":"Hello"}}"#)), [VERBATIM]),
                at(10, created("resp_1"), []),
                at(20, transcript_delta("resp_1", "item_1", "Hello!"), []),
                at(
                    30,
                    audio("resp_1", "item_1", 320),
                    [
                        "client AgentStartedSpeaking",
                        "client ConversationText(assistant) \"Hello\"",
                        "client audio 320",
                    ],
                ),
                at(40, agent_item("done", "item_1", "Hello!"), ["ignored R4"]),
                at(50, done("resp_1", "completed"), ["client AgentAudioDone"]),
            ],
        );
    }
}

/// The same from a server that announces nothing and has text alone.
#[test]
fn a_server_that_only_writes_gives_the_text_once_as_well() {
    check(
        component(),
        [
            at(0, say("default"), [VERBATIM]),
            at(
                10,
                text_done("Hello!"),
                [
                    "ignored R4",
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"Hello\"",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
            at(20, agent_item("done", "item_1", "Hello!"), ["ignored R11"]),
        ],
    );
}

/// R13: and like anything that is heard it has its end signals before the user's word, should that cut it off.
#[test]
fn what_a_server_only_writes_is_cut_off_with_its_end_signals() {
    check(
        deepgram(),
        [
            at(0, say("default"), [VERBATIM]),
            at(1, created("resp_1"), []),
            at(2, message_added("resp_1", "item_1"), []),
            at(
                3,
                agent_item("added", "item_1", "Hello!"),
                ["ignored R4", "client AgentStartedSpeaking", "client ConversationText(assistant) \"Hello\""],
            ),
            at(4, speech_started(), ["client AgentAudioDone", "client UserStartedSpeaking"]),
            at(5, done("resp_1", "cancelled"), ["ignored R13"]),
        ],
    );
}

/// "`default` is refused if the user or the agent is mid-turn".
#[test]
fn default_is_refused_while_anybody_has_the_word() {
    let refused = "client InjectionRefused";
    check(deepgram().upto(speech_started()), [at(0, say("default"), [refused])]);
    check(deepgram().upto(speech_started()).upto(speech_stopped()), [at(0, say("default"), [refused])]);
    check(deepgram().upto(created("resp_0")), [at(0, say("default"), [refused])]);
    check(deepgram().upto(inject("Hi")), [at(0, say("default"), [refused])]);
    check(
        speaking().upto(done("resp_0", "completed")),
        [
            // All of it has been sent, but the user still hears it.
            at(900, say("default"), [refused]),
            at(1_100, say("default"), [VERBATIM]),
        ],
    );
}

/// A call that the client has not answered is a part of the agent's turn.
#[test]
fn default_is_refused_while_a_function_runs() {
    let calls = deepgram()
        .upto(created("resp_0"))
        .upto(words::call_done("resp_0", 0, "call_a", "f", "completed"))
        .upto(done("resp_0", "completed"));
    check(calls, [at(0, say("default"), ["client InjectionRefused"])]);
}

/// "`queue` waits for the agent (refused only while the user is mid-turn)".
#[test]
fn queue_waits_for_the_agent_and_for_what_was_asked_before() {
    check(
        speaking(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["held R6"]),
            at(2, say("queue"), ["held R6"]),
            at(3, done("resp_0", "completed"), ["client AgentAudioDone", "up response.create"]),
            at(4, created("resp_1"), []),
            at(5, done("resp_1", "completed"), [VERBATIM]),
        ],
    );
    check(deepgram().upto(speech_started()), [at(0, say("queue"), ["client InjectionRefused"])]);
}

/// "`interrupt` cuts in at once and is never refused": the client stops playing, upstream is cancelled
/// whatever it does for speech, and the message comes next, before older wishes.
#[test]
fn interrupt_cuts_the_agent_off_and_goes_first() {
    check(
        speaking(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["held R6"]),
            at(
                400,
                say("interrupt"),
                [
                    "held R6",
                    "client AgentAudioDone",
                    "client UserStartedSpeaking",
                    "up response.cancel resp_0",
                    "up truncate item_0 at 400 ms",
                ],
            ),
            at(410, audio("resp_0", "item_0", 320), ["ignored R13"]),
            at(420, done("resp_0", "cancelled"), ["ignored R13", VERBATIM]),
            at(430, created("resp_1"), []),
            at(440, done("resp_1", "completed"), ["up response.create"]),
        ],
    );
}

/// A server that announces nothing, and says that nothing was left to be cancelled, keeps no message waiting.
#[test]
fn interrupt_goes_on_where_there_was_nothing_left_to_cancel() {
    check(
        deepgram().upto(inject("Hi")).upto(confirmed()),
        [
            at(0, audio_delta(320), ["client AgentStartedSpeaking", "client audio"]),
            at(
                1,
                say("interrupt"),
                ["held R6", "client AgentAudioDone", "client UserStartedSpeaking", "up response.cancel"],
            ),
            at(2, error_for("$cancel", "response_cancel_not_active"), ["ignored R15", VERBATIM]),
        ],
    );
}

/// Several of them are said in the client's order, and what is cut off already is not cut off again.
#[test]
fn interrupts_keep_their_order() {
    check(
        speaking(),
        [
            at(
                400,
                say("interrupt"),
                [
                    "held R6",
                    "client AgentAudioDone",
                    "client UserStartedSpeaking",
                    "up response.cancel resp_0",
                    "up truncate item_0 at 400 ms",
                ],
            ),
            at(
                450,
                client(r#"{"type":"InjectAgentMessage","message":"Later","behavior":"interrupt"}"#),
                ["held R6"],
            ),
            at(500, done("resp_0", "cancelled"), ["ignored R13", VERBATIM]),
            at(510, created("resp_1"), []),
            at(
                520,
                done("resp_1", "completed"),
                ["up response.create \"Say the following text word for word, and nothing else:\\nLater"],
            ),
        ],
    );
}

/// With nothing to cut off nothing is said of it.
#[test]
fn interrupt_in_silence_is_simply_spoken() {
    check(deepgram(), [at(0, say("interrupt"), [VERBATIM])]);
}

/// While the user speaks it is not refused, and waits for the end of the speech as every wish does (R6).
#[test]
fn interrupt_while_the_user_speaks_waits() {
    check(
        deepgram().upto(speech_started()),
        [
            at(0, say("interrupt"), ["held R6"]),
            at(10, speech_stopped(), []),
            at(20, created("resp_1"), []),
            at(30, done("resp_1", "completed"), [VERBATIM]),
        ],
    );
}

/// A message that barge-in cuts off before its first sound was not said, which the client learns.
#[test]
fn a_message_that_never_began_is_not_lost_in_silence() {
    check(
        deepgram(),
        [
            at(0, say("default"), [VERBATIM]),
            at(10, created("resp_1"), []),
            at(
                20,
                speech_started(),
                ["client Warning(INJECT_AGENT_MESSAGE_DURING_USER_SPEECH)", "client UserStartedSpeaking"],
            ),
            at(30, done("resp_1", "cancelled"), ["ignored R13"]),
        ],
    );
}

/// Nor is one that another message cuts off.
#[test]
fn a_message_that_another_one_cuts_off_is_not_lost_in_silence() {
    check(
        deepgram(),
        [
            at(0, say("default"), [VERBATIM]),
            at(10, created("resp_1"), []),
            at(
                20,
                say("interrupt"),
                [
                    "held R6",
                    "client Warning(INJECT_AGENT_MESSAGE_DURING_AGENT_SPEECH)",
                    "up response.cancel resp_1",
                ],
            ),
            at(30, done("resp_1", "cancelled"), ["ignored R13", VERBATIM]),
        ],
    );
}

/// One that upstream refuses is an Error and leaves nothing behind.
#[test]
fn a_message_that_upstream_refuses_is_an_error() {
    check(
        deepgram(),
        [
            at(0, say("default"), [VERBATIM]),
            at(10, error_for("$create", "server_error"), ["client Error(server_error)"]),
            at(20, say("default"), [VERBATIM]),
        ],
    );
}

/// R7: a message that met a response of upstream's own is spoken after it, and mutes nobody else.
#[test]
fn a_message_that_lost_the_race_is_spoken_later() {
    check(
        deepgram().losing_races(),
        [
            at(0, say("default"), [VERBATIM]),
            at(1, created("resp_own"), []),
            at(2, error_for("$create", "conversation_already_has_active_response"), ["held R7", "held R6"]),
            at(
                3,
                agent_item("done", "item_1", "Another matter"),
                ["client ConversationText(assistant) \"Another matter\""],
            ),
            at(4, done("resp_own", "completed"), [VERBATIM]),
            at(5, created("resp_1"), []),
            at(
                6,
                audio("resp_1", "item_2", 320),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"Hello\"",
                    "client audio 320",
                ],
            ),
        ],
    );
}

/// R7: where upstream's own response was taken for the message, nothing of either is lost or told twice.
#[test]
fn a_message_whose_race_is_known_late_is_told_once_and_so_is_the_other_text() {
    check(
        deepgram().losing_races(),
        [
            at(0, say("default"), [VERBATIM]),
            at(1, created("resp_own"), []),
            at(
                2,
                audio("resp_own", "item_1", 320),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"Hello\"",
                    "client audio",
                ],
            ),
            at(3, agent_item("done", "item_1", "Another matter"), ["ignored R4"]),
            at(
                4,
                error_for("$create", "conversation_already_has_active_response"),
                ["held R7", "held R6", "client ConversationText(assistant) \"Another matter\""],
            ),
            at(5, done("resp_own", "completed"), ["client AgentAudioDone", VERBATIM]),
            at(6, created("resp_1"), []),
            at(7, audio("resp_1", "item_2", 320), ["client AgentStartedSpeaking", "client audio"]),
            at(8, agent_item("done", "item_2", "Hello"), ["ignored R4"]),
            at(9, done("resp_1", "completed"), ["client AgentAudioDone"]),
        ],
    );
}

/// R7: the same of several texts of upstream's own, long ones included.
#[test]
fn every_text_that_was_taken_for_the_message_is_told_when_the_race_is_known() {
    let long = "x".repeat(100_000);
    let quoted = format!("client ConversationText(assistant) \"{}", "x".repeat(200));
    check(
        deepgram().losing_races(),
        [
            at(0, say("default"), [VERBATIM]),
            at(1, created("resp_own"), []),
            at(
                2,
                audio("resp_own", "item_1", 320),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"Hello\"",
                    "client audio",
                ],
            ),
            at(3, agent_item("done", "item_1", "One"), ["ignored R4"]),
            at(4, message_added("resp_own", "item_2"), []),
            at(4, agent_item("done", "item_2", &long), ["ignored R4"]),
            at(5, message_added("resp_own", "item_3"), []),
            at(5, agent_item("done", "item_3", &long), ["ignored R4"]),
            at(6, message_added("resp_own", "item_4"), []),
            at(6, agent_item("done", "item_4", "Four"), ["ignored R4"]),
            at(
                7,
                error_for("$create", "conversation_already_has_active_response"),
                [
                    "held R7",
                    "held R6",
                    "client ConversationText(assistant) \"One\"",
                    &quoted,
                    &quoted,
                    "client ConversationText(assistant) \"Four\"",
                ],
            ),
        ],
    );
}

/// What cannot be said is refused, with the reason.
#[test]
fn messages_without_a_text_or_with_an_unknown_behavior_are_refused() {
    check(
        deepgram(),
        [
            at(
                0,
                client(r#"{"type":"InjectAgentMessage","is_dynamic":true}"#),
                ["client InjectionRefused \"dynamic messages need think_live"],
            ),
            at(
                1,
                client(r#"{"type":"InjectAgentMessage"}"#),
                ["client Error(UNPARSABLE_CLIENT_MESSAGE) \"InjectAgentMessage: message: is missing\""],
            ),
            at(2, client(r#"{"type":"InjectAgentMessage","message":" "}"#), ["client InjectionRefused"]),
            at(
                3,
                say("shout"),
                [
                    "client Error(UNPARSABLE_CLIENT_MESSAGE) \"InjectAgentMessage: behavior: \\\"shout\\\" is none",
                ],
            ),
        ],
    );
}

/// Design section 3: "no message to the client exceeds 1 MiB".
#[test]
fn a_message_that_no_client_could_take_is_refused() {
    let text = "a".repeat(1024 * 1024);
    check(
        deepgram(),
        [at(
            0,
            client(&format!(r#"{{"type":"InjectAgentMessage","message":"{text}"}}"#)),
            ["client Error(MESSAGE_TOO_LARGE)"],
        )],
    );
}

/// Design section 3: "`AgentStartedSpeaking` carries measured latencies": a message for the agent answers nothing
/// that the user said, a minute ago or ever.
#[test]
fn a_message_is_waited_for_since_it_was_asked_for() {
    check(
        deepgram(),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1, speech_stopped(), []),
            at(60_000, say("default"), ["up response.create"]),
            at(60_100, created("resp_1"), []),
            at(
                60_500,
                audio("resp_1", "item_1", 480),
                [
                    "client AgentStartedSpeaking total 0.5 text 0.5 speech 0",
                    "client ConversationText(assistant) \"Hello\"",
                    "client audio 480",
                ],
            ),
        ],
    );
}
