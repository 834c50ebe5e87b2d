//! Where a secret, or a key, comes from: the text itself, a variable or a file, of which at most one is given.
//! Knows nothing of what a secret has to look like; no reason repeats one.

use std::collections::BTreeMap;

use super::check_request::is_variable_name;
use super::error::ConfigError;
use super::raw::Raw;
use super::reader::{Reader, is_short};

/// A secret as it was found.
pub(super) struct Found {
    /// The key that says where it is.
    pub(super) name: &'static str,
    /// The secret; of a file, without white space around it.
    pub(super) text: String,
    /// Where it is, in words that begin a reason.
    pub(super) place: String,
}

/// How a file is named in a refusal. What looks like no path may be the secret itself.
fn place(file: &str) -> &str {
    if is_short(file) || file.contains(['/', '.']) { file } else { "the file of that name" }
}

/// Looks a secret up. `sources` are the keys for the text itself, for the variable's name and for the file's.
pub(super) fn secret(
    sources: [(&'static str, &Raw); 3],
    reader: &Reader<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Option<Found>, ConfigError> {
    let [_, (env, _), (file, _)] = sources;
    let mut given = sources.into_iter().filter(|(_, raw)| raw.is_some());
    let Some((name, value)) = given.next() else { return Ok(None) };
    if let Some((second, _)) = given.next() {
        return Err(reader.error(second, format!("{name} is given as well, only one may be")));
    }
    let value = reader.required(value, name)?;
    let (text, place) = if name == env {
        // Somebody may have put the key itself here: then it must not be repeated.
        if !is_variable_name(&value) {
            return Err(reader.error(name, "is not the name of an environment variable"));
        }
        let missing = || reader.error(name, format!("environment variable {value} is not set"));
        (environment.get(&value).ok_or_else(missing)?.clone(), format!("environment variable {value}"))
    } else if name == file {
        let text = std::fs::read_to_string(&value)
            .map_err(|error| reader.error(name, format!("cannot read {}: {error}", place(&value))))?;
        (text.trim().to_owned(), value)
    } else {
        (value, "the key".to_owned())
    };
    if text.is_empty() {
        return Err(reader.error(name, format!("{place} is empty")));
    }
    Ok(Some(Found { name, text, place }))
}
