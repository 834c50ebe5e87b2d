//! WAV files: the user's speech is read, the agent's is written. Knows nothing of what is said to whom.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::protocol::audio::{AudioFormat, Encoding, PCM_24K, SAMPLE_RATES};

/// Speech as it is sent: linear16, mono.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recording {
    /// Linear16 at the file's sample rate.
    pub(super) format: AudioFormat,
    /// Whole samples, at least one.
    pub(super) pcm: Bytes,
}

/// Reads a WAV file that lasts at most `longest`. Integers of 8 to 32 bits and 32-bit floats become
/// linear16, several channels are averaged to one. The error is the reason.
pub(super) fn read(path: &Path, longest: Duration) -> Result<Recording, String> {
    let mut wav = WavReader::open(path).map_err(|error| error.to_string())?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = wav.spec();
    if !SAMPLE_RATES.contains(&sample_rate) {
        let rates = SAMPLE_RATES.map(|rate| rate.to_string()).join(", ");
        return Err(format!("the sample rate is {sample_rate} Hz; it has to be one of {rates} Hz"));
    }
    if channels == 0 {
        return Err("the file has no channels".to_owned());
    }
    let format = AudioFormat { encoding: Encoding::Linear16, sample_rate };
    let seconds = wav.duration() as f64 / f64::from(sample_rate);
    if seconds > longest.as_secs_f64() {
        let longest = longest.as_secs();
        return Err(format!("the recording lasts {seconds:.1} s, longer than the time-out of {longest} s"));
    }
    let samples: Result<Vec<i16>, _> = match sample_format {
        SampleFormat::Float => wav.samples::<f32>().map(|sample| sample.map(from_float)).collect(),
        SampleFormat::Int => {
            wav.samples::<i32>().map(|sample| sample.map(|s| from_int(s, bits_per_sample))).collect()
        }
    };
    let samples = samples.map_err(|error| error.to_string())?;
    let frames = samples.chunks_exact(usize::from(channels));
    let pcm: Vec<u8> = frames.flat_map(|frame| average(frame).to_le_bytes()).collect();
    if pcm.is_empty() {
        return Err("the recording is empty".to_owned());
    }
    Ok(Recording { format, pcm: pcm.into() })
}

fn from_float(sample: f32) -> i16 {
    // The cast saturates, and makes nothing of a NaN.
    (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16
}

fn from_int(sample: i32, bits: u16) -> i16 {
    let sample = i64::from(sample);
    let scaled = match bits {
        0..16 => sample << (16 - bits),
        16..48 => sample >> (bits - 16),
        // The reader knows no such format.
        48.. => 0,
    };
    scaled.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16
}

fn average(frame: &[i16]) -> i16 {
    let sum: i64 = frame.iter().copied().map(i64::from).sum();
    let count = i64::try_from(frame.len()).unwrap_or(i64::MAX).max(1);
    (sum / count) as i16
}

/// Writes `pcm`, mono linear16 of 24 kHz, as a WAV file; half a sample at the end is left out. The error
/// is the reason.
pub(super) fn write(path: &Path, pcm: &[u8]) -> Result<(), String> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: PCM_24K.sample_rate,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let write = || {
        let mut wav = WavWriter::create(path, spec)?;
        for sample in pcm.chunks_exact(2) {
            wav.write_sample(i16::from_le_bytes([sample[0], sample[1]]))?;
        }
        wav.finalize()
    };
    write().map_err(|error: hound::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use hound::Sample;
    use tempfile::TempDir;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);
    const INT16: (u16, SampleFormat) = (16, SampleFormat::Int);

    fn read_back<S: Sample + Copy>(
        channels: u16,
        sample_rate: u32,
        (bits_per_sample, sample_format): (u16, SampleFormat),
        samples: &[S],
    ) -> Result<Recording, String> {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("in.wav");
        let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
        let mut wav = WavWriter::create(&path, spec).expect("a writer");
        for sample in samples {
            wav.write_sample(*sample).expect("a sample");
        }
        wav.finalize().expect("a file");
        read(&path, LONG)
    }

    fn samples_of<S: Sample + Copy>(channels: u16, width: (u16, SampleFormat), samples: &[S]) -> Vec<i16> {
        let recording = read_back(channels, 16_000, width, samples).expect("a recording");
        recording.pcm.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn every_rate_of_the_protocol_is_sent_as_it_is() {
        for rate in SAMPLE_RATES {
            let recording = read_back(1, rate, INT16, &[1_i16, -2]).expect("a recording");
            assert_eq!(recording.format, AudioFormat { encoding: Encoding::Linear16, sample_rate: rate });
            assert_eq!(&recording.pcm[..], [1, 0, 254, 255]);
        }
    }

    #[test]
    fn all_widths_become_sixteen_bits() {
        assert_eq!(samples_of(1, (8, SampleFormat::Int), &[0_i8, 127, -128]), [0, 32_512, -32_768]);
        assert_eq!(samples_of(1, INT16, &[0_i16, i16::MAX, i16::MIN]), [0, i16::MAX, i16::MIN]);
        assert_eq!(
            samples_of(1, (24, SampleFormat::Int), &[0_i32, 8_388_607, -8_388_608]),
            [0, i16::MAX, i16::MIN]
        );
        assert_eq!(samples_of(1, (32, SampleFormat::Int), &[0, i32::MAX, i32::MIN]), [0, i16::MAX, i16::MIN]);
        assert_eq!(
            samples_of(1, (32, SampleFormat::Float), &[0.0_f32, 1.0, -1.0, 0.5, 9.0, f32::NAN]),
            [0, i16::MAX, -i16::MAX, 16_384, i16::MAX, 0]
        );
    }

    #[test]
    fn channels_are_averaged() {
        assert_eq!(
            samples_of(2, INT16, &[100_i16, 200, -100, -300, i16::MIN, i16::MIN]),
            [150, -200, i16::MIN]
        );
        assert_eq!(samples_of(3, INT16, &[3_i16, 6, 9]), [6]);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_the_reason() {
        let refused = |outcome: Result<Recording, String>| outcome.expect_err("a refusal");
        assert_eq!(
            refused(read_back(1, 22_050, INT16, &[0_i16])),
            "the sample rate is 22050 Hz; it has to be one of 8000, 16000, 24000, 32000, 44100, 48000 Hz"
        );
        assert_eq!(refused(read_back::<i16>(1, 16_000, INT16, &[])), "the recording is empty");
        assert_eq!(
            refused(read_back(1, 8_000, INT16, &[0_i16; 248_000])),
            "the recording lasts 31.0 s, longer than the time-out of 30 s"
        );
        let dir = TempDir::new().expect("a directory");
        assert!(refused(read(&dir.path().join("none.wav"), LONG)).contains("No such file"));
        let path = dir.path().join("text.wav");
        fs::write(&path, "this is no sound at all").expect("a file");
        assert!(!refused(read(&path, LONG)).is_empty());
    }

    #[test]
    fn a_file_that_ends_too_early_is_refused() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("cut.wav");
        write(&path, &[0; 400]).expect("a file");
        let whole = fs::read(&path).expect("the file");
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).expect("a file");
            assert!(read(&path, LONG).is_err(), "{length} bytes of {}", whole.len());
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("out.wav");
        write(&path, &[1, 2, 3, 4, 5]).expect("a file");
        let recording = read(&path, LONG).expect("a recording");
        assert_eq!((recording.format, &recording.pcm[..]), (PCM_24K, &[1, 2, 3, 4][..]));
        write(&path, &[]).expect("a file");
        let empty = WavReader::open(&path).expect("a wav file");
        assert_eq!((empty.spec().sample_rate, empty.duration()), (24_000, 0));
    }
}
