//! How a family of metrics is made and registered: with the prefix of all, and with a text of help that ends without a
//! full stop. Knows none by name.

use prometheus::{
    CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::Collector,
};

/// What every name begins with.
const PREFIX: &str = "voxbridge";

/// Makes families and registers them. What is made here is the program's own: a name that is none, or that stands
/// twice, shows in the first test.
pub(super) struct Families(Registry);

impl Families {
    pub(super) fn new() -> Self {
        Self(Registry::new())
    }

    pub(super) fn into_registry(self) -> Registry {
        self.0
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(Opts::new(name, help).namespace(PREFIX), labels))
    }

    pub(super) fn float_counters(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        self.registered(CounterVec::new(Opts::new(name, help).namespace(PREFIX), labels))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.registered(IntGaugeVec::new(Opts::new(name, help).namespace(PREFIX), labels))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(IntGauge::with_opts(Opts::new(name, help).namespace(PREFIX)))
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).namespace(PREFIX).buckets(buckets.to_vec());
        self.registered(HistogramVec::new(opts, labels))
    }

    fn registered<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let made = made.expect("name and labels are well-formed");
        self.0.register(Box::new(made.clone())).expect("no other family is called like it");
        made
    }
}

/// A series for each of some values of the family's last label, behind the others.
pub(super) fn series_of<const N: usize, C>(
    labels: &[&str],
    values: [&str; N],
    series: impl Fn(&[&str]) -> C,
) -> [C; N] {
    values.map(|value| series(&[labels, &[value]].concat()))
}

/// A histogram's sum is in seconds.
pub(super) fn observe(histogram: &Histogram, duration: std::time::Duration) {
    histogram.observe(duration.as_secs_f64());
}
