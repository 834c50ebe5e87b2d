//! What a call comes to when the application answers, well or badly, and whether its connection is used
//! for the next call.

use super::{
    SUNNY, call, pool, route, run,
    server::{Server, answer},
    sunny, told,
};

/// What a server does behind an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    Waits,
    Closes,
}
use Then::{Closes, Waits};

/// Whether the connection is used for the next call.
const KEPT: usize = 1;
const LEFT: usize = 2;

/// Calls a server that answers every request with `bytes`, twice.
async fn check(bytes: &[u8], then: Then, connections: usize, expected: Result<&str, &str>) {
    let row = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let bytes = bytes.to_vec();
    let server = Server::start(move |mut peer| {
        while peer.request().is_some() {
            peer.send(&bytes);
            if then == Closes {
                return peer.close();
            }
        }
    });
    let mut route = route(server.url());
    route.max_response_bytes = 100;
    let pool = pool(vec![route]);
    for nth in 1..=2 {
        let outcome = run(&pool).await;
        assert_eq!(outcome.as_deref().map_err(String::as_str), expected, "call {nth}: {row}");
    }
    assert_eq!((server.requests(), server.connections()), (2, connections), "{row}");
}

fn chunked(chunks: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}")
}

#[actix_web::test]
async fn answers_that_are_taken() {
    let padded = format!("{{\"content\":\"{}\"}}", "x".repeat(86));
    for (bytes, then, connections, expected) in [
        (answer("200 OK", SUNNY), Waits, KEPT, "sunny"),
        (answer("201 Created", "\u{feff}{\"content\":\"sunny\"}\n"), Waits, KEPT, "sunny"),
        (answer("200 OK", SUNNY).replace("HTTP/1.1", "HTTP/1.0"), Waits, LEFT, "sunny"),
        (answer("200 OK", SUNNY).replace("json", "json\r\nConnection: Keep-Alive"), Waits, KEPT, "sunny"),
        (answer("200 OK", SUNNY).replace("json", "json\r\nconnection: close"), Waits, LEFT, "sunny"),
        (answer("200 OK", SUNNY).replace("json", "json\r\nconnection: x, Close"), Waits, LEFT, "sunny"),
        (answer("200 OK", SUNNY).replace("json", "json\r\ncontent-encoding: Identity"), Waits, KEPT, "sunny"),
        (answer("200 OK", SUNNY).replace("json", "json; charset=iso-8859-1"), Waits, KEPT, "sunny"),
        // As long as it may be.
        (answer("200 OK", &padded), Waits, KEPT, &padded[12..98]),
        (chunked(&format!("64\r\n{padded}\r\n0\r\n\r\n")), Waits, KEPT, &padded[12..98]),
        (chunked(&format!("13\r\n{SUNNY}\r\n0\r\n\r\n")), Waits, KEPT, "sunny"),
        (chunked(&format!("13;name=value\r\n{SUNNY}\r\n0\r\nx-sum: 1\r\n\r\n")), Waits, KEPT, "sunny"),
        (chunked("2\r\n{\"\r\n11\r\ncontent\":\"sunny\"}\r\n000\r\n\r\n"), Waits, KEPT, "sunny"),
        // The end of the connection is the end of the answer.
        (format!("HTTP/1.1 200 OK\r\n\r\n{SUNNY}"), Closes, LEFT, "sunny"),
        (format!("HTTP/1.0 200 OK\r\n\r\n{SUNNY}"), Closes, LEFT, "sunny"),
        // Provisional answers are none.
        (format!("HTTP/1.1 100 Continue\r\n\r\n{}", answer("200 OK", SUNNY)), Waits, KEPT, "sunny"),
        (
            format!("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n{}", answer("200 OK", SUNNY)),
            Waits,
            KEPT,
            "sunny",
        ),
        // More than it was to be: the rest is not the answer to the next call.
        (format!("{}{{}}", answer("200 OK", SUNNY)), Waits, LEFT, "sunny"),
        (format!("{}{}", answer("200 OK", SUNNY), answer("200 OK", "{}")), Waits, LEFT, "sunny"),
        (chunked(&format!("13\r\n{SUNNY}\r\n0\r\n\r\n{}", answer("200 OK", "{}"))), Waits, LEFT, "sunny"),
        // Two lengths: it is the chunks, but who knows what the server meant.
        (
            chunked(&format!("13\r\n{SUNNY}\r\n0\r\n\r\n"))
                .replace("chunked", "chunked\r\ncontent-length: 5"),
            Waits,
            LEFT,
            "sunny",
        ),
    ] {
        check(bytes.as_bytes(), then, connections, Ok(expected)).await;
    }
}

#[actix_web::test]
async fn answers_that_say_no() {
    for (bytes, connections, expected) in [
        (answer("200 OK", r#"{"error":"no such city"}"#), KEPT, "no such city"),
        (answer("404 Not Found", r#"{"error":"no such city"}"#), KEPT, "no such city"),
        (answer("404 Not Found", ""), KEPT, "the function answered with status 404"),
        (answer("422 Unprocessable", "<html>"), KEPT, "the function answered with status 422"),
        (answer("400 Bad Request", &"x".repeat(101)), LEFT, "the function answered with status 400"),
        (answer("500 Oh", r#"{"error":"no such city"}"#), LEFT, "the function answered with status 500"),
        (answer("503 Later", ""), LEFT, "the function answered with status 503"),
        (answer("999 Odd", ""), LEFT, "the function answered with status 999"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n".to_owned(),
            LEFT,
            "the function answered with status 101",
        ),
        (
            answer("304 Not Modified", SUNNY),
            LEFT,
            "the function answered with status 304, a redirect, which is not followed",
        ),
    ] {
        check(bytes.as_bytes(), Waits, connections, Err(expected)).await;
    }
}

#[actix_web::test]
async fn answers_that_mean_nothing() {
    let json = "the function's answer is no json";
    let http = "the function's answer is no http";
    let broken = "the connection ended before the function's answer did";
    let large = "the function's answer is longer than 100 bytes";
    let encoded = "the function's answer is compressed, which was not asked for";
    for (bytes, then, connections, expected) in [
        (answer("200 OK", "sunny"), Waits, KEPT, json),
        (answer("200 OK", "[1]"), Waits, KEPT, "the function's answer is no json object"),
        (answer("200 OK", "{}"), Waits, KEPT, "the function's answer has neither content nor error"),
        (
            answer("200 OK", r#"{"content":1}"#),
            Waits,
            KEPT,
            "the content of the function's answer is no string",
        ),
        (answer("200 OK", r#"{"error":1}"#), Waits, KEPT, "the error of the function's answer is no string"),
        (answer("200 OK", ""), Waits, KEPT, "the function's answer is empty"),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), Waits, KEPT, "the function's answer is empty"),
        (
            "HTTP/1.1 204 No\r\ncontent-length: 19\r\n\r\n".to_owned(),
            Waits,
            LEFT,
            "the function's answer is empty",
        ),
        (answer("204 No Content", SUNNY), Waits, LEFT, "the function's answer is empty"),
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), Closes, LEFT, "the function's answer is empty"),
        (answer("200 OK", SUNNY).replace("json", "json\r\ncontent-encoding: gzip"), Waits, LEFT, encoded),
        // Shorter than it was to be.
        (answer("200 OK", SUNNY).replace("19", "20"), Closes, LEFT, broken),
        (answer("200 OK", "").replace("0\r\n", "1\r\n"), Closes, LEFT, broken),
        (chunked(&format!("13\r\n{SUNNY}\r\n")), Closes, LEFT, broken),
        (chunked(&format!("14\r\n{SUNNY}")), Closes, LEFT, broken),
        (chunked(&format!("13\r\n{SUNNY}\r\n0\r\n")), Closes, LEFT, broken),
        (String::new(), Closes, LEFT, broken),
        ("HTTP/1.1 200 OK\r\ncontent".to_owned(), Closes, LEFT, broken),
        ("HTTP/1.1 103 Early Hints\r\n\r\n".to_owned(), Closes, LEFT, broken),
        // Longer than is taken.
        (answer("200 OK", &"x".repeat(101)), Waits, LEFT, large),
        ("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n".to_owned(), Waits, LEFT, large),
        ("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n".to_owned(), Waits, LEFT, large),
        (chunked(&format!("65\r\n{}", "x".repeat(101))), Waits, LEFT, large),
        (chunked(&"1\r\nx\r\n".repeat(101)), Waits, LEFT, large),
        (chunked(&format!("1;{}", "x".repeat(200_000))), Waits, LEFT, large),
        (chunked(&format!("13\r\n{SUNNY}\r\n0\r\n{}", "x: y\r\n".repeat(40_000))), Waits, LEFT, large),
        (format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(101)), Waits, LEFT, large),
        // No HTTP at all, or none that has one meaning.
        ("sunny\r\n\r\n".to_owned(), Waits, LEFT, http),
        (SUNNY.to_owned(), Waits, LEFT, http),
        ("HTTP/2 200 OK\r\n\r\n".to_owned(), Waits, LEFT, http),
        ("HTTP/1.1 42 OK\r\n\r\n".to_owned(), Waits, LEFT, http),
        ("HTTP/1.1 000 OK\r\n\r\n".to_owned(), Waits, LEFT, http),
        ("HTTP/1.1 200 OK\r\n: x\r\n\r\n".to_owned(), Waits, LEFT, http),
        ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n".to_owned(), Waits, LEFT, http),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned(), Waits, LEFT, http),
        ("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n".to_owned(), Waits, LEFT, http),
        (answer("200 OK", SUNNY).replace("json", "json\r\ncontent-length: 5"), Waits, LEFT, http),
        (answer("200 OK", SUNNY).replace("json", "json\r\ntransfer-encoding: gzip"), Waits, LEFT, http),
        (answer("200 OK", SUNNY).replace("json", "json\r\nupgrade: websocket"), Waits, LEFT, http),
        (chunked("x\r\n"), Waits, LEFT, http),
        (chunked("10000000000000000\r\n"), Waits, LEFT, http),
        (chunked("1\r\nxx\r\n"), Waits, LEFT, http),
        ("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(9), Waits, LEFT, http),
        (format!("HTTP/1.1 200 OK\r\n{}: x\r\n\r\n", "x".repeat(70_000)), Waits, LEFT, http),
        (format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(40_000)), Waits, LEFT, http),
        (format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(100)), Waits, LEFT, http),
    ] {
        check(bytes.as_bytes(), then, connections, Err(expected)).await;
    }
    let latin = b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"content\":\"\xe9\"}";
    check(latin, Waits, KEPT, Err("the function's answer is not utf-8")).await;
}

#[actix_web::test]
async fn an_answer_may_come_in_pieces() {
    let server = Server::start(|mut peer| {
        while peer.request().is_some() {
            let bytes =
                chunked(&format!("2\r\n{}\r\n11\r\n{}\r\n0\r\nx: y\r\n\r\n", &SUNNY[..2], &SUNNY[2..]));
            for byte in bytes.as_bytes() {
                peer.send(&[*byte]);
            }
        }
    });
    let pool = pool(vec![route(server.url())]);
    for _ in 0..5 {
        assert_eq!(run(&pool).await, sunny());
    }
    assert_eq!((server.requests(), server.connections()), (5, 1));
}

#[actix_web::test]
async fn the_application_is_told_what_the_contract_says() {
    let mut server = Server::answering(answer("200 OK", SUNNY));
    let mut route = route(server.url());
    route.headers = [("authorization".to_owned(), "Bearer s3cret".to_owned())].into();
    let pool = pool(vec![route]);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut call = call();
    call.arguments = r#"{"city":"Rome"}"#.to_owned();
    call.traceparent = Some(trace.to_owned());
    call.trace = Some("checkout-7".to_owned());
    assert_eq!(told(&pool, call).await, sunny());
    let (head, body) = server.request().await;
    assert_eq!(body, r#"{"id":"call_1","name":"look_up","arguments":"{\"city\":\"Rome\"}"}"#);
    let (key, rest): (Vec<_>, Vec<_>) = head.lines().partition(|line| line.starts_with("idempotency-key: "));
    assert!(uuid::Uuid::parse_str(&key[0]["idempotency-key: ".len()..]).is_ok(), "{key:?}");
    let address = server.address;
    let expected = [
        "POST /run HTTP/1.1",
        &format!("host: {address}"),
        concat!("user-agent: voxbridge/", env!("CARGO_PKG_VERSION")),
        "content-type: application/json",
        &format!("content-length: {}", body.len()),
        "x-trace-id: checkout-7",
        &format!("traceparent: {trace}"),
        "authorization: Bearer s3cret",
        "",
    ];
    assert_eq!(rest, expected);
}
