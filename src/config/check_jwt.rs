//! `[auth.jwt]`: whose keys verify a token, by which algorithms, what it has to say, and what signs granted ones.
//! Knows no token that stands in the configuration itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check_secret::{Found, secret};
use super::error::ConfigError;
use super::jwks::{self, MIN_SECRET};
use super::key_material::{private_key, public_key};
use super::raw::RawJwt;
use super::reader::Reader;
use super::{Jwt, JwtAlgorithm, JwtSources, KeyMaterial, SigningKey, VerifyingKey};

/// Checks the table.
pub(super) fn jwt(
    raw: &RawJwt,
    reader: &Reader<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Jwt, ConfigError> {
    let allowed = algorithms(raw, reader)?;
    let mut sources = JwtSources::default();
    let mut keys = Vec::new();
    let mut signing_key = None;
    let at = |found: &Found, reason: &str| reader.error(found.name, format!("{} {reason}", found.place));

    let given = [("secret", &raw.secret), ("secret_env", &raw.secret_env), ("secret_file", &raw.secret_file)];
    if let Some(found) = secret(given, reader, environment)? {
        if found.text.len() < MIN_SECRET {
            return Err(at(&found, &format!("must have at least {MIN_SECRET} bytes for HS256")));
        }
        let bytes = found.text.clone().into_bytes();
        signing_key = Some(SigningKey { algorithm: JwtAlgorithm::Hs256, bytes: bytes.clone() });
        sources.has_secret = true;
        keys.push(usable(KeyMaterial::Hmac(bytes), &allowed).map_err(|reason| at(&found, &reason))?);
    }
    let given = [
        ("public_key", &raw.public_key),
        ("public_key_env", &raw.public_key_env),
        ("public_key_file", &raw.public_key_file),
    ];
    if let Some(found) = secret(given, reader, environment)? {
        let key = public_key(&found.text).map_err(|reason| at(&found, reason))?;
        keys.push(usable(key, &allowed).map_err(|reason| at(&found, &reason))?);
        sources.public_key = Some(found.text);
    }
    if let Some(file) = reader.text(&raw.jwks_file, "jwks_file")? {
        let text = std::fs::read_to_string(&file)
            .map_err(|error| reader.error("jwks_file", format!("cannot read {file}: {error}")))?;
        let set = jwks::keys(&text, allowed.as_deref().unwrap_or(&JwtAlgorithm::ALL));
        keys.extend(set.map_err(|reason| reader.error("jwks_file", format!("{file} {reason}")))?);
        sources.jwks_file = Some(file);
    }
    let given = [
        ("signing_key", &raw.signing_key),
        ("signing_key_env", &raw.signing_key_env),
        ("signing_key_file", &raw.signing_key_file),
    ];
    if let Some(found) = secret(given, reader, environment)? {
        let (key, public) = private_key(&found.text).map_err(|reason| at(&found, reason))?;
        // What is granted here is taken here.
        let public = usable(public, &allowed).map_err(|reason| at(&found, &reason))?;
        if !keys.iter().any(|known| known.material == public.material) {
            keys.push(public);
        }
        signing_key = Some(key);
        sources.has_signing_key = true;
    }
    if keys.is_empty() {
        let reason = "missing, a secret, a public_key, a jwks_file or a signing_key is needed";
        return Err(reader.error("secret", reason));
    }
    let mut algorithms: Vec<_> = keys.iter().map(|key| key.material.algorithm()).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    if let Some(useless) = allowed.iter().flatten().find(|algorithm| !algorithms.contains(algorithm)) {
        return Err(reader.error("algorithms", format!("there is no key for \"{}\"", useless.name())));
    }
    let seconds =
        |raw, name, range, default| reader.integer(raw, name, range, default).map(Duration::from_secs);
    Ok(Jwt {
        algorithms,
        keys,
        signing_key,
        sources,
        issuer: reader.text(&raw.issuer, "issuer")?,
        audience: reader.text(&raw.audience, "audience")?,
        leeway: seconds(&raw.leeway_s, "leeway_s", 0..=300, 10)?,
        max_grant_ttl: seconds(&raw.max_grant_ttl_s, "max_grant_ttl_s", 1..=3600, 3600)?,
    })
}

/// The algorithms that may be used; without a list those that there are keys for.
fn algorithms(raw: &RawJwt, reader: &Reader<'_>) -> Result<Option<Vec<JwtAlgorithm>>, ConfigError> {
    if raw.algorithms.is_none() {
        return Ok(None);
    }
    let words = JwtAlgorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
    let list = reader.words(&raw.algorithms, "algorithms", &words)?;
    if list.is_empty() {
        return Err(reader.error("algorithms", "must not be empty; without it the keys say it"));
    }
    Ok(Some(list))
}

/// A key without a name, if the list of algorithms has the one that it is for.
fn usable(material: KeyMaterial, allowed: &Option<Vec<JwtAlgorithm>>) -> Result<VerifyingKey, String> {
    let algorithm = material.algorithm();
    if allowed.as_ref().is_some_and(|list| !list.contains(&algorithm)) {
        return Err(format!("is for {}, which is not in algorithms", algorithm.name()));
    }
    Ok(VerifyingKey { kid: None, material })
}
