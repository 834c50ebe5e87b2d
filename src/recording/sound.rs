//! Which audio of a connection is recorded, and in which format it is. Knows no file.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::{Part, Recording, Stopped};
use crate::{
    gate::{ClientFrame, Effect, Input, Service},
    protocol::{
        Frame, Opcode,
        audio::{AudioFormat, Encoding},
        has_too_many_places,
    },
    translate::{audio::WAV_HEADER, deepgram},
};

/// Listens to both directions of a connection.
pub(super) struct Sound {
    user: Voice,
    agent: Voice,
    /// Bytes of what the client is sent next that are the header of a container.
    header: usize,
    /// Of frames that are passed through: the client's text message that is on its way, until Settings has come.
    settings: Option<Vec<u8>>,
}

#[derive(Default)]
struct Voice {
    heard: Heard,
    /// Of frames that are passed through: the message that is on its way is audio.
    is_audio: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Heard {
    /// In a format that becomes known later.
    #[default]
    Yes,
    /// Not before the format is known.
    NotYet,
    /// No WAV file has its format.
    No,
}

/// A format, or why no WAV file has it.
type Format<'a> = Result<AudioFormat, Cow<'a, str>>;

impl Sound {
    /// For a connection to this URL, that is translated or passed through. Of the formats that are known by then the
    /// recording is told, and of what is not written.
    pub(super) fn new(
        service: Option<Service>,
        url: &str,
        recording: &mut Recording,
    ) -> (Self, Option<String>) {
        let heard = if service.is_none() { Heard::Yes } else { Heard::NotYet };
        let voice = || Voice { heard, is_audio: false };
        let settings = (service == Some(Service::Agent)).then(Vec::new);
        let mut sound = Self { user: voice(), agent: voice(), header: 0, settings };
        let note = match service {
            None | Some(Service::Agent) => None,
            Some(Service::Transcription(_)) => sound.user.is(Part::User, of_query(url), recording),
        };
        (sound, note)
    }

    /// What the client says; what is not written of it is said.
    pub(super) fn input(
        &mut self,
        input: &Input,
        recording: &mut Recording,
    ) -> Result<Option<String>, Stopped> {
        match input {
            Input::ClientAudio(audio) => self.user.says(Part::User, audio, recording)?,
            Input::ClientFrame(frame) => {
                if self.user.is_audio(frame) {
                    self.user.says(Part::User, &frame.payload, recording)?;
                } else {
                    return Ok(self.text(frame, recording));
                }
            }
            _ => (),
        }
        Ok(None)
    }

    /// What the client is sent as it is, and which formats its audio has.
    pub(super) fn effect(&mut self, effect: &Effect, recording: &mut Recording) -> Result<(), Stopped> {
        match effect {
            Effect::UseAudio(plan) => {
                recording.format(Part::User, plan.client_input);
                recording.format(Part::Agent, plan.client_output);
                self.header = if plan.wav { WAV_HEADER } else { 0 };
                Ok(())
            }
            Effect::ToClient(ClientFrame::Frame(frame)) if self.agent.is_audio(frame) => {
                self.agent.says(Part::Agent, &frame.payload, recording)
            }
            _ => Ok(()),
        }
    }

    /// Audio that the client is sent after it was converted.
    pub(super) fn agent(&mut self, audio: &Bytes, recording: &mut Recording) -> Result<(), Stopped> {
        let header = self.header.min(audio.len());
        self.header -= header;
        self.agent.says(Part::Agent, &audio[header..], recording)
    }

    /// Looks for Settings, which is the first message.
    fn text(&mut self, frame: &Frame, recording: &mut Recording) -> Option<String> {
        let so_far = self.settings.as_mut()?;
        so_far.extend_from_slice(&frame.payload);
        if !frame.last {
            return None;
        }
        let text = std::mem::take(so_far);
        let text = str::from_utf8(&text).ok()?;
        if deepgram::kind(text)? != "Settings" {
            return None;
        }
        self.settings = None;
        let many = has_too_many_places(text);
        let settings = if many { Value::Null } else { serde_json::from_str(text).unwrap_or_default() };
        let audio = |direction| settings.pointer("/audio").and_then(|audio| audio.get(direction));
        let [user, agent] = [of_settings(audio("input"), 16_000), of_settings(audio("output"), 24_000)];
        let notes = [self.user.is(Part::User, user, recording), self.agent.is(Part::Agent, agent, recording)];
        let notes: Vec<_> = notes.into_iter().flatten().collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

impl Voice {
    fn is(&mut self, part: Part, format: Format<'_>, recording: &mut Recording) -> Option<String> {
        let whose = if part == Part::User { "user" } else { "agent" };
        match format {
            Ok(format) => {
                recording.format(part, format);
                self.heard = Heard::Yes;
                None
            }
            Err(reason) => {
                self.heard = Heard::No;
                Some(format!("no audio of the {whose}: {reason}"))
            }
        }
    }

    fn is_audio(&mut self, frame: &Frame) -> bool {
        self.is_audio = match frame.opcode {
            Opcode::Binary => true,
            Opcode::Text => false,
            Opcode::Continuation => self.is_audio,
        };
        self.is_audio
    }

    fn says(&self, part: Part, audio: &[u8], recording: &mut Recording) -> Result<(), Stopped> {
        match self.heard {
            Heard::Yes if !audio.is_empty() => recording.write(part, audio),
            Heard::Yes | Heard::NotYet | Heard::No => Ok(()),
        }
    }
}

/// What Settings says of one direction (Voice Agent protocol, Settings): where it says nothing it is linear16 at this rate.
fn of_settings(audio: Option<&Value>, default_rate: u32) -> Format<'static> {
    let member = |name| audio.and_then(|audio| audio.get(name)).filter(|value| !value.is_null());
    if let Some(container) = member("container").filter(|container| *container != "none") {
        return Err(format!("it comes in a container, {container}").into());
    }
    let encoding = match member("encoding") {
        None => "linear16",
        Some(encoding) => encoding.as_str().unwrap_or_default(),
    };
    let rate = match member("sample_rate") {
        None if encoding == "linear16" => Some(default_rate),
        None => Some(8_000),
        Some(rate) => rate.as_u64().and_then(|rate| u32::try_from(rate).ok()),
    };
    format(encoding, rate)
}

/// What the query says (Transcription, query parameters).
fn of_query(url: &str) -> Format<'static> {
    let url = Url::parse(url).map_err(|_| "its format is not known")?;
    let last =
        |wanted: &str| url.query_pairs().filter(|(name, _)| name == wanted).last().map(|(_, value)| value);
    if last("channels").is_some_and(|channels| channels != "1") {
        return Err("it has several channels".into());
    }
    let encoding = last("encoding").ok_or("it comes in a container")?;
    format(&encoding, last("sample_rate").and_then(|rate| rate.parse().ok()))
}

fn format(encoding: &str, sample_rate: Option<u32>) -> Format<'static> {
    let known = [Encoding::Linear16, Encoding::Mulaw, Encoding::Alaw];
    let encoding = known.into_iter().find(|known| known.name() == encoding);
    let encoding = encoding.ok_or("its encoding is none of linear16, mulaw, alaw")?;
    let sample_rate = sample_rate.filter(|rate| *rate > 0).ok_or("its sample rate is not known")?;
    Ok(AudioFormat { encoding, sample_rate })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::audio::{ALAW_8K, MULAW_8K, PCM_16K, PCM_24K};

    #[test]
    fn formats_of_settings() {
        let of = |audio: Value| of_settings(Some(&audio), 24_000).map_err(|reason| reason.into_owned());
        assert_eq!(of(json!({})), Ok(PCM_24K));
        assert_eq!(of_settings(None, 16_000), Ok(PCM_16K));
        assert_eq!(
            of(json!({"encoding": "linear16", "sample_rate": 16_000, "container": "none"})),
            Ok(PCM_16K)
        );
        assert_eq!(of(json!({"encoding": "mulaw"})), Ok(MULAW_8K));
        assert_eq!(of(json!({"encoding": "alaw", "sample_rate": 8_000})), Ok(ALAW_8K));
        for (audio, reason) in [
            (json!({"encoding": "opus"}), "its encoding is none of linear16, mulaw, alaw"),
            (json!({"encoding": 5}), "its encoding is none of linear16, mulaw, alaw"),
            (json!({"container": "wav"}), "it comes in a container, \"wav\""),
            (json!({"encoding": "linear16", "sample_rate": 0}), "its sample rate is not known"),
            (json!({"encoding": "linear16", "sample_rate": "8000"}), "its sample rate is not known"),
        ] {
            assert_eq!(of(audio.clone()), Err(reason.to_owned()), "{audio}");
        }
    }

    #[test]
    fn formats_of_a_query() {
        let of = |query: &str| {
            of_query(&format!("wss://h/v1/listen?{query}")).map_err(|reason| reason.into_owned())
        };
        assert_eq!(of("encoding=linear16&sample_rate=16000"), Ok(PCM_16K));
        assert_eq!(of("encoding=opus&encoding=mulaw&sample_rate=8000&channels=1"), Ok(MULAW_8K));
        for (query, reason) in [
            ("", "it comes in a container"),
            ("encoding=linear16&sample_rate=16000&channels=2", "it has several channels"),
            ("encoding=linear16", "its sample rate is not known"),
            ("encoding=linear32&sample_rate=8000", "its encoding is none of linear16, mulaw, alaw"),
        ] {
            assert_eq!(of(query), Err(reason.to_owned()), "{query}");
        }
    }
}
