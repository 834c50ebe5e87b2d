//! What the tests of both legs share: fixtures as lines of JSON, and every place of a message where
//! something can be put that does not belong there. Knows no message.

use proptest::prelude::*;
use serde_json::{Number, Value, json};

/// A fixture's lines; each is one text frame.
pub(super) fn lines(jsonl: &'static str) -> impl Iterator<Item = &'static str> {
    jsonl.split('\n').filter(|line| !line.is_empty())
}

/// A line as JSON.
pub(super) fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The `type` of a line.
pub(super) fn kind(text: &str) -> String {
    json_of(text)["type"].as_str().expect("a fixture has a type").to_owned()
}

/// A list of `kinds.json`.
pub(super) fn kinds(file: &str, list: &str) -> Vec<String> {
    serde_json::from_value(json_of(file)[list].clone()).expect("a list of types")
}

/// The same JSON without members that are null and with every number written in one way: `1` and `1.0`
/// are one number to JSON, and a decoder may forget that a member was there as null.
pub(super) fn normal(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, normal(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(normal).collect(),
        Value::Number(number) => {
            Value::Number(number.as_f64().and_then(Number::from_f64).expect("a small number"))
        }
        other => other,
    }
}

/// Asserts that an encoded message is the JSON that it was decoded from, without a member twice.
#[track_caller]
pub(super) fn assert_same(encoded: &str, original: &str) {
    assert_eq!(normal(json_of(encoded)), normal(json_of(original)), "{encoded}");
    assert!(encoded.starts_with(r#"{"type":"#), "type comes first: {encoded}");
    assert_eq!(json_of(encoded).to_string(), encoded, "a member is there twice");
}

/// Every place in `value` but the message itself and its `type`, with its dotted path.
pub(super) fn places(value: &Value) -> Vec<(String, Vec<Step>)> {
    let mut found = Vec::new();
    walk(value, "", &mut Vec::new(), &mut found);
    found.retain(|(path, _)| path != "type");
    found
}

/// One step into a JSON value.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Member(String),
    Element(usize),
}

fn walk(value: &Value, path: &str, steps: &mut Vec<Step>, found: &mut Vec<(String, Vec<Step>)>) {
    let mut visit = |path: String, step: Step, value: &Value| {
        steps.push(step);
        found.push((path.clone(), steps.clone()));
        walk(value, &path, steps, found);
        steps.pop();
    };
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                visit(path, Step::Member(key.clone()), value);
            }
        }
        Value::Array(values) => {
            for (n, value) in values.iter().enumerate() {
                visit(format!("{path}[{n}]"), Step::Element(n), value);
            }
        }
        _ => (),
    }
}

/// The value at a place.
pub(super) fn at<'a>(value: &'a mut Value, steps: &[Step]) -> &'a mut Value {
    steps.iter().fold(value, |value, step| match step {
        Step::Member(key) => &mut value[key.as_str()],
        Step::Element(n) => &mut value[*n],
    })
}

/// Every text that has one member too many, with the path of that member.
pub(super) fn with_an_extra_member(text: &str) -> Vec<(String, String)> {
    let original = json_of(text);
    let mut all = places(&original);
    all.push((String::new(), Vec::new()));
    all.into_iter()
        .filter_map(|(path, steps)| {
            let mut changed = original.clone();
            let members = at(&mut changed, &steps).as_object_mut()?;
            members.insert("extra".to_owned(), json!([{ "more": 1 }]));
            let path = if path.is_empty() { "extra".to_owned() } else { format!("{path}.extra") };
            Some((path, changed.to_string()))
        })
        .collect()
}

/// Every text that has another value in one place, with the path of that place.
pub(super) fn with_another_value(text: &str) -> Vec<(String, String)> {
    let original = json_of(text);
    let others = [json!([false]), json!({ "wrong": 0 }), json!(7), json!(-0.5), json!("text"), json!(true)];
    places(&original)
        .into_iter()
        .flat_map(|(path, steps)| {
            let original = &original;
            others.clone().map(move |other| {
                let mut changed = original.clone();
                *at(&mut changed, &steps) = other;
                (path.clone(), changed.to_string())
            })
        })
        .collect()
}

/// Text that peers could send: anything, things that look like JSON, and fixtures with a wound.
pub(super) fn hostile_text(fixtures: &'static str) -> impl Strategy<Value = String> {
    let wounded = (prop::sample::select(lines(fixtures).collect::<Vec<_>>()), any::<prop::sample::Index>());
    prop_oneof![
        any::<String>(),
        r#"[\[\]{}:,"\\a-z0-9 .-]{0,60}"#,
        r#"\{"type":"[a-zA-Z_.]{0,20}"(,"[a-z_]{1,10}":(null|[0-9]{1,30}|"[^"]{0,10}"|\[\]|\{\})){0,3}\}"#,
        (wounded, prop::option::of(any::<char>())).prop_map(|((line, index), instead)| {
            let chars: Vec<char> = line.chars().collect();
            let cut = index.index(chars.len());
            let rest = instead.map(|c| std::iter::once(c).chain(chars[cut + 1..].iter().copied()));
            chars[..cut].iter().copied().chain(rest.into_iter().flatten()).collect()
        }),
    ]
}

/// Text that is no message, and whether it is JSON at all.
pub(super) const NOT_MESSAGES: &[(&str, bool)] = &[
    ("", false),
    (" ", false),
    ("hello", false),
    ("{", false),
    (r#"{"type":"KeepAlive""#, false),
    (r#"{"type":"KeepAlive"} x"#, false),
    (r#"{"type":"KeepAlive",}"#, false),
    (r#"{"type":"KeepAlive"}{"type":"KeepAlive"}"#, false),
    ("\u{feff}{\"type\":\"KeepAlive\"}", false),
    ("{'type':'KeepAlive'}", false),
    ("{}", true),
    ("[]", true),
    ("null", true),
    ("17", true),
    (r#""KeepAlive""#, true),
    (r#"["KeepAlive"]"#, true),
    (r#" [ "response.done" ] "#, true),
    (r#"[{"type":"KeepAlive"}]"#, true),
    (r#"{"type":null}"#, true),
    (r#"{"type":1}"#, true),
    (r#"{"type":["KeepAlive"]}"#, true),
    (r#"{"type":{"type":"KeepAlive"}}"#, true),
    (r#"{"Type":"KeepAlive"}"#, true),
    (r#"{"a":{"type":"KeepAlive"}}"#, true),
];
