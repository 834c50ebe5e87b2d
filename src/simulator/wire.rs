//! The way out: numbers events, makes the scripted trouble that concerns sending, and holds what is delayed.
//! Knows nothing of why an event is sent.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};

use super::options::Options;

/// What leaves the simulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// An event as JSON text.
    Event(String),
    /// The end of the connection.
    Close { code: u16, reason: &'static str },
}

/// Events on their way, oldest first.
#[derive(Debug, Default)]
pub(super) struct Wire {
    queue: VecDeque<(Duration, Item)>,
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
    /// Sends an event, unless the options say otherwise.
    pub(super) fn push(&mut self, mut event: Value, now: Duration, options: &Options) {
        let name = event["type"].as_str().expect("an event of ours has a type").to_owned();
        let is_announcement = name == "response.created" || name == "response.done";
        if options.silent || options.drop.contains(&name) || (is_announcement && !options.announce) {
            return;
        }
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
                    outputs.push(Output::Event(event.to_string()));
                    let is_last = options.close_after.is_some_and(|count| self.sent >= count);
                    is_last.then_some((options.close_code, "closed by the simulator"))
                }
                Item::Close(code, reason) => Some((code, reason)),
            };
            if let Some((code, reason)) = close {
                self.is_closed = true;
                outputs.push(Output::Close { code, reason });
            }
        }
        outputs
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

/// The name of an event in the beta API ("OpenAI Realtime, Beta and GA names"); `None` where it has none.
fn beta_name(name: &str) -> Option<&str> {
    Some(match name {
        "response.output_text.delta" => "response.text.delta",
        "response.output_text.done" => "response.text.done",
        "response.output_audio.delta" => "response.audio.delta",
        "response.output_audio.done" => "response.audio.done",
        "response.output_audio_transcript.delta" => "response.audio_transcript.delta",
        "response.output_audio_transcript.done" => "response.audio_transcript.done",
        "conversation.item.added" => "conversation.item.created",
        "conversation.item.done" | "input_audio_buffer.timeout_triggered" => return None,
        other => other,
    })
}
