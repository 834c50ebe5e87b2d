//! Tokens that are good for one use: which of them were used, until they would have expired anyway.
//! Knows neither their other claims nor what they were used for. A restart forgets them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use super::Stranger;

/// A token for one use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SingleUse {
    /// Of its `jti`, so that a long one takes no more room.
    digest: [u8; SHA256_OUTPUT_LEN],
    /// From when on nobody takes it any more, seconds of Unix time.
    until: u64,
}

/// Those that were used.
pub(super) struct UsedTokens {
    limit: usize,
    until: Mutex<HashMap<[u8; SHA256_OUTPUT_LEN], u64>>,
}

impl SingleUse {
    pub(super) fn new(jti: &str, until: u64) -> Self {
        let digest = digest(&SHA256, jti.as_bytes());
        Self { digest: digest.as_ref().try_into().expect("SHA-256 has this length"), until }
    }
}

impl UsedTokens {
    fn used(&self) -> MutexGuard<'_, HashMap<[u8; SHA256_OUTPUT_LEN], u64>> {
        // A map of numbers is whole after any panic.
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn contains(&self, token: &SingleUse) -> bool {
        self.used().contains_key(&token.digest)
    }

    /// Notes that it is used. Where there is no room it is not: rather nobody gets in than one twice.
    pub(super) fn add(&self, token: &SingleUse, now: u64) -> Result<(), Stranger> {
        let mut used = self.used();
        if used.contains_key(&token.digest) {
            return Err(Stranger::Invalid("used"));
        }
        if used.len() >= self.limit {
            used.retain(|_, until| *until > now);
        }
        if used.len() >= self.limit {
            return Err(Stranger::Crowded);
        }
        used.insert(token.digest, token.until);
        Ok(())
    }
}

impl Default for UsedTokens {
    fn default() -> Self {
        Self { limit: MAX_USED, until: Mutex::default() }
    }
}

/// How many are remembered, some 10 MB.
const MAX_USED: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_used_once_until_it_expires() {
        let used = UsedTokens::default();
        let token = SingleUse::new("a", 100);
        assert!(!used.contains(&token));
        assert_eq!(used.add(&token, 50), Ok(()));
        assert!(used.contains(&token));
        assert_eq!(used.add(&token, 50), Err(Stranger::Invalid("used")));
        assert_eq!(used.add(&SingleUse::new("b", 100), 50), Ok(()));
    }

    #[test]
    fn there_is_room_for_so_many_and_expired_ones_make_room() {
        let used = UsedTokens { limit: 2, until: Mutex::default() };
        assert_eq!(used.add(&SingleUse::new("a", 100), 0), Ok(()));
        assert_eq!(used.add(&SingleUse::new("b", 200), 0), Ok(()));
        assert_eq!(used.add(&SingleUse::new("c", 300), 99), Err(Stranger::Crowded));
        assert_eq!(used.add(&SingleUse::new("c", 300), 100), Ok(()));
        assert!(used.contains(&SingleUse::new("b", 200)));
    }
}
