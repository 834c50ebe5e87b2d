//! Functions that run here: what an application is sent in headers, and what goes in and comes out of a function.

use serde_json::{Value, json};

use super::search::Canaries;
use super::{FORMATS, assert_format};
use crate::peers::application::Application;
use crate::peers::client::settings;
use crate::peers::frames::{self, now};
use crate::peers::gateway::{Config, Gateway};
use crate::peers::http;
use crate::peers::journal::Journal;
use crate::peers::mock::Mock;
use crate::peers::reply::Reply;
use crate::peers::s;
use crate::peers::script::Script;

/// In headers of the route.
const BEARER: &str = "canary-of-the-application-12ab";
const HEADER: &str = "canary-in-a-header-34cd";
const SECRETS: [&str; 2] = [BEARER, HEADER];
const ARGUMENT: &str = "capybara-argument";
const RESULT: &str = "okapi-result";
const REFUSAL: &str = "lemur-refusal";
const WORDS: [&str; 3] = [ARGUMENT, RESULT, REFUSAL];

/// What the application answers, one after the other: each quotes what it was sent.
fn replies() -> Vec<Reply> {
    let quoted = format!("you sent {BEARER} and {HEADER}");
    vec![
        Reply::content(&format!("{RESULT}, {quoted}")),
        Reply::error(200, &format!("{REFUSAL}, {quoted}")),
        Reply::error(403, &format!("{REFUSAL}, {quoted}")),
        Reply::body(500, &format!("x-error: {quoted}\r\n"), &quoted),
        Reply::body(200, "", &quoted),
        Reply::body(200, "", &format!("{{\"content\":\"{RESULT}")),
        Reply::body(200, "", &json!({"content": [RESULT, quoted]}).to_string()),
        Reply::body(302, &format!("location: http://{BEARER}/\r\n"), ""),
        Reply::raw(format!("HTTP/1.1 {HEADER}\r\n\r\n")).then_close(),
        Reply::raw(format!("{BEARER}: {HEADER}\r\n\r\n")).then_close(),
        Reply::raw(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {BEARER}\r\n\r\n{quoted}")).then_close(),
        Reply::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {BEARER}\r\n\r\n{quoted}")).then_close(),
    ]
}

/// A gateway at trace level whose one function is the application's.
async fn gateway(mock: &Mock, application: &Application, log_content: bool, format: (&str, &str)) -> Gateway {
    let config = Config::for_mock(mock)
        .backend("function_calls = \"server\"")
        .section(&format!("[logging]\nlog_content = {log_content}"))
        .section(&format!(
            "[[functions.route]]\nnames = [\"get_weather\"]\nurl = \"{}\"\n\
             headers = {{ authorization = \"Bearer ${{CANARY}}\", x-key = \"{HEADER}\" }}",
            application.url()
        ));
    Gateway::start_with(&config.toml(), &[format, ("RUST_LOG", "trace"), ("CANARY", BEARER)]).await
}

fn call(id: usize) -> Value {
    json!({"type": "response.function_call_arguments.done", "call_id": format!("call_{id}"),
        "name": "get_weather", "arguments": json!({"city": ARGUMENT}).to_string()})
}

/// Has every answer given to the model and to a caller of `/function-call`; all that the gateway wrote and sent.
async fn live(log_content: bool, format: (&str, &str)) -> (String, String) {
    let application = Application::start(|request| {
        let number: usize = request.call_id().trim_start_matches("call_").parse().expect("a number");
        replies().swap_remove(number)
    })
    .await;
    let mock = Mock::start(Script::calling(|_| vec![now(frames::output_text_done("done"))])).await;
    let gateway = gateway(&mock, &application, log_content, format).await;
    let mut client = gateway.connect().await;
    client.open_with(&settings(&json!({}))).await;
    let mut told = String::new();
    for id in 0..replies().len() {
        mock.peer(1).await.send(&call(id));
        let is_answered = |journal: &Journal| {
            journal.all("FunctionCallResponse").any(|(_, it)| it["id"] == format!("call_{id}")).then_some(())
        };
        client.wait_for("answer to the call", s(10), is_answered).await;
        let body = json!({"id": format!("call_{id}"), "name": "get_weather", "arguments": "{}"}).to_string();
        let answer = http::post(gateway.port(), "/function-call", "", &body).await;
        told += &format!("{answer:?}\n");
    }
    told += &format!("{:?}", client.journal());
    // What upstream is told has been given to the client before.
    told += &format!("{:?}", mock.journal());
    for request in application.requests() {
        assert_eq!(request.headers["authorization"], format!("Bearer {BEARER}"), "the application needs it");
    }
    assert_format(format, &gateway.log());
    (gateway.output(), told)
}

#[tokio::test]
async fn what_an_application_quotes_of_its_headers_is_not_told() {
    for format in FORMATS {
        let (log, told) = live(false, format).await;
        let secrets = Canaries::new(&SECRETS);
        secrets.assert_none("what was answered", &told);
        secrets.assert_none("the log", &log);
        Canaries::new(&WORDS).assert_none("the log", &log);
        Canaries::new(&WORDS).assert_all("what was answered", &told);
    }
}

#[tokio::test]
async fn with_log_content_the_log_has_words_and_no_keys() {
    for format in FORMATS {
        let (log, _) = live(true, format).await;
        Canaries::new(&SECRETS).assert_none("the log", &log);
        Canaries::new(&WORDS).assert_all("the log", &log);
    }
}
