//! The end signals that the component waits for: `AgentDone` directly before Deepgram's `AgentAudioDone`, and both
//! for a turn of text alone, whose end Deepgram does not tell, after a time of silence.

use std::time::{Duration, Instant};

use super::Relay;
use crate::{
    gate::{Leg, timers::Timer},
    protocol::agent::{Empty, ServerMessage},
    translate::deepgram,
};

/// How long upstream is silent after a turn of text alone.
const SILENCE: Duration = Duration::from_millis(600);

/// What the agent's turn has given so far.
#[derive(Default)]
pub(super) struct TurnEnd {
    text: bool,
    audio: bool,
}

impl Relay {
    /// A turn with audio has an end of its own.
    pub(super) fn agent_audio(&mut self) {
        if self.component {
            self.turn_end.audio = true;
            self.timers.stop(Timer::TurnEnd);
        }
    }

    /// Called for each text of upstream, before it is passed on.
    pub(super) fn note_for_turn_end(&mut self, kind: &str, text: &str, now: Instant) {
        if !self.component {
            return;
        }
        match kind {
            "AgentAudioDone" => {
                self.say_down(ServerMessage::AgentDone(Empty {}).encode());
                self.turn_end = TurnEnd::default();
            }
            "ConversationText" if deepgram::is_of_agent(text) => self.turn_end.text = true,
            // The user's turn, or one that is not over: what follows will say so.
            "ConversationText" | "UserStartedSpeaking" => self.turn_end = TurnEnd::default(),
            "AgentThinking" | "FunctionCallRequest" => self.turn_end.text = false,
            _ => (),
        }
        if self.turn_end.text && !self.turn_end.audio {
            self.timers.set(Timer::TurnEnd, now + SILENCE);
        } else {
            self.timers.stop(Timer::TurnEnd);
        }
    }

    pub(super) fn expire_turn(&mut self, now: Instant) {
        if self.flow.reads(Leg::Upstream) && self.timers.take_due(Timer::TurnEnd, now) {
            self.turn_end = TurnEnd::default();
            self.say_down(ServerMessage::AgentDone(Empty {}).encode());
            self.say_down(ServerMessage::AgentAudioDone(Empty {}).encode());
            self.drain.note_text("AgentAudioDone");
        }
    }

    /// What upstream says while it is not read is no silence.
    pub(super) fn wait_anew_for_turn_end(&mut self, now: Instant) {
        self.timers.put_off(Timer::TurnEnd, now + SILENCE);
    }
}
