//! The sessions that are open, in the whole process: how many there may be, and how to end them all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix::{Addr, WeakAddr};
use tokio::sync::watch;

use crate::actors::{OrderingGate, Shutdown};

pub(super) struct Sessions {
    limit: usize,
    stopping: watch::Sender<bool>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    tickets: u64,
    gates: HashMap<u64, Option<WeakAddr<OrderingGate>>>,
}

/// One session's place; dropping it frees the place.
pub(super) struct Ticket {
    sessions: Arc<Sessions>,
    number: u64,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// As many sessions are open as may be.
    Full,
    /// The program stops.
    Stopping,
}

impl Sessions {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, stopping: watch::Sender::new(false), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // A map of numbers is whole after any panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more session.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Ticket, NoPlace> {
        if self.stopping() {
            return Err(NoPlace::Stopping);
        }
        let mut open = self.open();
        if open.gates.len() >= self.limit {
            return Err(NoPlace::Full);
        }
        open.tickets += 1;
        let number = open.tickets;
        open.gates.insert(number, None);
        Ok(Ticket { sessions: Arc::clone(self), number })
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
        self.sessions.open().gates.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_places_as_configured_and_a_freed_one_can_be_taken_again() {
        let sessions = Arc::new(Sessions::new(2));
        let first = sessions.admit().expect("the first place");
        let _second = sessions.admit().expect("the second place");
        assert_eq!(sessions.admit().err(), Some(NoPlace::Full));
        drop(first);
        assert_eq!(sessions.len(), 1);
        assert!(sessions.admit().is_ok());
    }

    #[actix_web::test]
    async fn nobody_is_admitted_once_the_program_stops() {
        let sessions = Arc::new(Sessions::new(2));
        sessions.end_all(Duration::ZERO).await;
        assert_eq!(sessions.admit().err(), Some(NoPlace::Stopping));
    }
}
