//! A file of public keys with their ids: a JWK Set (RFC 7517). Of it only the keys that can verify are taken.
//! Knows no key of the configuration; reasons never repeat a key.

use std::fmt::Write;

use base64_simd::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::key_material::{ed25519, p256, rsa};
use super::{JwtAlgorithm, KeyMaterial, VerifyingKey};

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// One key, of whatever kind (RFC 7517, section 4, and RFC 7518, section 6).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
    /// The private half, which has no place here.
    d: Option<serde::de::IgnoredAny>,
}

/// The keys of a set that are for one of these algorithms. Keys for something else, such as encryption or another
/// algorithm, are left out.
pub(super) fn keys(text: &str, algorithms: &[JwtAlgorithm]) -> Result<Vec<VerifyingKey>, String> {
    let set: Set = serde_json::from_str(text).map_err(|_| "is no json object with a list \"keys\"")?;
    if set.keys.len() > MAX_KEYS {
        return Err(format!("holds more than {MAX_KEYS} keys"));
    }
    let mut keys: Vec<VerifyingKey> = Vec::new();
    for (index, jwk) in set.keys.iter().enumerate() {
        if jwk.d.is_some() {
            return Err(format!("holds a private key: keys[{index}]"));
        }
        let Some(algorithm) = jwk.algorithm().filter(|algorithm| algorithms.contains(algorithm)) else {
            continue;
        };
        let material = jwk
            .material(algorithm)
            .ok_or_else(|| format!("keys[{index}] is no key for {}", algorithm.name()))?;
        let is_same = |known: &VerifyingKey| {
            known.kid.is_some() && known.kid == jwk.kid && known.material.algorithm() == algorithm
        };
        if keys.iter().any(is_same) {
            return Err(format!("has the kid of keys[{index}] twice for {}", algorithm.name()));
        }
        keys.push(VerifyingKey { kid: jwk.kid.clone(), material });
    }
    if keys.is_empty() {
        let names = algorithms.iter().enumerate().fold(String::new(), |mut names, (index, algorithm)| {
            let _ = write!(names, "{}{}", if index == 0 { "" } else { ", " }, algorithm.name());
            names
        });
        return Err(format!("holds no key for {names}"));
    }
    Ok(keys)
}

impl Jwk {
    /// The algorithm that the key verifies by, if it verifies at all.
    fn algorithm(&self) -> Option<JwtAlgorithm> {
        let verifies = self.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"));
        let of_kind = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => JwtAlgorithm::Rs256,
            ("EC", Some("P-256")) => JwtAlgorithm::Es256,
            ("OKP", Some("Ed25519")) => JwtAlgorithm::EdDsa,
            ("oct", None) => JwtAlgorithm::Hs256,
            _ => return None,
        };
        let said = self.alg.as_deref().is_none_or(|name| name == of_kind.name());
        (verifies && said).then_some(of_kind)
    }

    fn material(&self, algorithm: JwtAlgorithm) -> Option<KeyMaterial> {
        let bytes = |member: &Option<String>| URL_SAFE_NO_PAD.decode_to_vec(member.as_ref()?).ok();
        match algorithm {
            JwtAlgorithm::Rs256 => rsa(&bytes(&self.n)?, &bytes(&self.e)?),
            JwtAlgorithm::Es256 => p256(&bytes(&self.x)?, &bytes(&self.y)?),
            JwtAlgorithm::EdDsa => ed25519(&bytes(&self.x)?),
            JwtAlgorithm::Hs256 => {
                bytes(&self.k).filter(|key| key.len() >= MIN_SECRET).map(KeyMaterial::Hmac)
            }
        }
    }
}

/// The shortest secret for HS256, bytes (RFC 7518, section 3.2).
pub(super) const MIN_SECRET: usize = 32;
/// More than any issuer has at a time; each may have to be tried for a token without `kid`.
const MAX_KEYS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn of(text: &str) -> Result<Vec<(Option<String>, JwtAlgorithm)>, String> {
        let keys = keys(text, &JwtAlgorithm::ALL)?;
        Ok(keys.into_iter().map(|key| (key.kid, key.material.algorithm())).collect())
    }

    #[test]
    fn keys_that_verify_are_taken_and_others_left_out() {
        let n = URL_SAFE_NO_PAD.encode_to_string([0xff; 256]);
        let text = format!(
            r#"{{"keys": [
                {{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "{X}"}},
                {{"kty": "RSA", "kid": "a", "use": "sig", "alg": "RS256", "n": "{n}", "e": "AQAB"}},
                {{"kty": "EC", "crv": "P-256", "kid": "c", "x": "{X}", "y": "{X}", "key_ops": ["verify"]}},
                {{"kty": "oct", "k": "{X}"}},
                {{"kty": "RSA", "use": "enc", "n": "{n}", "e": "AQAB"}},
                {{"kty": "RSA", "alg": "PS256", "n": "{n}", "e": "AQAB"}},
                {{"kty": "EC", "crv": "P-384", "x": "{X}", "y": "{X}"}},
                {{"kty": "OKP", "crv": "Ed25519", "key_ops": ["sign"], "x": "{X}"}},
                {{"kty": "AKP", "pub": "x"}}
            ]}}"#
        );
        let named = |kid: &str| Some(kid.to_owned());
        let expected = [
            (named("a"), JwtAlgorithm::EdDsa),
            (named("a"), JwtAlgorithm::Rs256),
            (named("c"), JwtAlgorithm::Es256),
            (None, JwtAlgorithm::Hs256),
        ];
        assert_eq!(of(&text).as_deref(), Ok(&expected[..]));
        let only = keys(&text, &[JwtAlgorithm::Es256]).expect("it has one");
        assert_eq!(format!("{only:?}"), "[VerifyingKey(Some(\"c\"), ES256 key)]");
    }

    #[test]
    fn a_set_without_a_usable_key_is_refused_with_its_reason() {
        let many = format!("{{\"keys\":[{}]}}", vec!["{\"kty\":\"x\"}"; 65].join(","));
        let twice = format!(
            r#"{{"keys":[{{"kty":"oct","kid":"a","k":"{X}"}},{{"kty":"oct","kid":"a","k":"{X}"}}]}}"#
        );
        for (text, reason) in [
            ("", "is no json object with a list \"keys\""),
            ("{}", "is no json object with a list \"keys\""),
            (r#"{"keys":[{"kid":"a"}]}"#, "is no json object with a list \"keys\""),
            (r#"{"keys":[]}"#, "holds no key for HS256, RS256, ES256, EdDSA"),
            (r#"{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}"#, "keys[0] is no key for HS256"),
            (r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#, "keys[0] is no key for RS256"),
            (r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"!"}]}"#, "keys[0] is no key for EdDSA"),
            (r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"","d":"x"}]}"#, "holds a private key: keys[0]"),
            (&many, "holds more than 64 keys"),
            (&twice, "has the kid of keys[1] twice for HS256"),
        ] {
            assert_eq!(of(text), Err(reason.to_owned()), "{text}");
        }
    }
}
