//! The state machine of a connection, whichever it is. Knows nothing of what it decides.

use std::time::Instant;

use crate::gate::{CloseReason, Counts, Effect, Gate, Input, Leg, Phase, Relay};

/// The state machine of a connection.
pub(super) enum StateMachine {
    /// Its messages are translated.
    Translated(Box<Gate>),
    /// Its frames are passed through.
    PassedThrough(Box<Relay>),
}

impl StateMachine {
    pub(super) fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        match self {
            Self::Translated(gate) => gate.handle(input, now),
            Self::PassedThrough(relay) => relay.handle(input, now),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Translated(gate) => gate.deadline(),
            Self::PassedThrough(relay) => relay.deadline(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Translated(gate) => gate.phase(),
            Self::PassedThrough(relay) => relay.phase(),
        }
    }

    pub(super) fn close_reason(&self) -> Option<&CloseReason> {
        match self {
            Self::Translated(gate) => gate.close_reason(),
            Self::PassedThrough(relay) => relay.close_reason(),
        }
    }

    pub(super) fn kept_bytes(&self) -> usize {
        match self {
            Self::Translated(gate) => gate.kept_bytes(),
            Self::PassedThrough(relay) => relay.kept_bytes(),
        }
    }

    pub(super) fn high_water(&self, leg: Leg) -> usize {
        match self {
            Self::Translated(gate) => gate.high_water(leg),
            Self::PassedThrough(relay) => relay.high_water(leg),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        match self {
            Self::Translated(gate) => gate.counts(),
            Self::PassedThrough(_) => Counts::default(),
        }
    }
}
