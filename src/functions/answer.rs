//! What an application's answer means: its status and its body become a result or a failure. Knows the
//! contract with applications, and nothing of how an answer came.

use serde_json::Value;

use super::{Failure, Outcome};

/// An answer as it was read.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body, or what was wrong with it. Of a status that has no say in the contract it is not read.
    pub(super) body: Result<Vec<u8>, Failure>,
}

/// Whether the body of an answer with `status` says anything.
pub(super) fn has_say(status: u16) -> bool {
    matches!(status, 200..=299 | 400..=499)
}

/// What the application says by `answer`.
pub(super) fn outcome(answer: Answer) -> Outcome {
    match answer.status {
        200..=299 => result(&answer.body?),
        300..=399 => Err(Failure::Redirect(answer.status)),
        // What an application says itself of a refusal is better than a number; else the number is.
        status @ 400..=499 => match answer.body.and_then(|body| result(&body)) {
            Err(Failure::Refused(text)) => Err(Failure::Refused(text)),
            _ => Err(Failure::Status(status)),
        },
        status => Err(Failure::Status(status)),
    }
}

/// `{"content": text}` or `{"error": text}`; an error that is not null wins. Further members are the
/// application's own affair.
fn result(body: &[u8]) -> Outcome {
    let text = std::str::from_utf8(body).map_err(|_| Failure::NotText)?;
    // Some platforms write one; RFC 8259 lets a reader ignore it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Failure::Empty);
    }
    let mut answer = match serde_json::from_str(text) {
        Ok(Value::Object(answer)) => answer,
        Ok(_) => return Err(Failure::NotAnObject),
        Err(_) => return Err(Failure::NotJson),
    };
    match answer.remove("error") {
        Some(Value::String(error)) => return Err(Failure::Refused(error)),
        None | Some(Value::Null) => {}
        Some(_) => return Err(Failure::ErrorNotText),
    }
    match answer.remove("content") {
        Some(Value::String(content)) => Ok(content),
        None | Some(Value::Null) => Err(Failure::NoContent),
        Some(_) => Err(Failure::ContentNotText),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &[u8]) -> Outcome {
        outcome(Answer { status, body: Ok(body.to_vec()) })
    }

    fn refused(text: &str) -> Outcome {
        Err(Failure::Refused(text.to_owned()))
    }

    #[test]
    fn what_a_success_says() {
        let nested = "[".repeat(100_000);
        for (body, expected) in [
            (&br#"{"content":"sunny"}"#[..], Ok("sunny".to_owned())),
            (br#"{"content":""}"#, Ok(String::new())),
            ("\u{feff}{\"content\":\"é\\u00e9\"}\r\n".as_bytes(), Ok("éé".to_owned())),
            (br#"{"content":"a","error":null,"more":[1]}"#, Ok("a".to_owned())),
            (br#"{"error":"no such city"}"#, refused("no such city")),
            (br#"{"content":"a","error":"b"}"#, refused("b")),
            (br#"{"content":7,"error":"b"}"#, refused("b")),
            (br#"{"content":"a","error":false}"#, Err(Failure::ErrorNotText)),
            (br#"{"content":"a","error":{"message":"b"}}"#, Err(Failure::ErrorNotText)),
            (br#"{"content":{"a":1}}"#, Err(Failure::ContentNotText)),
            (br#"{"content":7}"#, Err(Failure::ContentNotText)),
            (br#"{"content":null}"#, Err(Failure::NoContent)),
            (br#"{"content":null,"error":null}"#, Err(Failure::NoContent)),
            (b"{}", Err(Failure::NoContent)),
            (br#"{"Content":"a"}"#, Err(Failure::NoContent)),
            (b"null", Err(Failure::NotAnObject)),
            (br#"["content"]"#, Err(Failure::NotAnObject)),
            (br#""sunny""#, Err(Failure::NotAnObject)),
            (b"sunny", Err(Failure::NotJson)),
            (br#"{"content":"sunny"#, Err(Failure::NotJson)),
            (br#"{"content":"a"}{"content":"b"}"#, Err(Failure::NotJson)),
            (br#"{"content":"\ud800"}"#, Err(Failure::NotJson)),
            (nested.as_bytes(), Err(Failure::NotJson)),
            (b"{\"content\":\"\xe9\"}", Err(Failure::NotText)),
            (b"\xff\xfe{\x00}\x00", Err(Failure::NotText)),
            (b"", Err(Failure::Empty)),
            (b" \r\n", Err(Failure::Empty)),
        ] {
            assert_eq!(of(200, body), expected, "{}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        }
        assert_eq!(of(201, br#"{"content":"made"}"#), Ok("made".to_owned()));
        assert_eq!(of(204, b""), Err(Failure::Empty));
        assert_eq!(
            outcome(Answer { status: 200, body: Err(Failure::TooLarge(9)) }),
            Err(Failure::TooLarge(9))
        );
    }

    #[test]
    fn what_another_status_says() {
        assert_eq!(of(404, br#"{"error":"no such city"}"#), refused("no such city"));
        assert_eq!(of(499, br#"{"content":"a","error":"b"}"#), refused("b"));
        for body in [&b""[..], br#"{"content":"sunny"}"#, br#"{"error":7}"#, b"<html>", b"\xff"] {
            assert_eq!(of(400, body), Err(Failure::Status(400)));
        }
        assert_eq!(
            outcome(Answer { status: 413, body: Err(Failure::TooLarge(9)) }),
            Err(Failure::Status(413))
        );
        for status in [500, 503, 599, 100, 101, 199, 600, 999] {
            assert_eq!(of(status, br#"{"error":"b"}"#), Err(Failure::Status(status)));
        }
        for status in [300, 302, 304, 308] {
            assert_eq!(of(status, br#"{"content":"a"}"#), Err(Failure::Redirect(status)));
        }
    }
}
