//! The end of the program: who is told when, and how long each is given. Knows no session by itself.

use std::{future::pending, time::Duration};

use futures_util::{Stream, StreamExt};
use tokio::time::{sleep, timeout};

use super::{
    Request,
    sessions::{Sessions, Stage},
};

/// How long live sessions have for their close frames when the program stops.
const GOODBYE: Duration = Duration::from_secs(5);

/// The same when there is no time to wait for anybody.
const HASTE: Duration = Duration::from_millis(1500);

/// How the sessions have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Each by itself.
    Orderly,
    /// Some are left.
    Cut,
}

/// Ends every session, at once if `requests` asks for it. Sessions in their turn are given `patience` to finish it; `None`:
/// nobody is waited for longer than it takes to close.
pub(super) async fn end(
    sessions: &Sessions,
    patience: Option<Duration>,
    requests: &mut (impl Stream<Item = Request> + Unpin),
) -> Ended {
    let hurried = match patience {
        None => true,
        Some(Duration::ZERO) => false,
        Some(patience) => drain(sessions, patience, requests).await,
    };
    log::info!(sessions = sessions.len(); "stopping");
    sessions.enter(Stage::Stopping);
    let goodbye = async {
        if !hurried {
            tokio::select! {
                gone = timeout(GOODBYE, sessions.gone()) => return gone,
                () = hurry(requests) => log::info!("stopping at once"),
            }
        }
        timeout(HASTE, sessions.gone()).await
    };
    if goodbye.await.is_err() {
        log::warn!(sessions = sessions.len(); "sessions did not end in time");
        return Ended::Cut;
    }
    Ended::Orderly
}

/// Waits for the ends of turns; whether somebody has asked to end at once.
async fn drain(
    sessions: &Sessions,
    patience: Duration,
    requests: &mut (impl Stream<Item = Request> + Unpin),
) -> bool {
    log::info!(sessions = sessions.len(), at_most_s = patience.as_secs(); "draining");
    sessions.enter(Stage::Draining);
    tokio::select! {
        () = sessions.gone() => false,
        () = sleep(patience) => false,
        () = hurry(requests) => true,
    }
}

/// Ready when somebody asks for the end once more.
async fn hurry(requests: &mut (impl Stream<Item = Request> + Unpin)) {
    while let Some(request) = requests.next().await {
        match request {
            Request::Drain | Request::Stop => return,
            Request::Reload(_) => {
                log::warn!("no configuration is taken up any more, the gateway is going away")
            }
        }
    }
    pending().await
}
