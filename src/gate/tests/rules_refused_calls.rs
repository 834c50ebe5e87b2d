//! R8: calls that the client cannot be handed, because they are too large or too many. The model is told at once.

use serde_json::json;

use super::{
    render,
    scenario::{Action, at, check, component, deepgram, endpoints_at, fresh, function_at, here},
    words::{
        answer, bare_call, bare_response_done, client, created, done, done_with, finished, session_updated,
        settings,
    },
};
use crate::gate::{CLIENT_MESSAGE_LIMIT, Input};

/// `response.function_call_arguments.done` without a response, with so many bytes of arguments.
fn large_call(call: &str, bytes: usize) -> Action {
    let event = json!({"type": "response.function_call_arguments.done", "call_id": call, "name": "f",
        "arguments": "x".repeat(bytes)});
    Action::Upstream(event.to_string())
}

/// Design sections 3 and 5: no message to the client exceeds 1 MiB, and the model still gets a well-formed
/// `{"error": …}` output for every call, so that no conversation is ever stuck: one wish follows.
#[test]
fn r08_calls_that_are_too_long_for_the_client_are_answered_for_it_at_once() {
    let item = |call: &str, bytes| {
        json!({"type": "function_call", "status": "completed", "call_id": call,
        "name": "f", "arguments": "x".repeat(bytes)})
    };
    let output = [item("call_a", CLIENT_MESSAGE_LIMIT), item("call_b", 10), item("call_c", 10)];
    for scenario in [deepgram(), component()] {
        let run = check(
            scenario,
            [
                at(0, created("resp_1"), []),
                at(
                    1,
                    done_with("resp_1", json!({"status": "completed", "output": output})),
                    [
                        "client Warning(MESSAGE_TOO_LARGE)",
                        r#"up output call_a "{\"error\":\"the function call is too large to be handed out\"}""#,
                        r#"up output call_b "{\"error\":\"the function call is too large to be handed out\"}""#,
                        r#"up output call_c "{\"error\":\"the function call is too large to be handed out\"}""#,
                        "up response.create",
                    ],
                ),
                at(2, answer("call_a", "1"), ["ignored R9", "client Warning(UNKNOWN_FUNCTION_CALL)"]),
                at(3, created("resp_2"), []),
                at(4, done("resp_2", "completed"), []),
            ],
        );
        assert!(run.client_messages().all(|message| message.encode().len() <= CLIENT_MESSAGE_LIMIT));
    }
}

/// The same for a call of a response that was never announced, and for history, which it does not enter.
#[test]
fn r08_a_call_that_is_too_long_is_over_at_once_without_an_announcement_too() {
    check(
        fresh()
            .upto(Input::ClientConnected)
            .upto(Input::UpstreamOpened)
            .upto(client(r#"{"type":"Settings"}"#))
            .upto(session_updated()),
        [
            at(
                0,
                large_call("call_a", CLIENT_MESSAGE_LIMIT),
                ["client Warning(MESSAGE_TOO_LARGE)", "up output call_a"],
            ),
            at(1, bare_call("call_b"), ["client FunctionCallRequest"]),
            at(2, answer("call_b", "2"), ["client AgentThinking", "client History", "up output call_b"]),
            at(3, bare_response_done(), ["up response.create"]),
        ],
    );
}

/// Design section 5: "over it the model gets an error output at once". What calls take until they are answered
/// has the leg's budget.
#[test]
fn r08_calls_for_which_there_is_no_memory_are_answered_for_the_client() {
    let settings = client(r#"{"type":"Settings"}"#);
    let open = fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened).upto(settings);
    check(
        open.upto(session_updated()).limits(|limits| limits.leg = 10_000),
        [
            at(0, large_call("call_a", 6_000), ["client FunctionCallRequest"]),
            at(
                1,
                large_call("call_b", 6_000),
                [
                    "client Warning(TOO_MANY_FUNCTION_CALLS)",
                    r#"up output call_b "{\"error\":\"too many function calls wait for their answers\"}""#,
                ],
            ),
            at(2, answer("call_a", "1"), ["client AgentThinking", "client History", "up output call_a"]),
            at(3, large_call("call_c", 6_000), ["client FunctionCallRequest"]),
        ],
    );
}

/// Of a function that runs here, the pool holds the arguments and the endpoint until it is over, also where the gate
/// needs them no more.
#[test]
fn r08_functions_that_run_here_count_until_they_are_over() {
    let endpoint = settings(
        &json!({"think": {"functions": [function_at("f", "functions.example", 3_000)]}}).to_string(),
    );
    let clients = fresh()
        .backend(|backend| backend.function_calls = endpoints_at("functions.example"))
        .upto(Input::ClientConnected)
        .upto(Input::UpstreamOpened)
        .upto(endpoint)
        .upto(session_updated());
    let routes = deepgram().backend(|backend| backend.function_calls = here(&["f"]));
    for (scenario, bytes) in [(routes, 6_000), (clients, 3_000)] {
        check(
            scenario.limits(|limits| limits.leg = 10_000),
            [
                at(0, large_call("call_a", bytes), ["client FunctionCallRequest", "run"]),
                at(
                    1,
                    large_call("call_b", bytes),
                    [
                        "client Warning(TOO_MANY_FUNCTION_CALLS)",
                        r#"up output call_b "{\"error\":\"too many function calls wait for their answers\"}""#,
                    ],
                ),
                at(
                    2,
                    finished("call_a", Ok("1")),
                    ["client FunctionCallResponse", "client AgentThinking", "up output call_a"],
                ),
                at(3, large_call("call_c", bytes), ["client FunctionCallRequest", "run"]),
            ],
        );
    }
}

/// The same of many small ones: each counts with its id, its name and its arguments.
#[test]
fn r08_every_call_that_waits_counts_for_what_it_takes() {
    let settings = client(r#"{"type":"Settings"}"#);
    let open = fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened).upto(settings);
    let mut run = check(open.upto(session_updated()).limits(|limits| limits.leg = 100_000), []);
    let handed = (0..1_000).take_while(|n| {
        let call = json!({"type": "response.function_call_arguments.done", "call_id": format!("{n:0>250}"),
            "name": "f".repeat(500), "arguments": "x".repeat(500)});
        let effects = run.happen(1, Action::Upstream(call.to_string()));
        effects.iter().any(|effect| render::line(effect).starts_with("client FunctionCallRequest"))
    });
    let handed = handed.count();
    assert!((100_000 / 1_750..100_000 / 1_300).contains(&handed), "{handed} calls wait");
}

/// What was handed out is the client's: it takes no room from later calls of the same response.
#[test]
fn r08_calls_that_were_handed_out_take_no_room_from_later_ones() {
    let half = CLIENT_MESSAGE_LIMIT / 2;
    check(
        deepgram(),
        [
            at(0, large_call("call_a", half), ["client FunctionCallRequest"]),
            at(1, large_call("call_b", half), ["client FunctionCallRequest"]),
            at(2, large_call("call_c", half), ["client FunctionCallRequest"]),
            at(3, large_call("call_d", half), ["client FunctionCallRequest"]),
        ],
    );
}

/// A call that was refused before the session is open waits for it, without its arguments.
#[test]
fn r08_a_refused_call_takes_no_room_while_it_waits_for_the_session() {
    let settings = client(r#"{"type":"Settings"}"#);
    check(
        fresh()
            .upto(Input::ClientConnected)
            .upto(Input::UpstreamOpened)
            .upto(settings)
            .limits(|limits| limits.leg = 10_000),
        [
            at(0, large_call("call_a", 6_000), ["client FunctionCallRequest"]),
            at(1, large_call("call_b", 6_000), ["client Warning(TOO_MANY_FUNCTION_CALLS)"]),
            at(2, large_call("call_c", 2_000), ["client FunctionCallRequest"]),
        ],
    );
}

/// No response makes so many calls, or such calls, that keeping them until its end takes memory without a
/// bound: beyond what a client takes no arguments are kept, and no call beyond a thousand.
#[test]
fn r08_the_calls_of_a_response_are_kept_within_bounds() {
    let mut run = check(deepgram(), [at(0, created("resp_1"), [])]);
    for n in 0..1_100 {
        let call = json!({"type": "response.function_call_arguments.done", "response_id": "resp_1",
            "call_id": format!("call_{n}"), "name": "f", "arguments": "x".repeat(4_000)});
        let effects = run.happen(1, Action::Upstream(call.to_string()));
        assert_eq!(effects.len(), usize::from(n >= 1_024), "ignored from there on");
    }
    let owner = run.gate.turn.owner(Some(&"resp_1".into()), None).expect("it runs");
    let calls = &run.gate.turn.get_mut(owner).expect("it is known").calls;
    let kept: usize = calls.iter().filter_map(|call| call.arguments.as_ref()).map(String::len).sum();
    assert!(kept <= CLIENT_MESSAGE_LIMIT + 4_000, "{kept} bytes");
    let effects = run.happen(2, done("resp_1", "completed"));
    let outputs = effects.iter().filter(|effect| render::line(effect).starts_with("up output"));
    assert_eq!(outputs.count(), 1_024);
}
