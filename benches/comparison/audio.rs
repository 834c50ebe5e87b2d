//! The audio of both directions and how each side knows it again: agent frames are numbered and otherwise alike, the
//! user's are a tone that a change of the sample rate keeps. Knows no message and no socket.

use std::{array, f64::consts::TAU, sync::LazyLock};

/// 20 ms of the user's audio at 16 kHz, bytes.
pub(crate) const UP_BYTES: usize = 640;
/// 20 ms of audio at 24 kHz, bytes: what an upstream that is translated gets, and what agents say.
pub(crate) const DOWN_BYTES: usize = 960;
/// Of the user's tone: 20 ms are eight whole periods, so that frame follows frame without a click.
const TONE_HZ: f64 = 400.0;
const AMPLITUDE: f64 = 8000.0;
/// Samples of one of its periods at 24 kHz.
const PERIOD: usize = 60;
static SINE: LazyLock<[f64; PERIOD]> = LazyLock::new(|| period(f64::sin));
static COSINE: LazyLock<[f64; PERIOD]> = LazyLock::new(|| period(f64::cos));
/// The number of an agent frame: its connection in three bytes and its place there in three.
pub(crate) const NUMBER_BYTES: usize = 6;

/// The user's audio, always the same frame.
pub(crate) fn user() -> Vec<u8> {
    let sample = |n: usize| (AMPLITUDE * (TAU * TONE_HZ * n as f64 / 16_000.0).sin()).round() as i16;
    (0..UP_BYTES / 2).flat_map(|n| sample(n).to_le_bytes()).collect()
}

fn period(of: fn(f64) -> f64) -> [f64; PERIOD] {
    array::from_fn(|n| of(TAU * n as f64 / PERIOD as f64))
}

/// A frame of the agent's audio but for its number.
pub(crate) fn agent() -> Vec<u8> {
    (0..DOWN_BYTES).map(|n| (n * 31) as u8).collect()
}

/// Numbers an agent frame.
pub(crate) fn number([a, b, c]: [u8; 3], place: u32) -> [u8; NUMBER_BYTES] {
    let [_, d, e, f] = place.to_be_bytes();
    [a, b, c, d, e, f]
}

/// What is wrong with this piece of the user's audio at 24 kHz, if it is not the tone.
pub(crate) fn fault_of_tone(audio: &[u8]) -> Option<String> {
    let samples: Vec<f64> =
        audio.chunks_exact(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]]))).collect();
    let samples = &samples[..samples.len() / PERIOD * PERIOD];
    if samples.is_empty() {
        return Some(format!("{} bytes of user audio", audio.len()));
    }
    let periods = samples.chunks_exact(PERIOD);
    let sum = |of: &[f64; PERIOD]| -> f64 {
        periods.clone().flat_map(|period| period.iter().zip(of)).map(|(sample, of)| sample * of).sum()
    };
    let count = samples.len() as f64;
    let amplitude = 2.0 * sum(&SINE).hypot(sum(&COSINE)) / count;
    let power = samples.iter().map(|sample| sample * sample).sum::<f64>() / count;
    let of_tone = amplitude * amplitude / 2.0 / power.max(1.0);
    // Linear interpolation leaves images of the tone, of a few thousandths of its power.
    let is_tone = (amplitude / AMPLITUDE - 1.0).abs() < 0.05 && of_tone > 0.98;
    (!is_tone).then(|| format!("user audio with {amplitude:.0} of the tone, {of_tone:.3} of its power"))
}
