//! Tests of whole sessions: messages and time in, messages out, no socket except in `socket`.

mod configuration;
mod functions;
mod injections;
mod properties;
mod refusals;
mod socket;
mod speech;
mod trouble;
mod turns;

use std::time::Duration;

use serde_json::{Value, json};

use super::Session;
use crate::simulator::{
    codec::Format,
    deepgram::Options,
    socket::{Output, Session as _},
};

/// A client of a session that lives in simulated time.
struct Client {
    session: Session,
    now: Duration,
    /// Audio that has come.
    audio: Vec<u8>,
    /// Code of the close, once it came.
    closed: Option<u16>,
}

impl Client {
    /// A client of a session with these options, `Welcome` not yet read.
    fn new(options: &[(&str, &str)]) -> Self {
        let options = Options::parse(options.iter().copied()).expect("good options");
        let session = Session::new("01234567-89ab-cdef-0123-456789abcdef", options);
        Self { session, now: Duration::ZERO, audio: Vec::new(), closed: None }
    }

    /// A client whose Settings were applied.
    fn configured(options: &[(&str, &str)], settings: &Value) -> Self {
        let mut client = Self::new(options);
        client.send(settings);
        assert_eq!(types(&client.messages()), ["Welcome", "SettingsApplied"]);
        client
    }

    fn send(&mut self, message: &Value) {
        self.session.text(&message.to_string(), self.now);
    }

    /// Sends 16-bit audio at 24 kHz: pairs of loud or silent and milliseconds.
    fn speak(&mut self, sound: &[(bool, u64)]) {
        self.session.binary(&pcm(sound), self.now);
    }

    /// What has come by now; audio is gathered, and a text `(audio)` stands for a run of it.
    fn messages(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        for output in self.session.poll(self.now) {
            assert_eq!(self.closed, None, "{output:?} after the close");
            match output {
                Output::Text(text) => messages.push(serde_json::from_str(&text).expect("JSON")),
                Output::Binary(audio) => {
                    self.audio.extend_from_slice(&audio);
                    messages.push(json!({"type": "(audio)"}));
                }
                Output::Close { code, .. } => self.closed = Some(code),
            }
        }
        messages
    }

    /// What comes within some simulated milliseconds.
    fn wait(&mut self, ms: u64) -> Vec<Value> {
        let until = self.now + Duration::from_millis(ms);
        let mut messages = self.messages();
        while let Some(at) = self.session.deadline().filter(|at| *at <= until && self.closed.is_none()) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            messages.extend(self.messages());
        }
        self.now = until;
        messages.dedup_by(|next, last| next["type"] == "(audio)" && last["type"] == "(audio)");
        messages
    }

    /// Sends a message and gives what comes within ten seconds.
    fn ask(&mut self, message: &Value) -> Vec<Value> {
        self.send(message);
        self.wait(10_000)
    }

    /// Code of the error and of the close that came last.
    fn ended(&mut self) -> (String, u16) {
        let messages = self.messages();
        let error = messages.last().unwrap_or_else(|| panic!("nothing came"));
        assert_eq!(error["type"], "Error", "{messages:?}");
        assert!(error["description"].as_str().is_some_and(|text| !text.is_empty()));
        let code = error["code"].as_str().expect("a code").to_owned();
        (code, self.closed.expect("a close after an error"))
    }
}

fn pcm(sound: &[(bool, u64)]) -> Vec<u8> {
    let samples = sound.iter().flat_map(|&(loud, ms)| {
        (0..Format::PCM.samples_in(ms)).map(move |index| match (loud, index % 48 < 24) {
            (false, _) => 0,
            (true, true) => 5000,
            (true, false) => -5000,
        })
    });
    samples.flat_map(i16::to_le_bytes).collect()
}

/// A Settings with the least an agent needs, and members of `agent` added.
fn settings(agent: Value) -> Value {
    let mut settings = json!({"type": "Settings", "flags": {"history": false},
        "audio": {"input": {"encoding": "linear16", "sample_rate": 24000},
            "output": {"encoding": "linear16", "sample_rate": 24000}},
        "agent": {}});
    settings["agent"] = agent;
    settings
}

/// The same with functions: name, and whether it has an endpoint.
fn with_functions(functions: &[(&str, bool)]) -> Value {
    let function = |&(name, has_endpoint): &(&str, bool)| {
        let mut function = json!({"name": name, "description": "d",
            "parameters": {"type": "object", "properties": {}}});
        if has_endpoint {
            function["endpoint"] = json!({"url": "https://example.com/f", "method": "post"});
        }
        function
    };
    let functions: Vec<_> = functions.iter().map(function).collect();
    settings(json!({"think": {"provider": {"type": "open_ai", "model": "gpt-4o-mini"}, "prompt": "Be kind.",
        "functions": functions}}))
}

fn user(content: &str) -> Value {
    json!({"type": "InjectUserMessage", "content": content})
}

fn types(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["type"].as_str().expect("a type")).collect()
}

/// The only message of a type.
fn the<'a>(messages: &'a [Value], name: &str) -> &'a Value {
    let found: Vec<_> = messages.iter().filter(|message| message["type"] == name).collect();
    let [message] = found.as_slice() else { panic!("expected one {name} in {:?}", types(messages)) };
    message
}

/// What the agent has said.
fn said(messages: &[Value]) -> Vec<&str> {
    let texts = messages.iter().filter(|message| message["type"] == "ConversationText");
    texts.filter(|text| text["role"] == "assistant").filter_map(|text| text["content"].as_str()).collect()
}

/// What an answered turn consists of.
const TURN: [&str; 6] =
    ["ConversationText", "AgentThinking", "ConversationText", "(audio)", "AgentAudioDone", "LatencyReport"];
