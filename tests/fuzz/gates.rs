//! Hostile conversations of a translated connection: whatever both peers say, the gate keeps its budgets, waits for
//! nothing without an end, and ends.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use voxbridge::config::Backend;
use voxbridge::gate::{ClientFrame, Effect, Gate, Input, Leg, UpstreamFrame};
use voxbridge::protocol::agent::ClientMessage;
use voxbridge::protocol::realtime::ServerEvent;

use crate::bytes::LONGEST;
use crate::json::Corpus;
use crate::life::{BEFORE_READY, LEG, Life, limits};
use crate::messages::{CLIENT, UPSTREAM, backends};
use crate::random::Random;
use crate::runner::{Fuzzer, say};

/// What a gate may hold, bytes of memory: what may wait, what came over that at last, and tables.
const HELD: usize = BEFORE_READY + 2 * (LEG + LONGEST) + 128 * 1024;

fn client(text: &str) -> Input {
    match ClientMessage::decode(text, |_| ()) {
        Ok(message) => Input::Client(message),
        Err(error) => Input::ClientMalformed(error),
    }
}

fn upstream(text: &str) -> Input {
    match ServerEvent::decode(text) {
        Ok(decoded) => Input::Upstream(decoded.event),
        Err(error) => Input::UpstreamMalformed(error),
    }
}

/// Audio of whichever response runs.
fn audio_delta(length: usize) -> Input {
    let audio = "AAAA".repeat(length / 3);
    upstream(&format!(r#"{{"type":"response.output_audio.delta","delta":"{audio}"}}"#))
}

fn backends_of_gates() -> Vec<Arc<Backend>> {
    backends().into_iter().filter(|backend| backend.deepgram().is_none()).map(Arc::new).collect()
}

/// The last ids that either side was sent.
struct Ids(Vec<String>);

impl Ids {
    fn new() -> Self {
        Self(Vec::with_capacity(64))
    }

    fn note(&mut self, random: &mut Random, effects: &[Effect]) {
        for effect in effects {
            let json = match effect {
                Effect::ToUpstream(UpstreamFrame::Event(event)) => event.encode(),
                Effect::ToClient(ClientFrame::Message(message)) => message.encode(),
                _ => continue,
            };
            if json.len() < 10_000 {
                self.collect(random, &serde_json::from_str(&json).expect("what is sent is JSON"));
            }
        }
    }

    fn collect(&mut self, random: &mut Random, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value.as_str() {
                        Some(id) if name.ends_with("id") && id.len() < 64 => self.add(random, id),
                        _ => self.collect(random, value),
                    }
                }
            }
            Value::Array(elements) => elements.iter().for_each(|element| self.collect(random, element)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
        }
    }

    fn add(&mut self, random: &mut Random, id: &str) {
        if self.0.len() < self.0.capacity() {
            self.0.push(id.to_owned());
        } else {
            let place = random.below(self.0.len());
            id.clone_into(&mut self.0[place]);
        }
    }
}

fn began(random: &mut Random, backends: &[Arc<Backend>]) -> Life<Gate> {
    let backend = Arc::clone(random.pick(backends));
    let limits = limits(random);
    let mut life = Life::new(|| Gate::new(backend, limits, "request".to_owned()));
    if !random.one_in(4) {
        life.upstream_opens();
        life.client_says(|| client(r#"{"type":"Settings","agent":{"think":{"functions":[{"name":"f"}]}}}"#));
        life.upstream_says(|| upstream(r#"{"type":"session.updated","session":{"type":"realtime"}}"#));
    }
    life
}

#[test]
fn conversations() {
    let fuzzer = Fuzzer::new("conversations");
    let (of_client, of_upstream) = (Corpus::of_lines(&CLIENT), Corpus::of_lines(&UPSTREAM));
    let backends = backends_of_gates();
    let mut most = 0;
    fuzzer.run(300, |random| {
        let mut ids = Ids::new();
        // Ids that fixtures share, so that their events belong together.
        ids.0.extend(["resp_1", "item_1", "call_1"].map(str::to_owned));
        let mut life = began(random, &backends);
        let steps = if random.one_in(4) {
            life.is_stuck();
            200
        } else {
            random.below(120)
        };
        for _ in 0..steps {
            match random.below(11) {
                0..5 => {
                    let text = of_upstream.text_with(random, &ids.0);
                    life.upstream_says(|| upstream(&text));
                }
                5 | 6 => {
                    let text = of_client.text_with(random, &ids.0);
                    life.client_says(|| client(&text));
                }
                7 => {
                    let length = random.length(LONGEST / 4);
                    life.client_says(|| Input::ClientAudio(Bytes::from(vec![7; length])));
                }
                8 => {
                    let length = random.below(LONGEST / 4) * 3;
                    life.upstream_says(|| audio_delta(length));
                }
                _ => life.other(random),
            }
            let effects = std::mem::take(&mut life.last);
            ids.note(random, &effects);
            drop(effects);
            let held = life.held();
            assert!(held <= HELD, "{held} bytes are held");
            most = most.max(held);
        }
        life.come_to_an_end(random);
    });
    say(&format!("fuzz conversations: a gate held {most} bytes at most, of {HELD}"));
}

/// Thousands of the same, each under ids of its own: what a gate remembers of them has an end, so that as many again
/// make no difference.
#[test]
fn crowds() {
    let fuzzer = Fuzzer::new("crowds");
    /// More than a gate remembers of anything.
    const CROWD: usize = 4_500;
    /// What it may remember of them, bytes, and what another crowd may add.
    const REMEMBERED: usize = 4 * 1024 * 1024;
    const ADDED: usize = 64 * 1024;
    let (of_client, of_upstream) = (Corpus::of_lines(&CLIENT), Corpus::of_lines(&UPSTREAM));
    let backends = backends_of_gates();
    let mut most = 0;
    fuzzer.run(5, |random| {
        let mut life = began(random, &backends);
        let kinds: Vec<(bool, String)> = (0..1 + random.below(2))
            .map(|_| match random.one_in(5) {
                true => (true, of_client.fixture(random)),
                false => (false, of_upstream.fixture(random)),
            })
            .collect();
        let before = life.held();
        let padding = "x".repeat(*random.pick(&[0, 200, 1_000]));
        let mut crowd = |numbers: std::ops::Range<usize>| {
            for number in numbers {
                for (is_client, text) in &kinds {
                    let text = with_fresh_ids(text, &format!("{number}{padding}"));
                    match is_client {
                        true => life.client_says(|| client(&text)),
                        false => life.upstream_says(|| upstream(&text)),
                    }
                }
                life.delivers(Leg::Client, usize::MAX);
                life.delivers(Leg::Upstream, usize::MAX);
            }
            life.held().saturating_sub(before)
        };
        let (first, second) = (crowd(0..CROWD), crowd(CROWD..2 * CROWD));
        assert!(first <= REMEMBERED, "{first} bytes are held of {kinds:?}");
        assert!(second <= first + ADDED, "{first} bytes are held and then {second} of {kinds:?}");
        most = most.max(second);
        life.come_to_an_end(random);
    });
    say(&format!("fuzz crowds: a gate held {most} bytes at most, of {REMEMBERED}"));
}

/// The text with another end to each id.
fn with_fresh_ids(text: &str, end: &str) -> String {
    fn freshen(value: &mut Value, end: &str) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(id) if name.ends_with("id") => id.push_str(end),
                        other => freshen(other, end),
                    }
                }
            }
            Value::Array(elements) => elements.iter_mut().for_each(|element| freshen(element, end)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
        }
    }
    let mut value: Value = serde_json::from_str(text).expect("a fixture is JSON");
    freshen(&mut value, end);
    value.to_string()
}
