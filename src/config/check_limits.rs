//! `[limits]`, and what a backend has of it for itself.
//! Knows nothing of whom the limits bind.

use std::num::NonZeroU32;

use super::error::ConfigError;
use super::raw::{Raw, RawLimits};
use super::reader::Reader;
use super::{Limits, ProcessLimits};

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
        messages_per_s: number_or_off(reader, &raw.messages_per_s, "messages_per_s", default.messages_per_s)?,
    })
}

/// Checks what a backend has for itself, which is nothing of what holds for all together.
pub(super) fn of_backend(
    raw: &RawLimits,
    reader: &Reader<'_>,
    default: &Limits,
) -> Result<Limits, ConfigError> {
    let of_process = [
        ("process_bytes", &raw.process_bytes),
        ("max_sessions_per_ip", &raw.max_sessions_per_ip),
        ("max_sessions_per_subject", &raw.max_sessions_per_subject),
    ];
    match of_process.iter().find(|(_, value)| value.is_some()) {
        Some((name, _)) => Err(reader.error(name, "holds for all backends together, belongs into [limits]")),
        None => limits(raw, reader, default),
    }
}

/// Checks what `[limits]` says of all connections together.
pub(super) fn process(raw: &RawLimits, reader: &Reader<'_>) -> Result<ProcessLimits, ConfigError> {
    let default = ProcessLimits::default();
    let sessions = |raw, name, default| number_or_off(reader, raw, name, default);
    Ok(ProcessLimits {
        bytes: reader.integer(&raw.process_bytes, "process_bytes", MIB..=1024 * GIB, default.bytes)?,
        sessions_per_address: sessions(
            &raw.max_sessions_per_ip,
            "max_sessions_per_ip",
            default.sessions_per_address,
        )?,
        sessions_per_subject: sessions(
            &raw.max_sessions_per_subject,
            "max_sessions_per_subject",
            default.sessions_per_subject,
        )?,
    })
}

/// A number of which 0 means that there is no limit.
fn number_or_off(
    reader: &Reader<'_>,
    raw: &Raw,
    name: &str,
    default: Option<NonZeroU32>,
) -> Result<Option<NonZeroU32>, ConfigError> {
    Ok(reader.optional_integer(raw, name, 0..=1_000_000)?.map_or(default, NonZeroU32::new))
}

const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;
