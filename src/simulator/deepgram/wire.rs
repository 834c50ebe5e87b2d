//! The way out: makes the scripted trouble that concerns sending, and holds what is delayed.
//! Knows nothing of why a message is sent.

use std::{collections::VecDeque, time::Duration};

use actix_web::web::Bytes;
use serde_json::Value;

use super::options::Options;
use crate::simulator::socket::Output;

/// Messages on their way, oldest first.
#[derive(Debug, Default)]
pub(super) struct Wire {
    queue: VecDeque<(Duration, Output)>,
    sent: usize,
    is_closing: bool,
    is_closed: bool,
}

impl Wire {
    /// Sends a message with a `type`, unless the options say otherwise.
    pub(super) fn message(&mut self, message: &Value, now: Duration, options: &Options) {
        let name = message["type"].as_str().expect("a message of ours has a type");
        if !options.drop.iter().any(|dropped| dropped == name) {
            self.push(Output::Text(message.to_string()), now, options);
        }
    }

    /// Sends audio.
    pub(super) fn audio(&mut self, bytes: Vec<u8>, now: Duration, options: &Options) {
        self.push(Output::Binary(Bytes::from(bytes)), now, options);
    }

    /// Ends the connection after everything that was sent before; nothing can follow.
    pub(super) fn close(&mut self, code: u16, reason: &str, now: Duration, options: &Options) {
        self.push(Output::Close { code, reason: reason.to_owned() }, now, options);
        self.is_closing = true;
    }

    /// When the next message leaves.
    pub(super) fn due(&self) -> Option<Duration> {
        self.queue.front().map(|(at, _)| *at).filter(|_| !self.is_closed)
    }

    /// Everything that leaves by now; nothing after a close.
    pub(super) fn take(&mut self, now: Duration, options: &Options) -> Vec<Output> {
        let mut outputs = Vec::new();
        while !self.is_closed && self.due().is_some_and(|at| at <= now) {
            let (_, output) = self.queue.pop_front().expect("something is due");
            self.sent += usize::from(matches!(output, Output::Text(_)));
            self.is_closed = matches!(output, Output::Close { .. });
            outputs.push(output);
            if !self.is_closed && options.close_after.is_some_and(|count| self.sent >= count) {
                self.is_closed = true;
                let reason = options.close_reason.clone();
                outputs.push(Output::Close { code: options.close_code, reason });
            }
        }
        outputs
    }

    /// Whether the end is on its way or past: nothing more can be sent.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing || self.is_closed
    }

    fn push(&mut self, output: Output, now: Duration, options: &Options) {
        if !self.is_closing() && !options.silent {
            self.queue.push_back((now + options.delay, output));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(options: &[(&str, &str)]) -> Vec<String> {
        let options = Options::parse(options.iter().copied()).expect("good options");
        let mut wire = Wire::default();
        wire.message(&json!({"type": "One"}), Duration::ZERO, &options);
        wire.audio(vec![1, 2], Duration::ZERO, &options);
        wire.message(&json!({"type": "Two"}), Duration::ZERO, &options);
        wire.close(1000, "done", Duration::ZERO, &options);
        wire.message(&json!({"type": "Late"}), Duration::ZERO, &options);
        let mut seen = Vec::new();
        while let Some(at) = wire.due() {
            seen.extend(wire.take(at, &options).into_iter().map(|output| match output {
                Output::Text(text) => format!("{} {text}", at.as_millis()),
                Output::Binary(bytes) => format!("{} {bytes:?}", at.as_millis()),
                Output::Close { code, reason } => format!("{} {code} {reason}", at.as_millis()),
            }));
        }
        seen
    }

    #[test]
    fn messages_leave_in_order_up_to_the_close() {
        let all = [r#"0 {"type":"One"}"#, r#"0 b"\x01\x02""#, r#"0 {"type":"Two"}"#, "0 1000 done"];
        assert_eq!(sent(&[]), all);
        assert_eq!(sent(&[("delay_ms", "7")]), all.map(|each| each.replacen('0', "7", 1)));
        assert_eq!(sent(&[("drop", "Two,One")]), [all[1], all[3]]);
        assert_eq!(sent(&[("silent", "true")]), [""; 0]);
    }

    #[test]
    fn a_session_ends_after_so_many_text_messages() {
        let cut = sent(&[("close_after", "1"), ("close_code", "4001"), ("close_reason", "enough")]);
        assert_eq!(cut, [r#"0 {"type":"One"}"#, "0 4001 enough"]);
        assert_eq!(
            sent(&[("close_after", "2")]).last().map(String::as_str),
            Some("0 1011 closed by the simulator")
        );
        assert_eq!(sent(&[("close_after", "3")]).last().map(String::as_str), Some("0 1000 done"));
    }
}
