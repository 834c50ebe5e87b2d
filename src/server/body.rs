//! The body of a request that brings JSON: how much of it is read, for how long, and what it has to be declared as.
//! Knows nothing of what is in it or of who sends it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use actix_web::{HttpMessage, HttpRequest, http::header, web};
use bytes::BytesMut;
use futures_util::StreamExt;

use crate::actors::Budget;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// The memory for bodies that are on their way, over all workers: a quarter of what connections and they may hold
/// together. Bodies that do not come hold none of it, however many.
pub(super) struct Readers {
    budget: Arc<Budget>,
    held: AtomicUsize,
}

impl Readers {
    /// Memory for bodies out of this budget.
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, held: AtomicUsize::new(0) }
    }
}

/// What one body holds, for as long as it is read.
struct Held<'r> {
    readers: &'r Readers,
    bytes: usize,
}

impl Held<'_> {
    fn take(&mut self, bytes: usize) -> Result<(), Unread> {
        let Readers { budget, held } = self.readers;
        let before = held.fetch_add(bytes, Relaxed);
        budget.take(bytes);
        self.bytes += bytes;
        if before + bytes > budget.limit() / 4 || budget.is_tight() { Err(Unread::Busy) } else { Ok(()) }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.readers.held.fetch_sub(self.bytes, Relaxed);
        self.readers.budget.give_back(self.bytes);
    }
}

/// Why a body was not read to its end. `Display` is the text for its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is not declared to be JSON in UTF-8.
    MediaType,
    /// It is longer than this many bytes.
    TooLarge(usize),
    /// It took too long to arrive.
    Slow,
    /// It broke off, or its chunks are damaged.
    Broken,
    /// Others hold all the memory there is for bodies.
    Busy,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MediaType => f.write_str("the body must be application/json in utf-8, uncompressed"),
            Self::TooLarge(limit) => write!(f, "the body is longer than {limit} bytes"),
            Self::Slow => f.write_str("the body did not arrive in time"),
            Self::Broken => f.write_str("the body broke off"),
            Self::Busy => f.write_str("too many bodies are on their way"),
        }
    }
}

/// Reads the body of `request`, at most `limit` bytes of it, if `readers` have memory for it.
pub(super) async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    readers: &Readers,
    limit: usize,
) -> Result<BytesMut, Unread> {
    if !is_json(request) {
        return Err(Unread::MediaType);
    }
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Unread::TooLarge(limit));
    }
    let whole = tokio::time::timeout(PATIENCE, collect(payload, readers, limit));
    whole.await.unwrap_or(Err(Unread::Slow))
}

async fn collect(mut payload: web::Payload, readers: &Readers, limit: usize) -> Result<BytesMut, Unread> {
    let mut body = BytesMut::new();
    let mut held = Held { readers, bytes: 0 };
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| Unread::Broken)?;
        if body.len() + piece.len() > limit {
            return Err(Unread::TooLarge(limit));
        }
        held.take(piece.len())?;
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

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn bodies_hold_a_quarter_of_the_budget_and_give_it_back() {
        let budget = Arc::new(Budget::new(1_000));
        let readers = Readers::new(Arc::clone(&budget));
        let body = |bytes| {
            let mut held = Held { readers: &readers, bytes: 0 };
            held.take(bytes).map(|()| held)
        };
        let (first, second) = (body(100), body(150));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(body(1).err(), Some(Unread::Busy));
        drop(first);
        assert!(body(100).is_ok(), "what is refused or read holds nothing");
        assert_eq!(budget.held(), 150);
        budget.take(601);
        assert_eq!(body(1).err(), Some(Unread::Busy), "others hold the rest");
        drop(second);
        assert_eq!(budget.held(), 601);
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
