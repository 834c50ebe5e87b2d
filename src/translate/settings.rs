//! `Settings` into the one `session.update` that it becomes (rules R1 and R4): validates what the client
//! says, settles what the Realtime API would refuse, and fills in the operator's defaults.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

use super::{
    context::previous_conversation,
    formats::{audio_plan, realtime_format},
    functions::{self, Endpoint},
    listen, providers, speak,
    think::{self, Thinking},
    turns::{realtime_turn_detection, turn_taking},
};
use crate::{
    config::{Backend, TurnDetection},
    protocol::{
        agent::{Agent, AgentSettings, Notice, OneOrMany, Settings, Speak},
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
    /// The client's or operator's prompt, without R4's block.
    pub prompt: Option<String>,
    /// R4's block; empty without context.
    pub previous: String,
    /// `flags.history` as the client stated it.
    pub history: Option<bool>,
    /// The model that `think.provider` names, if the backend has another: the realtime model does not follow.
    pub think_model: Option<String>,
    /// Where functions of the client's run that the gateway is to call, by the function's name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// What of the message is not done, and why.
    pub warnings: Vec<Notice>,
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

pub(super) fn warning(code: &str, description: String) -> Notice {
    Notice { description, code: code.to_owned() }
}

/// The one Warning for all that a message gives though it is locked, named by path.
pub(super) fn locked_notice(paths: &[String]) -> Option<Notice> {
    let are = if paths.len() == 1 { "is" } else { "are" };
    let reason = format!("{} {are} set by the operator", paths.join(", "));
    (!paths.is_empty()).then(|| warning("LOCKED_BY_OPERATOR", shorten(reason)))
}

/// Each of one or many configurations with its path.
pub(super) fn entries<'a, T>(all: &'a OneOrMany<T>, path: &str) -> impl Iterator<Item = (String, &'a T)> {
    let many = matches!(all, OneOrMany::Many(_));
    let place = move |n| if many { format!("{path}[{n}]") } else { path.to_owned() };
    all.as_slice().iter().enumerate().map(move |(n, entry)| (place(n), entry))
}

/// A member of an object that is kept as it came; null is absent.
pub(super) fn text_member<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    path: &str,
) -> Result<Option<&'a str>, SettingsError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{path}.{name}"), "is not a string")),
    }
}

/// The members that say something.
pub(super) fn without_nulls(members: &Map<String, Value>) -> Map<String, Value> {
    let said = members.iter().filter(|(_, value)| !value.is_null());
    said.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The session that a first `Settings` asks for on `backend`.
///
/// # Errors
///
/// The first member whose value cannot be used, or `AGENT_ID_NOT_SUPPORTED`.
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
    if let Some(live) = agent.think_live.as_ref().and_then(|live| live.provider.as_ref()) {
        providers::check(live, providers::THINK_LIVE, "agent.think_live.provider")?;
    }
    let thinking = match &agent.think {
        None => Thinking::default(),
        Some(think) => think::first_usable(think, "agent.think", backend)?,
    };
    let mut locked = thinking.locked;

    let (audio, output_format) = audio_plan(settings, agent)?;
    let turn_detection = match agent.use_openai_manual_audio_commit {
        Some(true) => &TurnDetection::Manual,
        _ => &backend.turn_detection,
    };
    let previous = previous_conversation(agent)?;
    let greeting = agent.greeting.clone().filter(|text| !text.trim().is_empty() && previous.is_empty());
    let prompt = thinking.prompt.or_else(|| backend.instructions.clone());
    let stated = thinking.tools.is_some();
    let tools = thinking.tools.unwrap_or_else(|| functions::operator_tools(backend));
    let tools = Some(functions::with_offered(tools, backend)).filter(|tools| stated || !tools.is_empty());

    let session = realtime::Session {
        kind: Some("realtime".to_owned()),
        instructions: instructions(prompt.as_deref(), &previous),
        output_modalities: thinking.output_modalities,
        audio: Some(realtime::AudioConfig {
            input: Some(realtime::InputConfig {
                format: Some(realtime_format(audio.upstream_input)),
                transcription: Some(transcription(agent, turn_detection, backend)?),
                turn_detection: Some(realtime_turn_detection(
                    turn_detection,
                    backend.barge_in,
                    agent.idle_timeout_ms,
                )),
                noise_reduction: None,
            }),
            output: output_config(agent, backend, output_format, &mut locked)?,
        }),
        tools,
        tool_choice: thinking.tool_choice,
        max_output_tokens: thinking.max_output_tokens,
        prompt: thinking.stored_prompt,
        ..Default::default()
    };
    Ok(Translated {
        session,
        audio,
        from_component: agent.is_of_component(),
        greeting,
        turns: turn_taking(turn_detection, backend.barge_in),
        prompt,
        previous,
        history: settings.flags.as_ref().and_then(|flags| flags.history),
        think_model: thinking.model,
        endpoints: thinking.endpoints.allowed,
        warnings: locked_notice(&locked).into_iter().chain(thinking.endpoints.warnings).collect(),
    })
}

/// Prompt and R4's block as the session's instructions; none if there is neither.
pub fn instructions(prompt: Option<&str>, previous: &str) -> Option<String> {
    match (prompt, previous.is_empty()) {
        (prompt, true) => prompt.map(str::to_owned),
        (Some(prompt), false) => Some(format!("{prompt}\n\n{previous}")),
        (None, false) => Some(previous.to_owned()),
    }
}

fn transcription(
    agent: &AgentSettings,
    turn_detection: &TurnDetection,
    backend: &Backend,
) -> Result<realtime::Transcription, SettingsError> {
    if let Some(tag) = &agent.language {
        listen::check_language(tag, "agent.language")?;
    }
    let provider = agent.listen.as_ref().and_then(|listen| listen.provider.as_ref());
    let listening = listen::listening(provider, "agent.listen.provider")?;
    // Upstream would drop the whole update (Realtime sheet section 2).
    if listening.model.as_deref() == Some("gpt-realtime-whisper") && *turn_detection != TurnDetection::Manual
    {
        return Err(invalid("agent.listen.provider.model", "gpt-realtime-whisper needs manual turns"));
    }
    Ok(listen::transcription(&listening, agent.language.as_deref(), backend))
}

fn output_config(
    agent: &AgentSettings,
    backend: &Backend,
    format: Option<AudioFormat>,
    locked: &mut Vec<String>,
) -> Result<Option<realtime::OutputConfig>, SettingsError> {
    const PATH: &str = "agent.sessionAudioOutput";
    let asked = agent.session_audio_output.as_ref();
    let speed = asked.and_then(|output| output.speed.clone());
    speak::check_speed(speed.as_ref(), &format!("{PATH}.speed"))?;
    let operator = || backend.voice.clone().map(Value::String);
    let (voice, speaking_speed) = if backend.lock.voice {
        if asked.is_some_and(|output| output.voice.is_some()) {
            locked.push(format!("{PATH}.voice"));
        }
        let says_something = |speak: &Speak| *speak != Speak::default();
        if agent.speak.as_ref().is_some_and(|speak| speak.as_slice().iter().any(says_something)) {
            locked.push("agent.speak".to_owned());
        }
        (operator(), None)
    } else {
        let voice = asked.map_or(Ok(None), |output| speak::session_voice(output, PATH))?;
        let speaking = match &agent.speak {
            None => speak::Speaking::default(),
            Some(speak) => speak::preferred(speak, "agent.speak", backend)?,
        };
        let mapped = || speaking.voice.map(Value::String);
        (voice.or_else(mapped).or_else(operator), speaking.speed)
    };
    let format = format.map(realtime_format);
    let output = realtime::OutputConfig { format, speed: speed.or(speaking_speed), voice };
    Ok((output != realtime::OutputConfig::default()).then_some(output))
}
