//! A connection as a ladder of text: a column for the time, a line for the client, the gate and upstream each, and arrows
//! between them. What comes in numbers, audio above all, is one rung. Decides nothing and opens no file.

use std::{fmt::Write as _, time::Duration};

use super::{
    replay::Step,
    words::{Said, Words},
};
use crate::gate::{Effect, Input, Leg};

/// The ladder, drawn step by step. A run of audio appears when it is over, or at the end.
#[derive(Default)]
pub struct Ladder {
    words: Words,
    /// Audio that goes on, from the client and from upstream.
    runs: [Option<Run>; 2],
}

/// Frames of audio that follow each other, with nothing between them but audio of the other side and what only counts.
struct Run {
    begun: Duration,
    last: Duration,
    frames: usize,
    bytes: usize,
    /// That of each, if they are all of one size.
    size: Option<usize>,
    /// How long it plays, if its format is known.
    plays: Option<Duration>,
    passed_on: usize,
    note: Option<String>,
}

impl Ladder {
    /// The heading.
    pub fn heading() -> String {
        let mut text = format!("{:>TIME$}  client{:>WIDTH$}{:>WIDTH$}\n", "ms", "gate", "upstream");
        text.push_str(&rung(None, "", &bars("")));
        text
    }

    /// What this step adds.
    pub fn step(&mut self, step: &Step) -> String {
        let mut text = String::new();
        if let Some((from, bytes)) = audio_of(&step.input)
            && let Some((passed_on, note)) = passes_audio(from, &step.effects)
        {
            self.audio(step.at, from, bytes, passed_on, note, &mut text);
            return text;
        }
        let is_silent = matches!(
            step.input,
            Input::Delivered { .. } | Input::Heard(_) | Input::ClientAlive | Input::Timeout
        );
        if is_silent && step.effects.is_empty() {
            return text;
        }
        text.push_str(&self.end());
        let mut at = Some(step.at);
        for said in [self.words.input(&step.input)].into_iter().flatten() {
            self.draw(&mut at, &said, &mut text);
        }
        for effect in &step.effects {
            let said = self.words.effect(effect);
            self.draw(&mut at, &said, &mut text);
        }
        if step.before != step.after {
            self.draw(&mut at, &Said::Note(format!("is {:?} now", step.after).to_lowercase()), &mut text);
        }
        text
    }

    /// What is still to be drawn when nothing follows.
    pub fn end(&mut self) -> String {
        let mut runs: Vec<(Leg, Run)> = [Leg::Client, Leg::Upstream]
            .into_iter()
            .filter_map(|leg| Some((leg, self.runs[leg as usize].take()?)))
            .collect();
        runs.sort_by_key(|(_, run)| run.begun);
        runs.iter().map(|(leg, run)| run.rung(*leg)).collect()
    }

    fn audio(
        &mut self,
        at: Duration,
        from: Leg,
        bytes: usize,
        passed_on: bool,
        note: Option<String>,
        text: &mut String,
    ) {
        let plays = self.words.plays(from, bytes);
        let goes_on = |run: &Run| run.note == note && at.saturating_sub(run.last) < PAUSE;
        if self.runs[from as usize].as_ref().is_some_and(|run| !goes_on(run)) {
            text.push_str(&self.end());
        }
        let run = self.runs[from as usize].get_or_insert(Run {
            begun: at,
            last: at,
            frames: 0,
            bytes: 0,
            size: Some(bytes),
            plays: plays.map(|_| Duration::ZERO),
            passed_on: 0,
            note,
        });
        run.last = at;
        run.frames += 1;
        run.bytes += bytes;
        run.size = run.size.filter(|size| *size == bytes);
        run.plays = run.plays.zip(plays).map(|(so_far, more)| so_far + more);
        run.passed_on += usize::from(passed_on);
    }

    fn draw(&self, at: &mut Option<Duration>, said: &Said, text: &mut String) {
        let (left, right) = match said {
            Said::FromClient(label) => (arrow(label, Toward::Right), blank()),
            Said::ToClient(label) => (arrow(label, Toward::Left), blank()),
            Said::FromUpstream(label) => (blank(), arrow(label, Toward::Left)),
            Said::ToUpstream(label) => (blank(), arrow(label, Toward::Right)),
            Said::Note(note) => {
                text.push_str(&rung(at.take(), &blank(), &bars(note)));
                return;
            }
        };
        text.push_str(&rung(at.take(), &left, &format!("|{right}|")));
    }
}

impl Run {
    fn rung(&self, from: Leg) -> String {
        let mut label = format!("audio x {}", self.frames);
        match self.size {
            Some(size) if self.frames > 1 => write!(label, ", {size} bytes each"),
            _ => write!(label, ", {} bytes", self.bytes),
        }
        .expect("text takes all");
        if let Some(plays) = self.plays {
            write!(label, ", {:.2} s", plays.as_secs_f64()).expect("text takes all");
        }
        let on = match self.passed_on {
            0 => None,
            count => Some(format!("audio x {count}")),
        };
        let (left, right) = match from {
            Leg::Client => {
                (arrow(&label, Toward::Right), on.map_or_else(blank, |label| arrow(&label, Toward::Right)))
            }
            Leg::Upstream => {
                (on.map_or_else(blank, |label| arrow(&label, Toward::Left)), arrow(&label, Toward::Left))
            }
        };
        let mut text = rung(Some(self.begun), &left, &format!("|{right}|"));
        if let Some(note) = &self.note {
            text.push_str(&rung(None, &blank(), &bars(&format!("{note}, {} times", self.frames))));
        }
        text
    }
}

/// Whose audio this is, and how much.
fn audio_of(input: &Input) -> Option<(Leg, usize)> {
    use crate::protocol::{Opcode, realtime::ServerEvent};
    match input {
        Input::ClientAudio(audio) => Some((Leg::Client, audio.len())),
        Input::Upstream(ServerEvent::OutputAudioDelta(delta)) => Some((Leg::Upstream, delta.delta.len())),
        Input::ClientFrame(frame) if frame.opcode == Opcode::Binary && frame.last => {
            Some((Leg::Client, frame.payload.len()))
        }
        Input::UpstreamFrame(frame) if frame.opcode == Opcode::Binary && frame.last => {
            Some((Leg::Upstream, frame.payload.len()))
        }
        _ => None,
    }
}

/// Whether the effects are nothing but audio on its way, and a rule that kept some of it.
fn passes_audio(from: Leg, effects: &[Effect]) -> Option<(bool, Option<String>)> {
    use crate::{
        gate::{ClientFrame, UpstreamFrame},
        protocol::Opcode,
    };
    let (mut passed_on, mut note) = (false, None);
    for effect in effects {
        match (from, effect) {
            (Leg::Client, Effect::ToUpstream(UpstreamFrame::Audio { .. }))
            | (Leg::Upstream, Effect::ToClient(ClientFrame::Audio(_))) => passed_on = true,
            (Leg::Client, Effect::ToUpstream(UpstreamFrame::Frame(frame)))
            | (Leg::Upstream, Effect::ToClient(ClientFrame::Frame(frame)))
                if frame.opcode == Opcode::Binary =>
            {
                passed_on = true;
            }
            (_, Effect::Held(rule)) => note = Some(format!("held by {rule}")),
            (_, Effect::Ignored(rule)) => note = Some(format!("ignored by {rule}")),
            _ => return None,
        }
    }
    Some((passed_on, note))
}

#[derive(Clone, Copy)]
enum Toward {
    Left,
    Right,
}

/// An arrow across a lane, with a label on it.
fn arrow(label: &str, toward: Toward) -> String {
    let label = fitted(label, WIDTH - 5);
    let shaft = "-".repeat(WIDTH - 4 - label.chars().count());
    match toward {
        Toward::Right => format!("- {label} {shaft}>"),
        Toward::Left => format!("< {label} {shaft}-"),
    }
}

fn blank() -> String {
    " ".repeat(WIDTH)
}

/// The right half, with a note beside the gate.
fn bars(note: &str) -> String {
    let note = fitted(note, WIDTH - 2);
    format!("| {note:<width$}|", width = WIDTH - 1)
}

fn rung(at: Option<Duration>, left: &str, right: &str) -> String {
    let time = at.map_or(String::new(), |at| {
        let micros = at.as_micros();
        format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
    });
    format!("{time:>TIME$}  |{left:WIDTH$}{right}\n")
}

/// The text on one line, and no longer than this.
fn fitted(text: &str, most: usize) -> String {
    super::shown(text, most - 1)
}

/// Columns of the time.
const TIME: usize = 10;
/// Columns between two lines.
const WIDTH: usize = 50;
/// Audio after so much silence is another run.
const PAUSE: Duration = Duration::from_millis(1_000);
