//! Calls that the gateway has taken over from a `FunctionCallRequest`: when they start, and what becomes of what
//! they return. Knows nothing of where or how a function runs.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::Relay;
use crate::{
    config::{FunctionCalls, Route},
    gate::{Effect, FunctionRun, Phase, Rule, effect::fitting, functions::GRACE, items::RecentIds},
    protocol::{
        agent::{FunctionCallResponse, ServerMessage},
        ids::CallId,
    },
    translate::{
        deepgram::{self, TakenCall, TakenOver},
        to_upstream,
    },
};

#[derive(Default)]
pub(super) struct PoolCalls {
    waiting: VecDeque<TakenCall>,
    running: Vec<Running>,
    /// Those that were taken over, also when they are over.
    taken: RecentIds<CallId>,
}

struct Running {
    call: TakenCall,
    longest_answer: usize,
    given_up: Instant,
}

impl PoolCalls {
    /// Whether the call is, or was, the gateway's to answer.
    pub(super) fn is_taken(&self, id: &CallId) -> bool {
        self.taken.contains(id)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.running.iter().map(|running| running.given_up).min()
    }

    /// The next call, if the longest answers of all that run fit into `room` bytes with its own; one runs in any
    /// case, or a small budget would keep all waiting.
    fn next(
        &mut self,
        room: usize,
        bounds: impl Fn(&str) -> (Duration, usize),
        now: Instant,
    ) -> Option<TakenCall> {
        let (timeout, longest_answer) = bounds(&self.waiting.front()?.name);
        let expected: usize = self.running.iter().map(|running| running.longest_answer).sum();
        if !self.running.is_empty() && expected + longest_answer > room {
            return None;
        }
        let call = self.waiting.pop_front()?;
        self.running.push(Running { call: call.clone(), longest_answer, given_up: now + timeout + GRACE });
        Some(call)
    }

    fn finished(&mut self, id: &CallId) -> Option<TakenCall> {
        let at = self.running.iter().position(|running| running.call.id == *id)?;
        Some(self.running.remove(at).call)
    }
}

impl Relay {
    /// Takes the calls of a request over that the gateway runs; the request as the client is told.
    pub(super) fn take_over(&mut self, request: &str) -> Option<String> {
        let TakenOver { text, calls } = deepgram::take_over(request, &self.backend)?;
        for call in calls {
            // One that is asked for again is neither run nor answered again.
            if self.calls.taken.insert(&call.id) {
                self.calls.waiting.push_back(call);
            } else {
                self.effects.push(Effect::Ignored(Rule::OneAnswerPerCall));
            }
        }
        Some(text)
    }

    /// Starts as many calls as there is memory for what they may return. So no session has all places of the pool
    /// either.
    pub(super) fn start_functions(&mut self, now: Instant) {
        if self.phase != Phase::Active {
            return;
        }
        // What they return is kept once for each leg.
        let up = self.to_upstream.bytes() + self.up.own_bytes();
        let down = self.to_client.bytes() + self.down.own_bytes();
        let Some(room) = self.limits.leg.checked_sub(up.max(down)) else { return };
        let backend = std::sync::Arc::clone(&self.backend);
        let FunctionCalls::Server(functions) = &backend.function_calls else { return };
        let bounds = |name: &str| {
            let route = functions.route(name, Some(&backend.name));
            route.map_or((Duration::ZERO, 0), |Route { timeout, max_response_bytes, .. }| {
                (*timeout, *max_response_bytes)
            })
        };
        while let Some(call) = self.calls.next(room, bounds, now) {
            let TakenCall { id, name, arguments, .. } = call;
            self.effects.push(Effect::Execute(FunctionRun { id, name, arguments, endpoint: None }));
        }
    }

    /// A function is over: Deepgram is told, and then the client.
    pub(super) fn function_finished(&mut self, id: &CallId, outcome: Result<String, String>) {
        let Some(call) = self.calls.finished(id) else {
            return self.effects.push(Effect::Ignored(Rule::OneAnswerPerCall));
        };
        let content = outcome.unwrap_or_else(|error| to_upstream::error_output(&error));
        self.say_up(deepgram::function_call_response(&call, &content));
        let told = ServerMessage::FunctionCallResponse(FunctionCallResponse {
            id: Some(call.id),
            name: call.name,
            content,
            thought_signature: None,
        });
        self.say_down(fitting(told).encode());
    }

    /// Calls that have not reported long after their own deadline: Deepgram is not left waiting.
    pub(super) fn expire_functions(&mut self, now: Instant) {
        let due = |running: &Running| running.given_up <= now;
        let overdue: Vec<_> = self.calls.running.iter().filter(|running| due(running)).collect();
        let overdue: Vec<_> = overdue.into_iter().map(|running| running.call.id.clone()).collect();
        for id in overdue {
            self.effects.push(Effect::RanOut(Rule::AnswersBeforeResponse));
            self.effects.push(Effect::CancelFunction(id.clone()));
            self.function_finished(&id, Err("no answer in time".to_owned()));
        }
    }

    /// Deepgram waits for these no more.
    pub(super) fn cancel_calls(&mut self, ids: &[CallId]) {
        for id in ids {
            self.calls.waiting.retain(|call| call.id != *id);
            if self.calls.finished(id).is_some() {
                self.effects.push(Effect::CancelFunction(id.clone()));
            }
        }
    }

    /// Nobody is there any more for what the functions return.
    pub(super) fn cancel_all_calls(&mut self) {
        self.calls.waiting.clear();
        for running in self.calls.running.drain(..) {
            self.effects.push(Effect::CancelFunction(running.call.id));
        }
    }
}
