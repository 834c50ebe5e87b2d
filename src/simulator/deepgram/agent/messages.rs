//! Which messages a client may send, and what is in them ("Voice Agent protocol, Client messages").
//! Knows nothing of when they may come; `settings` knows what stands in a Settings.

use serde_json::Value;

use super::settings::{AGENT, AUDIO, LISTEN, SPEAK, THINK, THINK_LIVE};
use crate::simulator::deepgram::schema::{Fault, FaultKind, Field, Shape, check_fields, optional, required};

/// Why a message is refused, in Deepgram's words ("Codes").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) description: String,
}

/// Reads a text frame: a JSON object with a known `type` and the fields of that type, no others.
///
/// # Errors
/// `UNPARSABLE_CLIENT_MESSAGE`, or `INVALID_SETTINGS` where values of a configuration are refused.
pub(super) fn read(frame: &str) -> Result<Value, Refused> {
    let message: Value =
        serde_json::from_str(frame).map_err(|error| unparsable(format!("not JSON: {error}")))?;
    let Some(object) = message.as_object() else { return Err(unparsable("expected an object".to_owned())) };
    let Some(name) = object.get("type").and_then(Value::as_str) else {
        return Err(unparsable("type: expected a string".to_owned()));
    };
    let Some((_, fields)) = CLIENT_MESSAGES.iter().find(|(known, _)| *known == name) else {
        return Err(unparsable(format!("type: unknown message {}", name.escape_debug())));
    };
    let is_dynamic = name == "InjectAgentMessage" && object.contains_key("is_dynamic");
    let fields = if is_dynamic { DYNAMIC_MESSAGE } else { fields };
    let is_configuration = name == "Settings" || name.starts_with("Update");
    check_fields(object, fields, Some("type"), "").map_err(|fault| refused(fault, is_configuration))?;
    Ok(message)
}

/// Whether a binary frame is a message in the wrong kind of frame.
pub(super) fn is_message(frame: &[u8]) -> bool {
    frame.first() == Some(&b'{')
        && serde_json::from_slice::<Value>(frame).is_ok_and(|value| value["type"].is_string())
}

/// A fault as an error; a value that is refused outside a configuration has no code of its own.
pub(super) fn refused(fault: Fault, is_configuration: bool) -> Refused {
    match fault.kind {
        FaultKind::Refused if is_configuration => {
            Refused { code: "INVALID_SETTINGS", description: fault.description }
        }
        FaultKind::Refused | FaultKind::Unreadable => unparsable(fault.description),
    }
}

/// `UNPARSABLE_CLIENT_MESSAGE`.
pub(super) fn unparsable(description: String) -> Refused {
    Refused { code: "UNPARSABLE_CLIENT_MESSAGE", description }
}

const BEHAVIOR: Shape = Shape::OneOf(&["default", "queue", "interrupt"]);

const CLIENT_MESSAGES: &[(&str, &[Field])] = &[
    (
        "Settings",
        &[
            optional("tags", Shape::List(&Shape::Text)),
            optional("experimental", Shape::Bool),
            optional("flags", Shape::Object(&[optional("history", Shape::Bool)])),
            optional("mip_opt_out", Shape::Bool),
            required("audio", AUDIO),
            required("agent", AGENT),
        ],
    ),
    ("UpdateListen", &[required("listen", LISTEN)]),
    ("UpdateThink", &[required("think", THINK)]),
    ("UpdateThink_Live", &[required("think_live", THINK_LIVE)]),
    ("UpdateSpeak", &[required("speak", SPEAK)]),
    ("UpdatePrompt", &[required("prompt", Shape::Text)]),
    ("InjectUserMessage", &[required("content", Shape::Text)]),
    ("InjectAgentMessage", &[required("message", Shape::Text), optional("behavior", BEHAVIOR)]),
    (
        "FunctionCallResponse",
        &[
            required("id", Shape::Text),
            required("name", Shape::Text),
            required("content", Shape::Text),
            optional("thought_signature", Shape::Text),
        ],
    ),
    ("KeepAlive", &[]),
    ("ForceEndTurn", &[]),
    ("__customToThinkProvider", &[required("content", Shape::Any)]),
];

/// `InjectAgentMessage` whose text the agent finds itself.
const DYNAMIC_MESSAGE: &[Field] = &[required("is_dynamic", Shape::True), optional("behavior", BEHAVIOR)];
