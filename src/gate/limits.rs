//! The bounds of a connection, whichever gate it has, and which end comes of those that are times. Knows nothing of when
//! a time begins.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use super::{
    CloseReason, UpstreamError,
    timers::{Timer, Timers},
};
use crate::config::Backend;

/// Bounds of one connection, from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Input that may wait for the session, bytes.
    pub before_ready: usize,
    /// What may wait for one leg, bytes.
    pub leg: usize,
    /// From the connection to a usable Settings.
    pub settings_timeout: Duration,
    /// Nothing from the client.
    pub idle_timeout: Option<Duration>,
    /// The longest session.
    pub max_session: Option<Duration>,
    /// A leg that takes nothing of a full queue.
    pub slow_leg_timeout: Duration,
    /// A call that the client does not answer.
    pub call_timeout: Duration,
    /// The silence after which a peer is pinged, and after that found to be gone.
    pub ping_interval: Option<Duration>,
    /// Messages that are read from the client in a second.
    pub messages_per_s: Option<NonZeroU32>,
}

impl Limits {
    /// Bounds of a connection to this backend, whose client has so long to answer a call.
    pub fn new(backend: &Backend, call_timeout: Duration) -> Self {
        let limits = &backend.limits;
        Self {
            before_ready: limits.before_ready_bytes,
            leg: limits.leg_bytes,
            settings_timeout: limits.settings_timeout,
            idle_timeout: limits.idle_timeout,
            max_session: limits.max_session,
            slow_leg_timeout: limits.slow_client_timeout,
            call_timeout,
            ping_interval: backend.ping_interval,
            messages_per_s: limits.messages_per_s,
        }
    }
}

/// How long a dial may take altogether, in all its attempts.
pub(super) fn longest_dial(backend: &Backend) -> Duration {
    backend.connect_timeout * backend.dial_attempts + DIAL_GRACE
}

/// The end of a connection of which a time is over; that timer is stopped.
pub(super) fn exceeded(timers: &mut Timers, now: Instant) -> Option<CloseReason> {
    let ends = [
        (Timer::Dial, CloseReason::Unreachable(UpstreamError::TimedOut)),
        (Timer::Settings, CloseReason::SettingsTimeout),
        (Timer::ClientIdle, CloseReason::IdleTimeout),
        (Timer::SessionAge, CloseReason::SessionAge),
        (Timer::SlowClient, CloseReason::ClientTooSlow),
        (Timer::SlowUpstream, CloseReason::UpstreamTooSlow),
    ];
    ends.into_iter().find(|(timer, _)| timers.take_due(*timer, now)).map(|(_, reason)| reason)
}

/// How long the leg may take to report beyond the attempts to dial and the pauses between them.
const DIAL_GRACE: Duration = Duration::from_secs(15);
