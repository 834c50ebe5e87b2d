//! What the client has the agent say (Voice Agent protocol, `InjectAgentMessage`): the model speaks it word
//! for word in a response of its own.

use std::time::Instant;

use super::{Gate, Rule, Timer, Wish, effect::fits_client};
use crate::{
    gate::CLIENT_MESSAGE_LIMIT,
    protocol::agent::{AgentMessage, Empty, InjectionRefused, Role, ServerMessage},
    translate::to_client,
};

impl Gate {
    /// `default` is refused while anybody has the word, `queue` while the user has it; `interrupt` takes it
    /// from the agent.
    pub(super) fn inject_agent_message(&mut self, message: AgentMessage, now: Instant) {
        if message.is_dynamic == Some(true) {
            return self.refuse_injection("dynamic messages need think_live, which is not supported");
        }
        let Some(text) = message.message.or(message.content) else {
            return self.refuse_message("message: is missing".to_owned());
        };
        if text.trim().is_empty() {
            return self.refuse_injection("the message is empty");
        }
        let line = to_client::conversation_text(Role::Assistant, text.clone());
        if !fits_client(&line) && Rule::TextOnce.is_on() {
            let description = format!("the message would be larger than {CLIENT_MESSAGE_LIMIT} bytes");
            return self.tell_error("MESSAGE_TOO_LARGE", description);
        }
        let wish = Wish::verbatim(text, false, message.behavior.as_deref() == Some("interrupt"));
        match message.behavior.as_deref() {
            None | Some("default" | "queue") if self.speech.speaking() && Rule::OneActiveResponse.is_on() => {
                self.refuse_injection("the user is speaking");
            }
            None | Some("default") if self.agent_has_the_word(now) && Rule::OneActiveResponse.is_on() => {
                self.refuse_injection("the agent's turn is not over");
            }
            None | Some("default" | "queue") => self.wishes.push(wish),
            Some("interrupt") => {
                self.take_the_word(now);
                // Several of them are said in the client's order.
                let first = self.wishes.iter().take_while(|wish| wish.is_urgent()).count();
                self.wishes.insert(first, wish);
            }
            Some(other) => {
                let reason = format!("behavior: {other:?} is none of default, queue, interrupt");
                self.refuse_message(crate::protocol::shorten(reason));
            }
        }
    }

    fn refuse_injection(&mut self, why: &str) {
        self.tell(ServerMessage::InjectionRefused(InjectionRefused { message: why.to_owned() }));
    }

    fn refuse_message(&mut self, why: String) {
        self.tell_error("UNPARSABLE_CLIENT_MESSAGE", format!("InjectAgentMessage: {why}"));
    }

    /// Whether the agent speaks, or something that was said or called will make it speak.
    fn agent_has_the_word(&mut self, now: Instant) -> bool {
        self.turn.running()
            || !self.wishes.is_empty()
            || self.items.waiting()
            || self.calls.open()
            || self.timers.is_set(Timer::SpeechAnswer)
            || self.agent_is_heard(now)
    }

    /// Cuts the agent off as the user's speech would. No other message makes a client stop playing.
    fn take_the_word(&mut self, now: Instant) {
        let heard = self.agent_is_heard(now);
        // Upstream does not interrupt itself for this.
        self.interrupt(false, now);
        if heard {
            self.tell(ServerMessage::UserStartedSpeaking(Empty {}));
        }
    }
}
