//! Whose a token is and what it is good for: static tokens, JWTs, tokens for one use, and tokens that are granted.
//! Knows no HTTP: where a token stands in a request and how a refusal looks is the server's.

mod grant;
mod jwt;
mod ring_provider;
mod single_use;
mod static_tokens;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub use grant::{DEFAULT_TTL, Granted, NoGrant, Wish};

use crate::config::{Auth, AuthMode, Rights};
use grant::Grants;
use jwt::Jwts;
use single_use::{SingleUse, UsedTokens};
use static_tokens::StaticTokens;

/// The longest token that is looked at, bytes.
pub const MAX_TOKEN: usize = 8192;

/// Everybody whom the configuration lets in.
pub struct Identities {
    /// Nobody in particular where no token is asked for.
    known: Option<Known>,
    /// The same for one configuration after the other.
    used: Arc<UsedTokens>,
}

/// What there is where tokens are asked for.
struct Known {
    tokens: StaticTokens,
    jwts: Option<Jwts>,
    grants: Option<Grants>,
}

/// Whom a token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Whose the token is; nobody's where none is asked for.
    pub subject: Option<String>,
    /// What it is good for.
    pub rights: Rights,
    /// Whether others may be granted by it.
    pub may_grant: bool,
    /// When it expires, seconds of Unix time.
    expires: Option<u64>,
    /// How it is known again, if it is good for one use.
    single_use: Option<SingleUse>,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// There is no token.
    Missing,
    /// There is one that is good for nothing, for a reason that the log is told and its sender is not.
    Invalid(&'static str),
    /// Its time is over.
    Expired,
    /// It is good for one use, and so many of those are remembered that this one could not be.
    Crowded,
}

/// What its sender is told.
impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "a token is needed",
            Self::Invalid(_) => "the token is not valid",
            Self::Expired => "the token has expired",
            Self::Crowded => "too many tokens for one use are remembered",
        })
    }
}

impl Identities {
    /// Those of a configuration.
    pub fn new(auth: &Auth) -> Self {
        Self { known: Known::new(auth), used: Arc::default() }
    }

    /// Those of another configuration. Tokens for one use that were used stay so.
    pub fn renewed(&self, auth: &Auth) -> Self {
        Self { known: Known::new(auth), used: Arc::clone(&self.used) }
    }

    /// Whether everybody is let in without a token.
    pub fn is_open(&self) -> bool {
        self.known.is_none()
    }

    /// Whether tokens are granted.
    pub fn can_grant(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.grants.is_some())
    }

    /// Whose the token is that a request came with, if it came with one. Whether a token for one use was used already
    /// is not looked at: that is for [`Identities::admit`], before anything is done for its bearer.
    ///
    /// # Errors
    ///
    /// Why its sender is not let in. Where no token is asked for everybody is.
    pub fn identify(&self, token: Option<&str>) -> Result<Identity, Stranger> {
        let Some(known) = &self.known else { return Ok(Identity::default()) };
        let token = token.ok_or(Stranger::Missing)?;
        if token.len() > MAX_TOKEN {
            return Err(Stranger::Invalid("too long"));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Stranger::Invalid("not visible ascii"));
        }
        if let Some(identity) = known.tokens.find(token) {
            return Ok(identity);
        }
        let jwts = known.jwts.as_ref().ok_or(Stranger::Invalid("unknown"))?;
        jwts.identify(token, now())
    }

    /// Looks whether a token that is good for one use was used, and does not use it up.
    ///
    /// # Errors
    ///
    /// It was.
    pub fn check_unused(&self, identity: &Identity) -> Result<(), Stranger> {
        match &identity.single_use {
            Some(single_use) if self.used.contains(single_use) => Err(Stranger::Invalid("used")),
            Some(_) | None => Ok(()),
        }
    }

    /// Uses a token up that is good for one use. Of two that try at the same time one succeeds.
    ///
    /// # Errors
    ///
    /// It is used up already, or cannot be remembered.
    pub fn admit(&self, identity: &Identity) -> Result<(), Stranger> {
        match &identity.single_use {
            Some(single_use) => self.used.add(single_use, now()),
            None => Ok(()),
        }
    }

    /// Makes a token for somebody else, by the rights of the one who asks.
    ///
    /// # Errors
    ///
    /// Why there is none; also where [`Identities::can_grant`] says no.
    pub fn grant(&self, giver: &Identity, wish: &Wish) -> Result<Granted, NoGrant> {
        let grants =
            self.known.as_ref().and_then(|known| known.grants.as_ref()).ok_or(NoGrant::NotAllowed)?;
        grants.grant(giver, wish, now())
    }
}

impl Known {
    /// Whom a configuration knows; nobody where it asks for no token.
    fn new(auth: &Auth) -> Option<Self> {
        let jwt = match &auth.mode {
            AuthMode::None => return None,
            AuthMode::Tokens => None,
            AuthMode::Jwt(jwt) => Some(jwt),
        };
        Some(Self {
            tokens: StaticTokens::new(&auth.tokens),
            jwts: jwt.map(|jwt| Jwts::new(jwt)),
            grants: jwt.and_then(|jwt| Grants::new(jwt)),
        })
    }
}

/// Seconds of Unix time.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
