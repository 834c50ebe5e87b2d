//! What the application is asked: the request word for word, again where that is allowed, on connections that it may
//! have closed meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::stage::{Session, Stage, error_output, gateway, output, route, script};
use crate::peers::application::Application;
use crate::peers::client::Client;
use crate::peers::gateway::PATH;
use crate::peers::mock::Mock;
use crate::peers::reply::Reply;
use crate::peers::s;

#[tokio::test]
async fn the_request_is_what_the_contract_says() {
    let application = Application::start(|_| Reply::content("all is well")).await;
    let sections = route("[\"*\"]", &application, "headers = { \"x-api-key\" = \"secret-1\" }");
    let mut stage = Stage::over(application, &sections).await;
    let arguments = r#"{"a": [1,"\u00e4"], "b":"ä"}"#;
    assert_eq!(stage.output_of(("call_1", "f", arguments)).await, "all is well");
    let requests = stage.application.requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((&*request.method, &*request.target), ("POST", "/functions"));
    assert_eq!(request.body, json!({"id": "call_1", "name": "f", "arguments": arguments}));
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("x-api-key"), Some("secret-1"));
    assert_eq!(header("host"), Some(stage.application.authority()));
    assert!(header("idempotency-key").is_some_and(|key| key.len() == 36), "{request:?}");
    for absent in ["accept-encoding", "traceparent", "x-trace-id", "transfer-encoding", "authorization"] {
        assert_eq!(header(absent), None, "{absent}");
    }
    let log = stage.gateway.log();
    for content in ["secret-1", "all is well", "u00e4"] {
        assert!(!log.contains(content), "{content} is in the log");
    }
    let outcome = [" function=f call=call_1 duration_ms=", " outcome=ok bytes=11"];
    let told: Vec<_> = log.lines().filter(|line| outcome.iter().all(|part| line.contains(part))).collect();
    assert!(matches!(&told[..], [line] if line.contains("INFO") && line.contains("conn=")), "{log}");
}

#[tokio::test]
async fn a_trace_is_handed_on() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let application = Application::start(|_| Reply::content("all is well")).await;
    let mock = Mock::start(script()).await;
    let gateway = gateway(&mock, &route("[\"*\"]", &application, "")).await;
    let mut client = Client::connect_with(&gateway.url(PATH), &[("traceparent", TRACE)]).await;
    client.open_s().await;
    let mut session = Session::of(client, mock.peer(1).await, 1);
    session.call(&[("call_1", "f", "{}")]);
    assert_eq!(output(&mock, 1, "call_1").await, "all is well");
    let request = application.requests().remove(0);
    // The same trace; the span may be one of the gateway's own.
    let trace = request.headers.get("traceparent").expect("the trace is handed on");
    assert_eq!(trace[..36], TRACE[..36], "{trace}");
    // The client has no other name for the session.
    assert_eq!(request.headers.get("x-trace-id").map(String::as_str), Some(TRACE));
}

#[tokio::test]
async fn the_clients_name_for_the_session_is_handed_on() {
    let application = Application::start(|_| Reply::content("all is well")).await;
    let mock = Mock::start(script()).await;
    let gateway = gateway(&mock, &route("[\"*\"]", &application, "")).await;
    let mut client = Client::connect_with(&gateway.url(&format!("{PATH}?traceId=checkout-7")), &[]).await;
    client.open_s().await;
    let mut session = Session::of(client, mock.peer(1).await, 1);
    session.call(&[("call_1", "f", "{}")]);
    assert_eq!(output(&mock, 1, "call_1").await, "all is well");
    let request = application.requests().remove(0);
    assert_eq!(request.headers.get("x-trace-id").map(String::as_str), Some("checkout-7"));
    assert_eq!(request.headers.get("traceparent"), None);
}

#[tokio::test]
async fn an_application_that_is_not_there() {
    let route = "[[functions.route]]\nnames = [\"*\"]\nurl = \"http://127.0.0.1:1/functions\"\n";
    let mut stage = Stage::over(Application::forbidden().await, route).await;
    let call = ("call_1", "f", "{}");
    let output = stage.output_of(call).await;
    assert_eq!(output, error_output("the function cannot be reached"));
    stage.session.assert_told(call, &output).await;
    stage.assert_goes_on().await;
    // What the model is not told stands in one line of the log.
    let log = stage.gateway.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("127.0.0.1:1:")).collect();
    let [line] = &told[..] else { panic!("{log}") };
    for part in [
        "WARN",
        "conn=",
        " function=f call=call_1 ",
        " outcome=unreachable error=\"the function cannot be reached\" reason=\"127.0.0.1:1: ",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

/// Fails twice in this way, and then has a result.
async fn retried(failure: Reply) {
    let count = AtomicUsize::new(0);
    let reply = move |_: &_| match count.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => failure.clone(),
        _ => Reply::content("all is well"),
    };
    let mut stage = Stage::any("idempotent = true\nretries = 2\ntimeout_ms = 20000", reply).await;
    let call = ("call_1", "f", "{}");
    let output = stage.output_of(call).await;
    assert_eq!(output, "all is well");
    stage.session.assert_told(call, &output).await;
    let requests = stage.application.requests();
    let key = |index: usize| requests[index].headers["idempotency-key"].clone();
    assert_eq!(requests.len(), 3);
    assert!(key(0) == key(1) && key(1) == key(2), "the attempts have keys of their own: {requests:?}");
    stage.assert_goes_on().await;
}

#[tokio::test]
async fn what_may_run_twice_is_asked_again_after_a_reset() {
    retried(Reply::nothing().then_reset()).await;
}

#[tokio::test]
async fn what_may_run_twice_is_asked_again_after_a_bad_gateway() {
    retried(Reply::body(502, "", "bad gateway")).await;
}

#[tokio::test]
async fn what_always_fails_is_asked_as_often_as_configured() {
    let mut stage =
        Stage::any("idempotent = true\nretries = 2\ntimeout_ms = 20000", |_| Reply::body(503, "", "")).await;
    let output = stage.output_of(("call_1", "f", "{}")).await;
    assert_eq!(output, error_output("the function answered with status 503"));
    assert_eq!(stage.application.requests().len(), 3);
}

/// One call after the other, on connections that are closed behind each answer, with and without a word of it.
async fn closing(reply: fn(String) -> Reply) {
    const CALLS: usize = 50;
    let mut stage =
        Stage::any("timeout_ms = 20000", move |request| reply(request.call_id().to_owned())).await;
    for number in 0..CALLS {
        let id = format!("call_{number}");
        assert_eq!(stage.output_of((&id, "f", "{}")).await, id);
    }
    assert_eq!(stage.application.requests().len(), CALLS);
    assert_eq!(stage.application.connections(), CALLS);
}

#[tokio::test]
async fn connections_that_are_closed_after_each_answer() {
    closing(|id| {
        let body = json!({ "content": id }).to_string();
        Reply::body(200, "Connection: close\r\n", &body).then_close()
    })
    .await;
}

#[tokio::test]
async fn connections_that_are_closed_after_each_answer_without_a_word() {
    closing(|id| Reply::content(&id).then_close()).await;
}

#[tokio::test]
async fn a_connection_that_is_kept_is_used_again() {
    let mut stage = Stage::any("timeout_ms = 20000", |request| Reply::content(request.call_id())).await;
    for number in 0..20 {
        let id = format!("call_{number}");
        assert_eq!(stage.output_of((&id, "f", "{}")).await, id);
    }
    // One for each thread of the pool, not one for each call.
    assert!(stage.application.connections() <= 4, "{} connections", stage.application.connections());
    stage.session.client.expect("FunctionCallResponse", s(5)).await;
}
