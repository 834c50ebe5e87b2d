//! R8 and R9: calls go to the client or the pool, answers go upstream, and all answers of a response make one wish.

use std::time::Instant;

use super::{
    Effect, Gate, Leg, Rule, Wish,
    calls::{OpenCall, Refusal, Runner},
    effect::fits_client,
    model_call::{ModelCall, note_call},
    turn::Owner,
};
use crate::{
    protocol::{
        agent::{
            CancelledCall, FunctionCall, FunctionCallAnswer, FunctionCallCancelled, FunctionCallRequest,
            ServerMessage,
        },
        ids::CallId,
    },
    translate::{to_client, to_upstream},
};

/// What the model is told of a call that nobody answered.
const NO_ANSWER: &str = "no answer in time";

impl Gate {
    /// An event showed a call, or a part of one. An unannounced response hands it out at once; an
    /// announced one at its end.
    pub(super) fn model_call(&mut self, owner: Owner, call: ModelCall, complete: bool, now: Instant) {
        let Some(response) = self.turn.get_mut(owner) else {
            return self.ignored(Rule::AnswersBeforeResponse);
        };
        response.moments.call(now);
        let Some(known) = note_call(&mut response.calls, call) else {
            return self.ignored(Rule::AnswersBeforeResponse);
        };
        let ready = complete && known.arguments.is_some() && known.name.is_some() && known.call_id.is_some();
        let waits = matches!(owner, Owner::Announced(_)) && Rule::AnswersBeforeResponse.is_on();
        if ready && !waits {
            // The client has the arguments then, or never will.
            let call = ModelCall { arguments: known.arguments.take(), ..known.clone() };
            self.hand_out(owner, vec![call], false, now);
        }
    }

    /// Hands out the calls of an announced response that has ended (R8).
    pub(super) fn hand_out_at_end(&mut self, owner: Owner, status: EndStatus, now: Instant) {
        let Some(response) = self.turn.get_mut(owner) else { return };
        let mut calls = std::mem::take(&mut response.calls);
        let may_run = |call: &ModelCall| match (status, call.status.as_deref()) {
            (EndStatus::Completed | EndStatus::Incomplete | EndStatus::GivenUp, Some("completed")) => true,
            // A server that never says an item's status still says that the response is complete.
            (EndStatus::Completed, None) => true,
            _ => false,
        };
        calls.retain(|call| may_run(call) || Rule::AnswersBeforeResponse.is_off());
        calls.sort_by_key(|call| {
            call.index.filter(|_| Rule::AnswersBeforeResponse.is_on()).unwrap_or(u32::MAX)
        });
        self.hand_out(owner, calls, true, now);
    }

    fn hand_out(&mut self, owner: Owner, calls: Vec<ModelCall>, ended: bool, now: Instant) {
        if self.closing.client_gone() && Rule::AnswersBeforeResponse.is_on() {
            return self.ignored(Rule::AnswersBeforeResponse);
        }
        let deadline = now + self.limits.call_timeout;
        let Some(serial) = self.turn.get_mut(owner).map(|response| response.serial) else { return };
        let mut functions = self.new_calls(calls);
        if functions.is_empty() && Rule::AnswersBeforeResponse.is_on() {
            return;
        }
        let open = functions.iter_mut().map(|call| {
            let runner = self.runner(&call.name);
            call.client_side = matches!(runner, Runner::Client);
            let arguments = match call.client_side && !self.history {
                true => String::new(),
                false => call.arguments.clone(),
            };
            OpenCall::new(call.id.clone(), call.name.clone(), arguments, deadline, runner)
        });
        let open: Vec<OpenCall> = open.collect();
        let request = ServerMessage::FunctionCallRequest(FunctionCallRequest { functions });
        let refusal = self.refusal(&request, &open);
        for call in open {
            let call = match refusal {
                Some(why) => call.refused(why, now),
                None => call,
            };
            self.calls.hand_out(serial, ended, call);
        }
        if let Some(why) = refusal {
            let description = format!("{}; the model is told", why.reason());
            match why {
                Refusal::TooLarge => self.tell_warning("MESSAGE_TOO_LARGE", description),
                Refusal::TooMany => self.tell_warning("TOO_MANY_FUNCTION_CALLS", description),
            }
            return self.expire_calls(now);
        }
        if self.component {
            self.start_speaking(owner, now);
        }
        if let Some(response) = self.turn.get_mut(owner) {
            response.handed_out = true;
        }
        self.tell(request);
        self.tell_of_running_functions();
    }

    /// The calls that are complete and were never shown before, as if the client were to run them.
    fn new_calls(&mut self, calls: Vec<ModelCall>) -> Vec<FunctionCall> {
        let mut functions = Vec::new();
        for call in calls {
            let (Some(id), Some(name)) = (call.call_id, call.name) else {
                self.ignored(Rule::AnswersBeforeResponse);
                continue;
            };
            if !self.calls.first_time(&id) && Rule::AnswersBeforeResponse.is_on() {
                self.ignored(Rule::AnswersBeforeResponse);
                continue;
            }
            let arguments = call.arguments.unwrap_or_else(|| "{}".to_owned());
            functions.push(FunctionCall { id, name, arguments, client_side: true, thought_signature: None });
        }
        functions
    }

    /// Why the client cannot be handed these calls, if it cannot.
    fn refusal(&self, request: &ServerMessage, calls: &[OpenCall]) -> Option<Refusal> {
        let bytes = calls.iter().map(OpenCall::bytes).sum::<usize>();
        if !fits_client(request) && Rule::AnswersBeforeResponse.is_on() {
            return Some(Refusal::TooLarge);
        }
        (self.calls.bytes() + bytes > self.limits.leg).then_some(Refusal::TooMany)
    }

    /// The client answered a call.
    pub(super) fn client_answer(&mut self, answer: &FunctionCallAnswer, now: Instant) {
        let call = self.calls.answer_of_client(&answer.id, now, self.patience());
        if call.is_none() && Rule::OneAnswerPerCall.is_on() {
            self.ignored(Rule::OneAnswerPerCall);
            let description = format!("no open function call has the id {}", answer.id);
            return self.tell_warning("UNKNOWN_FUNCTION_CALL", description);
        }
        let output = to_upstream::answer_output(answer);
        self.send_output(answer.id.clone(), output.clone(), now);
        self.tell(to_client::agent_thinking());
        if let Some(call) = call {
            self.tell_call_history(call, output);
        }
    }

    /// The call with its answer enters the conversation.
    pub(super) fn tell_call_history(&mut self, call: OpenCall, response: String) {
        if self.history {
            let OpenCall { id, name, arguments, runner, .. } = call;
            let client_side = matches!(runner, Runner::Client);
            let call = FunctionCall { id, name, arguments, client_side, thought_signature: None };
            self.tell(to_client::history_call(call, response));
        }
    }

    pub(super) fn send_output(&mut self, call_id: CallId, output: String, now: Instant) {
        let event_id = self.next_event_id();
        let item_id = self.next_item_id();
        self.push_event(to_upstream::function_call_output(event_id, item_id, call_id, output));
        self.speech.user_turn_ended(now);
    }

    /// The calls whose time is over are answered for the client: those that it was handed and did not answer,
    /// and those that it was never handed.
    pub(super) fn expire_calls(&mut self, now: Instant) {
        if !self.opening.session_open() && Rule::InputWaitsForSession.is_on() {
            return;
        }
        let overdue = self.calls.overdue(self.flow.reads(Leg::Client), now);
        let clients = overdue.iter().filter(|call| matches!(call.runner, Runner::Client));
        let functions: Vec<CancelledCall> =
            clients.map(|call| CancelledCall { id: call.id.clone(), name: call.name.clone() }).collect();
        if !functions.is_empty() {
            self.ran_out(Rule::AnswersBeforeResponse);
            self.tell(ServerMessage::FunctionCallCancelled(FunctionCallCancelled { functions }));
        }
        for call in overdue {
            let error = match call.runner {
                Runner::Pool { .. } => {
                    self.ran_out(Rule::AnswersBeforeResponse);
                    self.effects.push(Effect::CancelFunction(call.id.clone()));
                    self.function_finished(&call.id, Err(NO_ANSWER.to_owned()), now);
                    continue;
                }
                Runner::Nobody(why) => why.reason(),
                Runner::Client | Runner::Stopped => NO_ANSWER,
            };
            let output = to_upstream::error_output(error);
            self.send_output(call.id.clone(), output.clone(), now);
            if let Some(call) = self.calls.answer_overdue(&call.id, now, self.patience())
                && matches!(call.runner, Runner::Client)
            {
                self.tell_call_history(call, output);
            }
        }
    }

    pub(super) fn expire_call_ends(&mut self, now: Instant) {
        if self.calls.expire_ends(now) {
            self.ran_out(Rule::AnswersBeforeResponse);
        }
    }

    /// Every call of a response is answered and the response has ended: that is one wish.
    pub(super) fn settle_calls(&mut self) {
        for calls in self.calls.take_settled() {
            let unconfirmed = calls.into_iter().filter(|call| !self.shown_outputs.contains(call)).collect();
            self.wishes.push(Wish { unconfirmed, verbatim: None });
        }
    }
}

/// How an announced response ended, as far as its calls are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndStatus {
    /// `completed`.
    Completed,
    /// `incomplete`.
    Incomplete,
    /// R6 gave it up.
    GivenUp,
    /// `cancelled`, `failed`.
    Void,
}

impl From<Option<&str>> for EndStatus {
    fn from(status: Option<&str>) -> Self {
        match status {
            // A server that sends no status says nothing against it.
            Some("completed") | None => Self::Completed,
            Some("incomplete") => Self::Incomplete,
            _ => Self::Void,
        }
    }
}
