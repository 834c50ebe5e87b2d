//! The runs: what is done with one thing under test, in a process of its own each time. Knows how to measure and nothing
//! of what the figures come to.

use std::{
    process,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    clients::{self, Clients, FRAME, Seen},
    faults::Faults,
    figures::{Run, Window},
    linux::processor_time,
    through::{Gateways, Running, Through, Upstreams},
};

/// Not measured, at the beginning of each run.
const WARM_UP: Duration = Duration::from_secs(1);
/// The same where sessions are added to a run.
const SETTLING: Duration = Duration::from_millis(500);
/// How long a number of sessions has to be held.
const HELD_FOR: Duration = Duration::from_secs(2);
/// A longer p99 of the round trips is not real time.
const REAL_TIME: Duration = FRAME;

/// Nor is it, if fewer came back in time, percent.
const IN_TIME: f64 = 99.0;

/// Memory is what it will be when it was the same for so long, or after so long.
const STEADY: Duration = Duration::from_secs(2);
const STEADY_AFTER: Duration = Duration::from_secs(12);
/// How often it is looked at, and by which share it may differ.
const GLANCE: Duration = Duration::from_millis(200);
const SAME: f64 = 0.01;

/// Sessions that are set up at the same time.
const AT_ONCE: usize = 8;
/// So many are enough: more would take more local ports than there are.
const MOST: usize = 10_000;
/// How long it may take until what is closed is gone.
const ENDING: Duration = Duration::from_secs(2);
/// Those that are set up before it is measured.
const FIRST: usize = 5;

/// How many sessions were held in real time.
pub(crate) struct Held {
    pub(crate) sessions: usize,
    /// Those last held, and those that were not, with the reason; none if there were no more to try.
    pub(crate) last: Option<Run>,
    pub(crate) beyond: Option<(usize, String)>,
}

/// Resident memory for each session, bytes.
pub(crate) struct Memory {
    pub(crate) idle: usize,
    pub(crate) talking: usize,
    /// That of the process without any.
    pub(crate) empty: usize,
}

/// Sessions that were opened and closed.
pub(crate) struct SetUps {
    pub(crate) count: usize,
    pub(crate) length: Duration,
    /// Processor time of all of them.
    pub(crate) own: Duration,
}

/// What all runs have in common.
pub(crate) struct Stage {
    pub(crate) gateways: Gateways,
    pub(crate) upstreams: Upstreams,
    pub(crate) faults: Faults,
    /// Threads of what is measured.
    pub(crate) workers: usize,
    /// How long each run is measured.
    pub(crate) window: Duration,
}

impl Stage {
    /// So many sessions that talk.
    ///
    /// # Errors
    ///
    /// In words, if frames were lost or were not what they should be.
    pub(crate) async fn talk(&self, through: Through, sessions: usize) -> Result<Run, String> {
        let running = through.start(&self.gateways, self.upstreams, self.workers);
        let mut clients = Clients::new(self.faults.clone());
        let talked = self.talk_through(&running, &mut clients, sessions).await;
        drop(clients);
        drop(running);
        self.judged(talked)
    }

    async fn talk_through(
        &self,
        running: &Running,
        clients: &mut Clients,
        sessions: usize,
    ) -> Result<Run, String> {
        clients.open(running.port, running.path, sessions).await?;
        clients.talk();
        sleep(WARM_UP).await;
        let run = self.window(running, clients, self.window).await;
        clients.fall_silent().await;
        Ok(run)
    }

    /// More and more sessions, as the ramp has them, until they are not held.
    pub(crate) async fn held(&self, through: Through, ramp: &[usize]) -> Held {
        let running = through.start(&self.gateways, self.upstreams, self.workers);
        let mut clients = Clients::new(self.faults.clone());
        let mut held = Held { sessions: 0, last: None, beyond: None };
        for &sessions in ramp {
            let mut step = self.step(&running, &mut clients, sessions).await;
            if matches!(step, Ok(Err(_))) {
                // The machine does other things as well: once may be its fault.
                step = self.step(&running, &mut clients, sessions).await;
            }
            match step.and_then(|step| step) {
                Ok(run) => (held.sessions, held.last) = (sessions, Some(run)),
                Err(reason) => {
                    held.beyond = Some((sessions, reason));
                    break;
                }
            }
        }
        drop(clients);
        self.faults.take();
        held
    }

    /// So many sessions, and why they are not held; the outer error is one that more time does not cure.
    async fn step(
        &self,
        running: &Running,
        clients: &mut Clients,
        sessions: usize,
    ) -> Result<Result<Run, String>, String> {
        let more = sessions.saturating_sub(clients.count());
        self.judged(clients.open(running.port, running.path, more).await)?;
        clients.talk();
        sleep(SETTLING).await;
        let run = self.window(running, clients, HELD_FOR).await;
        clients.fall_silent().await;
        self.judged(Ok(()))?;
        let Run { p99, late, in_time, own, peers, .. } = run;
        let limit = if late > REAL_TIME.as_secs_f64() * 1e6 { ", WHO ARE THE LIMIT" } else { "" };
        let busy = format!("{own:.0} % of a processor, the peers {peers:.0} %{limit}");
        Ok(if in_time < IN_TIME {
            Err(format!("{in_time:.1} % of the frames came back in time; {busy}"))
        } else if p99 > REAL_TIME.as_secs_f64() * 1e6 {
            Err(format!("p99 {:.1} ms, sent {:.1} ms late; {busy}", p99 / 1e3, late / 1e3))
        } else {
            Ok(run)
        })
    }

    /// So many sessions that say nothing, and so many that talk, each kind in a process of its own.
    ///
    /// # Errors
    ///
    /// In words, if one does not open or frames were lost or not what they should be.
    pub(crate) async fn memory(
        &self,
        through: Through,
        idle: usize,
        talking: usize,
    ) -> Result<Memory, String> {
        let running = through.start(&self.gateways, self.upstreams, self.workers);
        let empty = steady_memory(&running).await;
        let mut clients = Clients::new(self.faults.clone());
        clients.open(running.port, running.path, idle).await?;
        let idle = steady_memory(&running).await.saturating_sub(empty) / idle;
        drop((clients, running));
        let running = through.start(&self.gateways, self.upstreams, self.workers);
        let before = steady_memory(&running).await;
        let mut clients = Clients::new(self.faults.clone());
        clients.open(running.port, running.path, talking).await?;
        clients.talk();
        sleep(WARM_UP + self.window).await;
        let talking = running.resident_memory().saturating_sub(before) / talking;
        clients.fall_silent().await;
        drop((clients, running));
        self.judged(Ok(Memory { idle, talking, empty }))
    }

    /// As many sessions as can be opened and closed, one after the other in a few places.
    ///
    /// # Errors
    ///
    /// In words, if one does not open or close in time.
    pub(crate) async fn set_ups(&self, through: Through) -> Result<SetUps, String> {
        let running = through.start(&self.gateways, self.upstreams, self.workers);
        let (port, path) = (running.port, running.path);
        for _ in 0..FIRST {
            clients::open_and_close(port, path).await?;
        }
        sleep(ENDING).await;
        let (before, began, window) = (running.processor_time(), Instant::now(), self.window);
        let mut places = JoinSet::new();
        for _ in 0..AT_ONCE {
            places.spawn_local(async move {
                let mut count = 0;
                while began.elapsed() < window && count < MOST / AT_ONCE {
                    clients::open_and_close(port, path).await?;
                    count += 1;
                }
                Ok::<_, String>(count)
            });
        }
        let counts = places.join_all().await.into_iter().collect::<Result<Vec<usize>, String>>();
        let length = began.elapsed();
        // The last ones end.
        sleep(ENDING).await;
        let own = running.processor_time() - before;
        self.judged(counts.map(|counts| SetUps { count: counts.iter().sum(), length, own }))
    }

    async fn window(&self, running: &Running, clients: &Clients, length: Duration) -> Run {
        let times = || (running.processor_time(), processor_time(process::id()));
        clients.begin();
        let (began, before) = (Instant::now(), times());
        sleep(length).await;
        let (after, length) = (times(), began.elapsed());
        let Seen { round_trips, late } = clients.end();
        let due = clients.count() as f64 * length.as_secs_f64() / FRAME.as_secs_f64();
        let (own, peers) = (after.0 - before.0, after.1 - before.1);
        Window { length, due, own, peers, round_trips, late }.into()
    }

    /// A fault that a peer noted says more than what came of it.
    fn judged<T>(&self, outcome: Result<T, String>) -> Result<T, String> {
        match self.faults.take() {
            Some(fault) => Err(fault),
            None => outcome,
        }
    }
}

/// Its resident memory once that stays the same, or has had time to.
async fn steady_memory(running: &Running) -> usize {
    let began = Instant::now();
    let mut last = (running.resident_memory(), began);
    while last.1.elapsed() < STEADY && began.elapsed() < STEADY_AFTER {
        sleep(GLANCE).await;
        let now = running.resident_memory();
        if now.abs_diff(last.0) as f64 > SAME * last.0 as f64 {
            last = (now, Instant::now());
        }
    }
    running.resident_memory()
}
