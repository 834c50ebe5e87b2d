//! Whole conversations with a server that announces no response, gives its events no ids, and ends a
//! response with its text: every rule at once, as small servers of this protocol make them meet.

use super::{
    scenario::{at, check, component, deepgram, due, fresh, manual},
    words::{
        agent_item, answer, audio_delta, bare_audio_done, bare_call, bare_response_done, client,
        client_closes, confirmed, error, inject, microphone, output_item, session_updated, settings,
        speech_started, text_done, upstream, user_item,
    },
};
use crate::gate::Input;

const MANUAL: &str = r#"{"useOpenAIManualAudioCommit":true,"think":{"prompt":"Be brief."}}"#;

/// A typed turn before Settings: the update first, one response, no further update.
#[test]
fn a_turn_that_was_typed_before_settings_follows_the_update() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, inject("Hello"), ["held R2"]),
            at(2, Input::UpstreamOpened, []),
            at(50, settings(MANUAL), ["up session.update"]),
            at(
                100,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client ConversationText(user) \"Hello\"",
                    "client AgentThinking",
                    "up item \"Hello\"",
                ],
            ),
            at(101, user_item("added", "item_mock_1", "Hello"), ["up response.create"]),
            at(102, user_item("done", "item_mock_1", "Hello"), []),
            at(
                401,
                text_done("Hello from mock"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"Hello from mock\"",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
            at(402, agent_item("done", "item_mock_response_1", "Hello from mock"), ["ignored R11"]),
        ],
    );
}

/// The session configured itself, and the first Settings comes in the middle of an answer: the end of the
/// audio is not its end, and the update waits for that.
#[test]
fn a_first_settings_in_the_middle_of_an_answer_waits_for_its_text() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, upstream(r#"{"type":"session.created","session":{"id":"sess_mock"}}"#), ["ignored R2"]),
            at(3, session_updated(), []),
            at(10, inject("Hello"), ["client ConversationText(user)", "up item"]),
            at(11, user_item("added", "item_mock_1", "Hello"), ["up response.create"]),
            at(12, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(13, bare_audio_done(), ["client AgentAudioDone"]),
            at(60, settings(MANUAL), ["held R3"]),
            at(312, text_done("Hello from mock"), ["client ConversationText(assistant)"]),
            at(313, agent_item("done", "item_mock_response_1", "Hello from mock"), ["ignored R11"]),
            due(412, ["up session.update"]),
            at(413, session_updated(), ["use audio", "client SettingsApplied"]),
        ],
    );
}

/// Audio that comes during an answer is committed after it, with no new audio to wake the gate.
#[test]
fn audio_left_over_is_committed_after_the_answer() {
    check(
        manual(),
        [
            at(0, microphone(40_000), ["up append 40000"]),
            due(400, ["up commit", "up response.create"]),
            at(401, upstream(r#"{"type":"input_audio_buffer.committed"}"#), []),
            at(402, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(403, bare_audio_done(), ["client AgentDone", "client AgentAudioDone"]),
            at(500, microphone(9_600), ["up append 9600"]),
            at(501, microphone(9_600), ["up append 9600"]),
            at(
                1_000,
                text_done("Hello from mock"),
                ["client ConversationText(assistant)", "up commit", "up response.create"],
            ),
            at(1_001, agent_item("done", "item_mock_response_1", "Hello from mock"), ["ignored R11"]),
            at(
                1_002,
                text_done("Hello from mock"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
        ],
    );
}

/// A second utterance during an answer makes no second response.
#[test]
fn an_utterance_during_an_answer_makes_no_second_response() {
    check(
        manual(),
        [
            at(0, microphone(40_000), ["up append"]),
            at(250, microphone(4_800), ["up append"]),
            due(600, ["up commit", "up response.create"]),
            at(750, Input::Timeout, []),
        ],
    );
}

/// Six short pieces and a goodbye: the last words are committed, and nobody waits for an answer.
#[test]
fn the_last_words_are_committed_when_the_client_closes() {
    let mut steps = Vec::new();
    for n in 0..6 {
        steps.push(at(n * 250, microphone(4_000), ["up append 4000"]));
    }
    steps.push(at(1_400, client_closes(1000), ["up silence 250 ms", "up commit", "close upstream 1000"]));
    super::scenario::check_all(manual(), steps);
}

/// A call right after `session.updated`, its answer as content or as an object, and the text after it.
#[test]
fn a_call_is_handed_out_at_once_and_its_answer_goes_up() {
    let result = r#"{"type":"FunctionCallResponse","id":"call_mock_1","name":"get_current_time",
        "result":{"time":"12:00","zone":"UTC"}}"#;
    for (answer, output) in [
        (answer("call_mock_1", "12:00 UTC"), r#"up output call_mock_1 "12:00 UTC""#),
        (client(result), r#"up output call_mock_1 "{\"time\":\"12:00\",\"zone\":\"UTC\"}""#),
    ] {
        check(
            manual(),
            [
                at(
                    1,
                    bare_call("call_mock_1"),
                    [
                        "client AgentStartedSpeaking",
                        "client FunctionCallRequest call_mock_1=get_current_time({})",
                    ],
                ),
                at(100, answer, ["client AgentThinking", output]),
                at(
                    101,
                    text_done("Hello from mock"),
                    [
                        "client ConversationText(assistant) \"Hello from mock\"",
                        "client AgentDone",
                        "client AgentAudioDone",
                        "up response.create",
                    ],
                ),
            ],
        );
    }
}

/// A transcript that looks like a call is none.
#[test]
fn a_transcript_that_looks_like_a_call_is_text() {
    let transcript = r#"{"type":"response.output_audio_transcript.done","response_id":"resp_1",
        "item_id":"item_1","output_index":0,"content_index":0,"transcript":"get_current_time({})"}"#;
    check(
        manual(),
        [
            at(
                1,
                upstream(transcript),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"get_current_time({})\"",
                ],
            ),
            at(2, bare_call("call_mock_1"), ["client FunctionCallRequest call_mock_1=get_current_time({})"]),
        ],
    );
}

/// A greeting is text alone: upstream gets nothing that it could answer with an error.
#[test]
fn a_greeting_sends_nothing_upstream() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, upstream(r#"{"type":"session.created","session":{"id":"sess_mock"}}"#), ["ignored R2"]),
            at(
                3,
                settings(r#"{"useOpenAIManualAudioCommit":true,"greeting":"Good day"}"#),
                ["up session.update"],
            ),
            at(
                53,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client ConversationText(assistant) \"Good day\"",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
            at(4_000, Input::Timeout, []),
        ],
    );
}

/// An answer with audio: one binary frame before the text, and both end signals by then.
#[test]
fn an_answer_with_audio_has_its_end_signals_before_its_text() {
    check(
        manual(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(100, user_item("added", "item_mock_1", "Hi"), ["up response.create"]),
            at(101, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(102, bare_audio_done(), ["client AgentDone", "client AgentAudioDone"]),
            at(103, text_done("Hello from mock"), ["client ConversationText(assistant)"]),
            at(104, agent_item("done", "item_mock_response_1", "Hello from mock"), ["ignored R11"]),
        ],
    );
}

/// The item that confirms comes twice and counts once.
#[test]
fn an_item_that_is_added_and_done_is_one_turn() {
    check(
        manual(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(1, user_item("added", "item_mock_1", "Hi"), ["up response.create"]),
            at(2, user_item("done", "item_mock_1", "Hi"), []),
            at(
                3,
                text_done("Hello from mock"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
            at(4, user_item("done", "item_mock_1", "Hi"), []),
        ],
    );
}

/// The end of the session for want of input comes after the text.
#[test]
fn an_idle_timeout_comes_after_the_text() {
    check(
        manual(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(1, user_item("added", "item_mock_1", "Hi"), ["up response.create"]),
            at(
                2,
                text_done("Hello from mock"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
            at(3, agent_item("done", "item_mock_response_1", "Hello from mock"), ["ignored R11"]),
            at(4, error("idle_timeout"), ["client Error(idle_timeout)"]),
        ],
    );
}

/// What a server may send for the output of a call, and what follows.
fn after_the_answer() -> Vec<super::scenario::Step> {
    vec![
        at(1, bare_call("call_mock_1"), ["client AgentStartedSpeaking", "client FunctionCallRequest"]),
        at(100, answer("call_mock_1", "12:00"), ["client AgentThinking", "up output call_mock_1 \"12:00\""]),
    ]
}

const SPOKEN: [&str; 4] = [
    "client AgentStartedSpeaking",
    "client ConversationText(assistant) \"Hello from mock\"",
    "client AgentDone",
    "client AgentAudioDone",
];

/// Nothing at all: T after the answer.
#[test]
fn an_answer_that_nothing_follows_is_a_wish_after_t() {
    let scenario =
        manual().backend(|backend| backend.deferred_response_timeout = std::time::Duration::from_millis(500));
    let mut steps = after_the_answer();
    // The response that made the call is forgotten first; it ended without a word.
    steps.push(due(501, []));
    steps.push(due(600, ["ran out R8", "up response.create"]));
    steps.push(due(
        1_100,
        ["ran out R6", "client AgentDone", "client AgentAudioDone", "client Warning(response_timeout)"],
    ));
    super::scenario::check_all(scenario, steps);
}

/// `response.done`, then the text: one response.
#[test]
fn a_bare_done_and_then_a_text_are_one_wish() {
    let mut steps = after_the_answer();
    steps.push(at(101, bare_response_done(), ["up response.create"]));
    steps.push(at(151, text_done("Hello from mock"), SPOKEN));
    steps.push(at(4_000, Input::Timeout, []));
    super::scenario::check_all(manual(), steps);
}

/// The end of audio, then `response.done`: one response, and its end signals with it.
#[test]
fn the_end_of_audio_and_then_a_bare_done_are_one_wish() {
    let mut steps = after_the_answer();
    steps.push(at(
        101,
        upstream(r#"{"type":"response.output_audio.done","response_id":"resp_1","item_id":"item_1"}"#),
        [],
    ));
    steps.push(at(102, bare_response_done(), ["up response.create"]));
    steps.push(at(103, text_done("Hello from mock"), SPOKEN));
    super::scenario::check_all(manual(), steps);
}

/// A text, and 80 ms later another item: both are heard.
#[test]
fn an_item_that_follows_with_another_text_is_given_too() {
    let mut steps = after_the_answer();
    steps.push(at(
        101,
        upstream(
            r#"{"type":"response.output_text.done","response_id":"resp_1","item_id":"item_1","text":"One moment"}"#,
        ),
        [
            "client ConversationText(assistant) \"One moment\"",
            "client AgentDone",
            "client AgentAudioDone",
            "up response.create",
        ],
    ));
    steps.push(at(
        181,
        agent_item("added", "item_late", "It is 12:00 UTC"),
        ["client AgentStartedSpeaking", "client ConversationText(assistant) \"It is 12:00 UTC\""],
    ));
    steps.push(at(182, bare_response_done(), ["client AgentDone", "client AgentAudioDone"]));
    super::scenario::check_all(manual(), steps);
}

/// Only the output itself comes back: that is the end of the response that called.
#[test]
fn the_output_item_itself_ends_the_response_that_called() {
    let mut steps = after_the_answer();
    steps.push(at(101, output_item("added", "call_mock_1"), []));
    steps.push(at(102, output_item("done", "call_mock_1"), ["up response.create"]));
    steps.push(at(103, text_done("Hello from mock"), SPOKEN));
    steps.push(at(4_000, Input::Timeout, []));
    super::scenario::check_all(manual(), steps);
}

/// Only `response.done`: one response.
#[test]
fn a_bare_done_alone_is_one_wish() {
    let mut steps = after_the_answer();
    steps.push(at(101, bare_response_done(), ["up response.create"]));
    steps.push(at(2_000, Input::Timeout, []));
    super::scenario::check_all(manual(), steps);
}

/// Speech on such a server: told, and nothing else.
#[test]
fn speech_is_told_whatever_the_server() {
    check(component(), [at(0, speech_started(), ["client UserStartedSpeaking"])]);
}

/// R13: "then nothing more of that response, ever", though all that came of it so far had been played.
#[test]
fn r13_an_answer_that_nobody_asked_for_is_cut_off_in_a_pause_of_its_audio() {
    check(
        deepgram(),
        [
            at(0, audio_delta(4_800), ["client AgentStartedSpeaking", "client audio 4800"]),
            at(1_000, speech_started(), ["client AgentAudioDone", "client UserStartedSpeaking"]),
            at(1_001, audio_delta(4_800), ["ignored R13"]),
        ],
    );
}

/// R13: a response that has called a function has begun, and is cut off like one that spoke.
#[test]
fn r13_an_unannounced_answer_that_has_called_is_cut_off() {
    check(
        component(),
        [
            at(0, inject("Time?"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, bare_call("call_1"), ["client AgentStartedSpeaking", "client FunctionCallRequest"]),
            at(3, speech_started(), ["client UserStartedSpeaking"]),
            at(4, audio_delta(4_800), ["ignored R13"]),
        ],
    );
}

/// R13: "then nothing more of that response, ever", though it has given nothing but pieces of its text so far and
/// upstream interrupts it by itself.
#[test]
fn r13_an_unannounced_response_that_wrote_is_cut_off_with_what_it_wrote() {
    check(
        deepgram(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, upstream(r#"{"type":"response.output_text.delta","delta":"It is"}"#), []),
            at(
                3,
                speech_started(),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"It is\"",
                    "client AgentAudioDone",
                    "client UserStartedSpeaking",
                ],
            ),
            at(4, text_done("It is noon."), ["ignored R13"]),
        ],
    );
}
