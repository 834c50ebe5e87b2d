//! What the program may be asked for while it serves. Knows no signal: those are the command line's.

/// A request to a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Admit nobody any more, let live sessions finish their turns, then end. Once more: end at once.
    Drain,
    /// End every session at once, then end.
    Stop,
}
