//! A session listens: audio becomes turns of the user, which interrupt the agent.
//! Knows nothing of what the agent answers.

use std::time::Duration;

use serde_json::json;

use super::{
    ear::Heard,
    messages::Refused,
    session::{Phase, Session},
};

impl Session {
    /// Takes audio in the declared format.
    ///
    /// # Errors
    /// `USER_AUDIO_FORMAT`: the simulator does not decode it.
    pub(super) fn hear(&mut self, audio: &[u8], now: Duration) -> Result<(), Refused> {
        let Phase::Active(agent) = &mut self.phase else { unreachable!("only an active session hears") };
        let Some(ear) = &mut agent.ear else {
            let encoding = &agent.configuration.input.encoding;
            let description = format!("the simulator does not decode {encoding}");
            return Err(Refused { code: "USER_AUDIO_FORMAT", description });
        };
        for heard in ear.hear(audio) {
            match heard {
                Heard::Started => self.speech_started(now),
                Heard::Stopped => self.speech_stopped(now),
            }
        }
        self.speech_fades_at = self.is_user_speaking.then_some(now + FADES);
        Ok(())
    }

    /// What the user says is complete, though no silence has followed.
    pub(super) fn end_speech(&mut self, now: Duration) {
        let Phase::Active(agent) = &mut self.phase else { unreachable!("only an active session hears") };
        if let Some(ear) = &mut agent.ear {
            ear.end_speech();
        }
        self.speech_stopped(now);
    }

    fn speech_started(&mut self, now: Duration) {
        self.is_user_speaking = true;
        self.send(json!({"type": "UserStartedSpeaking"}), now);
        self.interrupt(now);
    }

    fn speech_stopped(&mut self, now: Duration) {
        self.speech_fades_at = None;
        if !std::mem::take(&mut self.is_user_speaking) {
            return;
        }
        let transcript = self.options.transcript.clone();
        if transcript.is_empty() {
            self.go_on(now);
        } else {
            self.user_said(&transcript, now);
        }
    }
}

/// Without audio for so long speech is over.
const FADES: Duration = Duration::from_secs(1);
