//! The configured bounds of a session, each reached on purpose: what the client is told, how it is closed,
//! and that a place is free again afterwards.

use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

use crate::peers::client::settings;
use crate::peers::frames;
use crate::peers::gateway::{Config, Gateway, PATH, run};
use crate::peers::http::{self, UPGRADE};
use crate::peers::mock::Mock;
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::{eventually, ms, s};

/// A gateway with one limit of its own, and a client that has not said anything.
async fn limited(limit: &str, script: Script) -> Row {
    Row::connected_to(script, |config| config.section(&format!("[limits]\n{limit}"))).await
}

#[tokio::test]
async fn settings_that_do_not_come_are_waited_for_in_vain() {
    let row = limited("settings_timeout_s = 1", Script::default()).await;
    row.client.expect_ending("CLIENT_MESSAGE_TIMEOUT", 1011).await;
    assert!(row.began.elapsed() >= s(1), "{:?}", row.began.elapsed());
}

#[tokio::test]
async fn settings_that_come_in_time_are_waited_for_no_more() {
    let mut row = limited("settings_timeout_s = 1", Script::default()).await;
    row.client.open_s().await;
    row.at(1_200).await;
    row.client.assert_goes_on().await;
}

#[tokio::test]
async fn settings_that_cannot_be_used_do_not_count() {
    let mut row = limited("settings_timeout_s = 1", Script::default()).await;
    row.client.send(&json!({"type": "Settings", "agent": 7})).await;
    row.client.expect_ending("CLIENT_MESSAGE_TIMEOUT", 1011).await;
}

#[tokio::test]
async fn a_silent_client_is_idle() {
    let mut row = limited("idle_timeout_s = 1", Script::default()).await;
    row.client.open_s().await;
    row.client.expect_ending("idle_timeout", 1000).await;
}

#[tokio::test]
async fn a_backends_own_limit_goes_before_that_for_all() {
    let row = |own: &'static str, all: &'static str| {
        Row::connected_to(Script::default(), move |config| {
            config.backend(&format!("limits = {{ {own} }}")).section(&format!("[limits]\n{all}"))
        })
    };
    let mut hasty = row("idle_timeout_s = 1", "idle_timeout_s = 600").await;
    hasty.client.open_s().await;
    hasty.client.expect_ending("idle_timeout", 1000).await;
    let mut patient = row("idle_timeout_s = 0", "idle_timeout_s = 1").await;
    patient.client.open_s().await;
    sleep(ms(1_300)).await;
    patient.client.assert_goes_on().await;
    // What belongs to the socket and not to the gate.
    let long = json!({"type": "InjectUserMessage", "content": "x".repeat(5_000)});
    let mut narrow = row("max_message_bytes = 4096", "max_message_bytes = 100000").await;
    narrow.client.open_s().await;
    narrow.client.send(&long).await;
    narrow.client.expect_ending("MESSAGE_TOO_LARGE", 1009).await;
}

/// A client that gives only this sign of life outlives the idle timeout, and not its last sign.
async fn signs_of_life(sign: Message) {
    let mut row = limited("idle_timeout_s = 1", Script::default()).await;
    row.client.open_s().await;
    let mut last = Instant::now();
    for _ in 0..6 {
        sleep(ms(300)).await;
        last = Instant::now();
        row.client.send_message(sign.clone()).await;
    }
    row.client.journal().assert_no_error();
    assert!(row.client.journal().closed().is_none(), "closed");
    row.client.expect_ending("idle_timeout", 1000).await;
    assert!(last.elapsed() >= s(1), "{:?}", last.elapsed());
}

#[tokio::test]
async fn pings_are_life() {
    signs_of_life(Message::Ping("p".into())).await;
}

#[tokio::test]
async fn pongs_are_life() {
    signs_of_life(Message::Pong("p".into())).await;
}

#[tokio::test]
async fn keep_alive_is_life() {
    signs_of_life(Message::text("{\"type\":\"KeepAlive\"}")).await;
}

#[tokio::test]
async fn a_session_lasts_as_long_as_it_may_however_busy_it_is() {
    let mut row = limited("max_session_s = 1", Script::default()).await;
    row.client.open_s().await;
    while row.began.elapsed() < ms(1_300) {
        row.client.inject("Still here").await;
        sleep(ms(100)).await;
    }
    row.client.expect_ending("session_max_duration", 1000).await;
}

async fn one_place(mock: &Mock) -> Gateway {
    Config::for_mock(mock).section("max_sessions = 1").start().await
}

async fn place_is_free(gateway: &Gateway) {
    eventually("free place", s(2), async || {
        let answer = http::get(gateway.port(), PATH, UPGRADE).await;
        (answer.status == 101).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_session_too_many_is_refused_before_the_upgrade() {
    let mock = Mock::start(Script::default()).await;
    let gateway = one_place(&mock).await;
    let mut client = gateway.connect().await;
    client.open_s().await;
    let answer = http::get(gateway.port(), PATH, UPGRADE).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(answer.json()["error"]["code"], "too_many_sessions");
    assert_eq!(mock.upgrades().len(), 1);
    client.assert_goes_on().await;
    client.close(1000, "").await;
    place_is_free(&gateway).await;
}

#[tokio::test]
async fn the_place_of_a_client_that_vanished_is_free_again() {
    let mock = Mock::start(Script::default()).await;
    let gateway = one_place(&mock).await;
    let mut client = gateway.connect().await;
    client.open_s().await;
    drop(client);
    place_is_free(&gateway).await;
}

#[tokio::test]
async fn the_place_of_a_session_without_upstream_is_free_again() {
    let gateway = Config::for_url("ws://127.0.0.1:9/v1/realtime").section("max_sessions = 1").start().await;
    let client = gateway.connect().await;
    client.expect_ending("upstream_unreachable", 1011).await;
    place_is_free(&gateway).await;
}

#[tokio::test]
async fn a_message_may_be_as_large_as_configured() {
    let mut row = limited("max_message_bytes = 10000", Script::default()).await;
    row.client.open_s().await;
    row.client.send_silence(10_000).await;
    row.client.assert_goes_on().await;
    row.client.send_silence(10_001).await;
    row.client.expect_ending("MESSAGE_TOO_LARGE", 1009).await;
    row.gateway.assert_serves().await;
}

#[tokio::test]
async fn an_upstream_message_may_be_as_large_as_configured() {
    let mut row = limited("max_upstream_message_bytes = 20000", Script::default()).await;
    row.client.open_s().await;
    let upstream = row.mock.peer(1).await;
    upstream.send(&frames::output_audio_delta(&[0; 14_000]));
    row.client.wait_for("audio", s(5), |journal| journal.binaries().next().map(|_| ())).await;
    upstream.send(&frames::output_audio_delta(&[0; 16_000]));
    row.client.expect_ending("upstream_message_too_large", 1011).await;
    assert_eq!(row.client.journal().binaries().count(), 1);
    let closed = row.mock.wait_for("close", s(5), |journal| journal.closed().map(|(code, _)| code)).await;
    assert_eq!(closed, Some(1009));
}

#[tokio::test]
async fn an_unknown_option_of_the_simulator_is_refused() {
    let toml = Config::for_url("self:/sim/openai")
        .section("[simulator]\nenabled = true\n[simulator.openai]\ncolour = \"red\"")
        .toml();
    for arguments in [["--config", "FILE"].as_slice(), &["--config", "FILE", "check"]] {
        let (finished, file) = run(arguments, &toml).await;
        assert_eq!(finished.status, Some(2), "{}", finished.stderr);
        for part in [file.to_str().expect("the path is UTF-8"), "simulator.openai", "colour"] {
            assert!(finished.stderr.contains(part), "no {part} in: {}", finished.stderr);
        }
    }
}

#[tokio::test]
async fn upstream_that_never_answers_the_session_update_is_silent() {
    let script = Script { session_updated_after: None, ..Script::default() };
    let short = "deferred_response_timeout_ms = 300";
    let mut row = Row::connected_to(script, |config| config.backend(short)).await;
    row.client.send(&settings(&json!({}))).await;
    row.client.expect_ending("upstream_silent", 1011).await;
    assert!(row.began.elapsed() >= ms(300));
    assert_eq!(row.client.journal().count("SettingsApplied"), 0);
    row.mock.wait_for("close", s(2), |journal| journal.closed().map(|_| ())).await;
}
