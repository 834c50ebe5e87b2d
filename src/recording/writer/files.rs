//! The files of the recordings that are under way, as the thread writes them. Knows no queue.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Live, Part};
use crate::{
    protocol::audio::{AudioFormat, PCM_16K, PCM_24K},
    recording::{
        End,
        store::{SUFFIXES, Store},
        wav::Wav,
    },
};

/// A file as far as recordings need one.
pub(super) trait RecordFile: Write + Seek + Send {
    /// Takes away what is behind this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl RecordFile for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }
}

/// Makes a file of a recording.
pub(super) type Create = Box<dyn FnMut(&Store, &str, &str) -> io::Result<Box<dyn RecordFile>> + Send>;

/// All that are open.
pub(super) struct Files {
    create: Create,
    stores: HashMap<PathBuf, Store>,
    open: HashMap<String, Open>,
    /// What went wrong last, until a recording that began after it has been written to its end.
    trouble: Option<String>,
}

struct Open {
    live: Arc<Live>,
    steps: Box<dyn RecordFile>,
    /// Whole lines that are in the file, bytes.
    written: u64,
    audio: [Audio; 2],
    /// It began after something had gone wrong.
    shows_recovery: bool,
}

struct Audio {
    format: AudioFormat,
    wav: Option<Wav<Box<dyn RecordFile>>>,
}

impl Files {
    pub(super) fn on_disk() -> Self {
        Self::new(Box::new(|store, name, suffix| Ok(Box::new(store.create(name, suffix)?))))
    }

    pub(super) fn new(create: Create) -> Self {
        Self { create, stores: HashMap::new(), open: HashMap::new(), trouble: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// What is recorded now.
    pub(super) fn live(&self) -> impl Iterator<Item = &Arc<Live>> {
        self.open.values().map(|open| &open.live)
    }

    pub(super) fn begin(&mut self, live: Arc<Live>) {
        let settings = &live.settings;
        let directory = &settings.directory;
        let store = self.stores.entry(directory.clone()).or_insert_with(|| Store::new(directory.clone()));
        let running = self.open.keys().map(String::as_str).collect();
        let begun = match store.make_room(settings.total_bytes, &running) {
            Ok(false) => {
                Err(io::Error::other("recordings that are not over have logging.record_total_bytes"))
            }
            // Creating a file tells what is the matter with the directory, or makes it again.
            Ok(true) | Err(_) => (self.create)(store, &live.name, SUFFIXES[0]),
        };
        match begun {
            Ok(steps) => {
                let audio = [PCM_16K, PCM_24K].map(|format| Audio { format, wav: None });
                let shows_recovery = self.trouble.is_some();
                self.open.insert(live.name.clone(), Open { live, steps, written: 0, audio, shows_recovery });
            }
            Err(error) => {
                live.refuse();
                self.complain(&live.settings.directory.clone(), &error);
            }
        }
    }

    pub(super) fn write(&mut self, live: &Live, part: Part, bytes: &[u8]) {
        let Some(open) = self.open.get_mut(&live.name) else { return };
        let store = self.stores.get_mut(&live.settings.directory);
        let store = store.expect("a directory with open files is known");
        let written = match audio_of(part) {
            None => open.steps.write_all(bytes),
            Some(n) => open.audio[n].write(bytes, || (self.create)(store, &live.name, SUFFIXES[n + 1])),
        };
        match written {
            Ok(()) => {
                store.written(bytes.len() as u64);
                if part == Part::Steps {
                    open.written += bytes.len() as u64;
                }
            }
            Err(error) => self.fail(live, &error),
        }
    }

    pub(super) fn format(&mut self, live: &Live, part: Part, format: AudioFormat) {
        let Some(open) = self.open.get_mut(&live.name) else { return };
        let Some(n) = audio_of(part) else { return };
        let audio = &mut open.audio[n];
        audio.format = format;
        let changed = audio.wav.as_mut().map_or(Ok(()), |wav| wav.change_format(format));
        if let Err(error) = changed {
            self.fail(live, &error);
        }
    }

    /// The recording is over; without an `end` it was broken off, and has none.
    pub(super) fn end(&mut self, live: &Live, end: Option<End>) {
        let Some(mut open) = self.open.remove(&live.name) else { return };
        let shows_recovery = open.shows_recovery;
        let ended = end.map_or(Ok(()), |end| write_end(&mut *open.steps, end)).and(open.end_audio());
        match ended {
            Ok(()) if shows_recovery && self.trouble.take().is_some() => {
                log::info!("recordings are written again");
            }
            Ok(()) => (),
            Err(error) => self.complain(&live.settings.directory, &error),
        }
    }

    /// What is in the file stays, up to its last whole line.
    fn fail(&mut self, live: &Live, error: &io::Error) {
        live.refuse();
        if let Some(mut open) = self.open.remove(&live.name) {
            // On a full disk there may be room for this all the same; if not, its file ends like one that was cut off.
            let _ = open.steps.cut(open.written).and_then(|()| write_end(&mut *open.steps, End::Failed));
            let _ = open.end_audio();
        }
        self.complain(&live.settings.directory, error);
    }

    /// One line for each trouble, and not for each connection that has it.
    fn complain(&mut self, directory: &Path, error: &io::Error) {
        let trouble = format!("{}: {error}", directory.display());
        if self.trouble.as_ref() != Some(&trouble) {
            log::error!("recordings cannot be written: {trouble}");
            self.trouble = Some(trouble);
        }
    }
}

impl Open {
    fn end_audio(self) -> io::Result<()> {
        self.audio.into_iter().filter_map(|audio| audio.wav).try_for_each(Wav::end)
    }
}

impl Audio {
    /// The file is made for the first audio.
    fn write(
        &mut self,
        bytes: &[u8],
        create: impl FnOnce() -> io::Result<Box<dyn RecordFile>>,
    ) -> io::Result<()> {
        let wav = match &mut self.wav {
            Some(wav) => wav,
            none => none.insert(Wav::begin(create()?, self.format)?),
        };
        wav.write(bytes)
    }
}

impl Live {
    /// Takes nothing more.
    fn refuse(&self) {
        let mut buffers = self.buffers();
        buffers.is_over = true;
        buffers.parts = Default::default();
    }
}

/// Which of the two.
fn audio_of(part: Part) -> Option<usize> {
    match part {
        Part::Steps => None,
        Part::User => Some(0),
        Part::Agent => Some(1),
    }
}

fn write_end(file: &mut dyn RecordFile, end: End) -> io::Result<()> {
    let mut line = Vec::new();
    end.encode(&mut line);
    file.write_all(&line)
}
