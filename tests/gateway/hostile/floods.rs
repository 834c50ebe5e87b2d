//! Messages in as many pieces as there may be: they take time, and little memory, and nobody else waits for them.

use tokio::time::Instant;

use super::assert_no_panic;
use super::stage::{Kind, Stage, frame};
use crate::peers::raw::RawPeer;
use crate::peers::raw_frame::{BINARY, CONTINUATION, PONG, RawFrame, TEXT};
use crate::peers::s;

const MIB: usize = 1024 * 1024;

/// How much the gateway may grow meanwhile.
const GROWTH: usize = 16 * MIB;

/// Somebody else's session, which has to be served as before.
async fn assert_is_served(client: &mut RawPeer, number: usize) {
    let began = Instant::now();
    let sign = format!("{number}");
    client.send(&RawFrame::ping(sign.as_bytes())).await;
    client.expect(&RawFrame::new(PONG, true, sign)).await;
    assert!(began.elapsed() < s(2), "a ping took {:?}", began.elapsed());
}

/// A client sends a message that has a million empty pieces in its middle.
async fn a_million_empty_fragments(kind: Kind) {
    const AT_ONCE: usize = 10_000;
    let stage = Stage::start(kind, "").await;
    let (mut healthy, _healthy_upstream) = stage.connect().await;
    let (mut client, upstream) = stage.connect().await;
    client.send_raw(&frame(BINARY, &[1; 100], true)).await;
    let empty = frame(CONTINUATION, b"", true).repeat(AT_ONCE);
    let before = stage.gateway.resident_memory();
    for number in 0..1_000_000 / AT_ONCE {
        assert!(client.send_raw(&empty).await, "the client is not read on");
        if number % 10 == 0 {
            assert_is_served(&mut healthy, number).await;
        }
        let growth = stage.gateway.resident_memory().saturating_sub(before);
        assert!(growth < GROWTH, "resident memory grew by {} KiB", growth / 1024);
    }
    client.send_raw(&frame(0x80 | CONTINUATION, &[2; 100], true)).await;
    client.send(&RawFrame::ping("all is read")).await;
    client.expect(&RawFrame::new(PONG, true, "all is read")).await;
    if kind == Kind::PassedThrough {
        let passed = upstream.expect_data(1_000_002).await;
        assert_eq!((passed[0].payload.len(), passed[1_000_001].payload.len()), (100, 100));
        assert!(passed[1_000_001].last && passed[1..1_000_001].iter().all(|frame| frame.payload.is_empty()));
    }
    assert_no_panic(&stage.gateway);
    assert_is_served(&mut healthy, 1_000_000).await;
}

#[tokio::test]
async fn a_million_empty_fragments_are_one_message() {
    a_million_empty_fragments(Kind::Translated).await;
}

#[tokio::test]
async fn a_million_empty_fragments_are_passed_through() {
    a_million_empty_fragments(Kind::PassedThrough).await;
}

/// Pieces of one byte up to the limit, and one more.
async fn tiny_fragments_up_to_the_limit(kind: Kind) {
    const LIMIT: usize = 100_000;
    let stage = Stage::start(kind, &format!("[limits]\nmax_message_bytes = {LIMIT}")).await;
    let (mut healthy, _healthy_upstream) = stage.connect().await;
    let before = stage.gateway.resident_memory();
    let (mut client, upstream) = stage.connect().await;
    let tiny = frame(CONTINUATION, b"x", true).repeat(LIMIT - 2);
    let last = frame(0x80 | CONTINUATION, b"x", true);
    client.send_raw(&[frame(BINARY, b"x", true), tiny.clone(), last].concat()).await;
    client.send(&RawFrame::ping("it was within the limit")).await;
    client.expect(&RawFrame::new(PONG, true, "it was within the limit")).await;
    client.send_raw(&[frame(BINARY, b"x", true), tiny].concat()).await;
    assert_is_served(&mut healthy, 1).await;
    client.send_raw(&frame(CONTINUATION, b"xx", true)).await;
    assert_eq!(client.expect_close().await.0, Some(1009));
    assert_eq!(upstream.expect_close().await.0, Some(1000));
    stage.gateway.expect_log(&["WARN", "session ended cause=message_too_large"], s(5)).await;
    let growth = stage.gateway.resident_memory().saturating_sub(before);
    assert!(growth < GROWTH, "resident memory grew by {} KiB", growth / 1024);
    assert_no_panic(&stage.gateway);
    assert_is_served(&mut healthy, 2).await;
}

#[tokio::test]
async fn tiny_fragments_are_one_message_up_to_the_limit() {
    tiny_fragments_up_to_the_limit(Kind::Translated).await;
}

#[tokio::test]
async fn tiny_fragments_are_passed_through_up_to_the_limit() {
    tiny_fragments_up_to_the_limit(Kind::PassedThrough).await;
}

/// Configurations that are `{}` are three bytes each on the wire and hundreds in memory.
#[tokio::test]
async fn messages_of_nothing_but_members_take_no_more_memory_than_others() {
    let stage = Stage::start(Kind::Translated, "").await;
    let (mut healthy, _healthy_upstream) = stage.connect().await;
    let (mut client, _upstream) = stage.connect().await;
    let message = |bytes: usize| {
        let elements = "{},".repeat(bytes / 3);
        frame(0x80 | TEXT, format!(r#"{{"type":"UpdateThink","think":[{elements}{{}}]}}"#).as_bytes(), true)
    };
    let before = stage.gateway.resident_memory();
    for number in 0..15 {
        // They wait: the client has sent no Settings.
        assert!(client.send_raw(&message(128_000)).await, "the client is not read on");
        assert_is_served(&mut healthy, number).await;
    }
    client.send(&RawFrame::ping("all is read")).await;
    client.expect(&RawFrame::new(PONG, true, "all is read")).await;
    let growth = stage.gateway.resident_memory().saturating_sub(before);
    assert!(growth < 4 * GROWTH, "resident memory grew by {} KiB", growth / 1024);
    client.send_raw(&message(MIB - 100)).await;
    // Behind the Welcome.
    let told = client.expect_data(2).await;
    assert!(told[1].says("UNPARSABLE_CLIENT_MESSAGE") && told[1].says("too many members and elements"));
    assert_no_panic(&stage.gateway);
}
