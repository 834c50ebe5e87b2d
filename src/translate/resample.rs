//! Sample rate conversion of a stream: a value with its own filter state, pure like the rest of `translate`.
//! Knows linear samples and rates; neither bytes nor frames nor time.

use std::fmt;
use std::time::Duration;

use kernel::Kernel;

mod filter;
mod kernel;
#[cfg(test)]
mod quality;

/// Converts one mono stream from one of [`SAMPLE_RATES`](crate::protocol::audio::SAMPLE_RATES) to another.
///
/// A streaming polyphase filter: passband flat to 0.02 dB up to 0.85 of the lower Nyquist frequency, images and
/// aliases more than 60 dB down. The stopband begins at the lower Nyquist frequency, except with 8 kHz, where
/// 2 ms of delay allow it from 4.35 kHz on.
///
/// Nothing is held back: after `n` input samples in all, exactly `floor(n * to / from)` output samples have come
/// out, however the stream was cut. The filter looks into the past only, so its delay shows as a constant
/// [`delay`](Resampler::delay) of the signal; before the first sample there was silence.
pub struct Resampler {
    kernel: &'static Kernel,
    rate: u32,
    /// How far the input is ahead of the next output sample, in input samples times `kernel.up`; less than
    /// `kernel.down`.
    ahead: usize,
    /// Input samples before the current block that an output sample of it can still need.
    reach: usize,
    /// The last `reach` samples.
    history: Box<[i16]>,
}

impl Resampler {
    /// A converter for a stream that begins now.
    ///
    /// # Panics
    ///
    /// If a rate is not one of [`SAMPLE_RATES`](crate::protocol::audio::SAMPLE_RATES).
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        let kernel = Kernel::shared(from_hz, to_hz);
        let reach = kernel.taps - 1 + (kernel.down - 1).div_ceil(kernel.up);
        Self { kernel, rate: from_hz, ahead: 0, reach, history: vec![0; reach].into() }
    }

    /// By how much the output lags behind the input: at most 2 ms. 1.75 ms between 16 and 24 kHz, both ways.
    /// A whole number of samples at both rates, unless one of them is 44.1 kHz: then of input samples only.
    pub fn delay(&self) -> Duration {
        let nanos = self.kernel.delay as u64 * 1_000_000_000 / u64::from(self.rate);
        Duration::from_nanos(nanos)
    }

    /// How many samples come out of the next `input_len` samples.
    pub fn output_len(&self, input_len: usize) -> usize {
        (self.ahead + input_len * self.kernel.up) / self.kernel.down
    }

    /// Converts the next samples of the stream. Rounds to the nearest value and saturates.
    pub fn push(&mut self, input: &[i16]) -> Vec<i16> {
        let mut output = Vec::with_capacity(self.output_len(input.len()));
        self.convert(input, |sample| sample, &mut output, |sample| sample);
        output
    }

    /// [`push`](Resampler::push) for samples in any writing: each is read with `decode`, and what comes out is
    /// written with `encode` and appended to `output`.
    pub fn convert<T: Copy, U: Clone>(
        &mut self,
        input: &[T],
        decode: impl Fn(T) -> i16,
        output: &mut Vec<U>,
        encode: impl Fn(i16) -> U,
    ) {
        // On the stack, so that what a stream keeps between two frames is small.
        let mut samples = [0; LONGEST_REACH + BLOCK];
        for block in input.chunks(BLOCK) {
            let samples = &mut samples[..self.reach + block.len()];
            let (past, new) = samples.split_at_mut(self.reach);
            past.copy_from_slice(&self.history);
            for (slot, &sample) in new.iter_mut().zip(block) {
                *slot = decode(sample);
            }
            let start = output.len();
            output.resize(start + self.output_len(block.len()), encode(0));
            self.filter_block(samples, &mut output[start..], &encode);
            self.history.copy_from_slice(&samples[block.len()..]);
        }
    }

    /// Fills `output` with all that these samples allow: `reach` of the past, then the new ones.
    fn filter_block<U>(&mut self, samples: &[i16], output: &mut [U], encode: impl Fn(i16) -> U) {
        let Kernel { up, down, taps, .. } = *self.kernel;
        // The first window ends with the newest input sample that is not later than the output sample.
        let back = self.ahead.div_ceil(up);
        let mut start = self.reach - back + 1 - taps;
        let mut phase = back * up - self.ahead;
        self.ahead = self.ahead + (samples.len() - self.reach) * up - output.len() * down;

        let (whole_step, phase_step) = (down / up, down % up);
        // Phase by phase: every `up`-th output sample has the same taps, and its window begins `down` later.
        for first in 0..up.min(output.len()) {
            filter::fill(self.kernel, phase, &samples[start..], &mut output[first..], &encode);
            start += whole_step;
            phase += phase_step;
            if phase >= up {
                phase -= up;
                start += 1;
            }
        }
    }
}

impl fmt::Debug for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kernel { up, down, .. } = self.kernel;
        f.debug_struct("Resampler").field("up", up).field("down", down).finish_non_exhaustive()
    }
}

/// Samples that are filtered at a time: a 20 ms frame of up to 24 kHz is one block.
const BLOCK: usize = 512;
/// The longest reach of any kernel: 2 ms to each side of the centre at 48 kHz, and a step of 6 samples.
const LONGEST_REACH: usize = 2 * 96 + 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::audio::SAMPLE_RATES;

    /// Cuts `input` into the given lengths, over and over, and converts piece by piece.
    fn push_in_pieces(resampler: &mut Resampler, input: &[i16], lengths: &[usize]) -> Vec<i16> {
        let (mut rest, mut output) = (input, Vec::new());
        for &length in lengths.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at(length.min(rest.len()));
            output.extend(resampler.push(piece));
            rest = later;
        }
        output
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn chunking_changes_nothing(
            from in prop::sample::select(&SAMPLE_RATES[..]),
            to in prop::sample::select(&SAMPLE_RATES[..]),
            input in prop::collection::vec(any::<i16>(), 0..2_000),
            mut lengths in prop::collection::vec(0_usize..700, 1..20),
        ) {
            lengths.push(1);
            let whole = Resampler::new(from, to).push(&input);
            let pieces = push_in_pieces(&mut Resampler::new(from, to), &input, &lengths);
            prop_assert_eq!(whole.len(), input.len() * to as usize / from as usize);
            prop_assert_eq!(whole, pieces);
        }
    }

    #[test]
    fn the_length_is_right_after_every_sample() {
        for (from, to) in [(16_000, 24_000), (44_100, 48_000), (48_000, 8_000), (8_000, 44_100)] {
            let mut resampler = Resampler::new(from, to);
            let mut total = 0;
            for n in 1..=1_000 {
                let announced = resampler.output_len(1);
                let output = resampler.push(&[0]);
                assert_eq!(output.len(), announced);
                total += output.len();
                assert_eq!(total, n * to as usize / from as usize, "{from} to {to} after {n}");
            }
        }
    }

    #[test]
    fn delays_are_what_they_are_documented_to_be() {
        assert_eq!(Resampler::new(16_000, 24_000).delay(), Duration::from_micros(1_750));
        assert_eq!(Resampler::new(24_000, 16_000).delay(), Duration::from_micros(1_750));
        assert_eq!(Resampler::new(8_000, 24_000).delay(), Duration::from_millis(2));
        assert_eq!(Resampler::new(16_000, 16_000).delay(), Duration::ZERO);
    }

    #[test]
    fn equal_rates_pass_samples_through() {
        let input: Vec<i16> = (0..1_500).map(|n| (n * 37 % 4_001) as i16).collect();
        assert_eq!(Resampler::new(16_000, 16_000).push(&input), input);
    }

    #[test]
    fn silence_stays_silence() {
        for from in SAMPLE_RATES {
            for to in SAMPLE_RATES {
                let output = Resampler::new(from, to).push(&[0; 1_000]);
                assert!(output.iter().all(|&sample| sample == 0), "{from} to {to}");
            }
        }
    }

    #[test]
    fn a_full_scale_square_wave_saturates_without_wrapping() {
        for (from, to) in [(16_000, 24_000), (24_000, 16_000), (8_000, 48_000), (44_100, 8_000)] {
            let half_period = from as usize / 100;
            let input: Vec<i16> = (0..20 * half_period)
                .map(|n| if (n / half_period).is_multiple_of(2) { i16::MAX } else { i16::MIN })
                .collect();
            let mut resampler = Resampler::new(from, to);
            let delay = (resampler.delay().as_secs_f64() * f64::from(to)) as usize;
            let output = resampler.push(&input);
            assert!(output.contains(&i16::MAX) && output.contains(&i16::MIN), "{from} to {to}");
            // Wherever the wave is more than the filter's length away from an edge, it is where it belongs.
            let half_period = to as usize / 100;
            for (n, &sample) in output.iter().enumerate().skip(2 * delay) {
                let (half_wave, place) = ((n - delay) / half_period, (n - delay) % half_period);
                if (delay..half_period - delay).contains(&place) {
                    let level = if half_wave % 2 == 0 { i16::MAX } else { i16::MIN };
                    let off = (i32::from(sample) - i32::from(level)).abs();
                    assert!(off < 3_000, "{from} to {to}: {sample} at {n}");
                }
            }
        }
    }
}
