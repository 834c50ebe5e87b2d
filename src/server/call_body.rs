//! The body of `POST /function-call`: how much of it is read, for how long, and what has to be in it.
//! Knows nothing of who sends it or of what becomes of the call.

use std::time::Duration;

use actix_web::{HttpMessage, HttpRequest, http::header, web};
use bytes::BytesMut;
use futures_util::StreamExt;
use serde::{Deserialize, de::IgnoredAny};
use tokio::sync::Semaphore;

use super::{call_refusal::Refusal, upgrade::is_loggable};
use crate::protocol::ids::CallId;

/// How many bodies of full length there is memory for while they are on their way.
const FULL_BODIES: usize = 256;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// The memory for bodies that are on their way, over all workers: a permit for each byte. Bodies that do not
/// come hold none of it, however many.
pub(super) struct Readers(Semaphore);

impl Readers {
    /// Memory for bodies of which each may have `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self(Semaphore::new(limit.saturating_mul(FULL_BODIES).min(Semaphore::MAX_PERMITS)))
    }
}

/// A call as a page hands it on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CallBody {
    /// The model's name for the call.
    pub(super) id: CallId,
    /// The function.
    pub(super) name: String,
    /// JSON text.
    pub(super) arguments: String,
}

/// The same, with members that may be missing.
#[derive(Deserialize)]
struct RawBody {
    id: Option<CallId>,
    name: Option<String>,
    arguments: Option<String>,
}

/// Reads the body of `request`, at most `limit` bytes of it, and judges it, if `readers` have memory for it.
pub(super) async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    readers: &Readers,
    limit: usize,
) -> Result<CallBody, Refusal> {
    if !is_json(request) {
        return Err(Refusal::MediaType);
    }
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Refusal::TooLarge(limit));
    }
    let whole = tokio::time::timeout(PATIENCE, collect(payload, readers, limit));
    parse(&whole.await.unwrap_or(Err(Refusal::SlowBody))?)
}

async fn collect(mut payload: web::Payload, readers: &Readers, limit: usize) -> Result<BytesMut, Refusal> {
    let mut body = BytesMut::new();
    let mut held = readers.0.try_acquire_many(0).map_err(|_| Refusal::Busy)?;
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| Refusal::BrokenBody)?;
        if body.len() + piece.len() > limit {
            return Err(Refusal::TooLarge(limit));
        }
        let more = u32::try_from(piece.len()).ok().and_then(|bytes| readers.0.try_acquire_many(bytes).ok());
        held.merge(more.ok_or(Refusal::Busy)?);
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Whether the body is declared to be JSON. A page can send other types to any server without asking it first
/// (CORS, simple requests); this one it cannot.
fn is_json(request: &HttpRequest) -> bool {
    let Ok(Some(declared)) = request.mime_type() else { return false };
    let encoded = request.headers().get(header::CONTENT_ENCODING);
    declared.essence_str() == "application/json"
        && declared
            .params()
            .all(|(name, value)| name == "charset" && value.as_str().eq_ignore_ascii_case("utf-8"))
        && encoded.is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn parse(body: &[u8]) -> Result<CallBody, Refusal> {
    // An array could stand for the members in their order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::NoObject);
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let raw: RawBody = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        match error.path().to_string().as_str() {
            "id" if error.inner().is_data() => Refusal::Id,
            "name" if error.inner().is_data() => Refusal::Name,
            "arguments" if error.inner().is_data() => Refusal::Arguments,
            _ => Refusal::NoObject,
        }
    })?;
    json.end().map_err(|_| Refusal::NoObject)?;
    let is_json_text = |text: &String| serde_json::from_str::<IgnoredAny>(text).is_ok();
    Ok(CallBody {
        id: raw.id.filter(|id| !id.as_str().is_empty()).ok_or(Refusal::Id)?,
        name: raw.name.filter(|name| is_loggable(name)).ok_or(Refusal::Name)?,
        arguments: raw.arguments.filter(is_json_text).ok_or(Refusal::Arguments)?,
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn parsed(body: &str) -> Result<CallBody, Refusal> {
        parse(body.as_bytes())
    }

    #[test]
    fn a_call_is_an_object_with_three_strings() {
        let call = CallBody { id: "c1".into(), name: "f".to_owned(), arguments: "{\"a\":1}".to_owned() };
        for body in [
            r#"{"id":"c1","name":"f","arguments":"{\"a\":1}"}"#,
            r#" {"name":"f","more":[{"id":7}],"arguments":"{\"a\":1}","id":"c1"} "#,
        ] {
            assert_eq!(parsed(body).as_ref(), Ok(&call), "{body}");
        }
    }

    #[test]
    fn what_is_no_object_is_no_call() {
        for body in [
            "",
            " ",
            "null",
            "\"text\"",
            "[\"c1\",\"f\",\"{}\"]",
            "{",
            "{}{}",
            r#"{"id":"c1","name":"f","arguments":"{}"} more"#,
            r#"{"id":"c1","name":"f","arguments":"{}"#,
            r#"{"id":"c1","id":"c2","name":"f","arguments":"{}"}"#,
            r#"{"id":"\ud800","name":"f","arguments":"{}"}"#,
            "\u{feff}{}",
        ] {
            assert_eq!(parsed(body), Err(Refusal::NoObject), "{body}");
        }
        assert_eq!(parse(b"{\"id\":\"\xff\"}"), Err(Refusal::NoObject));
    }

    #[test]
    fn the_member_that_is_wrong_is_told() {
        let with = |id: &str, name: &str, arguments: &str| {
            parsed(&format!("{{\"id\":{id},\"name\":{name},\"arguments\":{arguments}}}"))
        };
        let long = |length| format!("{:?}", "x".repeat(length));
        for id in ["1", "null", "\"\"", "{\"deep\":[]}", &long(257)] {
            assert_eq!(with(id, "\"f\"", "\"{}\""), Err(Refusal::Id), "{id}");
        }
        for name in ["1", "null", "\"\"", "[]", "\"a\\nb\"", "\"a b\"", "\"\u{e4}\"", &long(129)] {
            assert_eq!(with("\"c\"", name, "\"{}\""), Err(Refusal::Name), "{name}");
        }
        for arguments in ["{}", "null", "\"\"", "\"{\"", "\"{} x\"", "true"] {
            assert_eq!(with("\"c\"", "\"f\"", arguments), Err(Refusal::Arguments), "{arguments}");
        }
        assert!(with(&long(256), &long(128), "\"null\"").is_ok());
        assert_eq!(parsed("{}"), Err(Refusal::Id));
        assert_eq!(parsed(r#"{"id":"c"}"#), Err(Refusal::Name));
        assert_eq!(parsed(r#"{"id":"c","name":"f"}"#), Err(Refusal::Arguments));
    }

    #[test]
    fn json_in_utf_8_is_the_only_type() {
        let judged = |headers: &[(&str, &str)]| {
            let request =
                headers.iter().fold(TestRequest::post(), |request, &header| request.append_header(header));
            is_json(&request.to_http_request())
        };
        for accepted in [
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert!(judged(&[("content-type", accepted)]), "{accepted}");
        }
        for refused in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=utf-16",
            "application/json; version=2",
            "application/jsonp",
            "application/problem+json",
            "json",
            "",
        ] {
            assert!(!judged(&[("content-type", refused)]), "{refused}");
        }
        assert!(!judged(&[]));
        assert!(!judged(&[("content-type", "application/json"), ("content-encoding", "gzip")]));
        assert!(judged(&[("content-type", "application/json"), ("content-encoding", "identity")]));
    }
}
