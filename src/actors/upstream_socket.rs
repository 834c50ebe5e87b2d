//! The upstream's WebSocket as two buffers around awc's connection: reading and writing never wait for
//! each other, and what is queued is counted.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_codec::{Decoder, Framed};
use actix_http::ws::{Codec, Frame, OpCode};
use awc::BoxedSocket;
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWrite;

use crate::{
    protocol,
    websocket::{self as ws, FrameGuard, FrameWriter, Unacceptable},
};

/// While as much as this waits to be written, bytes, no pong joins it.
const NO_PONGS: usize = 64 * 1024;
/// Frames that are written at a time, as a rule. Memory for more is given back.
const MARKS: usize = 16;
/// Reads of what nobody wants that are made in one go.
const LOST_PER_TURN: usize = 16;

pub(super) struct UpstreamSocket {
    io: BoxedSocket,
    codec: Codec,
    guard: FrameGuard,
    /// What a header has announced; nothing is read behind it.
    unacceptable: Option<Unacceptable>,
    /// What has been read and is in no frame yet.
    read: BytesMut,
    /// The codec has not been asked about all of it.
    undecoded: bool,
    write: FrameWriter,
    /// Something has been written since the socket was last flushed.
    unflushed: bool,
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
            undecoded: !parts.read_buf.is_empty(),
            // In memory of its own: there was room for a long answer.
            read: BytesMut::from(&parts.read_buf[..]),
            write: FrameWriter::default(),
            unflushed: false,
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
            if self.undecoded {
                match self.codec.decode(&mut self.read) {
                    Ok(Some(frame)) => {
                        self.heard = false;
                        self.undecoded = !self.read.is_empty();
                        return Poll::Ready(Ok(frame));
                    }
                    Ok(None) => self.undecoded = false,
                    Err(error) => return Poll::Ready(Err(ReadError::Protocol(error.to_string()))),
                }
            }
            let Self { io, read, guard, unacceptable, .. } = self;
            let take = |piece: &[u8]| {
                read.extend_from_slice(piece);
                *unacceptable = guard.follow(piece).err();
                piece.len()
            };
            match ws::poll_read(Pin::new(io), task, take) {
                Poll::Pending => {
                    // The frames that came out of it may be gone, and its memory with them.
                    if self.read.is_empty() {
                        self.read = BytesMut::new();
                    }
                    return Poll::Pending;
                }
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(ReadError::Ended)),
                Poll::Ready(Ok(_)) => (self.heard, self.undecoded) = (true, true),
            }
        }
    }

    /// Gives back the memory of what was read; no frame can be read any more.
    pub(super) fn forget(&mut self) {
        self.read = BytesMut::new();
        self.undecoded = false;
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
        self.write.write(ws::opcode(*opcode), *last, payload);
        self.mark(weight);
    }

    /// Queues a frame that is a whole message.
    pub(super) fn queue(&mut self, opcode: OpCode, payload: &[u8], weight: usize) {
        self.write.write(opcode, true, payload);
        self.mark(weight);
    }

    /// The same with a payload of `length` bytes that `append` puts behind what is there.
    pub(super) fn queue_with(
        &mut self,
        opcode: OpCode,
        length: usize,
        append: impl FnOnce(&mut Vec<u8>),
        weight: usize,
    ) {
        self.write.write_with(opcode, true, length, append);
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
        if self.write.len() < NO_PONGS {
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
        if self.write.len() < NO_PONGS
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
        if self.marks.is_empty() && self.marks.capacity() > MARKS {
            self.marks = VecDeque::new();
        }
        // A mark behind nothing that is queued is reached without a byte.
        ((self.written > before || weight > 0).then_some(weight), state)
    }

    /// Ends our side, behind what was written, and loses what the peer still sends; ready at its end.
    pub(super) fn poll_end(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if !self.ended {
            self.forget();
            // A socket that cannot be ended has nothing to read either.
            self.ended = ready!(Pin::new(&mut self.io).poll_shutdown(task)).is_ok();
        }
        for _ in 0..LOST_PER_TURN {
            let lost = ws::poll_read(Pin::new(&mut self.io), task, <[u8]>::len);
            if let Ok(0) | Err(_) = ready!(lost) {
                return Poll::Ready(());
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_drain(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.write.is_empty() {
            let count = ready!(Pin::new(&mut self.io).poll_write(task, self.write.rest()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.write.take(count);
            self.written += count as u64;
            self.unflushed = true;
        }
        if self.unflushed {
            // TLS may have taken more than its socket.
            ready!(Pin::new(&mut self.io).poll_flush(task))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::poll_fn, rc::Rc, task::Waker};

    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf};

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

    /// The next frame, which is binary.
    async fn binary(socket: &mut UpstreamSocket) -> Bytes {
        match poll_fn(|task| socket.poll_frame(task)).await {
            Ok(Frame::Binary(payload)) => payload,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_frame_that_waits_keeps_no_more_than_what_came_with_it() {
        let (mut socket, mut peer) = socket(1_024);
        for length in [2, 125] {
            let frames: Vec<u8> = [&[0x82, length][..], &vec![7; length.into()]].concat().repeat(2);
            peer.write_all(&frames).await.expect("room");
            let waiting = [binary(&mut socket).await, binary(&mut socket).await];
            assert!(poll_fn(|task| Poll::Ready(socket.poll_frame(task))).await.is_pending());
            let [first, second] = waiting;
            drop(first);
            let kept = second.try_into_mut().expect("nobody else has it").capacity();
            assert!(kept <= frames.len() + 8, "{kept} bytes for {length}");
        }
    }

    #[tokio::test]
    async fn who_waits_has_no_buffers() {
        let mut task = Context::from_waker(Waker::noop());
        let (mut socket, mut peer) = socket(1_024);
        peer.write_all(&[0x82, 3, 7, 7]).await.expect("room");
        assert!(socket.poll_frame(&mut task).is_pending());
        assert_eq!(socket.unfinished(), 2);
        peer.write_all(&[7]).await.expect("room");
        assert!(matches!(socket.poll_frame(&mut task), Poll::Ready(Ok(Frame::Binary(_)))));
        assert!(socket.poll_frame(&mut task).is_pending());
        for _ in 0..10 * MARKS {
            socket.queue(OpCode::Binary, &[7; 10], 1);
        }
        while socket.poll_write(&mut task).1.is_pending() {
            let mut taken = [0; 100];
            peer.read_exact(&mut taken).await.expect("it is written");
        }
        assert_eq!((socket.read.capacity(), socket.write.capacity()), (0, 0));
        assert!(socket.marks.capacity() <= MARKS);
    }

    /// Takes what it is given and asks to be flushed, as TLS does.
    #[derive(Default)]
    struct Lazy {
        taken: usize,
        flushed: usize,
        flushes: Rc<Cell<usize>>,
    }

    impl AsyncRead for Lazy {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Lazy {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.taken += bytes.len();
            Poll::Ready(Ok(bytes.len()))
        }

        /// The first time it is not ready.
        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes.set(self.flushes.get() + 1);
            let ready = self.flushed == self.taken;
            self.flushed = self.taken;
            if ready { Poll::Ready(Ok(())) } else { Poll::Pending }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_was_written_is_flushed_and_nothing_else() {
        let mut task = Context::from_waker(Waker::noop());
        let flushes = Rc::new(Cell::new(0));
        let io: BoxedSocket = Box::new(Lazy { flushes: Rc::clone(&flushes), ..Lazy::default() });
        let mut socket = UpstreamSocket::new(Framed::new(io, Codec::new()), 1_024);
        assert!(matches!(socket.poll_write(&mut task), (None, Poll::Ready(Ok(())))));
        assert_eq!(flushes.get(), 0);
        socket.queue(OpCode::Text, b"text", 5);
        assert!(matches!(socket.poll_write(&mut task), (Some(5), Poll::Pending)));
        for _ in 0..3 {
            assert!(matches!(socket.poll_write(&mut task), (None, Poll::Ready(Ok(())))));
            assert_eq!(flushes.get(), 2);
        }
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
        assert!(socket.write.len() < NO_PONGS + 256);
    }

    #[tokio::test]
    async fn a_socket_that_is_ended_reads_on_up_to_the_peers_end() {
        let (mut socket, mut peer) = socket(64);
        let ending = poll_fn(|task| socket.poll_end(task));
        let sending = async {
            let mut end = Vec::new();
            peer.read_to_end(&mut end).await.expect("our side only ends");
            peer.write_all(&[7; 100 * ws::READ]).await.expect("everything is taken");
            drop(peer);
        };
        tokio::join!(ending, sending);
        assert_eq!(socket.read.capacity(), 0, "what is lost is kept");
    }

    #[tokio::test]
    async fn the_last_of_many_pings_is_answered_when_there_is_room() {
        let (mut socket, mut peer) = socket(16);
        socket.queue(OpCode::Binary, &vec![b'a'; NO_PONGS], 5);
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
        let mut codec = Codec::new().max_size(NO_PONGS);
        let mut read = BytesMut::from(&read[..]);
        assert!(matches!(codec.decode(&mut read), Ok(Some(Frame::Binary(_)))));
        assert_eq!(codec.decode(&mut read).ok().flatten(), Some(Frame::Pong("last".into())));
        assert!(read.is_empty(), "one answer alone");
    }
}
