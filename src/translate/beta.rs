//! Events in the shape of the beta API, which Azure's preview endpoint still speaks ("OpenAI Realtime, Beta and
//! GA names"). Must not know who sends an event, or when.

use serde_json::Value;

use crate::protocol::realtime::{
    AudioConfig, ClientEvent, Format, InputConfig, Item, OutputConfig, ResponseParams, Session, Tool,
};

/// An event as the beta has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated {
    /// The event.
    pub event: ClientEvent,
    /// What the beta has no place for and was left out, by its present path.
    pub left_out: Vec<&'static str>,
}

/// Puts an event into the shape of the beta. What is the same in both stays as it is.
pub fn translate(mut event: ClientEvent) -> Translated {
    let mut left_out = Vec::new();
    match &mut event {
        ClientEvent::SessionUpdate(update) => {
            if let Some(session) = &mut update.session {
                put_session(session, &mut left_out);
            }
        }
        ClientEvent::CreateItem(create) => create.item.iter_mut().for_each(put_item),
        ClientEvent::CreateResponse(create) => {
            if let Some(response) = &mut create.response {
                put_response(response, &mut left_out);
            }
        }
        ClientEvent::Append(_)
        | ClientEvent::Commit(_)
        | ClientEvent::ClearInput(_)
        | ClientEvent::ClearOutput(_)
        | ClientEvent::RetrieveItem(_)
        | ClientEvent::DeleteItem(_)
        | ClientEvent::TruncateItem(_)
        | ClientEvent::CancelResponse(_)
        | ClientEvent::Unknown(_) => (),
    }
    Translated { event, left_out }
}

type LeftOut = Vec<&'static str>;

fn put_session(session: &mut Session, left_out: &mut LeftOut) {
    // The beta's session is of one kind, which is not said, and its model is settled by the URL.
    session.kind = None;
    session.model = None;
    session.modalities = session.output_modalities.take().map(modalities);
    session.max_response_output_tokens = session.max_output_tokens.take();
    let AudioConfig { input, output } = session.audio.take().unwrap_or_default();
    put_input(session, input.unwrap_or_default(), left_out);
    let OutputConfig { format, speed, voice } = output.unwrap_or_default();
    session.output_audio_format = format.and_then(beta_format);
    session.speed = speed;
    session.voice = named_voice(voice, "session.audio.output.voice", left_out);
    keep_functions(&mut session.tools, "session.tools of type mcp", left_out);
    drop_named_choice(&mut session.tool_choice, "session.tool_choice of one tool", left_out);
    drop_member(&mut session.parallel_tool_calls, "session.parallel_tool_calls", left_out);
    drop_member(&mut session.reasoning, "session.reasoning", left_out);
    drop_member(&mut session.prompt, "session.prompt", left_out);
    drop_member(&mut session.truncation, "session.truncation", left_out);
    drop_member(&mut session.include, "session.include", left_out);
}

fn put_input(session: &mut Session, input: InputConfig, left_out: &mut LeftOut) {
    let InputConfig { format, noise_reduction, transcription, turn_detection } = input;
    session.input_audio_format = format.and_then(beta_format);
    session.input_audio_noise_reduction = noise_reduction.map(|mut value| {
        let strength = value.as_object_mut().and_then(|object| object.shift_remove("strength"));
        note(strength.is_some(), "session.audio.input.noise_reduction.strength", left_out);
        value
    });
    session.input_audio_transcription = transcription;
    if let Some(known) = &mut session.input_audio_transcription {
        drop_member(&mut known.languages, "session.audio.input.transcription.languages", left_out);
        drop_member(&mut known.keywords, "session.audio.input.transcription.keywords", left_out);
        drop_member(&mut known.delay, "session.audio.input.transcription.delay", left_out);
    }
    // Absent, null (manual) and configured stay what they are.
    session.turn_detection = turn_detection;
    if let Some(Some(known)) = &mut session.turn_detection {
        drop_member(
            &mut known.idle_timeout_ms,
            "session.audio.input.turn_detection.idle_timeout_ms",
            left_out,
        );
        drop_member(&mut known.model_version, "session.audio.input.turn_detection.model_version", left_out);
    }
}

/// A member of what should be an object, or null.
fn take(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}

fn put_response(response: &mut ResponseParams, left_out: &mut LeftOut) {
    response.modalities = response.output_modalities.take().map(modalities);
    response.max_response_output_tokens = response.max_output_tokens.take();
    let mut audio = response.audio.take().unwrap_or_default();
    let mut output = take(&mut audio, "output");
    let format = serde_json::from_value::<Format>(take(&mut output, "format"));
    response.output_audio_format = format.ok().and_then(beta_format);
    let voice = Some(take(&mut output, "voice")).filter(|voice| !voice.is_null());
    response.voice = named_voice(voice, "response.audio.output.voice", left_out);
    response.input.iter_mut().flatten().for_each(put_item);
    keep_functions(&mut response.tools, "response.tools of type mcp", left_out);
    drop_named_choice(&mut response.tool_choice, "response.tool_choice of one tool", left_out);
    drop_member(&mut response.parallel_tool_calls, "response.parallel_tool_calls", left_out);
    drop_member(&mut response.reasoning, "response.reasoning", left_out);
    drop_member(&mut response.prompt, "response.prompt", left_out);
}

fn put_item(item: &mut Item) {
    for part in item.content.iter_mut().flatten() {
        match part.kind.as_deref() {
            Some("output_text") => part.kind = Some("text".to_owned()),
            Some("output_audio") => part.kind = Some("audio".to_owned()),
            _ => (),
        }
    }
}

/// Audio alone is no combination that the beta takes: there it always brings text.
fn modalities(present: Vec<String>) -> Vec<String> {
    if present == ["audio"] { vec!["text".to_owned(), "audio".to_owned()] } else { present }
}

fn beta_format(format: Format) -> Option<String> {
    let name = match format.kind.as_deref()? {
        "audio/pcm" => "pcm16",
        "audio/pcmu" => "g711_ulaw",
        "audio/pcma" => "g711_alaw",
        _ => return None,
    };
    Some(name.to_owned())
}

fn named_voice(voice: Option<Value>, path: &'static str, left_out: &mut LeftOut) -> Option<Value> {
    let (voice, custom) = voice.map_or((None, None), |voice| match voice {
        Value::String(_) => (Some(voice), None),
        custom => (None, Some(custom)),
    });
    note(custom.is_some(), path, left_out);
    voice
}

fn keep_functions(tools: &mut Option<Vec<Tool>>, path: &'static str, left_out: &mut LeftOut) {
    let Some(tools) = tools else { return };
    let all = tools.len();
    tools.retain(|tool| tool.kind.as_deref().is_none_or(|kind| kind == "function"));
    note(tools.len() < all, path, left_out);
}

fn drop_named_choice(choice: &mut Option<Value>, path: &'static str, left_out: &mut LeftOut) {
    if choice.as_ref().is_some_and(|choice| !choice.is_string()) {
        drop_member(choice, path, left_out);
    }
}

fn drop_member<T>(member: &mut Option<T>, path: &'static str, left_out: &mut LeftOut) {
    note(member.take().is_some(), path, left_out);
}

fn note(lost: bool, path: &'static str, left_out: &mut LeftOut) {
    if lost {
        left_out.push(path);
    }
}
