//! Frames of upstreams that break RFC 6455: upstream is told by 1002, the client by an Error, and the log says why.

use serde_json::Value;

use super::assert_no_panic;
use super::stage::{Kind, Stage, frame};
use crate::peers::raw_frame::{CLOSE, PING, PONG, RawFrame, TEXT};
use crate::peers::s;

const CONTROL_FRAME: &str = "a control frame of more than 125 bytes, or in fragments";

/// Bytes that may not come from a server, each behind a word for it.
fn forbidden() -> Vec<(&'static str, Vec<u8>)> {
    let text = br#"{"type":"Welcome"}"#;
    let mut frames = vec![
        ("Received a masked frame from server", frame(0x81, text, true)),
        ("Received a masked frame from server", frame(0x89, b"", true)),
        ("Invalid control frame length (1)", frame(0x88, &[3], false)),
        ("Bad opcode", frame(0x88, &[3, 232, 0xff, 0xff], false)),
        ("Received new continuation but it has already started", {
            [frame(TEXT, b"{", false), frame(0x81, b"}", false)].concat()
        }),
        ("Continuation has not started", frame(0x80, b"x", false)),
    ];
    for first in [0xc1, 0xc2, 0xa1, 0x91, 0xf1, 0xc9] {
        frames.push(("Received a frame with non-zero reserved bits", frame(first, text, false)));
    }
    for (first, what) in [(0x83, "Invalid opcode (3)"), (0x8f, "Invalid opcode (15)")] {
        frames.push((what, frame(first, text, false)));
    }
    for (opcode, name) in [(PING, "Ping"), (PONG, "Pong"), (CLOSE, "Close")] {
        frames.push((CONTROL_FRAME, frame(0x80 | opcode, &[b'x'; 126], false)));
        frames.push((CONTROL_FRAME, frame(opcode, name.as_bytes(), false)));
    }
    frames
}

/// Upstream sends these bytes and no more: what it and the client are told, and what the log says.
async fn fails(stage: &Stage, bytes: &[u8], (error, close, cause): (&str, u16, &str)) {
    let (mut client, mut upstream) = stage.connect().await;
    upstream.send_raw(bytes).await;
    assert_eq!(upstream.expect_close().await.0, Some(close), "for {bytes:?}");
    assert_eq!(client.expect_close().await, (Some(1011), String::new()), "for {bytes:?}");
    client.send(&RawFrame::close(Some(1011), "")).await;
    let said = client.data();
    let last = said.last().expect("it is told something");
    // In the middle of a message that is passed through nothing else can be said.
    if last.last {
        let last: Value = serde_json::from_slice(&last.payload).expect("JSON");
        assert_eq!((&last["type"], &last["code"]), (&"Error".into(), &error.into()), "for {bytes:?}");
    }
    upstream.expect_end().await;
    stage.gateway.expect_log(&["WARN", &format!("session ended cause={cause}")], s(2)).await;
}

async fn broken_frames_fail_the_connection(kind: Kind) {
    let stage = Stage::start(kind, "").await;
    let error = match kind {
        Kind::Translated => "upstream_closed_before_session_ready",
        Kind::PassedThrough => "upstream_closed",
    };
    for (what, bytes) in forbidden() {
        fails(&stage, &bytes, (error, 1002, "upstream_protocol_error")).await;
        stage.gateway.expect_log(&["upstream", what], s(2)).await;
    }
    for length in [32 << 20 | 1, 1 << 30, 1 << 63, u64::MAX] {
        for first in [0x81, 0x02, 0x8a] {
            let bytes = [&[first, 0x7f][..], &u64::to_be_bytes(length)].concat();
            fails(&stage, &bytes, ("upstream_message_too_large", 1009, "upstream_message_too_large")).await;
        }
    }
    assert_no_panic(&stage.gateway);
    stage.assert_serves().await;
}

#[tokio::test]
async fn broken_frames_of_a_translated_backend() {
    broken_frames_fail_the_connection(Kind::Translated).await;
}

#[tokio::test]
async fn broken_frames_of_one_that_is_passed_through() {
    broken_frames_fail_the_connection(Kind::PassedThrough).await;
}
