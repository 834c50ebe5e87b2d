//! The thread that writes recordings, and what connections hand it: one for the process, with a queue that is bounded in
//! bytes. Whatever happens to a file ends that recording and nothing else. Knows nothing of what is in a line.

mod files;
#[cfg(test)]
mod tests;

use std::{
    io, mem,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use super::{End, store::Store};
use crate::{config::Logging, protocol::audio::AudioFormat};
use files::Files;

/// How recordings are made that begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingSettings {
    /// The directory.
    pub directory: PathBuf,
    /// Whether audio is written beside the steps, as WAV files.
    pub audio: bool,
    /// What the files of one recording may come to, bytes.
    pub session_bytes: u64,
    /// What all recordings in the directory may come to, bytes; the oldest are deleted.
    pub total_bytes: u64,
}

/// The recordings of the process.
#[derive(Clone, Default)]
pub struct Recordings(Arc<Shared>);

#[derive(Default)]
struct Shared {
    jobs: OnceLock<Sender<Job>>,
    /// What waits in the queue, bytes.
    queued: AtomicUsize,
}

/// A part of a recording, which is a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The steps.
    Steps,
    /// What the client sent, as a WAV file.
    User,
    /// What the client was sent, as a WAV file.
    Agent,
}

/// One recording, by the connection that it is of. Dropped, it breaks off.
pub struct Recording {
    shared: Arc<Shared>,
    live: Arc<Live>,
    /// What may still be written, bytes.
    room: u64,
}

/// Why nothing more of a connection is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Its files have their largest size.
    Cap,
    /// The disk takes less than there is to write.
    Dropped,
    /// It cannot be written, or has ended; the log knows more.
    Failed,
}

/// What connection and thread share of a recording.
struct Live {
    name: String,
    settings: Arc<RecordingSettings>,
    buffers: Mutex<Buffers>,
}

/// What was not handed over yet.
#[derive(Default)]
struct Buffers {
    parts: [Vec<u8>; 3],
    is_over: bool,
}

enum Job {
    Begin(Arc<Live>),
    Write {
        live: Arc<Live>,
        part: Part,
        bytes: Vec<u8>,
    },
    Format {
        live: Arc<Live>,
        part: Part,
        format: AudioFormat,
    },
    End {
        live: Arc<Live>,
        end: Option<End>,
    },
    /// Everything before this is written.
    Done(Sender<()>),
}

impl RecordingSettings {
    /// What the configuration says; none if nothing is recorded.
    pub fn of(logging: &Logging) -> Option<Arc<Self>> {
        let directory = PathBuf::from(logging.record_dir.as_deref()?);
        Some(Arc::new(Self {
            directory,
            audio: logging.record_audio,
            session_bytes: logging.record_session_bytes,
            total_bytes: logging.record_total_bytes,
        }))
    }
}

/// Makes a directory for recordings if it is missing, and finds out whether files can be made in it.
pub fn check_directory(directory: &Path) -> io::Result<()> {
    Store::check(directory)
}

impl Recordings {
    /// Starts the thread, if it was not: before the first connection, so that none waits for it.
    pub fn start(&self) {
        self.0.jobs.get_or_init(|| {
            let (sender, receiver) = mpsc::channel();
            let shared = Arc::downgrade(&self.0);
            let thread = thread::Builder::new().name("recordings".to_owned());
            if let Err(error) = thread.spawn(move || write_all(&receiver, &shared, Files::on_disk())) {
                log::error!("nothing is recorded, no thread can be started: {error}");
            }
            sender
        });
    }

    /// Begins the recording of the connection with this id.
    pub fn begin(&self, name: &str, settings: &Arc<RecordingSettings>) -> Recording {
        self.start();
        let (name, settings) = (name.to_owned(), Arc::clone(settings));
        let room = settings.session_bytes;
        let live = Arc::new(Live { name, settings, buffers: Mutex::default() });
        self.0.send(Job::Begin(Arc::clone(&live)));
        Recording { shared: Arc::clone(&self.0), live, room }
    }

    /// Waits until everything is written that was handed over, but no longer than this.
    pub fn finish(&self, longest: Duration) {
        if self.0.jobs.get().is_none() {
            return;
        }
        let (done, is_done) = mpsc::channel();
        self.0.send(Job::Done(done));
        if is_done.recv_timeout(longest) == Err(RecvTimeoutError::Timeout) {
            log::warn!("recordings are not written in time, their ends are lost");
        }
    }
}

impl Shared {
    fn send(&self, job: Job) {
        if let Some(jobs) = self.jobs.get() {
            // Without the thread nothing is recorded, and the log has said so.
            let _ = jobs.send(job);
        }
    }

    /// Hands over what there is of a connection, behind everything that was before. That is little, and needs no room.
    fn hand_over_all(&self, live: &Arc<Live>, buffers: &mut Buffers) {
        for part in Part::ALL {
            let bytes = mem::take(&mut buffers.parts[part as usize]);
            if !bytes.is_empty() {
                self.queued.fetch_add(weight(bytes.len()), Relaxed);
                self.send(Job::Write { live: Arc::clone(live), part, bytes });
            }
        }
    }

    /// Whether there is room in the queue; then it is taken.
    fn reserve(&self, bytes: usize) -> bool {
        let weight = weight(bytes);
        if self.queued.fetch_add(weight, Relaxed) + weight <= QUEUE_BYTES {
            return true;
        }
        self.queued.fetch_sub(weight, Relaxed);
        false
    }
}

/// What a job counts for that carries so many bytes.
fn weight(bytes: usize) -> usize {
    bytes + size_of::<Job>()
}

impl Recording {
    /// Writes a line, or audio. After an error the recording has ended.
    pub fn write(&mut self, part: Part, bytes: &[u8]) -> Result<(), Stopped> {
        let length = bytes.len() as u64;
        if length > self.room.saturating_sub(LAST_LINE) {
            self.stop(Some(End::Cap));
            return Err(Stopped::Cap);
        }
        self.room -= length;
        let mut buffers = self.live.buffers();
        if buffers.is_over {
            return Err(Stopped::Failed);
        }
        let buffer = &mut buffers.parts[part as usize];
        if buffer.capacity() == 0 {
            buffer.reserve_exact(HAND_OVER + SPARE);
        }
        buffer.extend_from_slice(bytes);
        if buffer.len() < HAND_OVER {
            return Ok(());
        }
        if !self.shared.reserve(buffer.len()) {
            // Steps that are missing are the last ones.
            buffers.parts = Default::default();
            drop(buffers);
            self.stop(Some(End::Dropped));
            return Err(Stopped::Dropped);
        }
        let bytes = mem::take(buffer);
        // With the buffers locked, or the thread might take what comes behind it first.
        self.shared.send(Job::Write { live: Arc::clone(&self.live), part, bytes });
        Ok(())
    }

    /// The format of a part that is audio, which may become known after its first bytes.
    pub fn format(&mut self, part: Part, format: AudioFormat) {
        self.shared.send(Job::Format { live: Arc::clone(&self.live), part, format });
    }

    /// The connection is over.
    pub fn end(self, end: End) {
        self.stop(Some(end));
    }

    fn stop(&self, end: Option<End>) {
        let mut buffers = self.live.buffers();
        if mem::replace(&mut buffers.is_over, true) {
            return;
        }
        self.shared.hand_over_all(&self.live, &mut buffers);
        self.shared.send(Job::End { live: Arc::clone(&self.live), end });
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.stop(None);
    }
}

impl Part {
    const ALL: [Self; 3] = [Self::Steps, Self::User, Self::Agent];
}

impl Live {
    fn buffers(&self) -> MutexGuard<'_, Buffers> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread. What connections have not handed over is fetched now and then, so that little is lost if the process dies.
#[allow(clippy::disallowed_methods, reason = "a thread of its own, which nothing is decided by")]
fn write_all(jobs: &Receiver<Job>, shared: &Weak<Shared>, mut files: Files) {
    let mut fetched = Instant::now();
    loop {
        // Without a recording there is nothing to fetch, and the thread sleeps.
        let job = if files.is_empty() {
            jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            jobs.recv_timeout(FETCH.saturating_sub(fetched.elapsed()))
        };
        match job {
            Ok(Job::Begin(live)) => files.begin(live),
            Ok(Job::Write { live, part, bytes }) => {
                files.write(&live, part, &bytes);
                if let Some(shared) = shared.upgrade() {
                    shared.queued.fetch_sub(weight(bytes.len()), Relaxed);
                }
            }
            Ok(Job::Format { live, part, format }) => files.format(&live, part, format),
            Ok(Job::End { live, end }) => files.end(&live, end),
            // Whoever asked may have gone.
            Ok(Job::Done(done)) => drop(done.send(())),
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if fetched.elapsed() >= FETCH {
            fetched = Instant::now();
            let Some(shared) = shared.upgrade() else { return };
            files.live().for_each(|live| shared.hand_over_all(live, &mut live.buffers()));
        }
    }
}

/// What may wait for the disk, over all connections, bytes. It is beside `limits.process_bytes`.
const QUEUE_BYTES: usize = 16 << 20;
/// A buffer of this size is handed over, bytes.
const HAND_OVER: usize = 8 << 10;
/// Room in a buffer for the line that makes it full, bytes.
const SPARE: usize = 1 << 10;
/// How long something may stay in a buffer that is not full.
const FETCH: Duration = Duration::from_millis(500);
/// Room that is left for the last line, bytes.
const LAST_LINE: u64 = 64;
