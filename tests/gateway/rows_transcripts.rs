//! Compatibility cases: transcripts and assistant text, agent activity and idle timeout.

use serde_json::json;

use crate::peers::frames::{self, FUNCTION, after, now};
use crate::peers::journal::Journal;
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::{ms, s};

/// Whether the response's end was signalled after a position.
fn ended_after(journal: &Journal, position: usize) -> bool {
    let later = |kind| journal.last_position(kind).is_some_and(|end| end > position);
    later("AgentDone") || later("AgentAudioDone")
}

#[tokio::test]
async fn row_44_transcription_deltas_accumulate() {
    let deltas = ["Hel", "lo ", "world"].map(|delta| now(frames::transcription_delta("item_u1", delta)));
    let row = Row::opened(Script::after_session(deltas.into())).await;
    let transcripts = row
        .client
        .wait_for("three Transcripts", s(4), |journal| {
            let all: Vec<_> = journal.all("Transcript").map(|(_, value)| value.clone()).collect();
            (all.len() == 3).then_some(all)
        })
        .await;
    for (transcript, text) in transcripts.iter().zip(["Hel", "Hello ", "Hello world"]) {
        assert_eq!(transcript["transcript"], text);
        assert_eq!(transcript["is_final"], false, "{transcript}");
    }
}

#[tokio::test]
async fn row_45_a_completed_transcription_keeps_its_values() {
    let row = Row::opened(Script::after_session(vec![now(frames::transcription_completed("item_u1"))])).await;
    let transcript = row.client.expect("Transcript", s(5)).await;
    let wanted = json!({"transcript": "Hello world", "is_final": true, "start": 1.5, "duration": 2.25,
        "channel": 1, "channel_index": [1]});
    for (key, value) in wanted.as_object().expect("an object") {
        assert_eq!(&transcript[key], value, "{key} in {transcript}");
    }
}

#[tokio::test]
async fn row_46_a_call_inside_a_message_is_told_as_text() {
    let added = frames::assistant_call_part("item_a1", "call_mock_7");
    let row = Row::opened(Script::after_session(vec![now(added)])).await;
    let journal = row.client.expect_spoken("assistant", s(5)).await;
    let (_, text) = journal.spoken("assistant").expect("just seen");
    assert!(text.contains("Function call") && text.contains(FUNCTION), "{text}");
}

#[tokio::test]
async fn row_47_text_alone_is_said_and_ended() {
    let text = "Text without an item";
    let row = Row::opened(Script::after_session(vec![now(frames::output_text_done(text))])).await;
    row.client
        .wait_for("ConversationText and its end", s(4), |journal| {
            let (position, content) = journal.spoken("assistant")?;
            (content == text && ended_after(journal, position)).then_some(())
        })
        .await;
    assert_eq!(row.client.journal().count("FunctionCallRequest"), 0);
}

#[tokio::test]
async fn row_48_applied_then_speaking_then_the_call() {
    let steps = vec![now(frames::audio_transcript_done("One moment")), now(frames::function_call())];
    let row = Row::opened(Script::after_session(steps)).await;
    row.client.expect("FunctionCallRequest", s(4)).await;
    let journal = row.client.journal();
    let positions = ["SettingsApplied", "AgentStartedSpeaking", "FunctionCallRequest"]
        .map(|kind| journal.position(kind).unwrap_or_else(|| panic!("no {kind} in\n{journal}")));
    assert!(positions.is_sorted(), "{journal}");
}

#[tokio::test]
async fn row_49_an_inject_comes_back_unchanged() {
    let text = "  Grüße, \"quoted\" \\ \u{1F600}\n\tsecond line ";
    let mut row = Row::opened(Script::default()).await;
    row.client.inject(text).await;
    let journal = row.client.expect_spoken("user", s(5)).await;
    assert_eq!(journal.spoken_texts("user"), [text]);
    journal.assert_no_error();
}

#[tokio::test]
async fn row_50_the_response_waits_for_the_item() {
    let mut row = Row::opened(Script { item_added_after: ms(100), ..Script::default() }).await;
    row.client.inject("Hello").await;
    row.client.expect_spoken("assistant", s(5)).await;
    let upstream = row.mock.journal();
    let at = |kind| upstream.position(kind).map(|index| upstream.entries[index].at).expect("it was sent");
    let waited = at("response.create").checked_duration_since(at("conversation.item.create"));
    assert!(waited.is_some_and(|waited| waited >= ms(50)), "{upstream}");
}

#[tokio::test]
async fn row_78_speaking_starts_before_the_text() {
    let mut row = Row::opened(Script::default()).await;
    row.client.inject("Hello").await;
    let journal = row.client.expect_spoken("assistant", s(5)).await;
    assert!(journal.count("AgentStartedSpeaking") >= 1, "{journal}");
}

#[tokio::test]
async fn row_79_text_and_its_end_arrive() {
    let mut row = Row::opened(Script::default()).await;
    row.client.inject("Hello").await;
    row.client
        .wait_for("text and AgentAudioDone", s(5), |journal| {
            journal.spoken("assistant")?;
            journal.position("AgentAudioDone")
        })
        .await;
}

#[tokio::test]
async fn row_82_the_text_precedes_the_idle_timeout() {
    let idle = frames::error("idle_timeout", "nobody spoke");
    let mut row = Row::opened(Script { after_response: vec![after(0, idle)], ..Script::default() }).await;
    row.client.inject("Hello").await;
    row.client.expect_error("idle_timeout", s(5)).await;
    let journal = row.client.journal();
    let (spoken, _) = journal.spoken("assistant").expect("the text came");
    assert!(journal.position("Error").is_some_and(|error| spoken < error), "{journal}");
}
