//! One direction of a link: moves bytes from socket to socket as its fault says, which may change at any time.
//! Knows nothing of the other direction but that both are cut together.

use std::collections::VecDeque;
use std::future::pending;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::fault_proxy::{Course, Cut, End, Fault};
use super::ms;

/// How much may be under way where bytes are late: more than any test's bandwidth needs.
const UNDER_WAY: usize = 16 * 1024 * 1024;

/// A throttled direction writes this often.
const BEAT: Duration = ms(20);

pub(super) struct Pump<'a> {
    from: &'a End,
    to: &'a End,
    course: &'a Course,
    cut: &'a watch::Sender<Option<Cut>>,
    /// What was read and is not written, each with the time at which it is due.
    held: VecDeque<(Instant, Vec<u8>)>,
    held_bytes: usize,
    /// The sender has ended.
    ended: bool,
    /// When a throttled direction may write again.
    free_at: Instant,
    /// What has passed when the link is to be cut.
    cut_at: Option<(usize, Cut)>,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        from: &'a End,
        to: &'a End,
        course: &'a Course,
        cut: &'a watch::Sender<Option<Cut>>,
    ) -> Self {
        let (held, free_at) = (VecDeque::new(), Instant::now());
        Self { from, to, course, cut, held, held_bytes: 0, ended: false, free_at, cut_at: None }
    }

    /// Runs until everything up to the sender's end has passed.
    pub(super) async fn run(mut self) {
        let mut told = self.course.fault.subscribe();
        loop {
            let fault = *told.borrow_and_update();
            self.cut_at = match fault {
                Fault::CutAfter(bytes, how) => Some((self.passed() + bytes, how)),
                _ => None,
            };
            tokio::select! {
                biased;
                changed = told.changed() => changed.expect("the link holds the sender"),
                () = self.obey(fault) => return,
            }
        }
    }

    fn passed(&self) -> usize {
        self.course.passed.load(Ordering::Relaxed)
    }

    /// Does what it is told for as long as nobody tells it otherwise. What was begun stays in `self`.
    async fn obey(&mut self, fault: Fault) {
        match fault {
            Fault::Stall => pending().await,
            Fault::Swallow => {
                self.held.clear();
                self.from.drain().await;
                pending().await
            }
            Fault::End => {
                self.to.end();
                self.from.drain().await;
            }
            Fault::Pass
            | Fault::Throttle(_)
            | Fault::ByteByByte
            | Fault::Latency(_)
            | Fault::CutAfter(..) => {
                self.pass(fault).await;
            }
        }
    }

    async fn pass(&mut self, fault: Fault) {
        loop {
            if let Some((at, how)) = self.cut_at
                && self.passed() >= at
            {
                return self.cut(how).await;
            }
            let due = self.held.front().map(|(due, _)| *due);
            if due.is_some_and(|due| due <= Instant::now()) {
                if let Fault::Throttle(_) = fault {
                    sleep_until(self.free_at).await;
                }
                self.write(fault).await;
                continue;
            }
            if self.ended && self.held.is_empty() {
                return self.to.end();
            }
            let room = if let Fault::Latency(_) = fault { UNDER_WAY } else { 1 };
            let may_read = !self.ended && self.held_bytes < room;
            tokio::select! {
                biased;
                () = until(due) => {}
                _ = self.from.stream.readable(), if may_read => self.read(fault).await,
            }
        }
    }

    async fn read(&mut self, fault: Fault) {
        let mut bytes = vec![0; 16 * 1024];
        match self.from.stream.try_read(&mut bytes) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                bytes.truncate(count);
                let late = if let Fault::Latency(late) = fault { late } else { Duration::ZERO };
                self.held.push_back((Instant::now() + late, bytes));
                self.held_bytes += count;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.cut(Cut::Reset).await,
        }
    }

    /// Writes as much of what is due as one write may hold.
    async fn write(&mut self, fault: Fault) {
        let _ = self.to.stream.writable().await;
        let Some((_, bytes)) = self.held.front_mut() else { return };
        let most = match fault {
            Fault::ByteByByte => 1,
            Fault::Throttle(rate) => (rate as f64 * BEAT.as_secs_f64()).max(1.0) as usize,
            _ => usize::MAX,
        };
        let left = self.cut_at.map_or(usize::MAX, |(at, _)| at - self.course.passed.load(Ordering::Relaxed));
        let length = bytes.len().min(most).min(left);
        match self.to.stream.try_write(&bytes[..length]) {
            Ok(written) => {
                bytes.drain(..written);
                if bytes.is_empty() {
                    self.held.pop_front();
                }
                self.held_bytes -= written;
                self.course.passed.fetch_add(written, Ordering::Relaxed);
                self.course.writes.fetch_add(1, Ordering::Relaxed);
                if let Fault::Throttle(rate) = fault {
                    // A beat that came late is made up for, a pause is not.
                    let from = self.free_at.max(Instant::now() - BEAT);
                    self.free_at = from + Duration::from_secs_f64(written as f64 / rate as f64);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.cut(Cut::Reset).await,
        }
    }

    /// Ends the whole link, this pump with it.
    async fn cut(&self, how: Cut) {
        self.cut.send_replace(Some(how));
        pending().await
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
