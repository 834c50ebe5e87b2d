//! Tokens that stand in the configuration, found in a time that tells nothing of them.
//! Knows no other kind of token.

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::Identity;
use crate::config::StaticToken;

type Digest = [u8; SHA256_OUTPUT_LEN];

/// The tokens, of which only digests are kept: those have one length, and tell nothing if they leak.
pub(super) struct StaticTokens(Vec<(Digest, Identity)>);

impl StaticTokens {
    pub(super) fn new(tokens: &[StaticToken]) -> Self {
        let known = |token: &StaticToken| {
            let identity = Identity {
                subject: Some(token.subject.clone()),
                rights: token.rights.clone(),
                may_grant: token.may_grant,
                expires: None,
                single_use: None,
            };
            (digest_of(token.token.expose()), identity)
        };
        Self(tokens.iter().map(known).collect())
    }

    /// Whose this token is. It is compared with every one, whole, whether or not one was found before.
    pub(super) fn find(&self, token: &str) -> Option<Identity> {
        let wanted = digest_of(token);
        let mut found = u64::MAX;
        for (index, (known, _)) in (0u64..).zip(&self.0) {
            found.conditional_assign(&index, known.ct_eq(&wanted));
        }
        let index = usize::try_from(found).ok()?;
        self.0.get(index).map(|(_, identity)| identity.clone())
    }
}

fn digest_of(token: &str) -> Digest {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("SHA-256 has this length")
}
