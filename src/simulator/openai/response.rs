//! One response on its way: turns the beats of its script into events, in the order of the real service.
//! Knows nothing of the client's events or of when it is cancelled.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};

use super::{
    configuration,
    conversation::Conversation,
    script::{Beat, Ending, Tokens},
};
use crate::simulator::reply::Reply;

/// A response that runs.
#[derive(Debug)]
pub(super) struct Response {
    id: String,
    beats: VecDeque<(Duration, Beat)>,
    outputs: Vec<Output>,
    profile: Profile,
    tokens: Tokens,
    has_begun: bool,
    ended_at: Option<Duration>,
    audio_ms: u64,
}

/// What a response object tells about its making.
#[derive(Debug)]
pub(super) struct Profile {
    /// The effective configuration.
    pub(super) config: Value,
    /// Null for out of band.
    pub(super) conversation_id: Value,
    /// As the client gave it, or null.
    pub(super) metadata: Value,
    /// Tokens read: text and audio.
    pub(super) input_tokens: (u64, u64),
    /// Which of them an earlier response has read: text and audio.
    pub(super) cached_tokens: (u64, u64),
    /// Item done before output item done, transcript done before audio done.
    pub(super) is_reordered: bool,
}

#[derive(Debug)]
struct Output {
    item_id: String,
    /// Name and call id of a function call.
    call: Option<(String, String)>,
    /// Text, transcript or arguments so far.
    said: String,
    previous: Value,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Planned,
    Open,
    Closed(&'static str),
}

impl Response {
    /// A response that will follow a script; `fresh_id` makes ids from a prefix.
    pub(super) fn new(
        reply: &Reply,
        beats: VecDeque<(Duration, Beat)>,
        profile: Profile,
        mut fresh_id: impl FnMut(&str) -> String,
    ) -> Self {
        let mut output = |call| Output {
            item_id: fresh_id("item"),
            call,
            said: String::new(),
            previous: Value::Null,
            state: State::Planned,
        };
        let outputs = match reply {
            Reply::Say(_) => vec![output(None)],
            Reply::Call(calls) => {
                calls.iter().map(|(name, _)| output(Some((name.clone(), String::new())))).collect()
            }
        };
        let mut response = Self {
            id: fresh_id("resp"),
            beats,
            outputs,
            profile,
            tokens: Tokens::default(),
            has_begun: false,
            ended_at: None,
            audio_ms: 0,
        };
        for call in response.outputs.iter_mut().filter_map(|output| output.call.as_mut()) {
            call.1 = fresh_id("call");
        }
        response
    }

    /// The response's id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether it belongs to the default conversation.
    pub(super) fn is_in_conversation(&self) -> bool {
        !self.profile.conversation_id.is_null()
    }

    /// Whether it has sent audio.
    pub(super) fn has_spoken(&self) -> bool {
        self.audio_ms > 0
    }

    /// When the audio has been played in real time; `None` while the response runs.
    pub(super) fn played_at(&self) -> Option<Duration> {
        let ended_at = self.ended_at?;
        Some(ended_at + Duration::from_millis(self.audio_ms))
    }

    /// When the next beat is due; `None` after the end.
    pub(super) fn due(&self) -> Option<Duration> {
        self.beats.front().map(|(at, _)| *at)
    }

    /// Takes the next beat.
    pub(super) fn advance(&mut self, conversation: &mut Conversation) -> Vec<Value> {
        let Some((at, beat)) = self.beats.pop_front() else { return Vec::new() };
        self.tokens.count(&beat);
        match beat {
            Beat::Begin => self.begin(),
            Beat::Open(index) => self.open(index, conversation),
            Beat::Text(index, delta) => {
                self.outputs[index].said.push_str(&delta);
                let name = if self.is_audio() {
                    "response.output_audio_transcript.delta"
                } else {
                    "response.output_text.delta"
                };
                vec![self.part_event(name, index, &[("delta", json!(delta))])]
            }
            Beat::Audio(index, bytes, ms) => {
                self.audio_ms += ms;
                let format = configuration::format_of(&self.profile.config["audio"]["output"]["format"]);
                conversation.add_sent_audio(&self.outputs[index].item_id, &bytes, format.bytes_per_ms());
                let delta = json!(base64_simd::STANDARD.encode_to_string(&bytes));
                vec![self.part_event("response.output_audio.delta", index, &[("delta", delta)])]
            }
            Beat::Arguments(index, delta) => {
                self.outputs[index].said.push_str(&delta);
                vec![self.call_event(
                    "response.function_call_arguments.delta",
                    index,
                    &[("delta", json!(delta))],
                )]
            }
            Beat::Close(index) => self.close(index, "completed", conversation),
            Beat::End(ending) => self.end(&ending, at, conversation),
        }
    }

    /// Ends it at once: whatever is open is closed as incomplete.
    pub(super) fn end(
        &mut self,
        ending: &Ending,
        now: Duration,
        conversation: &mut Conversation,
    ) -> Vec<Value> {
        self.beats.clear();
        self.ended_at = Some(now);
        let mut events = if self.has_begun { Vec::new() } else { self.begin() };
        for index in 0..self.outputs.len() {
            if self.outputs[index].state == State::Open {
                events.extend(self.close(index, "incomplete", conversation));
            }
        }
        events.push(json!({"type": "response.done", "response": self.shown(Some(ending))}));
        events
    }

    fn begin(&mut self) -> Vec<Value> {
        self.has_begun = true;
        let limit = |name, limit: u64| json!({"name": name, "limit": limit, "remaining": limit - 1, "reset_seconds": 1.0});
        vec![
            json!({"type": "response.created", "response": self.shown(None)}),
            json!({"type": "rate_limits.updated", "rate_limits": [limit("requests", 1000), limit("tokens", 50_000)]}),
        ]
    }

    fn open(&mut self, index: usize, conversation: &mut Conversation) -> Vec<Value> {
        self.outputs[index].state = State::Open;
        let item = self.item(index);
        let mut events = vec![self.item_event("response.output_item.added", index, &item)];
        if self.is_in_conversation() {
            let previous = conversation.append(item.clone(), "");
            self.outputs[index].previous = previous.clone();
            events
                .push(json!({"type": "conversation.item.added", "previous_item_id": previous, "item": item}));
        }
        if self.outputs[index].call.is_none() {
            events.push(self.part_event("response.content_part.added", index, &[("part", self.part(index))]));
        }
        events
    }

    fn close(&mut self, index: usize, status: &'static str, conversation: &mut Conversation) -> Vec<Value> {
        self.outputs[index].state = State::Closed(status);
        let said = json!(self.outputs[index].said);
        let mut events = Vec::new();
        if let Some((name, _)) = &self.outputs[index].call {
            let fields = [("name", json!(name)), ("arguments", said)];
            events.push(self.call_event("response.function_call_arguments.done", index, &fields));
        } else {
            if self.is_audio() {
                let transcript = [("transcript", said)];
                events.push(self.part_event("response.output_audio.done", index, &[]));
                events.push(self.part_event("response.output_audio_transcript.done", index, &transcript));
                if self.profile.is_reordered {
                    events.reverse();
                }
            } else {
                events.push(self.part_event("response.output_text.done", index, &[("text", said)]));
            }
            events.push(self.part_event("response.content_part.done", index, &[("part", self.part(index))]));
        }
        let item = self.item(index);
        let mut dones = vec![self.item_event("response.output_item.done", index, &item)];
        if self.is_in_conversation() {
            conversation.replace(item.clone());
            let previous = &self.outputs[index].previous;
            dones.push(json!({"type": "conversation.item.done", "previous_item_id": previous, "item": item}));
        }
        if self.profile.is_reordered {
            dones.reverse();
        }
        events.append(&mut dones);
        events
    }

    fn is_audio(&self) -> bool {
        self.profile.config["output_modalities"][0] == "audio"
    }

    fn part(&self, index: usize) -> Value {
        let said = &self.outputs[index].said;
        if self.is_audio() {
            json!({"type": "audio", "transcript": said})
        } else {
            json!({"type": "text", "text": said})
        }
    }

    fn item(&self, index: usize) -> Value {
        let output = &self.outputs[index];
        let status = match output.state {
            State::Closed(status) => status,
            State::Planned | State::Open => "in_progress",
        };
        let (id, said) = (&output.item_id, &output.said);
        if let Some((name, call_id)) = &output.call {
            return json!({"id": id, "object": "realtime.item", "type": "function_call", "status": status,
                "name": name, "call_id": call_id, "arguments": said});
        }
        let content = match output.state {
            State::Planned | State::Open => json!([]),
            State::Closed(_) if self.is_audio() => json!([{"type": "output_audio", "transcript": said}]),
            State::Closed(_) => json!([{"type": "output_text", "text": said}]),
        };
        json!({"id": id, "object": "realtime.item", "type": "message", "status": status, "role": "assistant",
            "content": content})
    }

    fn item_event(&self, name: &str, index: usize, item: &Value) -> Value {
        json!({"type": name, "response_id": self.id, "output_index": index, "item": item})
    }

    fn part_event(&self, name: &str, index: usize, fields: &[(&str, Value)]) -> Value {
        let item_id = &self.outputs[index].item_id;
        let event = json!({"type": name, "response_id": self.id, "item_id": item_id, "output_index": index,
            "content_index": 0});
        with(event, fields)
    }

    fn call_event(&self, name: &str, index: usize, fields: &[(&str, Value)]) -> Value {
        let output = &self.outputs[index];
        let call_id = output.call.as_ref().map(|(_, call_id)| call_id);
        let event = json!({"type": name, "response_id": self.id, "item_id": output.item_id, "output_index": index,
            "call_id": call_id});
        with(event, fields)
    }

    fn shown(&self, ending: Option<&Ending>) -> Value {
        let config = &self.profile.config;
        let (status, details) = match ending {
            None => ("in_progress", Value::Null),
            Some(Ending::Completed) => ("completed", Value::Null),
            Some(Ending::Cancelled(reason)) => ("cancelled", json!({"type": "cancelled", "reason": reason})),
            Some(Ending::Incomplete(reason)) => {
                ("incomplete", json!({"type": "incomplete", "reason": reason}))
            }
            Some(Ending::Failed(code)) => {
                let class = if code == "rate_limit_exceeded" { "tokens" } else { "server_error" };
                let error =
                    json!({"type": class, "code": code, "message": format!("The response failed: {code}.")});
                ("failed", json!({"type": "failed", "error": error}))
            }
        };
        let shown =
            |index: &usize| matches!(self.outputs[*index].state, State::Closed(_)) && ending.is_some();
        let output = (0..self.outputs.len()).filter(shown).map(|index| self.item(index)).collect::<Vec<_>>();
        let (format, voice) = (&config["audio"]["output"]["format"], &config["audio"]["output"]["voice"]);
        json!({"id": self.id, "object": "realtime.response", "status": status, "status_details": details,
            "output": output, "conversation_id": self.profile.conversation_id,
            "output_modalities": config["output_modalities"], "max_output_tokens": config["max_output_tokens"],
            "audio": {"output": {"format": format, "voice": voice}},
            "usage": ending.map(|_| self.usage()), "metadata": self.profile.metadata})
    }

    fn usage(&self) -> Value {
        let (text, audio) = self.profile.input_tokens;
        let (cached_text, cached_audio) = self.profile.cached_tokens;
        let cached = json!({"text_tokens": cached_text, "audio_tokens": cached_audio, "image_tokens": 0});
        json!({"total_tokens": text + audio + self.tokens.total(), "input_tokens": text + audio,
            "output_tokens": self.tokens.total(),
            "input_token_details": {"text_tokens": text, "audio_tokens": audio, "image_tokens": 0,
                "cached_tokens": cached_text + cached_audio,
                "cached_tokens_details": cached},
            "output_token_details": {"text_tokens": self.tokens.text(), "audio_tokens": self.tokens.audio()}})
    }
}

fn with(mut event: Value, fields: &[(&str, Value)]) -> Value {
    for (name, value) in fields {
        event[*name] = value.clone();
    }
    event
}
