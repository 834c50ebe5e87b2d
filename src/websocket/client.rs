//! A client for WebSocket upgrades: verified TLS, small frames sent at once, no redirects.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_tls::connect::{ConnectError as TcpError, ConnectInfo, Connection, Connector as TcpConnector};
use actix_web::dev::{Service, fn_service};
use awc::{Client, Connector, http::Uri};
use rustls::ClientConfig;
use tokio::net::TcpStream;

use super::socket::tuned;

/// A client for WebSocket upgrades. `timeout` bounds each step of a dial; `tls` says who is trusted.
pub fn websocket_client(timeout: Duration, tls: Arc<ClientConfig>) -> Client {
    client(timeout, tls, None)
}

/// The same, for one server: it is dialled at `address`, whatever host a URL has.
pub fn websocket_client_to(address: SocketAddr, timeout: Duration, tls: Arc<ClientConfig>) -> Client {
    client(timeout, tls, Some(address))
}

fn client(timeout: Duration, tls: Arc<ClientConfig>, address: Option<SocketAddr>) -> Client {
    let tcp = TcpConnector::default().service();
    let connector = fn_service(move |target: ConnectInfo<Uri>| {
        let tcp = tcp.clone();
        let target = if address.is_some() { target.set_addr(address) } else { target };
        async move {
            let connection: Connection<Uri, TcpStream> = tcp.call(target).await?;
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
    use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
    use tokio::net::TcpListener;
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
}
