//! Function calls and their outputs.

use serde_json::{Value, json};

use super::*;

fn with_tools(names: &[&str]) -> Client {
    let tools = names.iter().map(|name| json!({"type": "function", "name": name})).collect::<Vec<_>>();
    let mut session = text_session();
    session["tools"] = json!(tools);
    Client::configured(&[], session)
}

fn output(call_id: &Value, output: &str) -> Value {
    json!({"type": "conversation.item.create", "event_id": "output",
        "item": {"type": "function_call_output", "call_id": call_id, "output": output}})
}

#[test]
fn asked_for_the_time_it_calls_and_then_speaks_the_result() {
    let mut client = with_tools(&["get_current_time"]);
    client.send(user_text("What time is it?"));
    client.wait(10);
    let events = client.ask(respond());
    let expected = [
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ];
    assert_eq!(types(&events), expected);
    let call = the(&events, "response.function_call_arguments.done");
    assert_eq!((&call["name"], &call["arguments"]), (&json!("get_current_time"), &json!("{}")));
    let item = &the(&events, "response.done")["response"]["output"][0];
    assert_eq!(
        (&item["type"], &item["status"], &item["call_id"]),
        (&json!("function_call"), &json!("completed"), &call["call_id"])
    );
    client.send(output(&call["call_id"], "{\"time\":\"10:42\"}"));
    let events = client.ask(respond());
    let text = &the(&events, "response.output_text.done")["text"];
    assert_eq!(text, "The time is 10:42. The tool says: {\"time\":\"10:42\"}");
}

#[test]
fn two_functions_named_are_called_in_one_response() {
    let mut client = with_tools(&["get_time", "get_weather"]);
    client.send(user_text("call get_weather and get_time"));
    let events = client.ask(respond());
    let names = of_type(&events, "response.function_call_arguments.done")
        .iter()
        .map(|e| e["name"].clone())
        .collect::<Vec<_>>();
    assert_eq!(names, ["get_weather", "get_time"]);
    let outputs = the(&events, "response.done")["response"]["output"].as_array().expect("outputs").clone();
    assert_ne!(outputs[0]["call_id"], outputs[1]["call_id"]);
    let indices = of_type(&events, "response.output_item.done")
        .iter()
        .map(|e| e["output_index"].clone())
        .collect::<Vec<_>>();
    assert_eq!(indices, [0, 1]);
}

#[test]
fn a_call_is_answered_once_and_must_exist() {
    let mut client = with_tools(&["get_time"]);
    client.send(user_text("time?"));
    let events = client.ask(respond());
    let call_id = the(&events, "response.function_call_arguments.done")["call_id"].clone();
    let refusal = ("invalid_value".to_owned(), json!("item.call_id"));
    assert_eq!(client.refused(output(&json!("call_unknown"), "x")), refusal);
    assert_eq!(
        types(&client.ask(output(&call_id, "x"))),
        ["conversation.item.added", "conversation.item.done"]
    );
    assert_eq!(client.refused(output(&call_id, "y")), refusal);
}

#[test]
fn a_text_to_be_said_is_said_if_no_function_may_be_called() {
    let ask = |session_choice: &str, response_choice: Option<&str>| {
        let mut session = text_session();
        session["tools"] = json!([{"type": "function", "name": "get_current_time"}]);
        session["tool_choice"] = json!(session_choice);
        let mut client = Client::configured(&[], session);
        client.send(user_text("What time is it?"));
        let mut fields = json!({"instructions": "Say this word for word: Good day."});
        if let Some(choice) = response_choice {
            fields["tool_choice"] = json!(choice);
        }
        let events = client.ask(json!({"type": "response.create", "response": fields}));
        (client, events)
    };
    for (session_choice, response_choice) in [("auto", None), ("required", None), ("none", Some("required"))]
    {
        let (_, events) = ask(session_choice, response_choice);
        assert_eq!(the(&events, "response.function_call_arguments.done")["name"], "get_current_time");
        assert!(of_type(&events, "response.output_text.done").is_empty());
    }
    for session_choice in ["auto", "required", "none"] {
        let (mut client, events) = ask(session_choice, Some("none"));
        assert_eq!(the(&events, "response.output_text.done")["text"], "Good day.");
        assert!(of_type(&events, "response.function_call_arguments.done").is_empty());
        client.send(user_text("And now, what time is it?"));
        let events = client.ask(respond());
        let calls = of_type(&events, "response.function_call_arguments.done").len();
        assert_eq!(calls, usize::from(session_choice != "none"), "the choice was for one response");
    }
}
