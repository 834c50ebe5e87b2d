//! Inputs and effects in the words of the log: what kind, how large, which rule. What was said is content
//! and stands in a line only if the configuration asks for it.

use std::fmt::Write;

use crate::{
    gate::{ClientFrame, Effect, Input, Leg, UpstreamFrame},
    protocol::{Frame, Opcode, agent::ClientMessage, log_field, one_line, realtime::ServerEvent, shorten},
    translate::deepgram,
};

/// Audio and what only counts it is of no interest above trace.
pub(super) fn log_level(input: &Input) -> log::Level {
    match input {
        Input::ClientAudio(_)
        | Input::ClientAlive
        | Input::Heard(_)
        | Input::Delivered { .. }
        | Input::Timeout
        | Input::Upstream(ServerEvent::OutputAudioDelta(_)) => log::Level::Trace,
        Input::ClientFrame(frame) | Input::UpstreamFrame(frame) if frame.opcode != Opcode::Text => {
            log::Level::Trace
        }
        _ => log::Level::Debug,
    }
}

/// An input as `dir=… type=…`.
pub(super) fn describe_input(input: &Input, content: bool) -> String {
    match input {
        Input::ClientConnected => "dir=client type=(connected)".to_owned(),
        Input::ClientAlive => "dir=client type=(alive)".to_owned(),
        Input::Client(message) if content => content_of("client", message.kind(), message.encode()),
        Input::Client(ClientMessage::Unknown(unknown)) => {
            format!("dir=client type={:?}", shorten(unknown.kind.clone()))
        }
        Input::Client(message) => format!("dir=client type={}", message.kind()),
        Input::ClientAudio(audio) => format!("dir=client type=(audio) bytes={}", audio.len()),
        Input::ClientMalformed(error) if content => format!("dir=client type=(malformed) {error}"),
        Input::ClientMalformed(error) => format!("dir=client type=(malformed) {}", error.without_value()),
        Input::ClientFrame(frame) => frame_of("client", frame, content),
        Input::UpstreamFrame(frame) => frame_of("upstream", frame, content),
        Input::ClientClosed(end) => format!("dir=client type=(closed) {end:?}"),
        Input::UpstreamOpened => "dir=upstream type=(opened)".to_owned(),
        Input::UpstreamRefused(error) => format!("dir=upstream type=(refused) {error}"),
        Input::Upstream(ServerEvent::OutputAudioDelta(delta)) => {
            format!("dir=upstream type=response.output_audio.delta bytes={}", delta.delta.len())
        }
        Input::Upstream(event) if content => content_of("upstream", event.kind(), event.encode()),
        Input::Upstream(ServerEvent::Error(error)) => {
            let code = error.error.as_ref().and_then(|error| error.code.as_deref());
            format!("dir=upstream type=error code={}", log_field(code.unwrap_or("-")))
        }
        Input::Upstream(ServerEvent::Unknown(unknown)) => {
            format!("dir=upstream type={:?}", shorten(unknown.kind.clone()))
        }
        Input::Upstream(event) => format!("dir=upstream type={}", event.kind()),
        Input::UpstreamMalformed(_) => "dir=upstream type=(malformed)".to_owned(),
        Input::UpstreamClosed { end, .. } => format!("dir=upstream type=(closed) {end:?}"),
        Input::FunctionFinished { call_id, outcome } => {
            let (what, text) = match outcome {
                Ok(text) => ("content", text),
                Err(text) => ("error", text),
            };
            let text = if content { one_line(text.clone()) } else { format!("{} bytes", text.len()) };
            let call = log_field(call_id.as_str());
            format!("dir=function type=(finished) call={call} {what}={text}")
        }
        Input::Delivered { leg, bytes } => format!("dir={} type=(delivered) bytes={bytes}", leg_name(*leg)),
        Input::Timeout => "type=(timeout)".to_owned(),
        Input::Heard(leg) => format!("dir={} type=(alive)", leg_name(*leg)),
        Input::Squeeze(true) => "type=(memory is short)".to_owned(),
        Input::Squeeze(false) => "type=(memory is ample)".to_owned(),
        Input::Overload => "type=(no memory)".to_owned(),
        Input::Drain => "type=(drain)".to_owned(),
        Input::Shutdown => "type=(shutdown)".to_owned(),
    }
}

/// A frame that is passed through. Only the log looks into most of them.
fn frame_of(dir: &str, frame: &Frame, content: bool) -> String {
    let bytes = frame.payload.len();
    let text = whole_text(frame);
    if let Some(text) = text.filter(|_| content) {
        return content_of(dir, &kind_of(text), text.to_owned());
    }
    let kind = match (text, frame.opcode) {
        (Some(text), _) => kind_of(text),
        (None, Opcode::Binary) => "(audio)".to_owned(),
        (None, Opcode::Text | Opcode::Continuation) => "(fragment)".to_owned(),
    };
    let more = if frame.last { "" } else { " more=true" };
    format!("dir={dir} type={kind} bytes={bytes}{more}")
}

fn whole_text(frame: &Frame) -> Option<&str> {
    let whole = frame.opcode == Opcode::Text && frame.last;
    whole.then(|| str::from_utf8(&frame.payload).ok()).flatten()
}

/// The type as a field of a line.
fn kind_of(text: &str) -> String {
    match deepgram::kind(text) {
        Some(kind) => log_field(&kind).to_string(),
        None => "(unknown)".to_owned(),
    }
}

/// A message of a peer with what it says. One of an unknown type is as the peer has written it, white space
/// and all.
fn content_of(dir: &str, kind: &str, json: String) -> String {
    format!("dir={dir} type={} content={}", one_line(kind.to_owned()), one_line(json))
}

/// Adds an effect to a line.
pub(super) fn describe_effect(effect: &Effect, content: bool, line: &mut String) {
    let written = match effect {
        Effect::OpenUpstream => write!(line, " dial"),
        Effect::UseAudio(plan) => write!(
            line,
            " audio=[in {} -> {}, out {} -> {}]",
            plan.client_input, plan.upstream_input, plan.upstream_output, plan.client_output
        ),
        Effect::ToClient(ClientFrame::Message(message)) if content => {
            write!(line, " >client={}", message.encode())
        }
        Effect::ToClient(ClientFrame::Message(message)) => write!(line, " >client={}", message.kind()),
        Effect::ToClient(ClientFrame::Audio(audio)) => write!(line, " >client=(audio {})", audio.len()),
        Effect::ToClient(ClientFrame::Frame(frame)) => write!(line, " >client={}", sent(frame, content)),
        Effect::ToUpstream(UpstreamFrame::Frame(frame)) => {
            write!(line, " >upstream={}", sent(frame, content))
        }
        Effect::Ping(leg) => write!(line, " ping={}", leg_name(*leg)),
        Effect::ToUpstream(UpstreamFrame::Event(event)) if content => {
            write!(line, " >upstream={}", event.encode())
        }
        Effect::ToUpstream(UpstreamFrame::Event(event)) => write!(line, " >upstream={}", event.kind()),
        Effect::ToUpstream(UpstreamFrame::Audio { audio, .. }) => {
            write!(line, " >upstream=(audio {})", audio.len())
        }
        Effect::ToUpstream(UpstreamFrame::Silence { length, .. }) => {
            write!(line, " >upstream=(silence {} ms)", length.as_millis())
        }
        Effect::ToUpstream(UpstreamFrame::Raw(json)) => write!(line, " >upstream=(raw {})", json.len()),
        Effect::Execute(run) => {
            write!(line, " run={}:{}", log_field(run.id.as_str()), log_field(&run.name))
        }
        Effect::CancelFunction(id) => write!(line, " cancel={}", log_field(id.as_str())),
        Effect::Pause(leg) => write!(line, " pause={}", leg_name(*leg)),
        Effect::Resume(leg) => write!(line, " resume={}", leg_name(*leg)),
        Effect::Held(rule) => write!(line, " held={rule}"),
        Effect::Ignored(rule) => write!(line, " ignored={rule}"),
        Effect::RanOut(rule) => write!(line, " ran_out={rule}"),
        Effect::Close { leg, code, .. } => write!(line, " close={}:{code}", leg_name(*leg)),
        Effect::HangUp(leg) => write!(line, " hang_up={}", leg_name(*leg)),
        Effect::Finished => write!(line, " finished"),
    };
    written.expect("writing to a string does not fail");
}

/// A frame that is sent as it is.
fn sent(frame: &Frame, content: bool) -> String {
    match whole_text(frame) {
        Some(text) if content => one_line(text.to_owned()),
        Some(text) => kind_of(text),
        None => format!("({:?} {})", frame.opcode, frame.payload.len()).to_lowercase(),
    }
}

/// A leg as `dir` names it.
pub(super) fn leg_name(leg: Leg) -> &'static str {
    match leg {
        Leg::Client => "client",
        Leg::Upstream => "upstream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::FunctionRun;

    #[test]
    fn a_peer_writes_no_lines_of_its_own() {
        let client = |text| match ClientMessage::decode(text, |path| assert!(!path.contains('\n'), "{path}"))
        {
            Ok(message) => Input::Client(message),
            Err(error) => Input::ClientMalformed(error),
        };
        let upstream = |text| Input::Upstream(ServerEvent::decode(text).expect("an event").event);
        for (input, expected) in [
            (client("{\n\"type\": \"a\\nb\"}"), "dir=client type=\"a\u{fffd}b\""),
            (client(r#"{"type":"KeepAlive","a\nb":1}"#), "dir=client type=KeepAlive"),
            (
                client(
                    r#"{"type":"Settings","agent":{"think":{"managedPrompt":{"variables":{"a\nb":1e999}}}}}"#,
                ),
                "dir=client type=(malformed) Settings: agent.think.managedPrompt.variables.a\u{fffd}b: \
                 number out of range",
            ),
            (
                upstream(r#"{"type":"error","error":{"code":"a\nb"}}"#),
                "dir=upstream type=error code=\"a\u{fffd}b\"",
            ),
        ] {
            assert_eq!(describe_input(&input, false), expected);
            assert!(!describe_input(&input, true).contains(char::is_control), "{input:?}");
        }
    }

    #[test]
    fn what_a_model_calls_looks_like_no_field_of_the_line() {
        let run = |id: &str, name: &str| {
            let (id, name) = (id.into(), name.to_owned());
            let mut line = String::new();
            let run = FunctionRun { id, name, arguments: "secret".to_owned(), endpoint: None };
            describe_effect(&Effect::Execute(Box::new(run)), false, &mut line);
            line
        };
        assert_eq!(run("call_1", "get_weather"), " run=call_1:get_weather");
        assert_eq!(run("c outcome=ok", "x\n\"y"), r#" run="c outcome=ok":"x�\"y""#);
        assert_eq!(run("", "f"), r#" run="":f"#);
    }

    #[test]
    fn of_a_frame_that_is_passed_through_only_type_and_size_are_told() {
        let said = Frame::text(r#"{"type":"ConversationText","content":"a secret"}"#);
        let (input, effect) =
            (Input::UpstreamFrame(said.clone()), Effect::ToClient(ClientFrame::Frame(said.clone())));
        let sent = |content| {
            let mut line = String::new();
            describe_effect(&effect, content, &mut line);
            line
        };
        assert_eq!(describe_input(&input, false), "dir=upstream type=ConversationText bytes=48");
        assert_eq!(sent(false), " >client=ConversationText");
        assert!(describe_input(&input, true).contains("a secret") && sent(true).contains("a secret"));
        let fragment = Frame { last: false, ..Frame::text("a secret") };
        for (frame, expected) in [
            (Frame::text("a secret"), "(unknown) bytes=8"),
            (Frame::text(r#"{"type":"a\nb"}"#), "\"a\u{fffd}b\" bytes=15"),
            (Frame::binary("a secret"), "(audio) bytes=8"),
            (fragment, "(fragment) bytes=8 more=true"),
        ] {
            let expected = format!("dir=client type={expected}");
            assert_eq!(describe_input(&Input::ClientFrame(frame), false), expected);
        }
    }

    #[test]
    fn what_was_said_in_the_wrong_place_is_content_too() {
        let malformed = |text: &str| {
            Input::ClientMalformed(ClientMessage::decode(text, |_| ()).expect_err("a message that is wrong"))
        };
        let long = format!(r#"{{"type":"Settings","audio":"{}"}}"#, "secret ".repeat(100));
        for (text, expected) in [
            (
                r#"{"type":"Settings","audio":"a secret"}"#,
                "Settings: audio: invalid type, expected an object",
            ),
            (&long, "Settings: audio: invalid type"),
            (r#"{"type":"InjectUserMessage"}"#, "InjectUserMessage: .: missing field `content`"),
        ] {
            let input = malformed(text);
            assert_eq!(describe_input(&input, false), format!("dir=client type=(malformed) {expected}"));
        }
        let secret = malformed(r#"{"type":"Settings","audio":"a secret"}"#);
        assert!(describe_input(&secret, true).contains("a secret"));
    }
}
