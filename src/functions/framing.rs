//! Reads one HTTP/1 answer and finds its end. Knows how much of it is wanted, and nothing of what it means or
//! of what becomes of the connection.

use std::io;

use actix_codec::Decoder;
use actix_http::{
    ResponseHead,
    h1::{ClientCodec, ClientPayloadCodec, MessageType},
};
use actix_web::http::{
    StatusCode, Version,
    header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING},
};
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    Failure,
    answer::{Answer, has_say},
    failure::Cause,
};

/// The longest head of an answer, bytes. Real ones have a few hundred.
const MAX_HEAD: usize = 32 * 1024;

/// What an answer may have in bytes besides eight times those that its body may have, which are six for each
/// where it comes in chunks of one.
const MAX_OVERHEAD: usize = 128 * 1024;

/// How many provisional answers (102, 103) may come before the answer.
const MAX_PROVISIONAL: usize = 8;

/// Reads the answers that come over a connection.
pub(super) struct Reader<'a, R> {
    /// The connection.
    pub(super) io: R,
    /// What was read of it and is not used yet.
    pub(super) buffer: &'a mut BytesMut,
    /// Where it leads, for log lines.
    pub(super) place: &'a dyn std::fmt::Display,
    /// How many bytes were read.
    pub(super) taken: usize,
}

/// An answer, and whether its end is where the next one can begin.
#[derive(Debug)]
pub(super) struct Read {
    /// The answer.
    pub(super) answer: Answer,
    /// Whether the sender means to go on with the connection, and both sides agree on where the answer ends.
    pub(super) keeps: bool,
}

/// Where a body ends.
enum Body {
    /// There is none.
    None,
    /// Where its own framing says: a length, or chunks.
    Framed(ClientPayloadCodec),
    /// Where the connection does.
    UntilClose,
}

impl<R: AsyncRead + Unpin> Reader<'_, R> {
    /// Reads the answer to a `POST`, whose body may have `limit` bytes.
    pub(super) async fn answer(&mut self, limit: usize) -> Result<Read, Failure> {
        let mut provisional = 0;
        let (head, codec) = loop {
            let (head, codec) = self.head().await?;
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                break (head, codec);
            }
            provisional += 1;
            if provisional > MAX_PROVISIONAL {
                return Err(self.not_http(&"provisional answers without end"));
            }
        };
        let status = head.status.as_u16();
        if !has_say(status) {
            return Ok(Read { answer: Answer { status, body: Ok(Vec::new()) }, keeps: false });
        }
        let length = header(&head, &CONTENT_LENGTH).and_then(|text| text.trim().parse::<u64>().ok());
        let encoded =
            header(&head, &CONTENT_ENCODING).is_some_and(|name| !name.eq_ignore_ascii_case("identity"));
        let body = self.body_of(&head, length, codec)?;
        let keeps = keeps(&head, &body);
        let content = if encoded {
            Err(Failure::Encoded)
        } else if length.is_some_and(|length| length > limit as u64) {
            Err(Failure::TooLarge(limit))
        } else {
            self.body(body, limit).await
        };
        let keeps = keeps && content.is_ok();
        Ok(Read { answer: Answer { status, body: content }, keeps })
    }

    /// The next head, with the codec that has read it.
    async fn head(&mut self) -> Result<(ResponseHead, ClientCodec), Failure> {
        loop {
            // The codec takes names of more bytes than the header types can hold, and panics.
            if self.buffer.len() > MAX_HEAD {
                return Err(self.not_http(&"the head does not end"));
            }
            let mut codec = ClientCodec::default();
            match codec.decode(self.buffer) {
                Ok(Some(head)) => return Ok((head, codec)),
                Ok(None) => {}
                Err(error) => return Err(self.not_http(&error)),
            }
            if self.more(READ).await? == 0 {
                return Err(self.broken(&"the connection was closed"));
            }
        }
    }

    /// Where the body behind `head` ends: RFC 9112, section 6.3. The codec does not know all of it.
    fn body_of(&self, head: &ResponseHead, length: Option<u64>, codec: ClientCodec) -> Result<Body, Failure> {
        let old = head.version != Version::HTTP_11;
        if head.status == StatusCode::NO_CONTENT {
            return Ok(Body::None);
        }
        match (codec.message_type(), length) {
            (MessageType::Payload, None) if old => Ok(Body::UntilClose),
            (MessageType::Payload, _) => Ok(Body::Framed(codec.into_payload_codec())),
            (MessageType::None, Some(0)) => Ok(Body::None),
            (MessageType::None, None) => Ok(Body::UntilClose),
            (MessageType::None | MessageType::Stream, _) => Err(self.not_http(&"the body has no end")),
        }
    }

    async fn body(&mut self, body: Body, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut content = Vec::new();
        match body {
            Body::None => {}
            Body::UntilClose => loop {
                content.extend_from_slice(&self.buffer.split());
                if content.len() > limit {
                    return Err(Failure::TooLarge(limit));
                }
                if self.more(READ).await? == 0 {
                    break;
                }
            },
            Body::Framed(mut codec) => loop {
                match codec.decode(self.buffer) {
                    Ok(Some(Some(chunk))) => content.extend_from_slice(&chunk),
                    Ok(Some(None)) => break,
                    Ok(None) if self.more(READ).await? == 0 => {
                        return Err(self.broken(&"the connection was closed within the answer"));
                    }
                    Ok(None) => {}
                    Err(error) => return Err(self.not_http(&error)),
                }
                // Chunks have names, and trailers behind them, of any length.
                if content.len() > limit || self.taken > limit.saturating_mul(8).saturating_add(MAX_OVERHEAD)
                {
                    return Err(Failure::TooLarge(limit));
                }
            },
        }
        Ok(content)
    }

    /// Reads on, at most `room` bytes; 0 at the end of the connection.
    async fn more(&mut self, room: usize) -> Result<usize, Failure> {
        self.buffer.reserve(room);
        let mut io = (&mut self.io).take(room as u64);
        let read: io::Result<usize> = io.read_buf(self.buffer).await;
        let read = read.map_err(|error| self.broken(&error))?;
        self.taken += read;
        Ok(read)
    }

    fn not_http(&self, what: &impl std::fmt::Display) -> Failure {
        Failure::NotHttp(Cause::new(&self.place, what))
    }

    fn broken(&self, what: &impl std::fmt::Display) -> Failure {
        Failure::Broken(Cause::new(&self.place, what))
    }
}

/// Whether the connection can go on after the answer with this head and body.
fn keeps(head: &ResponseHead, body: &Body) -> bool {
    let says = |name: &HeaderName| head.headers.contains_key(name);
    let mut options =
        head.headers.get_all(CONNECTION).flat_map(|value| value.as_bytes().split(|&b| b == b','));
    let goes_on = options.all(|option| option.trim_ascii().eq_ignore_ascii_case(b"keep-alive"));
    let ends = match body {
        Body::None => {
            !says(&TRANSFER_ENCODING) && header(head, &CONTENT_LENGTH).is_none_or(|length| length == "0")
        }
        // Two statements of one length are how answers are smuggled.
        Body::Framed(_) => !(says(&TRANSFER_ENCODING) && says(&CONTENT_LENGTH)),
        Body::UntilClose => false,
    };
    head.version == Version::HTTP_11 && goes_on && ends
}

fn header<'a>(head: &'a ResponseHead, name: &HeaderName) -> Option<&'a str> {
    head.headers.get(name).map(|value| value.to_str().unwrap_or("not ascii"))
}

/// What is read at once, bytes.
const READ: usize = 8 * 1024;
