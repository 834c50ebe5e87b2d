//! What a token is good for: backends, functions, the length of a session, and one use.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::stage::{CALL, KIOSK, SERVER, Stage, assert_refused, authorization, good};
use crate::peers::client::Client;
use crate::peers::http;
use crate::peers::s;

#[tokio::test]
async fn a_token_is_for_its_backends_alone() {
    let stage = Stage::start().await;
    let kiosk = authorization(KIOSK);
    assert_refused(&stage.upgrade("/other", &kiosk).await, 403, "backend_not_allowed", "the other");
    let none = authorization(&good(&json!({ "backends": [] })));
    assert_refused(&stage.upgrade("/openai", &none).await, 403, "backend_not_allowed", "none");
    assert!(stage.mock.upgrades().is_empty(), "upstream was dialled for a token of another backend");
    assert_eq!(stage.upgrade("/openai", &kiosk).await.status, 101);
    stage.gateway.expect_log(&["refused path=/other", "subject=kiosk code=backend_not_allowed"], s(5)).await;
    let listed = async |headers: &str| {
        let answer = http::get(stage.gateway.port(), "/v1/backends", headers).await;
        let names = answer.json()["backends"].as_array().expect("a list").clone();
        names.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&kiosk).await, ["openai"]);
    assert_eq!(listed(&authorization(SERVER)).await, ["openai", "other"]);
    assert_eq!(listed(&none).await, [""; 0]);
}

#[tokio::test]
async fn a_page_s_calls_are_those_that_its_token_is_for() {
    let stage = Stage::start().await;
    let call = async |token: &str, body: &str| {
        let answer = stage.post("/function-call", token, body).await;
        (answer.status, answer.json())
    };
    let other = CALL.replace("get_weather", "book_table");
    assert_eq!(call(KIOSK, CALL).await, (200, json!({ "content": "sunny" })));
    let refused = json!({ "error": "the token is not for this function", "code": "function_not_allowed" });
    assert_eq!(call(KIOSK, &other).await, (403, refused));
    assert_eq!(call(SERVER, &other).await, (200, json!({ "content": "sunny" })));
    assert_eq!(stage.application.requests().len(), 2, "what was refused was run");
    stage
        .gateway
        .expect_log(&["function call", "subject=kiosk function=book_table", "status=403"], s(5))
        .await;
}

/// Who is asked to answer a call of this function in a session by this token.
async fn client_side(stage: &Stage, token: &str, name: &str) -> Value {
    let url = stage.gateway.url("/openai");
    let offered = format!("bearer, {token}");
    let mut client = Client::connect_with(&url, &[("sec-websocket-protocol", &offered)]).await;
    client.open_s().await;
    let peer = stage.mock.peer(stage.mock.upgrades().len()).await;
    let kind = "response.function_call_arguments.done";
    peer.send(&json!({ "type": kind, "call_id": "call_1", "name": name, "arguments": "{}" }));
    let request = client.expect("FunctionCallRequest", s(5)).await;
    assert_eq!(request["functions"][0]["name"], name);
    request["functions"][0]["client_side"].clone()
}

#[tokio::test]
async fn a_session_runs_the_functions_that_its_token_is_for() {
    let stage = Stage::start().await;
    assert_eq!(client_side(&stage, &good(&json!({})), "book_table").await, false);
    let token = good(&json!({ "functions": ["get_weather"] }));
    assert_eq!(client_side(&stage, &token, "get_weather").await, false);
    assert_eq!(client_side(&stage, &token, "book_table").await, true);
}

#[tokio::test]
async fn a_session_is_no_longer_than_its_token_allows() {
    let stage = Stage::start().await;
    let url = stage.gateway.url("/openai");
    let by = |token: &str| format!("token, {token}");
    let mut brief = Client::connect_with(&url, &[("sec-websocket-protocol", &by(KIOSK))]).await;
    let mut long = Client::connect_with(&url, &[("sec-websocket-protocol", &by(SERVER))]).await;
    brief.open_s().await;
    long.open_s().await;
    brief.expect_error("session_max_duration", s(5)).await;
    long.assert_goes_on().await;
}

#[tokio::test]
async fn a_token_for_one_use_is_good_for_one_of_many_at_once() {
    let stage = Stage::start().await;
    for _ in 0..5 {
        let token = stage.granted(&json!({ "single_use": true })).await;
        let answers = join_all((0..8).map(|_| stage.upgrade_by(&token))).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [101, 401, 401, 401, 401, 401, 401, 401]);
    }
    // What is refused for another reason, and a look at the backends, use nothing up.
    let token = stage.granted(&json!({ "single_use": true, "backends": ["openai"] })).await;
    let other = stage.upgrade("/other", &authorization(&token)).await;
    assert_refused(&other, 403, "backend_not_allowed", "the other");
    assert_eq!(http::get(stage.gateway.port(), "/v1/backends", &authorization(&token)).await.status, 200);
    assert_eq!(stage.post("/function-call", &token, CALL).await.status, 200);
    assert_eq!(stage.post("/function-call", &token, CALL).await.status, 401);
    assert_refused(&stage.upgrade_by(&token).await, 401, "token_invalid", "a used token");
    let list = http::get(stage.gateway.port(), "/v1/backends", &authorization(&token)).await;
    assert_refused(&list, 401, "token_invalid", "a used token");
    let giver = good(&json!({ "grant": true, "single_use": true, "jti": "giver" }));
    assert_eq!(stage.grant(&giver, &json!({})).await.status, 200);
    assert_refused(&stage.grant(&giver, &json!({})).await, 401, "token_invalid", "a used giver");
}
