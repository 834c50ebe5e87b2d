//! Azure OpenAI: the GA endpoint and the preview endpoint, each as the simulator has it, and what goes up to the
//! latter, as a mock records it.

use std::path::Path;

use serde_json::{Value, json};

use crate::peers::client::{Client, settings};
use crate::peers::frames::{self, FUNCTION, now};
use crate::peers::gateway::{Config, Gateway};
use crate::peers::journal::Journal;
use crate::peers::mock::Mock;
use crate::peers::s;
use crate::peers::script::Script;
use crate::peers::sound::heard;

const GA: &str = "/openai/v1/realtime";
const PREVIEW: &str = "/openai/realtime?api-version=2025-04-01-preview&deployment=my-deployment";
const PATHS: [&str; 2] = [GA, PREVIEW];

/// A gateway in front of its own simulator on one of Azure's paths; the simulator knows `key`.
async fn gateway(path: &str, key: &str) -> Gateway {
    let simulator = format!("[simulator]\nenabled = true\n[simulator.openai]\nazure_key = \"{key}\"");
    let config = Config::for_url(&format!("self:/sim/azure{path}")).section(&simulator);
    config.backend("model = \"my-deployment\"").backend("auth_header = \"api-key\"").start().await
}

/// Settings with a function and server VAD.
fn asking() -> Value {
    let function = json!({"name": FUNCTION, "parameters": {"type": "object", "properties": {}}});
    json!({"type": "Settings", "agent": {"think": {"prompt": "Be brief.", "functions": [function]}}})
}

/// A spoken question and half a second of silence, 16 kHz.
fn question() -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio/question.wav");
    let mut audio = std::fs::read(file).expect("the question is there").split_off(44);
    audio.resize(audio.len() + 16_000, 0);
    audio
}

/// Answers the call that comes, and gives all that came up to the end of the answer's audio.
async fn answered(client: &mut Client) -> Journal {
    let request = client.expect("FunctionCallRequest", s(10)).await;
    let call = &request["functions"][0];
    assert_eq!((&call["name"], &call["arguments"]), (&json!(FUNCTION), &json!("{}")), "{request}");
    let content = "{\"time\":\"10:42\"}";
    let answer =
        json!({"type": "FunctionCallResponse", "id": call["id"], "name": FUNCTION, "content": content});
    client.send(&answer).await;
    client.expect("AgentAudioDone", s(20)).await;
    client.journal()
}

/// The function was called once, its result was said once and could be heard, and nothing went wrong.
fn assert_told_the_time(journal: &Journal) {
    journal.assert_no_error();
    assert_eq!(journal.count("Warning"), 0, "{journal}");
    assert_eq!(journal.count("FunctionCallRequest"), 1, "{journal}");
    let said = "The time is 10:42. The tool says: {\"time\":\"10:42\"}";
    assert_eq!(journal.spoken_texts("assistant"), [said], "{journal}");
    // Two seconds of 24 kHz.
    let audio = heard(journal);
    assert!(audio.len() > 96_000 && audio.iter().any(|byte| *byte != 0), "{} bytes", audio.len());
}

#[tokio::test]
async fn a_typed_turn_with_a_call_on_both_paths() {
    for path in PATHS {
        let gateway = gateway(path, "test-key-1").await;
        let mut client = gateway.connect().await;
        client.open_with(&asking()).await;
        client.inject("What time is it?").await;
        assert_told_the_time(&answered(&mut client).await);
        client.inject("Hello").await;
        let answers = |journal: &Journal| (journal.spoken_texts("assistant").len() == 2).then_some(());
        client.wait_for("second answer", s(10), answers).await;
        client.journal().assert_no_error();
    }
}

#[tokio::test]
async fn a_spoken_turn_with_a_call_on_both_paths() {
    let question = question();
    for path in PATHS {
        let gateway = gateway(path, "test-key-1").await;
        let mut client = gateway.connect().await;
        client.open_with(&asking()).await;
        for frame in question.chunks(640) {
            client.send_binary(frame.to_vec()).await;
        }
        client.expect("UserStartedSpeaking", s(10)).await;
        assert_told_the_time(&answered(&mut client).await);
        client.expect_spoken("user", s(5)).await;
        assert_eq!(client.journal().spoken_texts("user"), ["What time is it?"]);
    }
}

#[tokio::test]
async fn changes_and_what_the_agent_is_told_to_say_on_both_paths() {
    for path in PATHS {
        let gateway = gateway(path, "test-key-1").await;
        let mut client = gateway.connect().await;
        client.open_with(&asking()).await;
        let speak = json!({"provider": {"type": "open_ai", "voice": "echo", "speed": 1.25}});
        client.send(&json!({"type": "UpdateSpeak", "speak": speak})).await;
        client.expect("SpeakUpdated", s(5)).await;
        client.send(&json!({"type": "UpdatePrompt", "prompt": "Be kind."})).await;
        client.expect("PromptUpdated", s(5)).await;
        let think = json!({"provider": {"type": "open_ai"}, "prompt": "Be brief.", "functions": []});
        client.send(&json!({"type": "UpdateThink", "think": think})).await;
        client.expect("ThinkUpdated", s(5)).await;
        client.send(&json!({"type": "InjectAgentMessage", "message": "Good morning."})).await;
        client.expect("AgentAudioDone", s(20)).await;
        let journal = client.journal();
        journal.assert_no_error();
        assert_eq!(journal.spoken_texts("assistant"), ["Good morning."], "{journal}");
        assert!(heard(&journal).len() > 9_600, "{journal}");
    }
}

#[tokio::test]
async fn an_interrupted_answer_on_both_paths() {
    let question = question();
    for path in PATHS {
        let gateway = gateway(path, "test-key-1").await;
        let mut client = gateway.connect().await;
        client.open_with(&json!({"type": "Settings"})).await;
        client.inject("Hello").await;
        let first_audio = |journal: &Journal| journal.binaries().next().map(|_| ());
        client.wait_for("audio", s(10), first_audio).await;
        for frame in question.chunks(640) {
            client.send_binary(frame.to_vec()).await;
        }
        client.expect("UserStartedSpeaking", s(10)).await;
        let answers = |journal: &Journal| (journal.count("AgentAudioDone") == 2).then_some(());
        client.wait_for("second answer", s(20), answers).await;
        client.journal().assert_no_error();
    }
}

#[tokio::test]
async fn a_wrong_key_and_none_are_an_error_of_its_own_on_both_paths() {
    for path in PATHS {
        let wrong = gateway(path, "another-key").await;
        wrong.connect().await.expect_ending("upstream_auth_failed", 1011).await;
        let toml =
            Config::for_url(&format!("self:/sim/azure{path}")).section("[simulator]\nenabled = true").toml();
        let none = Gateway::start(&toml.replace("api_key = \"test-key-1\"", "")).await;
        none.connect().await.expect_ending("upstream_auth_failed", 1011).await;
    }
}

#[tokio::test]
async fn what_a_path_does_not_take_is_refused_and_told() {
    for url in [
        // GA with the preview's parameter; the preview without its own.
        "self:/sim/azure/openai/v1/realtime?api-version=2025-04-01-preview",
        "self:/sim/azure/openai/realtime?api-version=2025-04-01-preview",
        "self:/sim/azure/openai/realtime?deployment=my-deployment",
    ] {
        let gateway = Config::for_url(url).section("[simulator]\nenabled = true").start().await;
        gateway.connect().await.expect_ending("upstream_unavailable", 1013).await;
    }
}

#[tokio::test]
async fn the_shape_of_the_other_api_is_refused_and_told() {
    for (path, shape, code) in
        [(PREVIEW, "ga", "unknown_parameter"), (GA, "beta", "missing_required_parameter")]
    {
        let config = Config::for_url(&format!("self:/sim/azure{path}"));
        let config =
            config.section("[simulator]\nenabled = true").backend(&format!("api_shape = \"{shape}\""));
        let gateway = config.start().await;
        let mut client = gateway.connect().await;
        client.send(&asking()).await;
        client.expect_error(code, s(5)).await;
        assert_eq!(client.journal().count("SettingsApplied"), 0);
    }
}

/// A mock that is spoken to as Azure's preview is, and its client after the opening.
async fn preview(script: Script, change: impl FnOnce(Config) -> Config) -> (Mock, Gateway, Client) {
    // The recording is judged by the types of the present API.
    let mock = Mock::start(Script { recorded: false, ..script }).await;
    let url = mock.url().replace("/v1/realtime", PREVIEW);
    let gateway = change(Config::for_url(&url).backend("auth_header = \"api-key\"")).start().await;
    let client = gateway.connect().await;
    (mock, gateway, client)
}

#[tokio::test]
async fn the_preview_gets_the_url_as_it_is_the_key_and_the_shapes_of_the_beta() {
    let script =
        Script { item_done: false, ..Script::calling(|_| vec![now(frames::output_text_done_of_response())]) };
    let (mock, gateway, mut client) = preview(script, |config| config.backend("voice = \"echo\"")).await;
    let agent = json!({"think": {"outputModalities": ["audio", "text"], "maxOutputTokens": 200,
        "toolChoice": "auto", "functions": [{"name": FUNCTION, "parameters": {"type": "object", "properties": {}}}]}});
    client.open_with(&settings(&agent)).await;

    let upgrade = &mock.upgrades()[0];
    assert_eq!(upgrade.target, PREVIEW);
    assert_eq!(upgrade.headers["api-key"], "test-key-1");
    for absent in ["authorization", "openai-beta"] {
        assert!(!upgrade.headers.contains_key(absent), "{upgrade:?}");
    }

    let session = mock.expect("session.update", s(5)).await["session"].clone();
    let parameters = json!({"type": "object", "properties": {}});
    assert_eq!(
        session,
        json!({"instructions": "You are a helpful assistant.", "modalities": ["text", "audio"], "voice": "echo",
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"model": "gpt-4o-transcribe", "language": "en"}, "turn_detection": null,
            "tools": [{"type": "function", "name": FUNCTION, "parameters": parameters}], "tool_choice": "auto",
            "max_response_output_tokens": 200})
    );

    // The rest of what goes up is the same in both.
    client.expect("FunctionCallRequest", s(5)).await;
    client.answer_call("{}").await;
    client.inject("Hi").await;
    client.send_silence(48_000).await;
    mock.expect("input_audio_buffer.commit", s(5)).await;
    mock.expect("response.create", s(5)).await;
    let journal = mock.journal();
    let keys = |event: &Value| event.as_object().expect("an event").keys().cloned().collect::<Vec<_>>();
    for (kind, wanted) in [
        ("input_audio_buffer.append", &["type", "event_id", "audio"][..]),
        ("input_audio_buffer.commit", &["type", "event_id"]),
        ("response.create", &["type", "event_id"]),
    ] {
        assert_eq!(keys(journal.first(kind).expect(kind)), wanted, "{kind}");
    }
    let items: Vec<_> = journal.all("conversation.item.create").map(|(_, event)| &event["item"]).collect();
    assert_eq!(items[0]["type"], "function_call_output");
    assert_eq!(items[1]["content"], json!([{"type": "input_text", "text": "Hi"}]));
    assert_eq!(client.journal().count("Warning"), 0);
    mock.assert_no_protocol_error();
    drop(gateway);
}

#[tokio::test]
async fn server_vad_g711_and_a_greeting_in_the_shape_of_the_beta() {
    let change = |config: Config| config.backend("greeting_mode = \"speak\"");
    let (mock, gateway, mut client) = preview(Script::default(), change).await;
    let mulaw = json!({"encoding": "mulaw", "sample_rate": 8000});
    let mut settings = settings(&json!({"useOpenAIManualAudioCommit": false, "idleTimeoutMs": 10_000,
        "greeting": "Good morning", "sessionAudioOutput": {"speed": 1.25},
        "think": {"managedPrompt": {"id": "pmpt_1"}, "toolChoice": {"type": "function", "name": "f"}}}));
    settings["audio"] = json!({"input": mulaw, "output": mulaw});
    client.open_with(&settings).await;

    let session = mock.expect("session.update", s(5)).await["session"].clone();
    let detection = json!({"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
        "silence_duration_ms": 200, "create_response": true, "interrupt_response": true});
    assert_eq!(session["turn_detection"], detection);
    assert_eq!(
        (&session["input_audio_format"], &session["output_audio_format"]),
        (&json!("g711_ulaw"), &json!("g711_ulaw"))
    );
    assert_eq!(session["speed"], 1.25);
    for absent in ["type", "audio", "prompt", "tool_choice", "output_modalities", "max_output_tokens"] {
        assert!(session.get(absent).is_none(), "{absent} in {session}");
    }
    let warning = client.expect("Warning", s(5)).await;
    assert_eq!(warning["code"], "NOT_IN_BETA_API");
    for lost in ["idle_timeout_ms", "session.prompt", "tool_choice of one tool"] {
        assert!(warning["description"].as_str().is_some_and(|text| text.contains(lost)), "{warning}");
    }
    gateway.expect_log(&["INFO", "left out for the beta api", "session.prompt"], s(5)).await;

    let response = mock.expect("response.create", s(5)).await["response"].clone();
    assert!(
        response["instructions"].as_str().is_some_and(|text| text.contains("Good morning")),
        "{response}"
    );
    assert_eq!(response["tool_choice"], "none");
    assert_eq!(response.as_object().map(serde_json::Map::len), Some(2), "{response}");
}
