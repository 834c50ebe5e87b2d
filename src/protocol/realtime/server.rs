//! The events that upstream sends (Realtime sheet section 5), with the beta names as aliases (section 8).

use serde_json::Value;

use super::{AudioDelta, ErrorBody, Item, Part, Response, Session};
use crate::protocol::{
    DecodeError,
    ids::{CallId, EventId, ItemId, ResponseId},
    wire::{kind_of, messages, wire},
};

messages! {
    /// An event that came from upstream.
    pub enum ServerEvent {
        "session.created" | "transcription_session.created" => SessionCreated(Box<SessionEvent>),
        "session.updated" | "transcription_session.updated" => SessionUpdated(Box<SessionEvent>),
        "error" => Error(Box<ErrorEvent>),
        "rate_limits.updated" => RateLimitsUpdated(RateLimitsEvent),
        "conversation.created" => ConversationCreated(ConversationEvent),
        "conversation.item.added" => ItemAdded(Box<ItemEvent>),
        "conversation.item.created" => ItemCreated(Box<ItemEvent>),
        "conversation.item.done" => ItemDone(Box<ItemEvent>),
        "conversation.item.retrieved" => ItemRetrieved(Box<ItemEvent>),
        "conversation.item.deleted" => ItemDeleted(ItemIdEvent),
        "conversation.item.truncated" => ItemTruncated(TruncatedEvent),
        "conversation.item.input_audio_transcription.delta" => TranscriptionDelta(Box<TranscriptionEvent>),
        "conversation.item.input_audio_transcription.completed" => TranscriptionCompleted(Box<TranscriptionEvent>),
        "conversation.item.input_audio_transcription.failed" => TranscriptionFailed(Box<TranscriptionEvent>),
        "conversation.item.input_audio_transcription.segment" => TranscriptionSegment(Box<TranscriptionEvent>),
        "input_audio_buffer.committed" => BufferCommitted(BufferEvent),
        "input_audio_buffer.cleared" => BufferCleared(BufferEvent),
        "input_audio_buffer.speech_started" => SpeechStarted(Box<SpeechEvent>),
        "input_audio_buffer.speech_stopped" => SpeechStopped(Box<SpeechEvent>),
        "input_audio_buffer.timeout_triggered" => TimeoutTriggered(Box<SpeechEvent>),
        "input_audio_buffer.dtmf_event_received" => DtmfReceived(DtmfEvent),
        "output_audio_buffer.started" => OutputStarted(Box<StreamEvent>),
        "output_audio_buffer.stopped" => OutputStopped(Box<StreamEvent>),
        "output_audio_buffer.cleared" => OutputCleared(Box<StreamEvent>),
        "response.created" => ResponseCreated(Box<ResponseEvent>),
        "response.done" => ResponseDone(Box<ResponseEvent>),
        "response.output_item.added" => OutputItemAdded(Box<OutputItemEvent>),
        "response.output_item.done" => OutputItemDone(Box<OutputItemEvent>),
        "response.content_part.added" => ContentPartAdded(Box<PartEvent>),
        "response.content_part.done" => ContentPartDone(Box<PartEvent>),
        "response.output_text.delta" | "response.text.delta" => OutputTextDelta(Box<StreamEvent>),
        "response.output_text.done" | "response.text.done" => OutputTextDone(Box<StreamEvent>),
        "response.output_audio.delta" | "response.audio.delta" => OutputAudioDelta(AudioDelta),
        "response.output_audio.done" | "response.audio.done" => OutputAudioDone(Box<StreamEvent>),
        "response.output_audio_transcript.delta" | "response.audio_transcript.delta" => OutputTranscriptDelta(Box<StreamEvent>),
        "response.output_audio_transcript.done" | "response.audio_transcript.done" => OutputTranscriptDone(Box<StreamEvent>),
        "response.function_call_arguments.delta" => CallArgumentsDelta(Box<StreamEvent>),
        "response.function_call_arguments.done" => CallArgumentsDone(Box<StreamEvent>),
        "response.mcp_call_arguments.delta" => McpArgumentsDelta(Box<StreamEvent>),
        "response.mcp_call_arguments.done" => McpArgumentsDone(Box<StreamEvent>),
        "response.mcp_call.in_progress" => McpCallInProgress(McpEvent),
        "response.mcp_call.completed" => McpCallCompleted(McpEvent),
        "response.mcp_call.failed" => McpCallFailed(McpEvent),
        "mcp_list_tools.in_progress" => McpListInProgress(McpEvent),
        "mcp_list_tools.completed" => McpListCompleted(McpEvent),
        "mcp_list_tools.failed" => McpListFailed(McpEvent),
    }
}

/// What a text frame of upstream turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The event.
    pub event: ServerEvent,
    /// Why nothing but its `type` was used, if its members are not what the vendor documents.
    pub damage: Option<DecodeError>,
}

impl ServerEvent {
    /// Reads a text frame. Only text that is not a JSON object with a `type` is an error: a known event
    /// whose members are damaged comes back as its `type` alone, so that what waits for it goes on.
    pub fn decode(frame: &(impl AsRef<[u8]> + ?Sized)) -> Result<Decoded, DecodeError> {
        let frame = frame.as_ref();
        match AudioDelta::scan(frame) {
            Some(delta) => Ok(Decoded { event: Self::OutputAudioDelta(delta), damage: None }),
            None => Self::decode_any(frame),
        }
    }

    /// The general decoder, which takes every event in every form.
    pub(super) fn decode_any(frame: &[u8]) -> Result<Decoded, DecodeError> {
        let text =
            str::from_utf8(frame).map_err(|error| DecodeError::NotJson { reason: error.to_string() })?;
        let kind = kind_of(text)?;
        match Self::decode_kind(&kind, text, |_| ()) {
            Ok(event) => Ok(Decoded { event, damage: None }),
            Err(damage) => {
                Ok(Decoded { event: Self::decode_kind(&kind, "{}", |_| ())?, damage: Some(damage) })
            }
        }
    }
}

wire! {
    /// `session.created`, `session.updated`.
    SessionEvent { event_id: EventId, session: Session }

    /// `error`.
    ErrorEvent { event_id: EventId, error: ErrorBody }

    /// `rate_limits.updated`.
    RateLimitsEvent { event_id: EventId, rate_limits: Value }

    /// `conversation.created`.
    ConversationEvent { event_id: EventId, conversation: Value }

    /// An event that shows an item.
    ItemEvent { event_id: EventId, previous_item_id: ItemId, item: Item }

    /// `conversation.item.deleted`.
    ItemIdEvent { event_id: EventId, item_id: ItemId }

    /// `conversation.item.truncated`.
    TruncatedEvent { event_id: EventId, item_id: ItemId, content_index: u32, audio_end_ms: u64 }

    /// What the user said, as far as it is known. `start` and `duration` in seconds where a server
    /// gives them.
    TranscriptionEvent {
        event_id: EventId,
        item_id: ItemId,
        content_index: u32,
        delta: String,
        transcript: String,
        usage: Value,
        logprobs: Value,
        obfuscation: Value,
        languages: Value,
        error: ErrorBody,
        id: String,
        text: String,
        speaker: String,
        start: Value,
        end: Value,
        duration: Value,
        channel: Value,
        channel_index: Value,
    }

    /// `input_audio_buffer.committed`, `input_audio_buffer.cleared`.
    BufferEvent { event_id: EventId, item_id: ItemId, previous_item_id: ItemId }

    /// What voice activity detection heard; times in ms from the session's first audio. `channel` and
    /// `last_word_end` (seconds) are given by compatible servers.
    SpeechEvent {
        event_id: EventId,
        item_id: ItemId,
        audio_start_ms: f64,
        audio_end_ms: f64,
        channel: Value,
        last_word_end: Value,
    }

    /// `input_audio_buffer.dtmf_event_received`; telephone calls alone.
    DtmfEvent { event: String, received_at: Value }

    /// `response.created`, `response.done`. `response_id` is what compatible servers send in place of
    /// the object.
    ResponseEvent { event_id: EventId, response_id: ResponseId, response: Response }

    /// `response.output_item.added`, `response.output_item.done`.
    OutputItemEvent { event_id: EventId, response_id: ResponseId, output_index: u32, item: Item }

    /// `response.content_part.added`, `response.content_part.done`.
    PartEvent {
        event_id: EventId,
        response_id: ResponseId,
        item_id: ItemId,
        output_index: u32,
        content_index: u32,
        part: Part,
    }

    /// A piece or the end of a response's text, transcript, audio or call arguments.
    StreamEvent {
        event_id: EventId,
        response_id: ResponseId,
        item_id: ItemId,
        output_index: u32,
        content_index: u32,
        call_id: CallId,
        name: String,
        delta: String,
        text: String,
        transcript: String,
        arguments: String,
        obfuscation: Value,
    }

    /// Progress of a tool that the vendor runs.
    McpEvent { event_id: EventId, output_index: u32, item_id: ItemId }
}
