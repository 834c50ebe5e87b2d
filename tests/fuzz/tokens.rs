//! Tokens and the keys that verify them: nobody gets in whose token was not made with the right key for the right claims.

use base64_simd::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use voxbridge::config::Config;
use voxbridge::identity::Identities;

use crate::bytes::{damaged_one, damaged_text};
use crate::json::Corpus;
use crate::runner::{Fuzzer, say, within};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const STATIC: &str = "static-token-of-the-shop";
const RSA_PUBLIC: &str = include_str!("../keys/rsa_public.pem");

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs()
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode_to_string(text)
}

pub(crate) fn hs256(header: &str, claims: &str, key: &str) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode_to_string(signature))
}

fn ed25519(header: &str, claims: &str, key: &Ed25519KeyPair) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode_to_string(signature))
}

/// The gateway's configuration, with a set of keys besides the secret and a public key.
fn configuration(jwks: &str) -> String {
    let pem = RSA_PUBLIC.trim();
    format!(
        "[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret = \"{SECRET}\"\npublic_key = '''{pem}'''\njwks_file = {jwks:?}\n\
         issuer = \"https://id\"\naudience = \"voice\"\n[[auth.tokens]]\nsubject = \"shop\"\ntoken = \"{STATIC}\"\n\
         [[backends]]\nname = \"a\"\nkind = \"openai-realtime\"\npath = \"/a\"\nurl = \"ws://[::1]/\""
    )
}

/// Claims that are good for an hour.
pub(crate) fn claims() -> Value {
    json!({
        "sub": "visitor", "iss": "https://id", "aud": "voice", "exp": now() + 3_600, "nbf": now() - 10, "iat": now(),
        "backends": ["a"], "functions": ["f"], "max_session_s": 60, "jti": "j", "single_use": false, "grant": false,
    })
}

/// Whether a header and claims entitle to anything, by a reading of their own that takes the last of two members.
fn entitle(header: &str, claims: &str) -> bool {
    let (Ok(header), Ok(claims)) =
        (serde_json::from_str::<Value>(header), serde_json::from_str::<Value>(claims))
    else {
        return false;
    };
    let is_or_has = |value: &Value, wanted: &str| {
        value == wanted || value.as_array().is_some_and(|values| values.iter().any(|value| value == wanted))
    };
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty() && text.len() <= 256);
    let (now, leeway) = (now() as f64, 60.0);
    header.get("crit").is_none()
        && claims["exp"].as_f64().is_some_and(|exp| exp + leeway >= now)
        && claims.get("nbf").is_none_or(|nbf| nbf.as_f64().is_some_and(|nbf| nbf <= now + leeway + 2.0))
        && is_or_has(&claims["iss"], "https://id")
        && is_or_has(&claims["aud"], "voice")
        && is_text(&claims["sub"])
        && claims["max_session_s"] != 0
}

#[test]
fn tokens() {
    let fuzzer = Fuzzer::new("tokens");
    let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("its own key");
    let x = URL_SAFE_NO_PAD.encode_to_string(key.public_key().as_ref());
    let files = TempDir::new().expect("a temporary directory");
    let set = files.path().join("keys.json");
    std::fs::write(
        &set,
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": x}]}).to_string(),
    )
    .expect("it can be written");
    let text = configuration(&set.display().to_string());
    let identities = Identities::new(&Config::from_toml("fuzz.toml", &text, []).expect("a good one").auth);
    let headers = [
        json!({"alg": "HS256", "typ": "JWT"}),
        json!({"alg": "HS256", "kid": "any"}),
        json!({"alg": "EdDSA", "kid": "ed"}),
        json!({"alg": "RS256"}),
        json!({"alg": "ES256", "jwk": {"kty": "oct", "k": part(SECRET)}}),
        json!({"alg": "none"}),
        json!({"alg": "HS256", "crit": ["exp"], "b64": false, "jku": "http://h", "x5u": "http://h"}),
    ]
    .map(|header| header.to_string());
    let of_headers = Corpus::of(headers.iter().map(String::as_str));
    let claims = claims().to_string();
    let of_claims =
        Corpus::of([claims.as_str(), r#"{"aud":["voice","x"],"iss":["https://id"],"exp":1,"exp":9e15}"#]);
    let wrong = [RSA_PUBLIC, RSA_PUBLIC.trim(), STATIC, "", x.as_str()];
    let (mut admitted, mut refused) = (0_u64, 0_u64);
    let good = [
        hs256(&headers[0], &claims, SECRET),
        hs256(&headers[1], &claims, SECRET),
        ed25519(&headers[2], &claims, &key),
        STATIC.to_owned(),
    ];
    for token in &good {
        assert!(identities.identify(Some(token)).is_ok(), "{token}");
    }
    fuzzer.run(6_000, |random| {
        let header = if random.one_in(2) { random.pick(&headers).clone() } else { of_headers.text(random) };
        let claims = if random.one_in(4) { claims.clone() } else { of_claims.text(random) };
        let (token, may_pass) = match random.below(6) {
            0 | 1 => (hs256(&header, &claims, SECRET), entitle(&header, &claims)),
            2 => (ed25519(&header, &claims, &key), entitle(&header, &claims)),
            3 => (hs256(&header, &claims, random.word(&wrong)), false),
            4 => (format!("{}.{}.", part(&header), part(&claims)), false),
            _ => {
                let token = damaged_one(random, &good);
                let is_good = good.contains(&token);
                (token, is_good)
            }
        };
        let identified = within(256 * 1024 + 400 * token.len(), || identities.identify(Some(&token)));
        match identified {
            Ok(identity) => {
                assert!(may_pass, "{token:.2000} gets in as {identity:?}: {header:.500} {claims:.500}");
                assert!(identities.check_unused(&identity).is_ok());
                admitted += 1;
            }
            Err(_) => refused += 1,
        }
    });
    say(&format!("fuzz tokens: {admitted} got in, {refused} did not"));
}

/// Sets of keys: each is used or refused, and its good keys verify nothing but what they have signed.
#[test]
fn key_sets() {
    let fuzzer = Fuzzer::new("key_sets");
    let n = URL_SAFE_NO_PAD.encode_to_string([0xff; 256]);
    let key = json!({"keys": [
        {"kty": "oct", "kid": "a", "k": part(SECRET), "alg": "HS256", "use": "sig"},
        {"kty": "RSA", "kid": "b", "n": n, "e": "AQAB", "alg": "RS256"},
        {"kty": "EC", "kid": "c", "crv": "P-256", "x": part(&"x".repeat(32)), "y": part(&"y".repeat(32))},
        {"kty": "OKP", "kid": "d", "crv": "Ed25519", "x": part(&"z".repeat(32)), "key_ops": ["verify"]},
    ]})
    .to_string();
    let corpus = Corpus::of([key.as_str()]);
    let files = TempDir::new().expect("a temporary directory");
    let set = files.path().join("keys.json");
    let pem = files.path().join("key.pem");
    let text = format!(
        "[auth]\nmode = \"jwt\"\n[auth.jwt]\njwks_file = {set:?}\npublic_key_file = {pem:?}\n\
         [[backends]]\nname = \"a\"\nkind = \"openai-realtime\"\npath = \"/a\"\nurl = \"ws://[::1]/\""
    );
    let mut accepted = 0_u64;
    let strangers =
        hs256(r#"{"alg":"HS256","kid":"a"}"#, &claims().to_string(), "another-secret-another-secret-an");
    fuzzer.run(500, |random| {
        std::fs::write(&set, if random.one_in(4) { key.clone() } else { corpus.text(random) })
            .expect("it can be written");
        let of_pem = if random.one_in(2) {
            RSA_PUBLIC.to_owned()
        } else {
            damaged_text(random, RSA_PUBLIC, &[RSA_PUBLIC])
        };
        std::fs::write(&pem, of_pem).expect("it can be written");
        match Config::from_toml("fuzz.toml", &text, []) {
            Ok(config) => {
                accepted += 1;
                let identities = Identities::new(&config.auth);
                assert!(identities.identify(Some(&strangers)).is_err(), "a stranger gets in");
            }
            Err(error) => {
                let error = error.to_string();
                assert!(error.starts_with("fuzz.toml: auth.jwt."), "{error}");
                assert!(!error.contains(SECRET) && !error.contains(&part(SECRET)), "{error}");
            }
        }
    });
    say(&format!("fuzz key_sets: {accepted} were accepted"));
}

/// Texts that are no token at all.
#[test]
fn static_tokens() {
    let fuzzer = Fuzzer::new("static_tokens");
    let text = format!(
        "[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"shop\"\ntoken = \"{STATIC}\"\n\
         [[backends]]\nname = \"a\"\nkind = \"openai-realtime\"\npath = \"/a\"\nurl = \"ws://[::1]/\""
    );
    let identities = Identities::new(&Config::from_toml("fuzz.toml", &text, []).expect("a good one").auth);
    fuzzer.run(20_000, |random| {
        let token = damaged_text(random, STATIC, &[STATIC]);
        assert_eq!(identities.identify(Some(&token)).is_ok(), token == STATIC, "{token}");
    });
}
