//! JWTs (RFC 7519): which key has to have signed one, what it has to say, and what that makes of its bearer.
//! Knows nothing of static tokens, nor of whether a token was used before.

use std::collections::BTreeSet;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::{Deserialize, Deserializer};

use super::single_use::SingleUse;
use super::{Identity, Stranger, ring_provider};
use crate::config::{Jwt, JwtAlgorithm, KeyMaterial, Rights, VerifyingKey};

/// What verifies tokens.
pub(super) struct Jwts {
    keys: Vec<Key>,
    leeway: u64,
}

struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
    validation: Validation,
}

/// What a token says. A claim that is null is wrong, so that nothing is allowed by an issuer's slip.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(default, deserialize_with = "given")]
    backends: Option<BTreeSet<String>>,
    #[serde(default, deserialize_with = "given")]
    functions: Option<BTreeSet<String>>,
    #[serde(default, deserialize_with = "given")]
    max_session_s: Option<u64>,
    #[serde(default, deserialize_with = "given")]
    jti: Option<String>,
    #[serde(default, deserialize_with = "given")]
    single_use: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    grant: Option<bool>,
}

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Jwts {
    pub(super) fn new(jwt: &Jwt) -> Self {
        ring_provider::install();
        let key = |key: &VerifyingKey| Key {
            kid: key.kid.clone(),
            algorithm: algorithm(key.material.algorithm()),
            key: decoding_key(&key.material),
            validation: validation(jwt, &key.material),
        };
        Self { keys: jwt.keys.iter().map(key).collect(), leeway: jwt.leeway.as_secs() }
    }

    /// Whose the token is.
    pub(super) fn identify(&self, token: &str, now: u64) -> Result<Identity, Stranger> {
        let header = decode_header(token).map_err(|_| Stranger::Invalid("unknown"))?;
        // What is critical has to be understood, and nothing of it is (RFC 7515, section 4.1.11).
        if header.crit.is_some() {
            return Err(Stranger::Invalid("critical extension"));
        }
        let mut stranger = Stranger::Invalid("no such key");
        for key in self.keys.iter().filter(|key| key.may_have_signed(&header)) {
            match decode::<Claims>(token, &key.key, &key.validation) {
                Ok(token) => return identity(token.claims, self.leeway, now),
                Err(error) => stranger = reason(error.kind()),
            }
            // It is this key's, whatever else is wrong with it.
            if stranger != Stranger::Invalid(SIGNATURE) {
                break;
            }
        }
        Err(stranger)
    }
}

impl Key {
    /// A key without a name may have signed any token, and any key one that names none.
    fn may_have_signed(&self, header: &Header) -> bool {
        let named = self.kid.as_ref().zip(header.kid.as_ref());
        self.algorithm == header.alg && named.is_none_or(|(own, wanted)| own == wanted)
    }
}

fn identity(claims: Claims, leeway: u64, now: u64) -> Result<Identity, Stranger> {
    // The conversion rounds down, and holds what is too large to the largest number.
    let expires = claims.exp as u64;
    // On or after that time it must not be accepted (RFC 7519, section 4.1.4).
    let until = expires.saturating_add(leeway);
    if until <= now {
        return Err(Stranger::Expired);
    }
    if !(1..=MAX_SUBJECT).contains(&claims.sub.len()) {
        return Err(Stranger::Invalid("sub"));
    }
    if claims.max_session_s == Some(0) {
        return Err(Stranger::Invalid("max_session_s"));
    }
    let single_use = match (claims.single_use.unwrap_or(false), &claims.jti) {
        (false, _) => None,
        (true, Some(jti)) if !jti.is_empty() => Some(SingleUse::new(jti, until)),
        (true, _) => return Err(Stranger::Invalid("single_use without jti")),
    };
    let max_session = claims.max_session_s.map(|seconds| Duration::from_secs(seconds.min(LONGEST_SESSION)));
    Ok(Identity {
        subject: Some(claims.sub),
        rights: Rights { backends: claims.backends, functions: claims.functions, max_session },
        may_grant: claims.grant.unwrap_or(false),
        expires: Some(expires),
        single_use,
    })
}

fn reason(error: &ErrorKind) -> Stranger {
    Stranger::Invalid(match error {
        ErrorKind::ExpiredSignature => return Stranger::Expired,
        ErrorKind::ImmatureSignature => "not yet valid",
        ErrorKind::InvalidSignature => SIGNATURE,
        ErrorKind::InvalidIssuer => "iss",
        ErrorKind::InvalidAudience => "aud",
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "exp" => "no exp",
            "iss" => "no iss",
            "aud" => "no aud",
            _ => "claims",
        },
        ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => "claims",
        ErrorKind::Base64(_) => "base64",
        _ => "malformed",
    })
}

fn validation(jwt: &Jwt, key: &KeyMaterial) -> Validation {
    let mut validation = Validation::new(algorithm(key.algorithm()));
    let mut required = vec!["exp"];
    validation.leeway = jwt.leeway.as_secs();
    validation.validate_nbf = true;
    if let Some(issuer) = &jwt.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    // Without one of our own, a token that has an audience is for somebody else.
    if let Some(audience) = &jwt.audience {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    validation
}

fn decoding_key(key: &KeyMaterial) -> DecodingKey {
    match key {
        KeyMaterial::Hmac(secret) => DecodingKey::from_secret(secret),
        KeyMaterial::Rsa { n, e } => DecodingKey::from_rsa_raw_components(n, e),
        KeyMaterial::P256(point) => DecodingKey::from_ec_der(point),
        KeyMaterial::Ed25519(bytes) => DecodingKey::from_ed_der(bytes),
    }
}

/// The library's word for an algorithm.
pub(super) const fn algorithm(algorithm: JwtAlgorithm) -> Algorithm {
    match algorithm {
        JwtAlgorithm::Hs256 => Algorithm::HS256,
        JwtAlgorithm::Rs256 => Algorithm::RS256,
        JwtAlgorithm::Es256 => Algorithm::ES256,
        JwtAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

const SIGNATURE: &str = "signature";
/// The longest subject, bytes.
const MAX_SUBJECT: usize = 256;
/// A week, seconds: longer than any session, and far from what a timer could not hold.
const LONGEST_SESSION: u64 = 7 * 24 * 3600;
