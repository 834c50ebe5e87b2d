//! The gateway's own process, with one worker and one route.

use std::{fs, process::Stdio};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A running gateway. Dropping it kills it.
pub(crate) struct Gateway {
    port: u16,
    _child: Child,
    _files: TempDir,
}

impl Gateway {
    /// Starts it and waits until it listens.
    pub(crate) async fn start(upstream: &str, application: &str) -> Self {
        let toml = format!(
            "[server]\nhost = \"127.0.0.1\"\nport = 0\nworkers = 1\n\
             [[functions.route]]\nnames = [\"*\"]\nurl = \"{application}\"\ntimeout_ms = 600000\n\
             [[backends]]\nname = \"openai\"\nkind = \"openai-realtime\"\npath = \"/openai\"\nurl = \"{upstream}\"\n\
             function_calls = \"server\"\n"
        );
        let files = TempDir::new().expect("a temporary directory can be made");
        let config = files.path().join("voxbridge.toml");
        fs::write(&config, toml).expect("the configuration can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_voxbridge"));
        command.arg("--config").arg(config).env("RUST_LOG", "warn").kill_on_drop(true);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the gateway's binary can be run");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some((_, port)) = line.split_once("listening on http://127.0.0.1:") {
                let port = port.trim_end_matches('/').parse().expect("the line ends with the port");
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Self { port, _child: child, _files: files };
            }
        }
        panic!("the gateway ended before it listened");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}
