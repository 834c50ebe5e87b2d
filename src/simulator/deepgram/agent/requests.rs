//! What each client message does ("Voice Agent protocol, Client messages").
//! Knows nothing of audio, or of how an answer is found and given.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    answering::{Activity, Want},
    calls::Outcome,
    messages::{Refused, refused},
    session::{Later, Phase, Session},
    settings::{check_functions, check_whole, one_or_more},
};
use crate::simulator::reply::Entry;

impl Session {
    /// The first Settings.
    pub(super) fn settings(&mut self, settings: Value, now: Duration) -> Result<(), Refused> {
        if let Some(id) = settings["agent"].as_str() {
            let code = match uuid::Uuid::parse_str(id) {
                Ok(_) => "AGENT_ID_NOT_SUPPORTED",
                Err(_) => "INVALID_AGENT_ID",
            };
            return Err(Refused { code, description: "the simulator stores no configurations".to_owned() });
        }
        check_whole(&settings).map_err(|fault| refused(fault, true))?;
        self.phase = Phase::Applying { settings, held: Vec::new() };
        self.schedule(Later::Apply, now + self.options.settings_delay);
        Ok(())
    }

    /// What follows `SettingsApplied`.
    pub(super) fn settled(&mut self, now: Duration) {
        if let Some(code) = self.options.warning.clone() {
            self.warn(&code, "the simulator was told to warn", now);
        }
        if let Some(code) = self.options.error.clone() {
            return self.end_with(&code, "the simulator was told to fail", now);
        }
        self.warn_of_prompt(now);
        if let Some(greeting) = self.configuration().greeting.clone() {
            self.wants.push_back(Want::Say(greeting));
            self.go_on(now);
        }
    }

    /// A message after the first Settings.
    pub(super) fn request(&mut self, message: &Value, now: Duration) -> Result<(), Refused> {
        let text = |name: &str| message[name].as_str().unwrap_or_default();
        match text("type") {
            "UpdateListen" => {
                self.configuration_mut().set_listen(&message["listen"]);
                self.send(json!({"type": "ListenUpdated"}), now);
            }
            "UpdateThink" => {
                let has_think_live = self.configuration().has_think_live;
                one_or_more(&message["think"])
                    .try_for_each(|think| check_functions(think, has_think_live))
                    .map_err(|fault| refused(fault, true))?;
                self.configuration_mut().set_think(&message["think"]);
                self.send(json!({"type": "ThinkUpdated"}), now);
                self.warn_of_prompt(now);
            }
            "UpdateThink_Live" => {
                self.configuration_mut().has_think_live = true;
                self.send(json!({"type": "ThinkLiveUpdated"}), now);
            }
            "UpdateSpeak" => self.send(json!({"type": "SpeakUpdated"}), now),
            "UpdatePrompt" => {
                self.configuration_mut().add_prompt(text("prompt"));
                self.send(json!({"type": "PromptUpdated"}), now);
                self.warn_of_prompt(now);
            }
            "InjectUserMessage" => self.user_said(text("content"), now),
            "InjectAgentMessage" => self.inject(message, now),
            "FunctionCallResponse" => {
                let outcome = self.calls.answer(message)?;
                self.answered(outcome, now);
            }
            "ForceEndTurn" if self.configuration().has_turns => self.end_speech(now),
            "ForceEndTurn" => {
                self.warn("FORCE_END_TURN_UNSUPPORTED", "the listen model does not end turns", now);
            }
            // A model server of the client's may talk back; ours echoes.
            "__customToThinkProvider" if self.configuration().has_own_model => {
                let content = &message["content"];
                self.send(json!({"type": "__customFromThinkProvider", "content": content}), now);
            }
            // `KeepAlive`; and a managed model has nothing to say to a custom message.
            _ => {}
        }
        Ok(())
    }

    /// Answers to calls have come; when all are there, the agent goes on from them.
    pub(super) fn answered(&mut self, outcome: Outcome, now: Duration) {
        let Outcome::Complete(answered) = outcome else { return };
        let shown: Vec<_> = answered.iter().map(|answer| answer.shown.clone()).collect();
        self.history(json!({"function_calls": shown}), now);
        self.wants.push_back(Want::Results(answered));
        self.go_on(now);
    }

    /// `ConversationText`, and the same as `History`.
    pub(super) fn conversation(&mut self, role: &str, content: &str, now: Duration) {
        self.send(json!({"type": "ConversationText", "role": role, "content": content}), now);
        self.history(json!({"role": role, "content": content}), now);
    }

    /// The user has typed or spoken.
    pub(super) fn user_said(&mut self, content: &str, now: Duration) {
        self.entries.push(Entry::User(content.to_owned()));
        self.conversation("user", content, now);
        // One answer is for everything that was said before it begins.
        if !self.wants.iter().any(|want| matches!(want, Want::Reply { .. })) {
            self.wants.push_back(Want::Reply { asked_at: now });
        }
        self.go_on(now);
    }

    fn inject(&mut self, message: &Value, now: Duration) {
        let is_agent_busy =
            !matches!(self.activity, Activity::Idle) || !self.wants.is_empty() || self.calls.are_open();
        let refusal = match message["behavior"].as_str().unwrap_or("default") {
            "interrupt" => None,
            _ if self.is_user_speaking => Some("the user is speaking"),
            "queue" => None,
            _ if is_agent_busy => Some("the agent is busy"),
            _ => None,
        };
        let is_dynamic = message["is_dynamic"] == true;
        let refusal = refusal
            .or_else(|| (is_dynamic && !self.configuration().has_think_live).then_some("needs think_live"));
        if let Some(why) = refusal {
            return self.send(json!({"type": "InjectionRefused", "message": why}), now);
        }
        let text =
            if is_dynamic { "Are you still there?" } else { message["message"].as_str().unwrap_or_default() };
        let want = Want::Say(text.to_owned());
        if message["behavior"] == "interrupt" {
            self.cut_in(want, now);
        } else {
            self.wants.push_back(want);
            self.go_on(now);
        }
    }

    fn history(&mut self, mut what: Value, now: Duration) {
        if self.configuration().wants_history {
            what["type"] = json!("History");
            self.send(what, now);
        }
    }

    fn warn_of_prompt(&mut self, now: Duration) {
        if self.configuration().is_prompt_too_long() {
            self.warn("PROMPT_TOO_LONG", "a managed model takes 25,000 characters", now);
        }
    }
}
