//! The few things that are changed in messages which are otherwise passed through, and the few that are said
//! beside them, as text to text. Whatever is not changed stays byte for byte as it was, but for white space between
//! the members of an object that is written anew, and what cannot be read is left alone: Deepgram judges it.
//!
//! Knows neither frames nor when anything is said.

mod calls;
mod members;
mod settings;

use std::borrow::Cow;

use serde::Serialize;

use self::members::{each_member, edited, is_text, text};
use crate::protocol::agent::Notice;

pub use calls::{TakenCall, TakenOver, call_ids, calls_in, function_call_response, take_over};
pub use settings::{
    bytes_per_s, bytes_per_sample, is_of_component, output_bytes_per_s, settings, update_think,
};

/// A message's `type`, if the text is a JSON object that has one of text; borrowed where nothing in it is
/// escaped. If there are several, the last counts, as with most parsers. All of the text is read, nothing of it
/// copied.
pub fn kind(message: &str) -> Option<Cow<'_, str>> {
    text_of(message, "type")
}

/// An `InjectAgentMessage` of the component as Deepgram takes it: `content`, if it is text, becomes `message`
/// (Voice Agent protocol, part B3). `None` if there is no such content, or a `message` already.
pub fn inject_agent_message(message: &str) -> Option<String> {
    edited(message, |inject| {
        if inject.value("message").is_none() && inject.text("content").is_some() {
            inject.rename("content", "message");
        }
    })
}

/// What the gateway has to tell on a transcription socket, in the shape of Deepgram's own errors (Transcription,
/// server messages). `sequence_id` is the number of the message, which version 2 alone has.
pub fn error(notice: &Notice, sequence_id: Option<u64>) -> String {
    #[serde_with::skip_serializing_none]
    #[derive(Serialize)]
    struct Error<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        variant: &'a str,
        code: &'a str,
        description: &'a str,
        sequence_id: Option<u64>,
    }

    let Notice { description, code } = notice;
    let error = Error { kind: "Error", variant: "GatewayError", code, description, sequence_id };
    serde_json::to_string(&error).expect("text and a number are JSON")
}

/// Whether a `ConversationText` is the agent's.
pub fn is_of_agent(message: &str) -> bool {
    text_of(message, "role").is_some_and(|role| role == "assistant")
}

/// The last member of this name, if it is text.
fn text_of<'a>(message: &'a str, wanted: &str) -> Option<Cow<'a, str>> {
    let mut last = None;
    each_member(message, |name, value| {
        if is_text(name, wanted) {
            last = Some(value);
        }
    })?;
    text(last?)
}
