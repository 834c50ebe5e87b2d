//! Clients that read slowly or not at all while upstream has much to say: bounded memory, an end for who
//! is stuck, every byte for who is only slow.

use tokio::time::Instant;

use crate::peers::client::Client;
use crate::peers::frames;
use crate::peers::gateway::{Config, Gateway};
use crate::peers::journal::Journal;
use crate::peers::mock::{Mock, Peer};
use crate::peers::pace::Pace;
use crate::peers::s;
use crate::peers::script::Script;
use crate::peers::sound::{counted, heard, plain_settings};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A gateway, warmed up, with a budget of its own for each leg and one second for those who are stuck.
async fn gateway(mock: &Mock, leg_bytes: usize) -> Gateway {
    let limits = format!("[limits]\nleg_bytes = {leg_bytes}\nslow_client_timeout_s = 1");
    let gateway = Config::for_mock(mock).section(&limits).start().await;
    gateway.assert_serves().await;
    gateway
}

/// A client whose pace can be changed, after the opening, and its upstream.
async fn opened(gateway: &Gateway, mock: &Mock, pace: &Pace) -> (Client, Peer) {
    let mut client = gateway.connect_at(pace).await;
    client.open_with(&plain_settings()).await;
    let upstream = mock.peer(mock.upgrades().len()).await;
    (client, upstream)
}

fn pour(upstream: &Peer, audio: &[u8]) {
    for piece in audio.chunks(64 * KIB) {
        upstream.send(&frames::output_audio_delta(piece));
    }
}

/// Waits until the client has heard so much; what it heard.
async fn hears(client: &Client, bytes: usize) -> Vec<u8> {
    let whole = |journal: &Journal| {
        let heard: usize = journal.binaries().map(|(_, audio)| audio.len()).sum();
        (heard >= bytes).then_some(())
    };
    client.wait_for("all of the audio", s(20), whole).await;
    heard(&client.journal())
}

#[tokio::test]
async fn clients_that_read_nothing_are_ended_and_harm_nobody() {
    const STUCK: usize = 5;
    const BUDGET: usize = MIB;
    /// What a session may hold beyond its budget: the window, a frame, the buffers of both sockets.
    const BESIDES: usize = 3 * MIB / 2;
    let mock = Mock::start(Script::default()).await;
    let gateway = gateway(&mock, BUDGET).await;
    let before = (gateway.resident_memory(), gateway.files_and_threads());
    let pace = Pace::variable();
    let mut stuck = Vec::new();
    for _ in 0..STUCK {
        stuck.push(opened(&gateway, &mock, &pace).await);
    }
    pace.set(0);
    for (_, upstream) in &stuck {
        pour(upstream, &counted(8 * MIB));
    }
    let began = Instant::now();
    let mut highest = 0;
    let mut ended = 0;
    while ended < STUCK {
        gateway.assert_serves().await;
        highest = highest.max(gateway.resident_memory());
        ended = gateway.log().matches("session ended cause=client_too_slow").count();
        assert!(began.elapsed() < s(15), "only {ended} sessions ended");
    }
    let growth = highest.saturating_sub(before.0);
    println!("{STUCK} stuck clients: resident memory grew by {} KiB", growth / KIB);
    assert!(growth < STUCK * (BUDGET + BESIDES), "resident memory grew by {} KiB", growth / KIB);
    // The sockets are gone although nobody has read a byte or hung up.
    gateway.assert_nothing_left(before.1, s(5)).await;
    let closed = |journal: &Journal| {
        let closed = (2..2 + STUCK).filter(|number| journal.on(*number).closed().is_some());
        (closed.count() == STUCK).then_some(())
    };
    mock.wait_for("close of each stuck session", s(5), closed).await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_but_steadily_loses_nothing() {
    const AUDIO: usize = 1_400 * KIB;
    let mock = Mock::start(Script::default()).await;
    let gateway = gateway(&mock, 256 * KIB).await;
    let pace = Pace::variable();
    let (mut client, upstream) = opened(&gateway, &mock, &pace).await;
    pace.set(300 * KIB);
    let began = Instant::now();
    pour(&upstream, &counted(AUDIO));
    assert!(hears(&client, AUDIO).await == counted(AUDIO), "the audio arrived changed");
    assert!(began.elapsed() > s(3), "the client was not slow: {:?}", began.elapsed());
    pace.set(usize::MAX);
    client.assert_goes_on().await;
}

#[tokio::test]
async fn what_upstream_sent_before_its_close_reaches_a_slow_client() {
    const AUDIO: usize = 3 * MIB;
    let mock = Mock::start(Script::default()).await;
    let gateway = gateway(&mock, 4 * MIB).await;
    let pace = Pace::variable();
    let (client, upstream) = opened(&gateway, &mock, &pace).await;
    pace.set(MIB);
    pour(&upstream, &counted(AUDIO));
    upstream.close(4000, "that was all");
    assert!(hears(&client, AUDIO).await == counted(AUDIO), "the audio arrived changed");
    let closed = client.expect_close(s(5)).await;
    assert_eq!(closed, (Some(4000), "that was all".to_owned()));
}

/// One message that takes longer than a leg may be stuck, for a client that reads all the time.
#[tokio::test]
async fn a_large_message_before_the_close_reaches_a_very_slow_client() {
    const AUDIO: usize = 240 * KIB;
    let mock = Mock::start(Script::default()).await;
    let gateway = gateway(&mock, 4 * MIB).await;
    let pace = Pace::variable();
    let (client, upstream) = opened(&gateway, &mock, &pace).await;
    pace.set(50 * KIB);
    upstream.send(&frames::output_audio_delta(&counted(AUDIO)));
    upstream.close(1000, "");
    assert!(hears(&client, AUDIO).await == counted(AUDIO), "the audio arrived changed");
    assert_eq!(client.expect_close(s(5)).await.0, Some(1000));
}

/// What the kernel holds cannot be taken back, so it may not hold much.
#[tokio::test]
async fn an_interruption_reaches_a_client_that_fell_behind() {
    let mock = Mock::start(Script::default()).await;
    let gateway = gateway(&mock, 4 * MIB).await;
    let pace = Pace::variable();
    let (client, upstream) = opened(&gateway, &mock, &pace).await;
    pace.set(0);
    pour(&upstream, &counted(3 * MIB));
    upstream.send(&frames::speech_started());
    gateway.expect_log(&["input_audio_buffer.speech_started"], s(5)).await;
    pace.set(usize::MAX);
    client.expect("UserStartedSpeaking", s(5)).await;
    let journal = client.journal();
    let position = journal.position("UserStartedSpeaking").expect("just seen");
    let stale = heard(&journal.before(position));
    assert!(stale.len() < MIB, "{} KiB came before the interruption", stale.len() / KIB);
    assert!(counted(3 * MIB).starts_with(&stale), "the audio arrived changed");
    assert_eq!(heard(&journal).len(), stale.len(), "audio came after the interruption");
}

/// The session ends although the client takes nothing, and leaves nothing behind.
async fn stuck_client(leave: impl AsyncFnOnce(Client, &Peer), cause: &str) {
    let mock = Mock::start(Script::default()).await;
    let gateway = gateway(&mock, 4 * MIB).await;
    let before = gateway.files_and_threads();
    let pace = Pace::variable();
    let (client, upstream) = opened(&gateway, &mock, &pace).await;
    pace.set(0);
    pour(&upstream, &counted(3 * MIB));
    upstream.send(&frames::session_created());
    gateway.expect_log(&["dir=upstream type=session.created"], s(5)).await;
    leave(client, &upstream).await;
    gateway.expect_log(&["session ended", &format!("cause={cause} ")], s(5)).await;
    gateway.assert_nothing_left(before, s(3)).await;
    gateway.assert_serves().await;
}

#[tokio::test]
async fn upstream_closes_while_the_client_is_stuck() {
    let mut kept = None;
    stuck_client(
        async |client, upstream| {
            upstream.close(1000, "");
            kept = Some(client);
        },
        "upstream_closed",
    )
    .await;
    drop(kept);
}

#[tokio::test]
async fn upstream_vanishes_while_the_client_is_stuck() {
    let mut kept = None;
    stuck_client(
        async |client, upstream| {
            upstream.vanish();
            kept = Some(client);
        },
        "upstream_vanished",
    )
    .await;
    drop(kept);
}

#[tokio::test]
async fn a_stuck_client_vanishes() {
    stuck_client(async |client, _| drop(client), "client_vanished").await;
}

#[tokio::test]
async fn thousands_of_small_frames_wait_for_a_client_that_pauses() {
    const FRAME: usize = 160;
    const FRAMES: usize = 5_000;
    let mock = Mock::start(Script::default()).await;
    let limits = "[limits]\nslow_client_timeout_s = 20";
    let gateway = Config::for_mock(&mock).section(limits).start().await;
    let pace = Pace::variable();
    let (client, upstream) = opened(&gateway, &mock, &pace).await;
    pace.set(0);
    let audio = counted(FRAME * FRAMES);
    for piece in audio.chunks(FRAME) {
        upstream.send(&frames::output_audio_delta(piece));
    }
    upstream.send(&frames::session_created());
    gateway.expect_log(&["dir=upstream type=session.created"], s(10)).await;
    pace.set(usize::MAX);
    assert!(hears(&client, audio.len()).await == audio, "the audio arrived changed");
    client.journal().assert_no_error();
}
