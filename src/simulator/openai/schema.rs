//! A small strict schema: shapes of JSON values, and the fault found where a value does not fit.
//! Knows nothing of which events exist.

use serde_json::{Map, Value};

/// Why a client event is refused: the `error` object's code, message and param.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// One of the codes of "OpenAI Realtime, Errors".
    pub(super) code: String,
    /// For people.
    pub(super) message: String,
    /// The path of the offending field.
    pub(super) param: Option<String>,
}

impl Fault {
    /// A fault that no single field is to blame for.
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), param: None }
    }

    /// A field with a value that it may not have.
    pub(super) fn value(path: &str, why: impl Into<String>) -> Self {
        Self::new("invalid_value", format!("Invalid value for '{path}': {}.", why.into())).at(path)
    }

    /// The same fault, blamed on a field.
    pub(super) fn at(mut self, path: &str) -> Self {
        self.param = Some(path.to_owned());
        self
    }
}

/// What a value must look like. `null` fits [`Shape::Nullable`] and [`Shape::Any`] only.
pub(super) enum Shape {
    /// Any JSON at all.
    Any,
    /// A text of at most so many characters.
    Text(usize),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// true or false.
    Bool,
    /// A whole number in this range.
    Integer(i64, i64),
    /// A number in this range.
    Number(f64, f64),
    /// This shape or null.
    Nullable(&'static Self),
    /// The first of these that fits; when none does, the fault of the last.
    Either(&'static [Self]),
    /// A list of values of one shape.
    List(&'static Self),
    /// An object with any names, of values of one shape.
    Map(&'static Self),
    /// An object with these fields and no others.
    Object(&'static [Field]),
    /// An object whose text field of this name chooses the other fields.
    Tagged(&'static str, &'static [(&'static str, &'static [Field])]),
    /// A shape that another rule narrows.
    And(&'static Self, fn(&Value, &str) -> Result<(), Fault>),
    /// Whatever the rule says.
    Rule(fn(&Value, &str) -> Result<(), Fault>),
}

/// A field of an object.
pub(super) struct Field {
    name: &'static str,
    shape: Shape,
    required: bool,
}

/// A field that must be there.
pub(super) const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true }
}

/// A field that may be absent, though not null unless its shape says so.
pub(super) const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

impl Shape {
    /// Checks a value; `path` is where it stands, as `param` would name it.
    pub(super) fn check(&self, value: &Value, path: &str) -> Result<(), Fault> {
        let fits = |fits: bool, expected: String| {
            if fits {
                Ok(())
            } else {
                Err(Fault::value(path, format!("expected {expected}, got {}", short(value))))
            }
        };
        match self {
            Self::Any => Ok(()),
            Self::Text(limit) => {
                let length = value.as_str().map(|text| text.chars().count());
                fits(length.is_some_and(|length| length <= *limit), text_of_at_most(*limit))
            }
            Self::OneOf(allowed) => fits(
                value.as_str().is_some_and(|text| allowed.contains(&text)),
                format!("one of '{}'", allowed.join("', '")),
            ),
            Self::Bool => fits(value.is_boolean(), "a boolean".to_owned()),
            Self::Integer(least, most) => fits(
                value.as_i64().is_some_and(|number| (*least..=*most).contains(&number)),
                format!("an integer from {least} to {most}"),
            ),
            Self::Number(least, most) => fits(
                value.as_f64().is_some_and(|number| (*least..=*most).contains(&number)),
                format!("a number from {least} to {most}"),
            ),
            Self::Nullable(_) if value.is_null() => Ok(()),
            Self::Nullable(shape) => shape.check(value, path),
            Self::Either(shapes) => {
                let mut outcome = Ok(());
                for shape in *shapes {
                    outcome = shape.check(value, path);
                    if outcome.is_ok() {
                        break;
                    }
                }
                outcome
            }
            Self::List(shape) => {
                let list = value.as_array();
                fits(list.is_some(), "an array".to_owned())?;
                list.into_iter()
                    .flatten()
                    .enumerate()
                    .try_for_each(|(index, value)| shape.check(value, &format!("{path}[{index}]")))
            }
            Self::Map(shape) => object(value, path)?
                .iter()
                .try_for_each(|(name, value)| shape.check(value, &join(path, name))),
            Self::Object(fields) => check_fields(object(value, path)?, fields, None, path),
            Self::Tagged(tag, variants) => {
                let object = object(value, path)?;
                let tag_path = join(path, tag);
                let chosen = object.get(*tag).ok_or_else(|| missing(&tag_path))?;
                let Some((_, fields)) = variants.iter().find(|(name, _)| chosen == name) else {
                    let names = variants.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("', '");
                    return Err(Fault::value(
                        &tag_path,
                        format!("expected one of '{names}', got {}", short(chosen)),
                    ));
                };
                check_fields(object, fields, Some(tag), path)
            }
            Self::And(shape, rule) => shape.check(value, path).and_then(|()| rule(value, path)),
            Self::Rule(rule) => rule(value, path),
        }
    }
}

fn check_fields(
    object: &Map<String, Value>,
    fields: &[Field],
    tag: Option<&str>,
    path: &str,
) -> Result<(), Fault> {
    for (name, value) in object {
        if Some(name.as_str()) == tag {
            continue;
        }
        let path = join(path, name);
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            return Err(Fault::new("unknown_parameter", format!("Unknown parameter: '{path}'.")).at(&path));
        };
        field.shape.check(value, &path)?;
    }
    match fields.iter().find(|field| field.required && !object.contains_key(field.name)) {
        Some(field) => Err(missing(&join(path, field.name))),
        None => Ok(()),
    }
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, Fault> {
    value.as_object().ok_or_else(|| Fault::value(path, format!("expected an object, got {}", short(value))))
}

fn missing(path: &str) -> Fault {
    Fault::new("missing_required_parameter", format!("Missing required parameter: '{path}'.")).at(path)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn text_of_at_most(limit: usize) -> String {
    if limit == usize::MAX {
        "a string".to_owned()
    } else {
        format!("a string of at most {limit} characters")
    }
}

/// A value as an error message can show it.
fn short(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > 40 => "a long string".to_owned(),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static SAMPLE: Shape = Shape::Object(&[
        required("name", Shape::Text(3)),
        optional("size", Shape::Nullable(&Shape::Integer(1, 5))),
        optional(
            "parts",
            Shape::List(&Shape::Tagged("type", &[("a", &[required("x", Shape::Bool)]), ("b", &[])])),
        ),
        optional("limit", Shape::Either(&[Shape::OneOf(&["inf"]), Shape::Number(0.0, 1.0)])),
        optional("tags", Shape::Map(&Shape::Text(usize::MAX))),
    ]);

    #[test]
    fn what_fits_passes() {
        for value in [
            json!({"name": "abc"}),
            json!({"name": "", "size": null, "parts": [{"type": "a", "x": true}, {"type": "b"}]}),
            json!({"name": "x", "size": 5, "limit": "inf", "tags": {"k": "v"}}),
            json!({"name": "x", "limit": 0.5}),
        ] {
            assert_eq!(SAMPLE.check(&value, "s"), Ok(()), "{value}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (value, code, param) in [
            (json!([]), "invalid_value", "s"),
            (json!({}), "missing_required_parameter", "s.name"),
            (json!({"name": null}), "invalid_value", "s.name"),
            (json!({"name": "abcd"}), "invalid_value", "s.name"),
            (json!({"name": "a", "colour": 1}), "unknown_parameter", "s.colour"),
            (json!({"name": "a", "size": 6}), "invalid_value", "s.size"),
            (json!({"name": "a", "size": 1.5}), "invalid_value", "s.size"),
            (
                json!({"name": "a", "parts": [{"type": "b"}, {"x": true}]}),
                "missing_required_parameter",
                "s.parts[1].type",
            ),
            (json!({"name": "a", "parts": [{"type": "a"}]}), "missing_required_parameter", "s.parts[0].x"),
            (json!({"name": "a", "parts": [{"type": "c"}]}), "invalid_value", "s.parts[0].type"),
            (json!({"name": "a", "parts": [{"type": "b", "x": 1}]}), "unknown_parameter", "s.parts[0].x"),
            (json!({"name": "a", "limit": 2}), "invalid_value", "s.limit"),
            (json!({"name": "a", "tags": {"k": 1}}), "invalid_value", "s.tags.k"),
        ] {
            let fault = SAMPLE.check(&value, "s").expect_err("it does not fit");
            assert_eq!((fault.code.as_str(), fault.param.as_deref()), (code, Some(param)), "{value}");
        }
    }
}
