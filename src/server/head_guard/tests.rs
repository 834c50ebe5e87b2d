//! The guard on a stream of its own, and its judgement beside that of the codec behind it.

use std::io::ErrorKind;

use actix_codec::Decoder;
use actix_http::h1::{Codec, Message, MessageType};
use actix_web::body::BoxBody;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::{LocalSet, yield_now},
    time::timeout,
};

use super::{head::LONGEST, *};

const HOST: &str = "Host: h\r\n";

fn guard() -> (HeadGuard<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(256 * 1024);
    (HeadGuard::new(near, None, Refusals::default()), far)
}

/// What the codec is given of a stream that comes in such pieces, and what its peer is answered at the end.
async fn given(stream: &[u8], piece: usize) -> (Vec<u8>, String) {
    let (mut guard, mut peer) = guard();
    let mut given = Vec::new();
    let sending = async {
        for piece in stream.chunks(piece) {
            // What is not taken is not read.
            if peer.write_all(piece).await.is_err() {
                break;
            }
            yield_now().await;
        }
        peer.shutdown().await.expect("it is open");
        let mut answer = String::new();
        peer.read_to_string(&mut answer).await.expect("text");
        answer
    };
    let reading = async {
        let mut room = [0; 777];
        loop {
            match guard.read(&mut room).await.expect("a pipe does not break") {
                0 => break,
                count => given.extend_from_slice(&room[..count]),
            }
        }
        guard.shutdown().await.expect("a pipe can be shut down");
        drop(guard);
    };
    let (answer, ()) = tokio::join!(sending, reading);
    (given, answer)
}

/// Every kind of request, one behind the other.
fn requests() -> Vec<u8> {
    let trap = format!("GET / HTTP/1.1\r\n{}: x\r\n\r\n", "a".repeat(70_000));
    let long = "x".repeat(LONGEST - 100);
    let mut stream = format!(
        "GET / HTTP/1.1\r\n{HOST}\r\n\
         \r\nGET / HTTP/1.0\n\n\
         POST /a HTTP/1.1\r\n{HOST}Content-Length: {}\r\n\r\n{trap}\
         POST /b HTTP/1.1\r\n{HOST}content-length: 0\r\n\r\n\
         POST /c HTTP/1.1\r\n{HOST}Transfer-Encoding: Chunked\r\n\r\n\
         {:X};name=\"value\"\r\n{trap}\r\n1 \t;a\r\nx\r\n000\r\ntrailer: x\r\nother: y\r\n\r\n\
         GET /{long} HTTP/1.1\r\n{HOST}\r\n\
         GET /d HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n{trap}",
        trap.len(),
        trap.len(),
    )
    .into_bytes();
    stream.extend((0..=255).cycle().take(10_000));
    stream
}

#[tokio::test]
async fn requests_and_what_follows_an_upgrade_pass_untouched_in_any_pieces() {
    let stream = requests();
    for piece in [1, 2, 7, 1_000, 5_000, stream.len()] {
        let (given, answer) = given(&stream, piece).await;
        assert!(given == stream, "pieces of {piece}: {} of {} bytes", given.len(), stream.len());
        assert_eq!(answer, "");
    }
}

/// How a head is refused, if it is.
fn verdict(head: &str) -> Option<&'static str> {
    judge(head.as_bytes()).err().map(|refusal| refusal.status_and_code().1)
}

#[test]
fn a_head_has_a_length_and_a_number_of_lines() {
    let head = |length: usize| {
        let frame = format!("GET / HTTP/1.1\r\n{HOST}a: \r\n\r\n").len();
        format!("GET / HTTP/1.1\r\n{HOST}a: {}\r\n\r\n", "x".repeat(length - frame))
    };
    assert_eq!(head(LONGEST).len(), LONGEST);
    assert_eq!((verdict(&head(LONGEST)), verdict(&head(LONGEST + 1))), (None, Some("head_too_large")));
    let lines = |count: usize| format!("GET / HTTP/1.1\r\n{HOST}{}\r\n", "a: b\r\n".repeat(count - 1));
    assert_eq!((verdict(&lines(96)), verdict(&lines(97))), (None, Some("head_too_large")));
    assert_eq!(verdict(&format!("GET / HTTP/1.1\r\n{HOST}{}", "a".repeat(LONGEST))), Some("head_too_large"));
    assert_eq!(judge(b""), Ok(None));
    assert_eq!(judge(b"GET / HTTP/1.1\r\nHost: h\r\n"), Ok(None));
}

#[test]
fn what_is_not_certain_is_refused() {
    let lines = [
        "",
        "Host: h\r\nHost: h\r\n",
        "Host: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
        "Host: h\r\nContent-Length: 1, 1\r\n",
        "Host: h\r\nContent-Length: +1\r\n",
        "Host: h\r\nContent-Length: -1\r\n",
        "Host: h\r\nContent-Length: 0x1\r\n",
        "Host: h\r\nContent-Length:\r\n",
        "Host: h\r\nContent-Length: 18446744073709551616\r\n",
        "Host: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Host: h\r\nTransfer-Encoding: gzip, chunked\r\n",
        "Host: h\r\nTransfer-Encoding: identity\r\n",
        "Host: h\r\nTransfer-Encoding: \u{b}chunked\r\n",
        "Host: h\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
        "Host: h\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n",
        "Host: h\r\nUpgrade: h2c, websocket\r\n",
        "Host: h\r\nUpgrade: websocket/13\r\n",
        "Host: h\r\n a: folded\r\n",
        "Host: h\r\na : b\r\n",
        "Host: h\r\n: b\r\n",
        "Host: h\r\na: \0\r\n",
    ];
    for lines in lines {
        let head = format!("POST / HTTP/1.1\r\n{lines}\r\n");
        assert_eq!(verdict(&head), Some("bad_request"), "{head}");
    }
    for head in [
        "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
        "GET /\r\nHost: h\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "CONNECT h:80 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n",
        "GET http:// HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "\u{16}\u{3}\u{1}",
        "SSH-2.0-OpenSSH_9.6\r\n",
    ] {
        assert_eq!(verdict(head), Some("bad_request"), "{head}");
    }
    let reason = judge(b"GET / HTTP/2.0\r\n").expect_err("of another version").to_string();
    assert_eq!(reason, "invalid HTTP version");
}

#[tokio::test]
async fn a_second_head_is_guarded_like_the_first_and_answered_at_the_end() {
    let first = format!("GET / HTTP/1.1\r\n{HOST}\r\n");
    let trap = format!("GET / HTTP/1.1\r\n{HOST}{}: x\r\n\r\n", "a".repeat(70_000));
    for before in ["", &*first, &*format!("POST / HTTP/1.1\r\n{HOST}Content-Length: 3\r\n\r\nabc")] {
        for piece in [100, 50_000, 100_000] {
            let (given, answer) = given(format!("{before}{trap}").as_bytes(), piece).await;
            // What is given of the refused head has been looked at, and is not the whole of it.
            assert!(given.starts_with(before.as_bytes()) && given.len() < before.len() + LONGEST);
            assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
            assert!(answer.contains(r#"{"error":{"code":"head_too_large""#), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_no_chunks_is_the_end_of_what_is_read() {
    let head = format!("POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n");
    let bodies = [
        "x".to_owned(),
        "\r\n".to_owned(),
        "0000000000000001\r\n".to_owned(),
        "1\n".to_owned(),
        "1;\n".to_owned(),
        "1 2\r\n".to_owned(),
        "1\r\nabc".to_owned(),
        "1\r\na\rb".to_owned(),
        "0\r\na: b\rc\r\n".to_owned(),
        format!("1;{}\r\n", "x".repeat(9_000)),
        format!("0\r\n{}", "a: b\r\n".repeat(2_000)),
    ];
    for body in bodies {
        let stream = format!("{head}2\r\nab\r\n{body}");
        let (given, answer) = given(format!("{stream}GET / HTTP/1.1\r\n{HOST}\r\n").as_bytes(), 1).await;
        assert!(given.starts_with(head.as_bytes()) && given.len() < stream.len(), "{body:.40}");
        assert_eq!(answer, "", "{body:.40}");
    }
}

#[tokio::test]
async fn a_peer_that_reads_nothing_does_not_keep_a_refusal() {
    let (near, mut far) = duplex(16);
    let mut guard = HeadGuard::new(near, None, Refusals::default());
    far.write_all(b"\r\nnothing ").await.expect("there is room");
    let mut room = [0; 100];
    assert_eq!(guard.read(&mut room).await.expect("it is open"), 10);
    far.write_all(b"of HTTP\r\n").await.expect("there is room");
    assert_eq!(guard.read(&mut room).await.expect("it is open"), 0);
    // Within its time, although the answer has no room.
    guard.shutdown().await.expect("the time is over");
    drop(guard);
    let mut answer = Vec::new();
    far.read_to_end(&mut answer).await.expect("the pipe ended");
    assert_eq!(answer, b"HTTP/1.1 400 Bad");
    assert_eq!(far.write(b"x").await.expect_err("nobody is there").kind(), ErrorKind::BrokenPipe);
}

/// Pieces of heads and bodies, valid and not.
fn piece() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\n",
        "HEAD / HTTP/1.0\r\n",
        "CONNECT h:1 HTTP/1.1\r\n",
        "POST / HTTP/1.0\r\n",
        "Host: h\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\n",
        "Content-Length: 5 \r\n",
        "Content-Length: 05\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding:  CHUNKED \r\n",
        "Transfer-Encoding: identity\r\n",
        "Connection: close\r\n",
        "Connection: upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Upgrade: Websocket \r\n",
        "Upgrade: h2c\r\n",
        "Expect: 100-continue\r\n",
        "a: b\r\n",
        "\r\n",
        "\n",
        "\r",
        "5\r\nabcde\r\n",
        "3;a=b\r\nabc\r\n",
        "3 \r\nabc\r\n",
        "0\r\n",
        "0\r\n\r\n",
        "0\r\na: b\r\n\r\n",
        "abcde",
    ]);
    prop_oneof![20 => known.prop_map(str::to_owned), 1 => "[ -~\r\n\t]{1,3}"]
}

/// A stream that tends to be requests.
fn stream() -> impl Strategy<Value = String> {
    let request = ("(GET|POST|CONNECT) / HTTP/1.1\r\nHost: h\r\n", prop::collection::vec(piece(), 0..8));
    let request = request.prop_map(|(line, pieces)| line + &pieces.concat());
    prop_oneof![
        prop::collection::vec(request, 1..4).prop_map(|requests| requests.concat()),
        prop::collection::vec(piece(), 0..30).prop_map(|pieces| pieces.concat()),
    ]
}

/// Where the codec finds the end of the request that a stream begins with.
fn end_by_codec(stream: &[u8]) -> Option<(MessageType, usize)> {
    // The codec has a clock that wants to be a task.
    let tasks = LocalSet::new();
    let _entered = tasks.enter();
    let mut codec = Codec::default();
    let mut rest = BytesMut::from(stream);
    let Message::Item(_) = codec.decode(&mut rest).expect("the guard let it pass")? else {
        panic!("a request begins with its head");
    };
    let kind = codec.message_type();
    if kind == MessageType::Payload {
        loop {
            match codec.decode(&mut rest).expect("the guard let it pass")? {
                Message::Chunk(None) => break,
                Message::Chunk(Some(_)) => (),
                Message::Item(_) => panic!("a body has an end"),
            }
        }
    }
    Some((kind, stream.len() - rest.len()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What passes, the codec takes, and both find the end of each request in the same place: nothing that the guard takes
    /// for a body is ever a head to the codec.
    #[test]
    fn guard_and_codec_find_the_same_requests(stream in stream()) {
        let mut rest = stream.as_bytes();
        while let Ok(Some(Head { length, body })) = judge(rest) {
            let (kind, end) = match body {
                None => (MessageType::None, length),
                Some(Body::Endless) => (MessageType::Stream, length),
                Some(mut body) => match body.follow(&rest[length..]) {
                    Followed::Ends(more) => (MessageType::Payload, length + more),
                    Followed::All | Followed::Broken => break,
                },
            };
            prop_assert_eq!(end_by_codec(rest), Some((kind, end)));
            if kind == MessageType::Stream {
                break;
            }
            rest = &rest[end..];
        }
    }
}

#[tokio::test]
async fn our_side_of_a_websocket_ends_with_what_it_has_to_say() {
    let (mut guard, mut peer) = guard();
    let body = guard.life().becomes_websocket(BoxBody::new("words"));
    guard.write_all(b"words").await.expect("there is room");
    guard.flush().await.expect("a pipe can be flushed");
    drop(body);
    guard.flush().await.expect("a pipe can be flushed");
    let mut said = String::new();
    // While the guard lives on.
    let read = timeout(Duration::from_secs(5), peer.read_to_string(&mut said));
    read.await.expect("our side ends").expect("text");
    assert_eq!(said, "words");
    // The peer can still be heard, and the end be flushed as often as the codec likes.
    peer.write_all(b"x").await.expect("that side is open");
    guard.flush().await.expect("a pipe can be flushed");
    guard.shutdown().await.expect("a pipe can be shut down");
}

#[tokio::test]
async fn what_has_been_answered_ends_nothing() {
    let (mut guard, mut peer) = guard();
    guard.write_all(b"answer").await.expect("there is room");
    guard.flush().await.expect("a pipe can be flushed");
    guard.write_all(b"another").await.expect("the connection goes on");
    drop(guard);
    let mut said = String::new();
    peer.read_to_string(&mut said).await.expect("text");
    assert_eq!(said, "answeranother");
}
