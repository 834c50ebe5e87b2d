//! The one table of endings (rule R16): cause, what the client is told and how each side is closed.

use std::fmt;

use super::{LegEnd, UpstreamError};
use crate::protocol::agent::Notice;

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The client's socket ended.
    Client(LegEnd),
    /// Upstream's socket ended.
    Upstream {
        /// How.
        end: LegEnd,
        /// Whether the client had been told that its settings are applied.
        ready: bool,
        /// The session was within a minute of its end.
        expired: bool,
    },
    /// Upstream's socket ended, of a connection that is passed through: it has said why itself.
    Relayed(LegEnd),
    /// Upstream could not be reached.
    Unreachable(UpstreamError),
    /// Upstream did not answer our `session.update`, or a ping.
    UpstreamSilent,
    /// The client did not answer a ping.
    ClientSilent,
    /// No usable Settings came in time.
    SettingsTimeout,
    /// Nothing came from the client for too long.
    IdleTimeout,
    /// The session lasted as long as it may.
    SessionAge,
    /// The client does not read what it is sent.
    ClientTooSlow,
    /// Upstream does not read what it is sent.
    UpstreamTooSlow,
    /// More input than the budget arrived before the session was ready for it.
    TooMuchInput {
        /// The budget, bytes.
        limit: usize,
    },
    /// Memory was short in the whole process, and this connection held more than its share.
    Overloaded,
    /// The program stops.
    Shutdown,
}

/// How an ending shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What the client is told before the close, unless it has been told of this trouble already.
    pub error: Option<Notice>,
    /// Close code at the client.
    pub client_code: u16,
    /// Close reason at the client.
    pub client_reason: String,
    /// Close code at upstream.
    pub upstream_code: u16,
    /// Close reason at upstream.
    pub upstream_reason: String,
    /// Whether somebody should look into it.
    pub severity: Severity,
}

/// How an ending is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Part of the day's work.
    Expected,
    /// A peer misbehaved or is out of reach.
    Trouble,
}

/// A close code that may be sent on: one that stands in a close frame (RFC 6455, 7.4).
pub fn sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

impl CloseReason {
    /// This cause's row of the table.
    pub fn ending(&self) -> Ending {
        use Severity::{Expected, Trouble};
        let row = |error: Option<(&str, String)>, client_code, upstream_code, severity| Ending {
            error: error.map(|(code, description)| Notice { description, code: code.to_owned() }),
            client_code,
            client_reason: String::new(),
            upstream_code,
            upstream_reason: String::new(),
            severity,
        };
        match self {
            Self::Client(LegEnd::Closed { code, reason }) => {
                let code = code.filter(|code| sendable(*code)).unwrap_or(1000);
                Ending { upstream_reason: reason.clone(), ..row(None, code, code, Expected) }
            }
            Self::Client(LegEnd::Vanished) => row(None, 1001, 1001, Expected),
            Self::Client(LegEnd::TooLarge { limit }) => {
                let description = format!("the message is larger than {limit} bytes");
                row(Some(("MESSAGE_TOO_LARGE", description)), 1009, 1000, Trouble)
            }
            Self::Client(LegEnd::ProtocolError(reason)) => {
                let description = format!("the websocket protocol was broken: {reason}");
                row(Some(("UNPARSABLE_CLIENT_MESSAGE", description)), 1002, 1000, Trouble)
            }
            Self::Upstream { end, ready, expired } => Self::upstream_ending(end, *ready, *expired),
            Self::Relayed(LegEnd::Closed { code, reason }) => {
                let valid = code.filter(|code| sendable(*code));
                // No code is the orderly end that says nothing.
                let client_code = valid.unwrap_or(if code.is_none() { 1000 } else { 1011 });
                let severity = if matches!(client_code, 1000 | 1001) { Expected } else { Trouble };
                let passed_on = row(None, client_code, valid.unwrap_or(1000), severity);
                Ending { client_reason: reason.clone(), ..passed_on }
            }
            Self::Relayed(end) => Self::upstream_ending(end, true, false),
            Self::Unreachable(error) => Self::unreachable_ending(error),
            Self::UpstreamSilent => {
                row(Some(("upstream_silent", "upstream did not answer".to_owned())), 1011, 1000, Trouble)
            }
            Self::ClientSilent => {
                let description = "the client does not answer pings".to_owned();
                row(Some(("client_silent", description)), 1008, 1001, Expected)
            }
            Self::SettingsTimeout => {
                let description = "no usable Settings came in time".to_owned();
                row(Some(("CLIENT_MESSAGE_TIMEOUT", description)), 1011, 1000, Expected)
            }
            Self::IdleTimeout => {
                let description = "nothing came from the client for too long".to_owned();
                row(Some(("idle_timeout", description)), 1000, 1000, Expected)
            }
            Self::SessionAge => {
                let description = "the session reached its longest duration".to_owned();
                row(Some(("session_max_duration", description)), 1000, 1000, Expected)
            }
            Self::ClientTooSlow => {
                let description = "the client does not read what it is sent".to_owned();
                row(Some(("client_too_slow", description)), 1008, 1000, Trouble)
            }
            Self::UpstreamTooSlow => {
                let description = "upstream does not read what it is sent".to_owned();
                row(Some(("upstream_too_slow", description)), 1011, 1000, Trouble)
            }
            Self::TooMuchInput { limit } => {
                let description = format!("more than {limit} bytes arrived before Settings");
                row(Some(("TOO_MUCH_INPUT_BEFORE_SETTINGS", description)), 1008, 1000, Trouble)
            }
            Self::Overloaded => {
                let description = "the gateway is short of memory".to_owned();
                row(Some(("GATEWAY_OVERLOADED", description)), 1013, 1000, Trouble)
            }
            Self::Shutdown => {
                let description = "the gateway is going away".to_owned();
                row(Some(("SERVER_GOING_AWAY", description)), 1012, 1000, Expected)
            }
        }
    }

    fn upstream_ending(end: &LegEnd, ready: bool, expired: bool) -> Ending {
        let (code, reason) = match end {
            LegEnd::Closed { code, reason } => (code.filter(|code| sendable(*code)), reason.clone()),
            _ => (None, String::new()),
        };
        let how = match end {
            LegEnd::Closed { code: Some(code), reason } if reason.is_empty() => format!("closed with {code}"),
            LegEnd::Closed { code: Some(code), reason } => format!("closed with {code}: {reason}"),
            LegEnd::Closed { code: None, .. } => "closed without a code".to_owned(),
            LegEnd::Vanished => "vanished".to_owned(),
            LegEnd::TooLarge { limit } => format!("sent a message larger than {limit} bytes"),
            LegEnd::ProtocolError(reason) => format!("broke the websocket protocol: {reason}"),
        };
        let (error, severity) = match (end, ready, expired) {
            (_, _, true) => {
                (Some(("session_max_duration", "upstream's session is over")), Severity::Expected)
            }
            (LegEnd::TooLarge { .. }, ..) => {
                (Some(("upstream_message_too_large", "upstream")), Severity::Trouble)
            }
            (_, false, _) => (Some(("upstream_closed_before_session_ready", "upstream")), Severity::Trouble),
            // An orderly end after a conversation needs no words.
            (LegEnd::Closed { code: Some(1000), .. }, true, _) => (None, Severity::Expected),
            (_, true, _) => (Some(("upstream_closed", "upstream")), Severity::Trouble),
        };
        Ending {
            error: error
                .map(|(code, who)| Notice { description: format!("{who} {how}"), code: code.to_owned() }),
            client_code: code.unwrap_or(1011),
            client_reason: reason,
            upstream_code: match end {
                LegEnd::TooLarge { .. } => 1009,
                LegEnd::ProtocolError(_) => 1002,
                _ => code.unwrap_or(1000),
            },
            upstream_reason: String::new(),
            severity,
        }
    }

    fn unreachable_ending(error: &UpstreamError) -> Ending {
        let (code, client_code) = match error {
            UpstreamError::Unreachable(_) | UpstreamError::TimedOut => ("upstream_unreachable", 1011),
            UpstreamError::Status(401 | 403) => ("upstream_auth_failed", 1011),
            UpstreamError::Status(429) => ("upstream_rate_limited", 1013),
            UpstreamError::Status(_) => ("upstream_unavailable", 1013),
        };
        Ending {
            error: Some(Notice { description: error.to_string(), code: code.to_owned() }),
            client_code,
            client_reason: String::new(),
            upstream_code: 1000,
            upstream_reason: String::new(),
            severity: Severity::Trouble,
        }
    }

    /// Every word that [`Self::name`] gives.
    pub const NAMES: [&'static str; 23] = [
        "client_closed",
        "client_vanished",
        "message_too_large",
        "client_protocol_error",
        "session_expired",
        "upstream_closed",
        "upstream_vanished",
        "upstream_message_too_large",
        "upstream_protocol_error",
        "upstream_auth_failed",
        "upstream_rate_limited",
        "upstream_unavailable",
        "upstream_unreachable",
        "upstream_silent",
        "client_silent",
        "settings_timeout",
        "idle_timeout",
        "session_max_duration",
        "client_too_slow",
        "upstream_too_slow",
        "too_much_input",
        "overloaded",
        "shutdown",
    ];

    /// One word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Client(LegEnd::Closed { .. }) => "client_closed",
            Self::Client(LegEnd::Vanished) => "client_vanished",
            Self::Client(LegEnd::TooLarge { .. }) => "message_too_large",
            Self::Client(LegEnd::ProtocolError(_)) => "client_protocol_error",
            Self::Upstream { expired: true, .. } => "session_expired",
            Self::Upstream { end, .. } | Self::Relayed(end) => match end {
                LegEnd::Closed { .. } => "upstream_closed",
                LegEnd::Vanished => "upstream_vanished",
                LegEnd::TooLarge { .. } => "upstream_message_too_large",
                LegEnd::ProtocolError(_) => "upstream_protocol_error",
            },
            Self::Unreachable(UpstreamError::Status(401 | 403)) => "upstream_auth_failed",
            Self::Unreachable(UpstreamError::Status(429)) => "upstream_rate_limited",
            Self::Unreachable(UpstreamError::Status(_)) => "upstream_unavailable",
            Self::Unreachable(_) => "upstream_unreachable",
            Self::UpstreamSilent => "upstream_silent",
            Self::ClientSilent => "client_silent",
            Self::SettingsTimeout => "settings_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::SessionAge => "session_max_duration",
            Self::ClientTooSlow => "client_too_slow",
            Self::UpstreamTooSlow => "upstream_too_slow",
            Self::TooMuchInput { .. } => "too_much_input",
            Self::Overloaded => "overloaded",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "upstream cannot be reached: {reason}"),
            Self::TimedOut => f.write_str("upstream cannot be reached: no answer in time"),
            Self::Status(status) => write!(f, "upstream refused the connection with status {status}"),
        }
    }
}
