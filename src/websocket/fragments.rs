//! Joins the fragments of a WebSocket message under a limit (RFC 6455, 5.4).

use bytes::{Bytes, BytesMut};

use crate::protocol::{Frame, Opcode};

/// A message that comes in pieces.
pub struct Fragments {
    limit: usize,
    text: bool,
    bytes: BytesMut,
}

/// Follows messages that are passed on in pieces, to say when one is larger than the limit.
pub struct MessageSize {
    limit: usize,
    size: usize,
}

impl MessageSize {
    /// Messages may have `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, size: 0 }
    }

    /// The next frame of a message, `last` if it is the last; whether the message is within the limit so far.
    pub fn admits(&mut self, bytes: usize, last: bool) -> bool {
        self.size = self.size.saturating_add(bytes);
        let admits = self.size <= self.limit;
        if last {
            self.size = 0;
        }
        admits
    }
}

/// What a fragment came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined {
    /// More has to come.
    NotYet,
    /// It was the last of a text message, which may not be UTF-8.
    Text(Bytes),
    /// It was the last of a binary message.
    Binary(Bytes),
    /// The message is larger than the limit.
    TooLarge,
}

impl Fragments {
    /// Messages may have `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, text: false, bytes: BytesMut::new() }
    }

    /// Bytes of a message whose rest has to come.
    pub fn unfinished(&self) -> usize {
        self.bytes.len()
    }

    /// Gives back the memory of a message whose rest is not waited for.
    pub fn forget(&mut self) {
        self.bytes = BytesMut::new();
    }

    /// The next frame; the codec has seen to it that they come in order.
    pub fn join(&mut self, frame: Frame) -> Joined {
        let Frame { opcode, last, payload } = frame;
        match opcode {
            // By far the most messages come whole, and are not copied.
            Opcode::Text if last => return Joined::Text(payload),
            Opcode::Binary if last => return Joined::Binary(payload),
            Opcode::Text | Opcode::Binary => self.text = opcode == Opcode::Text,
            Opcode::Continuation => (),
        }
        if self.bytes.len() + payload.len() > self.limit {
            self.bytes = BytesMut::new();
            return Joined::TooLarge;
        }
        self.bytes.extend_from_slice(&payload);
        match (last, self.text) {
            (false, _) => Joined::NotYet,
            (true, true) => Joined::Text(std::mem::take(&mut self.bytes).freeze()),
            (true, false) => Joined::Binary(std::mem::take(&mut self.bytes).freeze()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(opcode: Opcode, last: bool, payload: &'static str) -> Frame {
        Frame { opcode, last, payload: payload.into() }
    }

    #[test]
    fn fragments_become_one_message_of_the_kind_of_the_first() {
        let mut fragments = Fragments::new(6);
        assert_eq!(fragments.join(frame(Opcode::Text, false, "ab")), Joined::NotYet);
        assert_eq!(fragments.join(frame(Opcode::Continuation, false, "cd")), Joined::NotYet);
        assert_eq!(fragments.join(frame(Opcode::Continuation, true, "ef")), Joined::Text("abcdef".into()));
        assert_eq!(fragments.join(frame(Opcode::Binary, false, "")), Joined::NotYet);
        assert_eq!(fragments.join(frame(Opcode::Continuation, true, "x")), Joined::Binary("x".into()));
    }

    #[test]
    fn a_message_in_pieces_is_measured_whole() {
        let mut size = MessageSize::new(6);
        assert!(size.admits(6, true) && size.admits(4, false) && size.admits(2, true));
        assert!(size.admits(6, false) && !size.admits(1, true));
        assert!(size.admits(0, true), "the next message is another");
    }

    #[test]
    fn fragments_that_add_up_to_too_much_are_refused() {
        let mut fragments = Fragments::new(6);
        assert_eq!(fragments.join(frame(Opcode::Binary, false, "abcdef")), Joined::NotYet);
        assert_eq!(fragments.join(frame(Opcode::Continuation, false, "g")), Joined::TooLarge);
    }
}
