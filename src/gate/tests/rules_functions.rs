//! R8 and R9 for functions that run here: handed to the pool, told to the client, answered upstream once.

use super::{
    scenario::{
        Action, Scenario, at, check, component, deepgram, due, endpoints_at, fresh, function_at, here,
    },
    words::{
        agent_item, answer, audio, bare_audio_done, bare_call, call_done, client, client_closes, closed,
        confirmed, created, done, finished, inject, message_added, session_updated, settings, speech_started,
        speech_stopped, text_done, upstream,
    },
};
use crate::gate::{BASE_WEIGHT, Effect, Input, Leg};

fn serving(scenario: Scenario, names: &[&str]) -> Scenario {
    scenario.backend(|backend| backend.function_calls = here(names))
}

/// The same once the model has called `f`, which runs here and has begun.
fn called(scenario: Scenario) -> Scenario {
    let call = call_done("resp_1", 0, "call_a", "f", "completed");
    scenario.upto(created("resp_1")).upto(call).upto(done("resp_1", "completed"))
}

/// "The client is told as Deepgram does: `FunctionCallRequest` with `client_side: false`, afterwards
/// `FunctionCallResponse` `{id, name, content}`"; R9: "After each accepted answer the client gets
/// `AgentThinking`".
#[test]
fn a_function_with_a_route_runs_here_and_the_client_is_told() {
    check(
        serving(deepgram(), &["f"]),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(
                2,
                done("resp_1", "completed"),
                ["client FunctionCallRequest call_a=f({}) runs here", "run call_a=f({})"],
            ),
            at(
                9,
                finished("call_a", Ok("sunny")),
                [
                    "client FunctionCallResponse call_a=f \"sunny\"",
                    "client AgentThinking",
                    "up output call_a \"sunny\"",
                    "up response.create",
                ],
            ),
        ],
    );
}

/// "the model still gets a well-formed `{"error": …}` output", and the client the same.
#[test]
fn a_function_that_fails_is_an_error_for_the_model() {
    check(
        called(serving(deepgram(), &["f"])),
        [at(
            9,
            finished("call_a", Err("no \"such\" city")),
            [
                r#"client FunctionCallResponse call_a=f "{\"error\":\"no \\\"such\\\" city\"}""#,
                "client AgentThinking",
                r#"up output call_a "{\"error\":\"no \\\"such\\\" city\"}""#,
                "up response.create",
            ],
        )],
    );
}

/// R8: "in **one** `FunctionCallRequest` in output order"; "functions without a route still go to the client".
#[test]
fn both_kinds_stand_in_one_request_and_make_one_follow_up() {
    check(
        serving(deepgram(), &["here"]),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "here", "completed"), []),
            at(1, call_done("resp_1", 1, "call_b", "there", "completed"), []),
            at(1, call_done("resp_1", 2, "call_c", "here", "completed"), []),
            at(
                2,
                done("resp_1", "completed"),
                [
                    "client FunctionCallRequest call_a=here({}) runs here call_b=there({}) call_c=here({}) runs here",
                    "run call_a=here({})",
                    "run call_c=here({})",
                ],
            ),
            at(
                3,
                finished("call_c", Ok("3")),
                ["client FunctionCallResponse call_c=here \"3\"", "client AgentThinking", "up output call_c"],
            ),
            at(4, answer("call_b", "2"), ["client AgentThinking", "up output call_b \"2\""]),
            at(
                5,
                finished("call_a", Ok("1")),
                [
                    "client FunctionCallResponse call_a=here \"1\"",
                    "client AgentThinking",
                    "up output call_a \"1\"",
                    "up response.create",
                ],
            ),
        ],
    );
}

/// The page cannot forge results: R9, "unknown answer … Warning `UNKNOWN_FUNCTION_CALL`; nothing goes
/// upstream".
#[test]
fn the_client_cannot_answer_for_a_function_that_runs_here() {
    check(
        called(serving(deepgram(), &["f"])),
        [
            at(3, answer("call_a", "forged"), ["ignored R9", "client Warning(UNKNOWN_FUNCTION_CALL)"]),
            at(
                4,
                finished("call_a", Ok("true")),
                [
                    "client FunctionCallResponse",
                    "client AgentThinking",
                    "up output call_a \"true\"",
                    "up response.create",
                ],
            ),
            at(5, answer("call_a", "late"), ["ignored R9", "client Warning(UNKNOWN_FUNCTION_CALL)"]),
            at(6, finished("call_a", Ok("twice")), ["ignored R9"]),
        ],
    );
}

/// Nor does the pool answer for the client.
#[test]
fn a_report_for_a_call_that_the_client_runs_goes_nowhere() {
    check(
        serving(deepgram(), &["here"]),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "there", "completed"), []),
            at(2, done("resp_1", "completed"), ["client FunctionCallRequest call_a=there({})"]),
            at(3, finished("call_a", Ok("x")), ["ignored R9"]),
            at(
                4,
                answer("call_a", "y"),
                ["client AgentThinking", "up output call_a \"y\"", "up response.create"],
            ),
        ],
    );
}

/// An unannounced response hands out each call at once, and so it starts.
#[test]
fn a_call_of_an_unannounced_response_starts_at_once() {
    check(
        serving(deepgram(), &["*"]),
        [
            at(
                0,
                bare_call("call_a"),
                [
                    "client FunctionCallRequest call_a=get_current_time({}) runs here",
                    "run call_a=get_current_time({})",
                ],
            ),
            at(
                1,
                finished("call_a", Ok("1")),
                ["client FunctionCallResponse", "client AgentThinking", "up output call_a"],
            ),
            at(
                2,
                text_done("So."),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"So.\"",
                    "client AgentAudioDone",
                    "up response.create",
                ],
            ),
        ],
    );
}

/// "A function never blocks audio or barge-in": nor a typed turn.
#[test]
fn a_function_that_runs_holds_back_nothing() {
    check(
        called(serving(deepgram(), &["f"])),
        [
            at(3, super::words::microphone(640), ["up append 640"]),
            at(4, inject("Hi"), ["client ConversationText(user) \"Hi\"", "up item"]),
            at(5, confirmed(), ["up response.create"]),
            at(6, created("resp_2"), []),
            at(6, message_added("resp_2", "item_2"), []),
            at(7, audio("resp_2", "item_2", 4_800), ["client AgentStartedSpeaking", "client audio 4800"]),
            at(
                8,
                speech_started(),
                ["client AgentAudioDone", "client UserStartedSpeaking", "up truncate item_2 at 1 ms"],
            ),
            at(
                9,
                finished("call_a", Ok("late")),
                ["held R6", "client FunctionCallResponse", "client AgentThinking", "up output call_a"],
            ),
        ],
    );
}

/// "The client's disconnect cancels its running calls."
#[test]
fn a_client_that_leaves_stops_its_functions() {
    for end in [closed(1000, ""), crate::gate::LegEnd::Vanished, crate::gate::LegEnd::TooLarge { limit: 7 }] {
        let run = check(
            serving(deepgram(), &["f"]),
            [
                at(0, created("resp_1"), []),
                at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
                at(1, call_done("resp_1", 1, "call_b", "f", "completed"), []),
                at(
                    2,
                    done("resp_1", "completed"),
                    ["client FunctionCallRequest", "run call_a=f({})", "run call_b=f({})"],
                ),
                at(
                    3,
                    finished("call_b", Ok("1")),
                    ["client FunctionCallResponse", "client AgentThinking", "up output call_b"],
                ),
            ],
        );
        let mut run = run;
        let effects = run.happen(4, Input::ClientClosed(end).into());
        let cancelled = |effect: &&Effect| matches!(effect, Effect::CancelFunction(_));
        let stopped: Vec<_> = effects.iter().filter(cancelled).collect();
        assert_eq!(stopped, [&Effect::CancelFunction("call_a".into())]);
    }
}

/// So does every other end.
#[test]
fn the_end_of_a_session_stops_its_functions() {
    check(
        called(serving(deepgram(), &["f"])),
        [
            at(
                3,
                Input::UpstreamClosed { end: closed(1000, ""), unix_s: 0 },
                ["cancel call_a", "close client 1000"],
            ),
            at(4, finished("call_a", Ok("late")), ["ignored R16"]),
        ],
    );
}

/// A pool that says nothing is no reason to wait: "no conversation is ever stuck".
#[test]
fn a_function_that_never_reports_is_given_up_after_its_own_time() {
    check(
        called(serving(deepgram(), &["f"])),
        [
            due(
                15_000,
                [
                    "ran out R8",
                    "cancel call_a",
                    r#"client FunctionCallResponse call_a=f "{\"error\":\"no answer in time\"}""#,
                    "client AgentThinking",
                    r#"up output call_a "{\"error\":\"no answer in time\"}""#,
                    "up response.create",
                ],
            ),
            at(15_003, finished("call_a", Ok("late")), ["ignored R9"]),
        ],
    );
}

/// R2: nothing goes up before the session is open, so nothing that would is begun.
#[test]
fn a_function_starts_when_its_output_may_go_up() {
    check(
        serving(fresh(), &["*"])
            .upto(Input::ClientConnected)
            .upto(Input::UpstreamOpened)
            .upto(settings("{}")),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest call_a=get_current_time({}) runs here"]),
            at(
                30_000 - 20_000,
                session_updated(),
                ["use audio", "client SettingsApplied", "run call_a=get_current_time({})"],
            ),
            at(
                10_001,
                finished("call_a", Ok("1")),
                ["client FunctionCallResponse", "client AgentThinking", "up output call_a"],
            ),
        ],
    );
}

/// A client that leaves before the session is open has no functions run.
#[test]
fn a_function_that_never_started_is_not_begun_for_a_client_that_has_gone() {
    check(
        serving(fresh(), &["*"])
            .upto(Input::ClientConnected)
            .upto(Input::UpstreamOpened)
            .upto(settings("{}")),
        [
            at(0, bare_call("call_a"), ["client FunctionCallRequest"]),
            at(1, inject("Hi"), ["held R2"]),
            at(2, client_closes(1000), ["held R2"]),
            at(3, session_updated(), ["use audio", "up item", "close upstream 1000"]),
        ],
    );
}

/// "It counts while the component is idle … and no call is open": of a call that runs here it does not know.
#[test]
fn the_component_is_told_that_the_agent_works() {
    check(
        serving(component(), &["f"]),
        [
            at(0, created("resp_1"), []),
            at(0, message_added("resp_1", "item_1"), []),
            at(
                1,
                agent_item("done", "item_1", "Wait."),
                ["client AgentStartedSpeaking", "client ConversationText(assistant) \"Wait.\""],
            ),
            at(1, call_done("resp_1", 1, "call_a", "f", "completed"), []),
            at(
                2,
                done("resp_1", "completed"),
                [
                    "client AgentDone",
                    "client AgentAudioDone",
                    "client FunctionCallRequest call_a=f({}) runs here",
                    "client AgentThinking",
                    "run call_a=f({})",
                ],
            ),
        ],
    );
    // A response that was never announced says its end after its call.
    check(
        serving(component(), &["*"]),
        [
            at(0, super::words::audio_delta(640), ["client AgentStartedSpeaking", "client audio 640"]),
            at(
                1,
                bare_call("call_a"),
                ["client FunctionCallRequest", "client AgentThinking", "run call_a=get_current_time({})"],
            ),
            at(2, bare_audio_done(), ["client AgentDone", "client AgentAudioDone", "client AgentThinking"]),
            at(
                3,
                finished("call_a", Ok("1")),
                ["client FunctionCallResponse", "client AgentThinking", "up output call_a"],
            ),
        ],
    );
}

/// "called only if its host is on `functions.allowed_endpoint_hosts` …: else a Warning, and the call goes to the
/// client"; what a change says of it is in force once upstream has acknowledged the change (R3).
#[test]
fn a_function_with_an_allowed_endpoint_runs_there() {
    let think = |functions: serde_json::Value| serde_json::json!({"functions": functions});
    let allowed = || function_at("f", "functions.example", 0);
    let other = || function_at("g", "other.example", 0);
    let opened = fresh().backend(|backend| backend.function_calls = endpoints_at("functions.example"));
    let update =
        serde_json::json!({"type": "UpdateThink", "think": think(serde_json::json!([{"name": "f"}]))});
    let agent = serde_json::json!({"think": think(serde_json::json!([allowed(), other()]))});
    check(
        opened.upto(Input::ClientConnected).upto(Input::UpstreamOpened),
        [
            at(
                0,
                settings(&agent.to_string()),
                ["client Warning(ENDPOINT_NOT_ALLOWED)", "up session.update"],
            ),
            at(1, session_updated(), ["use audio", "client SettingsApplied"]),
            at(2, created("resp_1"), []),
            at(2, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, call_done("resp_1", 1, "call_b", "g", "completed"), []),
            at(
                3,
                done("resp_1", "completed"),
                [
                    "client FunctionCallRequest call_a=f({}) runs here call_b=g({})",
                    "run call_a=f({}) at http://functions.example/f?",
                ],
            ),
            at(4, client(&update.to_string()), ["up session.update"]),
            at(5, created("resp_2"), []),
            at(5, call_done("resp_2", 0, "call_c", "f", "completed"), []),
            at(
                6,
                done("resp_2", "completed"),
                [
                    "client FunctionCallRequest call_c=f({}) runs here",
                    "run call_c=f({}) at http://functions.example/f?",
                ],
            ),
            at(7, session_updated(), ["client ThinkUpdated"]),
            at(8, created("resp_3"), []),
            at(8, call_done("resp_3", 0, "call_d", "f", "completed"), []),
            at(9, done("resp_3", "completed"), ["client FunctionCallRequest call_d=f({})"]),
        ],
    );
}

/// "`UtteranceEnd` starts the countdown, and only `AgentThinking`, `AgentStartedSpeaking` or audio stops it."
#[test]
fn speech_without_an_answer_of_its_own_does_not_end_the_component_s_wait() {
    let updated = r#"{"type":"session.updated","session":{"audio":{"input":{"turn_detection":
        {"type":"server_vad","create_response":false,"interrupt_response":false}}}}}"#;
    let opened = || {
        serving(fresh(), &["*"])
            .upto(Input::ClientConnected)
            .upto(Input::UpstreamOpened)
            .upto(settings(r#"{"idleTimeoutMs":5000}"#))
            .upto(upstream(updated))
    };
    check(
        opened().upto(bare_call("call_a")),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1, speech_stopped(), ["client UtteranceEnd", "client AgentThinking"]),
        ],
    );
    check(
        opened(),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1, speech_stopped(), ["client UtteranceEnd"]),
        ],
    );
}

/// Section 6, "Every queue has a byte budget": so have the answers that may come, 256 KiB each. What waits for
/// that starts as others end, one at a time in any case.
#[test]
fn as_many_functions_run_at_once_as_there_is_memory_for_their_answers() {
    for (leg, at_once) in [(1_100_000, 4), (600_000, 2), (10_000, 1)] {
        let scenario = serving(deepgram(), &["f"]).limits(|limits| limits.leg = leg);
        let calls: Vec<_> = (0..5).map(|n| format!("call_{n}")).collect();
        let mut run = check(scenario, [at(0, created("resp_1"), [])]);
        for (n, call) in (0..).zip(&calls) {
            run.happen(1, call_done("resp_1", n, call, "f", "completed"));
        }
        let mut waiting = calls.iter();
        let mut begin = |effects: &[Effect], most: usize| {
            let begun: Vec<_> = effects.iter().filter_map(started).collect();
            let expected: Vec<_> = waiting.by_ref().take(most).collect();
            assert_eq!(begun, expected, "{leg}");
        };
        begin(&run.happen(2, done("resp_1", "completed")), at_once);
        for (n, call) in (3..).zip(&calls) {
            begin(&run.happen(n, finished(call, Ok("x"))), 1);
        }
    }
}

/// What waits for upstream without being too much has no deadline of its own, so no call waits for that.
#[test]
fn a_function_starts_while_what_waits_for_upstream_is_within_the_budget() {
    let append = super::words::microphone(160_000);
    let waiting = 2 * 160_000 + BASE_WEIGHT;
    for (leg, starts) in [(waiting, true), (waiting - 1, false)] {
        let scenario = serving(deepgram(), &["*"]).limits(|limits| limits.leg = leg);
        let mut run = check(scenario, []);
        run.act(append.clone());
        let begun = run.act(bare_call("call_a")).iter().any(|effect| started(effect).is_some());
        assert_eq!((run.gate.to_upstream.bytes(), begun), (waiting, starts));
    }
}

/// Nor does any start while upstream takes nothing.
#[test]
fn no_function_starts_while_upstream_is_not_reading() {
    check(
        serving(deepgram(), &["*"]).limits(|limits| limits.leg = 300_000),
        [
            at(0, super::words::microphone(160_000), ["up append 160000", "pause client"]).undelivered(),
            at(1, bare_call("call_a"), ["client FunctionCallRequest call_a=get_current_time({}) runs here"])
                .undelivered(),
            at(2, Action::Delivers(Leg::Upstream), ["run call_a=get_current_time({})", "resume client"]),
        ],
    );
}

fn started(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::Execute(run) => Some(run.id.as_str()),
        _ => None,
    }
}

/// `flags.history`: the call with its answer, and who ran it.
#[test]
fn history_says_who_ran_a_function() {
    let opened = fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened);
    check(
        serving(opened, &["f"]).upto(client(r#"{"type":"Settings"}"#)).upto(session_updated()),
        [
            at(0, created("resp_1"), []),
            at(1, call_done("resp_1", 0, "call_a", "f", "completed"), []),
            at(2, done("resp_1", "completed"), ["client FunctionCallRequest", "run call_a=f({})"]),
            at(
                3,
                finished("call_a", Ok("sunny")),
                [
                    "client FunctionCallResponse",
                    "client AgentThinking",
                    "client History f({}): sunny ran here",
                    "up output call_a \"sunny\"",
                    "up response.create",
                ],
            ),
        ],
    );
}

/// What is larger than a client takes is told to the model alone.
#[test]
fn a_result_larger_than_a_client_takes_still_reaches_the_model() {
    let large = "x".repeat(1024 * 1024);
    check(
        called(serving(deepgram(), &["f"])),
        [at(
            3,
            finished("call_a", Ok(&large)),
            [
                "client Warning(MESSAGE_TOO_LARGE) \"a FunctionCallResponse is larger than 1048576 bytes\"",
                "client AgentThinking",
                "up output call_a \"xxx",
                "up response.create",
            ],
        )],
    );
}
