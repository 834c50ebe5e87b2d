//! Races of the user's speech with the answer that it interrupts: announced too late, ended already, or still on
//! its way to the client. Each is told to its end, which says what the user hears.

use super::{
    races::{assert_heard, is_not_heard, says, story, typed, without_interrupt},
    scenario::{Action, at, deepgram},
    words::{
        audio, created, done, error_for, message_added, speech_started, speech_stopped, transcript_delta,
        transcript_done,
    },
};
use crate::gate::Leg;

/// The user speaks before upstream has announced the response that we asked for; our cancel goes out, and the
/// response is announced after it: cancelled, or whole because the cancel met nothing. Of that one the user
/// hears nothing, of the answer to the speech everything, once.
#[test]
fn a_response_created_after_its_cancel() {
    for (status, missed) in [("cancelled", false), ("completed", true)] {
        let lost = match missed {
            true => vec![at(25, error_for("$cancel", "response_cancel_not_active"), ["ignored R15"])],
            false => vec![],
        };
        let run = story(
            without_interrupt(),
            [
                typed(0, "Hi", &["up response.create"]),
                vec![at(20, speech_started(), ["client UserStartedSpeaking", "up response.cancel"])],
                lost,
                vec![at(30, created("resp_late"), [])],
                is_not_heard(40, "resp_late", "Never mind", status),
                vec![at(300, speech_stopped(), []), at(310, created("resp_vad"), [])],
                says(400, "resp_vad", "Hello", &[]),
            ],
        );
        assert_heard(&run, &["Hello"], 1);
        assert_eq!(run.gate.counts().lost_cancels, u64::from(missed));
    }
}

/// The user speaks over an answer whose last words are still on their way. The user hears the text up to
/// there once, and the answer to the speech.
#[test]
fn barge_in_while_the_end_of_the_answer_is_on_its_way() {
    let run = story(
        without_interrupt(),
        [
            typed(0, "Hi", &["up response.create"]),
            vec![
                at(1, created("resp_1"), []),
                at(2, message_added("resp_1", "item_of_resp_1"), []),
                at(3, transcript_delta("resp_1", "item_of_resp_1", "Once upon"), []),
                at(
                    100,
                    audio("resp_1", "item_of_resp_1", 48_000),
                    ["client AgentStartedSpeaking", "client audio 48000"],
                ),
                at(
                    400,
                    speech_started(),
                    [
                        "client ConversationText(assistant) \"Once upon\"",
                        "client AgentAudioDone",
                        "client UserStartedSpeaking",
                        "up response.cancel resp_1",
                        "up truncate item_of_resp_1 at 300 ms",
                    ],
                ),
            ],
            // The response had ended when our cancel came.
            vec![
                at(401, transcript_done("resp_1", "item_of_resp_1", "Once upon a time"), ["ignored R13"]),
                at(402, done("resp_1", "completed"), ["ignored R13"]),
                at(403, error_for("$cancel", "response_cancel_not_active"), ["ignored R15"]),
            ],
            vec![at(600, speech_stopped(), []), at(610, created("resp_2"), [])],
            says(700, "resp_2", "Yes?", &[]),
        ],
    );
    assert_heard(&run, &["Once upon", "Yes?"], 1);
}

/// The user speaks twice while the answer is still on its way to the client: it is truncated once, and what
/// the socket takes of it afterwards counts for nothing, since the client plays no more of it.
#[test]
fn barge_in_twice_while_the_answer_is_on_its_way() {
    for delivered in [true, false] {
        let mut first =
            at(100, audio("resp_1", "item_1", 9_600), ["client AgentStartedSpeaking", "client audio 9600"]);
        if !delivered {
            first = first.undelivered();
        }
        let heard = if delivered { "up truncate item_1 at 20 ms" } else { "up truncate item_1 at 0 ms" };
        let run = story(
            deepgram(),
            [
                vec![
                    at(1, created("resp_1"), []),
                    at(2, message_added("resp_1", "item_1"), []),
                    first,
                    at(110, audio("resp_1", "item_1", 9_600), ["client audio 9600"]).undelivered(),
                    at(120, speech_started(), ["client AgentAudioDone", "client UserStartedSpeaking", heard])
                        .undelivered(),
                    at(130, Action::Delivers(Leg::Client), []),
                    at(131, done("resp_1", "cancelled"), ["ignored R13"]),
                    at(140, speech_stopped(), []),
                    at(150, speech_started(), ["client UserStartedSpeaking"]),
                    at(200, speech_stopped(), []),
                    at(210, created("resp_2"), []),
                ],
                says(220, "resp_2", "Yes?", &[]),
            ],
        );
        assert_heard(&run, &["Yes?"], 0);
    }
}
