//! The members of provider objects, each with the type and the range that the Voice Agent protocol gives it
//! (A4 to A6). Knows how a member must look, but nothing of what becomes of it.

use serde_json::{Map, Value};

use super::settings::{SettingsError, invalid};
use crate::protocol::agent::Provider;

/// Members by name. Vendors share names, and a member that is not here is not judged.
pub(super) type Members = &'static [(&'static str, Shape)];

/// How a member must look; null is absent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// Strings.
    Texts,
    /// True or false.
    Flag,
    /// A number.
    Number,
    /// A number, both bounds included.
    Within(f64, f64),
    /// An integer written as one, both bounds included.
    Whole(i64, i64),
    /// An object.
    Object(Members),
    /// A string or an object, as the vendor has it.
    TextOrObject(Members),
}

/// `listen.provider`.
pub(super) const LISTEN: Members = &[
    ("type", Shape::Text),
    ("version", Shape::Text),
    ("model", Shape::Text),
    ("language", Shape::Text),
    ("language_hints", Shape::Texts),
    ("keyterms", Shape::Texts),
    ("smart_format", Shape::Flag),
    ("eot_threshold", Shape::Within(0.5, 1.0)),
    ("eager_eot_threshold", Shape::Within(0.3, 0.9)),
    ("eot_timeout_ms", Shape::Number),
];
/// `think_live.provider`.
pub(super) const THINK_LIVE: Members = &[
    ("type", Shape::Text),
    ("version", Shape::Text),
    ("agent_backchannel_sensitivity", Shape::Number),
    ("presence_check_max_count", Shape::Whole(0, i64::MAX)),
    ("presence_check_interval_ms", Shape::Whole(0, i64::MAX)),
    ("frustration_max_count", Shape::Whole(0, i64::MAX)),
    ("restricted_terms", Shape::Texts),
];
/// `speak.provider`; `speed` is judged where it is used.
pub(super) const SPEAK: Members = &[
    ("type", Shape::Text),
    ("version", Shape::Text),
    ("model", Shape::Text),
    ("model_id", Shape::Text),
    ("voice", Shape::TextOrObject(&[("mode", Shape::Text), ("id", Shape::Text)])),
    ("language", Shape::Text),
    ("language_code", Shape::Text),
    ("engine", Shape::Text),
    ("expressivity", Shape::Whole(-2, 2)),
    ("volume", Shape::Within(0.5, 2.0)),
    ("credentials", Shape::Object(CREDENTIALS)),
];
const THINK: Members = &[
    ("type", Shape::Text),
    ("version", Shape::Text),
    ("model", Shape::Text),
    ("temperature", Shape::Within(0.0, 2.0)),
    ("reasoning_mode", Shape::Text),
    ("voice_prompt_opt_out", Shape::Flag),
    ("credentials", Shape::Object(CREDENTIALS)),
];
const THINK_OF_ANTHROPIC: Members = &[("temperature", Shape::Within(0.0, 1.0))];
const CREDENTIALS: Members = &[
    ("type", Shape::Text),
    ("region", Shape::Text),
    ("access_key_id", Shape::Text),
    ("secret_access_key", Shape::Text),
    ("session_token", Shape::Text),
];

/// Refuses a `think.provider` with a member of the wrong type or out of its vendor's range.
pub(super) fn check_think(provider: &Provider, path: &str) -> Result<(), SettingsError> {
    check(provider, THINK, path)?;
    match provider.0.get("type").and_then(Value::as_str) {
        Some("anthropic") => check(provider, THINK_OF_ANTHROPIC, path),
        _ => Ok(()),
    }
}

/// Refuses a provider with a member of the wrong type or out of its range.
pub(super) fn check(provider: &Provider, members: Members, path: &str) -> Result<(), SettingsError> {
    check_object(&provider.0, members, path)
}

fn check_object(object: &Map<String, Value>, members: Members, path: &str) -> Result<(), SettingsError> {
    for (name, shape) in members {
        match object.get(*name) {
            None | Some(Value::Null) => {}
            Some(value) => check_value(value, *shape, &format!("{path}.{name}"))?,
        }
    }
    Ok(())
}

fn check_value(value: &Value, shape: Shape, path: &str) -> Result<(), SettingsError> {
    match (shape, value) {
        (Shape::Text | Shape::TextOrObject(_), Value::String(_))
        | (Shape::Flag, Value::Bool(_))
        | (Shape::Number, Value::Number(_)) => Ok(()),
        (Shape::Within(low, high), Value::Number(number)) => {
            let fits = number.as_f64().is_some_and(|number| (low..=high).contains(&number));
            if fits { Ok(()) } else { Err(invalid(path, format!("is not within {low} to {high}"))) }
        }
        (Shape::Whole(low, high), value) => match value.as_i64() {
            None => Err(invalid(path, "is not an integer")),
            Some(number) if number < low => Err(invalid(path, format!("is less than {low}"))),
            Some(number) if number > high => Err(invalid(path, format!("is more than {high}"))),
            Some(_) => Ok(()),
        },
        (Shape::Texts, Value::Array(texts)) => match texts.iter().position(|text| !text.is_string()) {
            None => Ok(()),
            Some(n) => Err(invalid(format!("{path}[{n}]"), "is not a string")),
        },
        (Shape::Object(members) | Shape::TextOrObject(members), Value::Object(object)) => {
            check_object(object, members, path)
        }
        (Shape::Text, _) => Err(invalid(path, "is not a string")),
        (Shape::Texts, _) => Err(invalid(path, "is not an array")),
        (Shape::Flag, _) => Err(invalid(path, "is neither true nor false")),
        (Shape::Number | Shape::Within(..), _) => Err(invalid(path, "is not a number")),
        (Shape::Object(_), _) => Err(invalid(path, "is not an object")),
        (Shape::TextOrObject(_), _) => Err(invalid(path, "is neither a string nor an object")),
    }
}
