//! An input as fields: `dir`, `type` and what is to be known of it.

use super::{kind_of, leg_name, whole_text};
use crate::{
    gate::{Input, Leg, LegEnd},
    logging::Fields,
    protocol::{Frame, Opcode, agent::ClientMessage, one_line, realtime::ServerEvent, shorten},
};

/// Audio and what only counts it is of no interest above trace, unless more follows from it.
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

/// An input as fields, with what was said if `content` asks for it.
pub(crate) fn describe_input(input: &Input, content: bool) -> Fields {
    let client = |kind: &'static str| of(Leg::Client).with("type", kind);
    let upstream = |kind: &'static str| of(Leg::Upstream).with("type", kind);
    let gateway = |kind: &'static str| Fields::default().with("type", kind);
    match input {
        Input::ClientConnected => client("(connected)"),
        Input::ClientAlive => client("(alive)"),
        Input::Client(message) if content => said(Leg::Client, message.kind(), message.encode()),
        Input::Client(ClientMessage::Unknown(unknown)) => {
            of(Leg::Client).with("type", shorten(unknown.kind.clone()))
        }
        Input::Client(message) => of(Leg::Client).with("type", message.kind().to_owned()),
        Input::ClientAudio(audio) => client("(audio)").with("bytes", audio.len()),
        Input::ClientMalformed(error) if content => client("(malformed)").with("error", error.to_string()),
        Input::ClientMalformed(error) => {
            client("(malformed)").with("error", error.without_value().to_string())
        }
        Input::ClientFrame(frame) => frame_of(Leg::Client, frame, content),
        Input::UpstreamFrame(frame) => frame_of(Leg::Upstream, frame, content),
        Input::ClientClosed(end) => ended(client("(closed)"), end),
        Input::UpstreamOpened => upstream("(opened)"),
        Input::UpstreamRefused(error) => upstream("(refused)").with("error", error.to_string()),
        Input::Upstream(ServerEvent::OutputAudioDelta(delta)) => {
            upstream("response.output_audio.delta").with("bytes", delta.delta.len())
        }
        Input::Upstream(event) if content => said(Leg::Upstream, event.kind(), event.encode()),
        Input::Upstream(ServerEvent::Error(error)) => {
            let code = error.error.as_ref().and_then(|error| error.code.clone());
            upstream("error").with("code", code.map_or_else(|| "-".to_owned(), shorten))
        }
        Input::Upstream(ServerEvent::Unknown(unknown)) => {
            of(Leg::Upstream).with("type", shorten(unknown.kind.clone()))
        }
        Input::Upstream(event) => of(Leg::Upstream).with("type", event.kind().to_owned()),
        Input::UpstreamMalformed(_) => upstream("(malformed)"),
        Input::UpstreamClosed { end, .. } => ended(upstream("(closed)"), end),
        Input::FunctionFinished { call_id, outcome } => {
            let (outcome, text) = match outcome {
                Ok(text) => ("ok", text),
                Err(text) => ("error", text),
            };
            let fields = Fields::default().with("dir", "function").with("type", "(finished)");
            let fields = fields.with("call", shorten(call_id.to_string()));
            let fields = fields.with("outcome", outcome).with("bytes", text.len());
            fields.with_some("content", content.then(|| one_line(text.clone())))
        }
        Input::Delivered { leg, bytes } => of(*leg).with("type", "(delivered)").with("bytes", *bytes),
        Input::Timeout => gateway("(timeout)"),
        Input::Heard(leg) => of(*leg).with("type", "(alive)"),
        Input::Squeeze(true) => gateway("(memory_short)"),
        Input::Squeeze(false) => gateway("(memory_ample)"),
        Input::Overload => gateway("(memory_full)"),
        Input::Drain => gateway("(drain)"),
        Input::Shutdown => gateway("(shutdown)"),
    }
}

fn of(leg: Leg) -> Fields {
    Fields::default().with("dir", leg_name(leg))
}

/// A message of a peer with what it says. One of an unknown type is as the peer has written it, white space and all.
fn said(leg: Leg, kind: &str, json: String) -> Fields {
    of(leg).with("type", one_line(kind.to_owned())).with("content", one_line(json))
}

/// A frame that is passed through.
fn frame_of(leg: Leg, frame: &Frame, content: bool) -> Fields {
    let text = whole_text(frame);
    if let Some(text) = text.filter(|_| content) {
        return said(leg, &kind_of(text), text.to_owned());
    }
    let kind = match (text, frame.opcode) {
        (Some(text), _) => kind_of(text),
        (None, Opcode::Binary) => "(audio)".to_owned(),
        (None, Opcode::Text | Opcode::Continuation) => "(fragment)".to_owned(),
    };
    let fields = of(leg).with("type", kind).with("bytes", frame.payload.len());
    fields.with_some("more", (!frame.last).then_some(true))
}

/// How a leg ended.
fn ended(fields: Fields, end: &LegEnd) -> Fields {
    let word = match end {
        LegEnd::Closed { .. } => "closed",
        LegEnd::Vanished => "vanished",
        LegEnd::TooLarge { .. } => "too_large",
        LegEnd::ProtocolError(_) => "protocol_error",
    };
    details(fields.with("end", word), end)
}

/// What is to be known of a leg's end. A close reason is the peer's own, for whoever reads it.
pub(super) fn details(fields: Fields, end: &LegEnd) -> Fields {
    match end {
        LegEnd::Closed { code, reason } => {
            let reason = (!reason.is_empty()).then(|| shorten(reason.clone()));
            fields.with_some("code", *code).with_some("reason", reason)
        }
        LegEnd::Vanished => fields,
        LegEnd::TooLarge { limit } => fields.with("limit", *limit),
        LegEnd::ProtocolError(reason) => fields.with("reason", shorten(reason.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(input: &Input) -> String {
        describe_input(input, false).to_string()
    }

    #[test]
    fn a_peer_writes_no_lines_of_its_own() {
        let client = |text| match ClientMessage::decode(text, |path| assert!(!path.contains('\n'), "{path}"))
        {
            Ok(message) => Input::Client(message),
            Err(error) => Input::ClientMalformed(error),
        };
        let upstream = |text| Input::Upstream(ServerEvent::decode(text).expect("an event").event);
        for (input, expected) in [
            (client("{\n\"type\": \"a\\nb\"}"), "dir=client type=a\u{fffd}b"),
            (client(r#"{"type":"a dir=upstream"}"#), "dir=client type=\"a dir=upstream\""),
            (client(r#"{"type":"KeepAlive","a\nb":1}"#), "dir=client type=KeepAlive"),
            (
                client(
                    r#"{"type":"Settings","agent":{"think":{"managedPrompt":{"variables":{"a\nb":1e999}}}}}"#,
                ),
                "dir=client type=(malformed) error=\"Settings: agent.think.managedPrompt.variables.a\u{fffd}b: \
                 number out of range\"",
            ),
            (
                upstream(r#"{"type":"error","error":{"code":"a\nb"}}"#),
                "dir=upstream type=error code=a\u{fffd}b",
            ),
            (upstream(r#"{"type":"error"}"#), "dir=upstream type=error code=-"),
        ] {
            assert_eq!(words(&input), expected);
            assert!(
                !describe_input(&input, true).to_string().contains(char::is_control),
                "{input:?} has a line of its own"
            );
        }
    }

    #[test]
    fn of_a_frame_that_is_passed_through_only_type_and_size_are_told() {
        let said = Frame::text(r#"{"type":"ConversationText","content":"a secret"}"#);
        let input = Input::UpstreamFrame(said);
        assert_eq!(words(&input), "dir=upstream type=ConversationText bytes=48");
        assert!(describe_input(&input, true).to_string().contains("a secret"));
        let fragment = Frame { last: false, ..Frame::text("a secret") };
        for (frame, expected) in [
            (Frame::text("a secret"), "(unknown) bytes=8"),
            (Frame::text(r#"{"type":"a\nb"}"#), "a\u{fffd}b bytes=15"),
            (Frame::binary("a secret"), "(audio) bytes=8"),
            (fragment, "(fragment) bytes=8 more=true"),
        ] {
            assert_eq!(words(&Input::ClientFrame(frame)), format!("dir=client type={expected}"));
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
            assert_eq!(words(&malformed(text)), format!("dir=client type=(malformed) error={expected:?}"));
        }
        let secret = malformed(r#"{"type":"Settings","audio":"a secret"}"#);
        assert!(describe_input(&secret, true).to_string().contains("a secret"));
    }

    #[test]
    fn what_a_function_returned_is_content() {
        let finished = |outcome| Input::FunctionFinished { call_id: "call_1".into(), outcome };
        let [ok, error] = [Ok("a secret"), Err("a secret")]
            .map(|text| finished(text.map(str::to_owned).map_err(str::to_owned)));
        assert_eq!(words(&ok), "dir=function type=(finished) call=call_1 outcome=ok bytes=8");
        assert_eq!(words(&error), "dir=function type=(finished) call=call_1 outcome=error bytes=8");
        assert!(describe_input(&ok, true).to_string().ends_with(" bytes=8 content=\"a secret\""));
    }

    #[test]
    fn an_end_says_how() {
        let closed = |code, reason: &str| LegEnd::Closed { code, reason: reason.to_owned() };
        for (end, expected) in [
            (closed(Some(1000), ""), "end=closed code=1000"),
            (closed(None, "so long"), "end=closed reason=\"so long\""),
            (LegEnd::Vanished, "end=vanished"),
            (LegEnd::TooLarge { limit: 7 }, "end=too_large limit=7"),
            (LegEnd::ProtocolError("no mask".to_owned()), "end=protocol_error reason=\"no mask\""),
        ] {
            assert_eq!(words(&Input::ClientClosed(end)), format!("dir=client type=(closed) {expected}"));
        }
    }
}
