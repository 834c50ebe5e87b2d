//! Settings and the session that it becomes, as a table: `fixtures/settings/*.json`. A case has `settings`,
//! optional TOML of the `backend`, and either the whole `session` or the `error`; it may also say
//! `greeting`, `component`, `audio`, `turns`, `prompt`, `previous`, `history`, `think_model`, `endpoints` and
//! `warnings`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::each_case;
use crate::{
    config::{Backend, Config, Eagerness, TurnDetection},
    protocol::{
        DecodeError,
        agent::{ClientMessage, Notice, Settings},
    },
    translate::{
        functions::Endpoint,
        settings::{AudioPlan, Translated, TurnTaking, instructions, translate},
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    settings: Value,
    #[serde(default)]
    backend: String,
    session: Option<Value>,
    error: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    greeting: Option<Value>,
    component: Option<bool>,
    audio: Option<Value>,
    turns: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    prompt: Option<Value>,
    previous: Option<String>,
    #[serde(default, deserialize_with = "present")]
    history: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    think_model: Option<Value>,
    /// By name; none where the case does not say.
    #[serde(default = "nothing")]
    endpoints: Value,
    /// Each as `CODE: description`; none where the case does not say.
    #[serde(default)]
    warnings: Vec<String>,
}

/// A member that is null says so, unlike one that is absent.
pub(super) fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

pub(super) fn backend(more: &str) -> Backend {
    const KEYS: &str =
        "[[backends]]\nname = \"a\"\nkind = \"openai-realtime\"\npath = \"/a\"\nurl = \"wss://h\"\n";
    let config = Config::from_toml("case", &format!("{KEYS}{more}"), []);
    let mut config = config.unwrap_or_else(|error| panic!("{error}"));
    config.backends.remove(0)
}

#[track_caller]
fn decode(settings: &Value) -> Result<Settings, DecodeError> {
    match ClientMessage::decode(&settings.to_string(), |_| ())? {
        ClientMessage::Settings(settings) => Ok(*settings),
        other => panic!("{other:?}"),
    }
}

/// What a Settings comes to, or the error's code and path.
pub(super) fn outcome(settings: &Value, backend: &Backend) -> Result<Translated, Value> {
    let settings = match decode(settings) {
        Ok(settings) => settings,
        Err(DecodeError::Invalid { path, .. }) => {
            return Err(json!({ "code": "INVALID_SETTINGS", "path": path }));
        }
        Err(other) => panic!("{other}"),
    };
    translate(&settings, backend).map_err(|error| {
        assert!((1..=201).contains(&error.reason.chars().count()), "{}", error.reason);
        assert_eq!(error.to_string(), format!("{}: {}", error.path, error.reason));
        json!({ "code": error.code, "path": error.path })
    })
}

#[test]
fn each_settings_becomes_the_session_of_its_fixture() {
    each_case("settings", 300, |case: &Case, path| {
        check(case, &format!("{path:?}, {:?}: {}", case.name, case.settings));
    });
}

#[track_caller]
fn check(case: &Case, place: &str) {
    let outcome = outcome(&case.settings, &backend(&case.backend));
    let (translated, session) = match (outcome, &case.session, &case.error) {
        (Ok(translated), Some(session), None) => (translated, session),
        (Err(error), None, Some(expected)) => return assert_eq!(error, *expected, "{place}"),
        (outcome, ..) => panic!("{outcome:?}: {place}"),
    };
    let sent = serde_json::to_value(&translated.session).expect("a session is JSON");
    assert_eq!(numbers(sent.clone()), numbers(session.clone()), "{place}");
    assert_acceptable(&sent, place);
    if let Some(greeting) = &case.greeting {
        assert_eq!(json!(translated.greeting), *greeting, "{place}");
    }
    if let Some(component) = case.component {
        assert_eq!(translated.from_component, component, "{place}");
    }
    if let Some(audio) = &case.audio {
        assert_eq!(describe_audio(translated.audio), *audio, "{place}");
    }
    if let Some(turns) = &case.turns {
        assert_eq!(describe_turns(translated.turns), *turns, "{place}");
    }
    let whole = instructions(translated.prompt.as_deref(), &translated.previous);
    assert_eq!(translated.session.instructions, whole, "{place}");
    if let Some(prompt) = &case.prompt {
        assert_eq!(json!(translated.prompt), *prompt, "{place}");
    }
    if let Some(previous) = &case.previous {
        assert_eq!(translated.previous, *previous, "{place}");
    }
    if let Some(history) = &case.history {
        assert_eq!(json!(translated.history), *history, "{place}");
    }
    if let Some(model) = &case.think_model {
        assert_eq!(json!(translated.think_model), *model, "{place}");
    }
    assert_eq!(describe_endpoints(&translated.endpoints), case.endpoints, "{place}");
    assert_eq!(lines(&translated.warnings), case.warnings, "{place}");
}

fn nothing() -> Value {
    json!({})
}

/// Each as its URL and, name after value, its headers.
pub(super) fn describe_endpoints(endpoints: &BTreeMap<String, Endpoint>) -> Value {
    let describe = |(name, endpoint): (&String, &Endpoint)| {
        let headers = endpoint.headers.iter().flat_map(|(name, value)| [name.as_str(), value]);
        let words: Vec<_> = std::iter::once(endpoint.url.as_str()).chain(headers).collect();
        (name.clone(), json!(words))
    };
    Value::Object(endpoints.iter().map(describe).collect())
}

pub(super) fn lines(warnings: &[Notice]) -> Vec<String> {
    warnings.iter().map(|warning| format!("{}: {}", warning.code, warning.description)).collect()
}

fn describe_audio(plan: AudioPlan) -> Value {
    json!({
        "client_input": plan.client_input.to_string(),
        "upstream_input": plan.upstream_input.to_string(),
        "upstream_output": plan.upstream_output.to_string(),
        "client_output": plan.client_output.to_string(),
        "wav": plan.wav,
    })
}

fn describe_turns(turns: TurnTaking) -> Value {
    match turns {
        TurnTaking::Manual => json!("manual"),
        TurnTaking::Detected { create_response, interrupt_response } => {
            json!({ "create_response": create_response, "interrupt_response": interrupt_response })
        }
    }
}

/// JSON has one kind of number: `1` and `1.0` are the same.
pub(super) fn numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.into_iter().map(numbers).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, numbers(value))).collect(),
        other => other,
    }
}

/// What holds for every update (R1): what is always stated, no null but one, nothing the API would refuse.
#[track_caller]
fn assert_acceptable(session: &Value, place: &str) {
    const MEMBERS: [&str; 8] = [
        "type",
        "instructions",
        "output_modalities",
        "audio",
        "tools",
        "tool_choice",
        "max_output_tokens",
        "prompt",
    ];
    let keys = |value: &Value| value.as_object().map(Map::len).unwrap_or_default();
    for key in session.as_object().expect("an object").keys() {
        assert!(MEMBERS.contains(&key.as_str()), "{key}: {place}");
    }
    assert_eq!(session["type"], "realtime");
    let input = &session["audio"]["input"];
    assert_eq!(keys(input), 3, "{place}");
    let format = &input["format"];
    assert_eq!(format["type"] == "audio/pcm", format["rate"] == 24_000, "{place}");
    assert!(input["transcription"]["model"].is_string(), "{place}");
    let detection = input.as_object().and_then(|input| input.get("turn_detection"));
    let members = match detection.expect("turn detection is always stated")["type"].as_str() {
        None => 0,
        Some("server_vad") => 6,
        Some("semantic_vad") => 4,
        Some(other) => panic!("{other}: {place}"),
    };
    let idle = usize::from(input["turn_detection"]["idle_timeout_ms"].is_number());
    assert_eq!(keys(&input["turn_detection"]), if idle == 1 { 7 } else { members }, "{place}");
    // What a tool's schema or a prompt's variables hold is the client's business.
    let mut ours = session.clone();
    let ours = ours.as_object_mut().expect("an object");
    for key in ["tools", "prompt"] {
        ours.remove(key);
    }
    ours["audio"]["input"].as_object_mut().expect("an object").remove("turn_detection");
    let text = serde_json::to_string(ours).expect("JSON");
    assert!(!text.contains("null") && !text.contains("temperature"), "{place}");
}

#[test]
fn integers_are_written_as_integers() {
    let settings = decode(&json!({
        "type": "Settings",
        "agent": {
            "idleTimeoutMs": 6000.0,
            "sessionAudioOutput": { "speed": 1 },
            "think": { "maxOutputTokens": 12.0 },
        },
    }));
    let translated = translate(&settings.expect("settings"), &backend("")).expect("a session");
    let sent = serde_json::to_string(&translated.session).expect("JSON");
    assert!(sent.contains(r#""idle_timeout_ms":6000,"#), "{sent}");
    assert!(sent.contains(r#""max_output_tokens":12"#), "{sent}");
    assert!(sent.contains(r#""speed":1}"#), "{sent}");
}

#[test]
fn the_default_plan_is_that_of_an_empty_settings() {
    let translated = translate(&Settings::default(), &backend("")).expect("a session");
    assert_eq!(translated.audio, AudioPlan::default());
}

#[test]
fn without_barge_in_upstream_interrupts_nothing_whatever_turn_detection_says() {
    let interrupts = TurnDetection::SemanticVad {
        eagerness: Eagerness::Auto,
        create_response: true,
        interrupt_response: true,
    };
    for turn_detection in [TurnDetection::default(), interrupts] {
        let backend = Backend { barge_in: false, turn_detection, ..backend("") };
        let translated = translate(&Settings::default(), &backend).expect("a session");
        let detection = translated.session.stated_turn_detection().flatten().expect("stated");
        assert_eq!(detection.interrupt_response, Some(false));
        let turns = TurnTaking::Detected { create_response: true, interrupt_response: false };
        assert_eq!(translated.turns, turns);
    }
}
