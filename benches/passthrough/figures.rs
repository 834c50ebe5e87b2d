//! The figures of some runs of one kind, and how they are printed. Knows nothing of what was run.

use std::{fmt, time::Duration};

/// What was measured in runs of one kind, all taken together.
#[derive(Default)]
pub(crate) struct Figures {
    /// Sorted when they are asked for.
    round_trips: Vec<Duration>,
    /// Processor time of the tunnel; zero where there is none.
    tunnel: Duration,
    /// Processor time of the clients and the upstream.
    peers: Duration,
    /// Bytes per session: the median of the runs counts.
    memory: Vec<usize>,
    /// Processor time per frame pair of each run, µs.
    runs: Vec<f64>,
}

impl Figures {
    /// The names of what is printed.
    pub(crate) const HEADER: &str = "sessions  through       frame pairs  CPU us/pair  RTT p50 us  RTT p99 us  KiB/session  CPU us/pair of the peers";

    /// Those of one run.
    pub(crate) fn of_run(
        tunnel: Duration,
        peers: Duration,
        round_trips: Vec<Duration>,
        memory: usize,
    ) -> Self {
        let runs = vec![per(tunnel, round_trips.len())];
        Self { round_trips, tunnel, peers, memory: vec![memory], runs }
    }

    /// Adds those of further runs.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.round_trips.append(&mut other.round_trips);
        self.tunnel += other.tunnel;
        self.peers += other.peers;
        self.memory.append(&mut other.memory);
        self.runs.append(&mut other.runs);
    }

    /// This one's processor time per frame pair beside that of another, run by run and altogether.
    pub(crate) fn ratio(&self, other: &Self) -> String {
        let all = self.per_pair() / other.per_pair();
        let by_run: Vec<_> =
            self.runs.iter().zip(&other.runs).map(|(own, other)| format!("{:.2}", own / other)).collect();
        format!("{all:.2} (by run: {})", by_run.join(" "))
    }

    /// Processor time of the tunnel per frame pair, µs.
    fn per_pair(&self) -> f64 {
        per(self.tunnel, self.round_trips.len())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.round_trips.clone();
        sorted.sort_unstable();
        let quantile = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize].as_micros();
        let mut memory = self.memory.clone();
        memory.sort_unstable();
        let (pairs, p50, p99) = (sorted.len(), quantile(0.5), quantile(0.99));
        let (own, peers) = (self.per_pair(), per(self.peers, pairs));
        let memory = memory[memory.len() / 2] as f64 / 1024.0;
        write!(f, "{pairs:>15}{own:>13.1}{p50:>12}{p99:>12}{memory:>13.1}{peers:>26.1}")
    }
}

/// Microseconds each of so many.
fn per(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}
