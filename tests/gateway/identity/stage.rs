//! The gateway of these tests: three backends in front of one mock, a route for two functions, JWTs and two tokens.
//! Knows how a JWT is signed, from `ring` and not from the library that the gateway verifies with.

use std::time::{SystemTime, UNIX_EPOCH};

use base64_simd::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

use crate::peers::application::Application;
use crate::peers::gateway::Gateway;
use crate::peers::http::{self, Answer, UPGRADE};
use crate::peers::mock::Mock;
use crate::peers::reply::Reply;
use crate::peers::script::Script;

/// The secret for HS256, as it stands nowhere else.
pub(crate) const SECRET: &str = "canary-secret-5e1d-canary-secret-5e1d";
/// May do everything, and grant.
pub(crate) const SERVER: &str = "canary-server-token-77aa";
/// For one backend and one function, and not for long.
pub(crate) const KIOSK: &str = "canary-kiosk-token-88bb";
/// A call of a function that the kiosk may have run.
pub(crate) const CALL: &str = r#"{"id":"call_1","name":"get_weather","arguments":"{}"}"#;

pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    pub(crate) mock: Mock,
    pub(crate) application: Application,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::start_with("", &[]).await
    }

    /// The same with more lines of `[auth.jwt]` and some environment.
    pub(crate) async fn start_with(jwt: &str, environment: &[(&str, &str)]) -> Self {
        let application = Application::start(|_| Reply::content("sunny")).await;
        let mock = Mock::start(Script::with_audio()).await;
        let url = mock.url();
        let backend = |name: &str| {
            format!(
                "[[backends]]\nname = \"{name}\"\nkind = \"openai-realtime\"\npath = \"/{name}\"\nurl = \"{url}\"\n\
                 api_key = \"test-key-1\"\nfunction_calls = \"server\"\n"
            )
        };
        let toml = format!(
            "[server]\nhost = \"127.0.0.1\"\nport = 0\n[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret = \"{SECRET}\"\n{jwt}\n\
             [[auth.tokens]]\nsubject = \"shop server\"\ntoken = \"{SERVER}\"\nmay_grant = true\n\
             [[auth.tokens]]\nsubject = \"kiosk\"\ntoken = \"{KIOSK}\"\nbackends = [\"openai\"]\n\
             functions = [\"get_weather\"]\nmax_session_s = 1\n\
             [[functions.route]]\nnames = [\"get_weather\", \"book_table\"]\nurl = \"{}\"\n{}{}",
            application.url(),
            backend("openai"),
            backend("other"),
        );
        Self { gateway: Gateway::start_with(&toml, environment).await, mock, application }
    }

    /// Asks for an upgrade on a path and query, with more header lines.
    pub(crate) async fn upgrade(&self, target: &str, headers: &str) -> Answer {
        http::get(self.gateway.port(), target, &format!("{UPGRADE}{headers}")).await
    }

    /// The same by this token alone.
    pub(crate) async fn upgrade_by(&self, token: &str) -> Answer {
        self.upgrade("/openai", &authorization(token)).await
    }

    pub(crate) async fn grant(&self, token: &str, body: &Value) -> Answer {
        self.post("/v1/auth/grant", token, &body.to_string()).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &str) -> Answer {
        http::post(self.gateway.port(), path, &authorization(token), body).await
    }

    /// Grants a token, which has to succeed.
    pub(crate) async fn granted(&self, body: &Value) -> String {
        let answer = self.grant(SERVER, body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["access_token"].as_str().expect("a token").to_owned()
    }
}

/// A header line with a token.
pub(crate) fn authorization(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Status and code of a refusal, whose body says no more than a code and a description.
#[track_caller]
pub(crate) fn refusal(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    let error = body["error"].as_object().unwrap_or_else(|| panic!("no refusal: {body}"));
    assert!(error.len() == 2 && error["description"].is_string(), "{body}");
    (answer.status, error["code"].as_str().expect("a code").to_owned())
}

/// What is refused like this, and how a 401 has to look.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(refusal(answer), (status, code.to_owned()), "{what}");
    let wanted = (status == 401).then_some("Bearer");
    assert_eq!(answer.header("www-authenticate"), wanted, "{what}");
}

/// Seconds of Unix time.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs()
}

/// Claims that are good for an hour, with these over them.
pub(crate) fn claims(more: &Value) -> Value {
    let mut claims = json!({ "sub": "visitor", "exp": now() + 3600 });
    for (name, value) in more.as_object().expect("claims are an object") {
        claims[name] = value.clone();
    }
    claims
}

/// A JWT of these parts, signed by HMAC with this key.
pub(crate) fn jwt(header: &Value, claims: &Value, key: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode_to_string(signature))
}

/// A good JWT with these claims over the usual ones.
pub(crate) fn good(more: &Value) -> String {
    jwt(&json!({ "alg": "HS256", "typ": "JWT" }), &claims(more), SECRET.as_bytes())
}
