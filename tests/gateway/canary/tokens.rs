//! Tokens of clients, and the keys that they are verified with: wherever a token stands in a request, right or wrong, it
//! comes back in no answer and goes neither upstream nor to an application.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::search::Canaries;
use super::{FORMATS, assert_format};
use crate::identity::stage::{CALL, KIOSK, SECRET, SERVER, Stage, authorization, good, now};
use crate::peers::client::Client;
use crate::peers::gateway::{Config, Gateway, PATH};
use crate::peers::http::{self, UPGRADE};
use crate::peers::mock::Mock;
use crate::peers::pace::Pace;
use crate::peers::s;
use crate::peers::script::Script;
use crate::peers::tls::Files;

#[tokio::test]
async fn no_token_is_seen_where_it_does_not_belong() {
    for format in FORMATS {
        no_token_is_seen(format).await;
    }
}

async fn no_token_is_seen(format: (&str, &str)) {
    let stage = Stage::start_with("", &[format, ("RUST_LOG", "trace")]).await;
    let (own, expired) = (good(&json!({})), good(&json!({ "exp": now() - 60, "x": 1 })));
    let granted = stage.granted(&json!({})).await;
    let unknown = "canary-unknown-token-99cc";
    let tokens = [SERVER, KIOSK, &own, &expired, &granted, unknown];
    let canaries = Canaries::new(&[&[SECRET][..], &tokens].concat());
    let mut answers = Vec::new();
    for token in &tokens {
        for (target, headers) in [
            ("/openai".to_owned(), authorization(token)),
            ("/other".to_owned(), authorization(token)),
            ("/openai".to_owned(), format!("Authorization: Basic {token}\r\n")),
            ("/openai".to_owned(), format!("Authorization: {token}\r\n")),
            ("/openai".to_owned(), format!("Cookie: token={token}\r\nX-Token: {token}\r\n")),
            ("/openai".to_owned(), format!("Sec-WebSocket-Protocol: {token}\r\n")),
            (format!("/openai?service={token}"), authorization(token)),
            (format!("/openai/{token}"), String::new()),
            ("/openai".to_owned(), format!("Sec-WebSocket-Protocol: bearer, {token}\r\n")),
            (format!("/openai?token={token}"), String::new()),
            (format!("/openai?token={token}"), authorization("another-token-altogether")),
            (format!("/nowhere?token={token}"), String::new()),
        ] {
            answers.push(stage.upgrade(&target, &headers).await);
        }
        answers.push(stage.post("/function-call", token, CALL).await);
        answers.push(stage.post("/function-call", token, "{").await);
        if *token != SERVER {
            answers.push(stage.post("/v1/auth/grant", token, "{}").await);
        }
        answers.push(stage.post("/v1/auth/grant", token, "{").await);
    }
    for token in [SERVER, &own, &granted] {
        let offered = format!("token, {token}");
        let url = format!("{}?token={token}", stage.gateway.url("/openai"));
        let mut client = Client::connect_with(&url, &[("sec-websocket-protocol", &offered)]).await;
        client.open_s().await;
        client.assert_goes_on().await;
        client.close(1000, "done").await;
        client.expect_close(s(5)).await;
        canaries.assert_none("what a client was sent", format!("{:?}", client.journal()));
    }
    stage.gateway.expect_log(&["subject", "visitor"], s(5)).await;
    assert_format(format, &stage.gateway.log());
    for path in ["/", "/health", "/ready", "/metrics", "/v1/backends"] {
        for headers in [String::new(), authorization(SERVER)] {
            answers.push(http::get(stage.gateway.port(), path, &headers).await);
        }
    }
    canaries.assert_none("the log", stage.gateway.output());
    canaries.assert_none("an answer", format!("{answers:?}"));
    canaries.assert_none("an upgrade", format!("{:?}", stage.mock.upgrades()));
    canaries.assert_none("what upstream was sent", format!("{:?}", stage.mock.journal()));
    canaries.assert_none("what an application was sent", format!("{:?}", stage.application.requests()));
}

/// Heads that are no requests, each with a token in it.
#[tokio::test]
async fn a_request_that_cannot_be_read_is_not_quoted() {
    let stage = Stage::start_with("", &[("RUST_LOG", "trace")]).await;
    let canaries = Canaries::new(&[SERVER]);
    for head in [
        format!("{SERVER}\r\n\r\n"),
        format!("GET /openai?token={SERVER}\r\n\r\n"),
        format!("GET /openai?token={SERVER} HTTP/9.9\r\n\r\n"),
        format!("GET openai {SERVER} HTTP/1.1\r\n\r\n"),
        format!("GET /openai HTTP/1.1\r\nAuthorization Bearer {SERVER}\r\n\r\n"),
        format!("GET /openai HTTP/1.1\r\nAuthorization: Bearer {SERVER}\u{0}\r\n\r\n"),
        format!("GET /openai HTTP/1.1\r\nContent-Length: {SERVER}\r\n\r\n"),
        format!("GET /openai HTTP/1.1\r\nTransfer-Encoding: {SERVER}\r\n\r\n"),
        format!("GET /openai HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {SERVER}\r\n\r\n"),
        format!("GET /openai HTTP/1.1\r\nAuthorization: Bearer {SERVER}\r\n{UPGRADE}Host: {SERVER}\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", stage.gateway.port())).await.expect("it listens");
        stream.write_all(head.as_bytes()).await.expect("the gateway takes what it is sent");
        stream.shutdown().await.expect("the socket is open");
        let mut answer = Vec::new();
        // However it ends: what it was answered is what counts.
        let _ = timeout(s(5), stream.read_to_end(&mut answer)).await.expect("the gateway hangs up");
        canaries.assert_none(&format!("the answer to {head}"), answer);
    }
    canaries.assert_none("the log", stage.gateway.output());
}

#[tokio::test]
async fn the_listener_s_own_key_is_not_told() {
    let (files, trust) = Files::new();
    let pem = std::fs::read_to_string(files.key()).expect("there is a key");
    let body: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    let first = pem.lines().nth(1).expect("a key has a line");
    let mock = Mock::start(Script::default()).await;
    let toml = Config::for_mock(&mock).section(&files.toml()).toml();
    let gateway = Gateway::start_with(&toml, &[("RUST_LOG", "trace")]).await;
    let url = format!("wss://127.0.0.1:{}{PATH}", gateway.port());
    let mut client = Client::connect_tls(&url, &trust, Pace::FREE).await;
    client.open_s().await;
    client.assert_goes_on().await;
    // One that does not trust it, and one that speaks no TLS.
    assert!(Files::new().1.connect(gateway.port()).await.is_err());
    let mut stranger = TcpStream::connect(("127.0.0.1", gateway.port())).await.expect("it listens");
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it takes what it is sent");
    let mut answer = Vec::new();
    // It hangs up, one way or another.
    let _ = timeout(s(15), stranger.read_to_end(&mut answer)).await.expect("the gateway hangs up");
    gateway.terminate().await;
    client.expect_close(s(5)).await;
    let canaries = Canaries::new(&[&body, first]);
    canaries.assert_none("the log", gateway.output());
    canaries.assert_none("an answer", answer);
}
