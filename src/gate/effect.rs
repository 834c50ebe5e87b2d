//! Everything that the gate can ask of the world, as data.

use std::time::Duration;

use bytes::Bytes;

use super::{CLIENT_MESSAGE_LIMIT, Leg, Rule};
use crate::{
    protocol::{
        Frame,
        agent::{Notice, ServerMessage},
        ids::{CallId, EventId},
        realtime::ClientEvent,
    },
    translate::{functions::Endpoint, settings::AudioPlan},
};

/// One thing to be done, in the order of the list that it stands in.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Dial the upstream.
    OpenUpstream,
    /// From here on audio is converted like this.
    UseAudio(AudioPlan),
    /// Send to the client.
    ToClient(ClientFrame),
    /// Send upstream.
    ToUpstream(UpstreamFrame),
    /// Run a function and report `Input::FunctionFinished`.
    Execute(Box<FunctionRun>),
    /// Stop this function; nobody waits for it any more.
    CancelFunction(CallId),
    /// Read nothing from this leg until `Resume`: what it sends cannot be passed on fast enough.
    Pause(Leg),
    /// Read from this leg again.
    Resume(Leg),
    /// The input was kept back by this rule.
    Held(Rule),
    /// The input, or a part of it, went nowhere, by this rule.
    Ignored(Rule),
    /// A wait of this rule ran out.
    RanOut(Rule),
    /// Ask this leg's peer for a sign of life, which will come as `Input::ClientAlive`.
    Ping(Leg),
    /// Close this leg with a close frame, behind everything that it was sent before.
    Close {
        /// Which leg.
        leg: Leg,
        /// WebSocket close code.
        code: u16,
        /// The reason in the frame.
        reason: String,
    },
    /// Cut this leg; it did not close in time.
    HangUp(Leg),
    /// Both legs are gone, nothing follows.
    Finished,
}

/// A function that the pool is to run.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionRun {
    /// The call, unique in its connection.
    pub id: CallId,
    /// Which function.
    pub name: String,
    /// JSON text.
    pub arguments: String,
    /// Where it runs if the client says so; else where its route says.
    pub endpoint: Option<Endpoint>,
}

/// A frame for the client.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientFrame {
    /// A text frame.
    Message(Box<ServerMessage>),
    /// Audio in upstream's output format, to be converted and sent as binary.
    Audio(Bytes),
    /// A frame that is passed through, or said between such.
    Frame(Frame),
}

/// A frame for upstream.
#[derive(Debug, Clone, PartialEq)]
pub enum UpstreamFrame {
    /// An event.
    Event(Box<ClientEvent>),
    /// An append with audio in the client's input format, to be converted. Nothing if it comes to no
    /// whole sample.
    Audio {
        /// The append's id.
        event_id: EventId,
        /// The client's bytes.
        audio: Bytes,
    },
    /// An append with silence.
    Silence {
        /// The append's id.
        event_id: EventId,
        /// How much.
        length: Duration,
    },
    /// A client's own JSON, passed on as it is.
    Raw(String),
    /// A frame that is passed through, or said between such.
    Frame(Frame),
}

/// What a message without text of any length counts for; no frame is lighter, so that a window holds a
/// limited number of them.
pub const BASE_WEIGHT: usize = 128;

impl ClientFrame {
    /// What the frame counts for in the window and the budget: near its size on the wire, and the same
    /// number wherever it is asked for.
    pub fn weight(&self) -> usize {
        match self {
            Self::Audio(audio) => audio.len().max(BASE_WEIGHT),
            Self::Message(message) => message_weight(message),
            Self::Frame(frame) => BASE_WEIGHT + frame.payload.len(),
        }
    }
}

fn message_weight(message: &ServerMessage) -> usize {
    let text = match message {
        ServerMessage::ConversationText(text) => text.content.len(),
        ServerMessage::Transcript(transcript) => 2 * transcript.transcript.len(),
        ServerMessage::Error(notice) | ServerMessage::Warning(notice) => {
            notice.description.len() + notice.code.len()
        }
        ServerMessage::FunctionCallRequest(request) => {
            let texts = request.functions.iter().map(|call| call.name.len() + call.arguments.len());
            texts.map(|text| text + BASE_WEIGHT).sum()
        }
        ServerMessage::FunctionCallResponse(response) => response.name.len() + response.content.len(),
        ServerMessage::History(entry) => {
            let calls = entry.function_calls.iter().flatten();
            let texts = calls.flat_map(|call| [&call.arguments, &call.response]).flatten();
            texts.chain(&entry.content).map(String::len).sum()
        }
        _ => 0,
    };
    BASE_WEIGHT + text
}

/// The message, or a Warning in its place if it is larger than clients take.
pub(super) fn fitting(message: ServerMessage) -> ServerMessage {
    if fits_client(&message) {
        return message;
    }
    let description = format!("a {} is larger than {CLIENT_MESSAGE_LIMIT} bytes", message.kind());
    ServerMessage::Warning(Notice { description, code: "MESSAGE_TOO_LARGE".to_owned() })
}

/// Whether the message stays under what a client takes.
pub(super) fn fits_client(message: &ServerMessage) -> bool {
    // JSON writes a control character in six bytes; only a text near the limit needs the real length.
    message_weight(message) < CLIENT_MESSAGE_LIMIT / 8 || message.encode().len() <= CLIENT_MESSAGE_LIMIT
}

impl UpstreamFrame {
    /// See [`ClientFrame::weight`].
    pub fn weight(&self) -> usize {
        let body = match self {
            // Base64 of one and a half times the bytes, which is what 16 kHz comes to.
            Self::Audio { audio, .. } => 2 * audio.len(),
            Self::Silence { length, .. } => length.as_millis() as usize * 64,
            Self::Raw(json) => json.len(),
            Self::Frame(frame) => frame.payload.len(),
            Self::Event(event) => match &**event {
                ClientEvent::CreateItem(create) => create.item.as_ref().map_or(0, |item| {
                    let parts =
                        item.content.iter().flatten().map(|part| part.text.as_ref().map_or(0, String::len));
                    let output = item.output.as_ref().and_then(|output| output.as_str()).map_or(0, str::len);
                    parts.sum::<usize>() + output
                }),
                ClientEvent::SessionUpdate(_) | ClientEvent::CreateResponse(_) => event.encode().len(),
                _ => 0,
            },
        };
        BASE_WEIGHT + body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::{
            agent::{FunctionCall, FunctionCallRequest, FunctionCallResponse, Notice, Role},
            realtime::{Session, SessionUpdate, Tool, TranscriptionEvent},
        },
        translate::{to_client, to_upstream},
    };

    #[test]
    fn a_message_weighs_what_it_takes_on_the_wire_nearly() {
        let text = "x".repeat(10_000);
        let transcript = to_client::transcript(text.clone(), true, &TranscriptionEvent::default());
        let short = || "short".to_owned();
        let call = |name, arguments| FunctionCall {
            id: "call_1".into(),
            name,
            arguments,
            client_side: true,
            thought_signature: None,
        };
        let functions =
            vec![call(short(), text.clone()), call(text.clone(), short()), call(short(), short())];
        for message in [
            to_client::history_call(call(short(), text.clone()), text.clone()),
            ServerMessage::FunctionCallResponse(FunctionCallResponse {
                id: Some("call_1".into()),
                name: short(),
                content: text.clone(),
                thought_signature: None,
            }),
            to_client::history_text(Role::User, text.clone()),
            ServerMessage::FunctionCallRequest(FunctionCallRequest { functions }),
            ServerMessage::Warning(Notice { description: text.clone(), code: text.clone() }),
            to_client::conversation_text(Role::User, text),
            transcript,
        ] {
            let (wire, weight) = (message.encode().len(), ClientFrame::Message(Box::new(message)).weight());
            assert!(wire.abs_diff(weight) < 3 * BASE_WEIGHT, "{weight} for {wire} bytes");
        }
    }

    #[test]
    fn an_event_weighs_what_it_takes_on_the_wire_nearly() {
        let text = "x".repeat(10_000);
        let tool = Tool { description: Some(text.clone()), ..Default::default() };
        let session = Session { tools: Some(vec![tool]), ..Default::default() };
        let update = SessionUpdate { event_id: None, session: Some(session) };
        for event in [
            to_upstream::user_message("e".into(), "i".into(), text.clone()),
            to_upstream::function_call_output("e".into(), "i".into(), "c".into(), text.clone()),
            to_upstream::create_response("e".into(), Some(&text)),
            ClientEvent::SessionUpdate(Box::new(update)),
        ] {
            let (wire, weight) = (event.encode().len(), UpstreamFrame::Event(Box::new(event)).weight());
            assert!(wire.abs_diff(weight) < 2 * BASE_WEIGHT, "{weight} for {wire} bytes");
        }
    }
}
