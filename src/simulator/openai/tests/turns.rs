//! Text and audio turns, items, and the life of a response.

use serde_json::{Value, json};

use super::*;

#[test]
fn the_session_introduces_itself_in_full() {
    let events = Client::new(&[]).events();
    let session = &the(&events, "session.created")["session"];
    assert_eq!(session["id"], "sess_0123456789abcdef0123456789abcdef");
    assert_eq!(session["expires_at"], 1_790_003_600);
    assert_eq!(session["model"], "gpt-realtime");
    assert_eq!(session["audio"]["input"]["turn_detection"]["type"], "server_vad");
    assert_eq!(session["audio"]["output"]["format"], json!({"type": "audio/pcm", "rate": 24000}));
}

#[test]
fn a_text_turn_has_the_order_of_the_real_service() {
    let mut client = Client::configured(&[], text_session());
    client.send(user_text("Hi"));
    let events = client.ask(respond());
    let mut order = types(&events);
    order.dedup();
    let expected = [
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ];
    assert_eq!(order, expected);
    let text = the(&events, "response.output_text.done")["text"].as_str().expect("a text").to_owned();
    let deltas: String =
        of_type(&events, "response.output_text.delta").iter().filter_map(|e| e["delta"].as_str()).collect();
    assert_eq!(deltas, text);
    let response = &the(&events, "response.done")["response"];
    assert_eq!(response["status"], "completed");
    assert_eq!(response["output"][0]["content"][0], json!({"type": "output_text", "text": text}));
    let usage = &response["usage"];
    let sum =
        usage["input_tokens"].as_u64().expect("a count") + usage["output_tokens"].as_u64().expect("a count");
    assert_eq!(usage["total_tokens"], sum);
    assert!(usage["output_token_details"]["text_tokens"].as_u64().is_some_and(|tokens| tokens > 10));
    let mut ids = events.iter().map(|event| event["event_id"].as_str().expect("an id")).collect::<Vec<_>>();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), events.len());
}

#[test]
fn an_audio_turn_speaks_what_it_writes_faster_than_real_time() {
    let mut client = Client::configured(&[], json!({"type": "realtime"}));
    client.send(user_text("hello"));
    client.send(respond());
    let started = client.now;
    let mut events = client.events();
    while of_type(&events, "response.done").is_empty() {
        events.extend(client.wait(1));
    }
    let took = (client.now - started).as_millis() as usize;
    let audio_ms = audio_of(&events).len() / 48;
    assert!(audio_ms > 3000 && took < audio_ms / 7 && took > audio_ms / 9, "{audio_ms} ms in {took} ms");
    let order = types(&events);
    let at = |name: &str| order.iter().position(|found| found == name).expect(name);
    assert!(at("response.output_audio_transcript.delta") < at("response.output_audio.delta"));
    assert!(at("response.output_audio.done") < at("response.output_audio_transcript.done"));
    assert!(at("response.output_audio_transcript.done") < at("response.content_part.done"));
    assert!(at("response.output_item.done") < at("response.done"));
    let last_delta =
        order.iter().rposition(|name| name == "response.output_audio_transcript.delta").expect("deltas");
    assert!(last_delta > at("response.output_audio.delta"), "transcript and audio interleave");
    let transcript = the(&events, "response.output_audio_transcript.done")["transcript"].clone();
    assert_eq!(transcript, "Hello. This is the voxbridge simulator speaking. How can I help you?");
}

#[test]
fn g711_output_is_as_long_at_an_eighth_of_the_bytes() {
    let lengths = ["audio/pcm", "audio/pcmu", "audio/pcma"].map(|format| {
        let output = json!({"format": {"type": format}});
        let mut client = Client::configured(&[], json!({"type": "realtime", "audio": {"output": output}}));
        client.send(user_text("hello"));
        audio_of(&client.ask(respond())).len()
    });
    assert!(lengths[0] / 6 - lengths[1] < 20, "{lengths:?}");
    assert_eq!(lengths[1], lengths[2]);
}

#[test]
fn a_cancelled_response_closes_what_is_open() {
    let mut client = Client::configured(&[], json!({"type": "realtime"}));
    client.send(user_text("hello"));
    client.send(respond());
    let before = client.wait(100);
    client.send(json!({"type": "response.cancel"}));
    let events = client.wait(60_000);
    let expected = [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ];
    assert_eq!(types(&events), expected);
    let response = &the(&events, "response.done")["response"];
    assert_eq!(response["status"], "cancelled");
    assert_eq!(response["status_details"], json!({"type": "cancelled", "reason": "client_cancelled"}));
    assert_eq!(response["output"][0]["status"], "incomplete");
    let said: String = of_type(&before, "response.output_audio_transcript.delta")
        .iter()
        .filter_map(|e| e["delta"].as_str())
        .collect();
    assert_eq!(response["output"][0]["content"][0]["transcript"], said);
}

#[test]
fn truncation_is_held_to_the_audio_that_was_sent() {
    let mut client = Client::configured(&[], json!({"type": "realtime"}));
    client.send(user_text("hello"));
    client.send(respond());
    let events = client.wait(100);
    client.send(json!({"type": "response.cancel"}));
    client.wait(1);
    let ms = audio_of(&events).len() / 48;
    let item_id = the(&events, "response.output_item.added")["item"]["id"].clone();
    let cut = |ms: usize| json!({"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": ms});
    assert_eq!(client.refused(cut(ms + 1)), ("invalid_value".to_owned(), json!("audio_end_ms")));
    the(&client.ask(cut(ms)), "conversation.item.truncated");
    let truncated = client.ask(cut(ms / 2));
    let echo = the(&truncated, "conversation.item.truncated");
    assert_eq!(
        (&echo["item_id"], &echo["audio_end_ms"], &echo["content_index"]),
        (&item_id, &json!(ms / 2), &json!(0))
    );
    assert_eq!(client.refused(cut(ms / 2 + 1)).0, "invalid_value");
}

#[test]
fn items_are_retrieved_and_deleted() {
    let mut client = Client::configured(&[], text_session());
    let audio = base64_simd::STANDARD.encode_to_string([1, 2, 3, 4]);
    let item = json!({"id": "mine", "type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}]});
    let added = client.ask(json!({"type": "conversation.item.create", "item": item}));
    assert_eq!(
        the(&added, "conversation.item.added")["item"]["content"],
        json!([{"type": "input_audio", "transcript": null}])
    );
    let retrieved = client.ask(json!({"type": "conversation.item.retrieve", "item_id": "mine"}));
    assert_eq!(the(&retrieved, "conversation.item.retrieved")["item"]["content"][0]["audio"], audio);
    let delete = json!({"type": "conversation.item.delete", "item_id": "mine"});
    assert_eq!(the(&client.ask(delete.clone()), "conversation.item.deleted")["item_id"], "mine");
    assert_eq!(client.refused(delete).0, "item_delete_invalid_item_id");
}

#[test]
fn out_of_band_responses_run_beside_and_leave_no_trace() {
    let mut client = Client::configured(&[], text_session());
    client.send(user_text("hello"));
    client.send(respond());
    let fields = json!({"conversation": "none", "metadata": {"topic": "side"}, "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "apples"}]}]});
    let events = client.ask(json!({"type": "response.create", "response": fields}));
    let done = of_type(&events, "response.done");
    let side =
        done.iter().find(|event| event["response"]["conversation_id"].is_null()).expect("the side response");
    assert_eq!(side["response"]["metadata"]["topic"], "side");
    assert_eq!(side["response"]["output"][0]["content"][0]["text"], "I heard you. You said: apples");
    assert_eq!(done.len(), 2);
    assert_eq!(
        of_type(&events, "conversation.item.done").len(),
        2,
        "one of the user, one of the main response"
    );
}

#[test]
fn a_response_may_override_the_session() {
    let mut client = Client::configured(&[], json!({"type": "realtime", "tools": []}));
    let fields = json!({"output_modalities": ["text"], "instructions": "Say this word for word: Good day."});
    let events = client.ask(json!({"type": "response.create", "response": fields}));
    assert_eq!(the(&events, "response.output_text.done")["text"], "Good day.");
    let short = json!({"output_modalities": ["text"], "max_output_tokens": 1, "instructions": "Say exactly: far too long"});
    let events = client.ask(json!({"type": "response.create", "response": short}));
    let response: &Value = &the(&events, "response.done")["response"];
    assert_eq!(response["status_details"], json!({"type": "incomplete", "reason": "max_output_tokens"}));
}
