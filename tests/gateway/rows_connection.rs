//! Compatibility cases: connection and settings, errors and speech events, one response at a time.

use serde_json::json;
use tokio::time::sleep;

use crate::peers::client::{inject_user_message, settings};
use crate::peers::frames::{self, REPLY, after};
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::{ms, s};

#[tokio::test]
async fn row_08_settings_become_session_update_and_are_applied() {
    let row = Row::opened(Script::default()).await;
    assert_eq!(row.mock.count("session.update"), 1);
    let journal = row.client.journal();
    journal.before(journal.position("SettingsApplied").expect("S was answered")).assert_no_error();
}

#[tokio::test]
async fn row_09_upstream_error_reaches_the_client() {
    let message = "The mock is out of order";
    let row =
        Row::opened(Script::after_session(vec![after(50, frames::error("server_error", message))])).await;
    let error = row.client.expect("Error", s(5)).await;
    assert!(error["description"].as_str().is_some_and(|text| text.contains(message)), "{error}");
}

async fn upstream_ends_the_session(code: &str) {
    let row = Row::opened(Script::after_session(vec![after(50, frames::error(code, "the end"))])).await;
    let error = row.client.expect("Error", s(5)).await;
    assert_eq!(error["code"], code);
}

#[tokio::test]
async fn row_10_idle_timeout_keeps_its_code() {
    upstream_ends_the_session("idle_timeout").await;
}

#[tokio::test]
async fn row_11_session_max_duration_keeps_its_code() {
    upstream_ends_the_session("session_max_duration").await;
}

#[tokio::test]
async fn row_12_speech_started_is_user_started_speaking() {
    let row = Row::opened(Script::after_session(vec![after(50, frames::speech_started())])).await;
    row.client.expect("UserStartedSpeaking", s(5)).await;
    let journal = row.client.journal();
    journal.before(journal.position("UserStartedSpeaking").expect("just seen")).assert_no_error();
}

#[tokio::test]
async fn row_13_bare_speech_stopped_is_utterance_end() {
    let row = Row::opened(Script::after_session(vec![after(50, frames::speech_stopped())])).await;
    let end = row.client.expect("UtteranceEnd", s(5)).await;
    assert!(end["channel"].is_array() && end["last_word_end"].is_number(), "{end}");
}

#[tokio::test]
async fn row_14_utterance_end_carries_the_values_of_the_event() {
    let mut stopped = frames::speech_stopped();
    stopped["channel"] = json!([0]);
    stopped["last_word_end"] = json!(1.5);
    let row = Row::opened(Script::after_session(vec![after(50, stopped)])).await;
    let end = row.client.expect("UtteranceEnd", s(5)).await;
    assert_eq!((&end["channel"], &end["last_word_end"]), (&json!([0]), &json!(1.5)));
}

#[tokio::test]
async fn row_15_inject_before_settings_gets_no_update_after_the_response() {
    let script = Script { response_after: ms(300), ..Script::default() };
    let mut row = Row::connected(script).await;
    row.client.send(&inject_user_message("Hello")).await;
    row.at(50).await;
    row.client.send(&settings(&json!({}))).await;
    row.client.expect_spoken("assistant", s(5)).await;
    let upstream = row.mock.journal();
    let created = upstream.position("response.create").expect("a response was asked for");
    assert!(upstream.all("session.update").all(|(index, _)| index < created), "{upstream}");
}

#[tokio::test]
async fn row_16_the_end_of_audio_does_not_end_the_response() {
    let script = Script {
        on_connect: vec![frames::session_created(), frames::session_updated()],
        text_done_after: vec![ms(300)],
        ..Script::with_audio()
    };
    let mut row = Row::connected(script).await;
    row.client.expect_early_upstream();
    row.client.inject("Hello").await;
    row.client.expect_spoken("user", s(5)).await;
    sleep(ms(50)).await;
    row.client.send(&settings(&json!({}))).await;
    let heard = row.client.expect_spoken("assistant", s(5)).await;
    let moment = heard.entries.last().expect("the text is there").at;
    let upstream = row.mock.journal().until(moment);
    assert_eq!(upstream.count("session.update"), 0, "{upstream}");
    // R3: the first Settings are kept, not forgotten.
    row.client.expect("SettingsApplied", s(2)).await;
    assert_eq!(row.mock.count("session.update"), 1);
}

#[tokio::test]
async fn row_20_second_settings_are_applied_without_an_update() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send(&settings(&json!({}))).await;
    row.client
        .wait_for("second SettingsApplied", s(5), |journal| {
            (journal.count("SettingsApplied") == 2).then_some(())
        })
        .await;
    assert_eq!(row.mock.count("session.update"), 1);
}

#[tokio::test]
async fn row_21_an_inject_is_answered() {
    let mut row = Row::opened(Script::default()).await;
    row.client.inject("Hello").await;
    let journal = row.client.expect_spoken("assistant", s(5)).await;
    assert_eq!(journal.spoken_texts("assistant"), [REPLY]);
    journal.assert_no_error();
}
