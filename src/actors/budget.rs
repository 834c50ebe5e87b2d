//! What all connections of the process may hold together, and what each has of it. Knows nothing of what is held.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// Memory for what connections hold, over all workers (design: process-wide budget). Counted are queues and messages
/// that are not whole; what a connection needs in any case is not.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicUsize,
    held: AtomicUsize,
    /// The most that was held.
    high_water: AtomicUsize,
    accounts: AtomicUsize,
}

/// How a connection stands to the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is memory.
    Ample,
    /// It is short: everybody is to hold little.
    Tight,
    /// It is used up, and this connection holds more than an equal share.
    Over,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            held: AtomicUsize::new(0),
            high_water: AtomicUsize::new(0),
            accounts: AtomicUsize::new(0),
        }
    }

    /// From now on it is of `limit` bytes.
    pub fn resize(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
    }

    /// Whether three quarters of it are held: nobody new is to be let in.
    pub fn is_tight(&self) -> bool {
        self.held() > self.limit() / 4 * 3
    }

    /// Its size, bytes.
    pub fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Counts so many bytes more.
    pub fn take(&self, bytes: usize) {
        let held = self.held.fetch_add(bytes, Relaxed) + bytes;
        // Most of the time it is no news, and a look is cheaper than a write that all workers see.
        if held > self.high_water.load(Relaxed) {
            self.high_water.fetch_max(held, Relaxed);
        }
    }

    /// Counts so many of the bytes no more that were taken.
    pub fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Relaxed);
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// The most bytes that were held at a time.
    pub fn high_water(&self) -> usize {
        self.high_water.load(Relaxed)
    }

    fn standing(&self, own: usize) -> Standing {
        let (held, limit) = (self.held(), self.limit());
        if held > limit && own > limit / self.accounts.load(Relaxed).max(1) {
            Standing::Over
        } else if self.is_tight() {
            Standing::Tight
        } else {
            Standing::Ample
        }
    }
}

/// Which part of a connection holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Its gate: what is queued and what waits.
    Gate,
    /// The client's leg: a message that is not whole.
    Client,
    /// Upstream's leg: the same.
    Upstream,
    /// What the client's socket has still to take of what was written to it.
    Body,
}

/// What one connection holds of the budget, in parts that are counted by whoever holds them.
#[derive(Debug)]
pub(super) struct Account {
    budget: Arc<Budget>,
    parts: [Cell<usize>; 4],
}

impl Account {
    pub(super) fn open(budget: &Arc<Budget>) -> Rc<Self> {
        budget.accounts.fetch_add(1, Relaxed);
        Rc::new(Self { budget: Arc::clone(budget), parts: Default::default() })
    }

    /// From now on this part holds so many bytes.
    pub(super) fn hold(&self, part: Part, bytes: usize) {
        let before = self.parts[part as usize].replace(bytes);
        // All workers share the counter; most steps change nothing.
        if bytes > before {
            self.budget.take(bytes - before);
        } else if bytes < before {
            self.budget.give_back(before - bytes);
        }
    }

    pub(super) fn standing(&self) -> Standing {
        self.budget.standing(self.bytes())
    }

    fn bytes(&self) -> usize {
        self.parts.iter().map(Cell::get).sum()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes());
        self.budget.accounts.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_together_and_given_back() {
        let budget = Arc::new(Budget::new(1_000));
        let (one, other) = (Account::open(&budget), Account::open(&budget));
        one.hold(Part::Gate, 300);
        one.hold(Part::Client, 200);
        other.hold(Part::Upstream, 250);
        assert_eq!(budget.held(), 750);
        one.hold(Part::Client, 50);
        assert_eq!(budget.held(), 600);
        drop(one);
        assert_eq!(budget.held(), 250);
        drop(other);
        assert_eq!((budget.held(), budget.accounts.load(Relaxed)), (0, 0));
        assert_eq!(budget.high_water(), 750);
    }

    #[test]
    fn over_the_budget_who_holds_more_than_a_share_has_to_go() {
        let budget = Arc::new(Budget::new(1_000));
        let (large, small) = (Account::open(&budget), Account::open(&budget));
        large.hold(Part::Gate, 600);
        small.hold(Part::Gate, 150);
        assert!(!budget.is_tight());
        assert_eq!([large.standing(), small.standing()], [Standing::Ample; 2]);
        small.hold(Part::Gate, 151);
        assert!(budget.is_tight());
        assert_eq!([large.standing(), small.standing()], [Standing::Tight; 2]);
        small.hold(Part::Gate, 401);
        assert_eq!([large.standing(), small.standing()], [Standing::Over, Standing::Tight]);
        budget.resize(10_000);
        assert_eq!([large.standing(), small.standing()], [Standing::Ample; 2]);
    }
}
