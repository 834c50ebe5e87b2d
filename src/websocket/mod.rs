//! What every WebSocket of ours needs and no codec gives: a verified way to dial, fragments joined under
//! a limit, a look at frame headers before anything buffers the frame, and frames written where they are sent from.

mod client;
mod fragments;
mod frame_guard;
mod frame_writer;
mod frames;
mod read_buffer;
mod shared_buffer;
mod socket;

pub use client::{websocket_client, websocket_client_to};
pub use fragments::{Fragments, Joined, MessageSize};
pub use frame_guard::{FrameGuard, Unacceptable};
pub use frame_writer::FrameWriter;
pub use frames::{fragment, message, opcode};
pub use read_buffer::{READ, poll_read};
pub use shared_buffer::SharedBuffer;
pub use socket::tuned;
