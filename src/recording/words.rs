//! Inputs and effects in a few words each, for a diagram: who said what to whom. What was said stands there if the
//! recording has it. Knows no columns.

use std::time::Duration;

use crate::{
    gate::{ClientFrame, Effect, Input, Leg, LegEnd, UpstreamFrame},
    protocol::{
        Frame, Opcode,
        agent::{ClientMessage, Role, ServerMessage},
        realtime::{ClientEvent, ServerEvent},
    },
    translate::{deepgram, settings::AudioPlan},
};

/// Who said it to whom.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    FromClient(String),
    ToClient(String),
    FromUpstream(String),
    ToUpstream(String),
    /// What happens at the gate alone.
    Note(String),
}

/// What has to be known of a connection to put it into words.
#[derive(Default)]
pub(super) struct Words {
    plan: AudioPlan,
    passes_through: bool,
}

impl Words {
    /// How long audio of this leg's peer plays, if its format is known.
    pub(super) fn plays(&self, from: Leg, bytes: usize) -> Option<Duration> {
        let format = match from {
            Leg::Client => self.plan.client_input,
            Leg::Upstream => self.plan.upstream_output,
        };
        (!self.passes_through).then(|| format.duration_of(bytes))
    }

    /// What the gate is given; nothing if that only counts.
    pub(super) fn input(&mut self, input: &Input) -> Option<Said> {
        if let Input::ClientFrame(_) | Input::UpstreamFrame(_) = input {
            self.passes_through = true;
        }
        Some(match input {
            Input::ClientConnected => Said::FromClient("(connected)".to_owned()),
            Input::ClientAlive | Input::Heard(_) | Input::Timeout | Input::Delivered { .. } => return None,
            Input::Client(message) => Said::FromClient(client_message(message)),
            Input::ClientAudio(audio) => Said::FromClient(format!("audio, {} bytes", audio.len())),
            Input::ClientMalformed(error) => Said::FromClient(format!("(malformed) {error}")),
            Input::ClientFrame(frame) => Said::FromClient(of_frame(frame)),
            Input::ClientClosed(end) => Said::FromClient(format!("({})", of_end(end))),
            Input::UpstreamOpened => Said::FromUpstream("(opened)".to_owned()),
            Input::UpstreamRefused(error) => Said::FromUpstream(format!("(refused: {error})")),
            Input::Upstream(event) => Said::FromUpstream(server_event(event)),
            Input::UpstreamMalformed(error) => Said::FromUpstream(format!("(malformed) {error}")),
            Input::UpstreamFrame(frame) => Said::FromUpstream(of_frame(frame)),
            Input::UpstreamClosed { end, .. } => Said::FromUpstream(format!("({})", of_end(end))),
            Input::FunctionFinished { call_id, outcome } => Said::Note(match outcome {
                Ok(content) => format!("function {call_id} returned {} bytes", content.len()),
                Err(error) => format!("function {call_id} failed: {error}"),
            }),
            Input::Squeeze(true) => Said::Note("memory is short".to_owned()),
            Input::Squeeze(false) => Said::Note("memory is ample".to_owned()),
            Input::Overload => Said::Note("no memory is left".to_owned()),
            Input::Drain => Said::Note("the program drains".to_owned()),
            Input::Shutdown => Said::Note("the program stops".to_owned()),
        })
    }

    /// What the gate answers.
    pub(super) fn effect(&mut self, effect: &Effect) -> Said {
        match effect {
            Effect::OpenUpstream => Said::ToUpstream("(dial)".to_owned()),
            Effect::UseAudio(plan) => {
                self.plan = *plan;
                Said::Note(format!("in {}, out {}", plan.client_input, plan.client_output))
            }
            Effect::ToClient(frame) => Said::ToClient(match frame {
                ClientFrame::Message(message) => server_message(message),
                ClientFrame::Audio(audio) => format!("audio, {} bytes", audio.len()),
                ClientFrame::Frame(frame) => of_frame(frame),
            }),
            Effect::ToUpstream(frame) => Said::ToUpstream(match frame {
                UpstreamFrame::Event(event) => client_event(event),
                UpstreamFrame::Audio { audio, .. } => format!("audio, {} bytes", audio.len()),
                UpstreamFrame::Silence { length, .. } => format!("silence, {} ms", length.as_millis()),
                UpstreamFrame::Raw(json) => format!("the client's JSON, {} bytes", json.len()),
                UpstreamFrame::Frame(frame) => of_frame(frame),
            }),
            Effect::Execute(run) => Said::Note(format!("runs {} ({})", run.name, run.id)),
            Effect::CancelFunction(id) => Said::Note(format!("cancels function {id}")),
            Effect::Pause(leg) => Said::Note(format!("reads nothing from {}", name(*leg))),
            Effect::Resume(leg) => Said::Note(format!("reads from {} again", name(*leg))),
            Effect::Held(rule) => Said::Note(format!("held by {rule}")),
            Effect::Ignored(rule) => Said::Note(format!("ignored by {rule}")),
            Effect::RanOut(rule) => Said::Note(format!("a wait of {rule} ran out")),
            Effect::Ping(leg) => to(*leg, "(ping)".to_owned()),
            Effect::Close { leg, code, reason } => to(*leg, format!("(close {code}{})", behind(reason))),
            Effect::HangUp(leg) => to(*leg, "(cut)".to_owned()),
            Effect::Finished => Said::Note("finished".to_owned()),
        }
    }
}

fn to(leg: Leg, label: String) -> Said {
    match leg {
        Leg::Client => Said::ToClient(label),
        Leg::Upstream => Said::ToUpstream(label),
    }
}

fn name(leg: Leg) -> &'static str {
    match leg {
        Leg::Client => "the client",
        Leg::Upstream => "upstream",
    }
}

fn behind(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" {text:?}") }
}

fn of_end(end: &LegEnd) -> String {
    match end {
        LegEnd::Closed { code, reason } => {
            format!(
                "closed {}{}",
                code.map_or("without a code".to_owned(), |code| code.to_string()),
                behind(reason)
            )
        }
        LegEnd::Vanished => "vanished".to_owned(),
        LegEnd::TooLarge { limit } => format!("more than {limit} bytes"),
        LegEnd::ProtocolError(reason) => format!("protocol error{}", behind(reason)),
    }
}

/// A frame that is passed through: of a whole text its type.
fn of_frame(frame: &Frame) -> String {
    let bytes = frame.payload.len();
    let text = (frame.opcode == Opcode::Text && frame.last).then(|| str::from_utf8(&frame.payload).ok());
    match (text.flatten().and_then(deepgram::kind), frame.opcode) {
        (Some(kind), _) => kind.to_string(),
        (None, Opcode::Text) => format!("text, {bytes} bytes"),
        (None, Opcode::Binary) => format!("audio, {bytes} bytes"),
        (None, Opcode::Continuation) => format!("continuation, {bytes} bytes"),
    }
}

fn client_message(message: &ClientMessage) -> String {
    let kind = message.kind();
    match message {
        ClientMessage::InjectUserMessage(inject) => format!("{kind} {:?}", inject.content),
        ClientMessage::FunctionCallResponse(answer) => format!("{kind} {}", answer.id),
        _ => kind.to_owned(),
    }
}

fn server_message(message: &ServerMessage) -> String {
    let kind = message.kind();
    match message {
        ServerMessage::ConversationText(text) => {
            let role = match text.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            format!("{kind} {role} {:?}", text.content)
        }
        ServerMessage::Error(notice) | ServerMessage::Warning(notice) => format!("{kind} {}", notice.code),
        ServerMessage::FunctionCallRequest(request) => {
            let calls = request.functions.iter().map(|call| format!("{} ({})", call.name, call.id));
            format!("{kind} {}", calls.collect::<Vec<_>>().join(", "))
        }
        _ => kind.to_owned(),
    }
}

fn client_event(event: &ClientEvent) -> String {
    let kind = event.kind();
    match event {
        ClientEvent::CreateItem(create) => {
            let item = create.item.as_ref().and_then(|item| item.kind.as_deref());
            format!("{kind} {}", item.unwrap_or_default())
        }
        ClientEvent::TruncateItem(truncate) => {
            format!("{kind} at {} ms", truncate.audio_end_ms.unwrap_or_default())
        }
        _ => kind.to_owned(),
    }
}

fn server_event(event: &ServerEvent) -> String {
    let kind = event.kind();
    // The end of a type says more than its beginning.
    let short = kind.strip_prefix("conversation.item.input_audio_").unwrap_or(kind);
    match event {
        ServerEvent::OutputAudioDelta(delta) => format!("audio, {} bytes", delta.delta.len()),
        ServerEvent::ResponseCreated(created) | ServerEvent::ResponseDone(created) => {
            let response = created.response.as_ref();
            let id = created.response_id.as_ref().or(response.and_then(|response| response.id.as_ref()));
            let status = response.and_then(|response| response.status.as_deref()).unwrap_or_default();
            let id = id.map_or("", |id| id.as_str());
            [short, id, status].map(str::trim).join(" ").trim_end().to_owned()
        }
        ServerEvent::Error(error) => {
            let code = error.error.as_ref().and_then(|error| error.code.as_deref());
            format!("{short} {}", code.unwrap_or_default())
        }
        _ => short.to_owned(),
    }
}
