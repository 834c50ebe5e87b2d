//! What the program may be asked for while it serves. Knows no signal: those are the command line's.

use crate::config::Config;

/// A request to a running server.
#[derive(Debug)]
pub enum Request {
    /// Admit nobody any more, let live sessions finish their turns, then end. Once more: end at once.
    Drain,
    /// End every session at once, then end.
    Stop,
    /// Take a configuration up that was read again.
    Reload(Reread),
}

/// A configuration that was read again.
#[derive(Debug)]
pub struct Reread {
    /// The file, for the log.
    pub file: String,
    /// What it holds, checked whole; or why that cannot be used, with file, key and reason.
    pub config: Result<Box<Config>, String>,
}
