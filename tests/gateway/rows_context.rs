//! Compatibility cases: context and greeting, the session.update payload.

use serde_json::{Value, json};

use crate::peers::client::settings;
use crate::peers::frames;
use crate::peers::mock::Mock;
use crate::peers::row::Row;
use crate::peers::s;
use crate::peers::script::Script;

const GREETING: &str = "Hello! How can I help you today?";

/// Connected and greeted, looked at some milliseconds after the beginning.
async fn greeted(script: Script, check_at: u64) -> Row {
    let mut row = Row::connected(script).await;
    row.client.send(&settings(&json!({"greeting": GREETING}))).await;
    row.at(check_at).await;
    let journal = row.client.journal();
    assert_eq!(journal.count("SettingsApplied"), 1, "{journal}");
    assert_eq!(journal.spoken_texts("assistant"), [GREETING], "{journal}");
    row
}

/// How many assistant items upstream has received.
fn assistant_items(mock: &Mock) -> usize {
    let upstream = mock.journal();
    upstream.all("conversation.item.create").filter(|(_, event)| event["item"]["role"] == "assistant").count()
}

fn instructions(update: &Value) -> &str {
    update["session"]["instructions"].as_str().expect("the session has instructions")
}

#[tokio::test]
async fn row_51_context_goes_into_the_instructions() {
    let context = json!({"context": {"messages": [
        {"type": "History", "role": "user", "content": "Hello"},
        {"type": "History", "role": "assistant", "content": "Hi there!"},
    ]}});
    let row = Row::opened_with(Script::late_session(), &settings(&context)).await;
    let update = row.mock.expect("session.update", s(1)).await;
    for part in ["Previous conversation:", "user: Hello", "assistant: Hi there!"] {
        assert!(instructions(&update).contains(part), "{update}");
    }
    assert_eq!(row.mock.count("conversation.item.create"), 0);
    row.mock.assert_no_protocol_error();
}

#[tokio::test]
async fn row_54_a_greeting_is_told_and_makes_no_item() {
    let row = greeted(Script::default(), 1_500).await;
    assert_eq!(assistant_items(&row.mock), 0);
    row.mock.assert_no_protocol_error();
}

#[tokio::test]
async fn row_55_a_greeting_is_ended() {
    let row = greeted(Script::default(), 2_000).await;
    assert_eq!(row.client.journal().count("AgentAudioDone"), 1);
}

#[tokio::test]
async fn row_56_session_created_applies_nothing() {
    let script = Script { on_connect: vec![frames::session_created()], ..Script::late_session() };
    let row = greeted(script, 500).await;
    row.mock.assert_no_protocol_error();
}

#[tokio::test]
async fn row_57_a_greeting_asks_for_no_response() {
    let row = greeted(Script::default(), 1_500).await;
    assert_eq!(assistant_items(&row.mock), 0);
    assert_eq!(row.mock.count("response.create"), 0);
}

#[tokio::test]
async fn row_58_a_greeting_sends_nothing_upstream() {
    let row = greeted(Script::default(), 1_500).await;
    assert_eq!(row.mock.count("conversation.item.create"), 0);
    assert_eq!(row.mock.count("response.create"), 0);
}

#[tokio::test]
async fn row_59_context_suppresses_the_greeting() {
    let agent = json!({"greeting": GREETING, "context": {"messages": [
        {"type": "History", "role": "user", "content": "Previous question"},
    ]}});
    let mut row = Row::connected(Script::late_session()).await;
    row.client.send(&settings(&agent)).await;
    row.at(1_500).await;
    let journal = row.client.journal();
    assert_eq!(journal.count("SettingsApplied"), 1, "{journal}");
    assert!(journal.spoken("assistant").is_none(), "{journal}");
    let update = row.mock.expect("session.update", s(1)).await;
    for part in ["Previous conversation:", "user: Previous question"] {
        assert!(instructions(&update).contains(part), "{update}");
    }
    assert_eq!(row.mock.count("conversation.item.create"), 0);
    assert_eq!(row.mock.count("response.create"), 0);
    row.mock.assert_no_protocol_error();
}

#[tokio::test]
async fn row_60_a_greeting_provokes_no_error() {
    let script = Script { refuse_response_after_assistant_item: true, ..Script::default() };
    let row = greeted(script, 2_000).await;
    row.client.journal().assert_no_error();
}

#[tokio::test]
async fn row_62_manual_mode_is_stated_where_ga_wants_it() {
    let row = Row::opened(Script::default()).await;
    assert_eq!(row.mock.count("session.update"), 1);
    let update = row.mock.expect("session.update", s(1)).await;
    let session = &update["session"];
    let input = session["audio"]["input"].as_object().expect("the input is stated");
    assert_eq!(input.get("turn_detection"), Some(&Value::Null), "{update}");
    assert_eq!(input["format"]["type"], "audio/pcm");
    assert_eq!(input["format"]["rate"], 24_000);
    assert_eq!(session.get("turn_detection"), None, "{update}");
}

#[tokio::test]
async fn row_63_session_audio_output_is_passed_on_exactly() {
    let output = json!({"voice": "marin", "speed": 1});
    let row = Row::opened_with(Script::default(), &settings(&json!({"sessionAudioOutput": output}))).await;
    let update = row.mock.expect("session.update", s(1)).await;
    let audio = &update["session"]["audio"];
    assert_eq!(audio["output"], output);
    assert_eq!(audio["input"]["format"], json!({"type": "audio/pcm", "rate": 24_000}));
    assert_eq!(audio["input"]["transcription"]["model"], "gpt-4o-transcribe");
    assert_eq!(audio["input"].get("turn_detection"), Some(&Value::Null), "{update}");
}

#[tokio::test]
async fn row_64_a_greeting_leaves_upstream_alone() {
    let row = greeted(Script::default(), 1_500).await;
    assert_eq!(assistant_items(&row.mock), 0);
    assert_eq!(row.mock.count("conversation.item.create"), 0);
    assert_eq!(row.mock.count("response.create"), 0);
}
