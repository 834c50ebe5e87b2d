//! Tokens and pages under a configuration that is read again: whose are good from then on, and who stays.

use serde_json::json;

use super::stage::{KIOSK, SECRET, SERVER, Stage, assert_refused, authorization, good};
use crate::peers::client::Client;
use crate::peers::s;

const OTHER_SECRET: &str = "another-secret-9c0e-another-secret-9c0e";
const OTHER_TOKEN: &str = "another-server-token-12ab";

#[tokio::test]
async fn a_token_that_is_gone_lets_nobody_in_and_puts_nobody_out() {
    let stage = Stage::start().await;
    let url = stage.gateway.url("/openai");
    let mut live = Client::connect_with(&url, &[("authorization", &format!("Bearer {SERVER}"))]).await;
    live.open_s().await;
    assert_refused(&stage.upgrade_by(OTHER_TOKEN).await, 401, "token_invalid", "a token to come");
    stage.gateway.reload_with(|toml| toml.replace(SERVER, OTHER_TOKEN)).await;
    stage.gateway.expect_log(&[r#"configuration reloaded changes="sections changed: [auth]"#], s(1)).await;
    assert_refused(&stage.upgrade_by(SERVER).await, 401, "token_invalid", "a token that is gone");
    assert_refused(&stage.grant(SERVER, &json!({})).await, 401, "token_invalid", "a token that is gone");
    for token in [OTHER_TOKEN, KIOSK] {
        assert_eq!(stage.upgrade_by(token).await.status, 101, "{token}");
    }
    live.assert_goes_on().await;
    let log = stage.gateway.log();
    assert!(!log.contains(OTHER_TOKEN) && !log.contains(SERVER), "a token is in the log");
}

#[tokio::test]
async fn a_key_that_is_gone_verifies_nothing() {
    let stage = Stage::start().await;
    let old = good(&json!({}));
    assert_eq!(stage.upgrade_by(&old).await.status, 101);
    stage.gateway.reload_with(|toml| toml.replace(SECRET, OTHER_SECRET)).await;
    assert_refused(&stage.upgrade_by(&old).await, 401, "token_invalid", "signed with the old key");
    let new = stage.granted(&json!({})).await;
    assert_eq!(stage.upgrade_by(&new).await.status, 101);
    stage.gateway.reload_with(|toml| toml.replace(OTHER_SECRET, SECRET)).await;
    assert_eq!(stage.upgrade_by(&old).await.status, 101);
    assert_refused(&stage.upgrade_by(&new).await, 401, "token_invalid", "signed with the other key");
}

#[tokio::test]
async fn a_token_for_one_use_that_was_used_stays_so() {
    let stage = Stage::start().await;
    let [used, unused] = [
        stage.granted(&json!({ "single_use": true })).await,
        stage.granted(&json!({ "single_use": true })).await,
    ];
    assert_eq!(stage.upgrade_by(&used).await.status, 101);
    stage.gateway.reload_with(|toml| toml.replace("max_session_s = 1", "max_session_s = 2")).await;
    assert_refused(&stage.upgrade_by(&used).await, 401, "token_invalid", "used before");
    // Also where in between nobody was asked for a token.
    let whole = std::fs::read_to_string(stage.gateway.config_file()).expect("the configuration is there");
    let (before, rest) = whole.split_once("[auth]").expect("there is one");
    let (_, after) = rest.split_once("[[functions.route]]").expect("there is one");
    let open = format!("{before}[[functions.route]]{after}");
    stage.gateway.reload_with(|_| open).await;
    assert_eq!(stage.upgrade("/openai", "").await.status, 101);
    let answer = stage.grant(SERVER, &json!({})).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (404, Some("not_found")));
    stage.gateway.reload_with(|_| whole).await;
    assert_refused(&stage.upgrade_by(&used).await, 401, "token_invalid", "used before");
    assert_eq!(stage.upgrade_by(&unused).await.status, 101);
    assert_refused(&stage.upgrade_by(&unused).await, 401, "token_invalid", "used since");
}

#[tokio::test]
async fn pages_are_let_in_by_the_new_list() {
    let stage = Stage::start().await;
    let from = |page: &str| format!("{}Origin: {page}\r\n", authorization(SERVER));
    let [listed, other] = ["https://shop.example", "https://other.example"].map(from);
    assert_eq!(stage.upgrade("/openai", &other).await.status, 101, "none is listed");
    let list = "mode = \"jwt\"\nallowed_origins = [\"https://shop.example\"]";
    stage.gateway.reload_with(|toml| toml.replace("mode = \"jwt\"", list)).await;
    assert_refused(&stage.upgrade("/openai", &other).await, 403, "origin_not_allowed", "not listed");
    assert_eq!(stage.upgrade("/openai", &listed).await.status, 101);
}
