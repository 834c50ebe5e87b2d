//! Conversion of a stream of raw audio from one format to another, and the header that makes a WAV stream of it.
//! Knows bytes and formats; who speaks which format is decided elsewhere.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use crate::protocol::audio::{AudioFormat, Encoding};
use crate::translate::g711;
use crate::translate::resample::Resampler;

/// Converts one stream of raw mono audio, chunk by chunk. The chunks may have any length: a sample that is cut
/// in two is completed by the next chunk. How the stream is cut changes nothing in what comes out.
#[derive(Debug)]
pub struct Transcoder {
    from: Encoding,
    to: Encoding,
    path: Path,
    /// The first half of a linear16 sample whose second half has not come yet.
    half: Option<u8>,
}

/// What has to be done to the samples.
#[derive(Debug)]
enum Path {
    /// Nothing: whole samples go through as they are.
    Keep,
    /// Another encoding at the same rate.
    Recode,
    /// Another rate, and possibly another encoding.
    Resample(Resampler),
}

impl Transcoder {
    /// A converter for a stream that begins now.
    ///
    /// # Panics
    ///
    /// If the formats' sample rates differ and one is not in
    /// [`SAMPLE_RATES`](crate::protocol::audio::SAMPLE_RATES): see [`AudioFormat::is_supported`].
    pub fn new(from: AudioFormat, to: AudioFormat) -> Self {
        let path = if from == to {
            Path::Keep
        } else if from.sample_rate == to.sample_rate {
            Path::Recode
        } else {
            Path::Resample(Resampler::new(from.sample_rate, to.sample_rate))
        };
        Self { from: from.encoding, to: to.encoding, path, half: None }
    }

    /// By how much what comes out lags behind what went in; zero where the rate stays. See
    /// [`Resampler::delay`].
    pub fn delay(&self) -> Duration {
        match &self.path {
            Path::Keep | Path::Recode => Duration::ZERO,
            Path::Resample(resampler) => resampler.delay(),
        }
    }

    /// Converts the next chunk. All that can be known of the output comes out, which may be nothing; between
    /// identical formats the very same `Bytes` do, as long as no sample is cut in two.
    pub fn push(&mut self, input: Bytes) -> Bytes {
        if matches!(self.path, Path::Keep) {
            return match self.from {
                Encoding::Linear16 => self.whole_samples(input),
                Encoding::Mulaw | Encoding::Alaw => input,
            };
        }
        match self.from {
            Encoding::Linear16 => {
                let (joined, whole) = self.complete_sample(&input);
                self.encode(joined.as_slice(), whole, i16::from_le_bytes)
            }
            Encoding::Mulaw => self.encode(&[], &input, g711::mulaw_decode),
            Encoding::Alaw => self.encode(&[], &input, g711::alaw_decode),
        }
    }

    /// The chunk from the sample that an earlier one has begun to the last that is complete. Nobody takes a
    /// half: upstream refuses the whole chunk for it.
    fn whole_samples(&mut self, mut input: Bytes) -> Bytes {
        if let Some(first) = self.half.take() {
            let mut joined = BytesMut::with_capacity(1 + input.len());
            joined.put_u8(first);
            joined.extend_from_slice(&input);
            input = joined.freeze();
        }
        if !input.len().is_multiple_of(2) {
            self.half = input.last().copied();
            input.truncate(input.len() - 1);
        }
        input
    }

    /// The sample that begins in an earlier chunk, if it is complete now, and the whole samples after it. What
    /// is left over waits for the next chunk.
    fn complete_sample<'a>(&mut self, input: &'a [u8]) -> (Option<[u8; 2]>, &'a [[u8; 2]]) {
        let (joined, input) = match (self.half, input) {
            (Some(first), [second, rest @ ..]) => {
                self.half = None;
                (Some([first, *second]), rest)
            }
            _ => (None, input),
        };
        let (whole, rest) = input.as_chunks();
        self.half = self.half.or(rest.first().copied());
        (joined, whole)
    }

    fn encode<T: Copy>(&mut self, first: &[T], rest: &[T], decode: impl Fn(T) -> i16) -> Bytes {
        match self.to {
            Encoding::Linear16 => self.convert(first, rest, decode, i16::to_le_bytes).into_flattened().into(),
            Encoding::Mulaw => self.convert(first, rest, decode, g711::mulaw_encode).into(),
            Encoding::Alaw => self.convert(first, rest, decode, g711::alaw_encode).into(),
        }
    }

    /// The samples of `first` and then of `rest`, in one buffer of exactly their size.
    fn convert<T: Copy, U: Clone>(
        &mut self,
        first: &[T],
        rest: &[T],
        decode: impl Fn(T) -> i16,
        encode: impl Fn(i16) -> U,
    ) -> Vec<U> {
        let count = first.len() + rest.len();
        match &mut self.path {
            Path::Resample(resampler) => {
                let mut output = Vec::with_capacity(resampler.output_len(count));
                resampler.convert(first, &decode, &mut output, &encode);
                resampler.convert(rest, &decode, &mut output, &encode);
                output
            }
            Path::Keep | Path::Recode => {
                let mut output = Vec::with_capacity(count);
                output.extend(first.iter().map(|&sample| encode(decode(sample))));
                output.extend(rest.iter().map(|&sample| encode(decode(sample))));
                output
            }
        }
    }
}

/// The header of a WAV stream whose length is not known yet: both sizes are 0xFFFFFFFF, which
/// readers of streams take for "until it ends". One channel; format tag
/// 1 for linear16, 6 for A-law, 7 for mu-law.
pub fn wav_header(format: AudioFormat) -> [u8; WAV_HEADER] {
    let (tag, bits): (u16, u16) = match format.encoding {
        Encoding::Linear16 => (1, 16),
        Encoding::Alaw => (6, 8),
        Encoding::Mulaw => (7, 8),
    };
    let mut header = [0; WAV_HEADER];
    let mut end = 0;
    for field in [
        b"RIFF".as_slice(),
        &UNKNOWN_SIZE,
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &tag.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &format.sample_rate.to_le_bytes(),
        &format.bytes_per_second().to_le_bytes(),
        &(bits / 8).to_le_bytes(),
        &bits.to_le_bytes(),
        b"data",
        &UNKNOWN_SIZE,
    ] {
        let start = end;
        end += field.len();
        header[start..end].copy_from_slice(field);
    }
    header
}

/// Bytes of a WAV file before its first sample.
pub const WAV_HEADER: usize = 44;

const UNKNOWN_SIZE: [u8; 4] = u32::MAX.to_le_bytes();

#[cfg(test)]
mod quality;

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::audio::{ALAW_8K, MULAW_8K, PCM_16K, PCM_24K, SAMPLE_RATES};

    fn pcm(sample_rate: u32) -> AudioFormat {
        AudioFormat { encoding: Encoding::Linear16, sample_rate }
    }

    fn to_bytes(samples: impl IntoIterator<Item = i16>) -> Bytes {
        samples.into_iter().flat_map(i16::to_le_bytes).collect()
    }

    fn to_samples(bytes: &[u8]) -> Vec<i16> {
        let (samples, rest) = bytes.as_chunks();
        assert!(rest.is_empty(), "half a sample came out");
        samples.iter().map(|&sample| i16::from_le_bytes(sample)).collect()
    }

    /// Cuts `input` into the given lengths, over and over, and converts piece by piece.
    fn push_in_pieces(transcoder: &mut Transcoder, mut input: Bytes, lengths: &[usize]) -> Vec<u8> {
        let mut output = Vec::new();
        for &length in lengths.iter().cycle() {
            if input.is_empty() {
                break;
            }
            let piece = transcoder.push(input.split_to(length.min(input.len())));
            let whole =
                if transcoder.to == Encoding::Linear16 { piece.len().is_multiple_of(2) } else { true };
            assert!(whole, "half a sample came out");
            output.extend(piece);
        }
        output
    }

    fn any_format() -> impl Strategy<Value = AudioFormat> {
        let encoding = prop::sample::select(&[Encoding::Linear16, Encoding::Mulaw, Encoding::Alaw][..]);
        (encoding, prop::sample::select(&SAMPLE_RATES[..])).prop_map(|(encoding, sample_rate)| {
            let format = AudioFormat { encoding, sample_rate };
            if format.is_supported() { format } else { AudioFormat { sample_rate: 8_000, ..format } }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn chunking_changes_nothing(
            from in any_format(),
            to in any_format(),
            input in prop::collection::vec(any::<u8>(), 0..4_000),
            mut lengths in prop::collection::vec(0_usize..1_500, 1..20),
        ) {
            lengths.push(1);
            let input = Bytes::from(input);
            let whole = Transcoder::new(from, to).push(input.clone());
            let pieces = push_in_pieces(&mut Transcoder::new(from, to), input.clone(), &lengths);
            prop_assert_eq!(&whole[..], &pieces[..]);
            let samples = input.len() / from.bytes_per_sample() * to.sample_rate as usize / from.sample_rate as usize;
            prop_assert_eq!(whole.len(), samples * to.bytes_per_sample());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3))]
        #[test]
        fn a_sweep_from_16_to_24_khz_in_any_frames_is_the_ideal_delayed_sweep(
            lengths in prop::collection::vec(1_usize..2_000, 1..200),
        ) {
            let (seconds, end_hz) = (10.0, 0.85 * 8_000.0);
            let sweep = |time: f64| 16_000.0 * (TAU * (50.0 + (end_hz - 50.0) / seconds * time / 2.0) * time).sin();
            let input = to_bytes((0..160_000).map(|n| sweep(f64::from(n) / 16_000.0).round() as i16));
            let mut transcoder = Transcoder::new(PCM_16K, PCM_24K);
            let delay = transcoder.delay().as_secs_f64();
            let output = to_samples(&push_in_pieces(&mut transcoder, input, &lengths));
            prop_assert_eq!(output.len(), 240_000);

            let (mut signal, mut noise) = (0.0, 0.0);
            for (n, &value) in output.iter().enumerate().skip(120) {
                let ideal = sweep(n as f64 / 24_000.0 - delay);
                signal += ideal.powi(2);
                noise += (f64::from(value) - ideal).powi(2);
            }
            let ratio = 10.0 * (signal / noise).log10();
            prop_assert!(ratio > 65.0, "{ratio:.1} dB");
        }
    }

    #[test]
    fn identical_formats_share_the_buffer() {
        let input = Bytes::from(vec![1, 2, 3]);
        let mut transcoder = Transcoder::new(PCM_24K, PCM_24K);
        let output = transcoder.push(input.clone());
        assert_eq!(output[..], [1, 2]);
        assert_eq!(output.as_ptr(), input.as_ptr());
        // The half that is left over comes with its other half.
        assert_eq!(transcoder.push(Bytes::from(vec![4]))[..], [3, 4]);
        let output = Transcoder::new(MULAW_8K, MULAW_8K).push(input.clone());
        assert_eq!((output.len(), output.as_ptr()), (3, input.as_ptr()));
    }

    #[test]
    fn half_a_sample_waits_for_its_other_half() {
        let mut transcoder = Transcoder::new(pcm(8_000), MULAW_8K);
        let [low, high] = 8_031_i16.to_le_bytes();
        assert!(transcoder.push(Bytes::copy_from_slice(&[low])).is_empty());
        assert!(transcoder.push(Bytes::new()).is_empty());
        let output = transcoder.push(Bytes::copy_from_slice(&[high, low]));
        assert_eq!(output[..], [g711::mulaw_encode(8_031)]);
        assert_eq!(transcoder.push(Bytes::copy_from_slice(&[high, 0, 0]))[..], [output[0], 0xFF]);
    }

    #[test]
    fn g711_at_the_same_rate_is_converted_sample_by_sample() {
        let codes = Bytes::from_iter(0..=u8::MAX);
        let linear = Transcoder::new(MULAW_8K, pcm(8_000)).push(codes.clone());
        assert_eq!(
            to_samples(&linear),
            codes.iter().map(|&code| g711::mulaw_decode(code)).collect::<Vec<_>>()
        );
        let alaw = Transcoder::new(MULAW_8K, ALAW_8K).push(codes.clone());
        let expected = codes.iter().map(|&code| g711::alaw_encode(g711::mulaw_decode(code)));
        assert_eq!(alaw, Bytes::from_iter(expected));
        assert_eq!(Transcoder::new(ALAW_8K, pcm(8_000)).push(codes)[..2], (-5_504_i16).to_le_bytes());
    }

    #[test]
    fn silence_stays_silence() {
        let formats = [PCM_16K, PCM_24K, MULAW_8K, AudioFormat { encoding: Encoding::Mulaw, ..PCM_16K }];
        for from in formats {
            for to in formats {
                let output = Transcoder::new(from, to).push(Bytes::from(vec![from.silence(); 960]));
                assert!(
                    !output.is_empty() && output.iter().all(|&byte| byte == to.silence()),
                    "{from} to {to}"
                );
            }
        }
        // A-law has no zero: its silence is a constant 8, and comes back as itself.
        let linear = Transcoder::new(ALAW_8K, PCM_24K).push(Bytes::from(vec![ALAW_8K.silence(); 960]));
        assert!(to_samples(&linear)[100..].iter().all(|&sample| sample == 8));
        let alaw = Transcoder::new(PCM_24K, ALAW_8K).push(Bytes::from(vec![0; 960]));
        assert!(alaw.iter().all(|&byte| byte == ALAW_8K.silence()));
    }

    #[test]
    fn a_frame_is_one_buffer_of_exact_size() {
        let output = Transcoder::new(PCM_16K, PCM_24K).push(Bytes::from(vec![7; 641]));
        assert_eq!(output.len(), 960);
        let buffer = output.try_into_mut().expect("the output is not shared");
        assert_eq!(buffer.capacity(), 960);
    }

    #[test]
    fn wav_headers_name_the_format_and_no_length() {
        let header = wav_header(PCM_24K);
        assert_eq!(&header[..24], b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0\x01\0\x01\0");
        assert_eq!(&header[24..], b"\xC0\x5D\0\0\x80\xBB\0\0\x02\0\x10\0data\xFF\xFF\xFF\xFF");
        assert_eq!(wav_header(MULAW_8K)[20..36], *b"\x07\0\x01\0\x40\x1F\0\0\x40\x1F\0\0\x01\0\x08\0");
        assert_eq!(wav_header(ALAW_8K)[20..22], [6, 0]);
    }
}
