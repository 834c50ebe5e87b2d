//! Dials that come to nothing: whatever a server answers with, or does not, nothing of what it was sent is told.

use std::sync::Arc;

use tokio::join;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};

use super::search::Canaries;
use super::translated::{KEY, OF_ENVIRONMENT, OF_FILE, OF_URL, SECRETS, quoted};
use super::{FORMATS, assert_format};
use crate::peers::gateway::Gateway;
use crate::peers::raw::{RawPeer, RawUpstream};

/// The kinds of backends, each with the ways in which its key goes up.
const WAYS: [(&str, &str); 5] = [
    ("openai-realtime", "bearer"),
    ("openai-realtime", "api-key"),
    ("deepgram-agent", "token"),
    ("deepgram-agent", "bearer"),
    ("deepgram-agent", "subprotocol"),
];

fn backend(name: &str, (kind, way): (&str, &str), url: &str) -> String {
    format!(
        "[[backends]]\nname = \"{name}\"\nkind = \"{kind}\"\npath = \"/{name}\"\nurl = \"{url}\"\napi_key = \"{KEY}\"\n\
         auth_header = \"{way}\"\ndial_attempts = 1\nconnect_timeout_ms = 1000\n\
         headers = {{ x-env = \"Bearer ${{CANARY_HEADER}}\", x-file-key = \"{OF_FILE}\" }}\n"
    )
}

async fn start(backends: &str, format: (&str, &str)) -> Gateway {
    let toml = format!("[server]\nhost = \"127.0.0.1\"\nport = 0\n{backends}");
    Gateway::start_with(&toml, &[format, ("RUST_LOG", "trace"), ("CANARY_HEADER", OF_ENVIRONMENT)]).await
}

/// Answers to the upgrade, of which none is one.
fn answers() -> Vec<String> {
    let quoted = quoted();
    let length = quoted.len();
    let body = format!("Content-Length: {length}\r\nConnection: close\r\nX-Error: {quoted}\r\n\r\n{quoted}");
    let mut answers: Vec<String> = [301, 400, 401, 403, 429, 500, 503]
        .iter()
        .map(|status| {
            format!("HTTP/1.1 {status} {quoted}\r\nLocation: http://{KEY}/\r\ndg-error: {quoted}\r\n{body}")
        })
        .collect();
    let switching = "HTTP/1.1 101 Switching Protocols\r\n";
    answers.extend([
        format!("HTTP/1.1 200 {quoted}\r\n{body}"),
        format!("{switching}Connection: {KEY}\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"),
        format!("{switching}Connection: Upgrade\r\nUpgrade: {OF_FILE}\r\nSec-WebSocket-Accept: x\r\n\r\n"),
        format!(
            "{switching}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {KEY}\r\n\r\n"
        ),
        format!("{switching}Connection: Upgrade\r\nUpgrade: websocket\r\n{KEY}: {KEY}\r\n\r\n"),
        format!("HTTP/9.9 {KEY}\r\n\r\n"),
        format!("{KEY}: {KEY}\r\n\r\n"),
        quoted,
        String::new(),
    ]);
    answers
}

#[tokio::test]
async fn a_server_that_answers_with_the_key_is_not_quoted() {
    let canaries = Canaries::new(&SECRETS);
    let upstream = RawUpstream::start().await;
    let names: Vec<String> = (0..WAYS.len()).map(|way| format!("way-{way}")).collect();
    let backends = names
        .iter()
        .zip(WAYS)
        .map(|(name, way)| backend(name, way, &upstream.url(&format!("/v1/realtime?token={OF_URL}"))));
    let gateway = start(&backends.collect::<String>(), FORMATS[1]).await;
    for name in &names {
        for answer in answers() {
            let path = format!("/{name}");
            let (client, dialled) = join!(RawPeer::connect(gateway.port(), &path, ""), upstream.dialled());
            dialled.answer(&answer).await;
            let (code, _) = client.expect_close().await;
            assert!(code.is_some_and(|code| (1011..=1013).contains(&code)), "{code:?} after {answer}");
            assert!(client.has_seen("\"Error\""), "nothing was said after {answer}");
            canaries.assert_none("what the client was sent", client.bytes());
        }
    }
    let log = gateway.output();
    canaries.assert_none("the log", &log);
    assert_format(FORMATS[1], &gateway.log());
    for cause in ["upstream_auth_failed", "upstream_unreachable"] {
        assert!(log.contains(&format!("\"cause\":{cause:?}")), "{cause} is not in the log");
    }
}

#[tokio::test]
async fn a_server_that_is_nowhere_or_not_trusted_is_told_nothing_and_nothing_is_told() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let silent_port = silent.local_addr().expect("the listener is bound").port();
    let untrusted = untrusted().await;
    let urls = [
        "ws://no-such-host.invalid/v1".to_owned(),
        "ws://127.0.0.1:9/v1".to_owned(),
        format!("ws://127.0.0.1:{silent_port}/v1"),
        format!("wss://127.0.0.1:{silent_port}/v1"),
        format!("wss://localhost:{untrusted}/v1"),
    ];
    let mut backends = String::new();
    for (place, url) in urls.iter().enumerate() {
        backends += &backend(&format!("o{place}"), WAYS[0], url);
        backends += &backend(&format!("d{place}"), WAYS[2], url);
    }
    let gateway = start(&backends, FORMATS[0]).await;
    let canaries = Canaries::new(&SECRETS);
    for place in 0..urls.len() {
        for kind in ["o", "d"] {
            let client = RawPeer::connect(gateway.port(), &format!("/{kind}{place}"), "").await;
            assert_eq!(client.expect_close().await.0, Some(1011), "{kind}{place}");
            assert!(client.has_seen("upstream_unreachable"));
            canaries.assert_none("what the client was sent", client.bytes());
        }
    }
    canaries.assert_none("the log", gateway.output());
}

/// A TLS server that nobody vouches for.
async fn untrusted() -> u16 {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .expect("a server configuration");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let port = listener.local_addr().expect("the listener is bound").port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let accepted = acceptor.accept(socket).await;
            assert!(accepted.is_err(), "the gateway trusts a certificate that nobody has signed");
        }
    });
    port
}
