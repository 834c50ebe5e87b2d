//! What a client received, held against the grammar without knowing its dialect: one of the two must fit all of it.
//! Knows no socket and no file.

use serde_json::Value;

use crate::grammar::{Facts, Order};

/// How the grammar calls a binary frame.
pub(crate) const AUDIO: &str = "audio";

/// How the grammar calls a message.
pub(crate) fn symbol(message: &Value) -> String {
    let kind = message["type"].as_str().unwrap_or("a message without a type");
    match message["role"].as_str() {
        Some(role) if kind == "ConversationText" => format!("{kind}({role})"),
        _ => kind.to_owned(),
    }
}

/// Whether the symbols are a session or the beginning of one.
///
/// # Errors
///
/// With the first message that is not in order, counted from 1.
pub(crate) fn judge(symbols: impl IntoIterator<Item = String>, early_upstream: bool) -> Result<(), String> {
    let mut possible =
        [false, true].map(|component| (Facts { component, early_upstream }, Order::new())).to_vec();
    for (index, symbol) in symbols.into_iter().enumerate() {
        let mut refusal = String::new();
        let mut next: Vec<(Facts, Order)> = Vec::new();
        for (facts, order) in possible {
            for facts in dialects_after(facts) {
                let mut order = order;
                match order.take(&symbol, facts) {
                    Ok(()) if next.contains(&(facts, order)) => (),
                    Ok(()) => next.push((facts, order)),
                    Err(out_of_order) => refusal = out_of_order,
                }
            }
        }
        if next.is_empty() {
            return Err(format!("message {}: {refusal}", index + 1));
        }
        possible = next;
    }
    Ok(())
}

/// A session that upstream opens early has Deepgram's dialect until Settings come.
fn dialects_after(facts: Facts) -> impl Iterator<Item = Facts> {
    let becomes = facts.early_upstream && !facts.component;
    [Some(facts), becomes.then_some(Facts { component: true, ..facts })].into_iter().flatten()
}
