//! Back-pressure of a connection that is passed through: which leg is read while the other takes nothing, and for
//! how long.

use std::time::Instant;

use super::Relay;
use crate::gate::{Effect, Leg, Phase, closing::GRACE, timers::Timer};

impl Relay {
    /// Pauses the leg whose input the other cannot take, and lets it go on when half of that is gone.
    pub(super) fn balance(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        let patience = self.limits.slow_leg_timeout;
        let down = self.to_client.bytes();
        if !self.paused_upstream && down > self.limits.leg {
            self.paused_upstream = true;
            self.timers.set(Timer::SlowClient, now + patience);
            self.effects.push(Effect::Pause(Leg::Upstream));
        } else if self.paused_upstream && down <= self.limits.leg / 2 {
            self.paused_upstream = false;
            self.timers.stop(Timer::SlowClient);
            self.wait_anew_for_turn_end(now);
            self.effects.push(Effect::Resume(Leg::Upstream));
        }
        // Before the socket is open the time to dial bounds the wait.
        let opening = self.phase == Phase::Opening;
        let budget = if opening { self.limits.before_ready } else { self.limits.leg };
        let up = self.to_upstream.bytes();
        if !self.paused_client && up > budget {
            self.paused_client = true;
            // Who is not read cannot show that he is there.
            self.timers.stop(Timer::ClientIdle);
            self.effects.push(Effect::Pause(Leg::Client));
        } else if self.paused_client && up <= budget / 2 {
            self.paused_client = false;
            self.client_is_there(now);
            self.effects.push(Effect::Resume(Leg::Client));
        }
        if !self.paused_client || opening {
            self.timers.stop(Timer::SlowUpstream);
        } else if !self.timers.is_set(Timer::SlowUpstream) {
            self.timers.set(Timer::SlowUpstream, now + patience);
        }
    }

    /// A leg that takes what it can is not stuck, however much there is.
    pub(super) fn made_progress(&mut self, leg: Leg, now: Instant) {
        let slow = match leg {
            Leg::Client => Timer::SlowClient,
            Leg::Upstream => Timer::SlowUpstream,
        };
        self.timers.put_off(slow, now + self.limits.slow_leg_timeout);
        self.timers.put_off(Timer::CloseGrace, now + GRACE);
    }
}
