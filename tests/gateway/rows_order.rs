//! Compatibility cases: message order and gating.

use serde_json::{Value, json};

use crate::peers::UNKNOWN;
use crate::peers::client::{inject_user_message, settings};
use crate::peers::frames::{self, FUNCTION, REPLY, now};
use crate::peers::journal::Journal;
use crate::peers::row::Row;
use crate::peers::s;
use crate::peers::script::Script;

/// After S: an inject, and what the client received up to its answer, that included.
async fn answered_inject(script: Script) -> (Row, Journal) {
    let mut row = Row::opened(script).await;
    row.client.inject("Hello").await;
    let journal = row.client.expect_spoken("assistant", s(5)).await;
    (row, journal)
}

fn assert_update_before_item(row: &Row) {
    let upstream = row.mock.journal();
    let position = |kind| upstream.position(kind).unwrap_or_else(|| panic!("no {kind} in\n{upstream}"));
    assert!(position("session.update") < position("conversation.item.create"), "{upstream}");
}

#[tokio::test]
async fn row_65_one_binary_frame_and_no_upstream_event() {
    let (_row, journal) = answered_inject(Script::with_audio()).await;
    assert_eq!(journal.binaries().count(), 1, "{journal}");
    assert_eq!(journal.count("response.output_audio.done"), 0, "{journal}");
}

#[tokio::test]
async fn row_66_the_end_signals_follow_the_audio_once() {
    let (_row, journal) = answered_inject(Script::with_audio()).await;
    assert_eq!(journal.count("AgentDone"), 1, "{journal}");
    assert_eq!(journal.count("AgentAudioDone"), 1, "{journal}");
    let (audio, _) = journal.binaries().next().expect("audio came");
    assert!(journal.position("AgentAudioDone").is_some_and(|done| audio < done), "{journal}");
}

#[tokio::test]
async fn row_67_an_inject_before_settings_waits_for_the_session() {
    let mut row = Row::connected(Script::late_session()).await;
    row.client.inject("Hello").await;
    row.client.send(&settings(&json!({}))).await;
    row.client.expect_spoken("assistant", s(8)).await;
    assert_update_before_item(&row);
    row.mock.assert_no_protocol_error();
}

#[tokio::test]
async fn row_68_a_tool_round_on_one_socket() {
    let functions = json!({"think": {"functions": [{"name": FUNCTION, "description": "The time",
        "parameters": {"type": "object", "properties": {}}}]}});
    let script = Script { call_on_first_response: true, ..Script::default() };
    let mut row = Row::opened_with(script, &settings(&functions)).await;
    row.client.inject("What time is it?").await;
    let request = row.client.expect("FunctionCallRequest", s(8)).await;
    assert_eq!(request["functions"][0]["name"], FUNCTION, "{request}");
    assert_eq!(request["functions"][0]["id"], "call_mock_1", "{request}");
    row.client.answer_call("noon").await;
    let journal = row.client.expect_spoken("assistant", s(8)).await;
    assert_eq!(journal.spoken_texts("assistant"), [REPLY]);
    let upstream = row.mock.journal();
    let is_output = |event: &Value| event["item"]["type"] == "function_call_output";
    let outputs: Vec<_> =
        upstream.all("conversation.item.create").filter(|(_, event)| is_output(event)).collect();
    assert_eq!(outputs.len(), 1, "{upstream}");
    assert_eq!(outputs[0].1["item"]["call_id"], "call_mock_1", "{upstream}");
    row.client.journal().assert_no_error();
    row.mock.assert_no_protocol_error();
}

#[tokio::test]
async fn row_69_settings_and_inject_back_to_back() {
    let mut row = Row::connected(Script::late_session()).await;
    row.client.send(&settings(&json!({}))).await;
    row.client.send(&inject_user_message("Hello")).await;
    row.client.expect_spoken("assistant", s(8)).await;
    assert_update_before_item(&row);
}

#[tokio::test]
async fn row_70_an_item_confirmed_twice_is_one_wish() {
    let (row, _) = answered_inject(Script { item_done: true, ..Script::default() }).await;
    assert_eq!(row.mock.count("response.create"), 1);
}

#[tokio::test]
async fn row_71_keep_alive_stays_here() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send(&json!({"type": "KeepAlive"})).await;
    row.client.inject("Hello").await;
    row.client.expect_spoken("assistant", s(5)).await;
    assert_eq!(row.mock.count("KeepAlive"), 0);
}

#[tokio::test]
async fn row_72_an_unknown_type_is_refused_by_name() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send(&json!({"type": UNKNOWN, "value": 1})).await;
    let error = row.client.expect_error("disallowed_client_message_type", s(5)).await;
    assert!(error["description"].as_str().is_some_and(|text| text.contains(UNKNOWN)), "{error}");
    row.client.inject("Hello").await;
    row.client.expect_spoken("assistant", s(5)).await;
    assert_eq!(row.mock.count(UNKNOWN), 0);
}

#[tokio::test]
async fn row_73_an_unknown_type_passes_where_allowed() {
    let allowed = "allow_client_json_passthrough = true";
    let mut row = Row::connected_to(Script::default(), |config| config.backend(allowed)).await;
    row.client.open_s().await;
    row.client.send(&json!({"type": UNKNOWN, "value": 1})).await;
    let passed = row.mock.expect(UNKNOWN, s(3)).await;
    assert_eq!(passed["value"], 1, "{passed}");
    row.client.journal().assert_no_error();
}

#[tokio::test]
async fn row_75_one_round_is_one_request() {
    let mut row = Row::opened(Script::calling(|_| vec![now(frames::output_text_done_of_response())])).await;
    row.client.expect("FunctionCallRequest", s(4)).await;
    row.client.answer_call("noon").await;
    let journal = row.client.expect_spoken("assistant", s(8)).await;
    assert_eq!(journal.spoken_texts("assistant"), [REPLY]);
    assert_eq!(journal.count("FunctionCallRequest"), 1, "{journal}");
}

#[tokio::test]
async fn row_77_no_item_event_leaks() {
    let (_row, journal) = answered_inject(Script::with_audio()).await;
    for kind in ["conversation.item.added", "conversation.item.created", "conversation.item.done"] {
        assert_eq!(journal.count(kind), 0, "{journal}");
    }
}
