//! R1 to R4: the dial, the one `session.update`, what waits for it, and the greeting.

use super::{
    scenario::{at, check, component, deepgram, due, fresh},
    words::{
        agent_item, answer, client, confirmed, created, done, error, error_for, inject, microphone,
        session_updated, settings, speech_stopped, text_done, transcript_done, upstream, user_item,
    },
};
use crate::{
    config::GreetingMode,
    gate::{Input, Phase},
    protocol::realtime::ClientEvent,
};

const GREETING: &str = r#"{"greeting":"Hello there!"}"#;

/// R1: "The upstream is dialled when the client connects, so that the dial and the client's Settings
/// overlap. Nothing goes up before its socket is open; then in order."
#[test]
fn r01_the_dial_overlaps_with_settings_and_the_update_waits_for_the_socket() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(10, settings("{}"), ["held R1"]),
            at(20, Input::UpstreamOpened, ["up session.update"]),
        ],
    );
}

/// R1: "The first event we send is `session.update`."
#[test]
fn r01_an_open_socket_alone_sends_nothing() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(10, Input::UpstreamOpened, []),
            at(20, inject("early"), ["held R2"]),
            at(30, microphone(320), ["held R2"]),
            at(40, settings("{}"), ["up session.update"]),
        ],
    );
}

/// R1: "Every event we send has an `event_id` of ours."
#[test]
fn r01_every_event_has_an_id_of_its_own() {
    let run = check(
        deepgram(),
        [
            at(0, inject("one"), ["client ConversationText(user) \"one\"", "up item \"one\""]),
            at(1, confirmed(), ["up response.create"]),
        ],
    );
    let id = |event: &ClientEvent| match event {
        ClientEvent::CreateItem(create) => create.event_id.clone(),
        ClientEvent::CreateResponse(create) => create.event_id.clone(),
        other => panic!("{} was not expected", other.kind()),
    };
    let ids: Vec<_> = run.upstream_events().map(id).collect();
    assert!(ids.iter().all(Option::is_some) && ids[0] != ids[1], "{ids:?}");
}

/// R2: "`session.created` triggers nothing."
#[test]
fn r02_session_created_triggers_nothing() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, upstream(r#"{"type":"session.created","session":{"id":"sess_mock"}}"#), ["ignored R2"]),
            at(3, settings(GREETING), ["up session.update"]),
            at(4, upstream(r#"{"type":"session.created","session":{"id":"sess_mock"}}"#), ["ignored R2"]),
        ],
    );
}

/// R2: "gives one `SettingsApplied` for each Settings that waits; then the greeting; then the held typed
/// messages in their order; then the held audio in its order."
#[test]
fn r02_session_updated_releases_what_waits_in_this_order() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, microphone(320), ["held R2"]),
            at(2, inject("first"), ["held R2"]),
            at(3, Input::UpstreamOpened, []),
            at(4, settings(GREETING), ["up session.update"]),
            at(5, settings("{}"), ["held R3"]),
            at(6, microphone(640), ["held R2"]),
            at(7, inject("second"), ["held R2"]),
            at(
                50,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client SettingsApplied",
                    "client ConversationText(assistant) \"Hello there!\"",
                    "client AgentAudioDone",
                    "client ConversationText(user) \"first\"",
                    "client ConversationText(user) \"second\"",
                    "up item \"first\"",
                    "up item \"second\"",
                    "up append 960",
                ],
            ),
            at(60, microphone(320), ["up append 320"]),
        ],
    );
}

/// R2: "One that comes before any Settings opens the session for injects and audio and gives nothing; a
/// later unasked one gives nothing."
#[test]
fn r02_an_unasked_session_updated_opens_the_session_and_applies_nothing() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, inject("early"), ["held R2"]),
            at(3, session_updated(), ["client ConversationText(user) \"early\"", "up item \"early\""]),
            at(4, microphone(320), ["up append 320"]),
            at(5, session_updated(), ["ignored R2"]),
            at(6, settings("{}"), ["up session.update"]),
            at(7, session_updated(), ["use audio", "client SettingsApplied"]),
            at(8, session_updated(), ["ignored R2"]),
        ],
    );
}

/// R2: "An `error` for our update (by `event_id` …): `Error` with its code, message and `param`, no
/// `SettingsApplied`, what is held stays held, and the next Settings counts as the first."
#[test]
fn r02_a_refused_update_is_told_and_the_next_settings_counts_as_the_first() {
    let refusal = upstream(
        r#"{"type":"error","error":{"code":"unknown_parameter","message":"no such thing",
            "param":"session.voice","event_id":"$update"}}"#,
    );
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings("{}"), ["up session.update"]),
            at(3, inject("kept"), ["held R2"]),
            at(4, refusal, ["client Error(unknown_parameter) \"no such thing (param: session.voice)\""]),
            at(5, microphone(320), ["held R2"]),
            at(6, settings("{}"), ["up session.update"]),
            at(
                7,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client ConversationText(user) \"kept\"",
                    "up item \"kept\"",
                    "up append 320",
                ],
            ),
        ],
    );
}

/// R2: a session that configured itself was open before and stays so: turns are answered without a Settings.
#[test]
fn r02_a_refused_update_closes_no_session_that_is_open() {
    check(
        fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened).upto(session_updated()),
        [
            at(0, settings("{}"), ["up session.update"]),
            at(1, error_for("$update", "invalid_value"), ["client Error(invalid_value)"]),
            at(2, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(3, confirmed(), ["up response.create"]),
        ],
    );
}

/// R2: "without one, when the update is the only event not yet answered".
#[test]
fn r02_an_error_without_an_id_is_for_the_update_when_nothing_else_is_unanswered() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings("{}"), ["up session.update"]),
            at(3, error("invalid_value"), ["client Error(invalid_value)"]),
            at(4, settings("{}"), ["up session.update"]),
        ],
    );
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, session_updated(), []),
            at(3, inject("Hi"), ["client ConversationText(user)", "up item \"Hi\""]),
            at(4, settings("{}"), ["up session.update"]),
            at(5, error("invalid_value"), ["client Error(invalid_value)"]),
            at(6, session_updated(), ["use audio", "client SettingsApplied"]),
        ],
    );
}

/// R2: "what is held stays held", and what comes later does not overtake it.
#[test]
fn r02_audio_held_for_a_refused_update_is_not_overtaken() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, session_updated(), []),
            at(3, settings("{}"), ["up session.update"]),
            at(4, microphone(320), ["held R2"]),
            at(5, error_for("$update", "invalid_value"), ["client Error(invalid_value)"]),
            at(6, microphone(640), ["held R2"]),
            at(7, settings("{}"), ["up session.update"]),
            at(8, session_updated(), ["use audio", "client SettingsApplied", "up append 960"]),
        ],
    );
}

/// R2: after a refusal the wait for usable Settings has an end again.
#[test]
fn r02_after_a_refusal_settings_are_waited_for_with_an_end() {
    for unasked in [false, true] {
        let mut steps =
            vec![at(0, Input::ClientConnected, ["dial", "client Welcome"]), at(1, Input::UpstreamOpened, [])];
        if unasked {
            steps.push(at(2, session_updated(), []));
        }
        steps.extend([
            at(3, settings("{}"), ["up session.update"]),
            at(1_000, error_for("$update", "invalid_value"), ["client Error(invalid_value)"]),
            due(61_000, ["client Error(CLIENT_MESSAGE_TIMEOUT)", "close client 1011", "close upstream 1000"]),
        ]);
        super::scenario::check_all(fresh(), steps);
    }
}

/// R2: a further Settings that waited behind a refused one takes its place.
#[test]
fn r02_a_settings_behind_a_refused_one_takes_its_place() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings("{}"), ["up session.update"]),
            at(3, settings("{}"), ["held R3"]),
            at(
                4,
                error_for("$update", "invalid_value"),
                ["client Error(invalid_value)", "up session.update"],
            ),
            at(5, session_updated(), ["use audio", "client SettingsApplied"]),
        ],
    );
}

/// No rule waits without an end: an update that nothing answers ends the session.
#[test]
fn r02_an_update_without_an_answer_ends_the_session() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings("{}"), ["up session.update"]),
            due(
                20_002,
                ["ran out R2", "client Error(upstream_silent)", "close client 1011", "close upstream 1000"],
            ),
        ],
    );
}

/// R2, design section 3: Settings that cannot be used are answered, and others may follow.
#[test]
fn r02_unusable_settings_are_refused_by_their_member() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(
                2,
                settings(r#"{"think":{"functions":[{"name":"no spaces"}]}}"#),
                ["client Error(INVALID_SETTINGS) \"agent.think.functions[0].name:"],
            ),
            at(3, settings(r#"{"greeting":7}"#), ["client Error(INVALID_SETTINGS) \"agent.greeting:"]),
            at(4, settings("{}"), ["up session.update"]),
        ],
    );
}

/// R3: "A further Settings sends nothing up and gets a `SettingsApplied` of its own, never before the
/// first `session.updated`."
#[test]
fn r03_a_further_settings_gets_its_own_settings_applied_and_sends_nothing_up() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, settings("{}"), ["held R1"]),
            at(2, settings("{}"), ["held R3"]),
            at(3, Input::UpstreamOpened, ["up session.update"]),
            at(4, settings("{}"), ["held R3"]),
            at(
                5,
                session_updated(),
                ["use audio", "client SettingsApplied", "client SettingsApplied", "client SettingsApplied"],
            ),
            at(6, settings(GREETING), ["ignored R3", "client SettingsApplied"]),
        ],
    );
}

/// R3: "A *first* Settings that meets a running response (R2's self-configured session) is kept: its
/// update goes up 100 ms after that response's end."
#[test]
fn r03_a_first_settings_waits_for_the_end_of_a_running_response() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, session_updated(), []),
            at(3, created("resp_1"), []),
            at(4, settings("{}"), ["held R3"]),
            // A turn meanwhile waits for the update as well.
            at(5, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(6, confirmed(), ["held R6"]),
            at(100, done("resp_1", "completed"), []),
            due(200, ["up session.update", "up response.create"]),
            at(210, session_updated(), ["use audio", "client SettingsApplied"]),
        ],
    );
}

/// R3: a response that begins in the pause is waited for as well.
#[test]
fn r03_a_response_that_begins_in_the_pause_is_waited_for_too() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, session_updated(), []),
            at(3, created("resp_1"), []),
            at(4, settings("{}"), ["held R3"]),
            at(100, done("resp_1", "completed"), []),
            at(150, created("resp_2"), []),
            due(200, ["held R3"]),
            at(300, done("resp_2", "completed"), []),
            due(400, ["up session.update"]),
        ],
    );
}

/// R4: "Context messages go into the instructions, not as items: … With context there is no greeting."
#[test]
fn r04_context_goes_into_the_instructions_and_silences_the_greeting() {
    let agent = r#"{"greeting":"Hello there!","think":{"prompt":"Be brief."},"context":{"messages":[
        {"type":"History","role":"user","content":"Previous question"},
        {"type":"History","role":"assistant","content":"Hi there!"},
        {"type":"History","function_calls":[{"id":"c","name":"f","client_side":true,"arguments":"{}",
            "response":"ok"}]}]}}"#;
    let run = check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings(agent), ["up session.update"]),
            at(52, session_updated(), ["use audio", "client SettingsApplied"]),
        ],
    );
    let Some(ClientEvent::SessionUpdate(update)) = run.upstream_events().next() else { panic!("an update") };
    let instructions = update.session.as_ref().and_then(|session| session.instructions.as_deref());
    let expected = "Be brief.\n\nPrevious conversation:\nuser: Previous question\nassistant: Hi there!\n\
        called f({}): ok";
    assert_eq!(instructions, Some(expected));
}

/// R4: "`greeting_mode = "text"` (default): the greeting is `ConversationText` (assistant), then R10's end
/// signals without an `AgentStartedSpeaking`; nothing upstream."
#[test]
fn r04_a_text_greeting_is_a_text_with_end_signals_and_nothing_upstream() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings(r#"{"greeting":"Hello there!","idleTimeoutMs":10000}"#), ["up session.update"]),
            at(
                52,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client ConversationText(assistant) \"Hello there!\"",
                    "client AgentDone",
                    "client AgentAudioDone",
                ],
            ),
            at(3_000, Input::Timeout, []),
        ],
    );
}

/// R4: blank counts as none.
#[test]
fn r04_a_blank_greeting_is_none() {
    check(
        fresh(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings(r#"{"greeting":"  "}"#), ["up session.update"]),
            at(3, session_updated(), ["use audio", "client SettingsApplied"]),
        ],
    );
}

/// R4 and R10: a greeting in the middle of an answer that upstream began by itself has no end of its own.
#[test]
fn r04_a_greeting_in_the_middle_of_an_answer_leaves_the_end_to_it() {
    check(
        fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened).upto(session_updated()),
        [
            at(0, settings(GREETING), ["up session.update"]),
            at(1, created("resp_1"), []),
            at(
                2,
                super::words::audio("resp_1", "item_1", 320),
                ["client AgentStartedSpeaking", "client audio"],
            ),
            at(
                3,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client ConversationText(assistant) \"Hello there!\"",
                ],
            ),
            at(4, done("resp_1", "completed"), ["client AgentAudioDone"]),
        ],
    );
}

/// R4: "then R10's end signals": an answer that is over, or has not begun to speak, gives none for the greeting.
#[test]
fn r04_a_greeting_has_its_end_signals_whatever_was_answered_before() {
    let greeted = [
        "use audio",
        "client SettingsApplied",
        "client ConversationText(assistant) \"Hello there!\"",
        "client AgentAudioDone",
    ];
    let before = || fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened).upto(session_updated());
    check(
        before(),
        [
            at(0, created("resp_1"), []),
            at(
                1,
                super::words::audio("resp_1", "item_1", 320),
                ["client AgentStartedSpeaking", "client audio"],
            ),
            at(2, done("resp_1", "completed"), ["client AgentAudioDone"]),
            at(1_000, settings(GREETING), ["up session.update"]),
            at(1_001, session_updated(), greeted),
        ],
    );
    check(
        before(),
        [
            at(0, settings(GREETING), ["up session.update"]),
            at(1, created("resp_1"), []),
            at(2, session_updated(), greeted),
            at(
                3,
                super::words::audio("resp_1", "item_1", 320),
                ["client AgentStartedSpeaking", "client audio"],
            ),
            at(4, done("resp_1", "completed"), ["client AgentAudioDone"]),
        ],
    );
}

/// R4: "`"speak"`: the same text at once, and one `response.create` whose instructions ask for it word for
/// word; that response's own text is not sent."
#[test]
fn r04_a_spoken_greeting_is_asked_for_and_its_own_text_is_not_sent() {
    check(
        fresh().backend(|backend| backend.greeting_mode = GreetingMode::Speak),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings(GREETING), ["up session.update"]),
            at(3, inject("Hi"), ["held R2"]),
            at(
                4,
                session_updated(),
                [
                    "use audio",
                    "held R5",
                    "client SettingsApplied",
                    "client ConversationText(assistant) \"Hello there!\"",
                    "client ConversationText(user) \"Hi\"",
                    "up item \"Hi\"",
                ],
            ),
            // The greeting goes alone; the typed turn is answered after it.
            at(
                5,
                confirmed(),
                ["up response.create \"Say the following text word for word, and nothing else:\\nHello"],
            ),
            at(6, created("resp_1"), []),
            at(7, super::words::message_added("resp_1", "item_1"), []),
            at(
                8,
                super::words::audio("resp_1", "item_1", 320),
                ["client AgentStartedSpeaking", "client audio 320"],
            ),
            at(9, transcript_done("resp_1", "item_1", "Hello there!"), []),
            at(10, agent_item("done", "item_1", "Hello there!"), ["ignored R4"]),
            at(11, done("resp_1", "completed"), ["client AgentAudioDone", "up response.create"]),
        ],
    );
}

/// R4 and R10: a spoken greeting that never comes has its end signals all the same.
#[test]
fn r04_a_spoken_greeting_that_fails_has_its_end_signals() {
    check(
        fresh().backend(|backend| backend.greeting_mode = GreetingMode::Speak),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings(GREETING), ["up session.update"]),
            at(
                4,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client ConversationText(assistant) \"Hello there!\"",
                    "up response.create",
                ],
            ),
            at(
                5,
                error_for("$create", "server_error"),
                ["client Error(server_error)", "client AgentAudioDone"],
            ),
        ],
    );
}

/// R4 and R7: when upstream was quicker with a response of its own, that one is not muted, and the
/// greeting is still spoken.
#[test]
fn r04_a_greeting_that_lost_the_race_mutes_nobody_else_and_is_spoken_later() {
    check(
        fresh().backend(|backend| backend.greeting_mode = GreetingMode::Speak).losing_races(),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings(GREETING), ["up session.update"]),
            at(
                4,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client ConversationText(assistant) \"Hello there!\"",
                    "up response.create",
                ],
            ),
            at(5, created("resp_own"), []),
            at(6, error_for("$create", "conversation_already_has_active_response"), ["held R7", "held R6"]),
            at(7, super::words::message_added("resp_own", "item_1"), []),
            at(
                8,
                agent_item("done", "item_1", "My own words"),
                ["client AgentStartedSpeaking", "client ConversationText(assistant) \"My own words\""],
            ),
            at(
                9,
                done("resp_own", "completed"),
                ["client AgentAudioDone", "up response.create \"Say the following"],
            ),
        ],
    );
}

/// The dialect follows Settings: only the component is told `AgentDone`.
#[test]
fn r04_messages_that_only_the_component_knows_go_to_it_alone() {
    check(
        deepgram(),
        [at(
            0,
            text_done("Hi"),
            ["client AgentStartedSpeaking", "client ConversationText(assistant)", "client AgentAudioDone"],
        )],
    );
    check(
        component(),
        [at(
            0,
            text_done("Hi"),
            [
                "client AgentStartedSpeaking",
                "client ConversationText(assistant)",
                "client AgentDone",
                "client AgentAudioDone",
            ],
        )],
    );
}

/// Design section 3: unknown and unsupported messages are answered, broken JSON too; the session goes on.
#[test]
fn r02_messages_that_are_not_taken_are_answered_and_the_session_goes_on() {
    let run = check(
        deepgram(),
        [
            at(
                0,
                client(r#"{"type":"Sing"}"#),
                ["client Error(disallowed_client_message_type) \"a message of type \\\"Sing\\\""],
            ),
            at(
                1,
                client(r#"{"type":"UpdateThink_Live","think_live":{}}"#),
                ["client Error(disallowed_client_message_type)"],
            ),
            at(2, client("{"), ["client Error(UNPARSABLE_CLIENT_MESSAGE)"]),
            at(3, client(r#"{"type":"KeepAlive"}"#), []),
            at(4, answer("nobody", "x"), ["ignored R9", "client Warning(UNKNOWN_FUNCTION_CALL)"]),
            at(5, user_item("added", "item_9", "from elsewhere"), []),
        ],
    );
    assert_eq!(run.gate.phase(), Phase::Active);
}

/// With `allow_client_json_passthrough` unknown JSON goes upstream as it is, in its turn.
#[test]
fn r02_allowed_json_of_the_client_waits_its_turn_and_goes_up_as_it_is() {
    check(
        fresh().backend(|backend| backend.allow_client_json_passthrough = true),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, client(r#"{"type":"Sing","a":1}"#), ["held R2"]),
            at(3, settings("{}"), ["up session.update"]),
            at(
                4,
                session_updated(),
                ["use audio", "client SettingsApplied", r#"up raw {"type":"Sing","a":1}"#],
            ),
            at(5, client(r#"{"type":"KeepAlive"}"#), []),
        ],
    );
}

/// R1: "The first event we send is `session.update`": what a server does before that is answered later, or
/// by the client's side alone.
#[test]
fn r01_nothing_goes_up_before_the_update_whatever_upstream_does() {
    check(
        fresh().backend(|backend| backend.turn_detection = crate::config::TurnDetection::Manual),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, created("resp_1"), []),
            at(
                3,
                super::words::audio("resp_1", "item_1", 4_800),
                ["client AgentStartedSpeaking", "client audio 4800"],
            ),
            at(4, super::words::speech_started(), ["client AgentAudioDone", "client UserStartedSpeaking"]),
            at(5, done("resp_1", "cancelled"), ["ignored R13"]),
            at(6, super::words::bare_call("call_1"), ["client FunctionCallRequest"]),
            at(7, answer("call_1", "noon"), ["held R2"]),
            at(8, settings("{}"), ["up session.update"]),
            at(
                9,
                session_updated(),
                ["use audio", "client SettingsApplied", "client AgentThinking", "up output call_1 \"noon\""],
            ),
        ],
    );
}

/// R4 and R6: a greeting that is to be spoken is not merged with a turn that waits beside it.
#[test]
fn r04_a_spoken_greeting_and_a_turn_that_wait_together_are_two_responses() {
    check(
        fresh().backend(|backend| backend.greeting_mode = GreetingMode::Speak),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings(GREETING), ["up session.update"]),
            at(3, created("resp_own"), []),
            at(
                4,
                session_updated(),
                ["use audio", "held R6", "client SettingsApplied", "client ConversationText(assistant)"],
            ),
            at(5, inject("Hi"), ["client ConversationText(user)", "up item"]),
            at(6, confirmed(), ["held R6"]),
            at(7, inject("More"), ["client ConversationText(user)", "up item"]),
            at(8, confirmed(), ["held R6"]),
            at(9, done("resp_own", "completed"), ["client AgentAudioDone", "up response.create \"Say"]),
            at(10, created("resp_1"), []),
            at(11, done("resp_1", "completed"), ["up response.create"]),
            at(12, created("resp_2"), []),
            at(13, done("resp_2", "completed"), []),
        ],
    );
}

/// R1: "Nothing goes up before its socket is open; then in order", whatever the leg reports before that.
#[test]
fn r01_an_event_before_the_socket_is_open_sends_nothing_up() {
    check(
        fresh().upto(Input::ClientConnected),
        [
            at(0, session_updated(), []),
            at(1, inject("Hi"), ["client ConversationText(user)"]),
            at(2, Input::UpstreamOpened, ["up item \"Hi\""]),
        ],
    );
}

/// R3: "its update goes up 100 ms after that response's end": nothing shortens the pause.
#[test]
fn r03_an_update_that_is_answered_in_the_pause_does_not_end_it() {
    check(
        fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened).upto(session_updated()),
        [
            at(0, client(r#"{"type":"UpdatePrompt","prompt":"Be brief."}"#), ["up session.update"]),
            at(1, created("resp_1"), []),
            at(2, settings("{}"), ["held R3"]),
            at(3, done("resp_1", "completed"), []),
            at(50, session_updated(), ["held R3", "client PromptUpdated"]),
            due(103, ["up session.update"]),
        ],
    );
}

/// R2: nothing but the update goes up before the session is open, not even the wish for an answer to what was
/// said meanwhile.
#[test]
fn r02_speech_before_the_session_is_answered_when_it_is_open() {
    check(
        fresh().upto(Input::ClientConnected).upto(Input::UpstreamOpened),
        [
            at(0, created("resp_1"), []),
            at(1, settings("{}"), ["held R3"]),
            at(2, speech_stopped(), []),
            at(2_000, done("resp_1", "completed"), []),
            due(2_100, ["up session.update"]),
            at(2_200, session_updated(), ["use audio", "client SettingsApplied", "up response.create"]),
        ],
    );
}
