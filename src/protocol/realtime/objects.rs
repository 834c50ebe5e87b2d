//! The objects that events carry: session, item, response, error (Realtime sheet sections 2, 3, 5.1, 6).

use serde_json::{Map, Number, Value};

use crate::protocol::{
    ids::{CallId, EventId, ItemId, ResponseId},
    wire::wire,
};

impl Session {
    /// The turn detection that this session states, wherever it has it: none if it says nothing, none
    /// within if it is off.
    pub fn stated_turn_detection(&self) -> Option<Option<&TurnDetection>> {
        let input = self.audio.as_ref().and_then(|audio| audio.input.as_ref());
        let present = input.and_then(|input| input.turn_detection.as_ref());
        present.or(self.turn_detection.as_ref()).map(Option::as_ref)
    }
}

wire! {
    /// The session's configuration; in an update only the members that change. What follows `include`
    /// is the beta's: read from servers that still have that shape, and sent to those alone (section 8).
    Session {
        #[serde(rename = "type")]
        kind: String,
        id: String,
        object: String,
        model: String,
        expires_at: f64,
        instructions: String,
        output_modalities: Vec<String>,
        audio: AudioConfig,
        tools: Vec<Tool>,
        tool_choice: Value,
        parallel_tool_calls: bool,
        reasoning: Value,
        max_output_tokens: Value,
        prompt: StoredPrompt,
        tracing: Value,
        truncation: Value,
        include: Value,
        modalities: Vec<String>,
        voice: Value,
        speed: Number,
        input_audio_format: String,
        output_audio_format: String,
        input_audio_transcription: Transcription,
        input_audio_noise_reduction: Value,
        #[serde(default, deserialize_with = "serde_with::rust::double_option::deserialize")]
        turn_detection: Option<TurnDetection>,
        max_response_output_tokens: Value,
        temperature: f64,
    }

    /// `session.audio`.
    AudioConfig { input: InputConfig, output: OutputConfig }

    /// `session.audio.input`. Turn detection has three states: absent, null (manual), configured.
    InputConfig {
        format: Format,
        noise_reduction: Value,
        transcription: Transcription,
        #[serde(default, deserialize_with = "serde_with::rust::double_option::deserialize")]
        turn_detection: Option<TurnDetection>,
    }

    /// `session.audio.output`.
    OutputConfig { format: Format, speed: Number, voice: Value }

    /// An audio format; `rate` in Hz, present for `audio/pcm` alone.
    Format {
        #[serde(rename = "type")]
        kind: String,
        rate: u32,
    }

    /// `session.audio.input.transcription`.
    Transcription {
        model: String,
        language: String,
        languages: Vec<String>,
        keywords: Vec<String>,
        prompt: String,
        delay: String,
    }

    /// `session.audio.input.turn_detection`; times in ms.
    TurnDetection {
        #[serde(rename = "type")]
        kind: String,
        threshold: f64,
        prefix_padding_ms: u32,
        silence_duration_ms: u32,
        idle_timeout_ms: u32,
        eagerness: String,
        create_response: bool,
        interrupt_response: bool,
        model_version: Value,
    }

    /// A tool that the model may call: a function, or an MCP server of the vendor's.
    Tool {
        #[serde(rename = "type")]
        kind: String,
        name: String,
        description: String,
        parameters: Value,
        server_label: String,
        server_url: String,
        connector_id: String,
        tunnel_id: String,
        authorization: String,
        headers: Map<String, Value>,
        allowed_tools: Value,
        require_approval: Value,
        server_description: String,
        defer_loading: bool,
        allowed_callers: Value,
    }

    /// A prompt stored with the vendor.
    StoredPrompt { id: String, version: String, variables: Map<String, Value> }

    /// A conversation item of any type.
    Item {
        #[serde(rename = "type")]
        kind: String,
        id: ItemId,
        object: String,
        status: String,
        role: String,
        content: Vec<Part>,
        name: String,
        arguments: String,
        call_id: CallId,
        output: Value,
        server_label: String,
        tools: Value,
        approval_request_id: String,
        approve: bool,
        reason: String,
        error: Value,
    }

    /// One content part of an item, or of a part event. Some servers put function calls in here.
    Part {
        #[serde(rename = "type")]
        kind: String,
        text: String,
        transcript: String,
        audio: String,
        image_url: String,
        detail: String,
        name: String,
        arguments: String,
        call_id: CallId,
    }

    /// A response.
    Response {
        id: ResponseId,
        object: String,
        status: String,
        status_details: StatusDetails,
        output: Vec<Item>,
        conversation_id: String,
        output_modalities: Vec<String>,
        max_output_tokens: Value,
        metadata: Value,
        audio: Value,
        usage: Value,
    }

    /// Why a response ended as it did.
    StatusDetails {
        #[serde(rename = "type")]
        kind: String,
        reason: String,
        error: ErrorBody,
    }

    /// An error, in an `error` event or in a response. `event_id` is that of the event that caused it.
    ErrorBody {
        #[serde(rename = "type")]
        kind: String,
        code: String,
        message: String,
        param: String,
        event_id: EventId,
    }

    /// What `response.create` may override for one response. What follows `tools` is the beta's.
    ResponseParams {
        audio: Value,
        conversation: String,
        input: Vec<Item>,
        instructions: String,
        max_output_tokens: Value,
        metadata: Value,
        output_modalities: Vec<String>,
        parallel_tool_calls: bool,
        prompt: StoredPrompt,
        reasoning: Value,
        tool_choice: Value,
        tools: Vec<Tool>,
        modalities: Vec<String>,
        voice: Value,
        output_audio_format: String,
        max_response_output_tokens: Value,
    }
}
