//! The process as a whole: its end, what many sessions leave behind, and bytes that are no protocol.

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::peers::frames;
use crate::peers::gateway::{Config, Gateway, PATH};
use crate::peers::http::{self, UPGRADE};
use crate::peers::journal::{Journal, What};
use crate::peers::mock::Mock;
use crate::peers::pace::Pace;
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::sound::{counted, plain_settings};
use crate::peers::{eventually, ms, s};

#[tokio::test]
async fn a_terminated_gateway_says_goodbye() {
    let mut row = Row::opened(Script::default()).await;
    row.gateway.terminate().await;
    row.client.expect_ending("SERVER_GOING_AWAY", 1012).await;
    row.mock.wait_for("close", s(2), |journal| journal.closed().map(|_| ())).await;
    assert_eq!(row.gateway.exit(s(5)).await, Some(0));
}

#[tokio::test]
async fn a_gateway_without_sessions_ends_at_once() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Gateway::for_mock(&mock).await;
    gateway.assert_serves().await;
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(2)).await, Some(0));
}

#[tokio::test]
async fn a_gateway_that_ends_is_not_ready_admits_nobody_and_runs_nothing() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Config::for_mock(&mock).section("drain_timeout_s = 0").start().await;
    assert_eq!(http::get(gateway.port(), "/ready", "").await.status, 200);
    let pace = Pace::variable();
    let mut client = gateway.connect_at(&pace).await;
    client.open_with(&plain_settings()).await;
    // A client that takes nothing keeps the gateway waiting for a while.
    pace.set(0);
    mock.peer(1).await.send(&frames::output_audio_delta(&counted(1024 * 1024)));
    mock.peer(1).await.send(&frames::speech_stopped());
    gateway.expect_log(&["input_audio_buffer.speech_stopped"], s(5)).await;
    gateway.terminate().await;
    eventually("refusal by /ready", s(1), async || {
        (http::get(gateway.port(), "/ready", "").await.status == 503).then_some(())
    })
    .await;
    let answer = http::get(gateway.port(), PATH, UPGRADE).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (503, Some("stopping")));
    let call = r#"{"id":"1","name":"get_current_time","arguments":"{}"}"#;
    let answer = http::post(gateway.port(), "/function-call", "", call).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("stopping")));
    assert_eq!(gateway.exit(s(8)).await, Some(0));
}

async fn sessions(gateway: &Gateway, count: usize) {
    for _ in 0..count / 5 {
        join_all((0..5).map(|_| gateway.assert_serves())).await;
    }
}

#[tokio::test]
async fn many_sessions_leave_nothing_behind() {
    const GROWTH: usize = 1024 * 1024;
    let mock = Mock::start(Script::with_audio()).await;
    let gateway = Gateway::for_mock(&mock).await;
    // What every thread allocates once.
    sessions(&gateway, 100).await;
    let settled = async || {
        let ended = gateway.log().matches("session ended").count();
        (ended == mock.upgrades().len()).then_some(())
    };
    eventually("end of every session", s(5), settled).await;
    let (files, memory) = (gateway.files_and_threads(), gateway.resident_memory());
    sessions(&gateway, 200).await;
    gateway.assert_nothing_left(files, s(5)).await;
    let growth = gateway.resident_memory().saturating_sub(memory);
    println!("200 sessions: resident memory grew by {} KiB", growth / 1024);
    assert!(growth < GROWTH, "resident memory grew by {} KiB", growth / 1024);
}

fn ended(journal: &Journal) -> Option<()> {
    let is_end = |what: &What| matches!(what, What::Closed { .. } | What::Gone(_));
    journal.entries.iter().any(|entry| is_end(&entry.what)).then_some(())
}

#[tokio::test]
async fn bytes_that_are_no_websocket_end_their_session_alone() {
    let mut row = Row::opened(Script::default()).await;
    let before = row.gateway.files_and_threads();
    let garbage: [(&str, &[u8]); 12] = [
        ("an unknown opcode", b"\x83\x81\0\0\0\0x"),
        ("an unknown control opcode", b"\x8b\x80\0\0\0\0"),
        ("a frame without a mask", b"\x81\x02{}"),
        ("a reserved bit", b"\xc1\x82\0\0\0\0{}"),
        ("text that is not UTF-8", b"\x81\x82\0\0\0\0\xff\xfe"),
        ("fragments that are not UTF-8", b"\x01\x81\0\0\0\0\xff\x80\x81\0\0\0\0\xfe"),
        ("a message between fragments", b"\x01\x81\0\0\0\0{\x81\x82\0\0\0\0{}"),
        ("a beginning between fragments", b"\x02\x81\0\0\0\0{\x02\x81\0\0\0\0{"),
        ("a continuation of nothing", b"\x80\x81\0\0\0\0}"),
        ("a ping in fragments", b"\x09\x81\0\0\0\0p"),
        ("a length beyond all", b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"),
        ("another protocol", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ];
    for (what, bytes) in garbage {
        let mut client = row.gateway.connect().await;
        client.open_s().await;
        client.send_raw(bytes).await;
        client.wait_for(&format!("end after {what}"), s(4), ended).await;
        let codes: Vec<_> = client.journal().all("Error").map(|(_, error)| error["code"].clone()).collect();
        let code =
            if what == "a length beyond all" { "MESSAGE_TOO_LARGE" } else { "UNPARSABLE_CLIENT_MESSAGE" };
        assert_eq!(codes, [code], "{what}");
    }
    row.client.assert_goes_on().await;
    row.gateway.assert_nothing_left(before, s(5)).await;
}

/// Garbage is looked at once, also while its sender does not answer the close.
#[tokio::test]
async fn garbage_costs_no_processor_time() {
    let row = Row::opened(Script::default()).await;
    let mut stream = TcpStream::connect(("127.0.0.1", row.gateway.port())).await.expect("it listens");
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n");
    stream.write_all(request.as_bytes()).await.expect("it takes the request");
    row.mock.peer(2).await;
    let before = row.gateway.processor_time();
    stream.write_all(b"\x83\x81\0\0\0\0x").await.expect("it takes the bytes");
    let mut received = Vec::new();
    timeout(s(5), stream.read_to_end(&mut received)).await.expect("it hangs up").expect("in order");
    let used = row.gateway.processor_time() - before;
    assert!(used < ms(300), "{used:?} of processor time");
}

#[tokio::test]
async fn bytes_that_are_no_http_harm_nobody() {
    let mut row = Row::opened(Script::default()).await;
    let before = row.gateway.files_and_threads();
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(300_000));
    let garbage: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /openai HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /openai HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
        &[0; 4096],
        long.as_bytes(),
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(("127.0.0.1", row.gateway.port())).await.expect("it listens");
        // It may have heard enough before the end.
        let _ = stream.write_all(bytes).await;
        let mut answer = vec![0; 64 * 1024];
        if let Ok(read) = timeout(s(7), stream.read(&mut answer)).await.expect("it answers or hangs up") {
            let answer = String::from_utf8_lossy(&answer[..read]);
            assert!(read == 0 || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
    }
    assert_eq!(row.mock.upgrades().len(), 1);
    row.client.assert_goes_on().await;
    row.gateway.assert_nothing_left(before, s(5)).await;
}

#[tokio::test]
async fn one_worker_serves_beside_a_stuck_session() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Config::for_mock(&mock).section("workers = 1").start().await;
    let pace = Pace::variable();
    let mut client = gateway.connect_at(&pace).await;
    client.open_with(&plain_settings()).await;
    pace.set(0);
    for _ in 0..8 {
        mock.peer(1).await.send(&frames::output_audio_delta(&counted(1024 * 1024)));
    }
    gateway.expect_log(&["reading pauses dir=upstream"], s(5)).await;
    gateway.assert_serves().await;
}
