//! The upstream leg: OpenAI's Realtime API in its general-availability shape. The older beta names are
//! read as aliases and never sent; the beta's members are there for whoever puts an event into that shape.

mod audio_delta;
mod client;
mod objects;
mod server;
#[cfg(test)]
mod tests;

pub use audio_delta::AudioDelta;
pub use client::{
    Append, CancelResponse, ClientEvent, CommitBuffer, CreateItem, CreateResponse, ItemReference,
    SessionUpdate, TruncateItem,
};
pub use objects::{
    AudioConfig, ErrorBody, Format, InputConfig, Item, OutputConfig, Part, Response, ResponseParams, Session,
    StatusDetails, StoredPrompt, Tool, Transcription, TurnDetection,
};
pub use server::{
    BufferEvent, ConversationEvent, Decoded, DtmfEvent, ErrorEvent, ItemEvent, ItemIdEvent, McpEvent,
    OutputItemEvent, PartEvent, RateLimitsEvent, ResponseEvent, ServerEvent, SessionEvent, SpeechEvent,
    StreamEvent, TranscriptionEvent, TruncatedEvent,
};
