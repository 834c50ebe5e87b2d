//! What both legs ask of their TCP sockets. Knows nothing of what is sent.

use std::{io, net::TcpStream, os::fd::AsFd};

use tokio::net::TcpSocket;

/// What the kernel may keep for a peer that does not read, bytes. With the system's own choice that is
/// megabytes: out of reach of an interruption, beside every budget, and a socket that takes nothing for
/// many seconds although its peer reads all the time. It is a second of audio over any distance.
const SEND_BUFFER: u32 = 64 * 1024;

/// A duplicate of a connection's socket, which sends small frames at once and keeps little from now on.
pub fn tuned(socket: &(impl AsFd + ?Sized)) -> io::Result<TcpStream> {
    let duplicate = || socket.as_fd().try_clone_to_owned().map(TcpStream::from);
    let stream = duplicate()?;
    // Audio goes in small frames; none may wait for the acknowledgement of the one before.
    stream.set_nodelay(true)?;
    TcpSocket::from_std_stream(duplicate()?).set_send_buffer_size(SEND_BUFFER)?;
    Ok(stream)
}
