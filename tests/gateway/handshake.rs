//! Connecting: what the client is told first, what upstream is asked, what is refused before it.

use futures_util::future::join_all;
use tokio::net::TcpListener;

use crate::peers::client::Client;
use crate::peers::gateway::{Config, Gateway, PATH};
use crate::peers::http::{self, UPGRADE};
use crate::peers::mock::{Mock, Upgrade};
use crate::peers::row::Row;
use crate::peers::s;
use crate::peers::script::{Reply, Script};

#[tokio::test]
async fn welcome_is_the_first_message() {
    let mut row = Row::connected(Script::default()).await;
    row.client.open_s().await;
    let journal = row.client.journal();
    assert_eq!(journal.position("Welcome"), Some(0), "{journal}");
    let request_id = &journal.first("Welcome").expect("just seen")["request_id"];
    assert!(request_id.as_str().is_some_and(|id| !id.is_empty()), "{journal}");
}

/// The upgrade request that reaches upstream from a gateway with this configuration.
async fn upgrade(change: impl FnOnce(Config) -> Config) -> Upgrade {
    let mut row = Row::connected_to(Script::default(), change).await;
    row.client.open_s().await;
    let mut upgrades = row.mock.upgrades();
    assert_eq!(upgrades.len(), 1, "{upgrades:?}");
    upgrades.remove(0)
}

#[tokio::test]
async fn upstream_gets_key_and_model() {
    let upgrade = upgrade(|config| config).await;
    assert_eq!(upgrade.target, "/v1/realtime?model=gpt-realtime");
    assert_eq!(upgrade.headers.get("authorization").map(String::as_str), Some("Bearer test-key-1"));
    assert!(!upgrade.headers.contains_key("openai-beta"), "{upgrade:?}");
}

#[tokio::test]
async fn the_key_can_be_an_api_key_header() {
    let upgrade = upgrade(|config| config.backend("auth_header = \"api-key\"")).await;
    assert_eq!(upgrade.headers.get("api-key").map(String::as_str), Some("test-key-1"));
    assert!(!upgrade.headers.contains_key("authorization"), "{upgrade:?}");
}

#[tokio::test]
async fn the_model_of_the_configuration_is_asked_for() {
    let upgrade = upgrade(|config| config.backend("model = \"gpt-realtime-mini\"")).await;
    assert_eq!(upgrade.target, "/v1/realtime?model=gpt-realtime-mini");
}

#[tokio::test]
async fn a_model_in_the_url_is_left_alone() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Config::for_url(&format!("{}?model=my-deployment", mock.url())).start().await;
    gateway.connect().await.open_s().await;
    let targets: Vec<_> = mock.upgrades().into_iter().map(|upgrade| upgrade.target).collect();
    assert_eq!(targets, ["/v1/realtime?model=my-deployment"]);
}

async fn chosen_subprotocol(offered: &str) -> Option<String> {
    let mock = Mock::start(Script::default()).await;
    let gateway = Gateway::for_mock(&mock).await;
    let mut client = Client::connect_with(&gateway.url(PATH), &[("sec-websocket-protocol", offered)]).await;
    client.open_s().await;
    client.subprotocol.clone()
}

#[tokio::test]
async fn of_a_token_only_the_scheme_comes_back() {
    assert_eq!(chosen_subprotocol("token, secret").await.as_deref(), Some("token"));
}

#[tokio::test]
async fn of_a_bearer_only_the_scheme_comes_back() {
    assert_eq!(chosen_subprotocol("bearer, x").await.as_deref(), Some("bearer"));
}

#[tokio::test]
async fn an_upgrade_on_another_path_is_not_found() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Gateway::for_mock(&mock).await;
    let answer = http::get(gateway.port(), "/elsewhere", UPGRADE).await;
    assert_eq!(answer.status, 404, "{}", answer.body);
    answer.json();
    assert!(mock.upgrades().is_empty());
}

#[tokio::test]
async fn a_plain_get_on_the_path_is_refused() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Gateway::for_mock(&mock).await;
    let answer = http::get(gateway.port(), PATH, "").await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    answer.json();
    assert!(mock.upgrades().is_empty());
}

/// A client whose upstream cannot be had is told why, and only once.
async fn unavailable(gateway: Gateway, code: &str) {
    let client = gateway.connect().await;
    client.expect_error(code, s(10)).await;
    client.expect_close(s(5)).await;
    let journal = client.journal();
    assert_eq!(journal.count("Error"), 1, "{journal}");
    assert!(!gateway.log().contains("test-key-1"), "the key is in the log");
}

#[tokio::test]
async fn a_dial_that_is_refused_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let port = listener.local_addr().expect("the listener is bound").port();
    drop(listener);
    let gateway = Config::for_url(&format!("ws://127.0.0.1:{port}/v1/realtime")).start().await;
    unavailable(gateway, "upstream_unreachable").await;
}

async fn refused_with(status: u16, code: &str) {
    let mock = Mock::start(Script { refuse: Some(status), ..Script::default() }).await;
    unavailable(Gateway::for_mock(&mock).await, code).await;
}

#[tokio::test]
async fn upstream_answers_401() {
    refused_with(401, "upstream_auth_failed").await;
}

#[tokio::test]
async fn upstream_answers_429() {
    refused_with(429, "upstream_rate_limited").await;
}

#[tokio::test]
async fn upstream_answers_503() {
    refused_with(503, "upstream_unavailable").await;
}

#[tokio::test]
async fn many_clients_each_get_their_own_answers() {
    let mock = Mock::start(Script { reply: Reply::LastUserText, ..Script::with_audio() }).await;
    let gateway = Gateway::for_mock(&mock).await;
    let talk = async |number: usize| {
        let text = format!("I am client {number}");
        let mut client = gateway.connect().await;
        client.open_s().await;
        client.inject(&text).await;
        let journal = client.expect_spoken("assistant", s(10)).await;
        assert_eq!(journal.spoken_texts("user"), [text.as_str()]);
        assert_eq!(journal.spoken_texts("assistant"), [text.as_str()]);
        assert_eq!(journal.binaries().count(), 1, "{journal}");
        client
    };
    // All stay connected until the last has its answer.
    let clients = join_all((0..20).map(talk)).await;
    assert_eq!(mock.upgrades().len(), clients.len());
}

#[tokio::test]
async fn a_page_that_is_not_listed_does_not_get_in() {
    let mock = Mock::start(Script::default()).await;
    let listed = "[auth]\nallowed_origins = [\"https://shop.example\", \"http://localhost:3000\"]";
    let gateway = Config::for_mock(&mock).section(listed).start().await;
    let upgrade = async |origin: &str| http::get(gateway.port(), PATH, &format!("{UPGRADE}{origin}")).await;
    for origin in ["https://evil.example", "http://shop.example", "https://shop.example:8443", "null"] {
        let answer = upgrade(&format!("Origin: {origin}\r\n")).await;
        assert_eq!(answer.status, 403, "{origin}");
        assert_eq!(answer.json()["error"]["code"], "origin_not_allowed", "{origin}");
    }
    assert!(mock.upgrades().is_empty(), "upstream was dialled for a page that is not listed");
    for origin in ["Origin: https://shop.example\r\n", "Origin: http://localhost:3000\r\n", ""] {
        assert_eq!(upgrade(origin).await.status, 101, "{origin}");
    }
}

#[tokio::test]
async fn any_page_gets_in_where_none_are_listed() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Gateway::for_mock(&mock).await;
    let answer = http::get(gateway.port(), PATH, &format!("{UPGRADE}Origin: https://any.example\r\n")).await;
    assert_eq!(answer.status, 101);
}
