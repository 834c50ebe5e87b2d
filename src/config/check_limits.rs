//! `[limits]`, and what a backend has of it for itself.
//! Knows nothing of whom the limits bind.

use super::Limits;
use super::error::ConfigError;
use super::raw::RawLimits;
use super::reader::Reader;

/// Checks the limits of one table; what it does not say is as in `default`.
pub(super) fn limits(raw: &RawLimits, reader: &Reader<'_>, default: &Limits) -> Result<Limits, ConfigError> {
    let bytes = |raw, name, default| reader.integer(raw, name, 1024..=GIB, default);
    Ok(Limits {
        before_ready_bytes: bytes(&raw.before_ready_bytes, "before_ready_bytes", default.before_ready_bytes)?,
        leg_bytes: bytes(&raw.leg_bytes, "leg_bytes", default.leg_bytes)?,
        max_message_bytes: bytes(&raw.max_message_bytes, "max_message_bytes", default.max_message_bytes)?,
        max_upstream_message_bytes: bytes(
            &raw.max_upstream_message_bytes,
            "max_upstream_message_bytes",
            default.max_upstream_message_bytes,
        )?,
        settings_timeout: reader.seconds(
            &raw.settings_timeout_s,
            "settings_timeout_s",
            default.settings_timeout,
        )?,
        idle_timeout: reader.seconds_or_off(&raw.idle_timeout_s, "idle_timeout_s", default.idle_timeout)?,
        max_session: reader.seconds_or_off(&raw.max_session_s, "max_session_s", default.max_session)?,
        slow_client_timeout: reader.seconds(
            &raw.slow_client_timeout_s,
            "slow_client_timeout_s",
            default.slow_client_timeout,
        )?,
    })
}

const GIB: i64 = 1 << 30;
