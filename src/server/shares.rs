//! How many of the open sessions each address and each subject has, and how many it may have.
//! Knows neither sessions nor requests.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
};

use super::sessions::NoPlace;
use crate::config::Config;

/// The bits of an IPv6 address that name its network; the others its user chooses.
const NETWORK_BITS: u32 = 64;

/// How many sessions there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    /// At the same time.
    pub(super) in_all: usize,
    /// Of one address; `None`: any number.
    pub(super) per_address: Option<NonZeroU32>,
    /// Of one subject; `None`: any number.
    pub(super) per_subject: Option<NonZeroU32>,
}

/// Whose a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    /// The address of the client, of IPv6 the network.
    address: IpAddr,
    subject: Option<Arc<str>>,
}

/// The sessions that each has. Who has none takes no memory.
#[derive(Debug, Default)]
pub(super) struct Shares {
    addresses: HashMap<IpAddr, u32>,
    subjects: HashMap<Arc<str>, u32>,
}

impl Places {
    /// Those of a configuration.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            in_all: config.server.max_sessions,
            per_address: config.process.sessions_per_address,
            per_subject: config.process.sessions_per_subject,
        }
    }
}

impl Holder {
    /// A client at this address, with a token of this subject if it has one.
    pub(super) fn new(client: IpAddr, subject: Option<&str>) -> Self {
        let address = match client.to_canonical() {
            IpAddr::V6(v6) => {
                let network = u128::from(v6) >> (Ipv6Addr::BITS - NETWORK_BITS) << NETWORK_BITS;
                IpAddr::V6(network.into())
            }
            v4 @ IpAddr::V4(_) => v4,
        };
        Self { address, subject: subject.map(Arc::from) }
    }
}

impl Shares {
    /// Whether `holder` may have one more.
    pub(super) fn judge(&self, holder: &Holder, places: &Places) -> Result<(), NoPlace> {
        let is_full = |has: Option<&u32>, limit: Option<NonZeroU32>| {
            limit.is_some_and(|limit| has.is_some_and(|has| *has >= limit.get()))
        };
        if is_full(self.addresses.get(&holder.address), places.per_address) {
            return Err(NoPlace::AddressFull);
        }
        let subject = holder.subject.as_ref();
        if is_full(subject.and_then(|subject| self.subjects.get(subject)), places.per_subject) {
            return Err(NoPlace::SubjectFull);
        }
        Ok(())
    }

    /// Counts one more, limits or not: they may come later.
    pub(super) fn add(&mut self, holder: &Holder) {
        *self.addresses.entry(holder.address).or_default() += 1;
        if let Some(subject) = &holder.subject {
            *self.subjects.entry(Arc::clone(subject)).or_default() += 1;
        }
    }

    /// Counts one less of those that were added.
    pub(super) fn remove(&mut self, holder: &Holder) {
        take_one(&mut self.addresses, &holder.address);
        if let Some(subject) = &holder.subject {
            take_one(&mut self.subjects, subject);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.subjects.is_empty()
    }
}

fn take_one<K: Hash + Eq>(counts: &mut HashMap<K, u32>, of: &K) {
    let Some(count) = counts.get_mut(of) else {
        debug_assert!(false, "what is removed was added");
        return;
    };
    *count -= 1;
    if *count == 0 {
        counts.remove(of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(per_address: u32, per_subject: u32) -> Places {
        Places {
            in_all: 100,
            per_address: NonZeroU32::new(per_address),
            per_subject: NonZeroU32::new(per_subject),
        }
    }

    fn holder(client: &str, subject: Option<&str>) -> Holder {
        Holder::new(client.parse().expect("an address"), subject)
    }

    #[test]
    fn an_ipv6_client_is_its_network_and_an_ipv4_client_itself() {
        let same = |one: &str, other: &str| holder(one, None) == holder(other, None);
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    }

    #[test]
    fn each_address_and_each_subject_has_its_own_share() {
        let mut shares = Shares::default();
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|client| holder(client, Some("s")));
        shares.add(&a);
        assert_eq!(shares.judge(&a, &places(1, 0)), Err(NoPlace::AddressFull));
        assert_eq!(shares.judge(&b, &places(1, 0)), Ok(()));
        assert_eq!(shares.judge(&b, &places(0, 1)), Err(NoPlace::SubjectFull));
        assert_eq!(shares.judge(&a, &places(1, 1)), Err(NoPlace::AddressFull), "which is judged first");
        assert_eq!(shares.judge(&holder("192.0.2.2", Some("other")), &places(1, 1)), Ok(()));
        assert_eq!(shares.judge(&holder("192.0.2.2", None), &places(1, 1)), Ok(()));
        assert_eq!(shares.judge(&a, &places(2, 2)), Ok(()));
        assert_eq!(shares.judge(&a, &places(0, 0)), Ok(()), "0 is no limit");
    }

    #[test]
    fn who_has_none_is_forgotten() {
        let mut shares = Shares::default();
        let (one, other) = (holder("192.0.2.1", Some("s")), holder("192.0.2.1", None));
        shares.add(&one);
        shares.add(&other);
        shares.remove(&one);
        assert_eq!(shares.judge(&other, &places(1, 1)), Err(NoPlace::AddressFull));
        assert_eq!(shares.judge(&holder("192.0.2.3", Some("s")), &places(1, 1)), Ok(()));
        shares.remove(&other);
        assert!(shares.is_empty());
    }
}
