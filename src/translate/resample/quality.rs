//! What the converter does to signals, measured on its output alone: sweeps against the ideal delayed signal,
//! single tones against their images and aliases.

use std::f64::consts::TAU;

use super::Resampler;
use crate::protocol::audio::SAMPLE_RATES;

/// A linear sweep, as a function of time in seconds.
struct Sweep {
    end_hz: f64,
    seconds: f64,
}

impl Sweep {
    fn at(&self, time: f64) -> f64 {
        let slope = (self.end_hz - 50.0) / self.seconds;
        AMPLITUDE * (TAU * (50.0 + slope * time / 2.0) * time).sin()
    }
}

fn sample(hz: u32, seconds: f64, signal: impl Fn(f64) -> f64) -> Vec<i16> {
    let count = (f64::from(hz) * seconds) as usize;
    (0..count).map(|n| signal(n as f64 / f64::from(hz)).round() as i16).collect()
}

fn tone(hz: f64) -> impl Fn(f64) -> f64 {
    move |time| AMPLITUDE * (TAU * hz * time).sin()
}

/// The strength of the component at `hz`, relative to the tests' amplitude, in dB; over whole periods.
fn level(signal: &[i16], rate: u32, hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, &value) in signal.iter().enumerate() {
        let angle = TAU * hz * n as f64 / f64::from(rate);
        re += f64::from(value) * angle.cos();
        im += f64::from(value) * angle.sin();
    }
    20.0 * (2.0 * re.hypot(im) / signal.len() as f64 / AMPLITUDE).log10()
}

/// The strength of a whole signal, relative to a tone of the tests' amplitude, in dB.
fn total_level(signal: &[i16]) -> f64 {
    let power: f64 = signal.iter().map(|&value| f64::from(value).powi(2)).sum();
    10.0 * (2.0 * power / signal.len() as f64 / AMPLITUDE.powi(2)).log10()
}

#[test]
fn a_sweep_arrives_as_the_ideal_delayed_sweep() {
    for from in SAMPLE_RATES {
        for to in SAMPLE_RATES {
            let sweep = Sweep { end_hz: 0.85 * f64::from(from.min(to)) / 2.0, seconds: 0.3 };
            let mut resampler = Resampler::new(from, to);
            let delay = resampler.kernel.delay as f64 / f64::from(from);
            let output = resampler.push(&sample(from, sweep.seconds, |time| sweep.at(time)));
            assert!((output.len() as f64 / f64::from(to) - sweep.seconds).abs() < 0.001);

            let (mut signal, mut noise) = (0.0, 0.0);
            for (n, &value) in output.iter().enumerate().skip(to as usize / 200) {
                let ideal = sweep.at(n as f64 / f64::from(to) - delay);
                signal += ideal.powi(2);
                noise += (f64::from(value) - ideal).powi(2);
            }
            let ratio = 10.0 * (signal / noise).log10();
            assert!(ratio > 60.0, "{from} to {to}: {ratio:.1} dB");
        }
    }
}

#[test]
fn tones_above_the_lower_nyquist_frequency_do_not_come_back_as_aliases() {
    for (from, to, hz) in [
        (24_000, 16_000, 8_010.0),
        (24_000, 16_000, 9_000.0),
        (24_000, 16_000, 11_000.0),
        (24_000, 8_000, 4_400.0),
        (48_000, 16_000, 15_000.0),
        (48_000, 44_100, 23_000.0),
        (44_100, 8_000, 12_345.0),
    ] {
        let output = Resampler::new(from, to).push(&sample(from, 0.3, tone(hz)));
        // The filter also answers to the tone's sudden start: that is not an alias.
        let loudness = total_level(&output[to as usize / 100..]);
        assert!(loudness < -60.0, "{hz} Hz from {from} to {to}: {loudness:.1} dB");
    }
}

#[test]
fn tones_have_no_images_above_the_lower_nyquist_frequency() {
    for (from, to, hz) in [
        (16_000, 24_000, 4_500.0),
        (16_000, 24_000, 6_800.0),
        (16_000, 48_000, 6_800.0),
        (8_000, 24_000, 3_400.0),
        (8_000, 48_000, 1_000.0),
        (44_100, 48_000, 20_150.0),
    ] {
        let output = Resampler::new(from, to).push(&sample(from, 0.3, tone(hz)));
        // 0.2 s hold whole periods of every frequency here.
        let steady = &output[to as usize / 10..][..to as usize / 5];
        let passed = level(steady, to, hz);
        // The last one lies in the transition: only there does 48 kHz leave room for an image.
        assert!(passed > -12.0, "{hz} Hz from {from} to {to}: {passed:.2} dB");
        let images = (1..=to / from + 1).flat_map(|n| [-hz, hz].map(|hz| f64::from(n * from) + hz));
        for image in images.filter(|image| *image < f64::from(to) / 2.0) {
            let loudness = level(steady, to, image);
            assert!(loudness < -60.0, "{hz} Hz from {from} to {to}: {loudness:.1} dB at {image} Hz");
        }
    }
}

#[test]
fn the_first_samples_do_not_click() {
    // A tone that begins at its zero crossing may not make the output jump by more than the tone itself does.
    for (from, to) in [(16_000, 24_000), (24_000, 16_000), (8_000, 48_000)] {
        let output = Resampler::new(from, to).push(&sample(from, 0.05, tone(200.0)));
        let steepest = (AMPLITUDE * TAU * 200.0 / f64::from(to)) as i32 + 1;
        let mut last = 0;
        for (n, &value) in output.iter().enumerate() {
            let jump = (i32::from(value) - last).abs();
            assert!(jump <= steepest * 5 / 4, "{from} to {to}: {jump} at {n}, a tone has {steepest}");
            last = i32::from(value);
        }
    }
}

/// Half of full scale, in units of a sample: loud, and no peak clips.
const AMPLITUDE: f64 = 16_000.0;
