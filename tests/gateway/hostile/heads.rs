//! Heads of requests that are too large, or none: refused with a reason, before anything else looks at them.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::assert_no_panic;
use crate::peers::gateway::{Config, Gateway, PATH};
use crate::peers::http::{Answer, Connection, UPGRADE};
use crate::peers::mock::Mock;
use crate::peers::s;
use crate::peers::script::Script;
use crate::peers::tls::Files;

const KIB: usize = 1024;

async fn gateway() -> (Gateway, Mock) {
    let mock = Mock::start(Script::default()).await;
    (Gateway::for_mock(&mock).await, mock)
}

/// The answer on a connection that ends with it.
async fn last_answer(mut connection: Connection) -> Answer {
    let answer = connection.answer().await;
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.json()["error"]["description"].is_string(), "{}", answer.body);
    assert!(connection.is_closed().await, "the connection goes on");
    answer
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.json()["error"]["code"], code);
}

/// An upgrade with something of it in excess.
fn excessive() -> [String; 6] {
    let upgrade =
        |target: &str, more: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\n{UPGRADE}{more}\r\n");
    [
        upgrade(PATH, &format!("x-a: {}\r\n", "a".repeat(40 * KIB))),
        upgrade(PATH, &format!("{}: a\r\n", "a".repeat(40 * KIB))),
        // The codec behind the guard takes heads of 128 KiB, and panics at a name of more than 64.
        upgrade(PATH, &format!("{}: a\r\n", "a".repeat(70 * KIB))),
        upgrade(PATH, &"a: b\r\n".repeat(97)),
        upgrade(PATH, &"abcdefgh: ijklmnop\r\n".repeat(10_000)),
        upgrade(&format!("{PATH}?traceId={}", "a".repeat(40 * KIB)), ""),
    ]
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused_first_and_later_on_a_connection() {
    let (gateway, mock) = gateway().await;
    for head in excessive() {
        let mut connection = Connection::open(gateway.port()).await;
        connection.send(&head).await;
        assert_refused(&last_answer(connection).await, 431, "head_too_large");

        let mut connection = Connection::open(gateway.port()).await;
        connection.head("GET", "/health", "").await;
        assert_eq!(connection.answer().await.status, 200);
        connection.send(&head).await;
        assert_refused(&last_answer(connection).await, 431, "head_too_large");

        // Behind requests whose answers are due first.
        let mut connection = Connection::open(gateway.port()).await;
        let health = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
        connection.send(&format!("{health}{health}{head}")).await;
        for _ in 0..2 {
            assert_eq!(connection.answer().await.status, 200);
        }
        assert_refused(&last_answer(connection).await, 431, "head_too_large");
    }
    gateway.expect_log(&["INFO", "refused peer=127.0.0.1:", "code=head_too_large reason="], s(2)).await;
    assert_no_panic(&gateway);
    assert!(mock.upgrades().is_empty(), "upstream was dialled");
    gateway.assert_serves().await;
}

#[tokio::test]
async fn a_head_without_an_end_is_not_read_for_long() {
    let (gateway, _mock) = gateway().await;
    for line in ["x-more: and more\r\n", "\r\n", "x"] {
        let mut connection = Connection::open(gateway.port()).await;
        connection.send("GET / HTTP/1.1\r\n").await;
        let lines = if line == "\r\n" { String::new() } else { "x-a: ".to_owned() } + &line.repeat(KIB);
        let mut sent = 0;
        // An empty line ends this head; the empty lines behind it are before the next one.
        while sent < 100 && connection.send(&lines).await {
            sent += 1;
        }
        let answer = connection.answer().await;
        let expected = if line == "\r\n" { (400, "bad_request") } else { (431, "head_too_large") };
        assert_refused(&answer, expected.0, expected.1);
        assert!(connection.is_closed().await, "the connection goes on");
    }
    assert_no_panic(&gateway);
}

#[tokio::test]
async fn what_is_no_request_is_answered_with_the_reason() {
    let (gateway, mock) = gateway().await;
    let with = |lines: &str| format!("POST /function-call HTTP/1.1\r\n{lines}\r\n{{}}");
    let heads = [
        // HTTP/2 with prior knowledge, TLS, and other protocols.
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0".to_owned(),
        "\u{16}\u{3}\u{1}\0\u{5}hello".to_owned(),
        "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
        "\0\0\0\0".to_owned(),
        "EHLO example.com\r\n".to_owned(),
        "GET / HTTP/3.0\r\nHost: h\r\n\r\n".to_owned(),
        "CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n".to_owned(),
        // What others could take for the end of another request.
        with(""),
        with("Host: a\r\nHost: b\r\n"),
        with("Host: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n"),
        with("Host: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
        with("Host: h\r\nTransfer-Encoding: xchunked\r\n"),
        with("Host: h\r\nContent-Length: 2a\r\n"),
        with("Host: h\r\nContent-Length : 2\r\n"),
        with("Host: h\r\nx: a\r\n b\r\n"),
        // An upgrade with a body.
        format!("GET {PATH} HTTP/1.1\r\nHost: h\r\n{UPGRADE}Content-Length: 5\r\n\r\nhello"),
        format!("GET {PATH} HTTP/1.1\r\nHost: h\r\n{UPGRADE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ];
    for head in heads {
        let mut connection = Connection::open(gateway.port()).await;
        connection.send(&head).await;
        let answer = last_answer(connection).await;
        assert_refused(&answer, 400, "bad_request");
    }
    assert!(mock.upgrades().is_empty(), "upstream was dialled");
    assert_no_panic(&gateway);
    gateway.assert_serves().await;
}

/// What the guard does not see as the end of a body the codec does not see either.
#[tokio::test]
async fn requests_one_behind_the_other_are_answered_in_their_order() {
    let (gateway, _mock) = gateway().await;
    let mut connection = Connection::open(gateway.port()).await;
    let trap = format!("GET / HTTP/1.1\r\n{}: x\r\n\r\n", "a".repeat(70 * KIB));
    let requests = format!(
        "GET /health HTTP/1.1\r\nHost: h\r\n\r\n\
         POST /v1/backends HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{trap}\r\n0\r\n\r\n\
         GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n\
         POST /function-call HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{trap}\
         GET /ready HTTP/1.1\r\nHost: h\r\n\r\n",
        trap.len(),
        trap.len(),
    );
    connection.send(&requests).await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(connection.answer().await.status);
    }
    assert_eq!(answers, [200, 405, 404, 400, 200]);
    assert_no_panic(&gateway);
}

#[tokio::test]
async fn heads_are_guarded_over_tls_as_well() {
    let (files, trust) = Files::new();
    let gateway = Config::for_url("ws://127.0.0.1:9/").section(&files.toml()).start().await;
    for (head, status) in [(excessive()[2].clone(), "431"), ("PRI * HTTP/2.0\r\n\r\n".to_owned(), "400")] {
        let mut stream = trust.connect(gateway.port()).await.expect("a handshake");
        // It need not be taken to its end.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = String::new();
        timeout(s(5), stream.read_to_string(&mut answer)).await.expect("in time").expect("an orderly end");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(r#"{"error":{"code":""#), "{answer}");
    }
    gateway.expect_log(&["refused peer=127.0.0.1:", "code=head_too_large reason="], s(2)).await;
    assert_no_panic(&gateway);
}
