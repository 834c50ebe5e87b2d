//! Each update and what it changes, as a table: `fixtures/updates/*.json`. A case has the `message`,
//! optional TOML of the `backend`, and either the whole `session` (without its `type`) or the `error`; `prompt`
//! (where the case does not say: kept), `think_model`, `endpoints` and `warnings` are what else the change holds.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    each_case,
    settings::{backend, describe_endpoints, lines, numbers, present},
};
use crate::{
    config::Backend,
    protocol::{DecodeError, agent::ClientMessage},
    translate::{
        settings::SettingsError,
        updates::{Change, PromptChange, update_listen, update_prompt, update_speak, update_think},
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    message: Value,
    #[serde(default)]
    backend: String,
    session: Option<Value>,
    error: Option<String>,
    #[serde(default = "keep")]
    prompt: Value,
    #[serde(default, deserialize_with = "present")]
    think_model: Option<Value>,
    /// By name, or null where the message does not state them; not looked at where the case does not say.
    #[serde(default, deserialize_with = "present")]
    endpoints: Option<Value>,
    /// Each as `CODE: description`; none where the case does not say.
    #[serde(default)]
    warnings: Vec<String>,
}

fn keep() -> Value {
    json!("keep")
}

/// The change, or the path of what cannot be used.
fn outcome(message: &Value, backend: &Backend) -> Result<Change, String> {
    let message = match ClientMessage::decode(&message.to_string(), |_| ()) {
        Ok(message) => message,
        Err(DecodeError::Invalid { path, .. }) => return Err(path),
        Err(other) => panic!("{other}"),
    };
    let change = match &message {
        ClientMessage::UpdatePrompt(message) => Ok(update_prompt(message, backend)),
        ClientMessage::UpdateThink(message) => update_think(message, backend),
        ClientMessage::UpdateSpeak(message) => update_speak(message, backend),
        ClientMessage::UpdateListen(message) => update_listen(message, None, backend),
        other => panic!("{other:?}"),
    };
    change.map_err(|SettingsError { code, path, .. }| {
        assert_eq!(code, "INVALID_SETTINGS");
        path
    })
}

#[test]
fn each_update_changes_what_its_fixture_says() {
    each_case("updates", 60, |case: &Case, path| {
        check(case, &format!("{path:?}, {:?}: {}", case.name, case.message));
    });
}

#[track_caller]
fn check(case: &Case, place: &str) {
    let (change, session) =
        match (outcome(&case.message, &backend(&case.backend)), &case.session, &case.error) {
            (Ok(change), Some(session), None) => (change, session),
            (Err(path), None, Some(expected)) => return assert_eq!(path, *expected, "{place}"),
            (outcome, ..) => panic!("{outcome:?}: {place}"),
        };
    let mut sent = serde_json::to_value(&change.session).expect("a session is JSON");
    let kind = sent.as_object_mut().expect("an object").remove("type");
    assert_eq!(kind, Some(json!("realtime")), "{place}");
    assert_eq!(numbers(sent), numbers(session.clone()), "{place}");
    let prompt = match &change.prompt {
        PromptChange::Keep => keep(),
        PromptChange::Add(text) => json!({ "add": text }),
        PromptChange::Replace(text) => json!({ "replace": text }),
    };
    assert_eq!(prompt, case.prompt, "{place}");
    assert_eq!(change.is_empty(), *session == json!({}) && case.prompt == keep(), "{place}");
    if let Some(model) = &case.think_model {
        assert_eq!(json!(change.think_model), *model, "{place}");
    }
    if let Some(endpoints) = &case.endpoints {
        let stated = change.endpoints.as_ref().map_or(Value::Null, describe_endpoints);
        assert_eq!(stated, *endpoints, "{place}");
    }
    assert_eq!(lines(&change.warnings), case.warnings, "{place}");
}
