//! voxbridge: a real-time voice-agent gateway.

pub mod config;
pub mod gate;
pub mod protocol;
pub mod translate;
