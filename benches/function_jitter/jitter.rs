//! How far frames stray from their 20 ms. Knows moments and nothing of where they were seen.

use std::{
    fmt,
    ops::Range,
    time::{Duration, Instant},
};

use crate::sender::FRAME;

/// When the frames of one session were seen, in order.
#[derive(Clone, Default)]
pub(crate) struct Arrivals(pub(crate) Vec<Instant>);

impl Arrivals {
    /// Those within a window.
    pub(crate) fn within(&self, window: &Range<Instant>) -> Self {
        Self(self.0.iter().copied().filter(|at| window.contains(at)).collect())
    }

    /// By how much the times between frames are longer or shorter than a frame.
    fn deviations(&self) -> impl Iterator<Item = Duration> {
        self.0.windows(2).map(|pair| (pair[1] - pair[0]).abs_diff(FRAME))
    }
}

/// The deviations of some sessions' frames.
pub(crate) struct Jitter {
    p50: Duration,
    p99: Duration,
    max: Duration,
}

impl Jitter {
    pub(crate) fn of<'a>(sessions: impl Iterator<Item = &'a Arrivals>) -> Self {
        let mut all: Vec<Duration> = sessions.flat_map(Arrivals::deviations).collect();
        all.sort_unstable();
        let at = |percent: usize| all[(all.len() - 1) * percent / 100];
        Self { p50: at(50), p99: at(99), max: at(100) }
    }

    /// This, as multiples of another.
    pub(crate) fn ratio(&self, other: &Self) -> String {
        let times = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
        let (p50, p99, max) =
            (times(self.p50, other.p50), times(self.p99, other.p99), times(self.max, other.max));
        format!("{p50:>8.2}{p99:>8.2}{max:>8.2}")
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for value in [self.p50, self.p99, self.max] {
            write!(f, "{:>8.2}", value.as_secs_f64() * 1000.0)?;
        }
        Ok(())
    }
}
