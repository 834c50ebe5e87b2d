//! A session listens: audio to the buffer, speech to items, items to transcripts, silence to a nudge.
//! Knows nothing of how a response is made.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    configuration::Kind,
    input::{Heard, Segment},
    schema::Fault,
    script::{audio_tokens, chunks, text_tokens},
    session::{Later, Session},
};
use crate::simulator::vad::Sensitivity;

impl Session {
    /// Takes decoded audio, with everything that the detector makes of it.
    pub(super) fn hear(&mut self, audio: &[u8], now: Duration) -> Result<(), Fault> {
        let turns = self.turn_detection();
        let sensitivity = (!turns.is_null()).then(|| Sensitivity::of(turns));
        for heard in self.input.append(audio, sensitivity)? {
            match heard {
                Heard::Started { at_ms } => self.speech_started(at_ms, now),
                Heard::Stopped { at_ms, segment } => self.speech_stopped(at_ms, segment, now),
            }
        }
        Ok(())
    }

    fn speech_started(&mut self, at_ms: u64, now: Duration) {
        let item_id = self.fresh_id("item");
        let event =
            json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": at_ms, "item_id": item_id});
        self.speech_item = Some(item_id);
        self.idle_at = None;
        self.send(event, now);
        if self.turn_detection()["interrupt_response"] == true {
            self.interrupt(now);
        }
    }

    fn speech_stopped(&mut self, at_ms: u64, segment: Segment, now: Duration) {
        let item_id = self.speech_item.take().unwrap_or_else(|| self.fresh_id("item"));
        let event =
            json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": at_ms, "item_id": item_id});
        self.send(event, now);
        self.add_spoken_item(item_id, segment, now);
        if self.turn_detection()["create_response"] == true && self.kind == Kind::Realtime {
            self.answer_speech(now);
        }
    }

    /// `input_audio_buffer.commit`.
    pub(super) fn commit(&mut self, now: Duration) -> Result<(), Fault> {
        let Some(segment) = self.input.commit() else {
            let (start, end) = self.input.span_ms();
            let message =
                format!("Buffer too small: expected at least 100ms of audio, got {}ms.", end - start);
            return Err(Fault::new("input_audio_buffer_commit_empty", message));
        };
        let item_id = self.speech_item.take().unwrap_or_else(|| self.fresh_id("item"));
        self.add_spoken_item(item_id, segment, now);
        Ok(())
    }

    /// The user has said nothing for `idle_timeout_ms`: an empty segment is committed, and the model speaks.
    pub(super) fn idle(&mut self, now: Duration) {
        self.idle_at = None;
        let item_id = self.fresh_id("item");
        let (start, end) = self.input.span_ms();
        self.send(
            json!({"type": "input_audio_buffer.timeout_triggered", "audio_start_ms": start, "audio_end_ms": end,
                "item_id": item_id}),
            now,
        );
        let segment = self.input.take();
        self.add_spoken_item(item_id, segment, now);
        self.nudge(now);
    }

    fn add_spoken_item(&mut self, item_id: String, segment: Segment, now: Duration) {
        let heard = if segment.has_speech { self.options.transcript.clone() } else { String::new() };
        let item = json!({"id": item_id, "object": "realtime.item", "type": "message", "status": "completed",
            "role": "user", "content": [{"type": "input_audio", "transcript": null}]});
        let previous = self.conversation.append(item.clone(), &heard);
        self.conversation.keep_audio(&item_id, &segment.audio);
        self.heard_ms += segment.ms;
        let committed =
            json!({"type": "input_audio_buffer.committed", "previous_item_id": previous, "item_id": item_id});
        self.send(committed, now);
        for name in ["conversation.item.added", "conversation.item.done"] {
            self.send(json!({"type": name, "previous_item_id": previous, "item": item}), now);
        }
        if !self.config["audio"]["input"]["transcription"].is_null() {
            let wait = if self.options.reorder { REORDERED_AFTER } else { TRANSCRIBED_AFTER };
            let transcript = heard;
            self.schedule(Later::Transcript { item_id, transcript, ms: segment.ms }, now + wait);
        }
    }

    /// Sends a transcript; a reordered one waits while a response runs.
    pub(super) fn transcribed(&mut self, item_id: &str, transcript: &str, ms: u64, now: Duration) {
        if self.options.reorder && !self.responses.is_empty() {
            let (item_id, transcript) = (item_id.to_owned(), transcript.to_owned());
            self.schedule(Later::Transcript { item_id, transcript, ms }, now + REORDERED_AFTER);
            return;
        }
        self.conversation.set_transcript(item_id, transcript);
        let event = |name: &str, field: &str, text: &str| {
            json!({"type": format!("conversation.item.input_audio_transcription.{name}"), "item_id": item_id,
                "content_index": 0, field: text})
        };
        let deltas = chunks(transcript).into_iter().map(|chunk| event("delta", "delta", &chunk));
        let mut completed: Value = event("completed", "transcript", transcript);
        completed["usage"] = self.transcription_usage(transcript, ms);
        deltas.chain([completed]).collect::<Vec<_>>().into_iter().for_each(|event| self.send(event, now));
    }
}

impl Session {
    /// Whisper is billed by time, the other models are by tokens ("OpenAI Realtime, server events").
    fn transcription_usage(&self, transcript: &str, ms: u64) -> Value {
        let model = self.config["audio"]["input"]["transcription"]["model"].as_str().unwrap_or_default();
        if model.starts_with("whisper") {
            return json!({"type": "duration", "seconds": ms as f64 / 1000.0});
        }
        let (input, output) = (audio_tokens(ms), text_tokens(transcript.chars().count() as u64));
        json!({"type": "tokens", "total_tokens": input + output, "input_tokens": input, "output_tokens": output,
            "input_token_details": {"text_tokens": 0, "audio_tokens": input}})
    }
}

/// How long transcription takes.
const TRANSCRIBED_AFTER: Duration = Duration::from_millis(20);
/// How long a reordered transcript waits for a response to end.
const REORDERED_AFTER: Duration = Duration::from_secs(1);
