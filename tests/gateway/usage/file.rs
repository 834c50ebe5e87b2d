//! The file: how it is moved, changed and turned off while sessions go on, and that one which cannot be written harms
//! none.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::stage::{Simulator, UsageFile, expect_answers, lines, of_kind, settings, sum, toml};
use crate::peers::client::Client;
use crate::peers::gateway::{Config, Gateway};
use crate::peers::mock::Mock;
use crate::peers::script::Script;
use crate::peers::{eventually, s};

/// A whole session of one typed turn.
async fn session(gateway: &Gateway) {
    let mut client = begin(gateway).await;
    turn(&mut client, 1).await;
    client.close(1000, "").await;
    client.expect_close(s(5)).await;
}

async fn begin(gateway: &Gateway) -> Client {
    let mut client = Client::connect(&gateway.url("/plain")).await;
    client.open_with(&settings()).await;
    client
}

async fn turn(client: &mut Client, number: usize) {
    client.inject("hello").await;
    expect_answers(client, number).await;
}

async fn backend() -> (Simulator, String) {
    let simulator = Simulator::start().await;
    let backend = simulator.backend("plain", "audio_speed=100", "");
    (simulator, backend)
}

fn at(path: &Path) -> String {
    format!("usage_log = \"{}\"", path.display())
}

#[tokio::test]
async fn a_file_that_is_rotated_is_followed_by_another() {
    let (_simulator, backend) = backend().await;
    let file = UsageFile::new();
    let mut gateway = Gateway::start(&file.toml(&backend)).await;
    session(&gateway).await;
    file.expect("session", 1).await;
    // Whoever rotates it says so.
    let moved = file.named("usage.1");
    fs::rename(file.path(), &moved).expect("it can be moved");
    gateway.reload_with(|toml| toml).await;
    session(&gateway).await;
    file.expect("session", 1).await;
    // Or does not.
    let moved_silently = file.named("usage.2");
    fs::rename(file.path(), &moved_silently).expect("it can be moved");
    session(&gateway).await;
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(5)).await, Some(0));
    for path in [&moved, &moved_silently, &file.path()] {
        let lines = lines(path);
        let kinds: Vec<_> = lines.iter().filter_map(|line| line["kind"].as_str()).collect();
        assert_eq!(kinds, ["response", "session"], "{}", path.display());
    }
}

#[tokio::test]
async fn a_reload_changes_the_file_also_for_sessions_that_live() {
    let (_simulator, backend) = backend().await;
    let file = UsageFile::new();
    let [off, other] = ["# none".to_owned(), at(&file.named("other"))];
    let on = at(&file.path());
    let mut gateway = Gateway::start(&file.toml(&backend).replace(&on, &off)).await;
    let mut live = begin(&gateway).await;
    turn(&mut live, 1).await;
    gateway.reload_with(|toml| toml.replace(&off, &on)).await;
    gateway.expect_log(&[r#"configuration reloaded changes="sections changed: [logging]"#], s(1)).await;
    turn(&mut live, 2).await;
    file.expect("response", 1).await;
    gateway.reload_with(|toml| toml.replace(&on, &other)).await;
    turn(&mut live, 3).await;
    live.close(1000, "").await;
    live.expect_close(s(5)).await;
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(5)).await, Some(0));
    assert_eq!(of_kind(&file.lines(), "response").count(), 1);
    let others = lines(&file.named("other"));
    assert_eq!(of_kind(&others, "response").count(), 1);
    // The session has counted all the while.
    assert_eq!(sum(&others, "session", "/responses"), 3.0);
}

#[tokio::test]
async fn a_configuration_of_no_use_opens_the_file_anew_all_the_same() {
    let (_simulator, backend) = backend().await;
    let file = UsageFile::new();
    let gateway = Gateway::start(&file.toml(&backend)).await;
    session(&gateway).await;
    file.expect("session", 1).await;
    fs::write(file.path(), "{\"v\":1,\"kind\":\"x\",\"time\":\"\"}\nhalf").expect("it can be written");
    gateway.refuse_with(|toml| toml + "[nonsense]\n", &["nonsense"]).await;
    session(&gateway).await;
    // Were it still the one that was open, the next line would stand behind the half.
    let text = || fs::read_to_string(file.path()).expect("it is there");
    eventually("line behind the half one", s(5), async || text().contains("\"session\"").then_some(())).await;
    assert!(text().contains("\nhalf\n"), "{}", text());
}

/// On a full disk sessions go on, and what was kept for it is written when there is room.
#[tokio::test]
async fn a_full_disk_is_no_sessions_trouble() {
    let (simulator, backend) = backend().await;
    let file = UsageFile::new();
    let full = Path::new("/dev/full");
    let mut gateway = Gateway::start(&toml(full, &backend)).await;
    for _ in 0..3 {
        session(&gateway).await;
    }
    gateway.expect_log(&["ERROR", "the usage log /dev/full cannot be written", "lines wait"], s(2)).await;
    let errors = gateway.log().matches("the usage log").count();
    assert_eq!(errors, 1, "it is told more than once");
    gateway.reload_with(|toml| toml.replace(&at(full), &at(&file.path()))).await;
    let lines = file.expect("session", 3).await;
    let reported = simulator.usage().await["responses"]["usage"]["total_tokens"].as_f64();
    assert_eq!(Some(sum(&lines, "response", "/tokens/total")), reported);
    gateway.expect_log(&["INFO", "the usage log is written again"], s(2)).await;
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(5)).await, Some(0));
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_or_that_nobody_reads_is_no_sessions_trouble_either() {
    let (_simulator, backend) = backend().await;
    let file = UsageFile::new();
    let pipe = file.named("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    for (path, words) in
        [(file.named("missing/usage"), "could not be written, 2 lines are lost"), (pipe, "2 lines are lost")]
    {
        let mut gateway = Gateway::start(&toml(&path, &backend)).await;
        session(&gateway).await;
        gateway.terminate().await;
        assert_eq!(gateway.exit(s(5)).await, Some(0), "{}", path.display());
        gateway.expect_log(&["ERROR", words], s(1)).await;
    }
}

/// A server that quotes its key in whatever it calls things.
#[tokio::test]
async fn what_upstream_quotes_of_its_key_stands_in_no_line() {
    const KEY: &str = "test-key-1";
    let mock = Mock::start(Script::default()).await;
    let file = UsageFile::new();
    let logging = format!("[logging]\n{}", at(&file.path()));
    let mut gateway = Config::for_mock(&mock).section(&logging).start().await;
    let mut client = gateway.connect().await;
    client.open_s().await;
    let response = json!({"id": KEY, "status": format!("a {KEY} b"), "usage": {"input_tokens": 1}});
    mock.peer(1).await.send(&json!({"type": "session.updated", "session": {"model": KEY}}));
    mock.peer(1).await.send(&json!({"type": "response.done", "response": response}));
    let lines = file.expect("response", 1).await;
    assert_eq!([&lines[0]["status"], &lines[0]["model"]], ["a *** b", "***"]);
    client.close(1000, "").await;
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(5)).await, Some(0));
    let text = fs::read_to_string(file.path()).expect("the file is there");
    assert!(!text.contains(KEY), "{text}");
}

#[tokio::test]
async fn whose_token_it_was_stands_in_every_line_and_the_token_in_none() {
    const TOKEN: &str = "canary-token-of-a-shop";
    let (_simulator, backend) = backend().await;
    let file = UsageFile::new();
    let auth =
        format!("[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"shop\"\ntoken = \"{TOKEN}\"\n");
    let mut gateway = Gateway::start(&file.toml(&(auth + &backend))).await;
    let url = gateway.url(&format!("/plain?traceId=checkout-7&token={TOKEN}"));
    let mut client = Client::connect(&url).await;
    client.open_with(&settings()).await;
    turn(&mut client, 1).await;
    client.close(1000, "").await;
    client.expect_close(s(5)).await;
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(5)).await, Some(0));
    let lines = file.lines();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!([&line["subject"], &line["trace"], &line["backend"]], ["shop", "checkout-7", "plain"]);
        assert!(!line.to_string().contains("canary"), "{line}");
    }
    assert_eq!(lines[1]["cause"], json!("client_closed"));
}
