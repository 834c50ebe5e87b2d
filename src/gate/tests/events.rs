//! Every event of the Realtime API, and every name that the beta API had for one, in every state that makes a
//! difference: what it is to the client is one row of one table, and the gate's own table must agree.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    render,
    scenario::{Action, Run, Scenario, component, deepgram, fresh},
    words::{
        audio, audio_delta, closed, confirmed, created, done, inject, message_added, settings,
        speech_started, speech_stopped, upstream,
    },
};
use crate::{
    gate::{Effect, Input, Phase},
    protocol::realtime::ServerEvent,
};

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// In some state it gives the client something, were it the end of what came before it.
    Mapped,
    /// It gives the client nothing by itself, but changes what is held, sent or waited for.
    Control,
    /// Deliberately nothing, in any state.
    Silent,
}
use Class::{Control, Mapped, Silent};

const CLASSES: &[(&str, Class)] = &[
    ("session.created", Control),
    ("session.updated", Mapped),
    ("error", Mapped),
    ("rate_limits.updated", Silent),
    ("conversation.created", Silent),
    ("conversation.item.added", Mapped),
    ("conversation.item.created", Mapped),
    ("conversation.item.done", Mapped),
    ("conversation.item.retrieved", Silent),
    ("conversation.item.deleted", Silent),
    ("conversation.item.truncated", Silent),
    ("conversation.item.input_audio_transcription.delta", Mapped),
    ("conversation.item.input_audio_transcription.completed", Mapped),
    ("conversation.item.input_audio_transcription.failed", Control),
    ("conversation.item.input_audio_transcription.segment", Silent),
    ("input_audio_buffer.committed", Silent),
    ("input_audio_buffer.cleared", Silent),
    ("input_audio_buffer.speech_started", Mapped),
    ("input_audio_buffer.speech_stopped", Mapped),
    ("input_audio_buffer.timeout_triggered", Silent),
    ("input_audio_buffer.dtmf_event_received", Silent),
    ("output_audio_buffer.started", Silent),
    ("output_audio_buffer.stopped", Silent),
    ("output_audio_buffer.cleared", Silent),
    ("response.created", Mapped),
    ("response.done", Mapped),
    ("response.output_item.added", Control),
    ("response.output_item.done", Mapped),
    ("response.content_part.added", Control),
    ("response.content_part.done", Control),
    ("response.output_text.delta", Control),
    ("response.output_text.done", Mapped),
    ("response.output_audio.delta", Mapped),
    ("response.output_audio.done", Mapped),
    ("response.output_audio_transcript.delta", Control),
    ("response.output_audio_transcript.done", Mapped),
    ("response.function_call_arguments.delta", Control),
    ("response.function_call_arguments.done", Mapped),
    ("response.mcp_call_arguments.delta", Control),
    ("response.mcp_call_arguments.done", Control),
    ("response.mcp_call.in_progress", Control),
    ("response.mcp_call.completed", Control),
    ("response.mcp_call.failed", Control),
    ("mcp_list_tools.in_progress", Silent),
    ("mcp_list_tools.completed", Silent),
    ("mcp_list_tools.failed", Silent),
];

/// The fixtures of the decoder: each event as the vendor documents it and as compatible servers send it.
const EVENTS: &str = include_str!("../../protocol/realtime/fixtures/server.jsonl");
const UNKNOWN: &str = include_str!("../../protocol/realtime/fixtures/unknown.jsonl");
const KINDS: &str = include_str!("../../protocol/realtime/fixtures/kinds.json");

/// What the decoder does not need told apart and a client does.
const MORE: &[&str] = &[
    r#"{"type":"conversation.item.created","item":{"id":"item_a7","type":"message","role":"assistant","content":[{"type":"text","text":"Hello"}]}}"#,
    r#"{"type":"response.output_item.added","response_id":"resp_2","output_index":1,"item":{"id":"item_f2","type":"function_call","status":"in_progress","name":"f","call_id":"call_2","arguments":""}}"#,
    r#"{"type":"response.output_audio_transcript.done","transcript":"Hello"}"#,
    r#"{"type":"response.output_audio_transcript.delta","delta":"Hel"}"#,
    r#"{"type":"response.function_call_arguments.done","call_id":"call_3","name":"f","arguments":"{}"}"#,
];

/// All fixtures of one type.
fn fixtures(kind: &str) -> impl Iterator<Item = &'static str> {
    lines(EVENTS).chain(MORE.iter().copied()).filter(move |line| json(line)["type"] == kind)
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("a fixture is JSON")
}

/// The states, by name. Responses and items bear the fixtures' ids.
fn states() -> Vec<(&'static str, Scenario)> {
    let dialled = || fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened);
    let heard =
        r#"{"type":"conversation.item.input_audio_transcription.delta","item_id":"item_u2","delta":"He"}"#;
    let announced = |scenario: Scenario| {
        scenario
            .upto(created("resp_1"))
            .upto(message_added("resp_1", "item_a1"))
            .upto(created("resp_2"))
            .upto(message_added("resp_2", "item_f1"))
    };
    vec![
        ("before Settings", dialled()),
        ("before session.updated", dialled().upto(settings(r#"{"idleTimeoutMs":10000}"#))),
        ("idle", deepgram()),
        ("idle, the component", component()),
        ("announced responses run", announced(deepgram())),
        ("announced responses run, the component", announced(component())),
        ("an unannounced response runs", deepgram().upto(inject("Hi")).upto(confirmed())),
        ("an unannounced response speaks", deepgram().upto(audio_delta(480))),
        ("a turn waits for its confirmation", deepgram().upto(inject("Hi"))),
        ("the user speaks", component().upto(speech_started()).upto(upstream(heard))),
        (
            "the user speaks over the agent",
            announced(deepgram()).upto(audio("resp_1", "item_a1", 48_000)).upto(speech_started()),
        ),
    ]
}

/// What came of an event, or of its absence.
#[derive(Debug, PartialEq)]
struct Outcome {
    effects: Vec<String>,
    /// When a timer is due next, and what the same story brings from there on.
    afterwards: Vec<String>,
}

/// A state, perhaps an event a second later, and then a story in which every kind of thing happens.
fn outcome(scenario: Scenario, event: Option<&str>) -> (Outcome, Run, bool) {
    let mut run = Run::new(scenario.losing_races());
    run.oracle.responses_overlap = true;
    run.pass(1_000);
    let effects = event.map(|event| run.happen(1_000, upstream(event))).unwrap_or_default();
    let is_told = effects.iter().any(|effect| matches!(effect, Effect::ToClient(_)));
    let effects = effects.iter().map(render::line).collect();
    let mut afterwards = vec![format!("due at {:?}", run.due_ms())];
    let counts = run.gate.counts();
    assert!(!matches!(run.gate.phase(), Phase::Closing | Phase::Closed), "{event:?} ended the session");
    let heard =
        r#"{"type":"conversation.item.input_audio_transcription.delta","item_id":"item_u2","delta":"llo"}"#;
    let expires = Input::UpstreamClosed { end: closed(1001, ""), unix_s: 1_790_003_600 };
    let story: Vec<Action> = vec![
        upstream(heard),
        done("resp_1", "completed"),
        done("resp_2", "completed"),
        speech_stopped(),
        inject("And now?"),
        confirmed(),
        created("resp_9"),
        audio("resp_9", "item_9", 4_800),
        speech_started(),
        expires.into(),
    ];
    for (nth, action) in story.into_iter().enumerate() {
        let effects = run.happen(1_100 + 10 * nth as u64, action);
        afterwards.extend(effects.iter().map(|effect| format!("{nth}: {}", render::line(effect))));
    }
    assert_eq!(run.gate.counts(), counts, "the story itself counts nothing");
    (Outcome { effects, afterwards }, run, is_told)
}

#[test]
fn every_event_has_a_row() {
    let rows: BTreeSet<&str> = CLASSES.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(rows.len(), CLASSES.len(), "a row twice");
    assert_eq!(rows, ServerEvent::KINDS.iter().copied().collect(), "the decoder's events");
    let documented = json(KINDS)["server"].as_array().expect("a list").len();
    assert_eq!((rows.len(), documented), (46, 46), "the documented ones");
}

#[test]
fn every_event_is_what_its_row_says_in_every_state() {
    let without: Vec<Outcome> = states().into_iter().map(|(_, scenario)| outcome(scenario, None).0).collect();
    for (kind, class) in CLASSES {
        let (mut tells, mut changes) = (false, false);
        for event in fixtures(kind) {
            for ((state, scenario), without) in states().into_iter().zip(&without) {
                let (with, _, is_told) = outcome(scenario, Some(event));
                tells |= is_told;
                changes |= with != *without;
                match class {
                    Mapped => {}
                    Control => assert!(!is_told, "{kind} tells the client, {state}: {with:?}"),
                    Silent => assert_eq!(with, *without, "{kind} is not silent, {state}"),
                }
            }
        }
        assert_eq!(tells, *class == Mapped, "{kind} gives the client something");
        assert_eq!(changes, *class != Silent, "{kind} makes a difference");
    }
}

#[test]
fn every_beta_name_does_what_the_present_one_does() {
    let aliases = json(KINDS)["beta_aliases"].as_object().expect("a map").clone();
    let mut compared = 0;
    for (beta, present) in &aliases {
        let present = present.as_str().expect("a name");
        // One of them is a client's.
        if !ServerEvent::KINDS.contains(&present) {
            assert_eq!(present, "session.update");
            continue;
        }
        for event in fixtures(present) {
            let mut old = json(event);
            old["type"] = beta.as_str().into();
            for ((state, scenario), (_, same)) in states().into_iter().zip(states()) {
                let (with, ..) = outcome(scenario, Some(&old.to_string()));
                assert_eq!(with, outcome(same, Some(event)).0, "{beta} for {present}, {state}");
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 9, "every beta name of an event");
}

/// R15: "Unknown upstream events: logged at warn, nothing to the client."
#[test]
fn unknown_events_are_counted_and_never_fatal() {
    for event in lines(UNKNOWN) {
        for ((state, scenario), (_, same)) in states().into_iter().zip(states()) {
            let (with, run, _) = outcome(scenario, Some(event));
            assert_eq!(with.effects, ["ignored R15"], "{event}, {state}");
            assert_eq!(with.afterwards, outcome(same, None).0.afterwards, "{event}, {state}");
            assert_eq!(run.gate.counts().unknown_events, 1);
        }
    }
}
