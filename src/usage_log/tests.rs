//! The usage log with its thread, in front of files that can be written and such that cannot.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use super::*;

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("the file is there");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line has no end");
    text.lines().map(str::to_owned).collect()
}

/// So many lines of a kibibyte each.
fn offer(log: &UsageLog, count: usize) {
    (0..count).for_each(|n| log.write(format!("{n:>1024}")));
}

fn numbers(lines: &[String]) -> Vec<usize> {
    lines.iter().map(|line| line.trim().parse().expect("a number")).collect()
}

#[test]
fn whatever_was_offered_is_written_when_it_has_finished() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("usage");
    let log = UsageLog::start(Some(path.clone()));
    assert!(log.is_on());
    offer(&log, 2_000);
    log.finish();
    assert_eq!(numbers(&lines(&path)), (0..2_000).collect::<Vec<_>>());
    // It is over.
    assert!(!log.is_on());
    offer(&log, 1);
    log.finish();
    assert_eq!(lines(&path).len(), 2_000);
}

#[test]
fn without_a_file_nothing_is_written_and_nothing_waits() {
    let log = UsageLog::start(None);
    assert!(!log.is_on());
    offer(&log, 10_000);
    log.finish();
}

#[test]
fn another_file_takes_over_and_off_is_off_behind_what_was_offered() {
    let directory = tempfile::tempdir().expect("a directory");
    let [first, second] = ["1", "2"].map(|name| directory.path().join(name));
    let log = UsageLog::start(None);
    log.write_to(Some(first.clone()));
    offer(&log, 10);
    log.write_to(None);
    assert!(!log.is_on());
    offer(&log, 10);
    log.write_to(Some(second.clone()));
    offer(&log, 5);
    log.finish();
    let written = [&first, &second].map(|path| if path.exists() { lines(path).len() } else { 0 });
    assert_eq!((written[0] + written[1], written[1] >= 5), (15, true), "{written:?}");
}

#[test]
fn what_a_full_disk_does_not_take_waits_up_to_a_bound_and_what_was_lost_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("usage");
    let log = UsageLog::start(Some("/dev/full".into()));
    const OFFERED: usize = 5_000;
    const KEPT: usize = queue::MOST_BYTES / 1024;
    offer(&log, OFFERED);
    // It has room again, somewhere else.
    log.write_to(Some(path.clone()));
    log.finish();
    let (told, kept): (Vec<_>, Vec<_>) = lines(&path).into_iter().partition(|line| line.starts_with('{'));
    assert_eq!(numbers(&kept), (0..KEPT).collect::<Vec<_>>());
    let told: Vec<Value> = told.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["kind"], &told[0]["lines"]), (&"lost".into(), &(OFFERED - KEPT).into()));
}

#[test]
fn a_disk_that_stays_full_holds_the_end_up_for_no_time_at_all() {
    let log = UsageLog::start(Some("/dev/full".into()));
    offer(&log, 100);
    assert_eq!(log.0.finish(Duration::from_secs(60)), 100);
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_neither_a_worker_nor_for_ever_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("usage");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo is there").success());
    let log = UsageLog::start(Some(path.clone()));
    offer(&log, 10_000);
    assert_eq!(log.0.finish(Duration::from_millis(10)), 10_000);
    // What it did not wait for any more comes to no harm: here is a reader.
    _ = fs::File::open(&path).expect("it can be read");
}

#[test]
fn a_file_is_opened_anew_when_somebody_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("usage");
    let log = UsageLog::start(Some(path.clone()));
    log.write("one".to_owned());
    log.reopen();
    // The file that was moved away is let go of even though nothing is written.
    while lines_or_none(&path) != ["one"] {
        thread::yield_now();
    }
    fs::write(&path, "one\ntw").expect("it can be written");
    log.reopen();
    log.write("three".to_owned());
    log.finish();
    assert_eq!(lines(&path), ["one", "tw", "three"]);
}

fn lines_or_none(path: &Path) -> Vec<String> {
    if path.exists() {
        fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
    } else {
        Vec::new()
    }
}
