//! Raw sections become the program's: defaults, ranges and the rules between sections.
//! Knows nothing of a single backend's keys (those are in `check_backend`) or of how a value was written.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use log::LevelFilter;
use serde_json::Value;

use super::check_backend::{backend, is_name};
use super::check_functions::functions;
use super::error::ConfigError;
use super::raw::{RawAuth, RawConfig, RawLimits, RawLogging, RawServer, RawSimulator};
use super::reader::{Origin, Reader};
use super::{
    Auth, Backend, BackendUrl, Config, Limits, Logging, Server, Simulator, Target, TurnDetection, address,
};

/// Checks a whole configuration.
pub(super) fn check(
    raw: &RawConfig,
    origin: &Origin,
    environment: &BTreeMap<String, String>,
) -> Result<Config, ConfigError> {
    let server = server(&raw.server, &Reader::new(origin, "server"))?;
    let logging = logging(&raw.logging, &Reader::new(origin, "logging"))?;
    let auth = auth(&raw.auth, &Reader::new(origin, "auth"))?;
    let limits = limits(&raw.limits, &Reader::new(origin, "limits"))?;
    let functions_reader = Reader::new(origin, "functions");
    let functions = Arc::new(functions(&raw.functions, &functions_reader, environment)?);
    let simulator = simulator(&raw.simulator, &Reader::new(origin, "simulator"))?;
    if raw.backends.is_empty() {
        return Err(origin.error("backends", "missing, at least one is needed"));
    }
    let readers: Vec<_> =
        (0..raw.backends.len()).map(|index| Reader::new(origin, format!("backends[{index}]"))).collect();
    let backends = raw
        .backends
        .iter()
        .zip(&readers)
        .map(|(raw, reader)| backend(raw, reader, environment, &functions))
        .collect::<Result<Vec<_>, _>>()?;
    names(&backends, &readers)?;
    let paths = paths(&backends, &readers)?;
    self_urls(&backends, &readers, &simulator, &paths)?;

    let mut warnings = Vec::new();
    if !is_loopback(&server.host) {
        if !auth.allow_anonymous {
            let reason = format!(
                "\"{}\" can be reached by others and auth.mode is \"none\": needs auth.allow_anonymous = true",
                server.host
            );
            return Err(origin.error("server.host", reason));
        }
        warnings.push(format!("auth.allow_anonymous: anybody who reaches {} may connect", server.host));
    }
    for (backend, reader) in backends.iter().zip(&readers) {
        if backend.url.is_cleartext_to_others() {
            let key = reader.key("url");
            warnings.push(format!("{key}: audio and keys go to {} without encryption", backend.url));
        }
        if let TurnDetection::ServerVad { idle_timeout_ms: Some(_), .. } = backend.turn_detection
            && backend.speaks_beta()
        {
            let key = reader.key("turn_detection.idle_timeout_ms");
            warnings.push(format!("{key}: upstream speaks the beta api, which has no such field"));
        }
    }
    for (index, route) in functions.routes.iter().enumerate() {
        if let Target::Url(url) = &route.target
            && url.scheme() == "http"
            && !address::is_loopback(url)
        {
            let key = functions_reader.key(&format!("route[{index}].url"));
            let url = address::Shown(url.as_str());
            warnings.push(format!("{key}: calls and headers go to {url} without encryption"));
        }
    }
    let applications = functions.routes.iter().any(|route| matches!(route.target, Target::Url(_)));
    if applications && auth.allowed_origins.is_empty() {
        let reason =
            "any page in a browser that reaches the listener may call the functions of [[functions.route]]";
        warnings.push(format!("auth.allowed_origins: {reason}"));
    }
    Ok(Config { server, logging, auth, limits, functions, simulator, backends, warnings })
}

fn server(raw: &RawServer, reader: &Reader<'_>) -> Result<Server, ConfigError> {
    let default = Server::default();
    let host = reader.text_or(&raw.host, "host", default.host)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host).to_owned();
    if bare.contains(|c: char| c.is_whitespace() || c.is_control() || "/[]".contains(c)) {
        return Err(reader.error("host", "must be an address or a host name"));
    }
    Ok(Server {
        host: bare,
        port: reader.integer(&raw.port, "port", 0..=65_535, default.port)?,
        workers: reader.integer(&raw.workers, "workers", 0..=1024, default.workers)?,
        max_sessions: reader.integer(
            &raw.max_sessions,
            "max_sessions",
            1..=1_000_000,
            default.max_sessions,
        )?,
    })
}

fn logging(raw: &RawLogging, reader: &Reader<'_>) -> Result<Logging, ConfigError> {
    let default = Logging::default();
    Ok(Logging {
        level: reader.word(&raw.level, "level", &LEVELS, default.level)?,
        log_content: reader.flag(&raw.log_content, "log_content", default.log_content)?,
    })
}

fn auth(raw: &RawAuth, reader: &Reader<'_>) -> Result<Auth, ConfigError> {
    reader.word(&raw.mode, "mode", &[("none", ())], ())?;
    Ok(Auth {
        allow_anonymous: reader.flag(&raw.allow_anonymous, "allow_anonymous", false)?,
        allowed_origins: origins(raw, reader)?,
    })
}

fn origins(raw: &RawAuth, reader: &Reader<'_>) -> Result<Vec<String>, ConfigError> {
    const KEY: &str = "allowed_origins";
    let entries = reader.list(&raw.allowed_origins, KEY)?;
    let origin = |(index, text): (usize, &String)| {
        let reason =
            "must be scheme, host and port alone, like \"https://example.com\" or \"http://localhost:3000\"";
        address::page_origin(text).ok_or_else(|| reader.error(&format!("{KEY}[{index}]"), reason))
    };
    entries.iter().enumerate().map(origin).collect()
}

fn limits(raw: &RawLimits, reader: &Reader<'_>) -> Result<Limits, ConfigError> {
    let default = Limits::default();
    let bytes = |raw, name, default| reader.integer(raw, name, 1024..=GIB, default);
    Ok(Limits {
        before_ready_bytes: bytes(&raw.before_ready_bytes, "before_ready_bytes", default.before_ready_bytes)?,
        leg_bytes: bytes(&raw.leg_bytes, "leg_bytes", default.leg_bytes)?,
        max_message_bytes: bytes(&raw.max_message_bytes, "max_message_bytes", default.max_message_bytes)?,
        max_upstream_message_bytes: bytes(
            &raw.max_upstream_message_bytes,
            "max_upstream_message_bytes",
            default.max_upstream_message_bytes,
        )?,
        settings_timeout: reader.seconds(
            &raw.settings_timeout_s,
            "settings_timeout_s",
            default.settings_timeout,
        )?,
        idle_timeout: reader.seconds_or_off(&raw.idle_timeout_s, "idle_timeout_s", default.idle_timeout)?,
        max_session: reader.seconds_or_off(&raw.max_session_s, "max_session_s", default.max_session)?,
        slow_client_timeout: reader.seconds(
            &raw.slow_client_timeout_s,
            "slow_client_timeout_s",
            default.slow_client_timeout,
        )?,
    })
}

fn simulator(raw: &RawSimulator, reader: &Reader<'_>) -> Result<Simulator, ConfigError> {
    let option = |(name, value): (&String, &Value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            other => {
                let name = format!("openai.{name}");
                return Err(reader.mismatch(&name, "text, a number, true or false", other));
            }
        };
        Ok((name.clone(), text))
    };
    Ok(Simulator {
        enabled: reader.flag(&raw.enabled, "enabled", false)?,
        options: raw.openai.iter().map(option).collect::<Result<_, _>>()?,
    })
}

fn names(backends: &[Backend], readers: &[Reader<'_>]) -> Result<(), ConfigError> {
    for (index, (backend, reader)) in backends.iter().zip(readers).enumerate() {
        let name = &backend.name;
        if !is_name(name) {
            return Err(reader.error("name", "must be letters, digits, \"_\" and \"-\" only"));
        }
        if let Some(earlier) = backends[..index].iter().position(|earlier| earlier.name == *name) {
            return Err(
                reader.error("name", format!("\"{name}\" is the name of backends[{earlier}] as well"))
            );
        }
    }
    Ok(())
}

/// Checks every path and alias, and answers which backend has which.
fn paths<'b>(
    backends: &'b [Backend],
    readers: &[Reader<'_>],
) -> Result<BTreeMap<&'b str, &'b str>, ConfigError> {
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for (backend, reader) in backends.iter().zip(readers) {
        let aliases = backend.aliases.iter().enumerate().map(|(i, alias)| (format!("aliases[{i}]"), alias));
        for (key, path) in std::iter::once(("path".to_owned(), &backend.path)).chain(aliases) {
            if !path.starts_with('/') {
                return Err(reader.error(&key, format!("\"{path}\" must begin with \"/\"")));
            }
            if let Some(odd) = path.chars().find(|c| !(c.is_ascii_alphanumeric() || "/-._~".contains(*c))) {
                return Err(reader.error(&key, format!("\"{path}\" must not contain {odd:?}")));
            }
            if OWN_PATHS.contains(&path.as_str()) || path.starts_with(SIMULATORS) {
                return Err(reader.error(&key, format!("\"{path}\" is a path of voxbridge itself")));
            }
            if let Some(owner) = taken.insert(path, &backend.name) {
                return Err(
                    reader.error(&key, format!("\"{path}\" is already a path of backend \"{owner}\""))
                );
            }
        }
    }
    Ok(taken)
}

fn self_urls(
    backends: &[Backend],
    readers: &[Reader<'_>],
    simulator: &Simulator,
    paths: &BTreeMap<&str, &str>,
) -> Result<(), ConfigError> {
    for (backend, reader) in backends.iter().zip(readers) {
        let BackendUrl::SelfPath(target) = &backend.url else { continue };
        let path = target.split('?').next().unwrap_or(target);
        if path.starts_with(SIMULATORS) && !simulator.enabled {
            let reason = format!("\"self:{path}\" is a simulator and needs simulator.enabled = true");
            return Err(reader.error("url", reason));
        }
        if let Some(owner) = paths.get(path) {
            let reason = format!("\"self:{path}\" leads back to backend \"{owner}\"");
            return Err(reader.error("url", reason));
        }
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

pub(super) const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::Off),
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
    ("trace", LevelFilter::Trace),
];
/// What the server answers itself: HTTP and operation.
const OWN_PATHS: [&str; 7] =
    ["/", "/health", "/ready", "/metrics", "/v1/backends", "/function-call", "/v1/auth/grant"];
const SIMULATORS: &str = "/sim/";
const GIB: i64 = 1 << 30;
