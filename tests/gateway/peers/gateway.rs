//! The gateway's own process: its configuration file, its port, its log, its memory.
//! Knows the command line and nothing of what is spoken on the wire.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::client::Client;
use super::mock::Mock;
use super::pace::Pace;
use super::recordings::Recordings;
use super::{eventually, ms, s};

/// The path of the backend that every test talks to.
pub(crate) const PATH: &str = "/openai";

/// The name of its configuration file.
const CONFIG: &str = "voxbridge.toml";

/// The name of the directory of its recordings.
const RECORDINGS: &str = "recordings";

/// A configuration in the making.
pub(crate) struct Config {
    backend: Vec<String>,
    sections: Vec<String>,
}

impl Config {
    /// One backend of five keys, whose upstream is at `url`.
    pub(crate) fn for_url(url: &str) -> Self {
        let backend = ["name = \"openai\"", "kind = \"openai-realtime\"", "path = \"/openai\""];
        let mut backend: Vec<_> = backend.map(str::to_owned).into();
        backend.push(format!("url = \"{url}\""));
        backend.push("api_key = \"test-key-1\"".to_owned());
        Self { backend, sections: Vec::new() }
    }

    pub(crate) fn for_mock(mock: &Mock) -> Self {
        Self::for_url(&mock.url())
    }

    /// One backend that is passed through to `url`, served at `path`.
    pub(crate) fn passed_through(url: &str, path: &str) -> Self {
        let backend = [
            "name = \"deepgram\"".to_owned(),
            "kind = \"deepgram-agent\"".to_owned(),
            format!("path = \"{path}\""),
            format!("url = \"{url}\""),
            "api_key = \"test-key-1\"".to_owned(),
        ];
        Self { backend: backend.into(), sections: Vec::new() }
    }

    /// Adds a line to the backend.
    pub(crate) fn backend(mut self, line: &str) -> Self {
        self.backend.push(line.to_owned());
        self
    }

    /// Adds a section of its own.
    pub(crate) fn section(mut self, toml: &str) -> Self {
        self.sections.push(toml.to_owned());
        self
    }

    /// The file's text.
    pub(crate) fn toml(&self) -> String {
        let (backend, sections) = (self.backend.join("\n"), self.sections.join("\n"));
        format!("[server]\nhost = \"127.0.0.1\"\nport = 0\n{sections}\n[[backends]]\n{backend}\n")
    }

    pub(crate) async fn start(&self) -> Gateway {
        Gateway::start(&self.toml()).await
    }
}

/// A running gateway. Dropping it kills it; if the test failed, the end of its log is printed.
pub(crate) struct Gateway {
    child: Child,
    port: u16,
    files: TempDir,
    printed: Arc<Mutex<Vec<String>>>,
    provoked_races: usize,
}

impl Gateway {
    /// Starts with a configuration and waits until it listens.
    pub(crate) async fn start(toml: &str) -> Self {
        Self::start_with(toml, &[]).await
    }

    /// Starts with a configuration and some environment, of which an empty value is none.
    pub(crate) async fn start_with(toml: &str, environment: &[(&str, &str)]) -> Self {
        let files = TempDir::new().expect("a temporary directory can be made");
        let config = write_config(&files, toml);
        let mut command = command(environment);
        if !toml.contains("record_dir") {
            record(&mut command, &files);
        }
        command.arg("--config").arg(config);
        Self::spawn(command, files).await
    }

    /// Starts with the embedded configuration and a port that is free.
    pub(crate) async fn start_embedded() -> Self {
        let files = TempDir::new().expect("a temporary directory can be made");
        let mut command = command(&[("VOXBRIDGE__SERVER__PORT", "0")]);
        record(&mut command, &files);
        Self::spawn(command, files).await
    }

    /// The same where the system allows so many open files, of which fewer may be open at first.
    pub(crate) async fn start_with_files(allowed: u32, at_first: u32) -> Self {
        let files = TempDir::new().expect("a temporary directory can be made");
        let mut command = Command::new("sh");
        let limited = format!("ulimit -Sn {at_first} && ulimit -Hn {allowed} && exec \"$0\"");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_voxbridge")]);
        command.env("VOXBRIDGE__SERVER__PORT", "0").stdin(Stdio::null()).kill_on_drop(true);
        Self::spawn(command, files).await
    }

    async fn spawn(mut command: Command, files: TempDir) -> Self {
        let log = File::create(files.path().join("log")).expect("the log file can be made");
        command.stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the gateway's binary can be run");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let printed = Arc::default();
        let mut gateway = Self { child, port: 0, files, printed, provoked_races: 0 };
        let announced = async {
            while let Ok(Some(line)) = lines.next_line().await {
                gateway.note(&line);
                let address = line.strip_prefix("voxbridge 0.1.0 listening on ").unwrap_or_default();
                let plain_or_tls = ["http://127.0.0.1:", "https://127.0.0.1:"];
                if let Some(port) = plain_or_tls.iter().find_map(|scheme| address.strip_prefix(scheme)) {
                    return port.trim_end_matches('/').parse().expect("the line ends with the port");
                }
            }
            panic!("the gateway ended before it listened");
        };
        gateway.port = timeout(s(20), announced).await.expect("the gateway says where it listens");
        let printed = Arc::clone(&gateway.printed);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                printed.lock().expect("nobody panics with it").push(line);
            }
        });
        gateway
    }

    /// A gateway in front of one mock.
    pub(crate) async fn for_mock(mock: &Mock) -> Self {
        Config::for_mock(mock).start().await
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it has printed this line.
    pub(crate) async fn expect_printed(&self, line: &str) {
        let is_there = || self.printed.lock().expect("nobody panics with it").iter().any(|one| one == line);
        eventually(line, s(5), async || is_there().then_some(())).await;
    }

    fn note(&self, line: &str) {
        self.printed.lock().expect("nobody panics with it").push(line.to_owned());
    }

    /// The WebSocket URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }

    /// A new client on the usual path.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&self.url(PATH)).await
    }

    /// A new client on the usual path that reads at a pace.
    pub(crate) async fn connect_at(&self, pace: &Pace) -> Client {
        Client::connect_at(&self.url(PATH), pace.clone()).await
    }

    /// Completes a turn on a connection of its own: whatever happened before, the gateway still serves.
    pub(crate) async fn assert_serves(&self) {
        let mut client = self.connect().await;
        client.open_s().await;
        client.assert_goes_on().await;
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_memory(&self) -> usize {
        self.status("VmRSS:")
    }

    /// The most resident memory that it ever had, in bytes.
    pub(crate) fn highest_memory(&self) -> usize {
        self.status("VmHWM:")
    }

    fn status(&self, what: &str) -> usize {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the gateway is running");
        let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("Linux tells it");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("it is in kB") * 1024
    }

    /// Processor time it has used so far.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the gateway is running");
        let (_, fields) = stat.rsplit_once(") ").expect("the name is in parentheses");
        let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
        // Linux counts in hundredths of a second.
        ms(10 * ticks.sum::<u64>())
    }

    /// How many files, sockets included, and threads it has.
    pub(crate) fn files_and_threads(&self) -> (usize, usize) {
        let entries =
            |what| fs::read_dir(format!("/proc/{}/{what}", self.pid())).expect("it is running").flatten();
        // The allocator's own threads come and go as it likes.
        let names = entries("task").flat_map(|task| fs::read_to_string(task.path().join("comm")));
        (entries("fd").count(), names.filter(|name| !name.starts_with("jemalloc")).count())
    }

    /// Waits until it has no more files and threads than `before`.
    pub(crate) async fn assert_nothing_left(&self, before: (usize, usize), within: Duration) {
        let wanted = || {
            let (files, threads) = self.files_and_threads();
            files <= before.0 && threads <= before.1
        };
        eventually("files and threads as before", within, async || wanted().then_some(())).await;
    }

    /// Asks it to stop, as a supervisor does.
    pub(crate) async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Sends it a signal by its name.
    pub(crate) async fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().await;
        assert!(status.is_ok_and(|status| status.success()), "the gateway is not running");
    }

    /// Changes its configuration file and has it read again, until the log says that it is in force.
    pub(crate) async fn reload_with(&self, change: impl FnOnce(String) -> String) {
        let lines = || self.log().matches("configuration reloaded changes=").count();
        let before = lines();
        self.change_file(change).await;
        eventually("reload", s(5), async || (lines() > before).then_some(())).await;
    }

    /// Changes its configuration file and has it read again, of which nothing is to come; waits for the one line that
    /// has all these parts.
    pub(crate) async fn refuse_with(&self, change: impl FnOnce(String) -> String, parts: &[&str]) {
        let errors = || self.log().matches("the configuration in force stays").count();
        let (before, taken) = (errors(), self.log().matches("configuration reloaded changes=").count());
        self.change_file(change).await;
        let file = self.config_file();
        let file = file.to_str().expect("the path is UTF-8");
        let all: Vec<_> =
            ["ERROR", "the configuration in force stays", file].iter().chain(parts).copied().collect();
        self.expect_log(&all, s(5)).await;
        assert_eq!(errors(), before + 1, "the error has more lines than one");
        assert_eq!(self.log().matches("configuration reloaded changes=").count(), taken, "it is in force");
    }

    /// Changes its configuration file and has it read again.
    pub(crate) async fn change_file(&self, change: impl FnOnce(String) -> String) {
        let file = self.config_file();
        let text = fs::read_to_string(&file).expect("the configuration is there");
        fs::write(&file, change(text)).expect("the configuration can be written");
        self.signal("HUP").await;
    }

    /// Its configuration file.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.files.path().join(CONFIG)
    }

    /// Waits for its end; the status.
    pub(crate) async fn exit(&mut self, within: Duration) -> Option<i32> {
        let ended = timeout(within, self.child.wait()).await.expect("the gateway ends in time");
        ended.expect("it is a child").code()
    }

    /// Waits until its log has a line with every one of these parts.
    pub(crate) async fn expect_log(&self, parts: &[&str], within: Duration) {
        let found = async || {
            let log = self.log();
            log.lines().any(|line| parts.iter().all(|part| line.contains(part))).then_some(())
        };
        eventually("line in the log", within, found).await;
    }

    /// The test makes this gateway lose so many races for a response (R7); without it there may be none.
    pub(crate) fn expect_lost_races(&mut self, count: usize) {
        self.provoked_races = count;
    }

    fn lost_races(&self) -> usize {
        let is_one = |line: &&str| {
            line.contains("dir=upstream type=error")
                && line.contains("conversation_already_has_active_response")
        };
        self.log().lines().filter(is_one).count()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the gateway is running")
    }

    /// All that it has written so far, to both outputs.
    pub(crate) fn output(&self) -> String {
        let printed = self.printed.lock().expect("nobody panics with it").join("\n");
        format!("{printed}\n{}", self.log())
    }

    /// Where its recordings are, unless its configuration says so itself.
    pub(crate) fn recordings(&self) -> Recordings {
        Recordings::in_directory(self.files.path().join(RECORDINGS))
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.files.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if thread::panicking() {
            // What was not written yet when the test failed.
            thread::sleep(s(1));
        }
        let _ = self.child.start_kill();
        if thread::panicking() {
            self.recordings().keep();
            const SHOWN: usize = 120;
            let log = self.log();
            let skipped = log.lines().count().saturating_sub(SHOWN);
            eprintln!("--- the end of the gateway's log");
            log.lines().skip(skipped).for_each(|line| eprintln!("{line:.400}"));
            return;
        }
        self.recordings().replay();
        assert_eq!(self.lost_races(), self.provoked_races, "races for a response that were lost");
    }
}

/// The result of running the binary to its end.
pub(crate) struct Finished {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary to its end; `FILE` among the arguments stands for a file that holds `toml`.
pub(crate) async fn run(arguments: &[&str], toml: &str) -> (Finished, PathBuf) {
    run_with(arguments, toml, &[]).await
}

/// The same with some environment.
pub(crate) async fn run_with(
    arguments: &[&str],
    toml: &str,
    environment: &[(&str, &str)],
) -> (Finished, PathBuf) {
    let files = TempDir::new().expect("a temporary directory can be made");
    let config = write_config(&files, toml);
    let mut command = command(environment);
    for argument in arguments {
        if *argument == "FILE" {
            command.arg(&config)
        } else {
            command.arg(argument)
        };
    }
    let output = timeout(s(20), command.output()).await.expect("the command ends by itself");
    let Output { status, stdout, stderr } = output.expect("the gateway's binary can be run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    (Finished { status: status.code(), stdout: text(stdout), stderr: text(stderr) }, config)
}

fn write_config(files: &TempDir, toml: &str) -> PathBuf {
    let path = files.path().join(CONFIG);
    fs::write(&path, toml).expect("the configuration can be written");
    path
}

/// Has it record its connections.
fn record(command: &mut Command, files: &TempDir) {
    command.env("VOXBRIDGE__LOGGING__RECORD_DIR", files.path().join(RECORDINGS));
}

fn command(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxbridge"));
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("VOXBRIDGE__")) {
        command.env_remove(name);
    }
    command.env("RUST_LOG", "debug").envs(environment.iter().copied());
    for (name, _) in environment.iter().filter(|(_, value)| value.is_empty()) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}
