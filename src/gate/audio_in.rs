//! R14: the user's audio goes up as it comes; in manual mode we say when it is a turn.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Gate, Rule, TurnTaking, UpstreamFrame, Wish, manual::ENOUGH};
use crate::protocol::realtime::{ClientEvent, CommitBuffer};

impl Gate {
    /// One frame of the client is one append.
    pub(super) fn append(&mut self, audio: Bytes, now: Instant) {
        if self.turns == TurnTaking::Manual || Rule::ManualCommit.is_off() {
            let format = self.plan.client_input;
            let half = (self.odd_bytes + audio.len()) % format.bytes_per_sample();
            let whole = self.odd_bytes + audio.len() - half;
            self.odd_bytes = half;
            self.manual.appended(format.duration_of(whole), now);
        }
        let event_id = self.next_event_id();
        self.push_upstream(UpstreamFrame::Audio { event_id, audio });
    }

    fn commit(&mut self, padding: Option<Duration>) {
        if let Some(length) = padding {
            let event_id = self.next_event_id();
            self.push_upstream(UpstreamFrame::Silence { event_id, length });
        }
        let event_id = Some(self.next_event_id());
        self.push_event(ClientEvent::Commit(CommitBuffer { event_id }));
        self.manual.committed();
    }

    fn commit_turn(&mut self, padding: Option<Duration>, now: Instant) {
        self.commit(padding);
        self.speech.user_turn_ended(now);
        self.wishes.push(Wish::plain());
    }

    pub(super) fn expire_manual(&mut self, now: Instant) {
        let may = !self.turn.running() || Rule::ManualCommit.is_off();
        if may && self.manual.deadline().is_some_and(|at| at <= now) {
            self.commit_turn(None, now);
        }
    }

    /// What is left when a response ends is a turn, filled up with silence if it is too short for one.
    /// Before the first commit it has to be enough, and the quiet after it long enough.
    pub(super) fn commit_rest(&mut self, now: Instant) {
        let may = !self.turn.running() || Rule::ManualCommit.is_off();
        if may && self.manual.has_rest() {
            self.commit_turn(self.manual.padding(ENOUGH), now);
        } else {
            self.expire_manual(now);
        }
    }

    /// The client says that its turn is over.
    pub(super) fn force_end_turn(&mut self, now: Instant) {
        if self.turns != TurnTaking::Manual && Rule::ManualCommit.is_on() {
            let description = "turns are ended by voice activity detection here".to_owned();
            return self.tell_warning("FORCE_END_TURN_UNSUPPORTED", description);
        }
        self.commit_turn(self.manual.padding(ENOUGH), now);
    }

    /// The client has gone: what it said last is committed, and nobody waits for an answer.
    pub(super) fn commit_before_close(&mut self) {
        if self.turns != TurnTaking::Manual && Rule::ManualCommit.is_on() {
            return;
        }
        if self.turn.running() && Rule::ManualCommit.is_on() {
            return self.ignored(Rule::ManualCommit);
        }
        if let Some(padding) = self.manual.closing_padding() {
            self.commit(padding);
        }
    }
}
