//! A simulator in a process of its own, which knows what it has reported, and the file in which the gateway writes that
//! down. Knows the form of the lines and nothing of how sessions go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::peers::client::Client;
use crate::peers::{eventually, http, s};

/// The simulator. Dropping it kills it.
pub(super) struct Simulator {
    _child: Child,
    port: u16,
}

impl Simulator {
    pub(super) async fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voxbridge"));
        command.args(["simulate", "--port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("the binary can be run");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let line = timeout(s(20), lines.next_line()).await.expect("it says where it listens");
        let line = line.expect("stdout can be read").expect("it has not ended");
        let port = line.rsplit(':').next().and_then(|port| port.parse().ok());
        Self { _child: child, port: port.expect("the line ends with the port") }
    }

    /// A backend of its Realtime API at `/NAME`, with these options and more lines.
    pub(super) fn backend(&self, name: &str, options: &str, lines: &str) -> String {
        format!(
            "[[backends]]\nname = \"{name}\"\nkind = \"openai-realtime\"\npath = \"/{name}\"\n\
             url = \"ws://127.0.0.1:{}/sim/openai?{options}\"\napi_key = \"canary-key-5512\"\n{lines}\n",
            self.port
        )
    }

    /// What it has reported.
    pub(super) async fn usage(&self) -> Value {
        http::get(self.port, "/sim/openai/usage", "").await.json()
    }
}

/// The usage log's file, in a directory of its own.
pub(super) struct UsageFile {
    directory: TempDir,
}

impl UsageFile {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory can be made") }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.named("usage.jsonl")
    }

    /// Another file beside it.
    pub(super) fn named(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A configuration with this file and these backends.
    pub(super) fn toml(&self, backends: &str) -> String {
        toml(&self.path(), backends)
    }

    /// Waits until it has so many lines of a kind; all lines.
    pub(super) async fn expect(&self, kind: &str, count: usize) -> Vec<Value> {
        let wanted = format!("{count} lines of kind {kind}");
        eventually(&wanted, s(10), async || {
            let lines = if self.path().exists() { self.lines() } else { Vec::new() };
            (of_kind(&lines, kind).count() >= count).then_some(lines)
        })
        .await
    }

    /// Its lines, each of which is whole.
    pub(super) fn lines(&self) -> Vec<Value> {
        lines(&self.path())
    }
}

/// A configuration with a usage log and these backends.
pub(super) fn toml(path: &Path, backends: &str) -> String {
    let path = path.display();
    format!("[server]\nhost = \"127.0.0.1\"\nport = 0\n[logging]\nusage_log = \"{path}\"\n{backends}")
}

/// The lines of a file, each of which has to be whole and what the README says of every line.
#[track_caller]
pub(super) fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the file is there");
    // One that is being written has no end yet.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert_eq!(line["v"], 1, "{line}");
        assert!(line["time"].is_string() && line["kind"].is_string(), "{line}");
        line
    };
    whole.lines().map(line).collect()
}

pub(super) fn of_kind<'a>(lines: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter(move |line| line["kind"] == kind)
}

/// Adds up what all lines of a kind have in one place.
pub(super) fn sum(lines: &[Value], kind: &str, pointer: &str) -> f64 {
    of_kind(lines, kind).filter_map(|line| line.pointer(pointer)?.as_f64()).sum()
}

/// Settings with audio as the simulator has it, and a function that it may call.
pub(super) fn settings() -> Value {
    let format = json!({"encoding": "linear16", "sample_rate": 24000});
    let function = json!({"name": "get_current_time", "description": "the time",
        "parameters": {"type": "object", "properties": {}}});
    json!({"type": "Settings", "audio": {"input": format, "output": format},
        "agent": {"think": {"prompt": "You are a helpful assistant.", "functions": [function]}}})
}

/// So many ends of answers.
pub(super) async fn expect_answers(client: &Client, count: usize) {
    let wanted = format!("answer {count}");
    client.wait_for(&wanted, s(10), |journal| (journal.count("AgentAudioDone") >= count).then_some(())).await;
}

/// So many milliseconds of 24 kHz audio that is speech, or silence.
pub(super) fn sound(loud: bool, ms: usize) -> Vec<u8> {
    let sample = |n: usize| {
        if !loud {
            0
        } else if n % 48 < 24 {
            5_000_i16
        } else {
            -5_000
        }
    };
    (0..24 * ms).flat_map(|n| sample(n).to_le_bytes()).collect()
}
