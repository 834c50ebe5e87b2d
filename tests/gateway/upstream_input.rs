//! What an upstream should not send, or sends in an unusual shape: the session goes on, and audio
//! arrives byte for byte.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;
use uuid::Uuid;

use crate::peers::frames;
use crate::peers::journal::{Journal, What};
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::{fragments, s};

/// The largest audio frame to a client of a translated backend, in bytes.
const LARGEST_AUDIO: usize = 256 * 1024;

/// A message of upstream after the opening, and the turn after it. What the client had by its end.
async fn survived(messages: Vec<Message>) -> Journal {
    let mut row = Row::opened(Script::default()).await;
    let peer = row.mock.peer(1).await;
    messages.into_iter().for_each(|message| peer.send_message(message));
    row.client.assert_goes_on().await;
    row.client.journal()
}

fn text(event: &Value) -> Message {
    Message::text(event.to_string())
}

#[tokio::test]
async fn text_that_is_not_json() {
    let journal = survived(vec![Message::text("{\"type\":\"response.done\"")]).await;
    let error = journal.first("Error").expect("the client is told");
    assert_eq!(error["code"], "unmapped_upstream_event");
}

#[tokio::test]
async fn an_event_that_is_unknown() {
    let journal = survived(vec![text(&json!({"type": "response.hologram.delta", "delta": "?"}))]).await;
    journal.assert_no_error();
}

/// Nobody is told of these, so the connection's last line of log counts them.
#[tokio::test]
async fn what_nobody_is_told_of_is_counted() {
    let mut row = Row::opened(Script::default()).await;
    let peer = row.mock.peer(1).await;
    peer.send(&json!({"type": "response.hologram.delta", "delta": "?"}));
    peer.send(&json!({"type": "response.hologram.done"}));
    peer.send(&frames::error("response_cancel_not_active", "nothing to cancel"));
    row.gateway.expect_lost_races(1);
    peer.send(&frames::error("conversation_already_has_active_response", "one runs"));
    row.client.assert_goes_on().await;
    row.client.journal().assert_no_error();
    row.client.close(1000, "").await;
    let counts = " unknown_events=2 lost_cancels=1 lost_races=1 ";
    row.gateway.expect_log(&["session ended cause=client_closed", counts], s(5)).await;
    let unknown = [" WARN ", "unknown event dir=upstream type=response.hologram.delta"];
    row.gateway.expect_log(&unknown, s(1)).await;

    let mut quiet = row.gateway.connect().await;
    quiet.open_s().await;
    quiet.close(1001, "").await;
    row.gateway.expect_log(&["session ended cause=client_closed", "1001"], s(5)).await;
    let log = row.gateway.log();
    let last = log.lines().find(|line| line.contains("session ended") && line.contains("1001"));
    assert!(last.is_some_and(|line| !line.contains("unknown_events=")), "{last:?}");
}

#[tokio::test]
async fn known_events_with_fields_of_the_wrong_type() {
    let events = [
        json!({"type": "response.output_audio.delta", "delta": 42}),
        json!({"type": "response.output_audio.delta", "delta": "not base64!"}),
        json!({"type": "response.output_text.delta", "delta": {"text": "?"}}),
        json!({"type": "conversation.item.added", "item": [1, 2]}),
        json!({"type": "conversation.item.done", "item": {"id": 7, "type": "message", "role": null}}),
        json!({"type": "conversation.item.input_audio_transcription.delta", "item_id": 1, "delta": []}),
        json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": "soon", "channel": {}}),
        json!({"type": "response.function_call_arguments.done", "call_id": 1, "name": [], "arguments": {}}),
        json!({"type": "rate_limits.updated", "rate_limits": "none"}),
        json!({"type": "error", "error": "out of order"}),
        json!({"type": "session.updated", "session": "yes"}),
    ];
    survived(events.iter().map(text).collect()).await;
}

#[tokio::test]
async fn a_binary_frame() {
    survived(vec![Message::binary(vec![0x7b; 500])]).await;
}

#[tokio::test]
async fn json_that_is_no_object() {
    survived(["[1,2,3]", "null", "\"response.done\"", "{}"].map(Message::text).into()).await;
}

/// Bytes without a pattern.
fn noise(length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| Uuid::new_v4().into_bytes()).flatten().take(length).collect()
}

/// Sends audio deltas after the opening; the binary frames that reached the client, once they are all there.
async fn delivered(deltas: &[&[u8]], send: impl Fn(Value) -> Vec<Message>) -> Vec<Vec<u8>> {
    let row = Row::opened(Script::default()).await;
    let peer = row.mock.peer(1).await;
    for delta in deltas {
        send(frames::output_audio_delta(delta)).into_iter().for_each(|message| peer.send_message(message));
    }
    peer.send(&frames::output_audio_done());
    row.client.expect("AgentAudioDone", s(10)).await;
    let journal = row.client.journal();
    for entry in &journal.entries {
        match &entry.what {
            What::Json(value) => assert!(value["type"].is_string(), "{journal}"),
            What::Binary(bytes) => assert!(!bytes.is_empty(), "{journal}"),
            What::Text(_) | What::Closed { .. } | What::Gone(_) => {
                panic!("neither audio nor JSON:\n{journal}")
            }
        }
    }
    let end = journal.position("AgentAudioDone").expect("just seen");
    assert!(journal.binaries().all(|(index, _)| index < end), "{journal}");
    journal.binaries().map(|(_, bytes)| bytes.to_vec()).collect()
}

fn assert_whole(frames: &[Vec<u8>], audio: &[u8]) {
    let sizes: Vec<_> = frames.iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| *size <= LARGEST_AUDIO), "{sizes:?}");
    assert!(frames.concat() == audio, "the audio differs; frames of {sizes:?}");
}

#[tokio::test]
async fn a_large_audio_delta_arrives_whole() {
    let audio = noise(300 * 1024);
    assert_whole(&delivered(&[&audio], |event| vec![text(&event)]).await, &audio);
}

#[tokio::test]
async fn a_large_audio_delta_in_fragments_arrives_whole() {
    let audio = noise(300 * 1024);
    let in_pieces = |event: Value| fragments(Data::Text, event.to_string().as_bytes(), 10_000);
    assert_whole(&delivered(&[&audio], in_pieces).await, &audio);
}

#[tokio::test]
async fn odd_sized_audio_deltas_arrive_in_order() {
    let audio = noise(1 + 3 + 4_801 + 999 + 2 + 20_000);
    let mut rest = audio.as_slice();
    let mut deltas = Vec::new();
    for size in [1, 3, 4_801, 999, 2, 20_000] {
        let (delta, after) = rest.split_at(size);
        deltas.push(delta);
        rest = after;
    }
    assert_whole(&delivered(&deltas, |event| vec![text(&event)]).await, &audio);
}
