//! The mock upstream's frames, word for word: no event ids, no response objects, nothing to spare.
//! Knows the API's JSON and nothing of sockets.

use std::time::Duration;

use base64_simd::STANDARD;
use serde_json::{Value, json};

/// What the mock says when it is asked for a response.
pub(crate) const REPLY: &str = "Hello from mock";

/// The one function that the mock calls.
pub(crate) const FUNCTION: &str = "get_current_time";

/// A frame and how long after the one before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) after: Duration,
    pub(crate) frame: Value,
}

/// A frame that follows at once.
pub(crate) fn now(frame: Value) -> Step {
    Step { after: Duration::ZERO, frame }
}

/// A frame that follows after some milliseconds.
pub(crate) fn after(millis: u64, frame: Value) -> Step {
    Step { after: Duration::from_millis(millis), frame }
}

pub(crate) fn session_created() -> Value {
    json!({"type": "session.created",
        "session": {"id": "sess_mock", "model": "gpt-realtime", "modalities": ["text", "audio"]}})
}

pub(crate) fn session_updated() -> Value {
    json!({"type": "session.updated", "session": {"type": "realtime"}})
}

/// The confirmation of a user message, `conversation.item.added` or `.done`.
pub(crate) fn user_item(kind: &str, content: &Value) -> Value {
    json!({"type": kind, "item": {"id": "item_mock_1", "type": "message", "status": "completed",
        "role": "user", "content": content}})
}

/// An assistant message, `conversation.item.added` or `.done`.
pub(crate) fn assistant_item(kind: &str, id: &str, text: &str) -> Value {
    json!({"type": kind, "item": {"id": id, "type": "message", "status": "completed",
        "role": "assistant", "content": [{"type": "output_text", "text": text}]}})
}

/// An assistant message whose only part is a function call.
pub(crate) fn assistant_call_part(id: &str, call_id: &str) -> Value {
    json!({"type": "conversation.item.added", "item": {"id": id, "type": "message", "role": "assistant",
        "content": [{"type": "function_call", "name": FUNCTION, "arguments": "{}", "call_id": call_id}]}})
}

pub(crate) fn output_text_done(text: &str) -> Value {
    json!({"type": "response.output_text.done", "text": text})
}

/// The text that answers a function's output; its response was never announced.
pub(crate) fn output_text_done_of_response() -> Value {
    json!({"type": "response.output_text.done", "response_id": "resp_1", "item_id": "item_1", "text": REPLY})
}

pub(crate) fn output_audio_delta(audio: &[u8]) -> Value {
    json!({"type": "response.output_audio.delta", "delta": STANDARD.encode_to_string(audio)})
}

pub(crate) fn output_audio_done() -> Value {
    json!({"type": "response.output_audio.done"})
}

pub(crate) fn output_audio_done_of_response() -> Value {
    json!({"type": "response.output_audio.done", "response_id": "resp_1"})
}

pub(crate) fn audio_transcript_done(transcript: &str) -> Value {
    json!({"type": "response.output_audio_transcript.done", "response_id": "resp_1", "item_id": "item_1",
        "output_index": 0, "content_index": 0, "transcript": transcript})
}

/// The end of a response, without the response.
pub(crate) fn response_done() -> Value {
    json!({"type": "response.done", "response_id": "resp_1"})
}

pub(crate) fn committed() -> Value {
    json!({"type": "input_audio_buffer.committed"})
}

pub(crate) fn speech_started() -> Value {
    json!({"type": "input_audio_buffer.speech_started"})
}

pub(crate) fn speech_stopped() -> Value {
    json!({"type": "input_audio_buffer.speech_stopped"})
}

pub(crate) fn error(code: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"message": message, "code": code}})
}

pub(crate) fn transcription_delta(item_id: &str, delta: &str) -> Value {
    json!({"type": "conversation.item.input_audio_transcription.delta", "item_id": item_id,
        "content_index": 0, "delta": delta})
}

pub(crate) fn transcription_completed(item_id: &str) -> Value {
    json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": item_id,
        "content_index": 0, "transcript": "Hello world", "start": 1.5, "duration": 2.25,
        "channel": 1, "channel_index": [1]})
}

pub(crate) fn function_call() -> Value {
    json!({"type": "response.function_call_arguments.done", "call_id": "call_mock_1", "name": FUNCTION,
        "arguments": "{}"})
}

/// A function's output given back, `conversation.item.added` or `.done`.
pub(crate) fn function_output_item(kind: &str, item: &Value) -> Value {
    json!({"type": kind, "item": {"id": "item_fcr_mock", "type": "function_call_output",
        "call_id": item["call_id"], "output": item["output"]}})
}
