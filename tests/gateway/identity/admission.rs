//! Before the upgrade: every place that a token may stand in, and everything that is no good token.

use serde_json::json;

use super::stage::{
    CALL, KIOSK, SECRET, SERVER, Stage, assert_refused, authorization, claims, good, jwt, now,
};
use crate::peers::client::Client;
use crate::peers::http;
use crate::peers::s;

const RSA_PUBLIC: &str = include_str!("../../keys/rsa_public.pem");

#[tokio::test]
async fn a_token_gets_in_from_every_place_where_clients_put_it() {
    let stage = Stage::start().await;
    for token in [SERVER, &good(&json!({}))] {
        for (target, headers, protocol) in [
            ("/openai".to_owned(), authorization(token), None),
            ("/openai".to_owned(), format!("Authorization: Token {token}\r\n"), None),
            ("/openai".to_owned(), format!("Sec-WebSocket-Protocol: token, {token}\r\n"), Some("token")),
            ("/openai".to_owned(), format!("Sec-WebSocket-Protocol: bearer, {token}\r\n"), Some("bearer")),
            (
                "/openai".to_owned(),
                format!("Sec-WebSocket-Protocol: token, {token}, x-deepgram-session-id, s-1\r\n"),
                Some("token"),
            ),
            (format!("/openai?token={token}&service=agent"), String::new(), None),
            (format!("/openai?token=old&token={token}"), String::new(), None),
            (format!("/openai?token={token}"), authorization(token), None),
        ] {
            let answer = stage.upgrade(&target, &headers).await;
            assert_eq!(answer.status, 101, "{target} {headers}: {}", answer.body);
            assert_eq!(answer.header("sec-websocket-protocol"), protocol, "{target} {headers}");
        }
    }
    stage.gateway.expect_log(&["connected path=/openai", "subject=\"shop server\""], s(5)).await;
    stage.gateway.expect_log(&["connected path=/openai", "subject=visitor"], s(5)).await;
}

#[tokio::test]
async fn a_session_by_a_subprotocol_is_a_whole_session() {
    let stage = Stage::start().await;
    let offered = format!("token, {SERVER}");
    let url = stage.gateway.url("/openai");
    let mut client = Client::connect_with(&url, &[("sec-websocket-protocol", &offered)]).await;
    client.open_s().await;
    client.assert_goes_on().await;
    assert_eq!(client.subprotocol.as_deref(), Some("token"));
}

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let stage = Stage::start().await;
    for headers in ["", "Authorization: Basic dXNlcjpwYXNz\r\n", "Authorization: Bearer\r\n"] {
        assert_refused(&stage.upgrade("/openai", headers).await, 401, "token_missing", headers);
    }
    let port = stage.gateway.port();
    assert_refused(&http::get(port, "/v1/backends", "").await, 401, "token_missing", "backends");
    assert_refused(&http::post(port, "/v1/auth/grant", "", "{}").await, 401, "token_missing", "grant");
    let answer = http::post(port, "/function-call", "", CALL).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(answer.json(), json!({ "error": "a token is needed", "code": "token_missing" }));
    for path in ["/health", "/ready"] {
        assert_eq!(http::get(port, path, "").await.status, 200, "{path}");
    }
    assert!(stage.mock.upgrades().is_empty(), "upstream was dialled");
    assert!(stage.application.requests().is_empty(), "a function was run");
}

#[tokio::test]
async fn what_is_no_good_token_is_refused_by_one_word() {
    let stage = Stage::start().await;
    let header = json!({ "alg": "HS256" });
    let body = good(&json!({})).split('.').nth(1).expect("three parts").to_owned();
    let signed_by = |key: &[u8]| jwt(&header, &claims(&json!({})), key);
    let good_one = good(&json!({}));
    // As long as a head may be, but for its rest.
    let long = "x".repeat(30 * 1024);
    for (what, token, code) in [
        ("nobody's", "nobody-knows-this-token", "token_invalid"),
        ("almost one", &KIOSK[1..], "token_invalid"),
        ("another key's", &signed_by(b"another-secret-another-secret-anot"), "token_invalid"),
        ("the public key's", &signed_by(RSA_PUBLIC.as_bytes()), "token_invalid"),
        ("no algorithm", &format!("eyJhbGciOiJub25lIn0.{body}."), "token_invalid"),
        ("cut", &good_one[..good_one.len() - 1], "token_invalid"),
        ("expired", &good(&json!({ "exp": now() - 60 })), "token_expired"),
        ("not yet valid", &good(&json!({ "nbf": now() + 60 })), "token_invalid"),
        ("somebody else's", &good(&json!({ "aud": "other" })), "token_invalid"),
        ("30 KiB", &long, "token_invalid"),
        ("not ASCII", "t\u{f6}ken-t\u{f6}ken-t\u{f6}ken", "token_invalid"),
    ] {
        for headers in [authorization(token), format!("Sec-WebSocket-Protocol: token, {token}\r\n")] {
            assert_refused(&stage.upgrade("/openai", &headers).await, 401, code, what);
        }
    }
    let two = stage.upgrade(&format!("/openai?token={SERVER}"), &authorization(KIOSK)).await;
    assert_refused(&two, 401, "token_invalid", "two tokens");
    assert_eq!(two.json()["error"]["description"], "the token is not valid", "which says no more");
    stage.gateway.expect_log(&["refused path=/openai", "reason=\"two different tokens\""], s(5)).await;
    stage.gateway.expect_log(&["refused path=/openai", "code=token_expired"], s(5)).await;
    assert!(stage.mock.upgrades().is_empty(), "upstream was dialled for a stranger");
    let named = jwt(&json!({ "alg": "HS256", "kid": "any" }), &claims(&json!({})), SECRET.as_bytes());
    assert_eq!(stage.upgrade_by(&named).await.status, 101, "keys without a name take any");
}

#[tokio::test]
async fn issuer_audience_and_key_id_decide() {
    let files = tempfile::TempDir::new().expect("a temporary directory can be made");
    let set = files.path().join("keys.json");
    let key = base64_simd::URL_SAFE_NO_PAD.encode_to_string(b"the-new-key-the-new-key-the-new-key");
    std::fs::write(&set, json!({ "keys": [{ "kty": "oct", "kid": "new", "k": key }] }).to_string())
        .expect("it can be written");
    let lines = format!("issuer = \"https://id\"\naudience = \"voice\"\njwks_file = {set:?}");
    let stage = Stage::start_with(&lines, &[]).await;
    let token = |kid: &str, iss: &str, aud: &str| {
        let header = json!({ "alg": "HS256", "kid": kid });
        jwt(&header, &claims(&json!({ "iss": iss, "aud": aud })), b"the-new-key-the-new-key-the-new-key")
    };
    assert_eq!(stage.upgrade_by(&token("new", "https://id", "voice")).await.status, 101);
    for (kid, iss, aud) in
        [("old", "https://id", "voice"), ("new", "https://di", "voice"), ("new", "https://id", "vice")]
    {
        let answer = stage.upgrade_by(&token(kid, iss, aud)).await;
        assert_refused(&answer, 401, "token_invalid", &format!("{kid} {iss} {aud}"));
    }
}

#[tokio::test]
async fn a_page_is_judged_before_its_token() {
    let stage = Stage::start().await;
    let page = "Origin: https://page.example\r\n";
    let answer = stage.upgrade("/openai", &format!("{page}{}", authorization(SERVER))).await;
    assert_eq!(answer.status, 101, "with an empty list any page may connect");
    let headers = format!("{page}{}", authorization(SERVER));
    let call = http::post(stage.gateway.port(), "/function-call", &headers, CALL).await;
    assert_eq!((call.status, call.json()["code"].as_str()), (403, Some("no_origin_listed")));
    let grant = http::post(stage.gateway.port(), "/v1/auth/grant", &headers, "{}").await;
    assert_refused(&grant, 403, "origin_not_allowed", "a grant");
}
