//! One call to an application: where it is, how often it is asked, and what it said. Knows what may be sent
//! twice and which addresses may be called; nothing of turns and replies.

use std::{sync::Arc, time::Duration};

use log::Level;
use rustls::ClientConfig;
use tokio::time::{Instant, sleep};
use url::Url;
use uuid::Uuid;

use super::{
    Call, Failure, Outcome,
    address::may_be_called,
    answer::{Answer, outcome},
    connection::{Connection, Key},
    connections::{Connections, dial},
    failure::Cause,
    request,
};
use crate::{
    config::{Functions, Route, Scrubber, Target},
    dns::{Found, Resolver},
    logging::gateway_log,
    protocol::shorten,
    tls::client_config,
    translate::functions::Endpoint,
};

/// The pause before an application is asked again; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest of those pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What all executors know of the applications.
#[derive(Clone)]
pub(super) struct Applications {
    functions: Arc<Functions>,
    resolver: Resolver,
    /// Whom to trust: browsers' authorities first, then a route's own after its place among the routes.
    trust: Arc<[Arc<ClientConfig>]>,
}

/// An application, as one call needs it.
pub(super) struct Application<'a> {
    all: &'a Applications,
    route: &'a Route,
    url: &'a Url,
    /// Where in the table of [`Applications`] those stand whom it is verified against.
    trust: usize,
    /// Whether a client named it, and its addresses are therefore judged.
    is_clients: bool,
}

impl Applications {
    /// The applications of `functions`, found by `resolver`.
    pub(super) fn new(functions: Arc<Functions>, resolver: Resolver) -> Self {
        let of_route = |route: &Route| {
            client_config(route.tls_ca.as_ref().map_or(&[][..], |authorities| &authorities.certificates))
        };
        let trust =
            std::iter::once(client_config(&[])).chain(functions.routes.iter().map(of_route)).collect();
        Self { functions, resolver, trust }
    }

    /// The table of routes.
    pub(super) fn functions(&self) -> &Functions {
        &self.functions
    }
}

/// What an endpoint of a client's is as a route: every value at its default.
pub(super) fn route_to(endpoint: &Endpoint) -> Route {
    let mut route = Route::new(Vec::new(), Target::Url(endpoint.url.clone()));
    route.headers = endpoint.headers.iter().cloned().collect();
    route
}

impl<'a> Application<'a> {
    /// The one at `url`, which `route` of the table names.
    pub(super) fn of_route(all: &'a Applications, route: &'a Route, url: &'a Url) -> Self {
        let own = || all.functions.routes.iter().position(|other| std::ptr::eq(other, route));
        let trust = route.tls_ca.as_ref().and_then(|_| own()).map_or(0, |place| place + 1);
        Self { all, route, url, trust, is_clients: false }
    }

    /// The one at `url`, which `route`, made of an endpoint of a client's, names.
    pub(super) fn of_client(all: &'a Applications, route: &'a Route, url: &'a Url) -> Self {
        Self { all, route, url, trust: 0, is_clients: true }
    }

    /// Asks it to run `call`, again if it may be and is worth it, before `deadline`. What it quotes of the headers that it was sent is taken out
    /// of its answer.
    pub(super) async fn ask(&self, call: &Call, deadline: Instant, connections: &Connections) -> Outcome {
        let outcome = self.answered(call, deadline, connections).await;
        let scrubber = Scrubber::of_route(self.route);
        match outcome {
            Ok(content) => Ok(scrubber.scrub(&content).into_owned()),
            Err(failure) => Err(failure.map_text(|text| scrubber.scrub(text).into_owned())),
        }
    }

    async fn answered(&self, call: &Call, deadline: Instant, connections: &Connections) -> Outcome {
        let headers = self.route.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = request::encode(call, self.url, headers, &Uuid::new_v4().to_string());
        let mut retries = if self.route.idempotent { self.route.retries } else { 0 };
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.attempt(&request, connections).await.and_then(outcome) {
                Err(failure) if failure.is_passing() => failure,
                decided => return decided,
            };
            if retries == 0 || Instant::now() + pause >= deadline {
                return Err(failure);
            }
            let (function, id) = (shorten(call.name.clone()), shorten(call.id.to_string()));
            gateway_log!(Level::Debug, function = function, call = id, ..failure.fields(); "a function is tried again");
            retries -= 1;
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self, request: &[u8], connections: &Connections) -> Result<Answer, Failure> {
        loop {
            let connection = self.connection(connections).await?;
            let was_used = connection.is_used();
            match connection.exchange(request, self.route.max_response_bytes).await {
                Ok((answer, connection)) => {
                    if let Some(connection) = connection {
                        connections.keep(connection);
                    }
                    return Ok(answer);
                }
                // The server closed a connection that was kept, as it may: no attempt, if nothing can have been
                // run by it or may be run again.
                Err(trouble)
                    if was_used
                        && trouble.unanswered
                        && matches!(trouble.failure, Failure::Broken(_))
                        && (self.route.idempotent || trouble.unsent) => {}
                Err(trouble) => return Err(trouble.failure),
            }
        }
    }

    /// A connection to it, kept or new.
    async fn connection(&self, connections: &Connections) -> Result<Connection, Failure> {
        let host = self.url.host().expect("an http url has a host").to_owned();
        let port = self.url.port_or_known_default().expect("http and https have a port");
        let trust = (self.url.scheme() == "https").then_some(self.trust);
        let tls = trust.map(|place| Arc::clone(&self.all.trust[place]));
        let mut key = Key { host, port, trust, address: None };
        if !self.is_clients {
            if let Some(connection) = connections.take(&key).await {
                return Ok(connection);
            }
            let found = self.find(&key).await?;
            let connection = dial(&Arc::new(key), found.addresses(), tls).await?;
            found.reached();
            return Ok(connection);
        }
        // What the name stands for is asked once. The answer is judged, and nothing else is connected to.
        let found = self.find(&key).await?;
        let is_allowed = |address| may_be_called(address, &self.all.functions.allowed_endpoint_hosts);
        let addresses: Vec<_> =
            found.addresses().iter().copied().filter(|&address| is_allowed(address)).collect();
        let mut failure = Failure::AddressNotAllowed(Cause::new(&key, &"no address that may be called"));
        for address in addresses {
            key.address = Some(address);
            let connection = match connections.take(&key).await {
                Some(connection) => Ok(connection),
                None => dial(&Arc::new(key.clone()), &[address], tls.clone()).await,
            };
            match connection {
                Err(unreachable @ Failure::Unreachable(_)) => failure = unreachable,
                Ok(connection) => {
                    found.reached();
                    return Ok(connection);
                }
                decided => return decided,
            }
        }
        Err(failure)
    }

    async fn find(&self, key: &Key) -> Result<Found, Failure> {
        let found = self.all.resolver.find(&key.host.to_string(), key.port).await;
        found.map_err(|error| Failure::Unreachable(Cause::new(key, &error)))
    }
}
