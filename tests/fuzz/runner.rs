//! Runs a fuzzer: so many inputs, or for so long, one fuzzer at a time, and says what memory is left when it is over.
//! Knows nothing of inputs.

use std::env;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::MEMORY;
use crate::random::Random;

/// The seed unless another is asked for: the inputs of every run are the same then.
const SEED: u64 = 20_261_121;
/// By how much the memory that is held may grow from a tenth of the inputs to the last, bytes.
const GROWTH: usize = 64 * 1024;

/// Says which input it was that failed.
struct Culprit {
    name: &'static str,
    seed: u64,
    input: u64,
}

impl Drop for Culprit {
    fn drop(&mut self) {
        if thread::panicking() {
            let Self { name, seed, input } = self;
            eprintln!(
                "{name} failed: VOXBRIDGE_FUZZ_SEED={seed} VOXBRIDGE_FUZZ_INPUT={input} cargo test --test fuzz {name}"
            );
        }
    }
}

/// A variable that holds a number.
fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, is {text:?}")))
}

/// A fuzzer, alone from its beginning to its end.
pub(crate) struct Fuzzer {
    name: &'static str,
    _alone: MutexGuard<'static, ()>,
}

impl Fuzzer {
    /// Waits until no other runs: the allocator counts for the whole process.
    pub(crate) fn new(name: &'static str) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        Self { name, _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Runs `fuzz` for `inputs` inputs, or for the time that the environment asks for.
    ///
    /// # Panics
    ///
    /// If an input does, or if more memory is held in the end than after the first inputs.
    pub(crate) fn run(self, inputs: u64, fuzz: impl FnMut(&mut Random)) {
        self.run_settled(inputs, fuzz, || (), GROWTH);
    }

    /// The same for what goes on by itself: `settle` waits until nothing does, then up to `growth` bytes more may be
    /// held.
    pub(crate) fn run_settled(
        self,
        inputs: u64,
        mut fuzz: impl FnMut(&mut Random),
        settle: impl Fn(),
        growth: usize,
    ) {
        let name = self.name;
        let mut culprit = Culprit { name, seed: number("VOXBRIDGE_FUZZ_SEED").unwrap_or(SEED), input: 0 };
        if let Some(input) = number("VOXBRIDGE_FUZZ_INPUT") {
            culprit.input = input;
            return fuzz(&mut Random::of_input(culprit.seed, input));
        }
        let began = Instant::now();
        let time = number("VOXBRIDGE_FUZZ_SECONDS").map(Duration::from_secs);
        let tenths = |tenths: u32| match time {
            Some(time) => (u64::MAX, time * tenths / 10),
            None => (inputs * u64::from(tenths) / 10, Duration::MAX),
        };
        let mut held = 0;
        for (end, until) in [tenths(1), tenths(10)] {
            // Of the first inputs there are caches, and tables of a size that stays.
            settle();
            held = MEMORY.current_usage();
            while culprit.input < end && began.elapsed() < until {
                fuzz(&mut Random::of_input(culprit.seed, culprit.input));
                culprit.input += 1;
            }
        }
        settle();
        let grown = MEMORY.current_usage().saturating_sub(held);
        let (count, seed, took) = (culprit.input, culprit.seed, began.elapsed().as_secs_f64());
        say(&format!("fuzz {name}: {count} inputs in {took:.1} s, seed {seed}, {grown} bytes more are held"));
        assert!(grown <= growth, "{name} holds {grown} bytes more than after a tenth of its inputs");
    }
}

/// Prints a line also where the output of tests that pass is kept back.
pub(crate) fn say(line: &str) {
    // Nobody may be reading.
    let _ = writeln!(io::stdout(), "{line}");
}

/// What `work` gives, which may take no more memory than `most` bytes at a time.
pub(crate) fn within<T>(most: usize, work: impl FnOnce() -> T) -> T {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let done = work();
    let took = MEMORY.peak_usage().saturating_sub(before);
    assert!(took <= most, "{took} bytes are taken where {most} are enough");
    done
}
