//! Frames of clients that break RFC 6455: the connection fails with 1002, both sides are told once, and the log says why.

use futures_util::future::join_all;
use serde_json::Value;

use super::assert_no_panic;
use super::stage::{Kind, Stage, frame};
use crate::peers::raw::RawPeer;
use crate::peers::raw_frame::{CLOSE, PING, PONG, RawFrame, TEXT};
use crate::peers::s;

const CONTROL_FRAME: &str = "a control frame of more than 125 bytes, or in fragments";

/// Frames that may not come, each behind a word for it.
fn forbidden() -> Vec<(&'static str, Vec<u8>)> {
    let mut frames = Vec::new();
    // FIN, RSV1 to RSV3, opcode.
    for (first, what) in [
        (0xc1, "Received a frame with non-zero reserved bits"),
        (0xc2, "Received a frame with non-zero reserved bits"),
        (0xa1, "Received a frame with non-zero reserved bits"),
        (0x91, "Received a frame with non-zero reserved bits"),
        (0xf1, "Received a frame with non-zero reserved bits"),
        (0xc9, "Received a frame with non-zero reserved bits"),
        (0x83, "Invalid opcode (3)"),
        (0x87, "Invalid opcode (7)"),
        (0x8b, "Invalid opcode (11)"),
        (0x8f, "Invalid opcode (15)"),
        (0x80, "Continuation has not started"),
        (0x00, "Continuation has not started"),
        (PING, CONTROL_FRAME),
        (PONG, CONTROL_FRAME),
        (CLOSE, CONTROL_FRAME),
    ] {
        frames.push((what, frame(first, b"compressed?", true)));
    }
    for opcode in [PING, PONG, CLOSE] {
        frames.push((CONTROL_FRAME, frame(0x80 | opcode, &[b'x'; 126], true)));
        frames.push((CONTROL_FRAME, frame(0x80 | opcode, &[b'x'; 70_000], true)));
        // Before it is whole.
        frames.push((CONTROL_FRAME, frame(0x80 | opcode, &[b'x'; 70_000], true)[..14].to_vec()));
    }
    frames.push(("Received an unmasked frame from client", frame(0x81, b"{}", false)));
    frames.push(("Received an unmasked frame from client", frame(0x89, b"", false)));
    frames.push(("Invalid control frame length (1)", frame(0x88, &[3], true)));
    frames.push(("Bad opcode", frame(0x88, &[3, 232, 0xff, 0xff], true)));
    let within = |second: u8| [frame(TEXT, b"{", true), frame(second, b"}", true)].concat();
    for second in [0x81, 0x82, 0x01, 0x02] {
        frames.push(("Received new continuation but it has already started", within(second)));
    }
    frames
}

/// A client sends this and no more; what the gateway makes of it.
async fn fails(stage: &Stage, (mut client, mut upstream): (RawPeer, RawPeer), bytes: &[u8], ending: Ending) {
    client.send_raw(bytes).await;
    let closed = client.expect_close().await;
    assert_eq!(closed, (Some(ending.code), String::new()), "for {bytes:?}");
    let errors: Vec<Value> = client
        .data()
        .iter()
        .filter_map(|frame| serde_json::from_slice(&frame.payload).ok())
        .filter(|message: &Value| message["type"] == "Error")
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["code"], ending.error);
    assert_eq!(upstream.expect_close().await.0, Some(1000), "for {bytes:?}");
    // What is broken is not passed on, but the begin of a message that was in order.
    assert!(upstream.data().iter().all(|frame| !frame.last), "for {bytes:?}");
    upstream.send(&RawFrame::close(Some(1000), "")).await;
    client.expect_end().await;
    stage.gateway.expect_log(&["WARN", &format!("session ended cause={}", ending.cause)], s(2)).await;
}

#[derive(Clone, Copy)]
struct Ending {
    error: &'static str,
    code: u16,
    cause: &'static str,
}

const BROKEN: Ending =
    Ending { error: "UNPARSABLE_CLIENT_MESSAGE", code: 1002, cause: "client_protocol_error" };
const TOO_LARGE: Ending = Ending { error: "MESSAGE_TOO_LARGE", code: 1009, cause: "message_too_large" };

async fn broken_frames_fail_the_connection(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    let frames = forbidden();
    let mut failing = Vec::new();
    for (_, bytes) in &frames {
        failing.push(fails(&stage, stage.connect().await, bytes, BROKEN));
    }
    join_all(failing).await;
    for (what, _) in frames {
        stage.gateway.expect_log(&["session ended cause=client_protocol_error", what], s(2)).await;
    }
    assert_no_panic(&stage.gateway);
    stage.assert_serves().await;
}

#[tokio::test]
async fn broken_frames_before_a_translated_backend() {
    broken_frames_fail_the_connection(Kind::Translated).await;
}

#[tokio::test]
async fn broken_frames_before_one_that_is_passed_through() {
    broken_frames_fail_the_connection(Kind::PassedThrough).await;
}

async fn lengths_beyond_measure(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    let mut failing = Vec::new();
    for length in [1 << 20 | 1, 1 << 30, 1 << 63, u64::MAX] {
        for first in [0x81, 0x02, 0x89] {
            let bytes = [&[first, 0xff][..], &u64::to_be_bytes(length), &[1, 2, 3, 4]].concat();
            let (peers, stage) = (stage.connect().await, &stage);
            failing.push(async move { fails(stage, peers, &bytes, TOO_LARGE).await });
        }
    }
    join_all(failing).await;
    assert_no_panic(&stage.gateway);
    stage.assert_serves().await;
}

#[tokio::test]
async fn lengths_beyond_measure_before_a_translated_backend() {
    lengths_beyond_measure(Kind::Translated).await;
}

#[tokio::test]
async fn lengths_beyond_measure_before_one_that_is_passed_through() {
    lengths_beyond_measure(Kind::PassedThrough).await;
}

/// A client that masks with another key than it says sends other bytes: text that is none.
#[tokio::test]
async fn text_under_another_mask_is_no_text() {
    for kind in [Kind::Translated, Kind::PassedThrough] {
        let stage = Stage::start(kind, "").await;
        let mut bytes = frame(0x81, b"{\"type\":\"KeepAlive\"}", true);
        bytes[2] ^= 0x80;
        fails(&stage, stage.connect().await, &bytes, BROKEN).await;
    }
}
