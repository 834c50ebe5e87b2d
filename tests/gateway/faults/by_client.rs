//! Endings that come from the client or from the network before it.

use tokio::time::Instant;

use super::stage::{Kind, Level, Stage};
use crate::peers::fault_proxy::{Cut, Direction, Fault};
use crate::peers::raw_frame::{RawFrame, Side};

/// Closes of the client, and what upstream is told.
pub(super) async fn closes(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    for (close, told) in [
        (RawFrame::close(Some(1000), "done"), (Some(1000), "done")),
        (RawFrame::close(Some(4001), "bye"), (Some(4001), "bye")),
        (RawFrame::close(None, ""), (Some(1000), "")),
    ] {
        let mut session = stage.open().await;
        let closed = Instant::now();
        session.client.send(&close).await;
        session.both_learn(closed, (None, told.0, ""), told).await;
        stage.ended("client_closed", Level::Info).await;
    }
}

/// The client's leg breaks: all of it, in the middle of a frame, or the way up alone.
pub(super) async fn vanishes(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    let faults = [Fault::CutAfter(0, Cut::Reset), Fault::CutAfter(0, Cut::Fin), Fault::End];
    for fault in faults.into_iter().chain([Cut::Reset, Cut::Fin].map(|how| Fault::CutAfter(600, how))) {
        let mut session = stage.open().await;
        let broke = Instant::now();
        session.near.set(Direction::Up, fault);
        session.client.send(&RawFrame::binary([0; 960])).await;
        session.client.expect_end().await;
        session.upstream_learns(broke, (Some(1001), "")).await;
        assert!(!session.client.has_seen("Error"), "told of its own end: {fault:?}");
        stage.ended("client_vanished", Level::Info).await;
    }
}

/// A message over the limit: announced by its header alone, whole, and in fragments.
pub(super) async fn sends_too_much(kind: Kind) {
    let stage = Stage::start(kind, "limits = { max_message_bytes = 4096 }").await;
    let whole = [RawFrame::binary([0; 5_000])];
    let fragments = [RawFrame::new(2, false, [0; 4_000]), RawFrame::new(0, true, [0; 1_000])];
    for frames in [whole.as_slice(), &fragments] {
        for fault in [Fault::Pass, Fault::ByteByByte] {
            let mut session = stage.open().await;
            session.near.set(Direction::Up, fault);
            let sent = Instant::now();
            session.client.send_all(frames, usize::MAX).await;
            session.both_learn(sent, (Some("MESSAGE_TOO_LARGE"), Some(1009), ""), (Some(1000), "")).await;
            stage.ended("message_too_large", Level::Warn).await;
        }
    }
}

/// Frames that RFC 6455 does not have.
pub(super) async fn breaks_the_protocol(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    let mut unmasked = Vec::new();
    RawFrame::text("{}").write(Side::Server, &mut unmasked);
    let mut reserved = Vec::new();
    RawFrame::new(3, true, *b"x").write(Side::Client, &mut reserved);
    for bytes in [unmasked, reserved] {
        let mut session = stage.open().await;
        let sent = Instant::now();
        session.client.send_bytes(&bytes, usize::MAX).await;
        session.both_learn(sent, (Some("UNPARSABLE_CLIENT_MESSAGE"), Some(1002), ""), (Some(1000), "")).await;
        stage.ended("client_protocol_error", Level::Warn).await;
    }
}

/// Audio without end, and no Settings.
pub(super) async fn says_too_much_before_settings(kind: Kind) {
    let stage = Stage::start(kind, "limits = { before_ready_bytes = 65536 }").await;
    let mut session = stage.connect().await;
    session.near.set(Direction::Up, Fault::Throttle(400 * 1024));
    let sent = Instant::now();
    for _ in 0..3 {
        session.client.send(&RawFrame::binary([0; 32 * 1024])).await;
    }
    session
        .both_learn(sent, (Some("TOO_MUCH_INPUT_BEFORE_SETTINGS"), Some(1008), ""), (Some(1000), ""))
        .await;
    stage.ended("too_much_input", Level::Warn).await;
}
