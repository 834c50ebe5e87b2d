//! The end of a turn, which is when a connection ends once the program is asked to stop. The server sees to it that
//! this does not take for ever.

use std::time::Instant;

use super::{CloseReason, Gate, Rule, Timer};

impl Gate {
    /// Ends the connection between two turns.
    pub(super) fn end_when_drained(&mut self, now: Instant) {
        if !self.draining {
            return;
        }
        let played_out = self.playback.played_out(self.plan.upstream_output).filter(|end| *end > now);
        match played_out {
            Some(end) => self.timers.set(Timer::PlayedOut, end),
            None => self.timers.stop(Timer::PlayedOut),
        }
        let in_turn = self.in_turn() || played_out.is_some();
        if !(in_turn && Rule::CloseOnce.is_on()) {
            self.end(CloseReason::Shutdown, now);
        }
    }

    /// Whether the user has the word, or is still to be sent an answer or the rest of it.
    fn in_turn(&self) -> bool {
        // Without upstream's word on it, who is heard has not been committed.
        let speaks = self.speech.speaking() || self.manual.deadline().is_some();
        let user = speaks || self.opening.holds_input() || self.items.waiting();
        let answer_comes = !self.wishes.is_empty() || self.timers.is_set(Timer::SpeechAnswer);
        let answers = self.turn.running() || self.turn.is_told() || self.calls.open();
        user || answer_comes || answers || self.to_client.bytes() > 0
    }
}
