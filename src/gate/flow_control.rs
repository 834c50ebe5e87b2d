//! Flow control of a connection, whichever gate it has: which leg is read, and what is expected of a peer that is. Knows
//! neither what is queued nor what a gate waits for.

use std::time::{Duration, Instant};

use super::{
    CloseReason, Effect, Input, Leg, Limits,
    liveness::Liveness,
    message_rate::MessageRate,
    outbox::WINDOW,
    timers::{Timer, Timers},
};

#[derive(Debug)]
pub(super) struct FlowControl {
    client_paused: bool,
    upstream_paused: bool,
    /// Memory is short in the whole process.
    squeezed: bool,
    /// What may wait for one leg while there is enough, bytes.
    leg: usize,
    slow_leg_timeout: Duration,
    idle_timeout: Option<Duration>,
    liveness: Liveness,
    rate: MessageRate,
}

/// What speaks for and against reading the client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upward {
    /// What waits for upstream, bytes.
    pub(super) queued: usize,
    /// How much of that may.
    pub(super) budget: usize,
    /// Whether something else has to come first, however little is queued.
    pub(super) blocked: bool,
    /// Whether it is not upstream's slowness that is waited for, but something that has a time of its own.
    pub(super) excused: bool,
}

impl FlowControl {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            client_paused: false,
            upstream_paused: false,
            squeezed: false,
            leg: limits.leg,
            slow_leg_timeout: limits.slow_leg_timeout,
            idle_timeout: limits.idle_timeout,
            liveness: Liveness::new(limits.ping_interval),
            rate: MessageRate::new(limits.messages_per_s),
        }
    }

    /// Whether the leg is read.
    pub(super) fn reads(&self, leg: Leg) -> bool {
        match leg {
            Leg::Client => !self.client_paused,
            Leg::Upstream => !self.upstream_paused,
        }
    }

    /// From now on memory is short, or is not.
    pub(super) fn squeeze(&mut self, squeezed: bool) {
        self.squeezed = squeezed;
    }

    /// What may wait for one leg before the other is not read on, bytes: little while memory is short. Of a large budget
    /// a part is for what is on its way then.
    pub(super) fn leg_budget(&self) -> usize {
        let limit = if self.squeezed { SQUEEZED } else { LARGE.max(self.leg.saturating_sub(ON_ITS_WAY)) };
        self.leg.min(limit)
    }

    /// What an input says of its peer by having come at all.
    pub(super) fn hear(&mut self, input: &Input, timers: &mut Timers, now: Instant) {
        if input.is_message_of_client() {
            self.rate.count(now);
        }
        if let Some(leg) = input.heard_from().filter(|leg| self.reads(*leg)) {
            self.expect(leg, timers, now);
        }
    }

    /// The peer of a leg that is read is there, and has all of its time again.
    fn expect(&mut self, leg: Leg, timers: &mut Timers, now: Instant) {
        self.liveness.heard(leg, timers, now);
        if let Some(longest) = self.idle_timeout.filter(|_| leg == Leg::Client) {
            timers.set(Timer::ClientIdle, now + longest);
        }
    }

    /// Pauses upstream when more than the budget waits for the client, and lets it go on when half of that is gone.
    /// Whether it is read again.
    pub(super) fn balance_upstream(
        &mut self,
        queued: usize,
        timers: &mut Timers,
        effects: &mut Vec<Effect>,
        now: Instant,
    ) -> bool {
        let budget = self.leg_budget();
        if !self.upstream_paused && queued > budget {
            self.upstream_paused = true;
            self.liveness.deaf(Leg::Upstream, timers);
            timers.set(Timer::SlowClient, now + self.slow_leg_timeout);
            effects.push(Effect::Pause(Leg::Upstream));
        } else if self.upstream_paused && queued <= budget / 2 {
            self.upstream_paused = false;
            self.expect(Leg::Upstream, timers, now);
            timers.stop(Timer::SlowClient);
            effects.push(Effect::Resume(Leg::Upstream));
            return true;
        }
        false
    }

    /// Pauses the client when upstream cannot take what it says, or it says too much, and lets it go on when half of what
    /// waits is gone. Whether it is read again.
    pub(super) fn balance_client(
        &mut self,
        upward: Upward,
        timers: &mut Timers,
        effects: &mut Vec<Effect>,
        now: Instant,
    ) -> bool {
        let Upward { queued, budget, blocked, excused } = upward;
        let too_fast_until = self.rate.pause(now);
        match too_fast_until {
            Some(until) => timers.set(Timer::MessageRate, until),
            None => timers.stop(Timer::MessageRate),
        }
        let blocked = blocked || too_fast_until.is_some();
        let was_paused = self.client_paused;
        if !was_paused && (blocked || queued > budget) {
            self.client_paused = true;
            // Who is not read cannot show that he is there.
            timers.stop(Timer::ClientIdle);
            self.liveness.deaf(Leg::Client, timers);
            effects.push(Effect::Pause(Leg::Client));
        } else if was_paused && !blocked && queued <= budget / 2 {
            self.client_paused = false;
            self.expect(Leg::Client, timers, now);
            effects.push(Effect::Resume(Leg::Client));
        }
        // Also when the pause began for another reason, and upstream has become slow meanwhile.
        if !self.client_paused || excused || queued <= budget / 2 {
            timers.stop(Timer::SlowUpstream);
        } else if !timers.is_set(Timer::SlowUpstream) {
            timers.set(Timer::SlowUpstream, now + self.slow_leg_timeout);
        }
        was_paused && !self.client_paused
    }

    /// A leg has taken something. One that takes what it can is not stuck, however much there is; but while memory is
    /// short its time is.
    pub(super) fn progress(&self, leg: Leg, timers: &mut Timers, now: Instant) {
        let slow = match leg {
            Leg::Client => Timer::SlowClient,
            Leg::Upstream => Timer::SlowUpstream,
        };
        if !self.squeezed {
            timers.put_off(slow, now + self.slow_leg_timeout);
        }
    }

    /// Pings who is silent; the end of a connection with a peer that stays so.
    pub(super) fn expire(
        &mut self,
        timers: &mut Timers,
        effects: &mut Vec<Effect>,
        now: Instant,
    ) -> Option<CloseReason> {
        self.liveness.expire(timers, effects, now)
    }

    /// The connection is about to end: a leg that is not read could not answer the close.
    pub(super) fn read_to_the_end(&self, effects: &mut Vec<Effect>) {
        let paused = [Leg::Client, Leg::Upstream].into_iter().filter(|leg| !self.reads(*leg));
        effects.extend(paused.map(Effect::Resume));
    }
}

/// What the socket of a leg holds of what it has taken, and what is read before the reading stops, bytes.
const ON_ITS_WAY: usize = WINDOW + 64 * 1024;
/// A budget of this size is large, bytes.
const LARGE: usize = 1024 * 1024;
/// What may wait for a leg while memory is short, bytes.
const SQUEEZED: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Backend, BackendUrl};

    #[test]
    fn of_a_large_budget_a_part_is_for_what_is_on_its_way() {
        let budget = |leg: usize, squeezed: bool| {
            let backend = Backend::new("b", "/b", BackendUrl::SelfPath("/".to_owned()));
            let mut limits = Limits::new(&backend, Duration::from_secs(60));
            limits.leg = leg;
            let mut flow = FlowControl::new(&limits);
            flow.squeeze(squeezed);
            flow.leg_budget()
        };
        const MIB: usize = 1024 * 1024;
        for (leg, ample, short) in [
            (4 * MIB, 4 * MIB - ON_ITS_WAY, SQUEEZED),
            (MIB + ON_ITS_WAY, MIB, SQUEEZED),
            (MIB + 1, MIB, SQUEEZED),
            (MIB, MIB, SQUEEZED),
            (10_000, 10_000, 10_000),
        ] {
            assert_eq!((budget(leg, false), budget(leg, true)), (ample, short), "{leg}");
        }
    }
}
