//! What a connection has come to so far, in numbers: seen from what goes into its gate and what comes out of it.
//!
//! Pure, like the gates: no clock, no log. Whoever looks on at a connection shows each step to a [`Tally`]; what is
//! logged at the end of a connection, counted in metrics and written to the usage log is read from its [`Totals`] and
//! from each [`Report`] of upstream's.

mod answered_turns;
mod audio;
mod frames;
mod report;
#[cfg(test)]
mod tests;
mod tokens;
mod totals;
mod turns;

use std::time::Instant;

use crate::{
    gate::{ClientFrame, Effect, Input, Service, UpstreamFrame},
    protocol::{
        agent::{ClientMessage, ServerMessage},
        realtime::ClientEvent,
    },
};
use answered_turns::AnsweredTurns;
use frames::{Frames, FunctionAnswer};
use report::Reports;
use turns::Turns;

pub use audio::Audio;
pub use report::{Report, Response, Transcription};
pub use tokens::{TokenKind, Tokens};
pub use totals::{Amount, Totals};
pub use turns::{Answered, TurnInput};

/// Looks on at one connection.
#[derive(Debug, Default)]
pub struct Tally {
    totals: Totals,
    turns: AnsweredTurns,
    waits: Turns,
    reports: Reports,
    /// Where frames are passed through.
    frames: Option<Frames>,
    /// Who answers a call by the input that was seen last, if it does and the gate takes the answer.
    answers: Option<Answerer>,
}

#[derive(Debug, Clone, Copy)]
enum Answerer {
    Client,
    Server,
}

impl Tally {
    /// Looks on at a connection that is passed through to this service, dialled by this URL.
    pub fn passed_through(service: Service, url: &str) -> Self {
        let mut totals = Totals::default();
        let frames = Some(Frames::of(service, url, &mut totals));
        Self { totals, frames, ..Self::default() }
    }

    /// What goes into the gate, before it does and also where the gate does not heed it any more: what upstream reports of
    /// its own bill with it, if it does.
    pub fn input(&mut self, input: &Input, now: Instant) -> Option<Box<Report>> {
        self.answers = None;
        self.waits.input(input, now);
        match input {
            Input::ClientAudio(audio) => self.totals.audio_in.add(audio.len()),
            Input::Upstream(event) => {
                let report = self.reports.read(event)?;
                self.totals.add(&report);
                return Some(Box::new(report));
            }
            Input::Client(ClientMessage::InjectUserMessage(_)) => self.turns.user(),
            Input::Client(ClientMessage::FunctionCallResponse(_)) => self.answers = Some(Answerer::Client),
            Input::FunctionFinished { .. } => self.answers = Some(Answerer::Server),
            Input::ClientFrame(frame) => {
                if let Some(frames) = &mut self.frames
                    && let Some(FunctionAnswer) =
                        frames.client_sends(frame, &mut self.totals, &mut self.turns)
                {
                    self.answers = Some(Answerer::Client);
                }
            }
            _ => (),
        }
        None
    }

    /// What came out of the gate for that input.
    pub fn effects(&mut self, effects: &[Effect], now: Instant) {
        self.waits.effects(effects, now);
        for effect in effects {
            match effect {
                Effect::ToClient(ClientFrame::Audio(audio)) => self.totals.audio_out.add(audio.len()),
                Effect::ToClient(ClientFrame::Message(message)) => self.client_gets(message),
                Effect::ToClient(ClientFrame::Frame(frame)) => {
                    if let Some(frames) = &mut self.frames {
                        frames.client_gets(frame, &mut self.totals, &mut self.turns);
                    }
                }
                // Where we end the user's turn.
                Effect::ToUpstream(UpstreamFrame::Event(event))
                    if matches!(&**event, ClientEvent::Commit(_)) =>
                {
                    self.turns.user();
                }
                Effect::UseAudio(plan) => {
                    self.totals.audio_in.plays_at(Some(plan.client_input.bytes_per_second()));
                    self.totals.audio_out.plays_at(Some(plan.upstream_output.bytes_per_second()));
                }
                Effect::Ignored(_) => self.answers = None,
                _ => (),
            }
        }
        if let Some(answerer) = self.answers.take() {
            let answers = match answerer {
                Answerer::Client => &mut self.totals.client_answers,
                Answerer::Server => &mut self.totals.server_answers,
            };
            *answers = answers.saturating_add(1);
        }
        self.totals.turns = self.turns.answered();
    }

    fn client_gets(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::UserStartedSpeaking(_) => self.turns.user(),
            ServerMessage::AgentStartedSpeaking(_) => self.turns.agent(),
            ServerMessage::FunctionCallRequest(request) => {
                let calls = request.functions.len() as u64;
                self.totals.function_calls = self.totals.function_calls.saturating_add(calls);
            }
            _ => (),
        }
    }

    /// The answer that has reached the client since this was last asked.
    pub fn take_answered(&mut self) -> Option<Answered> {
        self.waits.take_answered()
    }

    /// What the connection has come to by now.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }
}
