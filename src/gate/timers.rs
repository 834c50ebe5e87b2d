//! The named deadlines of a connection, in one table. Those of single items, calls and responses live
//! with them.

use std::time::Instant;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// Upstream's socket, or word that it cannot be had.
    Dial,
    /// The client's first usable Settings.
    Settings,
    /// The pause after a response before a kept Settings goes up.
    KeptSettings,
    /// Anything from the client.
    ClientIdle,
    /// A sign of life of the client, before it is pinged and after.
    ClientSilent,
    /// The same of upstream.
    UpstreamSilent,
    /// The client being read again, after more messages than it may send.
    MessageRate,
    /// The longest that a session may last.
    SessionAge,
    /// The client taking what is queued for it.
    SlowClient,
    /// Upstream taking what is queued for it.
    SlowUpstream,
    /// The client speaking, of a connection that is passed through.
    Silence,
    /// The client playing what it was given, when the connection is to end with its turn.
    PlayedOut,
    /// Both legs closing.
    CloseGrace,
    // From here on they wait for something that upstream is to say, and stand still while it is not read.
    /// Upstream's answer to our `session.update`.
    SessionUpdated,
    /// The end of the user's speech.
    SpeechEnd,
    /// Upstream answering speech by itself.
    SpeechAnswer,
    /// More of a turn that may be over, of a connection that is passed through.
    TurnEnd,
}

const COUNT: usize = Timer::TurnEnd as usize + 1;
/// The first of those that wait for upstream.
const OF_UPSTREAM: usize = Timer::SessionUpdated as usize;

/// A deadline for each timer that is set.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Instant>; COUNT]);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = Some(at);
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    /// Stops the timer and says true if it is due.
    pub(super) fn take_due(&mut self, timer: Timer, now: Instant) -> bool {
        let due = self.0[timer as usize].is_some_and(|at| at <= now);
        if due {
            self.stop(timer);
        }
        due
    }

    /// Moves the deadline of a timer, if it is set.
    pub(super) fn put_off(&mut self, timer: Timer, at: Instant) {
        if self.is_set(timer) {
            self.set(timer, at);
        }
    }

    pub(super) fn next(&self, upstream_is_read: bool) -> Option<Instant> {
        let counted = if upstream_is_read { COUNT } else { OF_UPSTREAM };
        self.0[..counted].iter().flatten().min().copied()
    }
}
