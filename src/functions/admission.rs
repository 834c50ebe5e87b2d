//! Who may run: a bounded number of calls at once, a bounded number that wait for their turn, in the order
//! in which they came. Knows nothing of what a call is.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures_util::FutureExt;
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    task::unconstrained,
};

/// The places of a pool.
#[derive(Debug)]
pub(super) struct Admission {
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    max_waiting: usize,
}

/// A call that has been let in. Dropping it gives up its turn.
pub(super) struct Turn {
    place: Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>,
    ticket: Arc<Ticket>,
}

/// A place among those that wait, given back once: when the call's turn comes, or when nobody waits for the
/// call any more.
#[derive(Debug)]
pub(super) struct Ticket {
    waiting: Arc<AtomicUsize>,
    given_back: AtomicBool,
}

impl Admission {
    /// Places for `max_running` calls at once, and for `max_waiting` that wait.
    pub(super) fn new(max_running: usize, max_waiting: usize) -> Self {
        let running = Arc::new(Semaphore::new(max_running.min(Semaphore::MAX_PERMITS)));
        Self { running, waiting: Arc::default(), max_waiting }
    }

    /// Lets a call in, to run or to wait, if there is a place for it.
    pub(super) fn enter(&self) -> Option<Turn> {
        let mut place = Box::pin(Arc::clone(&self.running).acquire_owned());
        // The first look puts the call in the queue: who came first is decided here, and not when an
        // executor comes to it. Tokio would cut it short for a caller that has done much in one go.
        let looked = unconstrained(&mut place).now_or_never();
        let (place, waits): (Pin<Box<dyn Future<Output = _> + Send>>, _) = match looked {
            Some(permit) => (Box::pin(std::future::ready(permit)), false),
            None => (place, true),
        };
        let more = |waiting: usize| (waiting < self.max_waiting).then_some(waiting + 1);
        if waits && self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            return None;
        }
        let ticket = Ticket { waiting: Arc::clone(&self.waiting), given_back: AtomicBool::new(!waits) };
        Some(Turn { place, ticket: Arc::new(ticket) })
    }
}

impl Turn {
    /// The place in the queue.
    pub(super) fn ticket(&self) -> Arc<Ticket> {
        Arc::clone(&self.ticket)
    }

    /// Waits for the turn; the call may run as long as what is returned lives.
    pub(super) async fn comes(self) -> OwnedSemaphorePermit {
        let permit = self.place.await.expect("nobody closes the semaphore");
        self.ticket.give_back();
        permit
    }
}

impl Ticket {
    /// Gives the place back, if that has not been done.
    pub(super) fn give_back(&self) {
        if !self.given_back.swap(true, Ordering::Relaxed) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_come(
        turn: &mut Pin<Box<impl Future<Output = OwnedSemaphorePermit>>>,
    ) -> Option<OwnedSemaphorePermit> {
        turn.now_or_never()
    }

    #[test]
    fn as_many_run_and_wait_as_may_and_turns_come_in_order() {
        let admission = Admission::new(2, 2);
        let running: Vec<_> = (0..2)
            .map(|_| admission.enter().expect("a place").comes().now_or_never().expect("a turn"))
            .collect();
        let mut first = Box::pin(admission.enter().expect("a place to wait").comes());
        let mut second = Box::pin(admission.enter().expect("a place to wait").comes());
        assert!(admission.enter().is_none());
        // The second is looked at first, and yet comes second.
        assert!(has_come(&mut second).is_none() && has_come(&mut first).is_none());
        drop(running);
        let (first, second) = (has_come(&mut first), has_come(&mut second));
        assert!(first.is_some() && second.is_some());
    }

    #[test]
    fn the_place_goes_to_whoever_came_first_even_if_it_has_not_looked_yet() {
        let admission = Admission::new(1, 2);
        let running = admission.enter().expect("a place").comes().now_or_never();
        let first = admission.enter().expect("a place to wait");
        drop(running);
        let mut late = Box::pin(admission.enter().expect("a place to wait").comes());
        assert!(has_come(&mut late).is_none());
        drop(first);
        assert!(has_come(&mut late).is_some());
    }

    #[actix_web::test]
    async fn a_caller_that_lets_many_in_in_one_go_finds_every_place() {
        let admission = Admission::new(1_000, 0);
        let letting = async move { (0..1_000).map_while(|_| admission.enter()).collect::<Vec<_>>().len() };
        assert_eq!(actix_web::rt::spawn(letting).await.expect("a number"), 1_000);
    }

    #[test]
    fn a_place_is_given_back_once() {
        let admission = Admission::new(1, 1);
        let running = admission.enter().expect("a place").comes().now_or_never();
        let waiting = admission.enter().expect("a place to wait");
        assert!(admission.enter().is_none());
        let ticket = waiting.ticket();
        ticket.give_back();
        ticket.give_back();
        let other = admission.enter().expect("the place that was given back");
        assert!(admission.enter().is_none());
        drop((waiting, ticket));
        assert!(admission.enter().is_none());
        drop(running);
        assert!(other.comes().now_or_never().is_some());
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }
}
