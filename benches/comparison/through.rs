//! What is measured: a process that stands between the clients and the upstream, or nothing. Knows how each is started
//! and ended, and nothing of what goes through it.

use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{linux, program};

/// The path that Deepgram's agent has.
const AGENT: &str = "/v1/agent/converse";
/// Where the gateway translates.
const TRANSLATED: &str = "/openai";

/// Room for a few frames, bytes.
const FEW_FRAMES: usize = 4 * 1024;

/// What can stand between the clients and an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// Nothing: what the peers themselves take.
    Nothing,
    /// nginx as a tunnel: after the upgrade it copies bytes.
    Nginx,
    /// The yardstick of translators, with what its library takes for granted.
    Minimal,
    /// The same, but for a read buffer that suits it.
    Tuned,
    /// The gateway with a Deepgram backend.
    Relayed,
    /// The gateway with an OpenAI backend.
    Translated,
    /// Passed through, with all that can be seen of it: the log at info, a recording and the usage log.
    RelayedWatched,
    /// The same, translated.
    TranslatedWatched,
    /// Passed through by another build of the gateway.
    RelayedBefore,
    /// The same, translated.
    TranslatedBefore,
}

/// The gateway's own programs.
#[derive(Debug, Clone)]
pub(crate) struct Gateways {
    /// The one that was built with this program.
    pub(crate) now: PathBuf,
    /// Another one, to be compared with.
    pub(crate) before: Option<PathBuf>,
}

/// The ports of the upstreams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upstreams {
    pub(crate) voice_agent: u16,
    pub(crate) realtime: u16,
}

/// One that runs. Dropping it ends it.
pub(crate) struct Running {
    child: Option<Child>,
    pub(crate) port: u16,
    pub(crate) path: &'static str,
    _files: TempDir,
}

impl Through {
    pub(crate) const ALL: [Self; 6] =
        [Self::Nothing, Self::Nginx, Self::Relayed, Self::Minimal, Self::Tuned, Self::Translated];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "direct",
            Self::Nginx => "nginx",
            Self::Minimal => "minimal",
            Self::Tuned => "minimal, tuned",
            Self::Relayed => "relayed",
            Self::Translated => "translated",
            Self::RelayedWatched => "relayed, seen",
            Self::TranslatedWatched => "transl., seen",
            Self::RelayedBefore => "relayed before",
            Self::TranslatedBefore => "transl. before",
        }
    }

    /// What is compared where the price of being watched is asked for.
    pub(crate) fn watched(gateways: &Gateways) -> Vec<Self> {
        let [relayed, translated] =
            [[Self::Relayed, Self::RelayedWatched], [Self::Translated, Self::TranslatedWatched]];
        let before = |other| gateways.before.is_some().then_some(other);
        let relayed = before(Self::RelayedBefore).into_iter().chain(relayed);
        relayed.chain(before(Self::TranslatedBefore)).chain(translated).collect()
    }

    /// Starts it with so many workers and waits until it listens.
    pub(crate) fn start(self, gateways: &Gateways, upstreams: Upstreams, workers: usize) -> Running {
        let files = TempDir::new().expect("a temporary directory can be made");
        let (child, port, path) = match self {
            Self::Nothing => (None, upstreams.voice_agent, AGENT),
            Self::Nginx => {
                let (child, port) = nginx(files.path(), upstreams.voice_agent, workers);
                (Some(child), port, AGENT)
            }
            Self::Minimal | Self::Tuned => {
                let mut command = Command::new(env::current_exe().expect("Linux knows this program"));
                command.arg("--minimal").arg(upstreams.realtime.to_string());
                command.arg("--workers").arg(workers.to_string());
                if self == Self::Tuned {
                    command.arg("--read-buffer").arg(FEW_FRAMES.to_string());
                }
                let (child, port) = program::start(&mut command);
                (Some(child), port, "/")
            }
            Self::Relayed | Self::RelayedWatched | Self::RelayedBefore => {
                let (child, port) = self.voxbridge(gateways, files.path(), upstreams, workers);
                (Some(child), port, AGENT)
            }
            Self::Translated | Self::TranslatedWatched | Self::TranslatedBefore => {
                let (child, port) = self.voxbridge(gateways, files.path(), upstreams, workers);
                (Some(child), port, TRANSLATED)
            }
        };
        Running { child, port, path, _files: files }
    }

    fn voxbridge(
        self,
        gateways: &Gateways,
        files: &Path,
        upstreams: Upstreams,
        workers: usize,
    ) -> (Child, u16) {
        let Upstreams { voice_agent, realtime } = upstreams;
        let mut toml = format!(
            "[server]\nhost = \"127.0.0.1\"\nport = 0\nworkers = {workers}\ndrain_timeout_s = 0\n\
             [[backends]]\nname = \"deepgram\"\nkind = \"deepgram-agent\"\npath = \"{AGENT}\"\n\
             url = \"ws://127.0.0.1:{voice_agent}{AGENT}\"\napi_key = \"key\"\n\
             [[backends]]\nname = \"openai\"\nkind = \"openai-realtime\"\npath = \"{TRANSLATED}\"\n\
             url = \"ws://127.0.0.1:{realtime}/v1/realtime\"\napi_key = \"key\"\n"
        );
        let is_watched = matches!(self, Self::RelayedWatched | Self::TranslatedWatched);
        if is_watched {
            let (recordings, usage) = (files.join("recordings"), files.join("usage.jsonl"));
            toml += &format!("[logging]\nrecord_dir = {recordings:?}\nusage_log = {usage:?}\n");
        }
        let config = files.join("voxbridge.toml");
        fs::write(&config, toml).expect("the configuration can be written");
        let mut program = &gateways.now;
        if matches!(self, Self::RelayedBefore | Self::TranslatedBefore) {
            program = gateways.before.as_ref().expect("there is another one, or it is not asked for");
        }
        let log = fs::File::create(files.join("log")).expect("a file can be made");
        let mut command = Command::new(program);
        command.arg("--config").arg(config).stderr(log);
        command.env("RUST_LOG", if is_watched { "info" } else { "warn" });
        program::start(&mut command)
    }
}

impl Running {
    /// Processor time so far, of the user and of the system, all threads.
    pub(crate) fn processor_time(&self) -> Duration {
        self.processes().into_iter().map(linux::processor_time).sum()
    }

    /// Resident memory, bytes.
    pub(crate) fn resident_memory(&self) -> usize {
        self.processes().into_iter().map(|process| program::memory(process, "VmRSS")).sum()
    }

    fn processes(&self) -> Vec<u32> {
        let Some(child) = &self.child else { return Vec::new() };
        let mut processes = linux::children(child.id());
        processes.push(child.id());
        processes
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        // Not SIGKILL, which would leave nginx's workers. It may have ended by itself.
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        let _ = child.wait();
    }
}

/// nginx's binary: in the `PATH`, or where Debian has it, which is not in everybody's.
pub(crate) fn nginx_binary() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(["/usr/sbin".into()]);
    places.map(|place| place.join("nginx")).find(|binary| binary.is_file())
}

fn nginx(files: &Path, upstream: u16, workers: usize) -> (Child, u16) {
    // nginx cannot say which port it got.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = port.expect("a loopback port is free").port();
    let config = files.join("nginx.conf");
    fs::write(&config, nginx_config(files, port, upstream, workers))
        .expect("the configuration can be written");
    let mut command = Command::new(nginx_binary().expect("looked for at the start"));
    command.arg("-e").arg(files.join("error.log")).arg("-p").arg(files).arg("-c").arg(config);
    let child = command.spawn().expect("nginx can be run");
    let patience = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < patience, "nginx does not listen");
        thread::sleep(Duration::from_millis(10));
    }
    (child, port)
}

/// In the foreground, with a master only where there are several workers. Its files are all in the temporary directory.
fn nginx_config(files: &Path, port: u16, upstream: u16, workers: usize) -> String {
    let directory = files.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|what| format!("{what}_temp_path {directory}/{what};\n")).concat();
    let (master, listen) = if workers > 1 { ("on", " reuseport") } else { ("off", "") };
    format!(
        "daemon off;\nmaster_process {master};\nworker_processes {workers};\nworker_rlimit_nofile 16384;\n\
         pid {directory}/nginx.pid;\nevents {{ worker_connections 8192; }}\n\
         http {{\naccess_log off;\n{temporary}\
         server {{\nlisten 127.0.0.1:{port}{listen};\n\
         location / {{\nproxy_pass http://127.0.0.1:{upstream};\nproxy_http_version 1.1;\n\
         proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection upgrade;\n\
         proxy_read_timeout 1h;\nproxy_send_timeout 1h;\n}}\n}}\n}}\n"
    )
}
