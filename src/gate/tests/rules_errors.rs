//! R15: errors by code, each trouble told once.

use serde_json::json;

use super::{
    scenario::{at, check, component, deepgram, fresh},
    words::{
        audio, closed, confirmed, created, done_with, error, error_for, inject, session_updated, settings,
        text_done, upstream,
    },
};
use crate::gate::{Input, LegEnd};

fn upstream_closes(end: LegEnd, unix_s: u64) -> Input {
    Input::UpstreamClosed { end, unix_s }
}

/// R15: "Errors map by `code`, never by text. `session_expired` → `session_max_duration`; … null →
/// `unknown`". Everything else keeps its code.
#[test]
fn r15_errors_map_by_code() {
    let cases = [
        (r#"{"code":"session_expired","message":"m"}"#, "client Error(session_max_duration) \"m\""),
        (r#"{"code":"session_max_duration","message":"m"}"#, "client Error(session_max_duration) \"m\""),
        (
            r#"{"code":"server_error","message":"the text says session_expired"}"#,
            "client Error(server_error)",
        ),
        (r#"{"code":null,"message":"m"}"#, "client Error(unknown) \"m\""),
        (r#"{"message":"m"}"#, "client Error(unknown) \"m\""),
        (r#"{}"#, "client Error(unknown) \"upstream reported an error\""),
        (r#"{"code":"x","message":"m","param":"session.y"}"#, "client Error(x) \"m (param: session.y)\""),
    ];
    for (body, expected) in cases {
        let event = format!(r#"{{"type":"error","error":{body}}}"#);
        check(deepgram(), [at(0, upstream(&event), [expected])]);
    }
    check(deepgram(), [at(0, upstream(r#"{"type":"error"}"#), ["client Error(unknown)"])]);
}

/// R15: "`idle_timeout` during a response waits until its text is out".
#[test]
fn r15_an_idle_timeout_waits_for_the_text_of_the_response() {
    check(
        deepgram(),
        [
            at(0, error("idle_timeout"), ["client Error(idle_timeout)"]),
            at(1, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(2, confirmed(), ["up response.create"]),
            at(3, error("idle_timeout"), ["held R15"]),
            at(
                4,
                text_done("Hello"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentAudioDone",
                    "client Error(idle_timeout)",
                ],
            ),
            // One trouble, one `Error`.
            at(5, upstream_closes(closed(1000, ""), 0), ["close client 1000"]),
        ],
    );
}

/// R15: what waits is told when upstream closes first.
#[test]
fn r15_a_waiting_idle_timeout_is_told_when_upstream_closes() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, error("idle_timeout"), ["held R15"]),
            at(2, upstream_closes(closed(1001, ""), 0), ["client Error(idle_timeout)", "close client 1001"]),
        ],
    );
}

/// R15: "text that is no JSON → `unmapped_upstream_event`, the session goes on." "Unknown upstream events:
/// logged at warn, nothing to the client."
#[test]
fn r15_what_is_no_event_is_told_and_what_is_unknown_is_not() {
    check(
        deepgram(),
        [
            at(0, upstream("<html>"), ["client Error(unmapped_upstream_event)"]),
            at(1, upstream("[]"), ["ignored R15"]),
            at(2, upstream(r#"{"type":"response.something.new"}"#), ["ignored R15"]),
            at(
                3,
                upstream(r#"{"type":"conversation.created","conversation":{"id":"conv_1","items":[]}}"#),
                [],
            ),
            at(4, upstream(r#"{"type":"rate_limits.updated"}"#), []),
            at(5, inject("Hi"), ["client ConversationText(user)", "up item"]),
        ],
    );
}

/// R15: "Never shown: `conversation_already_has_active_response`, `response_cancel_not_active`."
#[test]
fn r15_two_codes_are_never_shown() {
    check(
        deepgram().losing_races(),
        [
            at(0, error("conversation_already_has_active_response"), ["held R7"]),
            at(1, error("response_cancel_not_active"), ["ignored R15"]),
        ],
    );
}

/// R15: "A failed or incomplete response reaches the client with its code".
#[test]
fn r15_a_failed_or_incomplete_response_is_told_by_its_code() {
    let failed = json!({"status": "failed",
        "status_details": {"type": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow down"}}});
    let incomplete = json!({"status": "incomplete",
        "status_details": {"type": "incomplete", "reason": "max_output_tokens"}});
    let expired = json!({"status": "failed", "status_details": {"error": {"code": "session_expired"}}});
    let quota = json!({"status": "failed", "status_details": {"type": "failed",
        "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "pay first"}}});
    let filtered = json!({"status": "incomplete", "status_details": {"reason": "content_filter"}});
    for (members, expected) in [
        (quota, "client Error(insufficient_quota) \"pay first\""),
        (filtered, "client Error(content_filter)"),
        (failed, "client Error(rate_limit_exceeded) \"slow down\""),
        (incomplete, "client Error(max_output_tokens)"),
        (expired, "client Error(session_max_duration)"),
    ] {
        check(
            deepgram(),
            [at(0, created("resp_1"), []), at(1, done_with("resp_1", members.clone()), [expected])],
        );
        // The same where nothing was announced.
        check(deepgram(), [at(0, done_with("resp_1", members), [expected])]);
    }
}

/// R15: a cancelled response is no failure, whoever cancelled it and for what reason.
#[test]
fn r15_a_cancelled_response_is_no_error() {
    for reason in ["turn_detected", "client_cancelled"] {
        let cancelled =
            json!({"status": "cancelled", "status_details": {"type": "cancelled", "reason": reason}});
        check(deepgram(), [at(0, created("resp_1"), []), at(1, done_with("resp_1", cancelled.clone()), [])]);
        check(deepgram(), [at(0, done_with("resp_1", cancelled), [])]);
    }
}

/// R15: "One trouble, one `Error`": a session that expires during a response, told by its end, by an `error`
/// and by the close.
#[test]
fn r15_a_session_that_expires_is_told_once() {
    let failed = || json!({"status": "failed", "status_details": {"error": {"code": "session_expired"}}});
    let told = "client Error(session_max_duration)";
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, error("session_expired"), [told]),
            at(2, done_with("resp_1", failed()), []),
            at(3, upstream_closes(closed(1001, ""), 0), ["close client 1001"]),
        ],
    );
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, done_with("resp_1", failed()), [told]),
            at(2, upstream_closes(closed(1001, ""), 0), ["close client 1001"]),
        ],
    );
}

/// R15: "**unless** an `error` event during it has told the client already."
#[test]
fn r15_a_failure_that_an_error_has_told_is_not_told_again() {
    let failed = || json!({"status": "failed", "status_details": {"error": {"code": "server_error"}}});
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, error("server_error"), ["client Error(server_error)"]),
            at(2, done_with("resp_1", failed()), []),
            // That was this response only.
            at(3, created("resp_2"), []),
            at(4, done_with("resp_2", failed()), ["client Error(server_error)"]),
        ],
    );
    check(
        deepgram(),
        [
            at(0, super::words::audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(1, error("server_error"), ["client Error(server_error)"]),
            at(2, done_with("resp_1", failed()), ["client AgentAudioDone"]),
        ],
    );
}

/// R15: the same of a response that we asked for, whether the error names our request or nothing.
#[test]
fn r15_a_failure_of_what_we_asked_for_is_told_once() {
    let failed = || json!({"status": "failed", "status_details": {"error": {"code": "server_error"}}});
    for told in [error("server_error"), error_for("$create", "server_error")] {
        check(
            deepgram(),
            [
                at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
                at(1, confirmed(), ["up response.create"]),
                at(2, created("resp_1"), []),
                at(3, told, ["client Error(server_error)"]),
                at(4, done_with("resp_1", failed()), []),
            ],
        );
    }
}

/// R15: an error for an item during a response says nothing of the response.
#[test]
fn r15_an_error_for_an_item_does_not_silence_the_response() {
    let failed = json!({"status": "failed", "status_details": {"error": {"code": "server_error"}}});
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(2, error_for("$item_event", "invalid_value"), ["client Error(invalid_value)"]),
            at(3, done_with("resp_1", failed), ["client Error(server_error)"]),
        ],
    );
}

/// R15: "One trouble, one `Error`: a close that follows an `Error` gives no second one" and "the close code
/// is carried over in any case".
#[test]
fn r15_a_close_that_follows_an_error_gives_no_second_one() {
    check(
        deepgram(),
        [
            at(0, error("session_expired"), ["client Error(session_max_duration)"]),
            at(100, upstream_closes(closed(1001, "bye"), 0), ["close client 1001 \"bye\""]),
        ],
    );
    let failed = json!({"status": "failed", "status_details": {"error": {"code": "server_error"}}});
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, done_with("resp_1", failed), ["client Error(server_error)"]),
            at(100, upstream_closes(LegEnd::Vanished, 0), ["close client 1011"]),
        ],
    );
}

/// R15: a close long after an error is another trouble.
#[test]
fn r15_a_close_long_after_an_error_is_told() {
    check(
        deepgram(),
        [
            at(0, error("invalid_value"), ["client Error(invalid_value)"]),
            at(
                120_000,
                upstream_closes(LegEnd::Vanished, 0),
                ["client Error(upstream_closed)", "close client 1011"],
            ),
        ],
    );
}

/// R15: "A close 1001 within 60 s of `session.expires_at` without an error is `session_max_duration`".
#[test]
fn r15_a_close_near_the_sessions_end_is_that_end() {
    let created = r#"{"type":"session.created","session":{"expires_at":1000.0}}"#;
    for (code, unix_s, expected) in [
        (1001, 1_000, "client Error(session_max_duration)"),
        (1001, 941, "client Error(session_max_duration)"),
        (1001, 1_060, "client Error(session_max_duration)"),
        (1001, 939, "client Error(upstream_closed)"),
        (1011, 1_000, "client Error(upstream_closed)"),
    ] {
        let close = format!("close client {code}");
        check(
            fresh(),
            [
                at(0, Input::ClientConnected, ["dial", "client Welcome"]),
                at(1, Input::UpstreamOpened, []),
                at(2, upstream(created), ["ignored R2"]),
                at(3, settings("{}"), ["up session.update"]),
                at(4, session_updated(), ["use audio", "client SettingsApplied"]),
                at(5, upstream_closes(closed(code, ""), unix_s), [expected, &close]),
            ],
        );
    }
}

/// R15: "Old beta event names are understood."
#[test]
fn r15_old_names_of_events_are_understood() {
    let old = r#"{"type":"response.audio.delta","response_id":"resp_1","item_id":"item_1","delta":"AAAA"}"#;
    let text = r#"{"type":"response.audio_transcript.delta","response_id":"resp_1","item_id":"item_1","delta":"Hi"}"#;
    check(
        component(),
        [
            at(0, created("resp_1"), []),
            at(1, upstream(old), ["client AgentStartedSpeaking", "client audio 3"]),
            at(2, upstream(text), []),
            at(3, audio("resp_1", "item_1", 320), ["client audio 320"]),
            at(
                4,
                super::words::done("resp_1", "completed"),
                ["client ConversationText(assistant) \"Hi\"", "client AgentDone", "client AgentAudioDone"],
            ),
        ],
    );
}

/// The component hides the vendor's stock sentence, so a failed response tells it in other words; an
/// `error` event is passed on as it is.
#[test]
fn r15_a_failed_response_tells_the_vendors_stock_sentence_in_other_words() {
    let message = "The server had an error while processing your request. Sorry about that!";
    let event = format!(r#"{{"type":"error","error":{{"code":"server_error","message":"{message}"}}}}"#);
    let failed = format!(
        r#"{{"type":"response.done","response":{{"status":"failed",
        "status_details":{{"error":{{"code":"server_error","message":"{message}"}}}}}}}}"#
    );
    check(
        component(),
        [
            at(0, upstream(&event), [&*format!("client Error(server_error) {message:?}")]),
            at(
                1,
                upstream(&failed),
                [
                    "client Error(server_error) \"The upstream service had an internal error while processing the \
                  request. Sorry about that!\"",
                ],
            ),
        ],
    );
}
