//! A client for WebSocket upgrades: verified TLS, small frames sent at once, no redirects.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_tls::connect::{ConnectError as TcpError, ConnectInfo, Connection, tcp::TcpConnector};
use actix_web::dev::{Service, fn_service};
use awc::{Client, Connector, http::Uri};
use rustls::ClientConfig;
use tokio::net::TcpStream;

use super::socket::tuned;
use crate::dns::Resolver;

/// A client for WebSocket upgrades. `timeout` bounds each step of a dial; `tls` says who is trusted.
pub fn websocket_client(timeout: Duration, tls: Arc<ClientConfig>) -> Client {
    client(timeout, tls, Place::Named(Resolver::system()))
}

/// The same, for one server: it is dialled at `address`, whatever host a URL has.
pub fn websocket_client_to(address: SocketAddr, timeout: Duration, tls: Arc<ClientConfig>) -> Client {
    client(timeout, tls, Place::Fixed(address))
}

/// Where a URL leads.
#[derive(Clone)]
enum Place {
    /// To its host.
    Named(Resolver),
    /// Here, whatever its host.
    Fixed(SocketAddr),
}

fn client(timeout: Duration, tls: Arc<ClientConfig>, place: Place) -> Client {
    let tcp = TcpConnector::default().service();
    let connector = fn_service(move |target: ConnectInfo<Uri>| {
        let place = place.clone();
        async move {
            let connection: Connection<Uri, TcpStream> = match place {
                Place::Fixed(address) => tcp.call(target.set_addr(address)).await?,
                Place::Named(resolver) => {
                    let found = resolver.find(target.hostname(), target.port()).await;
                    let found = found.map_err(|error| TcpError::Resolver(Box::new(error)))?;
                    if found.addresses().is_empty() {
                        return Err(TcpError::NoRecords);
                    }
                    let addresses = found.addresses().to_vec();
                    let connection = tcp.call(target.set_addrs(addresses)).await?;
                    found.reached();
                    connection
                }
            };
            tuned(connection.io_ref()).map_err(TcpError::Io)?;
            Ok(connection)
        }
    });
    let connector = Connector::new()
        .connector(connector)
        .rustls_0_23(tls)
        .timeout(timeout)
        .handshake_timeout(timeout)
        .limit(0);
    Client::builder().connector(connector).disable_redirects().disable_timeout().finish()
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
    use tokio::{net::TcpListener, time::timeout};
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::tls::client_config;

    /// A TLS server whose certificate nobody has signed; it says which protocols it was offered.
    async fn self_signed() -> (u16, tokio::task::JoinHandle<Option<Vec<u8>>>) {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the default versions")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key.into())
            .expect("a server configuration");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = actix_web::rt::spawn(async move {
            let (socket, _) = listener.accept().await.expect("a connection");
            let start =
                tokio_rustls::LazyConfigAcceptor::new(Default::default(), socket).await.expect("a hello");
            let offered =
                start.client_hello().alpn().map(|mut names| names.next().unwrap_or_default().to_vec());
            // The client hangs up here; how that shows is not this test's affair.
            let _ = start.into_stream(acceptor.config().clone()).await;
            offered
        });
        (port, server)
    }

    #[actix_web::test]
    async fn a_certificate_that_nobody_signed_is_refused_and_http_1_is_offered() {
        let (port, server) = self_signed().await;
        let url = format!("wss://localhost:{port}/");
        let refused = websocket_client(Duration::from_secs(5), client_config(&[])).ws(url).connect().await;
        let reason = refused.err().expect("no connection").to_string();
        assert!(reason.contains("certificate"), "{reason}");
        assert_eq!(server.await.expect("the server's task"), Some(b"http/1.1".to_vec()));
    }

    /// One of ours where nobody listens.
    const DEAF: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

    /// A resolver with these addresses for every name, and how often it was asked.
    fn resolver(addresses: &'static [Ipv4Addr]) -> (Resolver, Arc<AtomicUsize>) {
        let asked = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&asked);
        let resolver = Resolver::new(Duration::from_secs(3600), move |_, port| {
            count.fetch_add(1, Ordering::SeqCst);
            async move { Ok(addresses.iter().map(|ip| SocketAddr::from((*ip, port))).collect()) }
        });
        (resolver, asked)
    }

    /// A dial of somebody who hangs up at once.
    async fn dialled(client: &Client, port: u16) -> String {
        let refused = client.ws(format!("ws://name.example:{port}/")).connect().await;
        refused.err().expect("no upgrade").to_string()
    }

    #[actix_web::test]
    async fn one_look_up_is_for_many_dials_until_no_address_takes_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (resolver, asked) = resolver(&[DEAF, Ipv4Addr::LOCALHOST]);
        let client = client(Duration::from_secs(5), client_config(&[]), Place::Named(resolver));
        for _ in 0..3 {
            let (_, accepted) =
                tokio::join!(dialled(&client, port), async { listener.accept().await.map(drop) });
            accepted.expect("the second address is tried");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        drop(listener);
        for looked_up in [1, 2] {
            let error = dialled(&client, port).await;
            assert!(error.contains("refused"), "{error}");
            assert_eq!(asked.load(Ordering::SeqCst), looked_up, "the answer was kept, and then another one");
        }
    }

    #[actix_web::test]
    async fn a_dial_that_is_given_up_forgets_its_answer() {
        let (resolver, asked) = resolver(&[Ipv4Addr::LOCALHOST]);
        // With its queue full, the system answers no further connection.
        let listener = tokio::net::TcpSocket::new_v4().expect("a socket");
        listener.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let listener = listener.listen(0).expect("a queue");
        let address = listener.local_addr().expect("an address");
        let mut queue = Vec::new();
        while let Ok(connection) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
            queue.push(connection.expect("a place in the queue"));
        }
        let client = client(Duration::from_millis(100), client_config(&[]), Place::Named(resolver));
        for looked_up in [1, 2] {
            let error = dialled(&client, address.port()).await;
            assert!(error.contains("imeout"), "{error}");
            assert_eq!(asked.load(Ordering::SeqCst), looked_up);
        }
    }

    #[actix_web::test]
    async fn a_name_without_addresses_and_one_that_cannot_be_looked_up() {
        let client = |resolver| client(Duration::from_secs(5), client_config(&[]), Place::Named(resolver));
        let error = dialled(&client(resolver(&[]).0), 80).await;
        assert!(error.contains("No DNS records"), "{error}");
        let resolver = Resolver::new(Duration::ZERO, async |_, _| Err(std::io::Error::other("no such name")));
        let error = dialled(&client(resolver), 80).await;
        assert!(error.contains("hostname"), "{error}");
    }
}
