//! R5 to R7: typed turns, one response at a time, and the race with upstream's own responses.

use super::{
    scenario::{at, check, component, deepgram, due, fresh},
    words::{
        agent_item, answer, audio_delta, audio_done, bare_audio_done, bare_call, bare_response_done,
        confirmed, created, done, error, error_for, inject, message_added, microphone, output_item,
        session_updated, settings, speech_started, speech_stopped, text_done, transcript_delta,
        update_prompt, upstream, user_item,
    },
};
use crate::{
    gate::{CLIENT_MESSAGE_LIMIT, Input, Phase},
    protocol::realtime::ClientEvent,
};

/// R5: "An inject is `conversation.item.create` with an id of ours (at most 32 characters) and an echo
/// `ConversationText` (user) … A confirmed item is a wish."
#[test]
fn r05_an_inject_is_an_item_an_echo_and_one_wish() {
    let run = check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user) \"Hi\"", "up item \"Hi\""]),
            at(1, confirmed(), ["up response.create"]),
        ],
    );
    let Some(ClientEvent::CreateItem(create)) = run.upstream_events().next() else { panic!("an item") };
    let id = create.item.as_ref().and_then(|item| item.id.as_ref()).expect("an id of ours");
    assert!((1..=32).contains(&id.as_str().len()), "{id}");
}

/// R5: "in the component dialect followed by `AgentThinking`".
#[test]
fn r05_the_component_is_told_that_the_agent_thinks() {
    check(
        component(),
        [at(0, inject("Hi"), ["client ConversationText(user)", "client AgentThinking \"\"", "up item"])],
    );
}

/// R5: "confirmed by `added`, `created` or `done` of a *user message* that has our id … once".
#[test]
fn r05_any_of_three_events_confirms_an_item_and_only_once() {
    for first in ["added", "created", "done"] {
        let mut steps = vec![
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, user_item(first, "$item_id", "other text"), ["up response.create"]),
        ];
        for again in ["added", "created", "done"] {
            steps.push(at(2, user_item(again, "$item_id", "Hi"), []));
        }
        steps.push(at(
            3,
            text_done("Answer"),
            ["client AgentStartedSpeaking", "client ConversationText(assistant)", "client AgentAudioDone"],
        ));
        super::scenario::check_all(deepgram(), steps);
    }
}

/// R5: "or, from a server that picks ids itself, an id not seen before and our very text".
#[test]
fn r05_a_server_that_picks_ids_confirms_by_a_new_id_and_the_same_text() {
    check(
        deepgram(),
        [
            at(0, user_item("added", "item_old", "Hi"), []),
            at(1, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(2, user_item("done", "item_old", "Hi"), []),
            at(3, user_item("added", "item_new", "Hi there"), []),
            at(4, agent_item("added", "item_agent", "Hi"), ["client ConversationText(assistant)"]),
            at(5, user_item("added", "item_mock_1", "Hi"), ["up response.create"]),
            at(6, user_item("done", "item_mock_1", "Hi"), []),
        ],
    );
}

/// R5: "`response.create` waits until **every** user item sent so far is confirmed".
#[test]
fn r05_the_response_waits_until_every_item_is_confirmed() {
    check(
        deepgram(),
        [
            at(0, inject("one"), ["client ConversationText(user)", "up item \"one\""]),
            at(1, inject("two"), ["client ConversationText(user)", "up item \"two\""]),
            at(2, user_item("added", "item_a", "one"), ["held R5"]),
            at(3, user_item("added", "item_b", "two"), ["up response.create"]),
        ],
    );
}

/// R5: "at most T". A server that confirms nothing is asked all the same.
#[test]
fn r05_an_item_that_nobody_confirms_is_a_wish_after_t() {
    check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            due(20_000, ["ran out R5", "up response.create"]),
            at(20_001, confirmed(), []),
        ],
    );
}

/// R5: "An `error` for the item's event: `Error`, and no wish."
#[test]
fn r05_a_refused_item_is_told_and_is_no_wish() {
    check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, error_for("$item_event", "invalid_value"), ["client Error(invalid_value)"]),
            at(25_000, inject("Again"), ["client ConversationText(user)", "up item"]),
            at(25_001, confirmed(), ["up response.create"]),
        ],
    );
}

/// Design section 3: "an inject whose echo would [exceed 1 MiB] is refused".
#[test]
fn r05_an_inject_whose_echo_would_be_too_large_is_refused() {
    let fits = "x".repeat(CLIENT_MESSAGE_LIMIT - 200);
    let run = check(
        deepgram(),
        [
            at(0, inject(&"x".repeat(CLIENT_MESSAGE_LIMIT)), ["client Error(MESSAGE_TOO_LARGE)"]),
            at(1, inject(&"\u{1}".repeat(CLIENT_MESSAGE_LIMIT / 4)), ["client Error(MESSAGE_TOO_LARGE)"]),
            at(2, inject(&fits), ["client ConversationText(user) \"xxx", "up item \"xxx"]),
        ],
    );
    assert!(run.client_messages().all(|message| message.encode().len() <= CLIENT_MESSAGE_LIMIT));
    assert_eq!(run.gate.phase(), Phase::Active);
}

/// R6: "At most one response runs: from our `response.create` … until its `response.done` … A wish made
/// meanwhile is kept, merged with others, and fulfilled at the end".
#[test]
fn r06_wishes_made_during_a_response_are_merged_and_fulfilled_at_its_end() {
    check(
        deepgram(),
        [
            at(0, inject("one"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, inject("two"), ["client ConversationText(user)", "up item"]),
            at(3, confirmed(), ["held R6"]),
            at(4, created("resp_1"), []),
            at(5, inject("three"), ["client ConversationText(user)", "up item"]),
            at(6, confirmed(), ["held R6"]),
            at(7, done("resp_1", "completed"), ["up response.create"]),
            at(8, created("resp_2"), []),
            at(9, done("resp_2", "completed"), []),
        ],
    );
}

/// R6: "or the server's `response.created`".
#[test]
fn r06_a_response_of_upstreams_own_holds_wishes_back_as_well() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(2, confirmed(), ["held R6"]),
            at(3, done("resp_1", "cancelled"), ["up response.create"]),
        ],
    );
}

/// R6: "or an `error` for our `response.create`".
#[test]
fn r06_an_error_for_our_request_ends_it() {
    check(
        deepgram(),
        [
            at(0, inject("one"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, inject("two"), ["client ConversationText(user)", "up item"]),
            at(3, confirmed(), ["held R6"]),
            at(4, error_for("$create", "server_error"), ["client Error(server_error)", "up response.create"]),
            // Without an id it is ours too, since nothing else is unanswered.
            at(5, error("server_error"), ["client Error(server_error)"]),
            at(6, inject("three"), ["client ConversationText(user)", "up item"]),
            at(7, confirmed(), ["up response.create"]),
        ],
    );
}

/// R6: an error for something else ends no response.
#[test]
fn r06_an_error_for_something_else_ends_nothing() {
    check(
        deepgram(),
        [
            at(0, inject("one"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, inject("two"), ["client ConversationText(user)", "up item"]),
            at(3, error("server_error"), ["client Error(server_error)"]),
            at(4, error_for("vb_unknown", "server_error"), ["client Error(server_error)"]),
            at(5, confirmed(), ["held R6"]),
            at(6, created("resp_1"), []),
            at(7, error("server_error"), ["client Error(server_error)"]),
            at(8, inject("three"), ["client ConversationText(user)", "up item"]),
            at(9, confirmed(), ["held R6"]),
        ],
    );
}

/// R6: "or T without any event of it (Warning `response_timeout`)".
#[test]
fn r06_a_response_that_is_silent_for_t_is_given_up_with_a_warning() {
    check(
        deepgram(),
        [
            at(0, inject("one"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, inject("two"), ["client ConversationText(user)", "up item"]),
            at(3, confirmed(), ["held R6"]),
            due(20_001, ["ran out R6", "client Warning(response_timeout)", "up response.create"]),
            // Any event of it is a sign of life, whatever it is about.
            at(30_000, created("resp_2"), []),
            at(40_000, message_added("resp_2", "item_2"), []),
            at(50_000, transcript_delta("resp_2", "item_2", "Well"), []),
            at(60_000, audio_done("resp_2", "item_2"), []),
            at(
                70_000,
                upstream(
                    r#"{"type":"response.content_part.added","response_id":"resp_2","item_id":"item_2"}"#,
                ),
                [],
            ),
            due(
                90_000,
                [
                    "ran out R6",
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"Well\"",
                    "client AgentAudioDone",
                    "client Warning(response_timeout)",
                ],
            ),
        ],
    );
}

/// R6: "T without any event of it": an item of the agent's is one, the output of a call, which is ours, is none.
#[test]
fn r06_an_item_of_the_agents_is_a_sign_of_life_and_one_of_ours_is_not() {
    let asked = || deepgram().upto(inject("Hi")).upto(confirmed());
    check(
        asked(),
        [
            at(10_000, output_item("done", "call_of_before"), []),
            due(20_000, ["ran out R6", "client Warning(response_timeout)"]),
        ],
    );
    check(
        asked(),
        [
            at(
                10_000,
                agent_item("added", "item_a", "So"),
                ["client AgentStartedSpeaking", "client ConversationText(assistant)"],
            ),
            due(30_000, ["ran out R6", "client AgentAudioDone", "client Warning(response_timeout)"]),
        ],
    );
}

/// R6: T is the backend's `deferred_response_timeout_ms`.
#[test]
fn r06_t_is_the_backends() {
    check(
        deepgram()
            .backend(|backend| backend.deferred_response_timeout = std::time::Duration::from_millis(500)),
        [
            at(0, inject("one"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            due(501, ["ran out R6", "client Warning(response_timeout)"]),
        ],
    );
}

/// R6: "An unannounced one also ends at its `response.output_text.done`, and its `response.done` may lack
/// the `response` object; `response.output_audio.done` ends nothing."
#[test]
fn r06_an_unannounced_response_ends_at_its_text_or_its_bare_done_but_not_with_its_audio() {
    check(
        deepgram(),
        [
            at(0, inject("one"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, inject("two"), ["client ConversationText(user)", "up item"]),
            at(3, confirmed(), ["held R6"]),
            at(4, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(5, bare_audio_done(), ["client AgentAudioDone"]),
            at(6, text_done("Answer"), ["client ConversationText(assistant)", "up response.create"]),
            at(7, inject("three"), ["client ConversationText(user)", "up item"]),
            at(8, confirmed(), ["held R6"]),
            at(9, bare_response_done(), ["up response.create"]),
        ],
    );
}

/// R6: an announced response is not ended by its text.
#[test]
fn r06_the_end_of_a_text_does_not_end_an_announced_response() {
    let text = r#"{"type":"response.output_text.done","response_id":"resp_1","item_id":"item_1","text":"A"}"#;
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, upstream(text), []),
            at(2, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(3, confirmed(), ["held R6"]),
        ],
    );
}

/// R6: "Between `speech_started` and `speech_stopped` wishes wait as well", and "where the server answers
/// speech by itself, a wish waits 1 s after `speech_stopped` for that".
#[test]
fn r06_wishes_wait_for_speech_and_for_upstreams_own_answer_to_it() {
    check(
        deepgram(),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(2, confirmed(), ["held R6"]),
            at(100, speech_stopped(), []),
            due(1_100, ["up response.create"]),
        ],
    );
}

/// R6: where the server does not answer by itself, nothing is waited for after the speech.
#[test]
fn r06_without_an_answer_of_upstreams_own_the_wish_goes_when_the_speech_ends() {
    let updated = r#"{"type":"session.updated","session":{"audio":{"input":{"turn_detection":
        {"type":"server_vad","create_response":false,"interrupt_response":false}}}}}"#;
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings("{}"), ["up session.update"]),
            at(3, upstream(updated), ["use audio", "client SettingsApplied"]),
            at(4, speech_started(), ["client UserStartedSpeaking"]),
            at(5, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(6, confirmed(), ["held R6"]),
            at(100, speech_stopped(), ["up response.create"]),
        ],
    );
}

/// R6: "A `response.created` that we did not ask for fulfils every wish whose items were confirmed before
/// it".
#[test]
fn r06_upstreams_own_response_fulfils_the_wishes_it_can_know_of() {
    check(
        deepgram(),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(1, inject("one"), ["client ConversationText(user)", "up item"]),
            at(2, confirmed(), ["held R6"]),
            at(3, inject("two"), ["client ConversationText(user)", "up item"]),
            at(100, speech_stopped(), []),
            at(200, created("resp_1"), []),
            // The second was not confirmed before.
            at(201, confirmed(), ["held R6"]),
            at(300, done("resp_1", "completed"), ["up response.create"]),
            at(301, created("resp_2"), []),
            at(302, done("resp_2", "completed"), []),
        ],
    );
}

/// R6: speech without an end is waited for with an end.
#[test]
fn r06_speech_that_never_stops_holds_wishes_for_a_minute() {
    check(
        deepgram(),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(59_000, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(59_001, confirmed(), ["held R6"]),
            due(60_000, ["ran out R6", "up response.create"]),
        ],
    );
}

/// R7: "`conversation_already_has_active_response` is never shown: the response that runs is the announced
/// one, and the wish is kept and sent after it, unless R6 finds it fulfilled." Here it is: the item was
/// confirmed before the response began.
#[test]
fn r07_a_lost_race_is_not_shown_and_a_fulfilled_wish_is_not_sent_again() {
    check(
        deepgram().losing_races(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, created("resp_own"), []),
            at(3, error_for("$create", "conversation_already_has_active_response"), ["held R7"]),
            at(4, inject("More"), ["client ConversationText(user)", "up item"]),
            at(5, confirmed(), ["held R6"]),
            at(6, done("resp_own", "completed"), ["up response.create"]),
        ],
    );
}

/// R7: the same when the error comes first, and without an id.
#[test]
fn r07_the_error_may_come_before_the_response_that_runs_is_announced() {
    check(
        deepgram().losing_races(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, error("conversation_already_has_active_response"), ["held R7", "held R6"]),
            at(3, created("resp_own"), []),
            at(4, done("resp_own", "completed"), []),
        ],
    );
}

/// R7: a server that announces nothing is asked again when what it runs has ended.
#[test]
fn r07_the_wish_is_sent_again_after_an_unannounced_response() {
    check(
        deepgram().losing_races(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, error_for("$create", "conversation_already_has_active_response"), ["held R7", "held R6"]),
            at(
                3,
                text_done("Of before"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentAudioDone",
                    "up response.create",
                ],
            ),
        ],
    );
}

/// R7: a wish for the output of a call that upstream had not shown when its own response began is due.
#[test]
fn r07_a_wish_that_the_running_response_cannot_know_of_is_sent_after_it() {
    check(
        deepgram().losing_races(),
        [
            at(0, bare_call("call_1"), ["client FunctionCallRequest call_1=get_current_time({})"]),
            at(1, bare_response_done(), []),
            at(
                2,
                answer("call_1", "noon"),
                ["client AgentThinking", "up output call_1 \"noon\"", "up response.create"],
            ),
            at(3, created("resp_own"), []),
            at(4, error_for("$create", "conversation_already_has_active_response"), ["held R7", "held R6"]),
            at(5, output_item("added", "call_1"), []),
            at(6, done("resp_own", "completed"), ["client AgentAudioDone", "up response.create"]),
        ],
    );
}

/// R7: an error for a request of long ago changes nothing.
#[test]
fn r07_a_late_race_error_of_another_request_changes_nothing() {
    check(
        deepgram().losing_races(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, error_for("vb_0", "conversation_already_has_active_response"), ["held R7"]),
            at(3, inject("More"), ["client ConversationText(user)", "up item"]),
            at(4, confirmed(), ["held R6"]),
            at(5, created("resp_1"), []),
            at(6, done("resp_1", "completed"), ["up response.create"]),
        ],
    );
}

/// R5 in a self-configured session: typed turns need no Settings.
#[test]
fn r05_a_self_configured_session_answers_before_any_settings() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, session_updated(), []),
            at(3, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(4, confirmed(), ["up response.create"]),
        ],
    );
}

/// R7: a response that R6 gave up is the one that runs, if upstream says that one does.
#[test]
fn r07_a_response_that_was_given_up_too_early_is_waited_for_again() {
    check(
        deepgram().losing_races(),
        [
            at(0, created("resp_slow"), []),
            at(1, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(2, confirmed(), ["held R6"]),
            due(20_000, ["ran out R6", "client Warning(response_timeout)", "up response.create"]),
            at(
                20_001,
                error_for("$create", "conversation_already_has_active_response"),
                ["held R7", "held R6"],
            ),
            at(30_000, done("resp_slow", "completed"), ["up response.create"]),
        ],
    );
}

/// R5: an error without an id may have meant the one item that waits: nobody waits for it any more, and it is
/// no wish when its time is over.
#[test]
fn r05_an_item_that_an_error_may_have_meant_is_no_wish_after_t() {
    check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, error("invalid_value"), ["client Error(invalid_value)"]),
            at(30_000, Input::Timeout, []),
        ],
    );
}

/// R5: an error that names another event of ours has not meant the item: it is a wish after T as ever.
#[test]
fn r05_an_error_for_something_else_leaves_the_item_a_wish_after_t() {
    check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, microphone(320), ["up append"]),
            at(2, error_for("$append", "invalid_value"), ["client Error(invalid_value)"]),
            due(20_000, ["ran out R5", "up response.create"]),
        ],
    );
}

/// R5: the same of an error without an id that may have meant the response which runs, or an update.
#[test]
fn r05_an_error_that_may_have_meant_something_else_leaves_the_item_a_wish_after_t() {
    check(
        deepgram(),
        [
            at(0, inject("one"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, inject("two"), ["client ConversationText(user)", "up item"]),
            at(3, error("server_error"), ["client Error(server_error)"]),
            due(20_001, ["ran out R6", "client Warning(response_timeout)"]),
            due(20_002, ["ran out R5", "up response.create"]),
        ],
    );
    check(
        deepgram(),
        [
            at(0, update_prompt("Be brief."), ["up session.update"]),
            at(1, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(2, error("server_error"), ["client Error(server_error)"]),
            due(20_000, ["ran out R3", "client Warning(update_timeout)"]),
            due(20_001, ["ran out R5", "up response.create"]),
        ],
    );
}

/// R6: "merged with others": a typed turn and the answers of a response are one wish too.
#[test]
fn r06_a_typed_turn_and_answered_calls_are_fulfilled_together() {
    check(
        deepgram(),
        [
            at(0, bare_call("call_1"), ["client FunctionCallRequest"]),
            at(1, bare_response_done(), []),
            at(2, created("resp_1"), []),
            at(3, answer("call_1", "noon"), ["held R6", "client AgentThinking", "up output call_1"]),
            at(4, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(5, confirmed(), ["held R6"]),
            at(6, done("resp_1", "completed"), ["client AgentAudioDone", "up response.create"]),
            at(7, created("resp_2"), []),
            at(8, done("resp_2", "completed"), []),
        ],
    );
}
