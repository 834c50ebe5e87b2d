//! The line of a session: what leaves it, and the silence of the client that ends it. Knows no message.

use std::time::Duration;

use serde_json::Value;

use crate::simulator::{
    deepgram::{options::Options, wire::Wire},
    socket::Output,
};

#[derive(Debug)]
pub(super) struct Line {
    wire: Wire,
    options: Options,
    /// How long the client may be silent.
    patience: Duration,
    /// When it was heard last.
    heard_at: Duration,
}

impl Line {
    /// A line at time zero. `patience` counts unless the options have another.
    pub(super) fn new(options: Options, patience: Duration) -> Self {
        let patience = options.net_timeout.unwrap_or(patience);
        Self { wire: Wire::default(), options, patience, heard_at: Duration::ZERO }
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// The client is there.
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard_at = now;
    }

    pub(super) fn message(&mut self, message: &Value, now: Duration) {
        self.wire.message(message, now, &self.options);
    }

    pub(super) fn close(&mut self, code: u16, reason: &str, now: Duration) {
        self.wire.close(code, reason, now, &self.options);
    }

    /// Whether the session goes on. It ends if the client has been silent for too long.
    pub(super) fn goes_on(&mut self, now: Duration) -> bool {
        let silent_at = self.silent_at();
        if !self.wire.is_closing() && silent_at <= now {
            self.close(1011, "NET-0001", silent_at);
        }
        !self.wire.is_closing()
    }

    /// Everything that leaves by now.
    pub(super) fn take(&mut self, now: Duration) -> Vec<Output> {
        self.goes_on(now);
        self.wire.take(now, &self.options)
    }

    /// When there is something to take next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let silent_at = (!self.wire.is_closing()).then(|| self.silent_at());
        self.wire.due().into_iter().chain(silent_at).min()
    }

    /// When the client will have been silent for too long.
    fn silent_at(&self) -> Duration {
        self.heard_at + self.patience
    }
}
