//! What must hold whatever happens: a judge that sees the gate's inputs and effects and nothing else.

use std::collections::HashSet;

use super::render;
use crate::{
    gate::{ClientFrame, Effect, Input, Leg, Rule, UpstreamFrame},
    protocol::{
        agent::{ClientMessage, Role, ServerMessage},
        ids::{CallId, ResponseId},
        realtime::{ClientEvent, ResponseEvent, ServerEvent},
    },
};

/// The invariants, and what is needed to judge them.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// Responses overlap, as no real server lets them, and so do their signals.
    pub(super) responses_overlap: bool,
    updated: bool,
    /// Our `session.update` has had no outcome.
    updating: bool,
    settings: usize,
    applied: usize,
    /// Our `response.create` has had no outcome.
    requested: bool,
    announced: HashSet<ResponseId>,
    ended: HashSet<ResponseId>,
    handed_out: HashSet<CallId>,
    answered: HashSet<CallId>,
    /// Calls that the gateway runs, and of those the ones that run now.
    here: HashSet<CallId>,
    running: HashSet<CallId>,
    /// `AgentStartedSpeaking` came, its end signals did not.
    started: bool,
    /// Text or audio came since.
    gave_output: bool,
    closed: [bool; 2],
    gone: [bool; 2],
    finished: bool,
}

impl Oracle {
    /// Notes an input, before its effects.
    pub(super) fn before(&mut self, input: &Input) {
        match input {
            Input::Client(ClientMessage::Settings(_)) => self.settings += 1,
            Input::ClientClosed(_) => self.gone[Leg::Client as usize] = true,
            Input::UpstreamClosed { .. } | Input::UpstreamRefused(_) => {
                self.gone[Leg::Upstream as usize] = true;
            }
            Input::Upstream(event) => self.upstream(event),
            Input::FunctionFinished { call_id, .. } => _ = self.running.remove(call_id),
            _ => (),
        }
    }

    fn upstream(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::SessionUpdated(_) => (self.updated, self.updating) = (true, false),
            ServerEvent::ResponseCreated(created) => {
                if let Some(id) = id_of(created).filter(|id| !self.ended.contains(id)) {
                    self.announced.insert(id);
                }
            }
            ServerEvent::ResponseDone(done) => {
                self.requested = false;
                if let Some(id) = id_of(done) {
                    self.announced.remove(&id);
                    self.ended.insert(id);
                }
            }
            // Whatever else can end a response that was never announced.
            ServerEvent::OutputTextDone(_) => self.requested = false,
            ServerEvent::Error(_) => (self.requested, self.updating) = (false, false),
            // R8: so does the output of a call that it made.
            ServerEvent::ItemDone(done) => {
                let output =
                    done.item.as_ref().filter(|item| item.kind.as_deref() == Some("function_call_output"));
                let call = output.and_then(|item| item.call_id.as_ref());
                self.requested &= !call.is_some_and(|call| self.answered.contains(call));
            }
            _ => (),
        }
    }

    /// Judges the effects of an input; the broken invariant, if one is.
    pub(super) fn after(&mut self, effects: &[Effect]) -> Result<(), String> {
        for effect in effects {
            self.effect(effect)
                .map_err(|broken| format!("broken: {broken}\nby: {}", render::line(effect)))?;
        }
        Ok(())
    }

    fn effect(&mut self, effect: &Effect) -> Result<(), &'static str> {
        require(
            !self.finished || matches!(effect, Effect::Ignored(Rule::CloseOnce)),
            "nothing follows the end",
        )?;
        match effect {
            Effect::ToClient(frame) => {
                require(!self.closed[Leg::Client as usize], "nothing goes to a client that was closed")?;
                self.client_frame(frame)
            }
            Effect::ToUpstream(frame) => {
                require(!self.closed[Leg::Upstream as usize], "nothing goes to an upstream that was closed")?;
                self.upstream_frame(frame)
            }
            Effect::Execute(run) => {
                require(self.updated, "no function runs before session.updated")?;
                require(!self.gone[Leg::Client as usize], "no function runs for a client that has gone")?;
                require(self.here.remove(&run.id), "a call runs once, and not if it is the client's")?;
                self.running.insert(run.id.clone());
                Ok(())
            }
            Effect::CancelFunction(id) => require(self.running.remove(id), "what is stopped runs"),
            Effect::RanOut(rule) => {
                self.updating &= *rule != Rule::OneSessionUpdate;
                if *rule == Rule::OneActiveResponse {
                    self.requested = false;
                    self.ended.extend(self.announced.drain());
                }
                Ok(())
            }
            Effect::Close { leg, .. } => {
                require(!self.closed[*leg as usize], "each side is closed once")?;
                self.closed[*leg as usize] = true;
                Ok(())
            }
            Effect::HangUp(leg) => {
                self.gone[*leg as usize] = true;
                Ok(())
            }
            Effect::Finished => {
                self.finished = true;
                require(self.running.is_empty(), "no function outlives its connection")?;
                require(self.gone == [true; 2], "the connection ends when both legs are gone")
            }
            Effect::OpenUpstream
            | Effect::UseAudio(_)
            | Effect::Ping(_)
            | Effect::Pause(_)
            | Effect::Resume(_)
            | Effect::Held(_)
            | Effect::Ignored(_) => Ok(()),
        }
    }

    fn client_frame(&mut self, frame: &ClientFrame) -> Result<(), &'static str> {
        let message = match frame {
            ClientFrame::Audio(_) => {
                self.gave_output = true;
                return require(
                    self.started || self.responses_overlap,
                    "audio comes after AgentStartedSpeaking and before the end signals",
                );
            }
            ClientFrame::Frame(_) => return Err("a gate passes no frames through"),
            ClientFrame::Message(message) => &**message,
        };
        match message {
            ServerMessage::SettingsApplied(_) => {
                self.applied += 1;
                require(self.updated, "SettingsApplied follows session.updated")?;
                require(self.applied <= self.settings, "one SettingsApplied for each Settings")
            }
            ServerMessage::ConversationText(text) if text.role == Role::Assistant => {
                self.gave_output |= self.started;
                Ok(())
            }
            ServerMessage::AgentStartedSpeaking(_) => {
                let paid = !(self.started && self.gave_output) || self.responses_overlap;
                (self.started, self.gave_output) = (true, false);
                require(paid, "end signals come before the next response's first")
            }
            ServerMessage::AgentAudioDone(_) => {
                (self.started, self.gave_output) = (false, false);
                Ok(())
            }
            ServerMessage::FunctionCallRequest(request) => {
                let here = request.functions.iter().filter(|call| !call.client_side);
                self.here.extend(here.map(|call| call.id.clone()));
                let mut calls = request.functions.iter();
                require(
                    calls.all(|call| self.handed_out.insert(call.id.clone())),
                    "each call is handed out once",
                )
            }
            _ => Ok(()),
        }
    }

    fn upstream_frame(&mut self, frame: &UpstreamFrame) -> Result<(), &'static str> {
        let UpstreamFrame::Event(event) = frame else {
            return require(self.updated, "no audio before session.updated");
        };
        match &**event {
            ClientEvent::SessionUpdate(_) => {
                require(!self.updating, "one session.update is under way at a time")?;
                self.updating = true;
                Ok(())
            }
            ClientEvent::CreateResponse(_) => {
                require(!self.requested && self.announced.is_empty(), "at most one response runs")?;
                self.requested = true;
                require(self.updated, "no response before session.updated")
            }
            ClientEvent::CreateItem(create) => {
                require(self.updated, "no item before session.updated")?;
                let Some(call) = create.item.as_ref().and_then(|item| item.call_id.clone()) else {
                    return Ok(());
                };
                let output = create.item.as_ref().and_then(|item| item.output.as_ref()?.as_str());
                // Those that were refused are answered for the client.
                let refused = output.is_some_and(|output| REFUSALS.contains(&output));
                let known = refused || self.handed_out.contains(&call);
                require(known, "only calls that were handed out are answered")?;
                require(self.answered.insert(call), "one answer per call goes upstream")
            }
            _ => require(self.updated, "nothing but the update before session.updated"),
        }
    }

    /// Judges a connection that has had all the time it could need.
    pub(super) fn settled(&self) -> Result<(), &'static str> {
        require(self.handed_out.is_subset(&self.answered), "every call that was handed out is answered")?;
        require(self.running.is_empty(), "nothing runs that was answered")?;
        let paid = !(self.started && self.gave_output) || self.responses_overlap;
        require(paid, "every response that gave output has its end signals")
    }

    /// Whether the gateway runs this call now.
    pub(super) fn runs(&self, call: &str) -> bool {
        self.running.contains(&CallId::from(call))
    }

    /// Settings that came, and how many of them were answered.
    pub(super) fn settings(&self) -> (usize, usize) {
        (self.settings, self.applied)
    }
}

/// What the model is told of calls that nobody was handed.
const REFUSALS: [&str; 2] = [
    r#"{"error":"the function call is too large to be handed out"}"#,
    r#"{"error":"too many function calls wait for their answers"}"#,
];

fn id_of(event: &ResponseEvent) -> Option<ResponseId> {
    event.response_id.clone().or_else(|| event.response.as_ref()?.id.clone())
}

fn require(holds: bool, invariant: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(invariant) }
}
