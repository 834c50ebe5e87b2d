//! Compatibility cases: function calls, completion order. They differ in what upstream sends for
//! the output item.

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::peers::frames::{self, REPLY, Step, after, now};
use crate::peers::gateway::Config;
use crate::peers::journal::Journal;
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::{ms, s};

/// S, the call, and its answer. The row's clock is that of its beginning; also: the answer's moment,
/// and how much the client had received by then.
async fn answered(
    completion: fn(&Value) -> Vec<Step>,
    change: fn(Config) -> Config,
) -> (Row, Instant, usize) {
    let mut row = Row::connected_to(Script::calling(completion), change).await;
    row.client.open_s().await;
    row.client.expect("FunctionCallRequest", s(4)).await;
    let seen = row.client.journal().entries.len();
    row.client.answer_call("{\"time\":\"12:34\"}").await;
    (row, Instant::now(), seen)
}

fn text(_output: &Value) -> Vec<Step> {
    vec![now(frames::output_text_done_of_response())]
}

fn ended(journal: &Journal) -> bool {
    journal.count("AgentDone") + journal.count("AgentAudioDone") > 0
}

/// Looks every `step` ms from `from` to `to` after the beginning: never a second `response.create`,
/// and one by the end.
async fn exactly_one_response(row: &Row, from: u64, to: u64, step: usize) {
    for moment in (from..=to).step_by(step) {
        row.at(moment).await;
        let upstream = row.mock.journal();
        assert!(upstream.count("response.create") <= 1, "at {moment} ms:\n{upstream}");
    }
    let upstream = row.mock.journal();
    assert_eq!(upstream.count("response.create"), 1, "{upstream}");
}

#[tokio::test]
async fn row_83_the_response_is_asked_for_after_the_output() {
    let (row, answer, _) = answered(text, |config| config).await;
    sleep_until(answer + ms(1_500)).await;
    let upstream = row.mock.journal();
    let item = upstream.last_position("conversation.item.create").expect("the output went up");
    assert!(upstream.position("response.create").is_some_and(|create| create > item), "{upstream}");
    let (_, event) = upstream.all("conversation.item.create").last().expect("just seen");
    assert_eq!(event["item"]["type"], "function_call_output", "{upstream}");
}

#[tokio::test]
async fn row_84_the_answer_is_followed_by_an_end() {
    let (row, _, seen) = answered(text, |config| config).await;
    let left = (row.began + s(3)).saturating_duration_since(Instant::now());
    row.client
        .wait_for("AgentAudioDone after the answer", left, |journal| {
            journal.last_position("AgentAudioDone").filter(|position| *position >= seen)
        })
        .await;
}

#[tokio::test]
async fn row_85_a_completion_that_never_comes_is_not_waited_for() {
    let (row, _, _) =
        answered(|_| Vec::new(), |config| config.backend("deferred_response_timeout_ms = 500")).await;
    row.at(1_300).await;
    let upstream = row.mock.journal();
    assert_eq!(upstream.count("conversation.item.create"), 1, "{upstream}");
    assert!((1..=2).contains(&upstream.count("response.create")), "{upstream}");
}

#[tokio::test]
async fn row_86_done_and_then_text_are_one_completion() {
    let completion =
        |_: &Value| vec![now(frames::response_done()), after(50, frames::output_text_done_of_response())];
    let (row, _, _) = answered(completion, |config| config).await;
    exactly_one_response(&row, 500, 4_000, 80).await;
    let journal = row.client.journal();
    assert!(ended(&journal), "{journal}");
}

#[tokio::test]
async fn row_87_audio_done_and_then_done_are_one_completion() {
    let completion =
        |_: &Value| vec![now(frames::output_audio_done_of_response()), now(frames::response_done())];
    let (row, _, _) = answered(completion, |config| config).await;
    exactly_one_response(&row, 500, 4_000, 80).await;
    let journal = row.client.journal();
    assert!(ended(&journal), "{journal}");
}

#[tokio::test]
async fn row_88_a_later_assistant_item_is_said_too() {
    let completion = |_: &Value| {
        let said = "It is 12:34 UTC now.";
        let item = frames::assistant_item("conversation.item.added", "item_mock_time", said);
        vec![now(frames::output_text_done_of_response()), after(80, item)]
    };
    let (row, _, _) = answered(completion, |config| config).await;
    row.client
        .wait_for("ConversationText with the time", s(4), |journal| {
            journal.spoken_texts("assistant").iter().any(|text| text.contains("12:34 UTC")).then_some(())
        })
        .await;
}

#[tokio::test]
async fn row_89_the_output_item_given_back_is_a_completion() {
    let completion = |item: &Value| {
        ["conversation.item.added", "conversation.item.done"]
            .map(|kind| now(frames::function_output_item(kind, item)))
            .into()
    };
    let (row, _, _) = answered(completion, |config| config).await;
    let journal = row.client.expect_spoken("assistant", s(4)).await;
    assert_eq!(journal.spoken_texts("assistant"), [REPLY]);
    exactly_one_response(&row, 500, 4_000, 80).await;
    let journal = row.client.journal();
    assert!(ended(&journal), "{journal}");
}

#[tokio::test]
async fn row_90_done_alone_is_a_completion() {
    let (row, _, _) = answered(|_| vec![now(frames::response_done())], |config| config).await;
    exactly_one_response(&row, 200, 2_000, 50).await;
}
