//! A translated connection in virtual time: the real gate and the real simulator with a client between them, all of
//! whose delays are known, and the witness that looks on. No socket, no clock.

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::super::{Witness, WitnessParts};
use crate::{
    actors::{Trace, state_machine::StateMachine},
    config::{Backend, BackendUrl, BuiltIn, FunctionCalls, Functions, Route, Target},
    gate::{Effect, Gate, Input, Leg, LegEnd, Limits, UpstreamFrame},
    logging::{Captured, capture_at, captured},
    metrics::{Metrics, SessionMetrics},
    protocol::{
        agent::ClientMessage,
        ids::EventId,
        realtime::{Append, ServerEvent},
    },
    simulator::openai::{Sent, Session},
    tally::Tally,
    usage_log::UsageLog,
};

/// From the gate's first moment to upstream's open socket.
pub(super) const DIAL: Duration = Duration::from_micros(23_400);
/// On the way to upstream.
pub(super) const UP: Duration = Duration::from_micros(11_200);
/// On the way from upstream.
pub(super) const DOWN: Duration = Duration::from_micros(14_700);
/// How long a function takes.
pub(super) const FUNCTION: Duration = Duration::from_micros(71_300);
/// The simulator's answer to a `session.update`.
pub(super) const UPDATED: Duration = Duration::from_millis(31);
/// Its confirmation of an item.
pub(super) const CONFIRMED: Duration = Duration::from_millis(17);
/// The beginning of its response.
pub(super) const RESPONSE: Duration = Duration::from_millis(180);
/// The length of a frame of the microphone.
pub(super) const FRAME: Duration = Duration::from_millis(20);

/// When the gate takes its first input, by the clock on the wall.
const BEGAN: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// What will happen.
enum Event {
    /// The gate gets this.
    Input(Input),
    /// The simulator gets this frame.
    ToServer(String),
    /// A function that ran is over.
    Function(Input, String),
}

/// The connection.
pub(super) struct World {
    gate: StateMachine,
    witness: Witness,
    began: Instant,
    now: Duration,
    server: Option<(Session, Duration)>,
    options: Vec<(&'static str, &'static str)>,
    agenda: BTreeMap<(Duration, usize), Event>,
    planned: usize,
    over: bool,
}

impl World {
    /// A connection whose client connects now, to a simulator with these options besides the delays.
    pub(super) fn new(options: &[(&'static str, &'static str)]) -> Self {
        let mut backend = Backend::new("openai", "/openai", BackendUrl::SelfPath("/sim/openai".to_owned()));
        let route = Route::new(vec!["get_current_time".to_owned()], Target::BuiltIn(BuiltIn::GetCurrentTime));
        let functions = Functions { routes: vec![route], ..Functions::default() };
        backend.function_calls = FunctionCalls::Server(Arc::new(functions));
        let limits = Limits { ping_interval: None, ..Limits::new(&backend, Duration::from_secs(60)) };
        let connection = "83a48544-236a-4402-a302-d78f64ea4ffa".to_owned();
        let trace = Trace::new(connection.clone(), Some("checkout-7".to_owned()), backend.name.clone(), None);
        let gate = StateMachine::Translated(Box::new(Gate::new(Arc::new(backend), limits, connection)));
        let began = Instant::now();
        let metrics = SessionMetrics::begin(Metrics::new().backend(trace.backend()), Arc::default());
        let tally = Tally::default();
        let parts = WitnessParts {
            trace,
            log_content: false,
            scrubber: Rc::default(),
            tally,
            metrics,
            model: None,
            recorder: None,
            usage_log: UsageLog::default(),
        };
        let delays =
            [("updated_delay_ms", "31"), ("item_added_delay_ms", "17"), ("response_delay_ms", "180")];
        let mut world = Self {
            gate,
            witness: Witness::new(parts, began),
            began,
            now: Duration::ZERO,
            server: None,
            options: delays.iter().chain(options).copied().collect(),
            agenda: BTreeMap::new(),
            planned: 0,
            over: false,
        };
        world.plan(Duration::ZERO, Event::Input(Input::ClientConnected));
        world
    }

    /// The client sends a message at this time.
    pub(super) fn client(&mut self, at: Duration, message: &serde_json::Value) {
        let message = ClientMessage::decode(&message.to_string(), |_| ()).expect("a message of a test");
        self.plan(at, Event::Input(Input::Client(message)));
    }

    /// Settings that ask for one function and audio as upstream has it.
    pub(super) fn settings(&mut self, at: Duration) {
        let function =
            json!({"name": "get_current_time", "parameters": {"type": "object", "properties": {}}});
        let think = json!({"provider": {"type": "open_ai", "model": "gpt-4o"}, "functions": [function]});
        let audio = json!({"input": {"encoding": "linear16", "sample_rate": 24_000}});
        let agent = json!({"think": think, "greeting": "Hello."});
        self.client(at, &json!({"type": "Settings", "audio": audio, "agent": agent}));
    }

    /// From this time on the microphone gives sound for so long and then silence for so long, frame by frame.
    pub(super) fn speaks(&mut self, from: Duration, sound: Duration, silence: Duration) {
        let mut end = from;
        while end < from + sound + silence {
            let loud = end < from + sound;
            end += FRAME;
            let samples = (0..FRAME.as_millis() * 24).map(|index| match index % 48 {
                _ if !loud => 0_i16,
                0..24 => 5_000,
                _ => -5_000,
            });
            let audio: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
            self.plan(end, Event::Input(Input::ClientAudio(Bytes::from(audio))));
        }
    }

    /// The client closes at this time.
    pub(super) fn closes(&mut self, at: Duration) {
        let end = LegEnd::Closed { code: Some(1000), reason: String::new() };
        self.plan(at, Event::Input(Input::ClientClosed(end)));
    }

    /// Everything happens, up to the connection's end; the lines of it.
    pub(super) fn run(mut self) -> Vec<Captured> {
        while !self.over {
            let timer = self.gate.deadline().map(|at| at - self.began);
            let server = self.server.as_ref().and_then(|(server, opened)| Some(*opened + server.deadline()?));
            let planned = self.agenda.keys().next().map(|(at, _)| *at);
            let next = [timer, server, planned].into_iter().flatten().min().expect("it comes to an end");
            self.now = self.now.max(next);
            if timer == Some(next) {
                self.take(Input::Timeout);
            } else if planned == Some(next) {
                let (_, event) = self.agenda.pop_first().expect("it was there just now");
                self.happen(event);
            }
            self.serve();
        }
        captured()
    }

    fn plan(&mut self, at: Duration, event: Event) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), event);
    }

    fn plan_input(&mut self, after: Duration, input: Input) {
        self.plan(self.now + after, Event::Input(input));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(input) => self.take(input),
            Event::ToServer(text) => {
                if let Some((server, opened)) = &mut self.server {
                    server.text(&text, self.now - *opened);
                }
            }
            Event::Function(input, name) => {
                let Input::FunctionFinished { call_id, outcome: Ok(content) } = &input else {
                    panic!("{input:?}");
                };
                self.tell_time();
                self.witness.function(call_id, &name, FUNCTION, &Ok(content.clone()));
                self.take(input);
            }
        }
    }

    fn tell_time(&self) {
        let time = BEGAN + self.now;
        capture_at(format!("{time:.6}"));
    }

    fn take(&mut self, input: Input) {
        self.tell_time();
        let now = self.began + self.now;
        let opens = matches!(input, Input::UpstreamOpened);
        let seen = self.witness.input(&input, self.gate.phase(), now);
        let effects = self.gate.handle(input, now);
        self.witness.effects(seen, &self.gate, &effects);
        if opens {
            self.server = Some((Session::new(&self.options), self.now));
        }
        effects.into_iter().for_each(|effect| self.carry_out(effect));
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::OpenUpstream => self.plan_input(DIAL, Input::UpstreamOpened),
            Effect::ToClient(frame) => self.delivered(Leg::Client, frame.weight()),
            Effect::ToUpstream(frame) => {
                self.delivered(Leg::Upstream, frame.weight());
                let text = match frame {
                    UpstreamFrame::Event(event) => event.encode(),
                    UpstreamFrame::Audio { event_id, audio } => append(&event_id, &audio),
                    other => panic!("{other:?} is nothing that this client brings about"),
                };
                self.plan(self.now + UP, Event::ToServer(text));
            }
            Effect::Execute(run) => {
                let outcome = Ok("2026-11-21T17:02:44+00:00".to_owned());
                let input = Input::FunctionFinished { call_id: run.id, outcome };
                self.plan(self.now + FUNCTION, Event::Function(input, run.name));
            }
            Effect::Close { leg: Leg::Client, code, reason } => {
                self.plan_input(DOWN, Input::ClientClosed(LegEnd::Closed { code: Some(code), reason }));
            }
            Effect::Close { leg: Leg::Upstream, code, reason } => {
                self.server = None;
                let end = LegEnd::Closed { code: Some(code), reason };
                self.plan_input(UP + DOWN, Input::UpstreamClosed { end, unix_s: 0 });
            }
            Effect::Finished => self.over = true,
            Effect::UseAudio(_) | Effect::Held(_) | Effect::Ignored(_) | Effect::RanOut(_) => (),
            other => panic!("{other:?} is nothing that happens here"),
        }
    }

    /// The legs have handed everything to their sockets at once.
    fn delivered(&mut self, leg: Leg, bytes: usize) {
        self.plan_input(Duration::ZERO, Input::Delivered { leg, bytes });
    }

    fn serve(&mut self) {
        let Some((server, opened)) = &mut self.server else { return };
        for sent in server.poll(self.now.saturating_sub(*opened)) {
            let input = match sent {
                Sent::Text(text) => Input::Upstream(ServerEvent::decode(&text).expect("an event").event),
                Sent::Close { code, reason } => {
                    let end = LegEnd::Closed { code: Some(code), reason };
                    Input::UpstreamClosed { end, unix_s: 0 }
                }
            };
            self.plan(self.now + DOWN, Event::Input(input));
        }
    }
}

fn append(event_id: &EventId, audio: &[u8]) -> String {
    let mut text = Vec::new();
    Append::encode_into(event_id, audio, &mut text);
    String::from_utf8(text).expect("an append is text")
}
