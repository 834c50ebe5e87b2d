//! A small strict schema for Deepgram's JSON: shapes of values, and the fault found where a value does not fit.
//! Knows nothing of which messages exist.
//!
//! Deepgram tells two kinds of fault apart: a message that cannot be read (an unknown or missing field, a wrong type, a
//! whole number written as `1.0`), and one whose values are refused.

use serde_json::{Map, Value};

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    /// For people; begins with the field's path.
    pub(super) description: String,
}

/// The two kinds of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// It cannot be read.
    Unreadable,
    /// It can be read, and is refused.
    Refused,
}

impl Fault {
    /// A value that cannot be read.
    pub(super) fn unreadable(path: &str, why: impl AsRef<str>) -> Self {
        Self { kind: FaultKind::Unreadable, description: format!("{path}: {}", why.as_ref()) }
    }

    /// A value that is refused.
    pub(super) fn refused(path: &str, why: impl AsRef<str>) -> Self {
        Self { kind: FaultKind::Refused, description: format!("{path}: {}", why.as_ref()) }
    }
}

/// What a value must look like. `null` fits [`Shape::Any`] only.
pub(super) enum Shape {
    /// Any JSON at all.
    Any,
    /// A text.
    Text,
    /// A text of at least one character.
    SomeText,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// true or false.
    Bool,
    /// true.
    True,
    /// A whole number in this range, written without a point.
    Integer(i64, i64),
    /// A number in this range.
    Number(f64, f64),
    /// A list of values of one shape.
    List(&'static Self),
    /// An object with any names, of values of one shape.
    Map(&'static Self),
    /// An object with these fields and no others.
    Object(&'static [Field]),
    /// An object whose text field of this name chooses the other fields; without it the first variant is meant.
    Tagged(&'static str, &'static [(&'static str, &'static [Field])]),
    /// An object: the first shape if it has a field of this name, else the second.
    With(&'static str, &'static Self, &'static Self),
    /// A text, or this shape.
    TextOr(&'static Self),
    /// An object of this shape, or a list of at least one of them.
    OneOrMore(&'static Self),
    /// A shape that another rule narrows.
    And(&'static Self, fn(&Value, &str) -> Result<(), Fault>),
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

/// A field that may be absent.
pub(super) const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

impl Shape {
    /// Checks a value; `path` is where it stands.
    pub(super) fn check(&self, value: &Value, path: &str) -> Result<(), Fault> {
        let read = |reads: bool, expected: &str| {
            if reads { Ok(()) } else { Err(Fault::unreadable(path, format!("expected {expected}"))) }
        };
        match self {
            Self::Any => Ok(()),
            Self::Text => read(value.is_string(), "a string"),
            Self::SomeText => {
                read(value.is_string(), "a string")?;
                if value == "" { Err(Fault::refused(path, "must not be empty")) } else { Ok(()) }
            }
            Self::OneOf(texts) => {
                read(value.is_string(), "a string")?;
                if texts.iter().any(|text| value == text) {
                    Ok(())
                } else {
                    Err(Fault::refused(path, format!("expected one of {}", texts.join(", "))))
                }
            }
            Self::Bool => read(value.is_boolean(), "a boolean"),
            Self::True => read(value == true, "true"),
            Self::Integer(least, most) => {
                read(value.is_i64() || value.is_u64(), "an integer")?;
                if value.as_i64().is_some_and(|number| (*least..=*most).contains(&number)) {
                    Ok(())
                } else {
                    Err(Fault::refused(path, format!("expected {least} to {most}")))
                }
            }
            Self::Number(least, most) => {
                read(value.is_number(), "a number")?;
                if value.as_f64().is_some_and(|number| (*least..=*most).contains(&number)) {
                    Ok(())
                } else {
                    Err(Fault::refused(path, format!("expected {least} to {most}")))
                }
            }
            Self::List(shape) => {
                read(value.is_array(), "an array")?;
                check_all(shape, value, path)
            }
            Self::Map(shape) => object(value, path)?
                .iter()
                .try_for_each(|(name, value)| shape.check(value, &join(path, name))),
            Self::Object(fields) => check_fields(object(value, path)?, fields, None, path),
            Self::Tagged(tag, variants) => {
                let object = object(value, path)?;
                let tag_path = join(path, tag);
                let fields = match object.get(*tag) {
                    None => variants.first().map(|(_, fields)| *fields),
                    Some(chosen) => {
                        read(chosen.is_string(), &format!("{tag_path} to be a string"))?;
                        variants.iter().find(|(name, _)| chosen == name).map(|(_, fields)| *fields)
                    }
                };
                let names = || variants.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                let fields = fields
                    .ok_or_else(|| Fault::refused(&tag_path, format!("expected one of {}", names())))?;
                check_fields(object, fields, Some(tag), path)
            }
            Self::With(name, with, without) => {
                let has = object(value, path)?.contains_key(*name);
                if has { with.check(value, path) } else { without.check(value, path) }
            }
            Self::TextOr(_) if value.is_string() => Ok(()),
            Self::TextOr(shape) => shape.check(value, path),
            Self::OneOrMore(shape) => match value.as_array().map(Vec::is_empty) {
                None => shape.check(value, path),
                Some(true) => Err(Fault::refused(path, "must not be empty")),
                Some(false) => check_all(shape, value, path),
            },
            Self::And(shape, rule) => shape.check(value, path).and_then(|()| rule(value, path)),
        }
    }
}

fn check_all(shape: &Shape, list: &Value, path: &str) -> Result<(), Fault> {
    let mut values = list.as_array().into_iter().flatten().enumerate();
    values.try_for_each(|(index, value)| shape.check(value, &format!("{path}[{index}]")))
}

/// Checks the fields of an object, less the one that a tag has accounted for.
pub(super) fn check_fields(
    object: &Map<String, Value>,
    fields: &[Field],
    tag: Option<&str>,
    path: &str,
) -> Result<(), Fault> {
    for (name, value) in object.iter().filter(|(name, _)| Some(name.as_str()) != tag) {
        let path = join(path, name);
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            return Err(Fault::unreadable(&path, "unknown field"));
        };
        field.shape.check(value, &path)?;
    }
    match fields.iter().find(|field| field.required && !object.contains_key(field.name)) {
        Some(field) => Err(Fault::unreadable(&join(path, field.name), "missing")),
        None => Ok(()),
    }
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, Fault> {
    value.as_object().ok_or_else(|| Fault::unreadable(path, "expected an object"))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static POINT: Shape = Shape::Object(&[required("x", Shape::Bool)]);
    static SAMPLE: Shape = Shape::Object(&[
        required("name", Shape::SomeText),
        optional("size", Shape::Integer(1, 5)),
        optional("limit", Shape::Number(0.0, 1.0)),
        optional("kind", Shape::Tagged("v", &[("a", &[optional("x", Shape::Bool)]), ("b", &[])])),
        optional("word", Shape::OneOf(&["red", "blue"])),
        optional("points", Shape::OneOrMore(&POINT)),
        optional("either", Shape::With("x", &POINT, &Shape::Map(&Shape::Text))),
        optional("sure", Shape::True),
        optional("point", Shape::TextOr(&POINT)),
    ]);

    #[test]
    fn what_fits_passes() {
        for value in [
            json!({"name": "n"}),
            json!({"name": "n", "size": 5, "limit": 1, "word": "red", "points": {"x": true}, "sure": true}),
            json!({"name": "n", "kind": {"v": "a", "x": true}, "points": [{"x": true}, {"x": false}]}),
            json!({"name": "n", "kind": {"x": true}, "either": {"y": "z"}}),
            json!({"name": "n", "kind": {"v": "b"}, "either": {"x": false}, "point": "p"}),
            json!({"name": "n", "point": {"x": true}}),
        ] {
            assert_eq!(SAMPLE.check(&value, ""), Ok(()), "{value}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_apart_and_named() {
        use FaultKind::{Refused, Unreadable};
        for (value, kind, path) in [
            (json!([]), Unreadable, ""),
            (json!({}), Unreadable, "name"),
            (json!({"name": null}), Unreadable, "name"),
            (json!({"name": ""}), Refused, "name"),
            (json!({"name": "n", "colour": 1}), Unreadable, "colour"),
            (json!({"name": "n", "size": 1.0}), Unreadable, "size"),
            (json!({"name": "n", "size": 6}), Refused, "size"),
            (json!({"name": "n", "size": u64::MAX}), Refused, "size"),
            (json!({"name": "n", "limit": "1"}), Unreadable, "limit"),
            (json!({"name": "n", "limit": 1.5}), Refused, "limit"),
            (json!({"name": "n", "word": "green"}), Refused, "word"),
            (json!({"name": "n", "kind": {"v": "c"}}), Refused, "kind.v"),
            (json!({"name": "n", "kind": {"v": 1}}), Unreadable, "kind"),
            (json!({"name": "n", "kind": {"v": "b", "x": true}}), Unreadable, "kind.x"),
            (json!({"name": "n", "points": []}), Refused, "points"),
            (json!({"name": "n", "points": [{"x": true}, {}]}), Unreadable, "points[1].x"),
            (json!({"name": "n", "either": {"x": "z"}}), Unreadable, "either.x"),
            (json!({"name": "n", "either": {"y": 1}}), Unreadable, "either.y"),
            (json!({"name": "n", "sure": false}), Unreadable, "sure"),
            (json!({"name": "n", "point": {}}), Unreadable, "point.x"),
        ] {
            let fault = SAMPLE.check(&value, "").expect_err("it does not fit");
            let at = fault.description.split(": ").next();
            assert_eq!((fault.kind, at), (kind, Some(path)), "{value}");
        }
    }
}
