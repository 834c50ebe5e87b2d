//! Granting: a token for somebody else, with no more rights than the one who asks for it has.
//! Knows nothing of how it is asked for.

use std::collections::BTreeSet;
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;
use uuid::Uuid;

use super::jwt::algorithm;
use super::{Identity, ring_provider};
use crate::config::{Jwt, JwtAlgorithm, Secret, SigningKey};

/// How long a granted token lives if nobody says it, seconds; less if the configuration allows less.
pub const DEFAULT_TTL: u64 = 60;

/// What makes tokens.
pub(super) struct Grants {
    header: Header,
    key: EncodingKey,
    issuer: Option<String>,
    audience: Option<String>,
    max_ttl: u64,
}

/// The token that somebody wants. What is absent is as in the token of the one who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// How long it may be used to connect; absent: [`DEFAULT_TTL`].
    pub ttl: Option<Duration>,
    /// Whose it will be.
    pub subject: Option<String>,
    /// The backends that it will be for.
    pub backends: Option<BTreeSet<String>>,
    /// The functions that will be run for it.
    pub functions: Option<BTreeSet<String>>,
    /// How long a connection may last; at least 1 s. The smaller one counts.
    pub max_session: Option<Duration>,
    /// Whether it will be good for one use.
    pub single_use: bool,
}

/// A granted token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The token.
    pub access_token: Secret,
    /// How long it may be used to connect, seconds.
    pub expires_in: u64,
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoGrant {
    /// The one who asks may not grant, or nobody may.
    NotAllowed,
    /// It would be longer than this many seconds, or no time at all.
    Ttl(u64),
    /// The one who asks may not use one of the backends.
    Backend,
    /// The one who asks may not use one of the functions.
    Function,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backends: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    functions: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_session_s: Option<u64>,
    single_use: bool,
}

impl Grants {
    /// What grants by this configuration, if it has a key to sign with.
    pub(super) fn new(jwt: &Jwt) -> Option<Self> {
        ring_provider::install();
        let key = jwt.signing_key.as_ref()?;
        Some(Self {
            header: Header::new(algorithm(key.algorithm)),
            key: encoding_key(key),
            issuer: jwt.issuer.clone(),
            audience: jwt.audience.clone(),
            max_ttl: jwt.max_grant_ttl.as_secs(),
        })
    }

    pub(super) fn grant(&self, giver: &Identity, wish: &Wish, now: u64) -> Result<Granted, NoGrant> {
        let Some(own_subject) = giver.subject.as_deref().filter(|_| giver.may_grant) else {
            return Err(NoGrant::NotAllowed);
        };
        let ttl = wish.ttl.map_or(DEFAULT_TTL.min(self.max_ttl), |ttl| ttl.as_secs());
        if !(1..=self.max_ttl).contains(&ttl) {
            return Err(NoGrant::Ttl(self.max_ttl));
        }
        let rights = &giver.rights;
        let backends = within(&wish.backends, &rights.backends).ok_or(NoGrant::Backend)?;
        let functions = within(&wish.functions, &rights.functions).ok_or(NoGrant::Function)?;
        let max_session = [wish.max_session, rights.max_session].into_iter().flatten().min();
        // It does not outlive the token that it comes from.
        let expires = giver.expires.unwrap_or(u64::MAX).min(now.saturating_add(ttl));
        let expires_in = expires.checked_sub(now).filter(|left| *left > 0).ok_or(NoGrant::NotAllowed)?;
        let claims = Claims {
            sub: wish.subject.as_deref().unwrap_or(own_subject),
            iat: now,
            exp: expires,
            jti: Uuid::new_v4().to_string(),
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
            backends,
            functions,
            max_session_s: max_session.map(|limit| limit.as_secs()),
            single_use: wish.single_use,
        };
        let access_token =
            encode(&self.header, &claims, &self.key).expect("the configuration has checked the key");
        Ok(Granted { access_token: Secret::new(access_token), expires_in })
    }
}

/// What is wished, if it is no more than what one has, or else what one has.
fn within<'a>(
    wished: &'a Option<BTreeSet<String>>,
    own: &'a Option<BTreeSet<String>>,
) -> Option<Option<&'a BTreeSet<String>>> {
    match (wished, own) {
        (Some(wished), Some(own)) if !wished.is_subset(own) => None,
        (Some(wished), _) => Some(Some(wished)),
        (None, own) => Some(own.as_ref()),
    }
}

fn encoding_key(key: &SigningKey) -> EncodingKey {
    match key.algorithm {
        JwtAlgorithm::Hs256 => EncodingKey::from_secret(&key.bytes),
        JwtAlgorithm::Rs256 => EncodingKey::from_rsa_der(&key.bytes),
        JwtAlgorithm::Es256 => EncodingKey::from_ec_der(&key.bytes),
        JwtAlgorithm::EdDsa => EncodingKey::from_ed_der(&key.bytes),
    }
}
