//! `POST /v1/auth/grant`: what it answers, whom it refuses, and that what it gives can be used.

use serde_json::{Value, json};

use super::stage::{KIOSK, SERVER, Stage, assert_refused, authorization, good, now, refusal};
use crate::peers::gateway::Config;
use crate::peers::http::{self, Connection};
use crate::peers::s;

const PATH: &str = "/v1/auth/grant";

#[tokio::test]
async fn a_granted_token_is_a_token() {
    let stage = Stage::start().await;
    let answer = stage.grant(SERVER, &json!({ "ttl_s": 30, "subject": "visitor \"7\"" })).await;
    let body = answer.json();
    assert_eq!((answer.status, body["expires_in"].as_u64()), (200, Some(30)));
    assert_eq!(body.as_object().map(|body| body.len()), Some(2), "{body}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let token = body["access_token"].as_str().expect("a token");
    assert_eq!(stage.upgrade_by(token).await.status, 101);
    assert_eq!(stage.upgrade_by(token).await.status, 101, "it is for more than one use");
    stage.gateway.expect_log(&["connected", r#"subject="visitor \"7\"""#], s(5)).await;
    stage.gateway.expect_log(&["granted", "by=\"shop server\" expires_in_s=30"], s(5)).await;
    assert_refused(&stage.grant(token, &json!({})).await, 403, "grant_not_allowed", "what is granted");
}

#[tokio::test]
async fn deepgram_s_callers_are_answered() {
    let stage = Stage::start().await;
    let length = "Content-Length: 0\r\n";
    let empty =
        http::send(stage.gateway.port(), "POST", PATH, &format!("{length}{}", authorization(SERVER))).await;
    assert_eq!((empty.status, empty.json()["expires_in"].as_u64()), (200, Some(60)));
    let token = format!("Authorization: Token {SERVER}\r\n");
    let named = http::post(stage.gateway.port(), PATH, &token, "{\"ttl_seconds\":15}").await;
    assert_eq!((named.status, named.json()["expires_in"].as_u64()), (200, Some(15)));
}

#[tokio::test]
async fn nobody_grants_more_than_they_have() {
    let stage = Stage::start_with("max_grant_ttl_s = 600", &[]).await;
    assert_refused(&stage.grant(KIOSK, &json!({})).await, 403, "grant_not_allowed", "the kiosk");
    let some = good(&json!({
        "grant": true, "backends": ["openai"], "functions": ["get_weather"], "exp": now() + 30,
    }));
    for (body, code) in [
        (json!({ "backends": ["openai", "other"] }), "backend_not_allowed"),
        (json!({ "functions": ["book_table"] }), "function_not_allowed"),
    ] {
        assert_refused(&stage.grant(&some, &body).await, 403, code, &body.to_string());
    }
    let expires_in = stage.grant(&some, &json!({ "ttl_s": 600 })).await.json()["expires_in"].as_u64();
    assert!(expires_in.is_some_and(|seconds| seconds <= 30), "it outlives its giver: {expires_in:?}");
    let bearer = stage.granted(&json!({ "backends": ["other"], "functions": [] })).await;
    assert_refused(&stage.upgrade_by(&bearer).await, 403, "backend_not_allowed", "a granted token");
    assert_eq!(stage.upgrade("/other", &authorization(&bearer)).await.status, 101);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused() {
    let stage = Stage::start_with("max_grant_ttl_s = 600", &[]).await;
    for (body, code, description) in [
        ("[]", "invalid_body", "the body is no json object"),
        ("{\"ttl_s\":0}", "invalid_member", "ttl_s must be 1 to 600"),
        ("{\"ttl_s\":601}", "invalid_member", "ttl_s must be 1 to 600"),
        ("{\"ttl_s\":\"60\"}", "invalid_member", "ttl_s must be an integer of seconds"),
        ("{\"backends\":[\"nowhere\"]}", "invalid_member", "backends must hold names of backends"),
        ("{\"functons\":[]}", "invalid_member", "a member is unknown or stands there twice"),
    ] {
        let answer = stage.post(PATH, SERVER, body).await;
        assert_eq!(refusal(&answer), (400, code.to_owned()), "{body}");
        assert_eq!(answer.json()["error"]["description"], description, "{body}");
    }
    let port = stage.gateway.port();
    let own = authorization(SERVER);
    for method in ["GET", "PUT", "OPTIONS"] {
        let answer = http::send(port, method, PATH, &own).await;
        assert_eq!(refusal(&answer), (405, "method_not_allowed".to_owned()), "{method}");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let large = stage.post(PATH, SERVER, &format!("{{\"subject\":\"{}\"}}", "x".repeat(16 * 1024))).await;
    assert_eq!(refusal(&large), (413, "message_too_large".to_owned()));
    let mut connection = Connection::open(port).await;
    connection.head("POST", PATH, &format!("{own}Content-Type: text/plain\r\nContent-Length: 2\r\n")).await;
    connection.send("{}").await;
    assert_eq!(refusal(&connection.answer().await), (415, "unsupported_media_type".to_owned()));
}

#[tokio::test]
async fn where_nothing_signs_there_is_nothing_to_ask() {
    let token = "[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"a\"\ntoken = \"0123456789abcdef\"";
    for section in ["", token] {
        let gateway = Config::for_url("ws://127.0.0.1:9/").section(section).start().await;
        let headers = authorization("0123456789abcdef");
        let answer = http::post(gateway.port(), PATH, &headers, &Value::Null.to_string()).await;
        assert_eq!(refusal(&answer), (404, "not_found".to_owned()));
    }
}
