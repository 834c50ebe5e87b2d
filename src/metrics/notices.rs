//! The codes that voxbridge itself gives in Errors and Warnings of translated backends. All others are upstream's own, and
//! count as one. Knows no text.

/// Type and code, as the README has them.
pub const NOTICES: [(&str, &str); 40] = [
    ("Error", "INVALID_SETTINGS"),
    ("Error", "AGENT_ID_NOT_SUPPORTED"),
    ("Error", "UNPARSABLE_CLIENT_MESSAGE"),
    ("Error", "disallowed_client_message_type"),
    ("Error", "MESSAGE_TOO_LARGE"),
    ("Warning", "MESSAGE_TOO_LARGE"),
    ("Warning", "TOO_MANY_FUNCTION_CALLS"),
    ("Warning", "ENDPOINT_NOT_ALLOWED"),
    ("Warning", "UNKNOWN_FUNCTION_CALL"),
    ("Warning", "NOT_IN_BETA_API"),
    ("Warning", "FORCE_END_TURN_UNSUPPORTED"),
    ("Warning", "LOCKED_BY_OPERATOR"),
    ("Warning", "VOICE_NOT_MAPPED"),
    ("Warning", "LISTEN_NOT_MAPPED"),
    ("Warning", "MODEL_NOT_CHANGED"),
    ("Warning", "cannot_update_voice"),
    ("Warning", "update_timeout"),
    ("Warning", "INJECT_AGENT_MESSAGE_DURING_USER_SPEECH"),
    ("Warning", "INJECT_AGENT_MESSAGE_DURING_AGENT_SPEECH"),
    ("Warning", "response_timeout"),
    ("Error", "unmapped_upstream_event"),
    ("Error", "unknown"),
    ("Error", "session_max_duration"),
    ("Error", "idle_timeout"),
    ("Error", "CLIENT_MESSAGE_TIMEOUT"),
    ("Error", "TOO_MUCH_INPUT_BEFORE_SETTINGS"),
    ("Error", "client_too_slow"),
    ("Error", "client_silent"),
    ("Error", "upstream_too_slow"),
    ("Error", "upstream_unreachable"),
    ("Error", "upstream_auth_failed"),
    ("Error", "upstream_rate_limited"),
    ("Error", "upstream_unavailable"),
    ("Error", "upstream_silent"),
    ("Error", "upstream_closed_before_session_ready"),
    ("Error", "upstream_closed"),
    ("Error", "upstream_message_too_large"),
    ("Error", "GATEWAY_OVERLOADED"),
    ("Error", "SERVER_GOING_AWAY"),
    // Whatever upstream called it.
    ("Error", UPSTREAMS),
];

/// In place of a code that is upstream's own.
pub(super) const UPSTREAMS: &str = "of_upstream";

/// Where a notice is counted.
pub(super) fn index_of(kind: &str, code: &str) -> usize {
    let known = NOTICES.iter().position(|known| *known == (kind, code));
    known.unwrap_or(NOTICES.len() - 1)
}
