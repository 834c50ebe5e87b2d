//! Dials a backend: its address, its key, and how often.

use std::time::Duration;

use actix_codec::Framed;
use actix_http::ws::Codec;
use awc::{
    BoxedSocket, Client,
    error::{ConnectError, SendRequestError, WsClientError},
};

use crate::{
    config::{AuthHeader, Backend},
    gate::UpstreamError,
    websocket::websocket_client,
};

/// An upgraded connection, still in the hands of awc's codec.
pub(super) type Upgraded = Framed<BoxedSocket, Codec>;

/// The pause before a server is dialled again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Dials one backend.
pub struct Dialer {
    client: Client,
    url: String,
    headers: Vec<(String, String)>,
    timeout: Duration,
    attempts: u32,
    speaks_beta: bool,
}

impl Dialer {
    /// A dialer for `backend`, whose address is `url` (with scheme, path and query).
    pub fn new(backend: &Backend, url: String) -> Self {
        let key = backend.api_key.as_ref().map(|key| match backend.auth_header {
            AuthHeader::Bearer => ("authorization".to_owned(), format!("Bearer {}", key.expose())),
            AuthHeader::ApiKey => ("api-key".to_owned(), key.expose().to_owned()),
        });
        let own = backend.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        let authorities = backend.tls_ca.as_ref().map_or(&[][..], |ca| &ca.certificates);
        Self {
            client: websocket_client(backend.connect_timeout, authorities),
            url,
            headers: key.into_iter().chain(own).collect(),
            timeout: backend.connect_timeout,
            attempts: backend.dial_attempts,
            speaks_beta: backend.speaks_beta(),
        }
    }

    /// Whether the server takes events in the shape of the beta API.
    pub(super) fn speaks_beta(&self) -> bool {
        self.speaks_beta
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
