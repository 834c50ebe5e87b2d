//! Functions that the gateway runs: what is offered to the model on the operator's behalf, and the endpoints
//! that a client may name. Knows neither sockets nor what a call is.

use url::Url;

/// Where a client's Settings has one of its functions run, once the configuration has been found to allow it.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// An http or https URL whose host is on `functions.allowed_endpoint_hosts`.
    pub url: Url,
    /// Further headers of the request. Values may be secrets: they are never printed.
    pub headers: Vec<(String, String)>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({}, {} headers)", self.url.origin().ascii_serialization(), self.headers.len())
    }
}
