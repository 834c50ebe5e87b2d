//! A session answers: what the agent is doing, what it does next, and how that is interrupted.
//! Knows nothing of audio input.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};

use super::{
    calls::{Answered, Wanted},
    session::{Later, Session},
    speech::{Beat, Manner, script},
};
use crate::simulator::reply::{self, Entry, Prompt, Reply};

/// What the agent is doing.
#[derive(Debug)]
pub(super) enum Activity {
    /// Nothing.
    Idle,
    /// It thinks about this until then.
    Thinking { until: Duration, want: Want },
    /// It speaks; `waited` is how long the user has waited for it, if it answers anything.
    Speaking { beats: VecDeque<(Duration, Beat)>, waited: Option<Duration> },
}

impl Activity {
    /// When something happens next.
    pub(super) fn due(&self) -> Option<Duration> {
        match self {
            Self::Idle => None,
            Self::Thinking { until, .. } => Some(*until),
            Self::Speaking { beats, .. } => beats.front().map(|(at, _)| *at),
        }
    }
}

/// Something the agent is to do.
#[derive(Clone, Debug)]
pub(super) enum Want {
    /// Say a text of the client's.
    Say(String),
    /// Answer the user.
    Reply { asked_at: Duration },
    /// Go on from the results of calls.
    Results(Vec<Answered>),
}

impl Session {
    /// Begins what is wanted next, unless the agent is busy or the user speaks.
    pub(super) fn go_on(&mut self, now: Duration) {
        if !matches!(self.activity, Activity::Idle) || self.is_user_speaking {
            return;
        }
        let Some(want) = self.wants.pop_front() else { return };
        if let Want::Say(text) = want {
            return self.say(&text, None, now);
        }
        self.send(json!({"type": "AgentThinking", "content": ""}), now);
        self.activity = Activity::Thinking { until: now + self.options.think_delay, want };
    }

    /// The user begins to speak: the agent is silent at once, and everything it was about to do is void.
    pub(super) fn interrupt(&mut self, now: Duration) {
        self.activity = Activity::Idle;
        self.wants.clear();
        let cancelled = self.calls.cancel();
        if !cancelled.is_empty() {
            self.send(json!({"type": "FunctionCallCancelled", "functions": cancelled}), now);
        }
    }

    /// Says something at once, whoever speaks. An answer that is being given is lost, one that is being thought
    /// about comes afterwards.
    pub(super) fn cut_in(&mut self, want: Want, now: Duration) {
        let before = std::mem::replace(&mut self.activity, Activity::Idle);
        if let Activity::Thinking { want, .. } = before {
            self.wants.push_front(want);
        }
        if let Want::Say(text) = want {
            self.say(&text, None, now);
        }
    }

    /// The next step of what the agent is doing is due.
    pub(super) fn advance(&mut self, now: Duration) {
        match std::mem::replace(&mut self.activity, Activity::Idle) {
            Activity::Idle => {}
            Activity::Thinking { want, .. } => self.thought(&want, now),
            Activity::Speaking { mut beats, waited } => {
                let beat = beats.pop_front();
                self.activity = Activity::Speaking { beats, waited };
                if let Some((_, beat)) = beat {
                    self.beat(beat, waited, now);
                }
            }
        }
    }

    /// The endpoint of a function has answered.
    pub(super) fn function_answered(&mut self, id: &str, now: Duration) {
        let content = self.options.function_result.clone();
        if let Some((told, outcome)) = self.calls.answer_here(id, &content) {
            self.send(told, now);
            self.answered(outcome, now);
        }
    }

    fn thought(&mut self, want: &Want, now: Duration) {
        let waited = match want {
            Want::Reply { asked_at } => now.saturating_sub(*asked_at),
            Want::Results(_) | Want::Say(_) => self.options.think_delay,
        };
        if let Want::Results(answered) = want {
            let output = |answer: &Answered| Entry::Output {
                call_id: answer.id.clone(),
                output: answer.output.clone(),
            };
            self.entries.extend(answered.iter().map(output));
        }
        let configuration = self.configuration();
        let prompt = Prompt {
            entries: &self.entries,
            instructions: &configuration.instructions(),
            asked_here: false,
            tools: &configuration.tools(),
            tool_choice: &json!("auto"),
            is_idle: false,
        };
        match reply::choose(&prompt) {
            Reply::Say(text) => self.say(&text, Some(waited), now),
            Reply::Call(calls) => self.call(calls, now),
        }
    }

    fn call(&mut self, calls: Vec<(String, Value)>, now: Duration) {
        let mut wanted = Vec::new();
        for (name, arguments) in calls {
            let id = self.fresh_id("call");
            let is_client_side = self.configuration().is_client_side(&name);
            let signature = self.options.thought_signatures.then(|| self.fresh_id("signature"));
            self.entries.push(Entry::Call { call_id: id.clone(), name: name.clone() });
            if !is_client_side {
                let at = now + self.options.function_delay;
                self.schedule(Later::FunctionAnswered { id: id.clone() }, at);
            }
            wanted.push(Wanted { id, name, arguments: arguments.to_string(), is_client_side, signature });
        }
        let functions = self.calls.open(wanted);
        self.send(json!({"type": "FunctionCallRequest", "functions": functions}), now);
        self.go_on(now);
    }

    fn say(&mut self, text: &str, waited: Option<Duration>, now: Duration) {
        let configuration = self.configuration();
        let output = &configuration.output;
        if output.format.is_none() && !self.options.text_only {
            let description = format!("the simulator does not encode {}", output.encoding);
            return self.end_with("FAILED_TO_SPEAK", &description, now);
        }
        let manner = Manner {
            format: output.format.filter(|_| !self.options.text_only),
            is_wav: configuration.is_wav,
            pace: self.options.audio_speed,
            by_sentence: self.options.sentences,
        };
        let beats = script(text, manner, now);
        self.activity = Activity::Speaking { beats, waited };
    }

    fn beat(&mut self, beat: Beat, waited: Option<Duration>, now: Duration) {
        let latency = waited.unwrap_or_default().as_secs_f64();
        match beat {
            Beat::Text(text) => {
                self.entries.push(Entry::Other(text.clone()));
                self.conversation("assistant", &text, now);
            }
            Beat::Started if self.configuration().is_experimental => self.send(
                json!({"type": "AgentStartedSpeaking", "total_latency": latency, "tts_latency": 0.0,
                    "ttt_latency": latency}),
                now,
            ),
            Beat::Started => {}
            Beat::Audio(audio) => self.send_audio(audio, now),
            Beat::Done => self.send(json!({"type": "AgentAudioDone"}), now),
            Beat::End => {
                self.activity = Activity::Idle;
                if waited.is_some() {
                    self.send(
                        json!({"type": "LatencyReport", "ttt_text_latency": latency,
                            "tts_latency": 0.0, "total_latency": latency}),
                        now,
                    );
                }
                self.go_on(now);
            }
        }
    }
}
