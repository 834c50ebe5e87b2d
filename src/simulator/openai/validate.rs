//! The eleven client events of the API as strict shapes, written from the published API and not from the
//! gateway's own types. Knows nothing of a session's state, or of the beta.

use serde_json::Value;

use super::{
    item_shape::{DETAIL, FUNCTION_NAME, TEXT, TYPE, audio_text, input_item, item},
    schema::{Fault, Field, Shape, optional, required},
};
use Shape::{Any, Bool, Either, Integer, List, Nullable, Number, Object, OneOf, Rule, Tagged};

/// Parses and checks one text frame; `own` are the events that an API has in a form of its own.
///
/// # Errors
/// The fault, and the event's own `event_id` where it could be read.
pub(super) fn client_event(frame: &str, own: &[ClientEvent]) -> Result<Value, (Fault, Option<String>)> {
    let event: Value = serde_json::from_str(frame).map_err(|error| {
        (Fault::new("invalid_json", format!("The event is not valid JSON: {error}.")), None)
    })?;
    let event_id = event["event_id"].as_str().map(str::to_owned);
    match check(&event, own) {
        Ok(()) => Ok(event),
        Err(fault) => Err((fault, event_id)),
    }
}

fn check(event: &Value, own: &[ClientEvent]) -> Result<(), Fault> {
    let Some(fields) = event.as_object() else {
        return Err(Fault::new("invalid_event", "A client event must be a JSON object."));
    };
    let Some(name) = fields.get("type").and_then(Value::as_str) else {
        return Err(Fault::new("invalid_event", "A client event must have a 'type' text.").at("type"));
    };
    let Some((_, shape)) = own.iter().chain(&COMMON).find(|(known, _)| *known == name) else {
        return Err(Fault::new("invalid_event", format!("Unknown client event type '{name}'.")).at("type"));
    };
    shape.check(event, "")
}

/// The type of a client event and its shape.
pub(super) type ClientEvent = (&'static str, Shape);

/// The client's own name for an event.
pub(super) const EVENT_ID: Field = optional("event_id", Shape::Text(512));
const BARE: Shape = Object(&[TYPE, EVENT_ID]);

/// The events whose fields the beta has under other names.
pub(super) static OWN: [ClientEvent; 3] = [
    ("session.update", Object(&[TYPE, EVENT_ID, required("session", SESSION)])),
    (
        "conversation.item.create",
        Object(&[TYPE, EVENT_ID, required("item", Rule(item)), optional("previous_item_id", TEXT)]),
    ),
    ("response.create", Object(&[TYPE, EVENT_ID, optional("response", RESPONSE)])),
];

/// The events that are the same in the beta.
static COMMON: [ClientEvent; 8] = [
    ("input_audio_buffer.append", Object(&[TYPE, EVENT_ID, required("audio", Rule(audio_text))])),
    ("input_audio_buffer.commit", BARE),
    ("input_audio_buffer.clear", BARE),
    ("output_audio_buffer.clear", BARE),
    ("conversation.item.retrieve", Object(&[TYPE, EVENT_ID, required("item_id", TEXT)])),
    ("conversation.item.delete", Object(&[TYPE, EVENT_ID, required("item_id", TEXT)])),
    (
        "conversation.item.truncate",
        Object(&[
            TYPE,
            EVENT_ID,
            required("item_id", TEXT),
            required("content_index", Integer(0, 0)),
            required("audio_end_ms", Integer(0, i64::MAX)),
        ]),
    ),
    ("response.cancel", Object(&[TYPE, EVENT_ID, optional("response_id", TEXT)])),
];

const SESSION: Shape = Tagged(
    "type",
    &[
        (
            "realtime",
            &[
                optional("model", TEXT),
                optional("instructions", TEXT),
                optional("output_modalities", Rule(modalities)),
                optional("audio", Object(&[optional("input", INPUT), optional("output", OUTPUT)])),
                optional("tools", List(&TOOL)),
                optional("tool_choice", TOOL_CHOICE),
                optional("parallel_tool_calls", Bool),
                optional("reasoning", REASONING),
                optional("max_output_tokens", MAX_TOKENS),
                optional("prompt", Nullable(&PROMPT)),
                optional("tracing", Nullable(&TRACING)),
                optional("truncation", TRUNCATION),
                optional("include", INCLUDE),
            ],
        ),
        (
            "transcription",
            &[optional("audio", Object(&[optional("input", INPUT)])), optional("include", INCLUDE)],
        ),
    ],
);

const RESPONSE: Shape = Object(&[
    optional(
        "audio",
        Object(&[optional("output", Object(&[optional("format", FORMAT), optional("voice", VOICE)]))]),
    ),
    optional("conversation", OneOf(&["auto", "none"])),
    optional("input", List(&Rule(input_item))),
    optional("instructions", TEXT),
    optional("max_output_tokens", MAX_TOKENS),
    optional("metadata", Rule(metadata)),
    optional("output_modalities", Rule(modalities)),
    optional("parallel_tool_calls", Bool),
    optional("prompt", PROMPT),
    optional("reasoning", REASONING),
    optional("tool_choice", TOOL_CHOICE),
    optional("tools", List(&TOOL)),
]);

const INPUT: Shape = Object(&[
    optional("format", FORMAT),
    optional("noise_reduction", Nullable(&NOISE_REDUCTION)),
    optional("transcription", Nullable(&TRANSCRIPTION)),
    optional("turn_detection", Nullable(&TURN_DETECTION)),
]);
const OUTPUT: Shape =
    Object(&[optional("format", FORMAT), optional("speed", Number(0.25, 1.5)), optional("voice", VOICE)]);

const FORMAT: Shape = Tagged(
    "type",
    &[("audio/pcm", &[optional("rate", Integer(24_000, 24_000))]), ("audio/pcmu", &[]), ("audio/pcma", &[])],
);
const NOISE_REDUCTION: Shape = Object(&[
    required("type", OneOf(&["near_field", "far_field"])),
    optional("strength", Number(0.0, f64::MAX)),
]);
const TRANSCRIPTION: Shape = Object(&[
    optional("model", TEXT),
    optional("language", TEXT),
    optional("languages", List(&TEXT)),
    optional("keywords", List(&TEXT)),
    optional("prompt", TEXT),
    optional("delay", OneOf(&["minimal", "low", "medium", "high", "xhigh"])),
]);
const TURN_DETECTION: Shape = Tagged(
    "type",
    &[
        (
            "server_vad",
            &[
                optional("threshold", Number(0.0, 1.0)),
                optional("prefix_padding_ms", Integer(0, 60_000)),
                optional("silence_duration_ms", Integer(0, 60_000)),
                optional("idle_timeout_ms", Nullable(&Integer(5_000, 30_000))),
                optional("create_response", Bool),
                optional("interrupt_response", Bool),
            ],
        ),
        (
            "semantic_vad",
            &[
                optional("eagerness", OneOf(&["low", "medium", "high", "auto"])),
                optional("create_response", Bool),
                optional("interrupt_response", Bool),
            ],
        ),
    ],
);
const VOICE: Shape = Either(&[
    OneOf(&["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"]),
    Object(&[required("id", TEXT)]),
]);

const FILTER: Shape = Object(&[optional("read_only", Bool), optional("tool_names", List(&TEXT))]);
const TOOL: Shape = Tagged(
    "type",
    &[
        (
            "function",
            &[
                required("name", FUNCTION_NAME),
                optional("description", TEXT),
                optional("parameters", Shape::Map(&Any)),
            ],
        ),
        (
            "mcp",
            &[
                required("server_label", TEXT),
                optional("server_url", TEXT),
                optional("connector_id", TEXT),
                optional("tunnel_id", TEXT),
                optional("authorization", TEXT),
                optional("headers", Shape::Map(&TEXT)),
                optional("allowed_tools", Either(&[List(&TEXT), FILTER])),
                optional(
                    "require_approval",
                    Either(&[
                        OneOf(&["always", "never"]),
                        Object(&[optional("always", FILTER), optional("never", FILTER)]),
                    ]),
                ),
                optional("server_description", TEXT),
                optional("defer_loading", Bool),
                optional("allowed_callers", List(&OneOf(&["direct", "programmatic"]))),
            ],
        ),
    ],
);
const TOOL_CHOICE: Shape = Either(&[
    OneOf(&["none", "auto", "required"]),
    Tagged(
        "type",
        &[
            ("function", &[required("name", FUNCTION_NAME)]),
            ("mcp", &[required("server_label", TEXT), optional("name", TEXT)]),
        ],
    ),
]);

const REASONING: Shape = Object(&[optional("effort", OneOf(&["minimal", "low", "medium", "high", "xhigh"]))]);
/// How long a response may become.
pub(super) const MAX_TOKENS: Shape = Either(&[OneOf(&["inf"]), Integer(1, 4096)]);
const PROMPT: Shape =
    Object(&[required("id", TEXT), optional("version", TEXT), optional("variables", Shape::Map(&VARIABLE))]);
const VARIABLE: Shape = Either(&[
    TEXT,
    Tagged(
        "type",
        &[
            ("input_text", &[required("text", TEXT)]),
            ("input_image", &[optional("image_url", TEXT), optional("detail", DETAIL)]),
            ("input_file", &[optional("file_id", TEXT), optional("file_url", TEXT)]),
        ],
    ),
]);
/// Whether the vendor keeps a trace.
pub(super) const TRACING: Shape = Either(&[
    OneOf(&["auto"]),
    Object(&[
        optional("workflow_name", TEXT),
        optional("group_id", TEXT),
        optional("metadata", Shape::Map(&Any)),
    ]),
]);
const TRUNCATION: Shape = Either(&[
    OneOf(&["auto", "disabled"]),
    Object(&[
        required("type", OneOf(&["retention_ratio"])),
        required("retention_ratio", Number(0.0, 1.0)),
        optional("token_limits", Object(&[optional("post_instructions", Integer(0, i64::MAX))])),
    ]),
]);
const INCLUDE: Shape = List(&OneOf(&["item.input_audio_transcription.logprobs"]));

fn modalities(value: &Value, path: &str) -> Result<(), Fault> {
    let one =
        value.as_array().is_some_and(|list| list.len() == 1 && (list[0] == "audio" || list[0] == "text"));
    if one { Ok(()) } else { Err(Fault::value(path, "expected exactly one of 'audio', 'text'")) }
}

/// Checks what a client may attach to a response.
pub(super) fn metadata(value: &Value, path: &str) -> Result<(), Fault> {
    Shape::Map(&Shape::Text(512)).check(value, path)?;
    let keys =
        value.as_object().into_iter().flatten().map(|(key, _)| key.chars().count()).collect::<Vec<_>>();
    if keys.len() > 16 || keys.iter().any(|&length| length > 64) {
        return Err(Fault::value(path, "expected at most 16 pairs with keys of at most 64 characters"));
    }
    Ok(())
}
