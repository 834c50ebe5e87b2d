//! Applications that misbehave, one row each: the model gets exactly one output that it can read, the client is told
//! the same, the next turn works, and the next call gets its own answer.

use std::collections::BTreeMap;

use serde_json::json;

use super::stage::{Call, Stage, error_output, route};
use crate::peers::application::{Application, Request};
use crate::peers::ms;
use crate::peers::reply::Reply;

/// What the model gets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gets {
    /// This very text.
    Content(&'static str),
    /// `{"error": text}` with this text.
    Error(&'static str),
    /// Either of these two.
    Either(&'static Self, &'static Self),
}

use Gets::{Content, Either, Error};

/// Name, reply, what comes of it.
type Row = (&'static str, Reply, Gets);

const TOO_LATE: &str = "the function did not answer in time";
const LATE: Gets = Error(TOO_LATE);
const BROKEN: Gets = Error("the connection ended before the function's answer did");
pub(super) const NO_HTTP: Gets = Error("the function's answer is no http");
const NO_JSON: Gets = Error("the function's answer is no json");
const WELL: &str = r#"{"content":"all is well"}"#;
const IS_WELL: Gets = Content("all is well");

impl Gets {
    pub(super) fn allows(&self, output: &str) -> bool {
        match self {
            Content(text) => output == *text,
            Error(text) => output == error_output(text),
            Either(one, other) => one.allows(output) || other.allows(output),
        }
    }
}

/// Plays the rows one after the other in one session. Those that are late have a short deadline, the others one that
/// no machine is too slow for.
async fn check(rows: Vec<Row>) {
    let late: Vec<_> =
        rows.iter().filter(|row| row.2.allows(&error_output(TOO_LATE))).map(|row| row.0).collect();
    let replies: BTreeMap<_, _> = rows.iter().map(|(name, reply, _)| (*name, reply.clone())).collect();
    assert_eq!(replies.len(), rows.len(), "a name stands twice");
    let application = Application::start(move |request: &Request| {
        let name = request.body["name"].as_str().expect("a request has a name");
        replies
            .get(name)
            .cloned()
            .unwrap_or_else(|| Reply::content(&format!("the result of {}", request.call_id())))
    })
    .await;
    let mut sections = route("[\"*\"]", &application, "timeout_ms = 20000");
    if !late.is_empty() {
        sections += &route(&json!(late).to_string(), &application, "timeout_ms = 300");
    }
    let mut stage = Stage::over(application, &sections).await;
    for (index, (name, _, gets)) in rows.iter().enumerate() {
        println!("{name}");
        let (id, next) = (format!("call_{index}"), format!("call_{index}_next"));
        let call: Call<'_> = (&id, name, r#"{"city":"Paris"}"#);
        let output = stage.output_of(call).await;
        assert!(gets.allows(&output), "{name}: {output}, not {gets:?}");
        stage.session.assert_told(call, &output).await;
        stage.assert_goes_on().await;
        // Nothing of that answer is taken for the next one's.
        let output = stage.output_of((&next, "well", "{}")).await;
        assert_eq!(output, format!("the result of {next}"), "after {name}");
    }
    stage.session.client.journal().assert_no_error();
    assert_eq!(stage.application.requests().len(), 2 * rows.len(), "each call is one request");
}

/// A good status line, these header lines, a body, and nothing added.
fn exactly(headers: &str, body: &str) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}"))
}

/// An answer of this body and its true length.
fn body(body: &str) -> Reply {
    Reply::body(200, "", body)
}

#[tokio::test]
async fn answers_that_are_right_though_unusual() {
    let chunks = "8\r\n{\"conten\r\n6;a=b\r\nt\":\"al\r\nb\r\nl is well\"}\r\n0\r\nX-Trailer: 1\r\n\r\n";
    check(vec![
        ("content", Reply::content("all is well"), IS_WELL),
        ("slow", Reply::content("all is well").after(ms(200)), IS_WELL),
        ("byte_by_byte", body(WELL).dripping(ms(1)), IS_WELL),
        ("chunked", exactly("Transfer-Encoding: chunked\r\n", chunks), IS_WELL),
        ("chunked_byte_by_byte", exactly("Transfer-Encoding: chunked\r\n", chunks).dripping(ms(1)), IS_WELL),
        ("status_201", Reply::body(201, "", WELL), IS_WELL),
        ("closes_and_says_so", Reply::body(200, "Connection: close\r\n", WELL).then_close(), IS_WELL),
        ("closes_and_does_not_say_so", body(WELL).then_close(), IS_WELL),
        ("resets_after_the_answer", body(WELL).then_reset(), Either(&IS_WELL, &BROKEN)),
        ("another_content_type", Reply::body(200, "content-type: text/html\r\n", WELL), IS_WELL),
        ("spaces_around", body(" \r\n\t{ \"content\" : \"all is well\" }\n"), IS_WELL),
        ("more_fields", body(r#"{"id": 1, "content": "all is well", "more": [{}]}"#), IS_WELL),
        ("escapes", body(r#"{"content": "\u0061ll is well"}"#), IS_WELL),
        ("nothing_to_say", Reply::content(""), Content("")),
        ("any_text", Reply::content("\u{0}\"\\\n 漢\u{1f600}"), Content("\u{0}\"\\\n 漢\u{1f600}")),
        ("error_that_is_null", body(r#"{"content": "all is well", "error": null}"#), IS_WELL),
        ("an_error", Reply::error(200, "no such \"city\""), Error("no such \"city\"")),
        ("error_and_content", body(r#"{"content": "all is well", "error": "no"}"#), Error("no")),
    ])
    .await;
}

#[tokio::test]
async fn answers_of_every_status() {
    check(vec![
        ("text_of_400", Reply::error(400, "which city?"), Error("which city?")),
        ("text_of_404", Reply::error(404, "no such city"), Error("no such city")),
        ("content_of_404", Reply::body(404, "", WELL), Error("the function answered with status 404")),
        (
            "page_of_404",
            Reply::body(404, "", "<h1>Not Found</h1>"),
            Error("the function answered with status 404"),
        ),
        ("text_of_500", Reply::error(500, "at line 7"), Error("the function answered with status 500")),
        ("no_body_of_204", Reply::body(204, "", ""), Error("the function's answer is empty")),
        (
            "page_of_503",
            Reply::body(503, "Retry-After: 1\r\n", "busy"),
            Error("the function answered with status 503"),
        ),
        ("status_599", Reply::body(599, "", WELL), Error("the function answered with status 599")),
        (
            "status_401",
            Reply::body(401, "WWW-Authenticate: Basic\r\n", ""),
            Error("the function answered with status 401"),
        ),
        (
            "status_304",
            Reply::raw("HTTP/1.1 304 X\r\n\r\n"),
            Error("the function answered with status 304, a redirect, which is not followed"),
        ),
        // A second answer follows the first; which of them counts is a matter of taste.
        (
            "status_103",
            Reply::raw(format!("HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{WELL}")),
            Either(&IS_WELL, &Error("the function answered with status 103")),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Application::forbidden().await;
    let there = elsewhere.url();
    let redirect = move |status: u16| Reply::body(status, &format!("Location: {there}\r\n"), WELL);
    check(vec![
        (
            "status_300",
            redirect(300),
            Error("the function answered with status 300, a redirect, which is not followed"),
        ),
        (
            "status_301",
            redirect(301),
            Error("the function answered with status 301, a redirect, which is not followed"),
        ),
        (
            "status_302",
            redirect(302),
            Error("the function answered with status 302, a redirect, which is not followed"),
        ),
        (
            "status_303",
            redirect(303),
            Error("the function answered with status 303, a redirect, which is not followed"),
        ),
        (
            "status_307",
            redirect(307),
            Error("the function answered with status 307, a redirect, which is not followed"),
        ),
        (
            "status_308",
            redirect(308),
            Error("the function answered with status 308, a redirect, which is not followed"),
        ),
    ])
    .await;
    assert_eq!(elsewhere.connections(), 0, "a redirect was followed");
}

#[tokio::test]
async fn bodies_that_are_not_what_was_agreed() {
    const NO_OBJECT: Gets = Error("the function's answer is no json object");
    const NEITHER: Gets = Error("the function's answer has neither content nor error");
    const NO_TEXT: Gets = Error("the content of the function's answer is no string");
    let deep = "[".repeat(100_000);
    let deep_within = format!("{{\"content\":{}", "{\"a\":".repeat(40_000));
    check(vec![
        ("no_body", body(""), Error("the function's answer is empty")),
        ("half_an_object", body("{\"content\":\"all is"), NO_JSON),
        ("no_value", body("{\"content\":}"), NO_JSON),
        ("a_page", body("<html></html>"), NO_JSON),
        ("more_behind", body(r#"{"content":"all is well"} and more"#), NO_JSON),
        ("two_objects", body(r#"{"content":"all is well"}{"content":"or not"}"#), NO_JSON),
        ("half_a_surrogate", body(r#"{"content":"\ud800"}"#), NO_JSON),
        ("not_a_number", body(r#"{"content":NaN}"#), NO_JSON),
        ("deep", body(&deep), Either(&NO_JSON, &NO_OBJECT)),
        ("deep_within", body(&deep_within), Either(&NO_JSON, &NO_TEXT)),
        ("null", body("null"), NO_OBJECT),
        ("a_list", body(r#"["content"]"#), NO_OBJECT),
        ("a_text", body("\"all is well\""), NO_OBJECT),
        ("a_number", body("1e999"), Either(&NO_JSON, &NO_OBJECT)),
        ("no_fields", body("{}"), NEITHER),
        ("other_fields", body(r#"{"result":"all is well","Content":"x"}"#), NEITHER),
        ("content_is_null", body(r#"{"content":null}"#), Either(&NEITHER, &NO_TEXT)),
        ("content_is_a_number", body(r#"{"content":7}"#), NO_TEXT),
        ("content_is_an_object", body(r#"{"content":{"temperature":7}}"#), NO_TEXT),
        ("content_is_a_list", body(r#"{"content":["a"]}"#), NO_TEXT),
        (
            "error_is_true",
            body(r#"{"error":true}"#),
            Error("the error of the function's answer is no string"),
        ),
        (
            "error_is_an_object",
            body(r#"{"error":{"message":"m"},"content":"c"}"#),
            Error("the error of the function's answer is no string"),
        ),
        (
            "not_utf_8",
            Reply::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"content\":\"\xff\"}".to_vec()),
            Error("the function's answer is not utf-8"),
        ),
        ("byte_order_mark", body(&format!("\u{feff}{WELL}")), Either(&NO_JSON, &IS_WELL)),
        (
            "compressed",
            Reply::body(200, "Content-Encoding: gzip\r\n", "\u{1f}\u{8b}"),
            Error("the function's answer is compressed, which was not asked for"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn answers_that_lie_about_their_length() {
    let second = format!("{WELL}HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{{\"content\":\"poison\"}}");
    let length = |length: &str| format!("Content-Length: {length}\r\n");
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    const BROKEN_OR_NO_HTTP: Gets = Either(&BROKEN, &NO_HTTP);
    check(vec![
        ("more_announced_then_closed", exactly(&length("100"), WELL).then_close(), BROKEN),
        ("more_announced_then_reset", exactly(&length("100"), WELL).then_reset(), BROKEN),
        ("more_announced_then_silent", exactly(&length("100"), WELL).then_hang(), LATE),
        ("less_announced", exactly(&length("10"), WELL), NO_JSON),
        ("nothing_announced_and_kept_open", exactly("", WELL).then_hang(), LATE),
        ("zero_announced", exactly(&length("0"), WELL), Error("the function's answer is empty")),
        ("another_answer_behind", exactly(&length("25"), &second), IS_WELL),
        (
            "another_answer_a_little_behind",
            body(WELL).and("").and("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"content\":\"poison\"}"),
            IS_WELL,
        ),
        ("negative_length", exactly(&length("-1"), WELL).then_close(), NO_HTTP),
        ("length_in_words", exactly(&length("many"), WELL).then_close(), NO_HTTP),
        ("length_beyond_64_bits", exactly(&length("99999999999999999999"), WELL).then_close(), NO_HTTP),
        ("two_lengths", exactly("Content-Length: 25\r\nContent-Length: 10\r\n", WELL).then_close(), NO_HTTP),
        (
            "length_and_chunks",
            exactly(&format!("{}{CHUNKED}", length("25")), WELL).then_close(),
            BROKEN_OR_NO_HTTP,
        ),
        ("chunk_of_no_size", exactly(CHUNKED, "zz\r\n{}\r\n0\r\n\r\n").then_close(), BROKEN_OR_NO_HTTP),
        ("chunk_of_endless_size", exactly(CHUNKED, "fffffffffffffffff\r\n{").then_close(), BROKEN_OR_NO_HTTP),
        (
            "chunk_of_2_to_the_64_less_1",
            exactly(CHUNKED, "ffffffffffffffff\r\n{").then_close(),
            BROKEN_OR_NO_HTTP,
        ),
        ("chunk_that_is_cut_off", exactly(CHUNKED, "19\r\n{\"content\":\"").then_close(), BROKEN_OR_NO_HTTP),
        ("no_last_chunk", exactly(CHUNKED, &format!("19\r\n{WELL}\r\n")).then_close(), BROKEN_OR_NO_HTTP),
        ("no_last_chunk_then_silent", exactly(CHUNKED, &format!("19\r\n{WELL}\r\n")).then_hang(), LATE),
    ])
    .await;
}

#[tokio::test]
async fn connections_that_end_or_stop() {
    check(vec![
        ("silent", Reply::nothing().then_hang(), LATE),
        ("half_a_head_then_silent", exactly("", "").half().then_hang(), LATE),
        ("head_then_silent", exactly("Content-Length: 25\r\n", "").then_hang(), LATE),
        ("half_a_body_then_silent", exactly("Content-Length: 25\r\n", "{\"content\":").then_hang(), LATE),
        ("too_slow_byte_by_byte", body(WELL).dripping(ms(30)), LATE),
        ("closes_at_once", Reply::nothing().then_close(), BROKEN),
        ("resets_at_once", Reply::nothing().then_reset(), BROKEN),
        ("half_a_head_then_closed", exactly("", "").half().then_close(), BROKEN),
        ("half_a_head_then_reset", exactly("", "").half().then_reset(), BROKEN),
        ("head_then_reset", exactly("Content-Length: 25\r\n", "").then_reset(), BROKEN),
        ("half_a_body_then_closed", exactly("Content-Length: 25\r\n", "{\"content\":").then_close(), BROKEN),
        ("half_a_body_then_reset", exactly("Content-Length: 25\r\n", "{\"content\":").then_reset(), BROKEN),
    ])
    .await;
}

#[tokio::test]
async fn peers_that_do_not_speak_http() {
    const ANY: Gets = Either(&NO_HTTP, &BROKEN);
    check(vec![
        ("another_protocol", Reply::raw("SSH-2.0-OpenSSH_9.6\r\n").then_close(), ANY),
        (
            "another_protocol_then_silent",
            Reply::raw("220 mail.example ESMTP\r\n").then_hang(),
            Either(&NO_HTTP, &LATE),
        ),
        ("tls_alert", Reply::raw(b"\x15\x03\x03\x00\x02\x02\x46".to_vec()).then_close(), ANY),
        ("http_2", Reply::raw(b"\0\0\x12\x04\0\0\0\0\0".to_vec()).then_close(), ANY),
        ("status_in_words", Reply::raw(format!("HTTP/1.1 OK\r\n\r\n{WELL}")).then_close(), ANY),
        ("status_too_long", Reply::raw(format!("HTTP/1.1 20000 OK\r\n\r\n{WELL}")).then_close(), ANY),
        ("header_without_colon", exactly("Nonsense\r\n", WELL).then_close(), ANY),
        (
            "only_line_feeds",
            Reply::raw(format!("HTTP/1.1 200 OK\nContent-Length: 25\n\n{WELL}")),
            Either(&IS_WELL, &NO_HTTP),
        ),
        (
            "switches_protocols",
            Reply::raw("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").then_hang(),
            Error("the function answered with status 101"),
        ),
    ])
    .await;
}
