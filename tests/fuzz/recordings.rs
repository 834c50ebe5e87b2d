//! Recordings that nobody has written: whatever stands in the file, it replays, differs or is refused.

use voxbridge::recording::{Ladder, replay};

use crate::bytes::damaged;
use crate::json::Corpus;
use crate::messages::{CLIENT, SERVER};
use crate::random::Random;
use crate::runner::{Fuzzer, say, within};

const TRANSLATED: &str =
    include_str!("../recordings/barge_in_while_the_end_of_the_answer_is_on_its_way.jsonl");
const CALLS: &str = include_str!("../recordings/parallel_calls_answered_in_any_order.jsonl");
const PASSED_THROUGH: &str =
    include_str!("../recordings/a_call_with_a_route_is_run_answered_upstream_and_told.jsonl");

/// What a replay may take, bytes: a recording of 64 KiB and what a gate makes of it.
const MOST: usize = 16 * 1024 * 1024;

/// A line that was never there: the step of this number with any message, or the line itself.
fn line(random: &mut Random, corpus: &Corpus, n: usize, old: &str) -> String {
    let message = corpus.text(random);
    let step = |input: String| format!(r#"{{"n":{n},"t_ns":{},"in":{input}}}"#, 1_000_000_000 * n as u64);
    match random.below(12) {
        0 => step(format!(r#"{{"client":{message}}}"#)),
        1 => step(format!(r#"{{"upstream":{message}}}"#)),
        2 => step(format!(r#"{{"client_frame":{{"op":"text","fin":true,"text":{message:?}}}}}"#)),
        3 => step(format!(r#"{{"client_audio":{}}}"#, random.below(100_000))),
        4 => step("\"overload\"".to_owned()),
        _ => old.to_owned(),
    }
}

#[test]
fn recordings() {
    let fuzzer = Fuzzer::new("recordings");
    let recordings = [TRANSLATED, CALLS, PASSED_THROUGH];
    let lines: Vec<&str> = recordings.iter().flat_map(|recording| recording.lines()).collect();
    let corpus = Corpus::of_lines(&[&CLIENT[..], &SERVER[..]].concat());
    let (mut refused, mut differ) = (0, 0);
    fuzzer.run(2_000, |random| {
        let recording = *random.pick(&recordings);
        let mut file: Vec<u8> = Vec::new();
        let touched = random.below(recording.lines().count());
        for (n, old) in recording.lines().enumerate() {
            let new = if n == touched && n > 0 { line(random, &corpus, n, old) } else { old.to_owned() };
            file.extend_from_slice(new.as_bytes());
            file.push(b'\n');
        }
        if random.one_in(2) {
            file = damaged(random, &file, &lines);
        }
        let mut ladder = Ladder::default();
        let outcome = within(MOST, || replay(&*file, |step| _ = ladder.step(step)));
        match outcome.map(|outcome| outcome.to_string()) {
            Ok(told) if told.starts_with("same") => (),
            Ok(_) => differ += 1,
            Err(_) => refused += 1,
        }
    });
    say(&format!("fuzz recordings: {refused} were refused, {differ} differ"));
}
