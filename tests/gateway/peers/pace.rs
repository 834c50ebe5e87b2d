//! A TCP stream whose reader takes its time: as fast as it can, so many bytes a second, or nothing.
//! Knows nothing of what is read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The kernel's buffers of a peer with a pace, bytes: small, so that what it does not read is not hidden there.
const BUFFER: u32 = 32 * 1024;

const TICKS_PER_SECOND: usize = 50;

/// How fast a peer reads; its copies change together.
#[derive(Clone, Debug)]
pub(crate) struct Pace(Option<Arc<AtomicUsize>>);

impl Pace {
    /// As fast as it can, with the system's buffers.
    pub(crate) const FREE: Self = Self(None);

    /// As fast as it can, with small buffers, until it is told otherwise.
    pub(crate) fn variable() -> Self {
        Self(Some(Arc::new(AtomicUsize::new(usize::MAX))))
    }

    /// So many bytes a second from now on; 0 reads nothing.
    pub(crate) fn set(&self, bytes_per_second: usize) {
        let rate = self.0.as_ref().expect("only a variable pace is changed");
        rate.store(bytes_per_second, Ordering::Relaxed);
    }

    /// Gives a socket that is not connected yet the buffers of this pace.
    pub(super) fn prepare(&self, socket: &TcpSocket) {
        if self.0.is_some() {
            socket.set_recv_buffer_size(BUFFER).expect("the socket is open");
            socket.set_send_buffer_size(BUFFER).expect("the socket is open");
        }
    }

    fn rate(&self) -> usize {
        self.0.as_ref().map_or(usize::MAX, |rate| rate.load(Ordering::Relaxed))
    }
}

/// A stream that is read at a pace and written freely.
#[derive(Debug)]
pub(crate) struct Paced {
    stream: TcpStream,
    pace: Pace,
    tick: Interval,
}

impl Paced {
    pub(super) fn new(stream: TcpStream, pace: Pace) -> Self {
        let mut tick = interval(Duration::from_secs(1) / TICKS_PER_SECOND as u32);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { stream, pace, tick }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.pace.rate() == usize::MAX {
                return Pin::new(&mut self.stream).poll_read(task, buf);
            }
            ready!(self.tick.poll_tick(task));
            let share = self.pace.rate() / TICKS_PER_SECOND;
            if share > 0 {
                let mut some = vec![0; share.min(buf.remaining())];
                let mut some = ReadBuf::new(&mut some);
                ready!(Pin::new(&mut self.stream).poll_read(task, &mut some))?;
                buf.put_slice(some.filled());
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(task, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}
