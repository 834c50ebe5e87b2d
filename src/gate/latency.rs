//! How long the parts of an answer took, as the client is told (Voice Agent protocol, `AgentStartedSpeaking`
//! and `LatencyReport`). Knows moments alone.

use std::time::{Duration, Instant};

use crate::protocol::agent::{LatencyReport, StartedSpeaking};

/// When the parts of one response came.
#[derive(Debug, Default)]
pub(super) struct Moments {
    first_text: Option<Instant>,
    first_call: Option<Instant>,
    first_audio: Option<Instant>,
    /// When the client asked for it, if it answers nothing that the user said.
    asked: Option<Instant>,
    /// Since when the client has waited; known from the start of the agent's part of the turn.
    from: Option<Instant>,
}

impl Moments {
    /// Of a response that answers nothing that the user said, asked for at `now`.
    pub(super) fn asked(now: Instant) -> Self {
        Self { asked: Some(now), ..Self::default() }
    }

    /// Whether upstream has begun to give anything.
    pub(super) fn begun(&self) -> bool {
        self.first_text.is_some() || self.first_call.is_some() || self.first_audio.is_some()
    }

    /// Text came, or a piece of it.
    pub(super) fn text(&mut self, now: Instant) {
        self.first_text.get_or_insert(now);
    }

    /// A call came, or a piece of it.
    pub(super) fn call(&mut self, now: Instant) {
        self.first_call.get_or_insert(now);
    }

    /// Audio came.
    pub(super) fn audio(&mut self, now: Instant) {
        self.first_audio.get_or_insert(now);
    }

    /// The first output goes to the client, which waits since `turn_ended` if the user has said anything.
    pub(super) fn start(&mut self, turn_ended: Option<Instant>, now: Instant) -> StartedSpeaking {
        let from = self.asked.or(turn_ended).unwrap_or(now);
        self.from = Some(from);
        let text = self.first_text.unwrap_or(now).clamp(from, now);
        StartedSpeaking {
            total_latency: seconds(from, now),
            ttt_latency: seconds(from, text),
            tts_latency: seconds(text, now),
        }
    }

    /// The same in detail, once the response is over; none if it never started. `heard` is how long the
    /// transcript of the user's speech took.
    pub(super) fn report(&self, heard: Option<Duration>) -> Option<LatencyReport> {
        let from = self.from?;
        let since = |moment: Option<Instant>| moment.map(|moment| seconds(from, moment));
        let first = [self.first_text, self.first_call, self.first_audio].into_iter().flatten().min();
        let tts = self.first_audio.zip(self.first_text).map(|(audio, text)| seconds(text.max(from), audio));
        Some(LatencyReport {
            stt_latency: heard.map(|heard| heard.as_secs_f64()),
            ttt_token_latency: since(first),
            ttt_text_latency: since(self.first_text),
            ttt_tool_latency: since(self.first_call),
            ttt_thinking_latency: None,
            tts_latency: tts,
            total_latency: since(self.first_audio.or(first)),
        })
    }
}

/// What came before `from` took no time.
fn seconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64()
}
