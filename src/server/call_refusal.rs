//! Why `POST /function-call` has no result to give: the status, the code and the text of each reason.
//! Knows no request.

use std::fmt;

use actix_web::http::header::{self, HeaderName};
use serde_json::{Value, json};

use super::{body::Unread, function_call::METHODS, refuse::Refuse};
use crate::identity::Stranger;

/// Why there is no result. `Display` is the text for the caller, who may hand it to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The page is of an origin that is not allowed.
    Origin,
    /// Pages may connect, but none is listed that could call functions: who may not connect either is told another word.
    Unlisted,
    /// The method is neither `POST` nor `OPTIONS`.
    Method,
    /// The program stops.
    Stopping,
    /// There is no token that is good for anything.
    Stranger(Stranger),
    /// The token is not for the function.
    Function,
    /// The body cannot be read.
    Body(Unread),
    /// The body is no JSON object.
    NoObject,
    /// `id` is missing or cannot be one.
    Id,
    /// `name` is missing or cannot be one.
    Name,
    /// `arguments` is missing or is no JSON text.
    Arguments,
    /// As many calls run and wait as may.
    Busy,
    /// The function did not answer in its time.
    TimedOut,
    /// The client closed its side before the answer; at most one that goes on reading sees this.
    Gone,
}

impl Refusal {
    /// Whether the function may have been run all the same.
    pub(super) const fn was_run(self) -> bool {
        matches!(self, Self::TimedOut | Self::Gone)
    }
}

impl Refuse for Refusal {
    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::Origin => (403, "origin_not_allowed"),
            Self::Unlisted => (403, "no_origin_listed"),
            Self::Method => (405, "method_not_allowed"),
            Self::Stopping => (503, "stopping"),
            Self::Stranger(stranger) => stranger.status_and_code(),
            Self::Function => (403, "function_not_allowed"),
            Self::Body(unread) => unread.status_and_code(),
            Self::NoObject => (400, "invalid_body"),
            Self::Id => (400, "invalid_id"),
            Self::Name => (400, "invalid_name"),
            Self::Arguments => (400, "invalid_arguments"),
            Self::Busy => (429, "busy"),
            Self::TimedOut => (504, "timed_out"),
            Self::Gone => (400, "client_closed"),
        }
    }

    fn reason(&self) -> Option<&'static str> {
        let Self::Stranger(stranger) = self else { return None };
        stranger.reason()
    }

    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::Method => Some((header::ALLOW, METHODS)),
            // A function does not take long.
            Self::Busy => Some((header::RETRY_AFTER, "1")),
            Self::Body(unread) => unread.header(),
            Self::Stranger(stranger) => stranger.header(),
            Self::Origin
            | Self::Unlisted
            | Self::Stopping
            | Self::Function
            | Self::NoObject
            | Self::Id
            | Self::Name
            | Self::Arguments
            | Self::TimedOut
            | Self::Gone => None,
        }
    }

    /// As an application tells of an error: the page may hand it on.
    fn body(&self) -> Value {
        let (_, code) = self.status_and_code();
        json!({ "error": self.to_string(), "code": code })
    }
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        match unread {
            // For the page it is one trouble.
            Unread::Busy => Self::Busy,
            unread => Self::Body(unread),
        }
    }
}

impl From<Stranger> for Refusal {
    fn from(stranger: Stranger) -> Self {
        Self::Stranger(stranger)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin => f.write_str("pages of this origin may not call functions"),
            Self::Unlisted => f.write_str("no page is listed that may call functions"),
            Self::Method => f.write_str("this path takes POST"),
            Self::Stopping => f.write_str("the gateway is going away"),
            Self::Stranger(stranger) => stranger.fmt(f),
            Self::Function => f.write_str("the token is not for this function"),
            Self::Body(unread) => unread.fmt(f),
            Self::NoObject => f.write_str("the body is no json object"),
            Self::Id => f.write_str("id must be a string of 1 to 256 bytes"),
            Self::Name => f.write_str("name must be a string of 1 to 128 visible ascii characters"),
            Self::Arguments => f.write_str("arguments must be a string that holds json"),
            Self::Busy => f.write_str("too many functions are running"),
            Self::TimedOut => f.write_str("the function did not answer in time"),
            Self::Gone => f.write_str("the client closed its side before the answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::refuse::RETRY_AFTER;

    #[test]
    fn some_statuses_have_a_header_of_their_own() {
        for (refusal, header) in [
            (Refusal::Origin, None),
            (Refusal::Unlisted, None),
            (Refusal::Method, Some(("allow", METHODS))),
            (Refusal::Stopping, Some(("retry-after", RETRY_AFTER))),
            (Refusal::Stranger(Stranger::Missing), Some(("www-authenticate", "Bearer"))),
            (Refusal::Stranger(Stranger::Invalid("used")), Some(("www-authenticate", "Bearer"))),
            (Refusal::Stranger(Stranger::Expired), Some(("www-authenticate", "Bearer"))),
            (Refusal::Stranger(Stranger::Crowded), Some(("retry-after", RETRY_AFTER))),
            (Refusal::Function, None),
            (Refusal::from(Unread::MediaType), None),
            (Refusal::from(Unread::Broken), None),
            (Refusal::from(Unread::TooLarge(7)), Some(("connection", "close"))),
            (Refusal::from(Unread::Busy), Some(("retry-after", "1"))),
            (Refusal::NoObject, None),
            (Refusal::Busy, Some(("retry-after", "1"))),
            (Refusal::TimedOut, None),
        ] {
            let answer = refusal.answer();
            for name in ["allow", "connection", "retry-after", "www-authenticate"] {
                let given = answer.headers().get(name).and_then(|value| value.to_str().ok());
                let wanted = header.filter(|(own, _)| *own == name).map(|(_, value)| value);
                assert_eq!(given, wanted, "{refusal:?}: {name}");
            }
        }
    }
}
