//! What upstream says, as messages of the Voice Agent protocol (rules R11, R12, R15).

use serde_json::{Value, json};

use crate::protocol::{
    agent::{
        Alternative, Content, ConversationText, FunctionCall, HistoryCall, HistoryMessage, Notice, Role,
        ServerMessage, Transcript, UtteranceEnd,
    },
    realtime::{ErrorBody, Item, Part, Response, SpeechEvent, TranscriptionEvent},
};

/// A line of the conversation.
pub fn conversation_text(role: Role, content: String) -> ServerMessage {
    ServerMessage::ConversationText(ConversationText {
        role,
        content,
        conversational_behavior: None,
        languages_hinted: None,
        languages: None,
    })
}

/// A line of the conversation once more, as it enters the history.
pub fn history_text(role: Role, content: String) -> ServerMessage {
    let entry = HistoryMessage { role: Some(role), content: Some(content), ..Default::default() };
    ServerMessage::History(Box::new(entry))
}

/// A call and its answer, as they enter the history.
pub fn history_call(call: FunctionCall, response: String) -> ServerMessage {
    let FunctionCall { id, name, arguments, client_side, thought_signature } = call;
    let call = HistoryCall {
        id: Some(id),
        name: Some(name),
        client_side: Some(client_side),
        arguments: Some(arguments),
        response: Some(response),
        thought_signature,
    };
    let entry = HistoryMessage { function_calls: Some(vec![call]), ..Default::default() };
    ServerMessage::History(Box::new(entry))
}

/// The agent works on an answer.
pub fn agent_thinking() -> ServerMessage {
    ServerMessage::AgentThinking(Content { content: String::new() })
}

/// The text of an assistant's item: its parts, one a line (R11). None if it has none.
pub fn assistant_text(item: &Item) -> Option<String> {
    if item.kind.as_deref() != Some("message") || item.role.as_deref() != Some("assistant") {
        return None;
    }
    let lines: Vec<String> = item.content.iter().flatten().filter_map(part_text).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn part_text(part: &Part) -> Option<String> {
    if part.kind.as_deref() == Some("function_call") {
        let name = part.name.as_deref().unwrap_or_default();
        let arguments = part.arguments.as_deref().unwrap_or_default();
        return Some(format!("Function call: {name}({arguments})"));
    }
    [&part.text, &part.transcript].into_iter().flatten().find(|text| !text.is_empty()).cloned()
}

/// The text of a user's typed item, to be recognised where a server chose the id itself (R5).
pub fn user_text(item: &Item) -> Option<&str> {
    let part = item.content.as_deref()?.first()?;
    part.text.as_deref()
}

/// The user's speech for the component. `text` is all of the utterance that is known.
pub fn transcript(text: String, is_final: bool, event: &TranscriptionEvent) -> ServerMessage {
    let given = |value: &Option<Value>, default: Value| value.clone().unwrap_or(default);
    ServerMessage::Transcript(Box::new(Transcript {
        is_final,
        speech_final: is_final,
        channel: given(&event.channel, json!(0)),
        channel_index: given(&event.channel_index, json!([0])),
        start: given(&event.start, json!(0)),
        duration: given(&event.duration, json!(0)),
        alternatives: vec![Alternative { transcript: text.clone(), confidence: 1.0, words: Vec::new() }],
        transcript: text,
    }))
}

/// The user stopped speaking, for the component.
pub fn utterance_end(event: &SpeechEvent) -> ServerMessage {
    let end_s = event.audio_end_ms.unwrap_or(0.0) / 1_000.0;
    ServerMessage::UtteranceEnd(UtteranceEnd {
        channel: event.channel.clone().filter(Value::is_array).unwrap_or_else(|| json!([0, 1])),
        last_word_end: event.last_word_end.clone().filter(Value::is_number).unwrap_or_else(|| json!(end_s)),
    })
}

/// An `error` of upstream under the code that the client knows, in upstream's words.
pub fn error(error: &ErrorBody) -> Notice {
    let code = match error.code.as_deref() {
        None | Some("") => "unknown",
        Some("session_expired") => "session_max_duration",
        Some(code) => code,
    };
    let message = error.message.as_deref().filter(|message| !message.is_empty());
    let mut description = message.unwrap_or("upstream reported an error").to_owned();
    if let Some(param) = error.param.as_deref().filter(|param| !description.contains(param)) {
        description = format!("{description} (param: {param})");
    }
    Notice { description, code: code.to_owned() }
}

/// What is looked for in the message of an error, in upper or lower case: how it is told depends on that alone.
pub(crate) fn looked_for(error: &ErrorBody) -> impl Iterator<Item = &str> {
    [Some(STOCK), error.param.as_deref()].into_iter().flatten()
}

/// What a response that ended `failed` or `incomplete` tells the client; none for other ends.
pub fn response_failure(response: &Response) -> Option<Notice> {
    let details = response.status_details.as_ref();
    match response.status.as_deref() {
        Some("failed") => match details.and_then(|details| details.error.as_ref()) {
            Some(body) => {
                let notice = error(body);
                Some(Notice { description: visible(&notice.description), ..notice })
            }
            None => Some(Notice {
                description: "the response failed without a reason".to_owned(),
                code: "unknown".to_owned(),
            }),
        },
        Some("incomplete") => {
            let reason = details.and_then(|details| details.reason.as_deref()).unwrap_or("unknown");
            Some(Notice {
                description: format!("the response is incomplete: {reason}"),
                code: reason.to_owned(),
            })
        }
        _ => None,
    }
}

/// The web component hides every error that quotes the vendor's stock sentence for an internal fault. Where
/// a response failed, the user would wait for an answer that never comes; so there the sentence is put in
/// other words.
fn visible(message: &str) -> String {
    const VISIBLE: &str = "upstream service had an internal error while processing the request";
    // Lower case of ASCII alone, so that places in it are places in the message.
    let lower = message.to_ascii_lowercase();
    let mut visible = String::with_capacity(message.len());
    let mut copied = 0;
    for (start, stock) in lower.match_indices(STOCK) {
        visible.push_str(&message[copied..start]);
        visible.push_str(VISIBLE);
        copied = start + stock.len();
    }
    visible.push_str(&message[copied..]);
    visible
}

/// The vendor's sentence for an internal fault.
const STOCK: &str = "server had an error while processing your request";
