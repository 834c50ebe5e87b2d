//! What every refusal is, whatever was asked for: a status, a word for programs, a text for people and perhaps a header. Two
//! kinds of reasons can meet any request and stand here: who sends it, and its body. Knows no path.

use std::fmt;

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderName},
    },
};
use serde_json::{Value, json};

use super::body::Unread;
use crate::identity::Stranger;

/// When somebody may ask again for whom there is no room at the moment, seconds.
pub(super) const RETRY_AFTER: &str = "5";

/// Why somebody does not get what was asked for. `Display` is the text for whoever asked.
pub(super) trait Refuse: fmt::Display {
    /// The answer's status, and the word by which a program tells the reasons apart.
    fn status_and_code(&self) -> (u16, &'static str);

    /// What only the log is told.
    fn reason(&self) -> Option<&'static str> {
        None
    }

    /// The header that belongs to this reason, if it is not the one of every such status.
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        None
    }

    /// What the answer says.
    fn body(&self) -> Value {
        let (_, code) = self.status_and_code();
        json!({ "error": { "code": code, "description": self.to_string() } })
    }

    /// The answer.
    fn answer(&self) -> HttpResponse {
        let (status, _) = self.status_and_code();
        let status = StatusCode::from_u16(status).expect("the tables hold statuses");
        let of_status = match status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some((header::RETRY_AFTER, RETRY_AFTER))
            }
            _ => None,
        };
        let mut answer = HttpResponse::build(status);
        if let Some(header) = self.header().or(of_status) {
            answer.insert_header(header);
        }
        answer.json(self.body())
    }
}

impl Refuse for Stranger {
    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::Missing => (401, "token_missing"),
            Self::Invalid(_) => (401, "token_invalid"),
            Self::Expired => (401, "token_expired"),
            Self::Crowded => (503, "too_many_tokens"),
        }
    }

    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(reason) => Some(reason),
            Self::Missing | Self::Expired | Self::Crowded => None,
        }
    }
}

impl Refuse for Unread {
    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::MediaType => (415, "unsupported_media_type"),
            Self::TooLarge(_) => (413, "message_too_large"),
            Self::Slow => (408, "body_timeout"),
            Self::Broken => (400, "incomplete_body"),
            Self::Busy => (503, "busy"),
        }
    }

    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            // What is still on its way is not waited for.
            Self::TooLarge(_) | Self::Slow => Some((header::CONNECTION, "close")),
            Self::MediaType | Self::Broken | Self::Busy => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix_web::test]
    async fn the_reasons_of_every_path_have_their_status_their_word_their_text_and_their_header() {
        let (bearer, later) = (("www-authenticate", "Bearer"), ("retry-after", RETRY_AFTER));
        let close = ("connection", "close");
        let of = |refusal: &dyn Refuse| (refusal.answer(), refusal.reason());
        let json = "the body must be application/json in utf-8, uncompressed";
        for (refusal, status, code, text, header, reason) in [
            (of(&Stranger::Missing), 401, "token_missing", "a token is needed", Some(bearer), None),
            (
                of(&Stranger::Invalid("aud")),
                401,
                "token_invalid",
                "the token is not valid",
                Some(bearer),
                Some("aud"),
            ),
            (of(&Stranger::Expired), 401, "token_expired", "the token has expired", Some(bearer), None),
            (
                of(&Stranger::Crowded),
                503,
                "too_many_tokens",
                "too many tokens for one use are remembered",
                Some(later),
                None,
            ),
            (of(&Unread::MediaType), 415, "unsupported_media_type", json, None, None),
            (
                of(&Unread::TooLarge(7)),
                413,
                "message_too_large",
                "the body is longer than 7 bytes",
                Some(close),
                None,
            ),
            (of(&Unread::Slow), 408, "body_timeout", "the body did not arrive in time", Some(close), None),
            (of(&Unread::Broken), 400, "incomplete_body", "the body broke off", None, None),
            (of(&Unread::Busy), 503, "busy", "too many bodies are on their way", Some(later), None),
        ] {
            let (answer, told) = refusal;
            assert_eq!((answer.status().as_u16(), told), (status, reason), "{code}");
            for name in ["www-authenticate", "retry-after", "connection"] {
                let given = answer.headers().get(name).and_then(|value| value.to_str().ok());
                let wanted = header.filter(|(own, _)| *own == name).map(|(_, value)| value);
                assert_eq!(given, wanted, "{code}: {name}");
            }
            let body = to_bytes(answer.into_body()).await.expect("the body is in memory");
            let expected = json!({ "error": { "code": code, "description": text } });
            assert_eq!(body, expected.to_string());
        }
    }
}
