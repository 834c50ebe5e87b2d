//! Dials WebSocket servers: verified TLS, small frames sent at once, no redirects.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_codec::Framed;
use actix_http::ws::Codec;
use actix_tls::connect::{ConnectError as TcpError, ConnectInfo, Connection, Connector as TcpConnector};
use actix_web::dev::{Service, fn_service};
use awc::{
    BoxedSocket, Client, Connector,
    error::{ConnectError, SendRequestError, WsClientError},
    http::{Uri, Version},
};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;

use crate::{
    config::{AuthHeader, Backend},
    gate::UpstreamError,
};

/// An upgraded connection, still in the hands of awc's codec.
pub(super) type Upgraded = Framed<BoxedSocket, Codec>;

/// The pause before a server is dialled again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

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

/// Dials one backend.
pub struct Dialer {
    client: Client,
    url: String,
    headers: Vec<(String, String)>,
    timeout: Duration,
    attempts: u32,
}

impl Dialer {
    /// A dialer for `backend`, whose address is `url` (with scheme, path and query).
    pub fn new(backend: &Backend, url: String) -> Self {
        let key = backend.api_key.as_ref().map(|key| match backend.auth_header {
            AuthHeader::Bearer => ("authorization".to_owned(), format!("Bearer {}", key.expose())),
            AuthHeader::ApiKey => ("api-key".to_owned(), key.expose().to_owned()),
        });
        let own = backend.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        Self {
            client: websocket_client(backend.connect_timeout),
            url,
            headers: key.into_iter().chain(own).collect(),
            timeout: backend.connect_timeout,
            attempts: backend.dial_attempts,
        }
    }

    /// Dials until the upgrade succeeds or there is no point in going on: a server that answers has
    /// decided, one that does not may be there in a moment.
    pub(super) async fn dial(&self) -> Result<Upgraded, UpstreamError> {
        let mut attempt = 1;
        loop {
            let error = match self.dial_once().await {
                Ok(upgraded) => return Ok(upgraded),
                Err(error) => error,
            };
            let hopeless = matches!(error, UpstreamError::Status(_));
            if hopeless || attempt >= self.attempts {
                return Err(error);
            }
            attempt += 1;
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn dial_once(&self) -> Result<Upgraded, UpstreamError> {
        let mut request = self.client.ws(self.url.as_str());
        for (name, value) in &self.headers {
            request = request.set_header(name.as_str(), value.as_str());
        }
        match tokio::time::timeout(self.timeout, request.connect()).await {
            Err(_) => Err(UpstreamError::TimedOut),
            Ok(Ok((_, upgraded))) => Ok(upgraded),
            Ok(Err(error)) => Err(upstream_error(error)),
        }
    }
}

fn upstream_error(error: WsClientError) -> UpstreamError {
    match error {
        WsClientError::InvalidResponseStatus(status) => UpstreamError::Status(status.as_u16()),
        WsClientError::SendRequest(
            SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout),
        ) => UpstreamError::TimedOut,
        other => UpstreamError::Unreachable(other.to_string()),
    }
}
