//! The Voice Agent: a place for it, which ends each session at once.

use std::time::Duration;

use super::{options::Options, wire::Wire};
use crate::simulator::socket::{self, Output};

/// A session.
pub(super) struct Session {
    options: Options,
    wire: Wire,
}

impl Session {
    /// A session at time zero.
    pub(super) fn open(options: Options) -> Self {
        let mut wire = Wire::default();
        wire.close(1011, "NET-0000", Duration::ZERO, &options);
        Self { options, wire }
    }
}

impl socket::Session for Session {
    fn text(&mut self, _message: &str, _now: Duration) {}

    fn binary(&mut self, _message: &[u8], _now: Duration) {}

    fn poll(&mut self, now: Duration) -> Vec<Output> {
        self.wire.take(now, &self.options)
    }

    fn deadline(&self) -> Option<Duration> {
        self.wire.due()
    }
}
