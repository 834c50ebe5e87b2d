//! What the client changes in the middle of a session (R3): one `session.update` at a time, acknowledged when
//! upstream has acknowledged it. Knows nothing of the first Settings beyond what it put in force.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use serde_json::Value;

use super::{Gate, Rule};
use crate::{
    protocol::{
        agent::ServerMessage,
        ids::EventId,
        realtime::{ClientEvent, ErrorBody, Session, SessionUpdate, Transcription},
        size_when_read,
    },
    translate::{
        functions::Endpoint,
        settings::{SettingsError, Translated, instructions},
        to_client,
        updates::{Change, PromptChange},
    },
};

/// What `UpdatePrompt` may let the prompt grow to, bytes. Models take far less.
const PROMPT_LIMIT: usize = 1024 * 1024;

/// What upstream has acknowledged, as far as later changes build on it.
#[derive(Debug, Default)]
struct InForce {
    prompt: Option<String>,
    /// R4's block, which stands behind whatever the prompt is.
    previous: String,
    think_model: Option<String>,
    voice: Option<Value>,
    transcription: Option<Transcription>,
    /// Where functions of the client's run, by name.
    endpoints: BTreeMap<String, Endpoint>,
    /// The session has given audio: its voice stays what it is.
    voice_fixed: bool,
    /// About so many bytes.
    bytes: usize,
}

impl InForce {
    fn measure(&mut self) {
        let texts = [&self.prompt, &self.think_model].into_iter().flatten().chain([&self.previous]);
        let endpoints = self.endpoints.iter().map(|(name, endpoint)| name.len() + endpoint.bytes());
        let voice = self.voice.as_ref().map_or(0, |voice| size_when_read(&voice.to_string()));
        self.bytes = texts.map(String::len).sum::<usize>() + endpoints.sum::<usize>() + voice;
    }
}

#[derive(Debug, Default)]
pub(super) struct Updates {
    in_force: InForce,
    waiting: VecDeque<Update>,
    /// Boxed: most of the time there is none, and it would be half of the gate.
    in_flight: Option<Box<InFlight>>,
    /// Changes that were given up; their answers may still come.
    given_up: u32,
}

/// A change, and the message that acknowledges it.
#[derive(Debug)]
struct Update {
    change: Change,
    ack: ServerMessage,
    /// About so many bytes.
    weight: usize,
}

#[derive(Debug)]
struct InFlight {
    event_id: EventId,
    update: Update,
    /// The prompt, once this is acknowledged.
    prompt: Option<String>,
    deadline: Instant,
}

impl InFlight {
    /// Whether upstream has other instructions in force than this change asks for.
    fn contradicts(&self, session: &Session, previous: &str) -> bool {
        let asked = || instructions(self.prompt.as_deref(), previous).unwrap_or_default();
        let stated = self.update.change.prompt != PromptChange::Keep;
        stated && session.instructions.as_ref().is_some_and(|in_force| *in_force != asked())
    }
}

impl Updates {
    /// Whether a change waits to go up.
    pub(super) fn queued(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The change that upstream has not answered.
    pub(super) fn in_flight(&self) -> Option<&EventId> {
        self.in_flight.as_ref().map(|sent| &sent.event_id)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.in_flight.as_ref().map(|sent| sent.deadline)
    }

    /// Upstream is read again: the answer has until `deadline`.
    pub(super) fn wait_anew(&mut self, deadline: Instant) {
        if let Some(sent) = &mut self.in_flight {
            sent.deadline = deadline;
        }
    }

    /// The transcription, once everything that was asked for is in force.
    pub(super) fn transcription(&self) -> Option<&Transcription> {
        let sent = self.in_flight.iter().map(|sent| &sent.update);
        let asked = sent.chain(&self.waiting).rev();
        let found = asked.filter_map(|update| transcription_of(&update.change.session)).next();
        found.or(self.in_force.transcription.as_ref())
    }

    /// Where the client has the function of this name run, if that is allowed.
    pub(super) fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        self.in_force.endpoints.get(name)
    }

    /// What waits takes about so many bytes.
    pub(super) fn bytes(&self) -> usize {
        self.waiting.iter().map(|update| update.weight).sum()
    }

    /// What is in force, and the change that upstream has not answered, take about so many bytes.
    pub(super) fn kept_bytes(&self) -> usize {
        let sent = self.in_flight.as_ref();
        let prompt = sent.and_then(|sent| sent.prompt.as_ref()).map_or(0, String::len);
        self.in_force.bytes + prompt + sent.map_or(0, |sent| sent.update.weight)
    }

    /// The first Settings are applied.
    pub(super) fn begin(&mut self, applied: &Translated) {
        self.in_force.prompt.clone_from(&applied.prompt);
        self.in_force.previous.clone_from(&applied.previous);
        self.in_force.think_model.clone_from(&applied.think_model);
        self.in_force.endpoints.clone_from(&applied.endpoints);
        self.note(&applied.session);
    }

    /// Upstream has acknowledged this.
    fn note(&mut self, session: &Session) {
        self.note_voice(session);
        if let Some(transcription) = transcription_of(session) {
            self.in_force.transcription = Some(transcription.clone());
        }
    }

    /// What upstream says, or was told, of the voice.
    pub(super) fn note_voice(&mut self, session: &Session) {
        if let Some(voice) = voice_of(session) {
            self.in_force.voice = Some(voice.clone());
        }
        self.in_force.measure();
    }

    /// The session has given audio.
    pub(super) fn fix_voice(&mut self) {
        self.in_force.voice_fixed = true;
    }
}

impl Gate {
    /// A change of the session that the client asks for; `ack` tells the client that it is in force.
    pub(super) fn update(&mut self, change: Result<Change, SettingsError>, ack: ServerMessage, now: Instant) {
        let mut change = match change {
            Ok(change) => change,
            Err(error) => return self.refuse_settings(&error),
        };
        let refused = !change.warnings.is_empty();
        for warning in std::mem::take(&mut change.warnings) {
            self.tell(ServerMessage::Warning(warning));
        }
        if let Some(model) = &change.think_model
            && self.updates.in_force.think_model.as_ref() != Some(model)
        {
            let description = format!("the model of a session cannot be changed, {model} is not used");
            self.tell_warning("MODEL_NOT_CHANGED", description);
        }
        if change.is_empty() {
            // With nothing left of it, the Warning is the answer.
            if !refused {
                self.tell(ack);
            }
            return;
        }
        let prompt = match &change.prompt {
            PromptChange::Add(text) | PromptChange::Replace(Some(text)) => text.len(),
            PromptChange::Keep | PromptChange::Replace(None) => 0,
        };
        let endpoints =
            change.endpoints.iter().flat_map(BTreeMap::values).map(Endpoint::bytes).sum::<usize>();
        let weight = size_of::<Update>() + prompt + session_bytes(&change.session) + endpoints;
        self.updates.waiting.push_back(Update { change, ack, weight });
        if self.updates.in_flight.is_some() {
            self.held(Rule::OneSessionUpdate);
        }
        self.next_update(now);
    }

    /// Sends the next change, unless one is under way.
    pub(super) fn next_update(&mut self, now: Instant) {
        while let Some(next) = self.updates.waiting.front() {
            let under_way = self.updates.in_flight.is_some() || self.opening.settings_under_way();
            // Upstream takes another speed between responses alone.
            let too_early = states_speed(&next.change.session) && self.turn.running();
            if (under_way || too_early) && Rule::OneSessionUpdate.is_on() {
                return;
            }
            let Some(mut update) = self.updates.waiting.pop_front() else { return };
            let too_late = self.updates.in_force.voice_fixed && Rule::OneSessionUpdate.is_on();
            if !too_late || self.keep_voice(&mut update) {
                self.send_update(update, now);
            }
        }
    }

    /// Takes the voice out of a change that comes too late for it; whether anything is left to be sent.
    fn keep_voice(&mut self, update: &mut Update) -> bool {
        let Some(voice) = voice_of(&update.change.session) else { return true };
        let same = self.updates.in_force.voice.as_ref() == Some(voice);
        take_voice(&mut update.change.session);
        let left = !update.change.is_empty();
        if !same {
            self.warn_voice_fixed();
        } else if !left {
            self.tell(update.ack.clone());
        }
        left
    }

    fn warn_voice_fixed(&mut self) {
        let description = "the voice cannot be changed once the agent has spoken".to_owned();
        self.tell_warning("cannot_update_voice", description);
    }

    fn send_update(&mut self, update: Update, now: Instant) {
        let InForce { prompt, previous, .. } = &self.updates.in_force;
        if let PromptChange::Add(text) = &update.change.prompt
            && prompt.as_ref().map_or(0, String::len) + text.len() > PROMPT_LIMIT
        {
            let description = format!("prompt: all of it would be larger than {PROMPT_LIMIT} bytes");
            return self.tell_error("INVALID_SETTINGS", description);
        }
        let (prompt, stated) = match &update.change.prompt {
            PromptChange::Keep => (prompt.clone(), false),
            PromptChange::Replace(prompt) => (prompt.clone(), true),
            PromptChange::Add(text) => match prompt.as_deref().filter(|prompt| !prompt.is_empty()) {
                Some(prompt) => (Some(format!("{prompt}\n\n{text}")), true),
                None => (Some(text.clone()), true),
            },
        };
        let mut session = update.change.session.clone();
        if stated {
            session.instructions = Some(instructions(prompt.as_deref(), previous).unwrap_or_default());
        }
        let event_id = self.next_event_id();
        self.push_event(ClientEvent::SessionUpdate(Box::new(SessionUpdate {
            event_id: Some(event_id.clone()),
            session: Some(session),
        })));
        let deadline = now + self.patience();
        self.updates.in_flight = Some(Box::new(InFlight { event_id, update, prompt, deadline }));
    }

    /// `session.updated` while a change is under way: it is in force. False if none is, or if this answers one
    /// that was given up.
    pub(super) fn update_applied(&mut self, session: &Session, now: Instant) -> bool {
        let Updates { in_force, in_flight, given_up, .. } = &mut self.updates;
        let other = in_flight.as_ref().is_some_and(|sent| sent.contradicts(session, &in_force.previous));
        if other && *given_up > 0 && Rule::OneSessionUpdate.is_on() {
            *given_up -= 1;
            return false;
        }
        *given_up = 0;
        let Some(sent) = self.updates.in_flight.take() else { return false };
        let InFlight { update, prompt, .. } = *sent;
        self.updates.in_force.prompt = prompt;
        let Change { session, think_model, endpoints, .. } = update.change;
        if think_model.is_some() {
            self.updates.in_force.think_model = think_model;
        }
        if let Some(endpoints) = endpoints {
            self.updates.in_force.endpoints = endpoints;
        }
        self.updates.note(&session);
        self.tell(update.ack);
        self.configure_after_update(now);
        true
    }

    /// Upstream refused the change that is under way: nothing of it is in force.
    pub(super) fn change_refused(&mut self, error: &ErrorBody, now: Instant) {
        let Some(sent) = self.updates.in_flight.take() else { return };
        let InFlight { mut update, .. } = *sent;
        let about_voice =
            error.code.as_deref() == Some("cannot_update_voice") && Rule::OneSessionUpdate.is_on();
        if about_voice && take_voice(&mut update.change.session) {
            // The session spoke before the change was there; the rest of it may still go.
            self.updates.fix_voice();
            self.warn_voice_fixed();
            if !update.change.is_empty() {
                self.updates.waiting.push_front(update);
            }
        } else {
            self.closing.note_error(now);
            self.tell(ServerMessage::Error(to_client::error(error)));
        }
        self.configure_after_update(now);
    }

    /// A first Settings may have waited for this; further changes go with the next step.
    fn configure_after_update(&mut self, now: Instant) {
        if self.opening.settings_wait() {
            self.configure(now);
        }
    }

    pub(super) fn expire_updates(&mut self, now: Instant) {
        if self.updates.deadline().is_some_and(|at| at <= now) {
            self.updates.in_flight = None;
            self.updates.given_up += 1;
            self.ran_out(Rule::OneSessionUpdate);
            self.tell_warning("update_timeout", "upstream did not answer a session.update".to_owned());
            self.configure_after_update(now);
        }
    }
}

/// What a session takes, nearly, bytes.
pub(super) fn session_bytes(session: &Session) -> usize {
    serde_json::to_string(session).map_or(0, |json| size_when_read(&json))
}

fn voice_of(session: &Session) -> Option<&Value> {
    let output = session.audio.as_ref().and_then(|audio| audio.output.as_ref());
    output.and_then(|output| output.voice.as_ref()).or(session.voice.as_ref())
}

fn transcription_of(session: &Session) -> Option<&Transcription> {
    session.audio.as_ref()?.input.as_ref()?.transcription.as_ref()
}

/// Takes the voice out; whether there was one.
fn take_voice(session: &mut Session) -> bool {
    let Some(audio) = &mut session.audio else { return false };
    let Some(output) = &mut audio.output else { return false };
    let had = output.voice.take().is_some();
    // Nothing is said of what does not change.
    audio.output = audio.output.take().filter(|output| *output != Default::default());
    session.audio = session.audio.take().filter(|audio| *audio != Default::default());
    had
}

fn states_speed(session: &Session) -> bool {
    let output = session.audio.as_ref().and_then(|audio| audio.output.as_ref());
    output.is_some_and(|output| output.speed.is_some())
}
