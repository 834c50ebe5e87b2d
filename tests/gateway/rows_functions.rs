//! Compatibility cases: function calls, first set, and agent audio.

use serde_json::{Value, json};

use crate::peers::frames::{self, FUNCTION, REPLY, now};
use crate::peers::journal::What;
use crate::peers::row::Row;
use crate::peers::s;
use crate::peers::script::Script;

/// The mock's usual answer to a function's output.
fn text(_output: &Value) -> Vec<frames::Step> {
    vec![now(frames::output_text_done_of_response())]
}

/// Waits for the call, sends this answer, and gives the output item that reached upstream.
async fn answered(row: &mut Row, answer: Value) -> Value {
    let request = row.client.expect("FunctionCallRequest", s(4)).await;
    assert_eq!(request["functions"][0]["id"], "call_mock_1", "{request}");
    assert_eq!(request["functions"][0]["name"], FUNCTION, "{request}");
    row.client.send(&answer).await;
    let item = row.mock.expect("conversation.item.create", s(4)).await["item"].clone();
    assert_eq!(item["type"], "function_call_output", "{item}");
    assert_eq!(item["call_id"], "call_mock_1", "{item}");
    item
}

#[tokio::test]
async fn row_36_one_frame_is_audio_and_the_others_are_messages() {
    let mut row = Row::opened(Script::with_audio()).await;
    row.client.inject("Hello").await;
    let journal = row.client.expect_spoken("assistant", s(5)).await;
    let is_message = |what: &What| {
        let value = match what {
            What::Json(value) => Some(value.clone()),
            What::Binary(bytes) => serde_json::from_slice(bytes).ok(),
            What::Text(_) | What::Closed { .. } | What::Gone(_) => None,
        };
        value.is_some_and(|value| value["type"].is_string())
    };
    let messages = journal.entries.iter().filter(|entry| is_message(&entry.what)).count();
    assert_eq!(journal.entries.len() - messages, 1, "{journal}");
    assert!(messages >= 2, "{journal}");
}

#[tokio::test]
async fn row_37_the_decoded_delta_comes_before_the_text() {
    let mut row = Row::opened(Script::with_audio()).await;
    row.client.inject("Hello").await;
    let journal = row.client.expect_spoken("assistant", s(5)).await;
    assert!(journal.binaries().any(|(_, bytes)| bytes.len() == 320), "{journal}");
}

#[tokio::test]
async fn row_38_a_call_and_its_content_make_the_round() {
    let mut row = Row::opened(Script::calling(text)).await;
    let content = "{\"time\": \"12:34\"}";
    let answer =
        json!({"type": "FunctionCallResponse", "id": "call_mock_1", "name": FUNCTION, "content": content});
    let item = answered(&mut row, answer).await;
    assert_eq!(item["output"], content);
    let journal = row.client.expect_spoken("assistant", s(8)).await;
    assert_eq!(journal.spoken_texts("assistant"), [REPLY]);
}

#[tokio::test]
async fn row_39_a_result_object_goes_up_as_compact_json() {
    let mut row = Row::opened(Script::calling(text)).await;
    let answer = r#"{"type": "FunctionCallResponse", "id": "call_mock_1", "name": "get_current_time",
        "result": {"zone": "UTC", "time": {"minute": 34, "hour": 12}, "all": [1, 2.5, null]}}"#;
    let answer = serde_json::from_str(answer).expect("the test's own JSON");
    let item = answered(&mut row, answer).await;
    assert_eq!(item["output"], r#"{"zone":"UTC","time":{"minute":34,"hour":12},"all":[1,2.5,null]}"#);
}

#[tokio::test]
async fn row_40_something_follows_the_answer() {
    let mut row = Row::opened(Script::calling(text)).await;
    row.client.expect("FunctionCallRequest", s(4)).await;
    let seen = row.client.journal().entries.len();
    row.client.answer_call("noon").await;
    let follows = |what: &What| match what.kind() {
        Some("AgentThinking" | "AgentStartedSpeaking" | "AgentAudioDone") => true,
        Some("ConversationText") => matches!(what, What::Json(value) if value["role"] == "assistant"),
        _ => false,
    };
    row.client
        .wait_for("sign of life", s(10), |journal| {
            journal.entries[seen..].iter().any(|entry| follows(&entry.what)).then_some(())
        })
        .await;
}

#[tokio::test]
async fn row_42_the_request_comes_after_settings_applied() {
    let row = Row::opened(Script::calling(text)).await;
    row.client.expect("FunctionCallRequest", s(4)).await;
    let journal = row.client.journal();
    assert!(journal.position("SettingsApplied") < journal.position("FunctionCallRequest"), "{journal}");
}

#[tokio::test]
async fn row_43_a_transcript_that_looks_like_a_call_is_none() {
    let spoken = frames::audio_transcript_done("get_current_time({})");
    let row = Row::opened(Script::after_session(vec![now(spoken)])).await;
    row.after_opening(4_000).await;
    let journal = row.client.journal();
    assert_eq!(journal.count("SettingsApplied"), 1, "{journal}");
    assert_eq!(journal.count("FunctionCallRequest"), 0, "{journal}");
}
