//! The keys that begin with `record_`.

use tempfile::TempDir;

use super::{BACKEND, load, refuses};

#[test]
fn a_directory_is_made_and_shown() {
    let parent = TempDir::new().expect("a directory");
    let directory = parent.path().join("a/b");
    let directory = directory.to_str().expect("UTF-8");
    let toml = format!(
        "[logging]\nrecord_dir = \"{directory}\"\nrecord_audio = true\nrecord_session_bytes = 65536\n\
         record_total_bytes = 1048576\n{BACKEND}"
    );
    let config = load(&toml).expect("it is accepted");
    let logging = &config.logging;
    assert_eq!(logging.record_dir.as_deref(), Some(directory));
    assert!(logging.record_audio);
    assert_eq!((logging.record_session_bytes, logging.record_total_bytes), (65_536, 1_048_576));
    assert_eq!(
        config.warnings,
        [format!("logging.record_audio: what users and agents say is written to \"{directory}\" as sound")]
    );
    let made = std::fs::read_dir(directory).expect("it was made");
    assert_eq!(made.count(), 0, "what was tried there is gone");
    assert_eq!(load(&config.show()).expect("what is shown can be read").logging, *logging);
}

#[test]
fn a_directory_that_cannot_be_used_is_refused() {
    let parent = TempDir::new().expect("a directory");
    let file = parent.path().join("file");
    std::fs::write(&file, "").expect("it can be written");
    for (directory, reason) in
        [(file.clone(), "File exists (os error 17)"), (file.join("below"), "Not a directory (os error 20)")]
    {
        let directory = directory.display();
        refuses(
            &format!("[logging]\nrecord_dir = \"{directory}\"\n{BACKEND}"),
            &[],
            &format!("my.toml: logging.record_dir: no file can be made in \"{directory}\": {reason}"),
        );
    }
}

#[test]
fn sizes_have_bounds_and_all_have_room_for_one() {
    for (key, value, reason) in [
        ("record_session_bytes", 65_535_i64, "must be 65536 to 4000000000, is 65535"),
        ("record_session_bytes", 4_000_000_001, "must be 65536 to 4000000000, is 4000000001"),
        ("record_total_bytes", 1_048_575, "must be 1048576 to 1125899906842624, is 1048575"),
        ("record_total_bytes", 67_108_863, "is less than record_session_bytes, 67108864"),
    ] {
        let text = format!("[logging]\n{key} = {value}\n{BACKEND}");
        refuses(&text, &[], &format!("my.toml: logging.{key}: {reason}"));
    }
}

#[test]
fn audio_without_a_directory_is_worth_a_warning() {
    let config = load(&format!("[logging]\nrecord_audio = true\n{BACKEND}")).expect("it is accepted");
    assert_eq!(
        config.warnings,
        ["logging.record_audio: nothing is recorded, logging.record_dir names no directory"]
    );
}
