//! A single WebSocket frame as it stands on the wire (RFC 6455, 5.2), in both directions.
//! Knows nothing of what a frame says or of the order in which frames may come.

use std::fmt;

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A frame, unmasked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RawFrame {
    pub(crate) opcode: u8,
    /// FIN.
    pub(crate) last: bool,
    pub(crate) payload: Vec<u8>,
}

/// Which side of the connection a peer is: a client masks what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl RawFrame {
    pub(crate) fn new(opcode: u8, last: bool, payload: impl Into<Vec<u8>>) -> Self {
        Self { opcode, last, payload: payload.into() }
    }

    /// A whole text message.
    pub(crate) fn text(text: &str) -> Self {
        Self::new(TEXT, true, text)
    }

    /// A whole binary message.
    pub(crate) fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(BINARY, true, payload)
    }

    pub(crate) fn ping(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(PING, true, payload)
    }

    /// A close frame; without a code it is empty.
    pub(crate) fn close(code: Option<u16>, reason: &str) -> Self {
        let code = code.map(u16::to_be_bytes).into_iter().flatten();
        Self::new(CLOSE, true, code.chain(reason.bytes()).collect::<Vec<_>>())
    }

    /// A close frame's code and reason.
    pub(crate) fn closes_with(&self) -> (Option<u16>, String) {
        assert_eq!(self.opcode, CLOSE, "{self:?}");
        let code = self.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        (code, String::from_utf8_lossy(self.payload.get(2..).unwrap_or_default()).into_owned())
    }

    /// Whether it is of a text message and has this in it.
    pub(crate) fn says(&self, part: &str) -> bool {
        self.opcode == TEXT && self.payload.windows(part.len()).any(|bytes| bytes == part.as_bytes())
    }

    pub(crate) fn is_data(&self) -> bool {
        self.opcode < CLOSE
    }

    /// Its bytes on the wire, behind those that `wire` has.
    pub(crate) fn write(&self, side: Side, wire: &mut Vec<u8>) {
        let mask_bit = if side == Side::Client { 0x80 } else { 0 };
        wire.push(if self.last { 0x80 } else { 0 } | self.opcode);
        match self.payload.len() {
            length @ 0..=125 => wire.push(mask_bit | length as u8),
            length @ 126..=0xffff => {
                wire.push(mask_bit | 126);
                wire.extend((length as u16).to_be_bytes());
            }
            length => {
                wire.push(mask_bit | 127);
                wire.extend((length as u64).to_be_bytes());
            }
        }
        match side {
            Side::Server => wire.extend(&self.payload),
            Side::Client => {
                // Another key for each frame, and no byte of it zero.
                let key = (wire.len() as u32).wrapping_mul(0x9e37_79b9).to_be_bytes().map(|byte| byte | 1);
                wire.extend(key);
                wire.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
            }
        }
    }

    /// The frame that another side's bytes begin with, and how many bytes it is; `None` until all of it is there.
    ///
    /// # Errors
    ///
    /// What is against RFC 6455.
    pub(super) fn read(from: Side, wire: &[u8]) -> Result<Option<(Self, usize)>, String> {
        let (Some(first), Some(second)) = (wire.first(), wire.get(1)) else { return Ok(None) };
        let (opcode, last) = (first & 0x0f, first & 0x80 != 0);
        if first & 0x70 != 0 || !matches!(opcode, CONTINUATION..=BINARY | CLOSE..=PONG) {
            return Err(format!("a frame begins with {first:#x}"));
        }
        let masked = second & 0x80 != 0;
        if masked != (from == Side::Client) {
            return Err(format!("a frame of the {from:?} is masked: {masked}"));
        }
        let (length, at) = match second & 0x7f {
            126 => (wire.get(2..4).map(|bytes| bytes.iter().fold(0, extend)), 4),
            127 => (wire.get(2..10).map(|bytes| bytes.iter().fold(0, extend)), 10),
            length => (Some(length as usize), 2),
        };
        let Some(length) = length else { return Ok(None) };
        if opcode >= CLOSE && (length > 125 || !last) {
            return Err(format!("a control frame {opcode} has {length} bytes, FIN {last}"));
        }
        let begin = at + if masked { 4 } else { 0 };
        let Some(payload) = wire.get(begin..begin + length) else { return Ok(None) };
        let mut payload = payload.to_vec();
        if masked {
            let key = &wire[at..begin];
            payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        }
        Ok(Some((Self { opcode, last, payload }, begin + length)))
    }
}

fn extend(length: usize, byte: &u8) -> usize {
    length << 8 | usize::from(*byte)
}

impl fmt::Debug for RawFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { opcode, last, payload } = self;
        let begin = String::from_utf8_lossy(&payload[..payload.len().min(40)]);
        write!(f, "{opcode:#x} fin={last} {} bytes {begin:?}", payload.len())
    }
}
