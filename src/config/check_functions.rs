//! `[functions]` and its routes: which functions the gateway runs, where, and what of it the model is offered.
//! Knows no more of backends than their names and whether they use anything of this.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use url::Url;

use super::check_request::{headers, tls_ca};
use super::check_tools::{FUNCTION_NAME, is_function_name, no_parameters, parameters};
use super::error::ConfigError;
use super::raw::{RawFunctions, RawRoute};
use super::reader::Reader;
use super::{
    Backend, BuiltIn, EndpointHost, FunctionCalls, Functions, Route, Target, Tool, address, functions,
};

/// Checks the whole section. The environment is where `${NAME}` is looked up.
pub(super) fn functions(
    raw: &RawFunctions,
    reader: &Reader<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Functions, ConfigError> {
    let default = Functions::default();
    Ok(Functions {
        client_timeout: reader.millis(&raw.client_timeout_ms, "client_timeout_ms", default.client_timeout)?,
        max_concurrent: reader.integer(
            &raw.max_concurrent,
            "max_concurrent",
            1..=10_000,
            default.max_concurrent,
        )?,
        max_queued: reader.integer(&raw.max_queued, "max_queued", 0..=100_000, default.max_queued)?,
        allowed_endpoint_hosts: endpoint_hosts(raw, reader)?,
        routes: routes(&raw.route, reader, environment)?,
    })
}

fn endpoint_hosts(raw: &RawFunctions, reader: &Reader<'_>) -> Result<Vec<EndpointHost>, ConfigError> {
    const KEY: &str = "allowed_endpoint_hosts";
    let entries = reader.list(&raw.allowed_endpoint_hosts, KEY)?;
    let host = |(index, text): (usize, &String)| {
        let reason = "must be like \"example.com\", \"example.com:8443\" or \"[fd00::1]:8443\"";
        address::endpoint_host(text).ok_or_else(|| reader.error(&format!("{KEY}[{index}]"), reason))
    };
    entries.iter().enumerate().map(host).collect()
}

fn routes(
    raw: &[RawRoute],
    functions: &Reader<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<Route>, ConfigError> {
    let mut routes: Vec<Route> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        let reader = functions.inside(&format!("route[{index}]"));
        let route = route(raw, names(raw, &reader)?, &reader, environment)?;
        for (place, name) in route.names.iter().enumerate() {
            for (index, earlier) in routes.iter().enumerate().filter(|(_, r)| r.names.contains(name)) {
                let earlier_key = functions.key(&format!("route[{index}]"));
                let shared = route.backends.iter().find(|backend| earlier.backends.contains(backend));
                let whose = match shared {
                    Some(backend) => format!(", for backend \"{backend}\""),
                    None if route.backends.is_empty() && earlier.backends.is_empty() => String::new(),
                    None => continue,
                };
                let reason = format!("\"{name}\" is a name of {earlier_key} as well{whose}");
                return Err(reader.error(&format!("names[{place}]"), reason));
            }
        }
        routes.push(route);
    }
    let built_in: Vec<_> = functions::unnamed_built_ins(&routes).collect();
    routes.extend(built_in);
    Ok(routes)
}

/// Checks that the backends that routes name are there, and answers with a warning for each that has the client run
/// all functions.
pub(super) fn routed_backends(
    functions: &Functions,
    reader: &Reader<'_>,
    backends: &[Backend],
) -> Result<Vec<String>, ConfigError> {
    let mut warnings = Vec::new();
    for (index, route) in functions.routes.iter().enumerate() {
        let reader = reader.inside(&format!("route[{index}]"));
        for (place, name) in route.backends.iter().enumerate() {
            let key = format!("backends[{place}]");
            let Some(backend) = backends.iter().find(|backend| backend.name == *name) else {
                return Err(reader.error(&key, format!("no backend is named \"{name}\"")));
            };
            if backend.function_calls == FunctionCalls::Client {
                let reason = "has function_calls = \"client\", so nothing runs here for it";
                warnings.push(format!("{}: backend \"{name}\" {reason}", reader.key(&key)));
            }
        }
    }
    Ok(warnings)
}

/// The backends that a route is for; none if it is for all.
fn backends(raw: &RawRoute, reader: &Reader<'_>) -> Result<Vec<String>, ConfigError> {
    let names = reader.list(&raw.backends, "backends")?;
    if raw.backends.is_some() && names.is_empty() {
        return Err(reader.error("backends", "must not be empty; without it the route is for every backend"));
    }
    for (place, name) in names.iter().enumerate() {
        if names[..place].contains(name) {
            return Err(reader.error(&format!("backends[{place}]"), format!("\"{name}\" stands here twice")));
        }
    }
    Ok(names)
}

fn names(raw: &RawRoute, reader: &Reader<'_>) -> Result<Vec<String>, ConfigError> {
    let names = reader.list(&raw.names, "names")?;
    if names.is_empty() {
        let reason = if raw.names.is_none() { "missing" } else { "must not be empty" };
        return Err(reader.error("names", reason));
    }
    let mut known = BTreeSet::new();
    for (place, name) in names.iter().enumerate() {
        let key = format!("names[{place}]");
        if name != Route::ANY && !is_function_name(name) {
            return Err(reader.error(&key, format!("must be {FUNCTION_NAME}, or \"*\"")));
        }
        if !known.insert(name) {
            return Err(reader.error(&key, format!("\"{name}\" stands here twice")));
        }
        if name == Route::ANY && names.len() > 1 {
            return Err(reader.error(&key, "\"*\" must stand alone"));
        }
    }
    Ok(names)
}

fn route(
    raw: &RawRoute,
    names: Vec<String>,
    reader: &Reader<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Route, ConfigError> {
    let target = target(raw, &names, reader)?;
    let offer = offer(raw, &names, &target, reader)?;
    let default = Route::new(names, target);
    let timeout = reader.optional_integer(&raw.timeout_ms, "timeout_ms", 1..=600_000)?;
    let idempotent = reader.flag(&raw.idempotent, "idempotent", default.idempotent)?;
    let retries = reader.integer(&raw.retries, "retries", 0..=10, default.retries)?;
    if retries > 0 && !idempotent {
        return Err(reader.error("retries", "needs idempotent = true: a call may then be run more than once"));
    }
    let own = |header: &str| Route::is_own_header(header).then_some("is set by voxbridge itself");
    Ok(Route {
        backends: backends(raw, reader)?,
        timeout: timeout.map_or(default.timeout, Duration::from_millis),
        headers: headers(&raw.headers, &reader.inside("headers"), environment, own)?,
        idempotent,
        retries,
        max_response_bytes: reader.integer(
            &raw.max_response_bytes,
            "max_response_bytes",
            1..=1024 * 1024,
            default.max_response_bytes,
        )?,
        tls_ca: tls_ca(&raw.tls_ca_file, reader)?,
        offer,
        names: default.names,
        target: default.target,
    })
}

fn target(raw: &RawRoute, names: &[String], reader: &Reader<'_>) -> Result<Target, ConfigError> {
    if raw.url.is_some() {
        let text = reader.required(&raw.url, "url")?;
        return url(&text).map(Target::Url).map_err(|reason| reader.error("url", reason));
    }
    let built_in = match names {
        [name] => BuiltIn::ALL.into_iter().find(|built_in| built_in.name() == name),
        _ => None,
    };
    let Some(built_in) = built_in else {
        let built_in = BuiltIn::ALL.map(|built_in| format!("\"{}\"", built_in.name())).join(", ");
        return Err(reader.error("url", format!("missing, only {built_in} is built in")));
    };
    let of_requests = [
        ("headers", !raw.headers.is_empty()),
        ("idempotent", raw.idempotent.is_some()),
        ("retries", raw.retries.is_some()),
        ("max_response_bytes", raw.max_response_bytes.is_some()),
        ("tls_ca_file", raw.tls_ca_file.is_some()),
    ];
    match of_requests.iter().find(|(_, given)| *given) {
        Some((key, _)) => Err(reader.error(key, "needs url: no request is sent for a built-in function")),
        None => Ok(Target::BuiltIn(built_in)),
    }
}

/// Reasons leave the URL out: its query may hold a key.
fn url(text: &str) -> Result<Url, String> {
    address::remote(text, ["http", "https"], "\"http://\" or \"https://\"", "headers")
}

fn offer(
    raw: &RawRoute,
    names: &[String],
    target: &Target,
    reader: &Reader<'_>,
) -> Result<Option<Tool>, ConfigError> {
    let default = || match target {
        Target::BuiltIn(built_in) => built_in.parameters(),
        Target::Url(_) => no_parameters(),
    };
    let parameters = parameters(&raw.parameters, reader, default)?;
    let Some(description) = reader.text(&raw.description, "description")? else {
        return match &raw.parameters {
            None => Ok(None),
            Some(_) => Err(reader.error("parameters", "needs description: a function is offered by both")),
        };
    };
    match names {
        [name] if name != Route::ANY => {
            Ok(Some(Tool { name: name.clone(), description: Some(description), parameters }))
        }
        _ => Err(reader.error("description", "describes one function, so names must hold one name")),
    }
}
