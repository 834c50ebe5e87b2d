//! The conversation items that a client may create, as strict shapes.
//! Knows nothing of which items a conversation holds.

use serde_json::Value;

use super::schema::{Fault, Field, Shape, optional, required};
use Shape::{And, List, OneOf, Rule, Tagged};

/// Any text.
pub(super) const TEXT: Shape = Shape::Text(usize::MAX);
/// The field that names an event or an item.
pub(super) const TYPE: Field = required("type", TEXT);
/// How closely an image is looked at.
pub(super) const DETAIL: Shape = OneOf(&["auto", "low", "high"]);
/// A name that a function may have.
pub(super) const FUNCTION_NAME: Shape = Rule(function_name);

/// Checks the `item` of `conversation.item.create`.
pub(super) fn item(value: &Value, path: &str) -> Result<(), Fault> {
    if value["type"] == "message" { MESSAGE.check(value, path) } else { OTHER_ITEM.check(value, path) }
}

/// Checks an entry of `response.create.response.input`: an item, or a reference to one.
pub(super) fn input_item(value: &Value, path: &str) -> Result<(), Fault> {
    if value["type"] == "item_reference" { REFERENCE.check(value, path) } else { item(value, path) }
}

/// Checks base64 audio of at most [`MAX_AUDIO_TEXT`] bytes of text.
pub(super) fn audio_text(value: &Value, path: &str) -> Result<(), Fault> {
    TEXT.check(value, path)?;
    let text = value.as_str().unwrap_or_default();
    if text.len() > MAX_AUDIO_TEXT {
        return Err(Fault::value(path, "expected at most 15 MiB of audio"));
    }
    base64_simd::STANDARD.check(text.as_bytes()).map_err(|_| Fault::value(path, "expected base64"))
}

/// A name of the client's own choice.
pub(super) const ID: Field = optional("id", Shape::Text(32));
/// What kind of object an item is.
pub(super) const OBJECT: Field = optional("object", OneOf(&["realtime.item"]));
/// How far an item has come.
pub(super) const STATUS: Field = optional("status", OneOf(&["completed", "incomplete", "in_progress"]));
/// A part of typed text.
pub(super) const INPUT_TEXT: (&str, &[Field]) = ("input_text", &[required("text", TEXT)]);

static MESSAGE: Shape = Tagged(
    "role",
    &[
        (
            "system",
            &[
                TYPE,
                ID,
                OBJECT,
                STATUS,
                required("content", And(&List(&Tagged("type", &[INPUT_TEXT])), not_empty)),
            ],
        ),
        ("user", &[TYPE, ID, OBJECT, STATUS, required("content", And(&List(&USER_PART), not_empty))]),
        (
            "assistant",
            &[TYPE, ID, OBJECT, STATUS, required("content", And(&List(&Rule(assistant_part)), not_empty))],
        ),
    ],
);
const USER_PART: Shape = Tagged(
    "type",
    &[
        INPUT_TEXT,
        ("input_audio", &[required("audio", Rule(audio_text)), optional("transcript", TEXT)]),
        ("input_image", &[required("image_url", Rule(image_url)), optional("detail", DETAIL)]),
    ],
);
/// An item that is no message; the beta has the same.
pub(super) static OTHER_ITEM: Shape = Tagged(
    "type",
    &[
        ("message", &[]),
        (
            "function_call",
            &[
                ID,
                OBJECT,
                STATUS,
                required("name", FUNCTION_NAME),
                required("arguments", TEXT),
                required("call_id", Shape::Text(32)),
            ],
        ),
        ("function_call_output", &[ID, OBJECT, STATUS, required("call_id", TEXT), required("output", TEXT)]),
    ],
);

static ASSISTANT_PART: Shape = Tagged("type", &[("output_text", &[required("text", TEXT)])]);
/// An item that the conversation has.
pub(super) static REFERENCE: Shape = Shape::Object(&[TYPE, required("id", TEXT)]);

fn assistant_part(value: &Value, path: &str) -> Result<(), Fault> {
    if value["type"] == "output_audio" || value["type"] == "audio" {
        let message = "Assistant audio cannot be supplied by the client.";
        return Err(Fault::new("unsupported_content_type", message).at(path));
    }
    ASSISTANT_PART.check(value, path)
}

/// Checks that a message has a part.
pub(super) fn not_empty(value: &Value, path: &str) -> Result<(), Fault> {
    let parts = value.as_array().map_or(0, Vec::len);
    if parts == 0 { Err(Fault::value(path, "expected at least one part")) } else { Ok(()) }
}

fn image_url(value: &Value, path: &str) -> Result<(), Fault> {
    TEXT.check(value, path)?;
    let url = value.as_str().unwrap_or_default();
    let is_image =
        ["data:image/png;base64,", "data:image/jpeg;base64,"].iter().any(|start| url.starts_with(start));
    if is_image { Ok(()) } else { Err(Fault::value(path, "expected a data URI of a png or jpeg image")) }
}

fn function_name(value: &Value, path: &str) -> Result<(), Fault> {
    TEXT.check(value, path)?;
    let name = value.as_str().unwrap_or_default();
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if is_name { Ok(()) } else { Err(Fault::value(path, "expected 1 to 64 letters, digits, '_' or '-'")) }
}

/// The largest `audio` text of one event, in bytes.
pub(super) const MAX_AUDIO_TEXT: usize = 15 * 1024 * 1024;
