//! What a gate was given and what it answered, as a line of a recording. An audio frame costs a few numbers; no message
//! becomes a tree. Knows nothing of files, nor of what a stand-in looks like.

use std::time::Duration;

use base64_simd::STANDARD;
use serde::Serialize;

use super::{
    format::{
        RecordedClose, RecordedCloses, RecordedEffect, RecordedEndpoint, RecordedFormat, RecordedFrame,
        RecordedInput, RecordedOutcome, write,
    },
    plain,
};
use crate::{
    gate::{ClientFrame, Effect, FunctionRun, Input, Leg, LegEnd, UpstreamFrame},
    protocol::{
        DecodeError, Frame, Opcode,
        audio::AudioFormat,
        realtime::{ErrorBody, ServerEvent},
    },
    translate::{functions::Endpoint, settings::AudioPlan, to_client},
};

/// What becomes of text before it is written, in place and length by length. What JSON writes with an escape stays as
/// it is, so that a text takes the same room wherever it stands.
pub trait Masking: Clone {
    /// A whole message, JSON or not.
    fn text(&mut self, json: &mut [u8]);

    /// The next fragment of a text message, and whether it is the last one.
    fn fragment(&mut self, payload: &mut [u8], last: bool);
}

/// Text is written as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unmasked;

impl Masking for Unmasked {
    fn text(&mut self, _: &mut [u8]) {}

    fn fragment(&mut self, _: &mut [u8], _: bool) {}
}

/// Writes the steps of one connection, in their order.
pub struct Encoder<M> {
    inputs: Side<M>,
    effects: Side<M>,
}

impl<M: Masking> Encoder<M> {
    /// Text of inputs goes through the one mask, text of effects through the other.
    pub fn new(inputs: M, effects: M) -> Self {
        Self { inputs: Side::new(inputs), effects: Side::new(effects) }
    }

    /// Begins the line of step `n`, counted from 1, which is at `t` since the gate's first moment.
    pub fn input(&mut self, n: u64, t: Duration, input: &Input, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"n\":");
        plain::number(n, out);
        out.extend_from_slice(b",\"t_ns\":");
        plain::number(u64::try_from(t.as_nanos()).unwrap_or(u64::MAX), out);
        out.extend_from_slice(b",\"in\":");
        self.inputs.input(input, out);
    }

    /// Ends the line with what the gate answered.
    pub fn effects(&mut self, effects: &[Effect], out: &mut Vec<u8>) {
        if !effects.is_empty() {
            out.extend_from_slice(b",\"out\":");
            self.effect_list(effects, out);
        }
        out.extend_from_slice(b"}\n");
    }

    /// The effects alone, as a JSON array.
    pub(super) fn effect_list(&mut self, effects: &[Effect], out: &mut Vec<u8>) {
        out.push(b'[');
        for (n, effect) in effects.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            self.effects.effect(effect, out);
        }
        out.push(b']');
    }
}

/// What goes in, or what comes out.
struct Side<M> {
    mask: M,
    /// The messages that are passed through, by leg.
    ways: [Way<M>; 2],
    scratch: Vec<u8>,
}

/// The message that is on its way in fragments.
struct Way<M> {
    mask: M,
    is_text: bool,
}

impl<M: Masking> Side<M> {
    fn new(mask: M) -> Self {
        let ways = [(); 2].map(|()| Way { mask: mask.clone(), is_text: false });
        Self { mask, ways, scratch: Vec::new() }
    }

    fn input(&mut self, input: &Input, out: &mut Vec<u8>) {
        match input {
            Input::ClientConnected => write(&RecordedInput::ClientConnected, out),
            Input::ClientAlive => write(&RecordedInput::ClientAlive, out),
            Input::Heard(leg) => write(&RecordedInput::Heard(*leg), out),
            Input::Client(message) => self.message(b"client", out, |out| message.encode_into(out)),
            Input::ClientAudio(audio) => {
                plain::tagged(b"client_audio", out, |out| plain::number(audio.len() as u64, out));
            }
            Input::ClientMalformed(error) => {
                self.said_if(has_reason(error), &RecordedInput::ClientMalformed(error.clone()), out);
            }
            Input::ClientFrame(frame) => self.frame(b"client_frame", Leg::Client, frame, out),
            Input::ClientClosed(end) => {
                self.said_if(is_told(end), &RecordedInput::ClientClosed(end.clone()), out);
            }
            Input::UpstreamOpened => write(&RecordedInput::UpstreamOpened, out),
            Input::UpstreamRefused(error) => write(&RecordedInput::UpstreamRefused(error.clone()), out),
            Input::Upstream(ServerEvent::OutputAudioDelta(delta)) => {
                plain::tagged(b"audio_delta", out, |out| plain::audio_delta(delta, out));
            }
            Input::Upstream(event) => match error_of(event) {
                None => self.message(b"upstream", out, |out| event.encode_into(out)),
                Some(error) => self.error(event, error, out),
            },
            Input::UpstreamMalformed(error) => {
                self.said_if(has_reason(error), &RecordedInput::UpstreamMalformed(error.clone()), out);
            }
            Input::UpstreamFrame(frame) => self.frame(b"upstream_frame", Leg::Upstream, frame, out),
            Input::UpstreamClosed { end, unix_s } => {
                let closed = RecordedInput::UpstreamClosed { end: end.clone(), unix_s: *unix_s };
                self.said_if(is_told(end), &closed, out);
            }
            Input::FunctionFinished { call_id, outcome } => {
                let (content, error) = match outcome {
                    Ok(content) => (Some(content.into()), None),
                    Err(error) => (None, Some(error.into())),
                };
                let call_id = call_id.as_str().into();
                let outcome = RecordedOutcome { call_id, content, error };
                self.said(&RecordedInput::FunctionFinished(outcome), out);
            }
            Input::Delivered { leg, bytes } => {
                plain::tagged(b"delivered", out, |out| plain::delivered(*leg, *bytes, out));
            }
            Input::Timeout => write(&RecordedInput::Timeout, out),
            Input::Squeeze(squeezed) => write(&RecordedInput::Squeeze(*squeezed), out),
            Input::Overload => write(&RecordedInput::Overload, out),
            Input::Drain => write(&RecordedInput::Drain, out),
            Input::Shutdown => write(&RecordedInput::Shutdown, out),
        }
    }

    fn effect(&mut self, effect: &Effect, out: &mut Vec<u8>) {
        match effect {
            Effect::OpenUpstream => write(&RecordedEffect::OpenUpstream, out),
            Effect::UseAudio(plan) => write(&audio_plan(*plan), out),
            Effect::ToClient(ClientFrame::Message(message)) => {
                self.message(b"to_client", out, |out| message.encode_into(out));
            }
            Effect::ToClient(ClientFrame::Audio(audio)) => {
                plain::tagged(b"audio_to_client", out, |out| plain::number(audio.len() as u64, out));
            }
            Effect::ToClient(ClientFrame::Frame(frame)) => {
                self.frame(b"frame_to_client", Leg::Client, frame, out);
            }
            Effect::ToUpstream(UpstreamFrame::Event(event)) => {
                self.message(b"to_upstream", out, |out| event.encode_into(out));
            }
            Effect::ToUpstream(UpstreamFrame::Audio { event_id, audio }) => {
                plain::tagged(b"append", out, |out| plain::append(event_id.as_str(), audio.len(), out));
            }
            Effect::ToUpstream(UpstreamFrame::Silence { event_id, length }) => {
                let ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
                write(&RecordedEffect::AppendSilence { event_id: event_id.as_str(), ns }, out);
            }
            Effect::ToUpstream(UpstreamFrame::Raw(json)) => {
                self.message(b"raw_to_upstream", out, |out| out.extend_from_slice(json.as_bytes()));
            }
            Effect::ToUpstream(UpstreamFrame::Frame(frame)) => {
                self.frame(b"frame_to_upstream", Leg::Upstream, frame, out);
            }
            Effect::Execute(run) => self.said(&execute(run), out),
            Effect::CancelFunction(id) => write(&RecordedEffect::CancelFunction(id.as_str()), out),
            Effect::Pause(leg) => write(&RecordedEffect::Pause(*leg), out),
            Effect::Resume(leg) => write(&RecordedEffect::Resume(*leg), out),
            Effect::Held(rule) => write(&RecordedEffect::Held(*rule), out),
            Effect::Ignored(rule) => write(&RecordedEffect::Ignored(*rule), out),
            Effect::RanOut(rule) => write(&RecordedEffect::RanOut(*rule), out),
            Effect::Ping(leg) => write(&RecordedEffect::Ping(*leg), out),
            Effect::Close { leg, code, reason } => {
                let close = RecordedClose { code: *code, reason };
                self.said(
                    &RecordedEffect::Close(match leg {
                        Leg::Client => RecordedCloses::Client(close),
                        Leg::Upstream => RecordedCloses::Upstream(close),
                    }),
                    out,
                );
            }
            Effect::HangUp(leg) => write(&RecordedEffect::HangUp(*leg), out),
            Effect::Finished => write(&RecordedEffect::Finished, out),
        }
    }

    /// A message under its key.
    fn message(&mut self, key: &[u8], out: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) {
        plain::tagged(key, out, |out| {
            let begin = out.len();
            encode(out);
            // One of an unknown type is as its peer wrote it. Within strings JSON has no line breaks.
            out[begin..]
                .iter_mut()
                .filter(|byte| matches!(byte, b'\n' | b'\r'))
                .for_each(|byte| *byte = b' ');
            self.mask.text(&mut out[begin..]);
        });
    }

    /// An event with an error, of whose message that remains on which it depends how the client is told.
    fn error(&mut self, event: &ServerEvent, error: &ErrorBody, out: &mut Vec<u8>) {
        let begin = out.len();
        let mut said = Vec::new();
        self.message(b"upstream", out, |out| {
            event.encode_into(out);
            said.extend_from_slice(&out[begin..]);
        });
        for words in to_client::looked_for(error).filter(|words| !words.is_empty()) {
            let places = said.windows(words.len()).enumerate();
            let is_there = |(_, place): &(usize, &[u8])| place.eq_ignore_ascii_case(words.as_bytes());
            for (at, place) in places.filter(is_there) {
                out[begin + at..begin + at + words.len()].copy_from_slice(place);
            }
        }
    }

    /// Something else in which somebody may have said something.
    fn said(&mut self, value: &impl Serialize, out: &mut Vec<u8>) {
        let begin = out.len();
        write(value, out);
        self.mask.text(&mut out[begin..]);
    }

    fn said_if(&mut self, is_said: bool, value: &impl Serialize, out: &mut Vec<u8>) {
        if is_said { self.said(value, out) } else { write(value, out) }
    }

    /// A frame under its key. The codec has seen to it that frames come in order.
    fn frame(&mut self, key: &[u8], leg: Leg, frame: &Frame, out: &mut Vec<u8>) {
        let way = &mut self.ways[leg as usize];
        match frame.opcode {
            Opcode::Text => way.is_text = true,
            Opcode::Binary => way.is_text = false,
            Opcode::Continuation => (),
        }
        if !way.is_text {
            return plain::tagged(key, out, |out| plain::binary_frame(frame, out));
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(&frame.payload);
        way.mask.fragment(&mut self.scratch, frame.last);
        let (text, base64) = match str::from_utf8(&self.scratch) {
            Ok(text) => (Some(text.into()), None),
            Err(_) => (None, Some(STANDARD.encode_to_string(&self.scratch))),
        };
        let recorded = RecordedFrame { op: frame.opcode, fin: frame.last, text, base64, bytes: None };
        plain::tagged(key, out, |out| write(&recorded, out));
    }
}

/// The error that an event reports.
fn error_of(event: &ServerEvent) -> Option<&ErrorBody> {
    if let ServerEvent::Error(event) = event {
        event.error.as_ref()
    } else if let ServerEvent::TranscriptionFailed(event) = event {
        event.error.as_ref()
    } else if let ServerEvent::ResponseDone(event) = event {
        event.response.as_ref()?.status_details.as_ref()?.error.as_ref()
    } else {
        None
    }
}

/// Whether the peer's words stand in it, and not one of ours alone.
fn is_told(end: &LegEnd) -> bool {
    match end {
        LegEnd::Closed { .. } | LegEnd::ProtocolError(_) => true,
        LegEnd::Vanished | LegEnd::TooLarge { .. } => false,
    }
}

/// The same.
fn has_reason(error: &DecodeError) -> bool {
    match error {
        DecodeError::NotJson { .. } | DecodeError::Invalid { .. } => true,
        DecodeError::NoType | DecodeError::TooManyPlaces => false,
    }
}

fn audio_plan(plan: AudioPlan) -> RecordedEffect<'static> {
    let AudioPlan { client_input, upstream_input, upstream_output, client_output, wav } = plan;
    RecordedEffect::UseAudio {
        client_input: format(client_input),
        upstream_input: format(upstream_input),
        upstream_output: format(upstream_output),
        client_output: format(client_output),
        wav,
    }
}

fn format(format: AudioFormat) -> RecordedFormat {
    let AudioFormat { encoding, sample_rate } = format;
    RecordedFormat { encoding, sample_rate }
}

fn execute(run: &FunctionRun) -> RecordedEffect<'_> {
    let FunctionRun { id, name, arguments, endpoint } = run;
    let endpoint = endpoint.as_ref().map(|Endpoint { url, headers }| RecordedEndpoint {
        url: url.as_str(),
        headers: headers.iter().map(|(name, value)| [&**name, &**value]).collect(),
    });
    RecordedEffect::Execute { id: id.as_str(), name, arguments, endpoint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gate::Rule,
        protocol::{agent::ClientMessage, realtime::ServerEvent},
    };

    fn step(input: Input, effects: &[Effect]) -> String {
        let (mut encoder, mut out) = (Encoder::new(Unmasked, Unmasked), Vec::new());
        encoder.input(7, Duration::from_micros(1_500), &input, &mut out);
        encoder.effects(effects, &mut out);
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn a_step_is_a_line() {
        let audio = bytes::Bytes::from_static(&[1; 640]);
        let append = UpstreamFrame::Audio { event_id: "e_1".into(), audio: audio.clone() };
        assert_eq!(
            step(Input::ClientAudio(audio), &[Effect::ToUpstream(append), Effect::Held(Rule::TextOnce)]),
            concat!(
                r#"{"n":7,"t_ns":1500000,"in":{"client_audio":640},"#,
                r#""out":[{"append":{"event_id":"e_1","bytes":640}},{"held":"R11"}]}"#,
                "\n"
            )
        );
        assert_eq!(step(Input::Timeout, &[]), "{\"n\":7,\"t_ns\":1500000,\"in\":\"timeout\"}\n");
        let delta = r#"{"type":"response.output_audio.delta","response_id":"r_1","delta":"AAAA"}"#;
        let delta = ServerEvent::decode(delta).expect("an event").event;
        let line = step(Input::Upstream(delta), &[]);
        assert!(line.contains(r#""in":{"audio_delta":{"response_id":"r_1","bytes":3}}"#), "{line}");
    }

    #[test]
    fn a_message_of_an_unknown_type_breaks_no_line() {
        let message = ClientMessage::decode("{\"type\":\"New\",\r\n\"text\":\"a\\nb\"}", |_| ());
        let line = step(Input::Client(message.expect("a message")), &[]);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.contains(r#"{"client":{"type":"New",  "text":"a\nb"}}"#), "{line}");
    }

    #[test]
    fn a_frame_is_text_where_it_is_and_audio_is_a_number() {
        let frame = |opcode, last, payload: &'static [u8]| Frame { opcode, last, payload: payload.into() };
        let (mut encoder, mut out) = (Encoder::new(Unmasked, Unmasked), Vec::new());
        for (frame, expected) in [
            (frame(Opcode::Text, false, b"a\""), r#"{"op":"text","fin":false,"text":"a\""}"#),
            (
                frame(Opcode::Continuation, false, b"\xff"),
                r#"{"op":"continuation","fin":false,"base64":"/w=="}"#,
            ),
            (frame(Opcode::Continuation, true, b""), r#"{"op":"continuation","fin":true,"text":""}"#),
            (frame(Opcode::Binary, false, b"audio"), r#"{"op":"binary","fin":false,"bytes":5}"#),
            (frame(Opcode::Continuation, true, b"more"), r#"{"op":"continuation","fin":true,"bytes":4}"#),
        ] {
            out.clear();
            encoder.input(1, Duration::ZERO, &Input::UpstreamFrame(frame), &mut out);
            let line = String::from_utf8_lossy(&out);
            assert!(line.ends_with(&format!(r#""in":{{"upstream_frame":{expected}}}"#)), "{line}");
        }
    }
}
