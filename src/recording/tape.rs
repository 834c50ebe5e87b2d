//! Every gate of a test, recorded as it goes and replayed at its end, in clear and masked. A test that steps through its
//! gates by the thousand has a sample of them recorded, and of a life of many bytes it is the beginning.
//!
//! `VOXBRIDGE_SAVE_RECORDINGS=DIR` leaves the first recording of each test in that directory; that is how those in
//! `tests/recordings` are made.

use std::{cell::Cell, time::Duration};

use super::{End, Header, Mask, Outcome, encode::Encoder, replay};
use crate::{
    config::Backend,
    gate::{Effect, Input, Limits, Service},
};

/// A gate's recordings; to be dropped when it has had its last input.
pub(crate) struct Tape {
    clear: Recording,
    masked: Recording,
    is_first: bool,
    is_full: bool,
}

struct Recording {
    encoder: Encoder<Mask>,
    bytes: Vec<u8>,
    steps: u64,
}

thread_local! {
    /// Gates of this test, which has a thread of its own.
    static GATES: Cell<u64> = const { Cell::new(0) };
}

impl Tape {
    /// For a gate that is made from this, if it is one of the sample.
    pub(crate) fn begin(backend: &Backend, limits: &Limits, service: Option<Service>) -> Option<Self> {
        // Without a guard a gate replays as well as with it; what is looked for then is a test that notices.
        if std::env::var_os("VOXBRIDGE_RULE_OFF").is_some() {
            return None;
        }
        let number = GATES.get();
        GATES.set(number + 1);
        if number >= ALL && !number.is_multiple_of(EVERY) {
            return None;
        }
        let recording = |masked: bool, inputs, effects| {
            let request_id = "request-1".to_owned();
            let header = Header { masked, ..Header::new(backend, limits.clone(), service, request_id) };
            let mut bytes = Vec::new();
            header.encode(&mut bytes);
            Recording { encoder: Encoder::new(inputs, effects), bytes, steps: 0 }
        };
        Some(Self {
            clear: recording(false, Mask::off(), Mask::off()),
            masked: recording(true, Mask::inputs(7), Mask::filler()),
            is_first: number == 0,
            is_full: false,
        })
    }

    /// The gate is about to take this.
    pub(crate) fn input(&mut self, at: Duration, input: &Input) {
        self.is_full |= self.clear.bytes.len() > MOST;
        if self.is_full {
            return;
        }
        for recording in [&mut self.clear, &mut self.masked] {
            recording.steps += 1;
            recording.encoder.input(recording.steps, at, input, &mut recording.bytes);
        }
    }

    /// It answered with these.
    pub(crate) fn effects(&mut self, effects: &[Effect]) {
        if self.is_full {
            return;
        }
        for recording in [&mut self.clear, &mut self.masked] {
            recording.encoder.effects(effects, &mut recording.bytes);
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for (recording, what) in [(&mut self.clear, "clear"), (&mut self.masked, "masked")] {
            let end = if self.is_full { End::Cap } else { End::Finished };
            end.encode(&mut recording.bytes);
            let steps = recording.steps;
            match replay(&*recording.bytes, |_| ()) {
                Ok(Outcome::Same(summary)) if summary.steps == steps => (),
                Ok(other) => panic!("a recording in {what} of {steps} steps: {other}"),
                Err(error) => panic!("a recording in {what} cannot be replayed: {error}"),
            }
        }
        if let (true, Ok(directory)) = (self.is_first, std::env::var("VOXBRIDGE_SAVE_RECORDINGS")) {
            let thread = std::thread::current();
            let name = thread.name().and_then(|path| path.rsplit("::").next()).unwrap_or("unknown");
            let file = std::path::Path::new(&directory).join(format!("{name}.jsonl"));
            std::fs::write(file, &self.clear.bytes).expect("the directory can be written to");
        }
    }
}

/// So many of a test's gates are all recorded,
const ALL: u64 = 48;
/// and of the others one in so many.
const EVERY: u64 = 101;
/// Bytes of a recording, beyond which it ends.
const MOST: usize = 64 * 1024;
