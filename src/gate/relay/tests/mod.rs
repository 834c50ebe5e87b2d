//! What a relay does, as lines of text: an input in, the effects out, deliveries made at once unless a test keeps
//! a leg from reading.

mod drain;
mod endings;
mod functions;
mod keep_alive;
mod liveness;
mod passing;
mod pressure;
mod properties;
mod turn_end;
mod world;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Relay, Service};
use crate::{
    config::{
        Backend, BackendKind, BackendUrl, Deepgram, Dialect, FunctionCalls, Functions, ListenVersion, Route,
        Target,
    },
    gate::{Effect, Input, Leg, LegEnd, Limits, tests::render::line},
    protocol::{Frame, Opcode},
    recording::tape::Tape,
};

const V1: Service = Service::Transcription(ListenVersion::V1);
const V2: Service = Service::Transcription(ListenVersion::V2);
const SETTINGS: &str = r#"{"type":"Settings","agent":{}}"#;

pub(super) fn backend() -> Backend {
    let backend = Backend::new("dg", "/dg", BackendUrl::SelfPath("/".to_owned()));
    Backend { kind: BackendKind::DeepgramAgent(Deepgram::default()), ..backend }
}

fn component() -> Backend {
    Backend { dialect: Dialect::Component, ..backend() }
}

/// A backend whose function `f` runs here; it may answer with so many bytes.
fn running(max_response_bytes: usize) -> Backend {
    let url = "http://127.0.0.1:1/".parse().expect("a url");
    let route = Route { max_response_bytes, ..Route::new(vec!["f".to_owned()], Target::Url(url)) };
    let functions = Functions { routes: vec![route], ..Functions::default() };
    Backend { function_calls: FunctionCalls::Server(Arc::new(functions)), ..backend() }
}

fn limits() -> Limits {
    Limits {
        before_ready: 10_000,
        leg: 20_000,
        ping_interval: None,
        ..Limits::new(&backend(), Duration::from_secs(60))
    }
}

struct Stage {
    relay: Relay,
    /// Shows that what happened can be replayed.
    tape: Option<Tape>,
    begun: Instant,
    now: Instant,
    /// Whose socket takes nothing.
    stuck: Option<Leg>,
    /// What such a leg has not reported.
    unreported: usize,
}

impl Stage {
    /// A connection whose client is there; upstream is dialled.
    fn new(service: Service, backend: Backend) -> Self {
        Self::within(limits(), service, backend)
    }

    fn within(limits: Limits, service: Service, backend: Backend) -> Self {
        let tape = Tape::begin(&backend, &limits, Some(service));
        let relay = Relay::new(Arc::new(backend), limits, service);
        let now = Instant::now();
        let mut stage = Self { relay, tape, begun: now, now, stuck: None, unreported: 0 };
        assert_eq!(stage.give(Input::ClientConnected), ["dial"]);
        stage
    }

    /// The same with an open socket, and Settings sent by an agent's client.
    fn open(service: Service, backend: Backend) -> Self {
        let mut stage = Self::new(service, backend);
        assert_eq!(stage.give(Input::UpstreamOpened), [""; 0]);
        if service == Service::Agent {
            assert_eq!(stage.up(SETTINGS), [format!("up text {SETTINGS}").to_lowercase()]);
        }
        stage
    }

    fn give(&mut self, input: Input) -> Vec<String> {
        let mut lines = Vec::new();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let effects = self.handle(input);
            for leg in [Leg::Client, Leg::Upstream] {
                let bytes: usize = effects.iter().map(|effect| weight_for(leg, effect)).sum();
                if self.stuck == Some(leg) {
                    self.unreported += bytes;
                } else if bytes > 0 {
                    inputs.push(Input::Delivered { leg, bytes });
                }
            }
            // A close without a reason needs none said.
            lines.extend(effects.iter().map(|effect| line(effect).trim_end_matches(" \"\"").to_owned()));
        }
        lines
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        if let Some(tape) = &mut self.tape {
            tape.input(self.now - self.begun, &input);
        }
        let effects = self.relay.handle(input, self.now);
        if let Some(tape) = &mut self.tape {
            tape.effects(&effects);
        }
        effects
    }

    /// The leg that took nothing takes everything.
    fn loosen(&mut self) -> Vec<String> {
        let leg = self.stuck.take().expect("a leg is stuck");
        let bytes = std::mem::take(&mut self.unreported);
        self.give(Input::Delivered { leg, bytes })
    }

    fn up(&mut self, text: &str) -> Vec<String> {
        self.give(Input::ClientFrame(Frame::text(text.to_owned())))
    }

    fn down(&mut self, text: &str) -> Vec<String> {
        self.give(Input::UpstreamFrame(Frame::text(text.to_owned())))
    }

    fn audio_up(&mut self, audio: &'static [u8]) -> Vec<String> {
        self.give(Input::ClientFrame(Frame::binary(audio)))
    }

    fn audio_down(&mut self, audio: &'static [u8]) -> Vec<String> {
        self.give(Input::UpstreamFrame(Frame::binary(audio)))
    }

    /// What the time brings, each with the milliseconds after which it comes.
    fn wait(&mut self, ms: u64) -> Vec<String> {
        let begin = self.now;
        let end = begin + Duration::from_millis(ms);
        let mut lines = Vec::new();
        while let Some(due) = self.relay.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let at = self.now.duration_since(begin).as_millis();
            lines.extend(self.give(Input::Timeout).into_iter().map(|line| format!("{at}: {line}")));
        }
        self.now = end;
        lines
    }
}

fn weight_for(leg: Leg, effect: &Effect) -> usize {
    match effect {
        Effect::ToClient(frame) if leg == Leg::Client => frame.weight(),
        Effect::ToUpstream(frame) if leg == Leg::Upstream => frame.weight(),
        _ => 0,
    }
}

fn part(opcode: Opcode, last: bool, payload: &str) -> Frame {
    Frame { opcode, last, payload: payload.to_owned().into() }
}

fn closed(code: u16, reason: &str) -> LegEnd {
    LegEnd::Closed { code: Some(code), reason: reason.to_owned() }
}
