//! Folds `VOXBRIDGE__SECTION__KEY` variables into the parsed tree, before anything is deserialized.
//! Decides which key a variable means, never what its text is worth: values stay text until they are read.

use std::collections::BTreeMap;
use std::ffi::OsString;

use config::{Value as Tree, ValueKind};

use super::error::ConfigError;

/// The process's variables that are text. Others are left out, but for overrides, which are refused.
pub(super) fn variables(
    all: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut text = Vec::new();
    for (name, value) in all {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => text.push((name, value)),
            Err(_) if override_of(&name).is_some() => {
                return Err(ConfigError::Variable { variable: name, reason: "is not valid UTF-8".into() });
            }
            Err(_) => {}
        }
    }
    Ok(text)
}

/// Sets every overridden key in `tree`, and answers which variable set which dotted key.
pub(super) fn fold(
    tree: &mut Tree,
    environment: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut origins = BTreeMap::new();
    for (variable, value) in environment {
        let Some(key) = override_of(variable) else { continue };
        let refuse = |reason: String| ConfigError::Variable { variable: variable.clone(), reason };
        let path = match key.strip_prefix("backends__") {
            Some(key) => backend_path(tree, key).map_err(refuse)?,
            None => key.split("__").map(|name| Step::Key(name.to_owned())).collect(),
        };
        if path.len() > DEEPEST {
            return Err(refuse(format!("names more than {DEEPEST} keys, each inside the one before")));
        }
        if path.iter().any(|step| matches!(step, Step::Key(name) if name.is_empty())) {
            return Err(refuse("names a key that has no name".to_owned()));
        }
        let dotted = dotted(&path);
        if let Some(other) = origins.get(&dotted) {
            return Err(refuse(format!("{dotted} is set by {other} as well")));
        }
        forget_alternatives(tree, &path, value, &origins);
        set(tree, &path, value).ok_or_else(|| refuse(format!("unknown key {dotted}")))?;
        origins.insert(dotted, variable.clone());
    }
    Ok(origins)
}

/// The lower-case key of an override, without its prefix.
fn override_of(variable: &str) -> Option<String> {
    let lower = variable.to_ascii_lowercase();
    lower.strip_prefix(PREFIX).map(str::to_owned)
}

/// A warning that names the variables by which other programs are told of an HTTP proxy, if there are any. Their values may
/// hold a password.
pub(super) fn unused_proxies(environment: &BTreeMap<String, String>) -> Option<String> {
    let is_one = |name: &str| PROXIES.iter().any(|proxy| proxy.eq_ignore_ascii_case(name));
    let set = environment.iter().filter(|(name, value)| is_one(name) && !value.is_empty());
    let names: Vec<&str> = set.map(|(name, _)| name.as_str()).collect();
    let names = (!names.is_empty()).then(|| names.join(", "))?;
    Some(format!("{names}: an http proxy is not supported, everything is dialled directly"))
}

enum Step {
    Key(String),
    Index(usize),
}

/// Resolves `NAME__KEY…` to the backend of that name.
fn backend_path(tree: &Tree, key: &str) -> Result<Vec<Step>, String> {
    let folded = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let candidates: Vec<(usize, String)> = backend_names(tree)
        .into_iter()
        .map(|(index, name)| (index, folded(&name)))
        .filter(|(_, name)| key.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with("__")))
        .collect();
    // A name may itself contain `__`, so the longest that fits is meant.
    let longest = candidates.iter().map(|(_, name)| name.len()).max();
    let mut fitting = candidates.iter().filter(|(_, name)| Some(name.len()) == longest);
    let (index, name) = match (fitting.next(), fitting.next()) {
        (Some(one), None) => one,
        (Some((_, name)), Some(_)) => return Err(format!("more than one backend's name reads {name}")),
        (None, _) => {
            let name = key.split("__").next().unwrap_or_default();
            return Err(format!("no backend is named {name}"));
        }
    };
    let mut path = vec![Step::Key("backends".into()), Step::Index(*index)];
    let mut names = key[name.len() + 2..].splitn(2, "__");
    let first = names.next().unwrap_or_default();
    path.push(Step::Key(first.to_owned()));
    match names.next() {
        // A variable's name cannot hold the dashes of a header or a voice, nor capitals.
        Some(entry) if matches!(first, "headers" | "voices" | "query_defaults") => {
            path.push(Step::Key(entry_key(tree, *index, first, entry)));
        }
        Some(rest) => path.extend(rest.split("__").map(|name| Step::Key(name.to_owned()))),
        None => {}
    }
    Ok(path)
}

/// The entry of a table as the file spells it, so that it is replaced, or else with dashes for underscores, but
/// for parameters of a query, which are spelt with underscores.
fn entry_key(tree: &Tree, backend: usize, table: &str, entry: &str) -> String {
    let wanted = entry.replace('_', "-");
    let entries =
        child(tree, "backends").and_then(|list| element(list, backend)).and_then(|b| child(b, table));
    let spelt = match entries.map(|entries| &entries.kind) {
        Some(ValueKind::Table(entries)) => {
            entries.keys().find(|name| name.to_ascii_lowercase().replace('_', "-") == wanted).cloned()
        }
        _ => None,
    };
    spelt.unwrap_or_else(|| if table == "query_defaults" { entry.to_owned() } else { wanted })
}

fn backend_names(tree: &Tree) -> Vec<(usize, String)> {
    let Some(ValueKind::Array(backends)) = child(tree, "backends").map(|list| &list.kind) else {
        return Vec::new();
    };
    let name = |backend| match child(backend, "name").map(|name| &name.kind) {
        Some(ValueKind::String(name)) => Some(name.clone()),
        _ => None,
    };
    backends.iter().enumerate().filter_map(|(index, backend)| Some((index, name(backend)?))).collect()
}

/// Removes from the file what the override stands for instead: another source of the same key, the fields of
/// another type of turn detection. What other overrides set stays, and conflicts among them are told.
fn forget_alternatives(tree: &mut Tree, path: &[Step], value: &str, origins: &BTreeMap<String, String>) {
    let Some((Step::Key(key), parents)) = path.split_last() else { return };
    let forget: fn(&str) -> bool = match parents {
        [_, Step::Index(_)] if KEY_SOURCES.contains(&key.as_str()) => |field| KEY_SOURCES.contains(&field),
        [Step::Key(auth), Step::Key(jwt)] if auth == "auth" && jwt == "jwt" => match key.as_str() {
            "secret" | "secret_env" | "secret_file" => |field| field.starts_with("secret"),
            "public_key" | "public_key_env" | "public_key_file" => |field| field.starts_with("public_key"),
            "signing_key" | "signing_key_env" | "signing_key_file" => {
                |field| field.starts_with("signing_key")
            }
            _ => return,
        },
        [_, Step::Index(_), Step::Key(table)] if table == "turn_detection" && key == "type" => |_| true,
        _ => return,
    };
    let prefix = dotted(parents);
    let Some(ValueKind::Table(table)) = walk(tree, parents).map(|parent| &mut parent.kind) else { return };
    let unchanged =
        matches!(table.get(key).map(|old| &old.kind), Some(ValueKind::String(old)) if old == value);
    if !unchanged {
        table.retain(|field, _| !forget(field) || origins.contains_key(&format!("{prefix}.{field}")));
    }
}

/// Sets a value, making the tables on the way; `None` if something that is no table is in the way.
fn set(tree: &mut Tree, path: &[Step], value: &str) -> Option<()> {
    let (last, parents) = path.split_last()?;
    let Step::Key(last) = last else { return None };
    let ValueKind::Table(table) = &mut walk(tree, parents)?.kind else { return None };
    table.insert(last.clone(), Tree::new(None, value));
    Some(())
}

fn walk<'t>(tree: &'t mut Tree, path: &[Step]) -> Option<&'t mut Tree> {
    path.iter().try_fold(tree, |node, step| match (step, &mut node.kind) {
        (Step::Key(key), ValueKind::Table(table)) => Some(
            table.entry(key.clone()).or_insert_with(|| Tree::new(None, config::Map::<String, Tree>::new())),
        ),
        (Step::Index(index), ValueKind::Array(items)) => items.get_mut(*index),
        _ => None,
    })
}

fn child<'t>(tree: &'t Tree, key: &str) -> Option<&'t Tree> {
    match &tree.kind {
        ValueKind::Table(table) => table.get(key),
        _ => None,
    }
}

fn element(tree: &Tree, index: usize) -> Option<&Tree> {
    match &tree.kind {
        ValueKind::Array(items) => items.get(index),
        _ => None,
    }
}

fn dotted(path: &[Step]) -> String {
    path.iter().fold(String::new(), |dotted, step| match step {
        Step::Key(key) if dotted.is_empty() => key.clone(),
        Step::Key(key) => format!("{dotted}.{key}"),
        Step::Index(index) => format!("{dotted}[{index}]"),
    })
}

const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
/// More steps than to any key that there is. A tree of any depth could not be read.
const DEEPEST: usize = 16;
const PREFIX: &str = "voxbridge__";
const KEY_SOURCES: [&str; 3] = ["api_key", "api_key_env", "api_key_file"];
