//! An effect as one word, or nearly: `>client=SettingsApplied`, `held=R2`.

use super::{kind_of, leg_name, whole_text};
use crate::{
    gate::{ClientFrame, Effect, UpstreamFrame},
    protocol::{Frame, Opcode, log_field, one_line},
};

/// An effect, with what is said if `content` asks for it. What is sent stands behind `>client=` and `>upstream=`; in
/// brackets is what is no message, with its size.
pub(crate) fn describe_effect(effect: &Effect, content: bool) -> String {
    match effect {
        Effect::OpenUpstream => "dial".to_owned(),
        Effect::UseAudio(plan) => format!(
            "audio=in {} -> {}, out {} -> {}",
            plan.client_input, plan.upstream_input, plan.upstream_output, plan.client_output
        ),
        Effect::ToClient(frame) => format!(">client={}", to_client(frame, content)),
        Effect::ToUpstream(frame) => format!(">upstream={}", to_upstream(frame, content)),
        Effect::Ping(leg) => format!("ping={}", leg_name(*leg)),
        Effect::Execute(run) => format!("run={}:{}", log_field(run.id.as_str()), log_field(&run.name)),
        Effect::CancelFunction(id) => format!("cancel={}", log_field(id.as_str())),
        Effect::Pause(leg) => format!("pause={}", leg_name(*leg)),
        Effect::Resume(leg) => format!("resume={}", leg_name(*leg)),
        Effect::Held(rule) => format!("held={rule}"),
        Effect::Ignored(rule) => format!("ignored={rule}"),
        Effect::RanOut(rule) => format!("ran_out={rule}"),
        Effect::Close { leg, code, .. } => format!("close={}:{code}", leg_name(*leg)),
        Effect::HangUp(leg) => format!("hang_up={}", leg_name(*leg)),
        Effect::Finished => "finished".to_owned(),
    }
}

/// Whether a reader who does not follow the audio wants to know of this.
pub(crate) fn is_more_than_audio(effect: &Effect) -> bool {
    match effect {
        Effect::ToClient(ClientFrame::Audio(_))
        | Effect::ToUpstream(UpstreamFrame::Audio { .. })
        | Effect::Ping(_)
        | Effect::Held(_)
        | Effect::Ignored(_) => false,
        Effect::ToClient(ClientFrame::Frame(frame)) | Effect::ToUpstream(UpstreamFrame::Frame(frame)) => {
            frame.opcode == Opcode::Text
        }
        Effect::ToClient(ClientFrame::Message(_))
        | Effect::ToUpstream(
            UpstreamFrame::Event(_) | UpstreamFrame::Silence { .. } | UpstreamFrame::Raw(_),
        )
        | Effect::OpenUpstream
        | Effect::UseAudio(_)
        | Effect::Execute(_)
        | Effect::CancelFunction(_)
        | Effect::Pause(_)
        | Effect::Resume(_)
        | Effect::RanOut(_)
        | Effect::Close { .. }
        | Effect::HangUp(_)
        | Effect::Finished => true,
    }
}

fn to_client(frame: &ClientFrame, content: bool) -> String {
    match frame {
        ClientFrame::Message(message) if content => one_line(message.encode()),
        ClientFrame::Message(message) => message.kind().to_owned(),
        ClientFrame::Audio(audio) => format!("(audio:{})", audio.len()),
        ClientFrame::Frame(frame) => as_it_is(frame, content),
    }
}

fn to_upstream(frame: &UpstreamFrame, content: bool) -> String {
    match frame {
        UpstreamFrame::Event(event) if content => one_line(event.encode()),
        UpstreamFrame::Event(event) => event.kind().to_owned(),
        UpstreamFrame::Audio { audio, .. } => format!("(audio:{})", audio.len()),
        UpstreamFrame::Silence { length, .. } => format!("(silence:{}ms)", length.as_millis()),
        UpstreamFrame::Raw(json) => format!("(raw:{})", json.len()),
        UpstreamFrame::Frame(frame) => as_it_is(frame, content),
    }
}

/// A frame that is sent as it is.
fn as_it_is(frame: &Frame, content: bool) -> String {
    match whole_text(frame) {
        Some(text) if content => one_line(text.to_owned()),
        Some(text) => log_field(&kind_of(text)),
        None => format!("({:?}:{})", frame.opcode, frame.payload.len()).to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::FunctionRun;

    #[test]
    fn what_a_model_calls_looks_like_no_effect_of_its_own() {
        let run = |id: &str, name: &str| {
            let (id, name) = (id.into(), name.to_owned());
            let run = FunctionRun { id, name, arguments: "secret".to_owned(), endpoint: None };
            describe_effect(&Effect::Execute(Box::new(run)), false)
        };
        assert_eq!(run("call_1", "get_weather"), "run=call_1:get_weather");
        assert_eq!(run("c outcome=ok", "x\n\"y"), r#"run="c outcome=ok":"x�\"y""#);
        assert_eq!(run("", "f"), r#"run="":f"#);
    }

    #[test]
    fn of_a_frame_that_is_passed_through_only_the_type_is_told() {
        let sent =
            |frame: Frame, content| describe_effect(&Effect::ToClient(ClientFrame::Frame(frame)), content);
        let said = Frame::text(r#"{"type":"ConversationText","content":"a secret"}"#);
        assert_eq!(sent(said.clone(), false), ">client=ConversationText");
        assert!(sent(said, true).contains("a secret"));
        assert_eq!(sent(Frame::text(r#"{"type":"a b"}"#), false), ">client=\"a b\"");
        assert_eq!(sent(Frame::binary("a secret"), false), ">client=(binary:8)");
    }
}
