//! A client for WebSocket upgrades: verified TLS, small frames sent at once, no redirects.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_tls::connect::{ConnectError as TcpError, ConnectInfo, Connection, Connector as TcpConnector};
use actix_web::dev::{Service, fn_service};
use awc::{
    Client, Connector,
    http::{Uri, Version},
};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;

/// A client for WebSocket upgrades. `timeout` bounds each step of a dial; certificates are verified
/// against the roots that browsers trust.
pub fn websocket_client(timeout: Duration) -> Client {
    let tcp = TcpConnector::default().service();
    let connector = fn_service(move |target: ConnectInfo<Uri>| {
        let tcp = tcp.clone();
        async move {
            let connection: Connection<Uri, TcpStream> = tcp.call(target).await?;
            // Audio goes in small frames; none may wait for the acknowledgement of the one before.
            connection.io_ref().set_nodelay(true).map_err(TcpError::Io)?;
            Ok(connection)
        }
    });
    let connector = Connector::new()
        .connector(connector)
        .rustls_0_23(tls_config())
        .max_http_version(Version::HTTP_11)
        .timeout(timeout)
        .handshake_timeout(timeout)
        .limit(0);
    Client::builder().connector(connector).disable_redirects().disable_timeout().finish()
}

/// One TLS configuration for the process, so that sessions to the same server are resumed.
fn tls_config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    });
    Arc::clone(config)
}
