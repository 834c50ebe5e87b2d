//! What the two peers say in the scenarios, under short names. All of it goes through the real decoders.

use base64_simd::STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::scenario::Action;
use crate::gate::{Input, LegEnd};

// The client.

pub(super) fn client(json: &str) -> Action {
    Action::Client(json.to_owned())
}

/// `Settings` with this `agent`, and without `History`, which would repeat every line.
pub(super) fn settings(agent: &str) -> Action {
    Action::Client(format!(r#"{{"type":"Settings","flags":{{"history":false}},"agent":{agent}}}"#))
}

pub(super) fn inject(text: &str) -> Action {
    Action::Client(json!({"type": "InjectUserMessage", "content": text}).to_string())
}

pub(super) fn update_prompt(text: &str) -> Action {
    Action::Client(json!({"type": "UpdatePrompt", "prompt": text}).to_string())
}

pub(super) fn update_voice(voice: &str) -> Action {
    let speak = json!({"provider": {"type": "open_ai", "voice": voice}});
    Action::Client(json!({"type": "UpdateSpeak", "speak": speak}).to_string())
}

pub(super) fn update_speed(speed: f64) -> Action {
    let speak = json!({"provider": {"type": "open_ai", "speed": speed}});
    Action::Client(json!({"type": "UpdateSpeak", "speak": speak}).to_string())
}

/// `InjectAgentMessage`.
pub(super) fn say(text: &str, behavior: &str) -> Action {
    let message = json!({"type": "InjectAgentMessage", "message": text, "behavior": behavior});
    Action::Client(message.to_string())
}

pub(super) fn answer(call: &str, content: &str) -> Action {
    let answer = json!({"type": "FunctionCallResponse", "id": call, "name": "f", "content": content});
    Action::Client(answer.to_string())
}

/// The pool is done with a call.
pub(super) fn finished(call: &str, outcome: Result<&str, &str>) -> Action {
    let outcome = outcome.map(str::to_owned).map_err(str::to_owned);
    Input::FunctionFinished { call_id: call.into(), outcome }.into()
}

pub(super) fn microphone(bytes: usize) -> Action {
    Input::ClientAudio(Bytes::from(vec![0; bytes])).into()
}

pub(super) fn client_closes(code: u16) -> Action {
    Input::ClientClosed(closed(code, "")).into()
}

pub(super) fn closed(code: u16, reason: &str) -> LegEnd {
    LegEnd::Closed { code: Some(code), reason: reason.to_owned() }
}

// Upstream, on any server.

pub(super) fn upstream(json: &str) -> Action {
    Action::Upstream(json.to_owned())
}

pub(super) fn session_updated() -> Action {
    upstream(r#"{"type":"session.updated","session":{"type":"realtime"}}"#)
}

pub(super) fn error(code: &str) -> Action {
    Action::Upstream(
        json!({"type": "error", "error": {"code": code, "message": format!("trouble {code}")}}).to_string(),
    )
}

/// An error for the event with this id.
pub(super) fn error_for(event: &str, code: &str) -> Action {
    let error = json!({"code": code, "message": format!("trouble {code}"), "event_id": event});
    Action::Upstream(json!({"type": "error", "error": error}).to_string())
}

pub(super) fn speech_started() -> Action {
    upstream(r#"{"type":"input_audio_buffer.speech_started"}"#)
}

pub(super) fn speech_stopped() -> Action {
    upstream(r#"{"type":"input_audio_buffer.speech_stopped","audio_end_ms":1500}"#)
}

/// `conversation.item.added`, `.created` or `.done` of a user's text.
pub(super) fn user_item(event: &str, id: &str, text: &str) -> Action {
    let item = json!({"id": id, "type": "message", "status": "completed", "role": "user",
        "content": [{"type": "input_text", "text": text}]});
    Action::Upstream(json!({"type": format!("conversation.item.{event}"), "item": item}).to_string())
}

/// Our last user item, confirmed under its own id.
pub(super) fn confirmed() -> Action {
    user_item("added", "$item_id", "whatever")
}

/// `conversation.item.added`, `.created` or `.done` of the agent's text.
pub(super) fn agent_item(event: &str, id: &str, text: &str) -> Action {
    let item = json!({"id": id, "type": "message", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": text}]});
    Action::Upstream(json!({"type": format!("conversation.item.{event}"), "item": item}).to_string())
}

/// `conversation.item.added` or `.done` of a call's output.
pub(super) fn output_item(event: &str, call: &str) -> Action {
    let item = json!({"id": "item_fcr_mock", "type": "function_call_output", "call_id": call, "output": ""});
    Action::Upstream(json!({"type": format!("conversation.item.{event}"), "item": item}).to_string())
}

// Upstream, a server that announces its responses.

pub(super) fn created(response: &str) -> Action {
    Action::Upstream(json!({"type": "response.created", "response": {"id": response}}).to_string())
}

/// `response.output_item.added` of a message.
pub(super) fn message_added(response: &str, item: &str) -> Action {
    let item = json!({"id": item, "type": "message", "role": "assistant", "status": "in_progress",
        "content": []});
    let event = json!({"type": "response.output_item.added", "response_id": response, "output_index": 0,
        "item": item});
    Action::Upstream(event.to_string())
}

pub(super) fn audio(response: &str, item: &str, bytes: usize) -> Action {
    audio_of(response, item, &vec![0; bytes])
}

pub(super) fn audio_of(response: &str, item: &str, audio: &[u8]) -> Action {
    let event = json!({"type": "response.output_audio.delta", "response_id": response, "item_id": item,
        "delta": STANDARD.encode_to_string(audio)});
    Action::Upstream(event.to_string())
}

pub(super) fn transcript_delta(response: &str, item: &str, delta: &str) -> Action {
    stream("output_audio_transcript.delta", response, item, "delta", delta)
}

pub(super) fn transcript_done(response: &str, item: &str, transcript: &str) -> Action {
    stream("output_audio_transcript.done", response, item, "transcript", transcript)
}

pub(super) fn audio_done(response: &str, item: &str) -> Action {
    stream("output_audio.done", response, item, "obfuscation", "")
}

fn stream(kind: &str, response: &str, item: &str, member: &str, text: &str) -> Action {
    let event = json!({"type": format!("response.{kind}"), "response_id": response, "item_id": item,
        member: text});
    Action::Upstream(event.to_string())
}

/// `response.output_item.added` of a call.
pub(super) fn call_added(response: &str, index: u32, call: &str, name: &str) -> Action {
    call_item("added", response, index, call, name, "in_progress", "")
}

/// `response.output_item.done` of a call.
pub(super) fn call_done(response: &str, index: u32, call: &str, name: &str, status: &str) -> Action {
    call_item("done", response, index, call, name, status, "{}")
}

fn call_item(
    event: &str,
    response: &str,
    index: u32,
    call: &str,
    name: &str,
    status: &str,
    arguments: &str,
) -> Action {
    let item = json!({"id": format!("item_{call}"), "type": "function_call", "status": status,
        "call_id": call, "name": name, "arguments": arguments});
    let event = json!({"type": format!("response.output_item.{event}"), "response_id": response,
        "output_index": index, "item": item});
    Action::Upstream(event.to_string())
}

/// `response.done` without output.
pub(super) fn done(response: &str, status: &str) -> Action {
    done_with(response, json!({"status": status}))
}

/// `response.done` with these members.
pub(super) fn done_with(response: &str, mut members: serde_json::Value) -> Action {
    members["id"] = json!(response);
    Action::Upstream(json!({"type": "response.done", "response": members}).to_string())
}

// Upstream, a server that announces nothing.

pub(super) fn text_done(text: &str) -> Action {
    Action::Upstream(json!({"type": "response.output_text.done", "text": text}).to_string())
}

pub(super) fn audio_delta(bytes: usize) -> Action {
    let delta = STANDARD.encode_to_string(vec![0; bytes]);
    Action::Upstream(json!({"type": "response.output_audio.delta", "delta": delta}).to_string())
}

pub(super) fn bare_audio_done() -> Action {
    upstream(r#"{"type":"response.output_audio.done"}"#)
}

pub(super) fn bare_response_done() -> Action {
    upstream(r#"{"type":"response.done","response_id":"resp_1"}"#)
}

/// A call whose response was never announced.
pub(super) fn bare_call(call: &str) -> Action {
    bare_call_of(call, "get_current_time")
}

/// The same of a function of this name.
pub(super) fn bare_call_of(call: &str, name: &str) -> Action {
    let event = json!({"type": "response.function_call_arguments.done", "call_id": call,
        "name": name, "arguments": "{}"});
    Action::Upstream(event.to_string())
}
