//! What upstream sends. Its text is looked into for calls that the gateway runs, and for the end of a turn.

use std::time::Instant;

use super::{
    Relay,
    lane::{Arrived, TextMessage},
};
use crate::{
    protocol::{Frame, Opcode},
    translate::deepgram,
};

impl Relay {
    pub(super) fn upstream_frame(&mut self, frame: Frame, now: Instant) {
        if frame.opcode == Opcode::Binary {
            self.agent_audio();
        }
        let look = self.component || self.runs_functions();
        match self.down.take(frame, look) {
            Arrived::Pass(frame) => {
                self.drain.note_frame(&frame, now);
                self.pass_down(frame);
            }
            Arrived::Kept => (),
            Arrived::Whole(message) => self.upstream_text(message, now),
        }
    }

    fn upstream_text(&mut self, message: TextMessage, now: Instant) {
        let changed = {
            let text = message.text().unwrap_or_default();
            let kind = deepgram::kind(&text).unwrap_or_default();
            self.drain.note_text(&kind);
            self.note_for_turn_end(&kind, &text, now);
            match &*kind {
                "FunctionCallRequest" if self.runs_functions() => self.take_over(&text),
                "FunctionCallCancelled" if self.runs_functions() => {
                    self.cancel_calls(&deepgram::call_ids(&text));
                    None
                }
                _ => None,
            }
        };
        match changed {
            Some(text) => self.pass_down(Frame::text(text)),
            None => message.into_frames().into_iter().for_each(|frame| self.pass_down(frame)),
        }
    }
}
