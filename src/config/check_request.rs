//! What goes with a request of the gateway's own, to upstream or to an application: headers, some of them from
//! the environment, and whose certificates are trusted. Knows nothing of who is asked for what.

use std::collections::BTreeMap;

use serde_json::Value;

use super::TlsCa;
use super::error::ConfigError;
use super::raw::Raw;
use super::reader::Reader;
use crate::tls::authorities;

/// Checks a table of headers and fills `${NAME}` in. `taken` says of a lower-case name why it cannot be configured.
pub(super) fn headers(
    raw: &BTreeMap<String, Value>,
    reader: &Reader<'_>,
    environment: &BTreeMap<String, String>,
    taken: impl Fn(&str) -> Option<&'static str>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut headers = BTreeMap::new();
    for (name, value) in raw {
        if !is_header_name(name) {
            return Err(reader.error(name, "is no http header name"));
        }
        if let Some(other) = headers.keys().find(|other: &&String| other.eq_ignore_ascii_case(name)) {
            return Err(reader.error(name, format!("is the header {other}, which stands here as well")));
        }
        if let Some(reason) = taken(&name.to_ascii_lowercase()) {
            return Err(reader.error(name, reason));
        }
        let Value::String(text) = value else { return Err(reader.mismatch(name, "text", value)) };
        let filled = filled_in(text, environment).map_err(|reason| reader.error(name, reason))?;
        if !is_header_value(&filled) {
            return Err(reader.error(name, "holds a character that no http header can carry"));
        }
        headers.insert(name.clone(), filled);
    }
    Ok(headers)
}

/// Checks `tls_ca_file` and reads the file.
pub(super) fn tls_ca(raw: &Raw, reader: &Reader<'_>) -> Result<Option<TlsCa>, ConfigError> {
    const KEY: &str = "tls_ca_file";
    if raw.is_none() {
        return Ok(None);
    }
    let file = reader.required(raw, KEY)?;
    let certificates = authorities(&file).map_err(|reason| reader.error(KEY, reason))?;
    Ok(Some(TlsCa { file, certificates }))
}

/// Whether this is the name of an HTTP header (RFC 9110, token).
pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

/// Whether an HTTP header can carry this text.
pub(crate) fn is_header_value(value: &str) -> bool {
    value.chars().all(|c| c == ' ' || c == '\t' || c.is_ascii_graphic())
}

/// Whether this can be the name of an environment variable, and so is no key that stands in the wrong place.
pub(super) fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The text with each `${NAME}` replaced by the variable of that name. What a variable holds is taken as it is.
fn filled_in(text: &str, environment: &BTreeMap<String, String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or("has \"${\" without \"}\"")?;
        if !is_variable_name(name) {
            return Err("has in \"${…}\" what is not the name of an environment variable".to_owned());
        }
        let value = environment.get(name).ok_or_else(|| format!("environment variable {name} is not set"))?;
        if value.is_empty() {
            return Err(format!("environment variable {name} is empty"));
        }
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}
