//! User items that we created and upstream has not confirmed yet (rule R5), and the ids that have been
//! seen.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use super::Rule;
use crate::protocol::ids::{EventId, ItemId};

/// The last ids of a kind. A session may last an hour; what is older than this many is no race any more.
#[derive(Debug)]
pub(super) struct RecentIds<T> {
    order: VecDeque<T>,
    set: HashSet<T>,
}

const RECENT_IDS: usize = 4_096;

impl<T> Default for RecentIds<T> {
    fn default() -> Self {
        Self { order: VecDeque::new(), set: HashSet::new() }
    }
}

impl<T: Hash + Eq + Clone> RecentIds<T> {
    /// Notes the id; whether it is new.
    pub(super) fn insert(&mut self, id: &T) -> bool {
        if !self.set.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id.clone());
        if self.order.len() > RECENT_IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }

    pub(super) fn contains(&self, id: &T) -> bool {
        self.set.contains(id)
    }
}

#[derive(Debug, Default)]
pub(super) struct Items {
    unconfirmed: Vec<Unconfirmed>,
    /// User messages that upstream showed: id and text.
    seen: RecentIds<(ItemId, Option<u64>)>,
}

#[derive(Debug)]
struct Unconfirmed {
    id: ItemId,
    event_id: EventId,
    /// The text's hash.
    text: u64,
    deadline: Instant,
    /// An error that names no event may have meant it: nobody waits for it, but a confirmation counts.
    doubted: bool,
}

/// What the ids of an item take beside it, nearly.
const ID_BYTES: usize = 64;

/// What stands for a text that is to be recognised: the text itself would be memory that no budget counts.
pub(super) fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Items {
    /// An item went up at `now`; its confirmation is waited for at most `patience`.
    pub(super) fn sent(
        &mut self,
        id: ItemId,
        event_id: EventId,
        text: &str,
        now: Instant,
        patience: Duration,
    ) {
        let (text, deadline) = (hash_of(text), now + patience);
        self.unconfirmed.push(Unconfirmed { id, event_id, text, deadline, doubted: false });
    }

    /// Upstream showed a user message. True if that confirms one of ours: by our id, or, from a server
    /// that picks ids itself, by an id not seen before and our very text. An id that comes with another
    /// text is another item: some servers have one id for all.
    pub(super) fn confirm(&mut self, id: Option<&ItemId>, text: Option<&str>) -> bool {
        let text = text.map(hash_of);
        let new = id.is_none_or(|id| self.seen.insert(&(id.clone(), text)));
        let ours = self.unconfirmed.iter().position(|item| id == Some(&item.id));
        let found = ours.or_else(|| {
            let text = text.filter(|_| new || Rule::ItemBeforeResponse.is_off())?;
            let same = |item: &Unconfirmed| item.text == text || Rule::ItemBeforeResponse.is_off();
            self.unconfirmed.iter().position(same)
        });
        if let Some(found) = found {
            self.unconfirmed.remove(found);
        }
        found.is_some()
    }

    /// Upstream refused something and does not say what: true if only one item can be meant, which is not
    /// waited for any more.
    pub(super) fn doubt_only(&mut self) -> bool {
        let mut waiting = self.unconfirmed.iter_mut().filter(|item| !item.doubted);
        match (waiting.next(), waiting.next()) {
            (Some(only), None) => {
                only.doubted = true;
                true
            }
            _ => false,
        }
    }

    /// Upstream refused the event that created an item; true if it was one of these.
    pub(super) fn refuse(&mut self, event_id: &EventId) -> bool {
        let before = self.unconfirmed.len();
        self.unconfirmed.retain(|item| item.event_id != *event_id);
        before != self.unconfirmed.len()
    }

    /// Takes out the items that were waited for long enough; how many.
    pub(super) fn expire(&mut self, now: Instant) -> usize {
        let mut count = 0;
        self.unconfirmed.retain(|item| {
            let over = item.deadline <= now;
            let doubted = item.doubted && Rule::ItemBeforeResponse.is_on();
            count += usize::from(over && !doubted);
            !over
        });
        count
    }

    /// Upstream is read again: every confirmation has until `deadline`.
    pub(super) fn wait_anew(&mut self, deadline: Instant) {
        for item in &mut self.unconfirmed {
            item.deadline = deadline;
        }
    }

    /// What the items that are waited for take, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.unconfirmed.len() * (size_of::<Unconfirmed>() + ID_BYTES)
    }

    /// Whether an item is still waited for.
    pub(super) fn waiting(&self) -> bool {
        self.unconfirmed.iter().any(|item| !item.doubted)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.unconfirmed.iter().map(|item| item.deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_ids_are_forgotten() {
        let id = |n: usize| ItemId::from(format!("item_{n}"));
        let mut seen = RecentIds::default();
        for n in 0..=RECENT_IDS {
            assert!(seen.insert(&id(n)));
            assert!(!seen.insert(&id(n)));
        }
        assert!(!seen.contains(&id(0)) && seen.contains(&id(1)));
        assert!(seen.insert(&id(0)));
        assert_eq!((seen.order.len(), seen.set.len()), (RECENT_IDS, RECENT_IDS));
    }
}
