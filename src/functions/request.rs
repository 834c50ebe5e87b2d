//! A call as an HTTP request, byte by byte. Knows what an application is told, and nothing of connections.

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use url::{Position, Url};

use super::Call;
use crate::{
    config::Route,
    protocol::{ids::CallId, shorten},
};

/// What an application is sent.
#[derive(Serialize)]
struct Body<'a> {
    id: &'a CallId,
    name: &'a str,
    arguments: &'a str,
}

/// The request that asks the application at `url` to run `call`, with `headers` besides those that every request
/// has. `key` is the same for whatever attempts there are.
pub(super) fn encode<'a>(
    call: &Call,
    url: &Url,
    headers: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    key: &str,
) -> Bytes {
    let body = Body { id: &call.id, name: &call.name, arguments: &call.arguments };
    let body = serde_json::to_vec(&body).expect("text can be written as json");
    let mut request = BytesMut::with_capacity(1024 + body.len());
    request.put_slice(b"POST ");
    request.put_slice(url[Position::BeforePath..Position::AfterQuery].as_bytes());
    request.put_slice(b" HTTP/1.1\r\n");
    let mut line = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            request.put_slice(part);
        }
    };
    line("host", url[Position::BeforeHost..Position::AfterPort].as_bytes());
    if !headers.clone().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
        line("user-agent", concat!("voxbridge/", env!("CARGO_PKG_VERSION")).as_bytes());
    }
    line("content-type", b"application/json");
    line("content-length", body.len().to_string().as_bytes());
    line("idempotency-key", key.as_bytes());
    if let Some(trace) = call.trace.as_deref().filter(|name| is_trace(name)) {
        line("x-trace-id", trace.as_bytes());
    }
    if let Some(traceparent) = call.traceparent.as_deref().filter(|text| is_traceparent(text)) {
        line("traceparent", traceparent.as_bytes());
    }
    for (name, value) in headers {
        match (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
            (Ok(name), Ok(value)) if !Route::is_own_header(name.as_str()) => {
                line(name.as_str(), value.as_bytes())
            }
            // The value may be a secret.
            _ => {
                let (function, header) = (shorten(call.name.clone()), shorten(name.to_owned()));
                log::warn!(function, header; "a header cannot be sent");
            }
        }
    }
    request.put_slice(b"\r\n");
    request.put_slice(&body);
    request.freeze()
}

/// Whether a name can stand in a header as it is.
fn is_trace(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A `traceparent` as W3C Trace Context has it: version, trace id, parent id and flags in lower-case
/// hexadecimal. Versions after 00 may have more behind a further dash.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|byte| byte != b'0');
    let mut parts = text.splitn(5, '-');
    let mut part = || parts.next().unwrap_or_default();
    let (version, trace, parent, flags) = (part(), part(), part(), part());
    let known = is_hex(version, 2) && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
    let more = parts.next();
    known
        && match version {
            "00" => more.is_none(),
            "ff" => false,
            _ => text.len() <= LONGEST_TRACEPARENT && text.bytes().all(|byte| byte.is_ascii_graphic()),
        }
}

/// What a later version of the header may have at most, bytes.
const LONGEST_TRACEPARENT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, headers: &[(&str, &str)], traceparent: Option<&str>) -> String {
        of(url, headers, None, traceparent)
    }

    fn of(url: &str, headers: &[(&str, &str)], trace: Option<&str>, traceparent: Option<&str>) -> String {
        let call = Call {
            id: "call_1".into(),
            name: "look_up".to_owned(),
            arguments: r#"{"q":"é"}"#.to_owned(),
            backend: None,
            endpoint: None,
            trace: trace.map(str::to_owned),
            traceparent: traceparent.map(str::to_owned),
        };
        let url = Url::parse(url).expect("a url");
        let bytes = encode(&call, &url, headers.iter().copied(), "the-key");
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_whole_request() {
        let headers = [("Authorization", "Bearer s3cret"), ("x-tenant", "blau\u{df}")];
        assert_eq!(
            request("http://app.example:8080/run?v=1#top", &headers, Some(TRACE)),
            format!(
                "POST /run?v=1 HTTP/1.1\r\nhost: app.example:8080\r\nuser-agent: voxbridge/{}\r\n\
                 content-type: application/json\r\ncontent-length: 61\r\nidempotency-key: the-key\r\n\
                 traceparent: {TRACE}\r\nauthorization: Bearer s3cret\r\nx-tenant: blau\u{df}\r\n\r\n\
                 {{\"id\":\"call_1\",\"name\":\"look_up\",\"arguments\":\"{{\\\"q\\\":\\\"é\\\"}}\"}}",
                env!("CARGO_PKG_VERSION")
            )
        );
    }

    #[test]
    fn the_host_is_the_urls() {
        for (url, host, path) in [
            ("https://app.example", "app.example", "/"),
            ("https://app.example:443/a", "app.example", "/a"),
            ("http://app.example:443/a", "app.example:443", "/a"),
            ("http://[::1]:80/?q", "[::1]", "/?q"),
            ("http://[::1]:81", "[::1]:81", "/"),
        ] {
            let request = request(url, &[], None);
            assert!(request.starts_with(&format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n")), "{request}");
        }
    }

    #[test]
    fn headers_that_are_ours_or_none_are_left_out() {
        let plain = request("http://app.example/", &[], None);
        for (name, value) in [
            ("Host", "evil.example"),
            ("content-length", "0"),
            ("Content-Type", "text/plain"),
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("Expect", "100-continue"),
            ("upgrade", "h2c"),
            ("te", "trailers"),
            ("accept-encoding", "gzip"),
            ("idempotency-key", "another"),
            ("traceparent", TRACE),
            ("x-trace-id", "another"),
            ("proxy-authorization", "x"),
            ("x-evil", "a\r\nx-more: b"),
            ("x evil", "a"),
            ("", "a"),
        ] {
            assert_eq!(request("http://app.example/", &[(name, value)], None), plain, "{name}");
        }
    }

    #[test]
    fn the_callers_name_for_it_is_handed_on_if_it_is_one_word() {
        for (name, expected) in [
            ("checkout-7", true),
            (TRACE, true),
            ("", false),
            ("a b", false),
            ("a\r\nx: y", false),
            ("é", false),
        ] {
            let text = of("http://app.example/", &[], Some(name), None);
            assert_eq!(text.contains(&format!("\r\nx-trace-id: {name}\r\n")), expected, "{name:?}");
        }
        let both = of("http://app.example/", &[], Some("checkout-7"), Some(TRACE));
        assert!(both.contains(&format!("\r\nx-trace-id: checkout-7\r\ntraceparent: {TRACE}\r\n")), "{both}");
    }

    #[test]
    fn a_traceparent_is_handed_on_if_it_is_one() {
        for (text, expected) in [
            (TRACE, true),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nx: y", false),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-\r\nx: y", false),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false),
            ("0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("", false),
        ] {
            let line = format!("\r\ntraceparent: {text}\r\n");
            assert_eq!(request("http://app.example/", &[], Some(text)).contains(&line), expected, "{text}");
        }
    }
}
