//! Judges the head of a request: whether it is whole, what is wrong with it, and what follows it. Knows no stream and
//! no time.
//!
//! It is stricter than actix-http's decoder in everything that the two look at (a property below): what passes here is
//! taken there, and both find the same end of the request. What it cannot be sure of is refused.

use actix_web::http::{Method, Uri, header::HeaderName};
use httparse::{EMPTY_HEADER, Error, Header, Request, Status};

use super::{
    body::{Body, Chunked},
    refusal::Refusal,
};

/// The longest head, from the request line to the empty line, bytes.
pub(super) const LONGEST: usize = 32 * 1024;

/// The most header lines: as many as actix-http's decoder has room for.
const HEADERS: usize = 96;

/// A head that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// How long it is, bytes.
    pub(super) length: usize,
    /// What follows it; without a body, the next head.
    pub(super) body: Option<Body>,
}

/// Judges the bytes that a head begins with; `None` while more have to come.
pub(super) fn judge(bytes: &[u8]) -> Result<Option<Head>, Refusal> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() >= LONGEST => return Err(Refusal::TooLarge),
        Ok(Status::Partial) => return Ok(None),
        Err(Error::TooManyHeaders) => return Err(Refusal::TooLarge),
        Err(error) => return Err(Refusal::Bad(error.to_string().into())),
    };
    if length > LONGEST {
        return Err(Refusal::TooLarge);
    }
    line(&request)?;
    let body = Fields::of(request.headers)?.body(&request)?;
    Ok(Some(Head { length, body }))
}

/// The request line. The parser's idea of a method and a target is wider than that of those who use them.
fn line(request: &Request<'_, '_>) -> Result<(), Refusal> {
    let method = request.method.unwrap_or_default();
    if Method::from_bytes(method.as_bytes()).is_err() {
        return Err(bad("the method is invalid"));
    }
    match Uri::try_from(request.path.unwrap_or_default()) {
        Ok(_) => Ok(()),
        Err(_) => Err(bad("the target is invalid")),
    }
}

/// What the header lines say of the request's end.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    hosts: usize,
    upgrade: bool,
}

impl Fields {
    fn of(headers: &[Header<'_>]) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for Header { name, value } in headers {
            // The decoder takes it for granted that this can be had.
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
                return Err(bad("the name of a header is invalid"));
            };
            let value = value.trim_ascii();
            match name.as_str() {
                "content-length" if fields.length.is_some() => {
                    return Err(bad("there are two Content-Length headers"));
                }
                "content-length" => fields.length = Some(length(value)?),
                "transfer-encoding" if fields.chunked || !value.eq_ignore_ascii_case(b"chunked") => {
                    return Err(bad("the Transfer-Encoding is not chunked"));
                }
                "transfer-encoding" => fields.chunked = true,
                "host" => fields.hosts += 1,
                "upgrade" if value.eq_ignore_ascii_case(b"websocket") => fields.upgrade = true,
                "upgrade" if value.to_ascii_lowercase().windows(9).any(|word| word == b"websocket") => {
                    return Err(bad("the Upgrade header names more than websocket"));
                }
                _ => (),
            }
        }
        Ok(fields)
    }

    fn body(&self, request: &Request<'_, '_>) -> Result<Option<Body>, Refusal> {
        let is_1_1 = request.version == Some(1);
        if self.hosts > 1 || is_1_1 && self.hosts == 0 {
            return Err(bad("there has to be one Host header"));
        }
        if self.chunked && self.length.is_some() {
            return Err(bad("there are both a Content-Length and a Transfer-Encoding"));
        }
        if self.chunked && !is_1_1 {
            return Err(bad("HTTP/1.0 has no Transfer-Encoding"));
        }
        if !is_1_1 && self.length.is_none() && request.method == Some(Method::POST.as_str()) {
            return Err(bad("there is no Content-Length"));
        }
        let length = self.length.unwrap_or(0);
        match self.upgrade || request.method == Some(Method::CONNECT.as_str()) {
            // What comes behind it is of another protocol from the first byte.
            true if self.chunked || length > 0 => Err(bad("a request for an upgrade has no body")),
            true => Ok(Some(Body::Endless)),
            false if self.chunked => Ok(Some(Body::Chunked(Chunked::default()))),
            false => Ok((length > 0).then_some(Body::Length(length))),
        }
    }
}

fn length(value: &[u8]) -> Result<u64, Refusal> {
    let digits = str::from_utf8(value).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| bad("the Content-Length is no number"))
}

fn bad(why: &'static str) -> Refusal {
    Refusal::Bad(why.into())
}
