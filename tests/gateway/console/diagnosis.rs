//! Why a session was refused browsers do not tell the page that asked for it: it can find out by what else the gateway
//! answers, and uses up no token by that.

use serde_json::{Value, json};

use crate::identity::stage::{KIOSK, SECRET, SERVER, Stage, authorization, claims, good, jwt};
use crate::peers::gateway::{Config, Gateway, PATH};
use crate::peers::http::{self, UPGRADE};
use crate::peers::mock::Mock;
use crate::peers::script::Script;

const OWN: &str = "https://voice.example";
const WELL: (u16, Option<&str>) = (200, None);
const NO_CALL: (u16, &str) = (400, "invalid_id");

/// What the page asks when a socket was refused: whether tokens are good, and whether pages of its origin may call functions.
struct Asked {
    upgrade: u16,
    backends: (u16, Option<String>),
    call: (u16, Option<String>),
}

/// Asks as a page of this origin with this token, or none.
async fn ask(gateway: &Gateway, origin: &str, token: &str) -> Asked {
    let port = gateway.port();
    let token = if token.is_empty() { String::new() } else { authorization(token) };
    let page = format!("Origin: {origin}\r\n{token}");
    // A browser sends no origin with a GET to where the page is from.
    let backends = http::get(port, "/v1/backends", &token).await;
    let call = http::post(port, "/function-call", &page, "{}").await;
    let word = |value: &Value| value.as_str().map(str::to_owned);
    Asked {
        backends: (backends.status, word(&backends.json()["error"]["code"])),
        call: (call.status, word(&call.json()["code"])),
        upgrade: http::get(port, PATH, &format!("{UPGRADE}{page}")).await.status,
    }
}

impl Asked {
    #[track_caller]
    fn expect(self, upgrade: u16, backends: (u16, Option<&str>), call: (u16, &str), what: &str) {
        assert_eq!(self.upgrade, upgrade, "{what}: the upgrade");
        assert_eq!((self.backends.0, self.backends.1.as_deref()), backends, "{what}: the backends");
        assert_eq!((self.call.0, self.call.1.as_deref()), (call.0, Some(call.1)), "{what}: a call");
    }
}

#[tokio::test]
async fn why_a_page_is_refused_by_its_origin_can_be_found_out() {
    let mock = Mock::start(Script::default()).await;
    let any = Config::for_mock(&mock).start().await;
    ask(&any, OWN, "").await.expect(101, WELL, NO_CALL, "any page may");
    let listed = format!("[auth]\nallowed_origins = [\"{OWN}\"]");
    let listing = Config::for_mock(&mock).section(&listed).start().await;
    ask(&listing, OWN, "").await.expect(101, WELL, NO_CALL, "it is listed");
    let refused = (403, "origin_not_allowed");
    ask(&listing, "http://127.0.0.1:8080", "").await.expect(403, WELL, refused, "it is not listed");
    // What a page says of the host that it is from counts for nothing: names can be made to mean another address.
    let host = format!("{UPGRADE}Origin: http://127.0.0.1\r\n");
    assert_eq!(http::get(listing.port(), PATH, &host).await.status, 403, "as Host says");
}

#[tokio::test]
async fn why_a_page_is_refused_by_its_token_can_be_found_out_and_uses_none_up() {
    let stage = Stage::start_with("", &[("VOXBRIDGE__AUTH__ALLOWED_ORIGINS", OWN)]).await;
    let gateway = &stage.gateway;
    let past = jwt(&json!({ "alg": "HS256" }), &claims(&json!({ "exp": 1 })), SECRET.as_bytes());
    for (token, code) in
        [("", "token_missing"), ("wrong-wrong-wrong-wrong", "token_invalid"), (&past, "token_expired")]
    {
        ask(gateway, OWN, token).await.expect(401, (401, Some(code)), (401, code), code);
    }
    ask(gateway, OWN, SERVER).await.expect(101, WELL, NO_CALL, "a good token");
    let elsewhere = good(&json!({ "backends": ["other"] }));
    ask(gateway, OWN, &elsewhere).await.expect(403, WELL, NO_CALL, "a token for another backend");
    let told = http::get(gateway.port(), "/v1/backends", &authorization(&elsewhere)).await.json();
    let names: Vec<_> = told["backends"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["other"]);
    ask(gateway, OWN, KIOSK).await.expect(101, WELL, NO_CALL, "a token with few rights");
    let once = stage.granted(&json!({ "single_use": true })).await;
    ask(gateway, OWN, &once).await.expect(101, WELL, NO_CALL, "asking did not use it up");
    ask(gateway, OWN, &once).await.expect(401, (401, Some("token_invalid")), NO_CALL, "it was used");
}

#[tokio::test]
async fn where_no_page_is_listed_one_with_a_token_may_connect_and_call_no_functions() {
    let stage = Stage::start().await;
    let unlisted = (403, "no_origin_listed");
    ask(&stage.gateway, OWN, SERVER).await.expect(101, WELL, unlisted, "a good token");
    ask(&stage.gateway, OWN, "").await.expect(401, (401, Some("token_missing")), unlisted, "no token");
}
