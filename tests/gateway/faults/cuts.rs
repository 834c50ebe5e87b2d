//! A conversation that is cut at a moment, at many moments: on each leg, in each direction, after so many bytes of the
//! whole. Each time one session ends, the other side is told in time, and nothing is left.

use tokio::join;
use tokio::time::{Instant, timeout};

use super::conversation::{Reached, Tempo, converse};
use super::stage::{Kind, LEARNS, Level, Stage};
use crate::peers::fault_proxy::{Cut, Direction, Fault};
use crate::peers::raw::RawPeer;
use crate::peers::raw_frame::{CLOSE, RawFrame};
use crate::peers::s;

/// Moments on each leg in each direction; with two kinds of backend these are 200.
const MOMENTS: usize = 25;

/// How many bytes an undisturbed conversation is on each leg, up and down.
async fn measured(stage: &Stage) -> [[usize; 2]; 2] {
    let mut session = stage.connect().await;
    let reached = converse(stage.kind, Tempo::Fast, &mut session.client, &mut session.upstream).await;
    assert_eq!(reached, Reached::Whole);
    let passed =
        [&session.near, &session.far].map(|link| Direction::BOTH.map(|direction| link.passed(direction)));
    drop(session);
    stage.ended("client_vanished", Level::Info).await;
    passed
}

/// The bytes after which the `index`th cut of a direction comes, and how it is made.
fn moment(index: usize, whole: usize) -> (usize, Fault) {
    let bytes = whole * index / MOMENTS;
    (bytes, Fault::CutAfter(bytes, if index.is_multiple_of(2) { Cut::Reset } else { Cut::Fin }))
}

/// The client's leg is cut, at some byte behind its upgrade: upstream is told that the client has gone.
async fn clients_leg(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    let [whole, _] = measured(&stage).await;
    for direction in Direction::BOTH {
        for index in 0..MOMENTS {
            let mut session = stage.connect().await;
            let upgrade = session.near.passed(direction);
            let (bytes, fault) = moment(index, whole[direction as usize] - upgrade);
            session.near.set(direction, fault);
            converse(kind, Tempo::Fast, &mut session.client, &mut session.upstream).await;
            let cut = session.near.over().await;
            let told = session.upstream.expect_close().await;
            in_time(&session.upstream, cut);
            assert_eq!(told.0, Some(1001), "after {bytes} bytes {direction:?}");
            session.upstream.send(&RawFrame::close(Some(1001), "")).await;
            drop(session);
            stage.ended("client_vanished", Level::Info).await;
        }
    }
}

/// Upstream's leg is cut, at some byte of its dial or behind it: the client is told why it ends.
async fn upstreams_leg(kind: Kind) {
    let stage = Stage::start(kind, "dial_attempts = 1").await;
    let [_, whole] = measured(&stage).await;
    for direction in Direction::BOTH {
        for index in 0..MOMENTS {
            let (bytes, fault) = moment(index, whole[direction as usize]);
            stage.far.set(direction, fault);
            let number = stage.far.links() + 1;
            let mut client = stage.client().await;
            let link = stage.far.link(number).await;
            let accepted = async { timeout(s(1), stage.upstream.accept_whole()).await.ok() };
            let opened = tokio::select! {
                upstream = accepted => upstream,
                _ = link.over() => None,
            };
            match opened {
                Some(mut upstream) => {
                    converse(kind, Tempo::Fast, &mut client, &mut upstream).await;
                }
                // A dial that is cut is one that upstream need not see.
                None => stage.upstream.forget().await,
            }
            let cut = link.over().await;
            let told = client.expect_close().await;
            in_time(&client, cut);
            assert_eq!(told.0, Some(1011), "after {bytes} bytes {direction:?}");
            let cause = error(&client);
            client.send(&RawFrame::close(Some(1011), "")).await;
            drop(client);
            let cause =
                if cause == "upstream_unreachable" { "upstream_unreachable" } else { "upstream_vanished" };
            stage.ended(cause, Level::Warn).await;
        }
        stage.far.set(direction, Fault::Pass);
    }
}

/// The close has come soon after the cut.
fn in_time(peer: &RawPeer, cut: Instant) {
    let after = peer.closed_at().expect("it has come").saturating_duration_since(cut);
    assert!(after < LEARNS, "told {after:?} after the cut");
}

/// The code of the one `Error` that the client was told before the close.
fn error(client: &RawPeer) -> String {
    let errors: Vec<_> =
        client.frames().into_iter().filter(|frame| frame.says("\"type\":\"Error\"")).collect();
    let [error] = errors.as_slice() else { panic!("not one Error: {errors:?}") };
    let error: serde_json::Value = serde_json::from_slice(&error.payload).expect("an Error is JSON");
    let code = error["code"].as_str().expect("an Error has a code");
    let all = ["upstream_unreachable", "upstream_closed_before_session_ready", "upstream_closed"];
    assert!(all.contains(&code), "{code}");
    assert_eq!(client.frames().iter().filter(|frame| frame.opcode == CLOSE).count(), 1, "closed twice");
    code.to_owned()
}

#[tokio::test]
async fn the_clients_leg_is_cut_anywhere() {
    join!(clients_leg(Kind::Translated), clients_leg(Kind::Agent));
}

#[tokio::test]
async fn upstreams_leg_is_cut_anywhere() {
    join!(upstreams_leg(Kind::Translated), upstreams_leg(Kind::Agent));
}
