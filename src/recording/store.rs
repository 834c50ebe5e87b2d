//! The directory of recordings: what its files are called, and which of them go when there are too many. Files that are
//! no recordings, by name and by beginning, are left alone: somebody may have named a directory with other things in it.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// What the names of a recording's files end in: its steps, the user's audio and the agent's.
pub(super) const SUFFIXES: [&str; 3] = [".jsonl", ".user.wav", ".agent.wav"];

/// A directory of recordings, which several processes may share.
pub(super) struct Store {
    directory: PathBuf,
    /// What the recordings come to, as far as that is known, bytes.
    used: u64,
    /// Recordings begun and bytes written since the directory was looked through; none: it never was.
    since: Option<(u32, u64)>,
}

/// A recording that is in the directory.
struct Found {
    bytes: u64,
    changed: SystemTime,
    is_whole: bool,
}

impl Store {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, used: 0, since: None }
    }

    /// Makes the directory if it is missing, and finds out whether files can be made in it.
    pub(super) fn check(directory: &Path) -> io::Result<()> {
        make(directory)?;
        let probe = directory.join(format!(".voxbridge-{}-{:x}", std::process::id(), rand::random::<u64>()));
        create(&probe)?;
        fs::remove_file(&probe)
    }

    /// A new file of a recording. Fails where there is one of that name: nothing is written over.
    pub(super) fn create(&self, name: &str, suffix: &str) -> io::Result<File> {
        if !is_id(name) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the connection's id is no name of a file",
            ));
        }
        let path = self.directory.join(format!("{name}{suffix}"));
        match create(&path) {
            // Somebody has removed the directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&self.directory)?;
                create(&path)
            }
            other => other,
        }
    }

    /// So much has been written.
    pub(super) fn written(&mut self, bytes: u64) {
        self.used += bytes;
        if let Some((_, written)) = &mut self.since {
            *written += bytes;
        }
    }

    /// Deletes the oldest recordings that are over until all come to less than `most` bytes; false if they do not, and
    /// no further one is to begin. Of those that are `running` here none is deleted.
    pub(super) fn make_room(&mut self, most: u64, running: &HashSet<&str>) -> io::Result<bool> {
        let is_known = self.since.is_some_and(|(begun, written)| begun < LOOK_AFTER && written < most / 64);
        if is_known && self.used < most {
            if let Some((begun, _)) = &mut self.since {
                *begun += 1;
            }
            return Ok(true);
        }
        let found = self.look_through()?;
        self.used = found.values().map(|recording| recording.bytes).sum();
        self.since = Some((0, 0));
        if self.used < most {
            return Ok(true);
        }
        let mut oldest: Vec<_> = found
            .iter()
            .filter(|(name, recording)| recording.is_whole && !running.contains(name.as_str()))
            .collect();
        oldest.sort_by_key(|(_, recording)| recording.changed);
        for (name, recording) in oldest {
            // A little more than is needed, or the next one would have it looked through again.
            if self.used <= most / 10 * 9 {
                break;
            }
            if self.is_over(name, recording.changed) && self.delete(name).is_ok() {
                self.used -= recording.bytes;
            }
        }
        Ok(self.used < most)
    }

    fn look_through(&self) -> io::Result<BTreeMap<String, Found>> {
        let mut all: BTreeMap<String, Found> = BTreeMap::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((id, suffix)) = name.to_str().and_then(parts) else { continue };
            // Another process may delete it at the same time.
            let Ok(metadata) = entry.metadata() else { continue };
            if !metadata.is_file() {
                continue;
            }
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let nothing = Found { bytes: 0, changed, is_whole: false };
            let recording = all.entry(id.to_owned()).or_insert(nothing);
            recording.bytes += metadata.len();
            recording.changed = recording.changed.max(changed);
            recording.is_whole |= suffix == SUFFIXES[0];
        }
        Ok(all)
    }

    /// Whether it is a recording, and nobody writes it any more: its last line says so, or nothing has come for a day.
    fn is_over(&self, name: &str, changed: SystemTime) -> bool {
        let ends = |path: PathBuf| {
            let mut file = File::open(path)?;
            let mut beginning = [0; BEGINNING.len()];
            file.read_exact(&mut beginning)?;
            let length = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(length.saturating_sub(LAST_LINE)))?;
            let mut end = Vec::new();
            file.read_to_end(&mut end)?;
            let last = end.strip_suffix(b"\n").unwrap_or(&end);
            let last = last.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            Ok::<_, io::Error>((beginning == *BEGINNING, last.starts_with(b"{\"end\":")))
        };
        let is_old = changed.elapsed().is_ok_and(|age| age > ABANDONED);
        match ends(self.directory.join(format!("{name}{}", SUFFIXES[0]))) {
            Ok((is_recording, has_end)) => is_recording && (has_end || is_old),
            Err(_) => false,
        }
    }

    /// Deletes its files, the steps last: without them nobody would know the others for what they are.
    fn delete(&self, name: &str) -> io::Result<()> {
        for suffix in SUFFIXES.iter().rev() {
            let path = self.directory.join(format!("{name}{suffix}"));
            if *suffix != SUFFIXES[0] && !is_wav(&path) {
                continue;
            }
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

fn is_wav(path: &Path) -> bool {
    let mut beginning = [0; 4];
    let is_file = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    is_file
        && File::open(path).and_then(|mut file| file.read_exact(&mut beginning)).is_ok()
        && beginning == *b"RIFF"
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The connection and the suffix of a file's name.
fn parts(file: &str) -> Option<(&str, &'static str)> {
    SUFFIXES
        .into_iter()
        .find_map(|suffix| Some((file.strip_suffix(suffix).filter(|name| is_id(name))?, suffix)))
}

/// Whether it is made as connections' ids are: a UUID.
fn is_id(name: &str) -> bool {
    let is_dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    name.len() == 36
        && name.bytes().enumerate().all(|(at, byte)| match byte {
            b'-' => is_dash(at),
            b'0'..=b'9' | b'a'..=b'f' => !is_dash(at),
            _ => false,
        })
}

/// What every recording begins with.
const BEGINNING: &[u8; 23] = b"{\"voxbridge_recording\":";
/// More than the last line has, bytes.
const LAST_LINE: u64 = 64;
/// What was not written to for so long was left by a process that died.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);
/// After so many recordings the directory is looked through again: other processes may write there as well.
const LOOK_AFTER: u32 = 64;

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn id(n: u32) -> String {
        format!("{n:08x}-0000-4000-8000-000000000000")
    }

    /// A recording of so many bytes whose last change was so many seconds ago.
    fn put(directory: &TempDir, name: &str, content: &str, age_s: u64) -> PathBuf {
        let path = directory.path().join(name);
        fs::write(&path, content).expect("it can be written");
        let file = File::options().write(true).open(&path).expect("it is there");
        file.set_modified(SystemTime::now() - Duration::from_secs(age_s)).expect("it has a time");
        path
    }

    fn steps(bytes: usize, end: &str) -> String {
        let line = format!("{{\"voxbridge_recording\":1}}\n{}\n", "x".repeat(bytes));
        format!("{line}{end}")
    }

    const END: &str = "{\"end\":\"finished\"}\n";

    fn left(directory: &TempDir) -> Vec<String> {
        let names = fs::read_dir(directory.path()).expect("it is there");
        let mut names: Vec<_> =
            names.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_that_are_over_go_with_their_audio() {
        let directory = TempDir::new().expect("a directory");
        for n in 0..5 {
            put(&directory, &format!("{}.jsonl", id(n)), &steps(1_000, END), 100 - u64::from(n));
            put(&directory, &format!("{}.user.wav", id(n)), &format!("RIFF{}", "a".repeat(996)), 100);
        }
        let mut store = Store::new(directory.path().to_owned());
        assert!(store.make_room(8_000, &HashSet::new()).expect("it is readable"));
        let kept: Vec<_> =
            (2..5).flat_map(|n| [format!("{}.jsonl", id(n)), format!("{}.user.wav", id(n))]).collect();
        assert_eq!(left(&directory), kept);
        assert!((6_000..7_200).contains(&store.used), "{}", store.used);
    }

    #[test]
    fn what_runs_here_or_elsewhere_stays_and_nothing_more_begins() {
        let directory = TempDir::new().expect("a directory");
        let (here, elsewhere, dead) = (id(1), id(2), id(3));
        put(&directory, &format!("{here}.jsonl"), &steps(1_000, END), 500);
        put(&directory, &format!("{elsewhere}.jsonl"), &steps(1_000, ""), 400);
        put(&directory, &format!("{dead}.jsonl"), &steps(1_000, ""), 25 * 60 * 60);
        let mut store = Store::new(directory.path().to_owned());
        assert!(!store.make_room(1_500, &HashSet::from([here.as_str()])).expect("it is readable"));
        assert_eq!(left(&directory), [format!("{here}.jsonl"), format!("{elsewhere}.jsonl")]);
    }

    #[test]
    fn what_is_no_recording_is_never_touched() {
        let directory = TempDir::new().expect("a directory");
        put(&directory, "thesis.jsonl", &steps(5_000, END), 9_000);
        put(&directory, &format!("{}.txt", id(1)), &steps(5_000, END), 9_000);
        put(
            &directory,
            &format!("{}.jsonl", id(2)),
            &format!("{{\"data\":1}}\n{END}{}", " ".repeat(5_000)),
            9_000,
        );
        put(&directory, &format!("{}.user.wav", id(3)), "RIFF", 9_000);
        put(&directory, &format!("{}.jsonl", id(4)), &steps(5_000, END), 9_000);
        let other = put(&directory, &format!("{}.agent.wav", id(4)), "a diary", 9_000);
        let elsewhere = TempDir::new().expect("a directory");
        let target = put(&elsewhere, "target", &steps(5_000, END), 9_000);
        let link = directory.path().join(format!("{}.jsonl", id(5)));
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        let before = left(&directory);
        let mut store = Store::new(directory.path().to_owned());
        store.make_room(1_000, &HashSet::new()).expect("it is readable");
        let gone = format!("{}.jsonl", id(4));
        assert_eq!(left(&directory), before.into_iter().filter(|name| *name != gone).collect::<Vec<_>>());
        assert!(other.exists() && target.exists());
    }

    #[test]
    fn other_processes_recordings_are_seen_in_time() {
        let directory = TempDir::new().expect("a directory");
        let mut store = Store::new(directory.path().to_owned());
        assert!(store.make_room(10_000, &HashSet::new()).expect("it is readable"));
        put(&directory, &format!("{}.jsonl", id(1)), &steps(20_000, END), 0);
        for _ in 0..=LOOK_AFTER {
            assert!(store.make_room(10_000, &HashSet::new()).expect("it is readable"));
        }
        assert_eq!(left(&directory), [""; 0]);
        // What is written here counts without a look.
        store.written(9_999);
        put(&directory, &format!("{}.jsonl", id(2)), &steps(20_000, END), 0);
        store.written(1);
        assert!(store.make_room(10_000, &HashSet::new()).expect("it is readable"));
        assert_eq!(left(&directory), [""; 0]);
    }

    #[test]
    fn files_are_for_their_owner_alone_and_none_is_written_over() {
        use std::os::unix::fs::PermissionsExt;
        let parent = TempDir::new().expect("a directory");
        let directory = parent.path().join("a/b");
        Store::check(&directory).expect("it is made");
        let store = Store::new(directory.clone());
        let file = store.create(&id(1), ".jsonl").expect("a new file");
        assert_eq!(file.metadata().expect("it is open").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&directory).expect("it is there").permissions().mode() & 0o777, 0o700);
        assert_eq!(
            store.create(&id(1), ".jsonl").expect_err("it is there").kind(),
            io::ErrorKind::AlreadyExists
        );
        for name in ["", "../x", "a", &format!("{}/", &id(1)[..35])] {
            assert_eq!(store.create(name, ".jsonl").expect_err("no id").kind(), io::ErrorKind::InvalidInput);
        }
        fs::remove_dir_all(&directory).expect("it can be removed");
        store.create(&id(2), ".jsonl").expect("the directory is made again");
        assert!(Store::check(&directory.join(format!("{}.jsonl", id(2)))).is_err(), "it is a file");
    }
}
