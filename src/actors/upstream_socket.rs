//! The upstream's WebSocket as two buffers around awc's connection: reading and writing never wait for
//! each other, and what is queued is counted.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_codec::Decoder;
use actix_http::ws::{Codec, Frame, OpCode, Parser};
use awc::BoxedSocket;
use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;
use tokio_util::io::{poll_read_buf, poll_write_buf};

use super::dial::Upgraded;
use crate::websocket::FrameGuard;

/// What is read at once, bytes.
const READ: usize = 16 * 1024;
/// A write buffer that grew beyond this is given back when it is empty.
const KEEP: usize = 64 * 1024;

pub(super) struct UpstreamSocket {
    io: BoxedSocket,
    codec: Codec,
    guard: FrameGuard,
    read: BytesMut,
    write: BytesMut,
    /// Bytes that have gone through the write buffer into the socket.
    written: u64,
    /// Where each queued frame ends in that count, with its weight.
    marks: VecDeque<(u64, usize)>,
}

/// Why nothing more can be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The peer closed or lost the connection.
    Ended,
    /// A frame header announced more than the limit.
    TooLarge,
    /// The peer broke the protocol.
    Protocol(String),
}

impl UpstreamSocket {
    /// Takes over a connection; `limit` is the largest frame, bytes.
    pub(super) fn new(upgraded: Upgraded, limit: usize) -> Result<Self, ReadError> {
        let parts = upgraded.into_parts();
        let mut guard = FrameGuard::new(limit);
        // The server may have sent frames right behind its answer to the upgrade.
        guard.follow(&parts.read_buf).map_err(|_| ReadError::TooLarge)?;
        Ok(Self {
            io: parts.io,
            codec: Codec::new().max_size(limit).client_mode(),
            guard,
            read: parts.read_buf,
            write: BytesMut::new(),
            written: 0,
            marks: VecDeque::new(),
        })
    }

    /// The next frame.
    pub(super) fn poll_frame(&mut self, task: &mut Context<'_>) -> Poll<Result<Frame, ReadError>> {
        loop {
            match self.codec.decode(&mut self.read) {
                Ok(Some(frame)) => return Poll::Ready(Ok(frame)),
                Ok(None) => (),
                Err(error) => return Poll::Ready(Err(ReadError::Protocol(error.to_string()))),
            }
            self.read.reserve(READ);
            let before = self.read.len();
            match ready!(poll_read_buf(Pin::new(&mut self.io), task, &mut self.read)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(ReadError::Ended)),
                Ok(_) => (),
            }
            if self.guard.follow(&self.read[before..]).is_err() {
                return Poll::Ready(Err(ReadError::TooLarge));
            }
        }
    }

    /// Queues a frame.
    pub(super) fn queue(&mut self, opcode: OpCode, payload: &[u8], weight: usize) {
        Parser::write_message(&mut self.write, payload, opcode, true, true);
        self.mark(weight);
    }

    /// Counts this weight as written once everything that is queued so far has been.
    pub(super) fn mark(&mut self, weight: usize) {
        if weight > 0 {
            self.marks.push_back((self.written + self.write.len() as u64, weight));
        }
    }

    /// Queues a close frame.
    pub(super) fn queue_close(&mut self, code: u16, reason: &str) {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        self.queue(OpCode::Close, &payload, 0);
    }

    /// Writes what is queued, as far as the socket takes it, and says the weight of the frames that have
    /// gone, if anything has. Ready once everything has gone.
    pub(super) fn poll_write(&mut self, task: &mut Context<'_>) -> (Option<usize>, Poll<io::Result<()>>) {
        let before = self.written;
        let state = self.poll_drain(task);
        let mut weight = 0;
        while let Some((end, mark)) = self.marks.front()
            && *end <= self.written
        {
            weight += mark;
            self.marks.pop_front();
        }
        ((self.written > before).then_some(weight), state)
    }

    fn poll_drain(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.write.has_remaining() {
            let count = ready!(poll_write_buf(Pin::new(&mut self.io), task, &mut self.write))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count as u64;
        }
        if self.write.capacity() > KEEP {
            self.write = BytesMut::new();
        }
        Pin::new(&mut self.io).poll_flush(task)
    }
}
