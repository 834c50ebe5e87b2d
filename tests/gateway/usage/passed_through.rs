//! What can be said of sessions that are passed through: audio, turns and calls, as far as frames show them. Deepgram
//! reports no tokens, so there are none.

use serde_json::{Value, json};

use super::stage::{UsageFile, of_kind, sound};
use crate::peers::client::Client;
use crate::peers::gateway::Gateway;
use crate::peers::journal::Journal;
use crate::peers::s;
use crate::peers::sound::heard;

const BACKENDS: &str = "[simulator]\nenabled = true\n\
    [[functions.route]]\nnames = [\"get_current_time\"]\n\
    [[backends]]\nname = \"dg\"\nkind = \"deepgram-agent\"\npath = \"/dg\"\n\
    url = \"self:/sim/deepgram/v1/agent/converse?audio_speed=50\"\n\
    [[backends]]\nname = \"runs\"\nkind = \"deepgram-agent\"\npath = \"/runs\"\nfunction_calls = \"server\"\n\
    url = \"self:/sim/deepgram/v1/agent/converse?audio_speed=50\"\n";

fn settings() -> Value {
    let format = json!({"encoding": "linear16", "sample_rate": 24000});
    let function = json!({"name": "get_current_time", "description": "the time",
        "parameters": {"type": "object", "properties": {}}});
    let think = json!({"provider": {"type": "open_ai", "model": "gpt-4o-mini"}, "prompt": "Be brief.",
        "functions": [function]});
    json!({"type": "Settings", "audio": {"input": format, "output": format},
        "agent": {"think": think, "greeting": "Hello."}})
}

async fn expect_answers(client: &Client, count: usize) {
    let done = format!("answer {count}");
    client.wait_for(&done, s(10), |journal| (journal.count("AgentAudioDone") >= count).then_some(())).await;
}

/// Answers the call of this number, if it is the client's.
async fn answer_call(client: &mut Client, number: usize) {
    let wanted = format!("call {number}");
    let nth =
        |journal: &Journal| journal.all("FunctionCallRequest").nth(number - 1).map(|(_, call)| call.clone());
    let request = client.wait_for(&wanted, s(10), nth).await;
    let call = &request["functions"][0];
    if call["client_side"] == true {
        let answer = json!({"type": "FunctionCallResponse", "id": call["id"], "name": call["name"], "content": "10:42"});
        client.send(&answer).await;
    }
}

/// A greeting, a typed turn, one with a function call, and a spoken one; how much audio the client heard, bytes.
async fn converse(gateway: &Gateway, path: &str) -> usize {
    let mut client = Client::connect_to_mock(&gateway.url(path)).await;
    client.open_with(&settings()).await;
    expect_answers(&client, 1).await;
    client.inject("hello").await;
    expect_answers(&client, 2).await;
    client.inject("what is the time?").await;
    answer_call(&mut client, 1).await;
    expect_answers(&client, 3).await;
    client.send_binary(sound(true, 600)).await;
    client.send_binary(sound(false, 1_400)).await;
    // What is heard is a question for the time.
    answer_call(&mut client, 2).await;
    expect_answers(&client, 4).await;
    client.close(1000, "").await;
    client.expect_close(s(5)).await;
    heard(&client.journal()).len()
}

#[tokio::test]
async fn a_session_says_what_its_frames_show_and_no_tokens() {
    let file = UsageFile::new();
    let mut gateway = Gateway::start(&file.toml(BACKENDS)).await;
    let heard = [converse(&gateway, "/dg").await, converse(&gateway, "/runs").await];
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(5)).await, Some(0));
    let lines = file.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (n, line) in of_kind(&lines, "session").enumerate() {
        assert_eq!((&line["tokens"], &line["responses"]), (&json!({}), &json!(0)), "{line}");
        assert_eq!(line["turns"], 3, "{line}");
        assert_eq!((&line["audio_in_s"], &line["audio_in_bytes"]), (&json!(2.0), &json!(96_000)), "{line}");
        assert_eq!(line["audio_out_bytes"], heard[n], "{line}");
        let seconds = line["audio_out_s"].as_f64().expect("the format is known");
        assert!((seconds - heard[n] as f64 / 48_000.0).abs() < 1e-5, "{line}");
        let calls = ["function_calls", "client_answers", "server_answers"].map(|name| line[name].clone());
        assert_eq!(calls, if n == 0 { [2, 2, 0] } else { [2, 0, 2] }.map(Value::from), "{line}");
    }
}

#[tokio::test]
async fn of_transcription_the_audio_is_known_if_its_format_is() {
    let file = UsageFile::new();
    let mut gateway = Gateway::start(&file.toml(BACKENDS)).await;
    for query in ["encoding=linear16&sample_rate=16000&channels=2", ""] {
        let url = gateway.url(&format!("/dg/v1/listen?{query}"));
        let mut client = Client::connect_to_mock(&url).await;
        client.send_silence(32_000).await;
        client.send(&json!({"type": "CloseStream"})).await;
        client.expect_close(s(5)).await;
    }
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(5)).await, Some(0));
    let lines = file.lines();
    let seconds: Vec<_> = lines.iter().map(|line| (&line["audio_in_s"], &line["audio_in_bytes"])).collect();
    let bytes = json!(32_000);
    assert_eq!(seconds, [(&json!(0.5), &bytes), (&Value::Null, &bytes)]);
}
