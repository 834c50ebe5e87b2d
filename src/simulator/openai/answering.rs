//! A session answers: responses are begun, moved on, interrupted and ended.
//! Knows nothing of audio input.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    configuration::{self, Kind},
    conversation::{entry_of, text},
    response::{Profile, Response},
    schema::Fault,
    script::{self, Ending, Manner},
    session::{Later, Session},
};
use crate::simulator::reply::{self, Entry, Prompt};

/// What was read before is cached in whole blocks of so many tokens.
const CACHE_BLOCK: u64 = 64;

/// Who wants a response.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Client,
    Speech,
    Idle,
}

impl Session {
    /// `response.create`; `overrides` is null where the client gave none.
    pub(super) fn create_response(&mut self, overrides: &Value, now: Duration) -> Result<(), Fault> {
        if self.kind == Kind::Transcription {
            return Err(Fault::new("invalid_event", "A transcription session makes no responses.").at("type"));
        }
        if overrides["conversation"] != "none" && self.active().is_some() {
            let message = "Conversation already has an active response";
            return Err(Fault::new("conversation_already_has_active_response", message));
        }
        let voice = &overrides["audio"]["output"]["voice"];
        if self.has_spoken && !voice.is_null() && *voice != self.config["audio"]["output"]["voice"] {
            return Err(configuration::settled_voice("response.audio.output.voice"));
        }
        self.respond(overrides, Cause::Client, now)
    }

    /// `response.cancel`; without an id the response of the default conversation is meant.
    pub(super) fn cancel_response(&mut self, id: Option<&str>, now: Duration) -> Result<(), Fault> {
        let index = match id {
            Some(id) => self.responses.iter().position(|response| response.id() == id),
            None => self.active(),
        };
        let message = "Cancellation failed: no active response found";
        let index = index.ok_or_else(|| Fault::new("response_cancel_not_active", message))?;
        self.end(index, &Ending::Cancelled("client_cancelled"), now);
        Ok(())
    }

    /// Speech began while the detector may interrupt.
    pub(super) fn interrupt(&mut self, now: Duration) {
        self.owes_answer = false;
        if let Some(index) = self.active() {
            self.end(index, &Ending::Cancelled("turn_detected"), now);
        }
    }

    /// Speech was committed and wants an answer, now or after the response that runs.
    pub(super) fn answer_speech(&mut self, now: Duration) {
        if self.active().is_some() {
            self.owes_answer = true;
        } else {
            self.respond(&Value::Null, Cause::Speech, now)
                .expect("a response without overrides refers to nothing");
        }
    }

    /// The user is silent and wants to be spoken to.
    pub(super) fn nudge(&mut self, now: Duration) {
        if self.active().is_none() {
            self.respond(&Value::Null, Cause::Idle, now)
                .expect("a response without overrides refers to nothing");
        }
    }

    /// Takes the next beat of a response.
    pub(super) fn advance(&mut self, index: usize, now: Duration) {
        let events = self.responses[index].advance(&mut self.conversation);
        self.report(index, events, now);
    }

    fn end(&mut self, index: usize, ending: &Ending, now: Duration) {
        let events = self.responses[index].end(ending, now, &mut self.conversation);
        self.report(index, events, now);
    }

    /// Sends a response's events; after its last one, what has waited for that.
    fn report(&mut self, index: usize, events: Vec<Value>, now: Duration) {
        events.into_iter().for_each(|event| self.send(event, now));
        let response = &self.responses[index];
        self.has_spoken |= response.has_spoken();
        let Some(played_at) = response.played_at() else { return };
        let was_in_conversation = response.is_in_conversation();
        self.responses.remove(index);
        if self.options.reorder {
            self.take_transcripts().into_iter().for_each(|later: Later| self.happen(later, now));
        }
        if !was_in_conversation {
            return;
        }
        if let Some(ms) =
            self.turn_detection()["idle_timeout_ms"].as_u64().filter(|_| self.speech_item.is_none())
        {
            self.idle_at = Some(played_at + Duration::from_millis(ms));
        }
        if std::mem::take(&mut self.owes_answer) {
            self.answer_speech(now);
        }
    }

    /// The response that runs in the default conversation.
    fn active(&self) -> Option<usize> {
        self.responses.iter().position(Response::is_in_conversation)
    }

    fn respond(&mut self, overrides: &Value, cause: Cause, now: Duration) -> Result<(), Fault> {
        let entries = self.context(overrides)?;
        let config = configuration::for_response(&self.config, overrides);
        let prompt = Prompt {
            entries: &entries,
            instructions: text(&config["instructions"]),
            asked_here: overrides["instructions"].is_string(),
            tools: &config["tools"],
            tool_choice: &config["tool_choice"],
            is_idle: cause == Cause::Idle,
        };
        let reply = reply::choose(&prompt);
        let letters = entries
            .iter()
            .map(Entry::text)
            .chain([prompt.instructions])
            .map(|text| text.chars().count() as u64);
        let input_tokens = (script::text_tokens(letters.sum()), script::audio_tokens(self.heard_ms));
        let cached = |cached: u64, read: u64| cached.min(read) / CACHE_BLOCK * CACHE_BLOCK;
        let (text, audio) = self.cached_tokens;
        let cached_tokens = (cached(text, input_tokens.0), cached(audio, input_tokens.1));
        let output = &config["audio"]["output"];
        let speed = output["speed"].as_f64().unwrap_or(1.0);
        let is_audio = config["output_modalities"][0] == "audio";
        let manner = Manner {
            audio: is_audio.then(|| (configuration::format_of(&output["format"]), speed)),
            max_tokens: config["max_output_tokens"].as_u64(),
            options: &self.options,
        };
        let beats = script::script(&reply, &manner, now + self.options.response_delay);
        let is_out_of_band = overrides["conversation"] == "none";
        let conversation_id = if is_out_of_band { Value::Null } else { json!(self.conversation_id()) };
        let metadata = overrides["metadata"].clone();
        let is_reordered = self.options.reorder;
        let profile =
            Profile { config, conversation_id, metadata, input_tokens, cached_tokens, is_reordered };
        let response = Response::new(&reply, beats, profile, |prefix| self.fresh_id(prefix));
        self.responses.push(response);
        if !is_out_of_band {
            self.cached_tokens = input_tokens;
            self.idle_at = None;
            self.owes_answer = false;
        }
        Ok(())
    }

    /// What the model reads: the conversation, or the `input` given for this response.
    fn context(&self, overrides: &Value) -> Result<Vec<Entry>, Fault> {
        let Some(input) = overrides["input"].as_array() else {
            return Ok(self.conversation.entries());
        };
        let read = |(index, item): (usize, &Value)| match item["type"].as_str() {
            Some("item_reference") => {
                self.conversation.entry(text(&item["id"]), &format!("response.input[{index}].id"))
            }
            _ => Ok(entry_of(item, &self.options.transcript)),
        };
        input.iter().enumerate().map(read).collect()
    }
}
