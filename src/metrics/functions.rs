//! Functions that run here: how long they took and what became of them. A name is a label only if a route of the
//! configuration names it; the model or a client can call a function anything. Knows neither arguments nor results.

use std::{collections::HashMap, sync::Arc, time::Duration};

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::families::{Families, observe, series_of};
use crate::functions::{FAILURES, Outcome};

/// The label of every function that no route names.
const OTHER: &str = "other";
/// The word of a call that came to its end.
const OK: &str = "ok";
/// The word of a call that nobody waited for any more.
const CANCELLED: &str = "cancelled";

/// Seconds; functions have 10 s unless their route says otherwise.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

pub(super) struct FunctionFamilies {
    durations: HistogramVec,
    outcomes: IntCounterVec,
}

/// The counters of functions, as the routes of one configuration name them.
#[derive(Clone)]
pub struct FunctionMetrics(Arc<Named>);

struct Named {
    by_name: HashMap<String, Arc<Series>>,
    other: Arc<Series>,
}

struct Series {
    duration: Histogram,
    ok: IntCounter,
    cancelled: IntCounter,
    failures: [IntCounter; FAILURES.len()],
}

/// A call that runs. One that is dropped before its end counts as cancelled.
pub struct RunningFunction(Option<Arc<Series>>);

impl FunctionFamilies {
    pub(super) fn new(families: &Families) -> Self {
        let durations = families.histograms(
            "function_duration_seconds",
            "How long functions took that voxbridge ran, waiting for a place included",
            &["function"],
            &BUCKETS,
        );
        let outcomes = families.counters(
            "function_calls_total",
            "What became of the function calls that voxbridge ran",
            &["function", "outcome"],
        );
        let made = Self { durations, outcomes };
        made.series(OTHER);
        made
    }

    pub(super) fn named<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> FunctionMetrics {
        let by_name = names.into_iter().map(|name| (name.to_owned(), Arc::new(self.series(name)))).collect();
        FunctionMetrics(Arc::new(Named { by_name, other: Arc::new(self.series(OTHER)) }))
    }

    fn series(&self, function: &str) -> Series {
        let outcome = |labels: &[&str]| self.outcomes.with_label_values(labels);
        let [ok, cancelled] = series_of(&[function], [OK, CANCELLED], outcome);
        Series {
            duration: self.durations.with_label_values(&[function]),
            ok,
            cancelled,
            failures: series_of(&[function], FAILURES, outcome),
        }
    }
}

impl FunctionMetrics {
    /// A call of this function begins.
    pub fn begins(&self, name: &str) -> RunningFunction {
        let Named { by_name, other } = &*self.0;
        RunningFunction(Some(Arc::clone(by_name.get(name).unwrap_or(other))))
    }
}

impl RunningFunction {
    /// This became of it, and took so long.
    pub fn ends(mut self, outcome: &Outcome, took: Duration) {
        let Some(series) = self.0.take() else { return };
        observe(&series.duration, took);
        match outcome {
            Ok(_) => series.ok.inc(),
            Err(failure) => {
                let known = FAILURES.iter().position(|known| *known == failure.code());
                debug_assert!(known.is_some(), "{} is not in the list", failure.code());
                if let Some(index) = known {
                    series.failures[index].inc();
                }
            }
        }
    }
}

impl Drop for RunningFunction {
    fn drop(&mut self) {
        if let Some(series) = self.0.take() {
            series.cancelled.inc();
        }
    }
}
