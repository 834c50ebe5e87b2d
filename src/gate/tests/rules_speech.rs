//! R12 and R13: the user's speech, and what it does to the agent's answer.

use serde_json::json;

use super::{
    scenario::{Action, at, check, component, deepgram, due, fresh},
    words::{
        agent_item, audio, audio_delta, audio_done, bare_response_done, call_done, confirmed, created, done,
        error, inject, message_added, settings, speech_started, speech_stopped, text_done, transcript_delta,
        transcript_done, upstream,
    },
};
use crate::gate::{Input, Leg, WINDOW};

/// R12: "**Every** `speech_started` gives `UserStartedSpeaking`, whether or not the agent speaks."
#[test]
fn r12_every_start_of_speech_is_told() {
    check(
        deepgram(),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1, speech_started(), ["client UserStartedSpeaking"]),
            at(2, speech_stopped(), []),
            at(3, speech_started(), ["client UserStartedSpeaking"]),
        ],
    );
}

fn heard(kind: &str, item: &str, text: &str) -> Action {
    let member = if kind == "delta" { "delta" } else { "transcript" };
    let event = json!({"type": format!("conversation.item.input_audio_transcription.{kind}"),
        "item_id": item, "content_index": 0, member: text});
    Action::Upstream(event.to_string())
}

/// R12: "Transcription deltas accumulate per item; transcripts may come late and out of order and are
/// matched by item id".
#[test]
fn r12_transcripts_accumulate_by_item_in_any_order() {
    check(
        component(),
        [
            at(0, heard("delta", "item_1", "Hel"), ["client Transcript(interim) \"Hel\""]),
            at(1, heard("delta", "item_2", "Good"), ["client Transcript(interim) \"Good\""]),
            at(2, heard("delta", "item_1", "lo "), ["client Transcript(interim) \"Hello \""]),
            at(3, heard("delta", "item_1", "world"), ["client Transcript(interim) \"Hello world\""]),
            at(4, heard("completed", "item_2", "Goodbye"), ["client Transcript(final) \"Goodbye\""]),
            at(5, heard("completed", "item_1", "Hello world"), ["client Transcript(final) \"Hello world\""]),
            // A delta that comes after the whole begins anew.
            at(6, heard("delta", "item_1", "x"), ["client Transcript(interim) \"x\""]),
            at(
                7,
                upstream(
                    r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"item_1"}"#,
                ),
                ["client Transcript(final) \"x\""],
            ),
        ],
    );
}

/// R12: "`start`, `duration`, `channel`, `channel_index` of the event are passed on."
#[test]
fn r12_where_in_the_audio_a_transcript_stands_is_passed_on() {
    let event = r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"item_1",
        "content_index":0,"transcript":"Hello world","start":1.5,"duration":2.25,"channel":1,
        "channel_index":[1]}"#;
    check(
        component(),
        [
            at(
                0,
                upstream(event),
                ["client Transcript(final) \"Hello world\" from 1.5 for 2.25 channel 1 of [1]"],
            ),
            at(
                1,
                heard("completed", "item_2", "Hi"),
                ["client Transcript(final) \"Hi\" from 0 for 0 channel 0 of [0]"],
            ),
        ],
    );
}

/// Design section 3, dialect: Deepgram's clients get the user's speech as `ConversationText`, and only that.
#[test]
fn r12_deepgrams_clients_get_whole_utterances_as_conversation_text() {
    check(
        deepgram(),
        [
            at(0, heard("delta", "item_1", "Hel"), ["ignored R12"]),
            at(1, heard("completed", "item_1", "Hello"), ["client ConversationText(user) \"Hello\""]),
            at(2, heard("completed", "item_2", " "), ["ignored R12"]),
            at(
                3,
                upstream(
                    r#"{"type":"conversation.item.input_audio_transcription.failed","item_id":"item_3"}"#,
                ),
                ["ignored R12"],
            ),
            at(4, speech_stopped(), []),
        ],
    );
}

/// R12: transcripts that upstream never completes do not silence later ones.
#[test]
fn r12_transcripts_that_never_end_do_not_silence_later_ones() {
    let mut steps = Vec::new();
    for n in 0..200 {
        steps.push(at(n, heard("delta", &format!("item_{n}"), "x"), ["client Transcript(interim) \"x\""]));
    }
    super::scenario::check_all(component(), steps);
}

/// R12: "`speech_stopped` gives, in the component dialect only, `UtteranceEnd` with `last_word_end =
/// audio_end_ms / 1000` (a `last_word_end` or `channel` in the event wins), followed by `AgentThinking` when
/// an answer is to come".
#[test]
fn r12_the_end_of_speech_is_an_utterance_end_and_a_sign_of_the_answer() {
    check(
        component(),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1, speech_stopped(), ["client UtteranceEnd 1.5 [0,1]", "client AgentThinking"]),
            at(
                2,
                upstream(
                    r#"{"type":"input_audio_buffer.speech_stopped","channel":[0],"last_word_end":2.5,"audio_end_ms":9}"#,
                ),
                ["client UtteranceEnd 2.5 [0]", "client AgentThinking"],
            ),
            at(
                3,
                upstream(r#"{"type":"input_audio_buffer.speech_stopped"}"#),
                ["client UtteranceEnd 0.0 [0,1]", "client AgentThinking"],
            ),
        ],
    );
    check(super::scenario::manual(), [at(0, speech_stopped(), ["client UtteranceEnd 1.5 [0,1]"])]);
}

/// 24 kHz PCM: 48 bytes are a millisecond.
const SECOND: usize = 48_000;

/// R13: "the client gets, in one go, that response's text so far and its end signals if still due, then
/// `UserStartedSpeaking`; then nothing more of that response, ever … Upstream: … then
/// `conversation.item.truncate` of the item being played, `content_index` 0, with the milliseconds that can
/// have been heard". Upstream cancels by itself here.
#[test]
fn r13_speech_cuts_the_answer_off() {
    check(
        component(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(2, transcript_delta("resp_1", "item_1", "Once upon"), []),
            at(
                1_000,
                audio("resp_1", "item_1", SECOND),
                ["client AgentStartedSpeaking", "client audio 48000"],
            ),
            at(
                1_300,
                speech_started(),
                [
                    "client ConversationText(assistant) \"Once upon\"",
                    "client AgentDone",
                    "client AgentAudioDone",
                    "client UserStartedSpeaking",
                    "up truncate item_1 at 300 ms",
                ],
            ),
            at(1_301, audio("resp_1", "item_1", SECOND), ["ignored R13"]),
            at(1_302, transcript_delta("resp_1", "item_1", " a time"), []),
            at(1_303, transcript_done("resp_1", "item_1", "Once upon a time"), ["ignored R13"]),
            at(1_304, audio_done("resp_1", "item_1"), []),
            at(1_305, agent_item("done", "item_1", "Once upon a time"), ["ignored R13"]),
            at(1_306, done("resp_1", "cancelled"), ["ignored R13"]),
            at(1_307, audio("resp_1", "item_1", SECOND), ["ignored R13"]),
        ],
    );
}

fn without_interrupt() -> super::scenario::Scenario {
    deepgram().backend(|backend| {
        let crate::config::TurnDetection::ServerVad { interrupt_response, .. } = &mut backend.turn_detection
        else {
            panic!("the default is server VAD")
        };
        *interrupt_response = false;
    })
}

/// R13: "`response.cancel` if it still runs and the session's effective `interrupt_response` … is not true".
#[test]
fn r13_a_running_response_is_cancelled_unless_upstream_does_that_itself() {
    check(
        without_interrupt(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(100, audio("resp_1", "item_1", SECOND), ["client AgentStartedSpeaking", "client audio 48000"]),
            at(
                200,
                speech_started(),
                [
                    "client AgentAudioDone",
                    "client UserStartedSpeaking",
                    "up response.cancel resp_1",
                    "up truncate item_1 at 100 ms",
                ],
            ),
            at(201, error("response_cancel_not_active"), ["ignored R15"]),
        ],
    );
}

/// R13: "(from `session.updated`, else as we sent it)".
#[test]
fn r13_a_response_is_cancelled_once() {
    check(
        deepgram().upto(upstream(
            r#"{"type":"session.updated","session":{"audio":{"input":{"turn_detection":{"type":"server_vad","interrupt_response":false}}}}}"#,
        )),
        [
            at(0, created("resp_1"), []),
            at(1, speech_started(), ["client UserStartedSpeaking", "up response.cancel resp_1"]),
            at(2, speech_started(), ["client UserStartedSpeaking"]),
            at(3, done("resp_1", "cancelled"), ["ignored R13"]),
        ],
    );
}

#[test]
fn r13_what_session_updated_says_of_interruption_counts() {
    let updated = r#"{"type":"session.updated","session":{"audio":{"input":{"turn_detection":
        {"type":"server_vad","interrupt_response":false}}}}}"#;
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings("{}"), ["up session.update"]),
            at(3, upstream(updated), ["use audio", "client SettingsApplied"]),
            at(4, created("resp_1"), []),
            at(5, speech_started(), ["client UserStartedSpeaking", "up response.cancel resp_1"]),
        ],
    );
}

/// R13: "A response that runs but has given no audio is cancelled under the same condition, never
/// truncated."
#[test]
fn r13_a_response_without_audio_is_cancelled_and_not_truncated() {
    check(
        without_interrupt(),
        [
            at(0, created("resp_1"), []),
            at(1, transcript_delta("resp_1", "item_1", "Once"), []),
            at(
                2,
                speech_started(),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"Once\"",
                    "client AgentAudioDone",
                    "client UserStartedSpeaking",
                    "up response.cancel resp_1",
                ],
            ),
        ],
    );
}

/// R13: a request that upstream has not even announced is cancelled too, and gives nothing any more.
#[test]
fn r13_a_request_that_was_cancelled_gives_nothing_any_more() {
    check(
        without_interrupt(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, speech_started(), ["client UserStartedSpeaking", "up response.cancel"]),
            at(3, created("resp_1"), []),
            at(4, audio("resp_1", "item_1", 320), ["ignored R13"]),
            at(5, done("resp_1", "cancelled"), ["ignored R13"]),
        ],
    );
}

/// R13: "Otherwise nothing goes up."
#[test]
fn r13_speech_after_everything_was_heard_sends_nothing_up() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(2, audio("resp_1", "item_1", SECOND), ["client AgentStartedSpeaking", "client audio 48000"]),
            at(3, done("resp_1", "completed"), ["client AgentAudioDone"]),
            at(1_002, speech_started(), ["client UserStartedSpeaking"]),
        ],
    );
}

/// R13: "while audio of a response may be unplayed": also after the response has ended. A call that was
/// handed out stays.
#[test]
fn r13_a_response_that_has_ended_is_cut_off_while_it_plays() {
    check(
        without_interrupt(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(2, audio("resp_1", "item_1", SECOND), ["client AgentStartedSpeaking", "client audio 48000"]),
            at(3, done("resp_1", "completed"), ["client AgentAudioDone"]),
            at(502, speech_started(), ["client UserStartedSpeaking", "up truncate item_1 at 500 ms"]),
            at(503, agent_item("done", "item_1", "Late"), ["ignored R13"]),
        ],
    );
}

/// R13: "audio not yet handed to the socket is dropped", and "never more than was delivered".
#[test]
fn r13_what_the_window_kept_back_is_dropped_and_what_was_not_delivered_was_not_heard() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(2, audio("resp_1", "item_1", WINDOW), ["client AgentStartedSpeaking", "client audio 262144"])
                .undelivered(),
            at(3, audio("resp_1", "item_1", SECOND), []).undelivered(),
            at(500, speech_started(), ["up truncate item_1 at 0 ms"]).undelivered(),
            // Text waits behind the audio that the leg has; the audio that it has not is gone.
            at(600, Action::Delivers(Leg::Client), ["client AgentAudioDone", "client UserStartedSpeaking"]),
        ],
    );
}

/// R13: time is counted from the first delivered audio, and stands still while the client has nothing to
/// play.
#[test]
fn r13_what_was_heard_stands_still_while_there_is_nothing_to_play() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(
                1_000,
                audio("resp_1", "item_1", SECOND),
                ["client AgentStartedSpeaking", "client audio 48000"],
            ),
            // A second of silence, since upstream had nothing.
            at(3_000, audio("resp_1", "item_1", SECOND), ["client audio 48000"]),
            at(
                3_250,
                speech_started(),
                ["client AgentAudioDone", "client UserStartedSpeaking", "up truncate item_1 at 1250 ms"],
            ),
        ],
    );
}

/// R13: the same however much was delivered behind it, and of what has been played to its end nothing is cut off.
#[test]
fn r13_the_item_that_plays_is_truncated_however_many_were_delivered_behind_it() {
    for (at_ms, truncated) in
        [(3_000, "up truncate item_1 at 2000 ms"), (5_500, "up truncate item_2 at 500 ms")]
    {
        check(
            deepgram(),
            [
                at(0, created("resp_1"), []),
                at(
                    1_000,
                    audio("resp_1", "item_1", 4 * SECOND),
                    ["client AgentStartedSpeaking", "client audio 192000"],
                ),
                at(1_001, audio("resp_1", "item_2", SECOND), ["client audio 48000"]),
                at(1_002, audio("resp_1", "item_3", SECOND), ["client audio 48000"]),
                at(1_003, audio("resp_1", "item_3", SECOND), ["client audio 48000"]),
                at(1_004, done("resp_1", "completed"), ["client AgentAudioDone"]),
                at(at_ms, speech_started(), ["client UserStartedSpeaking", truncated]),
            ],
        );
    }
}

/// R13: "of the item being played": what was delivered behind it has not been heard.
#[test]
fn r13_the_item_that_plays_is_truncated_though_a_later_one_was_delivered() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(
                1_000,
                audio("resp_1", "item_1", 4 * SECOND),
                ["client AgentStartedSpeaking", "client audio 192000"],
            ),
            at(1_001, done("resp_1", "completed"), ["client AgentAudioDone"]),
            at(1_100, inject("More"), ["client ConversationText(user)", "up item"]),
            at(1_101, confirmed(), ["up response.create"]),
            at(1_102, created("resp_2"), []),
            at(1_103, message_added("resp_2", "item_2"), []),
            at(
                1_200,
                audio("resp_2", "item_2", SECOND),
                ["client AgentStartedSpeaking", "client audio 48000"],
            ),
            at(
                2_000,
                speech_started(),
                ["client AgentAudioDone", "client UserStartedSpeaking", "up truncate item_1 at 1000 ms"],
            ),
            at(2_001, audio("resp_2", "item_2", SECOND), ["ignored R13"]),
            // Nothing plays any more.
            at(2_002, speech_stopped(), []),
            at(2_003, speech_started(), ["client UserStartedSpeaking"]),
        ],
    );
}

/// R13: an unannounced response is cut off as well, until it ends.
#[test]
fn r13_an_unannounced_response_is_cut_off() {
    check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, audio_delta(SECOND), ["client AgentStartedSpeaking", "client audio 48000"]),
            // Audio without an item cannot be truncated.
            at(3, speech_started(), ["client AgentAudioDone", "client UserStartedSpeaking"]),
            at(4, audio_delta(SECOND), ["ignored R13"]),
            at(5, text_done("Late"), ["ignored R13"]),
            at(6, bare_response_done(), []),
        ],
    );
}

/// R13: the answer to the speech itself is not mistaken for the one that was cut off.
#[test]
fn r13_the_next_answer_is_heard() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, audio("resp_1", "item_1", SECOND), ["client AgentStartedSpeaking", "client audio 48000"]),
            at(
                2,
                speech_started(),
                ["client AgentAudioDone", "client UserStartedSpeaking", "up truncate item_1 at 1 ms"],
            ),
            at(3, done("resp_1", "cancelled"), ["ignored R13"]),
            at(500, speech_stopped(), []),
            at(600, created("resp_2"), []),
            at(601, message_added("resp_2", "item_2"), []),
            at(602, audio("resp_2", "item_2", 320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(603, audio("resp_1", "item_1", 320), ["ignored R13"]),
            at(604, done("resp_2", "completed"), ["client AgentAudioDone"]),
        ],
    );
}

/// R13 and R8: a call of a response that the user spoke over runs if the response was completed.
#[test]
fn r13_calls_of_a_completed_response_are_handed_out_though_the_user_spoke() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, speech_started(), ["client UserStartedSpeaking"]),
            at(3, done("resp_1", "completed"), ["ignored R13", "client FunctionCallRequest"]),
        ],
    );
}

/// R13: the wait for the end of speech has an end, and the session goes on.
#[test]
fn r13_speech_that_never_stops_is_given_up() {
    check(deepgram(), [at(0, speech_started(), ["client UserStartedSpeaking"]), due(60_000, ["ran out R6"])]);
}

/// R6 and R12: speech that has stopped is waited for no longer.
#[test]
fn r12_speech_that_has_stopped_is_over() {
    check(
        deepgram(),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1_000, speech_stopped(), []),
            at(90_000, Input::Timeout, []),
        ],
    );
}

/// R12: how many utterances are remembered is bounded; the oldest makes room.
#[test]
fn r12_the_oldest_open_transcript_makes_room() {
    let mut steps = Vec::new();
    for n in 0..65 {
        steps.push(at(n, heard("delta", &format!("item_{n}"), "x"), ["client Transcript(interim) \"x\""]));
    }
    steps.push(at(100, heard("delta", "item_64", "y"), ["client Transcript(interim) \"xy\""]));
    steps.push(at(101, heard("delta", "item_0", "y"), ["client Transcript(interim) \"y\""]));
    super::scenario::check_all(component(), steps);
}

/// Design section 3: latencies of an answer to speech count from the end of the speech.
#[test]
fn r12_latencies_count_from_the_end_of_the_speech() {
    check(
        deepgram(),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1_000, speech_stopped(), []),
            at(1_100, created("resp_1"), []),
            at(
                1_500,
                audio("resp_1", "item_1", 320),
                ["client AgentStartedSpeaking total 0.5 text 0.5 speech 0", "client audio 320"],
            ),
        ],
    );
}

/// R12: "transcripts … are matched by item id", those that are only pieces too.
#[test]
fn r12_a_transcript_is_made_of_the_pieces_of_its_own_item() {
    let piece = |item: &str, delta: &str| {
        let event = json!({"type": "conversation.item.input_audio_transcription.delta", "item_id": item,
            "delta": delta});
        Action::Upstream(event.to_string())
    };
    let end = r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"item_2"}"#;
    check(
        component(),
        [
            at(0, piece("item_1", "one"), ["client Transcript(interim) \"one\""]),
            at(1, piece("item_2", "two"), ["client Transcript(interim) \"two\""]),
            at(2, upstream(end), ["client Transcript(final) \"two\""]),
        ],
    );
}

/// R12: an utterance of more than 64 KiB is told as far as that; one that fails is told no more.
#[test]
fn r12_a_transcript_has_a_bound_and_a_failed_one_no_end() {
    let piece = |bytes: usize| {
        let event = json!({"type": "conversation.item.input_audio_transcription.delta", "item_id": "item_1",
            "delta": "x".repeat(bytes)});
        Action::Upstream(event.to_string())
    };
    let failed = r#"{"type":"conversation.item.input_audio_transcription.failed","item_id":"item_1",
        "error":{"code":"audio_unintelligible"}}"#;
    check(
        component(),
        [
            at(0, piece(64 * 1024), ["client Transcript(interim)"]),
            at(1, piece(1), ["ignored R12"]),
            at(2, upstream(failed), ["ignored R12"]),
        ],
    );
}

/// R13: where upstream interrupts itself, a request that it has not begun to answer is still to be answered:
/// that answer is heard.
#[test]
fn r13_speech_before_the_answer_began_cuts_nothing_off() {
    check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, speech_started(), ["client UserStartedSpeaking"]),
            at(3, created("resp_1"), []),
            at(4, audio("resp_1", "item_1", 2_000), ["client AgentStartedSpeaking", "client audio 2000"]),
        ],
    );
}

/// R13: "then nothing more of that response, ever", and its late end of audio ends nothing.
#[test]
fn r13_the_late_end_of_audio_that_was_cut_off_is_nothing() {
    check(
        deepgram(),
        [
            at(0, audio_delta(2_000), ["client AgentStartedSpeaking", "client audio 2000"]),
            at(1, speech_started(), ["client AgentAudioDone", "client UserStartedSpeaking"]),
            at(2, upstream(r#"{"type":"response.output_audio.done"}"#), ["ignored R13"]),
        ],
    );
}

/// R13: "of the item being played … with the milliseconds that can have been heard": those of this item, not
/// of the one before it in the same response.
#[test]
fn r13_each_item_of_a_response_is_played_for_itself() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(2, message_added("resp_1", "item_2"), []),
            at(
                1_000,
                audio("resp_1", "item_1", SECOND),
                ["client AgentStartedSpeaking", "client audio 48000"],
            ),
            at(1_100, audio("resp_1", "item_2", SECOND), ["client audio 48000"]),
            at(
                2_500,
                speech_started(),
                ["client AgentAudioDone", "client UserStartedSpeaking", "up truncate item_2 at 500 ms"],
            ),
        ],
    );
}
