//! A line of a recording as an input. Whatever the bytes are, they come to an input that a gate can be given or to a
//! reason. Knows no file.

use base64_simd::STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    format::{EndLine, NoteLine, RecordedDelta, RecordedFrame, RecordedInput, RecordedOutcome, StepLine},
    shown,
};
use crate::{
    gate::Input,
    protocol::{
        Frame, Opcode,
        agent::ClientMessage,
        ids::{CallId, ItemId, ResponseId},
        realtime::{AudioDelta, ServerEvent},
    },
};

/// A line behind the header.
pub(super) enum Line<'a> {
    /// An input.
    Step {
        /// Counted from 1.
        n: u64,
        /// When the gate took it, in nanoseconds since its first moment.
        t_ns: u64,
        /// The input; audio is silence of the same length.
        input: Box<Input>,
        /// What the gate answered, a JSON array.
        effects: &'a str,
    },
    /// Nothing that a gate is given.
    Note,
    /// The end.
    End(super::End),
}

/// Reads lines. It keeps the silence that stands for audio.
#[derive(Default)]
pub(super) struct Decoder {
    silence: Bytes,
}

impl Decoder {
    /// Reads a line; says what is wrong with it.
    pub(super) fn line<'a>(&mut self, line: &'a str) -> Result<Line<'a>, String> {
        if line.starts_with(r#"{"end""#) {
            return from_json::<EndLine>(line).map(|line| Line::End(line.end));
        }
        if line.starts_with(r#"{"note""#) {
            return from_json::<NoteLine<'_>>(line).map(|_| Line::Note);
        }
        let StepLine { n, t_ns, input, out } = from_json(line)?;
        let effects = out.map_or("[]", RawValue::get);
        Ok(Line::Step { n, t_ns, input: Box::new(self.input(input)?), effects })
    }

    fn input(&mut self, recorded: RecordedInput<'_>) -> Result<Input, String> {
        Ok(match recorded {
            RecordedInput::ClientConnected => Input::ClientConnected,
            RecordedInput::ClientAlive => Input::ClientAlive,
            RecordedInput::Heard(leg) => Input::Heard(leg),
            RecordedInput::Client(json) => {
                let message = ClientMessage::decode(json.get(), |_| ());
                Input::Client(message.map_err(|error| format!("the client's message: {error}"))?)
            }
            RecordedInput::ClientAudio(bytes) => Input::ClientAudio(self.audio(bytes)?),
            RecordedInput::ClientMalformed(error) => Input::ClientMalformed(error),
            RecordedInput::ClientFrame(frame) => Input::ClientFrame(self.frame(frame)?),
            RecordedInput::ClientClosed(end) => Input::ClientClosed(end),
            RecordedInput::UpstreamOpened => Input::UpstreamOpened,
            RecordedInput::UpstreamRefused(error) => Input::UpstreamRefused(error),
            RecordedInput::Upstream(json) => {
                let decoded =
                    ServerEvent::decode(json.get()).map_err(|error| format!("upstream's event: {error}"))?;
                if let Some(damage) = decoded.damage {
                    return Err(format!("upstream's event: {damage}"));
                }
                Input::Upstream(decoded.event)
            }
            RecordedInput::AudioDelta(delta) => {
                Input::Upstream(ServerEvent::OutputAudioDelta(self.delta(&delta)?))
            }
            RecordedInput::UpstreamMalformed(error) => Input::UpstreamMalformed(error),
            RecordedInput::UpstreamFrame(frame) => Input::UpstreamFrame(self.frame(frame)?),
            RecordedInput::UpstreamClosed { end, unix_s } => Input::UpstreamClosed { end, unix_s },
            RecordedInput::FunctionFinished(RecordedOutcome { call_id, content, error }) => {
                let outcome = match (content, error) {
                    (Some(content), None) => Ok(content.into_owned()),
                    (None, Some(error)) => Err(error.into_owned()),
                    _ => return Err("a function that finished has either content or error".to_owned()),
                };
                Input::FunctionFinished { call_id: id(CallId::from_peer(&call_id))?, outcome }
            }
            RecordedInput::Delivered { leg, bytes } => Input::Delivered { leg, bytes },
            RecordedInput::Timeout => Input::Timeout,
            RecordedInput::Squeeze(squeezed) => Input::Squeeze(squeezed),
            RecordedInput::Overload => Input::Overload,
            RecordedInput::Drain => Input::Drain,
            RecordedInput::Shutdown => Input::Shutdown,
        })
    }

    fn delta(&mut self, recorded: &RecordedDelta<'_>) -> Result<AudioDelta, String> {
        let RecordedDelta { response_id, item_id, output_index, content_index, bytes } = recorded;
        Ok(AudioDelta {
            response_id: response_id.as_deref().map(|text| id(ResponseId::from_peer(text))).transpose()?,
            item_id: item_id.as_deref().map(|text| id(ItemId::from_peer(text))).transpose()?,
            output_index: *output_index,
            content_index: *content_index,
            delta: self.audio(*bytes)?,
        })
    }

    fn frame(&mut self, recorded: RecordedFrame<'_>) -> Result<Frame, String> {
        let RecordedFrame { op, fin, text, base64, bytes } = recorded;
        let payload = match (text, base64, bytes) {
            (Some(text), None, None) => Bytes::from(text.into_owned()),
            (None, Some(base64), None) => {
                STANDARD.decode_to_vec(base64).map_err(|_| "a frame that is not base64")?.into()
            }
            (None, None, Some(bytes)) if op != Opcode::Text => self.audio(bytes)?,
            _ => return Err("a frame has one of text, base64 and, unless it is text, bytes".to_owned()),
        };
        Ok(Frame { opcode: op, last: fin, payload })
    }

    /// Silence, which takes no memory of its own.
    fn audio(&mut self, bytes: usize) -> Result<Bytes, String> {
        if bytes > MOST_AUDIO {
            return Err(format!("{bytes} bytes of audio are more than {MOST_AUDIO}"));
        }
        if bytes > self.silence.len() {
            self.silence = Bytes::from(vec![0; bytes.next_power_of_two()]);
        }
        Ok(self.silence.slice(..bytes))
    }
}

fn from_json<'a, T: serde::Deserialize<'a>>(line: &'a str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| shown(&error.to_string(), 300))
}

fn id<T>(id: Option<T>) -> Result<T, String> {
    id.ok_or_else(|| "an id that is too long".to_owned())
}

/// Bytes; the most that a message may be configured to have.
const MOST_AUDIO: usize = 1 << 30;
