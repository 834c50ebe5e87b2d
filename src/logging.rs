//! The log of the process, whose level may change while it is written. Knows nothing of what is logged.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use env_logger::{Builder, Env, Logger};
use log::{LevelFilter, Log, Metadata, Record};

use crate::config::Logging;

/// What stands behind `log`'s macros.
struct Exchangeable(RwLock<Arc<Logger>>);

static LOG: OnceLock<Exchangeable> = OnceLock::new();

/// Starts the log. `RUST_LOG` wins over the configured level; other crates are heard from `warn` on. Two modules repeat
/// values of headers, which may be keys and tokens, and are not heard below that, whatever is asked for.
///
/// # Panics
///
/// If the process has a log already.
pub fn start(logging: &Logging) {
    let logger = logger(logging);
    let filter = logger.filter();
    let log = LOG.get_or_init(|| Exchangeable(RwLock::new(Arc::new(logger))));
    log::set_logger(log).expect("the log is started once");
    log::set_max_level(filter);
}

/// Goes on with another level, where the log was started and `RUST_LOG` says none.
pub fn change(logging: &Logging) {
    let Some(Exchangeable(current)) = LOG.get() else { return };
    let logger = Arc::new(logger(logging));
    let filter = logger.filter();
    *current.write().unwrap_or_else(PoisonError::into_inner) = logger;
    log::set_max_level(filter);
}

fn logger(logging: &Logging) -> Logger {
    let filter = format!("warn,voxbridge={}", logging.level);
    Builder::from_env(Env::default().default_filter_or(filter))
        .filter_module("actix_http::h1::decoder", LevelFilter::Warn)
        .filter_module("awc::ws", LevelFilter::Warn)
        .build()
}

impl Exchangeable {
    /// The lock is given back before anything is written: what is written may log something itself.
    fn current(&self) -> Arc<Logger> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Log for Exchangeable {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.current().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.current().log(record);
    }

    fn flush(&self) {
        self.current().flush();
    }
}
