//! `[auth]`: the mode, what only belongs to one of them, and the tokens that stand in the configuration.
//! Knows no key of a JWT.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::check_jwt::jwt;
use super::check_secret::secret;
use super::check_tools::{FUNCTION_NAME, is_function_name};
use super::error::ConfigError;
use super::raw::{Raw, RawAuth, RawToken};
use super::reader::Reader;
use super::{Auth, AuthMode, Backend, Rights, Secret, StaticToken, address};

/// Checks the section.
pub(super) fn auth(
    raw: &RawAuth,
    reader: &Reader<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<Auth, ConfigError> {
    let mode = match (reader.word(&raw.mode, "mode", &MODES, Mode::None)?, &raw.jwt) {
        (Mode::Jwt, None) => return Err(reader.error("jwt", "missing, auth.mode is \"jwt\"")),
        (Mode::Jwt, Some(raw)) => AuthMode::Jwt(Box::new(jwt(raw, &reader.inside("jwt"), environment)?)),
        (_, Some(_)) => return Err(reader.error("jwt", "belongs to auth.mode = \"jwt\"")),
        (Mode::Tokens, None) => AuthMode::Tokens,
        (Mode::None, None) => AuthMode::None,
    };
    match mode {
        AuthMode::None if !raw.tokens.is_empty() => {
            return Err(reader.error("tokens", "belongs to auth.mode = \"tokens\" or \"jwt\""));
        }
        AuthMode::Tokens if raw.tokens.is_empty() => {
            return Err(reader.error("tokens", "missing, auth.mode is \"tokens\""));
        }
        _ => {}
    }
    let allow_anonymous = reader.flag(&raw.allow_anonymous, "allow_anonymous", false)?;
    if allow_anonymous && mode != AuthMode::None {
        return Err(reader.error("allow_anonymous", "belongs to auth.mode = \"none\""));
    }
    let mut tokens: Vec<StaticToken> = Vec::new();
    for (index, raw) in raw.tokens.iter().enumerate() {
        let reader = reader.inside(&format!("tokens[{index}]"));
        let token = token(raw, &reader, environment)?;
        if token.may_grant && !matches!(mode, AuthMode::Jwt(_)) {
            return Err(reader.error("may_grant", "belongs to auth.mode = \"jwt\""));
        }
        if let Some(earlier) = tokens.iter().position(|earlier| earlier.token == token.token) {
            return Err(reader.error("token", format!("is the one of auth.tokens[{earlier}] as well")));
        }
        tokens.push(token);
    }
    if let AuthMode::Jwt(jwt) = &mode
        && jwt.signing_key.is_none()
        && let Some(index) = tokens.iter().position(|token| token.may_grant)
    {
        let reason = "needs auth.jwt.secret or auth.jwt.signing_key, which sign what is granted";
        return Err(reader.error(&format!("tokens[{index}].may_grant"), reason));
    }
    Ok(Auth { mode, tokens, allow_anonymous, allowed_origins: origins(raw, reader)? })
}

/// Checks that the backends that tokens name are there.
pub(super) fn named_backends(
    auth: &Auth,
    reader: &Reader<'_>,
    backends: &[Backend],
) -> Result<(), ConfigError> {
    for (index, token) in auth.tokens.iter().enumerate() {
        for name in token.rights.backends.iter().flatten() {
            if !backends.iter().any(|backend| backend.name == *name) {
                let key = format!("tokens[{index}].backends");
                return Err(reader.error(&key, format!("no backend is named \"{name}\"")));
            }
        }
    }
    Ok(())
}

fn token(
    raw: &RawToken,
    reader: &Reader<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<StaticToken, ConfigError> {
    let subject = reader.required(&raw.subject, "subject")?;
    if subject.len() > MAX_SUBJECT || subject.contains(char::is_control) {
        let reason = format!("must be 1 to {MAX_SUBJECT} bytes without control characters");
        return Err(reader.error("subject", reason));
    }
    let sources = [("token", &raw.token), ("token_env", &raw.token_env), ("token_file", &raw.token_file)];
    let Some(found) = secret(sources, reader, environment)? else {
        return Err(reader.error("token", "missing, one of token, token_env and token_file is needed"));
    };
    // A comma would end it in the list of subprotocols.
    let fits = found.text.chars().all(|c| c.is_ascii_graphic() && c != ',');
    if !fits || !(MIN_TOKEN..=MAX_TOKEN).contains(&found.text.len()) {
        let place = if found.name == "token" { "the token" } else { &found.place };
        let reason =
            format!("{place} must be {MIN_TOKEN} to {MAX_TOKEN} visible ascii characters without comma");
        return Err(reader.error(found.name, reason));
    }
    let functions = names(&raw.functions, "functions", reader)?;
    if functions.iter().flatten().any(|name| !is_function_name(name)) {
        return Err(reader.error("functions", format!("each must be {FUNCTION_NAME}")));
    }
    let max_session = reader.optional_integer(&raw.max_session_s, "max_session_s", 1..=MAX_SESSION)?;
    Ok(StaticToken {
        subject,
        token: Secret::new(found.text),
        rights: Rights {
            backends: names(&raw.backends, "backends", reader)?,
            functions,
            max_session: max_session.map(Duration::from_secs),
        },
        may_grant: reader.flag(&raw.may_grant, "may_grant", false)?,
    })
}

/// A list that says something different by being empty than by not being there.
fn names(raw: &Raw, name: &str, reader: &Reader<'_>) -> Result<Option<BTreeSet<String>>, ConfigError> {
    let list = reader.list(raw, name)?;
    Ok(raw.is_some().then(|| list.into_iter().collect()))
}

fn origins(raw: &RawAuth, reader: &Reader<'_>) -> Result<Vec<String>, ConfigError> {
    const KEY: &str = "allowed_origins";
    let entries = reader.list(&raw.allowed_origins, KEY)?;
    let origin = |(index, text): (usize, &String)| {
        let reason =
            "must be scheme, host and port alone, like \"https://example.com\" or \"http://localhost:3000\"";
        address::page_origin(text).ok_or_else(|| reader.error(&format!("{KEY}[{index}]"), reason))
    };
    entries.iter().enumerate().map(origin).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    None,
    Tokens,
    Jwt,
}

const MODES: [(&str, Mode); 3] = [("none", Mode::None), ("tokens", Mode::Tokens), ("jwt", Mode::Jwt)];
/// The longest subject, bytes.
const MAX_SUBJECT: usize = 128;
/// So short that it could be guessed would be a name, not a token.
const MIN_TOKEN: usize = 16;
const MAX_TOKEN: usize = 4096;
/// A week, as elsewhere.
const MAX_SESSION: i64 = 7 * 24 * 3600;
