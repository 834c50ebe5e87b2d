//! How long users waited for answers, and how much of that was voxbridge's own doing: from the end of the user's turn to
//! the first audio of the answer in the client's socket. Knows of content nothing but, of messages that are passed
//! through, the type.

mod handed;
mod relayed;
#[cfg(test)]
mod tests;
mod translated;

use std::time::{Duration, Instant};

use crate::{
    gate::{ClientFrame, Effect, Input, Leg, UpstreamFrame},
    protocol::{Frame, Opcode},
};
use handed::Handed;
use relayed::Relayed;
use translated::Translated;

/// How the user's part of a turn was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnInput {
    /// Spoken.
    Speech,
    /// Typed.
    Text,
}

/// An answer whose first audio is in the client's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// What was answered, and how long its user waited; none if nobody can say when the user's turn ended.
    pub wait: Option<(TurnInput, Duration)>,
    /// Voxbridge's own share: how long the wish for a response was held by our rules, and how long the first audio was
    /// under way from one socket to the other.
    pub own: Duration,
}

/// Looks on at the turns of one connection.
#[derive(Debug, Default)]
pub(super) struct Turns {
    handed: Handed,
    translated: Translated,
    relayed: Relayed,
    answered: Option<Answered>,
}

/// The user's part of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    input: TurnInput,
    /// When it ended.
    since: Instant,
    /// How long our rules have held the wish for an answer.
    held: Duration,
}

/// The first audio of an answer on its way to the client.
#[derive(Debug, Clone, Copy)]
struct FirstAudio {
    wait: Option<Wait>,
    /// When it came from upstream.
    arrived: Instant,
}

impl Turns {
    pub(super) fn input(&mut self, input: &Input, now: Instant) {
        match input {
            Input::Delivered { leg: Leg::Client, bytes } => {
                if let Some(first) = self.handed.delivered(*bytes) {
                    self.answered = Some(first.answered(now));
                }
            }
            Input::ClientAudio(_) => self.translated.user_audio(now),
            Input::Client(message) => self.translated.client_message(message, now),
            Input::Upstream(event) => self.translated.event(event, now),
            Input::ClientFrame(frame) => {
                if let Some(kind) = kind_of(frame).as_deref() {
                    self.relayed.client_text(kind, now);
                }
            }
            Input::UpstreamFrame(frame) if frame.opcode == Opcode::Binary => {
                self.relayed.agent_audio(now);
            }
            Input::UpstreamFrame(frame) => {
                if let Some(kind) = kind_of(frame).as_deref() {
                    self.relayed.agent_text(kind);
                }
            }
            _ => (),
        }
    }

    pub(super) fn effects(&mut self, effects: &[Effect], now: Instant) {
        for effect in effects {
            match effect {
                Effect::ToClient(frame) => {
                    self.handed.handed(frame.weight());
                    let first = match frame {
                        ClientFrame::Audio(_) => self.translated.audio_goes_out(now),
                        ClientFrame::Message(message) => {
                            if self.translated.message_goes_out(message) {
                                self.handed.forget();
                            }
                            None
                        }
                        ClientFrame::Frame(frame) if frame.opcode == Opcode::Binary => {
                            self.relayed.audio_goes_out()
                        }
                        ClientFrame::Frame(_) => None,
                    };
                    if let Some(first) = first {
                        self.handed.watch(first);
                    }
                }
                Effect::ToUpstream(UpstreamFrame::Event(event)) => self.translated.event_goes_up(event, now),
                Effect::Held(rule) => self.translated.held(*rule, now),
                Effect::Ignored(rule) => self.translated.ignored(*rule),
                _ => (),
            }
        }
        self.translated.step_is_over();
    }

    /// The answer that has begun since this was last asked.
    pub(super) fn take_answered(&mut self) -> Option<Answered> {
        self.answered.take()
    }
}

impl FirstAudio {
    fn answered(self, now: Instant) -> Answered {
        let under_way = now.saturating_duration_since(self.arrived);
        Answered {
            wait: self.wait.map(|wait| (wait.input, now.saturating_duration_since(wait.since))),
            own: self.wait.map_or(Duration::ZERO, |wait| wait.held) + under_way,
        }
    }
}

/// The longest text that is passed through and looked into for its type, bytes. What tells of turns is shorter.
const LOOKED_INTO: usize = 64 * 1024;

/// The type of a message that is one text frame.
fn kind_of(frame: &Frame) -> Option<std::borrow::Cow<'_, str>> {
    if frame.opcode != Opcode::Text || !frame.last || frame.payload.len() > LOOKED_INTO {
        return None;
    }
    crate::translate::deepgram::kind(str::from_utf8(&frame.payload).ok()?)
}
