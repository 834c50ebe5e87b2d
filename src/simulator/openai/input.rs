//! The input audio buffer: wire bytes in, committed segments and the bounds of speech out.
//! Time here is audio time, counted from the session's first audio. Knows nothing of events.

use super::schema::Fault;
use crate::simulator::{
    codec::Format,
    vad::{Activity, Detector, FRAME_MS, Sensitivity, is_voiced},
};

/// What an append brought to notice, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Speech began at this time, its prefix included.
    Started { at_ms: u64 },
    /// Speech ended at this time, its silence included; the buffer was committed.
    Stopped { at_ms: u64, segment: Segment },
}

/// Audio taken out of the buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// As it came over the wire.
    pub(super) audio: Vec<u8>,
    /// Its length.
    pub(super) ms: u64,
    /// Whether any of it is loud enough to be speech.
    pub(super) has_speech: bool,
}

/// The buffer and its detector.
#[derive(Debug)]
pub(super) struct InputBuffer {
    format: Format,
    /// Whole frames; less than a frame waits in `partial`.
    audio: Vec<u8>,
    partial: Vec<u8>,
    /// Audio time of the buffer's first byte.
    start_ms: u64,
    detector: Detector,
    is_speech: bool,
    voiced_frames: u64,
}

impl InputBuffer {
    /// An empty buffer.
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            audio: Vec::new(),
            partial: Vec::new(),
            start_ms: 0,
            detector: Detector::default(),
            is_speech: false,
            voiced_frames: 0,
        }
    }

    /// The format of what comes next.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Sets the format of what comes next; what is buffered is dropped.
    pub(super) fn set_format(&mut self, format: Format) {
        self.clear();
        self.format = format;
    }

    /// Takes audio; with `sensitivity` the detector listens.
    ///
    /// # Errors
    /// Half a sample, or more than the buffer holds; then nothing is taken.
    pub(super) fn append(
        &mut self,
        bytes: &[u8],
        sensitivity: Option<Sensitivity>,
    ) -> Result<Vec<Heard>, Fault> {
        if self.format == Format::PCM && !bytes.len().is_multiple_of(2) {
            return Err(Fault::value("audio", "expected whole 16-bit samples"));
        }
        if self.audio.len() + bytes.len() > LIMIT_BYTES {
            return Err(Fault::value("audio", "the input audio buffer is full"));
        }
        let frame_bytes = self.bytes_per_ms() * FRAME_MS as usize;
        let mut heard = Vec::new();
        let mut rest = bytes;
        while self.partial.len() + rest.len() >= frame_bytes {
            let (head, tail) = rest.split_at(frame_bytes - self.partial.len());
            self.partial.extend_from_slice(head);
            rest = tail;
            heard.extend(self.take_frame(sensitivity));
        }
        self.partial.extend_from_slice(rest);
        Ok(heard)
    }

    fn take_frame(&mut self, sensitivity: Option<Sensitivity>) -> Option<Heard> {
        let samples = self.format.decode(&self.partial).expect("a frame is whole samples");
        self.audio.append(&mut self.partial);
        self.voiced_frames += u64::from(is_voiced(&samples, sensitivity.map_or(0.5, |set| set.threshold)));
        let sensitivity = sensitivity?;
        match self.detector.frame(&samples, sensitivity) {
            Activity::Same if self.is_speech => None,
            Activity::Same => {
                self.keep_last(sensitivity.prefix_ms + KEPT_MS);
                None
            }
            Activity::Started { voiced_ms } => {
                self.keep_last(sensitivity.prefix_ms + voiced_ms);
                self.is_speech = true;
                Some(Heard::Started { at_ms: self.start_ms })
            }
            Activity::Stopped => {
                let segment = self.take();
                Some(Heard::Stopped { at_ms: self.start_ms, segment })
            }
        }
    }

    /// Forgets the speech that was going on, if any; what is buffered stays.
    pub(super) fn forget_speech(&mut self) {
        self.is_speech = false;
        self.detector = Detector::default();
    }

    /// Everything buffered, or `None` where the API refuses to commit: less than 100 ms.
    pub(super) fn commit(&mut self) -> Option<Segment> {
        let buffered = (self.audio.len() + self.partial.len()) / self.bytes_per_ms();
        (buffered >= LEAST_COMMIT_MS).then(|| self.take())
    }

    /// Everything buffered, however little; speech that was going on is over.
    pub(super) fn take(&mut self) -> Segment {
        self.audio.append(&mut self.partial);
        let audio = std::mem::take(&mut self.audio);
        let ms = (audio.len() / self.bytes_per_ms()) as u64;
        let has_speech = self.voiced_frames > 0;
        self.start_ms += ms;
        self.voiced_frames = 0;
        self.forget_speech();
        Segment { audio, ms, has_speech }
    }

    /// Drops everything buffered; time goes on.
    pub(super) fn clear(&mut self) {
        self.take();
    }

    /// Audio time of the buffer's first byte and of its end.
    pub(super) fn span_ms(&self) -> (u64, u64) {
        let buffered = (self.audio.len() + self.partial.len()) / self.bytes_per_ms();
        (self.start_ms, self.start_ms + buffered as u64)
    }

    /// Drops audio from the front; only whole frames are in `audio`, so milliseconds stay whole.
    fn keep_last(&mut self, ms: u64) {
        let kept = ms as usize * self.bytes_per_ms();
        let Some(dropped) = self.audio.len().checked_sub(kept) else { return };
        self.audio.drain(..dropped);
        self.start_ms += (dropped / self.bytes_per_ms()) as u64;
    }

    fn bytes_per_ms(&self) -> usize {
        self.format.bytes_per_ms()
    }
}

/// Kept beyond the prefix: what the detector may still count as the beginning of speech.
const KEPT_MS: u64 = 100;
/// The least that can be committed by the client.
const LEAST_COMMIT_MS: usize = 100;
/// The most a buffer holds: more than 20 minutes of PCM.
const LIMIT_BYTES: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(format: Format, loud: bool, ms: usize) -> Vec<u8> {
        let sample = |index: usize| if index.is_multiple_of(2) { 6000 } else { -6000 };
        let samples = (0..ms * format.samples_per_ms()).map(|index| if loud { sample(index) } else { 0 });
        format.encode(&samples.collect::<Vec<_>>())
    }

    fn sentence(format: Format) -> Vec<u8> {
        [sound(format, false, 500), sound(format, true, 400), sound(format, false, 500)].concat()
    }

    const VAD: Option<Sensitivity> = Some(Sensitivity { threshold: 0.5, prefix_ms: 300, silence_ms: 200 });

    #[test]
    fn the_bounds_of_speech_do_not_depend_on_how_audio_is_cut() {
        for format in [Format::PCM, Format::MULAW, Format::ALAW] {
            let audio = sentence(format);
            for size in [2, 34, 1000, audio.len()] {
                let mut buffer = InputBuffer::new(format);
                let chunks =
                    audio.chunks(size).map(|chunk| buffer.append(chunk, VAD).expect("whole samples"));
                let heard = chunks.flatten().collect::<Vec<_>>();
                let [Heard::Started { at_ms: 200 }, Heard::Stopped { at_ms: 1100, segment }] =
                    heard.as_slice()
                else {
                    panic!("{format:?} in {size}: {heard:?}")
                };
                assert_eq!((segment.ms, segment.has_speech), (900, true));
                assert_eq!(segment.audio, audio[200 * buffer.bytes_per_ms()..1100 * buffer.bytes_per_ms()]);
                assert_eq!(buffer.span_ms().1, 1400);
            }
        }
    }

    #[test]
    fn a_commit_needs_100_ms_and_takes_everything() {
        let mut buffer = InputBuffer::new(Format::PCM);
        assert_eq!(buffer.append(&[0; 4798], None), Ok(Vec::new()));
        assert_eq!(buffer.commit(), None);
        assert_eq!(buffer.append(&[0; 2], None), Ok(Vec::new()));
        assert_eq!(buffer.commit(), Some(Segment { audio: vec![0; 4800], ms: 100, has_speech: false }));
        assert_eq!(buffer.span_ms(), (100, 100));
    }

    #[test]
    fn silence_is_not_hoarded_while_the_detector_listens() {
        let mut buffer = InputBuffer::new(Format::PCM);
        assert_eq!(buffer.append(&vec![0; 48_000 * 60], VAD), Ok(Vec::new()));
        assert_eq!(buffer.span_ms(), (59_600, 60_000));
        assert!(buffer.append(&[0; 3], VAD).is_err());
    }
}
