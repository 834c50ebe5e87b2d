//! Transcription: a place for it, which ends each session at once.

use std::time::Duration;

use super::{
    door::{Door, Refusal},
    options::Options,
    wire::Wire,
};
use crate::simulator::socket::{self, Output};

/// A session.
pub(super) struct Session {
    options: Options,
    wire: Wire,
}

impl Session {
    /// A session at time zero with the query's parameters.
    ///
    /// # Errors
    /// A parameter is missing, unknown or bad.
    pub(super) fn open(
        door: Door,
        parameters: &[(String, String)],
        request_id: String,
        options: Options,
    ) -> Result<Self, Refusal> {
        log::debug!("simulator: {door:?} {request_id} with {} parameters", parameters.len());
        let mut wire = Wire::default();
        wire.close(1011, "NET-0000", Duration::ZERO, &options);
        Ok(Self { options, wire })
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
