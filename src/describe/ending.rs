//! The end of a connection as fields: why, after how long, and what it came to. Knows no log.

use std::time::Duration;

use super::input::details;
use crate::{
    gate::{CloseReason, Counts},
    logging::Fields,
    tally::Totals,
};

/// The fields of a connection's last line.
pub(crate) fn describe_ending(
    reason: &CloseReason,
    lived: Duration,
    totals: &Totals,
    counts: &Counts,
) -> Fields {
    let mut fields = Fields::default()
        .with("cause", reason.name())
        .with("duration_s", lived.as_secs_f64())
        .with("close_code", reason.ending().client_code);
    for (name, amount) in totals.fields() {
        fields.push(name, amount);
    }
    for (name, count) in counts.happened() {
        fields.push(name, count);
    }
    match reason {
        CloseReason::Client(end) | CloseReason::Relayed(end) | CloseReason::Upstream { end, .. } => {
            details(fields, end)
        }
        CloseReason::Unreachable(error) => fields.with("error", error.to_string()),
        CloseReason::TooMuchInput { limit } => fields.with("limit", *limit),
        CloseReason::UpstreamSilent
        | CloseReason::ClientSilent
        | CloseReason::SettingsTimeout
        | CloseReason::IdleTimeout
        | CloseReason::SessionAge
        | CloseReason::ClientTooSlow
        | CloseReason::UpstreamTooSlow
        | CloseReason::Overloaded
        | CloseReason::Shutdown => fields,
    }
}
