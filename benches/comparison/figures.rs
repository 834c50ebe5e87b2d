//! What was measured of talking sessions: one run, and several runs of one kind, of which the median counts. Knows
//! nothing of how it was measured.

use std::time::Duration;

/// One run. Times are in µs, shares of a processor in percent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Processor time of the thing under test per frame pair.
    pub(crate) per_pair: f64,
    /// Round trips.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// How late the clients sent frames, which is not the fault of the thing under test: p99.
    pub(crate) late: f64,
    /// Frames that were answered, percent of those that were due: what is on its way at the edges adds or lacks some.
    pub(crate) in_time: f64,
    /// How much of a processor the thing under test took.
    pub(crate) own: f64,
    /// And the clients and the upstream.
    pub(crate) peers: f64,
}

/// What a window of time brought.
pub(crate) struct Window {
    pub(crate) length: Duration,
    /// Frames that were to be sent.
    pub(crate) due: f64,
    /// Processor time of the thing under test, and of the peers.
    pub(crate) own: Duration,
    pub(crate) peers: Duration,
    /// Of the frames that were answered.
    pub(crate) round_trips: Vec<Duration>,
    /// How much later than they were due frames were sent.
    pub(crate) late: Vec<Duration>,
}

impl From<Window> for Run {
    fn from(window: Window) -> Self {
        let Window { length, due, own, peers, mut round_trips, mut late } = window;
        round_trips.sort_unstable();
        late.sort_unstable();
        let pairs = round_trips.len() as f64;
        let share = |time: Duration| 100.0 * time.as_secs_f64() / length.as_secs_f64();
        Self {
            per_pair: microseconds(own) / pairs,
            p50: quantile(&round_trips, 0.5),
            p99: quantile(&round_trips, 0.99),
            p999: quantile(&round_trips, 0.999),
            late: quantile(&late, 0.99),
            in_time: 100.0 * pairs / due,
            own: share(own),
            peers: share(peers),
        }
    }
}

/// Runs of one kind, one of each round.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Run>);

impl Figures {
    /// Adds that of a further round.
    pub(crate) fn add(&mut self, run: Run) {
        self.0.push(run);
    }

    pub(crate) fn runs(&self) -> &[Run] {
        &self.0
    }

    /// The median of this.
    pub(crate) fn median(&self, of: fn(&Run) -> f64) -> f64 {
        median(self.0.iter().map(of))
    }

    /// The median of what this comes to beside another's, round by round: the runs of a round follow each other, so what
    /// else the machine does weighs on both.
    pub(crate) fn beside(&self, other: &Self, of: fn(&Run, &Run) -> f64) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(own, other)| of(own, other)))
    }

    /// Processor time per frame pair as a multiple of another's.
    pub(crate) fn ratio(&self, other: &Self) -> f64 {
        self.beside(other, |own, other| own.per_pair / other.per_pair)
    }

    /// By how much the p99 of the round trips is longer than another's, µs.
    pub(crate) fn added(&self, other: &Self) -> f64 {
        self.beside(other, |own, other| own.p99 - other.p99)
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn quantile(sorted: &[Duration], share: f64) -> f64 {
    let at = (sorted.len().saturating_sub(1) as f64 * share) as usize;
    sorted.get(at).copied().map_or(f64::NAN, microseconds)
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
