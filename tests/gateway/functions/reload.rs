//! Functions under a configuration that is read again: who is called for whom, and the threads that call.

use super::stage::{Session, gateway, output, route, script};
use crate::peers::application::Application;
use crate::peers::gateway::Gateway;
use crate::peers::http;
use crate::peers::mock::Mock;
use crate::peers::reply::Reply;
use crate::peers::sound::plain_settings;
use crate::peers::{eventually, s};

const CALL: &str = r#"{"id":"call_9","name":"get_weather","arguments":"{}"}"#;

/// How many threads a pool has.
const POOL: usize = 2;

async fn expect_threads(gateway: &Gateway, count: usize) {
    let threads = || gateway.files_and_threads().1;
    eventually(&format!("{count} threads"), s(5), async || (threads() == count).then_some(())).await;
}

#[tokio::test]
async fn a_live_session_calls_where_it_did_and_a_new_one_elsewhere() {
    let [old, new] = [
        Application::start(|_| Reply::content("old")).await,
        Application::start(|_| Reply::content("new")).await,
    ];
    let mock = Mock::start(script()).await;
    let gateway = gateway(&mock, &route("[\"*\"]", &old, "")).await;
    let mut live = Session::open(&gateway, &mock, &plain_settings()).await;
    let threads = gateway.files_and_threads().1;
    gateway.reload_with(|toml| toml.replace(&old.url(), &new.url())).await;
    gateway.expect_log(&["configuration reloaded changes=", "[functions]"], s(1)).await;
    let mut late = Session::open(&gateway, &mock, &plain_settings()).await;
    expect_threads(&gateway, threads + POOL).await;
    live.call(&[("call_1", "get_weather", "{}")]);
    late.call(&[("call_2", "get_weather", "{}")]);
    assert!(output(&mock, live.number, "call_1").await.contains("old"));
    assert!(output(&mock, late.number, "call_2").await.contains("new"));
    let answer = http::post(gateway.port(), "/function-call", "", CALL).await;
    assert_eq!(answer.json()["content"], "new");
    drop(live);
    expect_threads(&gateway, threads).await;
    late.assert_goes_on().await;
}

#[tokio::test]
async fn threads_do_not_pile_up() {
    let application = Application::start(|_| Reply::content("sunny")).await;
    let mock = Mock::start(script()).await;
    let gateway =
        gateway(&mock, &format!("[functions]\nmax_queued = 1\n{}", route("[\"*\"]", &application, ""))).await;
    gateway.assert_serves().await;
    let before = gateway.files_and_threads();
    for round in 1..=20 {
        let (from, to) = (format!("max_queued = {round}\n"), format!("max_queued = {}\n", round + 1));
        gateway.reload_with(|toml| toml.replace(&from, &to)).await;
    }
    gateway.assert_nothing_left(before, s(5)).await;
    assert_eq!(http::post(gateway.port(), "/function-call", "", CALL).await.status, 200);
}

#[tokio::test]
async fn the_threads_are_kept_where_functions_are_configured_alike() {
    let application = Application::start(|_| Reply::nothing().then_hang()).await;
    let mock = Mock::start(script()).await;
    let routes = route("[\"*\"]", &application, "timeout_ms = 60000");
    let gateway = gateway(&mock, &format!("[functions]\nmax_concurrent = 1\nmax_queued = 0\n{routes}")).await;
    let mut live = Session::open(&gateway, &mock, &plain_settings()).await;
    live.call(&[("call_1", "get_weather", "{}")]);
    application.expect_requests(1, s(5)).await;
    gateway.reload_with(|toml| toml.replace("port = 0", "port = 0\nmax_sessions = 9")).await;
    // The only place is still the session's.
    assert_eq!(http::post(gateway.port(), "/function-call", "", CALL).await.status, 429);
}
