//! Why a call has no result. What the model is told of it holds no address and no secret; what a log line
//! may say is kept apart from that. Knows nothing of how a call is run.

use std::fmt;

use log::Level;

use crate::{logging::Fields, protocol::shorten};

/// Why a call has no result. `Display` is the text for the model; `Debug` is for log lines and holds no content.
#[derive(Clone, PartialEq, Eq)]
pub enum Failure {
    /// As many calls run and wait as may; nothing was queued.
    Busy,
    /// No route runs this function.
    Unknown(String),
    /// No result before the deadline, whether the call waited for its turn or ran.
    TimedOut,
    /// The executor ended before the call did.
    Stopped,
    /// The application's own account of what went wrong: content.
    Refused(String),
    /// No connection could be made; nothing of the call was sent.
    Unreachable(Cause),
    /// The application's certificate was refused; nothing of the call was sent.
    Untrusted(Cause),
    /// An endpoint of a client's is at none of the addresses that may be called; nothing was sent.
    AddressNotAllowed(Cause),
    /// The connection ended before the answer did.
    Broken(Cause),
    /// The answer is no HTTP/1 answer.
    NotHttp(Cause),
    /// The application answered with this status.
    Status(u16),
    /// The application answered with this status, a redirect, which is not followed.
    Redirect(u16),
    /// The answer is longer than this many bytes.
    TooLarge(usize),
    /// The answer is compressed.
    Encoded,
    /// The answer is of no length.
    Empty,
    /// The answer is not UTF-8.
    NotText,
    /// The answer is no JSON.
    NotJson,
    /// The answer is JSON, but no object.
    NotAnObject,
    /// The answer has neither `content` nor `error`.
    NoContent,
    /// The `content` of the answer is no string.
    ContentNotText,
    /// The `error` of the answer is no string.
    ErrorNotText,
}

/// What a log line may say of a failure: hosts, addresses and errors of the system. Not for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause(String);

impl Cause {
    /// What happened, with `place`, where it did.
    pub(super) fn new(place: &impl fmt::Display, what: &impl fmt::Display) -> Self {
        Self(shorten(format!("{place}: {what}")))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every word that [`Failure::code`] gives.
pub const FAILURES: [&str; 15] = [
    "busy",
    "unknown_function",
    "timed_out",
    "stopped",
    "function_error",
    "unreachable",
    "untrusted",
    "address_not_allowed",
    "broken",
    "not_http",
    "status",
    "redirect",
    "too_large",
    "encoded",
    "malformed_answer",
];

impl Failure {
    /// A word for the kind of failure, for log lines and programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Unknown(_) => "unknown_function",
            Self::TimedOut => "timed_out",
            Self::Stopped => "stopped",
            Self::Refused(_) => "function_error",
            Self::Unreachable(_) => "unreachable",
            Self::Untrusted(_) => "untrusted",
            Self::AddressNotAllowed(_) => "address_not_allowed",
            Self::Broken(_) => "broken",
            Self::NotHttp(_) => "not_http",
            Self::Status(_) => "status",
            Self::Redirect(_) => "redirect",
            Self::TooLarge(_) => "too_large",
            Self::Encoded => "encoded",
            Self::Empty
            | Self::NotText
            | Self::NotJson
            | Self::NotAnObject
            | Self::NoContent
            | Self::ContentNotText
            | Self::ErrorNotText => "malformed_answer",
        }
    }

    /// How loud the log says it: an application that answers with an error does its work.
    pub const fn log_level(&self) -> Level {
        if matches!(self, Self::Refused(_)) { Level::Info } else { Level::Warn }
    }

    /// What a log line may add, which the model is not told.
    pub(super) const fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Unreachable(cause)
            | Self::Untrusted(cause)
            | Self::AddressNotAllowed(cause)
            | Self::Broken(cause)
            | Self::NotHttp(cause) => Some(cause),
            Self::Busy
            | Self::Unknown(_)
            | Self::TimedOut
            | Self::Stopped
            | Self::Refused(_)
            | Self::Status(_)
            | Self::Redirect(_)
            | Self::TooLarge(_)
            | Self::Encoded
            | Self::Empty
            | Self::NotText
            | Self::NotJson
            | Self::NotAnObject
            | Self::NoContent
            | Self::ContentNotText
            | Self::ErrorNotText => None,
        }
    }

    /// For log lines: `outcome` is [`Self::code`]. An application's own words are content, of which the length is told;
    /// a name that nobody knows is the model's or a client's.
    pub(crate) fn fields(&self) -> Fields {
        let fields = Fields::default().with("outcome", self.code());
        match self {
            Self::Refused(text) => fields.with("bytes", text.len()),
            Self::Unknown(_) => fields,
            other => {
                let cause = other.cause().map(ToString::to_string);
                fields.with("error", other.to_string()).with_some("reason", cause)
            }
        }
    }

    /// The same with the application's own words changed.
    pub(super) fn map_text(self, change: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Refused(text) => Self::Refused(change(&text)),
            Self::NotHttp(Cause(text)) => Self::NotHttp(Cause(change(&text))),
            other => other,
        }
    }

    /// Whether an application that may be asked twice is worth being asked again.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Broken(_) | Self::Status(502..=504))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("too many functions are running"),
            Self::Unknown(name) => write!(f, "there is no function {name}"),
            Self::TimedOut => f.write_str("the function did not answer in time"),
            Self::Stopped => f.write_str("the call was stopped before the function answered"),
            Self::Refused(text) => f.write_str(text),
            Self::Unreachable(_) => f.write_str("the function cannot be reached"),
            Self::Untrusted(_) => f.write_str("the function's server could not prove who it is"),
            Self::AddressNotAllowed(_) => f.write_str("the function is at an address that is not allowed"),
            Self::Broken(_) => f.write_str("the connection ended before the function's answer did"),
            Self::NotHttp(_) => f.write_str("the function's answer is no http"),
            Self::Status(status) => write!(f, "the function answered with status {status}"),
            Self::Redirect(status) => {
                write!(f, "the function answered with status {status}, a redirect, which is not followed")
            }
            Self::TooLarge(limit) => write!(f, "the function's answer is longer than {limit} bytes"),
            Self::Encoded => f.write_str("the function's answer is compressed, which was not asked for"),
            Self::Empty => f.write_str("the function's answer is empty"),
            Self::NotText => f.write_str("the function's answer is not utf-8"),
            Self::NotJson => f.write_str("the function's answer is no json"),
            Self::NotAnObject => f.write_str("the function's answer is no json object"),
            Self::NoContent => f.write_str("the function's answer has neither content nor error"),
            Self::ContentNotText => f.write_str("the content of the function's answer is no string"),
            Self::ErrorNotText => f.write_str("the error of the function's answer is no string"),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) => write!(f, "{}({} bytes)", self.code(), text.len()),
            // The name is the model's or a client's.
            Self::Unknown(_) => f.write_str(self.code()),
            other => match other.cause() {
                Some(cause) => write!(f, "{}({other}; {cause})", other.code()),
                None => write!(f, "{}({other})", other.code()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_told_no_address_and_the_log_no_content() {
        let cause = Cause::new(&"app.internal:8080", &"connection refused");
        let unreachable = Failure::Unreachable(cause);
        assert_eq!(unreachable.to_string(), "the function cannot be reached");
        assert_eq!(
            format!("{unreachable:?}"),
            "unreachable(the function cannot be reached; app.internal:8080: connection refused)"
        );
        assert_eq!(
            unreachable.cause().map(ToString::to_string).as_deref(),
            Some("app.internal:8080: connection refused")
        );
        let refused = Failure::Refused("Ada's account is empty".to_owned());
        assert_eq!(refused.to_string(), "Ada's account is empty");
        assert_eq!(format!("{refused:?}"), "function_error(22 bytes)");
        assert_eq!(refused.cause(), None);
        assert_eq!(format!("{:?}", Failure::Status(500)), "status(the function answered with status 500)");
        assert_eq!((refused.log_level(), unreachable.log_level()), (Level::Info, Level::Warn));
    }

    #[test]
    fn every_kind_has_its_word_in_the_list() {
        let cause = || Cause::new(&"h", &"c");
        let all = [
            Failure::Busy,
            Failure::Unknown(String::new()),
            Failure::TimedOut,
            Failure::Stopped,
            Failure::Refused(String::new()),
            Failure::Unreachable(cause()),
            Failure::Untrusted(cause()),
            Failure::AddressNotAllowed(cause()),
            Failure::Broken(cause()),
            Failure::NotHttp(cause()),
            Failure::Status(500),
            Failure::Redirect(302),
            Failure::TooLarge(1),
            Failure::Encoded,
            Failure::ErrorNotText,
        ];
        assert_eq!(all.map(|failure| failure.code()), FAILURES);
    }

    #[test]
    fn a_failure_is_one_line_of_log() {
        assert_eq!(format!("{:?}", Failure::Unknown("a\nforged line".to_owned())), "unknown_function");
        let cause = Cause::new(&"app.internal:8080", &format!("no\nway {}", "x".repeat(1000)));
        assert!(cause.to_string().starts_with("app.internal:8080: no\u{fffd}way x"));
        assert_eq!(cause.to_string().chars().count(), 201);
    }
}
