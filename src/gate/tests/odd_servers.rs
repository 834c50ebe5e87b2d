//! Servers that leave out, repeat or invent ids, and what still must hold with them.

use super::{
    scenario::{at, check, component, fresh},
    words::{
        agent_item, answer, audio_delta, bare_audio_done, bare_call, client, created, done, error, error_for,
        inject, output_item, session_updated, speech_started, text_done, upstream, user_item,
    },
};
use crate::{config::GreetingMode, gate::Input};

const ONE_MORE: &str = r#"{"type":"response.done","response":{"id":"r1","status":"completed","output":[
    {"id":"a1","type":"message","role":"assistant","content":[{"type":"output_text","text":"Late"}]}]}}"#;

/// R8: the output that upstream shows again ends the response that we asked for and that called.
#[test]
fn r08_the_output_shown_again_ends_an_unannounced_response_that_runs() {
    check(
        component(),
        [
            at(0, inject("Time?"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(1, user_item("added", "item_mock_1", "Time?"), ["up response.create"]),
            at(
                2,
                bare_call("c1"),
                ["client AgentStartedSpeaking", "client FunctionCallRequest c1=get_current_time({})"],
            ),
            at(3, answer("c1", "noon"), ["client AgentThinking", "up output c1"]),
            at(4, output_item("added", "c1"), []),
            at(5, output_item("done", "c1"), ["up response.create"]),
        ],
    );
}

/// R11, R13: the text of an interrupted answer is withheld, and so is the item that repeats it.
#[test]
fn r13_neither_the_text_of_an_interrupted_answer_nor_its_item_is_sent() {
    check(
        component(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(1, user_item("added", "item_mock_1", "Hi"), ["up response.create"]),
            at(2, audio_delta(48_000), ["client AgentStartedSpeaking", "client audio 48000"]),
            at(
                3,
                speech_started(),
                ["client AgentDone", "client AgentAudioDone", "client UserStartedSpeaking"],
            ),
            at(4, text_done("Hello"), ["ignored R13"]),
            at(5, agent_item("done", "a1", "Hello"), ["ignored R11"]),
        ],
    );
}

/// R4: what upstream says of a spoken greeting is not told again, by no event.
#[test]
fn r04_a_spoken_greeting_is_told_once_by_a_server_that_announces_nothing() {
    let greeting = r#"{"type":"Settings","agent":{"greeting":"Hi there","idleTimeoutMs":10000}}"#;
    check(
        fresh().backend(|backend| backend.greeting_mode = GreetingMode::Speak),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, client(greeting), ["up session.update"]),
            at(
                3,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client ConversationText(assistant)",
                    "up response.create",
                ],
            ),
            at(4, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(5, bare_audio_done(), ["client AgentDone", "client AgentAudioDone"]),
            at(6, text_done("Hi there"), ["ignored R4"]),
            at(7, agent_item("done", "a1", "Hi there"), ["ignored R11"]),
        ],
    );
}

/// R6: a response that was announced without an id ends by a `response.done` that has one.
#[test]
fn r06_a_response_announced_without_an_id_may_show_it_at_its_end() {
    check(
        component(),
        [
            at(0, upstream(r#"{"type":"response.created"}"#), []),
            at(
                1,
                upstream(ONE_MORE),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"Late\"",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
            at(2, inject("B"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(3, user_item("added", "u1", "B"), ["up response.create"]),
        ],
    );
}

/// R11: a text that came without ids is not told again by the announced response's own output.
#[test]
fn r11_a_text_without_ids_is_not_told_again_by_the_response() {
    check(
        component(),
        [
            at(0, created("r1"), []),
            at(
                1,
                text_done("Late"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"Late\"",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
            at(2, upstream(ONE_MORE), ["ignored R11"]),
        ],
    );
}

/// R5: one id for every user item is a new item with every new text.
#[test]
fn r05_a_server_with_one_id_for_all_items_confirms_each() {
    check(
        component(),
        [
            at(0, inject("One"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(1, user_item("added", "item_mock_1", "One"), ["up response.create"]),
            at(
                2,
                text_done("1"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
            at(3, inject("Two"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(4, user_item("done", "item_mock_1", "One"), []),
            at(5, user_item("added", "item_mock_1", "Two"), ["up response.create"]),
        ],
    );
}

/// R5: an error without an id means the one item that is not answered.
#[test]
fn r05_an_error_without_an_id_means_the_only_item() {
    check(
        component(),
        [
            at(0, inject("One"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(1, error("invalid_value"), ["client Error(invalid_value)"]),
            at(2, inject("Two"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(3, user_item("added", "u2", "Two"), ["up response.create"]),
        ],
    );
}

/// R15: an error for another event of ours does not hide why the response failed.
#[test]
fn r15_an_error_for_something_else_does_not_hide_a_failure() {
    check(
        component(),
        [
            at(0, created("r1"), []),
            at(1, error_for("vb_999", "invalid_value"), ["client Error(invalid_value)"]),
            at(2, done("r1", "failed"), ["client Error(unknown)"]),
        ],
    );
}

/// R5: if upstream confirms the item all the same, the error had meant something else.
#[test]
fn r05_an_item_that_is_confirmed_after_all_is_answered() {
    check(
        component(),
        [
            at(0, inject("One"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(1, error("invalid_value"), ["client Error(invalid_value)"]),
            at(2, user_item("added", "u1", "One"), ["up response.create"]),
        ],
    );
}
