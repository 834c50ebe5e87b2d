//! Function calls of both kinds: requests, answers, cancellation.

use super::*;

fn answer(id: &Value, name: &str, content: &str) -> Value {
    json!({"type": "FunctionCallResponse", "id": id, "name": name, "content": content})
}

/// A client whose model has called functions, and the calls.
fn calling(options: &[(&str, &str)], functions: &[(&str, bool)], content: &str) -> (Client, Vec<Value>) {
    let mut client = Client::configured(options, &with_functions(functions));
    client.send(&user(content));
    let messages = client.wait(0);
    assert_eq!(types(&messages), ["ConversationText", "AgentThinking", "FunctionCallRequest"]);
    let calls = messages[2]["functions"].as_array().expect("a list").clone();
    (client, calls)
}

#[test]
fn a_call_of_the_clients_waits_for_its_answer() {
    let (mut client, calls) = calling(&[], &[("get_current_time", false)], "What time is it?");
    let [call] = calls.as_slice() else { panic!("one call: {calls:?}") };
    let id = call["id"].clone();
    let expected = json!({"id": id, "name": "get_current_time", "arguments": "{}", "client_side": true});
    assert_eq!(*call, expected);
    assert_eq!(client.wait(30_000), [Value::Null; 0]);
    let messages = client.ask(&answer(&id, "get_current_time", r#"{"time":"10:42"}"#));
    assert_eq!(types(&messages), TURN[1..]);
    assert_eq!(said(&messages), [r#"The time is 10:42. The tool says: {"time":"10:42"}"#]);
}

#[test]
fn a_function_with_an_endpoint_is_called_here_and_reported() {
    let options = [("function_result", "rain"), ("function_delay_ms", "30")];
    let (mut client, calls) = calling(&options, &[("get_weather", true)], "get_weather");
    assert_eq!(calls[0]["client_side"], false);
    assert_eq!(client.wait(29), [Value::Null; 0]);
    let messages = client.wait(10_000);
    assert_eq!(types(&messages), [&["FunctionCallResponse"], &TURN[1..]].concat());
    let expected = json!({"type": "FunctionCallResponse", "id": calls[0]["id"], "name": "get_weather",
        "content": "rain"});
    assert_eq!(messages[0], expected);
    assert_eq!(said(&messages), ["The tool says: rain"]);
}

#[test]
fn calls_of_one_request_are_answered_in_any_order_before_the_agent_goes_on() {
    let functions = [("get_weather", false), ("get_news", true), ("book_table", false)];
    let (mut client, calls) = calling(&[], &functions, "book_table get_news get_weather");
    let names: Vec<_> = calls.iter().map(|call| call["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["book_table", "get_news", "get_weather"]);
    assert_eq!(types(&client.ask(&answer(&calls[2]["id"], "get_weather", "rain"))), ["FunctionCallResponse"]);
    let messages = client.ask(&answer(&calls[0]["id"], "book_table", "booked"));
    assert_eq!(said(&messages), [r#"The tool says: booked {"result":"done"} rain"#]);
}

#[test]
fn other_input_goes_on_while_a_call_is_open() {
    let (mut client, calls) = calling(&[], &[("get_weather", false)], "get_weather");
    assert_eq!(types(&client.ask(&user("hello"))), TURN);
    let messages = client.ask(&answer(&calls[0]["id"], "get_weather", "rain"));
    assert_eq!(said(&messages), ["The tool says: rain"]);
}

#[test]
fn speech_cancels_open_calls_and_late_answers_are_dropped() {
    let functions = [("get_weather", false), ("get_news", true)];
    let (mut client, calls) = calling(&[("transcript", "hello")], &functions, "get_weather get_news");
    client.speak(&[(true, 400), (false, 400)]);
    let messages = client.wait(10_000);
    assert_eq!(types(&messages), [&["UserStartedSpeaking", "FunctionCallCancelled"], &TURN[..]].concat());
    let of = |index: usize| json!({"id": calls[index]["id"], "name": calls[index]["name"]});
    assert_eq!(messages[1]["functions"], json!([of(0), of(1)]));
    assert_eq!(client.ask(&answer(&calls[0]["id"], "get_weather", "rain")), [Value::Null; 0]);
    assert_eq!(types(&client.ask(&user("hello"))), TURN, "the session goes on");
}

#[test]
fn history_shows_calls_with_their_answers() {
    let mut settings = with_functions(&[("get_weather", false)]);
    settings["flags"]["history"] = json!(true);
    let mut client = Client::configured(&[("text_only", "true")], &settings);
    let asked = client.ask(&user("get_weather"));
    let call = &the(&asked, "FunctionCallRequest")["functions"][0];
    let messages = client.ask(&answer(&call["id"], "get_weather", "rain"));
    let shown = json!([{"id": call["id"], "name": "get_weather", "client_side": true, "arguments": "{}",
        "response": "rain"}]);
    assert_eq!(messages[0], json!({"function_calls": shown, "type": "History"}));
}

#[test]
fn signatures_are_wanted_back() {
    let functions = [("get_weather", false), ("get_news", true)];
    let options = [("thought_signatures", "true")];
    let (mut client, calls) = calling(&options, &functions, "get_weather get_news");
    let signature = calls[0]["thought_signature"].clone();
    assert!(signature.is_string());
    let told = client.wait(100);
    assert_eq!(told[0]["thought_signature"], calls[1]["thought_signature"]);
    let mut right = answer(&calls[0]["id"], "get_weather", "rain");
    right["thought_signature"] = signature;
    assert_eq!(said(&client.ask(&right)).len(), 1);
    let (mut client, calls) = calling(&options, &functions, "get_weather get_news");
    client.send(&answer(&calls[0]["id"], "get_weather", "rain"));
    assert_eq!(client.ended(), ("FAILED_TO_THINK".to_owned(), 1011));
    let (mut client, calls) = calling(&[], &functions, "get_weather get_news");
    let mut wrong = answer(&calls[0]["id"], "get_weather", "rain");
    wrong["thought_signature"] = json!("never asked for");
    client.send(&wrong);
    assert_eq!(client.ended(), ("FAILED_TO_THINK".to_owned(), 1011));
}

#[test]
fn answers_that_nobody_waits_for_end_the_session() {
    let functions = [("get_weather", false), ("get_news", true)];
    let ended = ("NON_EXISTENT_FUNCTION_CALLED".to_owned(), 1008);
    let asked = || calling(&[], &functions, "get_weather get_news");
    let (mut client, _) = asked();
    client.send(&answer(&json!("nobody"), "get_weather", "rain"));
    assert_eq!(client.ended(), ended);
    let (mut client, calls) = asked();
    client.send(&answer(&calls[0]["id"], "get_news", "of another name"));
    assert_eq!(client.ended(), ended);
    let (mut client, calls) = asked();
    client.send(&answer(&calls[1]["id"], "get_news", "not the client's to answer"));
    assert_eq!(client.ended(), ended);
    let (mut client, calls) = asked();
    client.send(&answer(&calls[0]["id"], "get_weather", "once"));
    client.send(&answer(&calls[0]["id"], "get_weather", "twice"));
    assert_eq!(client.ended(), ended);
}
