//! Every strictness of the API: what is refused, with which code and param.

use serde_json::{Value, json};

use super::*;

/// Sends an update that must change nothing.
fn update_refused(session: Value) -> (String, Value) {
    let mut client = Client::new(&[]);
    let refusal = client.refused(update(session));
    client.send(update(json!({"type": "realtime"})));
    let events = client.events();
    let current = the(&events, "session.updated")["session"].clone();
    let created = Client::new(&[]).events();
    assert_eq!(current, created[0]["session"], "nothing of a refused update applies");
    refusal
}

#[test]
fn a_session_update_is_refused_for_one_bad_field() {
    let input = |field: &str, value: Value| json!({"type": "realtime", "instructions": "new", "audio": {"input": {field: value}}});
    let output = |field: &str, value: Value| json!({"type": "realtime", "audio": {"output": {field: value}}});
    let session =
        |field: &str, value: Value| json!({"type": "realtime", "instructions": "new", field: value});
    let vad =
        |field: &str, value: Value| input("turn_detection", json!({"type": "server_vad", field: value}));
    let tool = |tool: Value| session("tools", json!([tool]));
    for (update, code, param) in [
        (json!({}), "missing_required_parameter", "session.type"),
        (json!({"type": "other"}), "invalid_value", "session.type"),
        (json!({"type": "transcription"}), "invalid_value", "session.type"),
        (session("temperature", json!(0.8)), "unknown_parameter", "session.temperature"),
        (session("voice", json!("marin")), "unknown_parameter", "session.voice"),
        (session("modalities", json!(["text"])), "unknown_parameter", "session.modalities"),
        (session("turn_detection", Value::Null), "unknown_parameter", "session.turn_detection"),
        (session("model", json!("other")), "invalid_value", "session.model"),
        (session("instructions", Value::Null), "invalid_value", "session.instructions"),
        (
            session("output_modalities", json!(["audio", "text"])),
            "invalid_value",
            "session.output_modalities",
        ),
        (session("output_modalities", json!([])), "invalid_value", "session.output_modalities"),
        (session("max_output_tokens", json!(0)), "invalid_value", "session.max_output_tokens"),
        (session("max_output_tokens", json!(4097)), "invalid_value", "session.max_output_tokens"),
        (session("max_output_tokens", json!("many")), "invalid_value", "session.max_output_tokens"),
        (session("tool_choice", json!("maybe")), "invalid_value", "session.tool_choice"),
        (session("tools", Value::Null), "invalid_value", "session.tools"),
        (tool(json!({"type": "function", "name": "a b"})), "invalid_value", "session.tools[0].name"),
        (tool(json!({"type": "function", "name": "x".repeat(65)})), "invalid_value", "session.tools[0].name"),
        (tool(json!({"type": "function"})), "missing_required_parameter", "session.tools[0].name"),
        (
            tool(json!({"type": "function", "name": "a", "strict": true})),
            "unknown_parameter",
            "session.tools[0].strict",
        ),
        (tool(json!({"type": "function", "function": {}})), "unknown_parameter", "session.tools[0].function"),
        (
            input("format", json!({"type": "audio/pcm", "rate": 16000})),
            "invalid_value",
            "session.audio.input.format.rate",
        ),
        (input("format", json!("pcm16")), "invalid_value", "session.audio.input.format"),
        (
            input("format", json!({"type": "audio/pcmu", "rate": 8000})),
            "unknown_parameter",
            "session.audio.input.format.rate",
        ),
        (
            vad("idle_timeout_ms", json!(4999)),
            "invalid_value",
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        (
            vad("idle_timeout_ms", json!(30_001)),
            "invalid_value",
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        (vad("threshold", json!(1.1)), "invalid_value", "session.audio.input.turn_detection.threshold"),
        (
            vad("create_response", Value::Null),
            "invalid_value",
            "session.audio.input.turn_detection.create_response",
        ),
        (vad("eagerness", json!("low")), "unknown_parameter", "session.audio.input.turn_detection.eagerness"),
        (
            input("noise_reduction", json!({"type": "mid"})),
            "invalid_value",
            "session.audio.input.noise_reduction.type",
        ),
        (
            input("transcription", json!({"modell": "x"})),
            "unknown_parameter",
            "session.audio.input.transcription.modell",
        ),
        (output("voice", json!("nobody")), "invalid_value", "session.audio.output.voice"),
        (output("speed", json!(2)), "invalid_value", "session.audio.output.speed"),
        (output("volume", json!(1)), "unknown_parameter", "session.audio.output.volume"),
    ] {
        let (got_code, got_param) = update_refused(update.clone());
        assert_eq!((got_code, got_param), code_and_param(code, param), "{update}");
    }
}

#[test]
fn a_full_session_update_is_accepted() {
    let session = json!({"type": "realtime", "instructions": "Be brief.", "output_modalities": ["audio"],
        "model": "gpt-realtime", "max_output_tokens": "inf", "tool_choice": {"type": "function", "name": "get_time"},
        "tools": [{"type": "function", "name": "get_time", "description": "Current time",
            "parameters": {"type": "object", "properties": {}}}],
        "tracing": null, "prompt": null, "truncation": {"type": "retention_ratio", "retention_ratio": 0.5},
        "include": ["item.input_audio_transcription.logprobs"],
        "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}, "noise_reduction": {"type": "near_field"},
                "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
                "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
                    "silence_duration_ms": 500, "idle_timeout_ms": null}},
            "output": {"format": {"type": "audio/pcma"}, "voice": {"id": "voice_1"}, "speed": 1.25}}});
    let mut client = Client::configured(&[], session.clone());
    let events = client.ask(update(json!({"type": "realtime"})));
    let effective = &the(&events, "session.updated")["session"];
    assert_eq!(effective["tools"], session["tools"]);
    assert_eq!(effective["audio"]["output"], session["audio"]["output"]);
    assert_eq!(effective["audio"]["input"]["turn_detection"]["interrupt_response"], true);
}

#[test]
fn frames_that_are_no_events_are_refused() {
    let mut client = Client::new(&[]);
    client.events();
    for (frame, code) in [
        ("{", "invalid_json"),
        ("[]", "invalid_event"),
        ("{}", "invalid_event"),
        ("{\"type\":1}", "invalid_event"),
    ] {
        client.session.text(frame, client.now);
        assert_eq!(the(&client.events(), "error")["error"]["code"], code, "{frame}");
    }
    client.session.binary(b"", client.now);
    assert_eq!(the(&client.events(), "error")["error"]["code"], "invalid_event");
    for event in [
        json!({"type": "transcription_session.update", "session": {}}),
        json!({"type": "KeepAlive"}),
        json!({"type": "output_audio_buffer.clear", "event_id": "c1"}),
    ] {
        assert_eq!(client.refused(event), code_and_param("invalid_event", "type"));
    }
    let long = json!({"type": "input_audio_buffer.clear", "event_id": "x".repeat(513)});
    assert_eq!(client.refused(long), code_and_param("invalid_value", "event_id"));
    let extra = json!({"type": "input_audio_buffer.clear", "now": true});
    assert_eq!(client.refused(extra), code_and_param("unknown_parameter", "now"));
}

#[test]
fn audio_is_refused_early_and_when_it_is_bad() {
    let append = |audio: Value| json!({"type": "input_audio_buffer.append", "audio": audio});
    let mut client = Client::new(&[]);
    assert_eq!(client.refused(append(json!("AAAA"))), ("invalid_event".to_owned(), Value::Null));
    client.ask(update(json!({"type": "realtime"})));
    for audio in
        [json!("AAA="), json!("AA=A"), json!("*"), json!(null), json!("A".repeat(15 * 1024 * 1024 + 4))]
    {
        // "AAA=" is good base64, of two bytes; it is the one that passes.
        if audio == "AAA=" {
            assert_eq!(client.ask(append(audio)), Vec::<Value>::new());
        } else {
            assert_eq!(client.refused(append(audio)), code_and_param("invalid_value", "audio"));
        }
    }
    assert_eq!(
        client.refused(append(json!("AAAA"))),
        code_and_param("invalid_value", "audio"),
        "three bytes"
    );
}

#[test]
fn an_early_append_is_refused_until_updated_was_sent() {
    let mut client = Client::new(&[("updated_delay_ms", "50")]);
    client.send(update(json!({"type": "realtime"})));
    assert_eq!(client.refused(json!({"type": "input_audio_buffer.append", "audio": ""})).0, "invalid_event");
    client.wait(50);
    assert_eq!(client.ask(json!({"type": "input_audio_buffer.append", "audio": ""})), Vec::<Value>::new());
}

#[test]
fn items_are_refused_for_what_they_hold() {
    let message = |role: &str, part: Value| json!({"type": "message", "role": role, "content": [part]});
    let text = |kind: &str| json!({"type": kind, "text": "x"});
    let image = |url: &str| json!({"type": "input_image", "image_url": url});
    for (item, code, param) in [
        (json!({}), "missing_required_parameter", "item.type"),
        (json!({"type": "mcp_call"}), "invalid_value", "item.type"),
        (message("user", text("text")), "invalid_value", "item.content[0].type"),
        (message("user", text("output_text")), "invalid_value", "item.content[0].type"),
        (
            message("system", json!({"type": "input_audio", "audio": ""})),
            "invalid_value",
            "item.content[0].type",
        ),
        (message("assistant", text("input_text")), "invalid_value", "item.content[0].type"),
        (
            message("assistant", json!({"type": "output_audio", "audio": ""})),
            "unsupported_content_type",
            "item.content[0]",
        ),
        (message("bystander", text("input_text")), "invalid_value", "item.role"),
        (message("user", image("http://localhost/a.png")), "invalid_value", "item.content[0].image_url"),
        (json!({"type": "message", "role": "user", "content": []}), "invalid_value", "item.content"),
        (
            json!({"id": "x".repeat(33), "type": "message", "role": "user", "content": [text("input_text")]}),
            "invalid_value",
            "item.id",
        ),
        (
            json!({"type": "function_call_output", "call_id": "c"}),
            "missing_required_parameter",
            "item.output",
        ),
        (
            json!({"type": "function_call_output", "call_id": "c", "output": {}}),
            "invalid_value",
            "item.output",
        ),
        (
            json!({"type": "function_call_output", "call_id": "c", "output": ""}),
            "invalid_value",
            "item.call_id",
        ),
    ] {
        let mut client = Client::new(&[]);
        let event = json!({"type": "conversation.item.create", "event_id": "c1", "item": item});
        assert_eq!(client.refused(event), code_and_param(code, param), "{item}");
    }
    let mut client = Client::new(&[]);
    for item in [
        message("system", text("input_text")),
        message("assistant", text("output_text")),
        message("user", image("data:image/png;base64,AAAA")),
        json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}),
        json!({"type": "function_call_output", "call_id": "c", "output": ""}),
    ] {
        client.events();
        client.send(json!({"type": "conversation.item.create", "item": item}));
        assert_eq!(types(&client.events()), ["conversation.item.added", "conversation.item.done"], "{item}");
    }
}

#[test]
fn unknown_and_repeated_items_are_refused() {
    let mut client = Client::new(&[]);
    let mut item = user_text("x");
    item["item"]["id"] = json!("mine");
    client.send(item.clone());
    client.events();
    assert_eq!(client.refused(item.clone()), code_and_param("invalid_value", "item.id"));
    item["item"]["id"] = json!("other");
    item["previous_item_id"] = json!("nowhere");
    assert_eq!(client.refused(item.clone()), code_and_param("invalid_item_id", "previous_item_id"));
    item["previous_item_id"] = Value::Null;
    assert_eq!(client.refused(item), code_and_param("invalid_value", "previous_item_id"));
    let on = |name: &str| json!({"type": format!("conversation.item.{name}"), "item_id": "nowhere"});
    assert_eq!(client.refused(on("retrieve")).0, "invalid_item_id");
    assert_eq!(client.refused(on("delete")).0, "item_delete_invalid_item_id");
    let truncate = |item_id: &str, index: u64, ms: i64| json!({"type": "conversation.item.truncate", "item_id": item_id, "content_index": index, "audio_end_ms": ms});
    assert_eq!(client.refused(truncate("nowhere", 0, 0)).0, "item_truncate_invalid_item_id");
    assert_eq!(client.refused(truncate("mine", 0, 0)), code_and_param("invalid_value", "item_id"));
    assert_eq!(client.refused(truncate("mine", 1, 0)), code_and_param("invalid_value", "content_index"));
    assert_eq!(client.refused(truncate("mine", 0, -1)), code_and_param("invalid_value", "audio_end_ms"));
}

#[test]
fn responses_are_refused_when_one_runs_or_fields_are_bad() {
    let mut client = Client::configured(&[], json!({"type": "realtime"}));
    let cancel = json!({"type": "response.cancel", "event_id": "c9"});
    assert_eq!(client.refused(cancel).0, "response_cancel_not_active");
    client.send(respond());
    assert_eq!(client.refused(respond()).0, "conversation_already_has_active_response");
    client.wait(60_000);
    let create = |response: Value| json!({"type": "response.create", "response": response});
    let many = (0..17).map(|index| (index.to_string(), json!("v"))).collect::<serde_json::Map<_, _>>();
    for (response, code, param) in [
        (json!({"modalities": ["text"]}), "unknown_parameter", "response.modalities"),
        (json!({"output_modalities": ["text", "audio"]}), "invalid_value", "response.output_modalities"),
        (json!({"conversation": "both"}), "invalid_value", "response.conversation"),
        (json!({"metadata": {"k": 1}}), "invalid_value", "response.metadata.k"),
        (json!({"metadata": many}), "invalid_value", "response.metadata"),
        (json!({"metadata": {"x".repeat(65): "v"}}), "invalid_value", "response.metadata"),
        (
            json!({"input": [{"type": "item_reference", "id": "nowhere"}]}),
            "invalid_item_id",
            "response.input[0].id",
        ),
        (
            json!({"input": [{"type": "item_reference"}]}),
            "missing_required_parameter",
            "response.input[0].id",
        ),
        (json!({"audio": {"input": {}}}), "unknown_parameter", "response.audio.input"),
        (
            json!({"audio": {"output": {"voice": "cedar"}}}),
            "cannot_update_voice",
            "response.audio.output.voice",
        ),
        (json!(null), "invalid_value", "response"),
    ] {
        assert_eq!(client.refused(create(response.clone())), code_and_param(code, param), "{response}");
    }
    let voice = json!({"type": "realtime", "instructions": "x", "audio": {"output": {"voice": "cedar"}}});
    assert_eq!(
        client.refused(update(voice)),
        code_and_param("cannot_update_voice", "session.audio.output.voice")
    );
    let events = client.ask(update(json!({"type": "realtime", "audio": {"output": {"voice": "marin"}}})));
    let session = &the(&events, "session.updated")["session"];
    assert_ne!(session["instructions"], "x", "nothing of a refused update applies");
    assert_eq!(session["audio"]["output"]["voice"], "marin", "the voice in force may be said again");
}
