//! The sessions that are open, in the whole process: how many there may be, and how to end them all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix::{Addr, WeakAddr};
use tokio::sync::watch;

use super::shares::{Holder, Places, Shares};
use crate::actors::{OrderingGate, Shutdown};

pub(super) struct Sessions {
    stopping: watch::Sender<bool>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    tickets: u64,
    gates: HashMap<u64, Option<WeakAddr<OrderingGate>>>,
    shares: Shares,
}

/// One session's place; dropping it frees the place.
pub(super) struct Ticket {
    sessions: Arc<Sessions>,
    number: u64,
    holder: Holder,
}

/// Why there is no place, in the order in which it is judged: what holds for everybody at this moment before what one
/// may have, and that before the last place is given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// The program stops.
    Stopping,
    /// The client's address has as many sessions as it may.
    AddressFull,
    /// The token's subject has as many sessions as it may.
    SubjectFull,
    /// As many sessions are open as may be.
    Full,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self { stopping: watch::Sender::new(false), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // A map of numbers is whole after any panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more session, which is `holder`'s.
    pub(super) fn admit(self: &Arc<Self>, holder: Holder, places: &Places) -> Result<Ticket, NoPlace> {
        let mut open = self.open();
        if self.stopping() {
            return Err(NoPlace::Stopping);
        }
        open.shares.judge(&holder, places)?;
        if open.gates.len() >= places.in_all {
            return Err(NoPlace::Full);
        }
        open.shares.add(&holder);
        open.tickets += 1;
        let number = open.tickets;
        open.gates.insert(number, None);
        Ok(Ticket { sessions: Arc::clone(self), number, holder })
    }

    /// Names the gate of a session, if the session is still open. One that was admitted just before the
    /// program was told to stop is asked to end like the others.
    pub(super) fn register(&self, number: u64, gate: &Addr<OrderingGate>) {
        if let Some(place) = self.open().gates.get_mut(&number) {
            *place = Some(gate.downgrade());
        }
        if self.stopping() {
            // It may have ended meanwhile.
            let _ = gate.try_send(Shutdown);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open().gates.len()
    }

    /// Whether the program is about to end.
    pub(super) fn stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Ready once the program is about to end.
    pub(super) async fn stopped(&self) {
        // The sender is our own, so that there is an end to wait for.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Admits nobody any more, asks every session to end and waits for that, at most `patience`.
    pub(super) async fn end_all(&self, patience: Duration) {
        self.stopping.send_replace(true);
        let gates: Vec<_> = self.open().gates.values().flatten().filter_map(WeakAddr::upgrade).collect();
        for gate in gates {
            // One whose mailbox is full or gone is on its way out already.
            let _ = gate.try_send(Shutdown);
        }
        let all_gone = async {
            while self.len() > 0 {
                actix_web::rt::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if actix_web::rt::time::timeout(patience, all_gone).await.is_err() {
            log::warn!("{} sessions did not end in time", self.len());
        }
    }
}

impl Ticket {
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.sessions.open();
        open.gates.remove(&self.number);
        open.shares.remove(&self.holder);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn places(in_all: usize, per_address: u32, per_subject: u32) -> Places {
        Places {
            in_all,
            per_address: NonZeroU32::new(per_address),
            per_subject: NonZeroU32::new(per_subject),
        }
    }

    fn holder(last: u8, subject: Option<&str>) -> Holder {
        Holder::new([192, 0, 2, last].into(), subject)
    }

    #[test]
    fn there_are_as_many_places_as_configured_and_a_freed_one_can_be_taken_again() {
        let sessions = Arc::new(Sessions::new());
        let admit = || sessions.admit(holder(1, None), &places(2, 0, 0));
        let first = admit().expect("the first place");
        let _second = admit().expect("the second place");
        assert_eq!(admit().err(), Some(NoPlace::Full));
        drop(first);
        assert_eq!(sessions.len(), 1);
        assert!(admit().is_ok());
    }

    #[test]
    fn what_one_may_have_is_judged_before_what_all_may() {
        let sessions = Arc::new(Sessions::new());
        let admit =
            |last, subject| sessions.admit(holder(last, Some(subject)), &places(2, 1, 1)).map(drop).err();
        let first = sessions.admit(holder(1, Some("a")), &places(2, 1, 1)).expect("the first place");
        assert_eq!(admit(1, "b"), Some(NoPlace::AddressFull));
        assert_eq!(admit(2, "a"), Some(NoPlace::SubjectFull));
        let second = sessions.admit(holder(2, Some("b")), &places(2, 1, 1)).expect("the second place");
        assert_eq!(admit(1, "c"), Some(NoPlace::AddressFull), "though every place is taken as well");
        assert_eq!(admit(3, "b"), Some(NoPlace::SubjectFull));
        assert_eq!(admit(3, "c"), Some(NoPlace::Full));
        drop(first);
        assert_eq!(admit(1, "a"), None, "one who was refused has taken nothing");
        drop(second);
        assert!(sessions.open().shares.is_empty());
    }

    #[test]
    fn limits_may_change_while_sessions_are_open() {
        let sessions = Arc::new(Sessions::new());
        let admit = |limits| sessions.admit(holder(1, Some("a")), &limits);
        let held: Vec<_> = (0..3).map(|_| admit(places(9, 0, 0)).expect("there is no limit")).collect();
        assert_eq!(admit(places(9, 3, 0)).err(), Some(NoPlace::AddressFull));
        assert_eq!(admit(places(9, 0, 2)).err(), Some(NoPlace::SubjectFull));
        assert_eq!(admit(places(1, 0, 0)).err(), Some(NoPlace::Full));
        drop(held);
        assert!(sessions.open().shares.is_empty());
    }

    #[actix_web::test]
    async fn nobody_is_admitted_once_the_program_stops() {
        let sessions = Arc::new(Sessions::new());
        sessions.end_all(Duration::ZERO).await;
        assert_eq!(sessions.admit(holder(1, None), &places(2, 0, 0)).err(), Some(NoPlace::Stopping));
    }
}
