//! What a client may send in a text frame (Voice Agent sheet A3).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Empty, Listen, OneOrMany, Settings, Speak, Think, ThinkLive};
use crate::protocol::{
    DecodeError,
    ids::CallId,
    wire::{kind_of, messages},
};

messages! {
    /// A text message of the client; binary frames are audio and are no messages.
    pub enum ClientMessage {
        "Settings" => Settings(Box<Settings>),
        "UpdateListen" => UpdateListen(Box<UpdateListen>),
        "UpdateThink" => UpdateThink(Box<UpdateThink>),
        "UpdateThink_Live" => UpdateThinkLive(Box<UpdateThinkLive>),
        "UpdateSpeak" => UpdateSpeak(Box<UpdateSpeak>),
        "UpdatePrompt" => UpdatePrompt(UpdatePrompt),
        "InjectUserMessage" => InjectUserMessage(UserMessage),
        "InjectAgentMessage" => InjectAgentMessage(AgentMessage),
        "FunctionCallResponse" => FunctionCallResponse(Box<FunctionCallAnswer>),
        "KeepAlive" => KeepAlive(Empty),
        "ForceEndTurn" => ForceEndTurn(Empty),
        "__customToThinkProvider" => CustomToThinkProvider(super::Content<Value>),
    }
}

impl ClientMessage {
    /// Reads a text frame. Members that the message does not have are told to `ignored` by their path
    /// and are otherwise no error; a known member of a wrong type is one, with its path.
    pub fn decode(text: &str, ignored: impl FnMut(String)) -> Result<Self, DecodeError> {
        let kind = kind_of(text)?;
        Self::decode_kind(&kind, text, ignored)
    }
}

/// `UpdateListen`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateListen {
    /// The new listen configuration.
    pub listen: Listen,
}

/// `UpdateThink`: replaces the think configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateThink {
    /// One configuration, or several in order of preference.
    pub think: OneOrMany<Think>,
}

/// `UpdateThink_Live`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateThinkLive {
    /// The new live configuration.
    pub think_live: ThinkLive,
}

/// `UpdateSpeak`.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UpdateSpeak {
    /// One configuration, or several in order of preference.
    pub speak: Option<OneOrMany<Speak>>,
    /// The voice alone, as older clients send it.
    pub model: Option<String>,
}

/// `UpdatePrompt`: adds to the prompt in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdatePrompt {
    /// The text to add.
    pub prompt: String,
}

/// `InjectUserMessage`: a typed turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserMessage {
    /// What the user wrote.
    pub content: String,
}

/// `InjectAgentMessage`. Deepgram names the text `message`, the web component `content`.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentMessage {
    /// What the agent is to say.
    pub message: Option<String>,
    /// The same under the component's name.
    pub content: Option<String>,
    /// `default`, `queue` or `interrupt`.
    pub behavior: Option<String>,
    /// True for the dynamic form, which has no text.
    pub is_dynamic: Option<bool>,
}

/// `FunctionCallResponse` as a client sends it. Deepgram has `content` alone; other clients answer with
/// `result` or `error`, of any type.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCallAnswer {
    /// The call that is answered.
    pub id: CallId,
    /// The function's name.
    pub name: Option<String>,
    /// The answer, usually text.
    pub content: Option<Value>,
    /// What went wrong.
    pub error: Option<Value>,
    /// The answer under its other name.
    pub result: Option<Value>,
    /// Given back as the request carried it.
    pub thought_signature: Option<String>,
}
