//! A relay between two peers of which anything may come. Its oracle knows what went in and what came out, and nothing
//! of the relay: each side is judged as the reader at the other end of the socket would.

mod oracle;

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroU32,
};

use super::*;
use crate::{
    gate::{Phase, Rule, UpstreamError},
    protocol::ids::CallId,
};

/// What the peers say: each text as it is sent and, if it is another, as it arrives. `$n` is a number that no other
/// has, `$c` a call.
const OF_CLIENT: [(&str, &str); 12] = [
    (r#"{"type":"Settings","agent":{},"n":$n}"#, ""),
    (r#"{"type":"Settings","agent":{"idleTimeoutMs":1},"n":$n}"#, r#"{"type":"Settings","agent":{},"n":$n}"#),
    (r#"{"type":"S\u0065ttings","agent":{},"n":$n}"#, ""),
    (
        r#"{"type":"UpdateThink","think":{"toolChoice":"x"},"n":$n}"#,
        r#"{"type":"UpdateThink","think":{},"n":$n}"#,
    ),
    (
        r#"{"type":"InjectAgentMessage","content":"x","n":$n}"#,
        r#"{"type":"InjectAgentMessage","message":"x","n":$n}"#,
    ),
    (r#"{"type":"FunctionCallResponse","id":"$c","n":$n}"#, ""),
    (r#"{"type":"FunctionCallResponse","id":"\u0063$d","n":$n}"#, ""),
    (r#"{"type":"KeepAlive","n":$n}"#, ""),
    (r#"{"type":"CloseStream","n":$n}"#, ""),
    (r#"{"type":"Finalize","n":$n}"#, ""),
    ("$n no json", ""),
    ("", ""),
];
const OF_UPSTREAM: [&str; 12] = [
    r#"{"type":"FunctionCallRequest","functions":[{"id":"$c","name":"f","arguments":"","client_side":true}],"n":$n}"#,
    r#"{"type":"FunctionCallRequest","functions":[{"id":"$c","name":"f","arguments":"","client_side":true}],"n":$n}"#,
    r#"{"type":"FunctionCallRequest","functions":[{"id":"$c","name":"g","arguments":"","client_side":true}],"n":$n}"#,
    r#"{"type":"FunctionCallCancelled","functions":[{"id":"$c","name":"f"}],"n":$n}"#,
    r#"{"type":"AgentAudioDone","n":$n}"#,
    r#"{"type":"ConversationText","role":"assistant","content":"x","n":$n}"#,
    r#"{"type":"ConversationText","role":"user","content":"x","n":$n}"#,
    r#"{"type":"AgentThinking","n":$n}"#,
    r#"{"type":"UserStartedSpeaking","n":$n}"#,
    r#"{"type":"Welcome","n":$n}"#,
    "$n no json",
    "",
];
const AGENT_DONE: &str = r#"{"type":"AgentDone"}"#;

#[derive(Debug, Clone)]
pub(super) enum Move {
    /// A frame: of the message that is on its way, or the first of this one.
    Frame(Leg, Message),
    /// A leg has handed on so many frames.
    Delivers(Leg, usize),
    /// One of the functions that run is over.
    Finishes(usize, bool),
    Opens,
    ClientAlive,
    /// Memory is short in the whole process, or there is some again.
    Squeeze(bool),
    /// One of [`ends`].
    Ends(usize),
    /// Time passes, and the timer is as late as it is.
    Late,
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    /// Which text; audio otherwise.
    pub(super) text: Option<usize>,
    pub(super) call: usize,
    /// White space behind a text, or the bytes of audio.
    pub(super) bytes: usize,
    pub(super) fragments: usize,
}

pub(super) fn ends() -> Vec<Input> {
    vec![
        Input::ClientClosed(closed(1_000, "")),
        Input::ClientClosed(LegEnd::Vanished),
        Input::ClientClosed(LegEnd::TooLarge { limit: 7 }),
        Input::UpstreamClosed { end: closed(4_000, "x"), unix_s: 0 },
        Input::UpstreamClosed { end: LegEnd::Vanished, unix_s: 0 },
        Input::UpstreamRefused(UpstreamError::TimedOut),
        Input::Drain,
        Input::Overload,
        Input::Shutdown,
    ]
}

/// One direction.
#[derive(Default)]
struct Way {
    /// Frames of the message that the sender is in, those that it has still to send.
    to_send: VecDeque<Frame>,
    /// Frames of that message that have been sent, how it arrives, and whether a part of it has arrived.
    sent: Vec<Frame>,
    becomes: Vec<Frame>,
    arrived: usize,
    /// What has to arrive next.
    expected: VecDeque<Frame>,
    /// The receiver is in a message.
    in_message: bool,
    /// Weights of what the leg has not handed on.
    in_flight: VecDeque<usize>,
    is_paused: bool,
    is_closed: bool,
    is_over: bool,
    /// Not everything that is expected has to arrive.
    is_lossy: bool,
}

#[derive(Debug, Default)]
struct Call {
    has_begun: bool,
    /// Its answer is on its way, if only behind the message that is.
    is_over: bool,
    is_cancelled: bool,
    answered: usize,
    told: usize,
}

impl Call {
    fn runs(&self) -> bool {
        self.has_begun && !self.is_over && !self.is_cancelled
    }
}

pub(super) struct World {
    relay: Relay,
    /// Shows that what happened can be replayed.
    tape: Option<Tape>,
    begun: Instant,
    now: Instant,
    service: Service,
    strict: bool,
    has_functions: bool,
    /// The component is known by its Settings.
    is_auto: bool,
    is_component: bool,
    settings_sent: bool,
    up: Way,
    down: Way,
    calls: BTreeMap<String, Call>,
    opened: bool,
    /// A KeepAlive needs a ping, and an answer to it.
    pinged: bool,
    answered_ping: bool,
    stream_ended: bool,
    may_keep_alive: bool,
    error_told: bool,
    /// The last frame to the client was an AgentDone.
    agent_done: bool,
    finished: bool,
    number: u32,
}

impl World {
    /// `strict`: peers who say nothing, or too much, are noticed.
    pub(super) fn new(service: Service, dialect: Dialect, has_functions: bool, strict: bool) -> Self {
        let backend = if has_functions { running(8_000) } else { backend() };
        let limits = match strict {
            false => limits(),
            true => Limits {
                ping_interval: Some(Duration::from_secs(20)),
                messages_per_s: NonZeroU32::new(5),
                ..limits()
            },
        };
        let backend = Backend { dialect, ..backend };
        let tape = Tape::begin(&backend, &limits, Some(service));
        let relay = Relay::new(Arc::new(backend), limits, service);
        let now = Instant::now();
        let mut world = Self {
            relay,
            tape,
            begun: now,
            now,
            service,
            strict,
            has_functions: has_functions && service == Service::Agent,
            is_auto: dialect == Dialect::Auto,
            is_component: dialect == Dialect::Component && service == Service::Agent,
            settings_sent: false,
            up: Way::default(),
            down: Way::default(),
            calls: BTreeMap::new(),
            opened: false,
            pinged: false,
            answered_ping: false,
            stream_ended: false,
            may_keep_alive: false,
            error_told: false,
            agent_done: false,
            finished: false,
            number: 0,
        };
        world.give(Input::ClientConnected);
        world
    }

    pub(super) fn happens(&mut self, what: Move) {
        match what {
            Move::Frame(leg, message) => self.sends(leg, &message),
            Move::Delivers(leg, count) => self.delivers(leg, count),
            Move::Finishes(which, well) => self.function_finishes(which, well),
            Move::Opens if !self.opened && !self.down.is_over => {
                self.opened = true;
                self.give(Input::UpstreamOpened);
            }
            Move::ClientAlive if !self.up.is_over && !self.up.is_paused => {
                self.answered_ping |= self.pinged;
                self.give(Input::ClientAlive);
            }
            Move::Squeeze(squeezed) => self.give(Input::Squeeze(squeezed)),
            Move::Ends(which) => self.ends(ends().swap_remove(which)),
            Move::Late => self.now += Duration::from_secs(3),
            Move::Opens | Move::ClientAlive => (),
        }
    }

    fn ends(&mut self, end: Input) {
        match &end {
            Input::ClientClosed(_) if self.up.is_over => return,
            Input::ClientClosed(LegEnd::TooLarge { .. }) if self.relay.phase() == Phase::Closing => return,
            Input::ClientClosed(LegEnd::TooLarge { .. }) => (),
            Input::ClientClosed(_) => self.up.is_over = true,
            Input::UpstreamRefused(_) if self.opened || self.down.is_over => return,
            Input::UpstreamClosed { .. } if !self.opened || self.down.is_over => return,
            Input::UpstreamClosed { .. } | Input::UpstreamRefused(_) => self.down.is_over = true,
            // What waits is dropped, if it may be.
            Input::Overload => (self.up.is_lossy, self.down.is_lossy) = (true, true),
            _ => (),
        }
        self.give(end);
    }

    fn function_finishes(&mut self, which: usize, well: bool) {
        let mut running = self.calls.iter_mut().filter(|(_, call)| call.runs());
        let Some((id, call)) = running.nth(which) else { return };
        call.is_over = true;
        let id = id.clone();
        let outcome = if well { Ok("well".to_owned()) } else { Err("ill".to_owned()) };
        self.give(Input::FunctionFinished { call_id: CallId::from(&*id), outcome });
    }

    fn delivers(&mut self, leg: Leg, count: usize) {
        let way = if leg == Leg::Client { &mut self.down } else { &mut self.up };
        let count = count.min(way.in_flight.len());
        let bytes: usize = way.in_flight.drain(..count).sum();
        if count > 0 {
            self.give(Input::Delivered { leg, bytes });
        }
    }

    fn sends(&mut self, leg: Leg, message: &Message) {
        let number = self.number;
        self.number += 1;
        let is_up = leg == Leg::Client;
        if is_up && (self.up.is_over || self.up.is_paused)
            || !is_up && (!self.opened || self.down.is_over || self.down.is_paused)
        {
            return;
        }
        let way = if is_up { &mut self.up } else { &mut self.down };
        if way.to_send.is_empty() {
            let put = |text: &str| {
                let call = message.call.to_string();
                let text = text.replace("$n", &number.to_string()).replace("$c", &format!("c{call}"));
                text.replace("$d", &call) + &" ".repeat(message.bytes)
            };
            let (opcode, payload) = match message.text {
                None => (Opcode::Binary, format!("{number:>width$}", width = message.bytes)),
                Some(text) if is_up => (Opcode::Text, put(OF_CLIENT[text].0)),
                Some(text) => (Opcode::Text, put(OF_UPSTREAM[text])),
            };
            // The end of a stream.
            let payload = if message.text.is_none() && message.bytes == 7 { String::new() } else { payload };
            way.to_send = fragmented(opcode, &payload, message.fragments).into();
            way.becomes = match message.text.map(|text| (OF_CLIENT[text].1, text)) {
                Some((becomes, _)) if is_up && !becomes.is_empty() && self.service == Service::Agent => {
                    vec![Frame::text(put(becomes).trim_end().to_owned())]
                }
                _ => Vec::new(),
            };
        }
        let Some(frame) = way.to_send.pop_front() else { return };
        let input =
            if is_up { Input::ClientFrame(frame.clone()) } else { Input::UpstreamFrame(frame.clone()) };
        if !is_up {
            // Or what a late timer brings could not be told from what the frame does.
            self.give(Input::Timeout);
        }
        let effects = self.handle(input);
        if !effects.contains(&Effect::Ignored(Rule::CloseOnce)) {
            self.is_taken_in(is_up, frame);
        }
        self.judge_all(effects);
    }

    /// What a frame that goes in means for what has to come out.
    fn is_taken_in(&mut self, is_up: bool, frame: Frame) {
        let way = if is_up { &mut self.up } else { &mut self.down };
        let last = frame.last;
        way.sent.push(frame);
        if !last {
            if is_up && self.service != Service::Agent && way.sent[0].opcode == Opcode::Binary {
                self.may_keep_alive = true;
            }
            return;
        }
        let sent = std::mem::take(&mut way.sent);
        let bytes: Vec<u8> = sent.iter().flat_map(|frame| frame.payload.to_vec()).collect();
        let text = String::from_utf8(bytes).expect("all of this world is text");
        let is_text = sent[0].opcode == Opcode::Text;
        let arrived = std::mem::take(&mut way.arrived);
        let becomes = std::mem::take(&mut way.becomes);
        let mut arrives = if becomes.is_empty() { joined_behind_64(&sent, arrived) } else { becomes };
        let value: serde_json::Value = Some(&text)
            .filter(|_| is_text)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let kind = value["type"].as_str().unwrap_or_default().to_owned();
        if is_up {
            self.client_says(&kind, &value, &sent, &mut arrives);
        } else {
            self.upstream_says(&kind, &value, &text, arrived > 0, &mut arrives);
        }
        let way = if is_up { &mut self.up } else { &mut self.down };
        way.expected.extend(arrives.into_iter().skip(arrived));
    }

    fn client_says(
        &mut self,
        kind: &str,
        value: &serde_json::Value,
        sent: &[Frame],
        arrives: &mut Vec<Frame>,
    ) {
        let is_agent = self.service == Service::Agent;
        let id = value["id"].as_str().unwrap_or_default();
        if is_agent && kind == "FunctionCallResponse" && self.calls.contains_key(id) {
            arrives.clear();
        }
        if is_agent && kind == "Settings" && !self.settings_sent {
            self.settings_sent = true;
            self.may_keep_alive = true;
            self.is_component |= self.is_auto && value["agent"]["idleTimeoutMs"].is_number();
        }
        let is_audio = sent[0].opcode == Opcode::Binary;
        if !is_agent && is_audio && !(sent.len() == 1 && sent[0].payload.is_empty()) {
            self.may_keep_alive = true;
        }
    }

    fn upstream_says(
        &mut self,
        kind: &str,
        value: &serde_json::Value,
        text: &str,
        has_passed: bool,
        arrives: &mut Vec<Frame>,
    ) {
        let call = &value["functions"][0];
        let id = call["id"].as_str().unwrap_or_default();
        // What began to pass before the relay had a reason to look is none of its business.
        if has_passed {
            return;
        }
        match kind {
            "FunctionCallRequest" if self.has_functions && call["name"] == "f" => {
                self.calls.entry(id.to_owned()).or_default();
                let told = text.trim_end().replace(r#""client_side":true"#, r#""client_side":false"#);
                *arrives = vec![Frame::text(told)];
            }
            "FunctionCallCancelled" if self.has_functions => {
                if let Some(call) = self.calls.get_mut(id) {
                    call.is_cancelled |= !call.is_over;
                }
            }
            "AgentAudioDone" if self.is_component => arrives.insert(0, Frame::text(AGENT_DONE)),
            _ => (),
        }
    }

    fn give(&mut self, input: Input) {
        let effects = self.handle(input);
        self.judge_all(effects);
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

    fn judge_all(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.judge(effect);
        }
        if let Some(due) = self.relay.deadline() {
            assert!(due > self.now, "what is due is done");
        }
        if self.relay.phase() != Phase::Closed {
            let early = self.relay.handle(Input::Timeout, self.now);
            assert_eq!(early, [], "a timeout before the deadline does nothing");
        }
        self.judge_waiting();
    }

    /// Time passes; the timer comes when it is due.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        let mut steps = 0;
        while let Some(due) = self.relay.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.give(Input::Timeout);
            steps += 1;
            assert!(steps < 10_000, "the timer comes again and again");
        }
        self.now = self.now.max(end);
    }

    /// The peers read everything, and answer a close.
    fn comes_to_rest(&mut self) {
        for _ in 0..200 {
            for leg in [Leg::Client, Leg::Upstream] {
                self.delivers(leg, usize::MAX);
            }
            if self.down.is_closed && !self.up.is_over {
                self.up.is_over = true;
                self.give(Input::ClientClosed(closed(1_000, "")));
            }
            if self.up.is_closed && !self.down.is_over {
                self.down.is_over = true;
                self.give(Input::UpstreamClosed { end: closed(1_000, ""), unix_s: 0 });
            }
        }
    }

    /// With time enough all has arrived and nothing is left undone; later still what does not go on is over.
    pub(super) fn ends_well(mut self) {
        self.comes_to_rest();
        self.pass(16_000);
        self.comes_to_rest();
        if self.relay.phase() == Phase::Active {
            assert!(self.up.expected.is_empty() && self.down.expected.is_empty(), "all has arrived");
            let is_inside = self.up.in_message || self.down.in_message;
            for (id, call) in &self.calls {
                let due = usize::from(!call.is_cancelled);
                assert!(is_inside || (call.answered, call.told) == (due, due), "{id}: {call:?}");
            }
        }
        self.pass(400_000);
        self.comes_to_rest();
        if matches!(self.relay.phase(), Phase::Closing | Phase::Closed) {
            assert!(self.finished && self.relay.deadline().is_none(), "what does not go on is over");
        }
    }
}

/// Behind the 64th fragment of a text that was kept the rest is one.
fn joined_behind_64(sent: &[Frame], arrived: usize) -> Vec<Frame> {
    if arrived > 0 || sent.len() <= 64 || sent[0].opcode == Opcode::Binary {
        return sent.to_vec();
    }
    let (apart, rest) = sent.split_at(64);
    let rest: Vec<u8> = rest.iter().flat_map(|frame| frame.payload.to_vec()).collect();
    let mut frames = apart.to_vec();
    frames.push(Frame { opcode: Opcode::Continuation, last: true, payload: rest.into() });
    frames
}

fn fragmented(opcode: Opcode, payload: &str, count: usize) -> Vec<Frame> {
    let size = payload.len().div_ceil(count);
    let piece = |n: usize| &payload[(n * size).min(payload.len())..((n + 1) * size).min(payload.len())];
    let opcode = |n| if n == 0 { opcode } else { Opcode::Continuation };
    (0..count).map(|n| part(opcode(n), n + 1 == count, piece(n))).collect()
}
