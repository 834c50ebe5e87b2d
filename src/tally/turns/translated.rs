//! Turns of a translated connection: when the user's part ended, which response answers it, and how long our rules held
//! the wish for that. Knows no transcript, and of audio that it came.

use std::time::{Duration, Instant};

use super::{FirstAudio, TurnInput, Wait};
use crate::{
    gate::Rule,
    protocol::{
        agent::{ClientMessage, ServerMessage},
        realtime::{ClientEvent, ServerEvent},
    },
};

#[derive(Debug, Default)]
pub(super) struct Translated {
    /// When the user's audio last came, or the user's word that it is all.
    user_audio: Option<Instant>,
    /// A typed message came with the step that is under way.
    typed: Option<Instant>,
    /// What no response has been asked for yet.
    pending: Option<Wait>,
    /// What the next response answers.
    asked: Option<Wait>,
    /// What the response answers of which the client has been told; until its first audio.
    answering: Option<Wait>,
    /// Since when R6 holds a wish.
    held_since: Option<Instant>,
    /// The response that was asked for last says a text of the client's or the operator's.
    script: bool,
    /// Upstream has not announced yet what was asked for last.
    unannounced: bool,
    /// When the first audio of the response under way came.
    arrived: Option<Instant>,
    /// Whether that was in the step that is under way.
    arrived_now: bool,
}

impl Translated {
    pub(super) fn user_audio(&mut self, now: Instant) {
        self.user_audio = Some(now);
    }

    pub(super) fn client_message(&mut self, message: &ClientMessage, now: Instant) {
        match message {
            ClientMessage::InjectUserMessage(_) => self.typed = Some(now),
            ClientMessage::ForceEndTurn(_) => self.user_audio = Some(now),
            _ => (),
        }
    }

    fn created(&mut self) {
        let is_ours = std::mem::take(&mut self.unannounced);
        if !is_ours {
            // One that we did not ask for answers what waits for one.
            self.asked = self.pending.take().or(self.asked);
            self.held_since = None;
        }
    }

    /// An event of upstream, before the gate takes it.
    pub(super) fn event(&mut self, event: &ServerEvent, now: Instant) {
        match event {
            ServerEvent::OutputAudioDelta(_) if self.arrived.is_none() => {
                self.arrived = Some(now);
                self.arrived_now = true;
            }
            ServerEvent::SpeechStopped(_) => self.ended(TurnInput::Speech, now),
            ServerEvent::ResponseCreated(_) => self.created(),
            ServerEvent::ResponseDone(done) => {
                (self.arrived, self.script) = (None, false);
                let status = done.response.as_ref().and_then(|response| response.status.as_deref());
                if status.is_some_and(|status| status != "completed") {
                    // There will be no answer.
                    (self.asked, self.answering) = (None, None);
                }
            }
            _ => (),
        }
    }

    /// A message to the client; whether it takes back what the client was sent of an answer.
    pub(super) fn message_goes_out(&mut self, message: &ServerMessage) -> bool {
        match message {
            ServerMessage::AgentStartedSpeaking(_) if !self.script => {
                // Upstream need not announce a response to speech. What was typed is answered at our request.
                let heard = |wait: &mut Wait| wait.input == TurnInput::Speech;
                if let Some(wait) = self.asked.take().or_else(|| self.pending.take_if(heard)) {
                    self.answering = Some(wait);
                }
                false
            }
            ServerMessage::UserStartedSpeaking(_) => {
                (self.pending, self.asked, self.answering) = (None, None, None);
                self.arrived = None;
                true
            }
            // The message was refused.
            ServerMessage::Error(_) => {
                self.typed = None;
                false
            }
            _ => false,
        }
    }

    /// Audio goes to the client; the first of an answer is to be watched.
    pub(super) fn audio_goes_out(&mut self, now: Instant) -> Option<FirstAudio> {
        let wait = self.answering.take()?;
        Some(FirstAudio { wait: Some(wait), arrived: self.arrived.unwrap_or(now) })
    }

    pub(super) fn event_goes_up(&mut self, event: &ClientEvent, now: Instant) {
        match event {
            ClientEvent::Commit(_) => {
                // Whoever has turns detected commits nothing.
                let since = self.user_audio.unwrap_or(now);
                self.ended(TurnInput::Speech, since);
                if let Some(wait) = &mut self.pending {
                    wait.held = now.saturating_duration_since(since);
                }
            }
            ClientEvent::CreateResponse(create) => {
                self.unannounced = true;
                self.script = create.response.is_some();
                if self.script {
                    // If anything else waits, it goes on waiting.
                    self.held_since = self.held_since.filter(|_| self.pending.is_some());
                    return;
                }
                let held_since = self.held_since.take();
                self.asked = self.pending.take().or(self.asked);
                if let (Some(wait), Some(held_since)) = (&mut self.asked, held_since) {
                    wait.held += now.saturating_duration_since(held_since.max(wait.since));
                }
            }
            _ => (),
        }
    }

    /// The gate kept something back by this rule.
    pub(super) fn held(&mut self, rule: Rule, now: Instant) {
        match rule {
            Rule::OneActiveResponse => _ = self.held_since.get_or_insert(now),
            // Upstream refused the request, which R6 holds from here on.
            Rule::LostRaceIsKept => {
                self.pending = self.pending.or_else(|| self.asked.take());
                self.unannounced = false;
            }
            _ => (),
        }
    }

    /// Something went nowhere by this rule: audio that is stale is no answer's first.
    pub(super) fn ignored(&mut self, rule: Rule) {
        if rule == Rule::NoStaleAudio && self.arrived_now {
            self.arrived = None;
        }
    }

    /// The gate's answer to the input has been seen.
    pub(super) fn step_is_over(&mut self) {
        self.arrived_now = false;
        if let Some(now) = self.typed.take() {
            self.ended(TurnInput::Text, now);
        }
    }

    /// The user's part of a turn ended.
    fn ended(&mut self, input: TurnInput, since: Instant) {
        self.pending = Some(Wait { input, since, held: Duration::ZERO });
    }
}
