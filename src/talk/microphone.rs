//! A recording as a microphone would give it: frame by frame at its own pace, then silence. Pure: the time
//! is an argument.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::recording::Recording;

/// What one frame lasts.
const FRAME: Duration = Duration::from_millis(20);
/// Voice activity detection needs silence to see that the user is done; this much at most.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

/// Gives the frames of one recording.
#[derive(Debug)]
pub(super) struct Microphone {
    speech: Bytes,
    frame_bytes: usize,
    silence: Bytes,
    silent_frames: u128,
    due: Option<Instant>,
}

impl Microphone {
    /// Off at first.
    pub(super) fn new(recording: Recording) -> Self {
        let Recording { format, pcm } = recording;
        let frame_bytes = format.bytes_in(FRAME);
        Self {
            speech: pcm,
            frame_bytes,
            silence: vec![format.silence(); frame_bytes].into(),
            silent_frames: LONGEST_SILENCE.as_millis() / FRAME.as_millis(),
            due: None,
        }
    }

    /// Gives its next frame at `now`, unless it is on already or has nothing left.
    pub(super) fn switch_on(&mut self, now: Instant) {
        if self.due.is_none() && (self.speaking() || self.silent_frames > 0) {
            self.due = Some(now);
        }
    }

    /// When the next frame is due; none while it is off.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether speech is left.
    pub(super) fn speaking(&self) -> bool {
        !self.speech.is_empty()
    }

    /// The frame that is due. `answered`: the agent has begun to answer, so that no silence is needed.
    pub(super) fn take(&mut self, answered: bool, now: Instant) -> Option<Bytes> {
        let due = self.due.filter(|due| *due <= now)?;
        self.due = Some(due + FRAME);
        if self.speaking() {
            return Some(self.speech.split_to(self.frame_bytes.min(self.speech.len())));
        }
        if answered || self.silent_frames == 0 {
            self.due = None;
            return None;
        }
        self.silent_frames -= 1;
        Some(self.silence.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::audio::PCM_16K;

    fn microphone(bytes: usize) -> Microphone {
        Microphone::new(Recording { format: PCM_16K, pcm: vec![1; bytes].into() })
    }

    #[test]
    fn frames_come_every_20_ms_and_silence_follows() {
        let (mut microphone, start) = (microphone(1_000), Instant::now());
        assert_eq!((microphone.due(), microphone.take(false, start)), (None, None));
        microphone.switch_on(start);
        for (ms, byte, bytes) in [(0, 1, 640), (20, 1, 360), (40, 0, 640), (60, 0, 640)] {
            let due = start + Duration::from_millis(ms);
            assert_eq!(microphone.due(), Some(due));
            assert_eq!(microphone.take(false, due - Duration::from_nanos(1)), None);
            assert_eq!(microphone.take(false, due), Some(vec![byte; bytes].into()), "at {ms} ms");
        }
    }

    #[test]
    fn a_late_caller_catches_up() {
        let (mut microphone, start) = (microphone(6_400), Instant::now());
        microphone.switch_on(start);
        let late = start + Duration::from_millis(95);
        let frames = std::iter::from_fn(|| microphone.take(false, late)).count();
        assert_eq!((frames, microphone.due()), (5, Some(start + Duration::from_millis(100))));
    }

    #[test]
    fn silence_ends_with_the_answer_and_goes_on_if_the_user_is_heard_again() {
        let (mut microphone, start) = (microphone(640), Instant::now());
        microphone.switch_on(start);
        let later = start + Duration::from_secs(1);
        assert!(microphone.take(true, later).is_some(), "speech is sent to its end");
        assert!(!microphone.speaking());
        assert_eq!((microphone.take(true, later), microphone.due()), (None, None));
        microphone.switch_on(later);
        assert_eq!(microphone.take(false, later), Some(vec![0; 640].into()));
    }

    #[test]
    fn silence_lasts_five_seconds_at_most() {
        let (mut microphone, start) = (microphone(640), Instant::now());
        microphone.switch_on(start);
        let later = start + Duration::from_secs(60);
        let frames = std::iter::from_fn(|| microphone.take(false, later)).count();
        assert_eq!((frames, microphone.due()), (251, None));
        microphone.switch_on(later);
        assert_eq!(microphone.due(), None);
    }
}
