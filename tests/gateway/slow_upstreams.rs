//! Upstreams that read slowly or not at all while the client has much to say, and ends that come
//! meanwhile.

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::peers::client::Client;
use crate::peers::gateway::{Config, Gateway};
use crate::peers::journal::Journal;
use crate::peers::mock::Mock;
use crate::peers::pace::Pace;
use crate::peers::script::Script;
use crate::peers::sound::{appended, counted, plain_settings};
use crate::peers::{ms, s};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A session whose upstream's pace can be changed, after its opening.
struct Stage {
    gateway: Gateway,
    mock: Mock,
    client: Client,
    pace: Pace,
    /// Files and threads of the gateway without this session.
    before: (usize, usize),
}

impl Stage {
    async fn with_budget(leg_bytes: usize) -> Self {
        let pace = Pace::variable();
        let mock = Mock::start(Script::at(&pace)).await;
        let limits = format!("[limits]\nleg_bytes = {leg_bytes}\nslow_client_timeout_s = 1");
        let gateway = Config::for_mock(&mock).section(&limits).start().await;
        gateway.assert_serves().await;
        mock.wait_for("end of the first session", s(5), |journal| journal.closed().map(|_| ())).await;
        gateway.expect_log(&["session ended"], s(5)).await;
        let before = gateway.files_and_threads();
        let mut client = gateway.connect_at(&Pace::variable()).await;
        client.open_with(&plain_settings()).await;
        Self { gateway, mock, client, pace, before }
    }

    /// Sends audio from a task of its own; the client comes back when all of it is sent.
    fn send(mut client: Client, bytes: usize) -> JoinHandle<Client> {
        tokio::spawn(async move {
            for piece in counted(bytes).chunks(16 * KIB) {
                client.send_binary(piece.to_vec()).await;
            }
            client
        })
    }
}

/// The client, once the gateway has thrown away the rest of its audio.
async fn rest(sending: JoinHandle<Client>) -> Client {
    let client = timeout(s(8), sending).await.expect("the session ends although upstream is stuck");
    client.expect("sending does not fail")
}

fn whole(bytes: usize) -> impl FnMut(&Journal) -> Option<Vec<u8>> {
    move |journal| {
        let audio = appended(journal);
        (audio.len() >= bytes).then_some(audio)
    }
}

#[tokio::test]
async fn an_upstream_that_reads_nothing_ends_the_session() {
    let stage = Stage::with_budget(256 * KIB).await;
    let memory = stage.gateway.resident_memory();
    stage.pace.set(0);
    let mut sending = Stage::send(stage.client, 8 * MIB);
    assert!(timeout(ms(700), &mut sending).await.is_err(), "the client was read on");
    let growth = stage.gateway.resident_memory().saturating_sub(memory);
    assert!(growth < 3 * MIB, "resident memory grew by {} KiB", growth / KIB);
    let client = rest(sending).await;
    client.expect_ending("upstream_too_slow", 1011).await;
    stage.gateway.expect_log(&["session ended", "cause=upstream_too_slow"], s(5)).await;
    stage.gateway.assert_nothing_left(stage.before, s(5)).await;
}

#[tokio::test]
async fn an_upstream_that_reads_slowly_but_steadily_loses_nothing() {
    const AUDIO: usize = 1_200 * KIB;
    let mut stage = Stage::with_budget(256 * KIB).await;
    stage.pace.set(400 * KIB);
    let began = Instant::now();
    let sending = Stage::send(stage.client, AUDIO);
    let audio = stage.mock.wait_for("all of the audio", s(20), whole(AUDIO)).await;
    assert!(audio == counted(AUDIO), "the audio arrived changed");
    assert!(began.elapsed() > s(3), "upstream was not slow: {:?}", began.elapsed());
    stage.pace.set(usize::MAX);
    stage.client = sending.await.expect("all was sent");
    stage.client.assert_goes_on().await;
}

/// Audio held for the session is upstream's as soon as the session is open, and bounded as any other.
#[tokio::test]
async fn an_upstream_that_stops_reading_when_the_session_opens_ends_the_session() {
    let pace = Pace::variable();
    let mock = Mock::start(Script { session_updated_after: None, ..Script::at(&pace) }).await;
    let limits = "[limits]\nbefore_ready_bytes = 700000\nleg_bytes = 1000000\nslow_client_timeout_s = 1";
    let gateway = Config::for_mock(&mock).section(limits).start().await;
    let mut client = gateway.connect_at(&Pace::variable()).await;
    client.send(&plain_settings()).await;
    mock.expect("session.update", s(5)).await;
    pace.set(0);
    let sending = Stage::send(client, 4 * MIB);
    gateway.expect_log(&["reading pauses dir=client"], s(5)).await;
    mock.peer(1).await.send(&crate::peers::frames::session_updated());
    let client = rest(sending).await;
    client.expect_ending("upstream_too_slow", 1011).await;
}

#[tokio::test]
async fn what_the_client_sent_before_its_close_reaches_a_slow_upstream() {
    const AUDIO: usize = 600 * KIB;
    let stage = Stage::with_budget(4 * MIB).await;
    stage.pace.set(400 * KIB);
    let mut client = Stage::send(stage.client, AUDIO).await.expect("all was sent");
    client.close(4001, "bye").await;
    let audio = stage.mock.wait_for("all of the audio", s(20), whole(AUDIO)).await;
    assert!(audio == counted(AUDIO), "the audio arrived changed");
    let closed = |journal: &Journal| journal.on(2).closed().map(|(code, _)| code);
    assert_eq!(stage.mock.wait_for("close", s(5), closed).await, Some(4001));
}

#[tokio::test]
async fn a_large_message_before_the_close_reaches_a_very_slow_upstream() {
    const AUDIO: usize = 240 * KIB;
    let mut stage = Stage::with_budget(4 * MIB).await;
    stage.pace.set(80 * KIB);
    stage.client.send_binary(counted(AUDIO)).await;
    stage.client.close(1000, "").await;
    let audio = stage.mock.wait_for("all of the audio", s(20), whole(AUDIO)).await;
    assert!(audio == counted(AUDIO), "the audio arrived changed");
}

#[tokio::test]
async fn a_client_closes_while_upstream_is_stuck() {
    let stage = Stage::with_budget(4 * MIB).await;
    stage.pace.set(0);
    let mut client = Stage::send(stage.client, 3 * MIB / 2).await.expect("all was sent");
    client.close(1000, "").await;
    stage.gateway.expect_log(&["session ended", "cause=client_closed"], s(5)).await;
    stage.gateway.assert_nothing_left(stage.before, s(3)).await;
}

/// Nothing is read of a client whose upstream is stuck, not even its end.
#[tokio::test]
async fn a_client_that_is_not_read_vanishes() {
    let stage = Stage::with_budget(256 * KIB).await;
    stage.pace.set(0);
    let sending = Stage::send(stage.client, 2 * MIB);
    stage.gateway.expect_log(&["reading pauses dir=client"], s(5)).await;
    sending.abort();
    stage.gateway.expect_log(&["session ended", "cause="], s(5)).await;
    stage.gateway.assert_nothing_left(stage.before, s(5)).await;
}

#[tokio::test]
async fn an_upstream_that_is_stuck_closes() {
    let stage = Stage::with_budget(4 * MIB).await;
    stage.pace.set(0);
    let client = Stage::send(stage.client, 3 * MIB / 2).await.expect("all was sent");
    stage.mock.peer(2).await.close(1000, "");
    client.expect_close(s(2)).await;
    stage.gateway.expect_log(&["session ended", "cause=upstream_closed"], s(5)).await;
    stage.gateway.assert_nothing_left(stage.before, s(5)).await;
}
