//! R8 and R9: function calls, from the model to the client and back.

use std::time::Duration;

use serde_json::json;

use super::{
    scenario::{at, check, component, deepgram, due, fresh},
    words::{
        agent_item, answer, audio, bare_audio_done, bare_call, bare_response_done, call_added, call_done,
        client, client_closes, confirmed, created, done, done_with, inject, message_added, microphone,
        output_item, session_updated, settings, speech_started, text_done, upstream,
    },
};
use crate::gate::Input;

/// R8: "An announced response hands its calls out when it ends, in **one** `FunctionCallRequest` in output
/// order, if it ended `completed` … and the call's item is `completed`".
#[test]
fn r08_an_announced_response_hands_its_calls_out_together_when_it_ends() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, call_added("resp_1", 0, "call_a", "first"), []),
            at(2, call_added("resp_1", 1, "call_b", "second"), []),
            at(3, call_done("resp_1", 1, "call_b", "second", "completed"), []),
            at(4, call_done("resp_1", 0, "call_a", "first", "completed"), []),
            at(
                5,
                done("resp_1", "completed"),
                ["client FunctionCallRequest call_a=first({}) call_b=second({})"],
            ),
            at(6, answer("call_b", "2"), ["client AgentThinking \"\"", "up output call_b \"2\""]),
            at(
                7,
                answer("call_a", "1"),
                ["client AgentThinking", "up output call_a \"1\"", "up response.create"],
            ),
        ],
    );
}

/// R8: "each once by `call_id`, whichever of the three events shows it first": the arguments, the item, or
/// the response's output.
#[test]
fn r08_each_of_three_events_shows_a_call_and_together_they_show_it_once() {
    let arguments = r#"{"type":"response.function_call_arguments.done","response_id":"resp_1","item_id":"item_a",
        "output_index":0,"call_id":"call_a","name":"f","arguments":"{}"}"#;
    let item = json!({"id": "item_a", "type": "function_call", "status": "completed", "call_id": "call_a",
        "name": "f", "arguments": "{}"});
    let item_done = json!({"type": "response.output_item.done", "response_id": "resp_1", "output_index": 0,
        "item": item});
    for shown in 1..8_u8 {
        let mut steps = vec![at(0, created("resp_1"), [])];
        if shown & 1 != 0 {
            steps.push(at(1, upstream(arguments), []));
        }
        if shown & 2 != 0 {
            steps.push(at(2, upstream(&item_done.to_string()), []));
        }
        let output = if shown & 4 != 0 { json!([item]) } else { json!([]) };
        let end = done_with("resp_1", json!({"status": "completed", "output": output}));
        steps.push(at(3, end, ["client FunctionCallRequest call_a=f({})"]));
        let again = done_with("resp_1", json!({"status": "completed", "output": [item]}));
        steps.push(at(4, again, ["ignored R8"]));
        super::scenario::check_all(deepgram(), steps);
    }
}

/// R8: "whichever of the three events shows it first": one event may name the call and the next one its item
/// alone, or there may be no item at all; what they tell is one call.
#[test]
fn r08_a_call_is_put_together_whether_its_events_name_the_call_or_its_item() {
    for (item_id, named_by) in [
        (json!(null), json!({"call_id": "call_a"})),
        (json!("item_a"), json!({"item_id": "item_a"})),
        (json!("item_a"), json!({"call_id": "call_a"})),
    ] {
        let added = json!({"type": "response.output_item.added", "response_id": "resp_1", "output_index": 0,
            "item": {"id": item_id, "type": "function_call", "call_id": "call_a", "name": "f"}});
        let mut arguments = json!({"type": "response.function_call_arguments.done", "response_id": "resp_1",
            "arguments": "{\"a\":1}"});
        arguments
            .as_object_mut()
            .expect("an object")
            .extend(named_by.as_object().expect("an object").clone());
        check(
            deepgram(),
            [
                at(0, created("resp_1"), []),
                at(1, upstream(&added.to_string()), []),
                at(2, upstream(&arguments.to_string()), []),
                at(3, done("resp_1", "completed"), [r#"client FunctionCallRequest call_a=f({"a":1})"#]),
            ],
        );
    }
}

/// R8: "if it ended `completed` or `incomplete` … and the call's item is `completed`; a cancelled or failed
/// one hands out none".
#[test]
fn r08_only_whole_calls_of_a_response_that_was_not_stopped_are_handed_out() {
    for (status, item, handed) in [
        ("completed", "completed", true),
        ("completed", "incomplete", false),
        ("incomplete", "completed", true),
        ("incomplete", "incomplete", false),
        ("cancelled", "completed", false),
        ("failed", "completed", false),
    ] {
        let mut expected = if handed { vec!["client FunctionCallRequest call_a=f({})"] } else { vec![] };
        if matches!(status, "incomplete" | "failed") {
            expected.push("client Error(unknown)");
        }
        let steps = vec![
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", item), []),
            super::scenario::at_lines(2, done("resp_1", status), &expected),
        ];
        super::scenario::check_all(deepgram(), steps);
    }
}

/// R8: "(or was given up by R6)".
#[test]
fn r08_a_response_that_was_given_up_hands_out_its_whole_calls() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, call_added("resp_1", 1, "call_b", "g"), []),
            due(
                20_002,
                ["ran out R6", "client FunctionCallRequest call_a=f({})", "client Warning(response_timeout)"],
            ),
            at(20_010, done("resp_1", "completed"), []),
        ],
    );
}

/// R8: "An unannounced one hands out each call **at once**."
#[test]
fn r08_an_unannounced_response_hands_out_each_call_at_once() {
    check(
        deepgram(),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest call_a=get_current_time({})"]),
            at(1, bare_call("call_b"), ["client FunctionCallRequest call_b=get_current_time({})"]),
            at(2, bare_call("call_a"), ["ignored R8"]),
        ],
    );
}

/// R8: "Each answer goes up as it comes … When every call of a response is answered and the response has
/// ended, that is one wish."
#[test]
fn r08_all_answers_of_a_response_are_one_wish() {
    check(
        deepgram(),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, bare_call("call_b"), ["client FunctionCallRequest"]),
            at(2, answer("call_a", "1"), ["client AgentThinking", "up output call_a \"1\""]),
            at(3, bare_response_done(), []),
            at(
                4,
                answer("call_b", "2"),
                ["client AgentThinking", "up output call_b \"2\"", "up response.create"],
            ),
        ],
    );
}

/// R8: "For an unannounced response the first `response.done`, `response.output_text.done` or
/// `conversation.item.done` of one of its outputs (by `call_id`) after the call counts as the end".
#[test]
fn r08_three_events_end_an_unannounced_response_that_made_calls() {
    let ends = [
        (bare_response_done(), vec!["up response.create"]),
        (
            text_done("Hello from mock"),
            vec![
                "client AgentStartedSpeaking",
                "client ConversationText(assistant)",
                "client AgentAudioDone",
                "up response.create",
            ],
        ),
        (output_item("done", "call_a"), vec!["up response.create"]),
    ];
    for (end, expected) in ends {
        let mut steps = vec![
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, answer("call_a", "1"), ["client AgentThinking", "up output"]),
            at(2, output_item("added", "call_a"), []),
            at(3, output_item("done", "call_of_another"), []),
            at(4, bare_audio_done(), []),
        ];
        steps.push(super::scenario::at_lines(5, end, &expected));
        // One wish, whatever else comes.
        steps.push(at(6, output_item("done", "call_a"), []));
        super::scenario::check_all(deepgram(), steps);
    }
}

/// R8: "with no end, T after the last answer".
#[test]
fn r08_with_no_end_in_sight_the_answers_are_enough_after_t() {
    check(
        deepgram(),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, bare_call("call_b"), ["client FunctionCallRequest"]),
            at(2, answer("call_a", "1"), ["client AgentThinking", "up output"]),
            at(5_000, answer("call_b", "2"), ["client AgentThinking", "up output"]),
            // The response that made the calls is forgotten after T, which is no trouble of the user's.
            due(20_001, []),
            due(25_000, ["ran out R8", "up response.create"]),
        ],
    );
}

/// R8: "T after the last answer": an earlier one begins no wait.
#[test]
fn r08_the_wait_for_an_end_begins_with_the_last_answer() {
    check(
        deepgram(),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, bare_call("call_b"), ["client FunctionCallRequest"]),
            at(2, answer("call_a", "1"), ["client AgentThinking", "up output"]),
            at(30_000, answer("call_b", "2"), ["client AgentThinking", "up output"]),
            due(50_000, ["ran out R8", "up response.create"]),
        ],
    );
}

/// R8: "When every call of a response is answered and the response has ended": one that R6 gave up has, and
/// its calls, answered before, wait for no other end.
#[test]
fn r08_a_response_that_we_asked_for_and_gave_up_has_ended_for_its_calls_too() {
    check(
        deepgram(),
        [
            at(0, inject("Time?"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(10_000, answer("call_a", "noon"), ["client AgentThinking", "up output"]),
            due(20_002, ["ran out R6", "client Warning(response_timeout)", "up response.create"]),
        ],
    );
}

/// R8: answers that were enough are not, once the same response makes another call.
#[test]
fn r08_another_call_of_the_same_response_is_waited_for() {
    check(
        deepgram(),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, answer("call_a", "1"), ["client AgentThinking", "up output"]),
            at(2, bare_call("call_b"), ["client FunctionCallRequest"]),
            at(30_000, answer("call_b", "2"), ["client AgentThinking", "up output"]),
            due(50_000, ["ran out R8", "up response.create"]),
        ],
    );
}

/// R8: "A call the client has not answered after `functions.client_timeout_ms` … gets `{"error":"no answer
/// in time"}` upstream and `FunctionCallCancelled` to the client." R9: "A late … answer is logged".
#[test]
fn r08_a_call_without_an_answer_is_answered_for_the_client_and_cancelled() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, call_done("resp_1", 1, "call_b", "g", "completed"), []),
            at(3, done("resp_1", "completed"), ["client FunctionCallRequest call_a=f({}) call_b=g({})"]),
            at(4, answer("call_b", "2"), ["client AgentThinking", "up output call_b"]),
            due(
                60_003,
                [
                    "ran out R8",
                    "client FunctionCallCancelled call_a=f",
                    r#"up output call_a "{\"error\":\"no answer in time\"}""#,
                    "up response.create",
                ],
            ),
            at(60_004, answer("call_a", "late"), ["ignored R9", "client Warning(UNKNOWN_FUNCTION_CALL)"]),
        ],
    );
}

/// R8: "Open calls hold back no other wish, no audio, no barge-in; barge-in cancels no call that was handed
/// out."
#[test]
fn r08_open_calls_hold_nothing_back_and_survive_barge_in() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, done("resp_1", "completed"), ["client FunctionCallRequest"]),
            at(3, microphone(320), ["up append 320"]),
            at(4, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(5, confirmed(), ["up response.create"]),
            at(6, created("resp_2"), []),
            at(7, message_added("resp_2", "item_2"), []),
            at(8, audio("resp_2", "item_2", 4_800), ["client AgentStartedSpeaking", "client audio 4800"]),
            at(
                50,
                speech_started(),
                ["client AgentAudioDone", "client UserStartedSpeaking", "up truncate item_2 at 42 ms"],
            ),
            at(51, answer("call_a", "1"), ["held R6", "client AgentThinking", "up output call_a"]),
        ],
    );
}

/// R9: "After each accepted answer the client gets `AgentThinking` (empty content). A late, second or
/// unknown answer is logged and answered with a Warning `UNKNOWN_FUNCTION_CALL`; nothing goes upstream."
#[test]
fn r09_only_the_first_answer_to_an_open_call_counts() {
    check(
        deepgram(),
        [
            at(0, answer("call_a", "early"), ["ignored R9", "client Warning(UNKNOWN_FUNCTION_CALL)"]),
            at(1, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(2, answer("call_a", "1"), ["client AgentThinking \"\"", "up output call_a \"1\""]),
            at(3, answer("call_a", "2"), ["ignored R9", "client Warning(UNKNOWN_FUNCTION_CALL)"]),
            at(4, answer("call_z", "3"), ["ignored R9", "client Warning(UNKNOWN_FUNCTION_CALL)"]),
        ],
    );
}

/// R8, design section 5: "`content`, else `error`, else `result`; objects as compact JSON in the client's
/// key order".
#[test]
fn r08_an_answer_is_content_or_error_or_result() {
    let answers = [
        (r#""content":"text","result":{"a":1}"#, "text"),
        (r#""content":"","result":{"time":"noon","a":[1, 2]}"#, r#"{"time":"noon","a":[1,2]}"#),
        (r#""error":"broken","result":"x""#, r#"{"error":"broken"}"#),
        (r#""result":"plain""#, "plain"),
        (r#""content":null"#, ""),
    ];
    for (members, output) in answers {
        let json = format!(r#"{{"type":"FunctionCallResponse","id":"call_a",{members}}}"#);
        let expected = format!("up output call_a {output:?}");
        let steps = vec![
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, client(&json), ["client AgentThinking", &expected]),
        ];
        super::scenario::check_all(deepgram(), steps);
    }
}

/// R10: "(component dialect: or function call)".
#[test]
fn r10_the_component_is_told_of_speech_before_a_call() {
    check(
        component(),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, done("resp_1", "completed"), ["client AgentStartedSpeaking", "client FunctionCallRequest"]),
        ],
    );
}

/// R10: "A response that only called functions gives none: its follow-up does".
#[test]
fn r10_end_signals_of_a_response_that_only_called_come_with_its_follow_up() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, done("resp_1", "completed"), ["client FunctionCallRequest"]),
            at(3, answer("call_a", "1"), ["client AgentThinking", "up output", "up response.create"]),
            at(4, created("resp_2"), []),
            at(5, message_added("resp_2", "item_2"), []),
            at(
                6,
                agent_item("done", "item_2", "So"),
                ["client AgentStartedSpeaking", "client ConversationText(assistant)"],
            ),
            at(7, done("resp_2", "completed"), ["client AgentAudioDone"]),
        ],
    );
}

/// R10: "or, if that fails or never comes, they are sent then".
#[test]
fn r10_end_signals_are_sent_when_the_follow_up_fails_or_never_comes() {
    let begin = || {
        vec![
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, done("resp_1", "completed"), ["client FunctionCallRequest"]),
            at(3, answer("call_a", "1"), ["client AgentThinking", "up output", "up response.create"]),
        ]
    };
    let mut fails = begin();
    fails.push(at(4, created("resp_2"), []));
    fails.push(at(5, done("resp_2", "failed"), ["client AgentAudioDone", "client Error(unknown)"]));
    fails.push(at(6, created("resp_3"), []));
    fails.push(at(7, done("resp_3", "completed"), []));
    super::scenario::check_all(deepgram(), fails);
    let mut silent = begin();
    silent.push(due(20_003, ["ran out R6", "client AgentAudioDone", "client Warning(response_timeout)"]));
    super::scenario::check_all(deepgram(), silent);
    let mut interrupted = begin();
    interrupted.push(at(4, created("resp_2"), []));
    interrupted.push(at(5, speech_started(), ["client AgentAudioDone", "client UserStartedSpeaking"]));
    interrupted.push(at(6, done("resp_2", "cancelled"), ["ignored R13"]));
    super::scenario::check_all(deepgram(), interrupted);
}

/// R10: a second `response.done` of a response that called owes nothing again.
#[test]
fn r10_a_repeated_end_owes_nothing_again() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, done("resp_1", "completed"), ["client FunctionCallRequest"]),
            at(3, answer("call_a", "1"), ["client AgentThinking", "up output", "up response.create"]),
            at(4, created("resp_2"), []),
            at(5, audio("resp_2", "item_2", 320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(6, done("resp_2", "completed"), ["client AgentAudioDone"]),
            at(7, done("resp_1", "completed"), []),
            at(8, created("resp_3"), []),
            at(9, done("resp_3", "completed"), []),
        ],
    );
}

/// R8: "in output order", whichever was shown first.
#[test]
fn r08_the_order_of_the_calls_is_that_of_the_output() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 1, "call_b", "second", "completed"), []),
            at(2, call_done("resp_1", 0, "call_a", "first", "completed"), []),
            at(
                3,
                done("resp_1", "completed"),
                ["client FunctionCallRequest call_a=first({}) call_b=second({})"],
            ),
        ],
    );
}

/// R8: "`conversation.item.done` of one of its outputs" is an end, `conversation.item.added` is none.
#[test]
fn r08_an_output_that_was_only_added_ends_nothing() {
    check(
        deepgram(),
        [
            at(0, bare_call("call_1"), ["client FunctionCallRequest"]),
            at(1, answer("call_1", "noon"), ["client AgentThinking", "up output call_1"]),
            at(2, output_item("added", "call_1"), []),
            at(3, output_item("done", "call_1"), ["up response.create"]),
        ],
    );
}

/// R8: "For an unannounced response the first … `response.output_text.done` … counts as the end": one of an
/// announced response says nothing of it.
#[test]
fn r08_the_text_of_an_announced_response_ends_no_other() {
    let text =
        r#"{"type":"response.output_text.done","response_id":"resp_1","item_id":"item_1","text":"Hm."}"#;
    check(
        deepgram(),
        [
            at(0, bare_call("call_1"), ["client FunctionCallRequest"]),
            at(1, created("resp_1"), []),
            at(2, answer("call_1", "noon"), ["client AgentThinking", "up output call_1"]),
            at(3, upstream(text), []),
            at(
                4,
                done("resp_1", "completed"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentAudioDone",
                ],
            ),
            due(20_002, ["ran out R8", "up response.create"]),
        ],
    );
}

/// R8: "a cancelled or failed one hands out none", and neither does one that was never announced.
#[test]
fn r08_a_cancelled_response_that_was_never_announced_hands_out_nothing() {
    let call = json!({"id": "item_a", "type": "function_call", "status": "completed", "call_id": "call_a",
        "name": "f", "arguments": "{}"});
    check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, done_with("resp_1", json!({"status": "cancelled", "output": [call]})), []),
        ],
    );
}

/// R8: "whichever of the three events shows it first": where only the end of a response that was never announced
/// does, its whole calls are handed out then, and their answers make a wish.
#[test]
fn r08_the_end_of_a_response_that_was_never_announced_shows_its_calls() {
    let call = |id: &str, status: &str| json!({"type": "function_call", "status": status, "call_id": id, "name": "f", "arguments": "{}"});
    let output = [call("call_a", "completed"), call("call_b", "incomplete")];
    check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(
                2,
                done_with("resp_1", json!({"status": "completed", "output": output})),
                ["client FunctionCallRequest call_a=f({})"],
            ),
            at(3, answer("call_a", "1"), ["client AgentThinking", "up output", "up response.create"]),
        ],
    );
}

/// R2, R8: nothing goes up before the session is open, not even the answer for a client that gave none.
#[test]
fn r08_a_call_that_came_before_the_session_waits_for_it() {
    let mut run = check(
        fresh()
            .upto(Input::ClientConnected)
            .upto(Input::UpstreamOpened)
            .limits(|limits| limits.call_timeout = Duration::from_secs(10)),
        [at(0, bare_call("call_1"), ["client FunctionCallRequest"]), at(10_001, Input::Timeout, [])],
    );
    run.happen(10_002, session_updated());
    run.pass(10_003);
    assert_eq!(run.upstream_events().count(), 1, "the answer goes up then");
}

/// R8: a client that has gone is handed no call, though what it said still waits to go up.
#[test]
fn r08_a_client_that_has_gone_is_handed_no_call() {
    check(
        fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened),
        [
            at(0, settings("{}"), ["up session.update"]),
            at(1, inject("Hi"), ["held R2"]),
            at(2, client_closes(1000), ["held R2"]),
            at(3, bare_call("call_1"), ["ignored R8"]),
        ],
    );
}

/// R8: "An unannounced one hands out each call **at once**", where its item alone shows it as well; a server
/// that never says an item's status says with its end that the call is whole.
#[test]
fn r08_a_whole_item_is_handed_out_at_once_by_an_unannounced_response() {
    for status in [json!("completed"), json!(null)] {
        let item = json!({"id": "item_a", "type": "function_call", "status": status, "call_id": "call_a",
            "name": "f", "arguments": "{}"});
        let event = json!({"type": "response.output_item.done", "output_index": 0, "item": item});
        let handed = "client FunctionCallRequest call_a=f({})";
        check(deepgram(), [at(0, upstream(&event.to_string()), [handed])]);
    }
}

/// R8: "and the call's item is `completed`", of an unannounced response as well.
#[test]
fn r08_a_call_that_is_not_whole_is_not_handed_out() {
    let item = json!({"id": "item_a", "type": "function_call", "status": "incomplete", "call_id": "call_a",
        "name": "f", "arguments": "{}"});
    let event = json!({"type": "response.output_item.done", "output_index": 0, "item": item});
    check(deepgram(), [at(0, upstream(&event.to_string()), [])]);
}
