//! The peers' clock: a thread that writes a frame each way and session every 20 ms, the sessions evenly spread over
//! that time. A timer of the runtime would be as coarse as what is to be measured.

use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::jitter::Arrivals;

/// The audio in one frame.
pub(crate) const FRAME: Duration = Duration::from_millis(20);

/// One session, as whole WebSocket frames and where they go.
pub(crate) struct Lane {
    pub(crate) up: TcpStream,
    pub(crate) up_frame: Vec<u8>,
    pub(crate) down: TcpStream,
    pub(crate) down_frame: Vec<u8>,
}

/// The running thread.
pub(crate) struct Sender {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Arrivals>>,
}

impl Sender {
    pub(crate) fn start(lanes: Vec<Lane>) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        Self { stopped, thread: thread::spawn(move || send(lanes, &stop)) }
    }

    /// Ends it; when it sent each session's frames.
    pub(crate) fn stop(self) -> Vec<Arrivals> {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.join().expect("every frame could be written")
    }
}

fn send(mut lanes: Vec<Lane>, stop: &AtomicBool) -> Vec<Arrivals> {
    let mut sent = vec![Arrivals::default(); lanes.len()];
    let apart = FRAME / lanes.len() as u32;
    let began = Instant::now();
    for round in 0.. {
        for (session, lane) in lanes.iter_mut().enumerate() {
            let due = began + FRAME * round + apart * session as u32;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            sent[session].0.push(Instant::now());
            // The sockets do not block: a gateway that stops reading ends the benchmark.
            lane.up.write_all(&lane.up_frame).expect("the gateway takes the user's audio");
            lane.down.write_all(&lane.down_frame).expect("the gateway takes the agent's audio");
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    sent
}
