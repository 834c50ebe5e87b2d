//! Stands between an accepted connection and the HTTP codec, and lets the codec see only heads of requests that are
//! whole, small and certain. The codec allows four times as much, panics at the name of a header of more than 64 KiB,
//! and answers what it refuses without a body. Knows no path and nothing of what bodies or frames say.
//!
//! It also sees to it that answers are read: the codec waits for ever for a peer that takes none. And it ends our side of
//! a WebSocket that has been closed: the codec would wait a while for more of what it takes for a request.
//!
//! A head that is refused is the end of what the codec reads. It gives the answers that are due to earlier requests, and
//! shuts the connection down: that is when the refusal is written.

mod body;
mod head;
mod life;
mod refusal;
#[cfg(test)]
mod tests;

use std::{
    io, mem,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use body::{Body, Followed};
use head::{Head, LONGEST, judge};
use life::Part;
use refusal::Refusal;

pub(super) use life::Life;

use super::{refusal_log::line_of, refuse::Refuse};
use crate::metrics::Refusals;

/// How long the head of a request may take to arrive: the first from the connection's beginning, another from its own
/// first byte. Between two requests the codec's limit for an idle connection holds.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);

/// How long a body may take to arrive: longer than who wants it gives it, since the codec reads on for ever what nobody
/// wants.
const BODY_PATIENCE: Duration = Duration::from_secs(15);

/// How long a peer may take to read what it asked for: from when there is no room for more to when everything is
/// written.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);

/// How long a peer that was refused has for reading why.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is read of a head at once, bytes.
const READ: usize = 4 * 1024;

/// A connection whose heads are guarded.
pub(super) struct HeadGuard<T> {
    io: T,
    peer: Option<SocketAddr>,
    refusals: Refusals,
    next: Next,
    /// What was read and has not been passed on or judged; of a head all of it.
    read: BytesMut,
    /// How much of the head in `read` has been looked at, and is passed on.
    judged: usize,
    /// What the codec may have.
    passed: BytesMut,
    /// When what is arriving has to be there; of a refusal, when it has to be read.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The refusal, as far as it is not written.
    refusal: Option<Bytes>,
    /// When the answers that have no room have to be read.
    unread: Option<Pin<Box<Sleep>>>,
    life: Life,
    /// Our side has been ended, behind all that a WebSocket had to say.
    ended: bool,
}

/// What the next byte belongs to.
enum Next {
    Head,
    Body(Body),
    /// Nothing that is read.
    End,
}

impl<T> HeadGuard<T> {
    /// Guards a connection that was just accepted from `peer`, and counts the heads that it refuses.
    pub(super) fn new(io: T, peer: Option<SocketAddr>, refusals: Refusals) -> Self {
        Self {
            io,
            peer,
            refusals,
            next: Next::Head,
            read: BytesMut::new(),
            judged: 0,
            passed: BytesMut::new(),
            deadline: timer(HEAD_PATIENCE),
            refusal: None,
            unread: None,
            life: Life::default(),
            ended: false,
        }
    }

    /// By which to tell what has become of it.
    pub(super) fn life(&self) -> Life {
        self.life.clone()
    }

    /// The connection itself.
    pub(super) fn io(&self) -> &T {
        &self.io
    }

    /// Passes on what may be passed on.
    fn judge(&mut self) {
        while !self.read.is_empty() {
            match &mut self.next {
                Next::Head => match judge(&self.read) {
                    Ok(None) => {
                        self.passed.extend_from_slice(&self.read[self.judged..]);
                        self.judged = self.read.len();
                        return;
                    }
                    Ok(Some(Head { length, body })) => {
                        self.passed.extend_from_slice(&self.read[self.judged..length]);
                        self.advance(length);
                        self.deadline = match body {
                            Some(Body::Endless) => None,
                            Some(Body::Length(_) | Body::Chunked(_)) => timer(BODY_PATIENCE),
                            None => self.next_head(),
                        };
                        self.next = body.map_or(Next::Head, Next::Body);
                    }
                    Err(refusal) => self.end(Some(&refusal)),
                },
                Next::Body(body) => match body.follow(&self.read) {
                    Followed::All => self.passed.unsplit(mem::take(&mut self.read)),
                    Followed::Ends(length) => {
                        self.passed.extend_from_slice(&self.read[..length]);
                        self.advance(length);
                        self.body_ends();
                    }
                    Followed::Broken => self.end(None),
                },
                Next::End => self.read = BytesMut::new(),
            }
        }
    }

    /// So much of what was read is passed on. No session keeps a buffer for heads.
    fn advance(&mut self, length: usize) {
        self.judged = 0;
        self.read.advance(length);
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
    }

    fn body_ends(&mut self) {
        self.next = Next::Head;
        self.deadline = self.next_head();
    }

    /// How long the next head has, if it has begun.
    fn next_head(&self) -> Option<Pin<Box<Sleep>>> {
        if self.read.is_empty() { None } else { timer(HEAD_PATIENCE) }
    }

    /// Nothing more is read, and a head is answered. Of a body that broke off, whoever wants it says so.
    fn end(&mut self, refusal: Option<&Refusal>) {
        if let Some(refusal) = refusal {
            let (_, code) = refusal.status_and_code();
            self.refusals.count(code);
            if let Some(left_out) = line_of(code, None) {
                let why = refusal.to_string();
                let peer = self.peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
                log::info!(peer, code, reason = why, left_out = left_out.number(); "refused");
            }
            self.refusal = Some(refusal.on_the_wire(SystemTime::now()));
        }
        self.next = Next::End;
        self.read = BytesMut::new();
        self.deadline = None;
    }

    /// Whether the time for what is arriving is over; then nothing more is read.
    fn is_late(&mut self, task: &mut Context<'_>) -> bool {
        let is_late = self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(task).is_ready());
        if is_late {
            let has_begun = matches!(self.next, Next::Head) && !self.read.is_empty();
            self.end(has_begun.then_some(&Refusal::Slow));
        }
        is_late
    }

    /// Whether the time for reading answers is over.
    fn is_unread(&mut self, task: &mut Context<'_>) -> bool {
        if self.life.part() != Part::Requests {
            self.unread = None;
        }
        self.unread.as_mut().is_some_and(|deadline| deadline.as_mut().poll(task).is_ready())
    }
}

impl<T: AsyncRead + Unpin> HeadGuard<T> {
    /// Reads more of a head.
    fn poll_head(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut room = [0; READ];
        let mut more = ReadBuf::new(&mut room[..READ.min(LONGEST - self.read.len())]);
        ready!(Pin::new(&mut self.io).poll_read(task, &mut more))?;
        let more = more.filled();
        if more.is_empty() {
            self.end(None);
            return Poll::Ready(Ok(()));
        }
        if self.deadline.is_none() {
            self.deadline = timer(HEAD_PATIENCE);
        }
        self.read.extend_from_slice(more);
        // Not at every byte of a line: who sends them one by one would be read again and again from the first.
        let length = self.read.len();
        if more.contains(&b'\n') || length >= 2 * self.judged || length == LONGEST {
            self.judge();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads more of a body to where it is wanted.
    fn poll_body(&mut self, task: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(task, out))?;
        let more = &out.filled()[before..];
        if let Next::Body(body) = &mut self.next
            && !more.is_empty()
        {
            match body.follow(more) {
                Followed::All => (),
                Followed::Ends(length) => {
                    self.read.extend_from_slice(&more[length..]);
                    out.set_filled(before + length);
                    self.body_ends();
                }
                Followed::Broken => {
                    out.set_filled(before);
                    self.end(None);
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HeadGuard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.passed.is_empty() {
                let length = self.passed.len().min(out.remaining());
                out.put_slice(&self.passed[..length]);
                self.passed.advance(length);
                if self.passed.is_empty() {
                    self.passed = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            match self.next {
                Next::Body(Body::Endless) => return Pin::new(&mut self.io).poll_read(task, out),
                Next::End => return Poll::Ready(Ok(())),
                Next::Head | Next::Body(_) => (),
            }
            if self.is_late(task) {
                continue;
            }
            match self.next {
                Next::Head if self.judged == 0 && !self.read.is_empty() => self.judge(),
                Next::Head => ready!(self.poll_head(task))?,
                Next::Body(_) | Next::End => return self.poll_body(task, out),
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HeadGuard<T> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(task, bytes);
        if written.is_pending() && self.life.part() == Part::Requests && self.unread.is_none() {
            self.unread = timer(ANSWER_PATIENCE);
        }
        if self.is_unread(task) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { written }
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(task))?;
        self.unread = None;
        if self.life.part() == Part::Over && !self.ended {
            ready!(Pin::new(&mut self.io).poll_shutdown(task))?;
            self.ended = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Says why, if there is a reason, and ends the connection. What the peer still sends is read for a while, or the
    /// kernel would answer it with a reset, and take the reason from a peer that has not read it.
    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, refusal, deadline, .. } = &mut *self;
        let Some(refusal) = refusal else { return Pin::new(io).poll_shutdown(task) };
        if deadline.get_or_insert_with(|| Box::pin(sleep(FAREWELL))).as_mut().poll(task).is_ready() {
            return Poll::Ready(Ok(()));
        }
        while refusal.has_remaining() {
            let written = ready!(Pin::new(&mut *io).poll_write(task, refusal))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            refusal.advance(written);
        }
        ready!(Pin::new(&mut *io).poll_shutdown(task))?;
        let mut room = [0; READ];
        loop {
            let mut more = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut *io).poll_read(task, &mut more)) {
                Ok(()) if !more.filled().is_empty() => (),
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

fn timer(patience: Duration) -> Option<Pin<Box<Sleep>>> {
    Some(Box::pin(sleep(patience)))
}
