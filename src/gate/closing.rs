//! R16: a connection ends once, with one reason; each side is closed once, behind what was queued for it.
//! [`Closing`] knows no session: it is that of passed-through connections as well.

use std::time::{Duration, Instant};

use super::{CloseReason, Effect, Ending, Gate, Leg, LegEnd, Phase, Rule, Timer, UpstreamError, sendable};
use crate::protocol::agent::ServerMessage;

/// How long a leg may take to close while it takes nothing of what is queued for it.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// How long a leg may take to close if it takes all the time a little of what is queued.
const LONGEST_GRACE: Duration = Duration::from_secs(30);
/// A close this soon after an `error` is the same trouble; later it is another.
const SAME_TROUBLE: Duration = Duration::from_secs(10);
/// A close 1001 this near to the session's own end is that end.
const NEAR_EXPIRY_S: f64 = 60.0;

#[derive(Debug, Default)]
pub(super) struct Closing {
    reason: Option<CloseReason>,
    ending: Option<Ending>,
    /// When whatever is still open is cut.
    latest: Option<Instant>,
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

    /// The end is decided.
    pub(super) fn decide(&mut self, reason: CloseReason, ending: Ending, now: Instant) {
        self.reason = Some(reason);
        self.ending = Some(ending);
        self.latest = Some(now + LONGEST_GRACE);
    }

    /// Until when a leg that has just taken something may close.
    pub(super) fn grace(&self, now: Instant) -> Instant {
        let grace = now + GRACE;
        self.latest.map_or(grace, |latest| grace.min(latest))
    }

    /// A leg's socket is gone.
    pub(super) fn gone(&mut self, leg: Leg) {
        *self.leg(leg) = LegState::Gone;
    }

    fn leg(&mut self, leg: Leg) -> &mut LegState {
        match leg {
            Leg::Client => &mut self.client,
            Leg::Upstream => &mut self.upstream,
        }
    }

    /// Once the end is decided: closes each leg that is ready for it, and says whether both are gone.
    pub(super) fn advance(
        &mut self,
        client_ready: bool,
        upstream_ready: bool,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(ending) = self.ending.clone() else { return false };
        let Ending { client_code, client_reason, upstream_code, upstream_reason, .. } = ending;
        let closes = [
            (Leg::Client, client_ready, client_code, client_reason),
            (Leg::Upstream, upstream_ready, upstream_code, upstream_reason),
        ];
        for (leg, ready, code, reason) in closes {
            let open = *self.leg(leg) == LegState::Open || Rule::CloseOnce.is_off();
            if open && ready {
                debug_assert!(sendable(code));
                *self.leg(leg) = LegState::CloseSent;
                effects.push(Effect::Close { leg, code, reason });
            }
        }
        let gone = |leg| leg == LegState::Gone || Rule::CloseOnce.is_off();
        gone(self.client) && gone(self.upstream)
    }

    /// Cuts the legs that did not close in time.
    pub(super) fn cut(&mut self, effects: &mut Vec<Effect>) {
        for leg in [Leg::Client, Leg::Upstream] {
            if *self.leg(leg) != LegState::Gone || Rule::CloseOnce.is_off() {
                effects.push(Effect::HangUp(leg));
            }
            self.gone(leg);
        }
    }
}

impl Gate {
    pub(super) fn client_closed(&mut self, end: LegEnd, now: Instant) {
        let gone = !matches!(end, LegEnd::TooLarge { .. } | LegEnd::ProtocolError(_));
        if gone {
            self.closing.gone(Leg::Client);
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
        self.closing.gone(Leg::Upstream);
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
        self.closing.gone(Leg::Upstream);
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
        self.closing.decide(reason, ending, now);
        self.flow.read_to_the_end(&mut self.effects);
    }

    /// Closes each leg that has been handed everything, and finishes when both are gone.
    pub(super) fn close_what_is_empty(&mut self) {
        let client_ready = self.to_client.is_empty() || Rule::CloseOnce.is_off();
        // Without a socket nothing that is queued can ever go up.
        let can_flush = self.opening.socket_open() && Rule::CloseOnce.is_on();
        let upstream_ready = self.to_upstream.is_empty() || !can_flush;
        if self.closing.advance(client_ready, upstream_ready, &mut self.effects) {
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
            self.timers.set(Timer::CloseGrace, self.closing.grace(now));
        }
    }

    /// Pings who is silent, and ends the connection of who stays so.
    pub(super) fn expire_liveness(&mut self, now: Instant) {
        if let Some(reason) = self.flow.expire(&mut self.timers, &mut self.effects, now) {
            self.end(reason, now);
        }
    }

    /// Cuts the legs that did not close in time; with them gone the connection is finished.
    pub(super) fn expire_closing(&mut self, now: Instant) {
        if !self.timers.take_due(Timer::CloseGrace, now) {
            return;
        }
        self.closing.cut(&mut self.effects);
        self.to_client.clear();
        self.to_upstream.clear();
    }
}
