//! Raw sections become the program's: defaults, ranges and the rules between sections.
//! Knows nothing of a single backend's keys (those are in `check_backend`) or of how a value was written.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use log::LevelFilter;
use serde_json::Value;

use super::check_auth::{auth, named_backends};
use super::check_backend::{Surroundings, backend};
use super::check_functions::{functions, routed_backends};
use super::check_limits::{limits, process};
use super::check_paths::{names, paths, self_urls, urls};
use super::check_proxies::{trusted_proxies, whoever};
use super::check_recording::{recorded_audio, recording};
use super::error::ConfigError;
use super::raw::{RawConfig, RawConsole, RawLogging, RawServer, RawSimulator};
use super::reader::{Origin, Reader};
use super::{
    AuthMode, Config, Console, Limits, LogFormat, Logging, Server, Simulator, Target, TurnDetection, address,
};
use crate::tls::{CertificateFiles, Unusable};

/// Checks a whole configuration.
pub(super) fn check(
    raw: &RawConfig,
    origin: &Origin,
    environment: &BTreeMap<String, String>,
) -> Result<Config, ConfigError> {
    let server = server(&raw.server, &Reader::new(origin, "server"))?;
    let logging = logging(&raw.logging, &Reader::new(origin, "logging"))?;
    let auth_reader = Reader::new(origin, "auth");
    let auth = auth(&raw.auth, &auth_reader, environment)?;
    let console = console(&raw.console, &Reader::new(origin, "console"))?;
    let limits_reader = Reader::new(origin, "limits");
    let limits = limits(&raw.limits, &limits_reader, &Limits::default())?;
    let process = process(&raw.limits, &limits_reader)?;
    let functions_reader = Reader::new(origin, "functions");
    let functions = Arc::new(functions(&raw.functions, &functions_reader, environment)?);
    let simulator = simulator(&raw.simulator, &Reader::new(origin, "simulator"))?;
    if raw.backends.is_empty() {
        return Err(origin.error("backends", "missing, at least one is needed"));
    }
    let readers: Vec<_> =
        (0..raw.backends.len()).map(|index| Reader::new(origin, format!("backends[{index}]"))).collect();
    let surroundings = Surroundings { environment, functions: &functions, limits: &limits };
    let backends = raw
        .backends
        .iter()
        .zip(&readers)
        .map(|(raw, reader)| backend(raw, reader, &surroundings))
        .collect::<Result<Vec<_>, _>>()?;
    names(&backends, &readers)?;
    let paths = paths(&backends, &readers)?;
    self_urls(&backends, &readers, &simulator, &paths)?;
    named_backends(&auth, &auth_reader, &backends)?;

    let mut warnings = routed_backends(&functions, &functions_reader, &backends)?;
    let is_anonymous = auth.mode == AuthMode::None;
    if is_anonymous && !is_loopback(&server.host) {
        if !auth.allow_anonymous {
            let reason = format!(
                "\"{}\" can be reached by others and auth.mode is \"none\": needs another auth.mode, or \
                 auth.allow_anonymous = true",
                server.host
            );
            return Err(origin.error("server.host", reason));
        }
        warnings.push(format!("auth.allow_anonymous: anybody who reaches {} may connect", server.host));
    }
    if !is_anonymous && simulator.enabled && !is_loopback(&server.host) {
        warnings.push("simulator.enabled: the simulators under /sim/ ask for no token".to_owned());
    }
    warnings.extend(whoever(&server.trusted_proxies));
    warnings.extend(recorded_audio(&logging));
    for (backend, reader) in backends.iter().zip(&readers) {
        for (key, url) in urls(backend).filter(|(_, url)| url.is_cleartext_to_others()) {
            let key = reader.key(key);
            warnings.push(format!("{key}: audio and keys go to {url} without encryption"));
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
    if applications && is_anonymous && auth.allowed_origins.is_empty() {
        let reason =
            "any page in a browser that reaches the listener may call the functions of [[functions.route]]";
        warnings.push(format!("auth.allowed_origins: {reason}"));
    }
    Ok(Config { server, logging, auth, console, limits, process, functions, simulator, backends, warnings })
}

fn server(raw: &RawServer, reader: &Reader<'_>) -> Result<Server, ConfigError> {
    let default = Server::default();
    let host = reader.text_or(&raw.host, "host", default.host)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host).to_owned();
    if bare.contains(|c: char| c.is_whitespace() || c.is_control() || "/[]".contains(c)) {
        return Err(reader.error("host", "must be an address or a host name"));
    }
    let port = reader.integer(&raw.port, "port", 0..=65_535, default.port)?;
    let admin_port = reader.optional_integer(&raw.admin_port, "admin_port", 1..=65_535)?;
    if admin_port == Some(port) {
        return Err(reader.error("admin_port", "is server.port as well"));
    }
    Ok(Server {
        host: bare,
        port,
        admin_port,
        tls: tls(raw, reader)?,
        workers: reader.integer(&raw.workers, "workers", 0..=1024, default.workers)?,
        max_sessions: reader.integer(
            &raw.max_sessions,
            "max_sessions",
            1..=1_000_000,
            default.max_sessions,
        )?,
        drain_timeout: reader
            .seconds_or_off(&raw.drain_timeout_s, "drain_timeout_s", Some(default.drain_timeout))?
            .unwrap_or_default(),
        trusted_proxies: trusted_proxies(&raw.trusted_proxies, reader)?,
    })
}

/// Where the certificate is, and whether it can be used.
fn tls(raw: &RawServer, reader: &Reader<'_>) -> Result<Option<CertificateFiles>, ConfigError> {
    let (certificate, key) = ("tls_cert", "tls_key");
    let both = (reader.text(&raw.tls_cert, certificate)?, reader.text(&raw.tls_key, key)?);
    let missing = |missing, given| Err(reader.error(missing, format!("missing, {given} is given")));
    let files = match both {
        (None, None) => return Ok(None),
        (Some(_), None) => return missing(key, certificate),
        (None, Some(_)) => return missing(certificate, key),
        (Some(certificate), Some(key)) => CertificateFiles { certificate, key },
    };
    match files.read() {
        Ok(_) => Ok(Some(files)),
        Err(Unusable::Certificate(reason)) => Err(reader.error(certificate, reason)),
        Err(Unusable::Key(reason)) => Err(reader.error(key, reason)),
    }
}

fn logging(raw: &RawLogging, reader: &Reader<'_>) -> Result<Logging, ConfigError> {
    let default = Logging::default();
    recording(
        Logging {
            level: reader.word(&raw.level, "level", &LEVELS, default.level)?,
            format: reader.word(&raw.format, "format", &FORMATS, default.format)?,
            log_content: reader.flag(&raw.log_content, "log_content", default.log_content)?,
            usage_log: reader.text(&raw.usage_log, "usage_log")?.map(Into::into),
            ..default
        },
        raw,
        reader,
    )
}

fn console(raw: &RawConsole, reader: &Reader<'_>) -> Result<Console, ConfigError> {
    Ok(Console { enabled: reader.flag(&raw.enabled, "enabled", Console::default().enabled)? })
}

fn simulator(raw: &RawSimulator, reader: &Reader<'_>) -> Result<Simulator, ConfigError> {
    Ok(Simulator {
        enabled: reader.flag(&raw.enabled, "enabled", false)?,
        openai: options(&raw.openai, &reader.inside("openai"))?,
        deepgram: options(&raw.deepgram, &reader.inside("deepgram"))?,
    })
}

/// A simulator's options as text, for the simulator to judge.
fn options(
    raw: &BTreeMap<String, Value>,
    reader: &Reader<'_>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let option = |(name, value): (&String, &Value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            other => return Err(reader.mismatch(name, "text, a number, true or false", other)),
        };
        Ok((name.clone(), text))
    };
    raw.iter().map(option).collect()
}

pub(super) fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

pub(super) const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

pub(super) const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::Off),
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
    ("trace", LevelFilter::Trace),
];
