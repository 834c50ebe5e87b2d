//! Who is still there: a peer that is silent for a time is pinged, and gone when it is silent for as long again. Of a
//! leg that is not read nothing can be heard, so nothing is expected.

use std::time::{Duration, Instant};

use super::{
    CloseReason, Effect, Leg,
    timers::{Timer, Timers},
};

#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// How long a peer may be silent before it is pinged; never, without one.
    interval: Option<Duration>,
    client_asked: bool,
    upstream_asked: bool,
}

impl Liveness {
    pub(super) fn new(interval: Option<Duration>) -> Self {
        Self { interval, ..Self::default() }
    }

    /// The peer of a leg has shown that it is there, or begins to be listened to.
    pub(super) fn heard(&mut self, leg: Leg, timers: &mut Timers, now: Instant) {
        let Some(interval) = self.interval else { return };
        *self.asked(leg) = false;
        timers.set(timer(leg), now + interval);
    }

    /// From now on the leg is not read.
    pub(super) fn deaf(&self, leg: Leg, timers: &mut Timers) {
        timers.stop(timer(leg));
    }

    /// Pings who is silent; the end of a connection with a peer that was pinged and stayed silent.
    pub(super) fn expire(
        &mut self,
        timers: &mut Timers,
        effects: &mut Vec<Effect>,
        now: Instant,
    ) -> Option<CloseReason> {
        for leg in [Leg::Client, Leg::Upstream] {
            if !timers.take_due(timer(leg), now) {
                continue;
            }
            if *self.asked(leg) {
                return Some(match leg {
                    Leg::Client => CloseReason::ClientSilent,
                    Leg::Upstream => CloseReason::UpstreamSilent,
                });
            }
            *self.asked(leg) = true;
            effects.push(Effect::Ping(leg));
            if let Some(interval) = self.interval {
                timers.set(timer(leg), now + interval);
            }
        }
        None
    }

    fn asked(&mut self, leg: Leg) -> &mut bool {
        match leg {
            Leg::Client => &mut self.client_asked,
            Leg::Upstream => &mut self.upstream_asked,
        }
    }
}

fn timer(leg: Leg) -> Timer {
    match leg {
        Leg::Client => Timer::ClientSilent,
        Leg::Upstream => Timer::UpstreamSilent,
    }
}
