//! `think` into the members of the session that it decides: prompt, tools, modalities, tokens.
//! Knows locks and the operator's tools, but neither `Settings` nor what a session was before.

use serde_json::{Map, Value, json};
use url::Url;

use super::{
    functions::{Endpoints, endpoints},
    providers,
    settings::{SettingsError, entries, invalid, text_member, without_nulls},
};
use crate::{
    config::{Backend, is_function_name},
    protocol::{
        agent::{Endpoint, Function, ManagedPrompt, OneOrMany, Think},
        realtime, shorten,
    },
};

/// What the client's think configuration asks for, less what is locked.
#[derive(Debug, Default)]
pub(super) struct Thinking {
    pub(super) prompt: Option<String>,
    pub(super) tools: Option<Vec<realtime::Tool>>,
    /// Where the client has some of those run.
    pub(super) endpoints: Endpoints,
    pub(super) tool_choice: Option<Value>,
    pub(super) output_modalities: Option<Vec<String>>,
    pub(super) max_output_tokens: Option<Value>,
    pub(super) stored_prompt: Option<realtime::StoredPrompt>,
    /// The model that it names, if the backend has another.
    pub(super) model: Option<String>,
    /// Paths of what was given though it is locked.
    pub(super) locked: Vec<String>,
}

/// The first configuration whose values can be used, or the error of the first; an empty array has none.
pub(super) fn first_usable(
    think: &OneOrMany<Think>,
    path: &str,
    backend: &Backend,
) -> Result<Thinking, SettingsError> {
    let mut first_error = None;
    for (entry, think) in entries(think, path) {
        match thinking(think, &entry, backend) {
            Ok(thinking) => return Ok(thinking),
            Err(error) => _ = first_error.get_or_insert(error),
        }
    }
    Err(first_error.unwrap_or_else(|| invalid(path, "is an empty array")))
}

fn thinking(think: &Think, path: &str, backend: &Backend) -> Result<Thinking, SettingsError> {
    let mut locked = Vec::new();
    let mut lock = |is_locked: bool, given: bool, member: &str| {
        if is_locked && given {
            locked.push(format!("{path}.{member}"));
        }
        given && !is_locked
    };
    let instructions = backend.lock.instructions;
    let prompt = lock(instructions, think.prompt.is_some(), "prompt");
    let managed_prompt = lock(instructions, think.managed_prompt.is_some(), "managedPrompt");
    let functions_given = lock(backend.lock.tools, think.functions.is_some(), "functions");
    let functions = think.functions.as_deref().filter(|_| functions_given);
    let functions_path = format!("{path}.functions");
    let tool_choice = lock(backend.lock.tools, think.tool_choice.is_some(), "toolChoice");

    let model = match &think.provider {
        None => None,
        Some(provider) => {
            let path = format!("{path}.provider");
            providers::check_think(provider, &path)?;
            text_member(&provider.0, "model", &path)?.filter(|model| !model.trim().is_empty())
        }
    };
    check_endpoint(think.endpoint.as_ref(), &format!("{path}.endpoint"))?;
    check_context_length(think.context_length.as_ref(), &format!("{path}.context_length"))?;
    Ok(Thinking {
        prompt: think.prompt.clone().filter(|_| prompt),
        tools: match functions {
            None => None,
            Some(functions) => Some(tools(functions, &functions_path)?),
        },
        endpoints: endpoints(functions.unwrap_or_default(), &functions_path, backend),
        tool_choice: match think.tool_choice.as_ref().filter(|_| tool_choice) {
            None => None,
            Some(choice) => Some(choice_of_tool(choice, &format!("{path}.toolChoice"))?),
        },
        output_modalities: output_modalities(think),
        max_output_tokens: max_output_tokens(think, path)?,
        stored_prompt: match think.managed_prompt.as_ref().filter(|_| managed_prompt) {
            None => None,
            Some(prompt) => Some(stored_prompt(prompt, &format!("{path}.managedPrompt"))?),
        },
        model: model
            .filter(|model| backend.model.as_deref() != Some(*model))
            .map(|model| shorten(model.to_owned())),
        locked,
    })
}

/// Not used; a wrong one is told nevertheless, as by the vendor.
fn check_context_length(length: Option<&Value>, path: &str) -> Result<(), SettingsError> {
    let is_length = |length: &Value| length == "max" || length.as_u64().is_some_and(|length| length > 0);
    if length.is_none_or(is_length) {
        return Ok(());
    }
    Err(invalid(path, "is neither a positive integer nor max"))
}

/// The API takes one modality; audio always brings its transcript, so both are audio.
fn output_modalities(think: &Think) -> Option<Vec<String>> {
    let asked = think.output_modalities.as_ref()?;
    ["audio", "text"].iter().find(|known| asked.iter().any(|m| m == *known)).map(|m| vec![(*m).to_owned()])
}

fn max_output_tokens(think: &Think, path: &str) -> Result<Option<Value>, SettingsError> {
    let Some(tokens) = think.max_output_tokens else { return Ok(None) };
    if tokens.fract() != 0.0 {
        return Err(invalid(format!("{path}.maxOutputTokens"), format!("{tokens} is not a whole number")));
    }
    Ok(Some(json!(tokens.clamp(1.0, 4096.0) as u32)))
}

fn choice_of_tool(choice: &Value, path: &str) -> Result<Value, SettingsError> {
    match choice {
        Value::String(word) if matches!(word.as_str(), "none" | "auto" | "required") => {
            return Ok(choice.clone());
        }
        Value::Object(members) => {
            let members = without_nulls(members);
            if names_a_tool(&members) {
                return Ok(Value::Object(members));
            }
        }
        _ => {}
    }
    let reason = format!("{choice} is neither none, auto, required nor an object with type and name");
    Err(invalid(path, reason))
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

fn stored_prompt(prompt: &ManagedPrompt, path: &str) -> Result<realtime::StoredPrompt, SettingsError> {
    let id = prompt.id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| invalid(format!("{path}.id"), "is missing"))?;
    let variables = prompt.variables.as_ref().map(without_nulls);
    for (name, value) in variables.iter().flatten() {
        let part = value.get("type").and_then(Value::as_str);
        if !value.is_string() && !matches!(part, Some("input_text" | "input_image" | "input_file")) {
            let reason = "is neither text nor an object of type input_text, input_image or input_file";
            return Err(invalid(format!("{path}.variables.{name}"), reason));
        }
    }
    Ok(realtime::StoredPrompt { id: Some(id.to_owned()), version: prompt.version.clone(), variables })
}

fn tools(functions: &[Function], path: &str) -> Result<Vec<realtime::Tool>, SettingsError> {
    functions.iter().enumerate().map(|(n, function)| tool(function, &format!("{path}[{n}]"))).collect()
}

fn tool(function: &Function, path: &str) -> Result<realtime::Tool, SettingsError> {
    let name = function.name.clone().ok_or_else(|| invalid(format!("{path}.name"), "is missing"))?;
    if !is_function_name(&name) {
        let reason = format!("{name:?} is not 1 to 64 of A-Z a-z 0-9 _ -");
        return Err(invalid(format!("{path}.name"), reason));
    }
    if function.parameters.as_ref().is_some_and(|parameters| !parameters.is_object()) {
        return Err(invalid(format!("{path}.parameters"), "is not an object"));
    }
    check_endpoint(function.endpoint.as_ref(), &format!("{path}.endpoint"))?;
    Ok(realtime::Tool {
        kind: Some("function".to_owned()),
        name: Some(name),
        description: function.description.clone(),
        parameters: function.parameters.clone(),
        ..Default::default()
    })
}

/// What is wrong whether the endpoint is used or not; `functions` judges those of functions further.
pub(super) fn check_endpoint(endpoint: Option<&Endpoint>, path: &str) -> Result<(), SettingsError> {
    let Some(endpoint) = endpoint else { return Ok(()) };
    if let Some(url) = &endpoint.url {
        let scheme = Url::parse(url).map(|url| url.scheme().to_owned());
        if !matches!(scheme.as_deref(), Ok("http" | "https" | "ws" | "wss")) {
            return Err(invalid(format!("{path}.url"), "is no http or WebSocket address"));
        }
    }
    for (name, value) in endpoint.headers.iter().flatten() {
        if !value.is_string() && !value.is_null() {
            return Err(invalid(format!("{path}.headers.{name}"), "is not a string"));
        }
    }
    Ok(())
}
