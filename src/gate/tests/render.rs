//! Effects as short lines of text, so that an expectation reads like the rule. What a line ends in, behind
//! its first words, need not be given in an expectation.

use crate::{
    gate::{ClientFrame, Effect, Leg, UpstreamFrame},
    protocol::{
        Frame,
        agent::{Role, ServerMessage},
        realtime::{ClientEvent, Item},
    },
};

/// One effect as one line.
pub(in crate::gate) fn line(effect: &Effect) -> String {
    match effect {
        Effect::OpenUpstream => "dial".to_owned(),
        Effect::UseAudio(plan) => {
            let rates = [plan.client_input, plan.upstream_input, plan.upstream_output, plan.client_output];
            format!("use audio {rates:?}")
        }
        Effect::ToClient(ClientFrame::Audio(audio)) => format!("client audio {}", audio.len()),
        Effect::ToClient(ClientFrame::Message(message)) => format!("client {}", message_line(message)),
        Effect::ToClient(ClientFrame::Frame(frame)) => format!("client {}", passed(frame)),
        Effect::ToUpstream(frame) => format!("up {}", frame_line(frame)),
        Effect::Execute(run) => {
            let place = run.endpoint.as_ref().map(|endpoint| format!(" at {}", endpoint.url));
            format!("run {}={}({}){}", run.id, run.name, run.arguments, place.unwrap_or_default())
        }
        Effect::CancelFunction(id) => format!("cancel {id}"),
        Effect::Ping(leg) => format!("ping {}", leg_name(*leg)),
        Effect::Pause(leg) => format!("pause {}", leg_name(*leg)),
        Effect::Resume(leg) => format!("resume {}", leg_name(*leg)),
        Effect::Held(rule) => format!("held {rule}"),
        Effect::Ignored(rule) => format!("ignored {rule}"),
        Effect::RanOut(rule) => format!("ran out {rule}"),
        Effect::Close { leg, code, reason } => format!("close {} {code} {reason:?}", leg_name(*leg)),
        Effect::HangUp(leg) => format!("hang up {}", leg_name(*leg)),
        Effect::Finished => "finished".to_owned(),
    }
}

/// Whether the line is what was expected: all of it, its first words, or the beginning of a quoted text.
pub(super) fn fits(line: &str, expected: &str) -> bool {
    let quoted = expected.contains('"') && !expected.ends_with('"');
    line.strip_prefix(expected).is_some_and(|rest| rest.is_empty() || quoted || rest.starts_with(' '))
}

fn leg_name(leg: Leg) -> &'static str {
    match leg {
        Leg::Client => "client",
        Leg::Upstream => "upstream",
    }
}

fn message_line(message: &ServerMessage) -> String {
    match message {
        ServerMessage::ConversationText(text) => {
            let role = match text.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            let shown: String = text.content.chars().take(200).collect();
            format!("ConversationText({role}) {shown:?}")
        }
        ServerMessage::Error(notice) => format!("Error({}) {:?}", notice.code, notice.description),
        ServerMessage::Warning(notice) => format!("Warning({}) {:?}", notice.code, notice.description),
        ServerMessage::AgentThinking(thinking) => format!("AgentThinking {:?}", thinking.content),
        ServerMessage::AgentStartedSpeaking(started) => format!(
            "AgentStartedSpeaking total {} text {} speech {}",
            started.total_latency, started.ttt_latency, started.tts_latency
        ),
        ServerMessage::FunctionCallRequest(request) => {
            let call = |call: &crate::protocol::agent::FunctionCall| {
                let here = if call.client_side { "" } else { " runs here" };
                format!("{}={}({}){here}", call.id, call.name, call.arguments)
            };
            let calls: Vec<String> = request.functions.iter().map(call).collect();
            format!("FunctionCallRequest {}", calls.join(" "))
        }
        ServerMessage::FunctionCallResponse(response) => {
            let id = response.id.as_ref().expect("a response names its call");
            format!("FunctionCallResponse {id}={} {:?}", response.name, response.content)
        }
        ServerMessage::FunctionCallCancelled(cancelled) => {
            let calls = cancelled.functions.iter().map(|call| format!("{}={}", call.id, call.name));
            format!("FunctionCallCancelled {}", calls.collect::<Vec<_>>().join(" "))
        }
        ServerMessage::Transcript(transcript) => {
            assert_eq!(transcript.alternatives[0].transcript, transcript.transcript);
            let kind = if transcript.is_final { "final" } else { "interim" };
            format!(
                "Transcript({kind}) {:?} from {} for {} channel {} of {}",
                transcript.transcript,
                transcript.start,
                transcript.duration,
                transcript.channel,
                transcript.channel_index
            )
        }
        ServerMessage::LatencyReport(report) => {
            let members = [
                ("stt", report.stt_latency),
                ("token", report.ttt_token_latency),
                ("text", report.ttt_text_latency),
                ("tool", report.ttt_tool_latency),
                ("speech", report.tts_latency),
                ("total", report.total_latency),
            ];
            let known = members.iter().filter_map(|(name, value)| Some(format!(" {name} {}", (*value)?)));
            format!("LatencyReport{}", known.collect::<String>())
        }
        ServerMessage::History(entry) => match (&entry.content, &entry.function_calls) {
            (Some(content), None) => format!("History {content:?}"),
            (None, Some(calls)) => {
                let text = |text: &Option<String>| text.clone().expect("a call has all of its members");
                let call = |call: &crate::protocol::agent::HistoryCall| {
                    assert!(call.id.is_some());
                    let here = if call.client_side == Some(true) { "" } else { " ran here" };
                    format!("{}({}): {}{here}", text(&call.name), text(&call.arguments), text(&call.response))
                };
                format!("History {}", calls.iter().map(call).collect::<Vec<_>>().join(" "))
            }
            both => panic!("{both:?} is one thing or the other"),
        },
        ServerMessage::InjectionRefused(refused) => format!("InjectionRefused {:?}", refused.message),
        ServerMessage::UtteranceEnd(end) => format!("UtteranceEnd {} {}", end.last_word_end, end.channel),
        other => other.kind().to_owned(),
    }
}

/// A frame that is passed through: its opcode, what it says, and whether more follows.
fn passed(frame: &Frame) -> String {
    let more = if frame.last { "" } else { ".." };
    format!("{:?} {}{more}", frame.opcode, String::from_utf8_lossy(&frame.payload)).to_lowercase()
}

fn frame_line(frame: &UpstreamFrame) -> String {
    match frame {
        UpstreamFrame::Audio { audio, .. } => format!("append {}", audio.len()),
        UpstreamFrame::Silence { length, .. } => format!("silence {} ms", length.as_millis()),
        UpstreamFrame::Raw(json) => format!("raw {json}"),
        UpstreamFrame::Event(event) => event_line(event),
        UpstreamFrame::Frame(frame) => passed(frame),
    }
}

fn event_line(event: &ClientEvent) -> String {
    match event {
        ClientEvent::CreateItem(create) => item_line(create.item.as_ref().expect("an item is created")),
        ClientEvent::CreateResponse(create) => {
            let own = create.response.as_ref().and_then(|response| response.instructions.clone());
            match own {
                Some(instructions) => format!("response.create {instructions:?}"),
                None => "response.create".to_owned(),
            }
        }
        ClientEvent::CancelResponse(cancel) => match &cancel.response_id {
            Some(id) => format!("response.cancel {id}"),
            None => "response.cancel".to_owned(),
        },
        ClientEvent::TruncateItem(truncate) => {
            assert_eq!(truncate.content_index, Some(0));
            let item = truncate.item_id.as_ref().expect("an item is truncated");
            format!("truncate {item} at {} ms", truncate.audio_end_ms.expect("at a time"))
        }
        ClientEvent::Commit(_) => "commit".to_owned(),
        ClientEvent::SessionUpdate(update) => {
            let session = update.session.as_ref().expect("an update has a session");
            match &session.audio {
                Some(audio) if audio.input.as_ref().is_some_and(|input| input.format.is_some()) => {
                    "session.update".to_owned()
                }
                _ => format!("session.update {}", serde_json::to_string(session).expect("a session is json")),
            }
        }
        other => other.kind().to_owned(),
    }
}

fn item_line(item: &Item) -> String {
    match item.kind.as_deref() {
        Some("function_call_output") => {
            let call = item.call_id.as_ref().expect("an output names its call");
            let output = item.output.as_ref().and_then(|output| output.as_str()).expect("output is text");
            format!("output {call} {output:?}")
        }
        _ => {
            let text = item.content.as_ref().and_then(|parts| parts[0].text.as_ref()).expect("text");
            let shown: String = text.chars().take(200).collect();
            format!("item {shown:?}")
        }
    }
}
