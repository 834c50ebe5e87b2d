//! What the process counts, for Prometheus: one registry that outlives every reload. Knows neither sockets nor paths, and
//! no label's value comes from a peer: each is of a closed list or of the configuration.
//!
//! | File | What it counts |
//! |---|---|
//! | `backend.rs` | the families of backends, and their counters of one backend |
//! | `session.rs` | what one connection adds to those, step by step |
//! | `wire.rs` | messages and bytes, which the legs count for themselves |
//! | `functions.rs` | functions that run here |
//! | `refusals.rs` | requests that were refused |
//! | `notices.rs` | voxbridge's own codes in Errors and Warnings |
//! | `families.rs` | how a family is made |

mod backend;
mod families;
mod functions;
mod notices;
mod refusals;
mod session;
mod wire;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus::{IntGauge, Registry, TextEncoder};

pub use backend::BackendMetrics;
pub use functions::{FunctionMetrics, RunningFunction};
pub use notices::NOTICES;
pub use refusals::{REFUSALS, Refusals};
pub use session::{GATE_DIED, SessionMetrics};
pub use wire::{Direction, WireCounts};

use backend::BackendFamilies;
use families::Families;
use functions::FunctionFamilies;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All that the process counts.
pub struct Metrics {
    registry: Registry,
    of_backends: BackendFamilies,
    /// Every backend that there was.
    backends: Mutex<BTreeMap<String, Arc<BackendMetrics>>>,
    of_functions: FunctionFamilies,
    refusals: Refusals,
    budget: BudgetGauges,
}

/// How the budget of the process stands, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetReading {
    /// What connections hold together.
    pub held: usize,
    /// The most that they have held.
    pub high_water: usize,
    /// What they may hold.
    pub limit: usize,
}

struct BudgetGauges {
    held: IntGauge,
    high_water: IntGauge,
    limit: IntGauge,
}

impl Metrics {
    /// A registry in which nothing has been counted, with the series that need no backend.
    pub fn new() -> Self {
        let families = Families::new();
        let build =
            families.gauges("build_info", "The version that runs; the value is always 1", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Self {
            of_backends: BackendFamilies::new(&families),
            backends: Mutex::default(),
            of_functions: FunctionFamilies::new(&families),
            refusals: Refusals::new(&families),
            budget: BudgetGauges {
                held: families.gauge("budget_held_bytes", "What connections hold of limits.process_bytes"),
                high_water: families.gauge(
                    "budget_high_water_bytes",
                    "The most that connections have held of it since the start",
                ),
                limit: families.gauge("budget_limit_bytes", "limits.process_bytes"),
            },
            registry: families.into_registry(),
        };
        #[cfg(target_os = "linux")]
        metrics
            .registry
            .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("nothing else is called process_");
        metrics
    }

    /// The counters of the backend of this name, which go on where those of an earlier configuration stopped.
    pub fn backend(&self, name: &str) -> Arc<BackendMetrics> {
        // The map is whole after any panic.
        let mut backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(backend) = backends.get(name) {
            return Arc::clone(backend);
        }
        let backend = Arc::new(self.of_backends.backend(name));
        backends.insert(name.to_owned(), Arc::clone(&backend));
        backend
    }

    /// The counters of functions, of which these names are counted apart.
    pub fn functions<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> FunctionMetrics {
        self.of_functions.named(names)
    }

    /// The counters of refusals.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// All of it as Prometheus reads it. Takes a while where many files are open: not for a thread that has others to
    /// serve.
    pub fn text(&self, budget: BudgetReading) -> String {
        let backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        backends.values().for_each(|backend| backend.collect());
        drop(backends);
        for (gauge, bytes) in [
            (&self.budget.held, budget.held),
            (&self.budget.high_water, budget.high_water),
            (&self.budget.limit, budget.limit),
        ] {
            gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("the encoder writes what it is given")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
