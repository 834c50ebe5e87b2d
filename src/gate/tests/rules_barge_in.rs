//! R13 with `barge_in = false`: "no cancel, no truncate, no UserStartedSpeaking while the agent speaks".

use super::{
    scenario::{Scenario, at, check, deepgram, due},
    words::{audio, created, done, microphone, speech_started, speech_stopped},
};

fn uninterrupted() -> Scenario {
    deepgram().backend(|backend| backend.barge_in = false)
}

#[test]
fn r13_without_barge_in_the_agent_speaks_on() {
    check(
        uninterrupted(),
        [
            at(0, created("resp_1"), []),
            at(1, audio("resp_1", "item_1", 48_000), ["client AgentStartedSpeaking", "client audio"]),
            at(100, speech_started(), ["ignored R13"]),
            at(200, microphone(320), ["up append"]),
            at(300, audio("resp_1", "item_1", 48_000), ["client audio"]),
            at(400, done("resp_1", "completed"), ["client AgentAudioDone"]),
            at(500, speech_stopped(), []),
            // All has been sent, and it plays for 2 s from the first frame.
            at(1_900, speech_started(), ["ignored R13"]),
        ],
    );
}

/// The agent speaks on after a pause, too: all of its answer so far has been played, and more is to come.
#[test]
fn r13_without_barge_in_a_pause_of_the_agents_is_not_its_end() {
    check(
        uninterrupted(),
        [
            at(0, created("resp_1"), []),
            at(1, audio("resp_1", "item_1", 4_800), ["client AgentStartedSpeaking", "client audio"]),
            at(1_000, speech_started(), ["ignored R13"]),
            at(1_100, audio("resp_1", "item_1", 4_800), ["client audio"]),
        ],
    );
}

/// In silence the user's speech is told as ever.
#[test]
fn r13_without_barge_in_speech_in_silence_is_told() {
    check(
        uninterrupted(),
        [
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(100, speech_stopped(), []),
            at(200, created("resp_1"), []),
            // Nothing of it has been heard yet; it is not cancelled all the same.
            at(300, speech_started(), ["client UserStartedSpeaking"]),
            at(400, audio("resp_1", "item_1", 4_800), ["client AgentStartedSpeaking", "client audio"]),
            at(500, done("resp_1", "completed"), ["client AgentAudioDone"]),
        ],
    );
}

/// R6: what was said meanwhile is answered, though upstream could begin no answer to it: once, and by upstream
/// itself if it does so within a second.
#[test]
fn r13_what_was_said_meanwhile_is_answered_once() {
    let spoken_over = || {
        uninterrupted().upto(created("resp_1")).upto(audio("resp_1", "item_1", 4_800)).upto(speech_started())
    };
    check(
        spoken_over(),
        [
            at(100, speech_stopped(), ["held R6"]),
            at(2_000, done("resp_1", "completed"), ["client AgentAudioDone", "up response.create"]),
        ],
    );
    check(
        spoken_over(),
        [
            at(100, speech_stopped(), ["held R6"]),
            at(500, done("resp_1", "completed"), ["client AgentAudioDone"]),
            at(600, created("resp_own"), []),
            at(700, done("resp_own", "completed"), []),
        ],
    );
    check(
        spoken_over(),
        [
            at(100, speech_stopped(), ["held R6"]),
            at(500, done("resp_1", "completed"), ["client AgentAudioDone"]),
            due(1_100, ["up response.create"]),
        ],
    );
}
