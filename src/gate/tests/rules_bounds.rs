//! Section 6: what waits and what is remembered counts against a budget, or is forgotten.

use std::time::Duration;

use serde_json::json;

use super::{
    scenario::{Action, at, check, deepgram, endpoints_at, fresh, function_at},
    words::{
        client, created, done, inject, microphone, say, session_updated, settings, transcript_done,
        update_prompt,
    },
};
use crate::{
    gate::{Effect, Input, Leg, Rule, UpstreamFrame},
    protocol::audio::PCM_24K,
};

/// Section 6: "Every queue has a byte budget": Settings that wait count with everything that is in them.
#[test]
fn r03_settings_that_wait_count_against_the_budget_whole() {
    let function = json!({"name": "f", "description": "x".repeat(20_000)});
    let large = settings(&json!({"think": {"functions": [function]}}).to_string());
    check(
        fresh()
            .upto(Input::ClientConnected)
            .upto(Input::UpstreamOpened)
            .limits(|limits| limits.before_ready = 30_000),
        [
            at(0, settings("{}"), ["up session.update"]),
            at(1, large.clone(), ["held R3"]),
            at(2, large, ["held R3", "pause client"]),
            at(
                3,
                session_updated(),
                [
                    "use audio",
                    "client SettingsApplied",
                    "client SettingsApplied",
                    "client SettingsApplied",
                    "resume client",
                ],
            ),
        ],
    );
}

/// Where the client's functions run counts as well, in Settings and in changes that wait.
#[test]
fn endpoints_count_against_the_budget() {
    // None of it stands in what goes up.
    let functions: Vec<_> =
        (0..10).map(|n| function_at(&format!("f{n}"), "functions.example", 2_000)).collect();
    let connected = || {
        let fresh = fresh().backend(|backend| backend.function_calls = endpoints_at("functions.example"));
        fresh.upto(Input::ClientConnected).upto(Input::UpstreamOpened)
    };
    let large = settings(&json!({"think": {"functions": functions}}).to_string());
    check(
        connected().limits(|limits| limits.before_ready = 60_000),
        [
            at(0, settings("{}"), ["up session.update"]),
            at(1, large.clone(), ["held R3"]),
            at(2, large, ["held R3", "pause client"]),
        ],
    );
    let update = client(&json!({"type": "UpdateThink", "think": {"functions": functions}}).to_string());
    check(
        connected().upto(settings("{}")).upto(session_updated()).limits(|limits| limits.leg = 60_000),
        [
            at(0, update.clone(), ["up session.update"]),
            at(1, update.clone(), ["held R3"]),
            at(2, update, ["held R3", "pause client"]),
        ],
    );
}

/// The same of typed turns that upstream does not confirm: each counts for what is kept of it, which is not its
/// text.
#[test]
fn r05_turns_that_wait_for_their_confirmation_count_for_what_they_take() {
    let mut run = check(deepgram().limits(|limits| limits.leg = 10_000), []);
    let read = (0..1_000).take_while(|_| !run.happen(0, inject("Hi")).contains(&Effect::Pause(Leg::Client)));
    let read = read.count();
    assert!((10_000 / 250..10_000 / 100).contains(&read), "{read} turns wait");
}

/// The same of what the client says before Settings: text with its length, and a frame of audio, however short,
/// with what it takes to keep it.
#[test]
fn r02_input_that_waits_for_the_session_counts_for_what_it_takes() {
    let until_too_much = |input: Action| {
        let early = fresh().upto(Input::ClientConnected).limits(|limits| limits.before_ready = 30_000);
        let mut run = check(early, []);
        (0..10_000)
            .take_while(|_| run.happen(0, input.clone()) == [Effect::Held(Rule::InputWaitsForSession)])
            .count()
    };
    let typed = until_too_much(inject(&"x".repeat(1_000)));
    assert!((30_000 / 2_000..30_000 / 1_000).contains(&typed), "{typed} turns are held");
    let frames = until_too_much(microphone(2));
    assert!((30_000 / 100..30_000 / 20).contains(&frames), "{frames} frames are held");
}

/// The same of texts that the agent is to say and has not begun to.
#[test]
fn r06_messages_for_the_agent_that_wait_count_against_the_budget() {
    let text = "x".repeat(3_000);
    check(
        deepgram().upto(created("resp_1")).limits(|limits| limits.leg = 10_000),
        [
            at(0, say(&text, "queue"), ["held R6"]),
            at(1, say(&text, "queue"), ["held R6"]),
            at(2, say(&text, "queue"), ["held R6"]),
            at(3, say(&text, "queue"), ["held R6", "pause client"]),
            at(4, done("resp_1", "completed"), ["up response.create", "resume client"]),
        ],
    );
}

/// The same of changes that wait for the answer to the one before them.
#[test]
fn r03_changes_that_wait_count_against_the_budget() {
    let text = "x".repeat(40_000);
    check(
        deepgram().limits(|limits| limits.leg = 100_000),
        [
            at(0, update_prompt(&text), ["up session.update"]),
            at(1, update_prompt(&text), ["held R3"]),
            at(2, update_prompt(&text), ["held R3"]),
            at(3, update_prompt(&text), ["held R3", "pause client"]),
            at(4, session_updated(), ["client PromptUpdated", "up session.update", "resume client"]),
        ],
    );
    let functions = json!([{"name": "f", "description": &text}]);
    let think = json!({"type": "UpdateThink", "think": {"functions": functions}}).to_string();
    check(
        deepgram().limits(|limits| limits.leg = 100_000),
        [
            at(0, update_prompt("Be brief."), ["up session.update"]),
            at(1, client(&think), ["held R3"]),
            at(2, client(&think), ["held R3"]),
            at(3, client(&think), ["held R3", "pause client"]),
        ],
    );
}

/// The same of silence, which goes up as 24 kHz samples in base64: 64 bytes a millisecond.
#[test]
fn r14_silence_that_waits_counts_for_what_it_takes_on_the_wire() {
    for ms in [1, 100, 1_000] {
        let length = Duration::from_millis(ms);
        let weight = UpstreamFrame::Silence { event_id: "vb_1".into(), length }.weight();
        let wire = PCM_24K.bytes_in(length).div_ceil(3) * 4;
        assert!((wire..wire + 256).contains(&weight), "{weight} for {wire} bytes");
    }
}

/// The texts that a response was to say are kept as long as it may turn out to be another, and no longer.
#[test]
fn r07_what_a_response_was_asked_for_is_forgotten_at_the_next_one() {
    let run = check(
        deepgram(),
        [
            at(0, say("One", "queue"), ["up response.create"]),
            at(1, created("resp_1"), []),
            at(2, transcript_done("resp_1", "item_1", "one"), []),
            at(
                3,
                done("resp_1", "completed"),
                [
                    "ignored R4",
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant) \"One\"",
                    "client AgentAudioDone",
                ],
            ),
            at(4, say("Two", "queue"), ["up response.create"]),
            at(5, created("resp_2"), []),
        ],
    );
    let mut turn = run.gate.turn;
    let kept = ["resp_1", "resp_2"].map(|id| {
        let owner = turn.owner(Some(&id.into()), None).expect("it is known");
        turn.get_mut(owner).is_some_and(|response| response.asked.is_some())
    });
    assert_eq!(kept, [false, true]);
}
