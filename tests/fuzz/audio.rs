//! Audio of any format in pieces of any length: nothing is lost, doubled or made, however it is cut.

use bytes::Bytes;
use std::time::Duration;
use voxbridge::protocol::audio::{AudioFormat, Encoding, SAMPLE_RATES};
use voxbridge::translate::audio::{Transcoder, wav_header};

use crate::random::Random;
use crate::runner::{Fuzzer, within};

fn format(random: &mut Random) -> AudioFormat {
    let encoding = *random.pick(&[Encoding::Linear16, Encoding::Mulaw, Encoding::Alaw]);
    let sample_rate = match encoding {
        Encoding::Linear16 => *random.pick(&SAMPLE_RATES),
        Encoding::Mulaw | Encoding::Alaw => *random.pick(&[8_000, 16_000]),
    };
    AudioFormat { encoding, sample_rate }
}

#[test]
fn conversions() {
    let fuzzer = Fuzzer::new("conversions");
    // Each pair of rates has a table, which is made once.
    for (from, to) in SAMPLE_RATES.iter().flat_map(|from| SAMPLE_RATES.map(|to| (*from, to))) {
        let linear = |sample_rate| AudioFormat { encoding: Encoding::Linear16, sample_rate };
        Transcoder::new(linear(from), linear(to)).push(Bytes::from_static(&[0; 640]));
    }
    fuzzer.run(1_500, |random| {
        let (from, to) = (format(random), format(random));
        let length = random.length(20_000);
        let audio = match random.below(3) {
            0 => random.bytes(length),
            1 => vec![0xff; length],
            _ => [0x00, 0x80, 0xff, 0x7f].repeat(length / 4),
        };
        let whole = Transcoder::new(from, to).push(Bytes::from(audio.clone()));
        let samples = |format: AudioFormat, bytes: usize| bytes as f64 / format.bytes_per_sample() as f64;
        let expected = samples(from, audio.len()) * f64::from(to.sample_rate) / f64::from(from.sample_rate);
        let off = expected - samples(to, whole.len());
        let delay = 0.002 * f64::from(to.sample_rate);
        assert!(
            (-1.0..=delay + 2.0).contains(&off),
            "{off} samples of {expected} are missing, {from} to {to}"
        );
        assert!(whole.len().is_multiple_of(to.bytes_per_sample()), "half a sample");
        let mut transcoder = Transcoder::new(from, to);
        let (mut rest, mut pieces) = (Bytes::from(audio), Vec::with_capacity(whole.len()));
        while !rest.is_empty() {
            let length = random.length(rest.len()).clamp(1, rest.len());
            let piece = rest.split_to(length);
            pieces.extend_from_slice(&within(64 * 1024 + 16 * length, || transcoder.push(piece)));
        }
        assert!(pieces == whole, "{from} to {to} depends on how it is cut");
    });
}

/// Arithmetic between bytes and time, of formats that nobody has as well.
#[test]
fn lengths() {
    let fuzzer = Fuzzer::new("lengths");
    fuzzer.run(20_000, |random| {
        let encoding = *random.pick(&[Encoding::Linear16, Encoding::Mulaw, Encoding::Alaw]);
        let sample_rate = *random.pick(&[0, 1, 7, 8_000, 44_100, u32::MAX / 2, u32::MAX]);
        let format = AudioFormat { encoding, sample_rate };
        let bytes = (random.next() >> random.below(64)) as usize;
        let time = format.duration_of(bytes);
        let any = Duration::new(random.next() >> random.below(64), random.next() as u32 % 1_000_000_000);
        format.bytes_in(any);
        wav_header(format);
        if format.is_supported() && bytes < usize::MAX / 4 {
            let whole = bytes.next_multiple_of(format.bytes_per_sample());
            let back = format.bytes_in(time);
            assert!(
                back.abs_diff(whole) <= format.bytes_per_sample(),
                "{bytes} bytes of {format} are {time:?}, {back}"
            );
        }
    });
}
