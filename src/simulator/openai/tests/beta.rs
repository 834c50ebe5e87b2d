//! The beta API, as Azure's preview endpoint speaks it: its shapes in, its names and shapes out, GA's refused.

use serde_json::{Value, json};

use super::*;

fn session(options: &[(&str, &str)], session: Value) -> Client {
    let mut client = Client::of(Api::Beta, Kind::Realtime, options);
    client.send(update(session));
    assert_eq!(types(&client.events()), ["session.created", "session.updated"]);
    client
}

fn text_and_manual() -> Value {
    json!({"modalities": ["text"], "turn_detection": null})
}

#[test]
fn the_session_is_shown_as_the_beta_has_it() {
    let mut client = Client::of(Api::Beta, Kind::Realtime, &[]);
    let events = client.events();
    let created = &the(&events, "session.created")["session"];
    let fresh = json!({
        "id": created["id"], "object": "realtime.session", "model": "gpt-realtime", "expires_at": 1_790_003_600,
        "modalities": ["text", "audio"], "instructions": created["instructions"], "voice": "alloy", "speed": 1.0,
        "input_audio_format": "pcm16", "output_audio_format": "pcm16", "input_audio_transcription": null,
        "input_audio_noise_reduction": null,
        "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
            "silence_duration_ms": 200, "create_response": true, "interrupt_response": true},
        "tools": [], "tool_choice": "auto", "temperature": 0.8, "max_response_output_tokens": "inf", "tracing": null
    });
    assert_eq!(*created, fresh);
    let all = json!({
        "model": "gpt-realtime", "modalities": ["text"], "instructions": "Be brief.", "voice": "echo", "speed": 0.5,
        "input_audio_format": "g711_ulaw", "output_audio_format": "g711_alaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": "names"},
        "input_audio_noise_reduction": {"type": "near_field"},
        "turn_detection": {"type": "semantic_vad", "eagerness": "low", "create_response": false,
            "interrupt_response": false},
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {}}],
        "tool_choice": "required", "temperature": 0.7, "max_response_output_tokens": 9, "tracing": "auto"
    });
    let events = client.ask(update(all.clone()));
    let updated = &the(&events, "session.updated")["session"];
    for (name, value) in all.as_object().expect("an object") {
        assert_eq!(updated[name], *value, "{name}");
    }
    assert_eq!(updated.as_object().map(serde_json::Map::len), fresh.as_object().map(serde_json::Map::len));
}

#[test]
fn what_only_ga_knows_is_refused() {
    let detection =
        |field: &str, value: Value| json!({"turn_detection": {"type": "server_vad", field: value}});
    let tool = |tool: Value| json!({"tools": [tool]});
    for (update_of, code, param) in [
        (json!({"type": "realtime"}), "unknown_parameter", "session.type"),
        (json!({"audio": {}}), "unknown_parameter", "session.audio"),
        (json!({"output_modalities": ["text"]}), "unknown_parameter", "session.output_modalities"),
        (json!({"max_output_tokens": 9}), "unknown_parameter", "session.max_output_tokens"),
        (json!({"prompt": {"id": "p"}}), "unknown_parameter", "session.prompt"),
        (json!({"truncation": "auto"}), "unknown_parameter", "session.truncation"),
        (json!({"include": []}), "unknown_parameter", "session.include"),
        (json!({"reasoning": {}}), "unknown_parameter", "session.reasoning"),
        (json!({"parallel_tool_calls": true}), "unknown_parameter", "session.parallel_tool_calls"),
        (
            detection("idle_timeout_ms", json!(6000)),
            "unknown_parameter",
            "session.turn_detection.idle_timeout_ms",
        ),
        (
            json!({"input_audio_noise_reduction": {"type": "near_field", "strength": 1}}),
            "unknown_parameter",
            "session.input_audio_noise_reduction.strength",
        ),
        (
            json!({"input_audio_transcription": {"delay": "low"}}),
            "unknown_parameter",
            "session.input_audio_transcription.delay",
        ),
        (json!({"modalities": ["audio"]}), "invalid_value", "session.modalities"),
        (json!({"voice": "marin"}), "invalid_value", "session.voice"),
        (json!({"voice": {"id": "v"}}), "invalid_value", "session.voice"),
        (json!({"input_audio_format": {"type": "audio/pcm"}}), "invalid_value", "session.input_audio_format"),
        (json!({"output_audio_format": "pcm24"}), "invalid_value", "session.output_audio_format"),
        (json!({"temperature": 1.3}), "invalid_value", "session.temperature"),
        (json!({"speed": 2}), "invalid_value", "session.speed"),
        (json!({"tool_choice": {"type": "function", "name": "f"}}), "invalid_value", "session.tool_choice"),
        (tool(json!({"type": "mcp", "server_label": "s"})), "invalid_value", "session.tools[0].type"),
        (json!({"model": "other"}), "invalid_value", "session.model"),
    ] {
        let mut client = Client::of(Api::Beta, Kind::Realtime, &[]);
        client.events();
        assert_eq!(client.refused(update(update_of.clone())), code_and_param(code, param), "{update_of}");
    }
    let mut client = session(&[], text_and_manual());
    let create = |response: Value| json!({"type": "response.create", "event_id": "c", "response": response});
    for (response, param) in [
        (json!({"output_modalities": ["text"]}), "response.output_modalities"),
        (json!({"audio": {}}), "response.audio"),
        (json!({"max_output_tokens": 9}), "response.max_output_tokens"),
        (json!({"prompt": {"id": "p"}}), "response.prompt"),
    ] {
        let refused = client.refused(create(response.clone()));
        assert_eq!(refused, code_and_param("unknown_parameter", param), "{response}");
    }
    let item = |kind: &str| {
        json!({"type": "conversation.item.create", "event_id": "c", "item": {"type": "message",
        "role": "assistant", "content": [{"type": kind, "text": "x"}]}})
    };
    assert_eq!(client.refused(item("output_text")), code_and_param("invalid_value", "item.content[0].type"));
    assert_eq!(client.refused(item("audio")), code_and_param("unsupported_content_type", "item.content[0]"));
    let image = json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}});
    assert_eq!(client.refused(image), code_and_param("invalid_value", "item.content[0].type"));
}

#[test]
fn a_fault_of_the_session_blames_the_betas_field() {
    let mut client = session(&[], json!({"turn_detection": null}));
    client.send(user_text("hello"));
    client.ask(respond());
    let voice = update(json!({"voice": "echo"}));
    assert_eq!(client.refused(voice), code_and_param("cannot_update_voice", "session.voice"));
    let voice = json!({"type": "response.create", "response": {"voice": "echo"}});
    assert_eq!(client.refused(voice), code_and_param("cannot_update_voice", "response.voice"));
}

#[test]
fn a_text_turn_has_the_names_and_parts_of_the_beta() {
    let mut client = session(&[], text_and_manual());
    client.send(user_text("hello"));
    let events = client.wait(10);
    assert_eq!(types(&events), ["conversation.item.created"]);
    let mut context = user_text("x");
    context["item"]["role"] = json!("assistant");
    context["item"]["content"][0]["type"] = json!("text");
    let events = client.ask(context);
    assert_eq!(the(&events, "conversation.item.created")["item"]["content"][0]["type"], "text");
    let events = client.ask(json!({"type": "response.create",
        "response": {"max_response_output_tokens": 4096, "metadata": {"k": "v"}, "input": [user_text("hello")["item"]]}}));
    let mut names = types(&events);
    names.dedup();
    let expected = [
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.text.delta",
        "response.text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ];
    assert_eq!(names, expected);
    let response = &the(&events, "response.done")["response"];
    assert_eq!(
        (&response["modalities"], &response["output_audio_format"], &response["voice"]),
        (&json!(["text"]), &json!("pcm16"), &json!("alloy"))
    );
    assert_eq!((&response["max_output_tokens"], &response["metadata"]["k"]), (&json!(4096), &json!("v")));
    assert!(response.get("audio").is_none() && response.get("output_modalities").is_none());
    assert_eq!(response["output"][0]["content"][0]["type"], "text");
    assert_eq!(the(&events, "response.output_item.done")["item"]["content"][0]["type"], "text");
}

#[test]
fn a_spoken_turn_calls_a_function_without_its_name_at_the_end() {
    let tools = json!([{"type": "function", "name": "get_current_time"}]);
    let mut client =
        session(&[], json!({"tools": tools, "input_audio_transcription": {"model": "whisper-1"}}));
    client.speak(&[(false, 400), (true, 400), (false, 400)]);
    let events = client.wait(60_000);
    assert_eq!(of_type(&events, "conversation.item.created").len(), 2, "the question and the call");
    let done = the(&events, "response.function_call_arguments.done");
    assert!(done.get("name").is_none(), "{done}");
    assert_eq!(the(&events, "response.output_item.added")["item"]["name"], "get_current_time");
    client.ask(json!({"type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": done["call_id"], "output": "{}"}}));
    let events = client.ask(respond());
    assert!(of_type(&events, "response.audio.delta").len() > 1);
    the(&events, "response.audio.done");
    let said = the(&events, "response.audio_transcript.done")["transcript"].clone();
    let part = &the(&events, "response.done")["response"]["output"][0]["content"][0];
    assert_eq!((&part["type"], &part["transcript"]), (&json!("audio"), &said));
    let old_names = ["response.output_audio.delta", "conversation.item.added", "conversation.item.done"];
    assert!(types(&events).iter().all(|name| !old_names.contains(&name.as_str())));
}
