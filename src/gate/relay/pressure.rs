//! Back-pressure of a connection that is passed through: which leg is read while the other takes nothing, and for
//! how long.

use std::time::Instant;

use super::Relay;
use crate::gate::{Effect, Leg, Phase, timers::Timer};

impl Relay {
    /// Pauses the leg whose input the other cannot take, and lets it go on when half of that is gone.
    pub(super) fn balance(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        let patience = self.limits.slow_leg_timeout;
        let budget = self.limits.leg_budget(self.squeezed);
        let down = self.to_client.bytes();
        if !self.paused_upstream && down > budget {
            self.paused_upstream = true;
            self.liveness.deaf(Leg::Upstream, &mut self.timers);
            self.timers.set(Timer::SlowClient, now + patience);
            self.effects.push(Effect::Pause(Leg::Upstream));
        } else if self.paused_upstream && down <= budget / 2 {
            self.paused_upstream = false;
            self.liveness.heard(Leg::Upstream, &mut self.timers, now);
            self.timers.stop(Timer::SlowClient);
            self.wait_anew_for_turn_end(now);
            self.effects.push(Effect::Resume(Leg::Upstream));
        }
        // Before the socket is open the time to dial bounds the wait.
        let opening = self.phase == Phase::Opening;
        let budget = if opening { self.limits.before_ready } else { budget };
        let up = self.to_upstream.bytes();
        let fast = self.rate.pause(now);
        match fast {
            Some(until) => self.timers.set(Timer::MessageRate, until),
            None => self.timers.stop(Timer::MessageRate),
        }
        if !self.paused_client && (up > budget || fast.is_some()) {
            self.paused_client = true;
            // Who is not read cannot show that he is there.
            self.timers.stop(Timer::ClientIdle);
            self.liveness.deaf(Leg::Client, &mut self.timers);
            self.effects.push(Effect::Pause(Leg::Client));
        } else if self.paused_client && up <= budget / 2 && fast.is_none() {
            self.paused_client = false;
            self.client_is_there(now);
            self.effects.push(Effect::Resume(Leg::Client));
        }
        if !self.paused_client || opening || up <= budget / 2 {
            self.timers.stop(Timer::SlowUpstream);
        } else if !self.timers.is_set(Timer::SlowUpstream) {
            self.timers.set(Timer::SlowUpstream, now + patience);
        }
    }

    /// Bytes that the connection keeps, nearly.
    pub fn kept_bytes(&self) -> usize {
        let queued = self.to_client.bytes() + self.to_upstream.bytes();
        queued + self.up.kept_bytes() + self.down.kept_bytes() + self.calls.weight()
    }

    /// A leg that takes what it can is not stuck, however much there is; but while memory is short its time is.
    pub(super) fn made_progress(&mut self, leg: Leg, now: Instant) {
        let slow = match leg {
            Leg::Client => Timer::SlowClient,
            Leg::Upstream => Timer::SlowUpstream,
        };
        if !self.squeezed {
            self.timers.put_off(slow, now + self.limits.slow_leg_timeout);
        }
        self.timers.put_off(Timer::CloseGrace, self.closing.grace(now));
    }
}
