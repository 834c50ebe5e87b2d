//! `GET /metrics`: who may scrape, and that a scrape says what the peers saw.

use std::collections::BTreeMap;

use crate::identity::stage::{KIOSK, SERVER, Stage, authorization, good};
use crate::peers::application::Application;
use crate::peers::client::Client;
use crate::peers::gateway::{Config, Gateway, PATH};
use crate::peers::http::{self, Connection};
use crate::peers::mock::Mock;
use crate::peers::reply::Reply;
use crate::peers::row::Row;
use crate::peers::script::Script;
use crate::peers::{eventually, s};

/// The values of a scrape by series, `voxbridge_` left out and the labels in their order.
type Scrape = BTreeMap<String, f64>;

async fn scrape(port: u16) -> Scrape {
    let answer = http::get(port, "/metrics", "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let lines = answer.body.lines().filter_map(|line| line.strip_prefix("voxbridge_")?.rsplit_once(' '));
    lines.map(|(series, value)| (series.to_owned(), value.parse().expect("a number"))).collect()
}

#[track_caller]
fn of(scrape: &Scrape, series: &str) -> f64 {
    *scrape.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", scrape.keys()))
}

/// A scrape after the last session of the backend has gone.
async fn when_over(gateway: &Gateway, backend: &str) -> Scrape {
    let open = format!("sessions_open{{backend=\"{backend}\"}}");
    let over = |scrape: &Scrape| of(scrape, &open) == 0.0 && of(scrape, "budget_held_bytes") == 0.0;
    let scraped = async || Some(scrape(gateway.port()).await).filter(over);
    eventually("end of all sessions, and nothing held for them", s(5), scraped).await
}

async fn hang_up(client: &mut Client) {
    client.close(1000, "done").await;
    client.expect_close(s(5)).await;
}

#[tokio::test]
async fn a_conversation_is_what_both_peers_saw_of_it() {
    let mut row = Row::opened(Script::with_audio()).await;
    let during = scrape(row.gateway.port()).await;
    assert_eq!(of(&during, "sessions_open{backend=\"openai\"}"), 1.0);
    row.client.inject("hello").await;
    row.client.expect_spoken("assistant", s(5)).await;
    row.client.expect("AgentAudioDone", s(5)).await;
    hang_up(&mut row.client).await;
    let scrape = when_over(&row.gateway, "openai").await;
    for (series, expected) in [
        ("sessions_begun_total{backend=\"openai\"}", 1.0),
        ("sessions_ended_total{backend=\"openai\",cause=\"client_closed\"}", 1.0),
        ("session_duration_seconds_count{backend=\"openai\"}", 1.0),
        ("upstream_dial_seconds_count{backend=\"openai\",outcome=\"opened\"}", 1.0),
        ("turn_latency_seconds_count{backend=\"openai\",input=\"text\"}", 1.0),
        ("turn_latency_seconds_count{backend=\"openai\",input=\"speech\"}", 0.0),
        ("turn_own_share_seconds_count{backend=\"openai\"}", 1.0),
        ("queue_high_water_bytes_count{backend=\"openai\",leg=\"client\"}", 1.0),
    ] {
        assert_eq!(of(&scrape, series), expected, "{series}");
    }
    // The close frame is no data.
    let journal = row.client.journal();
    let texts = journal.entries.iter().filter(|entry| entry.what.kind().is_some()).count();
    let wire = |what: &str, leg: &str, direction: &str| {
        let labels = format!("{{backend=\"openai\",direction=\"{direction}\",leg=\"{leg}\"}}");
        of(&scrape, &format!("{what}_total{labels}")) as usize
    };
    assert_eq!(wire("messages", "client", "out"), texts + journal.binaries().count(), "{journal}");
    let audio: usize = journal.binaries().map(|(_, audio)| audio.len()).sum();
    assert!(wire("message_bytes", "client", "out") > audio && audio > 0);
    // Settings and the text.
    assert_eq!(wire("messages", "client", "in"), 2);
    assert_eq!(wire("messages", "upstream", "out"), row.mock.journal().entries.len() - mock_own(&row.mock));
    assert!(wire("messages", "upstream", "in") > 0);
    let waited = of(&scrape, "turn_latency_seconds_sum{backend=\"openai\",input=\"text\"}");
    let own = of(&scrape, "turn_own_share_seconds_sum{backend=\"openai\"}");
    assert!(own > 0.0 && own <= waited, "{own} of {waited}");
}

/// Entries of the mock's journal that are no messages.
fn mock_own(mock: &Mock) -> usize {
    mock.journal().entries.iter().filter(|entry| entry.what.kind().is_none()).count()
}

#[tokio::test]
async fn whoever_may_know_of_all_backends_may_scrape() {
    let stage = Stage::start().await;
    let port = stage.gateway.port();
    let some = good(&serde_json::json!({ "backends": ["openai", "other"] }));
    for (headers, status, code) in [
        (String::new(), 401, "token_missing"),
        (authorization("another-token-altogether"), 401, "token_invalid"),
        (authorization(KIOSK), 403, "backend_not_allowed"),
        (authorization(&some), 403, "backend_not_allowed"),
    ] {
        let answer = http::get(port, "/metrics", &headers).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (status, Some(code)));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let once = stage.granted(&serde_json::json!({})).await;
    for token in [SERVER, &once, &once] {
        let answer = http::get(port, "/metrics", &authorization(token)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert!(
            answer.body.contains("voxbridge_refusals_total{code=\"token_missing\"} 1\n"),
            "{}",
            answer.body
        );
    }
    let head = http::send(port, "HEAD", "/metrics", &authorization(SERVER)).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(http::post(port, "/metrics", &authorization(SERVER), "{}").await.status, 405);
    stage
        .gateway
        .expect_log(&["refused path=/metrics", "subject=kiosk code=backend_not_allowed"], s(5))
        .await;
}

#[tokio::test]
async fn every_refusal_counts_also_those_that_have_no_line_of_their_own() {
    let gateway = Config::for_url("ws://127.0.0.1:9/").start().await;
    for _ in 0..20 {
        assert_eq!(http::get(gateway.port(), "/nowhere", "").await.status, 404);
        assert_eq!(http::get(gateway.port(), "/function-call", "").await.status, 405);
        assert_eq!(http::get(gateway.port(), PATH, "").await.status, 426);
        let mut connection = Connection::open(gateway.port()).await;
        connection.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(connection.answer().await.status, 400, "it names no host");
    }
    let scrape = scrape(gateway.port()).await;
    for code in ["not_found", "method_not_allowed", "upgrade_required", "bad_request"] {
        assert_eq!(of(&scrape, &format!("refusals_total{{code=\"{code}\"}}")), 20.0, "{code}");
    }
    assert!(gateway.log().matches("code=not_found").count() < 20);
}

#[tokio::test]
async fn counters_survive_a_reload_and_so_do_those_of_a_backend_that_is_gone() {
    let mock = Mock::start(Script::default()).await;
    let other = format!(
        "[[backends]]\nname = \"other\"\nkind = \"openai-realtime\"\npath = \"/other\"\nurl = \"{}\"",
        mock.url()
    );
    let gateway = Config::for_mock(&mock).section(&other).start().await;
    let mut client = Client::connect(&gateway.url("/other")).await;
    client.open_s().await;
    gateway.reload_with(|toml| toml.replace("\"other\"", "\"another\"").replace("/other", "/another")).await;
    let begun = |scrape: &Scrape, backend: &str| {
        of(scrape, &format!("sessions_begun_total{{backend=\"{backend}\"}}"))
    };
    let scraped = scrape(gateway.port()).await;
    assert_eq!([begun(&scraped, "other"), begun(&scraped, "another")], [1.0, 0.0]);
    assert_eq!(of(&scraped, "sessions_open{backend=\"other\"}"), 1.0, "it goes on");
    hang_up(&mut client).await;
    let scraped = when_over(&gateway, "other").await;
    assert_eq!(of(&scraped, "sessions_ended_total{backend=\"other\",cause=\"client_closed\"}"), 1.0);
}

#[tokio::test]
async fn functions_count_by_the_names_of_routes_alone() {
    let application = Application::start(|_| Reply::content("sunny")).await;
    let route =
        |names: &str| format!("[[functions.route]]\nnames = [\"{names}\"]\nurl = \"{}\"", application.url());
    let config = Config::for_url("ws://127.0.0.1:9/").section(&route("get_weather")).section(&route("*"));
    let gateway = config.start().await;
    let call = async |name: &str| {
        let body = format!(r#"{{"id":"1","name":"{name}","arguments":"{{}}"}}"#);
        http::post(gateway.port(), "/function-call", "", &body).await.status
    };
    assert_eq!(call("get_weather").await, 200);
    let before = scrape(gateway.port()).await;
    for n in 0..50 {
        assert_eq!(call(&format!("invented_{n}")).await, 200);
    }
    let after = scrape(gateway.port()).await;
    assert!(before.keys().eq(after.keys()), "a name made a series");
    let calls =
        |name: &str| of(&after, &format!("function_calls_total{{function=\"{name}\",outcome=\"ok\"}}"));
    assert_eq!([calls("get_weather"), calls("other"), calls("get_current_time")], [1.0, 50.0, 0.0]);
}

#[tokio::test]
async fn a_dial_that_fails_and_an_upstream_that_refuses_are_told_apart() {
    let mock = Mock::start(Script { refuse: Some(401), ..Script::default() }).await;
    let gateway = Gateway::for_mock(&mock).await;
    let client = gateway.connect().await;
    client.expect_ending("upstream_auth_failed", 1011).await;
    drop(client);
    let scrape = when_over(&gateway, "openai").await;
    for series in [
        "upstream_dial_seconds_count{backend=\"openai\",outcome=\"auth_failed\"}",
        "sessions_ended_total{backend=\"openai\",cause=\"upstream_auth_failed\"}",
        "notices_total{backend=\"openai\",code=\"upstream_auth_failed\",type=\"Error\"}",
    ] {
        assert_eq!(of(&scrape, series), 1.0, "{series}");
    }
    assert_eq!(of(&scrape, "upstream_dial_seconds_count{backend=\"openai\",outcome=\"opened\"}"), 0.0);
}
