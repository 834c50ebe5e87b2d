//! The WebSocket around a session of any of the simulators: frames in and out, the clock.
//! Knows nothing of what the frames say, or of how the connection was made.

use std::{io, time::Duration};

use actix_web::web::Bytes;
use actix_ws::{AggregatedMessage, CloseCode, CloseReason, MessageStream, ProtocolError};
use tokio::time::{Instant, timeout};

/// A session as a socket drives it. Time is counted from the session's start; frames are whole messages.
pub(super) trait Session {
    /// Takes a text message.
    fn text(&mut self, message: &str, now: Duration);

    /// Takes a binary message.
    fn binary(&mut self, message: &[u8], now: Duration);

    /// Everything that leaves by now, in order; a close is the last.
    fn poll(&mut self, now: Duration) -> Vec<Output>;

    /// The next one of what [`Session::poll`] gave has been handed to the socket.
    fn left(&mut self) {}

    /// When [`Session::poll`] has something next; `None` if only a message of the client can bring it.
    fn deadline(&self) -> Option<Duration>;
}

/// What leaves a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// The end of the connection.
    Close { code: u16, reason: String },
}

/// Moves frames and time between the socket and the session until one of them ends.
pub(super) async fn drive(mut session: impl Session, mut sink: actix_ws::Session, stream: MessageStream) {
    let mut stream = stream
        .max_frame_size(MAX_FRAME_BYTES)
        .aggregate_continuations()
        .max_continuation_size(MAX_FRAME_BYTES);
    let start = Instant::now();
    loop {
        for output in session.poll(start.elapsed()) {
            let sent = match output {
                Output::Text(text) => sink.text(text).await,
                Output::Binary(bytes) => sink.binary(bytes).await,
                Output::Close { code, reason } => {
                    let reason = CloseReason { code: CloseCode::from(code), description: Some(reason) };
                    let _ = sink.close(Some(reason)).await;
                    return;
                }
            };
            if sent.is_err() {
                return;
            }
            session.left();
        }
        let deadline = session.deadline().unwrap_or(Duration::MAX).saturating_sub(start.elapsed());
        let frame = match timeout(deadline, stream.recv()).await {
            Ok(frame) => frame,
            Err(_due) => continue,
        };
        match frame {
            Some(Ok(AggregatedMessage::Text(text))) => session.text(&text, start.elapsed()),
            Some(Ok(AggregatedMessage::Binary(bytes))) => session.binary(&bytes, start.elapsed()),
            Some(Ok(AggregatedMessage::Ping(bytes))) => {
                if sink.pong(&bytes).await.is_err() {
                    return;
                }
            }
            Some(Ok(AggregatedMessage::Pong(_))) => {}
            Some(Ok(AggregatedMessage::Close(reason))) => {
                let _ = sink.close(reason).await;
                return;
            }
            Some(Err(error)) => {
                log::debug!(error:% = error; "a connection to the simulator ended");
                let _ = sink.close(Some(broken(&error).into())).await;
                return;
            }
            None => return,
        }
    }
}

/// The close code for a stream of frames that cannot be read on (RFC 6455, 7.4.1).
fn broken(error: &ProtocolError) -> CloseCode {
    match error {
        ProtocolError::Overflow => CloseCode::Size,
        ProtocolError::Io(error) if error.kind() == io::ErrorKind::InvalidData => CloseCode::Invalid,
        // The reader's word for fragments that are too long together.
        ProtocolError::Io(error) if error.kind() == io::ErrorKind::Other => CloseCode::Size,
        _ => CloseCode::Protocol,
    }
}

/// The largest frame taken, and the largest message in fragments: an append of 15 MiB fits twice.
const MAX_FRAME_BYTES: usize = 32 * 1024 * 1024;
