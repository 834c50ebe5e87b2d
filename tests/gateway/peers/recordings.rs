//! The recordings that a gateway leaves: they are looked into, and kept where a test has failed. Knows the names of the
//! files and the first words of their lines.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use serde_json::Value;

use super::{eventually, s};

/// A directory of recordings.
pub(crate) struct Recordings(PathBuf);

/// One that is over.
pub(crate) struct Recording {
    /// Its lines as they are.
    pub(crate) text: String,
    /// The same.
    pub(crate) lines: Vec<Value>,
    path: PathBuf,
}

impl Recordings {
    pub(crate) fn in_directory(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Waits until there are so many that have their last line, in the order of their beginnings.
    pub(crate) async fn ended(&self, count: usize) -> Vec<Recording> {
        let ended = async || {
            let mut all: Vec<_> = self.files("jsonl").into_iter().filter_map(Recording::ended).collect();
            all.sort_by_key(|one| one.lines[0]["started_unix_ms"].as_u64());
            (all.len() >= count).then_some(all)
        };
        let all = eventually("recording with an end", s(10), ended).await;
        assert_eq!(all.len(), count, "recordings");
        all
    }

    /// All bytes of all files.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.files("").iter().flat_map(|path| fs::read(path).unwrap_or_default()).collect()
    }

    /// Its files whose names end like this.
    pub(crate) fn files(&self, ending: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.0).into_iter().flatten();
        let files = files.map(|entry| entry.expect("the directory can be read").path());
        files.filter(|path| path.to_str().is_some_and(|path| path.ends_with(ending))).collect()
    }

    /// Has them replayed: the gate has to answer as it did. Of many sessions some will do.
    pub(super) fn replay(&self) {
        const MOST: usize = 8;
        let mut files = self.files(".jsonl");
        files.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).map_or(0, |file| file.len())));
        for file in files.iter().take(MOST) {
            let bytes = fs::read(file).unwrap_or_default();
            // One that was begun when the process ended has no first line yet.
            if !bytes.contains(&b'\n') {
                continue;
            }
            let mut replay = Command::new(env!("CARGO_BIN_EXE_voxbridge"));
            let output = replay.arg("replay").arg(file).output().expect("the program runs");
            if !output.status.success() {
                self.keep();
                let said = [output.stdout, output.stderr].concat();
                panic!("a recording does not replay: {:.4000}", String::from_utf8_lossy(&said));
            }
        }
    }

    /// Copies all of them to where they outlive the test, whose name is the thread's.
    pub(super) fn keep(&self) {
        static BEGUN: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
        let files = self.files("");
        let thread = thread::current();
        let test = thread.name().unwrap_or("no-test").replace("::", "-");
        let kept = root().join(test);
        // Those of an earlier run go, those of another gateway of this test stay.
        if let Ok(mut begun) = BEGUN.lock()
            && begun.get_or_insert_default().insert(kept.clone())
        {
            let _ = fs::remove_dir_all(&kept);
        }
        if files.is_empty() {
            return;
        }
        let copy = |path: &PathBuf| fs::copy(path, kept.join(path.file_name().unwrap_or_default())).map(drop);
        match fs::create_dir_all(&kept).and_then(|()| files.iter().try_for_each(copy)) {
            Ok(()) => eprintln!("--- its recordings are in {}", kept.display()),
            Err(error) => eprintln!("--- its recordings are lost: {error}"),
        }
    }
}

/// Where recordings of tests that have failed are kept.
fn root() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is below the target directory");
    std::env::var_os(ROOT).map_or(target.join("recordings"), PathBuf::from)
}

/// The variable that names another directory.
pub(crate) const ROOT: &str = "VOXBRIDGE_KEPT_RECORDINGS";

impl Recording {
    fn ended(path: PathBuf) -> Option<Self> {
        let text = fs::read_to_string(&path).ok()?;
        let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>().ok()?;
        let has_end = lines.last()?.get("end").is_some();
        has_end.then_some(Self { text, lines, path })
    }

    /// How it ended.
    pub(crate) fn end(&self) -> &str {
        self.lines.last().and_then(|line| line["end"].as_str()).expect("it has an end")
    }

    /// Its steps.
    pub(crate) fn steps(&self) -> &[Value] {
        let first = self.lines.iter().position(|line| line.get("n").is_some()).expect("it has steps");
        &self.lines[first..self.lines.len() - 1]
    }

    /// The file of one voice.
    pub(crate) fn wav(&self, whose: &str) -> PathBuf {
        self.path.with_extension(format!("{whose}.wav"))
    }
}
