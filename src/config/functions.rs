//! Function calls that the gateway runs itself: which, where, and within which bounds.
//! Knows the words of the configuration, but not how they are read, printed or carried out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use serde_json::{Value, json};
use url::{Host, Url};

use super::{TlsCa, Tool, address, show};

/// Function calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Functions {
    /// How long a client may take to answer a call that it was handed.
    pub client_timeout: Duration,
    /// Calls that run at the same time, over all sessions; at least 1.
    pub max_concurrent: usize,
    /// Calls that wait for one of those places; over it a call is refused at once.
    pub max_queued: usize,
    /// Hosts that an endpoint in a client's Settings may name. A private, loopback or link-local address is
    /// called only if it stands here literally.
    pub allowed_endpoint_hosts: Vec<EndpointHost>,
    /// What is run, and where. No name stands twice for one backend, nor for all; a built-in function that has no
    /// route for all in the file has one here nevertheless.
    pub routes: Vec<Route>,
}

/// A host, and its port if only that one is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointHost {
    /// Name or address.
    pub host: Host,
    /// The one port that is allowed; any where there is none.
    pub port: Option<u16>,
}

/// Where the functions of some names are run. `Debug` prints what `voxbridge check` prints: no secret.
#[derive(Clone, PartialEq)]
pub struct Route {
    /// The functions' names; `*` alone stands for every name that no other route has.
    pub names: Vec<String>,
    /// The backends whose calls it runs; none: those of every backend.
    pub backends: Vec<String>,
    /// What runs them.
    pub target: Target,
    /// For all attempts together, waiting for a place included.
    pub timeout: Duration,
    /// Further headers of the request. Values may be secrets: they are never printed.
    pub headers: BTreeMap<String, String>,
    /// Whether running a call twice does what running it once does.
    pub idempotent: bool,
    /// Further attempts; 0 unless `idempotent`.
    pub retries: u32,
    /// The longest answer that is taken, bytes.
    pub max_response_bytes: usize,
    /// Authorities that vouch for the application, besides those that browsers trust.
    pub tls_ca: Option<TlsCa>,
    /// How the function is offered to the model without the client's doing, if it is; then `names` is its name.
    pub offer: Option<Tool>,
}

/// What runs a function. `Debug` hides values of the URL's query that look like keys.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// An application: `POST {id, name, arguments}` to this http or https URL.
    Url(Url),
    /// The gateway itself.
    BuiltIn(BuiltIn),
}

/// A function that the gateway brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// `get_current_time {timezone?}`.
    GetCurrentTime,
}

/// What a function may take where nothing else is said, and always at a client's endpoint.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer of a function where nothing else is said, and always at a client's endpoint, bytes.
pub const DEFAULT_RESPONSE_BYTES: usize = 256 * 1024;

impl Functions {
    /// The route that runs the function of this name for this backend: its own, else that of `*`, and among
    /// those the one that names the backend. A call that comes without a backend has the routes of all backends.
    pub fn route(&self, name: &str, backend: Option<&str>) -> Option<&Route> {
        let of = |wanted: &str| {
            let named = self.routes.iter().filter(|route| route.names.iter().any(|own| own == wanted));
            named.filter(|route| route.serves(backend)).max_by_key(|route| !route.backends.is_empty())
        };
        of(name).or_else(|| of(Route::ANY))
    }

    /// What is offered to this backend's model without the client's doing: a function whose route for all has
    /// given way to the backend's own only if that one offers it.
    pub fn offered(&self, backend: &str) -> impl Iterator<Item = &Tool> {
        let offers = self.routes.iter().filter_map(|route| Some((route, route.offer.as_ref()?)));
        let in_force = move |route, tool: &Tool| {
            self.route(&tool.name, Some(backend)).is_some_and(|own| std::ptr::eq(own, route))
        };
        offers.filter(move |(route, tool)| in_force(*route, tool)).map(|(_, tool)| tool)
    }

    /// What is left for this backend of somebody who may have these functions run and no others: their routes, each
    /// by its own name, and no endpoints of a client's choice.
    pub fn only(&self, names: &BTreeSet<String>, backend: &str) -> Self {
        let own = |name: &String| {
            let route = self.route(name, Some(backend))?;
            let offer = route.offer.clone().filter(|tool| tool.name == *name);
            Some(Route { names: vec![name.clone()], backends: Vec::new(), offer, ..route.clone() })
        };
        Self {
            allowed_endpoint_hosts: Vec::new(),
            // No function is called like that, and a token means functions.
            routes: names.iter().filter(|name| *name != Route::ANY).filter_map(own).collect(),
            ..self.clone()
        }
    }

    /// Whether a client may name an endpoint at this URL: its host stands in the list, with this port or
    /// with none. The scheme is not looked at.
    pub fn allows_endpoint(&self, url: &Url) -> bool {
        self.allowed_endpoint_hosts.iter().any(|allowed| allowed.is_of(url))
    }
}

impl EndpointHost {
    fn is_of(&self, url: &Url) -> bool {
        url.host().is_some_and(|host| host.to_owned() == self.host)
            && self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
    }
}

impl fmt::Display for EndpointHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

impl Route {
    /// The name that stands for every one that no other route has.
    pub const ANY: &str = "*";

    /// A route with every other value at its default.
    pub fn new(names: Vec<String>, target: Target) -> Self {
        Self {
            names,
            backends: Vec::new(),
            target,
            timeout: DEFAULT_TIMEOUT,
            headers: BTreeMap::new(),
            idempotent: false,
            retries: 0,
            max_response_bytes: DEFAULT_RESPONSE_BYTES,
            tls_ca: None,
            offer: None,
        }
    }

    fn serves(&self, backend: Option<&str>) -> bool {
        self.backends.is_empty() || backend.is_some_and(|name| self.backends.iter().any(|own| own == name))
    }

    /// Whether a call's request has this header, a lower-case name, from the gateway alone, so that neither the
    /// configuration nor a client can set it: what belongs to the connection, to the body and to the call.
    pub fn is_own_header(name: &str) -> bool {
        OWN_HEADERS.contains(&name) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show::route(self))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{}", address::Shown(url.as_str())),
            Self::BuiltIn(built_in) => write!(f, "{built_in:?}"),
        }
    }
}

impl BuiltIn {
    /// Every one.
    pub const ALL: [Self; 1] = [Self::GetCurrentTime];

    /// The function's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetCurrentTime => "get_current_time",
        }
    }

    /// JSON Schema of its arguments, its keys in alphabetical order.
    pub fn parameters(self) -> Value {
        match self {
            Self::GetCurrentTime => json!({
                "properties": {
                    "timezone": { "description": "IANA time zone, such as Europe/Berlin", "type": "string" },
                },
                "type": "object",
            }),
        }
    }
}

impl Default for Functions {
    fn default() -> Self {
        Self {
            client_timeout: Duration::from_secs(60),
            max_concurrent: 64,
            max_queued: 256,
            allowed_endpoint_hosts: Vec::new(),
            routes: unnamed_built_ins(&[]).collect(),
        }
    }
}

/// The routes of the built-in functions that none of `routes` has for all backends.
pub(super) fn unnamed_built_ins(routes: &[Route]) -> impl Iterator<Item = Route> {
    let is_of_all = |route: &&Route| route.backends.is_empty();
    let has = |route: &Route, built_in: &BuiltIn| route.names.iter().any(|name| name == built_in.name());
    let unnamed =
        move |built_in: &BuiltIn| !routes.iter().filter(is_of_all).any(|route| has(route, built_in));
    let route = |built_in: BuiltIn| Route::new(vec![built_in.name().to_owned()], Target::BuiltIn(built_in));
    BuiltIn::ALL.into_iter().filter(unnamed).map(route)
}

const OWN_HEADERS: [&str; 13] = [
    "accept-encoding",
    "connection",
    "expect",
    "host",
    "http2-settings",
    "idempotency-key",
    "keep-alive",
    "te",
    "traceparent",
    "x-trace-id",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const OWN_PREFIXES: [&str; 2] = ["content-", "proxy-"];
