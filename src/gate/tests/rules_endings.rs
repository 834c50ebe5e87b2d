//! R16: every end is one row of the table; each side is closed once, behind what was sent before.

use std::time::Duration;

use super::{
    scenario::{Action, Scenario, at, check, check_all, deepgram, due, fresh},
    words::{
        answer, audio, audio_delta, bare_call, client, client_closes, closed, created, inject, microphone,
        session_updated, settings,
    },
};
use crate::gate::{CloseReason, Input, Leg, LegEnd, Limits, Phase, UpstreamError, WINDOW};

fn upstream_closes(end: LegEnd) -> Input {
    Input::UpstreamClosed { end, unix_s: 0 }
}

/// Ends by `cause`: the error, both closes, and what the legs that do not answer get after the grace.
fn ends(
    scenario: Scenario,
    cause: impl Into<Action>,
    error: &str,
    client: &str,
    upstream: &str,
) -> CloseReason {
    let both: Vec<String> = [("client", client), ("upstream", upstream)]
        .into_iter()
        .filter(|(_, code)| !code.is_empty())
        .map(|(leg, code)| format!("close {leg} {code}"))
        .collect();
    let mut first: Vec<&str> = both.iter().map(String::as_str).collect();
    let error = format!("client Error({error})");
    if error != "client Error()" {
        first.insert(0, &error);
    }
    let mut last: Vec<&str> = Vec::new();
    if !client.is_empty() {
        last.push("hang up client");
    }
    if !upstream.is_empty() {
        last.push("hang up upstream");
    }
    last.push("finished");
    let steps = vec![
        super::scenario::at_lines(1_000, cause, &first),
        // Nothing that comes now matters, and nothing is said twice.
        at(1_500, inject("Hi"), ["ignored R16"]),
        at(1_501, session_updated(), ["ignored R16"]),
        at(1_502, Input::Shutdown, ["ignored R16"]),
        super::scenario::at_lines(3_000, Action::Due, &last),
        at(9_000, Input::Timeout, ["ignored R16"]),
        at(9_001, Input::ClientConnected, ["ignored R16"]),
    ];
    let run = check_all(scenario, steps);
    assert_eq!((run.gate.phase(), run.gate.deadline()), (Phase::Closed, None));
    run.gate.close_reason().expect("there was a reason").clone()
}

/// "client closes (code carried over where valid)".
#[test]
fn r16_the_clients_close_code_goes_upstream() {
    for (code, up) in
        [(Some(1000), "1000"), (Some(3001), "3001"), (Some(1005), "1000"), (Some(99), "1000"), (None, "1000")]
    {
        let end = LegEnd::Closed { code, reason: "bye".to_owned() };
        let reason = ends(deepgram(), Input::ClientClosed(end.clone()), "", "", up);
        assert_eq!(reason, CloseReason::Client(end));
    }
}

/// "client vanishes".
#[test]
fn r16_a_client_that_vanishes_closes_upstream() {
    ends(deepgram(), Input::ClientClosed(LegEnd::Vanished), "", "", "1001");
}

/// Section 6: "A frame over the limit: `Error`, then close 1009."
#[test]
fn r16_a_client_that_breaks_the_rules_is_told_and_closed() {
    let large = LegEnd::TooLarge { limit: 1_048_576 };
    ends(deepgram(), Input::ClientClosed(large), "MESSAGE_TOO_LARGE", "1009", "1000");
    let broken = LegEnd::ProtocolError("a text frame is not utf-8".to_owned());
    ends(deepgram(), Input::ClientClosed(broken), "UNPARSABLE_CLIENT_MESSAGE", "1002", "1000");
}

/// "upstream closes (valid code and reason carried over …)".
#[test]
fn r16_upstreams_close_code_and_reason_reach_the_client() {
    ends(deepgram(), upstream_closes(closed(1000, "done")), "", "1000 \"done\"", "");
    ends(deepgram(), upstream_closes(closed(4_008, "policy")), "upstream_closed", "4008 \"policy\"", "");
    ends(deepgram(), upstream_closes(closed(1005, "")), "upstream_closed", "1011", "");
    ends(deepgram(), upstream_closes(LegEnd::Vanished), "upstream_closed", "1011", "");
    ends(deepgram(), upstream_closes(LegEnd::ProtocolError("x".to_owned())), "upstream_closed", "1011", "");
    let large = LegEnd::TooLarge { limit: 33_554_432 };
    ends(deepgram(), upstream_closes(large), "upstream_message_too_large", "1011", "");
}

/// "before SettingsApplied also `Error` `upstream_closed_before_session_ready`".
#[test]
fn r16_upstream_that_closes_before_the_session_is_ready_is_told() {
    for end in [closed(1000, ""), closed(1008, "no"), LegEnd::Vanished] {
        let code = match &end {
            LegEnd::Closed { code: Some(code), .. } => code.to_string(),
            _ => "1011".to_owned(),
        };
        let scenario = opened().upto(settings("{}"));
        ends(scenario, upstream_closes(end), "upstream_closed_before_session_ready", &code, "");
    }
}

/// A connection with both sockets open and no Settings.
fn opened() -> Scenario {
    fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened)
}

/// "dial refused, timed out, 401, 403, 429, 5xx".
#[test]
fn r16_each_way_of_not_reaching_upstream_has_its_code() {
    for (error, code, close) in [
        (UpstreamError::Unreachable("connection refused".to_owned()), "upstream_unreachable", "1011"),
        (UpstreamError::TimedOut, "upstream_unreachable", "1011"),
        (UpstreamError::Status(401), "upstream_auth_failed", "1011"),
        (UpstreamError::Status(403), "upstream_auth_failed", "1011"),
        (UpstreamError::Status(429), "upstream_rate_limited", "1013"),
        (UpstreamError::Status(500), "upstream_unavailable", "1013"),
        (UpstreamError::Status(503), "upstream_unavailable", "1013"),
        (UpstreamError::Status(404), "upstream_unavailable", "1013"),
    ] {
        let scenario = fresh().upto(Input::ClientConnected);
        let reason = ends(scenario, Input::UpstreamRefused(error.clone()), code, close, "");
        assert_eq!(reason, CloseReason::Unreachable(error));
    }
}

/// Whatever upstream ended by, the user is told in words.
#[test]
fn r16_the_client_is_told_how_upstream_ended() {
    for (end, told) in [
        (closed(4_008, "policy"), r#"client Error(upstream_closed) "upstream closed with 4008: policy""#),
        (closed(4_008, ""), r#"client Error(upstream_closed) "upstream closed with 4008""#),
        (LegEnd::Vanished, r#"client Error(upstream_closed) "upstream vanished""#),
    ] {
        check(deepgram(), [at(0, upstream_closes(end), [told, "close client"])]);
    }
    for (error, told) in [
        (
            UpstreamError::Unreachable("connection refused".to_owned()),
            r#"client Error(upstream_unreachable) "upstream cannot be reached: connection refused""#,
        ),
        (
            UpstreamError::TimedOut,
            r#"client Error(upstream_unreachable) "upstream cannot be reached: no answer in time""#,
        ),
        (
            UpstreamError::Status(429),
            r#"client Error(upstream_rate_limited) "upstream refused the connection with status 429""#,
        ),
    ] {
        let scenario = fresh().upto(Input::ClientConnected);
        check(scenario, [at(0, Input::UpstreamRefused(error), [told, "close client"])]);
    }
}

/// No rule waits without an end: a dial of which nothing is heard.
#[test]
fn r16_a_dial_without_an_outcome_ends() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(10, settings("{}"), ["held R1"]),
            due(35_000, ["client Error(upstream_unreachable)", "close client 1011", "close upstream 1000"]),
        ],
    );
}

/// "drain at SIGTERM (… then 1012)".
#[test]
fn r16_the_programs_end_is_told() {
    ends(deepgram(), Input::Shutdown, "SERVER_GOING_AWAY", "1012", "1000");
}

/// "limits of section 6": every one that time decides.
#[test]
fn r16_each_limit_of_time_has_its_code() {
    type Change = fn(&mut Limits);
    let cases: [(Change, &str, &str); 2] = [
        (|limits| limits.idle_timeout = Some(Duration::from_secs(1)), "idle_timeout", "1000"),
        (|limits| limits.max_session = Some(Duration::from_secs(1)), "session_max_duration", "1000"),
    ];
    for (change, code, close) in cases {
        ends(deepgram().limits(change), Action::Due, code, close, "1000");
    }
    let scenario = opened_within_a_second();
    ends(scenario, Action::Due, "CLIENT_MESSAGE_TIMEOUT", "1011", "1000");
}

fn opened_within_a_second() -> Scenario {
    opened().limits(|limits| limits.settings_timeout = Duration::from_secs(1))
}

/// Section 6: "nothing from the client; pongs and KeepAlive count".
#[test]
fn r16_any_sign_of_the_client_counts_as_life() {
    let scenario = deepgram().limits(|limits| limits.idle_timeout = Some(Duration::from_secs(1)));
    check(
        scenario,
        [
            at(900, Input::ClientAlive, []),
            at(1_800, client(r#"{"type":"KeepAlive"}"#), []),
            at(2_700, microphone(320), ["up append"]),
            at(3_600, client("{"), ["client Error(UNPARSABLE_CLIENT_MESSAGE)"]),
            at(4_500, created("resp_1"), []),
            due(4_600, ["client Error(idle_timeout)", "close client 1000", "close upstream 1000"]),
        ],
    );
}

/// Section 6: "audio and injects before ready (2 MiB)". Without Settings too much is too much.
#[test]
fn r16_too_much_before_settings_ends_the_connection() {
    let scenario = fresh().upto(Input::ClientConnected).limits(|limits| limits.before_ready = 1_000);
    let run = check(
        scenario,
        [
            at(0, microphone(900), ["held R2"]),
            at(
                1,
                microphone(200),
                [
                    "held R2",
                    "client Error(TOO_MUCH_INPUT_BEFORE_SETTINGS)",
                    "close client 1008",
                    "close upstream 1000",
                ],
            ),
        ],
    );
    assert_eq!(run.gate.close_reason(), Some(&CloseReason::TooMuchInput { limit: 1_000 }));
}

/// Section 6: with Settings on their way the client is not read on instead.
#[test]
fn r16_too_much_before_the_session_is_ready_pauses_the_client() {
    let scenario = opened().limits(|limits| limits.before_ready = 1_000);
    check(
        scenario,
        [
            at(0, settings("{}"), ["up session.update"]),
            at(1, microphone(2_000), ["held R2", "pause client"]),
            at(
                2,
                session_updated(),
                ["use audio", "client SettingsApplied", "up append 2000", "resume client"],
            ),
        ],
    );
}

/// Section 6: "to a client that does not read (4 MiB: the upstream is not read on while it is over; after
/// `limits.slow_client_timeout_s` the session ends with `client_too_slow`)".
#[test]
fn r16_a_client_that_does_not_read_pauses_upstream_and_ends_the_connection() {
    let scenario = deepgram().limits(|limits| limits.leg = 10_000);
    check(
        scenario,
        [
            at(0, created("resp_1"), []),
            at(1, audio("resp_1", "item_1", 9_000), ["client AgentStartedSpeaking", "client audio 9000"])
                .undelivered(),
            at(2, audio("resp_1", "item_1", 1_000), ["client audio 1000", "pause upstream"]).undelivered(),
            due(
                10_002,
                [
                    "resume upstream",
                    "client Error(client_too_slow)",
                    "close client 1008",
                    "close upstream 1000",
                ],
            )
            .undelivered(),
        ],
    );
}

/// Section 6: a client that reads slowly is not one that does not read; and while upstream is not read, its
/// silence means nothing (R5, R6).
#[test]
fn r16_a_client_that_reads_slowly_stays_and_upstream_is_not_blamed() {
    let scenario = deepgram().limits(|limits| limits.leg = 2 * WINDOW);
    let frame = || audio("resp_1", "item_1", WINDOW);
    check(
        scenario,
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, created("resp_1"), []),
            at(2, frame(), ["client AgentStartedSpeaking", "client audio"]).undelivered(),
            at(3, frame(), ["pause upstream"]).undelivered(),
            at(4, frame(), []).undelivered(),
            at(5, frame(), []).undelivered(),
            at(9_500, Action::Delivers(Leg::Client), ["client audio"]).undelivered(),
            at(18_900, Action::Delivers(Leg::Client), ["client audio"]).undelivered(),
            at(28_000, Action::Delivers(Leg::Client), ["client audio", "resume upstream"]),
            at(47_900, audio("resp_1", "item_1", 320), ["client audio 320"]),
            due(48_000, ["ran out R5", "held R6"]),
            due(
                67_900,
                [
                    "ran out R6",
                    "client AgentAudioDone",
                    "client Warning(response_timeout)",
                    "up response.create",
                ],
            ),
        ],
    );
}

/// Section 6: "to an upstream that does not read (likewise)".
#[test]
fn r16_an_upstream_that_does_not_read_pauses_the_client_and_ends_the_connection() {
    let scenario = deepgram().limits(|limits| limits.leg = 10_000);
    check(
        scenario,
        [
            at(0, microphone(6_000), ["up append", "pause client"]).undelivered(),
            due(
                10_000,
                [
                    "resume client",
                    "client Error(upstream_too_slow)",
                    "close client 1011",
                    "close upstream 1000",
                ],
            )
            .undelivered(),
        ],
    );
    let scenario = deepgram().limits(|limits| limits.leg = 10_000);
    check(
        scenario,
        [
            at(0, microphone(6_000), ["up append", "pause client"]).undelivered(),
            at(9_999, Action::Delivers(Leg::Upstream), ["resume client"]),
            at(60_000, Input::Timeout, []),
        ],
    );
}

/// R16: "each side is closed exactly once", and the connection is finished when both are gone.
#[test]
fn r16_a_connection_is_finished_when_both_legs_are_gone() {
    check(
        deepgram(),
        [
            at(0, client_closes(1000), ["close upstream 1000"]),
            at(1, upstream_closes(closed(1000, "")), ["finished"]),
        ],
    );
    check(
        deepgram(),
        [
            at(
                0,
                Input::Shutdown,
                ["client Error(SERVER_GOING_AWAY)", "close client 1012", "close upstream 1000"],
            ),
            at(1, upstream_closes(closed(1000, "")), []),
            at(2, client_closes(1012), ["finished"]),
        ],
    );
}

/// Section 3: "what upstream sent just before it closed still reaches the client", behind the window.
#[test]
fn r16_what_upstream_sent_before_it_closed_reaches_the_client_first() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, audio("resp_1", "item_1", WINDOW), ["client AgentStartedSpeaking", "client audio 262144"])
                .undelivered(),
            at(2, audio("resp_1", "item_1", 320), []).undelivered(),
            at(3, upstream_closes(closed(1000, "")), []).undelivered(),
            // A leg that takes something may have the time it needs.
            at(1_900, Action::Delivers(Leg::Client), ["client audio 320", "close client 1000"]).undelivered(),
            due(3_900, ["hang up client", "finished"]),
        ],
    );
}

/// Section 3: "What it sends just before it closes still goes upstream".
#[test]
fn r16_what_the_client_sent_before_it_closed_goes_upstream_first() {
    check(
        deepgram(),
        [
            at(0, microphone(WINDOW), ["up append 262144"]).undelivered(),
            at(1, inject("Goodbye"), ["client ConversationText(user)"]).undelivered(),
            at(2, client_closes(1000), []).undelivered(),
            at(3, Action::Delivers(Leg::Upstream), ["up item \"Goodbye\"", "close upstream 1000"]),
        ],
    );
}

/// R16: what waits for a session that will never be ready is not waited for.
#[test]
fn r16_a_client_that_closes_before_the_socket_is_open_ends_the_dial() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, inject("Hi"), ["held R2"]),
            at(2, client_closes(1001), ["close upstream 1001"]),
            at(3, Input::UpstreamOpened, ["ignored R16"]),
            at(4, upstream_closes(closed(1001, "")), ["finished"]),
        ],
    );
}

/// Section 6: a further Settings that takes the place of a refused one counts no more as waiting.
#[test]
fn r16_a_settings_that_goes_up_makes_room_again() {
    let long = format!(r#"{{"think":{{"prompt":"{}"}}}}"#, "x".repeat(20_000));
    check(
        opened().limits(|limits| limits.before_ready = 10_000),
        [
            at(0, settings("{}"), ["up session.update"]),
            at(1, settings(&long), ["held R3", "pause client"]),
            at(
                2,
                super::words::error_for("$update", "invalid_value"),
                ["client Error(invalid_value)", "up session.update", "resume client"],
            ),
        ],
    );
}

/// Section 6: a client that is not read cannot show that it is there.
#[test]
fn r16_a_client_that_is_not_read_is_not_idle() {
    let scenario = opened().limits(|limits| {
        limits.before_ready = 1_000;
        limits.idle_timeout = Some(Duration::from_secs(1));
    });
    check(
        scenario,
        [
            at(0, settings("{}"), ["up session.update"]),
            at(1, microphone(2_000), ["held R2", "pause client"]),
            at(500, Input::ClientAlive, []),
            at(
                5_000,
                session_updated(),
                ["use audio", "client SettingsApplied", "up append 2000", "resume client"],
            ),
            due(6_000, ["client Error(idle_timeout)", "close client 1000", "close upstream 1000"]),
        ],
    );
}

/// Section 6: typed messages count as well.
#[test]
fn r16_too_many_typed_messages_before_settings_end_the_connection() {
    let scenario = fresh().upto(Input::ClientConnected).limits(|limits| limits.before_ready = 1_000);
    check(
        scenario,
        [at(
            0,
            inject(&"x".repeat(1_000)),
            [
                "held R2",
                "client Error(TOO_MUCH_INPUT_BEFORE_SETTINGS)",
                "close client 1008",
                "close upstream 1000",
            ],
        )],
    );
}

/// "What it sends just before it closes still goes upstream", also where the session was not open yet; in
/// manual mode it is committed, and nobody waits for an answer.
#[test]
fn r16_what_the_client_said_before_the_session_opened_goes_up_before_the_end() {
    let settings = r#"{"type":"Settings","agent":{"useOpenAIManualAudioCommit":true,"greeting":"Hello"}}"#;
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, client(settings), ["held R1"]),
            at(2, inject("Bye"), ["held R2"]),
            at(3, microphone(32_000), ["held R2"]),
            at(4, client_closes(1000), ["held R2"]),
            at(50, Input::UpstreamOpened, ["up session.update"]),
            at(
                80,
                session_updated(),
                ["use audio", "up item \"Bye\"", "up append 32000", "up commit", "close upstream 1000"],
            ),
        ],
    );
}

/// R16: an end has one cause; that the dial fails as well is none.
#[test]
fn r16_a_dial_that_fails_after_the_end_is_no_second_end() {
    let run = check(
        fresh().upto(Input::ClientConnected),
        [
            at(0, client_closes(1000), ["close upstream 1000"]),
            at(1, Input::UpstreamRefused(UpstreamError::TimedOut), ["ignored R16", "finished"]),
        ],
    );
    assert!(matches!(run.gate.close_reason(), Some(CloseReason::Client(_))));
}

/// R16: while both sides close, nothing is waited for any more: no item, no answer to a call.
#[test]
fn r16_no_wait_runs_out_while_both_sides_close() {
    check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(
                19_000,
                Input::Shutdown,
                ["client Error(SERVER_GOING_AWAY)", "close client", "close upstream"],
            ),
            at(20_000, Input::Timeout, []),
        ],
    );
    check(
        deepgram(),
        [
            at(0, bare_call("call_1"), ["client FunctionCallRequest"]),
            at(1, answer("call_1", "noon"), ["client AgentThinking", "up output call_1"]),
            at(
                19_000,
                Input::Shutdown,
                ["client Error(SERVER_GOING_AWAY)", "close client", "close upstream"],
            ),
            at(20_001, Input::Timeout, []),
        ],
    );
}

/// R16: an end that time brings is the last thing of its moment.
#[test]
fn r16_what_runs_out_together_with_the_session_is_not_waited_for() {
    check(
        deepgram().limits(|limits| limits.max_session = Some(Duration::from_secs(20))),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            due(20_000, ["client Error(session_max_duration)", "close client", "close upstream"]),
        ],
    );
}

/// R16: a client that has gone is sent nothing, though what it said still waits to go up.
#[test]
fn r16_a_client_that_has_gone_is_sent_no_audio() {
    check(
        fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened),
        [
            at(0, settings("{}"), ["up session.update"]),
            at(1, inject("Hi"), ["held R2"]),
            at(2, client_closes(1000), ["held R2"]),
            at(3, audio_delta(2_000), []),
        ],
    );
}

/// R16: once the end is decided nothing but the closing runs, though a wait of R8 would be over meanwhile.
#[test]
fn r16_no_wait_of_the_conversation_runs_out_in_the_closing() {
    check(
        deepgram(),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, answer("call_a", "1"), ["client AgentThinking", "up output call_a"]),
            at(19_900, client_closes(1000), ["close upstream 1000"]),
            due(21_900, ["hang up upstream", "finished"]),
        ],
    );
}
