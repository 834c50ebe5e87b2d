//! One connection to an application: sends a call, reads its answer, and can tell whether the next call may
//! use it. Knows nothing of retries and deadlines.

use std::{cell::Cell, fmt, io, net, os::fd::AsFd, pin::pin, sync::Arc, time::Duration};

use actix_tls::connect::rustls_0_23::reexports::AsyncTlsStream as TlsStream;
use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{
    Failure,
    answer::Answer,
    framing::{Read, Reader},
};

/// How long a connection is kept for a next call. Many servers close theirs after five seconds.
const KEPT: Duration = Duration::from_secs(4);

/// How long a connection is watched after its first answer before it is used again: a server that closes
/// after each answer without having said so does so within this time.
const WATCHED: Duration = Duration::from_millis(100);

/// The same after further answers: a server that has kept a connection open may still close it after any answer.
const WATCHED_AGAIN: Duration = Duration::from_millis(20);

/// A connection to an application.
pub(super) struct Connection {
    io: Box<dyn Stream>,
    /// What was read behind an answer: nothing, if both sides agree on where it ended.
    buffer: BytesMut,
    /// Where it leads.
    to: Arc<Key>,
    /// The answers that came over it.
    answers: usize,
    /// When the last one did, or when it was made.
    since: Instant,
}

/// What two calls need to have in common to share a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The server's name.
    pub(super) host: url::Host,
    /// Its port.
    pub(super) port: u16,
    /// Whom the connection trusts, if it is one of TLS: a place in a table.
    pub(super) trust: Option<usize>,
    /// The address, where it matters which of the server's it is: at an endpoint of a client's.
    pub(super) address: Option<net::SocketAddr>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Trouble {
    /// What happened.
    pub(super) failure: Failure,
    /// Whether not one byte of the request was taken.
    pub(super) unsent: bool,
    /// Whether not one byte of an answer came.
    pub(super) unanswered: bool,
}

/// A TCP connection, with or without TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// The socket.
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Connection {
    /// A new connection.
    pub(super) fn new(io: Box<dyn Stream>, to: Arc<Key>) -> Self {
        Self { io, buffer: BytesMut::new(), to, answers: 0, since: Instant::now() }
    }

    /// Where it leads.
    pub(super) fn key(&self) -> &Arc<Key> {
        &self.to
    }

    /// Whether it has given an answer before.
    pub(super) fn is_used(&self) -> bool {
        self.answers > 0
    }

    /// Whether it has been kept for as long as one is.
    pub(super) fn is_old(&self) -> bool {
        self.since.elapsed() > KEPT
    }

    /// Sends `request` and reads the answer, whose body may have `limit` bytes. The connection comes back if
    /// there can be another call over it.
    pub(super) async fn exchange(
        mut self,
        request: &[u8],
        limit: usize,
    ) -> Result<(Answer, Option<Self>), Trouble> {
        let (io, mut writer) = tokio::io::split(&mut self.io);
        let mut reader = Reader { io, buffer: &mut self.buffer, place: &self.to, taken: 0 };
        let sent = Cell::new(0);
        let (read, all_sent) = {
            let write = async {
                while sent.get() < request.len() {
                    match writer.write(&request[sent.get()..]).await? {
                        0 => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                        bytes => sent.set(sent.get() + bytes),
                    }
                }
                writer.flush().await
            };
            let (mut write, mut read) = (pin!(write), pin!(reader.answer(limit)));
            // A server may answer, and close, before it has read everything.
            tokio::select! {
                biased;
                read = &mut read => (read, false),
                written = &mut write => (read.await, written.is_ok()),
            }
        };
        let touched = reader.taken > 0;
        let Read { answer, keeps } =
            read.map_err(|failure| Trouble { failure, unsent: sent.get() == 0, unanswered: !touched })?;
        self.answers += 1;
        self.since = Instant::now();
        Ok((answer, (keeps && all_sent).then_some(self)))
    }

    /// Whether the connection can be used for another call, as far as one can know.
    ///
    /// After an answer it is watched for a moment: the request of a call that must not be made twice is lost if it
    /// meets a server that is about to close.
    pub(super) async fn is_usable(&mut self) -> bool {
        if self.is_old() || !self.is_quiet() {
            return false;
        }
        let until = self.since + if self.answers > 1 { WATCHED_AGAIN } else { WATCHED };
        until <= Instant::now() || timeout_at(until, self.io.read_u8()).await.is_err()
    }

    /// Whether nothing has come behind the last answer, the end of the connection included. What has, a next
    /// call would take for its answer.
    fn is_quiet(&mut self) -> bool {
        // The kernel is asked first: tokio looks there only when its driver has heard of something.
        self.buffer.is_empty() && is_silent(self.io.tcp()) && self.io.read_u8().now_or_never().is_none()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{}:{} at {}", self.host, self.port, address.ip()),
            None => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Whether there is nothing to be read of `socket`, neither bytes nor an end.
fn is_silent(socket: &TcpStream) -> bool {
    let peeked = socket.as_fd().try_clone_to_owned().and_then(|fd| net::TcpStream::from(fd).peek(&mut [0]));
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
