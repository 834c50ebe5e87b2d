//! Upstreams that are hard to reach, and input that comes while one is not ready: what waits, what is
//! refused, and that nothing of it is lost.

use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use crate::peers::client::settings;
use crate::peers::frames;
use crate::peers::gateway::Config;
use crate::peers::journal::Journal;
use crate::peers::mock::Mock;
use crate::peers::pace::Pace;
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::sound::{appended, counted, plain_settings};
use crate::peers::{ms, s};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[tokio::test]
async fn an_upstream_that_accepts_and_says_nothing_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let port = listener.local_addr().expect("the listener is bound").port();
    let config = Config::for_url(&format!("ws://127.0.0.1:{port}/v1/realtime"));
    let gateway = config.backend("connect_timeout_ms = 300").backend("dial_attempts = 2").start().await;
    let began = Instant::now();
    let client = gateway.connect().await;
    client.expect_ending("upstream_unreachable", 1011).await;
    assert!(began.elapsed() >= ms(600), "one attempt only: {:?}", began.elapsed());
    for attempt in 1..=2 {
        timeout(s(1), listener.accept())
            .await
            .unwrap_or_else(|_| panic!("no attempt {attempt}"))
            .expect("one");
    }
    assert!(timeout(ms(300), listener.accept()).await.is_err(), "a third attempt");
}

async fn dropping_the_first(attempts: usize) -> Row {
    let script = Script { dropped: 1, ..Script::default() };
    Row::connected_to(script, |config| config.backend(&format!("dial_attempts = {attempts}"))).await
}

#[tokio::test]
async fn a_second_attempt_may_succeed() {
    let mut row = dropping_the_first(2).await;
    row.client.open_s().await;
    row.client.assert_goes_on().await;
}

#[tokio::test]
async fn there_is_no_attempt_beyond_the_configured() {
    let row = dropping_the_first(1).await;
    row.client.expect_ending("upstream_unreachable", 1011).await;
    assert!(row.mock.upgrades().is_empty());
}

#[tokio::test]
async fn a_server_that_has_decided_is_not_asked_again() {
    let mock = Mock::start(Script { refuse: Some(401), ..Script::default() }).await;
    let gateway = Config::for_mock(&mock).backend("dial_attempts = 5").start().await;
    gateway.connect().await.expect_ending("upstream_auth_failed", 1011).await;
    assert_eq!(mock.upgrades().len(), 1);
}

#[tokio::test]
async fn input_before_settings_has_a_limit() {
    let limit = "[limits]\nbefore_ready_bytes = 65536";
    let mut row = Row::connected_to(Script::default(), |config| config.section(limit)).await;
    for _ in 0..3 {
        row.client.send_silence(32 * KIB).await;
    }
    row.client.expect_ending("TOO_MUCH_INPUT_BEFORE_SETTINGS", 1008).await;
    assert_eq!(row.mock.count("input_audio_buffer.append"), 0);
}

#[tokio::test]
async fn input_behind_settings_waits_at_the_client_and_nothing_is_lost() {
    const AUDIO: usize = 6 * MIB;
    let mock = Mock::start(Script { session_updated_after: None, ..Script::default() }).await;
    let config = Config::for_mock(&mock).section("[limits]\nbefore_ready_bytes = 65536");
    let gateway = config.start().await;
    gateway.connect().await.expect("Welcome", s(5)).await;
    let before = gateway.resident_memory();

    let mut client = gateway.connect_at(&Pace::variable()).await;
    client.send(&plain_settings()).await;
    let mut sending = tokio::spawn(async move {
        for piece in counted(AUDIO).chunks(64 * KIB) {
            client.send_binary(piece.to_vec()).await;
        }
        client
    });
    mock.wait_for("session.update", s(5), |journal| journal.first("session.update").map(|_| ())).await;
    assert!(
        timeout(ms(500), &mut sending).await.is_err(),
        "all of it was taken before the session was ready"
    );
    let growth = gateway.resident_memory().saturating_sub(before);
    assert!(growth < 3 * MIB, "resident memory grew by {} KiB", growth / KIB);

    let number = mock.upgrades().len();
    mock.peer(number).await.send(&frames::session_updated());
    let whole = |journal: &Journal| (appended(journal).len() >= AUDIO).then(|| appended(journal));
    let arrived = mock.wait_for("all of the audio", s(20), whole).await;
    assert!(arrived == counted(AUDIO), "the audio arrived changed");
    let client = sending.await.expect("all was sent");
    client.journal().assert_no_error();
    assert_eq!(client.journal().count("SettingsApplied"), 1);
    mock.assert_no_protocol_error();
}

#[tokio::test]
async fn a_client_that_waits_for_its_session_is_not_idle() {
    let script = Script { session_updated_after: None, ..Script::default() };
    let limits = "[limits]\nbefore_ready_bytes = 65536\nidle_timeout_s = 1";
    let mut row = Row::connected_to(script, |config| config.section(limits)).await;
    row.client.send(&settings(&json!({}))).await;
    for _ in 0..15 {
        row.client.send_silence(32 * KIB).await;
        sleep(ms(100)).await;
    }
    row.client.journal().assert_no_error();
    row.mock.peer(1).await.send(&frames::session_updated());
    row.client.expect("SettingsApplied", s(2)).await;
    row.client.assert_goes_on().await;
}
