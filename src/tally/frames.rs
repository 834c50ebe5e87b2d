//! What can be seen of a connection whose frames are passed through: audio by its opcode, and the `type` of whole text
//! messages. In few of those is more read than that: in Settings the formats of audio, in a request how many calls it
//! has. What comes in fragments is not seen. Of transcription no text is read at all.

use url::Url;

use super::{answered_turns::AnsweredTurns, totals::Totals};
use crate::{
    gate::Service,
    protocol::{Frame, Opcode},
    translate::deepgram,
};

/// Looks at both directions.
#[derive(Debug)]
pub(super) struct Frames {
    reads_text: bool,
    settings_seen: bool,
    up: Direction,
    down: Direction,
}

/// Whether the message that is on its way is audio.
#[derive(Debug, Default)]
struct Direction {
    is_audio: bool,
}

impl Direction {
    /// Whether the frame is audio.
    fn is_audio(&mut self, frame: &Frame) -> bool {
        self.is_audio = match frame.opcode {
            Opcode::Binary => true,
            Opcode::Text => false,
            Opcode::Continuation => self.is_audio,
        };
        self.is_audio
    }
}

/// A message of the client that is counted by what comes of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FunctionAnswer;

impl Frames {
    /// For this service, dialled by this URL, whose query says what transcription hears.
    pub(super) fn of(service: Service, url: &str, totals: &mut Totals) -> Self {
        let reads_text = service == Service::Agent;
        if !reads_text {
            totals.audio_in.plays_at(transcribed_bytes_per_s(url));
        }
        Self { reads_text, settings_seen: false, up: Direction::default(), down: Direction::default() }
    }

    /// A frame of the client.
    pub(super) fn client_sends(
        &mut self,
        frame: &Frame,
        totals: &mut Totals,
        turns: &mut AnsweredTurns,
    ) -> Option<FunctionAnswer> {
        if self.up.is_audio(frame) {
            totals.audio_in.add(frame.payload.len());
            return None;
        }
        let text = self.text(frame)?;
        match &*deepgram::kind(text)? {
            "InjectUserMessage" => turns.user(),
            "FunctionCallResponse" => return Some(FunctionAnswer),
            "Settings" if !self.settings_seen => {
                self.settings_seen = true;
                let [input, output] = deepgram::bytes_per_s(text);
                totals.audio_in.plays_at(input);
                totals.audio_out.plays_at(output);
            }
            _ => (),
        }
        None
    }

    /// A frame that the client is sent.
    pub(super) fn client_gets(&mut self, frame: &Frame, totals: &mut Totals, turns: &mut AnsweredTurns) {
        if self.down.is_audio(frame) {
            totals.audio_out.add(frame.payload.len());
            return turns.audio();
        }
        let Some(text) = self.text(frame) else { return };
        match deepgram::kind(text).as_deref() {
            Some("UserStartedSpeaking") => turns.user(),
            Some("AgentStartedSpeaking") => turns.agent(),
            Some("ConversationText") => turns.text(),
            Some("FunctionCallRequest") => {
                let calls = deepgram::calls_in(text) as u64;
                totals.function_calls = totals.function_calls.saturating_add(calls);
            }
            _ => (),
        }
    }

    fn text<'f>(&self, frame: &'f Frame) -> Option<&'f str> {
        let whole = self.reads_text && frame.opcode == Opcode::Text && frame.last;
        whole.then(|| str::from_utf8(&frame.payload).ok()).flatten()
    }
}

/// How much audio of a transcription's client makes a second: raw formats say so themselves, and containers none
/// (Transcription, query parameters).
fn transcribed_bytes_per_s(url: &str) -> Option<u32> {
    let url = Url::parse(url).ok()?;
    let last = |wanted: &str| url.query_pairs().filter(|(name, _)| name == wanted).last();
    let number = |name: &str| last(name).map(|(_, value)| value.parse::<u32>());
    let per_sample = deepgram::bytes_per_sample(&last("encoding")?.1)?;
    let channels = number("channels").unwrap_or(Ok(1)).ok()?;
    Some(number("sample_rate")?.ok()?.saturating_mul(per_sample).saturating_mul(channels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_formats_of_transcription_have_a_length() {
        for (query, expected) in [
            ("encoding=linear16&sample_rate=16000", Some(32_000)),
            ("encoding=linear16&sample_rate=16000&channels=2", Some(64_000)),
            ("encoding=linear32&sample_rate=8000", Some(32_000)),
            ("encoding=mulaw&sample_rate=8000", Some(8_000)),
            ("sample_rate=8000&encoding=flac&encoding=alaw", Some(8_000)),
            ("encoding=linear16&sample_rate=4294967295", Some(u32::MAX)),
            ("", None),
            ("sample_rate=16000", None),
            ("encoding=linear16", None),
            ("encoding=linear16&sample_rate=x", None),
            ("encoding=linear16&sample_rate=16000&channels=-1", None),
            ("encoding=ogg-opus&sample_rate=16000", None),
        ] {
            let url = format!("wss://h/v1/listen?{query}");
            assert_eq!(transcribed_bytes_per_s(&url), expected, "{query}");
        }
        assert_eq!(transcribed_bytes_per_s("no url"), None);
    }
}
