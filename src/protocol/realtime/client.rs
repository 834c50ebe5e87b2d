//! The events that we send (Realtime sheet section 4).

use base64_simd::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Item, ResponseParams, Session};
use crate::protocol::{
    DecodeError,
    ids::{EventId, ItemId, ResponseId},
    wire::{kind_of, messages, wire},
};

messages! {
    /// An event that goes upstream.
    pub enum ClientEvent {
        "session.update" | "transcription_session.update" => SessionUpdate(Box<SessionUpdate>),
        "input_audio_buffer.append" => Append(Append),
        "input_audio_buffer.commit" => Commit(CommitBuffer),
        "input_audio_buffer.clear" => ClearInput(CommitBuffer),
        "output_audio_buffer.clear" => ClearOutput(CommitBuffer),
        "conversation.item.create" => CreateItem(Box<CreateItem>),
        "conversation.item.retrieve" => RetrieveItem(ItemReference),
        "conversation.item.delete" => DeleteItem(ItemReference),
        "conversation.item.truncate" => TruncateItem(TruncateItem),
        "response.create" => CreateResponse(Box<CreateResponse>),
        "response.cancel" => CancelResponse(CancelResponse),
    }
}

impl ClientEvent {
    /// Reads a text frame that a client of the Realtime API sent.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        Self::decode_kind(&kind_of(text)?, text, |_| ())
    }
}

wire! {
    /// `session.update`.
    SessionUpdate { event_id: EventId, session: Session }

    /// An event without members of its own.
    CommitBuffer { event_id: EventId }

    /// `conversation.item.create`.
    CreateItem { event_id: EventId, previous_item_id: ItemId, item: Item }

    /// An event about one item.
    ItemReference { event_id: EventId, item_id: ItemId }

    /// `conversation.item.truncate`; `audio_end_ms` is the last ms of the item that stays.
    TruncateItem { event_id: EventId, item_id: ItemId, content_index: u32, audio_end_ms: u64 }

    /// `response.create`.
    CreateResponse { event_id: EventId, response: ResponseParams }

    /// `response.cancel`.
    CancelResponse { event_id: EventId, response_id: ResponseId }
}

/// `input_audio_buffer.append`.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// Our id for it.
    pub event_id: Option<EventId>,
    /// Audio in the session's input format, at most 15 MiB when encoded.
    pub audio: Bytes,
}

impl Append {
    const HEAD: &[u8] = br#"{"type":"input_audio_buffer.append","event_id":""#;
    const MIDDLE: &[u8] = br#"","audio":""#;
    const TAIL: &[u8] = br#""}"#;

    /// How long the event is that [`Self::encode_into`] writes, bytes.
    pub fn encoded_length(event_id: &EventId, audio: &[u8]) -> usize {
        let (id, audio) = (event_id.as_str().len(), STANDARD.encoded_length(audio.len()));
        Self::HEAD.len() + id + Self::MIDDLE.len() + audio + Self::TAIL.len()
    }

    /// Writes the whole event behind what `out` holds, without a JSON serializer: base64 and ids of our
    /// own making need no escapes.
    pub fn encode_into(event_id: &EventId, audio: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(Self::HEAD);
        out.extend_from_slice(event_id.as_str().as_bytes());
        out.extend_from_slice(Self::MIDDLE);
        STANDARD.encode_append(audio, out);
        out.extend_from_slice(Self::TAIL);
    }
}

#[derive(Serialize, Deserialize)]
struct AppendWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
    audio: String,
}

impl Serialize for Append {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let audio = STANDARD.encode_to_string(&self.audio);
        AppendWire { event_id: self.event_id.clone(), audio }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Append {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let AppendWire { event_id, audio } = AppendWire::deserialize(deserializer)?;
        let audio = STANDARD.decode_to_vec(audio).map_err(|_| de::Error::custom("audio is not base64"))?;
        Ok(Self { event_id, audio: audio.into() })
    }
}
