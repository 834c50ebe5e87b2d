//! The lines of a recording as JSON: one schema for what is written and what is read. Knows no gate.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{
    gate::{Leg, LegEnd, Rule, UpstreamError},
    protocol::{DecodeError, Opcode, audio::Encoding},
};

/// The line of an input: when the gate took it, counted from its first moment, and what it answered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepLine<'a> {
    pub(super) n: u64,
    pub(super) t_ns: u64,
    #[serde(rename = "in", borrow)]
    pub(super) input: RecordedInput<'a>,
    #[serde(default, borrow)]
    pub(super) out: Option<&'a RawValue>,
}

/// How a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With the connection.
    Finished,
    /// The file had reached its largest size.
    Cap,
    /// It could not be written as fast as things happened.
    Dropped,
    /// It could not be written at all any more.
    Failed,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    pub(super) end: End,
}

/// A line that says something to whoever reads the recording and nothing to a gate.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteLine<'a> {
    #[serde(borrow)]
    pub(super) note: Cow<'a, str>,
}

impl End {
    /// Writes the last line.
    pub fn encode(self, out: &mut Vec<u8>) {
        write(&EndLine { end: self }, out);
        out.push(b'\n');
    }
}

/// An input. A message stands there as the peer may have sent it, audio as its length in bytes; these are read by this
/// alone, and written without.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecordedInput<'a> {
    ClientConnected,
    ClientAlive,
    Heard(#[serde(with = "LegDef")] Leg),
    #[serde(borrow)]
    Client(&'a RawValue),
    ClientAudio(usize),
    ClientMalformed(#[serde(with = "DecodeErrorDef")] DecodeError),
    #[serde(borrow)]
    ClientFrame(RecordedFrame<'a>),
    ClientClosed(#[serde(with = "LegEndDef")] LegEnd),
    UpstreamOpened,
    UpstreamRefused(#[serde(with = "UpstreamErrorDef")] UpstreamError),
    #[serde(borrow)]
    Upstream(&'a RawValue),
    #[serde(borrow)]
    AudioDelta(RecordedDelta<'a>),
    UpstreamMalformed(#[serde(with = "DecodeErrorDef")] DecodeError),
    #[serde(borrow)]
    UpstreamFrame(RecordedFrame<'a>),
    UpstreamClosed {
        #[serde(with = "LegEndDef")]
        end: LegEnd,
        unix_s: u64,
    },
    #[serde(borrow)]
    FunctionFinished(RecordedOutcome<'a>),
    Delivered {
        #[serde(with = "LegDef")]
        leg: Leg,
        bytes: usize,
    },
    Timeout,
    Squeeze(bool),
    Overload,
    Drain,
    Shutdown,
}

/// An effect, which is written to be compared and never read. Audio, frames and messages are written without this.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecordedEffect<'a> {
    OpenUpstream,
    UseAudio {
        client_input: RecordedFormat,
        upstream_input: RecordedFormat,
        upstream_output: RecordedFormat,
        client_output: RecordedFormat,
        wav: bool,
    },
    AppendSilence {
        event_id: &'a str,
        ns: u64,
    },
    Execute {
        id: &'a str,
        name: &'a str,
        arguments: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        endpoint: Option<RecordedEndpoint<'a>>,
    },
    CancelFunction(&'a str),
    Pause(#[serde(with = "LegDef")] Leg),
    Resume(#[serde(with = "LegDef")] Leg),
    Held(#[serde(serialize_with = "rule")] Rule),
    Ignored(#[serde(serialize_with = "rule")] Rule),
    RanOut(#[serde(serialize_with = "rule")] Rule),
    Ping(#[serde(with = "LegDef")] Leg),
    Close(RecordedCloses<'a>),
    HangUp(#[serde(with = "LegDef")] Leg),
    Finished,
}

/// An audio format.
#[derive(Serialize)]
pub(super) struct RecordedFormat {
    #[serde(with = "EncodingDef")]
    pub(super) encoding: Encoding,
    pub(super) sample_rate: u32,
}

/// Where a client has a function run.
#[derive(Serialize)]
pub(super) struct RecordedEndpoint<'a> {
    pub(super) url: &'a str,
    pub(super) headers: Vec<[&'a str; 2]>,
}

/// The close frame of a leg.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecordedCloses<'a> {
    Client(RecordedClose<'a>),
    Upstream(RecordedClose<'a>),
}

/// What a close frame says.
#[derive(Serialize)]
pub(super) struct RecordedClose<'a> {
    pub(super) code: u16,
    pub(super) reason: &'a str,
}

/// A frame that is passed through: a text, or a piece of one, as text or, where it is no UTF-8, in base64; of audio
/// the number of bytes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedFrame<'a> {
    #[serde(with = "OpcodeDef")]
    pub(super) op: Opcode,
    pub(super) fin: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<usize>,
}

/// `response.output_audio.delta`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedDelta<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) response_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) item_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) output_index: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<u32>,
    pub(super) bytes: usize,
}

/// What a function returned, or why it returned nothing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedOutcome<'a> {
    #[serde(borrow)]
    pub(super) call_id: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Leg", rename_all = "snake_case")]
pub(super) enum LegDef {
    Client,
    Upstream,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "LegEnd", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum LegEndDef {
    Closed { code: Option<u16>, reason: String },
    Vanished,
    TooLarge { limit: usize },
    ProtocolError(String),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "UpstreamError", rename_all = "snake_case")]
pub(super) enum UpstreamErrorDef {
    Unreachable(String),
    TimedOut,
    Status(u16),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DecodeError", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum DecodeErrorDef {
    NotJson {
        reason: String,
    },
    NoType,
    TooManyPlaces,
    /// Under names that are kept where what was said is not.
    Invalid {
        #[serde(rename = "type")]
        kind: String,
        #[serde(rename = "param")]
        path: String,
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Opcode", rename_all = "snake_case")]
enum OpcodeDef {
    Text,
    Binary,
    Continuation,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Encoding", rename_all = "snake_case")]
enum EncodingDef {
    Linear16,
    Mulaw,
    Alaw,
}

fn rule<S: Serializer>(rule: &Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(rule)
}

/// Writes a line or a part of one.
pub(super) fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("lines are of text and numbers");
}
