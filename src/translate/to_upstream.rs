//! What the client says, as Realtime events (rules R4, R5, R8).

use serde::Serialize;
use serde_json::Value;

use crate::protocol::{
    agent::FunctionCallAnswer,
    ids::{CallId, EventId, ItemId},
    realtime::{ClientEvent, CreateItem, CreateResponse, Item, Part, ResponseParams},
};

/// A typed turn as an item.
pub fn user_message(event_id: EventId, id: ItemId, text: String) -> ClientEvent {
    let part = Part { kind: Some("input_text".to_owned()), text: Some(text), ..Default::default() };
    create_item(
        event_id,
        Item {
            id: Some(id),
            kind: Some("message".to_owned()),
            role: Some("user".to_owned()),
            content: Some(vec![part]),
            ..Default::default()
        },
    )
}

/// The answer to a call as an item.
pub fn function_call_output(event_id: EventId, id: ItemId, call_id: CallId, output: String) -> ClientEvent {
    create_item(
        event_id,
        Item {
            id: Some(id),
            kind: Some("function_call_output".to_owned()),
            call_id: Some(call_id),
            output: Some(Value::String(output)),
            ..Default::default()
        },
    )
}

fn create_item(event_id: EventId, item: Item) -> ClientEvent {
    ClientEvent::CreateItem(Box::new(CreateItem {
        event_id: Some(event_id),
        item: Some(item),
        ..Default::default()
    }))
}

/// The request for a response: the model's own, or one in which it says a text word for word.
pub fn create_response(event_id: EventId, verbatim: Option<&str>) -> ClientEvent {
    let response = verbatim.map(|text| ResponseParams {
        instructions: Some(format!("Say the following text word for word, and nothing else:\n{text}")),
        // Without this the model may call a function in place of speaking.
        tool_choice: Some("none".into()),
        ..Default::default()
    });
    ClientEvent::CreateResponse(Box::new(CreateResponse { event_id: Some(event_id), response }))
}

/// The text that the model gets for a call: `content`, else `error`, else `result`; text as it is,
/// anything else as compact JSON with the client's order of keys.
pub fn answer_output(answer: &FunctionCallAnswer) -> String {
    let has_content = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    if let Some(content) = answer.content.as_ref().filter(has_content) {
        return as_text(content);
    }
    if let Some(error) = answer.error.as_ref().filter(|error| !error.is_null()) {
        return error_output(error);
    }
    answer.result.as_ref().filter(|result| !result.is_null()).map(as_text).unwrap_or_default()
}

/// The text that the model gets for a call that came to nothing.
pub fn error_output(error: &(impl Serialize + ?Sized)) -> String {
    serde_json::json!({ "error": error }).to_string()
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
