//! Converts raw values: each method knows its key, so that every refusal names it and where it came from.
//! Knows nothing of the keys that exist or of their defaults.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::error::ConfigError;
use super::raw::Raw;

/// Where values came from: the file, or for overridden keys an environment variable.
pub(super) struct Origin {
    /// The file's name in errors.
    pub(super) file: String,
    /// The variable that set each overridden key.
    pub(super) variables: BTreeMap<String, String>,
}

impl Origin {
    pub(super) fn error(&self, key: &str, reason: impl Display) -> ConfigError {
        match self.variable(key) {
            Some(variable) => ConfigError::Variable {
                variable: variable.to_owned(),
                reason: if key.is_empty() { reason.to_string() } else { format!("{key}: {reason}") },
            },
            None => {
                ConfigError::Key { file: self.file.clone(), key: key.to_owned(), reason: reason.to_string() }
            }
        }
    }

    pub(super) fn unknown_key(&self, key: &str) -> ConfigError {
        let key = if key.is_empty() { "\"\"" } else { key };
        match self.variable(key) {
            Some(variable) => {
                ConfigError::Variable { variable: variable.to_owned(), reason: format!("unknown key {key}") }
            }
            None => self.error(key, "unknown key"),
        }
    }

    /// The variable that set `key`, the list that it is an entry of, or something inside it: a table that only
    /// exists because of an override is that override's fault.
    fn variable(&self, key: &str) -> Option<&str> {
        let list = key.strip_suffix(']').and_then(|entry| entry.rsplit_once('[')).map(|(list, _)| list);
        let set = self.variables.get(key).or_else(|| self.variables.get(list?));
        set.map(String::as_str).or_else(|| {
            let inside = format!("{key}.");
            self.variables.iter().find(|(set, _)| set.starts_with(&inside)).map(|(_, name)| name.as_str())
        })
    }
}

/// Reads the values of one table.
pub(super) struct Reader<'a> {
    origin: &'a Origin,
    prefix: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(origin: &'a Origin, prefix: impl Into<String>) -> Self {
        Self { origin, prefix: prefix.into() }
    }

    /// A reader for a table (`name`) or list entry (`name[0]`) inside this one.
    pub(super) fn inside(&self, name: &str) -> Self {
        Self { origin: self.origin, prefix: self.key(name) }
    }

    pub(super) fn error(&self, name: &str, reason: impl Display) -> ConfigError {
        self.origin.error(&self.key(name), reason)
    }

    /// Text; absent and empty are both `None`, so that an override can take a value away.
    pub(super) fn text(&self, raw: &Raw, name: &str) -> Result<Option<String>, ConfigError> {
        Ok(self.given_text(raw, name)?.filter(|text| !text.is_empty()))
    }

    /// Text that may be absent but, where it is given, not empty.
    pub(super) fn given_text(&self, raw: &Raw, name: &str) -> Result<Option<String>, ConfigError> {
        match raw {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.mismatch(name, "text", other)),
        }
    }

    /// Text that must be there.
    pub(super) fn required(&self, raw: &Raw, name: &str) -> Result<String, ConfigError> {
        match self.given_text(raw, name)? {
            None => Err(self.error(name, "missing")),
            Some(text) if text.is_empty() => Err(self.error(name, "must not be empty")),
            Some(text) => Ok(text),
        }
    }

    /// Text that is never empty, or its default.
    pub(super) fn text_or(&self, raw: &Raw, name: &str, default: String) -> Result<String, ConfigError> {
        if raw.is_none() { Ok(default) } else { self.required(raw, name) }
    }

    pub(super) fn flag(&self, raw: &Raw, name: &str, default: bool) -> Result<bool, ConfigError> {
        let Some(value) = raw else { return Ok(default) };
        match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if self.overridden(name) => text.to_ascii_lowercase().parse().ok(),
            _ => None,
        }
        .ok_or_else(|| self.mismatch(name, "true or false", value))
    }

    /// An integer within `range`, all of which `T` can hold.
    pub(super) fn integer<T: TryFrom<i64>>(
        &self,
        raw: &Raw,
        name: &str,
        range: RangeInclusive<i64>,
        default: T,
    ) -> Result<T, ConfigError> {
        Ok(self.optional_integer(raw, name, range)?.unwrap_or(default))
    }

    /// An integer that may be absent; see [`Reader::integer`].
    pub(super) fn optional_integer<T: TryFrom<i64>>(
        &self,
        raw: &Raw,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = raw else { return Ok(None) };
        let integer = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) if self.overridden(name) => text.parse().ok(),
            _ => None,
        };
        let integer = integer.ok_or_else(|| self.mismatch(name, "an integer", value))?;
        let out_of_range =
            || self.error(name, format!("must be {} to {}, is {integer}", range.start(), range.end()));
        if !range.contains(&integer) {
            return Err(out_of_range());
        }
        T::try_from(integer).map(Some).map_err(|_| out_of_range())
    }

    pub(super) fn number(
        &self,
        raw: &Raw,
        name: &str,
        range: RangeInclusive<f64>,
        default: f64,
    ) -> Result<f64, ConfigError> {
        let Some(value) = raw else { return Ok(default) };
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) if self.overridden(name) => text.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.mismatch(name, "a number", value))?;
        if !range.contains(&number) {
            let reason = format!("must be {} to {}, is {number}", range.start(), range.end());
            return Err(self.error(name, reason));
        }
        Ok(number)
    }

    /// A duration of at least one second.
    pub(super) fn seconds(&self, raw: &Raw, name: &str, default: Duration) -> Result<Duration, ConfigError> {
        Ok(self.optional_integer(raw, name, 1..=MAX_SECONDS)?.map_or(default, Duration::from_secs))
    }

    /// A duration in seconds where 0 means that there is none.
    pub(super) fn seconds_or_off(
        &self,
        raw: &Raw,
        name: &str,
        default: Option<Duration>,
    ) -> Result<Option<Duration>, ConfigError> {
        Ok(match self.optional_integer(raw, name, 0..=MAX_SECONDS)? {
            None => default,
            Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
        })
    }

    /// A duration of at least one millisecond.
    pub(super) fn millis(&self, raw: &Raw, name: &str, default: Duration) -> Result<Duration, ConfigError> {
        Ok(self.optional_integer(raw, name, 1..=MAX_MILLIS)?.map_or(default, Duration::from_millis))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &self,
        raw: &Raw,
        name: &str,
        words: &[(&str, T)],
        default: T,
    ) -> Result<T, ConfigError> {
        let Some(text) = self.given_text(raw, name)? else { return Ok(default) };
        self.known_word(name, &text, words)
    }

    /// A list of a few words.
    pub(super) fn words<T: Copy>(
        &self,
        raw: &Raw,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Vec<T>, ConfigError> {
        self.list(raw, name)?.iter().map(|text| self.known_word(name, text, words)).collect()
    }

    fn known_word<T: Copy>(&self, name: &str, text: &str, words: &[(&str, T)]) -> Result<T, ConfigError> {
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let quoted: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                let choice = match quoted.split_last() {
                    Some((last, [])) => last.clone(),
                    Some((last, others)) => format!("{} or {last}", others.join(", ")),
                    None => String::new(),
                };
                let found = if is_short(text) { format!("\"{text}\" is not known, ") } else { String::new() };
                Err(self.error(name, format!("{found}must be {choice}")))
            }
        }
    }

    /// A list of text; an override gives it separated by commas.
    pub(super) fn list(&self, raw: &Raw, name: &str) -> Result<Vec<String>, ConfigError> {
        match raw {
            None => Ok(Vec::new()),
            Some(Value::String(text)) if self.overridden(name) => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect()),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| match item {
                    Value::String(text) => Ok(text.clone()),
                    other => Err(self.mismatch(&format!("{name}[{index}]"), "text", other)),
                })
                .collect(),
            Some(other) => Err(self.mismatch(name, "a list", other)),
        }
    }

    /// Text, a number, true or false, or a list of those, each as text. An override gives a list separated by
    /// commas. Empty text and an empty list are nothing.
    pub(super) fn values(&self, value: &Value, name: &str) -> Result<Vec<String>, ConfigError> {
        let leaf = |name: &str, value: &Value, expected| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
            other => Err(self.mismatch(name, expected, other)),
        };
        match value {
            Value::String(_) if self.overridden(name) => self.list(&Some(value.clone()), name),
            Value::String(text) if text.is_empty() => Ok(Vec::new()),
            Value::Array(items) => {
                let item = |(index, item): (usize, &Value)| {
                    let name = format!("{name}[{index}]");
                    match leaf(&name, item, "text, a number, true or false")? {
                        text if text.is_empty() => Err(self.error(&name, "must not be empty")),
                        text => Ok(text),
                    }
                };
                items.iter().enumerate().map(item).collect()
            }
            other => Ok(vec![leaf(name, other, "text, a number, true or false, or a list of those")?]),
        }
    }

    /// Refusal of a value of the wrong type. Text is repeated only where it is shorter than any key, in case
    /// one was put in the wrong place.
    pub(super) fn mismatch(&self, name: &str, expected: &str, found: &Value) -> ConfigError {
        let found = match found {
            Value::Null => "nan or infinity".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) if number.is_f64() => "a decimal number".to_owned(),
            Value::Number(_) => "an integer".to_owned(),
            Value::String(text) if is_short(text) => format!("{text:?}"),
            Value::String(_) => "text".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "a table".to_owned(),
        };
        self.error(name, format!("expected {expected}, found {found}"))
    }

    pub(super) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn overridden(&self, name: &str) -> bool {
        self.origin.variables.contains_key(&self.key(name))
    }
}

/// Whether a text is shorter than any key, so that it can be repeated wherever it stands.
pub(super) fn is_short(text: &str) -> bool {
    text.chars().count() <= 12
}

/// A week: longer than any session, and far from what a timer could not hold.
const MAX_SECONDS: i64 = 7 * 24 * 3600;
/// An hour.
const MAX_MILLIS: i64 = 3_600_000;
