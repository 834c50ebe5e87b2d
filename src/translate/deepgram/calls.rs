//! Function calls of a passed-through session: which of them the gateway takes over, what the client is told of
//! it, and the answer to Deepgram (Voice Agent sheet A3, A7). Knows neither when a call runs nor what runs it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::members::{Members, edited, edited_elements, elements};
use crate::{
    config::{Backend, FunctionCalls, Functions},
    protocol::{
        agent::{ClientMessage, FunctionCallAnswer},
        ids::CallId,
    },
};

/// A function call that the gateway has taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenCall {
    /// Deepgram's id, 1 to 256 bytes.
    pub id: CallId,
    /// Which function.
    pub name: String,
    /// JSON text, if Deepgram keeps its word.
    pub arguments: String,
    /// To be given back with the answer.
    pub thought_signature: Option<String>,
}

/// A `FunctionCallRequest` of which the gateway answers a part.
#[derive(Debug, PartialEq, Eq)]
pub struct TakenOver {
    /// The request as the client is told: the calls that were taken over with `client_side: false`.
    pub text: String,
    /// The calls that were taken over, in order, no id twice.
    pub calls: Vec<TakenCall>,
}

/// Takes the calls over that the client was to run and the backend has a route for; `None` if there are none
/// (Voice Agent protocol, server messages). What has no id of 1 to 256 bytes, no name or no arguments stays the
/// client's, as does what `admits` refuses. Of calls with one id the first is run; the client is to run none of them,
/// or there would be two answers.
pub fn take_over(
    request: &str,
    backend: &Backend,
    mut admits: impl FnMut(&TakenCall) -> bool,
) -> Option<TakenOver> {
    let FunctionCalls::Server(table) = &backend.function_calls else { return None };
    let mut calls: Vec<TakenCall> = Vec::new();
    let mut are_taken = BTreeMap::new();
    let text = edited(request, |request| {
        request.edit("functions", |functions| {
            edited_elements(functions, |json| {
                let mut call = Members::read(json)?;
                let taken = taken(&call, table, &backend.name)?;
                let is_taken = *are_taken.entry(taken.id.clone()).or_insert_with(|| {
                    let is_taken = admits(&taken);
                    if is_taken {
                        calls.push(taken);
                    }
                    is_taken
                });
                if !is_taken {
                    return None;
                }
                call.edit("client_side", |_| Some("false".to_owned()));
                call.if_changed()
            })
        });
    })?;
    Some(TakenOver { text, calls })
}

/// The ids of a `FunctionCallCancelled`, or the one of a `FunctionCallResponse`, as far as they are 1 to 256
/// bytes (Voice Agent protocol, server messages); none of any other message.
pub fn call_ids(text: &str) -> Vec<CallId> {
    let ids = || {
        let message = Members::read(text)?;
        match &*message.text("type")? {
            "FunctionCallCancelled" => {
                let calls = elements(message.value("functions")?)?;
                Some(calls.into_iter().filter_map(Members::read).filter_map(|call| id(&call)).collect())
            }
            "FunctionCallResponse" => Some(vec![id(&message)?]),
            _ => None,
        }
    };
    ids().unwrap_or_default()
}

/// How many calls a `FunctionCallRequest` has (Voice Agent protocol, server messages).
pub fn calls_in(request: &str) -> usize {
    let functions = || Some(elements(Members::read(request)?.value("functions")?)?.len());
    functions().unwrap_or(0)
}

/// The `FunctionCallResponse` that answers a call upstream (Voice Agent protocol, client messages). `content` is
/// JSON text as a rule.
pub fn function_call_response(call: &TakenCall, content: &str) -> String {
    let TakenCall { id, name, arguments: _, thought_signature } = call;
    let answer = FunctionCallAnswer {
        id: id.clone(),
        name: Some(name.clone()),
        content: Some(Value::String(content.to_owned())),
        error: None,
        result: None,
        thought_signature: thought_signature.clone(),
    };
    ClientMessage::FunctionCallResponse(Box::new(answer)).encode()
}

fn taken(call: &Members<'_>, table: &Functions, backend: &str) -> Option<TakenCall> {
    if call.value("client_side")? != "true" {
        return None;
    }
    let name = call.text("name")?.into_owned();
    table.route(&name, Some(backend))?;
    Some(TakenCall {
        id: id(call)?,
        name,
        arguments: call.text("arguments")?.into_owned(),
        thought_signature: call.text("thought_signature").map(Into::into),
    })
}

fn id(call: &Members<'_>) -> Option<CallId> {
    let id: CallId = serde_json::from_str(call.value("id")?).ok()?;
    (!id.as_str().is_empty()).then_some(id)
}
