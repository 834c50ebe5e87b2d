//! Wire types of both legs. JSON, base64 and the names on the wire end here; nothing in this module
//! knows what a message is for. The client leg speaks [`agent`], the upstream leg [`realtime`], and
//! the two do not see each other.

pub mod agent;
pub mod audio;
#[cfg(test)]
mod fixtures;
mod frame;
pub mod ids;
mod places;
pub mod realtime;
mod wire;

pub use frame::{Frame, Opcode};
pub(crate) use places::{has_too_many_places, size_when_read};
pub use wire::{DecodeError, Unknown};
pub(crate) use wire::{log_field, one_line, shorten};
