//! The conversation before this session as a block of the instructions (rule R4).
//! Knows neither prompt nor greeting.

use super::settings::{SettingsError, invalid};
use crate::protocol::agent::{AgentSettings, History};

/// R4's block: a line for each side's text and for each call; empty without context. Items would be echoed
/// back as new text.
pub(super) fn previous_conversation(agent: &AgentSettings) -> Result<String, SettingsError> {
    let context = agent.context.as_ref().and_then(|context| context.messages.as_ref());
    let (path, messages) = match context {
        Some(messages) => ("agent.context.messages", Some(messages)),
        None => ("agent.messages", agent.messages.as_ref()),
    };
    let mut block = String::new();
    for (n, entry) in messages.into_iter().flatten().enumerate() {
        check(entry, &format!("{path}[{n}]"))?;
        for line in lines(entry) {
            block.push_str(if block.is_empty() { "Previous conversation:\n" } else { "\n" });
            block.push_str(&line);
        }
    }
    Ok(block)
}

fn check(entry: &History, path: &str) -> Result<(), SettingsError> {
    if entry.kind.as_deref().is_some_and(|kind| kind != "History") {
        return Err(invalid(format!("{path}.type"), "is not History"));
    }
    if entry.role.as_deref().is_some_and(|role| !matches!(role, "user" | "assistant")) {
        return Err(invalid(format!("{path}.role"), "is neither user nor assistant"));
    }
    Ok(())
}

fn lines(entry: &History) -> Vec<String> {
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
