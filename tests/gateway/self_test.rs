//! The client against the mock, with no gateway between: what the other tests stand on.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use serde_json::json;
use tokio::join;
use tokio::process::Command;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;

use crate::peers::client::{Client, settings};
use crate::peers::frames::{self, REPLY, after, now};
use crate::peers::gateway::Gateway;
use crate::peers::journal::What;
use crate::peers::mock::Mock;
use crate::peers::raw::{RawPeer, RawUpstream};
use crate::peers::raw_frame::{BINARY, CONTINUATION, PONG, RawFrame, TEXT};
use crate::peers::recordings::{ROOT, Recordings};
use crate::peers::script::{Reply, Script};
use crate::peers::{fragments, ms, s};

async fn connected(script: Script) -> (Mock, Client) {
    let mock = Mock::start(Script { recorded: false, ..script }).await;
    let client = Client::connect_to_mock(&mock.url()).await;
    (mock, client)
}

fn user_item(text: &str) -> serde_json::Value {
    json!({"type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}})
}

#[tokio::test]
async fn a_text_turn_has_the_frames_of_the_sheet() {
    let (mock, mut client) = connected(Script { item_done: true, ..Script::with_audio() }).await;
    client.send(&json!({"type": "session.update", "session": {}})).await;
    client.send(&user_item("Hi")).await;
    client.expect("conversation.item.done", s(2)).await;
    client.send(&json!({"type": "response.create"})).await;
    client.send(&json!({"type": "input_audio_buffer.commit"})).await;
    client.expect("input_audio_buffer.committed", s(2)).await;
    let journal = client.journal();
    let kinds: Vec<_> = journal.entries.iter().map(|entry| entry.what.kind().unwrap_or("none")).collect();
    let wanted = [
        "session.updated",
        "conversation.item.added",
        "conversation.item.done",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_text.done",
        "conversation.item.done",
        "input_audio_buffer.committed",
    ];
    assert_eq!(kinds, wanted);
    assert_eq!(journal.first("response.output_text.done"), Some(&frames::output_text_done(REPLY)));
    mock.assert_no_protocol_error();
}

#[tokio::test]
async fn a_late_session_is_late_and_notes_what_came_early() {
    let script =
        Script { after_session_updated: vec![now(frames::function_call())], ..Script::late_session() };
    let (mock, mut client) = connected(script).await;
    client.send(&json!({"type": "session.update", "session": {}})).await;
    client.send(&json!({"type": "input_audio_buffer.append", "audio": ""})).await;
    client.send(&user_item("Hi")).await;
    client.expect("response.function_call_arguments.done", s(2)).await;
    let sent = mock.journal().entries[0].at;
    let journal = client.journal();
    let updated = journal.position("session.updated").expect("it came before the call");
    assert!(journal.entries[updated].at - sent >= ms(50));
    assert_eq!(mock.protocol_errors().len(), 2, "{:?}", mock.protocol_errors());
}

#[tokio::test]
async fn steps_keep_their_delays_and_order() {
    let script = Script {
        response_after: ms(60),
        text_done_after: vec![ms(0), ms(80)],
        after_response: vec![after(20, frames::error("idle_timeout", "the end"))],
        reply: Reply::LastUserText,
        ..Script::default()
    };
    let (mock, mut client) = connected(script).await;
    client.send(&user_item("parrot")).await;
    for wanted in [1, 2] {
        client.send(&json!({"type": "response.create"})).await;
        client.wait_for("error", s(2), |journal| (journal.count("error") == wanted).then_some(())).await;
    }
    let (received, sent) = (client.journal(), mock.journal());
    let asked: Vec<_> = sent.all("response.create").map(|(index, _)| sent.entries[index].at).collect();
    let texts: Vec<_> = received.all("response.output_text.done").collect();
    assert!(texts.iter().all(|(_, text)| text["text"] == "parrot"), "{received}");
    assert!(received.entries[texts[0].0].at - asked[0] >= ms(60), "{received}");
    assert!(received.entries[texts[1].0].at - asked[1] >= ms(140), "{received}");
}

#[tokio::test]
async fn fragments_and_raw_bytes_arrive_as_they_are() {
    let (mock, mut client) = connected(Script::default()).await;
    let peer = mock.peer(1).await;
    let text = json!({"type": "long", "text": "x".repeat(300 * 1024)}).to_string();
    fragments(Data::Text, text.as_bytes(), 1_000).into_iter().for_each(|frame| peer.send_message(frame));
    assert_eq!(client.expect("long", s(5)).await.to_string(), text);
    assert!(peer.send_raw(b"\x82\x03abc".to_vec()).await);
    peer.send_message(Message::text("no JSON"));
    client
        .wait_for("text", s(2), |journal| matches!(journal.entries.last()?.what, What::Text(_)).then_some(()))
        .await;
    assert_eq!(client.journal().binaries().next().map(|(_, bytes)| bytes.len()), Some(3));
    client.send_fragmented(Data::Text, text.as_bytes(), 100_000).await;
    assert_eq!(mock.expect("long", s(5)).await.to_string(), text);
    // A masked text frame, the mask being zero: {"type":"raw"}
    assert!(client.send_raw(b"\x81\x8e\0\0\0\0{\"type\":\"raw\"}").await);
    mock.expect("raw", s(2)).await;
}

#[tokio::test]
async fn closes_carry_code_and_reason_both_ways() {
    let (mock, client) = connected(Script::default()).await;
    mock.peer(1).await.close(4000, "enough");
    assert_eq!(client.expect_close(s(2)).await, (Some(4000), "enough".to_owned()));
    let mut second = Client::connect_to_mock(&mock.url()).await;
    second.close(4001, "bye").await;
    let closed = mock.wait_for("close", s(2), |journal| journal.on(2).closed().map(|(code, _)| code)).await;
    assert_eq!(closed, Some(4001));
    let third = Client::connect_to_mock(&mock.url()).await;
    mock.peer(3).await.vanish();
    third
        .wait_for("the end", s(2), |journal| {
            matches!(journal.entries.last()?.what, What::Gone(_)).then_some(())
        })
        .await;
    assert!(third.journal().closed().is_none());
}

#[tokio::test]
async fn a_panic_in_the_mock_reaches_the_test() {
    let failing = async {
        let (mock, mut client) = connected(Script::default()).await;
        client.send_binary(vec![1, 2, 3]).await;
        mock.expect("nothing like it", s(2)).await;
    };
    let panic = AssertUnwindSafe(failing).catch_unwind().await.expect_err("the test fails");
    assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains("mock upstream")));

    let (mock, mut client) = connected(Script::default()).await;
    client.send_binary(vec![1, 2, 3]).await;
    // Nobody waits for the mock here: its end has to tell.
    client
        .wait_for("the end", s(2), |journal| {
            matches!(journal.entries.last()?.what, What::Gone(_)).then_some(())
        })
        .await;
    sleep(ms(20)).await;
    let dropped = std::panic::catch_unwind(AssertUnwindSafe(|| drop(mock)));
    assert!(dropped.is_err(), "the mock's panic was lost");
}

#[test]
fn settings_are_laid_over_the_opening() {
    let settings = settings(&json!({"greeting": "Hi", "think": {"functions": []}}));
    assert_eq!(
        settings["agent"],
        json!({"useOpenAIManualAudioCommit": true, "greeting": "Hi",
            "think": {"prompt": "You are a helpful assistant.", "functions": []}})
    );
}

#[tokio::test]
async fn a_raw_upstream_and_another_clients_frames_are_the_same() {
    let upstream = RawUpstream::start().await;
    let url = upstream.url("/");
    let (mut client, mut upstream) = join!(Client::connect_to_mock(&url), upstream.accept());
    for length in [0, 1, 125, 126, 65_535, 65_536] {
        client.send_binary(vec![9; length]).await;
        upstream.send(&RawFrame::binary(vec![7; length])).await;
    }
    client.send_fragmented(Data::Text, "für heute".as_bytes(), 2).await;
    let came = upstream.expect_data(11).await;
    let lengths: Vec<_> =
        came[..6].iter().map(|frame| (frame.opcode, frame.last, frame.payload.len())).collect();
    assert_eq!(lengths, [0, 1, 125, 126, 65_535, 65_536].map(|length| (BINARY, true, length)));
    assert!(came[..6].iter().all(|frame| frame.payload.iter().all(|byte| *byte == 9)));
    let text: Vec<_> = came[6..].iter().flat_map(|frame| frame.payload.clone()).collect();
    assert_eq!(text, "für heute".as_bytes());
    let shape: Vec<_> = came[6..].iter().map(|frame| (frame.opcode, frame.last)).collect();
    let inner = (CONTINUATION, false);
    assert_eq!(shape, [(TEXT, false), inner, inner, inner, (CONTINUATION, true)]);
    upstream.send(&RawFrame::close(Some(4001), "enough")).await;
    assert_eq!(client.expect_close(s(5)).await, (Some(4001), "enough".to_owned()));
    let lengths: Vec<_> = client.journal().binaries().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(lengths, [0, 1, 125, 126, 65_535, 65_536]);
}

#[tokio::test]
async fn a_raw_clients_frames_are_read_by_another_server() {
    let mock = Mock::start(Script { recorded: false, ..Script::default() }).await;
    let mut client = RawPeer::connect(mock.port(), "/", "").await;
    let text = r#"{"type":"session.update","session":{"für":"heute"}}"#;
    client.send_all(&[RawFrame::new(TEXT, false, &text.as_bytes()[..40]), RawFrame::ping("p")], 1).await;
    client.send(&RawFrame::new(CONTINUATION, true, &text.as_bytes()[40..])).await;
    assert_eq!(client.expect_data(1).await[0].payload, frames::session_updated().to_string().as_bytes());
    assert_eq!(client.expect_opcode(PONG, 1).await[0].payload, b"p");
    assert_eq!(mock.journal().first("session.update").expect("it was answered")["session"]["für"], "heute");
}

/// In a child process, where this very test fails because of the variable, and here, where it does not.
#[tokio::test]
async fn a_test_that_fails_leaves_its_recordings_and_one_that_does_not_leaves_nothing() {
    const FAILS: &str = "VOXBRIDGE_FAILS_ON_PURPOSE";
    const NAME: &str = "a_test_that_fails_leaves_its_recordings_and_one_that_does_not_leaves_nothing";
    let is_child = std::env::var_os(ROOT).is_some();
    if is_child {
        let mock = Mock::start(Script { recorded: false, ..Script::default() }).await;
        let gateway = Gateway::for_mock(&mock).await;
        let mut client = gateway.connect().await;
        client.open_s().await;
        assert!(std::env::var_os(FAILS).is_none(), "on purpose");
        return;
    }
    for fails in [false, true] {
        let root = tempfile::TempDir::new().expect("a temporary directory");
        let mut child = Command::new(std::env::current_exe().expect("it runs"));
        child.args(["--exact", &format!("self_test::{NAME}"), "--nocapture"]).env(ROOT, root.path());
        if fails {
            child.env(FAILS, "1");
        }
        let output = timeout(s(60), child.kill_on_drop(true).output()).await.expect("it ends in time");
        let output = output.expect("it can be run");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), !fails, "{told}");
        let kept = root.path().join(format!("self_test-{NAME}"));
        assert_eq!(told.contains(&format!("its recordings are in {}", kept.display())), fails, "{told}");
        let recordings = Recordings::in_directory(kept);
        assert_eq!(recordings.files(".jsonl").len(), usize::from(fails));
        let text = String::from_utf8(recordings.bytes()).expect("it is text");
        assert_eq!(text.contains("SettingsApplied"), fails, "the last that happened before the failure");
    }
}
