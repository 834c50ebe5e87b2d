//! What only a backend of OpenAI Realtime has: choices, defaults of a session, turn detection, transcription.
//! Knows nothing of what it shares with other kinds.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check_tools::tools;
use super::error::ConfigError;
use super::language::primary_language;
use super::raw::{Raw, RawBackend, RawTranscription, RawTurnDetection};
use super::reader::Reader;
use super::{ApiShape, AuthHeader, Backend, Eagerness, GreetingMode, Lock, Transcription, TurnDetection};

/// Every key that is of this kind alone, and whether it is there.
pub(super) fn given(raw: &RawBackend) -> [(&'static str, bool); 13] {
    [
        ("model", raw.model.is_some()),
        ("api_shape", raw.api_shape.is_some()),
        ("deferred_response_timeout_ms", raw.deferred_response_timeout_ms.is_some()),
        ("allow_client_json_passthrough", raw.allow_client_json_passthrough.is_some()),
        ("greeting_mode", raw.greeting_mode.is_some()),
        ("lock", raw.lock.is_some()),
        ("barge_in", raw.barge_in.is_some()),
        ("turn_detection", raw.turn_detection.is_some()),
        ("transcription", raw.transcription.is_some()),
        ("voice", raw.voice.is_some()),
        ("voices", raw.voices.is_some()),
        ("instructions", raw.instructions.is_some()),
        ("tools", raw.tools.is_some()),
    ]
}

/// Adds to a backend what is of this kind.
pub(super) fn complete(
    default: Backend,
    raw: &RawBackend,
    reader: &Reader<'_>,
) -> Result<Backend, ConfigError> {
    let barge_in = reader.flag(&raw.barge_in, "barge_in", default.barge_in)?;
    Ok(Backend {
        model: if raw.model.is_some() { reader.text(&raw.model, "model")? } else { default.model },
        auth_header: reader.word(&raw.auth_header, "auth_header", &AUTH_HEADERS, default.auth_header)?,
        api_shape: reader.word(&raw.api_shape, "api_shape", &API_SHAPES, default.api_shape)?,
        deferred_response_timeout: reader.millis(
            &raw.deferred_response_timeout_ms,
            "deferred_response_timeout_ms",
            default.deferred_response_timeout,
        )?,
        allow_client_json_passthrough: reader.flag(
            &raw.allow_client_json_passthrough,
            "allow_client_json_passthrough",
            default.allow_client_json_passthrough,
        )?,
        greeting_mode: reader.word(
            &raw.greeting_mode,
            "greeting_mode",
            &GREETING_MODES,
            default.greeting_mode,
        )?,
        lock: lock(raw, reader)?,
        barge_in,
        turn_detection: match &raw.turn_detection {
            Some(raw) => turn_detection(raw, barge_in, &reader.inside("turn_detection"))?,
            None => turn_detection(&RawTurnDetection::default(), barge_in, reader)?,
        },
        transcription: match &raw.transcription {
            Some(raw) => transcription(raw, &reader.inside("transcription"))?,
            None => default.transcription,
        },
        voice: reader.text(&raw.voice, "voice")?,
        voices: match &raw.voices {
            Some(raw) => voices(raw, &reader.inside("voices"))?,
            None => default.voices,
        },
        instructions: reader.text(&raw.instructions, "instructions")?,
        tools: tools(raw.tools.as_deref().unwrap_or_default(), reader)?,
        ..default
    })
}

fn lock(raw: &RawBackend, reader: &Reader<'_>) -> Result<Lock, ConfigError> {
    let names = lock_words(Lock::default()).map(|(word, _)| (word, word));
    let given = reader.words(&raw.lock, "lock", &names)?;
    Ok(Lock {
        instructions: given.contains(&"instructions"),
        tools: given.contains(&"tools"),
        voice: given.contains(&"voice"),
    })
}

/// What can be locked, by its word in the configuration, and whether `lock` locks it.
pub(super) const fn lock_words(lock: Lock) -> [(&'static str, bool); 3] {
    [("instructions", lock.instructions), ("tools", lock.tools), ("voice", lock.voice)]
}

fn voices(
    raw: &BTreeMap<String, Value>,
    reader: &Reader<'_>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let voice = |(name, value): (&String, &Value)| match value {
        _ if name.trim().is_empty() => Err(reader.error(name, "a voice has no name")),
        Value::String(voice) if voice.trim().is_empty() => Err(reader.error(name, "must not be empty")),
        Value::String(voice) => Ok((name.clone(), voice.clone())),
        other => Err(reader.mismatch(name, "text", other)),
    };
    raw.iter().map(voice).collect()
}

fn turn_detection(
    raw: &RawTurnDetection,
    barge_in: bool,
    reader: &Reader<'_>,
) -> Result<TurnDetection, ConfigError> {
    #[derive(Clone, Copy, PartialEq)]
    enum Type {
        Server,
        Semantic,
        Manual,
    }
    let types = [("server_vad", Type::Server), ("semantic_vad", Type::Semantic), ("manual", Type::Manual)];
    let kind = reader.word(&raw.r#type, "type", &types, Type::Server)?;
    let (server, either) = (&[Type::Server][..], &[Type::Server, Type::Semantic][..]);
    let fields: [(&str, &Raw, &[Type]); 7] = [
        ("threshold", &raw.threshold, server),
        ("prefix_padding_ms", &raw.prefix_padding_ms, server),
        ("silence_duration_ms", &raw.silence_duration_ms, server),
        ("idle_timeout_ms", &raw.idle_timeout_ms, server),
        ("eagerness", &raw.eagerness, &[Type::Semantic]),
        ("create_response", &raw.create_response, either),
        ("interrupt_response", &raw.interrupt_response, either),
    ];
    if let Some((name, ..)) = fields.iter().find(|(_, raw, owners)| raw.is_some() && !owners.contains(&kind))
    {
        let word = types.iter().find(|(_, other)| *other == kind).map_or("", |(word, _)| word);
        return Err(reader.error(name, format!("does not belong to type \"{word}\"")));
    }
    let create_response = reader.flag(&raw.create_response, "create_response", true)?;
    let interrupt_response = reader.flag(&raw.interrupt_response, "interrupt_response", barge_in)?;
    if interrupt_response && !barge_in {
        return Err(reader.error("interrupt_response", "must not be true beside barge_in = false"));
    }
    Ok(match kind {
        Type::Server => TurnDetection::ServerVad {
            threshold: reader.number(&raw.threshold, "threshold", 0.0..=1.0, 0.5)?,
            prefix_padding_ms: reader.integer(
                &raw.prefix_padding_ms,
                "prefix_padding_ms",
                0..=60_000,
                300,
            )?,
            silence_duration_ms: reader.integer(
                &raw.silence_duration_ms,
                "silence_duration_ms",
                0..=60_000,
                200,
            )?,
            idle_timeout_ms: reader.optional_integer(
                &raw.idle_timeout_ms,
                "idle_timeout_ms",
                5_000..=30_000,
            )?,
            create_response,
            interrupt_response,
        },
        Type::Semantic => TurnDetection::SemanticVad {
            eagerness: reader.word(&raw.eagerness, "eagerness", &EAGERNESS, Eagerness::Auto)?,
            create_response,
            interrupt_response,
        },
        Type::Manual => TurnDetection::Manual,
    })
}

fn transcription(raw: &RawTranscription, reader: &Reader<'_>) -> Result<Transcription, ConfigError> {
    Ok(Transcription {
        model: reader.text_or(&raw.model, "model", Transcription::default().model)?,
        language: language(raw, reader)?,
        prompt: reader.text(&raw.prompt, "prompt")?,
    })
}

fn language(raw: &RawTranscription, reader: &Reader<'_>) -> Result<Option<String>, ConfigError> {
    let language = reader.text(&raw.language, "language")?;
    match language.as_deref().filter(|tag| primary_language(tag).is_none()) {
        Some(tag) => {
            let reason = format!("\"{tag}\" is no language tag, must be like \"de\", \"pt-BR\" or \"multi\"");
            Err(reader.error("language", reason))
        }
        None => Ok(language),
    }
}

pub(super) const AUTH_HEADERS: [(&str, AuthHeader); 2] =
    [("bearer", AuthHeader::Bearer), ("api-key", AuthHeader::ApiKey)];
pub(super) const API_SHAPES: [(&str, ApiShape); 3] =
    [("auto", ApiShape::Auto), ("ga", ApiShape::Ga), ("beta", ApiShape::Beta)];
pub(super) const GREETING_MODES: [(&str, GreetingMode); 2] =
    [("text", GreetingMode::Text), ("speak", GreetingMode::Speak)];
pub(super) const EAGERNESS: [(&str, Eagerness); 4] = [
    (Eagerness::Low.name(), Eagerness::Low),
    (Eagerness::Medium.name(), Eagerness::Medium),
    (Eagerness::High.name(), Eagerness::High),
    (Eagerness::Auto.name(), Eagerness::Auto),
];
