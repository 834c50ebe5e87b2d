//! The thread that writes: one line after the other, and one that cannot be written again and again, until it can. What
//! it has to say of that goes into the log, once for each trouble.

use std::time::Duration;

use super::{
    file::LineFile,
    line,
    queue::{Pause, Queue, Task},
};

/// How long it waits before it tries again.
const RETRY: Duration = Duration::from_secs(1);

/// What became of a line.
#[derive(PartialEq, Eq)]
enum Outcome {
    Written,
    /// Nobody wants it any more.
    Discarded,
    /// The program ends, and it cannot be written.
    GivenUp,
}

/// Writes until it is told to end.
pub(super) fn run(queue: &Queue) {
    let mut file = LineFile::default();
    loop {
        let line = match queue.next() {
            Task::Open(path) => {
                file.point_at(path);
                continue;
            }
            Task::Write(line) => line,
            Task::End => break,
        };
        match persevere(queue, &mut file, &line) {
            Outcome::Written => (),
            Outcome::Discarded => continue,
            Outcome::GivenUp => break,
        }
        let lost = queue.written(line.len());
        if lost > 0 {
            log::warn!("the usage log takes lines again, {lost} are lost");
            if persevere(queue, &mut file, &line::lost(lost)) == Outcome::GivenUp {
                break;
            }
        }
    }
    queue.writer_ends();
}

/// Writes a line as soon as that can be done.
fn persevere(queue: &Queue, file: &mut LineFile, line: &str) -> Outcome {
    let mut told = false;
    loop {
        match file.write(line) {
            Ok(()) => {
                if told {
                    log::info!("the usage log is written again");
                }
                return Outcome::Written;
            }
            Err(_) if told => (),
            Err(error) => {
                told = true;
                log::error!("the usage log {} cannot be written, lines wait: {error}", file.name());
            }
        }
        let pause = queue.pause(RETRY);
        if let Some(path) = queue.reopened() {
            file.point_at(Some(path));
        }
        match pause {
            Pause::Over => (),
            Pause::Off(lines) => {
                log::error!("the usage log is off, {lines} lines that waited are lost");
                return Outcome::Discarded;
            }
            // Once more, and then the end is not held up.
            Pause::Ending => {
                return if file.write(line).is_ok() { Outcome::Written } else { Outcome::GivenUp };
            }
        }
    }
}
