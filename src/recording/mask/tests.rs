use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const KEY: u128 = 0x1234_5678_9abc_def0;

/// Every message of both protocols that there is a fixture of.
const FIXTURES: [&str; 4] = [
    include_str!("../../protocol/agent/fixtures/client.jsonl"),
    include_str!("../../protocol/agent/fixtures/server.jsonl"),
    include_str!("../../protocol/realtime/fixtures/client.jsonl"),
    include_str!("../../protocol/realtime/fixtures/server.jsonl"),
];

fn messages() -> impl Iterator<Item = &'static str> {
    FIXTURES.into_iter().flat_map(str::lines).filter(|line| !line.is_empty())
}

fn masked(text: &str) -> String {
    masked_by(&mut Mask::inputs(KEY), text)
}

fn masked_by(mask: &mut Mask, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    mask.text(&mut bytes);
    String::from_utf8(bytes).expect("text stays text")
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The message with every text, number and name replaced by one word that says which kind it is.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(number) => json!(if number.is_f64() { 0.5 } else { 0.0 }),
        Value::String(text) => json!(text.len()),
        Value::Array(values) => values.iter().map(shape).collect(),
        Value::Object(members) => members
            .iter()
            .enumerate()
            .map(|(n, (name, value))| (format!("{n}:{}", name.len()), shape(value)))
            .collect(),
    }
}

/// Members whose texts are kept, wherever they are not within something that is content as a whole.
const KEPT: [&str; 12] = [
    "type",
    "id",
    "event_id",
    "item_id",
    "response_id",
    "call_id",
    "role",
    "status",
    "code",
    "model",
    "encoding",
    "request_id",
];

#[test]
fn messages_keep_their_shape_their_types_and_their_ids() {
    for text in messages() {
        let masked = masked(text);
        assert_eq!(masked.len(), text.len());
        let (before, after) = (parsed(text), parsed(&masked));
        assert_eq!(shape(&after), shape(&before), "{text}");
        for name in KEPT {
            assert_eq!(after.get(name), before.get(name), "{text}");
        }
    }
}

/// What stands for `name` and `model` of functions and voices deep inside stays as well.
#[test]
fn what_the_gates_decide_by_is_kept() {
    for (text, pointer) in [
        (
            r#"{"type":"Settings","agent":{"think":{"functions":[{"name":"f"}]}}}"#,
            "/agent/think/functions/0/name",
        ),
        (
            r#"{"type":"Settings","agent":{"speak":{"provider":{"model":"aura"}}}}"#,
            "/agent/speak/provider/model",
        ),
        (r#"{"type":"Settings","audio":{"output":{"encoding":"mulaw"}}}"#, "/audio/output/encoding"),
        (
            r#"{"type":"response.done","response":{"output":[{"type":"function_call","name":"f"}]}}"#,
            "/response/output/0/name",
        ),
        (
            r#"{"type":"response.done","response":{"status_details":{"reason":"turn_detected"}}}"#,
            "/response/status_details/reason",
        ),
        (r#"{"type":"error","error":{"type":"t","code":"session_expired"}}"#, "/error/code"),
        (
            r#"{"type":"x","agent":{"listen":{"provider":{"languages":["en","de"]}}}}"#,
            "/agent/listen/provider/languages/1",
        ),
        (
            r#"{"type":"response.done","response":{"usage":{"total_tokens":1234}}}"#,
            "/response/usage/total_tokens",
        ),
    ] {
        assert_eq!(parsed(&masked(text)).pointer(pointer), parsed(text).pointer(pointer), "{text}");
        assert!(parsed(text).pointer(pointer).is_some());
    }
}

/// A word in the place of every text, number and name that is not kept by its name: none of them is left.
#[test]
fn no_word_of_any_member_of_any_message_is_left() {
    let mut places = 0;
    for text in messages() {
        for content in contents(&parsed(text), &mut Vec::new(), &mut places) {
            let words = masked(&content);
            assert!(!words.contains("canary") && !words.contains("73317"), "{content} became {words}");
            assert!(parsed(&words).is_object());
            assert!(!masked_by(&mut Mask::filler(), &content).contains("canary"));
        }
    }
    assert!(places > 140, "{places} places");
}

/// The message once for each of its texts that may be content, with a canary there.
fn contents(message: &Value, path: &mut Vec<String>, places: &mut usize) -> Vec<String> {
    fn walk(value: &Value, path: &mut Vec<String>, found: &mut Vec<(String, bool)>) {
        let pointer = |path: &[String]| path.iter().map(|step| format!("/{step}")).collect::<String>();
        let sealed = path.iter().any(|step| {
            ["arguments", "result", "variables", "metadata", "logprobs"].contains(&step.as_str())
        });
        let last = path.iter().rev().find(|step| step.parse::<usize>().is_err()).map(String::as_str);
        let kept = last.is_some_and(|name| members::KEPT.contains(&name.as_bytes()) || name == "url")
            || path.ends_with(&["status_details".to_owned(), "reason".to_owned()]);
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                path.push(name.clone());
                walk(value, path, found);
                path.pop();
            }),
            Value::Array(values) => values.iter().enumerate().for_each(|(n, value)| {
                path.push(n.to_string());
                walk(value, path, found);
                path.pop();
            }),
            Value::String(_) if sealed || !kept => found.push((pointer(path), false)),
            Value::Number(_) if sealed => found.push((pointer(path), true)),
            _ => (),
        }
    }
    let mut found = Vec::new();
    walk(message, path, &mut found);
    *places += found.len();
    let with = |(pointer, number): &(String, bool)| {
        let mut message = message.clone();
        let place = message.pointer_mut(pointer).expect("it was found there");
        *place = if *number { json!(73317) } else { json!("canary Wort \"canary\" 73317\ncanary") };
        message.to_string()
    };
    found.iter().map(with).collect()
}

#[test]
fn what_a_function_got_and_said_is_content_as_a_whole() {
    for text in [
        r#"{"type":"FunctionCallResponse","id":"c","content":{"name":"canary","canary":73317}}"#,
        r#"{"type":"FunctionCallResponse","id":"c","error":{"code":"canary","canary":[73317,-7.3317e4]}}"#,
        r#"{"error":{"code":"canary"},"type":"FunctionCallResponse"}"#,
        r#"{"type":"Function\u0043allResponse","error":{"code":"canary"}}"#,
        r#"{"type":"conversation.item.create","item":{"type":"function_call_output","output":{"id":"canary"}}}"#,
        r#"{"type":"Settings","agent":{"think":{"managedPrompt":{"variables":{"name":"canary"}}}}}"#,
        r#"{"type":"session.update","session":{"tools":[{"parameters":{"canary":{"type":"canary"}}}]}}"#,
        r#"["canary"]"#,
        r#"73317"#,
        r#""canary""#,
        r#"{"type":"x","text":"\u0063\u0061\u006e\u0061\u0072\u0079"}"#,
        r#"canary"#,
        r#"{"type":"x", canary"#,
        r#"{"type":"x"} canary"#,
    ] {
        let masked = masked(text);
        assert!(
            !masked.contains("canary") && !masked.contains("7331") && !masked.contains("006e"),
            "{masked}"
        );
    }
}

/// What looks like a name or a type may be anything where the text is no message.
#[test]
fn of_a_frame_that_is_no_json_nothing_is_kept() {
    for text in [r#"{"type":"canary"#, r#"{"type":"canary"} x"#, r#"{"id":"canary","canary"}"#] {
        let mut frame = text.as_bytes().to_vec();
        Mask::inputs(KEY).fragment(&mut frame, true);
        let masked = String::from_utf8(frame).expect("text stays text");
        assert!(!masked.contains("canary") && !masked.contains("type"), "{masked}");
    }
}

#[test]
fn credentials_of_clients_are_masked_in_any_case_and_the_rest_only_where_it_is_asked_for() {
    let text = r#"{"type":"Settings","agent":{"think":{"prompt":"hello","endpoint":{"url":"https://a.example:8/p?key=canary","headers":{"authorization":"Bearer canary"}}},"speak":{"provider":{"credentials":{"secret":"canary"}}}}}"#;
    for mut mask in [Mask::off(), Mask::inputs(KEY), Mask::filler()] {
        let masked = masked_by(&mut mask, text);
        assert!(!masked.contains("canary") && masked.contains("https://a.example:8/"), "{masked}");
        assert_eq!(masked.contains("hello"), !mask.content);
        assert_eq!(masked.contains("8/p?"), !mask.content);
    }
    let with_a_password = r#"{"type":"x","endpoint":{"url":"https://canary:canary@host/"}}"#;
    assert!(!masked_by(&mut Mask::off(), with_a_password).contains("canary"));
    // By its host and port it is decided whether a function is called there.
    let with_a_name = r#"{"type":"x","endpoint":{"url":"http://canary.a:b@127.0.0.1:65000/canary"}}"#;
    for mut mask in [Mask::inputs(KEY), Mask::filler()] {
        let masked = masked_by(&mut mask, with_a_name);
        assert!(!masked.contains("canary") && masked.contains("@127.0.0.1:65000/"), "{masked}");
    }
}

#[test]
fn equal_texts_are_equal_and_others_are_not() {
    let text = |text: &str| parsed(&masked(&json!({"type": "x", "text": text}).to_string()))["text"].clone();
    assert_eq!(text("Hello there"), text("Hello there"));
    assert_eq!(text("Hello there"), parsed(&masked(r#"{"transcript": "Hello there"}"#))["transcript"]);
    let texts: HashSet<_> = ["a", "b", "ab", "ba", "", " ", " a", "\n"].map(|of| text(of).to_string()).into();
    assert_eq!(texts.len(), 8);
    // What says nothing says nothing afterwards, and what says something does.
    for blank in ["", " ", " \n\t", " a", "\na b ", "  é"] {
        let masked = text(blank);
        let masked = masked.as_str().expect("a text");
        assert_eq!(masked.trim().is_empty(), blank.trim().is_empty());
        assert_eq!(masked.len() - masked.trim_start().len(), blank.len() - blank.trim_start().len());
    }
}

#[test]
fn what_is_filled_is_the_same_for_all_stand_ins() {
    for text in messages() {
        let filled = masked_by(&mut Mask::filler(), text);
        assert_eq!(masked_by(&mut Mask::filler(), &masked(text)), filled, "{text}");
    }
}

#[test]
fn a_long_text_takes_time_by_its_length_alone() {
    // What went through it byte by byte for each of its bytes would take hours.
    let long = "[".repeat(3_000_000) + &r#"\u00e9 "{,"#.repeat(100_000);
    assert_eq!(masked(&long).len(), long.len());
    let text = json!({"type": "x", "text": "é\" \\".repeat(500_000)}).to_string();
    assert_eq!(masked(&text).len(), text.len());
}

fn cut(text: &str, cuts: &[prop::sample::Index]) -> Vec<u8> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    // An empty one behind it, so that nobody sees beforehand that it is whole.
    places.extend([0, text.len(), text.len()]);
    places.sort_unstable();
    let mut mask = Mask::inputs(KEY);
    let mut bytes = text.as_bytes().to_vec();
    for window in places.windows(2) {
        mask.fragment(&mut bytes[window[0]..window[1]], false);
    }
    mask.fragment(&mut [], true);
    bytes
}

fn any_text() -> impl Strategy<Value = String> {
    let message = prop::sample::select(messages().collect::<Vec<_>>());
    let wounded = (message, any::<prop::sample::Index>(), any::<char>()).prop_map(|(text, at, instead)| {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        chars[at] = instead;
        chars.into_iter().collect()
    });
    prop_oneof![any::<String>(), r#"[\[\]{}:,"\\a-f0-9u .e+-]{0,60}"#, wounded]
}

/// Any JSON, with names among which are those that count.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(|number| json!(f64::from(number))),
        any::<String>().prop_map(Value::from),
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "type",
            "id",
            "content",
            "output",
            "error",
            "arguments",
            "headers",
            "url",
            "audio"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn json_stays_json_of_the_same_shape(value in any_json()) {
        let message = json!({"type": "x", "value": value});
        let (compact, spacious) = (message.to_string(), serde_json::to_string_pretty(&message).expect("it is JSON"));
        for text in [compact, spacious] {
            prop_assert_eq!(shape(&parsed(&masked(&text))), shape(&message));
        }
    }

    #[test]
    fn any_text_stays_text_of_its_length(text in any_text()) {
        for mut mask in [Mask::inputs(KEY), Mask::filler(), Mask::off()] {
            prop_assert_eq!(masked_by(&mut mask, &text).len(), text.len());
        }
    }

    #[test]
    fn bytes_that_are_no_text_harm_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut masked = bytes.clone();
        Mask::inputs(KEY).text(&mut masked);
        prop_assert_eq!(masked.len(), bytes.len());
    }

    #[test]
    fn fragments_are_masked_as_the_whole(text in any_text(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        prop_assert_eq!(cut(&text, &cuts), cut(&text, &[]));
    }

    #[test]
    fn two_messages_in_fragments_do_not_meet(first in any_text(), second in any_text()) {
        let mut mask = Mask::inputs(KEY);
        let mut bytes = first.into_bytes();
        mask.fragment(&mut bytes, true);
        let mut after = second.clone().into_bytes();
        mask.fragment(&mut after, true);
        let mut alone = second.into_bytes();
        Mask::inputs(KEY).fragment(&mut alone, true);
        prop_assert_eq!(after, alone);
    }
}
