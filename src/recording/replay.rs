//! A recording, given to a gate once more: whether the gate answers as it did then, and where it first does not. Its
//! clock shows what the recording says.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, BufRead, Read},
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    AnyGate, End, Header, Mask,
    decode::{Decoder, Line},
    encode::Encoder,
    shown,
};
use crate::gate::{Effect, Input, Leg, Phase};

/// A step of a connection.
#[derive(Debug, Clone)]
pub struct Step {
    /// Counted from 1.
    pub n: u64,
    /// When, since the gate's first moment.
    pub at: Duration,
    /// What the gate was given.
    pub input: Input,
    /// What the gate answers now.
    pub effects: Vec<Effect>,
    /// Where the connection was before.
    pub before: Phase,
    /// Where it is now.
    pub after: Phase,
}

/// What a replay came to.
#[derive(Debug)]
pub enum Outcome {
    /// The gate answered as it did then.
    Same(Summary),
    /// It did not.
    Differs(Box<Difference>),
}

/// What was replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many inputs.
    pub steps: u64,
    /// The time of the last one.
    pub lasted: Duration,
    /// How the recording ended; none if it was cut off.
    pub end: Option<End>,
    /// The line in the middle of which it was cut off, counted from 1.
    pub torn: Option<usize>,
    /// Where the connection was then.
    pub phase: Phase,
    /// Why it ended, by its name in the log, if it did.
    pub cause: Option<&'static str>,
}

/// The first step at which the gate answers otherwise.
#[derive(Debug)]
pub struct Difference {
    /// The step.
    pub step: Step,
    /// The steps before it, of those that are kept.
    pub before: Vec<Step>,
    /// The line of the file that it stands in.
    pub line: usize,
    /// What the gate was given, as JSON.
    pub input: String,
    /// What the gate answered then, an effect each, as JSON.
    pub recorded: Vec<String>,
    /// What it answers now.
    pub replayed: Vec<String>,
}

/// Why a file is no recording that can be replayed.
#[derive(Debug)]
pub enum ReplayError {
    /// It cannot be read.
    Io(io::Error),
    /// A line is wrong.
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Line { line, reason } => write!(f, "line {line}: {reason}"),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<io::Error> for ReplayError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Replays a recording up to its end or to the first difference. `watch` sees every step, also the one that differs.
pub fn replay(file: impl BufRead, watch: impl FnMut(&Step)) -> Result<Outcome, ReplayError> {
    let mut lines = Lines { file, number: 0, buffer: Vec::new() };
    let outcome = lines.read().and_then(|first| match first {
        None => Err(wrong("the file is empty")),
        Some(text) => {
            let header = Header::decode(text.text()?).map_err(wrong)?;
            Ok(Player::new(&header, watch))
        }
    });
    let mut player = lines.place(outcome)?;
    loop {
        let played = lines.read().and_then(|line| match line {
            None => Ok(Some(player.over(None))),
            Some(line) => player.line(&line),
        });
        if let Some(mut outcome) = lines.place(played)? {
            match &mut outcome {
                Outcome::Same(summary) => summary.torn = summary.torn.map(|_| lines.number),
                Outcome::Differs(difference) => difference.line = lines.number,
            }
            // Behind the end there is nothing.
            if matches!(&outcome, Outcome::Same(summary) if summary.end.is_some()) {
                let behind = lines.read().and_then(|line| match line {
                    None => Ok(()),
                    Some(_) => Err(wrong("something stands behind the end")),
                });
                lines.place(behind)?;
            }
            return Ok(outcome);
        }
    }
}

/// The gate, and what is known of its connection so far.
struct Player<W> {
    gate: AnyGate,
    is_relay: bool,
    encoder: Encoder<Mask>,
    decoder: Decoder,
    watch: W,
    base: Instant,
    steps: u64,
    t_ns: u64,
    /// Weights of what the legs have been handed and have not delivered, the client's first.
    in_flight: [VecDeque<usize>; 2],
    /// The steps before.
    recent: VecDeque<Step>,
    answer: Vec<u8>,
}

impl<W: FnMut(&Step)> Player<W> {
    #[allow(clippy::disallowed_methods, reason = "any moment will do to count from")]
    fn new(header: &Header, watch: W) -> Self {
        // Composed texts have no stand-in of their own; see the format.
        let mask = || if header.masked { Mask::filler() } else { Mask::off() };
        let gate = header.gate();
        Self {
            is_relay: matches!(gate, AnyGate::Relay(_)),
            gate,
            encoder: Encoder::new(mask(), mask()),
            decoder: Decoder::default(),
            watch,
            base: Instant::now(),
            steps: 0,
            t_ns: 0,
            in_flight: Default::default(),
            recent: VecDeque::new(),
            answer: Vec::new(),
        }
    }

    /// Plays a line; the outcome, if it is the last one.
    fn line(&mut self, line: &RawLine<'_>) -> Result<Option<Outcome>, ReplayError> {
        let read = line.text().and_then(|text| self.decoder.line(text).map_err(wrong));
        let (n, t_ns, input, effects) = match read {
            Ok(Line::Note) => return Ok(None),
            Ok(Line::End(end)) => return Ok(Some(self.over(Some(end)))),
            Ok(Line::Step { n, t_ns, input, effects }) => (n, t_ns, *input, effects),
            Err(_) if !line.is_whole => {
                let Outcome::Same(summary) = self.over(None) else { return Ok(None) };
                return Ok(Some(Outcome::Same(Summary { torn: Some(0), ..summary })));
            }
            Err(error) => return Err(error),
        };
        if n != self.steps + 1 {
            return Err(wrong(format!("step {n} where step {} should be", self.steps + 1)));
        }
        if t_ns < self.t_ns || t_ns > LONGEST {
            return Err(wrong(format!("step {n} at {t_ns} ns, after {} ns", self.t_ns)));
        }
        self.may_be_given(&input).map_err(wrong)?;
        (self.steps, self.t_ns) = (n, t_ns);
        let at = Duration::from_nanos(t_ns);
        let before = self.gate.phase();
        let answer = self.gate.handle(input.clone(), self.base + at);
        self.note(&answer);
        self.answer.clear();
        self.encoder.effect_list(&answer, &mut self.answer);
        let step = Step { n, at, input, effects: answer, before, after: self.gate.phase() };
        (self.watch)(&step);
        if self.answer == effects.as_bytes() {
            if self.recent.len() == KEPT {
                self.recent.pop_front();
            }
            self.recent.push_back(step);
            return Ok(None);
        }
        let recorded = elements(effects).map_err(wrong)?;
        let replayed = str::from_utf8(&self.answer).expect("JSON is text");
        Ok(Some(Outcome::Differs(Box::new(Difference {
            step,
            before: std::mem::take(&mut self.recent).into(),
            line: 0,
            input: given(line.text()?),
            recorded,
            replayed: elements(replayed).expect("it is a JSON array"),
        }))))
    }

    fn over(&self, end: Option<End>) -> Outcome {
        Outcome::Same(Summary {
            steps: self.steps,
            lasted: Duration::from_nanos(self.t_ns),
            end,
            torn: None,
            phase: self.gate.phase(),
            cause: self.gate.close_reason().map(crate::gate::CloseReason::name),
        })
    }

    /// Whether the actors could have given the gate this.
    fn may_be_given(&mut self, input: &Input) -> Result<(), String> {
        match input {
            Input::Client(_)
            | Input::ClientAudio(_)
            | Input::ClientMalformed(_)
            | Input::Upstream(_)
            | Input::UpstreamMalformed(_)
                if self.is_relay =>
            {
                Err("a message where frames are passed through".to_owned())
            }
            Input::ClientFrame(_) | Input::UpstreamFrame(_) if !self.is_relay => {
                Err("a frame where messages are translated".to_owned())
            }
            Input::Delivered { leg, bytes } => {
                let in_flight = &mut self.in_flight[*leg as usize];
                let mut rest = *bytes;
                while let Some(weight) = in_flight.front().filter(|weight| **weight <= rest) {
                    rest -= weight;
                    in_flight.pop_front();
                }
                match rest {
                    0 => Ok(()),
                    _ => Err(format!("{bytes} bytes are delivered that are no whole frames")),
                }
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::ToClient(frame) => self.in_flight[Leg::Client as usize].push_back(frame.weight()),
                Effect::ToUpstream(frame) => self.in_flight[Leg::Upstream as usize].push_back(frame.weight()),
                _ => (),
            }
        }
    }
}

/// The input of a line, as it stands there.
fn given(line: &str) -> String {
    #[derive(Deserialize)]
    struct Given<'a> {
        #[serde(borrow, rename = "in")]
        input: &'a RawValue,
    }
    serde_json::from_str::<Given<'_>>(line).map_or_else(|_| String::new(), |line| line.input.get().to_owned())
}

/// The elements of a JSON array.
fn elements(array: &str) -> Result<Vec<String>, String> {
    let elements: Vec<&RawValue> =
        serde_json::from_str(array).map_err(|error| format!("out: {}", shown(&error.to_string(), 300)))?;
    Ok(elements.into_iter().map(|element| element.get().to_owned()).collect())
}

/// The lines of a file.
struct Lines<F> {
    file: F,
    /// Of the line that was read last, counted from 1.
    number: usize,
    buffer: Vec<u8>,
}

struct RawLine<'a> {
    bytes: &'a [u8],
    /// Its end is there.
    is_whole: bool,
}

impl<F: BufRead> Lines<F> {
    fn read(&mut self) -> Result<Option<RawLine<'_>>, ReplayError> {
        self.buffer.clear();
        let length = self.file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.buffer)?;
        if length == 0 {
            return Ok(None);
        }
        self.number += 1;
        if length as u64 == LONGEST_LINE {
            return Err(wrong(format!("a line of more than {LONGEST_LINE} bytes")));
        }
        let is_whole = self.buffer.ends_with(b"\n");
        Ok(Some(RawLine { bytes: self.buffer.trim_ascii_end(), is_whole }))
    }

    /// The same with the line in which something is wrong.
    fn place<T>(&self, result: Result<T, ReplayError>) -> Result<T, ReplayError> {
        result.map_err(|error| match error {
            ReplayError::Line { reason, .. } => ReplayError::Line { line: self.number.max(1), reason },
            ReplayError::Io(_) => error,
        })
    }
}

impl<'a> RawLine<'a> {
    fn text(&self) -> Result<&'a str, ReplayError> {
        str::from_utf8(self.bytes).map_err(|_| wrong("not UTF-8"))
    }
}

/// The line is added where it is known.
fn wrong(reason: impl Into<String>) -> ReplayError {
    ReplayError::Line { line: 0, reason: reason.into() }
}

/// How many steps before a difference are shown.
const KEPT: usize = 8;
/// Bytes: the longest message with an escape for every character, and what stands around it.
const LONGEST_LINE: u64 = 1 << 30;
/// A hundred years in nanoseconds.
const LONGEST: u64 = 100 * 365 * 24 * 3_600 * 1_000_000_000;
