//! Each option of scripted trouble acts.

use serde_json::json;

use super::*;

/// A turn of text under some options, from the session's start to its quiet.
fn turn(options: &[(&str, &str)]) -> (Client, Vec<Value>) {
    let mut client = Client::new(options);
    client.send(update(text_session()));
    let mut events = client.wait(1000);
    client.send(user_text("hello"));
    events.extend(client.wait(1000));
    events.extend(client.ask(respond()));
    (client, events)
}

/// Simulated milliseconds until an event of a type comes.
fn ms_until(client: &mut Client, name: &str) -> u128 {
    let start = client.now;
    for _ in 0..10_000 {
        if !of_type(&client.events(), name).is_empty() {
            return (client.now - start).as_millis();
        }
        client.now += Duration::from_millis(1);
    }
    panic!("no {name}")
}

#[test]
fn delay_ms_delays_every_event() {
    let mut client = Client::new(&[("delay_ms", "30")]);
    assert_eq!(ms_until(&mut client, "session.created"), 30);
    client.send(update(text_session()));
    assert_eq!(ms_until(&mut client, "session.updated"), 30);
    client.send(json!({"type": "response.cancel"}));
    assert_eq!(ms_until(&mut client, "error"), 30);
}

#[test]
fn the_three_other_delays_delay_theirs() {
    let options = [("updated_delay_ms", "40"), ("item_added_delay_ms", "50"), ("response_delay_ms", "60")];
    let mut client = Client::new(&options);
    assert_eq!(ms_until(&mut client, "session.created"), 0);
    client.send(update(text_session()));
    assert_eq!(ms_until(&mut client, "session.updated"), 40);
    client.send(user_text("hello"));
    assert_eq!(ms_until(&mut client, "conversation.item.added"), 50);
    client.send(respond());
    assert_eq!(client.refused(respond()).0, "conversation_already_has_active_response");
    assert_eq!(ms_until(&mut client, "response.created"), 60);
}

#[test]
fn audio_speed_sets_the_pace() {
    let pace = |speed| {
        let mut client = Client::configured(&[("audio_speed", speed)], json!({"type": "realtime"}));
        client.send(respond());
        ms_until(&mut client, "response.done")
    };
    let (slow, fast) = (pace("1"), pace("10"));
    assert!(slow > 2000 && fast < slow / 8, "{slow} ms, {fast} ms");
}

#[test]
fn drop_never_sends_a_type() {
    let (_, events) = turn(&[("drop", "response.done,conversation.item.added")]);
    assert!(
        of_type(&events, "response.done").is_empty()
            && of_type(&events, "conversation.item.added").is_empty()
    );
    the(&events, "response.created");
}

#[test]
fn reorder_swaps_the_done_events_and_puts_the_transcript_last() {
    let input = json!({"transcription": {"model": "whisper-1"}});
    let mut client =
        Client::configured(&[("reorder", "true")], json!({"type": "realtime", "audio": {"input": input}}));
    client.speak(&[(true, 400), (false, 400)]);
    let events = client.wait(60_000);
    let order = types(&events);
    let at = |name: &str| order.iter().rposition(|found| found == name).expect(name);
    assert!(at("response.output_audio_transcript.done") < at("response.output_audio.done"));
    assert!(at("conversation.item.done") < at("response.output_item.done"));
    assert!(at("response.done") < at("conversation.item.input_audio_transcription.completed"));
}

#[test]
fn a_reordered_transcript_comes_without_a_response_too() {
    let input = json!({"transcription": {}, "turn_detection": null});
    let mut client =
        Client::configured(&[("reorder", "true")], json!({"type": "realtime", "audio": {"input": input}}));
    client.speak(&[(true, 400)]);
    the(
        &client.ask(json!({"type": "input_audio_buffer.commit"})),
        "conversation.item.input_audio_transcription.completed",
    );
}

#[test]
fn fail_and_incomplete_end_each_response() {
    let (_, events) = turn(&[("fail", "rate_limit_exceeded")]);
    let response = &the(&events, "response.done")["response"];
    assert_eq!((&response["status"], &response["output"]), (&json!("failed"), &json!([])));
    assert_eq!(response["status_details"]["error"]["code"], "rate_limit_exceeded");
    let (_, events) = turn(&[("incomplete", "content_filter")]);
    let response = &the(&events, "response.done")["response"];
    assert_eq!(response["status_details"], json!({"type": "incomplete", "reason": "content_filter"}));
    assert_eq!(response["output"][0]["status"], "incomplete");
    assert!(!of_type(&events, "response.output_text.delta").is_empty());
}

#[test]
fn error_on_refuses_a_type_of_event() {
    let mut client = Client::new(&[("error_on", "response.create:server_error")]);
    assert_eq!(client.refused(respond()).0, "server_error");
    assert_eq!(types(&client.ask(update(text_session()))), ["session.updated"]);
}

#[test]
fn close_after_counts_events() {
    let (client, events) = turn(&[("close_after", "3"), ("close_code", "4000")]);
    assert_eq!(types(&events), ["session.created", "session.updated", "conversation.item.added"]);
    assert_eq!(client.closed, Some(4000));
}

#[test]
fn silent_says_nothing() {
    let (client, events) = turn(&[("silent", "true")]);
    assert_eq!((events, client.closed), (Vec::new(), None));
}

#[test]
fn beta_names_are_the_old_ones() {
    let mut client = Client::configured(&[("beta_names", "true")], json!({"type": "realtime"}));
    client.send(user_text("hello"));
    let events = client.ask(respond());
    for name in [
        "conversation.item.created",
        "response.audio.delta",
        "response.audio_transcript.done",
        "response.audio.done",
    ] {
        assert!(!of_type(&events, name).is_empty(), "{name}");
    }
    assert!(
        types(&events).iter().all(|name| !name.contains("output_audio") && name != "conversation.item.added")
    );
    let (_, events) = turn(&[("beta_names", "true")]);
    the(&events, "response.text.done");
}

#[test]
fn without_announcement_the_outputs_come_alone() {
    let (mut client, events) = turn(&[("announce", "false")]);
    the(&events, "response.output_text.done");
    assert!(of_type(&events, "response.created").is_empty() && of_type(&events, "response.done").is_empty());
    the(&client.ask(respond()), "response.output_text.done");
}

#[test]
fn sessions_expire_as_told() {
    let mut client = Client::new(&[("expires_in_s", "60")]);
    assert_eq!(client.events()[0]["session"]["expires_at"], 1_790_000_060);
    assert_eq!(client.wait(59_999), Vec::<Value>::new());
    assert_eq!(the(&client.wait(1), "error")["error"]["code"], "session_expired");
    assert_eq!(client.closed, Some(1001));
    let mut client = Client::new(&[("session_expired_after_ms", "500")]);
    assert_eq!(client.events()[0]["session"]["expires_at"], 1_790_003_600);
    assert_eq!(ms_until(&mut client, "error"), 500);
}

#[test]
fn transcript_is_what_speech_says() {
    let input = json!({"transcription": {}, "turn_detection": null});
    let options = [("transcript", "Good morning")];
    let mut client = Client::configured(&options, json!({"type": "realtime", "audio": {"input": input}}));
    client.speak(&[(true, 400)]);
    client.send(json!({"type": "input_audio_buffer.commit"}));
    let events = client.ask(respond());
    assert_eq!(
        the(&events, "conversation.item.input_audio_transcription.completed")["transcript"],
        "Good morning"
    );
    let reply = &the(&events, "response.output_audio_transcript.done")["transcript"];
    assert_eq!(reply, "I heard you. You said: Good morning");
}
