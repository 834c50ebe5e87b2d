//! A WebSocket data frame that is passed through as it is. Knows nothing of what it says.

use bytes::Bytes;

/// A data frame (RFC 6455, 5.6), unmasked.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its opcode.
    pub opcode: Opcode,
    /// Whether it ends its message (FIN).
    pub last: bool,
    /// What it carries.
    pub payload: Bytes,
}

/// What a data frame begins, or that it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// The first frame of a text message.
    Text,
    /// The first frame of a binary message.
    Binary,
    /// A further frame of the message that has begun.
    Continuation,
}

impl Frame {
    /// A whole text message.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self { opcode: Opcode::Text, last: true, payload: text.into() }
    }

    /// The same in memory of its own, which has exactly its length.
    pub fn alone(self) -> Self {
        Self { payload: Bytes::copy_from_slice(&self.payload), ..self }
    }

    /// A whole binary message.
    pub fn binary(payload: impl Into<Bytes>) -> Self {
        Self { opcode: Opcode::Binary, last: true, payload: payload.into() }
    }
}

/// What is said is content and is not printed.
impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let more = if self.last { "" } else { ", more follows" };
        write!(f, "{:?}({} bytes{more})", self.opcode, self.payload.len())
    }
}
