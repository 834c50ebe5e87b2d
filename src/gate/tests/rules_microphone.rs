//! R14: the user's audio, and who says that a turn is over.

use std::time::Duration;

use super::{
    scenario::{at, check, component, deepgram, due, manual},
    words::{
        audio_delta, bare_audio_done, client, client_closes, confirmed, created, done, inject, microphone,
        text_done, transcript_delta,
    },
};
use crate::gate::{Effect, Input, LegEnd, UpstreamFrame};

const FORCE: &str = r#"{"type":"ForceEndTurn"}"#;

/// R14: "server or semantic VAD: append only, never commit" and "One client frame is one append".
#[test]
fn r14_with_voice_activity_detection_audio_is_appended_and_never_committed() {
    let mut steps = Vec::new();
    for n in 0..14 {
        steps.push(at(n * 250, microphone(8_000), ["up append 8000"]));
    }
    steps.push(at(60_000, Input::Timeout, []));
    steps.push(at(60_001, client_closes(1000), ["close upstream 1000"]));
    super::scenario::check_all(component(), steps);
}

/// R14: "none if it holds no whole sample": an empty frame is none; whether a single byte completes a
/// sample only the conversion knows.
#[test]
fn r14_an_empty_frame_is_no_append() {
    check(manual(), [at(0, microphone(0), ["ignored R14"])]);
}

/// R14: samples that a frame begins and the next one ends are audio like any other: 1,000 ms are enough.
#[test]
fn r14_samples_that_are_cut_in_two_count() {
    check(
        manual(),
        [
            at(0, microphone(31_997), ["up append 31997"]),
            at(10, microphone(1), ["up append 1"]),
            at(20, microphone(1), ["up append 1"]),
            at(30, microphone(1), ["up append 1"]),
            due(430, ["up commit", "up response.create"]),
        ],
    );
}

/// R14: "Manual: commit and wish 400 ms after the last append … enough is 1,000 ms of audio for the first
/// commit".
#[test]
fn r14_enough_audio_and_then_quiet_is_a_turn() {
    check(
        manual(),
        [
            at(0, microphone(20_000), ["up append 20000"]),
            // 625 ms are not enough for the first commit, however long the quiet.
            at(5_000, microphone(20_000), ["up append 20000"]),
            due(5_400, ["up commit", "up response.create"]),
        ],
    );
}

/// R14: one millisecond decides.
#[test]
fn r14_the_first_commit_needs_a_whole_second() {
    check(manual(), [at(0, microphone(31_998), ["up append"]), at(10_000, Input::Timeout, [])]);
    check(
        manual(),
        [at(0, microphone(32_000), ["up append"]), due(400, ["up commit", "up response.create"])],
    );
}

/// R14: "at the latest 600 ms after enough audio was there".
#[test]
fn r14_audio_without_a_pause_is_committed_600_ms_after_it_was_enough() {
    check(
        manual(),
        [
            at(0, microphone(8_000), ["up append"]),
            at(250, microphone(8_000), ["up append"]),
            at(500, microphone(8_000), ["up append"]),
            at(750, microphone(8_000), ["up append"]),
            at(1_000, microphone(8_000), ["up append"]),
            at(1_250, microphone(8_000), ["up append"]),
            due(1_350, ["up commit", "up response.create"]),
        ],
    );
}

/// R14: "100 ms later".
#[test]
fn r14_later_commits_need_a_tenth_of_a_second() {
    check(
        manual(),
        [
            at(0, microphone(32_000), ["up append"]),
            due(400, ["up commit", "up response.create"]),
            at(500, created("resp_1"), []),
            at(600, done("resp_1", "completed"), []),
            at(700, microphone(3_198), ["up append"]),
            at(2_000, microphone(2), ["up append"]),
            due(2_400, ["up commit", "up response.create"]),
        ],
    );
}

/// R14: "never during a response. After the first commit, what is left when a response ends is padded with
/// silence to 100 ms and committed then."
#[test]
fn r14_what_is_left_when_a_response_ends_is_filled_up_and_committed() {
    check(
        manual(),
        [
            at(0, microphone(40_000), ["up append"]),
            due(400, ["up commit", "up response.create"]),
            at(401, audio_delta(320), ["client AgentStartedSpeaking", "client audio 320"]),
            at(402, bare_audio_done(), ["client AgentDone", "client AgentAudioDone"]),
            at(550, microphone(1_800), ["up append 1800"]),
            at(
                1_300,
                text_done("Hello from mock"),
                ["client ConversationText(assistant)", "up silence 43 ms", "up commit", "up response.create"],
            ),
        ],
    );
}

/// R14: "padded with silence to 100 ms": a sample of which only a part has come does not count, so that upstream
/// gets no less than it takes.
#[test]
fn r14_a_part_of_a_sample_is_not_counted_as_audio() {
    let run = check(
        manual(),
        [
            at(0, microphone(40_000), ["up append"]),
            due(400, ["up commit", "up response.create"]),
            at(401, created("resp_1"), []),
            at(402, microphone(1_601), ["up append 1601"]),
            at(500, done("resp_1", "completed"), ["up silence 50 ms", "up commit", "up response.create"]),
            at(501, created("resp_2"), []),
            // With the byte of before it is a whole number of samples.
            at(502, microphone(1_601), ["up append 1601"]),
            at(600, done("resp_2", "completed"), ["up silence 49 ms", "up commit", "up response.create"]),
        ],
    );
    let silences = run.effects.iter().filter_map(|effect| match effect {
        Effect::ToUpstream(UpstreamFrame::Silence { length, .. }) => Some(length.as_nanos()),
        _ => None,
    });
    assert_eq!(silences.collect::<Vec<_>>(), [50_000_000, 49_937_500]);
}

/// R14: the same without silence if enough is left.
#[test]
fn r14_enough_that_is_left_is_committed_as_it_is() {
    check(
        manual(),
        [
            at(0, microphone(40_000), ["up append"]),
            due(400, ["up commit", "up response.create"]),
            at(500, microphone(9_600), ["up append"]),
            at(501, microphone(9_600), ["up append"]),
            at(
                1_000,
                text_done("Hello from mock"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentDone",
                    "client AgentAudioDone",
                    "up commit",
                    "up response.create",
                ],
            ),
        ],
    );
}

/// R14: before the first commit there is no rest: what is left waits to be enough.
#[test]
fn r14_before_the_first_commit_too_little_stays() {
    check(
        manual(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, created("resp_1"), []),
            at(3, microphone(16_000), ["up append"]),
            at(4, done("resp_1", "completed"), []),
            at(5_000, microphone(16_000), ["up append"]),
            due(5_400, ["up commit", "up response.create"]),
        ],
    );
}

/// R14: what became enough during a response is committed after it, once the quiet is long enough.
#[test]
fn r14_what_became_enough_during_the_first_response_is_committed_after_it() {
    check(
        manual(),
        [
            at(0, inject("Hi"), ["client ConversationText(user)", "client AgentThinking", "up item"]),
            at(1, confirmed(), ["up response.create"]),
            at(2, created("resp_1"), []),
            at(3, microphone(32_000), ["up append"]),
            at(3_000, done("resp_1", "completed"), ["up commit", "up response.create"]),
        ],
    );
}

/// R14: "When the client closes: padded to the threshold in force and committed, **no** `response.create`."
#[test]
fn r14_what_the_client_said_before_it_closed_is_committed() {
    check(
        manual(),
        [
            at(0, microphone(24_000), ["up append"]),
            at(150, client_closes(1000), ["up silence 250 ms", "up commit", "close upstream 1000"]),
        ],
    );
    check(
        manual(),
        [
            at(0, microphone(32_000), ["up append"]),
            due(400, ["up commit", "up response.create"]),
            at(401, created("resp_1"), []),
            at(402, done("resp_1", "completed"), []),
            at(403, microphone(1_600), ["up append"]),
            at(
                404,
                Input::ClientClosed(LegEnd::Vanished),
                ["up silence 50 ms", "up commit", "close upstream 1001"],
            ),
        ],
    );
    check(manual(), [at(0, client_closes(1000), ["close upstream 1000"])]);
}

/// R14: "never during a response", the client's end included.
#[test]
fn r14_a_client_that_closes_during_a_response_commits_nothing() {
    check(
        manual(),
        [
            at(0, created("resp_1"), []),
            at(1, microphone(24_000), ["up append"]),
            at(2, client_closes(1000), ["ignored R14", "close upstream 1000"]),
        ],
    );
}

/// R14: "`ForceEndTurn` in manual mode: pad to 100 ms, commit, wish at once; otherwise Warning
/// `FORCE_END_TURN_UNSUPPORTED`."
#[test]
fn r14_force_end_turn_ends_the_turn_in_manual_mode_alone() {
    check(
        manual(),
        [
            at(0, microphone(640), ["up append"]),
            at(1, client(FORCE), ["up silence 80 ms", "up commit", "up response.create"]),
            at(2, created("resp_1"), []),
            at(3, done("resp_1", "completed"), []),
            at(4, microphone(6_400), ["up append"]),
            at(5, client(FORCE), ["up commit", "up response.create"]),
        ],
    );
    check(deepgram(), [at(0, client(FORCE), ["client Warning(FORCE_END_TURN_UNSUPPORTED)"])]);
}

/// R14 in figures: amounts are counted in the client's own format.
#[test]
fn r14_enough_is_counted_in_time_not_in_bytes() {
    use super::{scenario::fresh, words::session_updated};
    let settings = client(
        r#"{"type":"Settings","audio":{"input":{"encoding":"mulaw","sample_rate":8000}},
            "agent":{"useOpenAIManualAudioCommit":true}}"#,
    );
    check(
        fresh().backend(|backend| backend.connect_timeout = Duration::from_secs(1)),
        [
            at(0, Input::ClientConnected, ["dial", "client Welcome"]),
            at(1, Input::UpstreamOpened, []),
            at(2, settings, ["up session.update"]),
            at(3, session_updated(), ["use audio", "client SettingsApplied"]),
            at(10, microphone(7_999), ["up append"]),
            at(1_000, microphone(1), ["up append"]),
            due(1_400, ["up commit", "up response.create"]),
        ],
    );
}

/// R14: "never during a response", whatever else happens meanwhile.
#[test]
fn r14_an_event_of_the_response_commits_nothing() {
    check(
        manual(),
        [
            at(0, created("resp_1"), []),
            at(1, microphone(40_000), ["up append"]),
            at(1_000, transcript_delta("resp_1", "item_1", "Hel"), []),
            at(
                1_001,
                done("resp_1", "completed"),
                [
                    "client AgentStartedSpeaking",
                    "client ConversationText(assistant)",
                    "client AgentDone",
                    "client AgentAudioDone",
                    "up commit",
                    "up response.create",
                ],
            ),
        ],
    );
}

/// R14: "what is left when a response ends" is committed when no other response runs.
#[test]
fn r14_the_end_of_one_of_two_responses_commits_nothing() {
    check(
        manual(),
        [
            at(0, microphone(32_000), ["up append"]),
            due(400, ["up commit", "up response.create"]),
            at(500, created("resp_1"), []),
            at(501, created("resp_2"), []),
            at(502, microphone(1_600), ["up append"]),
            at(503, done("resp_1", "completed"), []),
            at(504, done("resp_2", "completed"), ["up silence 50 ms", "up commit", "up response.create"]),
        ],
    );
}

/// R14: with voice activity detection the end of the client has nothing to do with what was said.
#[test]
fn r14_with_voice_activity_detection_a_client_that_closes_commits_nothing() {
    check(
        deepgram(),
        [
            at(0, microphone(1_600), ["up append"]),
            at(1, created("resp_1"), []),
            at(2, client_closes(1000), ["close upstream 1000"]),
        ],
    );
}
