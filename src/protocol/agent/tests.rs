//! The client leg's messages against fixtures: what goes in comes out the same, and what does not belong
//! there is named by its path.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::protocol::{DecodeError, fixtures::*};

const CLIENT: &str = include_str!("fixtures/client.jsonl");
const SERVER: &str = include_str!("fixtures/server.jsonl");
const UNKNOWN: &str = include_str!("fixtures/unknown.jsonl");
const KINDS: &str = include_str!("fixtures/kinds.json");

#[track_caller]
fn client(text: &str) -> ClientMessage {
    ClientMessage::decode(text, |_| ()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn server(text: &str) -> ServerMessage {
    ServerMessage::decode(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn fixtures_come_out_as_they_went_in() {
    for line in lines(CLIENT) {
        let message = ClientMessage::decode(line, |path| panic!("{path} is not read: {line}"));
        let message = message.unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(!matches!(message, ClientMessage::Unknown(_)), "{line}");
        assert_eq!(message.kind(), kind(line));
        assert_same(&message.encode(), line);
    }
    for line in lines(SERVER) {
        let message = server(line);
        assert!(!matches!(message, ServerMessage::Unknown(_)), "{line}");
        assert_eq!(message.kind(), kind(line));
        assert_same(&message.encode(), line);
    }
}

#[test]
fn the_tables_are_the_documented_types_and_each_has_a_fixture() {
    let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    let table = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let client_kinds = table(ClientMessage::KINDS);
    assert_eq!(client_kinds, set(kinds(KINDS, "client")));
    assert_eq!(client_kinds, lines(CLIENT).map(kind).collect());

    let server_kinds = table(ServerMessage::KINDS);
    assert_eq!(server_kinds, set([kinds(KINDS, "server"), kinds(KINDS, "component")].concat()));
    assert_eq!(server_kinds, lines(SERVER).map(kind).collect());
}

#[test]
fn unknown_types_are_kept_to_the_letter() {
    for line in lines(UNKNOWN) {
        let messages = [
            (
                client(line).kind().to_owned(),
                client(line).encode(),
                matches!(client(line), ClientMessage::Unknown(_)),
            ),
            (
                server(line).kind().to_owned(),
                server(line).encode(),
                matches!(server(line), ServerMessage::Unknown(_)),
            ),
        ];
        for message in messages {
            assert_eq!(message, (kind(line), line.to_owned(), true));
        }
    }
}

#[test]
fn an_extra_member_is_either_kept_or_told_by_its_path() {
    let mut told = 0;
    for line in lines(CLIENT) {
        for (path, text) in with_an_extra_member(line) {
            let mut ignored = Vec::new();
            let message = ClientMessage::decode(&text, |path| ignored.push(path))
                .unwrap_or_else(|error| panic!("{error}: {text}"));
            if ignored.is_empty() {
                assert_same(&message.encode(), &text);
            } else {
                assert_eq!(ignored, [path], "{text}");
                assert_eq!(message, client(line));
                told += 1;
            }
        }
    }
    assert!(told > 60, "{told}");
    for line in lines(SERVER) {
        for (_, text) in with_an_extra_member(line) {
            let message = server(&text);
            if message != server(line) {
                assert_same(&message.encode(), &text);
            }
        }
    }
}

#[test]
fn another_value_is_either_kept_or_refused_by_its_path() {
    let mut refused = 0;
    for line in lines(CLIENT) {
        for (path, text) in with_another_value(line) {
            let mut ignored = Vec::new();
            match ClientMessage::decode(&text, |path| ignored.push(path)) {
                Ok(_) if !ignored.is_empty() => assert_eq!(ignored, [format!("{path}.wrong")], "{text}"),
                Ok(message) => assert_same(&message.encode(), &text),
                Err(DecodeError::Invalid { kind: of, path: at, reason }) => {
                    assert_eq!(of, kind(line));
                    assert!(at == path || at == format!("{path}[0]"), "{at} is not {path}: {text}");
                    assert!(reason.contains("expected"), "{reason}");
                    refused += 1;
                }
                Err(other) => panic!("{other}: {text}"),
            }
        }
    }
    assert!(refused > 300, "{refused}");
    for (path, text) in lines(SERVER).flat_map(with_another_value) {
        match ServerMessage::decode(&text) {
            Ok(_) => (),
            Err(DecodeError::Invalid { path: at, .. }) => assert!(at.starts_with(&path), "{at}: {text}"),
            Err(other) => panic!("{other}: {text}"),
        }
    }
}

#[test]
fn a_wrong_value_is_named_as_the_client_wrote_it() {
    let cases = [
        (
            r#"{"type":"Settings","agent":5}"#,
            "agent",
            "invalid type: integer `5`, expected an object or the id of a stored agent",
        ),
        (
            r#"{"type":"Settings","audio":[{"encoding":"linear16"},null]}"#,
            "audio",
            "invalid type: sequence, expected an object",
        ),
        (
            r#"{"type":"Settings","audio":{"input":{"encoding":"linear16","sample_rate":16000.5}}}"#,
            "audio.input.sample_rate",
            "invalid type: floating point `16000.5`, expected u32",
        ),
        (
            r#"{"type":"Settings","audio":{"input":{"sample_rate":-1}}}"#,
            "audio.input.sample_rate",
            "invalid value: integer `-1`, expected u32",
        ),
        (
            r#"{"type":"Settings","agent":{"think":{"functions":[{"name":1}]}}}"#,
            "agent.think.functions[0].name",
            "invalid type: integer `1`, expected a string",
        ),
        (
            r#"{"type":"Settings","agent":{"think":[{},{"functions":[{},{"name":false}]}]}}"#,
            "agent.think[1].functions[1].name",
            "invalid type: boolean `false`, expected a string",
        ),
        (
            r#"{"type":"Settings","agent":{"think":"gpt"}}"#,
            "agent.think",
            "invalid type: string \"gpt\", expected an object or an array of objects",
        ),
        (
            r#"{"type":"Settings","agent":{"context":{"messages":[{"content":"a"},{"role":"user","content":{"text":"b"}}]}}}"#,
            "agent.context.messages[1].content",
            "invalid type: map, expected a string",
        ),
        (
            r#"{"type":"Settings","agent":{"idleTimeoutMs":"10000"}}"#,
            "agent.idleTimeoutMs",
            "invalid type: string \"10000\", expected f64",
        ),
        (
            r#"{"type":"Settings","agent":{"listen":{"provider":"deepgram"}}}"#,
            "agent.listen.provider",
            "invalid type: string \"deepgram\", expected a map",
        ),
        (r#"{"type":"InjectUserMessage"}"#, ".", "missing field `content`"),
        (
            r#"{"type":"InjectUserMessage","content":["Hi"]}"#,
            "content",
            "invalid type: sequence, expected a string",
        ),
        (r#"{"type":"InjectUserMessage","content":"\ud83c"}"#, "content", "unexpected end of hex escape"),
        (r#"{"type":"UpdatePrompt","prompt":null}"#, "prompt", "invalid type: null, expected a string"),
        (r#"{"type":"FunctionCallResponse","content":"x"}"#, ".", "missing field `id`"),
        (r#"{"type":"FunctionCallResponse","id":7}"#, "id", "invalid type: integer `7`, expected a string"),
    ];
    for (text, path, reason) in cases {
        let error = ClientMessage::decode(text, |_| ()).expect_err(text);
        let DecodeError::Invalid { path: at, reason: why, .. } = &error else { panic!("{error}: {text}") };
        assert_eq!((at.as_str(), why.as_str()), (path, reason), "{text}");
    }
}

#[test]
fn a_function_without_a_name_is_no_decode_error() {
    let message = client(r#"{"type":"Settings","agent":{"think":{"functions":[{}]}}}"#);
    assert!(matches!(message, ClientMessage::Settings(_)));
}

#[test]
fn null_is_absent() {
    let nulls = client(r#"{"type":"Settings","audio":null,"agent":{"think":null,"idleTimeoutMs":null}}"#);
    assert_eq!(nulls, client(r#"{"type":"Settings","agent":{}}"#));
}

#[test]
fn what_is_no_message_is_an_error_that_says_so() {
    for (text, is_json) in NOT_MESSAGES {
        for error in [
            ClientMessage::decode(text, |_| ()).expect_err(text),
            ServerMessage::decode(text).expect_err(text),
        ] {
            assert_eq!(matches!(error, DecodeError::NoType), *is_json, "{text}: {error}");
            assert_eq!(matches!(error, DecodeError::NotJson { .. }), !is_json, "{text}: {error}");
        }
    }
}

#[test]
fn deep_nesting_is_no_danger() {
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let not_json = ClientMessage::decode(&open, |_| ()).expect_err("no end");
    assert!(matches!(not_json, DecodeError::NotJson { .. }));
    assert_eq!(ClientMessage::decode(&format!("{open}{close}"), |_| ()), Err(DecodeError::NoType));

    let unread = format!(r#"{{"type":"KeepAlive","deep":{open}{close}}}"#);
    let mut ignored = Vec::new();
    ClientMessage::decode(&unread, |path| ignored.push(path)).expect("what is not read cannot hurt");
    assert_eq!(ignored, ["deep"]);

    let read = format!(r#"{{"type":"FunctionCallResponse","id":"a","result":{open}{close}}}"#);
    let error = ClientMessage::decode(&read, |_| ()).expect_err("too deep to be kept");
    assert!(matches!(&error, DecodeError::Invalid { path, .. } if path.starts_with("result[0]")), "{error}");
}

#[test]
fn what_a_client_sends_does_not_come_back_whole() {
    let long = "é".repeat(100_000);
    let error = ClientMessage::decode(
        &format!(r#"{{"type":"Settings","agent":{{"idleTimeoutMs":"{long}"}}}}"#),
        |_| (),
    );
    let error = error.expect_err("a text").to_string();
    assert!(error.starts_with("Settings: agent.idleTimeoutMs: invalid type: string") && error.len() < 1_000);
    let mut ignored = Vec::new();
    let message = format!(r#"{{"type":"KeepAlive","{long}":1}}"#);
    ClientMessage::decode(&message, |path| ignored.push(path)).expect("an unknown member");
    assert_eq!(ignored, ["é".repeat(200) + "…"]);
}

#[test]
fn errors_read_as_one_line() {
    let error = ClientMessage::decode(r#"{"type":"UpdatePrompt","prompt":1}"#, |_| ()).expect_err("a number");
    assert_eq!(error.to_string(), "UpdatePrompt: prompt: invalid type: integer `1`, expected a string");
    assert_eq!(DecodeError::NoType.to_string(), "not an object with a text member \"type\"");
    let error = ClientMessage::decode("{", |_| ()).expect_err("no end");
    assert_eq!(error.to_string(), "not json: EOF while parsing an object at line 1 column 1");
}

proptest! {
    #[test]
    fn no_text_of_a_client_panics(text in hostile_text(CLIENT)) {
        if let Ok(message) = ClientMessage::decode(&text, |_| ()) {
            prop_assert_eq!(ClientMessage::decode(&message.encode(), |_| ()), Ok(message));
        }
    }

    #[test]
    fn no_text_of_a_server_panics(text in hostile_text(SERVER)) {
        if let Ok(message) = ServerMessage::decode(&text) {
            prop_assert_eq!(ServerMessage::decode(&message.encode()), Ok(message));
        }
    }
}
