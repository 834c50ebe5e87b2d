//! Items, requests for responses, and what a function's answer is worth upstream.

use serde_json::{Value, json};

use crate::{
    protocol::{
        agent::ClientMessage,
        ids::{CallId, EventId, ItemId},
        realtime::ClientEvent,
    },
    translate::to_upstream::{answer_output, create_response, function_call_output, user_message},
};

#[track_caller]
fn assert_sent(event: &ClientEvent, expected: &Value) {
    assert_eq!(event.encode(), expected.to_string());
}

#[test]
fn a_typed_turn_is_a_user_message() {
    let event = user_message(EventId::from("vb_1"), ItemId::from("vbi_1"), "Hi \"there\"".to_owned());
    assert_sent(
        &event,
        &json!({
            "type": "conversation.item.create",
            "event_id": "vb_1",
            "item": {
                "type": "message",
                "id": "vbi_1",
                "role": "user",
                "content": [{ "type": "input_text", "text": "Hi \"there\"" }],
            },
        }),
    );
}

#[test]
fn an_answer_is_an_output_item() {
    let event = function_call_output(
        EventId::from("vb_2"),
        ItemId::from("vbi_2"),
        CallId::from("call_1"),
        "10:00".to_owned(),
    );
    assert_sent(
        &event,
        &json!({
            "type": "conversation.item.create",
            "event_id": "vb_2",
            "item": { "type": "function_call_output", "id": "vbi_2", "call_id": "call_1", "output": "10:00" },
        }),
    );
}

#[test]
fn a_response_has_instructions_only_for_a_text_to_be_spoken() {
    let plain = create_response(EventId::from("vb_3"), None);
    assert_sent(&plain, &json!({ "type": "response.create", "event_id": "vb_3" }));
    let greeting = create_response(EventId::from("vb_4"), Some("Hello!"));
    assert_sent(
        &greeting,
        &json!({
            "type": "response.create",
            "event_id": "vb_4",
            "response": {
                "instructions": "Say the following text word for word, and nothing else:\nHello!",
                "tool_choice": "none",
            },
        }),
    );
}

/// What upstream gets for an answer with these members, written as the client writes them.
#[track_caller]
fn output_of(members: &str) -> String {
    let text = format!(r#"{{"type":"FunctionCallResponse","id":"call_1"{members}}}"#);
    match ClientMessage::decode(&text, |path| panic!("{path} is not read")) {
        Ok(ClientMessage::FunctionCallResponse(answer)) => answer_output(&answer),
        other => panic!("{other:?}: {text}"),
    }
}

#[test]
fn content_goes_before_error_goes_before_result() {
    assert_eq!(output_of(r#","content":"a","error":"b","result":"c""#), "a");
    assert_eq!(output_of(r#","content":"","error":"b","result":"c""#), r#"{"error":"b"}"#);
    assert_eq!(output_of(r#","content":null,"error":"b","result":"c""#), r#"{"error":"b"}"#);
    assert_eq!(output_of(r#","error":"b","result":"c""#), r#"{"error":"b"}"#);
    assert_eq!(output_of(r#","content":"","error":null,"result":"c""#), "c");
    assert_eq!(output_of(r#","result":null"#), "");
    assert_eq!(output_of(""), "");
    assert_eq!(output_of(r#","content":"""#), "");
}

#[test]
fn text_goes_as_it_is_and_the_rest_as_compact_json() {
    for member in ["content", "result"] {
        let output = |value: &str| output_of(&format!(r#","{member}":{value}"#));
        assert_eq!(output(r#""{\"time\": \"10:00\"}""#), r#"{"time": "10:00"}"#);
        assert_eq!(
            output(r#"{ "z": 1, "a": { "y": [ 1, null ], "b": "é" } }"#),
            r#"{"z":1,"a":{"y":[1,null],"b":"é"}}"#
        );
        assert_eq!(output("[1, 2.50, -0.1]"), "[1,2.5,-0.1]");
        assert_eq!(output("{}"), "{}");
        assert_eq!(output("[]"), "[]");
        assert_eq!(output("false"), "false");
        assert_eq!(output("0"), "0");
        assert_eq!(output("7.0"), "7.0");
        assert_eq!(output("9007199254740993"), "9007199254740993");
        assert_eq!(output("18446744073709551615"), "18446744073709551615");
        assert_eq!(output("1e3"), "1000.0");
        assert_eq!(output(r#"" ""#), " ");
    }
    assert_eq!(output_of(r#","error":{"b":1,"a":2}"#), r#"{"error":{"b":1,"a":2}}"#);
    assert_eq!(output_of(r#","error":"no \"clock\"""#), r#"{"error":"no \"clock\""}"#);
    assert_eq!(output_of(r#","error":"""#), r#"{"error":""}"#);
}
