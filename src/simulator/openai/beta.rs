//! The beta API around a session that knows GA alone: its client events become GA's, and GA's server events become
//! its own ("OpenAI Realtime, Beta and GA names"). Must not know what a session does with an event.

use serde_json::{Value, json};

use super::{
    beta_shape,
    schema::Fault,
    validate::{self, client_event},
};

/// Which form of the API is spoken on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Api {
    /// The general-availability API.
    #[default]
    Ga,
    /// The beta before it, which Azure's preview endpoint still speaks.
    Beta,
}

impl Api {
    /// Parses and checks a text frame, and gives the event as GA has it.
    ///
    /// # Errors
    /// The fault, and the event's own `event_id` where it could be read.
    pub(super) fn read(self, frame: &str) -> Result<Value, (Fault, Option<String>)> {
        match self {
            Self::Ga => client_event(frame, &validate::OWN),
            Self::Beta => client_event(frame, &beta_shape::OWN).map(to_ga),
        }
    }

    /// An event of GA as this API has it; none where it has no such event.
    pub(super) fn shown(self, event: Value) -> Option<Value> {
        match self {
            Self::Ga => Some(event),
            Self::Beta => to_beta(event),
        }
    }

    /// A fault that a session finds, blamed on the field that this API has.
    pub(super) fn blamed(self, fault: Fault) -> Fault {
        match (self, fault.param.as_deref().and_then(beta_path)) {
            (Self::Beta, Some(path)) => fault.at(&path),
            _ => fault,
        }
    }

    /// The voice of a session that was not told another one.
    pub(super) fn default_voice(self) -> &'static str {
        match self {
            Self::Ga => "marin",
            Self::Beta => "alloy",
        }
    }
}

fn to_ga(mut event: Value) -> Value {
    match event["type"].as_str() {
        Some("session.update") => {
            let mut session = renamed(event["session"].take(), &SESSION_FIELDS);
            session["type"] = json!("realtime");
            event["session"] = session;
        }
        Some("response.create") if event["response"].is_object() => {
            event["response"] = renamed(event["response"].take(), &RESPONSE_FIELDS);
            let items = event["response"].get_mut("input").and_then(Value::as_array_mut);
            for item in items.into_iter().flatten() {
                swap_parts(item, |(ga, beta)| (beta, ga));
            }
        }
        Some("conversation.item.create") => swap_parts(&mut event["item"], |(ga, beta)| (beta, ga)),
        _ => {}
    }
    event
}

/// An object with the beta's fields at their places in GA.
fn renamed(object: Value, fields: &[(&str, &str)]) -> Value {
    let mut ga = json!({});
    let Value::Object(object) = object else { return ga };
    for (name, value) in object {
        let value = match name.as_str() {
            "modalities" if value == json!(["text"]) => value,
            "modalities" => json!(["audio"]),
            "input_audio_format" | "output_audio_format" => ga_format(&value),
            _ => value,
        };
        let path = fields.iter().find(|(beta, _)| *beta == name).map_or(name.as_str(), |(_, ga)| ga);
        *path.split('.').fold(&mut ga, |place, step| &mut place[step]) = value;
    }
    ga
}

fn ga_format(name: &Value) -> Value {
    match name.as_str() {
        Some("g711_ulaw") => json!({"type": "audio/pcmu"}),
        Some("g711_alaw") => json!({"type": "audio/pcma"}),
        _ => json!({"type": "audio/pcm", "rate": 24000}),
    }
}

fn beta_format(format: &Value) -> &'static str {
    match format["type"].as_str() {
        Some("audio/pcmu") => "g711_ulaw",
        Some("audio/pcma") => "g711_alaw",
        _ => "pcm16",
    }
}

fn to_beta(mut event: Value) -> Option<Value> {
    let name = beta_name(event["type"].as_str()?)?.to_owned();
    match name.as_str() {
        "session.created" | "session.updated" => event["session"] = beta_session(&event["session"]),
        "response.created" | "response.done" => event["response"] = beta_response(event["response"].take()),
        "response.function_call_arguments.done" => remove(&mut event, "name"),
        _ => {}
    }
    if event["item"].is_object() {
        swap_parts(&mut event["item"], |pair| pair);
    }
    event["type"] = json!(name);
    Some(event)
}

/// The name of an event in the beta; none where it has no such event.
pub(super) fn beta_name(name: &str) -> Option<&str> {
    Some(match name {
        "response.output_text.delta" => "response.text.delta",
        "response.output_text.done" => "response.text.done",
        "response.output_audio.delta" => "response.audio.delta",
        "response.output_audio.done" => "response.audio.done",
        "response.output_audio_transcript.delta" => "response.audio_transcript.delta",
        "response.output_audio_transcript.done" => "response.audio_transcript.done",
        "conversation.item.added" => "conversation.item.created",
        "conversation.item.done" | "input_audio_buffer.timeout_triggered" => return None,
        other => other,
    })
}

fn beta_session(ga: &Value) -> Value {
    let (input, output) = (&ga["audio"]["input"], &ga["audio"]["output"]);
    let mut turn_detection = input["turn_detection"].clone();
    remove(&mut turn_detection, "idle_timeout_ms");
    let temperature = ga.get("temperature").cloned().unwrap_or(json!(0.8));
    json!({
        "id": ga["id"],
        "object": "realtime.session",
        "model": ga["model"],
        "expires_at": ga["expires_at"],
        "modalities": beta_modalities(&ga["output_modalities"]),
        "instructions": ga["instructions"],
        "voice": output["voice"],
        "speed": output["speed"],
        "input_audio_format": beta_format(&input["format"]),
        "output_audio_format": beta_format(&output["format"]),
        "input_audio_transcription": input["transcription"],
        "input_audio_noise_reduction": input["noise_reduction"],
        "turn_detection": turn_detection,
        "tools": ga["tools"],
        "tool_choice": ga["tool_choice"],
        "temperature": temperature,
        "max_response_output_tokens": ga["max_output_tokens"],
        "tracing": ga["tracing"],
    })
}

fn beta_response(mut response: Value) -> Value {
    let output = response["audio"]["output"].take();
    remove(&mut response, "audio");
    let modalities = beta_modalities(&response["output_modalities"]);
    remove(&mut response, "output_modalities");
    response["modalities"] = modalities;
    response["output_audio_format"] = json!(beta_format(&output["format"]));
    response["voice"] = output["voice"].clone();
    for item in response["output"].as_array_mut().into_iter().flatten() {
        swap_parts(item, |pair| pair);
    }
    if let Some(details) = response.pointer_mut("/usage/input_token_details") {
        remove(details, "image_tokens");
        remove(details, "cached_tokens_details");
    }
    response
}

fn beta_modalities(ga: &Value) -> Value {
    if ga[0] == "audio" { json!(["text", "audio"]) } else { json!(["text"]) }
}

/// Renames the types of an item's parts; `direction` makes what is and what shall be of GA's name and the beta's.
fn swap_parts(item: &mut Value, direction: fn((&'static str, &'static str)) -> (&'static str, &'static str)) {
    let parts = item.get_mut("content").and_then(Value::as_array_mut);
    for part in parts.into_iter().flatten() {
        let names = PART_TYPES.map(direction);
        if let Some((_, new)) = names.into_iter().find(|(old, _)| part["type"] == *old) {
            part["type"] = json!(new);
        }
    }
}

/// Where the beta has a field of GA; none if that is in the same place.
fn beta_path(ga: &str) -> Option<String> {
    let (object, rest) = ga.split_once('.')?;
    let fields = match object {
        "session" => &SESSION_FIELDS[..],
        "response" => &RESPONSE_FIELDS[..],
        _ => return None,
    };
    let (beta, ga_field) = fields.iter().find(|(_, known)| rest.starts_with(known))?;
    Some(format!("{object}.{beta}{}", &rest[ga_field.len()..]))
}

fn remove(object: &mut Value, name: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove(name);
    }
}

/// Types of content parts: GA's and the beta's.
const PART_TYPES: [(&str, &str); 2] = [("output_text", "text"), ("output_audio", "audio")];
/// Fields of a session: the beta's, and their places in GA.
const SESSION_FIELDS: [(&str, &str); 9] = [
    ("modalities", "output_modalities"),
    ("input_audio_format", "audio.input.format"),
    ("input_audio_transcription", "audio.input.transcription"),
    ("input_audio_noise_reduction", "audio.input.noise_reduction"),
    ("turn_detection", "audio.input.turn_detection"),
    ("output_audio_format", "audio.output.format"),
    ("voice", "audio.output.voice"),
    ("speed", "audio.output.speed"),
    ("max_response_output_tokens", "max_output_tokens"),
];
/// Likewise of a response.
const RESPONSE_FIELDS: [(&str, &str); 4] = [
    ("modalities", "output_modalities"),
    ("output_audio_format", "audio.output.format"),
    ("voice", "audio.output.voice"),
    ("max_response_output_tokens", "max_output_tokens"),
];
