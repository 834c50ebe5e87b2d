//! The sums over the file are what the simulator says that it has reported, number by number: over sessions that end well
//! and over such that are interrupted, fail, are killed or are cut off. Left out is what nobody can know: of a
//! connection to upstream that breaks off without a close, or is cut because it did not close in time, what was on its
//! way.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::stage::{Simulator, UsageFile, expect_answers, of_kind, settings, sound, sum};
use crate::peers::client::Client;
use crate::peers::gateway::Gateway;
use crate::peers::s;

/// How a session goes.
#[derive(Clone, Copy, Debug)]
enum Course {
    /// Two typed turns.
    Typed,
    /// A spoken one.
    Spoken,
    /// A question that is answered by way of a function, of the client's or not.
    Called,
    /// Speech in the middle of an answer.
    Interrupted,
    /// A typed turn, of which the answer may not be whole.
    Tried,
    /// A client that is gone as soon as it hears something.
    Killed,
    /// One that is gone as soon as it has asked.
    KilledEarly,
    /// One that closes in the middle of an answer.
    Closed,
    /// Whatever happens, upstream closes it.
    CutOff,
}

/// The kinds of tokens: in the log's words, and where the simulator has them.
const KINDS: [(&str, &str); 12] = [
    ("input", "input_tokens"),
    ("input_text", "input_token_details/text_tokens"),
    ("input_audio", "input_token_details/audio_tokens"),
    ("input_image", "input_token_details/image_tokens"),
    ("cached", "input_token_details/cached_tokens"),
    ("cached_text", "input_token_details/cached_tokens_details/text_tokens"),
    ("cached_audio", "input_token_details/cached_tokens_details/audio_tokens"),
    ("cached_image", "input_token_details/cached_tokens_details/image_tokens"),
    ("output", "output_tokens"),
    ("output_text", "output_token_details/text_tokens"),
    ("output_audio", "output_token_details/audio_tokens"),
    ("total", "total_tokens"),
];

const FUNCTION: &str = "[[functions.route]]\nnames = [\"get_current_time\"]\n";

/// Backends by what their upstream does, and the courses of sessions there.
fn backends(simulator: &Simulator) -> (String, Vec<(&'static str, Course)>) {
    use Course::*;
    let courses: [(&str, &str, &str, &[Course]); 8] = [
        ("plain", "audio_speed=50", "", &[Typed, Spoken, Called, Interrupted, Killed, KilledEarly, Closed]),
        ("slow", "audio_speed=2", "", &[Interrupted, Killed, Killed, Closed, KilledEarly]),
        ("runs", "audio_speed=50", "function_calls = \"server\"", &[Called, Typed]),
        ("whisper", "audio_speed=50", "transcription = { model = \"whisper-1\" }", &[Spoken, Interrupted]),
        ("fails", "fail=server_error", "", &[Tried]),
        ("halves", "incomplete=max_output_tokens&audio_speed=50", "", &[Tried]),
        ("ends", "audio_speed=50&close_after=50", "", &[CutOff, CutOff]),
        ("reorders", "audio_speed=50&reorder=true", "", &[Typed, Called, Closed]),
    ];
    let of = |(name, options, lines, _): &(&str, &str, &str, _)| {
        simulator.backend(name, &format!("transcript=Good%20day&{options}"), lines)
    };
    let toml = courses.iter().map(of).collect();
    let mut all = Vec::new();
    for (name, _, _, courses) in courses {
        all.extend(courses.iter().map(|course| (name, *course)));
    }
    (toml, all)
}

impl Course {
    async fn run(self, gateway: &Gateway, backend: &str) {
        let mut client = Client::connect(&gateway.url(&format!("/{backend}"))).await;
        client.open_with(&settings()).await;
        match self {
            Self::Typed => {
                for (turn, text) in [&"and so on ".repeat(40), "hello"].iter().enumerate() {
                    client.inject(text).await;
                    expect_answers(&client, turn + 1).await;
                }
            }
            Self::Spoken => {
                client.send_binary(sound(true, 600)).await;
                client.send_binary(sound(false, 900)).await;
                client.expect_spoken("user", s(10)).await;
                expect_answers(&client, 1).await;
            }
            Self::Called => {
                client.inject("what is the time?").await;
                let request = client.expect("FunctionCallRequest", s(10)).await;
                let call = &request["functions"][0];
                if call["client_side"] == true {
                    client
                        .send(&json!({"type": "FunctionCallResponse", "id": call["id"], "name": call["name"],
                            "content": "10:42"}))
                        .await;
                }
                expect_answers(&client, 1).await;
            }
            Self::Interrupted => {
                client.inject(&"How can I help you? ".repeat(20)).await;
                client.wait_for("audio", s(10), |journal| journal.binaries().next().map(|_| ())).await;
                client.send_binary(sound(true, 600)).await;
                client.expect("UserStartedSpeaking", s(10)).await;
                client.send_binary(sound(false, 900)).await;
                let spoken = "transcript and answer";
                client
                    .wait_for(spoken, s(10), |journal| {
                        let after = journal.last_position("UserStartedSpeaking")?;
                        (journal.last_position("AgentAudioDone")? > after).then_some(())?;
                        journal
                            .all("ConversationText")
                            .any(|(_, text)| text["content"] == "Good day")
                            .then_some(())
                    })
                    .await;
            }
            Self::Tried => {
                client.inject("hello").await;
                client.expect("Error", s(10)).await;
            }
            Self::Killed => {
                client.inject("hello").await;
                client.wait_for("audio", s(10), |journal| journal.binaries().next().map(|_| ())).await;
                return client.reset();
            }
            Self::KilledEarly => {
                client.inject("hello").await;
                client.expect_spoken("user", s(10)).await;
                return client.reset();
            }
            Self::Closed => {
                client.inject("hello").await;
                client.wait_for("audio", s(10), |journal| journal.binaries().next().map(|_| ())).await;
            }
            Self::CutOff => {
                client.inject(&"and so on ".repeat(40)).await;
                client.expect_close(s(10)).await;
                return;
            }
        }
        client.close(1000, "").await;
        client.expect_close(s(5)).await;
    }
}

/// How many the simulator has in this place; none where it has reported none of that.
fn reported(usage: &Value, of: &str, member: &str) -> f64 {
    usage.pointer(&format!("/{of}/usage/{member}")).and_then(Value::as_f64).unwrap_or(0.0)
}

fn assert_same(lines: &[Value], usage: &Value) {
    for (kind, [of, in_session]) in
        [("response", ["responses", "tokens"]), ("transcription", ["transcriptions", "transcription_tokens"])]
    {
        let count = usage[of]["count"].as_u64().expect("a count");
        assert_eq!(of_kind(lines, kind).count() as u64, count, "lines of kind {kind}");
        assert_eq!(sum(lines, "session", &format!("/{of}")), count as f64, "{of} of sessions");
        for (name, member) in KINDS {
            let reported = reported(usage, of, member);
            assert_eq!(sum(lines, kind, &format!("/tokens/{name}")), reported, "{name} of {of}");
            let of_sessions = sum(lines, "session", &format!("/{in_session}/{name}"));
            assert_eq!(of_sessions, reported, "{name} of the {of} of sessions");
        }
    }
    let seconds = reported(usage, "transcriptions", "seconds");
    for (kind, pointer) in [("transcription", "/seconds"), ("session", "/transcribed_s")] {
        assert!(
            (sum(lines, kind, pointer) - seconds).abs() < 1e-6,
            "{kind}: {} of {seconds}",
            sum(lines, kind, pointer)
        );
    }
}

/// The test is worth something only if what it adds up is there.
fn assert_rich(lines: &[Value]) {
    let statuses: BTreeSet<_> =
        of_kind(lines, "response").filter_map(|line| line["status"].as_str()).collect();
    assert_eq!(statuses, ["cancelled", "completed", "failed", "incomplete"].into());
    for name in ["input_text", "input_audio", "cached_text", "output_text", "output_audio"] {
        assert!(sum(lines, "response", &format!("/tokens/{name}")) > 0.0, "{name}");
    }
    assert!(sum(lines, "transcription", "/tokens/input_audio") > 0.0);
    assert!(sum(lines, "transcription", "/seconds") > 0.0);
    let causes: BTreeSet<_> = of_kind(lines, "session").filter_map(|line| line["cause"].as_str()).collect();
    for cause in ["client_closed", "client_vanished", "upstream_closed", "shutdown"] {
        assert!(causes.contains(cause), "{cause} in {causes:?}");
    }
}

#[tokio::test]
async fn what_stands_in_the_file_is_what_upstream_has_reported() {
    let simulator = Simulator::start().await;
    let file = UsageFile::new();
    let (backends, courses) = backends(&simulator);
    let mut gateway = Gateway::start(&file.toml(&format!("{FUNCTION}{backends}"))).await;
    for _ in 0..2 {
        join_all(courses.iter().map(|(name, course)| course.run(&gateway, name))).await;
    }
    // One that is idle and one in its turn see the program end.
    let connect = async || {
        let mut client = Client::connect(&gateway.url("/slow")).await;
        client.open_with(&settings()).await;
        client
    };
    let (idle, mut busy) = (connect().await, connect().await);
    busy.inject("hello").await;
    busy.wait_for("audio", s(10), |journal| journal.binaries().next().map(|_| ())).await;
    gateway.terminate().await;
    for client in [&idle, &busy] {
        client.expect_ending("SERVER_GOING_AWAY", 1012).await;
    }
    assert_eq!(gateway.exit(s(10)).await, Some(0));
    let lines = file.lines();
    assert_eq!(of_kind(&lines, "session").count(), 2 * courses.len() + 2);
    assert_same(&lines, &simulator.usage().await);
    assert_rich(&lines);
    assert_named(&lines);
}

/// Whose every line is can be seen, and none says what was said.
fn assert_named(lines: &[Value]) {
    let connections: BTreeSet<_> =
        of_kind(lines, "session").filter_map(|line| line["connection"].as_str()).collect();
    let mut responses = BTreeSet::new();
    for line in lines {
        assert!(
            line["connection"].as_str().is_some_and(|connection| connections.contains(connection)),
            "{line}"
        );
        assert!(line["backend"].is_string(), "{line}");
        let text = line.to_string();
        assert!(
            !text.contains("and so on") && !text.contains("hello") && !text.contains("canary-key"),
            "{text}"
        );
    }
    for line in of_kind(lines, "response") {
        assert_eq!(line["model"], "gpt-realtime");
        assert!(responses.insert(line["response"].as_str().expect("an id")), "{line} is there twice");
    }
    for line in of_kind(lines, "transcription") {
        let model = if line["backend"] == "whisper" { "whisper-1" } else { "gpt-4o-transcribe" };
        assert_eq!(line["model"], model, "{line}");
    }
    let of_run: Vec<_> = of_kind(lines, "session").filter(|line| line["backend"] == "runs").collect();
    let calls = |name| of_run.iter().filter_map(|line| line[name].as_u64()).sum::<u64>();
    assert_eq!((calls("function_calls"), calls("server_answers"), calls("client_answers")), (2, 2, 0));
    // Two turns of one who types, and one of who asks for the time.
    assert_eq!(calls("turns"), 6);
}

/// Everything is there but for the last moment, also where nobody could say goodbye; and half a line harms no other.
#[tokio::test]
async fn a_gateway_that_is_killed_has_written_what_was_reported() {
    let simulator = Simulator::start().await;
    let file = UsageFile::new();
    let toml = file.toml(&simulator.backend("plain", "audio_speed=50", ""));
    let mut gateway = Gateway::start(&toml).await;
    let mut client = Client::connect(&gateway.url("/plain")).await;
    client.open_with(&settings()).await;
    client.inject("hello").await;
    expect_answers(&client, 1).await;
    file.expect("response", 1).await;
    gateway.signal("KILL").await;
    assert_eq!(gateway.exit(s(5)).await, None);
    assert_eq!(of_kind(&file.lines(), "response").count(), 1);
    // As if it had been killed within a line.
    let torn = "{\"v\":1,\"kind\":\"resp";
    let before = std::fs::read_to_string(file.path()).expect("the file is there");
    std::fs::write(file.path(), format!("{before}{torn}")).expect("the file can be written");
    let mut gateway = Gateway::start(&toml).await;
    Course::Typed.run(&gateway, "plain").await;
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(5)).await, Some(0));
    let text = std::fs::read_to_string(file.path()).expect("the file is there");
    let (whole, others): (Vec<_>, Vec<_>) =
        text.lines().partition(|line| serde_json::from_str::<Value>(line).is_ok());
    assert_eq!((others, whole.len()), (vec![torn], 1 + 3));
    let usage = simulator.usage().await;
    let lines: Vec<Value> = whole.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(sum(&lines, "response", "/tokens/total"), reported(&usage, "responses", "total_tokens"));
}
