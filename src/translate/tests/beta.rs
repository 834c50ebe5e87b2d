//! Events against the shape that the beta gives them.

use serde_json::{Value, json};

use crate::{protocol::realtime::ClientEvent, translate::beta};

/// What an event becomes, and what is left out.
#[track_caller]
fn translated(event: &Value) -> (Value, Vec<&'static str>) {
    let decoded = ClientEvent::decode(&event.to_string()).unwrap_or_else(|error| panic!("{error}: {event}"));
    let beta::Translated { event, left_out } = beta::translate(decoded);
    (serde_json::from_str(&event.encode()).expect("an event is JSON"), left_out)
}

fn update(session: &Value) -> Value {
    json!({"type": "session.update", "event_id": "vb_1", "session": session})
}

#[test]
fn a_session_has_the_members_of_the_beta() {
    let detection = json!({"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
        "silence_duration_ms": 200, "create_response": true, "interrupt_response": false});
    let tools =
        json!([{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}]);
    let transcription = json!({"model": "whisper-1", "language": "en", "prompt": "names"});
    for (present, beta) in [
        (json!({"type": "realtime"}), json!({})),
        (
            json!({"type": "realtime", "model": "m", "instructions": "Be brief.", "output_modalities": ["audio"],
                "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}, "transcription": transcription,
                        "noise_reduction": {"type": "near_field"}, "turn_detection": detection},
                    "output": {"format": {"type": "audio/pcma"}, "speed": 1.25, "voice": "alloy"}},
                "tools": tools, "tool_choice": "required", "max_output_tokens": 100, "tracing": "auto"}),
            json!({"instructions": "Be brief.", "tools": tools, "tool_choice": "required", "tracing": "auto",
                "modalities": ["text", "audio"], "voice": "alloy", "speed": 1.25, "input_audio_format": "pcm16",
                "output_audio_format": "g711_alaw", "input_audio_transcription": transcription,
                "input_audio_noise_reduction": {"type": "near_field"}, "turn_detection": detection,
                "max_response_output_tokens": 100}),
        ),
        (
            json!({"type": "realtime", "output_modalities": ["text"], "max_output_tokens": "inf", "tools": [],
                "audio": {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": null}}}),
            json!({"modalities": ["text"], "max_response_output_tokens": "inf", "tools": [],
                "input_audio_format": "g711_ulaw", "turn_detection": null}),
        ),
    ] {
        assert_eq!(translated(&update(&present)), (update(&beta), vec![]), "{present}");
    }
}

#[test]
fn what_the_beta_does_not_know_is_left_out_and_named() {
    let input = |member: Value| json!({"type": "realtime", "audio": {"input": member}});
    for (present, beta, path) in [
        (json!({"type": "realtime", "prompt": {"id": "p"}}), json!({}), "session.prompt"),
        (json!({"type": "realtime", "truncation": "auto"}), json!({}), "session.truncation"),
        (json!({"type": "realtime", "include": []}), json!({}), "session.include"),
        (json!({"type": "realtime", "parallel_tool_calls": true}), json!({}), "session.parallel_tool_calls"),
        (json!({"type": "realtime", "reasoning": {"effort": "low"}}), json!({}), "session.reasoning"),
        (
            json!({"type": "realtime", "tool_choice": {"type": "function", "name": "f"}}),
            json!({}),
            "session.tool_choice of one tool",
        ),
        (
            json!({"type": "realtime", "tools": [{"type": "function", "name": "f"},
                {"type": "mcp", "server_label": "s"}]}),
            json!({"tools": [{"type": "function", "name": "f"}]}),
            "session.tools of type mcp",
        ),
        (
            json!({"type": "realtime", "audio": {"output": {"voice": {"id": "v"}}}}),
            json!({}),
            "session.audio.output.voice",
        ),
        (
            input(json!({"turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000}})),
            json!({"turn_detection": {"type": "server_vad"}}),
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        (
            input(json!({"turn_detection": {"type": "semantic_vad", "model_version": "v2"}})),
            json!({"turn_detection": {"type": "semantic_vad"}}),
            "session.audio.input.turn_detection.model_version",
        ),
        (
            input(json!({"noise_reduction": {"type": "far_field", "strength": 0.5}})),
            json!({"input_audio_noise_reduction": {"type": "far_field"}}),
            "session.audio.input.noise_reduction.strength",
        ),
        (
            input(json!({"transcription": {"model": "m", "languages": ["de"]}})),
            json!({"input_audio_transcription": {"model": "m"}}),
            "session.audio.input.transcription.languages",
        ),
        (
            input(json!({"transcription": {"model": "m", "keywords": ["tea"]}})),
            json!({"input_audio_transcription": {"model": "m"}}),
            "session.audio.input.transcription.keywords",
        ),
        (
            input(json!({"transcription": {"model": "m", "delay": "low"}})),
            json!({"input_audio_transcription": {"model": "m"}}),
            "session.audio.input.transcription.delay",
        ),
    ] {
        assert_eq!(translated(&update(&present)), (update(&beta), vec![path]), "{present}");
    }
}

#[test]
fn a_response_has_the_members_of_the_beta() {
    let create =
        |response: Value| json!({"type": "response.create", "event_id": "vb_2", "response": response});
    let item = |kind: &str| {
        json!({"type": "message", "role": "assistant",
        "content": [{"type": kind, "text": "x"}]})
    };
    let present =
        create(json!({"conversation": "none", "instructions": "Say hello.", "metadata": {"k": "v"},
        "output_modalities": ["audio"], "max_output_tokens": 9, "tools": [], "tool_choice": "none",
        "input": [item("output_text")],
        "audio": {"output": {"format": {"type": "audio/pcmu"}, "voice": "ash"}}}));
    let beta = create(json!({"conversation": "none", "instructions": "Say hello.", "metadata": {"k": "v"},
        "modalities": ["text", "audio"], "max_response_output_tokens": 9, "tools": [], "tool_choice": "none",
        "input": [item("text")], "output_audio_format": "g711_ulaw", "voice": "ash"}));
    assert_eq!(translated(&present), (beta, vec![]));

    let present = create(json!({"prompt": {"id": "p"}, "reasoning": {}, "parallel_tool_calls": false,
        "tool_choice": {"type": "function", "name": "f"}, "tools": [{"type": "mcp", "server_label": "s"}],
        "audio": {"output": {"voice": {"id": "v"}}}}));
    let (beta, left_out) = translated(&present);
    assert_eq!(beta, create(json!({"tools": []})));
    let names = left_out.iter().map(|path| path.strip_prefix("response.").expect("a response's path"));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            "audio.output.voice",
            "tools of type mcp",
            "tool_choice of one tool",
            "parallel_tool_calls",
            "reasoning",
            "prompt"
        ]
    );
}

#[test]
fn an_assistant_item_has_the_parts_of_the_beta_and_every_other_event_is_the_same() {
    let create = |role: &str, part: &Value| {
        json!({"type": "conversation.item.create", "event_id": "vb_3", "previous_item_id": "root",
            "item": {"type": "message", "id": "vbi_3", "role": role, "content": [part]}})
    };
    for (present, beta) in [
        (json!({"type": "output_text", "text": "x"}), json!({"type": "text", "text": "x"})),
        (json!({"type": "output_audio", "transcript": "x"}), json!({"type": "audio", "transcript": "x"})),
        (json!({"type": "input_text", "text": "x"}), json!({"type": "input_text", "text": "x"})),
    ] {
        assert_eq!(translated(&create("assistant", &present)), (create("assistant", &beta), vec![]));
    }
    for event in [
        json!({"type": "response.create", "event_id": "vb_4"}),
        json!({"type": "response.cancel", "event_id": "vb_4", "response_id": "r"}),
        json!({"type": "input_audio_buffer.append", "event_id": "vb_4", "audio": "AAAA"}),
        json!({"type": "input_audio_buffer.commit", "event_id": "vb_4"}),
        json!({"type": "input_audio_buffer.clear", "event_id": "vb_4"}),
        json!({"type": "conversation.item.delete", "event_id": "vb_4", "item_id": "i"}),
        json!({"type": "conversation.item.retrieve", "event_id": "vb_4", "item_id": "i"}),
        json!({"type": "conversation.item.truncate", "event_id": "vb_4", "item_id": "i", "content_index": 0,
            "audio_end_ms": 7}),
        json!({"type": "conversation.item.create", "event_id": "vb_4",
            "item": {"type": "function_call_output", "id": "i", "call_id": "c", "output": "{}"}}),
        json!({"type": "its.own", "anything": {"audio": 1}}),
    ] {
        assert_eq!(translated(&event), (event, vec![]));
    }
}

#[test]
fn a_member_of_another_shape_is_left_out() {
    for audio in [json!(true), json!([]), json!({"output": "alloy"}), json!({"output": [{"voice": "x"}]})] {
        let (event, _) = translated(&json!({"type": "response.create", "response": {"audio": audio}}));
        assert_eq!(event, json!({"type": "response.create", "response": {}}), "{audio}");
    }
}
