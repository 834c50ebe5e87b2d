//! The lines about who was refused: one for each, but no more than a reader can bear. Clients can bring them about as
//! often as they like, so that of a kind there is one in a second, with the number of those that it stands for. Metrics
//! count every one. Knows no reason by itself.

use std::{
    collections::BTreeMap,
    fmt, mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use actix_web::{HttpRequest, web};
use tokio::time::Instant;

use super::{client_address::Sender, refuse::Refuse};
use crate::{metrics::Metrics, protocol::log_field};

/// How far apart two lines of a kind are.
const APART: Duration = Duration::from_secs(1);

/// The last lines, of all workers.
static LAST: LastLines = LastLines(Mutex::new(BTreeMap::new()));

/// Counts a request that was refused.
pub(super) fn count_refusal(request: &HttpRequest, refusal: &impl Refuse) {
    let (_, code) = refusal.status_and_code();
    if let Some(metrics) = request.app_data::<web::Data<Metrics>>() {
        metrics.refusals().count(code);
    }
}

/// Counts a request that was refused, and logs it, at info. `path` is the path that it meant.
pub(super) fn log_refusal(request: &HttpRequest, path: &str, subject: Option<&str>, refusal: &impl Refuse) {
    count_refusal(request, refusal);
    let ((_, code), reason) = (refusal.status_and_code(), refusal.reason());
    let Some(left_out) = line_of(code, reason) else { return };
    let sender = Sender::of(request);
    let subject = subject.map(|subject| format!(" subject={}", log_field(subject))).unwrap_or_default();
    let why = reason.map(|reason| format!(" reason={reason:?}")).unwrap_or_default();
    log::info!("refused path={path} {sender}{subject} code={code}{why}{left_out}");
}

/// Whether a line about a refusal with this code and reason may be written now, and what it has to end with.
pub(super) fn line_of(code: &'static str, reason: Option<&'static str>) -> Option<LeftOut> {
    LAST.line_of((code, reason), Instant::now())
}

/// How many lines one stands for besides itself. `Display` is the end of that line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftOut(u64);

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            number => write!(f, " left_out={number}"),
        }
    }
}

/// What was refused: a code, and where it has several reasons, which.
type Kind = (&'static str, Option<&'static str>);

/// When there was the last line of each kind, and how many would have been since. There are only so many kinds.
struct LastLines(Mutex<BTreeMap<Kind, (Instant, u64)>>);

impl LastLines {
    fn line_of(&self, kind: Kind, now: Instant) -> Option<LeftOut> {
        // Times and numbers are whole after any panic.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((at, left_out)) = last.get_mut(&kind) else {
            last.insert(kind, (now, 0));
            return Some(LeftOut(0));
        };
        if now.saturating_duration_since(*at) < APART {
            *left_out += 1;
            return None;
        }
        *at = now;
        Some(LeftOut(mem::take(left_out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_a_line_in_a_second_that_stands_for_the_others() {
        let lines = LastLines(Mutex::default());
        let began = Instant::now();
        let at = |kind, millis| {
            lines.line_of(kind, began + Duration::from_millis(millis)).map(|left| left.to_string())
        };
        let (one, other) = (("token_invalid", Some("signature")), ("token_invalid", Some("used")));
        assert_eq!(at(one, 0).as_deref(), Some(""));
        assert_eq!(at(one, 1), None);
        assert_eq!(at(other, 1).as_deref(), Some(""), "another reason is another kind");
        assert_eq!(at(one, 999), None);
        assert_eq!(at(one, 1000).as_deref(), Some(" left_out=2"));
        assert_eq!(at(one, 1999), None);
        assert_eq!(at(one, 9000).as_deref(), Some(" left_out=1"));
        assert_eq!(at(one, 10_000).as_deref(), Some(""));
        assert_eq!(at(other, 10_000).as_deref(), Some(""));
    }
}
