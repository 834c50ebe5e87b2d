//! Tests of whole sessions: frames and time in, events out, no socket except in `socket`.

mod beta;
mod functions;
mod properties;
mod refusals;
mod socket;
mod speech;
mod trouble;
mod turns;
mod usage;

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    account::Account,
    beta::Api,
    configuration::Kind,
    options::Options,
    session::{Identity, Session},
};
use crate::simulator::socket::{Output, Session as _};

/// A client of a session that lives in simulated time.
struct Client {
    session: Session,
    now: Duration,
    /// What it has reported of use.
    account: Account,
    /// Code of the close, once it came.
    closed: Option<u16>,
}

impl Client {
    /// A client of a session with these options, `session.created` not yet read.
    fn new(options: &[(&str, &str)]) -> Self {
        Self::of_kind(Kind::Realtime, options)
    }

    fn of_kind(kind: Kind, options: &[(&str, &str)]) -> Self {
        Self::of(Api::Ga, kind, options)
    }

    fn of(api: Api, kind: Kind, options: &[(&str, &str)]) -> Self {
        let options = Options::parse(options.iter().copied()).expect("good options");
        let token = "0123456789abcdef0123456789abcdef".to_owned();
        let identity = Identity {
            token,
            model: "gpt-realtime".to_owned(),
            kind,
            started_at: 1_790_000_000,
            api,
            wants_beta: false,
        };
        let account = Account::default();
        let session = Session::new(identity, options, account.clone());
        Self { session, now: Duration::ZERO, account, closed: None }
    }

    /// A client whose session has answered this `session.update`.
    fn configured(options: &[(&str, &str)], session: Value) -> Self {
        let mut client = Self::new(options);
        client.send(update(session));
        let types = types(&client.events());
        assert_eq!(types.last().map(String::as_str), Some("session.updated"), "{types:?}");
        client
    }

    fn send(&mut self, event: Value) {
        self.session.text(&event.to_string(), self.now);
    }

    /// What has come by now.
    fn events(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        for output in self.session.poll(self.now) {
            match output {
                Output::Text(text) => events.push(serde_json::from_str(&text).expect("an event is JSON")),
                Output::Binary(bytes) => panic!("{} bytes as a binary message", bytes.len()),
                Output::Close { code, .. } => self.closed = Some(code),
            }
            self.session.left();
        }
        events
    }

    /// What comes within some simulated milliseconds.
    fn wait(&mut self, ms: u64) -> Vec<Value> {
        let until = self.now + Duration::from_millis(ms);
        let mut events = self.events();
        while let Some(at) = self.session.deadline().filter(|at| *at <= until && self.closed.is_none()) {
            self.now = at.max(self.now);
            events.extend(self.events());
        }
        self.now = until;
        events
    }

    /// Sends an event and gives what comes within a minute.
    fn ask(&mut self, event: Value) -> Vec<Value> {
        self.send(event);
        self.wait(60_000)
    }

    /// Sends an event that must be refused; gives code and param.
    fn refused(&mut self, event: Value) -> (String, Value) {
        self.events();
        self.send(event.clone());
        let events = self.events();
        let [answer] = events.as_slice() else { panic!("{event}: expected one answer, got {events:?}") };
        assert_eq!(answer["type"], "error", "{event}");
        let error = &answer["error"];
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["event_id"], event["event_id"], "{event}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
        (error["code"].as_str().expect("a code").to_owned(), error["param"].clone())
    }

    /// Appends PCM audio: pairs of loud or silent and milliseconds.
    fn speak(&mut self, sound: &[(bool, usize)]) {
        let audio = base64_simd::STANDARD.encode_to_string(pcm(sound));
        self.send(json!({"type": "input_audio_buffer.append", "audio": audio}));
    }
}

fn pcm(sound: &[(bool, usize)]) -> Vec<u8> {
    let samples = sound.iter().flat_map(|&(loud, ms)| {
        (0..ms * 24).map(move |index| {
            if !loud {
                0i16
            } else if index % 48 < 24 {
                5000
            } else {
                -5000
            }
        })
    });
    samples.flat_map(i16::to_le_bytes).collect()
}

fn update(session: Value) -> Value {
    json!({"type": "session.update", "event_id": "update", "session": session})
}

/// A session with its text output and manual turns.
fn text_session() -> Value {
    json!({"type": "realtime", "output_modalities": ["text"], "audio": {"input": {"turn_detection": null}}})
}

fn user_text(text: &str) -> Value {
    json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": text}]}})
}

fn respond() -> Value {
    json!({"type": "response.create", "event_id": "respond"})
}

fn types(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
}

fn of_type<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == name).collect()
}

/// The only event of a type.
fn the<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let found = of_type(events, name);
    let [event] = found.as_slice() else { panic!("expected one {name} in {:?}", types(events)) };
    event
}

/// Bytes of the audio deltas.
fn audio_of(events: &[Value]) -> Vec<u8> {
    let deltas = of_type(events, "response.output_audio.delta");
    let decode = |event: &&Value| {
        base64_simd::STANDARD.decode_to_vec(event["delta"].as_str().expect("a delta")).expect("base64")
    };
    deltas.iter().flat_map(decode).collect()
}

/// An error's code and param, as [`Client::refused`] gives them.
fn code_and_param(code: &str, param: &str) -> (String, Value) {
    (code.to_owned(), json!(param))
}
