//! Writes what passes between the gateway and the mocks to the file that `VOXBRIDGE_RECORDING` names, one
//! JSON object a line, in the shape that `tests/sdk/judge_openai.py` reads. Without the variable, nothing.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use serde_json::json;

use super::UNKNOWN;

/// One connection's place in the recording.
pub(super) struct Recording {
    /// Unique among all mocks of the process, and among processes.
    connection: String,
    wanted: bool,
}

impl Recording {
    pub(super) fn start(wanted: bool) -> Self {
        static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
        let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        Self { wanted, connection: format!("{}-{number}", std::process::id()) }
    }

    /// The gateway sent this.
    pub(super) fn up(&self, text: &str) {
        // What a client may pass through where that is allowed is not the gateway's own.
        if !text.contains(UNKNOWN) {
            self.write("up", text);
        }
    }

    /// The mock sent this.
    pub(super) fn down(&self, text: &str) {
        self.write("down", text);
    }

    fn write(&self, direction: &str, raw: &str) {
        static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();
        let file = FILE.get_or_init(|| {
            let path = std::env::var_os("VOXBRIDGE_RECORDING")?;
            let file = OpenOptions::new().create(true).append(true).open(path);
            Some(Mutex::new(file.expect("the recording can be written")))
        });
        if let Some(file) = file.as_ref().filter(|_| self.wanted) {
            let line = json!({"direction": direction, "connection": self.connection, "raw": raw});
            let mut file = file.lock().expect("no holder panics");
            writeln!(file, "{line}").expect("the recording can be written");
        }
    }
}
