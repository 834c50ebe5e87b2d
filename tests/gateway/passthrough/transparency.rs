//! Frames go through as they are: opcode, fragmentation, order and every byte, in both directions at once. Pings do
//! not: each side has its own answered.

use std::sync::Arc;

use proptest::test_runner::{Config, TestRunner};
use tokio::join;
use tokio::runtime::Builder;

use super::stage::{PATH, SETTINGS, Stage};
use super::traffic::{LARGEST, OF_CLIENTS, OF_THE_COMPONENT, OF_UPSTREAM, Sent, sent};
use crate::peers::raw::RawPeer;
use crate::peers::raw_frame::{BINARY, CONTINUATION, PING, PONG, RawFrame, TEXT};

/// For the backend, since the default is 1 MiB; and a busy machine is no silent peer.
const LIMITS: &str = "ping_interval_s = 0\n[backends.limits]\nmax_message_bytes = 5242880\nmax_upstream_message_bytes = 5242880";

/// Sends random traffic both ways at once through a backend with more lines, many times, and compares.
fn assert_transparent(target: &str, lines: &str, from_client: &[&'static str]) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let _entered = runtime.enter();
    let stage = runtime.block_on(Stage::start(&format!("{lines}\n{LIMITS}")));
    let config =
        Config { cases: 50, max_shrink_time: 30_000, failure_persistence: None, ..Config::default() };
    let traffic = (sent(from_client.to_vec()), sent(OF_UPSTREAM.to_vec()));
    let ran = TestRunner::new(config).run(&traffic, |(up, down)| {
        runtime.block_on(exchange(&stage, target, &up, &down));
        Ok(())
    });
    ran.unwrap_or_else(|failed| panic!("{failed}"));
}

async fn exchange(stage: &Stage, target: &str, up: &Sent, down: &Sent) {
    let mut ends = stage.connect(target).await;
    // Deepgram's agent hears nothing before Settings.
    let settings = (target == PATH).then(|| RawFrame::text(SETTINGS));
    if settings.is_some() {
        ends.open().await;
    }
    join!(ends.client.send_all(&up.frames, up.size), ends.upstream.send_all(&down.frames, down.size));
    let due_up: Vec<_> = settings.iter().chain(data(&up.frames)).collect();
    let due_down: Vec<_> = data(&down.frames).collect();
    ends.upstream.expect_data(due_up.len()).await;
    ends.client.expect_data(due_down.len()).await;
    for (peer, sent) in [(&ends.client, up), (&ends.upstream, down)] {
        if let Some(ping) = last_ping(&sent.frames) {
            peer.expect(&RawFrame::new(PONG, true, ping.payload.as_slice())).await;
        }
    }
    ends.finish().await;
    assert_same("upstream", &due_up, &ends.upstream.data());
    assert_same("the client", &due_down, &ends.client.data());
    for (peer, sent) in [(&ends.client, up), (&ends.upstream, down)] {
        assert_pings_stay(peer, &sent.frames);
    }
}

fn data(frames: &[RawFrame]) -> impl Iterator<Item = &RawFrame> {
    frames.iter().filter(|frame| frame.is_data())
}

fn assert_same(whom: &str, due: &[&RawFrame], came: &[Arc<RawFrame>]) {
    for (index, (due, came)) in due.iter().zip(came).enumerate() {
        assert!(**due == **came, "frame {index} reaches {whom} as {came:?}, not as {due:?}");
    }
    assert_eq!(came.len(), due.len(), "frames that reached {whom}");
}

/// A peer is pinged by nobody here, and what answers it gets are to its own pings, in their order; all but the last may
/// be missing (RFC 6455, 5.5.3).
fn assert_pings_stay(peer: &RawPeer, sent: &[RawFrame]) {
    let frames = peer.frames();
    assert!(frames.iter().all(|frame| frame.opcode != PING), "a ping was passed on");
    let mut pings = sent.iter().filter(|frame| frame.opcode == PING);
    for pong in frames.iter().filter(|frame| frame.opcode == PONG) {
        assert!(pings.any(|ping| ping.payload == pong.payload), "nobody asked for {pong:?}");
    }
}

fn last_ping(frames: &[RawFrame]) -> Option<&RawFrame> {
    frames.iter().rfind(|frame| frame.opcode == PING)
}

#[test]
fn an_agents_frames_go_through_where_nothing_is_repaired() {
    let kinds = [OF_CLIENTS.as_slice(), &OF_THE_COMPONENT].concat();
    assert_transparent(PATH, "repair_component_messages = false", &kinds);
}

#[test]
fn an_agents_frames_go_through_beside_what_is_repaired() {
    assert_transparent(PATH, "repair_component_messages = true", &OF_CLIENTS);
}

#[test]
fn an_agents_frames_go_through_beside_the_calls_that_the_gateway_answers() {
    assert_transparent(PATH, "function_calls = \"server\"", &OF_CLIENTS);
}

#[test]
fn frames_of_transcription_go_through() {
    let kinds = [OF_CLIENTS.as_slice(), &OF_THE_COMPONENT].concat();
    assert_transparent("/dg?service=transcription", "", &kinds);
}

#[test]
fn frames_of_transcription_v2_go_through() {
    let kinds = [OF_CLIENTS.as_slice(), &OF_THE_COMPONENT].concat();
    assert_transparent("/dg/v2/listen", "", &kinds);
}

#[tokio::test]
async fn each_side_has_its_pings_answered_inside_a_message_too() {
    let stage = Stage::start("").await;
    let mut ends = stage.agent().await;
    let frames = [
        RawFrame::ping("one"),
        RawFrame::new(BINARY, false, "a"),
        RawFrame::ping(""),
        RawFrame::new(CONTINUATION, false, ""),
        RawFrame::ping([0xff; 125]),
        RawFrame::new(CONTINUATION, true, ""),
    ];
    for frame in &frames {
        ends.client.send(frame).await;
        ends.upstream.send(frame).await;
    }
    for (peer, before) in [(&ends.client, 0), (&ends.upstream, 1)] {
        let pongs = peer.expect_opcode(PONG, 3).await;
        let payloads: Vec<_> = pongs.iter().map(|pong| pong.payload.as_slice()).collect();
        assert_eq!(payloads, [b"one".as_slice(), b"", &[0xff; 125]]);
        assert_same(
            "the other side",
            &data(&frames).collect::<Vec<_>>(),
            &peer.expect_data(before + 3).await[before..],
        );
    }
    ends.finish().await;
    assert_eq!(ends.upstream.frames().iter().filter(|frame| frame.opcode == PING).count(), 0);
}

#[tokio::test]
async fn frames_wait_in_their_order_for_an_upstream_that_takes_its_time() {
    let stage = Stage::start("").await;
    let port = stage.gateway.port();
    let (mut client, dialled) = join!(RawPeer::connect(port, PATH, ""), stage.upstream.dialled());
    let frames = [
        RawFrame::text(SETTINGS),
        RawFrame::binary([1; 640]),
        RawFrame::new(TEXT, false, "{\"type\":"),
        RawFrame::new(CONTINUATION, true, "\"Sing\"}"),
        RawFrame::binary([]),
        RawFrame::binary([2; 640]),
    ];
    client.send_all(&frames, usize::MAX).await;
    // The answer says that the gateway has read all of it.
    client.send(&RawFrame::ping("read")).await;
    client.expect_opcode(PONG, 1).await;
    let upstream = dialled.accept().await;
    let came = upstream.expect_data(frames.len()).await;
    assert_same("upstream", &frames.iter().collect::<Vec<_>>(), &came);
}

#[tokio::test]
async fn messages_as_large_as_the_limit_go_through_both_ways_at_once() {
    let stage = Stage::start(LIMITS).await;
    let mut ends = stage.agent().await;
    let whole = |opcode, byte| RawFrame::new(opcode, true, vec![byte; LARGEST]);
    let first = RawFrame::new(BINARY, false, vec![1; LARGEST - 1]);
    let frames = [whole(TEXT, b'a'), whole(BINARY, 0), first, RawFrame::new(CONTINUATION, true, [2])];
    join!(ends.client.send_all(&frames, usize::MAX), ends.upstream.send_all(&frames, usize::MAX));
    let due: Vec<_> = frames.iter().collect();
    assert_same("upstream", &due, &ends.upstream.expect_data(5).await[1..]);
    assert_same("the client", &due, &ends.client.expect_data(4).await);
}

#[tokio::test]
async fn a_message_beyond_the_limit_ends_the_session_whichever_way_it_goes() {
    let stage = Stage::start(LIMITS).await;
    let frames = [
        RawFrame::new(BINARY, false, vec![1; LARGEST]),
        RawFrame::new(CONTINUATION, false, []),
        RawFrame::new(CONTINUATION, true, [2]),
    ];
    let whole = [RawFrame::binary(vec![1; LARGEST + 1])];
    for frames in [frames.as_slice(), &whole] {
        let mut ends = stage.agent().await;
        ends.client.send_all(frames, usize::MAX).await;
        assert_eq!(ends.client.expect_close().await.0, Some(1009));
        assert_eq!(ends.upstream.expect_close().await.0, Some(1000));
        let mut ends = stage.agent().await;
        ends.upstream.send_all(frames, usize::MAX).await;
        assert_eq!(ends.upstream.expect_close().await.0, Some(1009));
        assert_eq!(ends.client.expect_close().await.0, Some(1011));
    }
}
