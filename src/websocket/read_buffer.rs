//! Where the sockets of a thread are read: a connection that waits for its peer, as nearly all do nearly always, has no
//! buffer of its own. Knows nothing of what is read.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// What is read at once, bytes.
pub const READ: usize = 16 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// Reads once, up to [`READ`] bytes, and gives them to `take`: none at the stream's end.
pub fn poll_read<T>(
    io: Pin<&mut (impl AsyncRead + ?Sized)>,
    task: &mut Context<'_>,
    take: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    BUFFER.with_borrow_mut(|buffer| {
        let mut read = ReadBuf::new(buffer);
        ready!(io.poll_read(task, &mut read))?;
        Poll::Ready(Ok(take(read.filled())))
    })
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, io::Cursor};

    use super::*;

    #[tokio::test]
    async fn a_stream_is_read_in_pieces_up_to_its_end() {
        let stream: Vec<u8> = (0..2 * READ + 7).map(|n| (n / 3) as u8).collect();
        let (mut io, mut read, mut pieces) = (Cursor::new(stream.clone()), Vec::new(), Vec::new());
        while pieces.last() != Some(&0) {
            let take = |piece: &[u8]| {
                read.extend_from_slice(piece);
                pieces.push(piece.len());
            };
            let mut take = Some(take);
            poll_fn(|task| {
                poll_read(Pin::new(&mut io), task, |piece| take.take().map(|mut take| take(piece)))
            })
            .await
            .expect("memory does not fail");
        }
        assert_eq!(pieces, [READ, READ, 7, 0]);
        assert!(read == stream);
    }
}
