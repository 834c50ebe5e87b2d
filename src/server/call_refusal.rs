//! Why `POST /function-call` has no result to give: the status, the code and the text of each reason.
//! Knows no request.

use std::fmt;

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use serde_json::json;

use super::{body::Unread, function_call::METHODS, http::RETRY_AFTER};
use crate::identity::Stranger;

/// Why there is no result. `Display` is the text for the caller, who may hand it to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The page is of an origin that is not allowed.
    Origin,
    /// The method is neither `POST` nor `OPTIONS`.
    Method,
    /// The program stops.
    Stopping,
    /// There is no token that is good for anything.
    Stranger(Stranger),
    /// The token is not for the function.
    Function,
    /// The body is not declared to be JSON in UTF-8.
    MediaType,
    /// The body is longer than this many bytes.
    TooLarge(usize),
    /// The body took too long to arrive.
    SlowBody,
    /// The body broke off, or its chunks are damaged.
    BrokenBody,
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
    /// The answer's status, and the word by which a program tells the reasons apart.
    pub(super) const fn status_and_code(self) -> (u16, &'static str) {
        match self {
            Self::Origin => (403, "origin_not_allowed"),
            Self::Method => (405, "method_not_allowed"),
            Self::Stopping => (503, "stopping"),
            Self::Stranger(Stranger::Missing) => (401, "token_missing"),
            Self::Stranger(Stranger::Invalid(_)) => (401, "token_invalid"),
            Self::Stranger(Stranger::Expired) => (401, "token_expired"),
            Self::Stranger(Stranger::Crowded) => (503, "too_many_tokens"),
            Self::Function => (403, "function_not_allowed"),
            Self::MediaType => (415, "unsupported_media_type"),
            Self::TooLarge(_) => (413, "message_too_large"),
            Self::SlowBody => (408, "body_timeout"),
            Self::BrokenBody => (400, "incomplete_body"),
            Self::NoObject => (400, "invalid_body"),
            Self::Id => (400, "invalid_id"),
            Self::Name => (400, "invalid_name"),
            Self::Arguments => (400, "invalid_arguments"),
            Self::Busy => (429, "busy"),
            Self::TimedOut => (504, "timed_out"),
            Self::Gone => (400, "client_closed"),
        }
    }

    /// What only the log is told.
    pub(super) const fn reason(self) -> Option<&'static str> {
        let Self::Stranger(stranger) = self else { return None };
        stranger.reason()
    }

    /// Whether the function may have been run all the same.
    pub(super) const fn was_run(self) -> bool {
        matches!(self, Self::TimedOut | Self::Gone)
    }

    /// The answer, but for what CORS adds.
    pub(super) fn answer(self) -> HttpResponse {
        let (status, code) = self.status_and_code();
        let status = StatusCode::from_u16(status).expect("the table holds statuses");
        let mut answer = HttpResponse::build(status).json(json!({ "error": self.to_string(), "code": code }));
        let mut add = |name, value| answer.headers_mut().insert(name, HeaderValue::from_static(value));
        match self {
            Self::Method => _ = add(header::ALLOW, METHODS),
            Self::Busy => _ = add(header::RETRY_AFTER, "1"),
            Self::Stopping | Self::Stranger(Stranger::Crowded) => _ = add(header::RETRY_AFTER, RETRY_AFTER),
            Self::Stranger(Stranger::Missing | Stranger::Invalid(_) | Stranger::Expired) => {
                add(header::WWW_AUTHENTICATE, "Bearer");
            }
            // What is still on its way is not waited for.
            Self::TooLarge(_) | Self::SlowBody => _ = add(header::CONNECTION, "close"),
            Self::Origin
            | Self::Function
            | Self::MediaType
            | Self::BrokenBody
            | Self::NoObject
            | Self::Id
            | Self::Name
            | Self::Arguments
            | Self::TimedOut
            | Self::Gone => {}
        }
        answer
    }
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::MediaType => Self::MediaType,
            Unread::TooLarge(limit) => Self::TooLarge(limit),
            Unread::Slow => Self::SlowBody,
            Unread::Broken => Self::BrokenBody,
            Unread::Busy => Self::Busy,
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
            Self::Method => f.write_str("this path takes POST"),
            Self::Stopping => f.write_str("the gateway is going away"),
            Self::Stranger(Stranger::Missing) => f.write_str("a token is needed"),
            Self::Stranger(Stranger::Invalid(_)) => f.write_str("the token is not valid"),
            Self::Stranger(Stranger::Expired) => f.write_str("the token has expired"),
            Self::Stranger(Stranger::Crowded) => f.write_str("too many tokens for one use are remembered"),
            Self::Function => f.write_str("the token is not for this function"),
            Self::MediaType => f.write_str("the body must be application/json in utf-8, uncompressed"),
            Self::TooLarge(limit) => write!(f, "the body is longer than {limit} bytes"),
            Self::SlowBody => f.write_str("the body did not arrive in time"),
            Self::BrokenBody => f.write_str("the body broke off"),
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

    #[test]
    fn some_statuses_have_a_header_of_their_own() {
        for (refusal, header) in [
            (Refusal::Origin, None),
            (Refusal::Method, Some(("allow", METHODS))),
            (Refusal::Stopping, Some(("retry-after", RETRY_AFTER))),
            (Refusal::Stranger(Stranger::Missing), Some(("www-authenticate", "Bearer"))),
            (Refusal::Stranger(Stranger::Invalid("used")), Some(("www-authenticate", "Bearer"))),
            (Refusal::Stranger(Stranger::Expired), Some(("www-authenticate", "Bearer"))),
            (Refusal::Stranger(Stranger::Crowded), Some(("retry-after", RETRY_AFTER))),
            (Refusal::Function, None),
            (Refusal::MediaType, None),
            (Refusal::BrokenBody, None),
            (Refusal::NoObject, None),
            (Refusal::Busy, Some(("retry-after", "1"))),
            (Refusal::TimedOut, None),
        ] {
            let answer = refusal.answer();
            for name in ["allow", "retry-after", "www-authenticate"] {
                let given = answer.headers().get(name).and_then(|value| value.to_str().ok());
                let wanted = header.filter(|(own, _)| *own == name).map(|(_, value)| value);
                assert_eq!(given, wanted, "{refusal:?}: {name}");
            }
        }
    }
}
