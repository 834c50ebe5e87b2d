//! A voice activity detector by energy: samples in, start and end of speech out, in audio time.
//! Knows nothing of events or of the wall clock, so audio may come at any speed.

use serde_json::Value;

/// What the detector listens for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sensitivity {
    /// 0 to 1; at 0.5 speech is anything above about -34 dBFS.
    pub(super) threshold: f64,
    /// Audio before the first voiced frame that belongs to the speech.
    pub(super) prefix_ms: u64,
    /// Silence that ends the speech.
    pub(super) silence_ms: u64,
}

impl Sensitivity {
    /// Reads an effective `turn_detection` object. Semantic detection is simulated by the same detector with
    /// a silence that follows its eagerness.
    pub(super) fn of(turn_detection: &Value) -> Self {
        if turn_detection["type"] == "semantic_vad" {
            let silence_ms = match turn_detection["eagerness"].as_str() {
                Some("low") => 1200,
                Some("high") => 300,
                _ => 600,
            };
            return Self { threshold: 0.5, prefix_ms: 300, silence_ms };
        }
        Self {
            threshold: turn_detection["threshold"].as_f64().unwrap_or(0.5),
            prefix_ms: turn_detection["prefix_padding_ms"].as_u64().unwrap_or(300),
            silence_ms: turn_detection["silence_duration_ms"].as_u64().unwrap_or(200),
        }
    }
}

/// What one frame changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// Nothing.
    Same,
    /// Speech began: the number of milliseconds before the end of this frame, prefix not included.
    Started { voiced_ms: u64 },
    /// Speech ended with this frame, silence included.
    Stopped,
}

/// The detector's state between frames.
#[derive(Debug, Default)]
pub(super) struct Detector {
    speaking: bool,
    voiced_ms: u64,
    silent_ms: u64,
}

impl Detector {
    /// Takes one frame of [`FRAME_MS`].
    pub(super) fn frame(&mut self, samples: &[i16], sensitivity: Sensitivity) -> Activity {
        if is_voiced(samples, sensitivity.threshold) {
            self.silent_ms = 0;
            self.voiced_ms += FRAME_MS;
        } else {
            self.silent_ms += FRAME_MS;
            self.voiced_ms = 0;
        }
        if !self.speaking && self.voiced_ms >= ONSET_MS {
            self.speaking = true;
            return Activity::Started { voiced_ms: self.voiced_ms };
        }
        if self.speaking && self.silent_ms >= sensitivity.silence_ms.max(FRAME_MS) {
            *self = Self::default();
            return Activity::Stopped;
        }
        Activity::Same
    }
}

/// Whether the root mean square of a frame is above the level that the threshold stands for.
pub(super) fn is_voiced(samples: &[i16], threshold: f64) -> bool {
    let energy: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    let level = (energy / samples.len().max(1) as f64).sqrt() / 32_768.0;
    level > threshold * LEVEL_AT_ONE
}

/// Length of a frame.
pub(super) const FRAME_MS: u64 = 20;
/// Voiced audio that makes it speech, so that a click does not.
const ONSET_MS: u64 = 60;
/// The level, in full scale, that a threshold of 1 asks for.
const LEVEL_AT_ONE: f64 = 0.04;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(frames: &[(bool, usize)], sensitivity: Sensitivity) -> Vec<(usize, Activity)> {
        let mut detector = Detector::default();
        let all = frames.iter().flat_map(|&(loud, count)| std::iter::repeat_n(loud, count));
        all.map(|loud| [if loud { 4000 } else { 10 }; 480])
            .enumerate()
            .map(|(index, frame)| (index, detector.frame(&frame, sensitivity)))
            .filter(|(_, activity)| *activity != Activity::Same)
            .collect()
    }

    const DEFAULT: Sensitivity = Sensitivity { threshold: 0.5, prefix_ms: 300, silence_ms: 200 };

    #[test]
    fn speech_starts_after_three_frames_and_stops_after_the_silence() {
        let seen = run(&[(false, 10), (true, 20), (false, 20)], DEFAULT);
        assert_eq!(seen, [(12, Activity::Started { voiced_ms: 60 }), (39, Activity::Stopped)]);
    }

    #[test]
    fn a_click_is_no_speech_and_a_gap_no_end() {
        assert_eq!(run(&[(true, 2), (false, 20)], DEFAULT), []);
        let seen = run(&[(true, 5), (false, 9), (true, 5), (false, 10)], DEFAULT);
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[1], (28, Activity::Stopped));
    }

    #[test]
    fn threshold_silence_and_eagerness_count() {
        let deaf = Sensitivity { threshold: 1.0, ..DEFAULT };
        assert!(!is_voiced(&[1000; 480], deaf.threshold) && is_voiced(&[1000; 480], 0.5));
        let patient = Sensitivity { silence_ms: 400, ..DEFAULT };
        assert_eq!(run(&[(true, 5), (false, 19)], patient).len(), 1);
        let silence = |eagerness| {
            Sensitivity::of(&serde_json::json!({"type": "semantic_vad", "eagerness": eagerness})).silence_ms
        };
        assert!(silence("low") > silence("auto") && silence("auto") > silence("high"));
    }
}
