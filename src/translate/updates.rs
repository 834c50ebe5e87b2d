//! `UpdatePrompt`, `UpdateThink`, `UpdateSpeak` and `UpdateListen` into what they change in the session.
//! Knows nothing of the session as it is: when a change may go up, and what a prompt is added to, is the
//! gate's business.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    functions::{self, Endpoint},
    listen,
    settings::{SettingsError, locked_notice, warning},
    speak::{self, Speaking},
    think::{self, Thinking},
};
use crate::{
    config::Backend,
    protocol::{
        agent::{Notice, UpdateListen, UpdatePrompt, UpdateSpeak, UpdateThink},
        realtime, shorten,
    },
};

/// What an `UpdatePrompt`, `UpdateThink`, `UpdateSpeak` or `UpdateListen` changes in the session.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The members that change, without `instructions`; always with its `type`.
    pub session: realtime::Session,
    /// What happens to the prompt.
    pub prompt: PromptChange,
    /// The model that `think.provider` names, if the backend has another: the realtime model does not follow.
    pub think_model: Option<String>,
    /// Where functions of the client's run that the gateway is to call, by name, if the message states them anew.
    pub endpoints: Option<BTreeMap<String, Endpoint>>,
    /// What of the message is not done, and why.
    pub warnings: Vec<Notice>,
}

/// What happens to the prompt in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptChange {
    /// It stays.
    Keep,
    /// This comes after it.
    Add(String),
    /// This stands in its place; with none the session has no prompt any more.
    Replace(Option<String>),
}

impl Change {
    fn nothing() -> Self {
        Self {
            session: realtime::Session { kind: Some("realtime".to_owned()), ..Default::default() },
            prompt: PromptChange::Keep,
            think_model: None,
            endpoints: None,
            warnings: Vec::new(),
        }
    }

    /// Whether nothing is left to ask upstream for (locked, or nothing that the API knows).
    pub fn is_empty(&self) -> bool {
        let nothing = Self::nothing();
        self.session == nothing.session && self.prompt == nothing.prompt
    }
}

/// Adds to the prompt. A blank text adds nothing.
pub fn update_prompt(message: &UpdatePrompt, backend: &Backend) -> Change {
    let mut change = Change::nothing();
    if backend.lock.instructions {
        change.warnings.extend(locked_notice(&["prompt".to_owned()]));
    } else if !message.prompt.trim().is_empty() {
        change.prompt = PromptChange::Add(message.prompt.clone());
    }
    change
}

/// Replaces the think configuration: what the message does not say goes back to the operator's word, or to
/// the API's default.
///
/// # Errors
///
/// `INVALID_SETTINGS` with a path that begins at `think`, if none of its entries can be used.
pub fn update_think(message: &UpdateThink, backend: &Backend) -> Result<Change, SettingsError> {
    let Thinking {
        prompt,
        tools,
        endpoints,
        tool_choice,
        output_modalities,
        max_output_tokens,
        stored_prompt,
        model,
        locked,
    } = think::first_usable(&message.think, "think", backend)?;
    let mut change = Change::nothing();
    if !backend.lock.instructions {
        change.prompt = PromptChange::Replace(prompt.or_else(|| backend.instructions.clone()));
    }
    if !backend.lock.tools {
        let tools = tools.unwrap_or_else(|| functions::operator_tools(backend));
        change.session.tools = Some(functions::with_offered(tools, backend));
        change.endpoints = Some(endpoints.allowed);
        change.session.tool_choice = Some(tool_choice.unwrap_or_else(|| json!("auto")));
    }
    change.session.output_modalities = output_modalities.or_else(|| Some(vec!["audio".to_owned()]));
    change.session.max_output_tokens = max_output_tokens.or_else(|| Some(json!("inf")));
    change.session.prompt = stored_prompt;
    change.think_model = model;
    change.warnings.extend(locked_notice(&locked));
    change.warnings.extend(endpoints.warnings);
    Ok(change)
}

/// Changes the voice and its speed.
///
/// # Errors
///
/// `INVALID_SETTINGS` with a path that begins at `speak`, if none of its entries can be used.
pub fn update_speak(message: &UpdateSpeak, backend: &Backend) -> Result<Change, SettingsError> {
    let mut change = Change::nothing();
    if backend.lock.voice {
        let path = if message.speak.is_some() { "speak" } else { "model" };
        change.warnings.extend(locked_notice(&[path.to_owned()]));
        return Ok(change);
    }
    let Speaking { named, voice, speed } = match (&message.speak, &message.model) {
        (Some(speak), _) => speak::preferred(speak, "speak", backend)?,
        (None, Some(model)) => speak::of_model(model, backend),
        (None, None) => Speaking::default(),
    };
    if voice.is_none() {
        match named {
            Some(named) => {
                let named = shorten(named);
                let reason = format!("{named:?} is no voice of this backend, the voice stays as it is");
                change.warnings.push(warning("VOICE_NOT_MAPPED", reason));
            }
            None if speed.is_none() => {
                let reason = "the message names no voice, the voice stays as it is".to_owned();
                change.warnings.push(warning("VOICE_NOT_MAPPED", reason));
            }
            None => {}
        }
    }
    let output = realtime::OutputConfig { format: None, speed, voice: voice.map(Into::into) };
    if output != realtime::OutputConfig::default() {
        change.session.audio = Some(realtime::AudioConfig { input: None, output: Some(output) });
    }
    Ok(change)
}

/// Changes how the user's speech is transcribed: model, language and prompt are stated whole.
///
/// # Errors
///
/// `INVALID_SETTINGS` with a path that begins at `listen`.
pub fn update_listen(
    message: &UpdateListen,
    in_force: Option<&realtime::Transcription>,
    backend: &Backend,
) -> Result<Change, SettingsError> {
    let listening = listen::listening(message.listen.provider.as_ref(), "listen.provider")?;
    let mut change = Change::nothing();
    if listening.language.is_none() && listening.model.is_none() {
        let reason = "listen.provider names neither a language nor a model of open_ai, nothing changes";
        change.warnings.push(warning("LISTEN_NOT_MAPPED", reason.to_owned()));
        return Ok(change);
    }
    let mut transcription = listen::transcription(&listening, None, backend);
    if let Some(in_force) = in_force {
        // What the message does not name stays.
        if listening.language.is_none() {
            transcription.language.clone_from(&in_force.language);
        }
        if listening.model.is_none() {
            transcription.model.clone_from(&in_force.model);
        }
    }
    let input = realtime::InputConfig { transcription: Some(transcription), ..Default::default() };
    change.session.audio = Some(realtime::AudioConfig { input: Some(input), output: None });
    Ok(change)
}
