//! What is measured: a process that stands between the clients and the upstream, with one thread for all sessions.
//! Knows how each is started and what Linux says of it, and nothing of what goes through it.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The path that clients ask for and that upstream is asked for.
pub(crate) const PATH: &str = "/v1/agent/converse";

/// What can stand between the clients and the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// nginx as a tunnel: after the upgrade it copies bytes.
    Nginx,
    /// The gateway with a Deepgram backend.
    Voxbridge,
}

/// One that runs. Dropping it kills it.
pub(crate) struct Tunnel {
    child: Child,
    port: u16,
    _files: TempDir,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Voxbridge => "voxbridge",
        }
    }

    /// Starts it in front of the upstream at this port of the loopback, and waits until it listens.
    pub(crate) fn start(self, upstream: u16) -> Tunnel {
        let files = TempDir::new().expect("a temporary directory can be made");
        match self {
            Self::Nginx => nginx_tunnel(files, upstream),
            Self::Voxbridge => voxbridge_tunnel(files, upstream),
        }
    }
}

impl Tunnel {
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Processor time so far, of the user and of the system, all threads.
    pub(crate) fn processor_time(&self) -> Duration {
        processor_time(self.child.id())
    }

    /// Resident memory, bytes.
    pub(crate) fn resident_memory(&self) -> usize {
        let status = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(status).expect("the tunnel is running");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells VmRSS");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("VmRSS is in kB") * 1024
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of a process so far, of the user and of the system, all threads: `utime + stime`, but in nanoseconds
/// where `/proc/PID/stat` has hundredths of a second.
pub(crate) fn processor_time(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the process is running");
    let nanoseconds = threads.map(|thread| {
        let path = thread.expect("the directory can be read").path().join("schedstat");
        let stat = fs::read_to_string(path).expect("Linux tells schedstat");
        stat.split(' ').next().and_then(|time| time.parse::<u64>().ok()).expect("it begins with the time")
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// nginx's binary: in the `PATH`, or where Debian has it, which is not in everybody's.
pub(crate) fn nginx() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(["/usr/sbin".into()]);
    places.map(|place| place.join("nginx")).find(|binary| binary.is_file())
}

fn nginx_tunnel(files: TempDir, upstream: u16) -> Tunnel {
    // nginx cannot say which port it got.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = port.expect("a loopback port is free").port();
    let config = files.path().join("nginx.conf");
    fs::write(&config, nginx_config(files.path(), port, upstream)).expect("the configuration can be written");
    let mut command = Command::new(nginx().expect("looked for at the start"));
    command.arg("-e").arg(files.path().join("error.log")).arg("-p").arg(files.path()).arg("-c").arg(config);
    let child = command.spawn().expect("nginx can be run");
    let tunnel = Tunnel { child, port, _files: files };
    let patience = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < patience, "nginx does not listen");
        thread::sleep(Duration::from_millis(10));
    }
    tunnel
}

/// One process in the foreground, which ends when it is killed. Its files are all in the temporary directory.
fn nginx_config(files: &Path, port: u16, upstream: u16) -> String {
    let directory = files.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|what| format!("{what}_temp_path {directory}/{what};\n")).concat();
    format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid {directory}/nginx.pid;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\naccess_log off;\n{temporary}\
         server {{\nlisten 127.0.0.1:{port};\n\
         location / {{\nproxy_pass http://127.0.0.1:{upstream};\nproxy_http_version 1.1;\n\
         proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection upgrade;\n\
         proxy_read_timeout 1h;\nproxy_send_timeout 1h;\n}}\n}}\n}}\n"
    )
}

fn voxbridge_tunnel(files: TempDir, upstream: u16) -> Tunnel {
    let toml = format!(
        "[server]\nhost = \"127.0.0.1\"\nport = 0\nworkers = 1\n\
         [[backends]]\nname = \"deepgram\"\nkind = \"deepgram-agent\"\npath = \"{PATH}\"\n\
         url = \"ws://127.0.0.1:{upstream}{PATH}\"\napi_key = \"key\"\n\
         function_calls = \"client\"\ndialect = \"deepgram\"\n"
    );
    let config = files.path().join("voxbridge.toml");
    fs::write(&config, toml).expect("the configuration can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxbridge"));
    command.arg("--config").arg(config).env("RUST_LOG", "warn").stdout(Stdio::piped());
    let mut child = command.spawn().expect("the gateway's binary can be run");
    let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let port = lines.map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("listening on http://127.0.0.1:")?;
        Some(port.trim_end_matches('/').parse().expect("the line ends with the port"))
    });
    Tunnel { child, port: port.expect("the gateway says where it listens"), _files: files }
}
