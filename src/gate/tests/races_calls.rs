//! Races of function calls: with the end of their response, with each other, and with the user's speech.
//! Each is told to its end, which says what the user hears.

use super::{
    races::{assert_heard, is_not_heard, requests_of, says, story, typed, without_interrupt},
    scenario::{Run, Step, at, at_lines, deepgram, due},
    words::{
        answer, audio, bare_audio_done, bare_call, bare_response_done, call_done, created, done,
        message_added, output_item, speech_started, speech_stopped, text_done, transcript_done,
    },
};

/// The user's question and a response that answers it by these calls, all of them whole.
fn calling(response: &str, calls: &[&str]) -> Vec<Step> {
    let mut steps = vec![at(1, created(response), [])];
    for (index, call) in calls.iter().enumerate() {
        steps.push(at(2, call_done(response, index as u32, call, "f", "completed"), []));
    }
    steps
}

/// The client's answer to a call, and what it brings besides.
fn answered(at_ms: u64, call: &str, then: &[&str]) -> Step {
    let up = format!("up output {call} \"ok\"");
    let mut expected = vec!["client AgentThinking", &*up];
    expected.extend(then);
    at_lines(at_ms, answer(call, "ok"), &expected)
}

fn handed_out(run: &Run) -> usize {
    run.client_messages().filter(|message| message.kind() == "FunctionCallRequest").count()
}

/// A server that announces nothing hands out a call at once, and the client answers before the response has
/// ended, in whichever way it then ends (the end of its audio is none). The user hears one answer.
#[test]
fn calls_answered_before_the_end_of_a_response_that_was_never_announced() {
    let done = || at(50, bare_response_done(), ["up response.create"]);
    let shown = || at(50, output_item("done", "call_a"), ["up response.create"]);
    let never = || due(20_010, ["ran out R8", "up response.create"]);
    for (end, answered_at) in [(done(), 60), (shown(), 60), (never(), 20_100)] {
        let run = story(
            deepgram(),
            [
                vec![
                    at(2, bare_call("call_a"), ["client FunctionCallRequest call_a=get_current_time({})"]),
                    answered(10, "call_a", &[]),
                ],
                vec![at(40, bare_audio_done(), []), end],
                vec![
                    at(
                        answered_at,
                        text_done("Noon"),
                        [
                            "client AgentStartedSpeaking",
                            "client ConversationText(assistant)",
                            "client AgentAudioDone",
                        ],
                    ),
                    at(answered_at + 1, bare_response_done(), []),
                ],
            ],
        );
        assert_heard(&run, &["Noon"], 1);
        assert_eq!(handed_out(&run), 1);
    }
}

/// The user speaks over an announced response whose call is complete already, and upstream or we cancel it.
/// Nothing is handed out; the user hears the answer to the speech alone.
#[test]
fn an_announced_response_cancelled_after_its_call_was_complete() {
    for we_cancel in [true, false] {
        let (scenario, up) = match we_cancel {
            true => (without_interrupt(), vec!["client UserStartedSpeaking", "up response.cancel resp_1"]),
            false => (deepgram(), vec!["client UserStartedSpeaking"]),
        };
        let run = story(
            scenario,
            [
                typed(0, "What time is it?", &["up response.create"]),
                calling("resp_1", &["call_a"]),
                vec![
                    at_lines(10, speech_started(), &up),
                    at(20, done("resp_1", "cancelled"), ["ignored R13"]),
                    at(300, speech_stopped(), []),
                    at(310, created("resp_2"), []),
                ],
                says(400, "resp_2", "Hello", &[]),
            ],
        );
        assert_heard(&run, &["Hello"], 1);
        assert_eq!(handed_out(&run), 0);
    }
}

/// Three calls of one response, answered in each of the six orders. We ask once, after the last answer, and
/// the user hears one answer.
#[test]
fn parallel_calls_answered_in_any_order() {
    let calls = ["call_a", "call_b", "call_c"];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let answers = order.iter().enumerate().map(|(nth, call)| {
            let then: &[&str] = if nth == 2 { &["up response.create"] } else { &[] };
            answered(10 + nth as u64, calls[*call], then)
        });
        let run = story(
            deepgram(),
            [
                typed(0, "Everything, please", &["up response.create"]),
                calling("resp_1", &calls),
                vec![at(
                    3,
                    done("resp_1", "completed"),
                    ["client FunctionCallRequest call_a=f({}) call_b=f({}) call_c=f({})"],
                )],
                answers.collect(),
                vec![at(20, created("resp_2"), [])],
                says(30, "resp_2", "All three", &[]),
            ],
        );
        assert_heard(&run, &["All three"], 2);
        assert_eq!(handed_out(&run), 1);
    }
}

/// One of three calls is never answered. After its time it is answered for the client; the user hears one
/// answer, and the client's own, too late, changes nothing.
#[test]
fn parallel_calls_one_of_which_is_never_answered() {
    let calls = ["call_a", "call_b", "call_c"];
    for missing in calls {
        let cancelled = format!("client FunctionCallCancelled {missing}=f");
        let output = format!("up output {missing} ");
        let answers = calls.iter().filter(|call| **call != missing).map(|call| answered(10, call, &[]));
        let run = story(
            deepgram(),
            [
                typed(0, "Everything, please", &["up response.create"]),
                calling("resp_1", &calls),
                vec![at(3, done("resp_1", "completed"), ["client FunctionCallRequest call_a=f({})"])],
                answers.collect(),
                vec![
                    at_lines(
                        60_003,
                        super::scenario::Action::Due,
                        &[
                            "ran out R8",
                            &cancelled,
                            &format!("{output}\"{{\\\"error\\\":\\\"no answer in time\\\"}}\""),
                            "up response.create",
                        ],
                    ),
                    at(60_004, created("resp_2"), []),
                    at(
                        60_005,
                        answer(missing, "late"),
                        ["ignored R9", "client Warning(UNKNOWN_FUNCTION_CALL)"],
                    ),
                ],
                says(60_100, "resp_2", "Two of three", &[]),
            ],
        );
        assert_heard(&run, &["Two of three"], 2);
    }
}

/// The agent says that it will look, and calls, in one response. The user hears that sentence once and the
/// answer once, each with its signals.
#[test]
fn speech_plus_a_call_in_one_response() {
    let run = story(
        deepgram(),
        [
            typed(0, "What time is it?", &["up response.create"]),
            vec![
                at(1, created("resp_1"), []),
                at(2, message_added("resp_1", "item_1"), []),
                at(3, audio("resp_1", "item_1", 480), ["client AgentStartedSpeaking", "client audio 480"]),
                at(4, transcript_done("resp_1", "item_1", "Let me see."), []),
                at(5, call_done("resp_1", 1, "call_a", "f", "completed"), []),
                at(
                    6,
                    done("resp_1", "completed"),
                    [
                        "client ConversationText(assistant) \"Let me see.\"",
                        "client AgentAudioDone",
                        "client FunctionCallRequest call_a=f({})",
                    ],
                ),
                answered(10, "call_a", &["up response.create"]),
                at(11, created("resp_2"), []),
            ],
            says(20, "resp_2", "Noon", &[]),
        ],
    );
    assert_heard(&run, &["Let me see.", "Noon"], 2);
}

/// The answer to a call makes the model call again. The user hears one answer, after the last call, with one
/// set of signals.
#[test]
fn chained_calls() {
    let link = |response: &str, call: &str, at_ms: u64| {
        let handed = format!("client FunctionCallRequest {call}=f({{}})");
        vec![
            at(at_ms, created(response), []),
            at(at_ms, call_done(response, 0, call, "f", "completed"), []),
            at_lines(at_ms, done(response, "completed"), &[&handed]),
            answered(at_ms, call, &["up response.create"]),
        ]
    };
    let run = story(
        deepgram(),
        [
            typed(0, "Where am I?", &["up response.create"]),
            link("resp_1", "call_a", 10),
            link("resp_2", "call_b", 20),
            link("resp_3", "call_c", 30),
            vec![at(40, created("resp_4"), [])],
            says(50, "resp_4", "At sea", &[]),
        ],
    );
    assert_heard(&run, &["At sea"], 4);
    assert_eq!(handed_out(&run), 3);
}

/// The user speaks while the agent's remark plays and its call runs. The remark is cut off, the call is not;
/// its answer, given during the speech, is in upstream's own answer if upstream has shown it before. The user
/// hears one answer then, and two, to two questions, if upstream's own could not know of it.
#[test]
fn call_and_barge_in() {
    for shown in [true, false] {
        let (shows, after): (Vec<Step>, _) = match shown {
            true => (vec![at(250, output_item("added", "call_a"), [])], None),
            false => (vec![], Some("up response.create")),
        };
        let mut parts = vec![
            at(1, created("resp_1"), []),
            at(2, message_added("resp_1", "item_1"), []),
            at(3, audio("resp_1", "item_1", 48_000), ["client AgentStartedSpeaking", "client audio 48000"]),
            at(4, transcript_done("resp_1", "item_1", "Let me see."), []),
            at(5, call_done("resp_1", 1, "call_a", "f", "completed"), []),
            at(
                6,
                done("resp_1", "completed"),
                [
                    "client ConversationText(assistant) \"Let me see.\"",
                    "client AgentAudioDone",
                    "client FunctionCallRequest call_a=f({})",
                ],
            ),
            at(203, speech_started(), ["client UserStartedSpeaking", "up truncate item_1 at 200 ms"]),
            at(210, answer("call_a", "ok"), ["held R6", "client AgentThinking", "up output call_a \"ok\""]),
        ];
        parts.extend(shows);
        parts.extend([at(300, speech_stopped(), []), at(310, created("resp_vad"), [])]);
        parts.extend(says(400, "resp_vad", "Noon, and hello", &after.into_iter().collect::<Vec<_>>()));
        if !shown {
            parts.push(at(500, created("resp_3"), []));
            parts.extend(says(510, "resp_3", "It is noon", &[]));
        }
        let run = story(deepgram(), [typed(0, "Time?", &["up response.create"]), parts]);
        match shown {
            true => assert_heard(&run, &["Let me see.", "Noon, and hello"], 1),
            false => assert_heard(&run, &["Let me see.", "Noon, and hello", "It is noon"], 2),
        }
    }
}

/// The call's answer has been asked about when the user speaks over that very follow-up. The follow-up is cut
/// off, and upstream's answer to the speech, which knows of the call, is the one that the user hears.
#[test]
fn barge_in_on_the_follow_up_of_a_call() {
    let run = story(
        without_interrupt(),
        [
            typed(0, "Time?", &["up response.create"]),
            calling("resp_1", &["call_a"]),
            vec![
                at(3, done("resp_1", "completed"), ["client FunctionCallRequest call_a=f({})"]),
                answered(10, "call_a", &["up response.create"]),
                at(11, created("resp_2"), []),
                at(
                    20,
                    speech_started(),
                    ["client AgentAudioDone", "client UserStartedSpeaking", "up response.cancel resp_2"],
                ),
            ],
            is_not_heard(30, "resp_2", "It is", "cancelled"),
            vec![at(300, speech_stopped(), []), at(310, created("resp_vad"), [])],
            says(400, "resp_vad", "Noon", &[]),
        ],
    );
    assert_eq!(requests_of(&run), 2);
}
