//! `Settings` and its parts (Voice Agent sheet A4 to A6), with the members that the web component adds
//! (B3). Everything is optional: what is absent takes its default when it is translated.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        Error, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::{Map, Number, Value};

use crate::protocol::{ids::CallId, wire::wire};

wire! {
    /// `Settings`: the client's first message.
    Settings {
        tags: Vec<String>,
        experimental: bool,
        flags: Flags,
        mip_opt_out: bool,
        audio: Audio,
        agent: Agent,
    }

    /// `flags`.
    Flags { history: bool }

    /// `audio`.
    Audio { input: AudioInput, output: AudioOutput }

    /// `audio.input`; `sample_rate` in Hz.
    AudioInput { encoding: String, sample_rate: u32 }

    /// `audio.output`; `sample_rate` in Hz, `bitrate` in bits per second.
    AudioOutput { encoding: String, sample_rate: u32, bitrate: u32, container: String }

    /// `agent` as an object; `messages` is what older SDKs send for `context.messages`.
    AgentSettings {
        language: String,
        context: Context,
        messages: Vec<History>,
        listen: Listen,
        think: OneOrMany<Think>,
        think_live: ThinkLive,
        speak: OneOrMany<Speak>,
        greeting: String,
        #[serde(rename = "idleTimeoutMs")]
        idle_timeout_ms: f64,
        #[serde(rename = "sessionAudioOutput")]
        session_audio_output: SessionAudioOutput,
        #[serde(rename = "useOpenAIManualAudioCommit")]
        use_openai_manual_audio_commit: bool,
    }

    /// `agent.context`.
    Context { messages: Vec<History> }

    /// One entry of the conversation before this session: text of one side, or function calls.
    History {
        #[serde(rename = "type")]
        kind: String,
        role: String,
        content: String,
        function_calls: Vec<HistoryCall>,
    }

    /// A call in a [`History`] entry.
    HistoryCall {
        id: CallId,
        name: String,
        client_side: bool,
        arguments: String,
        response: String,
        thought_signature: String,
    }

    /// `agent.listen`.
    Listen { provider: Provider }

    /// `agent.think`; the last four are the component's.
    Think {
        provider: Provider,
        endpoint: Endpoint,
        prompt: String,
        context_length: Value,
        functions: Vec<Function>,
        #[serde(rename = "toolChoice")]
        tool_choice: Value,
        #[serde(rename = "outputModalities")]
        output_modalities: Vec<String>,
        #[serde(rename = "maxOutputTokens")]
        max_output_tokens: f64,
        #[serde(rename = "managedPrompt")]
        managed_prompt: ManagedPrompt,
    }

    /// `agent.think_live`.
    ThinkLive { provider: Provider }

    /// `agent.speak`.
    Speak { provider: Provider, endpoint: Endpoint }

    /// An HTTP or WebSocket address of the client's own.
    Endpoint { url: String, method: String, headers: Map<String, Value> }

    /// A function that the model may call; with an `endpoint` the server is to run it.
    Function {
        name: String,
        description: String,
        parameters: Value,
        endpoint: Endpoint,
        defer_until_eot: bool,
        initial_agent_filler: bool,
        agent_filler_max_count: u32,
        agent_filler_interval_ms: u32,
    }

    /// `agent.think.managedPrompt`: a prompt stored with the vendor.
    ManagedPrompt { id: String, version: String, variables: Map<String, Value> }

    /// `agent.sessionAudioOutput`: the Realtime API's `audio.output`.
    SessionAudioOutput { format: Value, speed: Number, voice: Value }
}

impl AgentSettings {
    /// The members that are the web component's own (B3).
    pub const OF_COMPONENT: [&str; 3] = ["idleTimeoutMs", "sessionAudioOutput", "useOpenAIManualAudioCommit"];

    /// Whether one of the component's own members is there, here or in `think`.
    pub fn is_of_component(&self) -> bool {
        self.idle_timeout_ms.is_some()
            || self.session_audio_output.is_some()
            || self.use_openai_manual_audio_commit.is_some()
            || self.think.as_ref().is_some_and(|think| think.as_slice().iter().any(Think::is_of_component))
    }
}

impl Think {
    /// The members that are the web component's own (B3).
    pub const OF_COMPONENT: [&str; 4] =
        ["toolChoice", "outputModalities", "maxOutputTokens", "managedPrompt"];

    fn is_of_component(&self) -> bool {
        self.tool_choice.is_some()
            || self.output_modalities.is_some()
            || self.max_output_tokens.is_some()
            || self.managed_prompt.is_some()
    }
}

/// A vendor's provider object. Its members depend on the vendor, so they stay as they came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Provider(pub Map<String, Value>);

/// `agent`: a configuration, or the id of one that is stored with the vendor.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Agent {
    /// The id of a stored configuration.
    Id(String),
    /// The configuration itself.
    Settings(Box<AgentSettings>),
}

impl<'de> Deserialize<'de> for Agent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand, because an untagged enum would forget the path of an error inside.
        struct AgentVisitor;
        impl<'de> Visitor<'de> for AgentVisitor {
            type Value = Agent;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or the id of a stored agent")
            }
            fn visit_str<E: Error>(self, id: &str) -> Result<Agent, E> {
                Ok(Agent::Id(id.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Agent, A::Error> {
                let settings = AgentSettings::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Agent::Settings(Box::new(settings)))
            }
        }
        deserializer.deserialize_any(AgentVisitor)
    }
}

/// One configuration, or several in order of preference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// An object.
    One(Box<T>),
    /// An array of objects.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them, the preferred one first.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(&**one),
            Self::Many(many) => many,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrManyVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
            type Value = OneOrMany<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array of objects")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany::One(Box::new(one)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany::Many)
            }
        }
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}
