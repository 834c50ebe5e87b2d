//! `[server] admin_port`: who answers probes where, with and without TLS, before and during the drain.

use tokio::net::TcpListener;

use crate::peers::client::Client;
use crate::peers::frames;
use crate::peers::gateway::{Config, Gateway, PATH, run};
use crate::peers::http::{self, UPGRADE};
use crate::peers::mock::Mock;
use crate::peers::pace::Pace;
use crate::peers::s;
use crate::peers::script::Script;
use crate::peers::sound::{heard, plain_settings};
use crate::peers::tls::Files;

const CALL: &str = r#"{"id":"1","name":"get_current_time","arguments":"{}"}"#;
const FUNCTION: &str = "[[functions.route]]\nnames = [\"get_current_time\"]";

/// A port that nobody listens on.
async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    listener.local_addr().expect("the listener is bound").port()
}

/// A gateway with an admin port and more of `[server]`, and that port.
async fn started(mock: &Mock, lines: &str) -> (Gateway, u16) {
    let admin = free_port().await;
    let server = format!("admin_port = {admin}\n{lines}");
    (Config::for_mock(mock).section(&server).section(FUNCTION).start().await, admin)
}

async fn probe(port: u16) -> [u16; 2] {
    [http::get(port, "/health", "").await.status, http::get(port, "/ready", "").await.status]
}

async fn metrics(port: u16, headers: &str) -> u16 {
    http::get(port, "/metrics", headers).await.status
}

#[tokio::test]
async fn probes_are_answered_there_alone_and_nothing_else_is() {
    let mock = Mock::start(Script::default()).await;
    let (gateway, admin) = started(&mock, "").await;
    gateway.expect_printed(&format!("health, readiness and metrics on http://127.0.0.1:{admin}")).await;
    assert_eq!(probe(admin).await, [200, 200]);
    assert_eq!(probe(gateway.port()).await, [404, 404]);
    assert_eq!([metrics(admin, "").await, metrics(gateway.port(), "").await], [200, 404]);
    for path in [PATH, "/v1/backends", "/v1/auth/grant"] {
        let answer = http::get(admin, path, UPGRADE).await;
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].as_str()),
            (404, Some("not_found")),
            "{path}"
        );
    }
    assert_eq!(http::post(admin, "/function-call", "", CALL).await.status, 404);
    assert_eq!(http::post(gateway.port(), "/function-call", "", CALL).await.status, 200);
    gateway.assert_serves().await;
}

#[tokio::test]
async fn probes_need_no_token_and_metrics_do() {
    let mock = Mock::start(Script::default()).await;
    let auth = "[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"a\"\ntoken = \"0123456789abcdef\"";
    let (gateway, admin) = started(&mock, auth).await;
    assert_eq!(probe(admin).await, [200, 200]);
    let token = "Authorization: Bearer 0123456789abcdef\r\n";
    assert_eq!([metrics(admin, "").await, metrics(admin, token).await], [401, 200]);
    assert_eq!(http::get(gateway.port(), PATH, UPGRADE).await.status, 401);
}

#[tokio::test]
async fn it_speaks_no_tls_and_is_not_ready_during_the_drain() {
    let mock = Mock::start(Script::default()).await;
    let (files, trust) = Files::new();
    let (mut gateway, admin) = started(&mock, &files.toml()).await;
    assert_eq!(probe(admin).await, [200, 200]);
    let url = format!("wss://127.0.0.1:{}{PATH}", gateway.port());
    let mut client = Client::connect_tls(&url, &trust, Pace::FREE).await;
    client.open_with(&plain_settings()).await;
    mock.peer(1).await.send(&frames::output_audio_delta(&[0; 480]));
    client.wait_for("audio", s(5), |journal| (!heard(journal).is_empty()).then_some(())).await;
    gateway.terminate().await;
    gateway.expect_log(&["draining sessions=1 "], s(2)).await;
    assert_eq!(probe(admin).await, [200, 503]);
    gateway.terminate().await;
    client.expect_ending("SERVER_GOING_AWAY", 1012).await;
    assert_eq!(gateway.exit(s(3)).await, Some(0));
}

#[tokio::test]
async fn one_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let port = taken.local_addr().expect("the listener is bound").port();
    let toml = Config::for_url("ws://127.0.0.1:9/").section(&format!("admin_port = {port}")).toml();
    let (finished, _) = run(&["--config", "FILE"], &toml).await;
    assert_eq!(finished.status, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains(&format!("voxbridge: 127.0.0.1:{port}: ")), "{}", finished.stderr);
}
