//! What the conversion does to a stream, whatever the two formats are and however the stream is cut: its
//! length, its borders between chunks, and its noise. Measured on the output alone.

use std::f64::consts::{PI, TAU};

use bytes::Bytes;
use proptest::prelude::*;

use super::{Transcoder, g711};
use crate::protocol::audio::{AudioFormat, Encoding, SAMPLE_RATES};

/// A little under half of full scale, in units of a sample: loud speech, and no peak clips.
const AMPLITUDE: f64 = 15_000.0;
const SECONDS: f64 = 0.25;
/// The filter's answer to a tone's sudden start, seconds.
const ONSET: f64 = 0.005;

/// Least signal to noise ratio, dB, of a tone between these formats: 60 where samples keep their 16 bits (but
/// 59 near 3.2 kHz on the way to 8 kHz, where the filter's ripple is largest), 37 through G.711 (whose steps
/// are 1/16 to 1/32 of the sample: some 38 dB at this level), and 3 less where both ends are G.711 and the
/// errors of two add up.
fn least_ratio(from: AudioFormat, to: AudioFormat, hz: f64) -> f64 {
    let lossy = |format: AudioFormat| format.encoding != Encoding::Linear16;
    match (lossy(from), lossy(to)) {
        (false, false) if to.sample_rate == 8_000 && hz > 3_100.0 => 59.0,
        (false, false) => 60.0,
        (true, true) if from != to => 34.0,
        _ => 37.0,
    }
}

/// The largest error of one sample that a format makes at the tests' amplitude: half of its largest step.
fn largest_error(format: AudioFormat) -> f64 {
    match format.encoding {
        Encoding::Linear16 => 1.0,
        // From 8,159 to 16,351 mu-law has sixteen steps of 512; A-law likewise up to 16,384.
        Encoding::Mulaw | Encoding::Alaw => 256.0,
    }
}

/// A tone that begins at its zero crossing, as bytes of a format.
fn tone(format: AudioFormat, hz: f64) -> Bytes {
    let count = (f64::from(format.sample_rate) * SECONDS) as usize;
    let samples = (0..count).map(|n| ideal(hz, n as f64 / f64::from(format.sample_rate)).round() as i16);
    match format.encoding {
        Encoding::Linear16 => samples.flat_map(i16::to_le_bytes).collect(),
        Encoding::Mulaw => samples.map(g711::mulaw_encode).collect(),
        Encoding::Alaw => samples.map(g711::alaw_encode).collect(),
    }
}

fn ideal(hz: f64, time: f64) -> f64 {
    AMPLITUDE * (TAU * hz * time).sin()
}

fn samples(format: AudioFormat, bytes: &[u8]) -> Vec<f64> {
    let of = |sample: i16| f64::from(sample);
    match format.encoding {
        Encoding::Linear16 => {
            let (pairs, rest) = bytes.as_chunks();
            assert!(rest.is_empty(), "half a sample came out");
            pairs.iter().map(|&pair| of(i16::from_le_bytes(pair))).collect()
        }
        Encoding::Mulaw => bytes.iter().map(|&code| of(g711::mulaw_decode(code))).collect(),
        Encoding::Alaw => bytes.iter().map(|&code| of(g711::alaw_decode(code))).collect(),
    }
}

/// Every format that a client or upstream may speak.
fn formats() -> Vec<AudioFormat> {
    let encodings = [Encoding::Linear16, Encoding::Mulaw, Encoding::Alaw];
    let all = encodings.into_iter().flat_map(|encoding| {
        SAMPLE_RATES.iter().map(move |&sample_rate| AudioFormat { encoding, sample_rate })
    });
    all.filter(|format| format.is_supported()).collect()
}

/// The stream in pieces of these lengths, over and over.
fn in_pieces(transcoder: &mut Transcoder, mut input: Bytes, lengths: &[usize]) -> Vec<u8> {
    let mut output = Vec::new();
    for &length in lengths.iter().cycle() {
        if input.is_empty() {
            return output;
        }
        output.extend(transcoder.push(input.split_to(length.min(input.len()))));
    }
    output
}

/// Asserts everything that is promised of a tone of `hz` that goes through in these pieces.
fn assert_kept(from: AudioFormat, to: AudioFormat, hz: f64, lengths: &[usize]) {
    let what = format!("{hz:.0} Hz, {from} to {to} in pieces of {lengths:?}");
    let input = tone(from, hz);
    let mut transcoder = Transcoder::new(from, to);
    let delay = transcoder.delay().as_secs_f64();
    let bytes = in_pieces(&mut transcoder, input.clone(), lengths);
    assert!(delay <= 0.002, "{what}: {delay} s late");

    // No border between two pieces leaves a trace.
    assert_eq!(bytes, Transcoder::new(from, to).push(input), "{what}");

    let output = samples(to, &bytes);
    let rate = f64::from(to.sample_rate);
    let length = output.len() as f64 / rate;
    assert!((length - SECONDS).abs() < 0.001, "{what}: {length} s");

    // Two samples of the ideal tone lie no further apart than this; the onset may overshoot by a quarter.
    let steepest = 2.0 * AMPLITUDE * (PI * hz / rate).sin().abs();
    let errors = 2.0 * (largest_error(from) + largest_error(to)) + 1.0;
    let onset = (ONSET * rate) as usize;
    for (n, pair) in output.windows(2).enumerate() {
        let step = (pair[1] - pair[0]).abs();
        let bound = if n < onset { steepest * 1.25 } else { steepest * 1.01 };
        assert!(step <= bound + errors, "{what}: a step of {step} at {n}, the tone has {steepest:.0}");
    }

    let (mut signal, mut noise) = (0.0, 0.0);
    for (n, sample) in output.iter().enumerate().skip(onset) {
        let ideal = ideal(hz, n as f64 / rate - delay);
        signal += ideal.powi(2);
        noise += (sample - ideal).powi(2);
    }
    let ratio = 10.0 * (signal / noise).log10();
    assert!(ratio >= least_ratio(from, to, hz), "{what}: {ratio:.1} dB");
}

/// Highest frequency that passes unharmed: 0.85 of the lower Nyquist frequency.
fn passband(from: AudioFormat, to: AudioFormat) -> f64 {
    0.85 * f64::from(from.sample_rate.min(to.sample_rate)) / 2.0
}

#[test]
fn every_pair_of_formats_keeps_a_tone() {
    let formats = formats();
    // Linear at six rates, mu-law and A-law at two each.
    assert_eq!(formats.len(), 10);
    for &from in &formats {
        for &to in &formats {
            // An odd number of bytes cuts a sample in two at every other border.
            assert_kept(from, to, 1_019.0, &[641]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_pair_in_any_pieces_keeps_any_tone(
        from in prop::sample::select(formats()),
        to in prop::sample::select(formats()),
        height in 0.02_f64..1.0,
        mut lengths in prop::collection::vec(0_usize..1_500, 1..20),
    ) {
        lengths.push(1);
        assert_kept(from, to, height * passband(from, to), &lengths);
    }
}
