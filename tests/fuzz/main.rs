//! Fuzzers: hostile input for everything that reads what others wrote, with an oracle for each. Inputs are mutated from
//! fixtures and examples by a generator with a seed, so that every one of them can be had again.
//!
//! `runner` says how many inputs there are and measures memory, `random`, `bytes` and `json` make them; each of the
//! others is the fuzzers of one subject. By itself a fuzzer runs a number of inputs, with `VOXBRIDGE_FUZZ_SECONDS` for
//! that time (`scripts/fuzz`). `VOXBRIDGE_FUZZ_SEED` takes another seed, `VOXBRIDGE_FUZZ_INPUT` one input alone.

#![allow(clippy::disallowed_methods, reason = "a test harness has a clock")]

use peak_alloc::PeakAlloc;

mod audio;
mod bytes;
mod configuration;
mod doors;
mod edits;
mod frames;
mod gates;
mod json;
mod life;
mod messages;
mod random;
mod recordings;
mod relays;
mod runner;
mod tokens;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
