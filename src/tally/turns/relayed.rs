//! Turns of a conversation that is passed through, by the types of its messages. They do not say when the user's speech
//! ended, so that how long somebody who spoke has waited is not known; who types is known to wait.

use std::time::{Duration, Instant};

use super::{FirstAudio, TurnInput, Wait};

#[derive(Debug)]
pub(super) struct Relayed {
    /// When the user typed what nobody has begun to answer.
    typed: Option<Instant>,
    /// What the agent has begun to answer.
    answering: Option<Instant>,
    /// The next binary frame of upstream is the first of an agent's turn.
    expects_first: bool,
    /// Binary frames that came, and that went on: in the same order, and none is left out.
    came: u64,
    gone: u64,
    /// Which of them begins a turn.
    first: Option<(u64, FirstAudio)>,
}

impl Default for Relayed {
    fn default() -> Self {
        Self { typed: None, answering: None, expects_first: true, came: 0, gone: 0, first: None }
    }
}

impl Relayed {
    /// A text of the client (Voice Agent protocol, client messages).
    pub(super) fn client_text(&mut self, kind: &str, now: Instant) {
        if kind == "InjectUserMessage" {
            self.typed = Some(now);
        }
    }

    /// A text of upstream (Voice Agent protocol, server messages).
    pub(super) fn agent_text(&mut self, kind: &str) {
        match kind {
            // A greeting comes without the one, as a rule without the other, and answers nobody.
            "AgentThinking" | "AgentStartedSpeaking" => {
                if let Some(typed) = self.typed.take() {
                    self.answering = Some(typed);
                    self.expects_first = true;
                }
            }
            "AgentAudioDone" => self.expects_first = true,
            "UserStartedSpeaking" => {
                (self.typed, self.answering, self.expects_first) = (None, None, true);
            }
            _ => (),
        }
    }

    /// A binary frame of upstream that begins a message.
    pub(super) fn agent_audio(&mut self, now: Instant) {
        self.came += 1;
        if self.expects_first {
            self.expects_first = false;
            let typed = self.answering.take();
            let wait = typed.map(|since| Wait { input: TurnInput::Text, since, held: Duration::ZERO });
            self.first = Some((self.came, FirstAudio { wait, arrived: now }));
        }
    }

    /// A binary frame that begins a message goes to the client; the first of a turn is to be watched.
    pub(super) fn audio_goes_out(&mut self) -> Option<FirstAudio> {
        self.gone += 1;
        let (_, first) = self.first.take_if(|(number, _)| *number <= self.gone)?;
        Some(first)
    }
}
