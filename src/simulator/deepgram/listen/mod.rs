//! The two transcription services: `listen` v1, and v2, which is Flux. Each is a pure session: messages and the time
//! in, messages out ("Deepgram transcription WebSocket"). They must not know each other, the agent, or sockets.
//!
//! ```text
//! v1, v2 ─┬─ parameters: the values of the query
//!         ├─ audio (wav): bytes → samples
//!         ├─ ear: samples → where there is a voice
//!         └─ words: what a stretch of speech says, and when
//! ```
//!
//! Nothing here recognises speech: every stretch of it says the option `transcript`, laid over the voice that the
//! detector finds. All times are computed from sample counts, so how the audio was cut on its way changes nothing.

mod audio;
mod ear;
mod line;
mod parameters;
pub(super) mod v1;
pub(super) mod v2;
mod wav;
mod words;

#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

/// Seconds from the start of the stream to a position in samples.
fn seconds(position: u64, rate: u32) -> f64 {
    position as f64 / f64::from(rate)
}

/// Samples that last some milliseconds.
fn samples(ms: u64, rate: u32) -> u64 {
    ms.saturating_mul(u64::from(rate)) / 1000
}

/// How sure the simulator is of every word.
const CONFIDENCE: f64 = 0.98;
/// The most channels that are taken.
const MAX_CHANNELS: usize = 8;
/// The sample rates that are taken, in Hz.
const RATES: RangeInclusive<u32> = 8000..=48_000;
