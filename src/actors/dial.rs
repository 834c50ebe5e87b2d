//! Dials a backend: with its key, and how often.

use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use actix_codec::Framed;
use actix_http::ws::Codec;
use awc::{
    BoxedSocket, Client,
    error::{ConnectError, SendRequestError, WsClientError},
};
use rustls::ClientConfig;

use super::Destination;
use crate::{
    config::{AuthHeader, Backend, Scrubber},
    gate::UpstreamError,
    tls::client_config,
    websocket::{websocket_client, websocket_client_to},
};

/// Our own listener as we dial it ourselves, where it speaks TLS.
#[derive(Debug, Clone)]
pub struct OwnListener {
    /// Where it is. Its certificate may have any name.
    pub address: SocketAddr,
    /// What trusts its certificate.
    pub tls: Arc<ClientConfig>,
}

/// An upgraded connection.
pub(super) struct Upgraded {
    /// Still in the hands of awc's codec.
    pub(super) framed: Framed<BoxedSocket, Codec>,
    /// The server's own name for the connection, if it gave one: `dg-request-id`.
    pub(super) request_id: Option<String>,
}

/// How Deepgram names a connection in the answer to its upgrade. (Of an upgrade that is refused awc gives the status
/// alone.)
const REQUEST_ID: &str = "dg-request-id";

/// The pause before a server is dialled again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Dials one backend.
pub struct Dialer {
    client: Client,
    /// For our own listener, if that takes another one.
    own: Option<Client>,
    headers: Vec<(String, String)>,
    timeout: Duration,
    attempts: u32,
    speaks_beta: bool,
    scrubber: Rc<Scrubber>,
}

impl Dialer {
    /// A dialer for `backend`, which may be at our own listener.
    pub fn new(backend: &Backend, own: Option<&OwnListener>) -> Self {
        let header = |name: &str, value: String| Some((name.to_owned(), value));
        let key = backend.api_key.as_ref().and_then(|key| match backend.auth_header {
            AuthHeader::Bearer => header("authorization", format!("Bearer {}", key.expose())),
            AuthHeader::Token => header("authorization", format!("Token {}", key.expose())),
            AuthHeader::ApiKey => header("api-key", key.expose().to_owned()),
            AuthHeader::Subprotocol => header("sec-websocket-protocol", format!("token, {}", key.expose())),
        });
        let more = backend.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        let authorities = backend.tls_ca.as_ref().map_or(&[][..], |ca| &ca.certificates);
        let timeout = backend.connect_timeout;
        Self {
            client: websocket_client(timeout, client_config(authorities)),
            own: own.map(|own| websocket_client_to(own.address, timeout, Arc::clone(&own.tls))),
            headers: key.into_iter().chain(more).collect(),
            timeout,
            attempts: backend.dial_attempts,
            speaks_beta: backend.speaks_beta(),
            scrubber: Rc::new(Scrubber::of_backend(backend)),
        }
    }

    /// Whether the server takes events in the shape of the beta API.
    pub(super) fn speaks_beta(&self) -> bool {
        self.speaks_beta
    }

    /// Takes what the server was given of us out of what it says.
    pub(super) fn scrubber(&self) -> &Rc<Scrubber> {
        &self.scrubber
    }

    /// Dials until the upgrade succeeds or there is no point in going on: a server that answers has
    /// decided, one that does not may be there in a moment.
    pub(super) async fn dial(&self, destination: &Destination) -> Result<Upgraded, UpstreamError> {
        let mut attempt = 1;
        loop {
            let error = match self.dial_once(destination).await {
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

    async fn dial_once(&self, destination: &Destination) -> Result<Upgraded, UpstreamError> {
        let client = self.own.as_ref().filter(|_| destination.own).unwrap_or(&self.client);
        let mut request = client.ws(&destination.url);
        for (name, value) in &self.headers {
            request = request.set_header(name.as_str(), value.as_str());
        }
        match tokio::time::timeout(self.timeout, request.connect()).await {
            Err(_) => Err(UpstreamError::TimedOut),
            Ok(Ok((response, framed))) => {
                let request_id = response.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
                let request_id = request_id.map(|id| self.scrubber.scrub(id).into_owned());
                Ok(Upgraded { framed, request_id })
            }
            Ok(Err(error)) => Err(upstream_error(error, &self.scrubber)),
        }
    }
}

/// The server's answer is quoted in some of the errors.
fn upstream_error(error: WsClientError, scrubber: &Scrubber) -> UpstreamError {
    match error {
        WsClientError::InvalidResponseStatus(status) => UpstreamError::Status(status.as_u16()),
        WsClientError::SendRequest(
            SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout),
        ) => UpstreamError::TimedOut,
        other => UpstreamError::Unreachable(scrubber.scrub(&other.to_string()).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BackendUrl, Secret};

    #[test]
    fn an_error_that_quotes_the_server_quotes_no_key() {
        let mut backend = Backend::new("b", "/b", BackendUrl::SelfPath("/sim/openai".to_owned()));
        backend.api_key = Some(Secret::new("key-0123456789"));
        let error = std::io::Error::other("no such host: key-0123456789.example");
        let error = WsClientError::SendRequest(SendRequestError::Send(error));
        let UpstreamError::Unreachable(said) = upstream_error(error, &Scrubber::of_backend(&backend)) else {
            panic!("the server cannot be reached");
        };
        assert!(said.contains("no such host: ***.example"), "{said}");
    }
}
