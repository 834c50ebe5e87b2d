//! The upstream leg's events against fixtures: what goes in comes out the same, and damage costs an event
//! its members, never its type.

use std::collections::{BTreeMap, BTreeSet};

use base64_simd::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::protocol::{DecodeError, fixtures::*, ids::EventId};

const CLIENT: &str = include_str!("fixtures/client.jsonl");
const SERVER: &str = include_str!("fixtures/server.jsonl");
const UNKNOWN: &str = include_str!("fixtures/unknown.jsonl");
const KINDS: &str = include_str!("fixtures/kinds.json");

#[track_caller]
fn client(text: &str) -> ClientEvent {
    ClientEvent::decode(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn decoded(text: &str) -> Decoded {
    ServerEvent::decode(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// An event whose members are as documented.
#[track_caller]
fn server(text: &str) -> ServerEvent {
    let Decoded { event, damage } = decoded(text);
    assert_eq!(damage, None, "{text}");
    event
}

/// What is left of an event of type `kind` without members.
fn bare(kind: &str) -> ServerEvent {
    server(&json!({ "type": kind }).to_string())
}

#[test]
fn fixtures_come_out_as_they_went_in() {
    for line in lines(CLIENT) {
        let event = client(line);
        assert!(!matches!(event, ClientEvent::Unknown(_)), "{line}");
        assert_eq!(event.kind(), kind(line));
        assert_same(&event.encode(), line);
    }
    for line in lines(SERVER) {
        let event = server(line);
        assert!(!matches!(event, ServerEvent::Unknown(_)), "{line}");
        assert_eq!(event.kind(), kind(line));
        assert_same(&event.encode(), line);
    }
}

#[test]
fn the_tables_are_the_documented_types_and_each_has_a_fixture() {
    let table = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let client_kinds = table(ClientEvent::KINDS);
    assert_eq!(client_kinds, kinds(KINDS, "client").into_iter().collect());
    assert_eq!(client_kinds, lines(CLIENT).map(kind).collect());

    let server_kinds = table(ServerEvent::KINDS);
    assert_eq!(server_kinds, kinds(KINDS, "server").into_iter().collect());
    assert_eq!(server_kinds, lines(SERVER).map(kind).collect());
}

#[test]
fn a_type_is_all_that_a_server_event_needs() {
    for kind in ServerEvent::KINDS {
        let event = bare(kind);
        assert!(!matches!(event, ServerEvent::Unknown(_)), "{kind}");
        assert_eq!(event.kind(), *kind);
    }
}

#[test]
fn beta_names_read_as_the_present_ones() {
    let aliases: BTreeMap<String, String> =
        serde_json::from_value(json_of(KINDS)["beta_aliases"].clone()).expect("names by name");
    for (old, new) in &aliases {
        let renamed = |line: &str| {
            let mut event = json_of(line);
            event["type"] = json!(old);
            event.to_string()
        };
        match old.as_str() {
            // Both are in the present table, too: the same members under two names.
            "conversation.item.created" => {
                assert_eq!(bare(old).kind(), old);
                continue;
            }
            "transcription_session.update" => {
                for line in lines(CLIENT).filter(|line| kind(line) == *new) {
                    assert_eq!(client(&renamed(line)), client(line));
                }
                continue;
            }
            _ => assert_eq!(bare(old), bare(new), "{old}"),
        }
        let mut found = false;
        for line in lines(SERVER).filter(|line| kind(line) == *new) {
            assert_eq!(server(&renamed(line)), server(line));
            assert_same(&server(&renamed(line)).encode(), line);
            found = true;
        }
        assert!(found, "{new}");
    }
}

#[test]
fn unknown_types_are_kept_to_the_letter() {
    for line in lines(UNKNOWN) {
        assert!(
            matches!(client(line), ClientEvent::Unknown(_))
                && matches!(server(line), ServerEvent::Unknown(_))
        );
        assert_eq!((client(line).kind(), client(line).encode().as_str()), (kind(line).as_str(), line));
        assert_eq!((server(line).kind(), server(line).encode().as_str()), (kind(line).as_str(), line));
    }
}

#[test]
fn an_extra_member_does_no_harm() {
    for line in lines(SERVER) {
        for (_, text) in with_an_extra_member(line) {
            let event = server(&text);
            if event != server(line) {
                assert_same(&event.encode(), &text);
            }
        }
    }
    for line in lines(CLIENT) {
        for (_, text) in with_an_extra_member(line) {
            let event = client(&text);
            if event != client(line) {
                assert_same(&event.encode(), &text);
            }
        }
    }
}

#[test]
fn another_value_is_kept_or_costs_the_members_alone() {
    let mut damaged = 0;
    for line in lines(SERVER) {
        let kind = kind(line);
        for (path, text) in with_another_value(line) {
            match decoded(&text) {
                Decoded { event, damage: None } => assert_eq!(event.kind(), kind),
                Decoded { event, damage: Some(DecodeError::Invalid { kind: of, path: at, reason }) } => {
                    assert_eq!(event, bare(&kind), "{text}");
                    assert_eq!(of, kind);
                    // The audio of a delta is read as a whole.
                    let expected = if reason == "delta is not base64" { "." } else { path.as_str() };
                    assert!(at == expected || at == format!("{expected}[0]"), "{at} is not {path}: {text}");
                    damaged += 1;
                }
                other => panic!("{other:?}: {text}"),
            }
        }
    }
    assert!(damaged > 1_000, "{damaged}");
    for (_, text) in lines(CLIENT).flat_map(with_another_value) {
        if let Err(error) = ClientEvent::decode(&text) {
            assert!(matches!(error, DecodeError::Invalid { .. }), "{error}: {text}");
        }
    }
}

#[test]
fn turn_detection_is_absent_off_or_configured() {
    let stated = |session: Value| {
        let text = json!({ "type": "session.updated", "session": session }).to_string();
        let ServerEvent::SessionUpdated(updated) = server(&text) else { panic!("{text}") };
        let session = updated.session.expect("a session");
        session.stated_turn_detection().map(|detection| detection.and_then(|d| d.interrupt_response))
    };
    assert_eq!(stated(json!({})), None);
    assert_eq!(stated(json!({ "audio": { "input": {} } })), None);
    assert_eq!(stated(json!({ "audio": { "input": { "turn_detection": null } } })), Some(None));
    assert_eq!(stated(json!({ "turn_detection": null })), Some(None));
    let beta = json!({ "turn_detection": { "type": "server_vad", "interrupt_response": false } });
    assert_eq!(stated(beta.clone()), Some(Some(false)));
    let present = json!({ "audio": { "input": { "turn_detection": { "interrupt_response": true } } } });
    assert_eq!(stated(present), Some(Some(true)));

    let manual = lines(CLIENT).find(|line| line.contains(r#""turn_detection":null"#)).expect("a fixture");
    assert_eq!(client(manual).encode(), manual, "the null has to go out");
}

/// The audio of a delta, which came without damage.
#[track_caller]
fn audio(text: &str) -> Bytes {
    match server(text) {
        ServerEvent::OutputAudioDelta(delta) => delta.delta,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_audio_delta_is_the_same_by_either_way() {
    let quick = r#"{"type":"response.output_audio.delta","event_id":"e9","response_id":"resp_1","item_id":"item_a1","output_index":0,"content_index":1,"delta":"AAEC/w=="}"#;
    let expected = server(quick);
    let ServerEvent::OutputAudioDelta(delta) = &expected else { panic!("{expected:?}") };
    assert_eq!(delta.delta, [0, 1, 2, 255].as_slice());
    assert_eq!((delta.output_index, delta.content_index), (Some(0), Some(1)));
    for other in [
        r#"{"event_id":"e9","response_id":"resp_1","item_id":"item_a1","output_index":0,"content_index":1,"delta":"AAEC/w==","type":"response.output_audio.delta"}"#.to_owned(),
        quick.replace("response.output_audio", "response.audio"),
        quick.replace("AAEC/w==", r"AAEC\/w=="),
        quick.replace("AAEC/w==", r"\u0041AEC/w\u003d="),
        quick.replace("resp_1", r"resp\u005f1"),
        quick.replace("response.output_audio.delta", r"response.output\u005faudio.delta"),
        quick.replace("response.output_audio.delta", r"response.output_audio\u002edelta"),
        quick.replace(r#","delta""#, r#","extra":{"type":"x"},"delta""#),
        format!(" \n{quick}\t"),
    ] {
        assert_eq!(server(&other), expected, "{other}");
    }
    // Too far from the head to be seen there.
    let long = STANDARD.encode_to_string(vec![7; 3_000]);
    let last = json!({ "delta": long, "type": "response.output_audio.delta" }).to_string();
    let first = json!({ "type": "response.output_audio.delta", "delta": long }).to_string();
    assert_eq!(audio(&last), vec![7; 3_000]);
    assert_eq!(server(&last), server(&first));
}

#[test]
fn an_audio_delta_that_is_no_audio() {
    let kind = "response.output_audio.delta";
    assert_eq!(audio(r#"{"type":"response.output_audio.delta"}"#), Bytes::new());
    assert_eq!(audio(r#"{"type":"response.output_audio.delta","delta":null}"#), Bytes::new());
    assert_eq!(audio(r#"{"type":"response.output_audio.delta","delta":""}"#), Bytes::new());
    for delta in ["AAA", "AA==AA", "A A=", "!!!!", "AAAA\n", "é"] {
        for text in [
            json!({ "type": kind, "response_id": "r", "delta": delta }),
            json!({ "delta": delta, "padding": "x".repeat(300), "type": kind }),
        ] {
            let Decoded { event, damage } = decoded(&text.to_string());
            assert_eq!(event, bare(kind));
            let damage = damage.expect("not base64").to_string();
            assert_eq!(damage, "response.output_audio.delta: .: delta is not base64");
        }
    }
    // What only mentions a delta is what its type says.
    let error = server(r#"{"type":"error","error":{"message":"no response.output_audio.delta"}}"#);
    assert!(matches!(error, ServerEvent::Error(_)));
    let text = server(r#"{"type":"response.output_text.delta","delta":"audio.delta"}"#);
    assert!(matches!(text, ServerEvent::OutputTextDelta(_)));
    let unknown = server(r#"{"type":"session.output_audio.delta","delta":"AAAA"}"#);
    assert!(matches!(unknown, ServerEvent::Unknown(_)));
}

#[test]
fn bad_audio_of_a_client_is_invalid() {
    for text in
        [r#"{"type":"input_audio_buffer.append"}"#, r#"{"type":"input_audio_buffer.append","audio":"A"}"#]
    {
        assert!(matches!(ClientEvent::decode(text), Err(DecodeError::Invalid { .. })), "{text}");
    }
}

#[test]
fn what_is_no_event_is_an_error_that_says_so() {
    for (text, is_json) in NOT_MESSAGES {
        for error in [ClientEvent::decode(text).expect_err(text), ServerEvent::decode(text).expect_err(text)]
        {
            assert_eq!(matches!(error, DecodeError::NoType), *is_json, "{text}: {error}");
            assert_eq!(matches!(error, DecodeError::NotJson { .. }), !is_json, "{text}: {error}");
        }
    }
}

#[test]
fn deep_nesting_is_no_danger() {
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    assert!(matches!(ServerEvent::decode(&open), Err(DecodeError::NotJson { .. })));
    let unread = format!(r#"{{"type":"response.output_audio.delta","deep":{open}{close},"delta":"AAAA"}}"#);
    assert_eq!(audio(&unread).len(), 3);
    let read = format!(r#"{{"type":"rate_limits.updated","rate_limits":{open}{close}}}"#);
    let Decoded { event, damage } = decoded(&read);
    assert_eq!(event, bare("rate_limits.updated"));
    assert!(damage.is_some());
    let unknown = format!(r#"{{"type":"x","deep":{open}{close}}}"#);
    assert_eq!(server(&unknown).encode(), unknown);
}

proptest! {
    #[test]
    fn no_text_of_a_server_panics(text in hostile_text(SERVER)) {
        if let Ok(Decoded { event, .. }) = ServerEvent::decode(&text) {
            prop_assert_eq!(ServerEvent::decode(&event.encode()).map(|again| again.event), Ok(event));
        }
    }

    #[test]
    fn no_text_of_a_client_panics(text in hostile_text(CLIENT)) {
        if let Ok(event) = ClientEvent::decode(&text) {
            prop_assert_eq!(ClientEvent::decode(&event.encode()), Ok(event));
        }
    }

    #[test]
    fn an_append_written_by_hand_is_the_serializers(
        audio in prop::collection::vec(any::<u8>(), 0..200), id in "[a-zA-Z0-9_]{1,32}", before in "[a-z]{0,3}",
    ) {
        let mut out = before.clone().into_bytes();
        let id = EventId::from(id);
        Append::encode_into(&id, &audio, &mut out);
        prop_assert_eq!(out.len(), before.len() + Append::encoded_length(&id, &audio));
        let event = ClientEvent::Append(Append { event_id: Some(id), audio: audio.into() });
        prop_assert_eq!(String::from_utf8(out).expect("ASCII"), before + &event.encode());
    }

    #[test]
    fn audio_survives_the_way_through_base64(audio in prop::collection::vec(any::<u8>(), 0..400)) {
        let delta = AudioDelta { delta: audio.into(), ..Default::default() };
        let event = ServerEvent::OutputAudioDelta(delta);
        prop_assert_eq!(server(&event.encode()), event);
    }
}
