//! What the client gets in a run, held against the README's grammar, and races that were lost without the
//! test's having meant it. Sees inputs, effects and how far the opening is; knows no rule.

use super::grammar::{Facts, Order};
use crate::{
    gate::{ClientFrame, Effect, Gate, Input},
    protocol::{
        agent::{Role, ServerMessage},
        realtime::ServerEvent,
    },
};

/// What begins the types of events that an upstream sends for what it does itself.
const OWN: [&str; 3] = ["response.", "conversation.", "input_audio_buffer."];

/// A client's messages so far.
pub(super) struct Transcript {
    order: Order,
    /// Upstream did something of its own before it applied Settings.
    early_upstream: bool,
    /// The test means upstream to refuse a response because another one runs.
    loses_races: bool,
}

impl Transcript {
    pub(super) fn new(loses_races: bool) -> Self {
        Self { order: Order::new(), early_upstream: false, loses_races }
    }

    /// Notes an input, before its effects.
    pub(super) fn before(&mut self, input: &Input, gate: &Gate) -> Result<(), String> {
        let Input::Upstream(event) = input else { return Ok(()) };
        self.early_upstream |= !gate.opening.applied() && OWN.iter().any(|own| event.kind().starts_with(own));
        let code = match event {
            ServerEvent::Error(error) => error.error.as_ref().and_then(|error| error.code.as_deref()),
            _ => None,
        };
        if code == Some("conversation_already_has_active_response") && !self.loses_races {
            return Err("a race is lost that nobody provoked".to_owned());
        }
        Ok(())
    }

    /// Judges the effects of an input.
    pub(super) fn after(&mut self, effects: &[Effect], gate: &Gate) -> Result<(), String> {
        self.early_upstream |= gate.opening.session_open() && !gate.opening.applied();
        let facts = Facts { component: gate.component, early_upstream: self.early_upstream };
        effects.iter().filter_map(symbol).try_for_each(|symbol| self.order.take(symbol, facts))
    }
}

/// How the grammar calls what an effect gives the client.
fn symbol(effect: &Effect) -> Option<&str> {
    let Effect::ToClient(frame) = effect else { return None };
    Some(match frame {
        ClientFrame::Audio(_) => "audio",
        ClientFrame::Frame(_) => "frame",
        ClientFrame::Message(message) => match &**message {
            ServerMessage::ConversationText(text) if text.role == Role::User => "ConversationText(user)",
            ServerMessage::ConversationText(_) => "ConversationText(assistant)",
            message => message.kind(),
        },
    })
}
