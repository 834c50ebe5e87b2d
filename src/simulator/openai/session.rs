//! The state machine of one simulated session: frames and the time in, timed events out. Time is counted from
//! the session's start. Knows nothing of sockets and has no clock of its own.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    account::Account,
    beta::Api,
    configuration::{self, Kind, Progress},
    conversation::{Conversation, text},
    input::InputBuffer,
    options::Options,
    response::Response,
    schema::Fault,
    wire::Wire,
};
use crate::simulator::{
    codec::Format,
    socket::{self, Output},
};

/// Who a session is.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// Unique letters and digits, at most 32; part of every id.
    pub(super) token: String,
    /// The model of the query string.
    pub(super) model: String,
    /// What `intent` asked for.
    pub(super) kind: Kind,
    /// Unix time of the start, in seconds.
    pub(super) started_at: u64,
    /// Which form of the API is spoken here.
    pub(super) api: Api,
    /// The client asked for the beta API where that is gone.
    pub(super) wants_beta: bool,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) options: Options,
    pub(super) kind: Kind,
    pub(super) config: Value,
    pub(super) conversation: Conversation,
    pub(super) input: InputBuffer,
    pub(super) responses: Vec<Response>,
    /// The item that the speech now going on will become.
    pub(super) speech_item: Option<String>,
    /// Speech was committed during a response: an answer follows when that ends.
    pub(super) owes_answer: bool,
    pub(super) has_spoken: bool,
    /// Audio committed so far.
    pub(super) heard_ms: u64,
    /// What the last response of the conversation has read, text and audio: the next one has it from the cache.
    pub(super) cached_tokens: (u64, u64),
    /// When the user has been silent for `idle_timeout_ms`.
    pub(super) idle_at: Option<Duration>,
    later: BTreeMap<(Duration, u64), Later>,
    expires_at: Duration,
    wire: Wire,
    api: Api,
    token: String,
    made_ids: u64,
}

/// Something that happens at a set time.
#[derive(Debug)]
pub(super) enum Later {
    /// These events are sent.
    Events(Vec<Value>),
    /// The user's speech has been transcribed.
    Transcript { item_id: String, transcript: String, ms: u64 },
}

impl socket::Session for Session {
    fn text(&mut self, message: &str, now: Duration) {
        self.run_until(now);
        let event = match self.api.read(message) {
            Ok(event) => event,
            Err((fault, event_id)) => return self.refuse(&fault, event_id.as_deref(), now),
        };
        let scripted = self.options.error_on.iter().find(|(name, _)| event["type"] == name.as_str());
        let outcome = match scripted {
            Some((_, code)) => Err(Fault::new(code, "The simulator was told to refuse this event.")),
            None => self.client_event(&event, now).map_err(|fault| self.api.blamed(fault)),
        };
        if let Err(fault) = outcome {
            self.refuse(&fault, event["event_id"].as_str(), now);
        }
    }

    /// The API has no binary messages.
    fn binary(&mut self, _message: &[u8], now: Duration) {
        self.run_until(now);
        self.refuse(
            &Fault::new("invalid_event", "Events must be sent as text frames, not binary."),
            None,
            now,
        );
    }

    fn poll(&mut self, now: Duration) -> Vec<Output> {
        self.run_until(now);
        self.wire.take(now, &self.options)
    }

    fn left(&mut self) {
        self.wire.left();
    }

    fn deadline(&self) -> Option<Duration> {
        if self.wire.is_closed() {
            return None;
        }
        self.wire.due().into_iter().chain([self.next_at()]).min()
    }
}

impl Session {
    /// A session at time zero, `session.created` on its way; what it reports of use goes on `account`.
    pub(super) fn new(identity: Identity, options: Options, account: Account) -> Self {
        let Identity { mut token, model, kind, started_at, api, wants_beta } = identity;
        let expires = started_at + options.expires_in.as_secs();
        let voice = api.default_voice();
        let config = configuration::created(kind, &format!("sess_{token}"), &model, voice, expires);
        token.truncate(12);
        let mut session = Self {
            kind,
            conversation: Conversation::default(),
            input: InputBuffer::new(Format::PCM),
            responses: Vec::new(),
            speech_item: None,
            owes_answer: false,
            has_spoken: false,
            heard_ms: 0,
            cached_tokens: (0, 0),
            idle_at: None,
            later: BTreeMap::new(),
            expires_at: options.session_expired_after.unwrap_or(options.expires_in),
            wire: Wire::new(api, account),
            api,
            made_ids: 0,
            token,
            options,
            config,
        };
        if wants_beta {
            let fault =
                Fault::new("beta_api_shape_disabled", "The Realtime beta API is no longer supported.");
            session.end_with(&fault, (4000, "beta_api_shape_disabled"), Duration::ZERO);
            return session;
        }
        let created = json!({"type": "session.created", "session": session.config});
        session.send(created, Duration::ZERO);
        session
    }

    fn client_event(&mut self, event: &Value, now: Duration) -> Result<(), Fault> {
        match text(&event["type"]) {
            "session.update" => self.update(&event["session"], now),
            "input_audio_buffer.append" => self.append(text(&event["audio"]), now),
            "input_audio_buffer.commit" => self.commit(now),
            "input_audio_buffer.clear" => {
                self.input.clear();
                self.speech_item = None;
                self.send(json!({"type": "input_audio_buffer.cleared"}), now);
                Ok(())
            }
            "conversation.item.create" => self.create_item(event, now),
            "conversation.item.retrieve" => {
                let item = self.conversation.retrieve(text(&event["item_id"]))?;
                self.send(json!({"type": "conversation.item.retrieved", "item": item}), now);
                Ok(())
            }
            "conversation.item.delete" => {
                self.conversation.delete(text(&event["item_id"]))?;
                self.send(json!({"type": "conversation.item.deleted", "item_id": event["item_id"]}), now);
                Ok(())
            }
            "conversation.item.truncate" => self.truncate(event, now),
            "response.create" => self.create_response(&event["response"], now),
            "response.cancel" => self.cancel_response(event["response_id"].as_str(), now),
            _ => Err(Fault::new("invalid_event", "output_audio_buffer.clear exists on WebRTC and SIP only.")
                .at("type")),
        }
    }

    fn update(&mut self, update: &Value, now: Duration) -> Result<(), Fault> {
        let is_responding = !self.responses.is_empty();
        let progress = Progress { has_spoken: self.has_spoken, is_responding };
        self.config = configuration::updated(&self.config, update, progress)?;
        let format = configuration::format_of(&self.config["audio"]["input"]["format"]);
        if format != self.input.format() {
            self.input.set_format(format);
            self.speech_item = None;
        }
        if self.turn_detection()["idle_timeout_ms"].is_null() {
            self.idle_at = None;
        }
        if self.turn_detection().is_null() {
            self.input.forget_speech();
            self.speech_item = None;
        }
        let updated = json!({"type": "session.updated", "session": self.config});
        self.send_later(vec![updated], self.options.updated_delay, now);
        Ok(())
    }

    fn append(&mut self, audio: &str, now: Duration) -> Result<(), Fault> {
        if !self.wire.has_sent_updated() {
            return Err(Fault::new(
                "invalid_event",
                "Early append: audio came before the first session.updated.",
            ));
        }
        let bytes = base64_simd::STANDARD
            .decode_to_vec(audio)
            .map_err(|_| Fault::value("audio", "expected base64"))?;
        self.hear(&bytes, now)
    }

    fn create_item(&mut self, event: &Value, now: Duration) -> Result<(), Fault> {
        let fresh = self.fresh_id("item");
        let (previous, heard) = (event["previous_item_id"].as_str(), &self.options.transcript);
        let (item, before) = self.conversation.create(&event["item"], previous, fresh, heard)?;
        let event = |name| json!({"type": name, "previous_item_id": before, "item": item});
        let events = vec![event("conversation.item.added"), event("conversation.item.done")];
        self.send_later(events, self.options.item_added_delay, now);
        Ok(())
    }

    fn truncate(&mut self, event: &Value, now: Duration) -> Result<(), Fault> {
        let end_ms = event["audio_end_ms"].as_u64().expect("the schema asks for a number from 0");
        self.conversation.truncate(text(&event["item_id"]), end_ms)?;
        let truncated = json!({"type": "conversation.item.truncated", "item_id": event["item_id"],
            "content_index": event["content_index"], "audio_end_ms": event["audio_end_ms"]});
        self.send(truncated, now);
        Ok(())
    }

    /// The turn detection in force; null for manual.
    pub(super) fn turn_detection(&self) -> &Value {
        &self.config["audio"]["input"]["turn_detection"]
    }

    /// An id that no other session has; `item` gives `item_…`.
    pub(super) fn fresh_id(&mut self, prefix: &str) -> String {
        self.made_ids += 1;
        format!("{prefix}_{}{:04}", self.token, self.made_ids)
    }

    /// The id of the default conversation.
    pub(super) fn conversation_id(&self) -> String {
        format!("conv_{}", self.token)
    }

    /// Sends an event now.
    pub(super) fn send(&mut self, event: Value, now: Duration) {
        self.wire.push(event, now, &self.options);
    }

    /// Sends events after a delay, at once if there is none.
    pub(super) fn send_later(&mut self, events: Vec<Value>, delay: Duration, now: Duration) {
        if delay.is_zero() {
            events.into_iter().for_each(|event| self.send(event, now));
        } else {
            self.schedule(Later::Events(events), now + delay);
        }
    }

    /// Puts something on the calendar.
    pub(super) fn schedule(&mut self, later: Later, at: Duration) {
        self.made_ids += 1;
        self.later.insert((at, self.made_ids), later);
    }

    /// Takes every transcript off the calendar.
    pub(super) fn take_transcripts(&mut self) -> Vec<Later> {
        let is_transcript = |later: &Later| matches!(later, Later::Transcript { .. });
        let keys = self
            .later
            .iter()
            .filter(|(_, later)| is_transcript(later))
            .map(|(key, _)| *key)
            .collect::<Vec<_>>();
        keys.iter().filter_map(|key| self.later.remove(key)).collect()
    }

    fn refuse(&mut self, fault: &Fault, event_id: Option<&str>, now: Duration) {
        let error = json!({"type": "invalid_request_error", "code": fault.code, "message": fault.message,
            "param": fault.param, "event_id": event_id});
        self.send(json!({"type": "error", "error": error}), now);
    }

    /// Does everything that is due by now, in the order of time and each at its own time.
    fn run_until(&mut self, now: Duration) {
        while !self.wire.is_closed() && self.next_at() <= now {
            let at = self.next_at();
            if at == self.expires_at {
                self.expire(at);
            } else if self.idle_at == Some(at) {
                self.idle(at);
            } else if let Some(index) = self.responses.iter().position(|response| response.due() == Some(at))
            {
                self.advance(index, at);
            } else if let Some((_, later)) = self.later.pop_first() {
                self.happen(later, at);
            }
        }
    }

    fn next_at(&self) -> Duration {
        let responses = self.responses.iter().filter_map(Response::due);
        let later = self.later.keys().map(|(at, _)| *at).take(1);
        responses.chain(later).chain(self.idle_at).chain([self.expires_at]).min().unwrap_or(self.expires_at)
    }

    /// Carries out what was put on the calendar.
    pub(super) fn happen(&mut self, later: Later, now: Duration) {
        match later {
            Later::Events(events) => events.into_iter().for_each(|event| self.send(event, now)),
            Later::Transcript { item_id, transcript, ms } => self.transcribed(&item_id, &transcript, ms, now),
        }
    }

    fn expire(&mut self, now: Duration) {
        let fault = Fault::new("session_expired", "Your session hit the maximum duration of 60 minutes.");
        self.end_with(&fault, (1001, "session hit the maximum duration of 60 minutes"), now);
    }

    /// An error, then the close; nothing happens after it, whatever is still on its way.
    fn end_with(&mut self, fault: &Fault, (code, reason): (u16, &'static str), now: Duration) {
        self.refuse(fault, None, now);
        self.wire.close(code, reason, now, &self.options);
        self.expires_at = Duration::MAX;
        self.idle_at = None;
        self.responses.clear();
        self.later.clear();
    }
}
