//! Upstreams of the beta API: what they send in its shapes is understood, and what is left out for them is told.

use super::{
    scenario::{at, at_lines, check, check_all, component, deepgram, fresh},
    words::{created, inject, session_updated, settings, speech_started, upstream},
};
use crate::{config::ApiShape, gate::Input};

const TEXT_SESSION: &str = r#"{"type":"session.updated","session":{"id":"sess_1","object":"realtime.session",
    "modalities":["text","audio"],"voice":"alloy","input_audio_format":"pcm16","output_audio_format":"pcm16",
    "turn_detection":{"type":"server_vad","create_response":true,"interrupt_response":false}}}"#;

/// R2 and R13: `session.updated` in the shape of the beta answers our update, and its `turn_detection` at the top
/// says whether a response is cancelled by the server itself.
#[test]
fn a_session_of_the_beta_answers_the_update_and_says_who_interrupts() {
    check(
        fresh().backend(|backend| backend.api_shape = ApiShape::Beta),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings("{}"), ["up session.update"]),
            at(3, upstream(TEXT_SESSION), ["use audio", "client SettingsApplied"]),
            at(4, created("resp_1"), []),
            at(5, speech_started(), ["client UserStartedSpeaking", "up response.cancel resp_1"]),
        ],
    );
}

/// R1: what upstream's API has no place for is left out of what goes up, and whoever asked for it is told.
#[test]
fn what_is_left_out_for_the_beta_is_told_to_the_client() {
    let asked = r#"{"idleTimeoutMs":10000,"sessionAudioOutput":{"voice":{"id":"voice_1"}},"think":{
        "managedPrompt":{"id":"pmpt_1"},"toolChoice":{"type":"function","name":"f"}}}"#;
    let warning = "client Warning(NOT_IN_BETA_API) \"upstream speaks the beta api, which has no \
        session.audio.input.turn_detection.idle_timeout_ms, session.audio.output.voice, \
        session.tool_choice of one tool, session.prompt\"";
    for (api_shape, expected) in [
        (ApiShape::Ga, &["up session.update"][..]),
        (ApiShape::Auto, &["up session.update"]),
        (ApiShape::Beta, &[warning, "up session.update"]),
    ] {
        check_all(
            fresh().backend(|backend| backend.api_shape = api_shape),
            vec![
                at(0, Input::ClientConnected, ["dial", "client Welcome"]),
                at(1, Input::UpstreamOpened, []),
                at_lines(2, settings(asked), expected),
                at(3, session_updated(), ["use audio", "client SettingsApplied"]),
            ],
        );
    }
}

/// R5: an item that is confirmed by `created`; R11: parts of the types `text` and `audio`, from a response that no
/// `conversation.item.done` ends.
#[test]
fn a_turn_of_the_beta() {
    let item = |status: &str, content: &str| {
        format!(
            r#""item":{{"id":"item_1","object":"realtime.item","type":"message","status":"{status}",
            "role":"assistant","content":[{content}]}}"#
        )
    };
    let said = r#"{"type":"audio","transcript":"Hello."}"#;
    let ours = r#"{"type":"conversation.item.created","previous_item_id":null,"item":{"id":"$item_id","type":"message",
        "status":"completed","role":"user","content":[{"type":"input_text","text":"Hi"}]}}"#;
    let done = |name: &str, status: &str, content: &str| {
        upstream(&format!(r#"{{"type":"{name}","response_id":"resp_1",{}}}"#, item(status, content)))
    };
    check(
        component(),
        [
            at(
                0,
                inject("Hi"),
                ["client ConversationText(user) \"Hi\"", "client AgentThinking", "up item \"Hi\""],
            ),
            at(1, upstream(ours), ["up response.create"]),
            at(2, created("resp_1"), []),
            at(3, done("response.output_item.added", "in_progress", ""), []),
            at(4, done("conversation.item.created", "in_progress", ""), []),
            at(
                5,
                upstream(
                    r#"{"type":"response.audio_transcript.delta","response_id":"resp_1","item_id":"item_1","delta":"Hello."}"#,
                ),
                [],
            ),
            at(
                6,
                upstream(
                    r#"{"type":"response.audio.delta","response_id":"resp_1","item_id":"item_1","delta":"AAAA"}"#,
                ),
                ["client AgentStartedSpeaking", "client audio 3"],
            ),
            at(7, done("response.output_item.done", "completed", said), []),
            at(
                8,
                upstream(&format!(
                    r#"{{"type":"response.done","response":{{"id":"resp_1","status":"completed","modalities":["text","audio"],
                    "output":[{}]}}}}"#,
                    item("completed", said).trim_start_matches(r#""item":"#)
                )),
                [
                    "client ConversationText(assistant) \"Hello.\"",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
        ],
    );
}

const ADDED: &str = r#"{"type":"response.output_item.added","response_id":"resp_1","output_index":0,"item":{
    "id":"item_f","type":"function_call","status":"in_progress","name":"get_time","call_id":"call_1","arguments":""}}"#;
const ARGUMENTS: &str = r#"{"type":"response.function_call_arguments.done","response_id":"resp_1","item_id":"item_f",
    "output_index":0,"call_id":"call_1","arguments":"{\"zone\":\"UTC\"}"}"#;
const CALL: &str = r#"client FunctionCallRequest call_1=get_time({"zone":"UTC"})"#;

/// R8: a call whose name only `response.output_item.added` tells, of an announced response and of another.
#[test]
fn a_call_has_the_name_that_its_item_was_added_with() {
    let ended = r#"{"type":"response.done","response":{"id":"resp_1","status":"completed"}}"#;
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, upstream(ADDED), []),
            at(2, upstream(ARGUMENTS), []),
            at(3, upstream(ended), [CALL]),
        ],
    );
    check(deepgram(), [at(0, upstream(ADDED), []), at(1, upstream(ARGUMENTS), [CALL])]);
}
