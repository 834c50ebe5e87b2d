//! A file to which whole lines are appended. It may be moved away at any time, be shared with others who append, and end
//! in half a line that somebody could not finish. Knows nothing of what the lines say.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Display, Path, PathBuf},
};

/// Whoever may read bills is the operator's affair; others may not.
const MODE: u32 = 0o640;

#[derive(Debug, Default)]
pub(super) struct LineFile {
    path: PathBuf,
    file: Option<File>,
    /// How much is written of the line that is on its way, with its line break.
    written: usize,
}

impl LineFile {
    /// Uses this file from now on, anew if it is the same; with none it lets go of what it has.
    pub(super) fn point_at(&mut self, path: Option<PathBuf>) {
        (self.file, self.written) = (None, 0);
        if let Some(path) = path {
            self.path = path;
        }
    }

    pub(super) fn name(&self) -> Display<'_> {
        self.path.display()
    }

    /// Writes a line in one go, if the system takes it so. After an error the same line is to be written again, of which
    /// nothing stands twice.
    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|file| was_moved(file, &self.path)) {
            (self.file, self.written) = (None, 0);
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.path)?),
        };
        let line = format!("{line}\n");
        while self.written < line.len() {
            match file.write(&line.as_bytes()[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        self.written = 0;
        Ok(())
    }
}

/// Opens a file to append to, behind a line break if it ends in half a line.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
    let metadata = file.metadata()?;
    if is_torn(path, &metadata) {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Whether its last line has no end. One that may not be read is taken for torn: an empty line does less harm.
fn is_torn(path: &Path, metadata: &Metadata) -> bool {
    if !metadata.is_file() || metadata.len() == 0 {
        return false;
    }
    let last = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        io::Result::Ok(last)
    };
    !matches!(last(), Ok([b'\n']))
}

/// Whether another file, or none, is where this one was.
fn was_moved(file: &File, path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => identity(ours) != identity(there),
        (_, Err(error)) => error.kind() == ErrorKind::NotFound,
        (Err(_), Ok(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn lines(path: &Path) -> String {
        fs::read_to_string(path).expect("the file is there")
    }

    fn at(path: &Path) -> LineFile {
        let mut file = LineFile::default();
        file.point_at(Some(path.to_owned()));
        file
    }

    #[test]
    fn lines_are_appended_to_what_is_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("usage");
        for line in ["one", "two"] {
            at(&path).write(line).expect("it can be written");
        }
        assert_eq!(lines(&path), "one\ntwo\n");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o027, 0, "{mode:o}");
    }

    #[test]
    fn half_a_line_is_ended_before_the_next() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("usage");
        fs::write(&path, "one\ntw").expect("it can be written");
        let mut file = at(&path);
        file.write("three").expect("it can be written");
        file.write("four").expect("it can be written");
        assert_eq!(lines(&path), "one\ntw\nthree\nfour\n");
    }

    #[test]
    fn a_file_that_is_moved_away_is_followed_by_another() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, moved) = (directory.path().join("usage"), directory.path().join("usage.1"));
        let mut file = at(&path);
        file.write("one").expect("it can be written");
        fs::rename(&path, &moved).expect("it can be moved");
        file.write("two").expect("it can be written");
        assert_eq!((lines(&moved), lines(&path)), ("one\n".to_owned(), "two\n".to_owned()));
        // Another one stands there already, and then none.
        fs::remove_file(&moved).expect("it can be removed");
        fs::rename(&path, &moved).expect("it can be moved");
        fs::write(&path, "").expect("it can be written");
        file.write("three").expect("it can be written");
        fs::remove_file(&path).expect("it can be removed");
        file.write("four").expect("it can be written");
        assert_eq!((lines(&moved), lines(&path)), ("two\n".to_owned(), "four\n".to_owned()));
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_is_written_where_it_can_be() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = at(Path::new("/dev/full"));
        for _ in 0..2 {
            let error = file.write("one").expect_err("it is full");
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        }
        let path = directory.path().join("missing").join("usage");
        file.point_at(Some(path.clone()));
        assert_eq!(file.write("one").expect_err("it is nowhere").kind(), ErrorKind::NotFound);
        fs::create_dir(path.parent().expect("it has one")).expect("it can be made");
        file.write("one").expect("it can be written");
        assert_eq!(lines(&path), "one\n");
    }

    #[test]
    fn a_line_that_is_written_in_parts_stands_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("usage");
        let mut file = at(&path);
        file.write("one").expect("it can be written");
        // As if the disk had been full behind this.
        let opened = file.file.as_mut().expect("it is open");
        opened.write_all(b"tw").expect("it can be written");
        file.written = 2;
        file.write("two").expect("it can be written");
        assert_eq!(lines(&path), "one\ntwo\n");
        // In another file it begins anew.
        let opened = file.file.as_mut().expect("it is open");
        opened.write_all(b"th").expect("it can be written");
        file.written = 2;
        let moved = directory.path().join("usage.1");
        fs::rename(&path, &moved).expect("it can be moved");
        file.write("three").expect("it can be written");
        assert_eq!((lines(&moved), lines(&path)), ("one\ntwo\nth".to_owned(), "three\n".to_owned()));
    }
}
