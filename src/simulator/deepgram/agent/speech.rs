//! What an answer consists of and when each piece of it leaves: texts, audio, the end.
//! Knows nothing of why it is said or how it is interrupted.

use std::{collections::VecDeque, time::Duration};

use crate::simulator::{
    codec::{Encoding, Format},
    voice,
};

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// What is said, whole or a sentence of it.
    Text(String),
    /// Audio follows.
    Started,
    /// Audio as it goes over the wire.
    Audio(Vec<u8>),
    /// All audio has been sent.
    Done,
    /// The answer is over.
    End,
}

/// How an answer is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// The format of audio; `None` for text alone.
    pub(super) format: Option<Format>,
    /// Audio begins with the header of a WAV stream.
    pub(super) is_wav: bool,
    /// How many times faster than real time audio is sent.
    pub(super) pace: f64,
    /// Each sentence comes by itself.
    pub(super) by_sentence: bool,
}

/// The time table of a text that begins at `start`.
pub(super) fn script(text: &str, manner: Manner, start: Duration) -> VecDeque<(Duration, Beat)> {
    let mut beats = VecDeque::new();
    let mut at = start;
    let mut is_audible = false;
    let parts = if manner.by_sentence { sentences(text) } else { vec![text] };
    for part in parts {
        beats.push_back((at, Beat::Text(part.to_owned())));
        let Some(format) = manner.format else { continue };
        let samples: Vec<i16> =
            voice::speak(part, format, 1.0).into_iter().flat_map(|segment| segment.samples).collect();
        if !is_audible && !samples.is_empty() {
            is_audible = true;
            beats.push_back((at, Beat::Started));
            if manner.is_wav {
                beats.push_back((at, Beat::Audio(wav_header(format))));
            }
        }
        for slice in samples.chunks(format.samples_in(SLICE_MS)) {
            beats.push_back((at, Beat::Audio(format.encode(slice))));
            at += Duration::from_secs_f64(slice.len() as f64 / f64::from(format.rate) / manner.pace);
        }
    }
    if is_audible {
        beats.push_back((at, Beat::Done));
    }
    beats.push_back((at, Beat::End));
    beats
}

/// A text cut behind each full stop, question or exclamation mark that a space follows.
fn sentences(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(end) = [". ", "? ", "! "].iter().filter_map(|mark| rest.find(mark)).min() {
        let (part, tail) = rest.split_at(end + 1);
        parts.push(part);
        rest = tail.trim_start();
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(rest);
    }
    parts
}

/// The header of a WAV stream whose length is not known.
fn wav_header(format: Format) -> Vec<u8> {
    let tag: u16 = match format.encoding {
        Encoding::Linear16 => 1,
        Encoding::Linear32 => 3,
        Encoding::Alaw => 6,
        Encoding::Mulaw => 7,
    };
    let bytes_per_sample = format.bytes_per_sample() as u16;
    let bytes_per_second = format.rate * u32::from(bytes_per_sample);
    let mut header = Vec::with_capacity(44);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&u32::MAX.to_le_bytes());
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&16u32.to_le_bytes());
    header.extend_from_slice(&tag.to_le_bytes());
    header.extend_from_slice(&1u16.to_le_bytes());
    header.extend_from_slice(&format.rate.to_le_bytes());
    header.extend_from_slice(&bytes_per_second.to_le_bytes());
    header.extend_from_slice(&bytes_per_sample.to_le_bytes());
    header.extend_from_slice(&(bytes_per_sample * 8).to_le_bytes());
    header.extend_from_slice(b"data");
    header.extend_from_slice(&u32::MAX.to_le_bytes());
    header
}

/// Audio in one message.
const SLICE_MS: u64 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn manner(encoding: Encoding, rate: u32) -> Manner {
        Manner { format: Some(Format { encoding, rate }), is_wav: false, pace: 4.0, by_sentence: false }
    }

    fn bytes(beats: &VecDeque<(Duration, Beat)>) -> Vec<u8> {
        let audio = beats.iter().filter_map(|(_, beat)| match beat {
            Beat::Audio(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        audio.collect::<Vec<_>>().concat()
    }

    #[test]
    fn an_answer_is_as_long_in_every_format() {
        let of = |encoding, rate| script("How can I help you?", manner(encoding, rate), Duration::ZERO);
        let seconds = bytes(&of(Encoding::Linear16, 24_000)).len() as f64 / 48_000.0;
        assert!(seconds > 0.5, "{seconds}");
        for (encoding, rate, per_sample) in [
            (Encoding::Linear16, 8000, 2.0),
            (Encoding::Linear16, 16_000, 2.0),
            (Encoding::Linear16, 32_000, 2.0),
            (Encoding::Linear16, 48_000, 2.0),
            (Encoding::Mulaw, 8000, 1.0),
            (Encoding::Mulaw, 16_000, 1.0),
            (Encoding::Alaw, 8000, 1.0),
            (Encoding::Alaw, 16_000, 1.0),
        ] {
            let beats = of(encoding, rate);
            let lasts = bytes(&beats).len() as f64 / per_sample / f64::from(rate);
            assert!((lasts - seconds).abs() < 0.001, "{encoding:?} {rate}: {lasts} for {seconds}");
            let end = beats.back().expect("an end").0.as_secs_f64();
            assert!((end - seconds / 4.0).abs() < 0.001, "{end} for {seconds}");
        }
    }

    #[test]
    fn the_audio_is_loud_speech() {
        let format = Format { encoding: Encoding::Alaw, rate: 16_000 };
        let beats = script("Hello.", manner(Encoding::Alaw, 16_000), Duration::ZERO);
        let samples = format.decode(&bytes(&beats)).expect("whole samples");
        assert!(samples.iter().any(|sample| sample.unsigned_abs() > 8000));
    }

    #[test]
    fn a_wav_stream_has_one_header_that_a_reader_takes() {
        let manner = Manner { is_wav: true, by_sentence: true, ..manner(Encoding::Linear16, 16_000) };
        let mut audio = bytes(&script("Hello. How can I help you?", manner, Duration::ZERO));
        // The reader wants whole samples, also of a length that is not known.
        audio[40..44].copy_from_slice(&(u32::MAX - 1).to_le_bytes());
        let spec = hound::WavReader::new(audio.as_slice()).expect("a WAV stream").spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 16_000, 16));
        assert_eq!(audio.windows(4).filter(|bytes| bytes == b"RIFF").count(), 1);
        let law = wav_header(Format::MULAW);
        assert_eq!((law.len(), &law[20..36]), (44, &b"\x07\0\x01\0\x40\x1F\0\0\x40\x1F\0\0\x01\0\x08\0"[..]));
    }

    #[test]
    fn sentences_come_one_by_one_each_before_its_audio() {
        let manner = Manner { by_sentence: true, ..manner(Encoding::Mulaw, 8000) };
        let beats = script("Hello. It is 3.5 hours! Yes", manner, Duration::ZERO);
        let texts: Vec<_> =
            beats.iter().enumerate().filter(|(_, (_, beat))| matches!(beat, Beat::Text(_))).collect();
        let said: Vec<_> = texts.iter().map(|(_, (_, beat))| beat.clone()).collect();
        assert_eq!(said, ["Hello.", "It is 3.5 hours!", "Yes"].map(|text| Beat::Text(text.to_owned())));
        assert!(texts.windows(2).all(|pair| pair[1].0 > pair[0].0 + 2), "audio stands between");
        let silent = Manner { format: None, ..manner };
        let beats = script("Hello. Yes", silent, Duration::ZERO);
        assert_eq!(beats.len(), 3);
        assert_eq!(script("", silent, Duration::ZERO).len(), 2);
        assert_eq!(script("", manner, Duration::ZERO).len(), 2, "nothing is to be heard");
    }
}
