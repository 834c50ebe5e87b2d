//! What went wrong in a run: how often and, in words, for the first time. Shared by all peers of a thread.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// Faults that were seen since they were last asked for.
#[derive(Clone, Default)]
pub(crate) struct Faults(Rc<Noted>);

#[derive(Default)]
struct Noted {
    count: Cell<usize>,
    first: RefCell<Option<String>>,
}

impl Faults {
    /// Notes one.
    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        self.0.count.set(self.0.count.get() + 1);
        self.0.first.borrow_mut().get_or_insert_with(what);
    }

    /// What was noted, in one line; none if nothing was. From then on it counts anew.
    pub(crate) fn take(&self) -> Option<String> {
        let count = self.0.count.take();
        self.0.first.take().map(|first| format!("{count} faults, the first: {first}"))
    }
}
