//! The gate of a connection that is passed through: frames go from leg to leg as they are and in their order.
//!
//! Pure, like [`Gate`](super::Gate): no socket, no clock, no log. It looks into text only where something
//! must be done about it, and into no binary frame:
//!
//! | File | What it looks for, or says itself |
//! |---|---|
//! | `lane.rs` | one direction: where a message begins and ends |
//! | `from_client.rs` | the client's text: what Deepgram would refuse, answers to calls that were not the client's |
//! | `from_upstream.rs` | upstream's text: calls that the gateway runs |
//! | `functions.rs` | those calls, and their answers |
//! | `turn_end.rs` | the end of a turn, which the component waits for |
//! | `keep_alive.rs` | silence of the client |
//! | `closing.rs`, `drain.rs`, `pressure.rs` | the end, when it may come, and a leg that does not read |

mod closing;
mod drain;
mod from_client;
mod from_upstream;
mod functions;
mod keep_alive;
mod lane;
mod pressure;
#[cfg(test)]
mod tests;
mod turn_end;

use std::{sync::Arc, time::Instant};

use super::{
    ClientFrame, CloseReason, Effect, Input, Leg, Limits, Phase, Rule, UpstreamFrame,
    closing::Closing,
    flow_control::FlowControl,
    limits,
    outbox::Outbox,
    timers::{Timer, Timers},
};
use crate::{
    config::{Backend, Dialect, FunctionCalls, ListenVersion},
    protocol::Frame,
};
use drain::Drain;
use functions::PoolCalls;
use keep_alive::KeepAlive;
use lane::Lane;
use turn_end::TurnEnd;

/// What a client of a Deepgram backend came for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// A conversation (Voice Agent protocol).
    Agent,
    /// Transcription (listen protocol) of this version.
    Transcription(ListenVersion),
}

/// The state machine of one connection that is passed through.
pub struct Relay {
    backend: Arc<Backend>,
    limits: Limits,
    service: Service,
    phase: Phase,
    up: Lane,
    down: Lane,
    to_client: Outbox<ClientFrame>,
    to_upstream: Outbox<UpstreamFrame>,
    flow: FlowControl,
    socket_open: bool,
    /// The client has sent its first Settings.
    settings_seen: bool,
    /// Whether the client is the component.
    component: bool,
    turn_end: TurnEnd,
    keep_alive: KeepAlive,
    drain: Drain,
    calls: PoolCalls,
    /// Whole messages that the client was sent; version 2 of the listen protocol numbers them.
    messages_down: u64,
    closing: Closing,
    /// The client went before upstream's socket was open; what it said is still to go up.
    leaving: Option<CloseReason>,
    timers: Timers,
    effects: Vec<Effect>,
    /// See [`deadline`](Self::deadline).
    due: Option<Instant>,
}

impl Relay {
    /// A relay for a connection to `backend`, which is Deepgram's.
    pub fn new(backend: Arc<Backend>, mut limits: Limits, service: Service) -> Self {
        // Transcription is quiet for as long as its user is.
        limits.idle_timeout = limits.idle_timeout.filter(|_| service == Service::Agent);
        Self {
            phase: Phase::Opening,
            up: Lane::default(),
            down: Lane::default(),
            to_client: Outbox::default(),
            to_upstream: Outbox::default(),
            flow: FlowControl::new(&limits),
            socket_open: false,
            settings_seen: false,
            component: service == Service::Agent && backend.dialect == Dialect::Component,
            turn_end: TurnEnd::default(),
            keep_alive: KeepAlive::new(service),
            drain: Drain::default(),
            calls: PoolCalls::default(),
            messages_down: 0,
            closing: Closing::default(),
            leaving: None,
            timers: Timers::default(),
            effects: Vec::new(),
            due: None,
            backend,
            limits,
            service,
        }
    }

    /// Takes in one thing that happened and says what is to be done, in order.
    #[must_use = "the effects are the relay's only way to act"]
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        if self.phase == Phase::Closed && Rule::CloseOnce.is_on() {
            return vec![Effect::Ignored(Rule::CloseOnce)];
        }
        // Most inputs come before anything is due, and there is much to be asked.
        if matches!(input, Input::Timeout) || self.due.is_some_and(|at| at <= now) {
            self.expire(now);
        }
        if !matches!(self.phase, Phase::Closing | Phase::Closed) {
            self.flow.hear(&input, &mut self.timers, now);
        }
        match input {
            Input::Timeout | Input::Heard(_) => (),
            Input::Delivered { leg, bytes } => self.delivered(leg, bytes, now),
            Input::ClientClosed(end) => self.client_closed(end, now),
            Input::UpstreamClosed { end, .. } => self.upstream_closed(end, now),
            Input::UpstreamRefused(error) => {
                self.upstream_gone();
                self.end(CloseReason::Unreachable(error), now);
            }
            _ if self.phase == Phase::Closing && Rule::CloseOnce.is_on() => {
                self.effects.push(Effect::Ignored(Rule::CloseOnce));
            }
            Input::ClientConnected => self.client_connected(now),
            Input::ClientAlive => self.client_answers(now),
            Input::ClientFrame(frame) => self.client_frame(frame, now),
            Input::UpstreamOpened => self.upstream_opened(now),
            Input::UpstreamFrame(frame) => self.upstream_frame(frame, now),
            Input::FunctionFinished { call_id, outcome } => self.function_finished(&call_id, outcome),
            Input::Squeeze(squeezed) => self.flow.squeeze(squeezed),
            Input::Overload => self.overload(now),
            Input::Drain => self.drain.ask(),
            Input::Shutdown => self.end(CloseReason::Shutdown, now),
            Input::Client(_)
            | Input::ClientAudio(_)
            | Input::ClientMalformed(_)
            | Input::Upstream(_)
            | Input::UpstreamMalformed(_) => {
                debug_assert!(false, "the legs of a relay decode nothing");
            }
        }
        self.settle(now);
        self.due = self.next_deadline();
        std::mem::take(&mut self.effects)
    }

    /// When `Input::Timeout` is due. A late, early or repeated one does no harm.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    fn next_deadline(&self) -> Option<Instant> {
        let functions =
            self.calls.deadline().filter(|_| !matches!(self.phase, Phase::Closing | Phase::Closed));
        self.timers.next(self.flow.reads(Leg::Upstream)).into_iter().chain(functions).min()
    }

    /// The phase, for logs.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Why the connection ended, once that is decided.
    pub fn close_reason(&self) -> Option<&CloseReason> {
        self.closing.reason()
    }

    fn expire(&mut self, now: Instant) {
        self.expire_closing(now);
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        self.expire_limits(now);
        self.expire_liveness(now);
        self.expire_silence(now);
        self.expire_turn(now);
        self.expire_functions(now);
    }

    /// What follows from any input: queues that have room, functions that may start, legs to be paused or closed.
    fn settle(&mut self, now: Instant) {
        self.end_when_drained(now);
        while let Some(frame) = self.to_client.next_frame() {
            self.effects.push(Effect::ToClient(frame));
        }
        if self.socket_open {
            while let Some(frame) = self.to_upstream.next_frame() {
                self.effects.push(Effect::ToUpstream(frame));
            }
        }
        self.start_functions(now);
        self.balance(now);
        self.close_what_is_empty();
    }

    fn client_connected(&mut self, now: Instant) {
        self.effects.push(Effect::OpenUpstream);
        self.timers.set(Timer::Dial, now + limits::longest_dial(&self.backend));
        if self.service == Service::Agent {
            self.timers.set(Timer::Settings, now + self.limits.settings_timeout);
        }
        if let Some(longest) = self.limits.max_session {
            self.timers.set(Timer::SessionAge, now + longest);
        }
    }

    fn upstream_opened(&mut self, now: Instant) {
        self.timers.stop(Timer::Dial);
        self.phase = Phase::Active;
        self.socket_open = true;
        self.keep_alive.opened();
        self.wait_for_silence(now);
        if let Some(reason) = self.leaving.take() {
            self.end(reason, now);
        }
    }

    fn runs_functions(&self) -> bool {
        self.service == Service::Agent && matches!(self.backend.function_calls, FunctionCalls::Server(_))
    }

    /// Passes a frame of the client on.
    fn pass_up(&mut self, frame: Frame) {
        let ends = frame.last;
        self.queue_up(frame);
        if ends {
            for own in self.up.own_messages() {
                self.queue_up(own);
            }
        }
    }

    /// Passes a frame of upstream on.
    fn pass_down(&mut self, frame: Frame) {
        let ends = frame.last;
        self.queue_down(frame);
        if ends {
            for own in self.down.own_messages() {
                self.queue_down(own);
            }
        }
    }

    /// Says something to upstream, behind the message that is on its way.
    fn say_up(&mut self, text: String) {
        if let Some(frame) = self.up.say(text) {
            self.queue_up(frame);
        }
    }

    /// Says something to the client, behind the message that is on its way.
    fn say_down(&mut self, text: String) {
        if let Some(frame) = self.down.say(text) {
            self.queue_down(frame);
        }
    }

    fn queue_up(&mut self, frame: Frame) {
        let frame = if self.to_upstream.is_backed_up() { frame.alone() } else { frame };
        let frame = UpstreamFrame::Frame(frame);
        let weight = frame.weight();
        self.to_upstream.push(frame, weight, None);
    }

    fn queue_down(&mut self, frame: Frame) {
        if self.closing.client_gone() {
            return;
        }
        self.messages_down += u64::from(frame.last);
        let frame = if self.to_client.is_backed_up() { frame.alone() } else { frame };
        let frame = ClientFrame::Frame(frame);
        let weight = frame.weight();
        self.to_client.push(frame, weight, None);
    }

    fn delivered(&mut self, leg: Leg, bytes: usize, now: Instant) {
        match leg {
            Leg::Client => self.to_client.delivered(bytes, |_| ()),
            Leg::Upstream => self.to_upstream.delivered(bytes, |_| ()),
        }
        self.flow.progress(leg, &mut self.timers, now);
        self.timers.put_off(Timer::CloseGrace, self.closing.grace(now));
    }
}
