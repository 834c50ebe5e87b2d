//! The lines about who was refused: one for each, but no more than a reader can bear. Clients can bring them about as
//! often as they like, so that of a kind there is one in a second, with the number of those that it stands for. Metrics
//! count every one. Knows no reason by itself.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use actix_web::{HttpRequest, web};
use log::Level;
use tokio::time::Instant;

use super::{client_address::Sender, refuse::Refuse};
use crate::{logging::gateway_log, metrics::Metrics, protocol::shorten};

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
    let fields = Sender::of(request).fields();
    let fields = fields.with_some("subject", subject.map(|subject| shorten(subject.to_owned())));
    let fields =
        fields.with("code", code).with_some("reason", reason).with_some("left_out", left_out.number());
    gateway_log!(Level::Info, path = path, ..fields; "refused");
}

/// Whether a line about a refusal with this code and reason may be written now, and for how many others.
pub(super) fn line_of(code: &'static str, reason: Option<&'static str>) -> Option<LeftOut> {
    LAST.line_of((code, reason), Instant::now())
}

/// How many lines one stands for besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftOut(u64);

impl LeftOut {
    /// The number, if there are any.
    pub(super) fn number(self) -> Option<u64> {
        Some(self.0).filter(|number| *number > 0)
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
            lines
                .line_of(kind, began + Duration::from_millis(millis))
                .map(|left| left.number().unwrap_or_default())
        };
        let (one, other) = (("token_invalid", Some("signature")), ("token_invalid", Some("used")));
        assert_eq!(at(one, 0), Some(0));
        assert_eq!(at(one, 1), None);
        assert_eq!(at(other, 1), Some(0), "another reason is another kind");
        assert_eq!(at(one, 999), None);
        assert_eq!(at(one, 1000), Some(2));
        assert_eq!(at(one, 1999), None);
        assert_eq!(at(one, 9000), Some(1));
        assert_eq!(at(one, 10_000), Some(0));
        assert_eq!(at(other, 10_000), Some(0));
    }
}
