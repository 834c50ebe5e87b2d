//! Connections that are kept open and not used, or as slowly as they may be: each ends in time, and nobody waits for
//! another.

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::assert_no_panic;
use crate::peers::gateway::{Gateway, PATH};
use crate::peers::http::{Answer, Connection, UPGRADE};
use crate::peers::mock::Mock;
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::{ms, s};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";

/// The last header of every head here, which has no end.
const ENDLESS: &str = "x-a: ";

/// Sends a byte at a time, for ever, and returns the answer that comes to that.
async fn trickled(connection: &mut Connection, bytes: &str) -> Answer {
    let mut bytes = bytes.chars().chain(ENDLESS.chars()).chain(std::iter::repeat('b'));
    loop {
        connection.send(&bytes.next().expect("it has no end").to_string()).await;
        if let Ok(answer) = timeout(ms(200), connection.answer_within(60)).await {
            return answer;
        }
    }
}

/// The connection is refused for being slow, not before a head may take.
async fn assert_ends_as_slow(connection: &mut Connection, since: Instant, bytes: &str) {
    let answer = trickled(connection, bytes).await;
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    assert_eq!(answer.json()["error"]["code"], "head_timeout");
    assert!(connection.is_closed().await, "the connection goes on");
    assert!((s(4)..s(10)).contains(&since.elapsed()), "after {:?}", since.elapsed());
}

async fn gateway() -> (Gateway, Mock) {
    let mock = Mock::start(Script::default()).await;
    (Gateway::for_mock(&mock).await, mock)
}

#[tokio::test]
async fn a_first_head_that_comes_byte_by_byte_is_not_waited_for() {
    let (gateway, _mock) = gateway().await;
    let head = async |head: &'static str| {
        let mut connection = Connection::open(gateway.port()).await;
        assert_ends_as_slow(&mut connection, Instant::now(), head).await;
    };
    let lines = "\n".repeat(1_000).leak();
    let line = "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n";
    tokio::join!(head("GET / HTTP/1.1\r\n"), head(lines), head(line));
    gateway.expect_log(&["refused peer=127.0.0.1:", "code=head_timeout reason="], s(2)).await;
    assert_no_panic(&gateway);
}

#[tokio::test]
async fn a_later_head_that_comes_byte_by_byte_is_not_waited_for() {
    let (gateway, _mock) = gateway().await;
    let mut connection = Connection::open(gateway.port()).await;
    // Idle for a while, which is not the head's time.
    for _ in 0..2 {
        connection.send(HEALTH).await;
        assert_eq!(connection.answer().await.status, 200);
        sleep(s(3)).await;
    }
    assert_ends_as_slow(&mut connection, Instant::now(), "GET / HTTP/1.1\r\n").await;
}

#[tokio::test]
async fn connections_that_say_nothing_are_ended_without_an_answer() {
    let (gateway, _mock) = gateway().await;
    let silent = async |before: &'static str| {
        let mut connection = Connection::open(gateway.port()).await;
        if !before.is_empty() {
            connection.send(before).await;
            connection.answer().await;
        }
        let since = Instant::now();
        assert!(timeout(s(4), connection.is_closed()).await.is_err(), "it ended early");
        assert!(connection.is_closed().await, "it goes on");
        assert!(since.elapsed() < s(9), "after {:?}", since.elapsed());
    };
    tokio::join!(silent(""), silent(HEALTH));
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_not_read_for_ever() {
    let (gateway, _mock) = gateway().await;
    let mut connection = Connection::open(gateway.port()).await;
    let since = Instant::now();
    connection.head("GET", "/health", "Transfer-Encoding: chunked\r\n").await;
    assert_eq!(connection.answer().await.status, 200);
    while timeout(ms(200), connection.is_closed()).await.is_err() {
        connection.send("1\r\nx\r\n").await;
        assert!(since.elapsed() < s(25), "it is still read");
    }
    assert!(since.elapsed() > s(5), "after {:?}", since.elapsed());
}

#[tokio::test]
async fn two_hundred_slow_handshakes_keep_nobody_waiting() {
    const SLOW: usize = 200;
    let mut row = Row::opened(Script::default()).await;
    let port = row.gateway.port();
    let before = row.gateway.files_and_threads();
    let since = Instant::now();
    let head = format!("GET {PATH} HTTP/1.1\r\nHost: h\r\n{UPGRADE}");
    let slow = async |number: usize| {
        let mut connection = Connection::open(port).await;
        let (at_once, slowly) = head.split_at(number % head.len());
        connection.send(at_once).await;
        assert_ends_as_slow(&mut connection, since, slowly).await;
    };
    let healthy = async {
        while since.elapsed() < s(6) {
            let turn = Instant::now();
            row.gateway.assert_serves().await;
            assert!(turn.elapsed() < s(2), "a session took {:?}", turn.elapsed());
        }
        row.client.assert_goes_on().await;
    };
    tokio::join!(join_all((0..SLOW).map(slow)), healthy);
    row.gateway.assert_nothing_left(before, s(5)).await;
    assert_no_panic(&row.gateway);
}

#[tokio::test]
async fn answers_that_nobody_reads_are_not_kept_for_ever() {
    let (gateway, _mock) = gateway().await;
    let mut connection = Connection::open(gateway.port()).await;
    let many = HEALTH.repeat(1_000);
    let mut since = Instant::now();
    // As long as the kernel keeps what is answered they are read, and then no more.
    while timeout(s(35), connection.send(&many)).await.expect("the connection is kept") {
        since = Instant::now();
    }
    assert!((s(15)..s(30)).contains(&since.elapsed()), "after {:?}", since.elapsed());
    gateway.assert_serves().await;
    assert_no_panic(&gateway);
}
