//! Peers that send what takes little on the wire and may take much memory here.

use tokio::time::timeout;

use super::stage::{PATH, Stage};
use crate::peers::ms;
use crate::peers::raw::RawPeer;
use crate::peers::raw_frame::{PONG, RawFrame};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_small_frame_that_waits_keeps_no_large_one_in_memory() {
    let stage = Stage::start("connect_timeout_ms = 60000").await;
    let before = stage.gateway.resident_memory();
    // Nobody answers the dial, so everything waits.
    let mut client = RawPeer::connect(stage.gateway.port(), PATH, "").await;
    let own = "x".repeat(MIB - 200);
    let settings = RawFrame::text(&format!(r#"{{"type":"Settings","agent":{{"idleTimeoutMs":"{own}"}}}}"#));
    let frames = [settings, RawFrame::binary([1])];
    for _ in 0..100 {
        client.send_all(&frames, usize::MAX).await;
    }
    client.send(&RawFrame::ping("all is read")).await;
    client.expect_opcode(PONG, 1).await;
    let growth = stage.gateway.resident_memory().saturating_sub(before);
    assert!(growth < 25 * MIB, "resident memory grew by {} KiB", growth / 1024);
}

#[tokio::test]
async fn tiny_frames_that_come_faster_than_they_are_looked_at_wait_at_the_client() {
    let stage = Stage::start("connect_timeout_ms = 60000").await;
    let before = stage.gateway.resident_memory();
    let mut client = RawPeer::connect(stage.gateway.port(), PATH, "").await;
    let many = vec![RawFrame::binary([1]); 20_000];
    let mut sent = 0;
    while timeout(ms(3_000), client.send_all(&many, usize::MAX)).await.is_ok() {
        sent += many.len();
        assert!(sent < 2_000_000, "all of it is taken");
    }
    let growth = stage.gateway.resident_memory().saturating_sub(before);
    assert!(growth < 25 * MIB, "resident memory grew by {} KiB", growth / 1024);
}
