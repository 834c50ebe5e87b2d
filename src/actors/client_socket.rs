//! A duplicate of a client's socket, through which the gate can hang up and see that the client has gone, also while
//! the client's actor is not polled. Knows nothing of frames.

use std::{
    future::pending,
    io,
    net::{Shutdown as Direction, TcpStream},
    os::fd::AsFd,
    sync::Arc,
};

use tokio::io::Interest;

use crate::websocket::tuned;

/// A duplicate of a client's socket.
#[derive(Clone)]
pub struct ClientSocket(Arc<TcpStream>);

impl ClientSocket {
    /// Duplicates the socket of a connection that was just accepted and sets its options.
    pub fn duplicate(socket: &(impl AsFd + ?Sized)) -> io::Result<Self> {
        Ok(Self(Arc::new(tuned(socket)?)))
    }

    /// Ready when the peer has closed its side, whether or not anybody reads; never if that cannot be seen.
    pub async fn closed_by_peer(&self) {
        // A further duplicate: the server reads from the first, and what is ready there is not ours to take.
        let Ok(socket) = self.0.try_clone().and_then(tokio::net::TcpStream::from_std) else {
            return pending().await;
        };
        while let Ok(ready) = socket.ready(Interest::READABLE).await {
            if ready.is_read_closed() {
                return;
            }
            // Bytes. Saying that there are none waits for what comes next.
            let _ =
                socket.try_io(Interest::READABLE, || io::Result::<()>::Err(io::ErrorKind::WouldBlock.into()));
        }
        pending().await
    }

    /// Ends the connection, whatever state its peer is in.
    pub(super) fn hang_up(&self) {
        // The peer may have been quicker; then there is nothing left to end.
        let _ = self.0.shutdown(Direction::Both);
    }
}
