//! Spoken input: audio as it comes over the wire to starts and ends of speech.
//! Knows nothing of messages or of the wall clock, so audio may come at any speed and cut anywhere.

use crate::simulator::{
    codec::Format,
    vad::{Activity, Detector, FRAME_MS, Sensitivity},
};

/// A listener to one stream of audio.
#[derive(Debug)]
pub(super) struct Ear {
    format: Format,
    partial: Vec<u8>,
    detector: Detector,
}

/// What it heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Speech began.
    Started,
    /// Speech ended, its silence included.
    Stopped,
}

impl Ear {
    /// A listener to audio in this format.
    pub(super) fn new(format: Format) -> Self {
        Self { format, partial: Vec::new(), detector: Detector::default() }
    }

    /// Takes audio; what is less than a frame waits.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Vec<Heard> {
        self.partial.extend_from_slice(bytes);
        let frame_bytes = self.format.samples_in(FRAME_MS) * self.format.bytes_per_sample();
        let whole = self.partial.len() / frame_bytes * frame_bytes;
        let rest = self.partial.split_off(whole);
        let frames = std::mem::replace(&mut self.partial, rest);
        let heard = frames.chunks_exact(frame_bytes).filter_map(|frame| {
            let samples = self.format.decode(frame).expect("a frame is whole samples");
            match self.detector.frame(&samples, SENSITIVITY) {
                Activity::Same => None,
                Activity::Started { .. } => Some(Heard::Started),
                Activity::Stopped => Some(Heard::Stopped),
            }
        });
        heard.collect()
    }

    /// Speech that goes on is over; what follows is new.
    pub(super) fn end_speech(&mut self) {
        self.detector = Detector::default();
    }
}

/// Speech ends with 300 ms of silence: longer than the gaps between words.
const SENSITIVITY: Sensitivity = Sensitivity { threshold: 0.5, prefix_ms: 0, silence_ms: 300 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::codec::Encoding;

    #[test]
    fn speech_is_found_in_every_format_however_it_is_cut() {
        for encoding in [Encoding::Linear16, Encoding::Linear32, Encoding::Mulaw, Encoding::Alaw] {
            for rate in [8000, 16_000, 44_100, 48_000] {
                let format = Format { encoding, rate };
                let sound = |loud: bool, ms| {
                    let sample = |index: usize| if index.is_multiple_of(2) { 6000 } else { -6000 };
                    (0..format.samples_in(ms)).map(|i| if loud { sample(i) } else { 0 }).collect::<Vec<i16>>()
                };
                let samples = [sound(false, 200), sound(true, 400), sound(false, 400)].concat();
                let audio = format.encode(&samples);
                for size in [1, 333, audio.len()] {
                    let mut ear = Ear::new(format);
                    let heard: Vec<_> = audio.chunks(size).flat_map(|chunk| ear.hear(chunk)).collect();
                    assert_eq!(heard, [Heard::Started, Heard::Stopped], "{format:?} in {size}");
                }
            }
        }
    }

    #[test]
    fn speech_that_was_ended_begins_anew() {
        let mut ear = Ear::new(Format::MULAW);
        let loud = Format::MULAW.encode(&[6000, -6000].repeat(400));
        assert_eq!(ear.hear(&loud), [Heard::Started]);
        assert_eq!(ear.hear(&loud), []);
        ear.end_speech();
        assert_eq!(ear.hear(&loud), [Heard::Started]);
    }
}
