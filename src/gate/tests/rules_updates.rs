//! R3: changes in the middle of a session. One `session.update` at a time, each acknowledged when upstream has
//! acknowledged it.

use super::{
    scenario::{Scenario, at, at_lines, check, check_all, deepgram, due, fresh},
    words::{
        audio, client, confirmed, created, done, error, error_for, inject, message_added, session_updated,
        settings, update_prompt, upstream,
    },
};
use crate::{gate::Input, protocol::realtime::ClientEvent};

const PROMPT: &str = r#"{"type":"UpdatePrompt","prompt":"Speak French."}"#;
const SPEED: &str = r#"{"type":"UpdateSpeak","speak":{"provider":{"type":"open_ai","speed":1.25}}}"#;
const VOICE: &str = r#"{"type":"UpdateSpeak","speak":{"provider":{"type":"open_ai","voice":"cedar"}}}"#;
const BOTH: &str =
    r#"{"type":"UpdateSpeak","speak":{"provider":{"type":"open_ai","voice":"cedar","speed":1.25}}}"#;

/// An open session whose prompt is "Be brief.", behind a conversation.
fn brief() -> Scenario {
    let context = r#"{"messages":[{"type":"History","role":"user","content":"Hi"}]}"#;
    fresh()
        .upto(Input::ClientConnected)
        .upto(Input::UpstreamOpened)
        .upto(settings(&format!(r#"{{"think":{{"prompt":"Be brief."}},"context":{context}}}"#)))
        .upto(session_updated())
}

/// An open session in which the agent has spoken.
fn spoken() -> Scenario {
    deepgram().upto(created("resp_0")).upto(audio("resp_0", "item_0", 320)).upto(done("resp_0", "completed"))
}

/// `UpdatePrompt` "adds to the existing prompt", and is "acknowledged only when upstream has acknowledged".
#[test]
fn r03_a_prompt_is_added_and_acknowledged_after_upstream_has() {
    let run = check(
        brief(),
        [
            at(0, client(PROMPT), ["up session.update"]),
            at(50, session_updated(), ["client PromptUpdated"]),
            at(60, client(r#"{"type":"UpdatePrompt","prompt":"Or German."}"#), ["up session.update"]),
            at(90, session_updated(), ["client PromptUpdated"]),
            at(91, session_updated(), ["ignored R2"]),
        ],
    );
    let instructions: Vec<_> = run
        .upstream_events()
        .filter_map(|event| match event {
            ClientEvent::SessionUpdate(update) => update.session.as_ref()?.instructions.as_deref(),
            _ => None,
        })
        .collect();
    assert_eq!(
        instructions,
        [
            "Be brief.\n\nSpeak French.\n\nPrevious conversation:\nuser: Hi",
            "Be brief.\n\nSpeak French.\n\nOr German.\n\nPrevious conversation:\nuser: Hi",
        ]
    );
}

/// "one `session.update` in flight at a time"; what was asked for before a turn holds for that turn.
#[test]
fn r03_one_update_is_in_flight_and_the_answer_waits_for_those_behind_it() {
    check(
        deepgram(),
        [
            at(
                0,
                client(PROMPT),
                [r#"up session.update {"type":"realtime","instructions":"Speak French."}"#],
            ),
            at(1, client(VOICE), ["held R3"]),
            at(2, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(3, confirmed(), ["held R3"]),
            at(50, session_updated(), ["client PromptUpdated", "up session.update", "up response.create"]),
            at(99, session_updated(), ["client SpeakUpdated"]),
        ],
    );
}

/// "with the vendor's own codes otherwise": what upstream refuses is an Error with its code and is not built
/// upon.
#[test]
fn r03_a_refused_update_is_an_error_and_changes_nothing() {
    check(
        brief(),
        [
            at(0, client(PROMPT), ["up session.update"]),
            at(1, client(r#"{"type":"UpdatePrompt","prompt":"Or German."}"#), ["held R3"]),
            at(
                50,
                error_for("$update", "invalid_value"),
                [
                    "client Error(invalid_value) \"trouble invalid_value",
                    "up session.update {\"type\":\"realtime\",\"instructions\":\"Be brief.\\n\\nOr German.",
                ],
            ),
            at(99, session_updated(), ["client PromptUpdated"]),
        ],
    );
}

/// R2's "(by `event_id`; without one, when the update is the only event not yet answered)" for a change.
#[test]
fn r03_an_error_without_an_id_means_the_update_if_nothing_else_is_unanswered() {
    check(
        deepgram(),
        [
            at(0, client(PROMPT), ["up session.update"]),
            at(50, error("invalid_value"), ["client Error(invalid_value)"]),
            // It is over: nothing waits for an acknowledgement.
            at(51, session_updated(), ["ignored R2"]),
        ],
    );
    check(
        deepgram(),
        [
            at(0, client(PROMPT), ["up session.update"]),
            at(1, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(50, error("invalid_value"), ["client Error(invalid_value)"]),
            at(51, session_updated(), ["client PromptUpdated"]),
        ],
    );
}

/// "voice fixed after the first audio: then an honest Warning", and no acknowledgement.
#[test]
fn r03_the_voice_is_fixed_once_the_agent_has_spoken() {
    check(
        spoken(),
        [
            at(0, client(VOICE), ["client Warning(cannot_update_voice)"]),
            // What else the message asks for is done.
            at(
                1,
                client(BOTH),
                [
                    "client Warning(cannot_update_voice)",
                    r#"up session.update {"type":"realtime","audio":{"output":{"speed":1.25}}}"#,
                ],
            ),
            at(50, session_updated(), ["client SpeakUpdated"]),
        ],
    );
}

/// The voice that the session has needs no change.
#[test]
fn r03_the_same_voice_again_is_in_force() {
    let cedar = r#"{"type":"session.updated","session":{"audio":{"output":{"voice":"cedar"}}}}"#;
    check(spoken().upto(upstream(cedar)), [at(0, client(VOICE), ["client SpeakUpdated"])]);
}

/// A change of the voice that upstream refuses for another reason than that it comes too late.
#[test]
fn r03_a_change_of_the_voice_that_is_refused_is_an_error_like_any_other() {
    check(
        deepgram(),
        [
            at(0, client(VOICE), ["up session.update"]),
            at(1, error_for("$update", "invalid_value"), ["client Error(invalid_value)"]),
            at(2, client(VOICE), ["up session.update"]),
            at(3, session_updated(), ["client SpeakUpdated"]),
        ],
    );
}

/// Where upstream knows better whether the session has spoken, the rest of the change is sent again.
#[test]
fn r03_a_voice_that_upstream_refuses_is_a_warning_and_the_rest_is_sent_again() {
    check(
        deepgram(),
        [
            at(0, client(BOTH), ["up session.update"]),
            at(
                50,
                error_for("$update", "cannot_update_voice"),
                [
                    "client Warning(cannot_update_voice)",
                    r#"up session.update {"type":"realtime","audio":{"output":{"speed":1.25}}}"#,
                ],
            ),
            at(99, session_updated(), ["client SpeakUpdated"]),
            at(100, client(VOICE), ["client Warning(cannot_update_voice)"]),
        ],
    );
    check(
        deepgram(),
        [
            at(0, client(VOICE), ["up session.update"]),
            at(50, error_for("$update", "cannot_update_voice"), ["client Warning(cannot_update_voice)"]),
        ],
    );
}

/// The API's "change only between turns".
#[test]
fn r03_another_speed_waits_for_the_end_of_the_response() {
    check(
        deepgram(),
        [
            at(0, created("resp_1"), []),
            at(1, message_added("resp_1", "item_1"), []),
            at(2, client(SPEED), []),
            at(3, done("resp_1", "completed"), ["up session.update"]),
            at(4, session_updated(), ["client SpeakUpdated"]),
        ],
    );
}

/// "No rule waits without an end."
#[test]
fn r03_an_update_that_upstream_never_answers_is_given_up() {
    check(
        deepgram(),
        [
            at(0, client(PROMPT), ["up session.update"]),
            at(1, client(VOICE), ["held R3"]),
            due(20_000, ["ran out R3", "client Warning(update_timeout)", "up session.update"]),
            at(20_001, session_updated(), ["client SpeakUpdated"]),
        ],
    );
}

/// "acknowledged only when upstream has acknowledged": an answer to a change that was given up is not taken for
/// that to the next one, where it says what is in force.
#[test]
fn r03_a_late_answer_acknowledges_no_other_change() {
    let updated = |instructions: &str| {
        upstream(&format!(r#"{{"type":"session.updated","session":{{"instructions":"{instructions}"}}}}"#))
    };
    check(
        deepgram(),
        [
            at(0, client(PROMPT), ["up session.update"]),
            at(1, client(r#"{"type":"UpdatePrompt","prompt":"Or German."}"#), ["held R3"]),
            due(20_000, ["ran out R3", "client Warning(update_timeout)", "up session.update"]),
            at(20_001, updated("Speak French."), ["ignored R2"]),
            at(20_002, updated("Or German."), ["client PromptUpdated"]),
            // Without one that was given up a server may word the instructions as it likes.
            at(20_003, client(PROMPT), ["up session.update"]),
            at(20_004, updated("as upstream has it"), ["client PromptUpdated"]),
        ],
    );
}

/// The same once: the answer that came late is not expected again.
#[test]
fn r03_a_change_that_was_given_up_has_one_late_answer() {
    let updated = |instructions: &str| {
        upstream(&format!(r#"{{"type":"session.updated","session":{{"instructions":"{instructions}"}}}}"#))
    };
    check(
        deepgram(),
        [
            at(0, client(PROMPT), ["up session.update"]),
            at(1, client(r#"{"type":"UpdatePrompt","prompt":"Or German."}"#), ["held R3"]),
            due(20_000, ["ran out R3", "client Warning(update_timeout)", "up session.update"]),
            at(20_001, updated("Speak French."), ["ignored R2"]),
            at(20_002, updated("Or German, as upstream has it."), ["client PromptUpdated"]),
        ],
    );
}

/// The same the other way round: what upstream says of the next change itself acknowledges it, though the one
/// that was given up never had an answer; of a change of something else the instructions say nothing.
#[test]
fn r03_the_answer_to_a_change_acknowledges_it_though_one_before_it_had_none() {
    let updated = |instructions: &str| {
        upstream(&format!(r#"{{"type":"session.updated","session":{{"instructions":"{instructions}"}}}}"#))
    };
    check(
        deepgram(),
        [
            at(0, client(PROMPT), ["up session.update"]),
            at(1, client(r#"{"type":"UpdatePrompt","prompt":"Or German."}"#), ["held R3"]),
            due(20_000, ["ran out R3", "client Warning(update_timeout)", "up session.update"]),
            at(20_001, updated("Or German."), ["client PromptUpdated"]),
        ],
    );
    check(
        deepgram(),
        [
            at(0, client(PROMPT), ["up session.update"]),
            at(1, client(VOICE), ["held R3"]),
            due(20_000, ["ran out R3", "client Warning(update_timeout)", "up session.update"]),
            at(20_001, updated("as upstream has it"), ["client SpeakUpdated"]),
        ],
    );
}

/// What comes before the session is open waits like an inject, in its place.
#[test]
fn r02_changes_wait_for_the_session_in_their_order() {
    check(
        fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened),
        [
            at(0, settings("{}"), ["up session.update"]),
            at(1, client(PROMPT), ["held R2"]),
            at(2, inject("Hi"), ["held R2"]),
            at(
                50,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client ConversationText(user)",
                    "up session.update",
                    "up item",
                ],
            ),
            at(99, session_updated(), ["client PromptUpdated"]),
        ],
    );
}

/// A first Settings that meets a change in a session that upstream opened by itself waits for its answer.
#[test]
fn r03_a_first_settings_waits_for_a_change_that_is_under_way() {
    check(
        fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened).upto(session_updated()),
        [
            at(0, client(PROMPT), ["up session.update"]),
            at(1, settings("{}"), ["held R3"]),
            at(2, client(VOICE), ["held R3"]),
            at(50, session_updated(), ["client PromptUpdated", "up session.update"]),
            at(99, session_updated(), ["use audio", "client SettingsApplied", "up session.update"]),
            at(150, session_updated(), ["client SpeakUpdated"]),
        ],
    );
}

/// The realtime model cannot be changed: said once for each model that is asked for.
#[test]
fn r03_another_model_is_a_warning_and_the_rest_is_done() {
    const GPT_5: &str =
        r#"{"type":"UpdateThink","think":{"provider":{"type":"open_ai","model":"gpt-5"},"prompt":"New."}}"#;
    check(
        deepgram(),
        [
            at(0, client(GPT_5), ["client Warning(MODEL_NOT_CHANGED)", "up session.update"]),
            at(50, session_updated(), ["client ThinkUpdated"]),
            at(51, client(GPT_5), ["up session.update"]),
            at(99, session_updated(), ["client ThinkUpdated"]),
        ],
    );
}

/// Where a Warning says that nothing comes of a change, nothing acknowledges it; where nothing was to change, it is
/// in force.
#[test]
fn r03_a_change_of_nothing_is_acknowledged_unless_a_warning_answers_it() {
    const NOBODY: &str = r#"{"type":"UpdateSpeak","speak":{"provider":{"type":"open_ai","voice":"nobody"}}}"#;
    check(
        deepgram(),
        [
            at(0, client(NOBODY), ["client Warning(VOICE_NOT_MAPPED)"]),
            at(1, update_prompt(""), ["client PromptUpdated"]),
        ],
    );
}

/// "Upstream takes another speed between responses alone", and everything else at any time.
#[test]
fn r03_another_prompt_does_not_wait_for_the_end_of_the_response() {
    check(
        deepgram().upto(created("resp_1")),
        [at(0, client(PROMPT), ["up session.update"]), at(50, session_updated(), ["client PromptUpdated"])],
    );
}

/// `UpdateThink` replaces the prompt, context stays; `UpdateListen` has an acknowledgement of its own.
#[test]
fn r03_a_replaced_prompt_keeps_the_previous_conversation() {
    check(
        brief(),
        [
            at(
                0,
                client(r#"{"type":"UpdateThink","think":{"prompt":"New."}}"#),
                [
                    r#"up session.update {"type":"realtime","instructions":"New.\n\nPrevious conversation:\nuser: Hi","#,
                ],
            ),
            at(50, session_updated(), ["client ThinkUpdated"]),
            at(
                51,
                client(
                    r#"{"type":"UpdateListen","listen":{"provider":{"type":"deepgram","language":"de"}}}"#,
                ),
                ["up session.update"],
            ),
            at(99, session_updated(), ["client ListenUpdated"]),
        ],
    );
}

/// `UpdateListen`: what a message does not name stays as the messages before it have it.
#[test]
fn r03_listening_keeps_what_is_not_named() {
    let listen =
        |provider: &str| client(&format!(r#"{{"type":"UpdateListen","listen":{{"provider":{provider}}}}}"#));
    let stated = |model: &str, language: &str| {
        format!(
            r#"up session.update {{"type":"realtime","audio":{{"input":{{"transcription":{{"model":"{model}","language":"{language}"}}}}}}}}"#
        )
    };
    check_all(
        fresh()
            .upto(Input::ClientConnected)
            .upto(Input::UpstreamOpened)
            .upto(settings(r#"{"language":"fr"}"#))
            .upto(session_updated()),
        vec![
            at_lines(0, listen(r#"{"type":"open_ai","model":"whisper-1"}"#), &[&stated("whisper-1", "fr")]),
            at(1, listen(r#"{"type":"deepgram","language":"de"}"#), ["held R3"]),
            at_lines(50, session_updated(), &["client ListenUpdated", &stated("whisper-1", "de")]),
            at(60, session_updated(), ["client ListenUpdated"]),
            at_lines(
                70,
                listen(r#"{"type":"open_ai","model":"gpt-4o-transcribe"}"#),
                &[&stated("gpt-4o-transcribe", "de")],
            ),
        ],
    );
}

/// A value that cannot be used is refused with its path, here and now.
#[test]
fn r03_an_update_with_a_wrong_type_is_refused_with_its_path() {
    check(
        deepgram(),
        [at(
            0,
            client(r#"{"type":"UpdatePrompt","prompt":7}"#),
            ["client Error(INVALID_SETTINGS) \"prompt: "],
        )],
    );
    check(
        deepgram(),
        [at(0, client(r#"{"type":"UpdateThink"}"#), ["client Error(INVALID_SETTINGS) \"missing field"])],
    );
    // What sets nothing is no settings.
    check(
        deepgram(),
        [at(
            0,
            client(r#"{"type":"InjectUserMessage","content":7}"#),
            ["client Error(UNPARSABLE_CLIENT_MESSAGE) \"InjectUserMessage: content: "],
        )],
    );
}

/// "`UpdatePrompt` (adds)": within bounds, since the prompt is kept and sent whole with each addition.
#[test]
fn r03_a_prompt_does_not_grow_for_ever() {
    let half = "x".repeat(600 * 1024);
    check(
        deepgram(),
        [
            at(0, update_prompt(&half), ["up session.update"]),
            at(1, session_updated(), ["client PromptUpdated"]),
            at(2, update_prompt(&half), [r#"client Error(INVALID_SETTINGS) "prompt: all of it would be"#]),
            at(3, update_prompt("Be brief."), ["up session.update"]),
            at(4, session_updated(), ["client PromptUpdated"]),
        ],
    );
}
