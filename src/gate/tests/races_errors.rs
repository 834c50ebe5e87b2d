//! An error for an event that we sent, known by its `event_id`, at each step of a session. The client is told
//! once, nothing waits for what will not come, and the next turn has its one answer.

use super::{
    races::{assert_heard, says, story, typed, without_interrupt},
    scenario::{Step, at, deepgram, fresh},
    words::{
        answer, audio, call_done, confirmed, created, done, error_for, inject, message_added, microphone,
        session_updated, settings, speech_started, speech_stopped, transcript_done,
    },
};
use crate::gate::Input;

/// A whole turn from the inject to the answer: what every session must still be able to do.
fn goes_on(at_ms: u64) -> Vec<Step> {
    let mut steps = typed(at_ms, "Still there?", &["up response.create"]);
    steps.push(at(at_ms, created("resp_last"), []));
    steps.extend(says(at_ms, "resp_last", "Yes", &[]));
    steps
}

/// The update is refused: one `Error`, no `SettingsApplied`; the next Settings opens the session.
#[test]
fn the_update() {
    let run = story(
        fresh(),
        [
            vec![
                at(0, Input::ClientConnected, ["dial", "client Welcome"]),
                at(0, Input::UpstreamOpened, []),
                at(1, settings("{}"), ["up session.update"]),
                at(2, error_for("$update", "invalid_value"), ["client Error(invalid_value)"]),
                at(3, settings("{}"), ["up session.update"]),
                at(4, session_updated(), ["use audio", "client SettingsApplied"]),
            ],
            goes_on(10),
        ],
    );
    assert_heard(&run, &["Yes"], 1);
}

/// The item is refused: one `Error`, and no answer to a turn that upstream does not know. One of two turns
/// typed together is refused: the other is answered, once.
#[test]
fn the_item() {
    let run = story(
        deepgram(),
        [
            vec![
                at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
                at(1, error_for("$item_event", "invalid_value"), ["client Error(invalid_value)"]),
            ],
            goes_on(30_000),
        ],
    );
    assert_heard(&run, &["Yes"], 1);
    let run = story(
        deepgram(),
        [
            vec![
                at(0, inject("one"), ["client ConversationText(user)", "up item"]),
                at(1, confirmed(), ["up response.create"]),
                at(2, created("resp_1"), []),
                at(3, inject("two"), ["client ConversationText(user)", "up item"]),
                at(4, error_for("$item_event", "invalid_value"), ["client Error(invalid_value)"]),
            ],
            says(5, "resp_1", "To one", &[]),
            goes_on(30_000),
        ],
    );
    assert_heard(&run, &["To one", "Yes"], 2);
}

/// The request is refused: one `Error` in place of the answer, and what was typed meanwhile is answered.
#[test]
fn the_request() {
    let run = story(
        deepgram(),
        [
            typed(0, "one", &["up response.create"]),
            typed(1, "two", &["held R6"]),
            vec![
                at(
                    2,
                    error_for("$create", "rate_limit_exceeded"),
                    ["client Error(rate_limit_exceeded)", "up response.create"],
                ),
                at(3, created("resp_1"), []),
            ],
            says(4, "resp_1", "To both", &[]),
            goes_on(30_000),
        ],
    );
    assert_heard(&run, &["To both", "Yes"], 3);
}

/// Audio of the user is refused while a response runs: one `Error`, and the response goes on, its own failure
/// included.
#[test]
fn the_append() {
    let failed = serde_json::json!({"status": "failed",
        "status_details": {"error": {"code": "server_error", "message": "m"}}});
    let run = story(
        deepgram(),
        [
            typed(0, "Hi", &["up response.create"]),
            vec![
                at(1, created("resp_1"), []),
                at(2, microphone(960), ["up append 960"]),
                at(3, error_for("$append", "invalid_value"), ["client Error(invalid_value)"]),
            ],
            says(4, "resp_1", "Hello", &[]),
            typed(5, "Again", &["up response.create"]),
            vec![
                at(6, created("resp_2"), []),
                at(7, microphone(960), ["up append 960"]),
                at(8, error_for("$append", "invalid_value"), ["client Error(invalid_value)"]),
                at(9, super::words::done_with("resp_2", failed), ["client Error(server_error)"]),
            ],
            goes_on(30_000),
        ],
    );
    assert_heard(&run, &["Hello", "Yes"], 3);
}

/// The user speaks over the answer; these go up in that order.
fn interrupted() -> Vec<Step> {
    let mut steps = typed(0, "Hi", &["up response.create"]);
    steps.extend([
        at(1, created("resp_1"), []),
        at(2, message_added("resp_1", "item_1"), []),
        at(3, audio("resp_1", "item_1", 48_000), ["client AgentStartedSpeaking", "client audio 48000"]),
        at(
            103,
            speech_started(),
            [
                "client AgentAudioDone",
                "client UserStartedSpeaking",
                "up response.cancel resp_1",
                "up truncate item_1 at 100 ms",
            ],
        ),
    ]);
    steps
}

/// The answer to the speech, and the session goes on.
fn speech_answered() -> Vec<Step> {
    let mut steps = vec![at(300, speech_stopped(), []), at(310, created("resp_vad"), [])];
    steps.extend(says(400, "resp_vad", "Yes?", &[]));
    steps.extend(goes_on(30_000));
    steps
}

/// The truncation is refused: one `Error`; what was cut off stays so.
#[test]
fn the_truncation() {
    let run = story(
        without_interrupt(),
        [
            interrupted(),
            vec![
                at(104, error_for("$truncate", "invalid_value"), ["client Error(invalid_value)"]),
                at(105, transcript_done("resp_1", "item_1", "Once"), ["ignored R13"]),
                at(106, done("resp_1", "cancelled"), ["ignored R13"]),
            ],
            speech_answered(),
        ],
    );
    assert_heard(&run, &["Yes?", "Yes"], 2);
}

/// The cancel is refused: told unless it merely came too late; the response runs to its end unheard, and the
/// answer to the speech is heard.
#[test]
fn the_cancel() {
    for (code, told) in
        [("response_cancel_not_active", "ignored R15"), ("server_error", "client Error(server_error)")]
    {
        let run = story(
            without_interrupt(),
            [
                interrupted(),
                vec![
                    at(104, error_for("$cancel", code), [told]),
                    at(105, audio("resp_1", "item_1", 480), ["ignored R13"]),
                    at(106, transcript_done("resp_1", "item_1", "Once"), ["ignored R13"]),
                    at(107, done("resp_1", "completed"), ["ignored R13"]),
                ],
                speech_answered(),
            ],
        );
        assert_heard(&run, &["Yes?", "Yes"], 2);
    }
}

/// The output of a call is refused: one `Error`, and the response that was asked for with it is the one answer.
#[test]
fn the_function_output() {
    let run = story(
        deepgram(),
        [
            typed(0, "Time?", &["up response.create"]),
            vec![
                at(1, created("resp_1"), []),
                at(2, call_done("resp_1", 0, "call_a", "f", "completed"), []),
                at(3, done("resp_1", "completed"), ["client FunctionCallRequest call_a=f({})"]),
                at(
                    4,
                    answer("call_a", "noon"),
                    ["client AgentThinking", "up output call_a", "up response.create"],
                ),
                at(5, error_for("$output", "invalid_value"), ["client Error(invalid_value)"]),
                at(6, created("resp_2"), []),
            ],
            says(7, "resp_2", "I cannot tell", &[]),
            goes_on(30_000),
        ],
    );
    assert_heard(&run, &["I cannot tell", "Yes"], 3);
}
