//! The signals of a supervisor or a terminal as requests to the server.

use std::{
    io,
    path::{Path, PathBuf},
};

use futures_util::{Stream, stream};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{file_name, load};
use crate::server::{Request, Reread};

/// The signals that mean something.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// Whether one of the first two has come: the next one is in earnest.
    asked: bool,
}

impl Signals {
    /// From now on none of them ends the process by itself. Needs a runtime.
    pub(super) fn watch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            asked: false,
        })
    }

    /// What they ask for, one after the other; `path` is what is read again.
    pub(super) fn requests(self, path: Option<PathBuf>) -> impl Stream<Item = Request> {
        stream::unfold((self, path), async |(mut signals, path)| {
            Some((signals.next(path.as_deref()).await, (signals, path)))
        })
    }

    async fn next(&mut self, path: Option<&Path>) -> Request {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
            _ = self.hangup.recv() => {
                let config = load(path).map(Box::new);
                return Request::Reload(Reread { file: file_name(path), config });
            }
        }
        if std::mem::replace(&mut self.asked, true) { Request::Stop } else { Request::Drain }
    }
}
