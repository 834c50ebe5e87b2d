//! The end of a turn as a relay sees it, which is when a connection ends once the program is asked to stop. A turn begins
//! and ends with what Deepgram says; transcription has none, and goes on for as long as the server allows.

use std::time::{Duration, Instant};

use super::{Relay, Service};
use crate::{
    gate::{CloseReason, Phase, timers::Timer},
    protocol::{Frame, Opcode},
    translate::deepgram,
};

/// What was seen of the turn, whether or not anybody asks.
#[derive(Default)]
pub(super) struct Drain {
    /// The connection ends with its turn.
    asked: bool,
    in_turn: bool,
    /// When the client began to play the agent's audio, and how many bytes of it there are.
    playing: Option<(Instant, usize)>,
    /// What the client plays in a second, bytes, if the format tells.
    bytes_per_s: Option<u32>,
}

impl Drain {
    pub(super) fn ask(&mut self) {
        self.asked = true;
    }

    /// The client's Settings.
    pub(super) fn note_settings(&mut self, settings: &str) {
        self.bytes_per_s = deepgram::output_bytes_per_s(settings);
    }

    /// A frame of upstream that nobody else looks into; of texts those that are whole.
    pub(super) fn note_frame(&mut self, frame: &Frame, now: Instant) {
        match frame.opcode {
            Opcode::Binary => self.note_audio(frame.payload.len(), now),
            Opcode::Text if frame.last => {
                let text = str::from_utf8(&frame.payload).unwrap_or_default();
                self.note_text(&deepgram::kind(text).unwrap_or_default());
            }
            Opcode::Text | Opcode::Continuation => (),
        }
    }

    /// A text of upstream (Voice Agent protocol, server messages).
    pub(super) fn note_text(&mut self, kind: &str) {
        match kind {
            "UserStartedSpeaking" => {
                self.in_turn = true;
                self.playing = None;
            }
            "ConversationText" | "AgentThinking" | "AgentStartedSpeaking" | "FunctionCallRequest" => {
                self.in_turn = true;
            }
            "AgentAudioDone" => self.in_turn = false,
            _ => (),
        }
    }

    fn note_audio(&mut self, bytes: usize, now: Instant) {
        let ended = self.played_out().is_none_or(|end| end < now);
        let (from, before) = self.playing.filter(|_| !ended).unwrap_or((now, 0));
        self.playing = Some((from, before + bytes));
    }

    fn played_out(&self) -> Option<Instant> {
        let ((from, bytes), rate) = (self.playing?, self.bytes_per_s?);
        Some(from + Duration::from_secs_f64(bytes as f64 / f64::from(rate)))
    }
}

impl Relay {
    /// Ends the connection between two turns.
    pub(super) fn end_when_drained(&mut self, now: Instant) {
        let ended = matches!(self.phase, Phase::Closing | Phase::Closed);
        if !self.drain.asked || ended || self.service != Service::Agent {
            return;
        }
        let played_out = self.drain.played_out().filter(|end| *end > now);
        match played_out {
            Some(end) => self.timers.set(Timer::PlayedOut, end),
            None => self.timers.stop(Timer::PlayedOut),
        }
        let waits = self.to_client.bytes() + self.to_upstream.bytes() > 0;
        if !self.drain.in_turn && !waits && played_out.is_none() && !self.calls.are_under_way() {
            self.end(CloseReason::Shutdown, now);
        }
    }
}
