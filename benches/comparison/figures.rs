//! What was measured of one thing under test with so many sessions, all runs taken together. Knows nothing of how it was
//! measured.

use std::time::Duration;

/// Talking sessions.
#[derive(Default)]
pub(crate) struct Figures {
    /// Sorted.
    round_trips: Vec<Duration>,
    /// Processor time per frame pair of each run, µs.
    runs: Vec<f64>,
    /// Processor time of the thing under test, and of the clients and the upstream.
    own: Duration,
    peers: Duration,
    /// How long it was measured, and how many frames were due meanwhile.
    length: Duration,
    due: usize,
    /// How late the clients sent frames; sorted.
    late: Vec<Duration>,
}

impl Figures {
    /// Those of one run.
    pub(crate) fn of_run(
        own: Duration,
        peers: Duration,
        (length, due): (Duration, usize),
        mut round_trips: Vec<Duration>,
        mut late: Vec<Duration>,
    ) -> Self {
        round_trips.sort_unstable();
        late.sort_unstable();
        Self { runs: vec![per(own, round_trips.len())], round_trips, own, peers, length, due, late }
    }

    /// Adds those of further runs.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.round_trips.append(&mut other.round_trips);
        self.round_trips.sort_unstable();
        self.late.append(&mut other.late);
        self.late.sort_unstable();
        self.runs.append(&mut other.runs);
        self.own += other.own;
        self.peers += other.peers;
        self.length += other.length;
        self.due += other.due;
    }

    /// Frames that were answered, percent of those that were due: what is on its way at the edges adds or lacks some.
    pub(crate) fn in_time(&self) -> f64 {
        100.0 * self.round_trips.len() as f64 / self.due as f64
    }

    /// Processor time per frame pair, µs: the median of the runs.
    pub(crate) fn per_pair(&self) -> f64 {
        median(self.runs.iter().copied())
    }

    /// This processor time beside another's: the median of what it is run by run, since a round's runs follow each
    /// other and what else the machine does weighs on both.
    pub(crate) fn ratio(&self, other: &Self) -> f64 {
        median(self.runs.iter().zip(&other.runs).map(|(own, other)| own / other))
    }

    /// The same of each run.
    pub(crate) fn runs(&self) -> &[f64] {
        &self.runs
    }

    /// The round trip than which this share was no longer, µs.
    pub(crate) fn round_trip(&self, share: f64) -> f64 {
        quantile(&self.round_trips, share)
    }

    /// How late the clients sent this share at most, µs.
    pub(crate) fn late(&self, share: f64) -> f64 {
        quantile(&self.late, share)
    }

    /// How much of a processor it took, and the clients and the upstream took, percent.
    pub(crate) fn load(&self) -> (f64, f64) {
        let percent = |time: Duration| 100.0 * time.as_secs_f64() / self.length.as_secs_f64();
        (percent(self.own), percent(self.peers))
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn quantile(sorted: &[Duration], share: f64) -> f64 {
    let at = (sorted.len().saturating_sub(1) as f64 * share) as usize;
    sorted.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// Microseconds each of so many.
fn per(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}
