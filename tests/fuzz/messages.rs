//! The JSON of both legs: what is read can be written and read again, what is refused is refused in few words, and
//! neither takes memory out of proportion. What Settings come to can be carried out.

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use voxbridge::config::{Backend, Config};
use voxbridge::protocol::DecodeError;
use voxbridge::protocol::agent::{ClientMessage, ServerMessage};
use voxbridge::protocol::realtime::{AudioDelta, Decoded, ServerEvent};
use voxbridge::translate::audio::Transcoder;
use voxbridge::translate::beta;
use voxbridge::translate::settings::translate;
use voxbridge::translate::updates::{update_listen, update_prompt, update_speak, update_think};

use crate::json::Corpus;
use crate::runner::{Fuzzer, within};

pub(crate) const CLIENT: [&str; 2] = [
    include_str!("../../src/protocol/agent/fixtures/client.jsonl"),
    include_str!("../../src/protocol/agent/fixtures/unknown.jsonl"),
];
pub(crate) const SERVER: [&str; 1] = [include_str!("../../src/protocol/agent/fixtures/server.jsonl")];
pub(crate) const UPSTREAM: [&str; 2] = [
    include_str!("../../src/protocol/realtime/fixtures/server.jsonl"),
    include_str!("../../src/protocol/realtime/fixtures/unknown.jsonl"),
];

/// What reading takes: a tree of small values has so many times the bytes of its text.
const PER_BYTE: usize = 320;
/// And what it takes of any text.
const AT_LEAST: usize = 64 * 1024;
/// The longest that is said of a text that cannot be read, bytes.
const LONGEST_REASON: usize = 2_048;

fn is_bounded(error: &DecodeError, text: &str) {
    let reason = error.to_string();
    assert!(reason.len() <= LONGEST_REASON, "{} bytes are said of {text:.200}", reason.len());
    assert!(!reason.contains(char::is_control), "{reason:?} breaks a line");
}

/// Whether two texts are the same JSON, but for the last bit of a fraction: reading is not exact to that.
fn is_same(one: &str, other: &str) -> bool {
    fn same(one: &Value, other: &Value) -> bool {
        match (one, other) {
            (Value::Object(one), Value::Object(other)) => {
                one.len() == other.len()
                    && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
            }
            (Value::Array(one), Value::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
            }
            (Value::Number(one), Value::Number(other)) if one != other => {
                let (one, other) = (one.as_f64().unwrap_or_default(), other.as_f64().unwrap_or_default());
                (one - other).abs() <= one.abs() * 4.0 * f64::EPSILON
            }
            (one, other) => one == other,
        }
    }
    let read = |text: &str| serde_json::from_str::<Value>(text);
    one == other || matches!((read(one), read(other)), (Ok(one), Ok(other)) if same(&one, &other))
}

/// Backends that differ in what they make of messages.
pub(crate) fn backends() -> Vec<Backend> {
    let text = r#"
        [[backends]]
        name = "plain"
        kind = "openai-realtime"
        path = "/plain"
        url = "wss://h"
        [[backends]]
        name = "set"
        kind = "openai-realtime"
        path = "/set"
        url = "wss://h"
        voice = "cedar"
        instructions = "Be brief."
        lock = ["instructions", "tools", "voice"]
        dialect = "component"
        function_calls = "server"
        greeting_mode = "speak"
        allow_client_json_passthrough = true
        deferred_response_timeout_ms = 2000
        tools = [{ name = "f", description = "x", parameters = { type = "object" } }]
        [[backends]]
        name = "manual"
        kind = "openai-realtime"
        path = "/manual"
        url = "wss://h?api-version=2025-04-01-preview"
        barge_in = false
        turn_detection = { type = "manual" }
        [[backends]]
        name = "dg"
        kind = "deepgram-agent"
        path = "/dg"
        url = "wss://h/v1/agent/converse"
        transcription_url = "wss://h/v1/listen"
        function_calls = "server"
        [[backends]]
        name = "dg-component"
        kind = "deepgram-agent"
        path = "/dg-component"
        url = "wss://h/v1/agent/converse"
        dialect = "component"
        [[functions.route]]
        names = ["get_weather"]
        url = "https://h/"
        description = "x"
        parameters = { type = "object" }
        [[functions.route]]
        names = ["f", "get_time"]
        url = "https://h/"
    "#;
    Config::from_toml("fuzz.toml", text, []).expect("a good configuration").backends
}

#[test]
fn client_messages() {
    let fuzzer = Fuzzer::new("client_messages");
    let (corpus, backends) = (Corpus::of_lines(&CLIENT), backends());
    fuzzer.run(12_000, |random| {
        let text = corpus.text(random);
        let mut longest = 0;
        let most = AT_LEAST + PER_BYTE * text.len();
        let decoded = within(most, || ClientMessage::decode(&text, |path| longest = longest.max(path.len())));
        assert!(longest <= LONGEST_REASON, "a member is named by {longest} bytes");
        let message = match decoded {
            Ok(message) => message,
            Err(error) => return is_bounded(&error, &text),
        };
        let encoded = message.encode();
        let again =
            ClientMessage::decode(&encoded, |_| ()).unwrap_or_else(|error| panic!("{error}: {encoded}"));
        assert!(is_same(&again.encode(), &encoded), "{encoded}\nreads as\n{}", again.encode());
        assert_eq!(again.kind(), message.kind());
        let backend = random.pick(&backends);
        match &message {
            ClientMessage::Settings(settings) => match translate(settings, backend) {
                Ok(translated) => {
                    let plan = translated.audio;
                    for (from, to) in
                        [(plan.client_input, plan.upstream_input), (plan.upstream_output, plan.client_output)]
                    {
                        assert!(from.is_supported() && to.is_supported(), "{from} to {to}");
                        Transcoder::new(from, to).push(Bytes::from_static(&[1, 2, 3, 4, 5]));
                    }
                }
                Err(error) => assert!(error.to_string().len() <= 2 * LONGEST_REASON, "{error}"),
            },
            ClientMessage::UpdatePrompt(update) => drop(update_prompt(update, backend)),
            ClientMessage::UpdateSpeak(update) => drop(update_speak(update, backend)),
            ClientMessage::UpdateThink(update) => drop(update_think(update, backend)),
            ClientMessage::UpdateListen(update) => drop(update_listen(update, None, backend)),
            _ => (),
        }
    });
}

/// They are what the gateway writes, and what `talk` reads.
#[test]
fn server_messages() {
    let fuzzer = Fuzzer::new("server_messages");
    let corpus = Corpus::of_lines(&SERVER);
    fuzzer.run(8_000, |random| {
        let text = corpus.text(random);
        match within(AT_LEAST + PER_BYTE * text.len(), || ServerMessage::decode(&text)) {
            Ok(message) => {
                let encoded = message.encode();
                let again =
                    ServerMessage::decode(&encoded).unwrap_or_else(|error| panic!("{error}: {encoded}"));
                assert!(is_same(&again.encode(), &encoded), "{encoded}\nreads as\n{}", again.encode());
            }
            Err(error) => is_bounded(&error, &text),
        }
    });
}

#[test]
fn upstream_events() {
    let fuzzer = Fuzzer::new("upstream_events");
    let corpus = Corpus::of_lines(&UPSTREAM);
    fuzzer.run(16_000, |random| {
        let text = corpus.text(random);
        let decoded = match within(AT_LEAST + PER_BYTE * text.len(), || ServerEvent::decode(&text)) {
            Ok(decoded) => decoded,
            Err(error) => return is_bounded(&error, &text),
        };
        if let Some(damage) = &decoded.damage {
            is_bounded(damage, &text);
        }
        if let Some(delta) = AudioDelta::scan(text.as_bytes()) {
            // A member that no quick way takes.
            let slow = text.replacen('{', "{\"slow\":null,", 1);
            let delta = Decoded { event: ServerEvent::OutputAudioDelta(delta), damage: None };
            assert_eq!(ServerEvent::decode(&slow), Ok(delta), "{text}");
        }
        let encoded = decoded.event.encode();
        let again = ServerEvent::decode(&encoded).unwrap_or_else(|error| panic!("{error}: {encoded}"));
        assert_eq!(again.damage, None, "{encoded}");
        assert_eq!(again.event.kind(), decoded.event.kind());
        assert!(is_same(&again.event.encode(), &encoded), "{encoded}\nreads as\n{}", again.event.encode());
    });
}

/// Events that go up, as the beta API takes them.
#[test]
fn events_for_the_beta_api() {
    let fuzzer = Fuzzer::new("events_for_the_beta_api");
    let corpus = Corpus::of_lines(&[include_str!("../../src/protocol/realtime/fixtures/client.jsonl")]);
    fuzzer.run(4_000, |random| {
        let text = corpus.text(random);
        if let Ok(event) = voxbridge::protocol::realtime::ClientEvent::decode(&text) {
            let beta::Translated { event, left_out } = beta::translate(event);
            assert!(serde_json::from_str::<IgnoredAny>(&event.encode()).is_ok(), "{left_out:?}");
        }
    });
}
