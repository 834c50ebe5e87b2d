//! Starting the program: what it refuses, what it prints, how little it needs.

use tokio::net::TcpListener;

use crate::peers::gateway::{Config, Gateway, run};
use crate::peers::mock::Mock;
use crate::peers::s;
use crate::peers::script::Script;

/// Five keys, none of which is ever dialled here.
fn config() -> Config {
    Config::for_url("ws://127.0.0.1:9/v1/realtime")
}

#[tokio::test]
async fn an_unknown_key_is_refused_with_file_key_and_reason() {
    let toml = config().section("prot = 1").toml();
    let (finished, file) = run(&["--config", "FILE"], &toml).await;
    assert_eq!(finished.status, Some(2), "{}", finished.stderr);
    assert!(finished.stdout.is_empty(), "{}", finished.stdout);
    let file = file.to_str().expect("the path is UTF-8");
    for part in [file, "prot", "unknown"] {
        assert!(finished.stderr.contains(part), "no {part} in: {}", finished.stderr);
    }
}

#[tokio::test]
async fn a_bad_value_is_refused_by_its_key() {
    let toml = config().backend("deferred_response_timeout_ms = \"soon\"").toml();
    let (finished, file) = run(&["--config", "FILE"], &toml).await;
    assert_eq!(finished.status, Some(2), "{}", finished.stderr);
    for part in [file.to_str().expect("the path is UTF-8"), "deferred_response_timeout_ms"] {
        assert!(finished.stderr.contains(part), "no {part} in: {}", finished.stderr);
    }
}

#[tokio::test]
async fn a_missing_key_is_refused_by_its_name() {
    let toml = config().toml().replace("kind = \"openai-realtime\"\n", "");
    let (finished, _) = run(&["--config", "FILE"], &toml).await;
    assert_eq!(finished.status, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("kind"), "{}", finished.stderr);
}

#[tokio::test]
async fn check_prints_what_is_in_force_and_no_secret() {
    let (finished, _) = run(&["--config", "FILE", "check"], &config().toml()).await;
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    for part in ["***", "openai-realtime", "gpt-realtime", "20000", "127.0.0.1"] {
        assert!(finished.stdout.contains(part), "no {part} in: {}", finished.stdout);
    }
    for output in [&finished.stdout, &finished.stderr] {
        assert!(!output.contains("test-key-1"), "{output}");
    }
}

#[tokio::test]
async fn version_is_printed() {
    let (finished, _) = run(&["--version"], "").await;
    assert_eq!((finished.status, finished.stdout.trim()), (Some(0), "voxbridge 0.1.0"));
}

#[tokio::test]
async fn five_keys_are_enough_to_serve() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Gateway::start(&Config::for_mock(&mock).toml()).await;
    gateway.assert_serves().await;
    assert!(!gateway.log().contains("test-key-1"), "the key is in the log");
}

#[tokio::test]
async fn the_port_can_come_from_the_environment() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let port = listener.local_addr().expect("the listener is bound").port();
    drop(listener);
    let mock = Mock::start(Script::default()).await;
    let toml = Config::for_mock(&mock).toml();
    let gateway = Gateway::start_with(&toml, &[("VOXBRIDGE__SERVER__PORT", &port.to_string())]).await;
    assert_eq!(gateway.port(), port);
    gateway.assert_serves().await;
}

#[tokio::test]
async fn a_proxy_that_is_not_used_is_told_once_and_without_its_password() {
    let mock = Mock::start(Script::default()).await;
    // Nobody listens there.
    let proxy = "http://user:canary-password@127.0.0.1:9";
    let environment = [("HTTPS_PROXY", proxy), ("http_proxy", proxy), ("All_Proxy", proxy), ("NO_PROXY", "")];
    let gateway = Gateway::start_with(&Config::for_mock(&mock).toml(), &environment).await;
    gateway.assert_serves().await;
    let log = gateway.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("proxy is not supported")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains(" WARN "), "{}", lines[0]);
    for name in ["HTTPS_PROXY", "http_proxy", "All_Proxy"] {
        assert!(lines[0].contains(name), "{}", lines[0]);
    }
    assert!(!log.contains("canary-password") && !log.contains("NO_PROXY"), "{log}");
}

/// What is allowed at first is what programs of old could bear.
#[tokio::test]
async fn as_many_files_may_be_open_as_the_system_allows() {
    let gateway = Gateway::start_with_files(700, 200).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.pid())).expect("it runs");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit of files");
    assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["700", "700"]);
    let warning = "server.max_sessions is more than the open files allow files=700 sessions=233";
    gateway.expect_log(&["WARN", warning], s(5)).await;
}
