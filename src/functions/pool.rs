//! The handle that the rest of the program has: takes calls from any thread, bounds their number and hands
//! them to the executors. Knows nothing of how a call is run.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use actix::{Actor, Addr, Arbiter, dev::SendError};
use tokio::{sync::oneshot, time::Instant};

use super::{
    Call, Failure, Outcome,
    admission::{Admission, Ticket},
    application::Applications,
    executor::{Execute, FunctionExecutor, Load},
};
use crate::{
    config::{DEFAULT_TIMEOUT, Functions},
    dns::Resolver,
};

/// How many threads run functions. A call waits for the network and not for a processor; two, so that the
/// calls of one thread are not held up by what another of its calls makes of a large answer.
const EXECUTORS: usize = 2;

/// How many cancelled calls a mailbox has room for besides those that wait.
const CANCELLED: usize = 1024;

/// Runs function calls. A handle: its clones share everything, and with the last of them the threads end,
/// together with what they run.
#[derive(Clone)]
pub struct ExecutorPool(Arc<Shared>);

struct Shared {
    functions: Arc<Functions>,
    admission: Admission,
    executors: Vec<Executor>,
}

/// An executor, its thread, and how much it has to do.
struct Executor {
    arbiter: Arbiter,
    address: Addr<FunctionExecutor>,
    load: Arc<AtomicUsize>,
}

/// A call on its way. Resolves to what became of it; dropping it cancels the call and its HTTP request.
#[derive(Debug)]
#[must_use = "a call that is dropped is cancelled"]
pub struct RunningCall {
    outcome: oneshot::Receiver<Outcome>,
    ticket: Arc<Ticket>,
}

impl ExecutorPool {
    /// Starts the threads. An actix system has to be running.
    pub fn start(functions: Arc<Functions>) -> Self {
        Self::start_with(functions, Resolver::system())
    }

    /// The same, with `resolver` to look names up.
    pub(super) fn start_with(functions: Arc<Functions>, resolver: Resolver) -> Self {
        let admission = Admission::new(functions.max_concurrent, functions.max_queued);
        // Whoever was let in finds room in the mailbox, whatever was cancelled before an executor came to it.
        let mailbox = functions.max_concurrent.saturating_add(functions.max_queued).saturating_add(CANCELLED);
        let applications = Applications::new(Arc::clone(&functions), resolver);
        let executor = |_| {
            let arbiter = Arbiter::new();
            let applications = applications.clone();
            let (started, has_started) = std::sync::mpsc::channel();
            let address = FunctionExecutor::start_in_arbiter(&arbiter.handle(), move |context| {
                context.set_mailbox_capacity(mailbox);
                started.send(()).expect("the pool waits for it");
                FunctionExecutor::new(applications)
            });
            // Until then a mailbox holds 16.
            has_started.recv().expect("a new thread starts its actor");
            Executor { arbiter, address, load: Arc::default() }
        };
        Self(Arc::new(Shared { admission, executors: (0..EXECUTORS).map(executor).collect(), functions }))
    }

    /// The thread that takes the first of calls one after another.
    #[cfg(test)]
    pub(super) fn first_thread(&self) -> &Arbiter {
        &self.0.executors[0].arbiter
    }

    /// Runs `call`, now or when its turn comes. Its deadline counts from here.
    ///
    /// # Errors
    ///
    /// At once, with nothing queued: [`Failure::Busy`]; [`Failure::Unknown`] if neither a route nor the call
    /// itself says where the function is; [`Failure::Stopped`] if the actix system has ended.
    pub fn run(&self, call: Call) -> Result<RunningCall, Failure> {
        let timeout = match (self.0.functions.route(&call.name, call.backend.as_deref()), &call.endpoint) {
            (Some(route), _) => route.timeout,
            (None, Some(_)) => DEFAULT_TIMEOUT,
            (None, None) => return Err(Failure::Unknown(call.name)),
        };
        let deadline = Instant::now() + timeout;
        let turn = self.0.admission.enter().ok_or(Failure::Busy)?;
        let ticket = turn.ticket();
        let (reply, outcome) = oneshot::channel();
        // The first of those that have least to do: calls one after another then share one's connections.
        let executor = self.0.executors.iter().min_by_key(|executor| executor.load.load(Ordering::Relaxed));
        let executor = executor.expect("there is an executor");
        let load = Load::of(&executor.load);
        match executor.address.try_send(Execute { call, deadline, turn, load, reply }) {
            Ok(()) => Ok(RunningCall { outcome, ticket }),
            Err(SendError::Full(_)) => Err(Failure::Busy),
            Err(SendError::Closed(_)) => Err(Failure::Stopped),
        }
    }
}

impl Future for RunningCall {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        Poll::Ready(ready!(Pin::new(&mut self.outcome).poll(cx)).unwrap_or(Err(Failure::Stopped)))
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        // The executor hears of it in its own time; the place in the queue is free at once.
        self.ticket.give_back();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for executor in &self.executors {
            executor.arbiter.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[actix_web::test]
    async fn the_threads_end_with_the_last_handle() {
        for _ in 0..10 {
            let pool = ExecutorPool::start(Arc::default());
            let watch = |executor: &Executor| {
                let (alive, ended) = oneshot::channel::<()>();
                assert!(executor.arbiter.spawn(async move {
                    let _alive = alive;
                    pending().await
                }));
                ended
            };
            let mut ends: Vec<_> = pool.0.executors.iter().map(watch).collect();
            assert_eq!(ends.len(), EXECUTORS);
            drop(pool.clone());
            assert!(ends.iter_mut().all(|end| end.try_recv() == Err(oneshot::error::TryRecvError::Empty)));
            drop(pool);
            for end in ends {
                assert!(end.await.is_err());
            }
        }
    }

    #[actix_web::test]
    async fn a_call_goes_to_whoever_has_least_to_do() {
        let pool = ExecutorPool::start(Arc::default());
        let loads =
            || pool.0.executors.iter().map(|executor| executor.load.load(Ordering::Relaxed)).collect();
        let busy = Load::of(&pool.0.executors[0].load);
        // It is the second's to do, whose mailbox is closed.
        pool.0.executors[1].arbiter.stop();
        while pool.0.executors[1].address.connected() {
            tokio::task::yield_now().await;
        }
        let call = || Call {
            id: "call_1".into(),
            name: "get_current_time".to_owned(),
            arguments: String::new(),
            backend: None,
            endpoint: None,
            trace: None,
            traceparent: None,
        };
        assert_eq!(pool.run(call()).err(), Some(Failure::Stopped));
        drop(busy);
        assert!(pool.run(call()).expect("a place").await.is_ok());
        let loads: Vec<usize> = loads();
        assert_eq!(loads, [0, 0]);
    }
}
