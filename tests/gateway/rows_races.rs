//! Compatibility cases: races, over real sockets. A story of each, told in more ways, is a test of the gate's.

use serde_json::{Value, json};

use crate::peers::frames::{self, FUNCTION, REPLY, Step, after};
use crate::peers::journal::{Journal, What};
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::sound::plain_settings;
use crate::peers::{ms, s};

/// Events of a server that announces its responses.
fn created(response: &str) -> Value {
    json!({"type": "response.created", "response": {"id": response}})
}

fn audio(response: &str, length: usize) -> Value {
    let mut delta = frames::output_audio_delta(&vec![0; length]);
    delta["response_id"] = json!(response);
    delta["item_id"] = json!(format!("item_{response}"));
    delta
}

fn done(response: &str, status: &str, output: Value) -> Value {
    json!({"type": "response.done", "response": {"id": response, "status": status, "output": output}})
}

fn said(response: &str, text: &str) -> Value {
    json!([{"id": format!("item_{response}"), "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_audio", "transcript": text}]}])
}

fn call(id: &str) -> Value {
    json!({"id": format!("item_{id}"), "type": "function_call", "status": "completed", "call_id": id,
        "name": FUNCTION, "arguments": "{}"})
}

/// A mock that answers nothing by itself but items.
fn quiet() -> Script {
    Script { response_after: s(3_600), ..Script::default() }
}

async fn row(script: Script) -> Row {
    Row::opened_with(script, &plain_settings()).await
}

/// Waits until the agent has said all of these; asserts that it said nothing else and that no `Error` came.
async fn assert_heard(row: &Row, texts: &[&str]) -> Journal {
    let enough =
        |journal: &Journal| (journal.spoken_texts("assistant").len() >= texts.len()).then(|| journal.clone());
    row.client.wait_for("every answer", s(5), enough).await;
    tokio::time::sleep(ms(50)).await;
    let journal = row.client.journal();
    assert_eq!(journal.spoken_texts("assistant"), texts, "{journal}");
    journal.assert_no_error();
    journal
}

/// Upstream answers speech by itself while a typed turn waits: one answer, and no request of ours.
#[tokio::test]
async fn server_vad_starts_a_response_while_ours_is_wished_for() {
    let mut row = row(quiet()).await;
    let peer = row.mock.peer(1).await;
    peer.send(&frames::speech_started());
    row.client.expect("UserStartedSpeaking", s(2)).await;
    row.client.inject("Hello").await;
    row.mock.expect("conversation.item.create", s(2)).await;
    peer.send(&frames::speech_stopped());
    peer.send(&created("resp_vad"));
    peer.send(&audio("resp_vad", 480));
    peer.send(&done("resp_vad", "completed", said("resp_vad", REPLY)));
    assert_heard(&row, &[REPLY]).await;
    // Longer than upstream's own answer is waited for.
    tokio::time::sleep(ms(1_200)).await;
    assert_eq!(row.mock.count("response.create"), 0);
}

/// The same while our request is on the wire: it is refused, unseen, and its wish is fulfilled.
#[tokio::test]
async fn server_vad_starts_a_response_while_ours_is_on_the_wire() {
    let mut row = row(quiet()).await;
    let peer = row.mock.peer(1).await;
    row.client.inject("Hello").await;
    let ours = row.mock.expect("response.create", s(2)).await["event_id"].clone();
    peer.send(&created("resp_vad"));
    let mut refusal = frames::error("conversation_already_has_active_response", "one runs");
    refusal["error"]["event_id"] = ours;
    row.gateway.expect_lost_races(1);
    peer.send(&refusal);
    peer.send(&audio("resp_vad", 480));
    peer.send(&done("resp_vad", "completed", said("resp_vad", REPLY)));
    assert_heard(&row, &[REPLY]).await;
    assert_eq!(row.mock.count("response.create"), 1);
}

/// A turn typed during a response is answered after it, and each answer is heard once.
#[tokio::test]
async fn an_inject_during_a_response() {
    let mut row = row(quiet()).await;
    let peer = row.mock.peer(1).await;
    peer.send(&created("resp_1"));
    peer.send(&audio("resp_1", 480));
    row.client.expect("AgentStartedSpeaking", s(2)).await;
    row.client.inject("And then?").await;
    row.mock.expect("conversation.item.create", s(2)).await;
    row.client.expect_spoken("user", s(2)).await;
    assert_eq!(row.mock.count("response.create"), 0, "asked during a response");
    peer.send(&done("resp_1", "completed", said("resp_1", "First")));
    row.mock.expect("response.create", s(2)).await;
    peer.send(&created("resp_2"));
    peer.send(&done("resp_2", "completed", said("resp_2", "Second")));
    assert_heard(&row, &["First", "Second"]).await;
}

/// Two turns typed at once are confirmed in the other order: one request, after both.
#[tokio::test]
async fn two_quick_injects_confirmed_in_reverse_order() {
    // The mock's own confirmations come far too late.
    let mut row = row(Script { item_added_after: s(3_600), ..Script::default() }).await;
    let peer = row.mock.peer(1).await;
    row.client.inject("one").await;
    row.client.inject("two").await;
    let both = |journal: &Journal| {
        let items: Vec<Value> =
            journal.all("conversation.item.create").map(|(_, event)| event["item"].clone()).collect();
        (items.len() == 2).then_some(items)
    };
    let items = row.mock.wait_for("two items", s(2), both).await;
    for (position, requests) in [(1, 0), (0, 1)] {
        peer.send(&json!({"type": "conversation.item.added", "item": items[position]}));
        // A message upstream that follows the confirmation, so that what it brought is there as well.
        row.client.send_silence(480).await;
        let appends = 2 - position;
        let heard = |journal: &Journal| (journal.count("input_audio_buffer.append") >= appends).then_some(());
        row.mock.wait_for("an append", s(2), heard).await;
        tokio::time::sleep(ms(30)).await;
        assert_eq!(row.mock.count("response.create"), requests);
    }
    assert_heard(&row, &[REPLY]).await;
}

/// The client answers a call before its response, never announced, has ended, in one of three ways.
#[tokio::test]
async fn calls_answered_before_the_end_of_a_response_that_was_never_announced() {
    let ends: [fn(&Value) -> Vec<Step>; 3] = [
        |_| vec![after(40, frames::response_done())],
        |item| vec![after(40, frames::function_output_item("conversation.item.done", item))],
        |_| vec![after(20, frames::output_audio_done()), after(20, frames::response_done())],
    ];
    for end in ends {
        let mut row = row(Script::calling(end)).await;
        row.client.expect("FunctionCallRequest", s(2)).await;
        row.client.answer_call("noon").await;
        row.mock.expect("conversation.item.create", s(2)).await;
        let journal = assert_heard(&row, &[REPLY]).await;
        assert_eq!(journal.count("FunctionCallRequest"), 1, "{journal}");
        assert_eq!(row.mock.count("response.create"), 1);
    }
}

/// A response whose call is complete is cancelled: nothing is handed out.
#[tokio::test]
async fn an_announced_response_cancelled_after_its_call_was_complete() {
    let row = row(quiet()).await;
    let peer = row.mock.peer(1).await;
    peer.send(&created("resp_1"));
    let item = json!({"type": "response.output_item.done", "response_id": "resp_1", "output_index": 0,
        "item": call("call_a")});
    peer.send(&item);
    peer.send(&frames::speech_started());
    peer.send(&done("resp_1", "cancelled", json!([call("call_a")])));
    peer.send(&frames::speech_stopped());
    peer.send(&created("resp_2"));
    peer.send(&done("resp_2", "completed", said("resp_2", REPLY)));
    let journal = assert_heard(&row, &[REPLY]).await;
    assert_eq!(journal.count("FunctionCallRequest"), 0, "{journal}");
}

/// Three calls of one response, answered in another order: one request, after the last answer.
#[tokio::test]
async fn parallel_calls_answered_in_another_order() {
    let mut row = row(quiet()).await;
    let peer = row.mock.peer(1).await;
    let calls = ["call_a", "call_b", "call_c"];
    peer.send(&created("resp_1"));
    peer.send(&done("resp_1", "completed", calls.map(call).to_vec().into()));
    let request = row.client.expect("FunctionCallRequest", s(2)).await;
    assert_eq!(request["functions"].as_array().map(Vec::len), Some(3), "{request}");
    for id in ["call_c", "call_a", "call_b"] {
        assert_eq!(row.mock.count("response.create"), 0, "asked before {id} was answered");
        let answer = json!({"type": "FunctionCallResponse", "id": id, "name": FUNCTION, "content": id});
        row.client.send(&answer).await;
        let outputs = |journal: &Journal| {
            let mut items = journal.all("conversation.item.create");
            items.any(|(_, event)| event["item"]["call_id"] == id).then_some(())
        };
        row.mock.wait_for("the output", s(2), outputs).await;
    }
    row.mock.expect("response.create", s(2)).await;
    peer.send(&created("resp_2"));
    peer.send(&done("resp_2", "completed", said("resp_2", "All three")));
    assert_heard(&row, &["All three"]).await;
    assert_eq!(row.mock.count("response.create"), 1);
}

/// The user speaks before the response that we asked for is announced: our cancel goes up, and nothing of what
/// is announced after it is heard.
#[tokio::test]
async fn a_response_created_after_its_cancel() {
    let ours = "turn_detection = { type = \"server_vad\", interrupt_response = false }";
    let mut row = Row::connected_to(quiet(), |config| config.backend(ours)).await;
    row.client.open_with(&plain_settings()).await;
    let peer = row.mock.peer(1).await;
    row.client.inject("Hello").await;
    row.mock.expect("response.create", s(2)).await;
    peer.send(&frames::speech_started());
    row.mock.expect("response.cancel", s(2)).await;
    peer.send(&created("resp_late"));
    peer.send(&audio("resp_late", 4_800));
    peer.send(&done("resp_late", "cancelled", said("resp_late", "Never mind")));
    peer.send(&frames::speech_stopped());
    peer.send(&created("resp_vad"));
    peer.send(&audio("resp_vad", 480));
    peer.send(&done("resp_vad", "completed", said("resp_vad", REPLY)));
    let journal = assert_heard(&row, &[REPLY]).await;
    let heard: usize = journal
        .entries
        .iter()
        .map(|entry| match &entry.what {
            What::Binary(audio) => audio.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(heard, 480, "{journal}");
}

/// Settings twice before the first is confirmed: two `SettingsApplied`, one update.
#[tokio::test]
async fn settings_twice_before_the_first_is_confirmed() {
    let mut row = Row::connected(Script::late_session()).await;
    row.client.send(&plain_settings()).await;
    row.client.send(&plain_settings()).await;
    row.client.inject("Hello").await;
    let journal = assert_heard(&row, &[REPLY]).await;
    assert_eq!(journal.count("SettingsApplied"), 2, "{journal}");
    assert_eq!(row.mock.count("session.update"), 1);
    row.mock.assert_no_protocol_error();
}

/// The update is refused and the client tries again: one `Error`, one `SettingsApplied`, one answer.
#[tokio::test]
async fn session_update_refused() {
    let mut row = Row::connected(Script { session_updated_after: None, ..Script::default() }).await;
    let peer = row.mock.peer(1).await;
    row.client.send(&plain_settings()).await;
    row.client.inject("Hello").await;
    let ours = row.mock.expect("session.update", s(2)).await["event_id"].clone();
    let mut refusal = frames::error("unknown_parameter", "no such thing");
    refusal["error"]["event_id"] = ours;
    peer.send(&refusal);
    row.client.expect_error("unknown_parameter", s(2)).await;
    row.client.send(&plain_settings()).await;
    let twice = |journal: &Journal| (journal.count("session.update") == 2).then_some(());
    row.mock.wait_for("a second update", s(2), twice).await;
    peer.send(&frames::session_updated());
    row.client.expect_spoken("assistant", s(5)).await;
    let journal = row.client.journal();
    assert_eq!(journal.spoken_texts("assistant"), [REPLY], "{journal}");
    assert_eq!((journal.count("Error"), journal.count("SettingsApplied")), (1, 1), "{journal}");
}
