//! The gateway's own process with a backend for healthy sessions and one for those that are poured into: what Linux
//! says of its memory, and what it says of ended sessions. Knows nothing of what goes through it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::mock::Protocol;

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
        command.arg("--config").arg(config).env("RUST_LOG", "warn").stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the gateway's binary can be run");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("listening on http://127.0.0.1:")?;
            Some(port.trim_end_matches('/').parse().expect("the line ends with the port"))
        });
        Self { child, port: port.expect("the gateway says where it listens"), files }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Resident memory, bytes.
    pub(crate) fn resident_memory(&self) -> usize {
        self.status("VmRSS:")
    }

    /// The most that it ever was, bytes.
    pub(crate) fn highest_memory(&self) -> usize {
        self.status("VmHWM:")
    }

    fn status(&self, what: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the gateway is running");
        let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("Linux tells it");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("it is in kB") * 1024
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
