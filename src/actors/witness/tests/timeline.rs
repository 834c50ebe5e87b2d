//! The times in the golden logs against the delays of the world that they are of.

use std::time::Duration;

use serde_json::Value;

use super::{
    barge_in, ms, typed_turn, upstream_fails,
    world::{CONFIRMED, DIAL, DOWN, FRAME, FUNCTION, RESPONSE, UP, UPDATED},
};
use crate::logging::Captured;

/// How far off a time may be.
const BOUND: Duration = Duration::from_millis(2);

/// What a log says of when something happened.
struct Timeline(Vec<(f64, Value)>);

impl Timeline {
    fn read(lines: &[Captured]) -> Self {
        let lines = lines.iter().map(|line| serde_json::from_str(&line.json).expect("a line is JSON"));
        let steps = lines.filter_map(|line: Value| Some((line["t_ms"].as_f64()?, line)));
        Self(steps.collect())
    }

    fn find(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Vec<f64> {
        let times: Vec<_> = self.0.iter().filter(|(_, line)| is_it(line)).map(|(at, _)| *at).collect();
        assert!(!times.is_empty(), "{what} is not in the log");
        times
    }

    /// The steps whose input was of this type.
    fn came(&self, kind: &str) -> Vec<f64> {
        self.find(kind, |line| line["type"] == kind)
    }

    /// The steps that had an effect which begins so.
    fn went(&self, effect: &str) -> Vec<f64> {
        let is_it = |text: &str| text.starts_with(effect);
        self.find(effect, |line| {
            line["effects"].as_array().into_iter().flatten().any(|effect| effect.as_str().is_some_and(is_it))
        })
    }
}

/// The pairs of times are so far apart, each.
#[track_caller]
fn assert_apart(from: &[f64], to: &[f64], delay: Duration) {
    assert_eq!(from.len(), to.len(), "{from:?} {to:?}");
    for (from, to) in from.iter().zip(to) {
        let error = (to - from - delay.as_secs_f64() * 1e3).abs();
        assert!(error < BOUND.as_secs_f64() * 1e3, "{from} to {to} ms, expected {delay:?}");
    }
}

#[test]
fn a_typed_turn_takes_what_its_delays_come_to() {
    let log = Timeline::read(&typed_turn());
    assert_apart(&[0.0], &log.came("(connected)"), Duration::ZERO);
    assert_apart(&[0.0], &log.came("(opened)"), DIAL);
    assert_apart(&[0.0], &log.came("Settings"), ms(5));
    assert_apart(&log.went(">upstream=session.update"), &log.came("session.updated"), UP + UPDATED + DOWN);
    let created = log.went(">upstream=conversation.item.create");
    assert_eq!(created.len(), 2, "the user's and the function's");
    let added = log.came("conversation.item.added");
    assert_eq!(added.len(), 4, "the model's call and its answer are items too");
    assert_apart(&created, &[added[0], added[2]], UP + CONFIRMED + DOWN);
    let asked = log.went(">upstream=response.create");
    assert_eq!(asked.len(), 2, "one calls, one speaks");
    assert_apart(&asked, &log.came("response.created"), UP + RESPONSE + DOWN);
    assert_apart(&log.went("run=call_"), &log.came("(finished)"), FUNCTION);
    assert_apart(&[0.0], &log.came("(closed)")[..1], ms(1_500));
}

#[test]
fn a_barge_in_takes_what_its_delays_come_to() {
    let log = Timeline::read(&barge_in());
    // What the simulator hears after three loud frames, and after 200 ms of silence.
    let started = [ms(200) + 3 * FRAME, ms(1_400) + 3 * FRAME].map(|at| at.as_secs_f64() * 1e3);
    let stopped = [ms(200 + 600 + 200), ms(1_400 + 400 + 200)].map(|at| at.as_secs_f64() * 1e3);
    assert_apart(&started, &log.came("input_audio_buffer.speech_started"), UP + DOWN);
    assert_apart(&stopped, &log.came("input_audio_buffer.speech_stopped"), UP + DOWN);
    assert_eq!(log.came("input_audio_buffer.speech_started"), log.went(">client=UserStartedSpeaking"));
    assert_apart(&stopped, &log.came("response.created"), UP + RESPONSE + DOWN);
    let truncated = log.went(">upstream=conversation.item.truncate");
    assert_apart(&truncated, &log.came("conversation.item.truncated"), UP + DOWN);
    assert_eq!(truncated, log.came("input_audio_buffer.speech_started")[1..], "at once");
}

#[test]
fn what_upstream_says_last_is_followed_by_the_end_at_once() {
    let lines = upstream_fails();
    let log = Timeline::read(&lines);
    let end = lines.iter().rev().find(|line| line.text.contains(" session ended ")).expect("an end");
    let end: Value = serde_json::from_str(&end.json).expect("a line is JSON");
    let lived = Duration::from_secs_f64(end["duration_s"].as_f64().expect("a number")).as_secs_f64() * 1e3;
    // The close frame to the client and its answer.
    assert_apart(&log.came("(closed)")[..1], &[lived], DOWN);
}

/// The head of each line has the same time as `t_ms`.
#[test]
fn the_time_of_day_and_the_time_of_the_connection_go_together() {
    let log = Timeline::read(&barge_in());
    let of_day = |line: &Value| {
        let time: jiff::Timestamp = line["time"].as_str().and_then(|text| text.parse().ok()).expect("a time");
        time.as_microsecond() as f64 / 1e3
    };
    let began = of_day(&log.0[0].1);
    for (at, line) in &log.0 {
        assert!((of_day(line) - began - at).abs() < 0.002, "{line}");
    }
}
