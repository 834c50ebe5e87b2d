//! What one connection adds to the counters of its backend, step by step of its gate. Looks at no content.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    backend::{BackendMetrics, CAUSES},
    families::observe,
    notices,
    wire::WireCounts,
};
use crate::{
    gate::{ClientFrame, Effect, Input, Rule, UpstreamError},
    protocol::agent::ServerMessage,
    tally::{Answered, Report, Tokens, Totals, TurnInput},
};

/// The cause of an ending that the gate did not come to decide.
pub const GATE_DIED: &str = "internal_error";

/// How far apart the moments are at which a connection's audio is counted.
const AUDIO_APART: Duration = Duration::from_secs(1);

/// What a rule did.
#[derive(Clone, Copy)]
enum Action {
    Held,
    Ignored,
    RanOut,
}

/// One connection, for as long as it is there.
pub struct SessionMetrics {
    backend: Arc<BackendMetrics>,
    number: u64,
    dialled: Option<Instant>,
    /// Audio that has been counted, from and to the client.
    audio: [Duration; 2],
    /// When more of it is to be.
    audio_due: Option<Instant>,
    ended: bool,
}

impl SessionMetrics {
    /// A connection of this backend begins, whose legs count in `wire`.
    pub fn begin(backend: Arc<BackendMetrics>, wire: Arc<WireCounts>) -> Self {
        backend.open.inc();
        backend.begun.inc();
        let number = backend.enter(wire);
        Self { backend, number, dialled: None, audio: [Duration::ZERO; 2], audio_due: None, ended: false }
    }

    /// What goes into the gate.
    pub fn input(&mut self, input: &Input, now: Instant) {
        let outcome = match input {
            Input::UpstreamOpened => 0,
            Input::UpstreamRefused(UpstreamError::Unreachable(_)) => 1,
            Input::UpstreamRefused(UpstreamError::TimedOut) => 2,
            Input::UpstreamRefused(UpstreamError::Status(401 | 403)) => 3,
            Input::UpstreamRefused(UpstreamError::Status(429)) => 4,
            Input::UpstreamRefused(UpstreamError::Status(_)) => 5,
            _ => return,
        };
        if let Some(dialled) = self.dialled.take() {
            observe(&self.backend.dials[outcome], now.saturating_duration_since(dialled));
        }
    }

    /// What came out of the gate.
    pub fn effect(&mut self, effect: &Effect, now: Instant) {
        match effect {
            Effect::OpenUpstream => self.dialled = Some(now),
            Effect::Held(rule) => self.rule(*rule, Action::Held),
            Effect::Ignored(rule) => self.rule(*rule, Action::Ignored),
            Effect::RanOut(rule) => self.rule(*rule, Action::RanOut),
            Effect::ToClient(ClientFrame::Message(message)) => {
                if let ServerMessage::Error(notice) | ServerMessage::Warning(notice) = &**message {
                    self.backend.notices[notices::index_of(message.kind(), &notice.code)].inc();
                }
            }
            _ => (),
        }
    }

    /// An answer has begun.
    pub fn answered(&self, answered: &Answered) {
        if let Some((input, waited)) = answered.wait {
            let turns = &self.backend.turns[usize::from(input == TurnInput::Text)];
            observe(turns, waited);
        }
        observe(&self.backend.own_share, answered.own);
    }

    /// Upstream has reported what something took.
    pub fn reported(&self, report: &Report) {
        match report {
            Report::Response(response) => self.tokens(0, &response.tokens),
            Report::Transcription(transcription) => self.tokens(1, &transcription.tokens),
        }
    }

    /// What the connection has come to by now, after each step: its audio is counted once a second, and at its end.
    pub fn audio(&mut self, totals: &Totals, now: Instant) {
        if self.audio_due.is_none_or(|due| due <= now) {
            self.audio_due = Some(now + AUDIO_APART);
            self.count_audio(totals);
        }
    }

    /// The connection has ended for this reason, after so long and with these totals; the most that waited for each leg,
    /// bytes.
    pub fn end(&mut self, cause: &str, lived: Duration, totals: &Totals, queues: [usize; 2]) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let known = CAUSES.iter().position(|known| *known == cause);
        debug_assert!(known.is_some(), "{cause} is not in the list");
        if let Some(index) = known {
            self.backend.ended[index].inc();
        }
        self.count_audio(totals);
        observe(&self.backend.lived, lived);
        for (histogram, bytes) in self.backend.queues.iter().zip(queues) {
            histogram.observe(bytes as f64);
        }
    }

    fn tokens(&self, source: usize, tokens: &Tokens) {
        for (kind, counter) in &self.backend.tokens[source] {
            counter.inc_by(tokens.of(*kind).unwrap_or(0));
        }
    }

    fn count_audio(&mut self, totals: &Totals) {
        let played = [&totals.audio_in, &totals.audio_out].map(|audio| audio.duration());
        for ((counter, counted), played) in self.backend.audio.iter().zip(&mut self.audio).zip(played) {
            // What is known of a format may change, and a counter never falls.
            if let Some(played) = played.filter(|played| played > counted) {
                counter.inc_by((played - *counted).as_secs_f64());
                *counted = played;
            }
        }
    }

    fn rule(&self, rule: Rule, action: Action) {
        self.backend.rules[usize::from(rule.number()) - 1][action as usize].inc();
    }
}

impl Drop for SessionMetrics {
    fn drop(&mut self) {
        if !self.ended {
            self.backend.ended[CAUSES.len() - 1].inc();
        }
        self.backend.leave(self.number);
        // Last, so that who sees that it is over sees all that it came to.
        self.backend.open.dec();
    }
}
