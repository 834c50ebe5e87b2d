//! Requests that were refused, by the word that their answer gives. Knows no status and no path.

use prometheus::IntCounter;

use super::families::Families;

/// Every word, of all paths and of the guard in front of them.
pub const REFUSALS: [&str; 33] = [
    "backend_not_allowed",
    "bad_handshake",
    "bad_request",
    "body_timeout",
    "busy",
    "function_not_allowed",
    "grant_not_allowed",
    "head_timeout",
    "head_too_large",
    "incomplete_body",
    "invalid_arguments",
    "invalid_body",
    "invalid_id",
    "invalid_member",
    "invalid_name",
    "message_too_large",
    "method_not_allowed",
    "no_origin_listed",
    "no_transcription",
    "not_found",
    "origin_not_allowed",
    "overloaded",
    "stopping",
    "token_expired",
    "token_invalid",
    "token_missing",
    "too_many_sessions",
    "too_many_sessions_of_address",
    "too_many_sessions_of_subject",
    "too_many_tokens",
    "unknown_service",
    "unsupported_media_type",
    "upgrade_required",
];

/// Counts refusals; clones count the same.
#[derive(Clone)]
pub struct Refusals(std::sync::Arc<[IntCounter; REFUSALS.len()]>);

impl Refusals {
    pub(super) fn new(families: &Families) -> Self {
        let family = families.counters(
            "refusals_total",
            "Requests that were refused, by the word of the answer",
            &["code"],
        );
        Self(REFUSALS.map(|code| family.with_label_values(&[code])).into())
    }

    /// A request was refused with this word.
    pub fn count(&self, code: &str) {
        let known = REFUSALS.iter().position(|known| *known == code);
        debug_assert!(known.is_some(), "{code} is not in the list");
        if let Some(index) = known {
            self.0[index].inc();
        }
    }
}

impl Default for Refusals {
    /// Counters that nobody reads.
    fn default() -> Self {
        Self::new(&Families::new())
    }
}
