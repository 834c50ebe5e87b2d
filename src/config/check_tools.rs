//! Functions as they are offered to the model: their names and the schema of their arguments.
//! Knows neither who runs a function nor who offers it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Tool;
use super::error::ConfigError;
use super::raw::{Raw, RawTool};
use super::reader::Reader;

/// Checks the functions of one backend.
pub(super) fn tools(raw: &[RawTool], backend: &Reader<'_>) -> Result<Vec<Tool>, ConfigError> {
    let mut tools: Vec<Tool> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        let reader = backend.inside(&format!("tools[{index}]"));
        let name = reader.required(&raw.name, "name")?;
        if !is_function_name(&name) {
            return Err(reader.error("name", format!("must be {FUNCTION_NAME}")));
        }
        if tools.iter().any(|earlier| earlier.name == name) {
            return Err(reader.error("name", format!("\"{name}\" is defined twice")));
        }
        let parameters = parameters(&raw.parameters, &reader, no_parameters)?;
        tools.push(Tool { name, description: reader.text(&raw.description, "description")?, parameters });
    }
    Ok(tools)
}

/// The schema of a function's arguments, its keys in order.
pub(super) fn parameters(
    raw: &Raw,
    reader: &Reader<'_>,
    default: impl FnOnce() -> Value,
) -> Result<Value, ConfigError> {
    match raw {
        None => Ok(default()),
        Some(object @ Value::Object(_)) => {
            sorted(object).ok_or_else(|| reader.error("parameters", "nan and infinity have no json form"))
        }
        Some(other) => Err(reader.mismatch("parameters", "a table", other)),
    }
}

/// The schema of a function without arguments.
pub(super) fn no_parameters() -> Value {
    json!({"type": "object", "properties": {}})
}

/// Whether the Realtime API takes this as a function's name.
pub(crate) fn is_function_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

/// The same value with its keys in order: the parser gives them in a different order at every start.
/// `None` for a null, which TOML has only as a number that JSON has not.
fn sorted(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null => return None,
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect::<Option<_>>()?),
        Value::Object(fields) => {
            let ordered: BTreeMap<_, _> = fields.iter().collect();
            let fields: Option<Map<_, _>> =
                ordered.into_iter().map(|(key, value)| Some((key.clone(), sorted(value)?))).collect();
            Value::Object(fields?)
        }
        leaf => leaf.clone(),
    })
}

/// What a function's name is, in words.
pub(super) const FUNCTION_NAME: &str = "1 to 64 letters, digits, \"_\" and \"-\"";
