//! Upstream behind TLS: who is trusted, and that a whole turn passes.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tempfile::NamedTempFile;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{HandshakeKind, ServerConfig, crypto};

use crate::peers::gateway::Config;
use crate::peers::mock::Mock;
use crate::peers::s;
use crate::peers::script::Script;

/// TLS in front of a mock, with a certificate that only its own file vouches for.
struct TlsFront {
    url: String,
    certificate: NamedTempFile,
    /// How each connection began.
    handshakes: Arc<Mutex<Vec<HandshakeKind>>>,
}

impl TlsFront {
    async fn start(mock: &Mock) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let mut certificate = NamedTempFile::new().expect("a temporary file");
        certificate.write_all(certified.cert.pem().as_bytes()).expect("the file can be written");
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the default versions")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key.into())
            .expect("a server configuration");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        let behind = mock.url().trim_start_matches("ws://").split('/').next().unwrap_or_default().to_owned();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let handshakes = Arc::<Mutex<Vec<_>>>::default();
        let noted = Arc::clone(&handshakes);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, behind, noted) = (acceptor.clone(), behind.clone(), Arc::clone(&noted));
                tokio::spawn(async move {
                    // A client that does not trust us hangs up here.
                    let Ok(mut socket) = acceptor.accept(socket).await else { return };
                    let kind = socket.get_ref().1.handshake_kind().expect("a handshake");
                    noted.lock().expect("nobody panics with it").push(kind);
                    let mut mock = TcpStream::connect(behind).await.expect("the mock listens");
                    let _ = copy_bidirectional(&mut socket, &mut mock).await;
                });
            }
        });
        Self { url: format!("wss://localhost:{port}/v1/realtime"), certificate, handshakes }
    }

    fn handshakes(&self) -> Vec<HandshakeKind> {
        self.handshakes.lock().expect("nobody panics with it").clone()
    }
}

#[tokio::test]
async fn a_turn_passes_through_tls_whose_authority_is_configured() {
    let mock = Mock::start(Script::with_audio()).await;
    let front = TlsFront::start(&mock).await;
    let trusted = format!("tls_ca_file = {:?}", front.certificate.path());
    let gateway = Config::for_url(&front.url).backend(&trusted).start().await;
    let mut client = gateway.connect().await;
    client.open_s().await;
    client.inject("Hello").await;
    client.expect_spoken("assistant", s(5)).await;
}

#[tokio::test]
async fn an_upstream_that_nobody_vouches_for_is_not_spoken_to() {
    let mock = Mock::start(Script::default()).await;
    let front = TlsFront::start(&mock).await;
    let gateway = Config::for_url(&front.url).start().await;
    let client = gateway.connect().await;
    let error = client.expect_error("upstream_unreachable", s(5)).await;
    assert!(error["description"].as_str().is_some_and(|text| text.contains("certificate")), "{error}");
    assert!(mock.upgrades().is_empty());
}

/// Each worker dials by itself, and a new connection is the next worker's.
#[tokio::test]
async fn a_tls_session_is_resumed_by_every_worker_and_after_a_reload() {
    let mock = Mock::start(Script::default()).await;
    let front = TlsFront::start(&mock).await;
    let trusted = format!("tls_ca_file = {:?}", front.certificate.path());
    let gateway = Config::for_url(&front.url).backend(&trusted).section("workers = 2").start().await;
    let open = async || gateway.connect().await.open_s().await;
    for _ in 0..4 {
        open().await;
    }
    let first = [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed, HandshakeKind::Resumed];
    assert_eq!(front.handshakes(), first);
    gateway.reload_with(|toml| toml.replace("test-key-1", "test-key-2")).await;
    gateway.expect_log(&["INFO", r#"configuration reloaded changes="backends changed: openai"#], s(1)).await;
    for _ in 0..2 {
        open().await;
    }
    assert_eq!(front.handshakes()[4..], [HandshakeKind::Resumed; 2]);
}
