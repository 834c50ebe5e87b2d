//! The log as a test reads it: the lines of its own thread in both formats, at every level, with the times that the test
//! says. Knows nothing of what is logged.

use std::{cell::RefCell, sync::Once};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::format::{Styles, line};
use crate::config::LogFormat;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Captured {
    pub(crate) level: Level,
    pub(crate) text: String,
    pub(crate) json: String,
}

thread_local! {
    static LINES: RefCell<Option<(String, Vec<Captured>)>> = const { RefCell::new(None) };
}

struct OfThread;

/// From here on this thread's lines are kept, as written at `time`; called again, with those so far.
pub(crate) fn capture_at(time: String) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        log::set_logger(&OfThread).expect("no test starts the log of the process");
        log::set_max_level(LevelFilter::Trace);
    });
    LINES.with_borrow_mut(|lines| match lines {
        Some((now, _)) => *now = time,
        None => *lines = Some((time, Vec::new())),
    });
}

/// Ends it and gives the lines.
pub(crate) fn captured() -> Vec<Captured> {
    LINES.take().map(|(_, lines)| lines).unwrap_or_default()
}

impl Log for OfThread {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        LINES.with_borrow(Option::is_some)
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| {
            let Some((time, lines)) = lines else { return };
            let of = |format| line(format, time, Styles::default(), record);
            lines.push(Captured {
                level: record.level(),
                text: of(LogFormat::Text),
                json: of(LogFormat::Json),
            });
        });
    }

    fn flush(&self) {}
}
