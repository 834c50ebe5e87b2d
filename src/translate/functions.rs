//! Functions that the gateway runs: what is offered to the model on the operator's behalf, and the endpoints
//! that a client may name. Knows neither sockets nor what a call is.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};
use url::Url;

use super::settings::warning;
use crate::{
    config::{Backend, FunctionCalls, Functions, Route, Tool, is_header_name, is_header_value},
    protocol::{
        agent::{self, Function, Notice},
        realtime, shorten,
    },
};

/// Where a client's Settings has one of its functions run, once the configuration has been found to allow it.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// An http or https URL whose host is on `functions.allowed_endpoint_hosts`, without user name, password
    /// or fragment. What its name resolves to has yet to be judged.
    pub url: Url,
    /// Further headers of the request, none that the gateway sets itself, each fit for HTTP. Values may be
    /// secrets: they are never printed.
    pub headers: Vec<(String, String)>,
}

impl Endpoint {
    /// What it takes, about, bytes.
    pub fn bytes(&self) -> usize {
        let headers =
            self.headers.iter().map(|(name, value)| name.len() + value.len() + size_of::<[String; 2]>());
        size_of::<Self>() + self.url.as_str().len() + headers.sum::<usize>()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}, {} headers)", self.url.origin().ascii_serialization(), self.headers.len())
    }
}

/// The endpoints among a client's functions, by name, and a Warning for each that is not allowed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Endpoints {
    pub(super) allowed: BTreeMap<String, Endpoint>,
    pub(super) warnings: Vec<Notice>,
}

/// Judges the endpoints of a client's functions, which are at `path`. A function that the operator has a route for
/// runs there, so that its endpoint says nothing.
pub(super) fn endpoints(functions: &[Function], path: &str, backend: &Backend) -> Endpoints {
    let FunctionCalls::Server(table) = &backend.function_calls else { return Endpoints::default() };
    let mut endpoints = Endpoints::default();
    let mut refused = 0;
    for (index, function) in functions.iter().enumerate() {
        let (Some(name), Some(wanted)) = (&function.name, &function.endpoint) else { continue };
        if table.route(name, Some(&backend.name)).is_some() {
            continue;
        }
        match endpoint(wanted, table) {
            Ok(endpoint) => _ = endpoints.allowed.insert(name.clone(), endpoint),
            Err(reason) => {
                refused += 1;
                if refused <= MOST_WARNINGS {
                    let reason = format!("{path}[{index}].endpoint {reason}; the client is called instead");
                    endpoints.warnings.push(warning("ENDPOINT_NOT_ALLOWED", shorten(reason)));
                }
            }
        }
    }
    if refused > MOST_WARNINGS {
        let reason = format!("{path}: {} further endpoints are not allowed", refused - MOST_WARNINGS);
        endpoints.warnings.push(warning("ENDPOINT_NOT_ALLOWED", shorten(reason)));
    }
    endpoints
}

/// Reasons repeat nothing of the URL but its host: the rest may hold a key.
fn endpoint(wanted: &agent::Endpoint, table: &Functions) -> Result<Endpoint, String> {
    let text = wanted.url.as_deref().ok_or("has no url")?;
    if text.len() > LONGEST_URL {
        return Err(format!("has a url of more than {LONGEST_URL} bytes"));
    }
    // The parser takes some of these away and others for slashes: what is called must be what one reads.
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err("has a url with a space, a control character or a backslash".to_owned());
    }
    let mut url = Url::parse(text).map_err(|_| "has a url that cannot be read")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("has a url that is neither http nor https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a url with a user name or password".to_owned());
    }
    if wanted.method.as_deref().is_some_and(|method| !method.eq_ignore_ascii_case("POST")) {
        return Err("has another method than POST".to_owned());
    }
    if !table.allows_endpoint(&url) {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        return Err(format!("names {host}{port}, which is not one of the allowed hosts"));
    }
    url.set_fragment(None);
    let headers = wanted.headers.as_ref().map_or(Ok(Vec::new()), headers)?;
    Ok(Endpoint { url, headers })
}

/// What of the client's headers goes with a request: all that the gateway does not set itself.
fn headers(given: &Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::new();
    let mut size = 0;
    for (name, value) in given {
        let Value::String(value) = value else { continue };
        if !is_header_name(name) || !is_header_value(value) {
            return Err("has a header that http cannot carry".to_owned());
        }
        if !Route::is_own_header(&name.to_ascii_lowercase()) {
            size += name.len() + value.len();
            headers.push((name.clone(), value.clone()));
        }
    }
    if headers.len() > MOST_HEADERS || size > LONGEST_HEADERS {
        return Err(format!("has more than {MOST_HEADERS} headers or {LONGEST_HEADERS} bytes of them"));
    }
    Ok(headers)
}

/// The tools of a session: what the client or the operator gave, then what is offered for the functions that run
/// here, which takes the place of a tool of the same name.
pub(super) fn with_offered(mut tools: Vec<realtime::Tool>, backend: &Backend) -> Vec<realtime::Tool> {
    if let FunctionCalls::Server(table) = &backend.function_calls {
        tools.retain(|tool| {
            !table.offered(&backend.name).any(|offered| tool.name.as_ref() == Some(&offered.name))
        });
        tools.extend(table.offered(&backend.name).map(tool));
    }
    tools
}

/// The operator's tools as the session has them.
pub(super) fn operator_tools(backend: &Backend) -> Vec<realtime::Tool> {
    backend.tools.iter().map(tool).collect()
}

fn tool(tool: &Tool) -> realtime::Tool {
    realtime::Tool {
        kind: Some("function".to_owned()),
        name: Some(tool.name.clone()),
        description: tool.description.clone(),
        parameters: Some(tool.parameters.clone()),
        ..Default::default()
    }
}

/// Further ones are told as a number: what one message asks for must not fill the client's budget.
const MOST_WARNINGS: usize = 16;
/// Bytes; what servers take as a rule.
const LONGEST_URL: usize = 4096;
/// What servers take as a rule.
const MOST_HEADERS: usize = 64;
/// Bytes of names and values together; what servers take as a rule.
const LONGEST_HEADERS: usize = 8192;
