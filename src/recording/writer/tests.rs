use std::{
    fs,
    io::{self, Cursor, Seek, SeekFrom, Write},
    path::Path,
};

use tempfile::TempDir;

use super::{
    files::{Create, RecordFile},
    *,
};

fn id(n: u32) -> String {
    format!("{n:08x}-0000-4000-8000-000000000000")
}

const HEADER: &[u8] = b"{\"voxbridge_recording\":1}\n";

fn settings(directory: &Path) -> Arc<RecordingSettings> {
    let directory = directory.to_owned();
    Arc::new(RecordingSettings { directory, audio: true, session_bytes: 1 << 20, total_bytes: 1 << 30 })
}

fn wait(recordings: &Recordings) {
    recordings.finish(Duration::from_secs(60));
}

fn lines(directory: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(directory.join(format!("{name}.jsonl"))).expect("it is there");
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_is_written_is_in_the_files_in_its_order() {
    let directory = TempDir::new().expect("a directory");
    let recordings = Recordings::default();
    let settings = settings(directory.path());
    let mut all: Vec<_> = (0..20).map(|n| recordings.begin(&id(n), &settings)).collect();
    for line in 0..2_000 {
        for recording in &mut all {
            recording.write(Part::Steps, format!("{{\"n\":{line}}}\n").as_bytes()).expect("it is taken");
            recording.write(Part::Agent, &[line as u8; 2]).expect("it is taken");
        }
    }
    all.into_iter().for_each(|recording| recording.end(End::Finished));
    wait(&recordings);
    let mut expected: Vec<_> = (0..2_000).map(|n| format!("{{\"n\":{n}}}")).collect();
    expected.push("{\"end\":\"finished\"}".to_owned());
    let audio: Vec<u8> = (0..2_000).flat_map(|n| [n as u8; 2]).collect();
    for n in 0..20 {
        assert_eq!(lines(directory.path(), &id(n)), expected);
        let wav = fs::read(directory.path().join(format!("{}.agent.wav", id(n)))).expect("it is there");
        assert_eq!(wav[44..], audio);
    }
    assert_eq!(recordings.0.queued.load(Relaxed), 0);
}

#[test]
fn what_is_in_no_full_buffer_is_fetched() {
    let directory = TempDir::new().expect("a directory");
    let recordings = Recordings::default();
    let mut recording = recordings.begin(&id(1), &settings(directory.path()));
    recording.write(Part::Steps, HEADER).expect("it is taken");
    let path = directory.path().join(format!("{}.jsonl", id(1)));
    while fs::read(&path).unwrap_or_default() != HEADER {
        thread::yield_now();
    }
    drop(recording);
    wait(&recordings);
    assert_eq!(fs::read(&path).expect("it is there"), HEADER, "what is broken off has no end");
}

#[test]
fn a_recording_ends_at_its_largest_size() {
    let directory = TempDir::new().expect("a directory");
    let recordings = Recordings::default();
    let small = RecordingSettings { session_bytes: 1_000, ..(*settings(directory.path())).clone() };
    let mut recording = recordings.begin(&id(1), &Arc::new(small));
    let mut written = 0;
    while recording.write(Part::Steps, b"{\"n\":1}\n") == Ok(()) {
        written += 1;
    }
    assert_eq!(recording.write(Part::Steps, b"{\"n\":1}\n"), Err(Stopped::Cap));
    wait(&recordings);
    let lines = lines(directory.path(), &id(1));
    assert_eq!((lines.len(), lines.last().map(String::as_str)), (written + 1, Some("{\"end\":\"cap\"}")));
    assert!(
        fs::metadata(directory.path().join(format!("{}.jsonl", id(1)))).expect("it is there").len() <= 1_000
    );
}

/// A disk that takes nothing until it is told to, and whose files cannot be longer than that.
struct Disk {
    gate: Arc<Mutex<()>>,
    longest: u64,
    files: Arc<Mutex<Vec<Memory>>>,
}

/// A file's bytes.
type Memory = Arc<Mutex<Cursor<Vec<u8>>>>;

struct DiskFile {
    gate: Arc<Mutex<()>>,
    longest: u64,
    bytes: Memory,
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _open = self.gate.lock().expect("nobody panics with it");
        let mut file = self.bytes.lock().expect("nobody panics with it");
        let room = self.longest.saturating_sub(file.position()) as usize;
        match bytes.len().min(room) {
            0 => Err(io::ErrorKind::StorageFull.into()),
            some => file.write(&bytes[..some]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for DiskFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.lock().expect("nobody panics with it").seek(to)
    }
}

impl RecordFile for DiskFile {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut file = self.bytes.lock().expect("nobody panics with it");
        file.get_mut().truncate(length as usize);
        file.set_position(length);
        Ok(())
    }
}

impl Disk {
    fn of(longest: u64) -> Self {
        Self { gate: Arc::default(), longest, files: Arc::default() }
    }

    fn create(&self) -> Create {
        let (gate, longest, files) = (Arc::clone(&self.gate), self.longest, Arc::clone(&self.files));
        Box::new(move |_, _, _| {
            let bytes = Memory::default();
            files.lock().expect("nobody panics with it").push(Arc::clone(&bytes));
            Ok(Box::new(DiskFile { gate: Arc::clone(&gate), longest, bytes }))
        })
    }

    /// Recordings that are written to it.
    fn recordings(&self) -> Recordings {
        let recordings = Recordings::default();
        let (sender, receiver) = mpsc::channel();
        let (shared, files) = (Arc::downgrade(&recordings.0), Files::new(self.create()));
        thread::spawn(move || write_all(&receiver, &shared, files));
        recordings.0.jobs.set(sender).expect("it was not started");
        recordings
    }

    fn text(&self, n: usize) -> String {
        let files = self.files.lock().expect("nobody panics with it");
        let bytes = files[n].lock().expect("nobody panics with it").get_ref().clone();
        String::from_utf8(bytes).expect("it is text")
    }
}

#[test]
fn a_full_disk_ends_the_recording_at_a_whole_line_and_later_ones_are_tried() {
    let directory = TempDir::new().expect("a directory");
    let disk = Disk::of(20_000);
    let recordings = disk.recordings();
    let line = format!("{}\n", "x".repeat(99));
    for n in 0..2 {
        let mut recording = recordings.begin(&id(n), &settings(directory.path()));
        // The error comes when it is known, and until then everything is taken.
        for _ in 0..250 {
            let _ = recording.write(Part::Steps, line.as_bytes());
        }
        recording.end(End::Finished);
        wait(&recordings);
        let text = disk.text(n as usize);
        let (lines, end) = text.split_at(text.rfind('{').expect("it has an end"));
        assert_eq!(end, "{\"end\":\"failed\"}\n");
        assert!(lines.len().is_multiple_of(100) && lines.len() > 10_000 && text.len() <= 20_000);
    }
    assert_eq!(recordings.0.queued.load(Relaxed), 0);
}

#[test]
fn over_the_bound_of_the_queue_a_recording_is_dropped_and_says_so() {
    let directory = TempDir::new().expect("a directory");
    let disk = Disk::of(u64::MAX);
    let recordings = disk.recordings();
    let stuck = disk.gate.lock().expect("nobody panics with it");
    let large = RecordingSettings { session_bytes: 1 << 40, ..(*settings(directory.path())).clone() };
    let large = Arc::new(large);
    let mut recording = recordings.begin(&id(1), &large);
    let line = format!("{}\n", "x".repeat(99_999));
    let mut taken = 0;
    let stopped = loop {
        match recording.write(Part::Steps, line.as_bytes()) {
            Ok(()) => taken += line.len(),
            Err(stopped) => break stopped,
        }
    };
    assert_eq!(stopped, Stopped::Dropped);
    assert!((QUEUE_BYTES * 9 / 10..=QUEUE_BYTES).contains(&taken), "{taken} bytes");
    // Another one has no room either, and nobody waits.
    let mut other = recordings.begin(&id(2), &large);
    assert_eq!(other.write(Part::Steps, line.as_bytes()), Err(Stopped::Dropped));
    drop(stuck);
    wait(&recordings);
    for n in 0..2 {
        let text = disk.text(n);
        assert!(text.ends_with("{\"end\":\"dropped\"}\n") && text.matches("end").count() == 1);
    }
    assert_eq!(disk.text(0).len(), taken + "{\"end\":\"dropped\"}\n".len());
    let mut later = recordings.begin(&id(3), &large);
    assert_eq!(later.write(Part::Steps, line.as_bytes()), Ok(()));
}

/// The real errors of a file system: a device that is full, a directory that is gone, one that is a file.
#[test]
fn no_trouble_with_files_is_felt() {
    let directory = TempDir::new().expect("a directory");
    let recordings = Recordings::default();
    let line = [b'x'; 9_000];
    let file = directory.path().join("a file");
    fs::write(&file, "").expect("it can be written");
    let mut refused = recordings.begin(&id(1), &settings(&file));
    wait(&recordings);
    assert_eq!(refused.write(Part::Steps, &line), Err(Stopped::Failed));

    let gone = directory.path().join("gone");
    let mut recording = recordings.begin(&id(2), &settings(&gone));
    recording.write(Part::Steps, &line).expect("it is taken");
    wait(&recordings);
    fs::remove_dir_all(&gone).expect("it can be removed");
    recording.write(Part::Steps, &line).expect("the file is open");
    recording.end(End::Finished);
    recordings.begin(&id(3), &settings(&gone)).end(End::Finished);
    wait(&recordings);
    assert_eq!(lines(&gone, &id(3)), ["{\"end\":\"finished\"}"], "the directory is made again");

    let full = Box::new(|_: &Store, _: &str, _: &str| {
        let full: Box<dyn RecordFile> = Box::new(fs::File::options().write(true).open("/dev/full")?);
        Ok(full)
    });
    let mut files = Files::new(full);
    let live =
        Arc::new(Live { name: id(4), settings: settings(directory.path()), buffers: Mutex::default() });
    files.begin(Arc::clone(&live));
    assert!(!files.is_empty());
    files.write(&live, Part::Steps, &line);
    assert!(files.is_empty() && live.buffers().is_over);
}
