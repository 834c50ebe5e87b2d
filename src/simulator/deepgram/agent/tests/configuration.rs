//! What may stand in a Settings ("Voice Agent protocol, Settings", "Listen providers", "Think and speak providers").

use super::*;

/// A Settings with a value put at a pointer, or taken away by null.
fn with(pointer: &str, value: Value) -> Value {
    let mut settings = json!({"type": "Settings",
        "audio": {"input": {"encoding": "linear16", "sample_rate": 16000}, "output": {"encoding": "linear16"}},
        "agent": {"listen": {"provider": {"type": "deepgram"}},
            "think": {"provider": {"type": "open_ai", "model": "gpt-4o-mini"}},
            "speak": {"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}}}});
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = settings.pointer_mut(parent).expect("the parent is there");
    let parent = parent.as_object_mut().expect("the parent is an object");
    if value.is_null() {
        parent.remove(name);
    } else {
        parent.insert(name.to_owned(), value);
    }
    settings
}

fn outcome(settings: &Value) -> Result<(), String> {
    let mut client = Client::new(&[]);
    client.messages();
    client.send(settings);
    match client.messages().as_slice() {
        [applied] if applied["type"] == "SettingsApplied" => Ok(()),
        [error] if error["type"] == "Error" && client.closed == Some(1008) => {
            let text = |name: &str| error[name].as_str().expect("a text");
            Err(format!("{} {}", text("code"), text("description")))
        }
        other => panic!("{settings}: {other:?}"),
    }
}

#[test]
fn what_the_tables_allow_is_applied() {
    let think = |provider: Value| json!({"provider": provider});
    let speak =
        |provider: Value| json!({"provider": provider, "endpoint": {"url": "https://e.com", "headers": {}}});
    let credentials = json!({"type": "iam", "region": "r", "access_key_id": "a", "secret_access_key": "s"});
    for (pointer, value) in [
        ("/tags", json!(["a"])),
        ("/experimental", json!(true)),
        ("/flags", json!({"history": false})),
        ("/mip_opt_out", json!(true)),
        ("/audio", json!({})),
        ("/audio/input", json!({"encoding": "g729", "sample_rate": 48000})),
        ("/audio/output", json!({"encoding": "mp3", "bitrate": 32000, "sample_rate": 22050})),
        ("/audio/output", json!({"encoding": "opus", "container": "ogg"})),
        ("/audio/output", json!({"encoding": "flac", "sample_rate": 44100})),
        ("/audio/output", json!({"encoding": "aac"})),
        ("/agent", json!({})),
        ("/agent/language", json!("en")),
        ("/agent/greeting", json!("")),
        (
            "/agent/context",
            json!({"messages": [{"type": "History", "role": "assistant", "content": "x"},
            {"type": "History", "function_calls": [{"id": "1", "name": "f", "client_side": true, "arguments": "{}",
                "response": "r", "thought_signature": "s"}]}]}),
        ),
        (
            "/agent/listen",
            think(json!({"type": "deepgram", "model": "nova-3", "language": "multi", "keyterms": ["x"],
            "smart_format": true, "version": "v1"})),
        ),
        (
            "/agent/listen",
            think(json!({"type": "deepgram", "version": "v2", "model": "flux-general-multi",
            "language_hints": ["en"], "eot_threshold": 0.5, "eager_eot_threshold": 0.9, "eot_timeout_ms": 500})),
        ),
        (
            "/agent/think",
            json!([
                think(json!({"type": "anthropic", "model": "c", "temperature": 1})),
                think(json!({"type": "google", "model": "g", "version": "v1beta", "temperature": 2.0}))
            ]),
        ),
        (
            "/agent/think",
            json!({"provider": {"type": "groq", "model": "openai/gpt-oss-20b", "reasoning_mode": "low"},
            "endpoint": {"url": "https://e.com", "headers": {"authorization": "bearer x"}}, "context_length": "max"}),
        ),
        ("/agent/think", think(json!({"type": "aws_bedrock", "model": "m", "credentials": credentials}))),
        (
            "/agent/think",
            think(json!({"type": "deepgram", "model": "think-fast", "voice_prompt_opt_out": true})),
        ),
        (
            "/agent/think/functions",
            json!([{"name": "f", "description": "d", "parameters": {"type": "object"},
            "endpoint": {"url": "https://e.com", "method": "post", "headers": {"a": "b"}}, "defer_until_eot": true}]),
        ),
        (
            "/agent/think_live",
            think(json!({"type": "deepgram", "version": "v1", "presence_check_interval_ms": 3000,
            "restricted_terms": ["x"]})),
        ),
        (
            "/agent/speak",
            json!([{"provider": {"type": "deepgram", "model": "flux-kit-en", "version": "v2",
            "speed": 0.55, "expressivity": -2}}]),
        ),
        (
            "/agent/speak/provider",
            json!({"type": "deepgram", "model": "aura-2", "version": "v1", "speed": 0.73}),
        ),
        (
            "/agent/speak",
            speak(json!({"type": "cartesia", "model_id": "m", "voice": {"mode": "id", "id": "v"}})),
        ),
        ("/agent/speak", speak(json!({"type": "open_ai", "model": "tts-1", "voice": "alloy"}))),
        (
            "/agent/speak",
            speak(json!({"type": "aws_polly", "voice": "v", "language": "en", "engine": "e",
            "credentials": credentials})),
        ),
        (
            "/agent/speak",
            json!({"provider": {"type": "eleven_labs", "model_id": "m", "language_code": "en"},
            "endpoint": {"url": "wss://e.com"}}),
        ),
    ] {
        let settings = with(pointer, value);
        assert_eq!(outcome(&settings), Ok(()), "{settings}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let history = |item: Value| json!({"messages": [item]});
    let function = |member: &str, value: Value| {
        let mut function = json!({"name": "f"});
        function[member] = value;
        json!([function])
    };
    for (pointer, value, path) in [
        ("/audio", Value::Null, "audio"),
        ("/agent", Value::Null, "agent"),
        ("/agent", json!(1), "agent"),
        ("/history", json!(true), "history"),
        ("/flags", json!({"histroy": true}), "flags.histroy"),
        ("/audio/input/sample_rate", json!(16000.0), "audio.input.sample_rate"),
        ("/audio/input/sample_rate", json!("16000"), "audio.input.sample_rate"),
        ("/audio/input/sample_rate", Value::Null, "audio.input.sample_rate"),
        ("/audio/input/encoding", Value::Null, "audio.input.encoding"),
        ("/audio/input/channels", json!(1), "audio.input.channels"),
        ("/audio/output/sample_rate", json!(24000.0), "audio.output.sample_rate"),
        ("/agent/idleTimeoutMs", json!(10000), "agent.idleTimeoutMs"),
        ("/agent/sessionAudioOutput", json!({}), "agent.sessionAudioOutput"),
        ("/agent/messages", json!([]), "agent.messages"),
        (
            "/agent/context",
            history(json!({"role": "user", "content": "x"})),
            "agent.context.messages[0].type",
        ),
        ("/agent/context", history(json!({"type": "History"})), "agent.context.messages[0].role"),
        ("/agent/listen/provider/type", Value::Null, "agent.listen.provider.type"),
        ("/agent/listen/provider/eot_threshold", json!(0.7), "agent.listen.provider.eot_threshold"),
        ("/agent/think/timeout", json!(5), "agent.think.timeout"),
        ("/agent/think/toolChoice", json!("auto"), "agent.think.toolChoice"),
        ("/agent/think/provider/endpoint", json!({}), "agent.think.provider.endpoint"),
        ("/agent/think/provider/type", Value::Null, "agent.think.provider.type"),
        ("/agent/think/provider/model", Value::Null, "agent.think.provider.model"),
        ("/agent/think/endpoint", json!({"url": "https://e.com"}), "agent.think.endpoint.headers"),
        ("/agent/think/context_length", json!(5.0), "agent.think.context_length"),
        (
            "/agent/think/functions",
            function("client_side", json!(true)),
            "agent.think.functions[0].client_side",
        ),
        ("/agent/think/functions", function("parameters", json!("x")), "agent.think.functions[0].parameters"),
        (
            "/agent/think/functions",
            function("endpoint", json!({"url": "https://e.com"})),
            "agent.think.functions[0].endpoint.method",
        ),
        ("/agent/think/functions", json!([{"description": "d"}]), "agent.think.functions[0].name"),
        ("/agent/speak/provider/voice", json!("x"), "agent.speak.provider.voice"),
        ("/agent/speak/provider/model", Value::Null, "agent.speak.provider.model"),
        ("/agent/speak/provider/expressivity", json!(1.0), "agent.speak.provider.expressivity"),
        ("/agent/greeting", json!(["x"]), "agent.greeting"),
    ] {
        let settings = with(pointer, value);
        let error = outcome(&settings).expect_err(pointer);
        assert!(error.starts_with(&format!("UNPARSABLE_CLIENT_MESSAGE {path}: ")), "{settings}: {error}");
    }
}

#[test]
fn values_that_the_tables_do_not_have_are_refused() {
    let functions = |function: Value| json!([function]);
    let think = |provider: Value| json!({"provider": provider});
    for (pointer, value, path) in [
        ("/audio/input/encoding", json!("pcm"), "audio.input.encoding"),
        ("/audio/input/sample_rate", json!(7999), "audio.input.sample_rate"),
        ("/audio/input/sample_rate", json!(96000), "audio.input.sample_rate"),
        ("/audio/output/encoding", json!("linear32"), "audio.output.encoding"),
        ("/audio/output/sample_rate", json!(44100), "audio.output.sample_rate"),
        ("/audio/output", json!({"encoding": "mulaw", "sample_rate": 24000}), "audio.output.sample_rate"),
        ("/audio/output", json!({"encoding": "mp3", "sample_rate": 24000}), "audio.output.sample_rate"),
        ("/audio/output", json!({"encoding": "opus", "sample_rate": 16000}), "audio.output.sample_rate"),
        ("/audio/output", json!({"encoding": "flac", "sample_rate": 96000}), "audio.output.sample_rate"),
        ("/audio/output/bitrate", json!(32000), "audio.output.bitrate"),
        ("/audio/output", json!({"encoding": "mp3", "bitrate": 64000}), "audio.output.bitrate"),
        ("/audio/output/container", json!("WAV"), "audio.output.container"),
        ("/audio/output/container", json!("ogg"), "audio.output.container"),
        ("/audio/output", json!({"encoding": "mp3", "container": "wav"}), "audio.output.container"),
        ("/agent/listen/provider/type", json!("other"), "agent.listen.provider.type"),
        ("/agent/listen/provider/version", json!("v3"), "agent.listen.provider.version"),
        ("/agent/listen/provider/model", json!("flux-general-en"), "agent.listen.provider.model"),
        (
            "/agent/listen",
            think(json!({"type": "deepgram", "version": "v2", "model": "nova-3"})),
            "agent.listen.provider.model",
        ),
        (
            "/agent/listen",
            think(json!({"type": "deepgram", "version": "v2", "model": "flux-general-en",
            "language_hints": ["de"]})),
            "agent.listen.provider.language_hints",
        ),
        (
            "/agent/listen",
            think(json!({"type": "deepgram", "version": "v2", "model": "flux-general-en",
            "eot_threshold": 0.4})),
            "agent.listen.provider.eot_threshold",
        ),
        ("/agent/think", json!([]), "agent.think"),
        ("/agent/think/provider/type", json!("openai"), "agent.think.provider.type"),
        ("/agent/think/provider/temperature", json!(2.1), "agent.think.provider.temperature"),
        (
            "/agent/think",
            think(json!({"type": "anthropic", "model": "c", "temperature": 1.5})),
            "agent.think.provider.temperature",
        ),
        ("/agent/think", think(json!({"type": "groq", "model": "openai/gpt-oss-20b"})), "agent.think"),
        ("/agent/think/context_length", json!(5000), "agent.think.context_length"),
        ("/agent/think/endpoint", json!({"url": "e.com", "headers": {}}), "agent.think.endpoint.url"),
        ("/agent/think/functions", functions(json!({"name": ""})), "agent.think.functions[0].name"),
        (
            "/agent/think/functions",
            functions(json!({"name": "f", "initial_agent_filler": true})),
            "agent.think.functions.initial_agent_filler",
        ),
        (
            "/agent/think_live",
            think(json!({"type": "deepgram", "version": "v1",
            "presence_check_interval_ms": 2999})),
            "agent.think_live.provider.presence_check_interval_ms",
        ),
        ("/agent/speak/provider/version", json!("v2"), "agent.speak.provider.version"),
        ("/agent/speak/provider/speed", json!(0.65), "agent.speak.provider.speed"),
        (
            "/agent/speak/provider",
            json!({"type": "deepgram", "model": "flux-kit-en", "speed": 0.51}),
            "agent.speak.provider.speed",
        ),
        ("/agent/speak/provider/expressivity", json!(3), "agent.speak.provider.expressivity"),
        (
            "/agent/speak/provider",
            json!({"type": "open_ai", "model": "tts-1", "voice": "alloy"}),
            "agent.speak",
        ),
        (
            "/agent/speak",
            json!({"provider": {"type": "cartesia", "model_id": "m",
            "voice": {"mode": "id", "id": "v"}}, "endpoint": {"url": "wss://e.com"}}),
            "agent.speak.endpoint.url",
        ),
    ] {
        let settings = with(pointer, value);
        let error = outcome(&settings).expect_err(pointer);
        assert!(error.starts_with(&format!("INVALID_SETTINGS {path}: ")), "{settings}: {error}");
    }
    let mut fast = with("/agent/think", think(json!({"type": "deepgram", "model": "think-fast"})));
    fast["mip_opt_out"] = json!(true);
    assert!(outcome(&fast).expect_err("it cannot").starts_with("INVALID_SETTINGS mip_opt_out: "));
}

#[test]
fn updates_are_checked_as_settings_are() {
    for (message, code) in [
        (
            json!({"type": "UpdateThink", "think": {"provider": {"type": "open_ai", "model": "m", "temperature": 3}}}),
            "INVALID_SETTINGS",
        ),
        (
            json!({"type": "UpdateThink", "think": {"provider": {"type": "open_ai", "model": "m"},
            "functions": [{"name": "f", "agent_filler_max_count": 1}]}}),
            "INVALID_SETTINGS",
        ),
        (
            json!({"type": "UpdateThink", "think": {"provider": {"type": "open_ai", "model": "m"}, "timeout": 1}}),
            "UNPARSABLE_CLIENT_MESSAGE",
        ),
        (
            json!({"type": "UpdateListen", "listen": {"provider": {"type": "deepgram", "version": "v9"}}}),
            "INVALID_SETTINGS",
        ),
        (
            json!({"type": "UpdateSpeak", "speak": {"provider": {"type": "eleven_labs", "model_id": "m"}}}),
            "INVALID_SETTINGS",
        ),
        (
            json!({"type": "UpdateThink_Live", "think_live": {"provider": {"type": "deepgram", "version": "v2"}}}),
            "INVALID_SETTINGS",
        ),
    ] {
        let mut client = Client::configured(&[], &settings(json!({})));
        client.send(&message);
        assert_eq!(client.ended(), (code.to_owned(), 1008), "{message}");
    }
}
