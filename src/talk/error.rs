//! Why a conversation did not come to its end. Display is the reason for a person; nothing here knows how
//! it is shown.

use std::{fmt, path::PathBuf};

/// Why `talk` failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TalkError {
    /// The recording cannot be read or sent.
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file of the authorities cannot be used; the reason names it.
    Authorities(String),
    /// There is no connection to the server.
    Unreachable {
        /// Host and port.
        server: String,
        /// What went wrong.
        reason: String,
    },
    /// The server answered the upgrade with a status other than 101.
    Status {
        /// Host and port.
        server: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server's frames are no WebSocket frames, or too large.
    Protocol(String),
    /// The server sent `Error`.
    Session {
        /// For a program.
        code: String,
        /// For a person.
        description: String,
    },
    /// The server did not take the turn (`InjectionRefused`).
    InjectionRefused(String),
    /// The connection ended before the answer was complete; 1005 and 1006 as RFC 6455, 7.1.5 has them.
    Closed {
        /// The close code.
        code: u16,
        /// The server's words.
        reason: String,
    },
    /// The time is up.
    TimedOut {
        /// The time that was allowed, in seconds.
        seconds: u64,
    },
    /// The answer's audio cannot be written.
    Save {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The conversation cannot be printed.
    Output(String),
}

impl fmt::Display for TalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recording { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::Authorities(reason) => f.write_str(reason),
            Self::Unreachable { server, reason } => write!(f, "cannot connect to {server}: {reason}"),
            Self::Status { server, status } => {
                write!(f, "{server} refused the connection with http status {status}")?;
                f.write_str(match status {
                    401 => ": it wants a token, or another one (--token)",
                    404 => ": there is no such path; GET /v1/backends tells which there are",
                    _ => "",
                })
            }
            Self::Protocol(reason) => write!(f, "protocol error: {reason}"),
            Self::Session { code, description } => write!(f, "{code}: {description}"),
            Self::InjectionRefused(message) => write!(f, "the turn was refused: {message}"),
            Self::Closed { code: 1006, reason } if reason.is_empty() => {
                f.write_str("the connection was lost without a close frame")
            }
            Self::Closed { code: 1006, reason } => write!(f, "the connection was lost: {reason}"),
            Self::Closed { code, reason } if reason.is_empty() => {
                write!(f, "the server closed the connection with code {code}")
            }
            Self::Closed { code, reason } => {
                write!(f, "the server closed the connection with code {code}: {reason}")
            }
            Self::TimedOut { seconds } => write!(f, "no complete answer within {seconds} s"),
            Self::Save { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::Output(reason) => write!(f, "cannot print: {reason}"),
        }
    }
}

impl std::error::Error for TalkError {}
