//! Random audio in random pieces, and random clients: nothing panics, nothing depends on how audio was cut, and the
//! numbers add up.

use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::json;

use super::*;

fn any_sound() -> impl Strategy<Value = Vec<(bool, usize)>> {
    prop::collection::vec((prop::bool::ANY, 1..1500_usize), 1..8)
}

fn any_parameters() -> impl Strategy<Value = String> {
    let endpointing = prop_oneof!["endpointing=(false|10|300|1500)", "punctuate=true"];
    (endpointing, prop::bool::ANY).prop_map(|(endpointing, is_interim)| {
        let interim = if is_interim { "&interim_results=true&utterance_end_ms=1000" } else { "" };
        format!("model=nova-3&{PCM}&vad_events=true&{endpointing}{interim}")
    })
}

/// Something that a client may send.
#[derive(Clone, Debug)]
enum Sent {
    Text(String),
    Sound(bool, usize),
    Bytes(Vec<u8>),
}

fn any_sent() -> impl Strategy<Value = (Sent, u64)> {
    let known = prop_oneof!["KeepAlive", "Finalize", "ForceEndTurn", "Configure"]
        .prop_map(|name| Sent::Text(json!({"type": name}).to_string()));
    let sent = prop_oneof![
        8 => (prop::bool::ANY, 0..900_usize).prop_map(|(is_loud, ms)| Sent::Sound(is_loud, ms)),
        4 => known,
        1 => "\\PC{0,20}".prop_map(Sent::Text),
        1 => "[{}\":,a-zA-Z\\[\\]0-9]{0,30}".prop_map(Sent::Text),
        2 => prop::collection::vec(0..=255_u8, 0..50).prop_map(Sent::Bytes),
    ];
    (sent, 0..4000_u64)
}

fn play<S: Session>(client: &mut Client<S>, script: Vec<(Sent, u64)>) {
    for (sent, ms) in script {
        match sent {
            Sent::Text(text) => client.text(&text),
            Sent::Sound(is_loud, ms) => client.binary(&pcm(&[(is_loud, ms)])),
            Sent::Bytes(bytes) => client.binary(&bytes),
        }
        client.wait(ms);
    }
}

fn numbers(message: &Value) -> (f64, f64) {
    let number = |name: &str| message[name].as_f64().expect("a number");
    (number("start"), number("start") + number("duration"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn how_audio_is_cut_changes_nothing(
        parameters in any_parameters(), sound in any_sound(), cuts in prop::collection::vec(1..5000_usize, 1..40)
    ) {
        let audio = pcm(&sound);
        let told = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut v1 = Client::v1(&parameters, &[]);
            let mut v2 = Client::v2(&format!("model=flux-general-en&{PCM}&eager_eot_threshold=0.4"), &[]);
            for piece in pieces {
                v1.binary(piece);
                v2.binary(piece);
            }
            v1.text(r#"{"type":"CloseStream"}"#);
            v2.text(r#"{"type":"CloseStream"}"#);
            (v1.messages, v2.messages)
        };
        let whole = told(&mut std::iter::once(audio.as_slice()));
        let mut rest = audio.as_slice();
        let mut lengths = cuts.iter().cycle();
        let mut pieces = std::iter::from_fn(|| {
            let (piece, after) = rest.split_at_checked(*lengths.next()?).unwrap_or((rest, &[]));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(told(&mut pieces), whole);
    }

    #[test]
    fn final_results_cover_the_stream(
        parameters in any_parameters(), script in prop::collection::vec(any_sent(), 1..30)
    ) {
        let mut client = Client::v1(&parameters, &[]);
        play(&mut client, script);
        client.text(r#"{"type":"CloseStream"}"#);
        let (mut end, mut words_end) = (0.0, 0.0);
        for message in &client.messages {
            if message["type"] == "Results" && message["is_final"] == true {
                let (from, to) = numbers(message);
                prop_assert!((from - end).abs() < 1e-6 && to > from, "{message} after {end}");
                for word in message["channel"]["alternatives"][0]["words"].as_array().expect("words") {
                    let (start, stop) = (word["start"].as_f64().expect("a start"), word["end"].as_f64().expect("an end"));
                    prop_assert!(start >= words_end && stop >= start, "{message}");
                    prop_assert!(start + 1e-6 >= from && stop <= to + 1e-6, "{message}");
                    words_end = stop;
                }
                end = to;
            } else if message["type"] == "Results" {
                let (from, to) = numbers(message);
                prop_assert!((from - end).abs() < 1e-6 && to > from, "{message} after {end}");
            } else if message["type"] == "UtteranceEnd" {
                prop_assert_eq!(message["last_word_end"].as_f64(), Some(words_end));
            } else if message["type"] == "Metadata" {
                let duration = message["duration"].as_f64().expect("a duration");
                prop_assert!((duration - end).abs() < 1e-6, "{message} after {end}");
            }
        }
    }

    #[test]
    fn turns_keep_their_order_and_numbers(
        is_eager in prop::bool::ANY, script in prop::collection::vec(any_sent(), 1..30)
    ) {
        let eager = if is_eager { "&eager_eot_threshold=0.3" } else { "" };
        let mut client = Client::v2(&format!("model=flux-general-en&{PCM}{eager}"), &[]);
        play(&mut client, script);
        let (mut before, mut turn, mut transcript, mut from) = ("EndOfTurn".to_owned(), 0, Value::Null, json!(0.0));
        for (number, message) in client.messages.iter().enumerate() {
            prop_assert_eq!(&message["sequence_id"], number);
            if message["type"] != "TurnInfo" {
                continue;
            }
            let event = message["event"].as_str().expect("an event");
            let may_follow: &[&str] = match event {
                "StartOfTurn" => &["EndOfTurn"],
                "Update" | "EagerEndOfTurn" => &["StartOfTurn", "Update", "TurnResumed"],
                "TurnResumed" => &["EagerEndOfTurn"],
                _ => &["StartOfTurn", "Update", "TurnResumed", "EagerEndOfTurn"],
            };
            prop_assert!(may_follow.contains(&before.as_str()), "{event} after {before}");
            prop_assert!(is_eager || !["EagerEndOfTurn", "TurnResumed"].contains(&event));
            prop_assert_eq!(&message["turn_index"], turn);
            prop_assert_eq!(&message["audio_window_start"], &from);
            let mut word_end = from.as_f64().expect("a start");
            for word in message["words"].as_array().expect("words") {
                let (start, stop) = (word["start"].as_f64(), word["end"].as_f64().expect("an end"));
                prop_assert!(start >= Some(word_end) && Some(stop) >= start, "{message}");
                word_end = stop;
            }
            prop_assert!(message["audio_window_end"].as_f64() >= Some(word_end), "{message}");
            if before == "EagerEndOfTurn" && event == "EndOfTurn" {
                prop_assert_eq!(&message["transcript"], &transcript);
            }
            if event == "EndOfTurn" {
                turn += 1;
                from = message["audio_window_end"].clone();
            }
            transcript = message["transcript"].clone();
            before = event.to_owned();
        }
    }
}
