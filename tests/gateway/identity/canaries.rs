//! Tokens and keys that stand nowhere else: no line of the log at trace level, no answer, no frame and nothing that
//! goes upstream or to an application may have one.

use serde_json::json;

use super::stage::{CALL, KIOSK, SECRET, SERVER, Stage, authorization, good, now};
use crate::peers::client::Client;
use crate::peers::s;

#[tokio::test]
async fn no_token_is_seen_where_it_does_not_belong() {
    let stage = Stage::start_with("", &[("RUST_LOG", "trace")]).await;
    let (own, expired) = (good(&json!({})), good(&json!({ "exp": now() - 60, "x": 1 })));
    let granted = stage.granted(&json!({})).await;
    let unknown = "canary-unknown-token-99cc";
    let canaries = [SECRET, SERVER, KIOSK, &own, &expired, &granted, unknown];
    let mut answers = Vec::new();
    for token in &canaries[1..] {
        for (target, headers) in [
            ("/openai".to_owned(), authorization(token)),
            ("/other".to_owned(), authorization(token)),
            ("/openai".to_owned(), format!("Sec-WebSocket-Protocol: bearer, {token}\r\n")),
            (format!("/openai?token={token}"), String::new()),
            (format!("/openai?token={token}"), authorization("another-token-altogether")),
            (format!("/nowhere?token={token}"), String::new()),
        ] {
            answers.push(stage.upgrade(&target, &headers).await);
        }
        answers.push(stage.post("/function-call", token, CALL).await);
        answers.push(stage.post("/function-call", token, "{").await);
        if *token != SERVER {
            answers.push(stage.post("/v1/auth/grant", token, "{}").await);
        }
        answers.push(stage.post("/v1/auth/grant", token, "{").await);
    }
    for token in [SERVER, &own, &granted] {
        let offered = format!("token, {token}");
        let url = format!("{}?token={token}", stage.gateway.url("/openai"));
        let mut client = Client::connect_with(&url, &[("sec-websocket-protocol", &offered)]).await;
        client.open_s().await;
        client.assert_goes_on().await;
        client.close(1000, "done").await;
        client.expect_close(s(5)).await;
        let received = client.journal().to_string();
        assert!(canaries.iter().all(|canary| !received.contains(canary)), "a client was told: {received}");
    }
    stage.gateway.expect_log(&["subject=visitor"], s(5)).await;
    let log = stage.gateway.log();
    for canary in canaries {
        let of_log = log.lines().find(|line| line.contains(canary));
        assert_eq!(of_log, None, "the log has it");
        let told = answers.iter().find(|answer| format!("{answer:?}").contains(canary));
        assert!(told.is_none(), "an answer has it: {told:?}");
        for upgrade in stage.mock.upgrades() {
            assert!(!format!("{upgrade:?}").contains(canary), "upstream was told: {upgrade:?}");
        }
        assert!(!stage.mock.journal().to_string().contains(canary), "upstream was sent it");
        for request in stage.application.requests() {
            assert!(!format!("{request:?}").contains(canary), "an application was told: {request:?}");
        }
    }
}
