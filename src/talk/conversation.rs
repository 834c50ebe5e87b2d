//! One conversation as a state machine: what the server sends goes in; what to print and to send comes
//! out. Knows nothing of sockets, files and clocks.

use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;

use super::{TalkError, answer::Answer, clock, microphone::Microphone};
use crate::protocol::agent::{
    ClientMessage, Empty, FunctionCall, FunctionCallAnswer, Role, ServerMessage, Settings, UserMessage,
};

/// Servers end a session that they hear nothing of (Voice Agent protocol, KeepAlive).
const KEEP_ALIVE: Duration = Duration::from_secs(8);

/// What the user says in one go.
#[derive(Debug)]
pub(super) enum Turn {
    /// Typed.
    Text(String),
    /// Spoken.
    Speech(Box<Microphone>),
}

/// What happens to a conversation.
#[derive(Debug)]
pub(super) enum Input {
    /// A text frame came.
    Message(Box<ServerMessage>),
    /// A binary frame came, of so many bytes.
    Audio(usize),
    /// The connection is gone; the code is that of RFC 6455, 7.1.5.
    Closed { code: u16, reason: String },
    /// The deadline has passed.
    Elapsed,
}

/// What is to be done about it.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Show this line.
    Print(String),
    /// Send a text frame.
    Send(Box<ClientMessage>),
    /// Send a binary frame.
    SendAudio(Bytes),
    /// It is over; nothing follows.
    End(Result<(), TalkError>),
}

/// The time, as one reading of both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// For what lasts.
    pub(super) instant: Instant,
    /// For what is told.
    pub(super) utc: SystemTime,
}

#[derive(Debug)]
enum Phase {
    /// `Settings` go up when `Welcome` comes.
    Welcome(Box<Settings>),
    /// The turns wait for `SettingsApplied`.
    Settings,
    /// A turn is being said or answered.
    Turn(Answer),
    Ended,
}

/// The conversation, from `Welcome` to the last answer.
#[derive(Debug)]
pub(super) struct Conversation {
    phase: Phase,
    turns: VecDeque<Turn>,
    microphone: Option<Box<Microphone>>,
    keep_alive_at: Option<Instant>,
    steps: Vec<Step>,
}

impl Conversation {
    /// A conversation of `turns`, said one after the other.
    pub(super) fn new(settings: Settings, turns: impl IntoIterator<Item = Turn>) -> Self {
        Self {
            phase: Phase::Welcome(Box::new(settings)),
            turns: turns.into_iter().collect(),
            microphone: None,
            keep_alive_at: None,
            steps: Vec::new(),
        }
    }

    /// When `Input::Elapsed` is wanted.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let Phase::Turn(answer) = &self.phase else { return None };
        let frame = self.microphone.as_ref().and_then(|microphone| microphone.due());
        let complete = answer.complete_at().filter(|_| !self.speaking());
        frame.into_iter().chain(complete).chain(self.keep_alive_at).min()
    }

    /// What `input` leads to, in order.
    #[must_use]
    pub(super) fn handle(&mut self, input: Input, now: Now) -> Vec<Step> {
        if !matches!(self.phase, Phase::Ended) {
            match input {
                Input::Message(message) => self.message(*message, now),
                Input::Audio(bytes) => {
                    if let Phase::Turn(answer) = &mut self.phase {
                        answer.audio_came(bytes, now.instant);
                    }
                }
                Input::Closed { code, reason } => self.closed(code, reason),
                Input::Elapsed => self.elapsed(now.instant),
            }
        }
        std::mem::take(&mut self.steps)
    }

    fn message(&mut self, message: ServerMessage, now: Now) {
        match message {
            ServerMessage::Welcome(welcome) => self.welcome(&welcome.request_id, now.instant),
            ServerMessage::SettingsApplied(_) => {
                if let Phase::Settings = self.phase {
                    self.print("settings applied".to_owned());
                    self.next_turn(now.instant);
                }
            }
            ServerMessage::ConversationText(text) => match text.role {
                Role::User => self.print(format!("you: {}", text.content)),
                Role::Assistant => {
                    self.print(format!("agent: {}", text.content));
                    self.answer(Answer::agent_acted);
                }
            },
            ServerMessage::Transcript(transcript) => {
                if transcript.is_final {
                    self.print(format!("you: {}", transcript.transcript));
                }
            }
            ServerMessage::UserStartedSpeaking(_) => {
                self.answer(Answer::user_started);
                if let Some(microphone) = &mut self.microphone {
                    microphone.switch_on(now.instant);
                }
            }
            ServerMessage::AgentThinking(_) => self.answer(Answer::agent_acted),
            ServerMessage::AgentStartedSpeaking(_) => self.answer(Answer::agent_started),
            ServerMessage::AgentAudioDone(_) => self.answer(|answer| answer.audio_done(now.instant)),
            ServerMessage::FunctionCallRequest(request) => {
                for call in request.functions {
                    self.call(call, now);
                }
            }
            ServerMessage::FunctionCallResponse(response) => {
                self.print(format!("server answers {} -> {}", response.name, response.content));
                if let Some(id) = response.id {
                    self.answer(|answer| answer.settled(&id));
                }
            }
            ServerMessage::FunctionCallCancelled(cancelled) => {
                for call in cancelled.functions {
                    self.print(format!("server cancels {}", call.name));
                    self.answer(|answer| answer.settled(&call.id));
                }
            }
            ServerMessage::Warning(notice) => {
                self.print(format!("warning: {}: {}", notice.code, notice.description));
            }
            ServerMessage::Error(notice) => self.end(Err(TalkError::Session {
                code: one_line(&notice.code),
                description: one_line(&notice.description),
            })),
            ServerMessage::InjectionRefused(refused) => {
                self.end(Err(TalkError::InjectionRefused(one_line(&refused.message))));
            }
            // They say nothing of the answer, or, like `AgentDone`, what another message says as well.
            ServerMessage::AgentDone(_)
            | ServerMessage::UtteranceEnd(_)
            | ServerMessage::LatencyReport(_)
            | ServerMessage::PromptUpdated(_)
            | ServerMessage::SpeakUpdated(_)
            | ServerMessage::ThinkUpdated(_)
            | ServerMessage::ThinkLiveUpdated(_)
            | ServerMessage::ListenUpdated(_)
            | ServerMessage::FrustrationDetected(_)
            | ServerMessage::CustomFromThinkProvider(_)
            | ServerMessage::History(_)
            | ServerMessage::Unknown(_) => {}
        }
    }

    fn welcome(&mut self, request_id: &str, now: Instant) {
        if let Phase::Welcome(_) = self.phase
            && let Phase::Welcome(settings) = std::mem::replace(&mut self.phase, Phase::Settings)
        {
            self.print(format!("connected: request {request_id}"));
            self.send(ClientMessage::Settings(settings), now);
        }
    }

    fn call(&mut self, call: FunctionCall, now: Now) {
        if !call.client_side {
            self.print(format!("agent calls {}({}) on the server", call.name, call.arguments));
            return self.answer(|answer| answer.called(call.id));
        }
        let content = clock::answer(&call, now.utc);
        self.print(format!("agent calls {}({}) -> {content}", call.name, call.arguments));
        let answer = FunctionCallAnswer {
            id: call.id,
            name: Some(call.name),
            content: Some(content.into()),
            error: None,
            result: None,
            thought_signature: call.thought_signature,
        };
        self.send(ClientMessage::FunctionCallResponse(Box::new(answer)), now.instant);
        self.answer(Answer::answered);
    }

    fn closed(&mut self, code: u16, reason: String) {
        let Phase::Turn(answer) = &self.phase else {
            return self.end(Err(TalkError::Closed { code, reason: one_line(&reason) }));
        };
        // A server may close as soon as it has said the last word.
        let complete = answer.complete_at().is_some() && self.turns.is_empty() && !self.speaking();
        if complete && code == 1000 {
            self.finish_turn();
            return self.end(Ok(()));
        }
        self.end(Err(TalkError::Closed { code, reason: one_line(&reason) }));
    }

    fn elapsed(&mut self, now: Instant) {
        let Phase::Turn(answer) = &self.phase else { return };
        let begun = answer.begun();
        let complete = answer.complete_at().is_some_and(|at| at <= now);
        if let Some(frame) = self.microphone.as_mut().and_then(|microphone| microphone.take(begun, now)) {
            self.keep_alive_at = Some(now + KEEP_ALIVE);
            self.steps.push(Step::SendAudio(frame));
        }
        if complete && !self.speaking() {
            self.finish_turn();
            self.next_turn(now);
        } else if self.keep_alive_at.is_some_and(|at| at <= now) {
            self.send(ClientMessage::KeepAlive(Empty {}), now);
        }
    }

    fn finish_turn(&mut self) {
        if let Phase::Turn(answer) = &self.phase {
            let seconds = answer.audio().as_secs_f64();
            self.print(format!("audio: {seconds:.2} s"));
        }
        self.microphone = None;
    }

    fn next_turn(&mut self, now: Instant) {
        let Some(turn) = self.turns.pop_front() else { return self.end(Ok(())) };
        self.phase = Phase::Turn(Answer::default());
        match turn {
            Turn::Text(content) => {
                self.send(ClientMessage::InjectUserMessage(UserMessage { content }), now);
            }
            Turn::Speech(mut microphone) => {
                microphone.switch_on(now);
                self.microphone = Some(microphone);
                self.keep_alive_at = Some(now + KEEP_ALIVE);
            }
        }
    }

    fn speaking(&self) -> bool {
        self.microphone.as_ref().is_some_and(|microphone| microphone.speaking())
    }

    fn answer(&mut self, note: impl FnOnce(&mut Answer)) {
        if let Phase::Turn(answer) = &mut self.phase {
            note(answer);
        }
    }

    fn print(&mut self, line: String) {
        self.steps.push(Step::Print(one_line(&line)));
    }

    fn send(&mut self, message: ClientMessage, now: Instant) {
        self.keep_alive_at = Some(now + KEEP_ALIVE);
        self.steps.push(Step::Send(Box::new(message)));
    }

    fn end(&mut self, outcome: Result<(), TalkError>) {
        self.phase = Phase::Ended;
        self.steps.push(Step::End(outcome));
    }
}

/// What a peer wrote must neither begin a line of its own nor command the terminal.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
