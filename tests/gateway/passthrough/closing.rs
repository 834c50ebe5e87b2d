//! Close codes and reasons: those that an application may send go through as they are, the others as the nearest that
//! it may (RFC 6455, 7.4).

use serde_json::Value;

use super::stage::{Ends, Stage};
use crate::peers::raw_frame::{CLOSE, RawFrame};

/// Codes that may stand in a close frame.
const VALID: [u16; 16] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
/// Codes that may not.
const INVALID: [u16; 8] = [0, 999, 1004, 1005, 1006, 1015, 2999, 5000];

/// What a side is told.
type Told = (Option<u16>, String);

/// Upstream closes with this frame: what the client is told, what upstream is answered, and the codes of the Errors.
async fn upstream_closes(stage: &Stage, with: RawFrame) -> (Told, Told, Vec<String>) {
    let mut ends = stage.agent().await;
    ends.upstream.send(&with).await;
    let told = ends.client.expect_close().await;
    let answered = ends.upstream.expect_close().await;
    ends.upstream.expect_end().await;
    (told, answered, errors(&ends))
}

/// The client closes with this frame: what upstream is told, what the client is answered, and the codes of the Errors.
async fn client_closes(stage: &Stage, with: RawFrame) -> (Told, Told, Vec<String>) {
    let mut ends = stage.agent().await;
    ends.client.send(&with).await;
    let told = ends.upstream.expect_close().await;
    ends.upstream.send(&RawFrame::close(told.0, "")).await;
    ends.upstream.expect_end().await;
    (told, ends.client.expect_close().await, errors(&ends))
}

/// The codes of all that the client was sent, which are Errors.
fn errors(ends: &Ends) -> Vec<String> {
    let code = |frame: &RawFrame| {
        let message: Value = serde_json::from_slice(&frame.payload).expect("the gateway says JSON");
        assert_eq!(message["type"], "Error", "{message}");
        message["code"].as_str().expect("an Error has a code").to_owned()
    };
    ends.client.data().iter().map(|frame| code(frame)).collect()
}

/// Close frames that break RFC 6455.
fn broken() -> impl Iterator<Item = RawFrame> {
    let codes = INVALID.map(|code| RawFrame::close(Some(code), "x"));
    let half_a_code = RawFrame::new(CLOSE, true, [3]);
    let no_text = RawFrame::new(CLOSE, true, [[3, 232].as_slice(), &[0xff; 123]].concat());
    codes.into_iter().chain([half_a_code, no_text])
}

#[tokio::test]
async fn upstreams_valid_codes_and_reasons_reach_the_client() {
    let stage = Stage::start("").await;
    for code in VALID {
        let reason = format!("NET-{code} – für heute genug");
        let (told, answered, errors) = upstream_closes(&stage, RawFrame::close(Some(code), &reason)).await;
        assert_eq!(told, (Some(code), reason));
        assert_eq!(answered.0, Some(code));
        assert!(errors.is_empty(), "an upstream that closes speaks for itself: {errors:?}");
    }
    let longest = "x".repeat(123);
    let (told, ..) = upstream_closes(&stage, RawFrame::close(Some(1011), &longest)).await;
    assert_eq!(told, (Some(1011), longest));
}

#[tokio::test]
async fn upstreams_broken_closes_are_a_server_error_to_the_client() {
    let stage = Stage::start("").await;
    for frame in broken() {
        let (told, answered, errors) = upstream_closes(&stage, frame.clone()).await;
        assert_eq!((told, answered.0), ((Some(1011), String::new()), Some(1002)), "for {frame:?}");
        assert_eq!(errors, ["upstream_closed"], "for {frame:?}");
    }
}

#[tokio::test]
async fn an_upstream_that_closes_without_a_code_has_ended_normally() {
    let stage = Stage::start("").await;
    let (told, answered, errors) = upstream_closes(&stage, RawFrame::close(None, "")).await;
    assert_eq!((told, answered.0), ((Some(1000), String::new()), Some(1000)));
    assert!(errors.is_empty(), "{errors:?}");
}

#[tokio::test]
async fn an_upstream_that_vanishes_is_told_of() {
    let stage = Stage::start("").await;
    let Ends { client, upstream } = stage.agent().await;
    drop(upstream);
    assert_eq!(client.expect_close().await.0, Some(1011));
    let error: Value = serde_json::from_slice(&client.data()[0].payload).expect("the gateway says JSON");
    assert_eq!((&error["type"], &error["code"]), (&"Error".into(), &"upstream_closed".into()), "{error}");
}

#[tokio::test]
async fn the_clients_valid_codes_and_reasons_reach_upstream() {
    let stage = Stage::start("").await;
    for code in VALID {
        let reason = format!("closed by {code} – bis morgen");
        let (told, answered, errors) = client_closes(&stage, RawFrame::close(Some(code), &reason)).await;
        assert_eq!((told, answered.0), ((Some(code), reason), Some(code)));
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[tokio::test]
async fn of_the_clients_broken_closes_none_reaches_upstream() {
    let stage = Stage::start("").await;
    for frame in broken() {
        let (told, answered, errors) = client_closes(&stage, frame.clone()).await;
        assert_eq!((told, answered.0), ((Some(1000), String::new()), Some(1002)), "for {frame:?}");
        assert_eq!(errors, ["UNPARSABLE_CLIENT_MESSAGE"], "for {frame:?}");
    }
    let (told, ..) = client_closes(&stage, RawFrame::close(None, "")).await;
    assert_eq!(told.0, Some(1000), "for none");
}

#[tokio::test]
async fn what_was_said_before_a_close_still_arrives() {
    let stage = Stage::start("").await;
    let mut ends = stage.agent().await;
    let last_words = [RawFrame::binary(vec![7; 100_000]), RawFrame::close(Some(4000), "bye")];
    ends.upstream.send_all(&last_words, usize::MAX).await;
    assert_eq!(ends.client.expect_close().await, (Some(4000), "bye".to_owned()));
    assert_eq!(*ends.client.data()[0], last_words[0]);
    let mut ends = stage.agent().await;
    ends.client.send_all(&last_words, usize::MAX).await;
    assert_eq!(ends.upstream.expect_close().await, (Some(4000), "bye".to_owned()));
    assert_eq!(*ends.upstream.data()[1], last_words[0]);
}
