//! The client events that the beta has in a form of its own, as strict shapes, written from the published beta API
//! ("OpenAI Realtime, Beta and GA names"). Knows nothing of a session's state, or of what GA calls the same.

use serde_json::{Value, json};

use super::{
    item_shape::{
        FUNCTION_NAME, ID, INPUT_TEXT, OBJECT, OTHER_ITEM, REFERENCE, STATUS, TEXT, TYPE, audio_text,
        not_empty,
    },
    schema::{Fault, Shape, optional, required},
    validate::{ClientEvent, EVENT_ID, MAX_TOKENS, TRACING, metadata},
};
use Shape::{And, Any, Bool, Integer, List, Nullable, Number, Object, OneOf, Rule, Tagged};

/// The events whose fields GA has under other names.
pub(super) static OWN: [ClientEvent; 3] = [
    ("session.update", Object(&[TYPE, EVENT_ID, required("session", SESSION)])),
    (
        "conversation.item.create",
        Object(&[TYPE, EVENT_ID, required("item", Rule(item)), optional("previous_item_id", TEXT)]),
    ),
    ("response.create", Object(&[TYPE, EVENT_ID, optional("response", RESPONSE)])),
];

const SESSION: Shape = Object(&[
    optional("model", TEXT),
    optional("instructions", TEXT),
    optional("modalities", Rule(modalities)),
    optional("voice", VOICE),
    optional("speed", Number(0.25, 1.5)),
    optional("input_audio_format", FORMAT),
    optional("output_audio_format", FORMAT),
    optional("input_audio_transcription", Nullable(&TRANSCRIPTION)),
    optional("input_audio_noise_reduction", Nullable(&NOISE_REDUCTION)),
    optional("turn_detection", Nullable(&TURN_DETECTION)),
    optional("tools", List(&TOOL)),
    optional("tool_choice", TOOL_CHOICE),
    optional("temperature", TEMPERATURE),
    optional("max_response_output_tokens", MAX_TOKENS),
    optional("tracing", Nullable(&TRACING)),
]);

const RESPONSE: Shape = Object(&[
    optional("conversation", OneOf(&["auto", "none"])),
    optional("input", List(&Rule(input_item))),
    optional("instructions", TEXT),
    optional("max_response_output_tokens", MAX_TOKENS),
    optional("metadata", Rule(metadata)),
    optional("modalities", Rule(modalities)),
    optional("output_audio_format", FORMAT),
    optional("temperature", TEMPERATURE),
    optional("tool_choice", TOOL_CHOICE),
    optional("tools", List(&TOOL)),
    optional("voice", VOICE),
]);

const VOICE: Shape = OneOf(&["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse"]);
const FORMAT: Shape = OneOf(&["pcm16", "g711_ulaw", "g711_alaw"]);
const TEMPERATURE: Shape = Number(0.6, 1.2);
const TOOL_CHOICE: Shape = OneOf(&["none", "auto", "required"]);
const NOISE_REDUCTION: Shape = Object(&[required("type", OneOf(&["near_field", "far_field"]))]);
const TRANSCRIPTION: Shape =
    Object(&[optional("model", TEXT), optional("language", TEXT), optional("prompt", TEXT)]);
const TURN_DETECTION: Shape = Tagged(
    "type",
    &[
        (
            "server_vad",
            &[
                optional("threshold", Number(0.0, 1.0)),
                optional("prefix_padding_ms", Integer(0, 60_000)),
                optional("silence_duration_ms", Integer(0, 60_000)),
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
const TOOL: Shape = Tagged(
    "type",
    &[(
        "function",
        &[
            required("name", FUNCTION_NAME),
            optional("description", TEXT),
            optional("parameters", Shape::Map(&Any)),
        ],
    )],
);

static MESSAGE: Shape = Tagged(
    "role",
    &[
        ("system", &[TYPE, ID, OBJECT, STATUS, required("content", And(&List(&SYSTEM_PART), not_empty))]),
        ("user", &[TYPE, ID, OBJECT, STATUS, required("content", And(&List(&USER_PART), not_empty))]),
        (
            "assistant",
            &[TYPE, ID, OBJECT, STATUS, required("content", And(&List(&Rule(assistant_part)), not_empty))],
        ),
    ],
);
const SYSTEM_PART: Shape = Tagged("type", &[INPUT_TEXT]);
const USER_PART: Shape = Tagged(
    "type",
    &[INPUT_TEXT, ("input_audio", &[required("audio", Rule(audio_text)), optional("transcript", TEXT)])],
);
static ASSISTANT_PART: Shape = Tagged("type", &[("text", &[required("text", TEXT)])]);

fn item(value: &Value, path: &str) -> Result<(), Fault> {
    if value["type"] == "message" { MESSAGE.check(value, path) } else { OTHER_ITEM.check(value, path) }
}

fn input_item(value: &Value, path: &str) -> Result<(), Fault> {
    if value["type"] == "item_reference" { REFERENCE.check(value, path) } else { item(value, path) }
}

fn assistant_part(value: &Value, path: &str) -> Result<(), Fault> {
    if value["type"] == "audio" {
        let message = "Assistant audio cannot be supplied by the client.";
        return Err(Fault::new("unsupported_content_type", message).at(path));
    }
    ASSISTANT_PART.check(value, path)
}

/// Audio always comes with text.
fn modalities(value: &Value, path: &str) -> Result<(), Fault> {
    let known = [json!(["text"]), json!(["text", "audio"]), json!(["audio", "text"])];
    if known.contains(value) {
        Ok(())
    } else {
        Err(Fault::value(path, "supported combinations are ['text'] and ['audio', 'text']"))
    }
}
