//! The effective configuration of a simulated session: its defaults, and updates that apply whole or not at all.
//! Knows nothing of turns; what it must know of them is handed in as [`Progress`].

use serde_json::{Map, Value, json};

use super::schema::Fault;
use crate::simulator::codec::Format;

/// What has happened in the session that forbids some changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// The session has produced audio, so its voice is settled.
    pub(super) has_spoken: bool,
    /// A response is running, so the speed must stay.
    pub(super) is_responding: bool,
}

/// What kind of session a connection asked for with `intent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Listens and answers.
    #[default]
    Realtime,
    /// Listens and transcribes.
    Transcription,
}

/// The session object as `session.created` shows it ("OpenAI Realtime, Session object").
pub(super) fn created(kind: Kind, id: &str, model: &str, voice: &str, expires_at: u64) -> Value {
    let turn_detection = with_turn_defaults(&json!({"type": "server_vad"}));
    let input = json!({
        "format": {"type": "audio/pcm", "rate": 24000},
        "transcription": null,
        "noise_reduction": null,
        "turn_detection": turn_detection,
    });
    if kind == Kind::Transcription {
        return json!({
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": id,
            "expires_at": expires_at,
            "audio": {"input": input},
            "include": null,
        });
    }
    json!({
        "type": "realtime",
        "object": "realtime.session",
        "id": id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "You are a helpful, friendly assistant. Answer briefly.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": null,
        "truncation": "auto",
        "prompt": null,
        "expires_at": expires_at,
        "audio": {
            "input": input,
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": voice, "speed": 1.0},
        },
        "include": null,
    })
}

/// The configuration after an update that fits the schema.
///
/// # Errors
/// What the session's progress, its kind or the fields together forbid; then nothing of the update applies.
pub(super) fn updated(current: &Value, update: &Value, progress: Progress) -> Result<Value, Fault> {
    refuse_changes(current, update, progress)?;
    let mut next = current.clone();
    for (name, value) in update.as_object().into_iter().flatten() {
        match name.as_str() {
            "audio" => merge_audio(&mut next["audio"], value),
            _ => next[name] = value.clone(),
        }
    }
    let input = &next["audio"]["input"];
    if input["transcription"]["model"] == "gpt-realtime-whisper" && !input["turn_detection"].is_null() {
        return Err(Fault::value("session.audio.input.turn_detection", "gpt-realtime-whisper needs null"));
    }
    Ok(next)
}

/// Reads a format object that the schema has accepted ("OpenAI Realtime, Formats"); PCM where it says nothing.
pub(super) fn format_of(object: &Value) -> Format {
    match object["type"].as_str() {
        Some("audio/pcmu") => Format::MULAW,
        Some("audio/pcma") => Format::ALAW,
        _ => Format::PCM,
    }
}

fn refuse_changes(current: &Value, update: &Value, progress: Progress) -> Result<(), Fault> {
    let changes =
        |pointer: &str| update.pointer(pointer).is_some_and(|value| current.pointer(pointer) != Some(value));
    if changes("/type") {
        return Err(Fault::value("session.type", "the type of a session cannot change"));
    }
    if changes("/model") {
        return Err(Fault::value("session.model", "the model of a session cannot change"));
    }
    if progress.has_spoken && changes("/audio/output/voice") {
        return Err(settled_voice("session.audio.output.voice"));
    }
    if progress.is_responding && changes("/audio/output/speed") {
        return Err(Fault::value("session.audio.output.speed", "the speed can change between turns only"));
    }
    if !current["tracing"].is_null() && changes("/tracing") {
        return Err(Fault::value("session.tracing", "tracing cannot change once it is on"));
    }
    let transcription = &update["audio"]["input"]["transcription"];
    if !transcription["delay"].is_null() && transcription["model"] != "gpt-realtime-whisper" {
        return Err(Fault::value(
            "session.audio.input.transcription.delay",
            "belongs to gpt-realtime-whisper",
        ));
    }
    Ok(())
}

/// The fault of changing the voice after the first audio.
pub(super) fn settled_voice(path: &str) -> Fault {
    Fault::new("cannot_update_voice", "Cannot update the voice once the session has produced audio.").at(path)
}

/// The four leaves under `audio.input` and the three under `audio.output` are replaced whole.
fn merge_audio(audio: &mut Value, update: &Value) {
    for (side, fields) in update.as_object().into_iter().flatten() {
        for (name, value) in fields.as_object().into_iter().flatten() {
            audio[side][name] = match name.as_str() {
                "turn_detection" if value.is_object() => with_turn_defaults(value),
                "transcription" if value.is_object() => filled(value, json!({"model": "whisper-1"})),
                "format" if value["type"] == "audio/pcm" => filled(value, json!({"rate": 24000})),
                _ => value.clone(),
            };
        }
    }
}

fn with_turn_defaults(turn_detection: &Value) -> Value {
    let defaults = if turn_detection["type"] == "semantic_vad" {
        json!({"eagerness": "auto", "create_response": true, "interrupt_response": true})
    } else {
        json!({
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 200,
            "idle_timeout_ms": null,
            "create_response": true,
            "interrupt_response": true,
        })
    };
    filled(turn_detection, defaults)
}

fn filled(value: &Value, defaults: Value) -> Value {
    let mut filled: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
    for (name, default) in defaults.as_object().into_iter().flatten() {
        filled.entry(name.clone()).or_insert_with(|| default.clone());
    }
    Value::Object(filled)
}

/// The configuration of one response: the session's, overridden by `response.create`'s.
pub(super) fn for_response(session: &Value, overrides: &Value) -> Value {
    let mut effective = session.clone();
    for (name, value) in overrides.as_object().into_iter().flatten() {
        match name.as_str() {
            "audio" => merge_audio(&mut effective["audio"], value),
            _ => effective[name] = value.clone(),
        }
    }
    effective
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: Progress = Progress { has_spoken: false, is_responding: false };
    const LATE: Progress = Progress { has_spoken: true, is_responding: true };

    fn session() -> Value {
        created(Kind::Realtime, "sess_1", "gpt-realtime", "marin", 7)
    }

    #[test]
    fn only_fields_present_change() {
        let update = json!({"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad",
            "silence_duration_ms": 500}}}, "instructions": ""});
        let next = updated(&session(), &update, EARLY).expect("a good update");
        assert_eq!(next["instructions"], "");
        assert_eq!(next["audio"]["output"]["voice"], "marin");
        let turns = &next["audio"]["input"]["turn_detection"];
        assert_eq!((&turns["silence_duration_ms"], &turns["prefix_padding_ms"]), (&json!(500), &json!(300)));
        let manual = json!({"type": "realtime", "audio": {"input": {"turn_detection": null}}});
        assert!(
            updated(&next, &manual, EARLY).expect("manual")["audio"]["input"]["turn_detection"].is_null()
        );
    }

    #[test]
    fn progress_forbids() {
        let output =
            |field: &str, value: Value| json!({"type": "realtime", "audio": {"output": {field: value}}});
        let voice = output("voice", json!("cedar"));
        assert!(updated(&session(), &voice, EARLY).is_ok());
        assert_eq!(updated(&session(), &voice, LATE).expect_err("settled").code, "cannot_update_voice");
        assert!(updated(&session(), &output("voice", json!("marin")), LATE).is_ok());
        assert_eq!(
            updated(&session(), &output("speed", json!(1.5)), LATE).expect_err("running").code,
            "invalid_value"
        );
    }

    #[test]
    fn model_type_tracing_and_delay_are_guarded() {
        let traced =
            updated(&session(), &json!({"type": "realtime", "tracing": "auto"}), EARLY).expect("once");
        for (current, update, param) in [
            (&session(), json!({"type": "realtime", "model": "other"}), "session.model"),
            (&session(), json!({"type": "transcription"}), "session.type"),
            (&traced, json!({"type": "realtime", "tracing": null}), "session.tracing"),
            (
                &session(),
                json!({"type": "realtime", "audio": {"input": {"transcription": {"delay": "low"}}}}),
                "session.audio.input.transcription.delay",
            ),
            (
                &session(),
                json!({"type": "realtime", "audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}}}}),
                "session.audio.input.turn_detection",
            ),
        ] {
            let fault = updated(current, &update, EARLY).expect_err(param);
            assert_eq!((fault.code.as_str(), fault.param.as_deref()), ("invalid_value", Some(param)));
        }
    }
}
