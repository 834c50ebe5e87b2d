//! Text, speech and trouble of upstream as the client reads them.

use serde_json::{Value, json};

use super::event;
use crate::{
    protocol::{
        agent::{Notice, Role},
        realtime::{ErrorBody, Item, Response, ServerEvent, SpeechEvent, TranscriptionEvent},
    },
    translate::to_client::{
        agent_thinking, assistant_text, conversation_text, error, response_failure, transcript, user_text,
        utterance_end,
    },
};

fn item(json: Value) -> Item {
    serde_json::from_value(json).expect("an item")
}

fn assistant(content: Value) -> Option<String> {
    assistant_text(&item(json!({ "type": "message", "role": "assistant", "content": content })))
}

#[test]
fn conversation_text_and_thinking() {
    let said = conversation_text(Role::Assistant, "Hello".to_owned());
    assert_eq!(said.encode(), r#"{"type":"ConversationText","role":"assistant","content":"Hello"}"#);
    let said = conversation_text(Role::User, String::new());
    assert_eq!(said.encode(), r#"{"type":"ConversationText","role":"user","content":""}"#);
    assert_eq!(agent_thinking().encode(), r#"{"type":"AgentThinking","content":""}"#);
}

#[test]
fn an_assistants_text_is_its_parts_line_by_line() {
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(assistant(json!([{ "type": "output_text", "text": "Hello" }])), text("Hello"));
    assert_eq!(assistant(json!([{ "type": "text", "text": "Hello" }])), text("Hello"));
    assert_eq!(assistant(json!([{ "type": "output_audio", "transcript": "Hello" }])), text("Hello"));
    assert_eq!(assistant(json!([{ "type": "audio", "transcript": "Hello" }])), text("Hello"));
    let both = json!([{ "type": "output_audio", "text": "", "transcript": "Hello" }]);
    assert_eq!(assistant(both), text("Hello"));
    let several = json!([
        { "type": "output_text", "text": "One" },
        { "type": "output_audio", "transcript": "" },
        { "type": "output_audio" },
        { "type": "output_audio", "transcript": "two" },
    ]);
    assert_eq!(assistant(several), text("One\ntwo"));
    let call = json!([{ "type": "function_call", "name": "get_time", "arguments": "{}", "call_id": "c" }]);
    assert_eq!(assistant(call), text("Function call: get_time({})"));
    assert_eq!(assistant(json!([{ "type": "function_call" }])), text("Function call: ()"));
}

#[test]
fn what_has_no_assistants_text() {
    assert_eq!(assistant(json!([])), None);
    assert_eq!(assistant(json!(null)), None);
    assert_eq!(assistant(json!([{ "type": "output_text", "text": "" }])), None);
    assert_eq!(assistant(json!([{ "type": "output_audio", "audio": "AAAA" }])), None);
    let content = json!([{ "type": "input_text", "text": "Hi" }]);
    for (kind, role) in [("message", "user"), ("message", "system"), ("function_call", "assistant")] {
        let other = item(json!({ "type": kind, "role": role, "content": content }));
        assert_eq!(assistant_text(&other), None, "{kind} {role}");
    }
    let call = item(json!({ "type": "function_call", "name": "get_time", "arguments": "{}" }));
    assert_eq!(assistant_text(&call), None);
    assert_eq!(assistant_text(&Item::default()), None);
}

#[test]
fn a_typed_items_text_is_its_first_parts() {
    let typed = item(
        json!({ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "Hi" }] }),
    );
    assert_eq!(user_text(&typed), Some("Hi"));
    let spoken = item(json!({ "content": [{ "type": "input_audio", "transcript": "Hi" }] }));
    assert_eq!(user_text(&spoken), None);
    assert_eq!(user_text(&item(json!({ "content": [] }))), None);
    assert_eq!(user_text(&Item::default()), None);
}

fn transcription(members: Value) -> TranscriptionEvent {
    let mut json = members;
    json["type"] = json!("conversation.item.input_audio_transcription.completed");
    match event(&json) {
        ServerEvent::TranscriptionCompleted(event) => *event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transcript_has_what_upstream_gives_and_defaults_for_the_rest() {
    let plain = transcript("Hel".to_owned(), false, &transcription(json!({ "item_id": "i" })));
    let alternatives = |text: &str| json!([{ "transcript": text, "confidence": 1.0, "words": [] }]);
    let expected = json!({
        "type": "Transcript", "transcript": "Hel", "is_final": false, "speech_final": false,
        "channel": 0, "channel_index": [0], "start": 0, "duration": 0, "alternatives": alternatives("Hel"),
    });
    assert_eq!(plain.encode(), expected.to_string());

    let given = json!({ "start": 1.5, "duration": 2.25, "channel": 1, "channel_index": [1] });
    let given = transcript("Hello world".to_owned(), true, &transcription(given));
    let expected = json!({
        "type": "Transcript", "transcript": "Hello world", "is_final": true, "speech_final": true,
        "channel": 1, "channel_index": [1], "start": 1.5, "duration": 2.25,
        "alternatives": alternatives("Hello world"),
    });
    assert_eq!(given.encode(), expected.to_string());

    let nulls = json!({ "start": null, "duration": null, "channel": null, "channel_index": null });
    assert_eq!(transcript("Hel".to_owned(), false, &transcription(nulls)), plain);
}

fn stopped(members: Value) -> SpeechEvent {
    let mut json = members;
    json["type"] = json!("input_audio_buffer.speech_stopped");
    match event(&json) {
        ServerEvent::SpeechStopped(event) => *event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_utterance_ends_where_upstream_says() {
    let cases = [
        (json!({}), json!([0, 1]), json!(0.0)),
        (json!({ "audio_end_ms": 2600 }), json!([0, 1]), json!(2.6)),
        (json!({ "audio_end_ms": 2600, "channel": [0], "last_word_end": 1.5 }), json!([0]), json!(1.5)),
        (json!({ "channel": 0, "last_word_end": "1.5" }), json!([0, 1]), json!(0.0)),
        (json!({ "channel": null, "last_word_end": null, "audio_end_ms": 500 }), json!([0, 1]), json!(0.5)),
        (json!({ "last_word_end": 3 }), json!([0, 1]), json!(3)),
    ];
    for (members, channel, last_word_end) in cases {
        let expected = json!({ "type": "UtteranceEnd", "channel": channel, "last_word_end": last_word_end });
        assert_eq!(utterance_end(&stopped(members)).encode(), expected.to_string());
    }
}

fn told(body: Value) -> Notice {
    error(&serde_json::from_value::<ErrorBody>(body).expect("an error"))
}

fn notice(code: &str, description: &str) -> Notice {
    Notice { description: description.to_owned(), code: code.to_owned() }
}

#[test]
fn errors_keep_their_code_unless_the_client_knows_another() {
    for (code, expected) in [
        (json!("server_error"), "server_error"),
        (json!("idle_timeout"), "idle_timeout"),
        (json!("session_max_duration"), "session_max_duration"),
        (json!("session_expired"), "session_max_duration"),
        (json!("rate_limit_exceeded"), "rate_limit_exceeded"),
        (json!(""), "unknown"),
        (json!(null), "unknown"),
    ] {
        assert_eq!(told(json!({ "code": code, "message": "It broke." })), notice(expected, "It broke."));
    }
    assert_eq!(told(json!({})), notice("unknown", "upstream reported an error"));
    assert_eq!(told(json!({ "code": "x", "message": "" })), notice("x", "upstream reported an error"));
}

#[test]
fn an_error_names_the_parameter_once() {
    let code = "unknown_parameter";
    let named = json!({ "code": code, "message": "Unknown parameter: 'session.x'.", "param": "session.x" });
    assert_eq!(told(named), notice(code, "Unknown parameter: 'session.x'."));
    let unnamed = json!({ "code": code, "message": "Not allowed.", "param": "session.x" });
    assert_eq!(told(unnamed), notice(code, "Not allowed. (param: session.x)"));
    assert_eq!(told(json!({ "code": code, "message": "No.", "param": "" })), notice(code, "No."));
}

#[test]
fn a_failed_response_makes_the_stock_sentence_visible() {
    // What the web component looks for, and hides.
    const HIDDEN: &str = "server had an error while processing your request";
    let stock = "The server had an error while processing your request. Sorry about that! (ID: req_1)";
    for message in
        [stock.to_owned(), stock.to_uppercase(), format!("Error: {}", &stock[4..]), stock.repeat(2)]
    {
        let failed = json!({ "status": "failed", "status_details": { "error": { "message": message } } });
        let Notice { description, code } = failure(failed).expect("a failure");
        assert!(!description.to_lowercase().contains(HIDDEN), "{description}");
        assert!(description.contains("internal error") && code == "unknown");
        assert!(description.to_lowercase().contains("(id: req_1)"), "{description}");
        // An `error` event keeps upstream's words.
        assert_eq!(told(json!({ "code": null, "message": message })), notice("unknown", &message));
    }
}

fn failure(json: Value) -> Option<Notice> {
    response_failure(&serde_json::from_value::<Response>(json).expect("a response"))
}

#[test]
fn a_response_that_failed_says_why() {
    let body = json!({ "type": "tokens", "code": "rate_limit_exceeded", "message": "Rate limit reached" });
    let failed = json!({ "status": "failed", "status_details": { "type": "failed", "error": body } });
    assert_eq!(failure(failed), Some(notice("rate_limit_exceeded", "Rate limit reached")));
    let stock = json!({ "message": "The server had an error while processing your request." });
    let failed = json!({ "status": "failed", "status_details": { "error": stock } });
    let told = failure(failed).expect("a failure");
    assert!(!told.description.contains("server had an error while processing your request"), "{told:?}");
    for silent in [json!({ "status": "failed" }), json!({ "status": "failed", "status_details": {} })] {
        assert_eq!(failure(silent), Some(notice("unknown", "the response failed without a reason")));
    }
    for reason in ["max_output_tokens", "content_filter"] {
        let incomplete = json!({ "status": "incomplete", "status_details": { "reason": reason } });
        let expected = notice(reason, &format!("the response is incomplete: {reason}"));
        assert_eq!(failure(incomplete), Some(expected));
    }
    let silent = failure(json!({ "status": "incomplete", "status_details": null }));
    assert_eq!(silent, Some(notice("unknown", "the response is incomplete: unknown")));
}

#[test]
fn a_response_that_ended_otherwise_is_no_failure() {
    for status in [json!("completed"), json!("cancelled"), json!("in_progress"), json!("new"), json!(null)] {
        let details = json!({ "type": "cancelled", "reason": "turn_detected" });
        assert_eq!(failure(json!({ "status": status, "status_details": details })), None);
    }
    assert_eq!(failure(json!({})), None);
}
