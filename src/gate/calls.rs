//! Function calls that were handed out (rules R8, R9): to whom, which answers are missing, and when all of a
//! response's are in. Knows nothing of how the model made them.

use std::time::{Duration, Instant};

use super::{FunctionRun, Rule, items::RecentIds};
use crate::{protocol::ids::CallId, translate::functions::Endpoint};

/// A call that waits for its answer.
#[derive(Debug, Clone)]
pub(super) struct OpenCall {
    pub(super) id: CallId,
    pub(super) name: String,
    /// JSON text, where it is still needed.
    pub(super) arguments: String,
    /// When it is answered for want of another answer.
    pub(super) deadline: Instant,
    /// Who is to answer it.
    pub(super) runner: Runner,
    /// What it takes, bytes: also what the pool has taken over, which it holds until the call is over.
    bytes: usize,
}

/// Who answers a call.
#[derive(Debug, Clone)]
pub(super) enum Runner {
    /// The client, which was handed it.
    Client,
    /// The pool.
    Pool {
        /// Where the client has it run; else its route says where.
        endpoint: Option<Endpoint>,
        /// How long it is waited for.
        patience: Duration,
        /// How long its answer may be, bytes.
        longest_answer: usize,
        /// Whether it has been asked for.
        started: bool,
    },
    /// Nobody was handed it.
    Nobody(Refusal),
    /// Nobody: it was stopped, with nobody there to be told.
    Stopped,
}

impl OpenCall {
    pub(super) fn new(
        id: CallId,
        name: String,
        arguments: String,
        deadline: Instant,
        runner: Runner,
    ) -> Self {
        let endpoint = match &runner {
            Runner::Pool { endpoint: Some(endpoint), .. } => endpoint.bytes(),
            Runner::Pool { endpoint: None, .. } | Runner::Client | Runner::Nobody(_) | Runner::Stopped => 0,
        };
        let bytes = size_of::<Self>() + id.as_str().len() + name.len() + arguments.len() + endpoint;
        Self { id, name, arguments, deadline, runner, bytes }
    }

    /// Nobody is handed it, so that nobody's answer is waited for.
    pub(super) fn refused(self, why: Refusal, now: Instant) -> Self {
        Self::new(self.id, self.name, String::new(), now, Runner::Nobody(why))
    }

    /// What it takes until it is answered, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Why calls are not handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Their request would be larger than a client takes.
    TooLarge,
    /// So many wait already that this connection has no memory for more.
    TooMany,
}

impl Refusal {
    /// For the client and for the model, which may do better next time.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "the function call is too large to be handed out",
            Self::TooMany => "too many function calls wait for their answers",
        }
    }
}

/// The calls of one response that were handed out together, or, for an unannounced one, since its start.
#[derive(Debug)]
struct Group {
    response: u32,
    ended: bool,
    open: Vec<OpenCall>,
    answered: Vec<CallId>,
    /// With no end in sight, when the answers count as enough.
    settled_by: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct FunctionCalls {
    groups: Vec<Group>,
    handed: RecentIds<CallId>,
}

impl FunctionCalls {
    /// Whether the call has never been handed out; from now on it counts as handed out.
    pub(super) fn first_time(&mut self, id: &CallId) -> bool {
        self.handed.insert(id)
    }

    /// The call goes to the client, which has until its deadline.
    pub(super) fn hand_out(&mut self, response: u32, ended: bool, call: OpenCall) {
        match self.groups.iter_mut().find(|group| group.response == response) {
            Some(group) => {
                group.open.push(call);
                group.settled_by = None;
            }
            None => self.groups.push(Group {
                response,
                ended,
                open: vec![call],
                answered: Vec::new(),
                settled_by: None,
            }),
        }
    }

    /// The client answers: the call, or none if nobody waits for that. With no end of the response in sight
    /// the answers are enough after `patience`.
    pub(super) fn answer_of_client(
        &mut self,
        id: &CallId,
        now: Instant,
        patience: Duration,
    ) -> Option<OpenCall> {
        let clients = |call: &OpenCall| matches!(call.runner, Runner::Client);
        self.answer(id, |call| clients(call) || Rule::OneAnswerPerCall.is_off(), now, patience)
    }

    /// The pool answers, as [`Self::answer_of_client`].
    pub(super) fn answer_of_pool(
        &mut self,
        id: &CallId,
        now: Instant,
        patience: Duration,
    ) -> Option<OpenCall> {
        let pools = |call: &OpenCall| matches!(call.runner, Runner::Pool { started: true, .. });
        self.answer(id, |call| pools(call) || Rule::OneAnswerPerCall.is_off(), now, patience)
    }

    /// The call is answered for whoever did not, as [`Self::answer_of_client`].
    pub(super) fn answer_overdue(
        &mut self,
        id: &CallId,
        now: Instant,
        patience: Duration,
    ) -> Option<OpenCall> {
        self.answer(id, |_| true, now, patience)
    }

    fn answer(
        &mut self,
        id: &CallId,
        may_answer: impl Fn(&OpenCall) -> bool,
        now: Instant,
        patience: Duration,
    ) -> Option<OpenCall> {
        for group in &mut self.groups {
            if let Some(at) = group.open.iter().position(|call| call.id == *id && may_answer(call)) {
                let call = group.open.remove(at);
                group.answered.push(call.id.clone());
                if group.open.is_empty() && !group.ended {
                    group.settled_by = Some(now + patience);
                }
                return Some(call);
            }
        }
        None
    }

    /// Whether a call waits for its answer.
    pub(super) fn open(&self) -> bool {
        self.groups.iter().any(|group| !group.open.is_empty())
    }

    /// Whether the pool has a call that waits for its answer.
    pub(super) fn open_in_pool(&self) -> bool {
        self.open_calls().any(|call| matches!(call.runner, Runner::Pool { .. }))
    }

    /// Those that the pool has not been asked for yet, in their order and each once, as long as the longest answers
    /// of all that run fit into `room` bytes. A call's arguments are kept if they are still needed afterwards.
    pub(super) fn start(&mut self, keep_arguments: bool, room: usize, now: Instant) -> Vec<FunctionRun> {
        let mut runs = Vec::new();
        let running = self.open_calls().map(|call| match call.runner {
            Runner::Pool { longest_answer, started: true, .. } => longest_answer,
            Runner::Pool { started: false, .. } | Runner::Client | Runner::Nobody(_) | Runner::Stopped => 0,
        });
        let mut expected: usize = running.sum();
        for call in self.groups.iter_mut().flat_map(|group| &mut group.open) {
            let Runner::Pool { endpoint, patience, longest_answer, started } = &mut call.runner else {
                continue;
            };
            if *started {
                continue;
            }
            // One runs in any case, or a small budget would keep all waiting.
            let alone = expected == 0;
            let fits = alone || expected + *longest_answer <= room;
            if !fits && Rule::AnswersBeforeResponse.is_on() {
                break;
            }
            expected += *longest_answer;
            *started = true;
            call.deadline = now + *patience;
            let arguments = match keep_arguments {
                true => call.arguments.clone(),
                false => std::mem::take(&mut call.arguments),
            };
            let (id, name) = (call.id.clone(), call.name.clone());
            runs.push(FunctionRun { id, name, arguments, endpoint: endpoint.take() });
        }
        runs
    }

    /// No call of the pool's is waited for any more: those that it has begun.
    pub(super) fn stop(&mut self) -> Vec<CallId> {
        let mut begun = Vec::new();
        for call in self.groups.iter_mut().flat_map(|group| &mut group.open) {
            if let Runner::Pool { started, .. } = call.runner {
                call.runner = Runner::Stopped;
                if started {
                    begun.push(call.id.clone());
                }
            }
        }
        begun
    }

    /// The unannounced response that made calls is over.
    pub(super) fn end(&mut self, response: u32) {
        for group in self.groups.iter_mut().filter(|group| group.response == response) {
            group.ended = true;
        }
    }

    /// Something came that ends every unannounced response which made calls.
    pub(super) fn end_all(&mut self) {
        for group in &mut self.groups {
            group.ended = true;
        }
    }

    /// The response that one of these answers belongs to, if it has not ended.
    pub(super) fn end_by_output(&mut self, id: &CallId) -> Option<u32> {
        let group = self.groups.iter_mut().find(|group| !group.ended && group.answered.contains(id))?;
        group.ended = true;
        Some(group.response)
    }

    /// Responses whose end was waited for long enough count as ended; whether there are any.
    pub(super) fn expire_ends(&mut self, now: Instant) -> bool {
        let mut any = false;
        for group in self.groups.iter_mut().filter(|group| !group.ended) {
            group.ended = group.settled_by.is_some_and(|by| by <= now);
            any |= group.ended;
        }
        any
    }

    /// Groups of which every call is answered and whose response has ended: the calls of each.
    pub(super) fn take_settled(&mut self) -> Vec<Vec<CallId>> {
        let mut settled = Vec::new();
        self.groups.retain_mut(|group| {
            let ended = group.ended || Rule::AnswersBeforeResponse.is_off();
            let answered = group.open.is_empty() || Rule::AnswersBeforeResponse.is_off();
            let done = answered && ended;
            if done {
                settled.push(std::mem::take(&mut group.answered));
            }
            !done
        });
        settled
    }

    /// Upstream is read again: every end has until `deadline`.
    pub(super) fn wait_anew_for_ends(&mut self, deadline: Instant) {
        for settled_by in self.groups.iter_mut().filter_map(|group| group.settled_by.as_mut()) {
            *settled_by = deadline;
        }
    }

    /// The client is read again: every answer has until `deadline`.
    pub(super) fn wait_anew_for_answers(&mut self, deadline: Instant) {
        for call in self.groups.iter_mut().flat_map(|group| &mut group.open) {
            if matches!(call.runner, Runner::Client) {
                call.deadline = deadline;
            }
        }
    }

    /// Calls whose time is over. An answer of a client that is not read cannot be missed.
    pub(super) fn overdue(&self, client_is_read: bool, now: Instant) -> Vec<OpenCall> {
        self.waiting(client_is_read).filter(|call| call.deadline <= now).cloned().collect()
    }

    fn waiting(&self, client_is_read: bool) -> impl Iterator<Item = &OpenCall> {
        self.open_calls().filter(move |call| match call.runner {
            Runner::Client => client_is_read,
            Runner::Pool { started, .. } => started,
            Runner::Nobody(_) => true,
            Runner::Stopped => false,
        })
    }

    fn open_calls(&self) -> impl Iterator<Item = &OpenCall> {
        self.groups.iter().flat_map(|group| &group.open)
    }

    /// What the calls that wait for their answers take, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.open_calls().map(OpenCall::bytes).sum()
    }

    /// When the next call is overdue.
    pub(super) fn deadline(&self, client_is_read: bool) -> Option<Instant> {
        self.waiting(client_is_read).map(|call| call.deadline).min()
    }

    /// When the next response counts as ended.
    pub(super) fn end_deadline(&self) -> Option<Instant> {
        let waiting = self.groups.iter().filter(|group| !group.ended);
        waiting.filter_map(|group| group.settled_by).min()
    }
}
