//! The answers to heads that are not passed on. Knows how an answer is written, and nothing of where it goes.

use std::{borrow::Cow, fmt, time::SystemTime};

use actix_http::header::HttpDate;
use actix_web::http::StatusCode;
use bytes::Bytes;

use super::super::refuse::Refuse;

/// Why a head is not passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is no head of a request, or one whose end is not certain, and why.
    Bad(Cow<'static, str>),
    /// It is longer, or has more lines, than it may.
    TooLarge,
    /// It began to arrive and took too long.
    Slow,
}

impl Refuse for Refusal {
    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::Bad(_) => (400, "bad_request"),
            Self::TooLarge => (431, "head_too_large"),
            Self::Slow => (408, "head_timeout"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bad(why) => why,
            Self::TooLarge => "the head of the request is longer than 32 KiB, or has more than 96 headers",
            Self::Slow => "the head of the request did not arrive in time",
        })
    }
}

impl Refusal {
    /// The whole answer, as it stands on the wire: there is no codec to write it.
    pub(super) fn on_the_wire(&self, now: SystemTime) -> Bytes {
        let (status, _) = self.status_and_code();
        let status = StatusCode::from_u16(status).expect("the table holds statuses");
        let body = self.body().to_string();
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-length: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             date: {}\r\n\r\n",
            status,
            body.len(),
            HttpDate::from(now)
        );
        Bytes::from(head + &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_why_and_that_the_connection_ends() {
        let body = r#"{"error":{"code":"bad_request","description":"no \"Host\""}}"#;
        assert_eq!(
            Refusal::Bad("no \"Host\"".into()).on_the_wire(SystemTime::UNIX_EPOCH),
            format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\nconnection: close\r\n\
                 content-type: application/json\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{body}",
                body.len()
            )
        );
        let starts = |refusal: Refusal, status: &str| {
            refusal
                .on_the_wire(SystemTime::UNIX_EPOCH)
                .starts_with(format!("HTTP/1.1 {status}\r\n").as_bytes())
        };
        assert!(starts(Refusal::TooLarge, "431 Request Header Fields Too Large"));
        assert!(starts(Refusal::Slow, "408 Request Timeout"));
    }
}
