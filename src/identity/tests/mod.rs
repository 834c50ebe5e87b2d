//! Tokens from outside: who gets in, who does not and why, and what those who grant can give away.

mod claims;
mod grants;
mod keys;

use base64_simd::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::config::{
    Config,
    rsa_key::{RSA_PRIVATE, RSA_PUBLIC},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const STATIC: &str = "static-token-of-the-shop";
fn identities(lines: &str) -> Identities {
    let text = format!(
        "[auth]\nmode = \"jwt\"\n[auth.jwt]\n{lines}\n\
         [[backends]]\nname = \"a\"\nkind = \"openai-realtime\"\npath = \"/a\"\nurl = \"ws://[::1]/\""
    );
    Identities::new(&Config::from_toml("test.toml", &text, []).expect("it is accepted").auth)
}

fn with_secret(more: &str) -> Identities {
    identities(&format!("secret = \"{SECRET}\"\n{more}"))
}

/// Claims that are good for an hour, with these over them; null takes one away.
fn claims(more: Value) -> Value {
    let mut claims = json!({ "sub": "visitor", "exp": now() + 3600 });
    for (name, value) in more.as_object().expect("claims are an object") {
        match value {
            Value::Null => _ = claims.as_object_mut().expect("it is one").remove(name),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn signed(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    ring_provider::install();
    encode(header, claims, key).expect("it can be signed")
}

fn hs256(more: Value) -> String {
    signed(&Header::default(), &claims(more), &EncodingKey::from_secret(SECRET.as_bytes()))
}

/// A token with a header of its own, signed by the secret.
fn with_header(header: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    let message = format!("{}.{}", part(header), part(&claims(json!({}))));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode_to_string(signature))
}

#[track_caller]
fn refused(identities: &Identities, token: &str, reason: &'static str) {
    assert_eq!(identities.identify(Some(token)), Err(Stranger::Invalid(reason)), "{token:.80}");
}
