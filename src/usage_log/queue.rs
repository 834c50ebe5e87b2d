//! Lines that wait for the thread that writes them, in bounded memory. Knows no file but its name.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How many bytes wait at most: some ten thousand lines.
pub(super) const MOST_BYTES: usize = 4 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to do for the writer.
    changed: Condvar,
    /// The writer has ended.
    ended: Condvar,
    on: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Where lines go that are offered now.
    file: Option<PathBuf>,
    /// The last one that there was, for lines that wait.
    target: Option<PathBuf>,
    /// That is another one, or to be opened anew.
    reopens: bool,
    /// There is none any more: behind the lines that wait it is to be let go of.
    lets_go: bool,
    lines: VecDeque<String>,
    /// Of the lines, and of the one that is being written.
    bytes: usize,
    /// The writer has taken a line and not put it down.
    writing: bool,
    /// Lines that there was no room for, since the file last told of such.
    lost: u64,
    has_writer: bool,
    ending: bool,
}

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offered {
    Taken,
    /// It is lost, as the first one since lines were written.
    FirstLost,
    Lost,
    /// Nobody wants any.
    Off,
}

/// What the writer is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Use this file from now on, anew if it is the same; none: let go of it.
    Open(Option<PathBuf>),
    /// Write this line, and say when it is written.
    Write(String),
    /// All is written, and nothing comes any more.
    End,
}

/// Whether it is worth while to try again what has failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// Some time has passed, or there is another file.
    Over,
    /// The program ends.
    Ending,
    /// The lines are to go nowhere any more; so many are let go of.
    Off(u64),
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is done under the lock that could leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Names the file; whether that is another one.
    pub(super) fn point_at(&self, file: Option<PathBuf>) -> bool {
        let mut state = self.state();
        self.on.store(file.is_some(), Ordering::Relaxed);
        let differs = state.file != file;
        if differs && file.is_some() {
            state.target.clone_from(&file);
            state.reopens = true;
        }
        state.lets_go = file.is_none();
        state.file = file;
        self.changed.notify_one();
        differs
    }

    pub(super) fn reopen(&self) {
        self.state().reopens = true;
        self.changed.notify_one();
    }

    /// Whether there is no writer yet; from then on there is.
    pub(super) fn wants_writer(&self) -> bool {
        !std::mem::replace(&mut self.state().has_writer, true)
    }

    pub(super) fn has_no_writer(&self) {
        self.on.store(false, Ordering::Relaxed);
        let mut state = self.state();
        (state.has_writer, state.file) = (false, None);
    }

    pub(super) fn offer(&self, line: String) -> Offered {
        let mut state = self.state();
        if state.file.is_none() || !state.has_writer {
            return Offered::Off;
        }
        if state.ending || state.bytes + line.len() > MOST_BYTES {
            state.lost += 1;
            return if state.lost == 1 { Offered::FirstLost } else { Offered::Lost };
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        self.changed.notify_one();
        Offered::Taken
    }

    /// Waits for something to do. Lines that are there go before the file is let go of.
    pub(super) fn next(&self) -> Task {
        let mut state = self.state();
        loop {
            if std::mem::take(&mut state.reopens) {
                return Task::Open(state.target.clone());
            }
            if let Some(line) = state.lines.pop_front() {
                state.writing = true;
                return Task::Write(line);
            }
            if std::mem::take(&mut state.lets_go) {
                return Task::Open(None);
            }
            if state.ending {
                return Task::End;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A line is written; how many were lost meanwhile, which is told once.
    pub(super) fn written(&self, bytes: usize) -> u64 {
        let mut state = self.state();
        state.writing = false;
        state.bytes = state.bytes.saturating_sub(bytes);
        std::mem::take(&mut state.lost)
    }

    /// Waits before the line that could not be written is tried again.
    pub(super) fn pause(&self, longest: Duration) -> Pause {
        let state = self.state();
        let waits = |state: &mut State| !state.ending && !state.reopens && !state.lets_go;
        let waited = self.changed.wait_timeout_while(state, longest, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.ending {
            return Pause::Ending;
        }
        if state.file.is_none() {
            return Pause::Off(state.forget());
        }
        Pause::Over
    }

    /// The file to use from now on, if there is another one, or the same is to be opened anew.
    pub(super) fn reopened(&self) -> Option<PathBuf> {
        let mut state = self.state();
        std::mem::take(&mut state.reopens).then(|| state.target.clone()).flatten()
    }

    /// The writer ends. What it has not written is left.
    pub(super) fn writer_ends(&self) {
        self.state().has_writer = false;
        self.ended.notify_all();
    }

    /// Ends the writer; how many lines are lost for that.
    pub(super) fn finish(&self, longest: Duration) -> u64 {
        self.on.store(false, Ordering::Relaxed);
        let mut state = self.state();
        state.ending = true;
        self.changed.notify_one();
        let waited = self.ended.wait_timeout_while(state, longest, |state| state.has_writer);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.forget()
    }
}

impl State {
    /// Lets go of everything that waits; how many lines that are.
    fn forget(&mut self) -> u64 {
        let lines = self.lines.len() as u64 + u64::from(self.writing) + self.lost;
        self.lines.clear();
        (self.bytes, self.writing, self.lost) = (0, false, 0);
        lines
    }
}
