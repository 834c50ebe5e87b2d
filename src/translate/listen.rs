//! `listen.provider` into the transcription of the user's speech.
//! Knows the operator's transcription, but nothing of turns or of the audio itself.

use serde_json::Value;

use super::{
    providers,
    settings::{SettingsError, invalid, text_member},
};
use crate::{
    config::{
        Backend,
        language::{SEVERAL, primary_language},
    },
    protocol::{agent::Provider, realtime},
};

/// What the client says of transcription.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// A language tag, `multi` for several.
    pub(super) language: Option<String>,
    /// A transcription model of the Realtime API.
    pub(super) model: Option<String>,
}

/// Reads `listen.provider`. Models of other vendors are left out.
pub(super) fn listening(provider: Option<&Provider>, path: &str) -> Result<Listening, SettingsError> {
    let Some(provider) = provider else { return Ok(Listening::default()) };
    providers::check(provider, providers::LISTEN, path)?;
    let Provider(provider) = provider;
    let vendor = text_member(provider, "type", path)?;
    let model = text_member(provider, "model", path)?.filter(|model| !model.trim().is_empty());
    let language = text_member(provider, "language", path)?.filter(|tag| !tag.is_empty());
    if let Some(tag) = language {
        check_language(tag, &format!("{path}.language"))?;
    }
    let hints = language_hints(provider.get("language_hints"), &format!("{path}.language_hints"))?;
    let hinted = match hints[..] {
        [] => None,
        [one] => Some(one),
        _ => Some(SEVERAL),
    };
    Ok(Listening {
        language: language.or(hinted).map(str::to_owned),
        model: model.filter(|_| matches!(vendor, Some("open_ai" | "openai"))).map(str::to_owned),
    })
}

fn language_hints<'a>(hints: Option<&'a Value>, path: &str) -> Result<Vec<&'a str>, SettingsError> {
    let hints = match hints {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(hints)) => hints,
        Some(_) => return Err(invalid(path, "is not an array")),
    };
    let each = hints.iter().enumerate().map(|(n, hint)| {
        let path = format!("{path}[{n}]");
        let Value::String(tag) = hint else { return Err(invalid(path, "is not a string")) };
        check_language(tag, &path)?;
        Ok(tag.as_str())
    });
    let mut hints = each.collect::<Result<Vec<_>, _>>()?;
    hints.retain(|tag| !tag.is_empty());
    Ok(hints)
}

/// The transcription to be stated, whole: the client's language, else `language`, else the operator's.
pub(super) fn transcription(
    listening: &Listening,
    language: Option<&str>,
    backend: &Backend,
) -> realtime::Transcription {
    let operator = &backend.transcription;
    let language = listening.language.as_deref().or(language.filter(|tag| !tag.is_empty()));
    let tag = language.or(operator.language.as_deref()).unwrap_or("en");
    realtime::Transcription {
        model: Some(listening.model.as_ref().unwrap_or(&operator.model).clone()),
        language: primary_language(tag).filter(|language| language != SEVERAL),
        prompt: operator.prompt.clone(),
        ..Default::default()
    }
}

/// Refuses what begins with no language's code: upstream would drop the whole update for it. An empty tag
/// says nothing.
pub(super) fn check_language(tag: &str, path: &str) -> Result<(), SettingsError> {
    if tag.is_empty() || primary_language(tag).is_some() {
        return Ok(());
    }
    Err(invalid(path, format!("{tag:?} is no language tag")))
}
