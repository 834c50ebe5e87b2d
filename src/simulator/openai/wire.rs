//! The way out: numbers events, makes the scripted trouble that concerns sending, and holds what is delayed.
//! Knows nothing of why an event is sent.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};

use super::{
    account::Account,
    beta::{Api, beta_name},
    options::Options,
};
use crate::simulator::socket::Output;

/// Events on their way, oldest first.
#[derive(Debug, Default)]
pub(super) struct Wire {
    api: Api,
    account: Account,
    queue: VecDeque<(Duration, Item)>,
    /// Events that were taken and have not left, as far as they go on the account.
    taken: VecDeque<Option<Value>>,
    numbered: u64,
    sent: usize,
    has_sent_updated: bool,
    is_closed: bool,
}

#[derive(Debug)]
enum Item {
    Event(Value),
    Close(u16, &'static str),
}

impl Wire {
    /// Nothing on its way yet to a client that speaks this API; what leaves and cost something goes on `account`.
    pub(super) fn new(api: Api, account: Account) -> Self {
        Self { api, account, ..Self::default() }
    }

    /// Sends an event, unless the options say otherwise.
    pub(super) fn push(&mut self, event: Value, now: Duration, options: &Options) {
        let name = event["type"].as_str().expect("an event of ours has a type").to_owned();
        let is_announcement = name == "response.created" || name == "response.done";
        if options.silent || options.drop.contains(&name) || (is_announcement && !options.announce) {
            return;
        }
        let Some(mut event) = self.api.shown(event) else { return };
        if options.beta_names {
            let Some(beta) = beta_name(&name) else { return };
            event["type"] = json!(beta);
        }
        self.numbered += 1;
        event["event_id"] = json!(format!("event_{}", self.numbered));
        self.queue.push_back((now + options.delay, Item::Event(event)));
    }

    /// Ends the connection after everything that was sent before.
    pub(super) fn close(&mut self, code: u16, reason: &'static str, now: Duration, options: &Options) {
        if !options.silent {
            self.queue.push_back((now + options.delay, Item::Close(code, reason)));
        }
    }

    /// When the next event leaves.
    pub(super) fn due(&self) -> Option<Duration> {
        self.queue.front().map(|(at, _)| *at).filter(|_| !self.is_closed)
    }

    /// Everything that leaves by now; nothing after a close.
    pub(super) fn take(&mut self, now: Duration, options: &Options) -> Vec<Output> {
        let mut outputs = Vec::new();
        while !self.is_closed && self.due().is_some_and(|at| at <= now) {
            let (_, item) = self.queue.pop_front().expect("something is due");
            let close = match item {
                Item::Event(event) => {
                    self.sent += 1;
                    self.has_sent_updated |= event["type"] == "session.updated";
                    outputs.push(Output::Text(event.to_string()));
                    self.taken.push_back(Some(event).filter(Account::concerns));
                    let is_last = options.close_after.is_some_and(|count| self.sent >= count);
                    is_last.then_some((options.close_code, "closed by the simulator"))
                }
                Item::Close(code, reason) => Some((code, reason)),
            };
            if let Some((code, reason)) = close {
                self.is_closed = true;
                outputs.push(Output::Close { code, reason: reason.to_owned() });
            }
        }
        outputs
    }

    /// The first event of those that were taken has left.
    pub(super) fn left(&mut self) {
        if let Some(Some(event)) = self.taken.pop_front() {
            self.account.note(&event);
        }
    }

    /// Whether the client can have seen a `session.updated`.
    pub(super) fn has_sent_updated(&self) -> bool {
        self.has_sent_updated
    }

    /// Whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }
}
