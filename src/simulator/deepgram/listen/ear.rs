//! One channel of audio, heard frame by frame: where in it there is a voice. Positions are samples from the start of
//! the stream, so it does not matter how the audio was cut when it came. Knows nothing of words or messages.

use crate::simulator::vad::{self, Activity, Detector, FRAME_MS, Sensitivity};

/// Hears one channel.
#[derive(Debug)]
pub(super) struct Ear {
    detector: Detector,
    sensitivity: Sensitivity,
    frame_len: usize,
    /// Samples heard in whole frames, from the start of the stream.
    heard: u64,
    samples: Vec<i16>,
    /// How many of them have been heard.
    read: usize,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where it begins.
    pub(super) from: u64,
    /// Where it ends.
    pub(super) to: u64,
    /// Whether there is a voice in it.
    pub(super) is_voiced: bool,
    /// Speech is noticed with this frame, and began here.
    pub(super) onset: Option<u64>,
    /// The silence that ends speech is complete with this frame.
    pub(super) is_end: bool,
}

impl Ear {
    /// Hears audio of a rate; speech ends after so much silence, and never by itself if there is none.
    pub(super) fn new(rate: u32, silence_ms: Option<u64>) -> Self {
        let frame_len = (u64::from(rate) * FRAME_MS / 1000).max(1) as usize;
        let silence_ms = silence_ms.unwrap_or(u64::MAX);
        let sensitivity = Sensitivity { threshold: THRESHOLD, prefix_ms: 0, silence_ms };
        Self { detector: Detector::default(), sensitivity, frame_len, heard: 0, samples: Vec::new(), read: 0 }
    }

    /// Takes samples.
    pub(super) fn take(&mut self, samples: &[i16]) {
        self.samples.extend_from_slice(samples);
    }

    /// The next frame that is complete.
    pub(super) fn frame(&mut self) -> Option<Frame> {
        let Some(samples) = self.samples.get(self.read..self.read + self.frame_len) else {
            self.samples.drain(..self.read);
            self.read = 0;
            return None;
        };
        let len = samples.len() as u64;
        let (from, to) = (self.heard, self.heard + len);
        let activity = self.detector.frame(samples, self.sensitivity);
        let onset = match activity {
            Activity::Started { voiced_ms } => Some(to - voiced_ms / FRAME_MS * len),
            Activity::Same | Activity::Stopped => None,
        };
        let is_voiced = vad::is_voiced(samples, THRESHOLD);
        self.heard = to;
        self.read += self.frame_len;
        Some(Frame { from, to, is_voiced, onset, is_end: activity == Activity::Stopped })
    }

    /// Samples taken, those of an unfinished frame included.
    pub(super) fn position(&self) -> u64 {
        self.heard + (self.samples.len() - self.read) as u64
    }

    /// Takes what may go on for new speech, which must be noticed again.
    pub(super) fn forget_speech(&mut self) {
        self.detector = Detector::default();
    }
}

/// What the detector takes for a voice: anything above about -34 dBFS.
const THRESHOLD: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(ear: &mut Ear, samples: &[i16]) -> Vec<(Option<u64>, u64)> {
        ear.take(samples);
        let frames = std::iter::from_fn(|| ear.frame());
        let changes = frames.filter(|frame| frame.onset.is_some() || frame.is_end);
        changes.map(|frame| (frame.onset, frame.to)).collect()
    }

    #[test]
    fn positions_are_those_of_the_stream_however_it_is_cut() {
        let samples: Vec<i16> = [vec![0; 1000], vec![5000; 3000], vec![0; 6000]].concat();
        let whole = changes(&mut Ear::new(16_000, Some(200)), &samples);
        // Frames of 320 samples; the fourth, half silent, counts as voiced.
        assert_eq!(whole, [(Some(960), 1920), (None, 4160 + 3200)]);
        let mut ear = Ear::new(16_000, Some(200));
        let cut: Vec<_> = samples.chunks(77).flat_map(|piece| changes(&mut ear, piece)).collect();
        assert_eq!(cut, whole);
        assert_eq!(ear.position(), 10_000);
    }

    #[test]
    fn speech_without_a_limit_ends_when_it_is_forgotten() {
        let mut ear = Ear::new(8000, None);
        assert_eq!(changes(&mut ear, &[5000; 480]), [(Some(0), 480)]);
        assert_eq!(changes(&mut ear, &[0; 80_000]), []);
        assert_eq!(changes(&mut ear, &[5000; 480]), []);
        ear.forget_speech();
        assert_eq!(changes(&mut ear, &[5000; 480]), [(Some(80_960), 81_440)]);
    }
}
