//! Whether the agent's answer to one turn is complete. Pure; it sees what the conversation tells it and
//! knows no message.

use std::time::{Duration, Instant};

use crate::protocol::{audio::PCM_24K, ids::CallId};

/// A function call may follow the end of the speech of the same response; this long it is waited for.
const QUIET: Duration = Duration::from_millis(300);

/// What has come of an answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    begun: bool,
    /// Calls that the server runs and has not reported.
    open: Vec<CallId>,
    follow_up: FollowUp,
    complete_at: Option<Instant>,
    audio_bytes: usize,
}

/// What the agent says about the result of a function.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum FollowUp {
    #[default]
    NotOwed,
    /// The result is known, and nothing has come since.
    Owed,
    /// Something has come since.
    Begun,
}

impl Answer {
    /// Whether the agent answers, as far as can be told since the user was last heard.
    pub(super) fn begun(&self) -> bool {
        self.begun
    }

    /// When the answer will have been complete for long enough, if nothing more comes.
    pub(super) fn complete_at(&self) -> Option<Instant> {
        self.complete_at
    }

    /// How long the audio plays that came.
    pub(super) fn audio(&self) -> Duration {
        PCM_24K.duration_of(self.audio_bytes)
    }

    /// The user speaks: what was said so far is not the answer to that.
    pub(super) fn user_started(&mut self) {
        self.begun = false;
        self.complete_at = None;
    }

    /// The agent thinks or says something.
    pub(super) fn agent_acted(&mut self) {
        self.begun = true;
        if self.follow_up == FollowUp::Owed {
            self.follow_up = FollowUp::Begun;
        }
    }

    /// The agent begins to speak, and will say when it is done.
    pub(super) fn agent_started(&mut self) {
        self.agent_acted();
        self.complete_at = None;
    }

    /// Audio came.
    pub(super) fn audio_came(&mut self, bytes: usize, now: Instant) {
        self.agent_acted();
        self.audio_bytes += bytes;
        if self.complete_at.is_some() {
            self.complete_at = Some(now + QUIET);
        }
    }

    /// `AgentAudioDone`: the end, unless it ends only what was said before a function's result was known.
    pub(super) fn audio_done(&mut self, now: Instant) {
        if self.open.is_empty() && self.follow_up != FollowUp::Owed {
            self.follow_up = FollowUp::NotOwed;
            self.complete_at = Some(now + QUIET);
        }
    }

    /// The agent calls a function that the server runs.
    pub(super) fn called(&mut self, id: CallId) {
        self.begun = true;
        self.complete_at = None;
        self.open.push(id);
    }

    /// The server reported the result of a call, or that nobody waits for it any more. A call that is
    /// not open changes nothing.
    pub(super) fn settled(&mut self, id: &CallId) {
        let before = self.open.len();
        self.open.retain(|open| open != id);
        if self.open.len() < before {
            self.answered();
        }
    }

    /// A call of ours was answered.
    pub(super) fn answered(&mut self) {
        self.begun = true;
        self.complete_at = None;
        self.follow_up = FollowUp::Owed;
    }
}
