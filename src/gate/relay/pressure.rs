//! Back-pressure, as far as it is a relay's own: how much may wait for a socket that is not open, and what is kept besides
//! the queues.

use std::time::Instant;

use super::Relay;
use crate::gate::{Leg, Phase, flow_control::Upward};

impl Relay {
    /// Pauses the leg whose input the other cannot take, and lets it go on when half of that is gone.
    pub(super) fn balance(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        let down = self.to_client.bytes();
        if self.flow.balance_upstream(down, &mut self.timers, &mut self.effects, now) {
            self.wait_anew_for_turn_end(now);
        }
        // Before the socket is open the time to dial bounds the wait.
        let opening = self.phase == Phase::Opening;
        let budget = if opening { self.limits.before_ready } else { self.flow.leg_budget() };
        let upward = Upward { queued: self.to_upstream.bytes(), budget, blocked: false, excused: opening };
        self.flow.balance_client(upward, &mut self.timers, &mut self.effects, now);
    }

    /// Bytes that the connection keeps, nearly.
    pub fn kept_bytes(&self) -> usize {
        let queued = self.to_client.bytes() + self.to_upstream.bytes();
        queued + self.up.kept_bytes() + self.down.kept_bytes() + self.calls.weight()
    }

    /// The most that has waited for this leg at a time, the leg's own window included, bytes.
    pub fn high_water(&self, leg: Leg) -> usize {
        match leg {
            Leg::Client => self.to_client.high_water(),
            Leg::Upstream => self.to_upstream.high_water(),
        }
    }
}
