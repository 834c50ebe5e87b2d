//! voxbridge: a real-time voice-agent gateway.

pub mod actors;
pub mod cli;
pub mod config;
pub mod gate;
pub mod protocol;
pub mod server;
pub mod simulator;
pub mod talk;
pub mod translate;
