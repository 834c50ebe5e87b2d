//! The messages that tell a `listen` v1 client what is said ("Deepgram transcription WebSocket", section 3).
//! Knows nothing of when they are sent.

use serde_json::{Value, json};
use uuid::Builder;

use super::{
    super::{CONFIDENCE, seconds, words::Word},
    channel::{Finality, Said},
    query::Query,
};

/// What every message of a session has in common.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) query: &'a Query,
    pub(super) request_id: &'a str,
    /// Samples in a second.
    pub(super) rate: u32,
    /// Which of how many.
    pub(super) channel: [usize; 2],
}

impl Scene<'_> {
    /// The message for what is said.
    pub(super) fn message(&self, said: &Said) -> Value {
        match said {
            Said::SpeechStarted(at) => {
                json!({"type": "SpeechStarted", "channel": self.channel, "timestamp": self.seconds(*at)})
            }
            Said::UtteranceEnd(at) => {
                json!({"type": "UtteranceEnd", "channel": self.channel, "last_word_end": self.seconds(*at)})
            }
            Said::Results { window, words, finality } => json!({"type": "Results",
                "channel_index": self.channel,
                "duration": self.seconds(window.len()),
                "start": self.seconds(window.from),
                "is_final": *finality != Finality::Interim,
                "speech_final": *finality == Finality::SpeechFinal,
                "from_finalize": *finality == Finality::Finalized,
                "channel": {"alternatives": [self.alternative(words)]},
                "metadata": {"request_id": self.request_id, "model_info": self.model_info(),
                    "model_uuid": model_uuid(&self.query.model)}}),
        }
    }

    fn alternative(&self, words: &[Word]) -> Value {
        let written = words.iter().map(|word| self.written(word)).collect::<Vec<_>>().join(" ");
        let confidence = if words.is_empty() { 0.0 } else { CONFIDENCE };
        let mut alternative = json!({"transcript": written, "confidence": confidence});
        if self.query.is_multilingual {
            alternative["languages"] = if words.is_empty() { json!([]) } else { json!([LANGUAGE]) };
        }
        if !self.query.language_hints.is_empty() {
            alternative["languages_hinted"] = json!(self.query.language_hints);
        }
        alternative["words"] = words.iter().map(|word| self.word(word)).collect();
        alternative
    }

    fn word(&self, word: &Word) -> Value {
        let mut object = json!({"word": word.plain, "start": self.seconds(word.span.from),
            "end": self.seconds(word.span.to), "confidence": CONFIDENCE});
        if self.query.is_multilingual {
            object["language"] = json!(LANGUAGE);
        }
        if self.is_punctuated() {
            object["punctuated_word"] = json!(word.written);
        }
        if self.query.diarize {
            object["speaker"] = json!(0);
        }
        object
    }

    fn written<'w>(&self, word: &'w Word) -> &'w str {
        if self.is_punctuated() { &word.written } else { &word.plain }
    }

    fn is_punctuated(&self) -> bool {
        self.query.punctuate || self.query.smart_format
    }

    /// `nova-3-medical` is the medical model of the architecture `nova-3`.
    fn model_info(&self) -> Value {
        let (arch, purpose) = self.query.model_parts();
        let version = self.query.version.as_deref().unwrap_or("2025-01-01.0");
        json!({"name": format!("{purpose}-{arch}"), "version": version, "arch": arch})
    }

    fn seconds(&self, position: u64) -> f64 {
        seconds(position, self.rate)
    }
}

/// The same for the same model, always.
fn model_uuid(model: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, model.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// The language of everything that is said.
const LANGUAGE: &str = "en";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_by_purpose_and_architecture() {
        for (model, name, arch) in [
            ("nova-3", "general-nova-3", "nova-3"),
            ("nova-3-general", "general-nova-3", "nova-3"),
            ("nova-3-medical", "medical-nova-3", "nova-3"),
            ("nova", "general-nova", "nova"),
            ("nova-phonecall", "phonecall-nova", "nova"),
            ("nova-2-meeting", "meeting-nova-2", "nova-2"),
        ] {
            let query = Query { model: model.to_owned(), ..Query::default() };
            let scene = Scene { query: &query, request_id: "r", rate: 16_000, channel: [0, 1] };
            let expected = json!({"name": name, "version": "2025-01-01.0", "arch": arch});
            assert_eq!(scene.model_info(), expected, "{model}");
        }
        assert_eq!(model_uuid("nova-3").len(), 36);
        assert_ne!(model_uuid("nova-3"), model_uuid("nova-2"));
    }
}
