//! The sessions that are open, in the whole process: how many there may be, and how all of them are told that the
//! program is about to end. Knows neither why it does nor how long they are given.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix::{Actor, Addr, Context, Handler, WeakRecipient};
use tokio::sync::{Notify, watch};

use super::shares::{Holder, Places, Shares};
use crate::actors::{Drain, Shutdown};

pub(super) struct Sessions {
    stage: watch::Sender<Stage>,
    open: Mutex<Open>,
    /// Told when the last session that was open has gone.
    emptied: Notify,
}

/// How near the program is to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It serves.
    Serving,
    /// It admits nobody, and sessions end with their turns.
    Draining,
    /// It admits nobody, and sessions end.
    Stopping,
}

#[derive(Default)]
struct Open {
    tickets: u64,
    gates: HashMap<u64, Option<Gate>>,
    shares: Shares,
}

/// How a session's gate is told of the end.
#[derive(Clone)]
struct Gate {
    drain: WeakRecipient<Drain>,
    shutdown: WeakRecipient<Shutdown>,
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
        Self { stage: watch::Sender::new(Stage::Serving), open: Mutex::default(), emptied: Notify::new() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // A map of numbers is whole after any panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more session, which is `holder`'s.
    pub(super) fn admit(self: &Arc<Self>, holder: Holder, places: &Places) -> Result<Ticket, NoPlace> {
        let mut open = self.open();
        if self.draining() {
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
    /// program was told to end is told like the others.
    pub(super) fn register<G>(&self, number: u64, gate: &Addr<G>)
    where
        G: Actor<Context = Context<G>> + Handler<Drain> + Handler<Shutdown>,
    {
        let gate = Gate {
            drain: gate.clone().recipient().downgrade(),
            shutdown: gate.clone().recipient().downgrade(),
        };
        if let Some(place) = self.open().gates.get_mut(&number) {
            *place = Some(gate.clone());
        }
        gate.tell(self.stage());
    }

    pub(super) fn len(&self) -> usize {
        self.open().gates.len()
    }

    fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Whether nobody is admitted any more.
    pub(super) fn draining(&self) -> bool {
        self.stage() >= Stage::Draining
    }

    /// Whether the program is about to end.
    pub(super) fn stopping(&self) -> bool {
        self.stage() == Stage::Stopping
    }

    /// Ready once the program is about to end.
    pub(super) async fn stopped(&self) {
        // The sender is our own, so that there is an end to wait for.
        let _ = self.stage.subscribe().wait_for(|stage| *stage == Stage::Stopping).await;
    }

    /// Tells every session how near the end is.
    pub(super) fn enter(&self, stage: Stage) {
        self.stage.send_replace(stage);
        let gates: Vec<_> = self.open().gates.values().flatten().cloned().collect();
        gates.iter().for_each(|gate| gate.tell(stage));
    }

    /// Ready when no session is open. Before nobody is admitted any more that may not be so for long.
    pub(super) async fn gone(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Gate {
    /// One whose mailbox is full or gone is on its way out already.
    fn tell(&self, stage: Stage) {
        match stage {
            Stage::Serving => {}
            Stage::Draining => _ = self.drain.upgrade().map(|gate| gate.try_send(Drain)),
            Stage::Stopping => _ = self.shutdown.upgrade().map(|gate| gate.try_send(Shutdown)),
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
        if open.gates.is_empty() {
            self.sessions.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use futures_util::FutureExt;
    use tokio::{sync::mpsc, time::timeout};

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

    fn place(sessions: &Arc<Sessions>) -> Result<Ticket, NoPlace> {
        sessions.admit(holder(1, None), &places(2, 0, 0))
    }

    /// A gate that notes what it is told.
    struct Noting(mpsc::UnboundedSender<Stage>);

    impl Actor for Noting {
        type Context = Context<Self>;
    }

    impl Handler<Drain> for Noting {
        type Result = ();

        fn handle(&mut self, _: Drain, _: &mut Self::Context) {
            self.0.send(Stage::Draining).expect("the test listens");
        }
    }

    impl Handler<Shutdown> for Noting {
        type Result = ();

        fn handle(&mut self, _: Shutdown, _: &mut Self::Context) {
            self.0.send(Stage::Stopping).expect("the test listens");
        }
    }

    #[actix_web::test]
    async fn a_session_is_told_whether_it_is_named_before_or_after_the_end_began() {
        for stage in [Stage::Draining, Stage::Stopping] {
            let sessions = Arc::new(Sessions::new());
            let (noting, mut told) = mpsc::unbounded_channel();
            let gate = Noting(noting).start();
            let [early, late] = [(); 2].map(|()| place(&sessions).expect("a place"));
            sessions.register(early.number(), &gate);
            assert!(told.try_recv().is_err(), "nothing ends yet");
            sessions.enter(stage);
            let mut next = async || timeout(Duration::from_secs(5), told.recv()).await;
            assert_eq!(next().await, Ok(Some(stage)), "named before");
            sessions.register(late.number(), &gate);
            assert_eq!(next().await, Ok(Some(stage)), "named after");
        }
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

    #[test]
    fn nobody_is_admitted_once_the_program_drains() {
        let sessions = Arc::new(Sessions::new());
        for (stage, stopping) in [(Stage::Draining, false), (Stage::Stopping, true)] {
            sessions.enter(stage);
            assert_eq!(place(&sessions).err(), Some(NoPlace::Stopping), "{stage:?}");
            assert_eq!(sessions.stopping(), stopping);
        }
    }

    #[actix_web::test]
    async fn the_last_session_to_go_is_waited_for() {
        let sessions = Arc::new(Sessions::new());
        sessions.gone().await;
        let [first, second] = [(); 2].map(|()| place(&sessions).expect("a place"));
        let gone = sessions.gone();
        tokio::pin!(gone);
        assert_eq!((&mut gone).now_or_never(), None);
        drop(first);
        assert_eq!((&mut gone).now_or_never(), None);
        drop(second);
        gone.await;
    }
}
