//! The gateway's neighbours as the tests play them, and the gateway's own process.
//! A test is written with these and holds no socket of its own.

pub(crate) mod application;
pub(crate) mod client;
pub(crate) mod fault_proxy;
mod fault_pump;
pub(crate) mod frames;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod journal;
pub(crate) mod mock;
pub(crate) mod pace;
pub(crate) mod raw;
pub(crate) mod raw_frame;
mod recording;
pub(crate) mod recordings;
pub(crate) mod reply;
pub(crate) mod row;
pub(crate) mod script;
pub(crate) mod sound;
pub(crate) mod tls;
mod upstream;

/// A message type that neither protocol has.
pub(crate) const UNKNOWN: &str = "Frobnicate";

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// Milliseconds as a `Duration`.
pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Seconds as a `Duration`.
pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A peer without limits of its own: those under test are the gateway's.
fn unlimited() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(None).max_frame_size(None)
}

/// Looks again and again, for what has no event to wait for, until something is found.
///
/// # Panics
///
/// If that has not happened in time.
pub(crate) async fn eventually<T>(
    wanted: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "no {wanted} within {within:?}");
        sleep(ms(10)).await;
    }
}

/// One message as a first frame and continuations of at most `size` bytes.
pub(crate) fn fragments(first: Data, payload: &[u8], size: usize) -> Vec<Message> {
    let pieces: Vec<_> = payload.chunks(size).collect();
    let last = pieces.len() - 1;
    let frame = |(index, piece): (usize, &&[u8])| {
        let opcode = OpCode::Data(if index == 0 { first } else { Data::Continue });
        Message::Frame(Frame::message(piece.to_vec(), opcode, index == last))
    };
    pieces.iter().enumerate().map(frame).collect()
}
