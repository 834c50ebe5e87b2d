//! R16: a connection ends once, with one reason; each side is closed once, behind what was queued for it.

use std::time::{Duration, Instant};

use super::{CloseReason, Effect, Ending, Gate, Leg, LegEnd, Phase, Rule, Timer, UpstreamError, sendable};
use crate::protocol::agent::ServerMessage;

/// How long a leg may take to close while it takes nothing of what is queued for it.
const GRACE: Duration = Duration::from_secs(2);
/// A close this soon after an `error` is the same trouble; later it is another.
const SAME_TROUBLE: Duration = Duration::from_secs(10);
/// A close 1001 this near to the session's own end is that end.
const NEAR_EXPIRY_S: f64 = 60.0;

#[derive(Debug, Default)]
pub(super) struct Closing {
    reason: Option<CloseReason>,
    ending: Option<Ending>,
    /// When the client was last told of an error of upstream.
    error_told: Option<Instant>,
    client: LegState,
    upstream: LegState,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum LegState {
    #[default]
    Open,
    /// The close frame has gone.
    CloseSent,
    /// The socket is gone.
    Gone,
}

impl Closing {
    pub(super) fn reason(&self) -> Option<&CloseReason> {
        self.reason.as_ref()
    }

    /// Whether nobody is left to be told anything.
    pub(super) fn client_gone(&self) -> bool {
        self.client == LegState::Gone
    }

    /// The client was told of an error that upstream may close for.
    pub(super) fn note_error(&mut self, now: Instant) {
        self.error_told = Some(now);
    }
}

impl Gate {
    pub(super) fn client_closed(&mut self, end: LegEnd, now: Instant) {
        let gone = !matches!(end, LegEnd::TooLarge { .. } | LegEnd::ProtocolError(_));
        if gone {
            self.closing.client = LegState::Gone;
            self.to_client.clear();
            self.cancel_functions();
        }
        if self.phase != Phase::Closing || Rule::CloseOnce.is_off() {
            if gone && self.opening.holds_input() && Rule::InputWaitsForSession.is_on() {
                // What it said is still to go up, as soon as the session is open for it.
                self.opening.leave(end);
                return self.held(Rule::InputWaitsForSession);
            }
            if gone {
                self.commit_before_close();
            }
            self.end(CloseReason::Client(end), now);
        }
    }

    pub(super) fn upstream_closed(&mut self, end: LegEnd, unix_s: u64, now: Instant) {
        self.closing.upstream = LegState::Gone;
        self.to_upstream.clear();
        if self.phase == Phase::Closing && Rule::CloseOnce.is_on() {
            return;
        }
        if let Some(notice) = self.held_idle_error.take() {
            self.closing.note_error(now);
            self.tell(ServerMessage::Error(notice));
        }
        let near = self.opening.expires_at().is_some_and(|at| (at - unix_s as f64).abs() <= NEAR_EXPIRY_S);
        let expired = near && matches!(end, LegEnd::Closed { code: Some(1001), .. });
        let ready = self.opening.applied();
        self.end(CloseReason::Upstream { end, ready, expired }, now);
    }

    pub(super) fn upstream_refused(&mut self, error: UpstreamError, now: Instant) {
        self.closing.upstream = LegState::Gone;
        self.to_upstream.clear();
        self.end(CloseReason::Unreachable(error), now);
    }

    /// Ends the connection, if nothing has ended it yet.
    pub(super) fn end(&mut self, reason: CloseReason, now: Instant) {
        if self.phase == Phase::Closing && Rule::CloseOnce.is_on() {
            return self.ignored(Rule::CloseOnce);
        }
        self.phase = Phase::Closing;
        self.cancel_functions();
        self.timers.stop_all();
        self.timers.set(Timer::CloseGrace, now + GRACE);
        let ending = reason.ending();
        // A close that follows upstream's own error is the same trouble.
        let recent = self.closing.error_told.is_some_and(|at| now.duration_since(at) <= SAME_TROUBLE);
        let known = recent && matches!(reason, CloseReason::Upstream { .. }) && Rule::ErrorsByCode.is_on();
        if let Some(notice) = ending.error.clone().filter(|_| !known) {
            self.tell(ServerMessage::Error(notice));
        }
        self.closing.reason = Some(reason);
        self.closing.ending = Some(ending);
        // A leg that is not read cannot answer the close.
        for (paused, leg) in [(self.paused_client, Leg::Client), (self.paused_upstream, Leg::Upstream)] {
            if paused {
                self.effects.push(Effect::Resume(leg));
            }
        }
    }

    /// Closes each leg that has been handed everything, and finishes when both are gone.
    pub(super) fn close_what_is_empty(&mut self) {
        let Some(ending) = self.closing.ending.clone() else { return };
        let open = |leg| leg == LegState::Open || Rule::CloseOnce.is_off();
        let flushed = self.to_client.is_empty() || Rule::CloseOnce.is_off();
        if open(self.closing.client) && flushed {
            self.closing.client = LegState::CloseSent;
            self.effects.push(Effect::Close {
                leg: Leg::Client,
                code: ending.client_code,
                reason: ending.client_reason,
            });
        }
        // Without a socket nothing that is queued can ever go up.
        let can_flush = self.opening.socket_open() && Rule::CloseOnce.is_on();
        if open(self.closing.upstream) && (self.to_upstream.is_empty() || !can_flush) {
            debug_assert!(sendable(ending.upstream_code));
            self.closing.upstream = LegState::CloseSent;
            self.effects.push(Effect::Close {
                leg: Leg::Upstream,
                code: ending.upstream_code,
                reason: String::new(),
            });
        }
        let gone = |leg| leg == LegState::Gone || Rule::CloseOnce.is_off();
        if gone(self.closing.client) && gone(self.closing.upstream) {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.phase = Phase::Closed;
        self.timers.stop_all();
        self.effects.push(Effect::Finished);
    }

    /// A leg took something: it may have the time it needs for the rest.
    pub(super) fn closing_progress(&mut self, now: Instant) {
        if self.phase == Phase::Closing {
            self.timers.set(Timer::CloseGrace, now + GRACE);
        }
    }

    /// Cuts the legs that did not close in time; with them gone the connection is finished.
    pub(super) fn expire_closing(&mut self, now: Instant) {
        if !self.timers.take_due(Timer::CloseGrace, now) {
            return;
        }
        for (state, leg) in [(self.closing.client, Leg::Client), (self.closing.upstream, Leg::Upstream)] {
            if state != LegState::Gone || Rule::CloseOnce.is_off() {
                self.effects.push(Effect::HangUp(leg));
            }
        }
        self.closing.client = LegState::Gone;
        self.closing.upstream = LegState::Gone;
        self.to_client.clear();
        self.to_upstream.clear();
    }
}
