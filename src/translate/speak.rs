//! `speak` and `sessionAudioOutput` into a voice and its speed.
//! Knows the operator's table of voices, but not whether the session can still change its voice.

use serde_json::{Number, Value, json};

use super::{
    providers,
    settings::{SettingsError, entries, invalid, text_member, without_nulls},
    think::check_endpoint,
};
use crate::{
    config::Backend,
    protocol::agent::{OneOrMany, Provider, SessionAudioOutput, Speak},
};

/// What the client's speak configuration asks for.
#[derive(Debug, Default)]
pub(super) struct Speaking {
    /// What it names as its voice, in its vendor's words.
    pub(super) named: Option<String>,
    /// The Realtime API's voice for that.
    pub(super) voice: Option<String>,
    pub(super) speed: Option<Number>,
}

/// The first configuration that yields a voice; else the first whose values can be used, or the error of
/// the first; an empty array has none.
pub(super) fn preferred(
    speak: &OneOrMany<Speak>,
    path: &str,
    backend: &Backend,
) -> Result<Speaking, SettingsError> {
    let (mut first_usable, mut first_error) = (None, None);
    for (entry, speak) in entries(speak, path) {
        match speaking(speak, &entry, backend) {
            Ok(speaking) if speaking.voice.is_some() => return Ok(speaking),
            Ok(speaking) => _ = first_usable.get_or_insert(speaking),
            Err(error) => _ = first_error.get_or_insert(error),
        }
    }
    match (first_usable, first_error) {
        (Some(speaking), _) => Ok(speaking),
        (None, Some(error)) => Err(error),
        (None, None) => Err(invalid(path, "is an empty array")),
    }
}

/// A voice that is named without its vendor, as older clients do.
pub(super) fn of_model(model: &str, backend: &Backend) -> Speaking {
    Speaking { named: Some(model.to_owned()), voice: mapped(model, false, backend), speed: None }
}

fn speaking(speak: &Speak, path: &str, backend: &Backend) -> Result<Speaking, SettingsError> {
    check_endpoint(speak.endpoint.as_ref(), &format!("{path}.endpoint"))?;
    let Some(provider) = &speak.provider else { return Ok(Speaking::default()) };
    let path = format!("{path}.provider");
    providers::check(provider, providers::SPEAK, &path)?;
    let Provider(provider) = provider;
    let vendor = text_member(provider, "type", &path)?;
    let named = match vendor {
        Some("open_ai" | "aws_polly") => text_member(provider, "voice", &path)?,
        Some("eleven_labs") => text_member(provider, "model_id", &path)?,
        Some("cartesia") => match provider.get("voice") {
            None | Some(Value::Null) => None,
            Some(Value::Object(voice)) => text_member(voice, "id", &format!("{path}.voice"))?,
            Some(_) => return Err(invalid(format!("{path}.voice"), "is not an object")),
        },
        _ => text_member(provider, "model", &path)?,
    };
    let speed = match provider.get("speed") {
        None | Some(Value::Null) => None,
        Some(Value::Number(speed)) => Some(speed.clone()),
        Some(_) => return Err(invalid(format!("{path}.speed"), "is not a number")),
    };
    check_speed(speed.as_ref(), &format!("{path}.speed"))?;
    let voice = named.and_then(|name| mapped(name, vendor == Some("open_ai"), backend));
    Ok(Speaking { named: named.map(str::to_owned), voice, speed })
}

/// The operator's word for this very voice, then the voice itself if it is one of the API's, then the
/// operator's word for any other.
fn mapped(name: &str, of_open_ai: bool, backend: &Backend) -> Option<String> {
    let own = || (of_open_ai && OWN_VOICES.contains(&name)).then(|| name.to_owned());
    backend.voices.get(name).cloned().or_else(own).or_else(|| backend.voices.get("*").cloned())
}

/// The voice of `sessionAudioOutput` as the API takes it.
pub(super) fn session_voice(output: &SessionAudioOutput, path: &str) -> Result<Option<Value>, SettingsError> {
    let is_name = |text: &str| !text.trim().is_empty();
    let voice = match &output.voice {
        None => return Ok(None),
        Some(Value::String(name)) if is_name(name) => Some(json!(name)),
        Some(Value::Object(custom)) => {
            let custom = without_nulls(custom);
            let id = custom.get("id").and_then(Value::as_str);
            (custom.len() == 1 && id.is_some_and(is_name)).then_some(Value::Object(custom))
        }
        Some(_) => None,
    };
    voice
        .map(Some)
        .ok_or_else(|| invalid(format!("{path}.voice"), "is neither a name nor an object with an id"))
}

/// All of Deepgram's range, 0.5 to 1.5, is within the API's.
pub(super) fn check_speed(speed: Option<&Number>, path: &str) -> Result<(), SettingsError> {
    let in_range = |speed: &Number| speed.as_f64().is_some_and(|speed| (0.25..=1.5).contains(&speed));
    if speed.is_none_or(in_range) { Ok(()) } else { Err(invalid(path, "is not within 0.25 to 1.5")) }
}

/// The Realtime API's own voices (section 2).
const OWN_VOICES: [&str; 10] =
    ["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"];
