//! `Settings` into the one `session.update` that it becomes (rules R1 and R4): validates what the client
//! says, settles what the Realtime API would refuse, and fills in the operator's defaults.

use std::fmt;

use serde_json::{Map, Number, Value, json};

use super::formats::{audio_plan, realtime_format};
use crate::{
    config::{Backend, TurnDetection},
    protocol::{
        agent::{Agent, AgentSettings, Function, History, Settings, Think},
        audio::{self, AudioFormat},
        realtime, shorten,
    },
};

/// What a first `Settings` comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated {
    /// The `session` object of the update.
    pub session: realtime::Session,
    /// How audio is converted, both ways.
    pub audio: AudioPlan,
    /// Whether a member that only the web component sends is there.
    pub from_component: bool,
    /// Text to be said first; none if blank or if there is context.
    pub greeting: Option<String>,
    /// Who ends a turn.
    pub turns: TurnTaking,
}

/// Who ends the user's turn, and what upstream does by itself then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnTaking {
    /// We commit the audio and ask for the response.
    Manual,
    /// Upstream detects speech.
    Detected {
        /// It starts a response when the user stops.
        create_response: bool,
        /// It cancels its response when the user starts.
        interrupt_response: bool,
    },
}

impl From<&TurnDetection> for TurnTaking {
    fn from(detection: &TurnDetection) -> Self {
        match *detection {
            TurnDetection::Manual => Self::Manual,
            TurnDetection::ServerVad { create_response, interrupt_response, .. }
            | TurnDetection::SemanticVad { create_response, interrupt_response, .. } => {
                Self::Detected { create_response, interrupt_response }
            }
        }
    }
}

/// The formats of a session's audio on its way through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioPlan {
    /// What the client sends.
    pub client_input: AudioFormat,
    /// What upstream is sent.
    pub upstream_input: AudioFormat,
    /// What upstream sends.
    pub upstream_output: AudioFormat,
    /// What the client is sent.
    pub client_output: AudioFormat,
    /// Whether the client's audio begins with a WAV header.
    pub wav: bool,
}

impl Default for AudioPlan {
    /// What holds where Settings says nothing: 16 kHz in, 24 kHz out.
    fn default() -> Self {
        Self {
            client_input: audio::PCM_16K,
            upstream_input: audio::PCM_24K,
            upstream_output: audio::PCM_24K,
            client_output: audio::PCM_24K,
            wav: false,
        }
    }
}

/// A value in `Settings` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// `INVALID_SETTINGS`, or the vendor's code for what is not supported.
    pub code: &'static str,
    /// Dotted path of the member.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

pub(super) fn invalid(path: impl Into<String>, reason: impl Into<String>) -> SettingsError {
    SettingsError { code: "INVALID_SETTINGS", path: path.into(), reason: shorten(reason.into()) }
}

/// The session that a first `Settings` asks for on `backend`.
pub fn translate(settings: &Settings, backend: &Backend) -> Result<Translated, SettingsError> {
    let nothing = AgentSettings::default();
    let agent = match &settings.agent {
        None => &nothing,
        Some(Agent::Settings(agent)) => agent,
        Some(Agent::Id(_)) => {
            return Err(SettingsError {
                code: "AGENT_ID_NOT_SUPPORTED",
                path: "agent".to_owned(),
                reason: "stored agents are not supported, send the configuration itself".to_owned(),
            });
        }
    };
    let nothing = Think::default();
    let think = agent.think.as_ref().and_then(|think| think.as_slice().first()).unwrap_or(&nothing);

    let (audio, output_format) = audio_plan(settings, agent)?;
    let turn_detection = match agent.use_openai_manual_audio_commit {
        Some(true) => &TurnDetection::Manual,
        _ => &backend.turn_detection,
    };
    let history = previous_conversation(agent);
    let greeting = agent.greeting.clone().filter(|text| !text.trim().is_empty() && history.is_empty());

    let session = realtime::Session {
        kind: Some("realtime".to_owned()),
        instructions: instructions(think, backend, &history),
        output_modalities: output_modalities(think),
        audio: Some(realtime::AudioConfig {
            input: Some(realtime::InputConfig {
                format: Some(realtime_format(audio.upstream_input)),
                transcription: Some(transcription(agent, backend)?),
                turn_detection: Some(realtime_turn_detection(turn_detection, agent.idle_timeout_ms)),
                noise_reduction: None,
            }),
            output: output_config(agent, backend, output_format)?,
        }),
        tools: tools(think, backend)?,
        tool_choice: tool_choice(think)?,
        max_output_tokens: max_output_tokens(think)?,
        prompt: stored_prompt(think)?,
        ..Default::default()
    };
    Ok(Translated {
        session,
        audio,
        from_component: from_component(agent, think),
        greeting,
        turns: turn_detection.into(),
    })
}

fn from_component(agent: &AgentSettings, think: &Think) -> bool {
    agent.idle_timeout_ms.is_some()
        || agent.session_audio_output.is_some()
        || agent.use_openai_manual_audio_commit.is_some()
        || think.tool_choice.is_some()
        || think.output_modalities.is_some()
        || think.max_output_tokens.is_some()
        || think.managed_prompt.is_some()
}

fn instructions(think: &Think, backend: &Backend, history: &str) -> Option<String> {
    let prompt = think.prompt.clone().or_else(|| backend.instructions.clone());
    match (prompt, history.is_empty()) {
        (prompt, true) => prompt,
        (Some(prompt), false) => Some(format!("{prompt}\n\n{history}")),
        (None, false) => Some(history.to_owned()),
    }
}

/// R4's block: a line for each side's text and for each call. Items would be echoed back as new text.
fn previous_conversation(agent: &AgentSettings) -> String {
    let context = agent.context.as_ref().and_then(|context| context.messages.as_ref());
    let mut block = String::new();
    for entry in context.or(agent.messages.as_ref()).into_iter().flatten() {
        for line in history_lines(entry) {
            block.push_str(if block.is_empty() { "Previous conversation:\n" } else { "\n" });
            block.push_str(&line);
        }
    }
    block
}

fn history_lines(entry: &History) -> Vec<String> {
    let said = entry.content.as_ref().map(|text| {
        let role = entry.role.as_deref().unwrap_or("user");
        format!("{role}: {text}")
    });
    let called = entry.function_calls.iter().flatten().map(|call| {
        let [name, arguments, response] =
            [&call.name, &call.arguments, &call.response].map(|text| text.as_deref().unwrap_or_default());
        format!("called {name}({arguments}): {response}")
    });
    said.into_iter().chain(called).collect()
}

/// The API takes one modality; audio always brings its transcript, so both are audio.
fn output_modalities(think: &Think) -> Option<Vec<String>> {
    let asked = think.output_modalities.as_ref()?;
    ["audio", "text"].iter().find(|known| asked.iter().any(|m| m == *known)).map(|m| vec![(*m).to_owned()])
}

fn max_output_tokens(think: &Think) -> Result<Option<Value>, SettingsError> {
    let Some(tokens) = think.max_output_tokens else { return Ok(None) };
    if tokens.fract() != 0.0 {
        return Err(invalid("agent.think.maxOutputTokens", format!("{tokens} is not a whole number")));
    }
    Ok(Some(json!(tokens.clamp(1.0, 4096.0) as u32)))
}

fn tool_choice(think: &Think) -> Result<Option<Value>, SettingsError> {
    match &think.tool_choice {
        None => Ok(None),
        Some(Value::String(choice)) if matches!(choice.as_str(), "none" | "auto" | "required") => {
            Ok(Some(json!(choice)))
        }
        Some(Value::Object(choice)) if names_a_tool(choice) => Ok(think.tool_choice.clone()),
        Some(other) => Err(invalid(
            "agent.think.toolChoice",
            format!("{other} is neither none, auto, required nor an object with type and name"),
        )),
    }
}

fn names_a_tool(choice: &Map<String, Value>) -> bool {
    let text = |key| choice.get(key).and_then(Value::as_str);
    match text("type") {
        Some("function") => text("name").is_some() && choice.len() == 2,
        Some("mcp") => {
            text("server_label").is_some()
                && choice.iter().all(|(key, value)| {
                    matches!(key.as_str(), "type" | "server_label" | "name") && value.is_string()
                })
        }
        _ => false,
    }
}

fn stored_prompt(think: &Think) -> Result<Option<realtime::StoredPrompt>, SettingsError> {
    let Some(prompt) = &think.managed_prompt else { return Ok(None) };
    let id = prompt.id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| invalid("agent.think.managedPrompt.id", "is missing"))?;
    Ok(Some(realtime::StoredPrompt {
        id: Some(id.to_owned()),
        version: prompt.version.clone(),
        variables: prompt.variables.clone(),
    }))
}

fn tools(think: &Think, backend: &Backend) -> Result<Option<Vec<realtime::Tool>>, SettingsError> {
    if let Some(functions) = &think.functions {
        return functions
            .iter()
            .enumerate()
            .map(|(n, function)| tool(function, n))
            .collect::<Result<_, _>>()
            .map(Some);
    }
    let defaults = backend.tools.iter().map(|tool| realtime::Tool {
        kind: Some("function".to_owned()),
        name: Some(tool.name.clone()),
        description: tool.description.clone(),
        parameters: Some(tool.parameters.clone()),
        ..Default::default()
    });
    Ok(if backend.tools.is_empty() { None } else { Some(defaults.collect()) })
}

fn tool(function: &Function, n: usize) -> Result<realtime::Tool, SettingsError> {
    let path = |member: &str| format!("agent.think.functions[{n}].{member}");
    let name = function.name.clone().ok_or_else(|| invalid(path("name"), "is missing"))?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        return Err(invalid(path("name"), format!("{name:?} is not 1 to 64 of A-Z a-z 0-9 _ -")));
    }
    if function.parameters.as_ref().is_some_and(|parameters| !parameters.is_object()) {
        return Err(invalid(path("parameters"), "is not an object"));
    }
    Ok(realtime::Tool {
        kind: Some("function".to_owned()),
        name: Some(name),
        description: function.description.clone(),
        parameters: function.parameters.clone(),
        ..Default::default()
    })
}

fn transcription(agent: &AgentSettings, backend: &Backend) -> Result<realtime::Transcription, SettingsError> {
    let provider = agent.listen.as_ref().and_then(|listen| listen.provider.as_ref());
    let heard = provider.and_then(|provider| provider.0.get("language"));
    let heard = match heard {
        None | Some(Value::Null) => None,
        Some(Value::String(language)) => Some(language.as_str()),
        Some(_) => return Err(invalid("agent.listen.provider.language", "is not a string")),
    };
    let language =
        heard.or(agent.language.as_deref()).or(backend.transcription.language.as_deref()).unwrap_or("en");
    Ok(realtime::Transcription {
        model: Some(backend.transcription.model.clone()),
        language: transcription_language(language),
        prompt: backend.transcription.prompt.clone(),
        ..Default::default()
    })
}

/// Upstream wants ISO 639 where the client has BCP 47, and nothing where the client says several.
fn transcription_language(tag: &str) -> Option<String> {
    let language = tag.split(['-', '_']).next().unwrap_or(tag).to_ascii_lowercase();
    (!language.is_empty() && language != "multi").then_some(language)
}

fn realtime_turn_detection(
    detection: &TurnDetection,
    client_idle_ms: Option<f64>,
) -> Option<realtime::TurnDetection> {
    match detection {
        TurnDetection::Manual => None,
        TurnDetection::ServerVad {
            threshold,
            prefix_padding_ms,
            silence_duration_ms,
            idle_timeout_ms,
            create_response,
            interrupt_response,
        } => Some(realtime::TurnDetection {
            kind: Some("server_vad".to_owned()),
            threshold: Some(*threshold),
            prefix_padding_ms: Some(*prefix_padding_ms),
            silence_duration_ms: Some(*silence_duration_ms),
            // Clients count in the same unit but below the API's range; negative is their "never".
            idle_timeout_ms: match client_idle_ms {
                None => *idle_timeout_ms,
                Some(ms) => (ms >= 0.0).then(|| ms.round().clamp(5_000.0, 30_000.0) as u32),
            },
            eagerness: None,
            create_response: Some(*create_response),
            interrupt_response: Some(*interrupt_response),
            model_version: None,
        }),
        TurnDetection::SemanticVad { eagerness, create_response, interrupt_response } => {
            Some(realtime::TurnDetection {
                kind: Some("semantic_vad".to_owned()),
                eagerness: Some(eagerness.name().to_owned()),
                create_response: Some(*create_response),
                interrupt_response: Some(*interrupt_response),
                ..Default::default()
            })
        }
    }
}

fn output_config(
    agent: &AgentSettings,
    backend: &Backend,
    format: Option<AudioFormat>,
) -> Result<Option<realtime::OutputConfig>, SettingsError> {
    let asked = agent.session_audio_output.as_ref();
    let speed = asked.and_then(|output| output.speed.clone());
    let in_range = |speed: &Number| speed.as_f64().is_some_and(|speed| (0.25..=1.5).contains(&speed));
    if speed.as_ref().is_some_and(|speed| !in_range(speed)) {
        return Err(invalid("agent.sessionAudioOutput.speed", "is not within 0.25 to 1.5"));
    }
    let voice = match asked.and_then(|output| output.voice.as_ref()) {
        None => backend.voice.clone().map(Value::String),
        Some(voice) if is_voice(voice) => Some(voice.clone()),
        Some(_) => {
            return Err(invalid(
                "agent.sessionAudioOutput.voice",
                "is neither a name nor an object with an id",
            ));
        }
    };
    let output = realtime::OutputConfig { format: format.map(realtime_format), speed, voice };
    Ok((output != realtime::OutputConfig::default()).then_some(output))
}

fn is_voice(voice: &Value) -> bool {
    match voice {
        Value::String(name) => !name.trim().is_empty(),
        Value::Object(custom) => custom.len() == 1 && custom.get("id").is_some_and(Value::is_string),
        _ => false,
    }
}
