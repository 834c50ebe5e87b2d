//! Spoken input: detection, commits, transcripts, interruption, idle time.

use serde_json::{Value, json};

use super::*;

fn listening(turn_detection: Value) -> Client {
    let input = json!({"turn_detection": turn_detection, "transcription": {"model": "whisper-1"}});
    Client::configured(&[], json!({"type": "realtime", "audio": {"input": input}}))
}

const SENTENCE: [(bool, usize); 3] = [(false, 500), (true, 400), (false, 500)];

#[test]
fn a_spoken_turn_in_one_append_has_the_order_of_the_real_service() {
    let mut client = listening(json!({"type": "server_vad"}));
    client.speak(&SENTENCE);
    let events = client.wait(60_000);
    let order = types(&events);
    let expected = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ];
    assert_eq!(order[..6], expected);
    let started = the(&events, "input_audio_buffer.speech_started");
    let stopped = the(&events, "input_audio_buffer.speech_stopped");
    assert_eq!((&started["audio_start_ms"], &stopped["audio_end_ms"]), (&json!(200), &json!(1100)));
    let item_id = &the(&events, "input_audio_buffer.committed")["item_id"];
    assert_eq!((item_id, item_id), (&started["item_id"], &stopped["item_id"]));
    let completed = the(&events, "conversation.item.input_audio_transcription.completed");
    assert_eq!((&completed["item_id"], &completed["transcript"]), (item_id, &json!("What time is it?")));
    assert_eq!(completed["usage"], json!({"type": "duration", "seconds": 0.9}));
    let deltas = of_type(&events, "conversation.item.input_audio_transcription.delta");
    assert_eq!(
        deltas.iter().filter_map(|event| event["delta"].as_str()).collect::<String>(),
        "What time is it?"
    );
    assert_eq!(the(&events, "response.done")["response"]["status"], "completed");
}

#[test]
fn the_shipped_question_is_one_turn() {
    let wav = hound::WavReader::open("tests/audio/question.wav").expect("the question is shipped");
    assert_eq!((wav.spec().sample_rate, wav.spec().channels), (16_000, 1));
    let samples = wav.into_samples::<i16>().map(|sample| sample.expect("16 bit")).collect::<Vec<_>>();
    // Three samples for two: enough of a resampler for a detector of energy.
    let bytes =
        (0..samples.len() * 3 / 2).flat_map(|index| samples[index * 2 / 3].to_le_bytes()).collect::<Vec<_>>();
    let mut client = listening(json!({"type": "server_vad"}));
    for chunk in bytes.chunks(960) {
        let audio = base64_simd::STANDARD.encode_to_string(chunk);
        client.send(json!({"type": "input_audio_buffer.append", "audio": audio}));
    }
    let events = client.wait(60_000);
    the(&events, "input_audio_buffer.speech_started");
    the(&events, "input_audio_buffer.committed");
    the(&events, "response.done");
}

#[test]
fn speech_interrupts_a_response_if_it_may() {
    let mut client = listening(json!({"type": "server_vad"}));
    client.speak(&SENTENCE);
    client.wait(100);
    client.speak(&[(true, 400)]);
    let events = client.events();
    let order = types(&events);
    assert_eq!(order.first().map(String::as_str), Some("input_audio_buffer.speech_started"));
    assert_eq!(order.last().map(String::as_str), Some("response.done"));
    let response = &the(&events, "response.done")["response"];
    assert_eq!(response["status_details"], json!({"type": "cancelled", "reason": "turn_detected"}));
    assert_eq!(response["output"][0]["status"], "incomplete");
    client.speak(&[(false, 300)]);
    assert_eq!(the(&client.wait(60_000), "response.done")["response"]["status"], "completed");
}

#[test]
fn an_answer_waits_for_a_response_that_may_not_be_interrupted() {
    let mut client = listening(json!({"type": "server_vad", "interrupt_response": false}));
    client.speak(&SENTENCE);
    let mut events = client.wait(100);
    client.speak(&SENTENCE);
    events.extend(client.wait(60_000));
    let order = types(&events);
    let responses = order
        .iter()
        .filter(|name| ["response.created", "response.done"].contains(&name.as_str()))
        .collect::<Vec<_>>();
    assert_eq!(responses, ["response.created", "response.done", "response.created", "response.done"]);
    assert_eq!(of_type(&events, "input_audio_buffer.committed").len(), 2);
}

#[test]
fn without_create_response_it_only_listens() {
    for turns in [
        json!({"type": "server_vad", "create_response": false}),
        json!({"type": "semantic_vad", "eagerness": "high", "create_response": false}),
    ] {
        let mut client = listening(turns);
        client.speak(&SENTENCE);
        let events = client.wait(60_000);
        the(&events, "conversation.item.input_audio_transcription.completed");
        assert!(of_type(&events, "response.created").is_empty());
    }
}

#[test]
fn configured_silence_and_padding_count() {
    let turns = json!({"type": "server_vad", "silence_duration_ms": 400, "prefix_padding_ms": 100});
    let mut client = listening(turns);
    client.speak(&SENTENCE);
    let events = client.wait(1);
    assert_eq!(the(&events, "input_audio_buffer.speech_started")["audio_start_ms"], 400);
    assert_eq!(the(&events, "input_audio_buffer.speech_stopped")["audio_end_ms"], 1300);
}

#[test]
fn manual_turns_commit_and_respond_when_told() {
    let mut client = listening(Value::Null);
    client.speak(&SENTENCE);
    assert_eq!(client.wait(1000), Vec::<Value>::new());
    let events = client.ask(json!({"type": "input_audio_buffer.commit"}));
    assert_eq!(
        types(&events)[..3],
        ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    );
    the(&events, "conversation.item.input_audio_transcription.completed");
    assert_eq!(
        client.refused(json!({"type": "input_audio_buffer.commit"})).0,
        "input_audio_buffer_commit_empty"
    );
    client.speak(&[(true, 200)]);
    assert_eq!(
        types(&client.ask(json!({"type": "input_audio_buffer.clear"}))),
        ["input_audio_buffer.cleared"]
    );
    assert_eq!(
        client.refused(json!({"type": "input_audio_buffer.commit"})).0,
        "input_audio_buffer_commit_empty"
    );
}

#[test]
fn silence_is_transcribed_as_nothing() {
    let mut client = listening(Value::Null);
    client.speak(&[(false, 200)]);
    let events = client.ask(json!({"type": "input_audio_buffer.commit"}));
    assert_eq!(the(&events, "conversation.item.input_audio_transcription.completed")["transcript"], "");
}

#[test]
fn g711_input_is_heard() {
    let input = json!({"format": {"type": "audio/pcmu"}});
    let mut client = Client::configured(&[], json!({"type": "realtime", "audio": {"input": input}}));
    let loud = [0x10u8, 0x90].repeat(1600);
    let audio = base64_simd::STANDARD.encode_to_string([vec![0xff; 4000], loud, vec![0xff; 4000]].concat());
    client.send(json!({"type": "input_audio_buffer.append", "audio": audio}));
    let events = client.wait(60_000);
    assert_eq!(the(&events, "input_audio_buffer.speech_started")["audio_start_ms"], 200);
    the(&events, "response.done");
}

#[test]
fn after_idle_time_the_model_speaks_first() {
    let mut client = listening(json!({"type": "server_vad", "idle_timeout_ms": 5000}));
    client.speak(&SENTENCE);
    let mut events = client.events();
    while of_type(&events, "response.done").is_empty() {
        events.extend(client.wait(1));
    }
    let played = audio_of(&events).len() as u64 / 48;
    assert!(of_type(&client.wait(played + 4900), "input_audio_buffer.timeout_triggered").is_empty());
    let events = client.wait(200);
    let order =
        ["input_audio_buffer.timeout_triggered", "input_audio_buffer.committed", "conversation.item.added"];
    assert_eq!(types(&events)[..3], order);
    let events = client.wait(4000);
    let transcript = &the(&events, "response.output_audio_transcript.done")["transcript"];
    assert_eq!(transcript, "Are you still there?");
}

#[test]
fn a_transcription_session_transcribes_and_makes_no_responses() {
    let mut client = Client::of_kind(Kind::Transcription, &[]);
    assert_eq!(
        the(&client.events(), "session.created")["session"]["object"],
        "realtime.transcription_session"
    );
    let input = json!({"transcription": {"model": "gpt-4o-transcribe"}});
    client.ask(update(json!({"type": "transcription", "audio": {"input": input}})));
    client.speak(&SENTENCE);
    let events = client.wait(1000);
    the(&events, "conversation.item.input_audio_transcription.completed");
    assert!(of_type(&events, "response.created").is_empty());
    assert_eq!(client.refused(respond()).0, "invalid_event");
}
