//! What every WebSocket of ours needs and no codec gives: a verified way to dial, fragments joined under
//! a limit, and a look at frame headers before anything buffers the frame.

mod client;
mod fragments;
mod frame_guard;
mod frames;
mod shared_buffer;
mod socket;

pub use client::{websocket_client, websocket_client_to};
pub use fragments::{Fragments, Joined, MessageSize};
pub use frame_guard::{FrameGuard, Unacceptable};
pub use frames::{fragment, message, opcode};
pub use shared_buffer::SharedBuffer;
pub use socket::tuned;
