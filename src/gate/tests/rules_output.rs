//! R10 and R11: what a response gives the client, and the signals around it.

use serde_json::json;

use super::{
    scenario::{at, check, check_all, component, deepgram, due},
    words::{
        agent_item, audio, audio_delta, audio_done, bare_audio_done, bare_response_done, confirmed, created,
        done, done_with, inject, message_added, text_done, transcript_delta, transcript_done, upstream,
    },
};
use crate::{gate::CLIENT_MESSAGE_LIMIT, protocol::agent::ServerMessage};

/// R10: "`AgentStartedSpeaking` once per response, before its first text or audio … The end signals,
/// `AgentDone` … and then `AgentAudioDone`, once per response that gave text or audio, after its last text
/// and audio: an announced one at its `response.done`".
#[test]
fn r10_an_announced_response_is_framed_by_its_signals() {
    check(
        component(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(2, transcript_delta("resp_1", "item_1", "Hello"), []),
            at(3, audio("resp_1", "item_1", 320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(4, audio("resp_1", "item_1", 640), ["client audio 640"]),
            at(5, audio_done("resp_1", "item_1"), []),
            at(6, transcript_done("resp_1", "item_1", "Hello there"), []),
            at(
                7,
                agent_item("done", "item_1", "Hello there"),
                ["client ConversationText(assistant) \"Hello there\""],
            ),
            at(8, done("resp_1", "completed"), ["client AgentDone", "client AgentAudioDone"]),
            at(9, done("resp_1", "completed"), []),
        ],
    );
}

/// R10: "whatever the status".
#[test]
fn r10_the_end_signals_come_whatever_the_status() {
    for (status, error) in [("cancelled", false), ("failed", true), ("incomplete", true)] {
        let mut steps = vec![
            at(0, created("resp_1"), []),
            at(1, audio("resp_1", "item_1", 320), ["client AgentStartedSpeaking", "client audio 320"]),
        ];
        steps.push(match error {
            true => at(2, done("resp_1", status), ["client AgentAudioDone", "client Error(unknown)"]),
            false => at(2, done("resp_1", status), ["client AgentAudioDone"]),
        });
        check_all(deepgram(), steps);
    }
}

/// R10: a response that gave nothing has no signals.
#[test]
fn r10_a_response_that_gave_nothing_has_no_signals() {
    check(deepgram(), [at(0, created("resp_1"), []), at(1, done("resp_1", "cancelled"), [])]);
}

/// R10: "an unannounced one at `output_audio.done`".
#[test]
fn r10_an_unannounced_response_ends_its_speech_with_its_audio() {
    check(
        component(),
        [
            at(0, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(1, bare_audio_done(), ["client AgentDone", "client AgentAudioDone"]),
            at(2, text_done("Hello"), ["client ConversationText(assistant) \"Hello\""]),
        ],
    );
}

/// R10: "at the text's end if it gave no audio".
#[test]
fn r10_an_unannounced_response_without_audio_ends_with_its_text() {
    check(
        deepgram(),
        [
            at(0, bare_audio_done(), []),
            at(
                1,
                text_done("Hello"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentAudioDone",
                ],
            ),
            at(2, bare_audio_done(), []),
            at(3, bare_response_done(), []),
        ],
    );
}

/// R10: an unannounced response that gave audio has its signals after its last audio, though R6 lets it end
/// with its text.
#[test]
fn r10_an_unannounced_response_whose_audio_outlasts_its_text_has_its_signals_after_the_audio() {
    let ends = [(bare_audio_done(), bare_response_done()), (bare_response_done(), bare_audio_done())];
    for (end, later) in ends {
        let steps = vec![
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(3, text_done("Hello"), ["client ConversationText(assistant)"]),
            at(4, audio_delta(640), ["client audio 640"]),
            at(5, end, ["client AgentAudioDone"]),
            at(6, later, []),
        ];
        check_all(deepgram(), steps);
    }
}

/// R10: such a response still has its signals before the next one begins, and after T at the latest.
#[test]
fn r10_end_signals_of_an_outlasting_audio_come_before_the_next_response_or_after_t() {
    let begin = || {
        vec![
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(3, text_done("Hello"), ["client ConversationText(assistant)"]),
        ]
    };
    let mut next = begin();
    next.push(at(4, inject("More"), ["client ConversationText(user)", "up item"]));
    next.push(at(5, confirmed(), ["client AgentAudioDone", "up response.create"]));
    check_all(deepgram(), next);
    let mut silent = begin();
    silent.push(due(20_003, ["client AgentAudioDone"]));
    check_all(deepgram(), silent);
}

/// R10: "or at `response.done`, whichever is first".
#[test]
fn r10_an_unannounced_response_ends_with_a_bare_done_at_the_latest() {
    check(
        deepgram(),
        [
            at(0, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(1, bare_response_done(), ["client AgentAudioDone"]),
            at(2, bare_audio_done(), []),
        ],
    );
}

/// R10: "In both [dialects], `AgentStartedSpeaking` carries measured latencies" (design section 3).
#[test]
fn r10_latencies_are_measured_from_the_end_of_the_users_turn() {
    check(
        deepgram(),
        [
            at(1_000, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1_100, confirmed(), ["up response.create"]),
            at(1_200, created("resp_1"), []),
            at(1_500, transcript_delta("resp_1", "item_1", "Hello"), []),
            at(
                1_750,
                audio("resp_1", "item_1", 320),
                ["client AgentStartedSpeaking total 0.75 text 0.5 speech 0.25", "client audio 320"],
            ),
        ],
    );
}

/// R11: "Assistant text is sent once per message item. A `conversation.item.*` that has text gives it (an
/// item in progress without text counts for nothing)."
#[test]
fn r11_an_item_gives_its_text_once() {
    let empty = r#"{"type":"conversation.item.added","item":{"id":"item_1","type":"message",
        "status":"in_progress","role":"assistant","content":[]}}"#;
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(2, upstream(empty), []),
            at(3, transcript_done("resp_1", "item_1", "Hello"), []),
            at(
                4,
                agent_item("added", "item_1", "Hello"),
                ["client AgentStartedSpeaking", "client ConversationText(assistant) \"Hello\""],
            ),
            at(5, agent_item("done", "item_1", "Hello"), ["ignored R11"]),
            at(6, done("resp_1", "completed"), ["client AgentAudioDone"]),
        ],
    );
}

/// R11: "For an announced response, what no item gave by `response.done` is taken from the transcript or
/// text events or from `response.output`."
#[test]
fn r11_what_no_item_gave_comes_with_the_end_of_the_response() {
    let output = json!([{"id": "item_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_audio", "transcript": "Hello"}]}]);
    let signals = [
        "client AgentStartedSpeaking",
        "client ConversationText(assistant) \"Hello\"",
        "client AgentAudioDone",
    ];
    // From the whole transcript, from its pieces, from the output, and once from all of them.
    for sources in 1..8_u8 {
        let mut steps = vec![at(0, created("resp_1"), []), at(1, message_added("resp_1", "item_1"), [])];
        if sources & 1 != 0 {
            steps.push(at(2, transcript_delta("resp_1", "item_1", "Hel"), []));
            steps.push(at(3, transcript_delta("resp_1", "item_1", "lo"), []));
        }
        if sources & 2 != 0 {
            steps.push(at(4, transcript_done("resp_1", "item_1", "Hello"), []));
        }
        let end = match sources & 4 {
            0 => done("resp_1", "completed"),
            _ => done_with("resp_1", json!({"status": "completed", "output": output})),
        };
        steps.push(at(5, end, signals));
        steps.push(at(6, agent_item("done", "item_1", "Hello"), ["ignored R11"]));
        check_all(deepgram(), steps);
    }
}

/// R11: an item of several parts that only `response.output` shows whole is given whole.
#[test]
fn r11_an_item_of_several_parts_is_given_whole() {
    let output = json!([{"id": "item_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "One"}, {"type": "output_text", "text": "Two"}]}]);
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(2, transcript_done("resp_1", "item_1", "One"), []),
            at(3, transcript_done("resp_1", "item_1", "Two"), []),
            at(
                4,
                done_with("resp_1", json!({"status": "completed", "output": output})),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"One\\nTwo\"",
                    "client AgentAudioDone",
                ],
            ),
        ],
    );
}

/// R11: "For an unannounced response `output_text.done` and `output_audio_transcript.done` give it at once
/// … and the text that a text event gave is not sent again for the item that follows with the same text."
#[test]
fn r11_a_text_event_of_an_unannounced_response_gives_the_text_and_its_item_does_not_again() {
    let transcript = r#"{"type":"response.output_audio_transcript.done","response_id":"resp_1",
        "item_id":"item_1","output_index":0,"content_index":0,"transcript":"By voice"}"#;
    check(
        deepgram(),
        [
            at(
                0,
                text_done("Hello from mock"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentAudioDone",
                ],
            ),
            at(1, agent_item("done", "item_mock_response_1", "Hello from mock"), ["ignored R11"]),
            at(
                2,
                upstream(transcript),
                ["client AgentStartedSpeaking", "client ConversationText(assistant) \"By voice\""],
            ),
            at(3, upstream(transcript), ["ignored R11"]),
            at(4, agent_item("done", "item_1", "By voice"), ["ignored R11"]),
            at(5, bare_response_done(), ["client AgentAudioDone"]),
        ],
    );
}

/// R11: deltas stand in for a text event that has no text.
#[test]
fn r11_deltas_give_the_text_that_the_end_of_an_unannounced_one_lacks() {
    check(
        deepgram(),
        [
            at(0, upstream(r#"{"type":"response.output_text.delta","delta":"Hel"}"#), []),
            at(1, upstream(r#"{"type":"response.output_text.delta","delta":"lo"}"#), []),
            at(
                2,
                upstream(r#"{"type":"response.output_text.done"}"#),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"Hello\"",
                    "client AgentAudioDone",
                ],
            ),
        ],
    );
}

/// R11: "A *part* of type `function_call` inside an assistant message reads `Function call:
/// NAME(ARGUMENTS)`; an *item* of that type gives no text."
#[test]
fn r11_a_call_as_a_part_is_text_and_a_call_as_an_item_is_not() {
    let part = r#"{"type":"conversation.item.added","item":{"id":"item_1","type":"message","role":"assistant",
        "content":[{"type":"function_call","name":"get_current_time","arguments":"{}","call_id":"c"}]}}"#;
    let item = r#"{"type":"conversation.item.added","item":{"id":"item_2","type":"function_call",
        "role":"assistant","name":"get_current_time","arguments":"{}","call_id":"c"}}"#;
    check(
        deepgram(),
        [
            at(
                0,
                upstream(part),
                ["client ConversationText(assistant) \"Function call: get_current_time({})\""],
            ),
            at(1, upstream(item), []),
        ],
    );
}

/// Design section 3: "a longer text from upstream is logged and answered with a Warning".
#[test]
fn r11_a_text_too_long_for_a_client_is_a_warning() {
    let huge = "x".repeat(CLIENT_MESSAGE_LIMIT + 1);
    let run = check(
        deepgram(),
        [at(
            0,
            text_done(&huge),
            ["client AgentStartedSpeaking", "client Warning(MESSAGE_TOO_LARGE)", "client AgentAudioDone"],
        )],
    );
    assert!(run.client_messages().all(|message| message.encode().len() <= CLIENT_MESSAGE_LIMIT));
}

/// Design section 3: nothing else that grows with what upstream says exceeds the limit either.
#[test]
fn r11_no_message_of_any_kind_is_too_long_for_a_client() {
    let huge = "x".repeat(CLIENT_MESSAGE_LIMIT + 1);
    let call = json!({"type": "response.function_call_arguments.done", "call_id": "call_a", "name": "f",
        "arguments": huge});
    let transcript = json!({"type": "conversation.item.input_audio_transcription.completed",
        "item_id": "item_u", "transcript": huge});
    let error = json!({"type": "error", "error": {"code": "server_error", "message": huge}});
    let run = check(
        component(),
        [
            at(0, upstream(&call.to_string()), ["client Warning(MESSAGE_TOO_LARGE)", "up output call_a"]),
            at(1, upstream(&transcript.to_string()), ["client Warning(MESSAGE_TOO_LARGE)"]),
            at(2, upstream(&error.to_string()), ["client Warning(MESSAGE_TOO_LARGE)"]),
        ],
    );
    assert!(run.client_messages().all(|message| message.encode().len() <= CLIENT_MESSAGE_LIMIT));
}

/// Terms: "an event belongs to an announced response by its `response_id`": two responses do not mix.
#[test]
fn r10_events_belong_to_the_response_they_name() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(2, transcript_delta("resp_1", "item_1", "One"), []),
            at(
                3,
                done("resp_1", "cancelled"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"One\"",
                    "client AgentAudioDone",
                ],
            ),
            at(4, created("resp_2"), []),
            at(5, audio("resp_2", "item_2", 320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(6, agent_item("done", "item_1", "One"), ["ignored R11"]),
            at(7, done("resp_1", "cancelled"), []),
            at(8, done("resp_2", "completed"), ["client AgentAudioDone"]),
        ],
    );
}

/// R10 and R6: what a response gives after it was given up is framed anew.
#[test]
fn r10_output_of_a_response_that_was_given_up_is_framed_anew() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, audio("resp_1", "item_1", 320), ["client AgentStartedSpeaking", "client audio 320"]),
            due(20_001, ["ran out R6", "client AgentAudioDone", "client Warning(response_timeout)"]),
            at(30_000, audio("resp_1", "item_1", 320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(30_001, done("resp_1", "completed"), ["client AgentAudioDone"]),
        ],
    );
}

/// R11: how many texts wait for their items is bounded; the oldest is forgotten.
#[test]
fn r11_a_text_whose_item_never_came_is_forgotten_at_last() {
    let mut steps = Vec::new();
    for n in 0..9 {
        let signals =
            ["client AgentStartedSpeaking", "client ConversationText(assistant)", "client AgentAudioDone"];
        steps.push(at(n, text_done(&format!("text {n}")), signals));
    }
    steps.push(at(10, agent_item("done", "item_8", "text 8"), ["ignored R11"]));
    steps.push(at(
        11,
        agent_item("done", "item_0", "text 0"),
        ["client ConversationText(assistant) \"text 0\""],
    ));
    check_all(deepgram(), steps);
}

/// R10: audio that comes after both the text and the audio of an unannounced response is the next one's.
#[test]
fn r10_audio_after_the_end_of_audio_and_text_begins_another_response() {
    check(
        deepgram(),
        [
            at(0, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(1, text_done("Hello"), ["client ConversationText(assistant)"]),
            at(2, bare_audio_done(), ["client AgentAudioDone"]),
            at(3, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
        ],
    );
}

/// R10: an unannounced response has its signals before an announced one begins.
#[test]
fn r10_an_announced_response_ends_the_unannounced_one_before_it() {
    check(
        deepgram(),
        [
            at(0, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(1, created("resp_1"), ["client AgentAudioDone"]),
            at(2, audio("resp_1", "item_1", 320), ["client AgentStartedSpeaking", "client audio 320"]),
        ],
    );
}

/// Terms: how many responses are remembered is bounded; one of long ago is not known any more.
#[test]
fn r10_responses_of_long_ago_are_forgotten() {
    let mut steps = Vec::new();
    for n in 0..33 {
        steps.push(at(n, created(&format!("resp_{n}")), []));
        steps.push(at(n, done(&format!("resp_{n}"), "cancelled"), []));
    }
    steps.push(at(40, transcript_done("resp_1", "item_1", "kept as a draft"), []));
    steps.push(at(
        41,
        transcript_done("resp_0", "item_0", "of nobody"),
        ["client AgentStartedSpeaking", "client ConversationText(assistant) \"of nobody\""],
    ));
    check_all(deepgram(), steps);
}

/// R10: "before its first text or audio": an empty delta is no audio, and an empty text no text (R11).
#[test]
fn r10_nothing_is_no_output() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, audio("resp_1", "item_1", 0), []),
            at(2, transcript_done("resp_1", "item_1", ""), []),
            at(3, done("resp_1", "completed"), []),
            at(4, text_done(""), []),
        ],
    );
}

/// R10: "after its last text and audio": an unannounced response is over when an announced one speaks, though
/// that was there before.
#[test]
fn r10_an_announced_response_that_speaks_again_ends_the_unannounced_one() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, audio_delta(2_000), ["client AgentStartedSpeaking", "client audio 2000"]),
            at(
                2,
                audio("resp_1", "item_1", 4_000),
                ["client AgentAudioDone", "client AgentStartedSpeaking", "client audio 4000"],
            ),
        ],
    );
}

/// R11: "The same item id is never sent twice", without a response as well.
#[test]
fn r11_an_item_of_no_response_gives_its_text_once() {
    check(
        deepgram(),
        [
            at(0, agent_item("added", "item_1", "Hello"), ["client ConversationText(assistant) \"Hello\""]),
            at(1, agent_item("done", "item_1", "Hello"), ["ignored R11"]),
        ],
    );
}

/// R11: "what no item gave … is taken … from `response.output`": what an item gave is there again, in every
/// response, and nothing that anybody is told of.
#[test]
fn r11_what_an_item_gave_is_not_news_at_the_end() {
    let message = json!({"id": "item_1", "type": "message", "role": "assistant",
        "content": [{"type": "output_audio", "transcript": "Hello"}]});
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(
                2,
                agent_item("done", "item_1", "Hello"),
                ["client AgentStartedSpeaking", "client ConversationText(assistant) \"Hello\""],
            ),
            at(
                3,
                done_with("resp_1", json!({"status": "completed", "output": [message]})),
                ["client AgentAudioDone"],
            ),
        ],
    );
}

/// R11: deltas beyond a megabyte are no answer; what came before is.
#[test]
fn r11_deltas_without_end_are_kept_to_a_megabyte() {
    let mut steps = vec![at(0, created("resp_1"), [])];
    for n in 1..=11 {
        steps.push(at(n, transcript_delta("resp_1", "item_1", &"x".repeat(100_000)), []));
    }
    steps.push(at(
        12,
        done("resp_1", "completed"),
        ["client AgentStartedSpeaking", "client ConversationText(assistant) \"xxx", "client AgentAudioDone"],
    ));
    let run = check_all(deepgram(), steps);
    let told: usize = run
        .client_messages()
        .map(|message| match message {
            ServerMessage::ConversationText(text) => text.content.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(told, 1_000_000);
}
