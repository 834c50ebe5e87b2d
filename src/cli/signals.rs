//! The signals of a supervisor or a terminal as requests to the server.

use std::io;

use futures_util::{Stream, stream};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::server::Request;

/// The signals that mean something.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Whether one of those has come: the next one is in earnest.
    asked: bool,
}

impl Signals {
    /// From now on none of them ends the process by itself. Needs a runtime.
    pub(super) fn watch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            asked: false,
        })
    }

    /// What they ask for, one after the other.
    pub(super) fn requests(self) -> impl Stream<Item = Request> {
        stream::unfold(self, async |mut signals| Some((signals.next().await, signals)))
    }

    async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
        if std::mem::replace(&mut self.asked, true) { Request::Stop } else { Request::Drain }
    }
}
