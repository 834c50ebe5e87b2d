//! What was seen of a run, what there is to say about it, and how it is printed. Knows nothing of how it was seen.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::stuck::Knocks;

pub(crate) const MIB: usize = 1024 * 1024;

/// By how much a p99 beside the stuck ones may be longer than alone, of itself or in time, whichever is more.
const SLOWER: (f64, Duration) = (0.2, Duration::from_millis(2));
/// What may stay of the memory of sessions that have left, of the most they had.
const KEPT: f64 = 0.1;

/// What was seen of a run. Memory is resident memory in bytes.
pub(crate) struct Run {
    /// Round trips of the healthy sessions alone.
    pub(crate) alone: Vec<Duration>,
    /// Those beside the stuck ones, while what is poured at them is taken.
    pub(crate) beside: Vec<Duration>,
    /// Those beside the stuck ones when nothing is taken any more.
    pub(crate) beside_full: Vec<Duration>,
    /// How many there should be while it is taken.
    pub(crate) due: usize,
    /// With the healthy sessions alone.
    pub(crate) baseline: usize,
    /// With the stuck ones open and nothing poured.
    pub(crate) opened: usize,
    /// The most it ever was.
    pub(crate) highest: usize,
    /// When nothing was taken any more.
    pub(crate) full: usize,
    /// What it may be.
    pub(crate) bound: usize,
    /// Audio that was taken.
    pub(crate) poured: usize,
    /// How long it was until nothing was taken any more.
    pub(crate) filled_in: Duration,
    /// After the stuck ones have left, and how long that took.
    pub(crate) after: usize,
    pub(crate) returned_in: Option<Duration>,
    pub(crate) knocks: Knocks,
    /// Sessions that the gateway ended, by cause.
    pub(crate) ended: BTreeMap<String, usize>,
}

impl Run {
    /// The names of what is printed; memory in MiB.
    pub(crate) const HEADER: &str = "healthy   +stuck  highest    bound     full    after   back in   filled   taken  \
        p99 alone   beside     full  answered";

    /// Whether memory has come back.
    pub(crate) fn is_returned(&self) -> bool {
        let most = self.highest.saturating_sub(self.baseline) as f64 * KEPT;
        self.after.saturating_sub(self.baseline) as f64 <= most
    }

    /// Whether memory kept within its bound and came back.
    pub(crate) fn is_within_bounds(&self) -> bool {
        self.highest <= self.bound && self.returned_in.is_some()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { baseline, opened, highest, bound, full, after, .. } = self;
        for bytes in [baseline, opened, highest, bound, full, after] {
            write!(f, "{:>7.1}  ", *bytes as f64 / MIB as f64)?;
        }
        let returned =
            self.returned_in.map_or("never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        let answered = 100.0 * self.beside.len() as f64 / self.due as f64;
        write!(
            f,
            "{returned:>8}{:>7.1} s{:>8}{:>8.2} ms{:>7.2} ms{:>7.2} ms{answered:>8.1}%",
            self.filled_in.as_secs_f64(),
            self.poured / MIB,
            milliseconds(p99(&self.alone)),
            milliseconds(p99(&self.beside)),
            milliseconds(p99(&self.beside_full)),
        )?;
        if self.knocks.refused > 0 {
            let Knocks { granted, refused, closed_for } = self.knocks;
            write!(
                f,
                "  503 {refused} of {} upgrades, over {:.1} s",
                granted + refused,
                closed_for.as_secs_f64()
            )?;
        }
        for (cause, count) in &self.ended {
            write!(f, "  {cause} {count}")?;
        }
        if self.highest > self.bound {
            write!(f, "  OVER ITS BOUND")?;
        }
        Ok(())
    }
}

/// The medians of some runs of one kind, and what they come to.
pub(crate) fn summary(runs: &[Run]) -> String {
    let alone = median(runs, |run| p99(&run.alone));
    let may = alone.mul_f64(SLOWER.0).max(SLOWER.1);
    let judged = |beside: Duration| {
        let verdict = if beside.saturating_sub(alone) <= may { "within" } else { "NOT WITHIN" };
        format!("{:.2} ms ({verdict} {:.2} ms of it)", milliseconds(beside), milliseconds(may))
    };
    let share = median(runs, |run| 100 * run.highest / run.bound);
    format!(
        "median p99: {:.2} ms alone, {} while it is poured, {} when they are full; highest memory {share} % of its bound",
        milliseconds(alone),
        judged(median(runs, |run| p99(&run.beside))),
        judged(median(runs, |run| p99(&run.beside_full))),
    )
}

fn median<T: Ord + Copy>(runs: &[Run], of: impl Fn(&Run) -> T) -> T {
    let mut all: Vec<T> = runs.iter().map(of).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

fn p99(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() - 1) * 99 / 100]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
