//! R16 for a connection that is passed through: it ends once, for one reason, and each side is told once. What the
//! peers say about their own ends is passed on.

use std::time::Instant;

use super::{Relay, Service};
use crate::{
    config::ListenVersion,
    gate::{
        ClientFrame, CloseReason, Effect, Leg, LegEnd, Phase, Rule, closing::GRACE, limits, timers::Timer,
    },
    protocol::{
        Opcode,
        agent::{Notice, ServerMessage},
    },
    translate::deepgram,
};

impl Relay {
    pub(super) fn client_closed(&mut self, end: LegEnd, now: Instant) {
        let gone = !matches!(end, LegEnd::TooLarge { .. } | LegEnd::ProtocolError(_));
        if gone {
            self.closing.gone(Leg::Client);
            self.to_client.clear();
        }
        if self.phase == Phase::Closing && Rule::CloseOnce.is_on() {
            return;
        }
        let reason = CloseReason::Client(end);
        if gone && self.phase == Phase::Opening && !self.to_upstream.is_empty() {
            // What it said is still to go up, as soon as there is a socket.
            self.leaving.get_or_insert(reason);
            return self.effects.push(Effect::Held(Rule::SettingsFirst));
        }
        self.end(reason, now);
    }

    pub(super) fn upstream_closed(&mut self, end: LegEnd, now: Instant) {
        self.upstream_gone();
        if self.phase != Phase::Closing || Rule::CloseOnce.is_off() {
            self.end(CloseReason::Relayed(end), now);
        }
    }

    pub(super) fn upstream_gone(&mut self) {
        self.closing.gone(Leg::Upstream);
        self.to_upstream.clear();
    }

    /// Ends the connection, if nothing has ended it yet.
    pub(super) fn end(&mut self, reason: CloseReason, now: Instant) {
        if self.phase == Phase::Closing && Rule::CloseOnce.is_on() {
            return self.effects.push(Effect::Ignored(Rule::CloseOnce));
        }
        self.phase = Phase::Closing;
        self.cancel_all_calls();
        self.timers.stop_all();
        self.timers.set(Timer::CloseGrace, now + GRACE);
        let ending = reason.ending();
        if let Some(notice) = &ending.error {
            self.tell_error(notice);
        }
        self.closing.decide(reason, ending, now);
        self.flow.read_to_the_end(&mut self.effects);
    }

    /// There is no more memory: what waits goes first. Of a message that the client has begun to get the rest has to
    /// come, or it could be told nothing.
    pub(super) fn overload(&mut self, now: Instant) {
        if !self.down.in_message() && self.to_client.frames().all(is_whole) {
            self.to_client.clear();
        }
        self.to_upstream.clear();
        self.end(CloseReason::Overloaded, now);
    }

    /// In the words of the service; not inside a message of upstream's, which will never be whole now.
    fn tell_error(&mut self, notice: &Notice) {
        if self.down.in_message() {
            return;
        }
        let text = match self.service {
            Service::Agent => ServerMessage::Error(notice.clone()).encode(),
            Service::Transcription(ListenVersion::V1) => deepgram::error(notice, None),
            Service::Transcription(ListenVersion::V2) => deepgram::error(notice, Some(self.messages_down)),
        };
        self.say_down(text);
    }

    pub(super) fn close_what_is_empty(&mut self) {
        let client_ready = self.to_client.is_empty();
        let upstream_ready = self.to_upstream.is_empty() || !self.socket_open;
        if self.closing.advance(client_ready, upstream_ready, &mut self.effects) {
            self.phase = Phase::Closed;
            self.timers.stop_all();
            self.effects.push(Effect::Finished);
        }
    }

    pub(super) fn expire_closing(&mut self, now: Instant) {
        if self.timers.take_due(Timer::CloseGrace, now) {
            self.closing.cut(&mut self.effects);
            self.to_client.clear();
            self.to_upstream.clear();
        }
    }

    pub(super) fn expire_limits(&mut self, now: Instant) {
        if let Some(reason) = limits::exceeded(&mut self.timers, now) {
            self.end(reason, now);
        }
    }

    pub(super) fn expire_liveness(&mut self, now: Instant) {
        if let Some(reason) = self.flow.expire(&mut self.timers, &mut self.effects, now) {
            self.end(reason, now);
        }
    }
}

/// Whether a frame is a message by itself.
fn is_whole(frame: &ClientFrame) -> bool {
    matches!(frame, ClientFrame::Frame(frame) if frame.last && frame.opcode != Opcode::Continuation)
}
