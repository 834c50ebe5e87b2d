//! `voxbridge replay` as a program: its status, and what it prints. Must not know how a recording is replayed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

const README: &str = include_str!("../README.md");

const BARGE_IN: &str = "barge_in_while_the_end_of_the_answer_is_on_its_way.jsonl";

fn in_the_tree(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(name)
}

/// The status, and what went to the standard output and to that for errors.
fn replay(arguments: &[&str], file: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_voxbridge"))
        .arg("replay")
        .args(arguments)
        .arg(file)
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn recorded_races_come_out_the_same() {
    let recordings = fs::read_dir(in_the_tree("")).expect("the recordings are there");
    let mut count = 0;
    for recording in recordings {
        let file = recording.expect("a file").path();
        let steps = fs::read_to_string(&file).expect("text").lines().count() - 2;
        let (status, out, errors) = replay(&[], &file);
        assert_eq!((status, errors), (Some(0), String::new()), "{out}");
        assert!(out.starts_with(&format!("{}: same outcome: {steps} steps, ", file.display())), "{out}");
        assert_eq!(out.lines().count(), 1, "{out}");
        count += 1;
    }
    assert!(count > 3);
}

#[test]
fn one_that_was_tampered_with_is_a_difference_at_that_step() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("tampered.jsonl");
    let recording = fs::read_to_string(in_the_tree(BARGE_IN)).expect("text");
    let tampered = recording.replacen(r#""audio_end_ms":300"#, r#""audio_end_ms":299"#, 1);
    let line = 1 + tampered.lines().zip(recording.lines()).position(|(a, b)| a != b).expect("it is another");
    fs::write(&file, tampered).expect("it can be written");
    for arguments in [&[][..], &["--steps"]] {
        let (status, out, errors) = replay(arguments, &file);
        assert_eq!((status, errors), (Some(1), String::new()), "{out}");
        let first =
            format!("tampered.jsonl: step {} (line {line}) differs, 400.0 ms after the beginning", line - 1);
        assert!(out.contains(&first), "{first}\n{out}");
        let marked: Vec<_> = out.lines().filter(|line| line.contains("audio_end_ms")).collect();
        let [old, new] = marked[..] else { panic!("{out}") };
        assert!(old.starts_with("  - ") && old.contains("299"), "{old}");
        assert!(new.starts_with("  + ") && new.contains("300"), "{new}");
        assert_eq!(
            out.contains("(connected)"),
            !arguments.is_empty(),
            "the diagram begins at the beginning: {out}"
        );
    }
}

#[test]
fn the_diagram_has_a_lane_for_each_side() {
    let (status, out, _) = replay(&["--steps"], &in_the_tree(BARGE_IN));
    assert_eq!(status, Some(0));
    for part in [
        "|- Settings -",
        "|- session.update -",
        "|< UserStartedSpeaking -",
        "| ignored by R13",
        "same outcome",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
}

#[test]
fn the_diagram_in_the_readme_is_what_is_printed() {
    let (_, out, _) = replay(&["--steps"], &in_the_tree("an_inject_during_a_response.jsonl"));
    let directory = format!("{}/", in_the_tree("").to_str().expect("a path").trim_end_matches('/'));
    let printed = out.replace(&directory, "");
    assert!(README.contains(&format!("```text\n{printed}```\n")), "{printed}");
}

#[test]
fn what_cannot_be_replayed_has_a_status_of_its_own() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("broken.jsonl");
    let recording = fs::read_to_string(in_the_tree(BARGE_IN)).expect("text");
    for (text, expected) in [
        ("no recording".to_owned(), "line 1: not a recording of voxbridge"),
        (recording.replacen("\"n\":5", "\"n\":7", 1), "line 6: step 7 where step 5 should be"),
        (
            recording.replacen("\"voxbridge_recording\":1", "\"voxbridge_recording\":2", 1),
            "line 1: version 2 of the format",
        ),
    ] {
        fs::write(&file, text).expect("it can be written");
        let (status, _, errors) = replay(&[], &file);
        assert_eq!(status, Some(2), "{errors}");
        assert!(errors.contains(&format!("broken.jsonl: {expected}")), "{errors}");
    }
    let (status, _, errors) = replay(&[], &directory.path().join("none.jsonl"));
    assert_eq!(status, Some(2));
    assert!(errors.contains("none.jsonl: No such file"), "{errors}");
    fs::write(&file, &recording[..recording.len() - 30]).expect("it can be written");
    let (status, out, _) = replay(&[], &file);
    let lines = recording.lines().count();
    assert_eq!(status, Some(0), "what is there comes out the same");
    assert!(out.contains(&format!("; the recording breaks off in line {}", lines - 1)), "{out}");
}
