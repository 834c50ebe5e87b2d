//! The filter of a rate pair: its design (windowed sinc, Kaiser), its layout and the store that all
//! sessions share. Knows nothing of streams.

use std::f64::consts::PI;
use std::sync::OnceLock;

use crate::protocol::audio::SAMPLE_RATES;

/// A low-pass filter in polyphase form: one row of taps for each place, between two input samples, where an
/// output sample can lie.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Output samples per period, and the number of phases: `to / gcd(from, to)`.
    pub(super) up: usize,
    /// Input samples per period: `from / gcd(from, to)`.
    pub(super) down: usize,
    /// Taps per phase, a multiple of [`LANES`].
    pub(super) taps: usize,
    /// The filter's delay, in input samples.
    pub(super) delay: usize,
    /// Where the only tap of phase 0 is, if the filter leaves alone what lies on a sample of the input.
    pub(super) untouched: Option<usize>,
    /// So many bits of each coefficient are its fraction: see [`fraction_bits`].
    pub(super) fraction_bits: u32,
    /// `up` rows of `taps` coefficients, the one for the oldest input sample first. Each row adds up to 1.
    rows: Vec<i16>,
}

impl Kernel {
    /// The filter for a pair of [`SAMPLE_RATES`], designed when it is first asked for.
    ///
    /// # Panics
    ///
    /// If a rate is not one of [`SAMPLE_RATES`].
    pub(super) fn shared(from_hz: u32, to_hz: u32) -> &'static Self {
        static KERNELS: [[OnceLock<Kernel>; SAMPLE_RATES.len()]; SAMPLE_RATES.len()] =
            [const { [const { OnceLock::new() }; SAMPLE_RATES.len()] }; SAMPLE_RATES.len()];
        let [from, to] = [from_hz, to_hz].map(|hz| {
            let index = SAMPLE_RATES.iter().position(|&rate| rate == hz);
            index.unwrap_or_else(|| panic!("{hz} Hz is not a supported sample rate"))
        });
        KERNELS[from][to].get_or_init(|| Self::design(from_hz, to_hz))
    }

    fn design(from_hz: u32, to_hz: u32) -> Self {
        let common = gcd(from_hz, to_hz);
        let (up, down) = ((to_hz / common) as usize, (from_hz / common) as usize);
        if up == down {
            // Nothing to filter: the newest sample, as it is.
            let mut row = [0.0; LANES];
            row[LANES - 1] = 1.0;
            return Self::quantise(up, down, 0, &row);
        }
        let band = Band::design(from_hz, to_hz, down);
        let taps = (2 * band.delay).next_multiple_of(LANES);
        let age = |phase, tap| (taps - 1 - tap) as f64 + phase as f64 / up as f64;
        let rows: Vec<f64> = (0..up)
            .flat_map(|phase| (0..taps).map(move |tap| (phase, tap)))
            .map(|(phase, tap)| band.impulse_response(age(phase, tap) - band.delay as f64))
            .collect();
        Self::quantise(up, down, band.delay, &rows)
    }

    /// The filter with these rows, each of them normalised and in 16 bits.
    fn quantise(up: usize, down: usize, delay: usize, rows: &[f64]) -> Self {
        let taps = rows.len() / up;
        let fraction_bits = fraction_bits(rows.chunks_exact(taps));
        let rows: Vec<i16> = rows.chunks_exact(taps).flat_map(|row| quantise(row, fraction_bits)).collect();
        let untouched = sole_tap(&rows[..taps]);
        Self { up, down, taps, delay, untouched, fraction_bits, rows }
    }

    /// The taps for an output sample that lies `phase / up` after the newest input sample of its window.
    #[inline]
    pub(super) fn row(&self, phase: usize) -> &[i16] {
        &self.rows[phase * self.taps..][..self.taps]
    }
}

/// How many bits a coefficient has after the point: as many as leave a tap in 16 bits and its products with the
/// loudest samples, added up, in 32. No row's magnitudes add up to 4; where they do not even add up to 2 and no
/// tap is 1, there is a bit to spare.
fn fraction_bits<'a>(mut rows: impl Iterator<Item = &'a [f64]>) -> u32 {
    let spares_a_bit = rows.all(|row| {
        let sum: f64 = row.iter().sum();
        row.iter().map(|tap| tap.abs()).sum::<f64>() < 1.99 * sum && row.iter().all(|tap| *tap < 0.99 * sum)
    });
    if spares_a_bit { 15 } else { 14 }
}

/// The place of the only tap that is not zero, if there is only one.
fn sole_tap(row: &[i16]) -> Option<usize> {
    let mut taps = row.iter().enumerate().filter(|(_, tap)| **tap != 0);
    let (place, _) = taps.next()?;
    taps.next().is_none().then_some(place)
}

/// The row in 16 bits, such that it adds up to exactly 1: so a constant stays constant instead of humming at the
/// input rate. Of all such rows it is the nearest one: rounded down throughout, then up where most was lost.
fn quantise(row: &[f64], fraction_bits: u32) -> Vec<i16> {
    let one = 1 << fraction_bits;
    let scale = f64::from(one) / row.iter().sum::<f64>();
    let lost = |tap: usize| (row[tap] * scale).rem_euclid(1.0);
    let mut rounded: Vec<i16> = row.iter().map(|tap| (tap * scale).floor() as i16).collect();
    let missing = one - rounded.iter().copied().map(i32::from).sum::<i32>();
    let mut by_loss: Vec<usize> = (0..row.len()).collect();
    by_loss.sort_by(|&a, &b| lost(b).total_cmp(&lost(a)));
    for &tap in by_loss.iter().take(missing as usize) {
        rounded[tap] += 1;
    }
    rounded
}

/// What the filter lets through, in cycles per input sample.
struct Band {
    /// Half the length of the impulse response, in input samples.
    delay: usize,
    /// The frequency in the middle between passband and stopband.
    cutoff: f64,
    /// The shape of the Kaiser window.
    beta: f64,
}

impl Band {
    fn design(from_hz: u32, to_hz: u32, down: usize) -> Self {
        let from_per_lower = f64::from(from_hz) / f64::from(from_hz.min(to_hz));
        // Multiples of a period are whole numbers of samples at both rates. Where a period is longer than the
        // delay may be (44.1 kHz), the delay is a whole number of input samples only.
        let limit = from_hz as usize / DELAY_LIMIT_PER_SECOND;
        let grid = if down <= limit { down } else { 1 };
        let wanted = (WANTED_DELAY * from_per_lower).ceil() as usize;
        let delay = wanted.next_multiple_of(grid).min(limit / grid * grid);

        // Kaiser's formula, in cycles per sample of the lower rate.
        let length = 2.0 * delay as f64 / from_per_lower;
        if to_hz > from_hz {
            // Upwards the transition lies around the Nyquist frequency: what the passband holds has its images
            // beyond it, and speech keeps its sibilants.
            return Self { delay, cutoff: 0.5, beta: 0.1102 * (UPWARDS_ATTENUATION - 8.7) };
        }
        // Downwards the stopband begins at the Nyquist frequency: a transition as wide as the passband leaves it
        // and all the attenuation that buys; if that is not enough, a wider transition.
        let attenuation = 7.95 + 14.36 * (0.5 - PASSBAND) * length;
        let (attenuation, transition) = if attenuation >= ATTENUATION {
            (attenuation, 0.5 - PASSBAND)
        } else {
            (ATTENUATION, (ATTENUATION - 7.95) / (14.36 * length))
        };
        Self {
            delay,
            cutoff: (PASSBAND + transition / 2.0) / from_per_lower,
            beta: 0.1102 * (attenuation - 8.7),
        }
    }

    /// The filter at `offset` input samples from its centre, not yet normalised.
    fn impulse_response(&self, offset: f64) -> f64 {
        let place = offset / self.delay as f64;
        if place.abs() >= 1.0 {
            return 0.0;
        }
        let angle = 2.0 * PI * self.cutoff * offset;
        let sinc = if angle == 0.0 { 1.0 } else { angle.sin() / angle };
        sinc * bessel_i0(self.beta * (1.0 - place * place).sqrt())
    }
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter_square = x * x / 4.0;
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= quarter_square / (n * n);
        sum += term;
        n += 1.0;
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Taps come in groups of this many, so that the inner product needs no remainder: one register of SSE2 or NEON.
pub(super) const LANES: usize = 8;

/// The upper end of the passband in cycles per sample of the lower rate: 0.85 of its Nyquist frequency.
const PASSBAND: f64 = 0.85 * 0.5;
/// Stopband attenuation where the transition has to give way, in dB: 60 are promised.
const ATTENUATION: f64 = 62.0;
/// Stopband attenuation upwards, in dB.
const UPWARDS_ATTENUATION: f64 = 66.0;
/// The delay, in samples of the lower rate, with which about 66 dB fit between passband and Nyquist frequency.
const WANTED_DELAY: f64 = 27.0;
/// The delay is at most one second divided by this: 2 ms.
const DELAY_LIMIT_PER_SECOND: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    /// The filter's gain at `hz`, measured on the impulse response at the rate where all phases interleave.
    fn gain(kernel: &Kernel, from_hz: u32, hz: f64) -> f64 {
        let step = 2.0 * PI * hz / (f64::from(from_hz) * kernel.up as f64);
        let (rotate_re, rotate_im) = (step.cos(), step.sin());
        let (mut re, mut im) = (1.0, 0.0);
        let (mut sum_re, mut sum_im) = (0.0, 0.0);
        for tap in (0..kernel.taps).rev() {
            for phase in 0..kernel.up {
                let value = f64::from(kernel.row(phase)[tap]) / f64::from(1 << kernel.fraction_bits);
                (sum_re, sum_im) = (sum_re + value * re, sum_im + value * im);
                (re, im) = (re * rotate_re - im * rotate_im, re * rotate_im + im * rotate_re);
            }
        }
        sum_re.hypot(sum_im) / kernel.up as f64
    }

    fn decibels(gain: f64) -> f64 {
        20.0 * gain.log10()
    }

    fn pairs() -> impl Iterator<Item = (u32, u32)> {
        SAMPLE_RATES
            .into_iter()
            .flat_map(|from| SAMPLE_RATES.into_iter().map(move |to| (from, to)))
            .filter(|(from, to)| from != to)
    }

    #[test]
    fn the_passband_is_flat() {
        for (from, to) in pairs() {
            let kernel = Kernel::shared(from, to);
            let edge = 0.85 * f64::from(from.min(to)) / 2.0;
            for part in [0.0, 0.3, 0.6, 0.9, 0.95, 0.98, 1.0] {
                let level = decibels(gain(kernel, from, part * edge));
                assert!(level.abs() < 0.02, "{from} to {to}: {level:.4} dB at {:.0} Hz", part * edge);
            }
        }
    }

    #[test]
    fn the_stopband_is_60_db_down() {
        for (from, to) in pairs() {
            let kernel = Kernel::shared(from, to);
            let nyquist = f64::from(from.min(to)) / 2.0;
            let edge = match (from, to) {
                // The images of all that lies below 0.92 of the Nyquist frequency; 0.87 at 8 kHz, where 2 ms
                // hold fewer samples.
                (8_000, _) => 1.13 * nyquist,
                _ if to > from => 1.08 * nyquist,
                // For the same reason 8 kHz is reached with a wider transition.
                (_, 8_000) => 4_350.0,
                _ => nyquist,
            };
            let end = f64::from(from) * kernel.up as f64 / 2.0;
            let near = (0..12).map(|n| edge * (1.0 + f64::from(n) * 0.02));
            let far = (1..6).map(|n| edge + (end - edge) * f64::from(n) / 5.0);
            for hz in near.chain(far) {
                let level = decibels(gain(kernel, from, hz));
                assert!(level < -60.0, "{from} to {to}: {level:.1} dB at {hz:.0} Hz");
            }
        }
    }

    #[test]
    fn the_delay_is_at_most_2_ms_and_whole_at_both_rates() {
        for (from, to) in pairs() {
            let kernel = Kernel::shared(from, to);
            assert!(kernel.delay * 500 <= from as usize, "{from} to {to}: {} samples", kernel.delay);
            if from != 44_100 && to != 44_100 {
                assert_eq!(kernel.delay % kernel.down, 0, "{from} to {to}: {} samples", kernel.delay);
            }
        }
        assert_eq!(Kernel::shared(16_000, 24_000).delay, 28);
        assert_eq!(Kernel::shared(24_000, 16_000).delay, 42);
    }

    #[test]
    fn every_row_adds_up_to_one() {
        for (from, to) in pairs() {
            let kernel = Kernel::shared(from, to);
            for phase in 0..kernel.up {
                let sum: i32 = kernel.row(phase).iter().copied().map(i32::from).sum();
                assert_eq!(sum, 1 << kernel.fraction_bits, "{from} to {to}, phase {phase}");
            }
        }
    }

    #[test]
    fn no_input_overflows_the_inner_product() {
        for (from, to) in pairs() {
            let kernel = Kernel::shared(from, to);
            for phase in 0..kernel.up {
                let sum: i64 = kernel.row(phase).iter().map(|&tap| i64::from(tap).abs()).sum();
                // The loudest sample there is, everywhere with the sign of its tap, and then the rounding.
                let largest = sum * i64::from(i16::MIN).abs() + (1 << (kernel.fraction_bits - 1));
                assert!(largest <= i64::from(i32::MAX), "{from} to {to}, phase {phase}: {largest}");
            }
        }
    }

    #[test]
    fn upwards_the_input_samples_themselves_are_left_alone() {
        for (from, to) in pairs() {
            let kernel = Kernel::shared(from, to);
            let place = (to > from).then(|| kernel.taps - 1 - kernel.delay);
            assert_eq!(kernel.untouched, place, "{from} to {to}");
            if let Some(place) = place {
                assert_eq!(i32::from(kernel.row(0)[place]), 1 << kernel.fraction_bits, "{from} to {to}");
            }
        }
    }

    #[test]
    fn a_pair_is_designed_once() {
        assert!(std::ptr::eq(Kernel::shared(16_000, 24_000), Kernel::shared(16_000, 24_000)));
        assert!(!std::ptr::eq(Kernel::shared(16_000, 24_000), Kernel::shared(24_000, 16_000)));
    }

    #[test]
    #[should_panic(expected = "22050 Hz is not a supported sample rate")]
    fn other_rates_are_a_bug_of_the_caller() {
        Kernel::shared(22_050, 24_000);
    }
}
