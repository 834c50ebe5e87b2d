//! Calls that the gateway has taken over from a `FunctionCallRequest`: when they start, and what becomes of what
//! they return. Knows nothing of where or how a function runs.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

use super::Relay;
use crate::{
    config::{FunctionCalls, Route},
    gate::{
        BASE_WEIGHT, Effect, FunctionRun, Phase, Rule, effect::fitting, functions::GRACE, items::RecentIds,
    },
    protocol::{
        agent::{FunctionCallResponse, ServerMessage},
        ids::CallId,
    },
    translate::{
        deepgram::{self, TakenCall, TakenOver},
        to_upstream,
    },
};

/// How many calls wait at most.
const MOST_WAITING: usize = 1_024;

#[derive(Default)]
pub(super) struct PoolCalls {
    waiting: VecDeque<TakenCall>,
    running: Vec<Running>,
    /// Those that were taken over, also when they are over.
    taken: RecentIds<CallId>,
}

struct Running {
    /// Without its arguments, which the function has.
    call: TakenCall,
    weight: usize,
    longest_answer: usize,
    given_up: Instant,
}

impl PoolCalls {
    /// Whether the call is, or was, the gateway's to answer.
    pub(super) fn is_taken(&self, id: &CallId) -> bool {
        let mut open = self.waiting.iter().chain(self.running.iter().map(|running| &running.call));
        self.taken.contains(id) || open.any(|call| call.id == *id)
    }

    /// Whether any waits or runs.
    pub(super) fn are_under_way(&self) -> bool {
        !self.waiting.is_empty() || !self.running.is_empty()
    }

    /// What the calls that wait or run keep in memory, nearly.
    pub(super) fn weight(&self) -> usize {
        let running: usize = self.running.iter().map(|running| running.weight).sum();
        running + self.waiting.iter().map(weight).sum::<usize>()
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
    ) -> Option<FunctionRun> {
        let (timeout, longest_answer) = bounds(&self.waiting.front()?.name);
        let expected: usize = self.running.iter().map(|running| running.longest_answer).sum();
        if !self.running.is_empty() && expected + longest_answer > room {
            return None;
        }
        let mut call = self.waiting.pop_front()?;
        let weight = weight(&call);
        let arguments = std::mem::take(&mut call.arguments);
        let run = FunctionRun { id: call.id.clone(), name: call.name.clone(), arguments, endpoint: None };
        self.running.push(Running { call, weight, longest_answer, given_up: now + timeout + GRACE });
        Some(run)
    }

    fn finished(&mut self, id: &CallId) -> Option<TakenCall> {
        let at = self.running.iter().position(|running| running.call.id == *id)?;
        Some(self.running.remove(at).call)
    }
}

fn weight(call: &TakenCall) -> usize {
    let TakenCall { id, name, arguments, thought_signature } = call;
    let signature = thought_signature.as_ref().map_or(0, String::len);
    BASE_WEIGHT + id.as_str().len() + name.len() + arguments.len() + signature
}

impl Relay {
    /// Takes the calls of a request over that the gateway runs; the request as the client is told. Calls that there is
    /// no memory for stay the client's: an answer to each would take memory as well.
    pub(super) fn take_over(&mut self, request: &str) -> Option<String> {
        let calls = &self.calls;
        let (mut bytes, mut waiting) = (calls.weight(), calls.waiting.len());
        let admits = |call: &TakenCall| {
            if calls.is_taken(&call.id) {
                return true;
            }
            let weight = weight(call);
            // One that is alone is taken whatever it weighs.
            let fits = bytes == 0 || bytes + weight <= self.limits.leg && waiting < MOST_WAITING;
            if fits {
                (bytes, waiting) = (bytes + weight, waiting + 1);
            }
            fits
        };
        let TakenOver { text, calls } = deepgram::take_over(request, &self.backend, admits)?;
        for call in calls {
            // One that is asked for again is neither run nor answered again.
            if self.calls.is_taken(&call.id) {
                self.effects.push(Effect::Ignored(Rule::OneAnswerPerCall));
            } else {
                self.calls.taken.insert(&call.id);
                self.calls.waiting.push_back(call);
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
        while let Some(run) = self.calls.next(room, bounds, now) {
            self.effects.push(Effect::Execute(Box::new(run)));
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
        let ids: HashSet<_> = ids.iter().collect();
        self.calls.waiting.retain(|call| !ids.contains(&call.id));
        let cancelled = self.calls.running.extract_if(.., |running| ids.contains(&running.call.id));
        self.effects.extend(cancelled.map(|running| Effect::CancelFunction(running.call.id)));
    }

    /// Nobody is there any more for what the functions return.
    pub(super) fn cancel_all_calls(&mut self) {
        self.calls.waiting.clear();
        for running in self.calls.running.drain(..) {
            self.effects.push(Effect::CancelFunction(running.call.id));
        }
    }
}
