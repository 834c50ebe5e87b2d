//! The backend's key goes upstream and nowhere else; the client's token, its headers and its subprotocols go nowhere.

use tokio::join;

use super::stage::{Ends, KEY, PATH, Stage};
use crate::peers::raw::{Head, RawPeer, RawUpstream};
use crate::peers::raw_frame::RawFrame;

/// What the client calls itself by, as it stands nowhere else.
const TOKEN: &str = "canary-token-91bc";

/// Headers of an upgrade that say nothing of who asks.
const PLAIN: [&str; 6] =
    ["host", "connection", "upgrade", "sec-websocket-version", "sec-websocket-key", "date"];

/// What browsers, proxies and SDKs add, each with the token or something of the client's own.
fn client_headers() -> String {
    format!(
        "Authorization: Token {TOKEN}\r\nSec-WebSocket-Protocol: token, {TOKEN}\r\nCookie: session={TOKEN}\r\n\
         Origin: http://{TOKEN}.example\r\nUser-Agent: {TOKEN}\r\nX-Forwarded-For: 10.0.0.1\r\nApi-Key: {TOKEN}\r\n\
         X-Deepgram-Session-Id: session-1\r\nAccept-Language: de\r\nX-Own: {TOKEN}\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n"
    )
}

/// Opens both services with everything that a client can say of itself, and looks at what came of it.
async fn upgrades(lines: &str) -> [Head; 2] {
    let stage = Stage::start_at(RawUpstream::start().await, lines, &[("RUST_LOG", "trace")]).await;
    let agent = format!("{PATH}?token={TOKEN}&service=agent");
    let transcription = format!("{PATH}?tok%65n={TOKEN}&service=transcription&traceId=t1");
    let mut heads = Vec::new();
    for target in [agent, transcription] {
        let mut ends = stage.connect_with(&target, &client_headers()).await;
        ends.open().await;
        ends.upstream.send(&RawFrame::text("{\"type\":\"Welcome\"}")).await;
        ends.client.expect_data(1).await;
        ends.finish().await;
        assert_apart(&ends);
        heads.push(ends.upstream.head.clone());
    }
    let log = stage.gateway.log();
    for canary in [KEY, TOKEN] {
        let line = log.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "a secret is in the log");
    }
    heads.try_into().expect("there were two")
}

fn assert_apart(ends: &Ends) {
    assert!(!ends.client.has_seen(KEY), "the client has seen the key");
    assert!(!ends.client.has_seen(TOKEN), "the client's token came back");
    assert!(!ends.upstream.has_seen(TOKEN), "upstream has seen the client's token: {:?}", ends.upstream.head);
    assert_eq!(ends.client.head.all("sec-websocket-protocol"), ["token"]);
    assert!(ends.client.head.all("sec-websocket-extensions").is_empty());
}

/// Holds the headers against those of every upgrade and these, with their values.
#[track_caller]
fn assert_headers(heads: &[Head], own: &[(&str, &str)]) {
    for head in heads {
        for (name, value) in own {
            assert_eq!(head.all(name), [*value], "{name}");
        }
        let is_known = |name: &str| PLAIN.contains(&name) || own.iter().any(|(own, _)| *own == name);
        let other: Vec<_> = head.headers.iter().filter(|(name, _)| !is_known(name)).collect();
        assert!(other.is_empty(), "nobody asked for {other:?}");
    }
}

#[tokio::test]
async fn the_key_is_a_token() {
    assert_headers(&upgrades("").await, &[("authorization", &format!("Token {KEY}"))]);
}

#[tokio::test]
async fn the_key_can_be_a_bearer() {
    let heads = upgrades("auth_header = \"bearer\"").await;
    assert_headers(&heads, &[("authorization", &format!("Bearer {KEY}"))]);
}

#[tokio::test]
async fn the_key_can_be_a_subprotocol() {
    let heads = upgrades("auth_header = \"subprotocol\"").await;
    assert_headers(&heads, &[("sec-websocket-protocol", &format!("token, {KEY}"))]);
}

#[tokio::test]
async fn configured_headers_go_up_beside_the_key() {
    let heads = upgrades("headers = { \"x-own\" = \"ours\", \"x-team\" = \"voice\" }").await;
    let own = [("authorization", &*format!("Token {KEY}")), ("x-own", "ours"), ("x-team", "voice")];
    assert_headers(&heads, &own);
}

#[tokio::test]
async fn an_upstream_that_gives_the_key_back_as_it_refuses_it_is_not_quoted() {
    let stage = Stage::start_at(RawUpstream::start().await, "", &[("RUST_LOG", "trace")]).await;
    for target in [PATH, "/dg/v1/listen", "/dg/v2/listen"] {
        let client = RawPeer::connect(stage.gateway.port(), target, "");
        let (client, dialled) = join!(client, stage.upstream.dialled());
        dialled.refuse(&format!("401 {KEY}"), &format!("dg-error: no such key: {KEY}\r\n")).await;
        assert_eq!(client.expect_close().await.0, Some(1011));
        let said = client.data();
        assert!(said.len() == 1 && format!("{said:?}").contains("Error"), "{said:?}");
        assert!(client.has_seen("upstream_auth_failed") && !client.has_seen(KEY), "{said:?}");
    }
    let log = stage.gateway.log();
    assert_eq!(log.lines().find(|line| line.contains(KEY)), None, "the key is in the log");
}
