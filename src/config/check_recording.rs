//! What `[logging]` says of recordings. Knows nothing of what is in them.

use std::path::Path;

use super::Logging;
use super::error::ConfigError;
use super::raw::RawLogging;
use super::reader::Reader;
use crate::recording;

/// The keys that begin with `record_`. The directory is made if it is missing.
pub(super) fn recording(
    logging: Logging,
    raw: &RawLogging,
    reader: &Reader<'_>,
) -> Result<Logging, ConfigError> {
    let session = reader.integer(
        &raw.record_session_bytes,
        "record_session_bytes",
        65_536..=4_000_000_000,
        logging.record_session_bytes,
    )?;
    let total = "record_total_bytes";
    let most =
        reader.integer(&raw.record_total_bytes, total, 1_048_576..=1 << 50, logging.record_total_bytes)?;
    if most < session {
        return Err(reader.error(total, format!("is less than record_session_bytes, {session}")));
    }
    let directory = reader.text(&raw.record_dir, "record_dir")?;
    if let Some(directory) = &directory {
        recording::check_directory(Path::new(directory)).map_err(|error| {
            reader.error("record_dir", format!("no file can be made in \"{directory}\": {error}"))
        })?;
    }
    Ok(Logging {
        record_dir: directory,
        record_audio: reader.flag(&raw.record_audio, "record_audio", logging.record_audio)?,
        record_session_bytes: session,
        record_total_bytes: most,
        ..logging
    })
}

/// What is worth a line about audio that is recorded, or is not.
pub(super) fn recorded_audio(logging: &Logging) -> Option<String> {
    let what = match (logging.record_audio, &logging.record_dir) {
        (false, _) => return None,
        (true, None) => "nothing is recorded, logging.record_dir names no directory".to_owned(),
        (true, Some(directory)) => {
            format!("what users and agents say is written to \"{directory}\" as sound")
        }
    };
    Some(format!("logging.record_audio: {what}"))
}
