//! Compatibility cases: microphone audio, commits and their times.

use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::peers::client::settings;
use crate::peers::gateway::Gateway;
use crate::peers::mock::Mock;
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::{ms, s};

const APPEND: &str = "input_audio_buffer.append";
const COMMIT: &str = "input_audio_buffer.commit";

/// Sends `frames` frames of silence, one every 250 ms, the first at once.
async fn speak(row: &mut Row, frames: u64, bytes: usize) {
    for frame in 0..frames {
        row.after_opening(250 * frame).await;
        row.client.send_silence(bytes).await;
    }
}

#[tokio::test]
async fn row_22_little_audio_is_appended_and_not_committed() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_silence(500).await;
    row.after_opening(400).await;
    assert!(row.mock.count(APPEND) >= 1);
    assert_eq!(row.mock.count(COMMIT), 0);
}

/// Audio that comes while a response runs; its debounce runs out before the response ends.
async fn audio_during_a_response(late_ms: u64, tail_at: u64, tail: &[usize], check_at: u64) {
    let script = Script { text_done_after: vec![ms(late_ms)], ..Script::with_audio() };
    let mut row = Row::opened(script).await;
    row.client.send_silence(40_000).await;
    row.after_opening(tail_at).await;
    for bytes in tail {
        row.client.send_silence(*bytes).await;
    }
    row.after_opening(check_at).await;
    let upstream = row.mock.journal();
    assert!(upstream.count(COMMIT) >= 2, "{upstream}");
    // R14: never during a response, which runs until its late text.
    let at = |index: usize| upstream.entries[index].at;
    let asked = upstream.position("response.create").expect("the first commit asks for a response");
    let (second, _) = upstream.all(COMMIT).nth(1).expect("just counted");
    assert!(at(second) >= at(asked) + ms(late_ms), "{upstream}");
}

#[tokio::test]
async fn row_23_audio_left_over_is_committed_after_the_response() {
    audio_during_a_response(600, 500, &[9_600, 9_600], 3_500).await;
}

#[tokio::test]
async fn row_24_a_short_tail_is_filled_up_with_silence() {
    audio_during_a_response(900, 550, &[1_800], 4_000).await;
}

#[tokio::test]
async fn row_25_the_first_commit_waits_for_one_second_of_audio() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_silence(20_000).await;
    row.after_opening(550).await;
    assert_eq!(row.mock.count(COMMIT), 0);
    row.client.send_silence(20_000).await;
    row.after_opening(1_400).await;
    assert_eq!(row.mock.count(COMMIT), 1);
}

#[tokio::test]
async fn row_26_audio_without_a_pause_is_committed() {
    let mut row = Row::opened(Script::default()).await;
    speak(&mut row, 18, 8_000).await;
    row.after_opening(4_500).await;
    assert!(row.mock.count(COMMIT) >= 1);
}

#[tokio::test]
async fn row_27_closing_commits_what_is_pending() {
    let mut row = Row::opened(Script::default()).await;
    speak(&mut row, 6, 4_000).await;
    row.after_opening(5 * 250 + 150).await;
    assert!(row.mock.count(APPEND) >= 1);
    assert_eq!(row.mock.count(COMMIT), 0);
    row.client.close(1000, "Closed by client").await;
    sleep_until(Instant::now() + ms(80)).await;
    let upstream = row.mock.journal();
    assert!(upstream.count(COMMIT) >= 1, "{upstream}");
    // R14: nobody is there to hear an answer.
    assert_eq!(upstream.count("response.create"), 0, "{upstream}");
}

#[tokio::test]
async fn row_28_server_vad_never_commits() {
    let settings = json!({"type": "Settings", "agent": {"idleTimeoutMs": 10_000,
        "think": {"prompt": "You are a helpful assistant."}}});
    let mut row = Row::opened_with(Script::default(), &settings).await;
    let update = row.mock.expect("session.update", s(1)).await;
    let detection = &update["session"]["audio"]["input"]["turn_detection"];
    assert_eq!(detection["type"], "server_vad", "{update}");
    assert_eq!(detection["create_response"], true);
    assert_eq!(detection["interrupt_response"], true);
    assert_eq!(detection["idle_timeout_ms"], 10_000);
    speak(&mut row, 14, 8_000).await;
    row.after_opening(3_500).await;
    assert!(row.mock.count(APPEND) >= 1);
    assert_eq!(row.mock.count(COMMIT), 0);
}

/// Demands an append after the `session.update`, and no protocol error.
fn assert_appended_after_update(mock: &Mock) {
    let upstream = mock.journal();
    let update = upstream.position("session.update").expect("a session.update came");
    assert!(upstream.position(APPEND).is_some_and(|append| append > update), "{upstream}");
    mock.assert_no_protocol_error();
}

#[tokio::test]
async fn row_29_audio_waits_for_a_late_session() {
    let mock = Mock::start(Script::late_session()).await;
    let gateway = Gateway::for_mock(&mock).await;
    let began = Instant::now();
    let mut client = gateway.connect().await;
    client.send(&settings(&json!({}))).await;
    client.send_silence(960).await;
    sleep_until(began + ms(30)).await;
    assert_eq!(mock.count(APPEND), 0);
    client.expect("SettingsApplied", s(5)).await;
    sleep_until(Instant::now() + ms(200)).await;
    assert_appended_after_update(&mock);
}

#[tokio::test]
async fn row_30_audio_after_the_opening_is_appended() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_silence(960).await;
    row.after_opening(250).await;
    assert_appended_after_update(&row.mock);
}

#[tokio::test]
async fn row_31_silence_causes_no_error() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_silence(4_800).await;
    row.after_opening(12_000).await;
    row.client.journal().assert_no_error();
    row.mock.assert_no_protocol_error();
}

#[tokio::test]
async fn row_34_one_long_frame_is_committed_and_answered() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_silence(40_000).await;
    row.client.expect_spoken("assistant", s(12)).await;
    for kind in [APPEND, COMMIT, "response.create"] {
        assert!(row.mock.count(kind) >= 1, "no {kind}");
    }
}

#[tokio::test]
async fn row_35_audio_during_a_response_asks_for_no_second_one() {
    let mut row = Row::opened(Script { response_after: ms(600), ..Script::default() }).await;
    row.client.send_silence(40_000).await;
    row.after_opening(250).await;
    row.client.send_silence(4_800).await;
    row.after_opening(750).await;
    assert_eq!(row.mock.count("response.create"), 1);
    assert_eq!(row.mock.count(COMMIT), 1);
}
