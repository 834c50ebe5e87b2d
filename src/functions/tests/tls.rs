//! Whom an application has to prove itself to.

use std::{io::Write, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};

use super::{
    SUNNY, pool, route, run,
    server::{Server, answer, read_request},
    sunny,
};
use crate::config::{Route, TlsCa};

/// An authority, and what makes a server that it vouches for.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// What trusts it.
    fn tls_ca(&self) -> Option<TlsCa> {
        Some(TlsCa { file: "ca.pem".to_owned(), certificates: vec![self.0.der().clone()] })
    }

    /// A server that proves to be `name`, and answers the requests of a connection with each of `texts` in turn,
    /// over and over.
    fn server(&self, name: &str, texts: Vec<String>) -> Server {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the default versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .expect("a server configuration");
        let config = Arc::new(config);
        Server::start(move |peer| {
            let (socket, mut note) = peer.into_parts();
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = StreamOwned::new(connection, socket);
            for text in texts.iter().cycle() {
                let Some((head, body)) = read_request(&mut stream) else { return };
                note(head, body);
                // The client may have gone.
                let _ = stream.write_all(text.as_bytes());
                let _ = stream.flush();
            }
        })
    }
}

fn secure(server: &Server, host: &str, tls_ca: Option<TlsCa>) -> Route {
    let mut route = route(format!("https://{host}:{}/run", server.address.port()).parse().expect("a url"));
    route.tls_ca = tls_ca;
    route
}

#[actix_web::test]
async fn who_is_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let untrusted = || Err("the function's server could not prove who it is".to_owned());
    for (name, host, trusted, expected) in [
        ("localhost", "localhost", Some(&authority), sunny()),
        ("127.0.0.1", "127.0.0.1", Some(&authority), sunny()),
        ("app.example", "localhost", Some(&authority), untrusted()),
        ("localhost", "127.0.0.1", Some(&authority), untrusted()),
        ("localhost", "localhost", Some(&other), untrusted()),
        ("localhost", "localhost", None, untrusted()),
    ] {
        let server = authority.server(name, vec![answer("200 OK", SUNNY)]);
        let mut route = secure(&server, host, trusted.and_then(Authority::tls_ca));
        // An identity that cannot be proved is no matter of another attempt.
        (route.idempotent, route.retries) = (true, 3);
        let pool = pool(vec![route]);
        assert_eq!(run(&pool).await, expected, "{name} {host}");
        assert_eq!(
            (server.requests(), server.connections()),
            (usize::from(expected.is_ok()), 1),
            "{name} {host}"
        );
    }
}

#[actix_web::test]
async fn a_connection_of_tls_is_used_again_unless_more_comes_than_an_answer() {
    let authority = Authority::new();
    let clean = answer("200 OK", SUNNY);
    let more = answer("200 OK", r#"{"content":"another's"}"#);
    // As long as what is read at once, so that the rest waits within TLS, of which the kernel knows nothing.
    let length = 8192 - answer("200 OK", &" ".repeat(8000)).len() + 8000;
    let long = answer("200 OK", &format!("{SUNNY:length$}"));
    assert_eq!(long.len(), 8192);
    for (third, connections) in
        [(clean.clone(), 1), (format!("{clean}{more}"), 4), (format!("{long}{more}"), 4)]
    {
        let server = authority.server("localhost", vec![clean.clone(), clean.clone(), third]);
        let pool = pool(vec![secure(&server, "localhost", authority.tls_ca())]);
        for _ in 0..12 {
            assert_eq!(run(&pool).await, sunny());
        }
        assert_eq!((server.requests(), server.connections()), (12, connections));
    }
}

#[actix_web::test]
async fn routes_that_trust_differently_share_no_connection() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.server("localhost", vec![answer("200 OK", SUNNY)]);
    let mut trusting = secure(&server, "localhost", authority.tls_ca());
    trusting.names = vec!["look_up".to_owned()];
    let pool = pool(vec![trusting, secure(&server, "localhost", other.tls_ca())]);
    assert_eq!(run(&pool).await, sunny());
    let strangers = super::Call { name: "another".to_owned(), ..super::call() };
    let untrusted = "the function's server could not prove who it is";
    assert_eq!(super::told(&pool, strangers).await, Err(untrusted.to_owned()));
    assert_eq!((server.requests(), server.connections()), (1, 2));
}

#[actix_web::test]
async fn no_tls_at_the_other_end() {
    let server = Server::start(|mut peer| {
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        peer.until_closed();
    });
    let pool = pool(vec![secure(&server, "localhost", None)]);
    assert_eq!(run(&pool).await, Err("the function cannot be reached".to_owned()));
}
