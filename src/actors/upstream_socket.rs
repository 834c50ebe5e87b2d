//! The upstream's WebSocket as two buffers around awc's connection: reading and writing never wait for
//! each other, and what is queued is counted.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_codec::{Decoder, Framed};
use actix_http::ws::{Codec, Frame, OpCode, Parser};
use awc::BoxedSocket;
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;
use tokio_util::io::{poll_read_buf, poll_write_buf};

use crate::{
    protocol,
    websocket::{self as ws, FrameGuard, Unacceptable},
};

/// What is read at once, bytes.
const READ: usize = 16 * 1024;
/// What there has to be room for, bytes. Small frames share a buffer, so that one that waits for its peer keeps no
/// more than its own bytes.
const ROOM: usize = 2 * 1024;
/// A write buffer that grew beyond this is given back when it is empty, and takes no pongs before.
const KEEP: usize = 64 * 1024;
/// Reads of what nobody wants that are made in one go.
const LOST_PER_TURN: usize = 16;

pub(super) struct UpstreamSocket {
    io: BoxedSocket,
    codec: Codec,
    guard: FrameGuard,
    /// What a header has announced; nothing is read behind it.
    unacceptable: Option<Unacceptable>,
    read: BytesMut,
    write: BytesMut,
    /// Bytes that have gone through the write buffer into the socket.
    written: u64,
    /// Where each queued frame ends in that count, with its weight.
    marks: VecDeque<(u64, usize)>,
    /// The last ping, if its answer waits for room.
    unanswered: Option<Bytes>,
    /// Something has been read since the last frame.
    heard: bool,
    /// Our side has been ended.
    ended: bool,
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

impl From<Unacceptable> for ReadError {
    fn from(unacceptable: Unacceptable) -> Self {
        match unacceptable {
            Unacceptable::TooLarge => Self::TooLarge,
            Unacceptable::ControlFrame => Self::Protocol(unacceptable.reason().to_owned()),
        }
    }
}

impl UpstreamSocket {
    /// Takes over a connection; `limit` is the largest frame, bytes.
    pub(super) fn new(framed: Framed<BoxedSocket, Codec>, limit: usize) -> Self {
        let parts = framed.into_parts();
        let mut guard = FrameGuard::new(limit);
        // The server may have sent frames right behind its answer to the upgrade.
        let unacceptable = guard.follow(&parts.read_buf).err();
        Self {
            io: parts.io,
            codec: Codec::new().max_size(limit).client_mode(),
            guard,
            unacceptable,
            read: parts.read_buf,
            write: BytesMut::new(),
            written: 0,
            marks: VecDeque::new(),
            unanswered: None,
            heard: false,
            ended: false,
        }
    }

    /// The next frame.
    pub(super) fn poll_frame(&mut self, task: &mut Context<'_>) -> Poll<Result<Frame, ReadError>> {
        loop {
            if let Some(unacceptable) = self.unacceptable {
                return Poll::Ready(Err(unacceptable.into()));
            }
            match self.codec.decode(&mut self.read) {
                Ok(Some(frame)) => {
                    self.heard = false;
                    return Poll::Ready(Ok(frame));
                }
                Ok(None) => (),
                Err(error) => return Poll::Ready(Err(ReadError::Protocol(error.to_string()))),
            }
            if self.read.capacity() - self.read.len() < ROOM {
                self.read.reserve(READ);
            }
            let before = self.read.len();
            match ready!(poll_read_buf(Pin::new(&mut self.io), task, &mut self.read)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(ReadError::Ended)),
                Ok(_) => self.heard = true,
            }
            self.unacceptable = self.guard.follow(&self.read[before..]).err();
        }
    }

    /// Gives back the memory of what was read; no frame can be read any more.
    pub(super) fn forget(&mut self) {
        self.read = BytesMut::new();
    }

    /// Bytes of a frame that is not whole.
    pub(super) fn unfinished(&self) -> usize {
        self.guard.unfinished()
    }

    /// Whether a part of a frame has come since this was last asked.
    pub(super) fn has_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// Queues a frame as it is.
    pub(super) fn queue_frame(&mut self, frame: &protocol::Frame, weight: usize) {
        let protocol::Frame { opcode, last, payload } = frame;
        Parser::write_message(&mut self.write, payload, ws::opcode(*opcode), *last, true);
        self.mark(weight);
    }

    /// Queues a frame that is a whole message.
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

    /// Queues the answer to a ping. No budget counts them, so a peer that asks without reading gets one alone,
    /// to its last ping, once there is room (RFC 6455, 5.5.3).
    pub(super) fn queue_pong(&mut self, payload: Bytes) {
        if self.write.len() < KEEP {
            self.queue(OpCode::Pong, &payload, 0);
        } else {
            self.unanswered = Some(payload);
        }
    }

    /// Queues a close frame.
    pub(super) fn queue_close(&mut self, code: u16, reason: &str) {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        self.queue(OpCode::Close, &payload, 0);
    }

    /// Writes what is queued, as far as the socket takes it, and says the weight of the frames that have
    /// gone, if anything has: 0 for a part of one. Ready once everything has gone.
    pub(super) fn poll_write(&mut self, task: &mut Context<'_>) -> (Option<usize>, Poll<io::Result<()>>) {
        let before = self.written;
        let mut state = self.poll_drain(task);
        if self.write.len() < KEEP
            && let Some(payload) = self.unanswered.take()
        {
            self.queue(OpCode::Pong, &payload, 0);
            state = self.poll_drain(task);
        }
        let mut weight = 0;
        while let Some((end, mark)) = self.marks.front()
            && *end <= self.written
        {
            weight += mark;
            self.marks.pop_front();
        }
        // A mark behind nothing that is queued is reached without a byte.
        ((self.written > before || weight > 0).then_some(weight), state)
    }

    /// Ends our side, behind what was written, and loses what the peer still sends; ready at its end.
    pub(super) fn poll_end(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if !self.ended {
            // A socket that cannot be ended has nothing to read either.
            self.ended = ready!(Pin::new(&mut self.io).poll_shutdown(task)).is_ok();
        }
        for _ in 0..LOST_PER_TURN {
            self.read.clear();
            self.read.reserve(READ);
            if let Ok(0) | Err(_) = ready!(poll_read_buf(Pin::new(&mut self.io), task, &mut self.read)) {
                return Poll::Ready(());
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
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

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker};

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    /// A socket whose peer has room for so many bytes before it reads.
    fn socket(room: usize) -> (UpstreamSocket, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(room);
        let io: BoxedSocket = Box::new(ours);
        (UpstreamSocket::new(Framed::new(io, Codec::new()), 1_024), theirs)
    }

    #[test]
    fn a_weight_without_bytes_is_given_back_in_its_turn() {
        let mut task = Context::from_waker(Waker::noop());
        let (mut socket, _peer) = socket(1_024);
        socket.mark(7);
        assert!(matches!(socket.poll_write(&mut task), (Some(7), Poll::Ready(Ok(())))));
        assert!(matches!(socket.poll_write(&mut task), (None, Poll::Ready(Ok(())))));
        socket.queue(OpCode::Text, b"text", 5);
        socket.mark(7);
        assert!(matches!(socket.poll_write(&mut task), (Some(12), Poll::Ready(Ok(())))));
    }

    #[tokio::test]
    async fn small_frames_that_wait_share_a_buffer() {
        let (mut socket, mut peer) = socket(1_024);
        let mut frames = Vec::new();
        for _ in 0..100 {
            peer.write_all(&[0x82, 2, 7, 7]).await.expect("room");
            match poll_fn(|task| socket.poll_frame(task)).await {
                Ok(Frame::Binary(payload)) => frames.push(payload),
                other => panic!("{other:?}"),
            }
        }
        let places = frames.iter().map(|payload| payload.as_ptr() as usize);
        let (first, last) = (places.clone().min().expect("frames"), places.max().expect("frames"));
        assert!(last - first < READ, "{} bytes for 200", last - first);
    }

    #[test]
    fn a_part_of_a_frame_is_progress_without_weight() {
        let mut task = Context::from_waker(Waker::noop());
        let (mut socket, _peer) = socket(16);
        socket.queue(OpCode::Text, &[b'a'; 100], 5);
        assert!(matches!(socket.poll_write(&mut task), (Some(0), Poll::Pending)));
        assert!(matches!(socket.poll_write(&mut task), (None, Poll::Pending)));
    }

    #[test]
    fn pings_of_a_peer_that_does_not_read_take_no_memory() {
        let mut task = Context::from_waker(Waker::noop());
        let (mut socket, _peer) = socket(16);
        for _ in 0..10_000 {
            socket.queue_pong(Bytes::from_static(&[0; 125]));
            assert!(socket.poll_write(&mut task).1.is_pending());
        }
        assert!(socket.write.len() < KEEP + 256);
    }

    #[tokio::test]
    async fn a_socket_that_is_ended_reads_on_up_to_the_peers_end() {
        let (mut socket, mut peer) = socket(64);
        let ending = poll_fn(|task| socket.poll_end(task));
        let sending = async {
            let mut end = Vec::new();
            peer.read_to_end(&mut end).await.expect("our side only ends");
            peer.write_all(&[7; 100 * READ]).await.expect("everything is taken");
            drop(peer);
        };
        tokio::join!(ending, sending);
        assert!(socket.read.capacity() <= 2 * READ, "what is lost is kept");
    }

    #[tokio::test]
    async fn the_last_of_many_pings_is_answered_when_there_is_room() {
        let (mut socket, mut peer) = socket(16);
        socket.queue(OpCode::Binary, &vec![b'a'; KEEP], 5);
        for ping in ["first", "another", "last"] {
            socket.queue_pong(ping.into());
        }
        let writing = async move {
            poll_fn(|task| socket.poll_write(task).1).await.expect("the peer reads");
            drop(socket);
        };
        let mut read = Vec::new();
        // To the socket's end.
        let reading = async { peer.read_to_end(&mut read).await.expect("the socket only ends") };
        tokio::join!(writing, reading);
        let mut codec = Codec::new().max_size(KEEP);
        let mut read = BytesMut::from(&read[..]);
        assert!(matches!(codec.decode(&mut read), Ok(Some(Frame::Binary(_)))));
        assert_eq!(codec.decode(&mut read).ok().flatten(), Some(Frame::Pong("last".into())));
        assert!(read.is_empty(), "one answer alone");
    }
}
