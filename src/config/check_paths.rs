//! What backends have to agree on: names, paths, and `self:` urls, which must not lead back to one of them.
//! Knows nothing of a backend's other keys.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::error::ConfigError;
use super::reader::Reader;
use super::{Backend, BackendUrl, Simulator};

/// Checks that each name is fit and stands once.
pub(super) fn names(backends: &[Backend], readers: &[Reader<'_>]) -> Result<(), ConfigError> {
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

/// Checks every path that is served, and answers which backend has which.
pub(super) fn paths<'b>(
    backends: &'b [Backend],
    readers: &[Reader<'_>],
) -> Result<BTreeMap<String, &'b str>, ConfigError> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for (backend, reader) in backends.iter().zip(readers) {
        let mut own: Vec<&str> = Vec::new();
        let aliases = backend.aliases.iter().enumerate().map(|(i, alias)| (format!("aliases[{i}]"), alias));
        for (key, path) in std::iter::once(("path".to_owned(), &backend.path)).chain(aliases) {
            if !path.starts_with('/') {
                return Err(reader.error(&key, format!("\"{path}\" must begin with \"/\"")));
            }
            if let Some(odd) = path.chars().find(|c| !(c.is_ascii_alphanumeric() || "/-._~".contains(*c))) {
                return Err(reader.error(&key, format!("\"{path}\" must not contain {odd:?}")));
            }
            if own.contains(&path.as_str()) {
                return Err(reader.error(&key, already(path, path, &backend.name)));
            }
            own.push(path);
            for served in backend.served_by(path) {
                if is_own(&served) {
                    let reason = format!("{} a path of voxbridge itself", said(path, &served));
                    return Err(reader.error(&key, reason));
                }
                match owners.entry(served.into_owned()) {
                    // The same service of the same backend, said once more.
                    Entry::Occupied(taken) if *taken.get() == backend.name => {}
                    Entry::Occupied(taken) => {
                        return Err(reader.error(&key, already(path, taken.key(), taken.get())));
                    }
                    Entry::Vacant(free) => _ = free.insert(&backend.name),
                }
            }
        }
    }
    Ok(owners)
}

/// Checks that a `self:` url leads to what is there and not to a backend.
pub(super) fn self_urls(
    backends: &[Backend],
    readers: &[Reader<'_>],
    simulator: &Simulator,
    paths: &BTreeMap<String, &str>,
) -> Result<(), ConfigError> {
    for (backend, reader) in backends.iter().zip(readers) {
        for (key, url) in urls(backend) {
            let BackendUrl::SelfPath(target) = url else { continue };
            let path = target.split('?').next().unwrap_or(target);
            if path.starts_with(SIMULATORS) && !simulator.enabled {
                let reason = format!("\"self:{path}\" is a simulator and needs simulator.enabled = true");
                return Err(reader.error(key, reason));
            }
            if let Some(owner) = paths.get(path) {
                let reason = format!("\"self:{path}\" leads back to backend \"{owner}\"");
                return Err(reader.error(key, reason));
            }
        }
    }
    Ok(())
}

/// Whether the server answers a path itself, now or with another configuration: so a section that is switched on takes
/// no backend's path away.
fn is_own(path: &str) -> bool {
    OWN_PATHS.contains(&path) || [SIMULATORS, CONSOLE].iter().any(|own| path.starts_with(own))
}

/// Where a backend's upstream is, by the key that says it.
pub(super) fn urls(backend: &Backend) -> impl Iterator<Item = (&'static str, &BackendUrl)> {
    let transcription = backend.deepgram().and_then(|deepgram| deepgram.transcription_url.as_ref());
    std::iter::once(("url", &backend.url)).chain(transcription.map(|url| ("transcription_url", url)))
}

/// Whether a name is safe in a log field and in a variable's name.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn already(path: &str, served: &str, owner: &str) -> String {
    format!("{} already a path of backend \"{owner}\"", said(path, served))
}

/// The beginning of a sentence about a path that is served because `path` is configured.
fn said(path: &str, served: &str) -> String {
    if path == served {
        format!("\"{path}\" is")
    } else {
        format!("\"{path}\" also serves \"{served}\", which is")
    }
}

/// What the server answers itself: HTTP and operation.
const OWN_PATHS: [&str; 8] =
    ["/", "/console", "/health", "/ready", "/metrics", "/v1/backends", "/function-call", "/v1/auth/grant"];
const CONSOLE: &str = "/console/";
const SIMULATORS: &str = "/sim/";
