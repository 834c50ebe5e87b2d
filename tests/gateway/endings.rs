//! How a session ends: codes and reasons are carried over, and each side learns in time.

use serde_json::json;

use crate::peers::client::settings;
use crate::peers::journal::{Journal, What};
use crate::peers::row::Row;
use crate::peers::s;
use crate::peers::script::Script;

fn gone(journal: &Journal) -> Option<()> {
    journal.entries.iter().any(|entry| matches!(entry.what, What::Gone(_))).then_some(())
}

#[tokio::test]
async fn upstream_closes_before_the_session_is_ready() {
    let mut row = Row::connected(Script { session_updated_after: None, ..Script::default() }).await;
    row.client.send(&settings(&json!({}))).await;
    row.mock.expect("session.update", s(5)).await;
    row.mock.peer(1).await.close(4003, "not today");
    row.client.expect_ending("upstream_closed_before_session_ready", 4003).await;
    assert_eq!(row.client.journal().count("Error"), 1);
}

#[tokio::test]
async fn upstream_closes_with_code_and_reason() {
    let row = Row::opened(Script::default()).await;
    row.mock.peer(1).await.close(4000, "the beta is over");
    let (code, reason) = row.client.expect_close(s(2)).await;
    assert_eq!((code, reason.as_str()), (Some(4000), "the beta is over"));
}

#[tokio::test]
async fn upstream_vanishes() {
    let row = Row::opened(Script::default()).await;
    row.mock.peer(1).await.vanish();
    row.client.expect_close(s(2)).await;
    row.gateway.assert_serves().await;
}

#[tokio::test]
async fn client_closes_with_a_code() {
    let mut row = Row::opened(Script::default()).await;
    row.client.close(4001, "bye").await;
    let closed = row.mock.wait_for("close", s(2), |journal| journal.closed().map(|(code, _)| code)).await;
    assert_eq!(closed, Some(4001));
    row.client.wait_for("end of the connection", s(2), gone).await;
}

#[tokio::test]
async fn client_vanishes() {
    let row = Row::opened(Script::default()).await;
    drop(row.client);
    row.mock.wait_for("end of the connection", s(2), gone).await;
    row.gateway.assert_serves().await;
}

#[tokio::test]
async fn what_the_client_sends_before_its_close_still_goes_up() {
    let mut row = Row::opened(Script::default()).await;
    row.client.inject("One last thing").await;
    row.client.close(1000, "Closed by client").await;
    row.mock.wait_for("close", s(2), |journal| journal.closed().map(|_| ())).await;
    let upstream = row.mock.journal();
    assert_eq!(upstream.count("conversation.item.create"), 1, "{upstream}");
}
