//! The client leg: Deepgram's Voice Agent protocol, version 1, with the messages that the web component
//! adds to it. Types only; what is done with them is decided elsewhere.

mod client;
mod server;
mod settings;
#[cfg(test)]
mod tests;

pub use client::{
    AgentMessage, ClientMessage, FunctionCallAnswer, UpdateListen, UpdatePrompt, UpdateSpeak, UpdateThink,
    UpdateThinkLive, UserMessage,
};
pub use server::{
    Alternative, CancelledCall, Content, ConversationText, FrustrationDetected, FunctionCall,
    FunctionCallCancelled, FunctionCallRequest, FunctionCallResponse, HistoryMessage, InjectionRefused,
    LatencyReport, Notice, Role, ServerMessage, StartedSpeaking, Transcript, UtteranceEnd, Welcome,
};
pub use settings::{
    Agent, AgentSettings, Audio, AudioInput, AudioOutput, Context, Endpoint, Flags, Function, History,
    HistoryCall, Listen, ManagedPrompt, OneOrMany, Provider, SessionAudioOutput, Settings, Speak, Think,
    ThinkLive,
};

/// A message without members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Empty {}
