//! R8 and R9 for the functions that the gateway runs: which they are, when they start, what becomes of what
//! they return. Knows nothing of where or how a function runs.

use std::time::{Duration, Instant};

use super::{Effect, Gate, Rule, calls::Runner};
use crate::{
    config::{DEFAULT_RESPONSE_BYTES, DEFAULT_TIMEOUT, FunctionCalls},
    protocol::{
        agent::{FunctionCallResponse, ServerMessage},
        ids::CallId,
    },
    translate::{to_client, to_upstream},
};

/// How much later than its own deadline a function may report before it is given up.
pub(super) const GRACE: Duration = Duration::from_secs(5);

impl Gate {
    /// Who runs the function of this name: the operator's route goes before the client's endpoint.
    pub(super) fn runner(&self, name: &str) -> Runner {
        let FunctionCalls::Server(functions) = &self.backend.function_calls else { return Runner::Client };
        let (endpoint, timeout, longest_answer) = match functions.route(name, Some(&self.backend.name)) {
            Some(route) => (None, route.timeout, route.max_response_bytes),
            None => match self.updates.endpoint(name) {
                Some(endpoint) => (Some(endpoint.clone()), DEFAULT_TIMEOUT, DEFAULT_RESPONSE_BYTES),
                None => return Runner::Client,
            },
        };
        Runner::Pool { endpoint, patience: timeout + GRACE, longest_answer, started: false }
    }

    /// Starts the functions that were handed out to the pool, once what they return may go up, and as many as
    /// there is memory for what they may return. So no session has all places of the pool either.
    pub(super) fn start_functions(&mut self, now: Instant) {
        if !self.opening.session_open() && Rule::InputWaitsForSession.is_on() {
            return;
        }
        // Over the budget a deadline runs; under it each call that waits has one before it that runs.
        let waiting = self.to_upstream.bytes();
        if waiting > self.limits.leg && Rule::AnswersBeforeResponse.is_on() {
            return;
        }
        let room = self.limits.leg.saturating_sub(waiting);
        for run in self.calls.start(self.history, room, now) {
            self.effects.push(Effect::Execute(Box::new(run)));
        }
    }

    /// A function is over: the model is told, and so is the client.
    pub(super) fn function_finished(&mut self, id: &CallId, outcome: Result<String, String>, now: Instant) {
        let call = self.calls.answer_of_pool(id, now, self.patience());
        if call.is_none() && Rule::OneAnswerPerCall.is_on() {
            return self.ignored(Rule::OneAnswerPerCall);
        }
        let output = outcome.unwrap_or_else(|error| to_upstream::error_output(&error));
        self.send_output(id.clone(), output.clone(), now);
        if let Some(call) = call {
            self.tell(ServerMessage::FunctionCallResponse(FunctionCallResponse {
                id: Some(id.clone()),
                name: call.name.clone(),
                content: output.clone(),
                thought_signature: None,
            }));
            self.tell(to_client::agent_thinking());
            self.tell_call_history(call, output);
        }
    }

    /// The component hangs up on an agent that it takes for idle, and does not know of functions that run
    /// here.
    pub(super) fn tell_of_running_functions(&mut self) {
        if self.component && self.calls.open_in_pool() {
            self.tell(to_client::agent_thinking());
        }
    }

    /// Nobody is there any more for what the functions return.
    pub(super) fn cancel_functions(&mut self) {
        for id in self.calls.stop() {
            self.effects.push(Effect::CancelFunction(id));
        }
    }
}
