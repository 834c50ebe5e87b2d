//! What the gate's rules send: messages and audio to the client, events to upstream, words to the log. Knows
//! sizes and what upstream's beta lacks, but no rule of when.

use super::{
    AudioMark, ClientFrame, Effect, Gate, Rule, UpstreamFrame,
    effect::{fits_client, fitting},
};
use crate::{
    protocol::{
        agent::{Notice, Role, ServerMessage},
        ids::{EventId, ItemId},
        realtime::ClientEvent,
    },
    translate::{beta, to_client},
};

impl Gate {
    pub(super) fn next_event_id(&mut self) -> EventId {
        self.sent_events += 1;
        EventId::from(format!("vb_{}", self.sent_events))
    }

    pub(super) fn next_item_id(&self) -> ItemId {
        ItemId::from(format!("vbi_{}", self.sent_events))
    }

    /// Queues a message for the client, or a Warning in its place if it is larger than clients take.
    pub(super) fn tell(&mut self, message: ServerMessage) {
        if self.closing.client_gone() && Rule::CloseOnce.is_on() {
            return;
        }
        let message = if Rule::TextOnce.is_on() { fitting(message) } else { message };
        let frame = ClientFrame::Message(Box::new(message));
        let weight = frame.weight();
        self.to_client.push(frame, weight, None);
    }

    /// A line of the conversation, and the same for the history where the client wants one.
    pub(super) fn tell_line(&mut self, role: Role, content: String) {
        let entry = self.history.then(|| to_client::history_text(role, content.clone()));
        let line = to_client::conversation_text(role, content);
        let entry = entry.filter(|_| fits_client(&line));
        self.tell(line);
        if let Some(entry) = entry {
            self.tell(entry);
        }
    }

    pub(super) fn tell_error(&mut self, code: &str, description: String) {
        self.tell(ServerMessage::Error(Notice { description, code: code.to_owned() }));
    }

    pub(super) fn tell_warning(&mut self, code: &str, description: String) {
        self.tell(ServerMessage::Warning(Notice { description, code: code.to_owned() }));
    }

    pub(super) fn tell_audio(&mut self, audio: bytes::Bytes, mark: AudioMark) {
        if self.closing.client_gone() && Rule::CloseOnce.is_on() {
            return;
        }
        let audio = if self.to_client.is_backed_up() { bytes::Bytes::copy_from_slice(&audio) } else { audio };
        let frame = ClientFrame::Audio(audio);
        let weight = frame.weight();
        self.to_client.push(frame, weight, Some(mark));
    }

    pub(super) fn push_event(&mut self, event: ClientEvent) {
        if self.backend.speaks_beta() {
            self.warn_of_losses(&event);
        }
        self.push_upstream(UpstreamFrame::Event(Box::new(event)));
    }

    /// What upstream's beta has no place for is left out of what goes up; whoever asked for it is told.
    pub(super) fn warn_of_losses(&mut self, event: &ClientEvent) {
        let left_out = beta::translate(event.clone()).left_out.join(", ");
        if !left_out.is_empty() {
            let description = format!("upstream speaks the beta api, which has no {left_out}");
            self.tell_warning("NOT_IN_BETA_API", description);
        }
    }

    pub(super) fn push_upstream(&mut self, frame: UpstreamFrame) {
        let weight = frame.weight();
        self.to_upstream.push(frame, weight, None);
    }

    pub(super) fn held(&mut self, rule: Rule) {
        self.effects.push(Effect::Held(rule));
    }

    pub(super) fn ignored(&mut self, rule: Rule) {
        self.effects.push(Effect::Ignored(rule));
    }

    pub(super) fn ran_out(&mut self, rule: Rule) {
        self.effects.push(Effect::RanOut(rule));
    }
}
