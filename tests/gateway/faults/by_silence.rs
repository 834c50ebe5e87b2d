//! Endings of a session of which one side is not heard any more, while its sockets are open.

use std::time::Duration;

use futures_util::future::join;
use tokio::time::{Instant, sleep};

use super::stage::{Kind, Level, Stage, is_heard, learns};
use crate::peers::fault_proxy::{Direction, Fault};
use crate::peers::frames;
use crate::peers::ms;
use crate::peers::raw::RawPeer;
use crate::peers::raw_frame::{PONG, RawFrame};
use crate::peers::sound::plain_settings;

/// Pings of a tenth more than a second are the latest: one, and one that has had no answer.
const PINGS: &str = "ping_interval_s = 1";
const FOUND: Duration = ms(2_200);
/// As early as that nobody may be found silent.
const PATIENCE: Duration = ms(1_800);

/// What the client says is lost in the network; or all that is said to it as well.
pub(super) async fn of_the_client(kind: Kind) {
    for deaf in [false, true] {
        let stage = Stage::start(kind, PINGS).await;
        let mut session = stage.open().await;
        let since = is_heard(&mut session.client).await;
        session.near.set(Direction::Up, Fault::Swallow);
        if deaf {
            session.near.set(Direction::Down, Fault::Swallow);
        }
        let told = async {
            if !deaf {
                learns(&mut session.client, since + FOUND, Some("client_silent"), (Some(1008), "")).await;
            }
        };
        let upstream = async {
            lives_until_closed(&mut session.upstream).await;
            assert!(since.elapsed() >= PATIENCE, "{:?}", since.elapsed());
            learns(&mut session.upstream, since + FOUND, None, (Some(1001), "")).await;
        };
        join(told, upstream).await;
        stage.ended("client_silent", Level::Info).await;
    }
}

/// What upstream says is lost in the network: its answer to the Settings, or to a ping.
pub(super) async fn of_upstream(kind: Kind) {
    if kind == Kind::Translated {
        answers_no_settings(kind).await;
    }
    let stage = Stage::start(kind, PINGS).await;
    let mut session = stage.open().await;
    let since = is_heard(&mut session.upstream).await;
    session.far.set(Direction::Down, Fault::Swallow);
    let client = async {
        lives_until_closed(&mut session.client).await;
        assert!(since.elapsed() >= PATIENCE, "{:?}", since.elapsed());
        learns(&mut session.client, since + FOUND, Some("upstream_silent"), (Some(1011), "")).await;
    };
    let upstream = learns(&mut session.upstream, since + FOUND, None, (Some(1000), ""));
    join(client, upstream).await;
    stage.ended("upstream_silent", Level::Warn).await;
}

/// Shows that it is there until it is told of an end.
async fn lives_until_closed(peer: &mut RawPeer) {
    while !peer.is_told_of_an_end() {
        peer.send(&RawFrame::new(PONG, true, *b"here")).await;
        sleep(ms(20)).await;
    }
}

/// The `session.update` has gone up and its answer is lost on its way.
async fn answers_no_settings(kind: Kind) {
    for fault in [Fault::Stall, Fault::Swallow] {
        let stage = Stage::start(kind, "deferred_response_timeout_ms = 400").await;
        let mut session = stage.connect().await;
        session.far.set(Direction::Down, fault);
        let asked = Instant::now();
        session.client.send(&RawFrame::text(&plain_settings().to_string())).await;
        session.upstream.expect_data(1).await;
        session.upstream.send(&RawFrame::text(&frames::session_updated().to_string())).await;
        session.client.expect_said("upstream_silent", 1).await;
        assert!(asked.elapsed() >= ms(400), "{:?}", asked.elapsed());
        session.client_learns(asked + ms(400), Some("upstream_silent"), (Some(1011), "")).await;
        assert_eq!(session.upstream.expect_close().await.0, Some(1000));
        stage.ended("upstream_silent", Level::Warn).await;
    }
}
