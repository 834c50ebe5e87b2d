//! `POST /function-call`: its statuses, what a page of another origin may see, and that a client who goes away
//! takes its call along. How functions themselves go wrong is in `functions`.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::peers::application::{Application, Request};
use crate::peers::gateway::{Config, Gateway};
use crate::peers::http::{self, Answer, Connection};
use crate::peers::reply::{Latch, Reply};
use crate::peers::{eventually, ms, s};

const PATH: &str = "/function-call";
const CALL: &str = r#"{"id":"call_1","name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}"#;
const JSON: &str = "Content-Type: application/json\r\n";

struct Stage {
    gateway: Gateway,
    application: Application,
}

impl Stage {
    /// A gateway that has `get_weather` and `book_table` run by an application that replies like this.
    async fn set(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::with("", "", reply).await
    }

    /// The same, with further lines of the route and further sections.
    async fn with(
        route: &str,
        sections: &str,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let application = Application::start(reply).await;
        let names = r#"names = ["get_weather", "book_table"]"#;
        let url = application.url();
        let route = format!("[[functions.route]]\n{names}\nurl = \"{url}\"\n{route}");
        // Nobody connects to a backend here.
        let config = Config::for_url("ws://127.0.0.1:9/").section(sections).section(&route);
        Self { gateway: config.start().await, application }
    }

    async fn connect(&self) -> Connection {
        Connection::open(self.gateway.port()).await
    }

    async fn post(&self, headers: &str, body: &str) -> Answer {
        http::post(self.gateway.port(), PATH, headers, body).await
    }

    async fn send(&self, method: &str, headers: &str) -> Answer {
        http::send(self.gateway.port(), method, PATH, headers).await
    }

    /// What the log says of the call with this trace.
    async fn expect_line(&self, trace: &str, parts: &[&str]) {
        let trace = format!("trace={trace} ");
        let parts: Vec<_> = ["function call", &trace].iter().chain(parts).copied().collect();
        self.gateway.expect_log(&parts, s(5)).await;
    }
}

fn sunny(_: &Request) -> Reply {
    Reply::content("sunny")
}

/// Status, code and Retry-After of a refusal, whose body has a text as well.
#[track_caller]
fn refusal(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    let (text, code) = (body["error"].as_str(), body["code"].as_str());
    assert!(
        text.is_some_and(|text| !text.is_empty()) && body.as_object().is_some_and(|body| body.len() == 2)
    );
    (answer.status, code.unwrap_or_else(|| panic!("no code: {body}")).to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_call_reaches_the_application_and_its_result_the_page() {
    let stage = Stage::set(sunny).await;
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = format!("X-Trace-Id: page-7\r\nTraceparent: {traceparent}\r\n");
    let answer = stage.post(&headers, CALL).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"content": "sunny"})));
    let request = stage.application.requests().remove(0);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/functions"));
    assert_eq!(request.body, serde_json::from_str::<Value>(CALL).expect("it is JSON"));
    assert_eq!(request.headers.get("traceparent").map(String::as_str), Some(traceparent));
    assert_eq!(request.headers.get("x-trace-id").map(String::as_str), Some("page-7"));
    stage.expect_line("page-7", &["function=get_weather duration_ms=", " status=200 outcome=ok"]).await;
    let log = stage.gateway.log();
    assert_eq!(log.lines().filter(|line| line.contains("get_weather")).count(), 1, "{log}");
    assert!(!log.contains("Oslo") && !log.contains("sunny"), "arguments or results are logged: {log}");
}

#[tokio::test]
async fn what_goes_wrong_in_the_function_is_told_with_200() {
    let stage = Stage::set(|request| match request.body["name"].as_str() {
        Some("get_weather") => Reply::error(200, "no such city"),
        _ => Reply::json(500, &json!({})),
    })
    .await;
    for (name, told, word) in [
        ("get_weather", "no such city", "function_error"),
        ("book_table", "the function answered with status 500", "status"),
        ("unheard_of", "there is no function unheard_of", "unknown_function"),
    ] {
        let body = json!({"id": "call_1", "name": name, "arguments": "{}"}).to_string();
        let answer = stage.post(&format!("X-Trace-Id: {name}\r\n"), &body).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"error": told})), "{name}");
        stage.expect_line(name, &[&format!("status=200 outcome={word}")]).await;
    }
    assert_eq!(stage.application.requests().len(), 2);
    assert!(!stage.gateway.log().contains("no such city"), "a result is logged");
}

#[tokio::test]
async fn a_built_in_function_needs_no_application() {
    let stage = Stage::set(sunny).await;
    let body = r#"{"id":"1","name":"get_current_time","arguments":"{}"}"#;
    let answer = stage.post("", body).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["content"].is_string(), "{answer:?}");
}

#[tokio::test]
async fn what_is_no_call_is_refused_and_never_run() {
    let stage = Stage::set(sunny).await;
    for (body, code) in [
        ("", "invalid_body"),
        ("[]", "invalid_body"),
        ("{\"id\":", "invalid_body"),
        (r#"{"name":"f","arguments":"{}"}"#, "invalid_id"),
        (r#"{"id":1,"name":"f","arguments":"{}"}"#, "invalid_id"),
        (r#"{"id":"1","arguments":"{}"}"#, "invalid_name"),
        (r#"{"id":"1","name":"a b","arguments":"{}"}"#, "invalid_name"),
        (r#"{"id":"1","name":"get_weather"}"#, "invalid_arguments"),
        (r#"{"id":"1","name":"get_weather","arguments":{}}"#, "invalid_arguments"),
        (r#"{"id":"1","name":"get_weather","arguments":"{"}"#, "invalid_arguments"),
    ] {
        assert_eq!(refusal(&stage.post("", body).await), is(400, code), "{body}");
    }
    for headers in ["", "Content-Type: text/plain\r\n", "Content-Type: application/json; charset=latin1\r\n"]
    {
        let headers = format!("{headers}Content-Length: {}\r\n", CALL.len());
        let mut connection = stage.connect().await;
        connection.head("POST", PATH, &headers).await;
        connection.send(CALL).await;
        assert_eq!(refusal(&connection.answer().await), is(415, "unsupported_media_type"), "{headers}");
    }
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer = stage.send(method, "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, OPTIONS")), "{method}");
    }
    assert_eq!(stage.application.connections(), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_waited_for() {
    let stage = Stage::with("", "[limits]\nmax_message_bytes = 65536", sunny).await;
    let mut announced = stage.connect().await;
    announced.head("POST", PATH, &format!("{JSON}Content-Length: 65537\r\n")).await;
    assert_eq!(refusal(&announced.answer().await), is(413, "message_too_large"));
    assert!(announced.is_closed().await);

    let mut counted = stage.connect().await;
    counted.head("POST", PATH, &format!("{JSON}Transfer-Encoding: chunked\r\n")).await;
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    for _ in 0..16 {
        // It may have been given up before the last.
        counted.send(&chunk).await;
    }
    assert_eq!(refusal(&counted.answer().await), is(413, "message_too_large"));

    let mut just = stage.connect().await;
    just.post(PATH, "", &format!("{CALL}{}", " ".repeat(65536 - CALL.len()))).await;
    assert_eq!(just.answer().await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_end_is_given_up_and_holds_no_place_meanwhile() {
    let stage = Stage::with("", "[functions]\nmax_concurrent = 1\nmax_queued = 0", sunny).await;
    let mut slow = stage.connect().await;
    slow.head("POST", PATH, &format!("{JSON}Content-Length: {}\r\n", CALL.len())).await;
    slow.send(&CALL[..20]).await;
    assert_eq!(stage.post("", CALL).await.status, 200);
    assert_eq!(refusal(&slow.answer_within(15).await), is(408, "body_timeout"));
    assert!(slow.is_closed().await);
}

#[tokio::test]
async fn bodies_that_do_not_come_keep_nobody_out() {
    let stage = Stage::set(sunny).await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut connection = stage.connect().await;
        // With an answer to this, the gateway has taken the connection.
        connection.head("GET", "/health", "").await;
        assert_eq!(connection.answer().await.status, 200);
        connection.head("POST", PATH, &format!("{JSON}Content-Length: {}\r\n", CALL.len())).await;
        connection.send(&CALL[..20]).await;
        slow.push(connection);
    }
    assert_eq!(stage.post("", CALL).await.json(), json!({"content": "sunny"}));
    for mut connection in slow {
        connection.send(&CALL[20..]).await;
        assert_eq!(connection.answer().await.json(), json!({"content": "sunny"}));
    }
}

#[tokio::test]
async fn bodies_on_their_way_have_a_bound() {
    let stage = Stage::with("", "[limits]\nmax_message_bytes = 1024\nprocess_bytes = 1048576", sunny).await;
    let mut slow = Vec::new();
    for _ in 0..257 {
        let mut connection = stage.connect().await;
        connection.head("POST", PATH, &format!("{JSON}Content-Length: 1024\r\n")).await;
        connection.send(&" ".repeat(1020)).await;
        slow.push(connection);
    }
    // All of it is taken but for four bytes.
    eventually("a refusal", s(8), async || {
        let answer = stage.post("", CALL).await;
        (answer.status == 429).then(|| assert_eq!(refusal(&answer), is(429, "busy")))
    })
    .await;
    slow.drain(..16);
    eventually("room", s(8), async || (stage.post("", CALL).await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn a_call_that_runs_when_the_gateway_is_to_end_is_told_so() {
    let mut stage = Stage::set(|_| Reply::nothing().then_hang()).await;
    let mut page = stage.connect().await;
    page.post(PATH, "", CALL).await;
    stage.application.expect_requests(1, s(5)).await;
    stage.gateway.terminate().await;
    assert_eq!(refusal(&page.answer().await), is(503, "stopping"));
    stage.application.expect_cut_off(1, s(5)).await;
    assert_eq!(stage.gateway.exit(s(8)).await, Some(0));
}

#[tokio::test]
async fn a_full_pool_says_so_at_once() {
    let latch = Arc::new(Latch::new());
    let held = Arc::clone(&latch);
    let stage = Stage::with("", "[functions]\nmax_concurrent = 1\nmax_queued = 0", move |_| {
        Reply::content("sunny").behind(&held)
    })
    .await;
    let mut first = stage.connect().await;
    first.post(PATH, "", CALL).await;
    stage.application.expect_requests(1, s(5)).await;
    let second = stage.post("", CALL).await;
    assert_eq!(refusal(&second), is(429, "busy"));
    assert_eq!(second.header("retry-after"), Some("1"));
    latch.open();
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(stage.post("", CALL).await.status, 200);
}

#[tokio::test]
async fn a_function_has_its_time() {
    let stage = Stage::with("timeout_ms = 200", "", |_| Reply::nothing().then_hang()).await;
    assert_eq!(refusal(&stage.post("", CALL).await), is(504, "timed_out"));
    stage.application.expect_cut_off(1, s(5)).await;
}

#[tokio::test]
async fn a_slow_call_holds_up_no_other() {
    let latch = Arc::new(Latch::new());
    let held = Arc::clone(&latch);
    let stage = Stage::set(move |request| match request.body["name"].as_str() {
        Some("book_table") => Reply::content("booked").behind(&held),
        _ => Reply::content("sunny"),
    })
    .await;
    let mut slow = stage.connect().await;
    slow.post(PATH, "", r#"{"id":"0","name":"book_table","arguments":"{}"}"#).await;
    stage.application.expect_requests(1, s(5)).await;
    let others = join_all((0..20).map(|_| stage.post("", CALL))).await;
    assert!(others.iter().all(|answer| answer.json() == json!({"content": "sunny"})), "{others:?}");
    latch.open();
    assert_eq!(slow.answer().await.json(), json!({"content": "booked"}));
}

#[tokio::test]
async fn calls_on_one_connection_are_answered_in_their_order() {
    let stage = Stage::set(|request| Reply::content(request.call_id()).after(ms(50))).await;
    let mut connection = stage.connect().await;
    for id in ["a", "b", "c"] {
        // The second and third come while the first runs, which is no sign that their client is gone.
        connection.post(PATH, "", &CALL.replace("call_1", id)).await;
    }
    for id in ["a", "b", "c"] {
        assert_eq!(connection.answer().await.json(), json!({"content": id}));
    }
}

/// A client that leaves in this way while its call runs takes it along.
async fn leaving(trace: &str, outcome: &str, leave: impl FnOnce(Connection)) {
    let stage = Stage::with("", "[functions]\nmax_concurrent = 1\nmax_queued = 0", |request| {
        if request.call_id() == "call_1" { Reply::nothing().then_hang() } else { Reply::content("sunny") }
    })
    .await;
    let mut connection = stage.connect().await;
    connection.post(PATH, &format!("X-Trace-Id: {trace}\r\n"), CALL).await;
    stage.application.expect_requests(1, s(5)).await;
    leave(connection);
    stage.application.expect_cut_off(1, s(2)).await;
    stage.expect_line(trace, &["function=get_weather", outcome]).await;
    // The one place is free again; the application may hear of it first.
    let next = CALL.replace("call_1", "call_2");
    eventually("free place", s(2), async || (stage.post("", &next).await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn a_client_that_closes_cancels_its_call() {
    leaving("closes", "outcome=client_closed", drop).await;
}

#[tokio::test]
async fn a_client_that_resets_cancels_its_call() {
    leaving("resets", "outcome=", Connection::reset).await;
}

const ALLOWED: &str = "[auth]\nallowed_origins = [\"https://shop.example\"]";
const SHOP: &str = "Origin: https://shop.example\r\n";
const OTHER: &str = "Origin: https://other.example\r\n";

/// `Access-Control-Allow-Origin` and `Vary`.
fn cors(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("access-control-allow-origin"), answer.header("vary"))
}

#[tokio::test]
async fn any_page_may_call_where_no_origins_are_listed() {
    let stage = Stage::set(sunny).await;
    for (headers, body) in [(SHOP, CALL), ("Origin: null\r\n", CALL), (SHOP, "{}"), ("", CALL)] {
        let answer = stage.post(headers, body).await;
        assert_eq!(cors(&answer), (Some("*"), None), "{headers}{body}");
        assert_eq!(answer.header("access-control-expose-headers"), Some("retry-after"));
    }
    assert_eq!(cors(&stage.send("PUT", SHOP).await), (Some("*"), None));
}

#[tokio::test]
async fn only_listed_pages_may_call_and_see_every_answer() {
    let stage = Stage::with("timeout_ms = 200", ALLOWED, |request| {
        if request.call_id() == "slow" { Reply::nothing().then_hang() } else { Reply::content("sunny") }
    })
    .await;
    let told = (Some("https://shop.example"), Some("origin"));
    for (body, status) in [(CALL, 200), ("{}", 400), (&CALL.replace("call_1", "slow"), 504)] {
        let answer = stage.post(SHOP, body).await;
        assert_eq!((answer.status, cors(&answer)), (status, told));
    }
    for (method, status) in [("PUT", 405), ("POST", 415)] {
        let answer = stage.send(method, SHOP).await;
        assert_eq!((answer.status, cors(&answer)), (status, told));
    }
    let runs = stage.application.requests().len();
    for origin in [OTHER, "Origin: null\r\n", "Origin: http://shop.example\r\n", &format!("{SHOP}{SHOP}")] {
        let answer = stage.post(origin, CALL).await;
        assert_eq!(refusal(&answer), is(403, "origin_not_allowed"), "{origin}");
        assert_eq!(cors(&answer), (None, None), "{origin}");
    }
    assert_eq!(stage.application.requests().len(), runs, "a call of another page was run");
    // No page at all.
    assert_eq!(stage.post("", CALL).await.status, 200);
}

#[tokio::test]
async fn a_preflight_says_what_a_page_may_send() {
    let asked =
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-trace-id\r\n";
    let open = Stage::set(sunny).await;
    let listing = Stage::with("", ALLOWED, sunny).await;
    for (stage, told) in [(&open, "*"), (&listing, "https://shop.example")] {
        let answer = stage.send("OPTIONS", &format!("{SHOP}{asked}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
        assert_eq!(cors(&answer).0, Some(told));
        assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
        let headers = answer.header("access-control-allow-headers").expect("it names headers");
        for name in ["content-type", "x-trace-id", "authorization"] {
            assert!(headers.split(", ").any(|header| header == name), "no {name} in {headers}");
        }
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
    }
    let refused = listing.send("OPTIONS", &format!("{OTHER}{asked}")).await;
    assert_eq!((refusal(&refused), cors(&refused)), (is(403, "origin_not_allowed"), (None, None)));
    assert_eq!(refused.header("access-control-allow-headers"), None);
}
