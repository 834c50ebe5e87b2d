//! Audio as it comes in: bytes cut anywhere become whole samples, and the bytes are summed up.
//! Knows nothing of channels' meaning, of speech, or of messages.

use std::fmt;

use ring::digest;

use super::wav::{self, Header};
use crate::simulator::codec::{Encoding, Format};

/// Raw audio of one or more channels, their samples in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) format: Format,
    /// 1 or more.
    pub(super) channels: usize,
}

/// A stream of audio bytes.
pub(super) struct AudioIn {
    state: State,
    /// Bytes that wait for more: a part of a sample, or of a header.
    rest: Vec<u8>,
    digest: digest::Context,
}

enum State {
    /// The audio is in a container, whose header is not complete.
    Header,
    /// Samples; so many bytes of them are to come, if that is known.
    Samples(Layout, Option<u64>),
}

/// The bytes are no audio that the simulator can decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Undecodable;

impl AudioIn {
    /// Raw audio, or a container that says what is in it.
    pub(super) fn new(raw: Option<Layout>) -> Self {
        let state = raw.map_or(State::Header, |layout| State::Samples(layout, None));
        Self { state, rest: Vec::new(), digest: digest::Context::new(&digest::SHA256) }
    }

    /// Takes bytes and gives the samples that they complete, channel by channel, all of one length.
    ///
    /// # Errors
    /// The stream does not begin as a WAV file of an encoding that is known.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Vec<i16>>, Undecodable> {
        self.digest.update(bytes);
        self.rest.extend_from_slice(bytes);
        if let State::Header = self.state {
            match wav::header(&self.rest)? {
                Header::Incomplete => return Ok(Vec::new()),
                Header::Complete { len, layout, data_len } => {
                    self.rest.drain(..len);
                    self.state = State::Samples(layout, data_len);
                }
            }
        }
        let State::Samples(layout, left) = &mut self.state else { return Ok(Vec::new()) };
        let block = layout.format.bytes_per_sample() * layout.channels;
        let mut len = self.rest.len();
        if let Some(left) = left {
            len = len.min(usize::try_from(*left).unwrap_or(usize::MAX));
        }
        let whole = len / block * block;
        let samples = layout.format.decode(&self.rest[..whole]).expect("whole blocks are whole samples");
        match left {
            Some(left) => {
                *left -= whole as u64;
                self.rest.drain(..whole);
                // What follows the samples in a file is no audio.
                let after = usize::try_from(*left).unwrap_or(usize::MAX);
                self.rest.truncate(after);
            }
            None => {
                self.rest.drain(..whole);
            }
        }
        let channels = layout.channels;
        let of_channel = |index| samples.iter().skip(index).step_by(channels).copied().collect();
        Ok((0..channels).map(of_channel).collect())
    }

    /// What the samples are; `None` while a header is not complete.
    pub(super) fn layout(&self) -> Option<Layout> {
        match self.state {
            State::Header => None,
            State::Samples(layout, _) => Some(layout),
        }
    }

    /// SHA-256 of every byte taken, in hexadecimal.
    pub(super) fn sha256(&self) -> String {
        let digest = self.digest.clone().finish();
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The mean of some channels of one length.
pub(super) fn mixed(channels: &[Vec<i16>]) -> Vec<i16> {
    let Some(first) = channels.first() else { return Vec::new() };
    let mean = |index: usize| {
        let sum: i64 = channels.iter().map(|channel| i64::from(channel[index])).sum();
        (sum / channels.len() as i64) as i16
    };
    (0..first.len()).map(mean).collect()
}

/// Audio is content and is not printed.
impl fmt::Debug for AudioIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioIn").field("layout", &self.layout()).finish_non_exhaustive()
    }
}

/// Reads the name of an encoding.
///
/// # Errors
/// The text says whether the name is unknown or only not simulated.
pub(super) fn encoding(name: &str, known: &[&str]) -> Result<Encoding, String> {
    match name {
        "linear16" => Ok(Encoding::Linear16),
        "linear32" => Ok(Encoding::Linear32),
        "mulaw" => Ok(Encoding::Mulaw),
        "alaw" => Ok(Encoding::Alaw),
        other if known.contains(&other) => {
            Err("the simulator takes linear16, linear32, mulaw and alaw only".to_owned())
        }
        _ => Err(format!("expected one of {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(encoding: Encoding, channels: usize) -> AudioIn {
        AudioIn::new(Some(Layout { format: Format { encoding, rate: 16_000 }, channels }))
    }

    #[test]
    fn parts_of_samples_wait_for_the_rest() {
        let mut audio = raw(Encoding::Linear16, 1);
        assert_eq!(audio.take(&[1]), Ok(vec![vec![]]));
        assert_eq!(audio.take(&[2, 3]), Ok(vec![vec![0x0201]]));
        assert_eq!(audio.take(&[4]), Ok(vec![vec![0x0403]]));
        let mut audio = raw(Encoding::Linear16, 2);
        assert_eq!(audio.take(&[1, 0, 2]), Ok(vec![vec![], vec![]]));
        assert_eq!(audio.take(&[0, 3, 0, 4, 0]), Ok(vec![vec![1, 3], vec![2, 4]]));
        assert_eq!(raw(Encoding::Mulaw, 1).take(&[0xff, 0]), Ok(vec![vec![0, -32_124]]));
    }

    #[test]
    fn the_sum_is_of_the_bytes() {
        let mut audio = raw(Encoding::Linear16, 1);
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(audio.sha256(), nothing);
        for piece in ["a", "b", "c"] {
            audio.take(piece.as_bytes()).expect("raw audio is what it is");
        }
        assert_eq!(audio.sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_file_says_what_it_is_and_where_it_ends() {
        let file = std::fs::read("tests/audio/question.wav").expect("the question is shipped");
        let mut longer = file.clone();
        longer.extend_from_slice(b"LIST....");
        let mut audio = AudioIn::new(None);
        let samples: usize = longer
            .chunks(13)
            .filter_map(|piece| audio.take(piece).expect("a file").first().map(Vec::len))
            .sum();
        let reader = hound::WavReader::new(file.as_slice()).expect("a WAV file");
        assert_eq!(samples as u32, reader.duration());
        assert!(audio.rest.is_empty(), "what follows is not kept");
        let layout = audio.layout().expect("the header has come");
        assert_eq!((layout.format.rate, layout.channels), (reader.spec().sample_rate, 1));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        assert_eq!(AudioIn::new(None).take(&[0; 12]), Err(Undecodable));
        assert_eq!(AudioIn::new(None).take(b"OggS"), Err(Undecodable));
    }

    #[test]
    fn channels_are_mixed_to_their_mean() {
        assert_eq!(mixed(&[vec![i16::MAX, 2], vec![i16::MAX, -4]]), [i16::MAX, -1]);
        assert!(mixed(&[]).is_empty());
    }
}
