//! A configuration that is read again: what it changes and for whom, what it cannot change, and one that is of no use.
//! `functions/reload.rs` and `identity/reload.rs` have what belongs to those.

use serde_json::{Value, json};

use crate::peers::client::Client;
use crate::peers::frames;
use crate::peers::gateway::{Config, Gateway, PATH};
use crate::peers::http::{self, UPGRADE};
use crate::peers::mock::Mock;
use crate::peers::pace::Pace;
use crate::peers::raw::{RawPeer, RawUpstream};
use crate::peers::raw_frame::RawFrame;
use crate::peers::script::Script;
use crate::peers::sound::{heard, plain_settings};
use crate::peers::tls::Files;
use crate::peers::{eventually, s};

/// Another backend, of OpenAI's kind.
fn backend(name: &str, url: &str) -> String {
    format!(
        "[[backends]]\nname = \"{name}\"\nkind = \"openai-realtime\"\npath = \"/{name}\"\nurl = \"{url}\"\n"
    )
}

/// Names and paths of the backends, as they are told.
async fn told(gateway: &Gateway) -> Vec<(String, Value)> {
    let list = http::get(gateway.port(), "/v1/backends", "").await.json();
    let list = list["backends"].as_array().expect("a list").iter();
    list.map(|one| (one["name"].as_str().expect("a name").to_owned(), one["paths"].clone())).collect()
}

async fn upgrade(gateway: &Gateway, path: &str) -> u16 {
    http::get(gateway.port(), path, UPGRADE).await.status
}

#[tokio::test]
async fn new_sessions_have_the_new_backend_and_live_ones_the_old() {
    let [old, new] = [Mock::start(Script::default()).await, Mock::start(Script::default()).await];
    let gateway = Gateway::for_mock(&old).await;
    let mut live = gateway.connect().await;
    live.open_s().await;
    let (old_url, new_url) = (old.url(), new.url());
    gateway.reload_with(|toml| toml.replace(&old_url, &new_url).replace("test-key-1", "test-key-2")).await;
    gateway.expect_log(&["INFO", r#"configuration reloaded changes="backends changed: openai"#], s(1)).await;
    // On each worker.
    for number in 1..=4 {
        gateway.assert_serves().await;
        assert_eq!((old.upgrades().len(), new.upgrades().len()), (1, number));
    }
    let keys = |mock: &Mock| mock.upgrades()[0].headers.get("authorization").cloned();
    assert_eq!(keys(&old).as_deref(), Some("Bearer test-key-1"));
    assert_eq!(keys(&new).as_deref(), Some("Bearer test-key-2"));
    live.assert_goes_on().await;
    let log = gateway.log();
    assert!(!log.contains("test-key-1") && !log.contains("test-key-2"), "a key is in the log");
}

#[tokio::test]
async fn a_passed_through_session_goes_on_while_its_path_is_gone_for_others() {
    let upstream = RawUpstream::start().await;
    let deepgram =
        backend("dg", &upstream.url("/v1/agent/converse")).replace("openai-realtime", "deepgram-agent");
    let gateway = Config::for_url("ws://127.0.0.1:9/").section(&deepgram).start().await;
    let client = RawPeer::connect(gateway.port(), "/dg", "");
    let (client, mut live) = tokio::join!(client, upstream.accept());
    gateway.reload_with(|toml| toml.replace(&deepgram, "")).await;
    gateway.expect_log(&["INFO", r#"configuration reloaded changes="backends removed: dg"#], s(1)).await;
    for path in ["/dg", "/dg/v1/listen"] {
        assert_eq!(upgrade(&gateway, path).await, 404, "{path}");
    }
    let answer = [RawFrame::binary([7; 480]), RawFrame::text("{\"type\":\"AgentAudioDone\"}")];
    live.send_all(&answer, usize::MAX).await;
    assert_eq!(client.expect_data(2).await.iter().map(|frame| (**frame).clone()).collect::<Vec<_>>(), answer);
}

#[tokio::test]
async fn paths_come_and_go() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Gateway::for_mock(&mock).await;
    let mut live = gateway.connect().await;
    live.open_s().await;
    assert_eq!(upgrade(&gateway, "/second").await, 404);
    let second = backend("second", &mock.url());
    gateway.reload_with(|toml| format!("{toml}aliases = [\"/more\"]\n{second}")).await;
    let line = r#"configuration reloaded changes="backends added: second; backends changed: openai"#;
    gateway.expect_log(&["INFO", line], s(1)).await;
    assert_eq!(
        told(&gateway).await,
        [("openai".to_owned(), json!(["/openai", "/more"])), ("second".to_owned(), json!(["/second"]))]
    );
    for path in ["/second", "/more", PATH, "/%73econd"] {
        assert_eq!(upgrade(&gateway, path).await, 101, "{path}");
    }
    for path in ["/second/", "/Second", "/second%2f", "//second", "/secon"] {
        assert_eq!(upgrade(&gateway, path).await, 404, "{path}");
    }
    // And what else the router has for a path.
    assert_eq!(http::send(gateway.port(), "POST", "/second", "").await.status, 405);
    assert_eq!(http::get(gateway.port(), "/second", "").await.status, 426);
    gateway.reload_with(|toml| toml.replace("\"/openai\"", "\"/third\"").replace(&second, "")).await;
    assert_eq!(told(&gateway).await, [("openai".to_owned(), json!(["/third", "/more"]))]);
    for path in [PATH, "/second"] {
        assert_eq!(upgrade(&gateway, path).await, 404, "{path}");
    }
    assert_eq!(upgrade(&gateway, "/third").await, 101);
    live.assert_goes_on().await;
    gateway.reload_with(|toml| toml).await;
    gateway.expect_log(&["INFO", r#"configuration reloaded changes="nothing has changed"#], s(1)).await;
}

#[tokio::test]
async fn limits_are_the_new_ones_for_new_sessions_alone() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Config::for_mock(&mock).section("max_sessions = 1").start().await;
    let mut live = gateway.connect().await;
    live.open_s().await;
    assert_eq!(upgrade(&gateway, PATH).await, 503);
    let limits = "max_sessions = 2\n[limits]\nmax_message_bytes = 2048";
    gateway.reload_with(|toml| toml.replace("max_sessions = 1", limits)).await;
    gateway
        .expect_log(&["configuration reloaded changes=", "sections changed: [server], [limits]"], s(1))
        .await;
    let mut new = gateway.connect().await;
    new.open_s().await;
    assert_eq!(upgrade(&gateway, PATH).await, 503);
    let long = "x".repeat(4096);
    live.inject(&long).await;
    live.expect_spoken("assistant", s(5)).await;
    new.inject(&long).await;
    new.expect_ending("MESSAGE_TOO_LARGE", 1009).await;
    gateway.reload_with(|toml| toml.replace("max_sessions = 2", "max_sessions = 1")).await;
    eventually("end of the other", s(5), async || (gateway.log().contains("session ended")).then_some(()))
        .await;
    assert_eq!(upgrade(&gateway, PATH).await, 503);
    live.assert_goes_on().await;
}

#[tokio::test]
async fn what_is_of_no_use_leaves_everything_as_it_was() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Config::for_mock(&mock).section("max_sessions = 1").start().await;
    let before = told(&gateway).await;
    let mut live = gateway.connect().await;
    live.open_s().await;
    let good = std::fs::read_to_string(gateway.config_file()).expect("the configuration is there");
    let second = backend("second", &mock.url());
    type Case = (&'static str, &'static str, &'static [&'static str]);
    let cases: [Case; 5] = [
        ("max_sessions = 1", "max_sessions = 0", &["server.max_sessions: must be 1 to 1000000"]),
        ("max_sessions = 1", "max_sesions = 9", &["server.max_sesions: unknown key"]),
        ("max_sessions = 1", "max_sessions = ", &["line "]),
        ("path = \"/openai\"", "path = \"openai\"", &["backends[0].path: "]),
        ("max_sessions = 1", "max_sessions = 9\n[simulator.openai]\nno_such_option = 1", &["no_such_option"]),
    ];
    for (from, to, parts) in cases {
        // All else in the file would be of use.
        gateway.refuse_with(|_| good.replace(from, to) + &second, parts).await;
        assert_eq!(told(&gateway).await, before, "{to}");
        assert_eq!(upgrade(&gateway, PATH).await, 503, "{to}");
    }
    std::fs::remove_file(gateway.config_file()).expect("it was there");
    gateway.signal("HUP").await;
    gateway
        .expect_log(&["ERROR", "the configuration in force stays", "voxbridge.toml: cannot be read"], s(5))
        .await;
    live.assert_goes_on().await;
    std::fs::write(gateway.config_file(), good + &second).expect("it can be written");
    gateway.reload_with(|toml| toml).await;
    assert_eq!(told(&gateway).await.len(), 2);
}

#[tokio::test]
async fn what_needs_a_restart_stays_with_a_warning_for_each_key() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Config::for_mock(&mock).section("workers = 1").start().await;
    let (files, _) = Files::new();
    let lines = format!(
        "workers = 3\nmax_sessions = 7\nadmin_port = 9\n{}\n[simulator]\nenabled = true",
        files.toml()
    );
    gateway
        .reload_with(|toml| {
            toml.replace("workers = 1", &lines)
                .replace("port = 0", "port = 8099")
                .replace("host = \"127.0.0.1\"", "host = \"localhost\"")
        })
        .await;
    for line in [
        "server.host: stays \"127.0.0.1\" until a restart",
        "server.port: stays 0 until a restart",
        "server.admin_port: stays unset until a restart",
        "server.workers: stays 1 until a restart",
        "server.tls_cert: stays unset until a restart",
        "simulator: stays as it is until a restart",
    ] {
        gateway.expect_log(&["WARN", line], s(1)).await;
    }
    gateway.expect_log(&[r#"configuration reloaded changes="sections changed: [server]"#], s(1)).await;
    assert_eq!(http::get(gateway.port(), "/health", "").await.status, 200);
    assert_eq!(upgrade(&gateway, "/sim/openai").await, 404);
    gateway.assert_serves().await;
}

#[tokio::test]
async fn the_format_of_the_log_changes() {
    let mock = Mock::start(Script::default()).await;
    let toml = Config::for_mock(&mock).section("[logging]\nlevel = \"info\"\nformat = \"text\"").toml();
    let gateway = Gateway::start_with(&toml, &[("RUST_LOG", "")]).await;
    let mut live = gateway.connect().await;
    live.open_s().await;
    gateway.expect_log(&["INFO ", " session active after_ms="], s(5)).await;
    gateway.change_file(|toml| toml.replace("\"text\"", "\"json\"")).await;
    let reloaded = r#""message":"configuration reloaded","changes":"sections changed: [logging]"}"#;
    gateway.expect_log(&[r#"{"time":""#, r#""level":"info""#, reloaded], s(5)).await;
    live.close(1000, "").await;
    gateway
        .expect_log(&[r#"{"time":""#, r#""message":"session ended""#, r#""cause":"client_closed""#], s(5))
        .await;
    assert!(!gateway.log().contains(" session ended "), "a live session's lines are as those of a new one");
}

#[tokio::test]
async fn level_and_content_of_the_log_change() {
    let mock = Mock::start(Script::default()).await;
    let toml = Config::for_mock(&mock).section("[logging]\nlevel = \"info\"").toml();
    let gateway = Gateway::start_with(&toml, &[("RUST_LOG", "")]).await;
    let said = async |client: &mut Client, words: &str| {
        client.inject(words).await;
        client
            .wait_for("echo", s(5), |journal| journal.spoken_texts("user").contains(&words).then_some(()))
            .await;
    };
    let mut live = gateway.connect().await;
    live.open_s().await;
    said(&mut live, "canary one").await;
    assert!(!gateway.log().contains("DEBUG"), "{}", gateway.log());
    gateway.reload_with(|toml| toml.replace("\"info\"", "\"debug\"\nlog_content = true")).await;
    said(&mut live, "canary two").await;
    gateway.expect_log(&["DEBUG", "type=InjectUserMessage"], s(5)).await;
    let mut new = gateway.connect().await;
    new.open_s().await;
    said(&mut new, "canary three").await;
    gateway.expect_log(&["DEBUG", "canary three"], s(5)).await;
    let log = gateway.log();
    assert!(!log.contains("canary one") && !log.contains("canary two"), "a live session's words are logged");
    gateway.reload_with(|toml| toml.replace("\"debug\"", "\"info\"")).await;
    let before = gateway.log().matches("DEBUG").count();
    gateway.assert_serves().await;
    assert_eq!(gateway.log().matches("DEBUG").count(), before, "the level is info again");
}

#[tokio::test]
async fn rust_log_wins_over_the_level_of_a_new_configuration() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Gateway::for_mock(&mock).await;
    gateway
        .reload_with(|toml| toml.replace("[[backends]]", "[logging]\nlevel = \"off\"\n[[backends]]"))
        .await;
    let before = gateway.log().matches("DEBUG").count();
    gateway.assert_serves().await;
    assert!(gateway.log().matches("DEBUG").count() > before, "the level is off");
}

#[tokio::test]
async fn a_certificate_in_other_files_is_taken_up() {
    let mock = Mock::start(Script::default()).await;
    let [(first, old), (second, new)] = [Files::new(), Files::new()];
    let gateway = Config::for_mock(&mock).section(&first.toml()).start().await;
    let url = format!("wss://127.0.0.1:{}{PATH}", gateway.port());
    let mut live = Client::connect_tls(&url, &old, Pace::FREE).await;
    live.open_s().await;
    gateway.reload_with(|toml| toml.replace(&first.toml(), &second.toml())).await;
    gateway.expect_log(&["INFO", "the listener has a new certificate"], s(1)).await;
    assert!(new.connect(gateway.port()).await.is_ok());
    assert!(old.connect(gateway.port()).await.is_err());
    live.assert_goes_on().await;
    // Now these are the files that are looked at.
    let renewed = second.renew();
    eventually("new certificate", s(5), async || renewed.connect(gateway.port()).await.ok().map(drop)).await;
    gateway.reload_with(|toml| toml.replace(&second.toml(), "")).await;
    gateway.expect_log(&["WARN", "server.tls_cert: stays in use until a restart"], s(1)).await;
    assert!(renewed.connect(gateway.port()).await.is_ok());
}

#[tokio::test]
async fn the_embedded_configuration_can_be_read_again() {
    let gateway = Gateway::start_embedded().await;
    let before = told(&gateway).await;
    gateway.signal("HUP").await;
    gateway.expect_log(&["INFO", r#"configuration reloaded changes="nothing has changed"#], s(5)).await;
    assert_eq!(told(&gateway).await, before);
}

#[tokio::test]
async fn nothing_is_taken_up_during_the_drain() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Gateway::for_mock(&mock).await;
    let mut client = gateway.connect().await;
    client.open_with(&plain_settings()).await;
    mock.peer(1).await.send(&frames::output_audio_delta(&[0; 480]));
    client.wait_for("audio", s(5), |journal| (!heard(journal).is_empty()).then_some(())).await;
    gateway.terminate().await;
    gateway.expect_log(&["draining sessions=1 "], s(2)).await;
    gateway.signal("HUP").await;
    gateway.expect_log(&["WARN", "no configuration is taken up any more"], s(2)).await;
    assert!(client.journal().closed().is_none());
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(3)).await, Some(0));
}
