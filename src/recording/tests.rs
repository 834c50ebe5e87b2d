//! Recordings as files: what is read of them, whatever they are, and that those in `tests/recordings` catch a gate that
//! has lost a guard. They are scenarios of the gate's tests, of which each has the name; see `tape.rs` for how they are
//! made.

use std::{path::PathBuf, process::Command, time::Duration};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    gate::{ClientFrame, Effect, Input, Leg, Phase, Rule, UpstreamFrame},
    protocol::realtime::{AudioDelta, ServerEvent},
};

const README: &str = include_str!("../../README.md");

const BARGE_IN: &str =
    include_str!("../../tests/recordings/barge_in_while_the_end_of_the_answer_is_on_its_way.jsonl");
const PASSED_THROUGH: &str =
    include_str!("../../tests/recordings/a_call_with_a_route_is_run_answered_upstream_and_told.jsonl");

fn summary(recording: &str) -> Summary {
    match replay(recording.as_bytes(), |_| ()) {
        Ok(Outcome::Same(summary)) => summary,
        other => panic!("{other:?}"),
    }
}

fn error(recording: &[u8]) -> String {
    replay(recording, |_| ()).expect_err("it is no recording").to_string()
}

/// The recording with another line `n`, counted from 1.
fn with_line(n: usize, line: &str) -> String {
    let lines = BARGE_IN.lines().enumerate().map(|(at, old)| if at + 1 == n { line } else { old });
    lines.map(|line| format!("{line}\n")).collect()
}

fn line(n: usize) -> &'static str {
    BARGE_IN.lines().nth(n - 1).expect("the recording has so many lines")
}

fn in_the_tree() -> Vec<PathBuf> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings");
    let entries = std::fs::read_dir(directory).expect("the recordings are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn the_recordings_in_the_tree_replay() {
    let files = in_the_tree();
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let recording = std::fs::read(&file).expect("it can be read");
        match replay(&*recording, |_| ()) {
            Ok(Outcome::Same(summary)) => assert_eq!(summary.end, Some(End::Finished), "{file:?}"),
            Ok(Outcome::Differs(difference)) => panic!("{file:?}: {difference}"),
            Err(error) => panic!("{file:?}: {error}"),
        }
    }
}

/// The same with a gate that has lost the guards of a rule, which only another process can be told.
fn replayed_without(rule: &str) -> String {
    let tests = std::env::current_exe().expect("the tests run");
    let output = Command::new(tests)
        .args(["--exact", "recording::tests::the_recordings_in_the_tree_replay"])
        .env("VOXBRIDGE_RULE_OFF", rule)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the tests run");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("running 1 test"), "{said}");
    assert_eq!(output.status.success(), said.contains("test result: ok"), "{said}");
    said
}

#[test]
fn a_recording_that_is_whole_says_how_it_ended() {
    let whole = summary(BARGE_IN);
    assert_eq!(
        (whole.steps, whole.end, whole.torn),
        (BARGE_IN.lines().count() as u64 - 2, Some(End::Finished), None)
    );
    let relayed = summary(PASSED_THROUGH);
    assert_eq!(
        (relayed.steps, relayed.end),
        (PASSED_THROUGH.lines().count() as u64 - 2, Some(End::Finished))
    );
    for (word, end) in [("cap", End::Cap), ("dropped", End::Dropped), ("failed", End::Failed)] {
        let other = BARGE_IN.replace(r#"{"end":"finished"}"#, &format!(r#"{{"end":"{word}"}}"#));
        assert_eq!(summary(&other).end, Some(end));
    }
    let noted = with_line(3, &format!("{{\"note\":\"for whoever reads it\"}}\n{}", line(3)));
    assert_eq!(summary(&noted).steps, whole.steps);
}

#[test]
fn one_that_was_cut_off_replays_as_far_as_it_goes() {
    for end in 0..BARGE_IN.len() {
        let part = &BARGE_IN[..end];
        if !part.contains('\n') {
            continue;
        }
        let (summary, whole) = (summary(part), part.lines().filter(|line| line.ends_with('}')).count());
        let last = part.lines().last().expect("a line");
        let is_torn = serde_json::from_str::<serde_json::Value>(last).is_err();
        assert_eq!(summary.torn, is_torn.then(|| part.lines().count()), "{last}");
        assert!(summary.steps <= whole as u64);
        let is_over = BARGE_IN.len() - end <= 1;
        assert_eq!(summary.end.is_some(), is_over, "{last}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let step = |n: usize, t_ns: u64, input: &str| format!(r#"{{"n":{n},"t_ns":{t_ns},"in":{input}}}"#);
    for (file, expected) in [
        (String::new(), "line 1: the file is empty"),
        ("\n".to_owned(), "line 1: not a recording of voxbridge"),
        ("no recording".to_owned(), "line 1: not a recording of voxbridge"),
        (with_line(1, r#"{"voxbridge_recording":9}"#), "line 1: version 9 of the format is not known here"),
        (with_line(3, ""), "line 3: EOF while parsing"),
        (with_line(3, "{}"), "line 3: missing field `n`"),
        (with_line(3, line(4)), "line 3: step 3 where step 2 should be"),
        (with_line(3, &step(2, u64::MAX, "\"timeout\"")), "line 3: step 2 at 18446744073709551615 ns"),
        (with_line(3, &step(2, 0, "\"sleep\"")), "line 3: unknown variant `sleep`"),
        (
            with_line(3, &step(2, 0, r#"{"client":{"type":1}}"#)),
            "line 3: the client's message: not an object",
        ),
        (
            with_line(3, &step(2, 0, r#"{"client":{"type":"InjectUserMessage"}}"#)),
            "line 3: the client's message: InjectUserMessage: .: missing field `content`",
        ),
        (
            with_line(3, &step(2, 0, r#"{"upstream":{"type":"error","error":1}}"#)),
            "line 3: upstream's event: error: error: invalid type: integer `1`",
        ),
        (
            with_line(3, &step(2, 0, r#"{"client_audio":1073741825}"#)),
            "line 3: 1073741825 bytes of audio are more than 1073741824",
        ),
        (
            with_line(3, &step(2, 0, r#"{"delivered":{"leg":"client","bytes":7}}"#)),
            "line 3: 7 bytes are delivered that are no whole frames",
        ),
        (
            with_line(3, &step(2, 0, r#"{"client_frame":{"op":"text","fin":true,"text":""}}"#)),
            "line 3: a frame where messages are translated",
        ),
        (
            PASSED_THROUGH.replacen(r#""in":"upstream_opened""#, r#""in":{"client_audio":1}"#, 1),
            "line 3: a message where frames are passed through",
        ),
        (
            with_line(3, &format!("{},\"out\":{{}}}}", step(2, 0, "\"timeout\"").trim_end_matches('}'))),
            "line 3: out: ",
        ),
        (format!("{BARGE_IN}{}", line(2)), "something stands behind the end"),
    ] {
        let error = error(file.as_bytes());
        assert!(error.contains(expected), "{error}, not {expected}");
    }
    assert_eq!(error(b"\xff\n"), "line 1: not UTF-8");
    let frames = [
        (r#"{"op":"text","fin":true}"#, "a frame has one of"),
        (r#"{"op":"text","fin":true,"bytes":1}"#, "a frame has one of"),
        (r#"{"op":"text","fin":true,"text":"","base64":""}"#, "a frame has one of"),
        (r#"{"op":"text","fin":true,"base64":"?"}"#, "not base64"),
    ];
    for (frame, expected) in frames {
        let input = format!(r#""in":{{"client_frame":{frame}}}"#);
        let error = error(PASSED_THROUGH.replacen(r#""in":"upstream_opened""#, &input, 1).as_bytes());
        assert!(error.contains(expected), "{error}, not {expected}");
    }
}

#[test]
fn a_difference_is_told_with_what_came_before() {
    let applied = r#"{"to_client":{"type":"SettingsApplied"}}"#;
    let other = BARGE_IN.replacen(applied, r#"{"held":"R2"}"#, 1);
    let Ok(Outcome::Differs(difference)) = replay(other.as_bytes(), |_| ()) else { panic!("it differs") };
    assert!(difference.recorded.contains(&r#"{"held":"R2"}"#.to_owned()));
    let told = difference.to_string();
    let lines: Vec<&str> = told.lines().collect();
    let has = |line: &str| assert!(lines.contains(&line), "{line}:\n{told}");
    has(r#"  - {"held":"R2"}"#);
    has(r#"  + {"to_client":{"type":"SettingsApplied"}}"#);
    assert!(
        lines[0].contains(&format!("step {} (line {})", difference.step.n, difference.step.n + 1)),
        "{told}"
    );
    assert!(told.contains("|- Settings -"), "{told}");
}

#[test]
fn a_ladder_shows_who_said_what_to_whom() {
    let mut ladder = Ladder::default();
    let mut text = Ladder::heading();
    replay(BARGE_IN.as_bytes(), |step| text.push_str(&ladder.step(step))).expect("a recording");
    text.push_str(&ladder.end());
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    for part in [
        "|- Settings ---",
        "|- session.update ---",
        "< session.updated ---",
        "|< SettingsApplied ---",
        "ignored by R13",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn audio_is_one_rung_until_something_is_said() {
    let step = |n: u64, input, effects| Step {
        n,
        at: Duration::from_millis(20 * n),
        input,
        effects,
        before: Phase::Active,
        after: Phase::Active,
    };
    let audio = || Bytes::from_static(&[0; 640]);
    let append = || Effect::ToUpstream(UpstreamFrame::Audio { event_id: "e".into(), audio: audio() });
    let delta = |bytes: &'static [u8]| {
        let delta = AudioDelta { delta: Bytes::from_static(bytes), ..AudioDelta::default() };
        Input::Upstream(ServerEvent::OutputAudioDelta(delta))
    };
    let (mut ladder, mut text) = (Ladder::default(), String::new());
    for n in 0..48 {
        text += &ladder.step(&step(n, Input::ClientAudio(audio()), vec![append()]));
        text += &ladder.step(&step(n, Input::Delivered { leg: Leg::Upstream, bytes: 1_408 }, vec![]));
        let down = Effect::ToClient(ClientFrame::Audio(Bytes::from_static(&[0; 480])));
        text += &ladder.step(&step(n, delta(&[0; 480]), vec![down]));
    }
    assert_eq!(text, "", "it goes on");
    text +=
        &ladder.step(&step(48, Input::ClientAudio(audio()), vec![Effect::Held(Rule::InputWaitsForSession)]));
    text +=
        &ladder.step(&step(49, Input::ClientAudio(audio()), vec![Effect::Held(Rule::InputWaitsForSession)]));
    text += &ladder.step(&step(50, Input::Drain, vec![]));
    let text: Vec<&str> = text.lines().map(|line| line.trim_end_matches('|').trim_end()).collect();
    let expected = [
        "       0.0  |- audio x 48, 640 bytes each, 0.96 s ------------>|- audio x 48 ------------------------------------>",
        "       0.0  |< audio x 48 -------------------------------------|< audio x 48, 480 bytes each, 0.48 s -------------",
        "     960.0  |- audio x 2, 640 bytes each, 0.04 s ------------->|",
        "            |                                                  | held by R2, 2 times",
        "    1000.0  |                                                  | the program drains",
    ];
    assert_eq!(text, expected);
}

proptest! {
    /// A byte more, less or other, anywhere, or a few.
    #[test]
    fn no_bytes_panic(
        wounds in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4),
        which in any::<bool>(),
    ) {
        let mut bytes = if which { BARGE_IN } else { PASSED_THROUGH }.as_bytes().to_vec();
        for (at, byte, how) in wounds {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                // Another digit leaves more as it was.
                1 => bytes[at] = b'0' + byte % 10,
                2 => bytes.insert(at, byte),
                _ => _ = bytes.remove(at),
            }
        }
        let mut ladder = Ladder::default();
        match replay(&*bytes, |step| _ = ladder.step(step)) {
            Ok(outcome) => prop_assert!(!outcome.to_string().is_empty()),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn a_gate_that_has_lost_a_guard_is_caught() {
    for (rule, recording, step) in [
        ("R2", "session_update_refused", 6),
        ("R5", "two_quick_injects_confirmed_in_reverse_order", 14),
        ("R6", "an_inject_during_a_response", 17),
        ("R8", "an_inject_during_a_response", 23),
        ("R11", "an_inject_during_a_response", 22),
        ("R12", "barge_in_while_the_end_of_the_answer_is_on_its_way", 24),
        ("R13", "barge_in_while_the_end_of_the_answer_is_on_its_way", 21),
        ("R15", "barge_in_while_the_end_of_the_answer_is_on_its_way", 23),
    ] {
        let said = replayed_without(rule);
        let expected = format!("{recording}.jsonl\": step {step} (line {}) differs", step + 1);
        assert!(said.contains(&expected), "{rule}: {expected}\n{said}");
        if rule == "R6" {
            let (_, differs) = said.split_once(".jsonl\": ").expect("it says where");
            let differs = differs.split("\n\nnote:").next().unwrap_or_default().trim_end();
            let told = format!("```text\n{recording}.jsonl: {differs}\n```\n");
            assert!(README.contains(&told), "the README has another one than this:\n{told}");
        }
    }
}
