//! What the client sends. Its text is looked into for what Deepgram would refuse, for Settings, and for answers to
//! calls that the gateway runs itself.

use std::time::Instant;

use super::{
    Relay, Service,
    lane::{Arrived, TextMessage},
};
use crate::{
    config::Dialect,
    gate::{Effect, Rule, timers::Timer},
    protocol::Frame,
    translate::deepgram,
};

impl Relay {
    pub(super) fn client_frame(&mut self, frame: Frame, now: Instant) {
        self.client_speaks(&frame, now);
        let look = self.looks_at_client();
        match self.up.take(frame, look) {
            Arrived::Pass(frame) => self.pass_up(frame),
            Arrived::Kept => (),
            Arrived::Whole(message) => self.client_text(message, now),
        }
    }

    /// Whether anything may have to be done about a text of the client.
    fn looks_at_client(&self) -> bool {
        match self.service {
            Service::Agent => !self.settings_seen || self.repairs() || self.runs_functions(),
            Service::Transcription(_) => self.keep_alive.waits_for_end(),
        }
    }

    fn repairs(&self) -> bool {
        self.backend.deepgram().is_some_and(|deepgram| deepgram.repair_component_messages)
    }

    fn client_text(&mut self, message: TextMessage, now: Instant) {
        let changed = {
            let text = message.text().unwrap_or_default();
            let kind = deepgram::kind(&text).unwrap_or_default();
            match (self.service, &*kind) {
                (Service::Transcription(_), "CloseStream") => {
                    self.keep_alive.ended();
                    self.timers.stop(Timer::Silence);
                    None
                }
                (Service::Transcription(_), _) => None,
                (Service::Agent, "Settings") => {
                    self.settings_seen(&text, now);
                    deepgram::settings(&text, &self.backend)
                }
                (Service::Agent, "UpdateThink") => deepgram::update_think(&text, &self.backend),
                (Service::Agent, "InjectAgentMessage") if self.repairs() => {
                    deepgram::inject_agent_message(&text)
                }
                (Service::Agent, "FunctionCallResponse") if self.answers_for_pool(&text) => {
                    return self.effects.push(Effect::Ignored(Rule::OneAnswerPerCall));
                }
                (Service::Agent, _) => None,
            }
        };
        match changed {
            Some(text) => self.pass_up(Frame::text(text)),
            None => message.into_frames().into_iter().for_each(|frame| self.pass_up(frame)),
        }
    }

    fn settings_seen(&mut self, settings: &str, now: Instant) {
        if self.settings_seen {
            return;
        }
        self.settings_seen = true;
        self.drain.note_settings(settings);
        self.timers.stop(Timer::Settings);
        if self.backend.dialect == Dialect::Auto {
            self.component = deepgram::is_of_component(settings);
        }
        self.keep_alive.begun();
        self.wait_for_silence(now);
    }

    /// Whether this answers a call that the client was told is not its own.
    fn answers_for_pool(&self, answer: &str) -> bool {
        self.runs_functions() && deepgram::call_ids(answer).iter().any(|id| self.calls.is_taken(id))
    }
}
