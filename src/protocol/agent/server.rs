//! What a client is sent in a text frame (Voice Agent sheet A7, and B4 for what the component adds).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Empty, HistoryCall};
use crate::protocol::{
    DecodeError,
    ids::CallId,
    wire::{kind_of, messages},
};

messages! {
    /// A text message to the client; audio goes in binary frames.
    pub enum ServerMessage {
        "Welcome" => Welcome(Welcome),
        "SettingsApplied" => SettingsApplied(Empty),
        "ConversationText" => ConversationText(ConversationText),
        "UserStartedSpeaking" => UserStartedSpeaking(Empty),
        "AgentThinking" => AgentThinking(Content<String>),
        "AgentStartedSpeaking" => AgentStartedSpeaking(StartedSpeaking),
        "AgentAudioDone" => AgentAudioDone(Empty),
        "LatencyReport" => LatencyReport(LatencyReport),
        "FunctionCallRequest" => FunctionCallRequest(FunctionCallRequest),
        "FunctionCallCancelled" => FunctionCallCancelled(FunctionCallCancelled),
        "FunctionCallResponse" => FunctionCallResponse(FunctionCallResponse),
        "PromptUpdated" => PromptUpdated(Empty),
        "SpeakUpdated" => SpeakUpdated(Empty),
        "ThinkUpdated" => ThinkUpdated(Empty),
        "ThinkLiveUpdated" => ThinkLiveUpdated(Empty),
        "ListenUpdated" => ListenUpdated(Empty),
        "InjectionRefused" => InjectionRefused(InjectionRefused),
        "FrustrationDetected" => FrustrationDetected(FrustrationDetected),
        "__customFromThinkProvider" => CustomFromThinkProvider(Content<Value>),
        "History" => History(Box<HistoryMessage>),
        "Error" => Error(Notice),
        "Warning" => Warning(Notice),
        "AgentDone" => AgentDone(Empty),
        "Transcript" => Transcript(Box<Transcript>),
        "UtteranceEnd" => UtteranceEnd(UtteranceEnd),
    }
}

impl ServerMessage {
    /// Reads a text frame that a gateway or agent server sent.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        Self::decode_kind(&kind_of(text)?, text, |_| ())
    }
}

/// `Welcome`, the first message on every connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Names the connection in reports and logs.
    pub request_id: String,
}

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The agent.
    Assistant,
}

/// `ConversationText`: one utterance.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationText {
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub content: String,
    /// `default`, `backchannel`, `presence_check` or `filler`.
    pub conversational_behavior: Option<String>,
    /// Languages that were expected.
    pub languages_hinted: Option<Vec<String>>,
    /// Languages that were heard.
    pub languages: Option<Vec<String>>,
}

/// A message whose one member is `content`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content<T> {
    /// The content.
    pub content: T,
}

/// `AgentStartedSpeaking`: latencies in seconds from the end of the user's turn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StartedSpeaking {
    /// End of the user's turn to the first output.
    pub total_latency: f64,
    /// The part of it after the first text.
    pub tts_latency: f64,
    /// The part of it up to the first text.
    pub ttt_latency: f64,
}

/// `LatencyReport`: seconds, each optional.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the vendor's names, described in the vendor's reference")]
pub struct LatencyReport {
    pub stt_latency: Option<f64>,
    pub ttt_token_latency: Option<f64>,
    pub ttt_text_latency: Option<f64>,
    pub ttt_tool_latency: Option<f64>,
    pub ttt_thinking_latency: Option<f64>,
    pub tts_latency: Option<f64>,
    pub total_latency: Option<f64>,
}

/// `FunctionCallRequest`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCallRequest {
    /// The calls, in the order of the model's output.
    pub functions: Vec<FunctionCall>,
}

/// One call in a request.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCall {
    /// To be given back with the answer.
    pub id: CallId,
    /// Which function.
    pub name: String,
    /// JSON text.
    pub arguments: String,
    /// True if the client is to run it.
    pub client_side: bool,
    /// To be given back with the answer.
    pub thought_signature: Option<String>,
}

/// `FunctionCallCancelled`: late answers to these are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCallCancelled {
    /// The calls that nobody waits for any more.
    pub functions: Vec<CancelledCall>,
}

/// One call that was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelledCall {
    /// The call.
    pub id: CallId,
    /// Its function.
    pub name: String,
}

/// `FunctionCallResponse` as a server reports it: a call that did not run at the client.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCallResponse {
    /// The call.
    pub id: Option<CallId>,
    /// Its function.
    pub name: String,
    /// What the model was told.
    pub content: String,
    /// As the request carried it.
    pub thought_signature: Option<String>,
}

/// `InjectionRefused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectionRefused {
    /// Why.
    pub message: String,
}

/// `FrustrationDetected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrustrationDetected {
    /// From 1.
    pub count: u32,
    /// Whether somebody was called.
    pub escalated: bool,
}

/// `History`: an utterance or function calls once more, as they enter the conversation.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryMessage {
    /// Who said it.
    pub role: Option<Role>,
    /// What was said.
    pub content: Option<String>,
    /// The calls, with their answers.
    pub function_calls: Option<Vec<HistoryCall>>,
}

/// `Error` and `Warning`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// For a person.
    pub description: String,
    /// For a program.
    pub code: String,
}

/// `Transcript`: the user's speech, for the component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The text so far, or all of it.
    pub transcript: String,
    /// Whether it will not change any more.
    pub is_final: bool,
    /// Whether the user's turn ended with it.
    pub speech_final: bool,
    /// A number, or whatever upstream said.
    pub channel: Value,
    /// Which channel of how many.
    pub channel_index: Value,
    /// Seconds from the session's first audio.
    pub start: Value,
    /// Seconds.
    pub duration: Value,
    /// The same text once more, as Deepgram's transcription shapes it.
    pub alternatives: Vec<Alternative>,
}

/// One reading of a [`Transcript`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// The text.
    pub transcript: String,
    /// 0 to 1.
    pub confidence: f64,
    /// Upstream gives no words; the component expects the list.
    pub words: Vec<Value>,
}

/// `UtteranceEnd`: the user stopped speaking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UtteranceEnd {
    /// Which channel of how many.
    pub channel: Value,
    /// Seconds from the session's first audio.
    pub last_word_end: Value,
}
