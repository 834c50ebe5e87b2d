//! The gateway's own process with a backend for healthy sessions and one for those that are poured into: what Linux
//! says of its memory, and what it says of ended sessions. Knows nothing of what goes through it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    process::{Child, Command},
};

use tempfile::TempDir;

use crate::{mock::Protocol, program};

/// Where healthy sessions are served.
pub(crate) const HEALTHY: &str = "/healthy";
/// Where those are served that are poured into.
pub(crate) const POURED: &str = "/poured";

/// A running gateway. Dropping it kills it.
pub(crate) struct Gateway {
    child: Child,
    port: u16,
    files: TempDir,
}

impl Gateway {
    /// Starts it before these upstreams, with these lines in `[limits]` and in the backend that is poured into, and
    /// waits until it listens.
    pub(crate) fn start(protocol: Protocol, healthy: u16, poured: u16, limits: &str, backend: &str) -> Self {
        let kind = match protocol {
            Protocol::Realtime => "openai-realtime",
            Protocol::VoiceAgent => "deepgram-agent",
        };
        let one = |path: &str, port: u16, more: &str| {
            format!(
                "[[backends]]\nname = \"{}\"\nkind = \"{kind}\"\npath = \"{path}\"\nurl = \"ws://127.0.0.1:{port}/v1\"\n\
                 api_key = \"key\"\ndialect = \"deepgram\"\n{more}\n",
                &path[1..]
            )
        };
        let toml = format!(
            "[server]\nhost = \"127.0.0.1\"\nport = 0\n[limits]\n{limits}\n{}{}",
            one(HEALTHY, healthy, ""),
            one(POURED, poured, backend)
        );
        let files = TempDir::new().expect("a temporary directory can be made");
        let config = files.path().join("voxbridge.toml");
        fs::write(&config, toml).expect("the configuration can be written");
        let log = File::create(files.path().join("log")).expect("the log file can be made");
        let mut command = Command::new(env!("CARGO_BIN_EXE_voxbridge"));
        command.arg("--config").arg(config).env("RUST_LOG", "warn").stderr(log);
        let (child, port) = program::start(&mut command);
        Self { child, port, files }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Resident memory, bytes.
    pub(crate) fn resident_memory(&self) -> usize {
        program::memory(self.child.id(), "VmRSS")
    }

    /// The most that it ever was, bytes.
    pub(crate) fn highest_memory(&self) -> usize {
        program::memory(self.child.id(), "VmHWM")
    }

    /// How many sessions it has ended by itself, by cause.
    pub(crate) fn ended(&self) -> BTreeMap<String, usize> {
        let log = fs::read_to_string(self.files.path().join("log")).expect("the gateway logs");
        let causes =
            log.lines().filter_map(|line| line.split_once("session ended cause=")?.1.split(' ').next());
        let mut ended = BTreeMap::new();
        causes.for_each(|cause| *ended.entry(cause.to_owned()).or_default() += 1);
        ended
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
