//! Endings that come from upstream or from the network before it, once it is open.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::time::Instant;

use super::stage::{Kind, LEARNS, Level, Session, Stage};
use crate::peers::fault_proxy::{Cut, Direction, Fault};
use crate::peers::frames;
use crate::peers::raw_frame::RawFrame;
use crate::peers::s;
use crate::peers::sound::plain_settings;

/// Closes of upstream, with what the client and upstream are told.
pub(super) async fn closes(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    let passed_through = kind != Kind::Translated;
    let error = |code| if passed_through { None } else { Some(code) };
    let none = if passed_through { (1000, 1000) } else { (1011, 1000) };
    for (close, error, codes, level) in [
        (RawFrame::close(Some(1000), "done"), None, (1000, 1000), Level::Info),
        (RawFrame::close(Some(4000), "done"), error("upstream_closed"), (4000, 4000), Level::Warn),
        (
            RawFrame::close(Some(1001), "done"),
            error("upstream_closed"),
            (1001, 1001),
            if passed_through { Level::Info } else { Level::Warn },
        ),
        (
            RawFrame::close(None, ""),
            error("upstream_closed"),
            none,
            if passed_through { Level::Info } else { Level::Warn },
        ),
    ] {
        let mut session = stage.open().await;
        let reason = if close.payload.is_empty() { "" } else { "done" };
        let closed = Instant::now();
        session.upstream.send(&close).await;
        session.both_learn(closed, (error, Some(codes.0), reason), (Some(codes.1), "")).await;
        stage.ended("upstream_closed", level).await;
    }
    if passed_through {
        return;
    }
    let mut session = unready(&stage).await;
    let closed = Instant::now();
    session.upstream.send(&RawFrame::close(Some(4003), "not today")).await;
    let error = Some("upstream_closed_before_session_ready");
    session.both_learn(closed, (error, Some(4003), "not today"), (Some(4003), "")).await;
    stage.ended("upstream_closed", Level::Warn).await;
}

/// A session whose Settings have gone up and have no answer.
async fn unready(stage: &Stage) -> Session {
    let mut session = stage.connect().await;
    session.client.send(&RawFrame::text(&plain_settings().to_string())).await;
    session.upstream.expect_data(1).await;
    session
}

/// Upstream's leg breaks: all of it, in the middle of a frame, or the way down alone.
pub(super) async fn vanishes(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    let faults = [Fault::CutAfter(0, Cut::Reset), Fault::CutAfter(0, Cut::Fin), Fault::End];
    for fault in faults.into_iter().chain([Cut::Reset, Cut::Fin].map(|how| Fault::CutAfter(60, how))) {
        let session = stage.open().await;
        broken(session, fault, "upstream_closed").await;
        stage.ended("upstream_vanished", Level::Warn).await;
        if kind == Kind::Translated {
            let session = unready(&stage).await;
            broken(session, fault, "upstream_closed_before_session_ready").await;
            stage.ended("upstream_vanished", Level::Warn).await;
        }
    }
}

async fn broken(mut session: Session, fault: Fault, error: &str) {
    let broke = Instant::now();
    session.far.set(Direction::Down, fault);
    session.upstream.send(&RawFrame::text(&frames::error("a_code", &"x".repeat(200)).to_string())).await;
    session.client_learns(broke, Some(error), (Some(1011), "")).await;
    session.upstream.expect_end().await;
}

/// A message over the limit, which nobody waits for.
pub(super) async fn sends_too_much(kind: Kind) {
    let stage = Stage::start(kind, "limits = { max_upstream_message_bytes = 20000 }").await;
    for fault in [Fault::Pass, Fault::ByteByByte] {
        let mut session = stage.open().await;
        session.far.set(Direction::Down, fault);
        let sent = Instant::now();
        session.upstream.send(&RawFrame::text(&"x".repeat(30_000))).await;
        session
            .both_learn(sent, (Some("upstream_message_too_large"), Some(1011), ""), (Some(1009), ""))
            .await;
        stage.ended("upstream_message_too_large", Level::Warn).await;
    }
}

/// A frame that RFC 6455 does not have.
pub(super) async fn breaks_the_protocol(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    let broken = RawFrame::new(3, true, *b"x");
    let mut session = stage.open().await;
    let sent = Instant::now();
    session.upstream.send(&broken).await;
    session.both_learn(sent, (Some("upstream_closed"), Some(1011), ""), (Some(1002), "")).await;
    stage.ended("upstream_protocol_error", Level::Warn).await;
    if kind == Kind::Translated {
        let mut session = unready(&stage).await;
        let sent = Instant::now();
        session.upstream.send(&broken).await;
        let error = Some("upstream_closed_before_session_ready");
        session.both_learn(sent, (error, Some(1011), ""), (Some(1002), "")).await;
        stage.ended("upstream_protocol_error", Level::Warn).await;
    }
}

/// 1001 within a minute of the end that upstream gave its session.
pub(super) async fn expires(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    let mut session = stage.connect().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right").as_secs();
    let mut created = frames::session_created();
    created["session"]["expires_at"] = json!(now + 30);
    session.upstream.send(&RawFrame::text(&created.to_string())).await;
    session.open().await;
    let closed = Instant::now();
    session.upstream.send(&RawFrame::close(Some(1001), "")).await;
    session.both_learn(closed, (Some("session_max_duration"), Some(1001), ""), (Some(1001), "")).await;
    stage.ended("session_expired", Level::Info).await;
}

/// Upstream takes nothing: it reads on while there is time, or never.
pub(super) async fn reads_too_slowly(kind: Kind) {
    let limits = "limits = { leg_bytes = 65536, slow_client_timeout_s = 1 }";
    for reads_on in [true, false] {
        let stage = Stage::start(kind, limits).await;
        let mut session = stage.open().await;
        session.far.set(Direction::Up, Fault::Stall);
        let audio: Vec<_> = (0..500).map(|_| RawFrame::binary([0; 16 * 1024])).collect();
        let began = Instant::now();
        let sending = async {
            session.client.send_all(&audio, usize::MAX).await;
        };
        let ((), decided) = tokio::join!(sending, async {
            stage.deciding().await;
            if reads_on {
                session.far.set(Direction::Up, Fault::Pass);
            }
            Instant::now()
        });
        assert!(began.elapsed() >= s(1), "{:?}", began.elapsed());
        if reads_on {
            session.both_learn(decided, (Some("upstream_too_slow"), Some(1011), ""), (Some(1000), "")).await;
        } else {
            session.client_learns(decided, Some("upstream_too_slow"), (Some(1011), "")).await;
        }
        stage.ended("upstream_too_slow", Level::Warn).await;
        assert!(decided.elapsed() < 2 * LEARNS, "{:?}", decided.elapsed());
    }
}
