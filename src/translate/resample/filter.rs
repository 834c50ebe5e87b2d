//! A kernel at work: the output samples of one phase, in fixed point. Knows windows of samples and rows of taps;
//! which window comes when is the stream's business.

use wide::{i16x8, i32x4};

use super::kernel::{Kernel, LANES};

/// Makes the output samples of one phase: the first of `output`, the `up`-th after it and so on. The window of the
/// first begins with the first of `samples`, that of each other one `down` samples later. Rounds to the nearest value
/// and saturates; each sample is written with `encode`.
#[inline]
pub(super) fn fill<U>(
    kernel: &Kernel,
    phase: usize,
    samples: &[i16],
    output: &mut [U],
    encode: impl Fn(i16) -> U,
) {
    if let (0, Some(tap)) = (phase, kernel.untouched) {
        let untouched = samples[tap..].iter().step_by(kernel.down);
        for (slot, &sample) in output.iter_mut().step_by(kernel.up).zip(untouched) {
            *slot = encode(sample);
        }
        return;
    }
    // What the rate pairs come to. The compiler, knowing the length, keeps the row in registers and has no inner loop.
    match kernel.taps / LANES {
        4 => convolve::<4, U>(kernel, phase, samples, output, encode),
        7 => convolve::<7, U>(kernel, phase, samples, output, encode),
        8 => convolve::<8, U>(kernel, phase, samples, output, encode),
        9 => convolve::<9, U>(kernel, phase, samples, output, encode),
        10 => convolve::<10, U>(kernel, phase, samples, output, encode),
        11 => convolve::<11, U>(kernel, phase, samples, output, encode),
        12 => convolve::<12, U>(kernel, phase, samples, output, encode),
        13 => convolve::<13, U>(kernel, phase, samples, output, encode),
        14 => convolve::<14, U>(kernel, phase, samples, output, encode),
        16 => convolve::<16, U>(kernel, phase, samples, output, encode),
        19 => convolve::<19, U>(kernel, phase, samples, output, encode),
        21 => convolve::<21, U>(kernel, phase, samples, output, encode),
        22 => convolve::<22, U>(kernel, phase, samples, output, encode),
        24 => convolve::<24, U>(kernel, phase, samples, output, encode),
        groups => unreachable!("no pair of rates has {groups} groups of taps"),
    }
}

fn convolve<const GROUPS: usize, U>(
    kernel: &Kernel,
    phase: usize,
    samples: &[i16],
    output: &mut [U],
    encode: impl Fn(i16) -> U,
) {
    let row = groups::<GROUPS>(kernel.row(phase)).map(i16x8::new);
    let windows = samples.windows(LANES * GROUPS).step_by(kernel.down);
    for (slot, window) in output.iter_mut().step_by(kernel.up).zip(windows) {
        let mut sums = i32x4::ZERO;
        for (taps, samples) in row.iter().zip(groups::<GROUPS>(window)) {
            sums += taps.dot(i16x8::new(*samples));
        }
        *slot = encode(round(sums.reduce_add(), kernel.fraction_bits));
    }
}

/// The values in groups of one register each.
#[inline]
fn groups<const GROUPS: usize>(values: &[i16]) -> &[[i16; LANES]; GROUPS] {
    values.as_chunks().0.first_chunk().expect("rows and windows are cut to a kernel's taps")
}

/// To the nearest 16-bit value, halves upwards, saturating.
#[inline]
fn round(value: i32, fraction_bits: u32) -> i16 {
    ((value + (1 << fraction_bits >> 1)) >> fraction_bits).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::audio::SAMPLE_RATES;

    proptest! {
        #[test]
        fn rounds_to_the_nearest_and_saturates(value in -100_000 << 14..100_000 << 14, fraction_bits in 14_u32..16) {
            let exact = f64::from(value) / f64::from(1 << fraction_bits);
            let expected = (exact.clamp(-32_768.0, 32_767.0) + 0.5).floor();
            prop_assert_eq!(f64::from(round(value, fraction_bits)), expected);
        }

        #[test]
        fn each_sample_is_the_rounded_inner_product_of_its_window_and_its_row(
            from in prop::sample::select(&SAMPLE_RATES[..]),
            to in prop::sample::select(&SAMPLE_RATES[..]),
            phase in any::<prop::sample::Index>(),
            samples in prop::collection::vec(any::<i16>(), 1_000),
        ) {
            let kernel = Kernel::shared(from, to);
            let phase = phase.index(kernel.up);
            let windows = samples.windows(kernel.taps).step_by(kernel.down);
            let one = f64::from(1 << kernel.fraction_bits);
            let exact = windows.map(|window| {
                let products = window.iter().zip(kernel.row(phase)).map(|(&a, &b)| f64::from(a) * f64::from(b));
                let value = products.sum::<f64>() / one;
                (value + 0.5).floor().clamp(-32_768.0, 32_767.0) as i16
            });
            let expected: Vec<i16> = exact.collect();
            let mut output = vec![0; (expected.len() - 1) * kernel.up + 1];
            fill(kernel, phase, &samples, &mut output, |sample| sample);
            let mut written = output.chunks(kernel.up);
            prop_assert_eq!(written.clone().map(|period| period[0]).collect::<Vec<_>>(), expected);
            prop_assert!(written.all(|period| period[1..].iter().all(|&other| other == 0)), "written elsewhere");
        }
    }

    #[test]
    fn the_loudest_input_of_every_row_saturates_without_wrapping() {
        for from in SAMPLE_RATES {
            for to in SAMPLE_RATES {
                let kernel = Kernel::shared(from, to);
                for phase in 0..kernel.up {
                    let answer = |positive, negative| {
                        let samples =
                            kernel.row(phase).iter().map(|tap| if *tap > 0 { positive } else { negative });
                        let mut output = [0];
                        fill(kernel, phase, &samples.collect::<Vec<_>>(), &mut output, |sample| sample);
                        output[0]
                    };
                    assert_eq!(answer(i16::MAX, i16::MIN), i16::MAX, "{from} to {to}, phase {phase}");
                    assert_eq!(answer(i16::MIN, i16::MAX), i16::MIN, "{from} to {to}, phase {phase}");
                }
            }
        }
    }
}
