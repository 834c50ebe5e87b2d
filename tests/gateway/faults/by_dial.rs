//! Endings of a connection whose upstream was never open.

use tokio::time::Instant;

use super::stage::{Kind, Level, Stage, learns};
use crate::peers::fault_proxy::{Cut, Direction, Fault};
use crate::peers::ms;

/// The network before upstream is broken: the dial is cut, or nothing comes back.
pub(super) async fn reaches_nobody(kind: Kind) {
    const PATIENCE: u64 = 400;
    let lines = format!("connect_timeout_ms = {PATIENCE}\ndial_attempts = 1");
    let cuts = [0, 20].into_iter().flat_map(|bytes| [Cut::Fin, Cut::Reset].map(|how| (bytes, how)));
    let cuts = cuts.map(|(bytes, how)| Fault::CutAfter(bytes, how));
    for fault in cuts.chain([Fault::Stall, Fault::Swallow, Fault::End]) {
        let stage = Stage::start(kind, &lines).await;
        stage.far.set(Direction::Up, fault);
        let began = Instant::now();
        let mut client = stage.client().await;
        // Time is the cause where nothing else happens.
        let waits = matches!(fault, Fault::Stall | Fault::Swallow);
        let cause = if waits { began + ms(PATIENCE) } else { began };
        learns(&mut client, cause, Some("upstream_unreachable"), (Some(1011), "")).await;
        if waits {
            assert!(began.elapsed() >= ms(PATIENCE), "{:?}", began.elapsed());
        }
        stage.ended("upstream_unreachable", Level::Warn).await;
        // The first is the stage's own.
        assert_eq!(stage.far.links(), 2, "dialled again");
    }
}

pub(super) async fn is_not_let_in(kind: Kind) {
    refused(kind, &["401 Unauthorized", "403 Forbidden"], "upstream_auth_failed", 1011).await;
}

pub(super) async fn is_one_too_many(kind: Kind) {
    refused(kind, &["429 Too Many Requests"], "upstream_rate_limited", 1013).await;
}

pub(super) async fn is_not_served(kind: Kind) {
    let statuses = ["404 Not Found", "500 Internal Server Error", "503 Service Unavailable", "200 OK"];
    refused(kind, &statuses, "upstream_unavailable", 1013).await;
}

/// The dial is answered with one of these statuses, which the log, the `Error` and the close tell by this word.
async fn refused(kind: Kind, statuses: &[&str], word: &str, close: u16) {
    let stage = Stage::start(kind, "").await;
    for status in statuses {
        let (mut client, dialled) = stage.dial().await;
        let answered = Instant::now();
        dialled.refuse(status, "").await;
        learns(&mut client, answered, Some(word), (Some(close), "")).await;
        stage.ended(word, Level::Warn).await;
    }
    assert!(stage.upstream.is_left_alone().await, "dialled again");
}
