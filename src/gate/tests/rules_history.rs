//! What Deepgram's dialect tells beside the conversation itself: `History` and `LatencyReport` (Voice Agent
//! protocol, A4 `flags.history`, A7).

use super::{
    scenario::{Scenario, at, check, component, due, fresh},
    words::{
        agent_item, answer, audio, call_done, client, confirmed, created, done, inject, message_added, say,
        session_updated, speech_started, speech_stopped, transcript_delta, upstream,
    },
};
use crate::gate::Input;

const HEARD: &str = r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"item_u",
    "transcript":"Hello"}"#;

fn opened(settings: &str) -> Scenario {
    let opening = fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened);
    opening.upto(client(settings)).upto(session_updated())
}

/// `flags.history`, "default true": each line of the conversation once more, behind itself.
#[test]
fn history_repeats_every_line() {
    for flags in ["", r#","flags":{"history":true}"#, r#","flags":{}"#] {
        check(
            opened(&format!(r#"{{"type":"Settings"{flags}}}"#)),
            [
                at(
                    0,
                    inject("Hi"),
                    ["client ConversationText(user) \"Hi\"", "client History \"Hi\"", "up item"],
                ),
                at(1, confirmed(), ["up response.create"]),
                at(2, created("resp_1"), []),
                at(2, message_added("resp_1", "item_1"), []),
                at(
                    3,
                    agent_item("done", "item_1", "Hello"),
                    [
                        "client AgentStartedSpeaking",
                        "client ConversationText(assistant) \"Hello\"",
                        "client History \"Hello\"",
                    ],
                ),
                at(4, upstream(HEARD), ["client ConversationText(user)", "client History \"Hello\""]),
            ],
        );
    }
}

/// A call enters the history with its answer, be it the client's or ours.
#[test]
fn history_has_each_call_with_its_answer() {
    check(
        opened(r#"{"type":"Settings"}"#),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, call_done("resp_1", 1, "call_b", "g", "completed"), []),
            at(3, done("resp_1", "completed"), ["client FunctionCallRequest"]),
            at(
                4,
                answer("call_a", "one"),
                ["client AgentThinking", "client History f({}): one", "up output call_a"],
            ),
            due(
                60_003,
                [
                    "ran out R8",
                    "client FunctionCallCancelled call_b=g",
                    "client History g({}): {\"error\":\"no answer in time\"}",
                    "up output call_b",
                    "up response.create",
                ],
            ),
        ],
    );
}

/// `flags.history = false`; and the component, which ignores the message, unless it asks for it.
#[test]
fn history_is_silent_where_nobody_wants_it() {
    for settings in [
        r#"{"type":"Settings","flags":{"history":false}}"#,
        r#"{"type":"Settings","agent":{"idleTimeoutMs":10000}}"#,
    ] {
        let run = check(opened(settings), []);
        assert!(!run.gate.history, "{settings}");
    }
    check(
        opened(r#"{"type":"Settings","flags":{"history":true},"agent":{"idleTimeoutMs":10000}}"#),
        [
            at(0, upstream(HEARD), ["client Transcript(final) \"Hello\"", "client History \"Hello\""]),
            at(
                1,
                inject("Hi"),
                ["client ConversationText(user)", "client History", "client AgentThinking", "up item"],
            ),
        ],
    );
}

/// A spoken turn in detail: from the end of the speech to the transcript, the first text and the first audio.
#[test]
fn a_latency_report_follows_the_end_of_the_agents_turn() {
    check(
        opened(r#"{"type":"Settings","flags":{"history":false}}"#),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1_000, speech_stopped(), []),
            at(1_100, created("resp_1"), []),
            at(1_125, upstream(HEARD), ["client ConversationText(user)"]),
            at(1_250, transcript_delta("resp_1", "item_1", "Hel"), []),
            at(
                1_500,
                audio("resp_1", "item_1", 320),
                ["client AgentStartedSpeaking total 0.5 text 0.25 speech 0.25", "client audio"],
            ),
            at(
                1_750,
                done("resp_1", "completed"),
                [
                    "client ConversationText(assistant)",
                    "client AgentAudioDone",
                    "client LatencyReport stt 0.125 token 0.25 text 0.25 speech 0.25 total 0.5",
                ],
            ),
        ],
    );
}

/// One report for each turn of the agent: a response that only called gives its part to none, the follow-up
/// counts from the answer, and what an interruption cut off is not reported.
#[test]
fn a_latency_report_comes_once_and_not_for_an_interrupted_answer() {
    check(
        opened(r#"{"type":"Settings","flags":{"history":false}}"#),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, done("resp_1", "completed"), ["client FunctionCallRequest"]),
            at(500, answer("call_a", "one"), ["client AgentThinking", "up output", "up response.create"]),
            at(600, created("resp_2"), []),
            at(
                1_000,
                audio("resp_2", "item_2", 48_000),
                ["client AgentStartedSpeaking total 0.5", "client audio"],
            ),
            at(
                1_001,
                done("resp_2", "completed"),
                ["client AgentAudioDone", "client LatencyReport token 0.5 total 0.5"],
            ),
            at(3_000, created("resp_3"), []),
            at(3_001, audio("resp_3", "item_3", 48_000), ["client AgentStartedSpeaking", "client audio"]),
            at(
                3_100,
                speech_started(),
                ["client AgentAudioDone", "client UserStartedSpeaking", "up truncate"],
            ),
        ],
    );
}

/// What the agent says on the client's word, or upstream's own, is nothing that the user waits for.
#[test]
fn latencies_count_from_a_turn_of_the_user_once() {
    check(
        opened(r#"{"type":"Settings","flags":{"history":false}}"#),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, created("resp_1"), []),
            at(
                500,
                audio("resp_1", "item_1", 320),
                ["client AgentStartedSpeaking total 0.5", "client audio"],
            ),
            at(600, done("resp_1", "completed"), ["client AgentAudioDone"]),
            // Upstream's own, such as after a long silence.
            at(9_000, created("resp_2"), []),
            at(
                9_500,
                audio("resp_2", "item_2", 320),
                ["client AgentStartedSpeaking total 0 text 0 speech 0", "client audio"],
            ),
            at(9_600, done("resp_2", "completed"), ["client AgentAudioDone"]),
            at(20_000, say("Hello", "queue"), ["up response.create"]),
            at(20_001, created("resp_3"), []),
            at(
                20_250,
                audio("resp_3", "item_3", 320),
                [
                    "client AgentStartedSpeaking total 0.25",
                    "client ConversationText(assistant)",
                    "client audio",
                ],
            ),
        ],
    );
}

/// The component has no use for reports.
#[test]
fn the_component_gets_no_latency_report() {
    let run = check(
        component(),
        [
            at(0, created("resp_1"), []),
            at(1, audio("resp_1", "item_1", 320), ["client AgentStartedSpeaking", "client audio"]),
            at(2, done("resp_1", "completed"), ["client AgentDone", "client AgentAudioDone"]),
        ],
    );
    assert!(run.client_messages().all(|message| message.kind() != "LatencyReport"));
}
