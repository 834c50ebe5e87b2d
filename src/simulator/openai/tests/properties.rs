//! Random clients: nothing panics, and every response that begins ends before the next.

use proptest::prelude::{ProptestConfig, Strategy, prop, prop_oneof, proptest};
use serde_json::{Value, json};

use super::*;

fn any_event() -> impl Strategy<Value = (String, u64)> {
    let ids = prop_oneof!["[a-c]", "item_[0-9]{4}", "\\PC{0,8}"];
    let audio = (0..3u8, 1..40usize).prop_map(|(kind, size)| {
        let sound = [(kind == 0, size * 20), (kind == 1, size * 10)];
        json!({"type": "input_audio_buffer.append", "audio": base64_simd::STANDARD.encode_to_string(pcm(&sound))}).to_string()
    });
    let on_item = (ids, 0..2000u64, 0..4u8).prop_map(|(id, ms, kind)| {
        match kind {
            0 => json!({"type": "conversation.item.delete", "item_id": id}),
            1 => json!({"type": "conversation.item.truncate", "item_id": id, "content_index": 0, "audio_end_ms": ms}),
            2 => json!({"type": "conversation.item.retrieve", "item_id": id}),
            _ => json!({"type": "conversation.item.create", "item": {"id": id, "type": "message", "role": "user",
                "content": [{"type": "input_text", "text": id}]}}),
        }
        .to_string()
    });
    let bare = prop_oneof![
        "response.create",
        "response.cancel",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear"
    ]
    .prop_map(|name| json!({"type": name}).to_string());
    let modes = prop_oneof!["server_vad", "semantic_vad", "off"].prop_map(|kind| {
        let turns = if kind == "off" { Value::Null } else { json!({"type": kind}) };
        update(json!({"type": "realtime", "audio": {"input": {"turn_detection": turns}}})).to_string()
    });
    (prop_oneof![audio, on_item, bare, modes, "\\PC{0,40}"], 0..300u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_comes_each_response_runs_alone_and_ends(script in prop::collection::vec(any_event(), 1..40)) {
        let mut client = Client::configured(&[], json!({"type": "realtime"}));
        let mut events = Vec::new();
        for (frame, ms) in script {
            client.session.text(&frame, client.now);
            events.extend(client.wait(ms));
        }
        events.extend(client.wait(60_000));
        let mut running = Value::Null;
        for event in events {
            if event["type"] == "response.created" {
                assert_eq!(running, Value::Null);
                running = event["response"]["id"].clone();
            } else if event["type"] == "response.done" {
                assert_eq!(running, event["response"]["id"]);
                running = Value::Null;
            }
        }
        assert_eq!(running, Value::Null);
    }
}
