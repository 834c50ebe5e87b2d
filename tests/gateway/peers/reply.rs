//! What an HTTP application does with one request, as data: well-behaved answers, and the pieces that every other
//! kind is put together from. Knows HTTP/1.1 as bytes and nothing of sockets.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

/// One step of a reply.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Write(Vec<u8>),
    /// So many times the letter `a`, made piece by piece.
    Flood(u64),
    Pause(Duration),
    Wait(watch::Receiver<bool>),
    /// Nothing more, until the caller gives up.
    Hang,
    Close,
    /// An end with a reset in place of a close.
    Reset,
}

/// What is done with one request. Unless something else is said, the connection waits for another one afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(super) parts: Vec<Part>,
}

impl Reply {
    /// Nothing at all, and another request is waited for.
    pub(crate) const fn nothing() -> Self {
        Self { parts: Vec::new() }
    }

    /// These bytes, whatever they are.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { parts: vec![Part::Write(bytes.into())] }
    }

    /// A function's result.
    pub(crate) fn content(text: &str) -> Self {
        Self::json(200, &json!({ "content": text }))
    }

    /// A function's failure, in the application's words.
    pub(crate) fn error(status: u16, text: &str) -> Self {
        Self::json(status, &json!({ "error": text }))
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::body(status, "content-type: application/json\r\n", &body.to_string())
    }

    /// A status, more header lines, each ending in CRLF, and a body of the right length.
    pub(crate) fn body(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::raw(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}"))
    }

    /// A result whose content has so many letters, with these header lines in place of its length.
    pub(crate) fn flood(headers: &str, letters: u64) -> Self {
        let mut reply = Self::raw(format!("HTTP/1.1 200 OK\r\n{headers}\r\n{{\"content\":\""));
        reply.parts.push(Part::Flood(letters));
        reply.and(b"\"}")
    }

    /// The first half of its bytes.
    pub(crate) fn half(mut self) -> Self {
        if let [Part::Write(bytes)] = self.parts.as_mut_slice() {
            bytes.truncate(bytes.len() / 2);
            return self;
        }
        panic!("only what is written at once has a first half");
    }

    /// The same bytes one by one, so far apart.
    pub(crate) fn dripping(self, apart: Duration) -> Self {
        let [Part::Write(bytes)] = self.parts.as_slice() else {
            panic!("only what is written at once drips")
        };
        let drops = bytes.iter().flat_map(|byte| [Part::Pause(apart), Part::Write(vec![*byte])]);
        Self { parts: drops.collect() }
    }

    /// Further bytes.
    pub(crate) fn and(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.parts.push(Part::Write(bytes.into()));
        self
    }

    /// So many further letters.
    pub(crate) fn and_letters(mut self, letters: u64) -> Self {
        self.parts.push(Part::Flood(letters));
        self
    }

    /// Not before so much time has passed.
    pub(crate) fn after(mut self, time: Duration) -> Self {
        self.parts.insert(0, Part::Pause(time));
        self
    }

    /// Not before the latch is open.
    pub(crate) fn behind(mut self, latch: &Latch) -> Self {
        self.parts.insert(0, Part::Wait(latch.0.subscribe()));
        self
    }

    pub(crate) fn then_hang(self) -> Self {
        self.then(Part::Hang)
    }

    pub(crate) fn then_close(self) -> Self {
        self.then(Part::Close)
    }

    pub(crate) fn then_reset(self) -> Self {
        self.then(Part::Reset)
    }

    fn then(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }
}

/// Holds replies back until the test opens it.
#[derive(Debug)]
pub(crate) struct Latch(watch::Sender<bool>);

impl Latch {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }
}
