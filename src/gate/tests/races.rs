//! Races between the user's turns, upstream's own responses and the session's opening, each told to its end:
//! what the user hears is one answer, never two, never none. Barge-in, calls and refused events have files
//! of their own.

use super::{
    scenario::{Run, Scenario, Step, at, at_lines, check_all, deepgram, due, fresh},
    words::{
        audio, audio_done, confirmed, created, done, error, error_for, inject, message_added,
        session_updated, settings, speech_started, speech_stopped, transcript_done, upstream, user_item,
    },
};
use crate::{
    config::TurnDetection,
    gate::Input,
    protocol::agent::{Role, ServerMessage},
};

/// An announced response that says `text`, from its first item to its end; `then` is what its end brings
/// besides.
pub(super) fn says(at_ms: u64, response: &str, text: &str, then: &[&str]) -> Vec<Step> {
    let item = format!("item_of_{response}");
    let shown = format!("client ConversationText(assistant) {text:?}");
    let mut ends = vec![&*shown, "client AgentAudioDone"];
    ends.extend(then);
    vec![
        at(at_ms, message_added(response, &item), []),
        at(at_ms, audio(response, &item, 480), ["client AgentStartedSpeaking", "client audio 480"]),
        at(at_ms, audio_done(response, &item), []),
        at(at_ms, transcript_done(response, &item, text), []),
        at_lines(at_ms, done(response, "completed"), &ends),
    ]
}

/// The same for what upstream still sends of a response that was cut off: nothing of it is heard.
pub(super) fn is_not_heard(at_ms: u64, response: &str, text: &str, status: &str) -> Vec<Step> {
    let item = format!("item_of_{response}");
    vec![
        at(at_ms, message_added(response, &item), []),
        at(at_ms, audio(response, &item, 480), ["ignored R13"]),
        at(at_ms, transcript_done(response, &item, text), ["ignored R13"]),
        at(at_ms, done(response, status), ["ignored R13"]),
    ]
}

/// Asserts what the user heard of the agent, in order, and how many responses we asked for. As often as
/// speech began it ended.
#[track_caller]
pub(super) fn assert_heard(run: &Run, texts: &[&str], requests: usize) {
    let assistant = |message: &ServerMessage| match message {
        ServerMessage::ConversationText(text) if text.role == Role::Assistant => Some(text.content.clone()),
        _ => None,
    };
    let heard: Vec<String> = run.client_messages().filter_map(assistant).collect();
    assert_eq!(heard, texts, "what the user heard");
    let count = |kind: &str| run.client_messages().filter(|message| message.kind() == kind).count();
    assert_eq!(count("AgentStartedSpeaking"), count("AgentAudioDone"), "speech that begins ends");
    assert_eq!(requests_of(run), requests, "responses that we asked for");
}

pub(super) fn requests_of(run: &Run) -> usize {
    run.upstream_events().filter(|event| event.kind() == "response.create").count()
}

/// An open session whose server answers speech, but leaves interrupting to us.
pub(super) fn without_interrupt() -> Scenario {
    deepgram().backend(|backend| {
        let TurnDetection::ServerVad { interrupt_response, .. } = &mut backend.turn_detection else {
            panic!("the default is server VAD")
        };
        *interrupt_response = false;
    })
}

/// A typed turn, confirmed; `then` is what the confirmation brings.
pub(super) fn typed(at_ms: u64, text: &str, then: &[&str]) -> Vec<Step> {
    vec![
        at(at_ms, inject(text), ["client ConversationText(user)", "up item"]),
        at_lines(at_ms, confirmed(), then),
    ]
}

pub(super) fn story<const N: usize>(scenario: Scenario, parts: [Vec<Step>; N]) -> Run {
    check_all(scenario, parts.into_iter().flatten().collect())
}

/// The user types and speaks at once, and the server answers the speech before we ask: its response knows of
/// the typed turn too. The user hears one answer, to both.
#[test]
fn server_vad_starts_a_response_while_ours_is_wished_for() {
    let run = story(
        deepgram(),
        [
            vec![at(0, speech_started(), ["client UserStartedSpeaking"])],
            typed(10, "Hi", &["held R6"]),
            vec![at(300, speech_stopped(), []), at(310, created("resp_vad"), [])],
            says(400, "resp_vad", "Hello", &[]),
            // The second in which upstream's own answer was waited for passes without another request.
            vec![at(5_000, speech_started(), ["client UserStartedSpeaking"])],
        ],
    );
    assert_heard(&run, &["Hello"], 0);
}

/// The same while our request is on the wire: upstream refuses it, before or after it announces its own
/// response. The user hears one answer; we ask once.
#[test]
fn server_vad_starts_a_response_while_ours_is_on_the_wire() {
    let refusal = || error_for("$create", "conversation_already_has_active_response");
    for refused_first in [true, false] {
        let crossing = match refused_first {
            true => vec![at(2, refusal(), ["held R7", "held R6"]), at(3, created("resp_vad"), [])],
            false => vec![at(2, created("resp_vad"), []), at(3, refusal(), ["held R7"])],
        };
        let run = story(
            deepgram().losing_races(),
            [typed(0, "Hi", &["up response.create"]), crossing, says(10, "resp_vad", "Hello", &[])],
        );
        assert_heard(&run, &["Hello"], 1);
        assert_eq!(run.gate.counts().lost_races, 1);
    }
}

/// The user types while the agent answers. The user hears the answer that runs, then the one to the new turn,
/// each once.
#[test]
fn an_inject_during_a_response() {
    let run = story(
        deepgram(),
        [
            typed(0, "one", &["up response.create"]),
            vec![at(1, created("resp_1"), [])],
            typed(2, "two", &["held R6"]),
            says(10, "resp_1", "First", &["up response.create"]),
            vec![at(11, created("resp_2"), [])],
            says(20, "resp_2", "Second", &[]),
        ],
    );
    assert_heard(&run, &["First", "Second"], 2);
}

/// Two turns typed in a row are confirmed in the other order, under our ids or under upstream's. The user
/// hears one answer to both.
#[test]
fn two_quick_injects_confirmed_in_reverse_order() {
    for ours in [true, false] {
        let mut run = Run::new(deepgram());
        let mut ids = Vec::new();
        for text in ["one", "two"] {
            run.happen(0, inject(text));
            ids.push(run.last_item_id());
        }
        for (position, text) in [(1, "two"), (0, "one")] {
            assert_eq!(requests_of(&run), 0, "asked before {text:?} was confirmed");
            let id = if ours { &*ids[position] } else { ["item_a", "item_b"][position] };
            run.happen(10, user_item("added", id, text));
        }
        run.happen(11, created("resp_1"));
        for step in [message_added("resp_1", "item_1"), transcript_done("resp_1", "item_1", "Both")] {
            run.happen(12, step);
        }
        run.happen(13, done("resp_1", "completed"));
        run.pass(60_000);
        assert_heard(&run, &["Both"], 1);
    }
}

fn opening() -> Vec<Step> {
    vec![
        at(0, Input::ClientConnected, ["dial", "client Welcome"]),
        at(0, Input::UpstreamOpened, []),
        at(1, settings("{}"), ["up session.update"]),
        at(2, inject("Hi"), ["held R2"]),
    ]
}

/// Upstream refuses the session's update, by its `event_id` or with no id at all; the client has typed
/// already and tries again. The user sees one `Error` and hears one answer, after the second Settings.
#[test]
fn session_update_refused() {
    let refusals: [fn() -> _; 2] =
        [|| error_for("$update", "unknown_parameter"), || error("unknown_parameter")];
    for refusal in refusals {
        let run = story(
            fresh(),
            [
                opening(),
                vec![
                    at(10, refusal(), ["client Error(unknown_parameter)"]),
                    at(20, settings("{}"), ["up session.update"]),
                    at(
                        30,
                        session_updated(),
                        [
                            "use audio",
                            "client SettingsApplied",
                            "client ConversationText(user)",
                            "up item \"Hi\"",
                        ],
                    ),
                    at(40, confirmed(), ["up response.create"]),
                    at(41, created("resp_1"), []),
                ],
                says(50, "resp_1", "Hello", &[]),
            ],
        );
        assert_heard(&run, &["Hello"], 1);
    }
}

/// The client sends its Settings again before the first are confirmed. It gets one `SettingsApplied` for each,
/// upstream one update, the user one greeting and one answer.
#[test]
fn settings_twice_before_the_first_is_confirmed() {
    let greeting = r#"{"greeting":"Welcome"}"#;
    let run = story(
        fresh(),
        [
            vec![
                at(0, Input::ClientConnected, ["dial", "client Welcome"]),
                at(0, Input::UpstreamOpened, []),
                at(1, settings(greeting), ["up session.update"]),
                at(2, settings(greeting), ["held R3"]),
                at(3, inject("Hi"), ["held R2"]),
                at(
                    10,
                    session_updated(),
                    [
                        "use audio",
                        "client SettingsApplied",
                        "client SettingsApplied",
                        "client ConversationText(assistant) \"Welcome\"",
                        "client AgentAudioDone",
                        "client ConversationText(user)",
                        "up item \"Hi\"",
                    ],
                ),
                at(11, upstream(r#"{"type":"session.updated"}"#), ["ignored R2"]),
                at(12, confirmed(), ["up response.create"]),
                at(13, created("resp_1"), []),
            ],
            says(20, "resp_1", "Hello", &[]),
        ],
    );
    let kinds: Vec<_> = run.client_messages().map(ServerMessage::kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "SettingsApplied").count(), 2);
    let updates = run.upstream_events().filter(|event| event.kind() == "session.update").count();
    assert_eq!(updates, 1);
}

/// Speech that upstream does not answer after all: the typed turn that waited for it is answered a second
/// later. The user hears one answer.
#[test]
fn speech_that_upstream_does_not_answer() {
    let run = story(
        deepgram(),
        [
            vec![at(0, speech_started(), ["client UserStartedSpeaking"])],
            typed(10, "Hi", &["held R6"]),
            vec![
                at(300, speech_stopped(), []),
                due(1_300, ["up response.create"]),
                at(1_310, created("resp_1"), []),
            ],
            says(1_400, "resp_1", "Hello", &[]),
        ],
    );
    assert_heard(&run, &["Hello"], 1);
}
