//! WebSocket by hand, as little of it as peers need that must not be what is measured: frames made once and written
//! again and again, and the headers of those that come. Knows no message.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// Set in a frame that is the last of its message.
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// What clients mask with here.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// The key and its answer that RFC 6455 has for an example.
const HANDSHAKE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const HANDSHAKE_ANSWER: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// More than any frame of these peers, bytes: one that comes whole is read at once.
const READ: usize = 8 * 1024;

/// A client's frame.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(opcode, payload.len(), MASKED);
    frame.extend(KEY);
    frame.extend(unmask(payload, 0, Some(KEY)));
    frame
}

/// A server's frame.
pub(crate) fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(opcode, payload.len(), 0);
    frame.extend(payload);
    frame
}

fn header(opcode: u8, length: usize, masked: u8) -> Vec<u8> {
    match u16::try_from(length).expect("frames of less than 64 KiB") {
        short @ 0..126 => vec![FIN | opcode, masked | short as u8],
        long => {
            let [high, low] = long.to_be_bytes();
            vec![FIN | opcode, masked | 126, high, low]
        }
    }
}

/// Masks or unmasks what is found at this place of a payload.
fn unmask(bytes: &[u8], at: usize, key: Option<[u8; 4]>) -> Vec<u8> {
    let Some(mut key) = key else { return bytes.to_vec() };
    key.rotate_left(at % 4);
    let (words, rest) = bytes.as_chunks::<4>();
    let mut plain = Vec::with_capacity(bytes.len());
    plain.extend(
        words.iter().flat_map(|&word| (u32::from_ne_bytes(word) ^ u32::from_ne_bytes(key)).to_ne_bytes()),
    );
    plain.extend(rest.iter().zip(key).map(|(byte, key)| byte ^ key));
    plain
}

/// A frame that came, its payload as it came.
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    /// Masked, if there is a key.
    pub(crate) raw: &'a [u8],
    key: Option<[u8; 4]>,
}

impl Frame<'_> {
    /// The payload.
    pub(crate) fn payload(&self) -> Vec<u8> {
        unmask(self.raw, 0, self.key)
    }

    /// The payload as text; none where it is not.
    pub(crate) fn text(&self) -> Option<String> {
        String::from_utf8(self.payload()).ok()
    }

    /// At most so many bytes of the payload's beginning.
    pub(crate) fn first(&self, bytes: usize) -> Vec<u8> {
        unmask(&self.raw[..bytes.min(self.raw.len())], 0, self.key)
    }

    /// At most so many bytes of the payload's end.
    pub(crate) fn last(&self, bytes: usize) -> Vec<u8> {
        let at = self.raw.len().saturating_sub(bytes);
        unmask(&self.raw[at..], at, self.key)
    }
}

/// What was read and not yet looked at.
#[derive(Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    begin: usize,
}

impl Incoming {
    /// Reads once; false at the end.
    pub(crate) async fn fill(&mut self, from: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        self.bytes.drain(..self.begin);
        self.begin = 0;
        self.bytes.reserve(READ);
        Ok(from.read_buf(&mut self.bytes).await? > 0)
    }

    /// The next whole frame.
    ///
    /// # Errors
    ///
    /// If it is a fragment, or larger than any that these peers should be sent.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, String> {
        let bytes = &self.bytes[self.begin..];
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        if first & FIN == 0 {
            return Err("a fragment".to_owned());
        }
        let (length, rest) = match (second & !MASKED, rest) {
            (126, &[high, low, ref rest @ ..]) => (usize::from(u16::from_be_bytes([high, low])), rest),
            (126, _) => return Ok(None),
            (127, _) => return Err("a frame of more than 64 KiB".to_owned()),
            (length, rest) => (usize::from(length), rest),
        };
        let (key, rest) = match (second & MASKED, rest) {
            (0, rest) => (None, rest),
            (_, &[a, b, c, d, ref rest @ ..]) => (Some([a, b, c, d]), rest),
            (_, _) => return Ok(None),
        };
        let Some(raw) = rest.get(..length) else { return Ok(None) };
        self.begin += bytes.len() - rest.len() + length;
        Ok(Some(Frame { opcode: first & 0x0f, raw, key }))
    }

    /// Reads up to the end of an HTTP head, and takes it.
    async fn head(&mut self, from: &mut TcpStream) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                self.begin = end + 4;
                return Ok(String::from_utf8(self.bytes[..self.begin].to_vec()).ok());
            }
            if !self.fill(from).await? {
                return Ok(None);
            }
        }
    }
}

/// A client's connection at this port of the loopback, and what came with the answer to its upgrade.
///
/// # Errors
///
/// If nobody listens or the upgrade is refused.
pub(crate) async fn connect(port: u16, path: &str) -> io::Result<(TcpStream, Incoming)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {HANDSHAKE_KEY}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut incoming = Incoming::default();
    let head = incoming.head(&mut stream).await?.unwrap_or_default();
    if !head.starts_with("HTTP/1.1 101 ") || !head.contains(HANDSHAKE_ANSWER) {
        return Err(io::Error::other(format!("the upgrade was answered with {head:?}")));
    }
    Ok((stream, incoming))
}

/// Answers a client's upgrade. None if whoever connected does not speak WebSocket.
pub(crate) async fn accept(stream: &mut TcpStream) -> io::Result<Option<Incoming>> {
    stream.set_nodelay(true)?;
    let mut incoming = Incoming::default();
    let head = incoming.head(stream).await?.unwrap_or_default();
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let key = fields.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let Some((_, key)) = key else { return Ok(None) };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.trim().as_bytes())
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok(Some(incoming))
}
