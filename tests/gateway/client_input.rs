//! What a client should not send, or sends in an unusual shape: the session goes on.

use base64_simd::STANDARD;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;

use crate::peers::client::{inject_user_message, settings};
use crate::peers::journal::Journal;
use crate::peers::row::Row;
use crate::peers::s;
use crate::peers::script::{Reply, Script};

const APPEND: &str = "input_audio_buffer.append";

/// The largest message in either direction on the client's side, in bytes.
const LARGEST: usize = 1024 * 1024;

async fn refused_text(text: &str, code: &str) {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_text(text).await;
    row.client.expect_error(code, s(5)).await;
    row.client.assert_goes_on().await;
}

#[tokio::test]
async fn text_that_is_not_json() {
    refused_text("{\"type\":\"InjectUserMessage\",", "UNPARSABLE_CLIENT_MESSAGE").await;
}

#[tokio::test]
async fn text_that_is_empty() {
    refused_text("", "UNPARSABLE_CLIENT_MESSAGE").await;
}

#[tokio::test]
async fn a_type_that_is_unknown() {
    refused_text("{\"type\":\"UserStartedSpeaking\"}", "disallowed_client_message_type").await;
}

#[tokio::test]
async fn a_binary_frame_is_audio_even_if_it_is_json() {
    let mut row = Row::opened(Script::default()).await;
    let message = inject_user_message("this is audio, whatever it looks like").to_string();
    row.client.send_binary(message.into_bytes()).await;
    row.mock.expect(APPEND, s(2)).await;
    assert_eq!(row.mock.count("conversation.item.create"), 0);
    row.client.assert_goes_on().await;
    row.client.journal().assert_no_error();
}

#[tokio::test]
async fn an_empty_binary_frame_is_no_append() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_binary(Vec::new()).await;
    row.client.assert_goes_on().await;
    assert_eq!(row.mock.count(APPEND), 0);
    row.client.journal().assert_no_error();
}

#[tokio::test]
async fn a_long_inject_arrives_unchanged_and_comes_back() {
    let mut row = Row::opened(Script { reply: Reply::LastUserText, ..Script::default() }).await;
    let text = "0123456789abcdef".repeat(900 * 1024 / 16);
    row.client.inject(&text).await;
    let journal = row.client.expect_spoken("user", s(10)).await;
    assert!(journal.spoken_texts("user") == [text.as_str()], "the echo differs");
    let item = row.mock.expect("conversation.item.create", s(10)).await;
    assert!(item["item"]["content"][0]["text"] == text.as_str(), "what went up differs");
    let journal = row.client.expect_spoken("assistant", s(10)).await;
    assert!(journal.spoken_texts("assistant") == [text.as_str()], "the answer differs");
}

#[tokio::test]
async fn an_inject_whose_echo_is_too_large_is_refused() {
    let mut row = Row::opened(Script::default()).await;
    let frame = inject_user_message("").to_string().len();
    // A tab is one character and two bytes of JSON, here as there.
    let text = "\t".repeat((LARGEST - frame) / 2);
    let echo = json!({"type": "ConversationText", "role": "user", "content": text}).to_string();
    assert!(inject_user_message(&text).to_string().len() <= LARGEST && echo.len() > LARGEST);
    row.client.inject(&text).await;
    row.client.expect_error("MESSAGE_TOO_LARGE", s(5)).await;
    assert_eq!(row.mock.count("conversation.item.create"), 0);
    row.client.assert_goes_on().await;
}

#[tokio::test]
async fn a_text_message_in_many_fragments() {
    let mut row = Row::opened(Script::default()).await;
    let text = "Grüße in Stücken ".repeat(200);
    let message = inject_user_message(&text).to_string();
    // Cut without regard to characters.
    row.client.send_fragmented(Data::Text, message.as_bytes(), 7).await;
    let journal = row.client.expect_spoken("user", s(5)).await;
    assert_eq!(journal.spoken_texts("user"), [text.as_str()]);
    row.client.expect_spoken("assistant", s(5)).await;
}

#[tokio::test]
async fn a_binary_message_in_many_fragments_is_one_append() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_fragmented(Data::Binary, &[0; 40_000], 333).await;
    let append = row.mock.expect(APPEND, s(5)).await;
    let audio = append["audio"].as_str().expect("an append has audio");
    let audio = STANDARD.decode_to_vec(audio).expect("audio is base64");
    // Three samples for two, less what the resampler holds back: at most 2 ms, 96 bytes.
    assert!((60_000 - 96..=60_000).contains(&audio.len()), "{} bytes", audio.len());
    row.client.expect_spoken("assistant", s(5)).await;
    assert_eq!(row.mock.count(APPEND), 1);
}

/// Settings that cannot be taken are refused by the field's path; the next ones count as the first.
async fn invalid_settings(wrong: Value, path: &str) {
    let mut row = Row::connected(Script::default()).await;
    row.client.send(&wrong).await;
    let error = row.client.expect_error("INVALID_SETTINGS", s(5)).await;
    assert!(error["description"].as_str().is_some_and(|text| text.contains(path)), "no {path} in {error}");
    assert!(row.mock.journal().entries.is_empty(), "{}", row.mock.journal());
    assert_eq!(row.client.journal().count("SettingsApplied"), 0);
    row.client.send(&settings(&json!({}))).await;
    row.client.expect("SettingsApplied", s(5)).await;
    assert_eq!(row.mock.count("session.update"), 1);
    row.client.assert_goes_on().await;
}

#[tokio::test]
async fn settings_whose_prompt_is_a_number() {
    invalid_settings(settings(&json!({"think": {"prompt": 42}})), "agent.think.prompt").await;
}

#[tokio::test]
async fn settings_whose_sample_rate_is_a_word() {
    let mut wrong = settings(&json!({}));
    wrong["audio"] = json!({"input": {"encoding": "linear16", "sample_rate": "fast"}});
    invalid_settings(wrong, "audio.input.sample_rate").await;
}

#[tokio::test]
async fn settings_whose_greeting_is_a_list() {
    invalid_settings(settings(&json!({"greeting": ["Hi"]})), "agent.greeting").await;
}

#[tokio::test]
async fn settings_whose_function_name_has_a_space() {
    let functions =
        json!([{"name": "get time", "description": "The time", "parameters": {"type": "object"}}]);
    invalid_settings(settings(&json!({"think": {"functions": functions}})), "agent.think.functions[0].name")
        .await;
}

#[tokio::test]
async fn thousands_of_typed_messages_before_settings() {
    const TYPED: usize = 3_000;
    let mut row = Row::connected(Script::default()).await;
    for number in 0..TYPED {
        row.client.inject(&number.to_string()).await;
    }
    row.client.send(&settings(&json!({}))).await;
    let whole = |journal: &Journal| (journal.spoken_texts("user").len() == TYPED).then_some(());
    row.client.wait_for("every echo", s(20), whole).await;
    row.mock
        .wait_for("every item", s(20), |journal| {
            (journal.count("conversation.item.create") == TYPED).then_some(())
        })
        .await;
    assert!(row.client.journal().closed().is_none(), "closed");
    row.client.journal().assert_no_error();
}
