//! The usage log: an append-only file of JSON lines with what responses, transcriptions and sessions came to, for bills.
//!
//! Lines are offered by the workers and written by a thread of its own, so that a disk that is slow or full is nobody
//! else's trouble: a bounded number of bytes waits, what comes beyond that is lost and counted. Knows no gate and no
//! tally but for their numbers.
//!
//! | File | What it is |
//! |---|---|
//! | `line.rs` | the lines |
//! | `queue.rs` | what waits for the thread |
//! | `writer.rs` | the thread: writes, and tries again |
//! | `file.rs` | the file: whole lines, also when it is moved away or was torn |

mod file;
mod line;
mod queue;
#[cfg(test)]
mod tests;
mod writer;

use std::{path::PathBuf, sync::Arc, thread, time::Duration};

use queue::{Offered, Queue};

pub use line::Source;

/// How long the end of the program waits for lines that were not written yet.
const LAST_LINES: Duration = Duration::from_secs(2);

/// A way to write usage. Cloning is a reference count.
#[derive(Clone, Default)]
pub struct UsageLog(Arc<Queue>);

impl UsageLog {
    /// One that writes to this file, or nowhere.
    pub fn start(file: Option<PathBuf>) -> Self {
        let log = Self::default();
        log.write_to(file);
        log
    }

    /// From now on this is the file. What waits goes there as well; if there is none any more, it goes where it would
    /// have.
    pub fn write_to(&self, file: Option<PathBuf>) {
        let writes = file.is_some();
        if self.0.point_at(file) && writes && self.0.wants_writer() {
            let queue = Arc::clone(&self.0);
            let spawned =
                thread::Builder::new().name("usage-log".to_owned()).spawn(move || writer::run(&queue));
            if let Err(error) = spawned {
                log::error!("the usage log is not written: {error}");
                self.0.has_no_writer();
            }
        }
    }

    /// Opens the file anew, which may have been moved away.
    pub fn reopen(&self) {
        self.0.reopen();
    }

    /// Whether there is a file, so that it is worth while to make a line.
    pub fn is_on(&self) -> bool {
        self.0.is_on()
    }

    /// Has a line written, soon. It ends without a line break, and has none.
    pub fn write(&self, line: String) {
        debug_assert!(!line.contains('\n'), "{line}");
        if self.0.offer(line) == Offered::FirstLost {
            log::error!("the usage log takes no more lines, further ones are lost until it does");
        }
    }

    /// Waits, but not for ever, until all that was offered is written, and ends the thread.
    pub fn finish(&self) {
        let left = self.0.finish(LAST_LINES);
        if left > 0 {
            log::error!("the usage log could not be written, {left} lines are lost");
        }
    }
}
