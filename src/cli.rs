//! The command line: what may be said, and what each command does.

mod console;
mod replay;
mod signals;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use actix_web::{App, HttpServer};
use clap::{Args, Parser, Subcommand};

use crate::{
    config::{AuthMode, Config, Logging},
    logging,
    server::Server,
    simulator,
    talk::{TalkArgs, talk},
};
use replay::ReplayArgs;
use signals::Signals;

/// A real-time voice-agent gateway.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// The configuration; without it the embedded default is served, which needs no key and no network
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the configuration and print what is in force
    Check {
        /// The configuration; without it the embedded default
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Run the simulated OpenAI and Deepgram servers alone
    Simulate(SimulateArgs),
    /// Talk to an agent and print the conversation
    Talk(TalkArgs),
    /// Give a recording to the gate once more: status 0 if it answers the same, 1 with the first difference if not, 2 if
    /// the file cannot be read
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
struct SimulateArgs {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8090)]
    port: u16,
    /// Scripted trouble, as in `[simulator.openai]` and `[simulator.deepgram]`: `--option deepgram.delay_ms=100`, or
    /// `--option delay_ms=100` for both
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    options: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("not of the form NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Cli {
    /// Runs the command. Status 2 is a wrong configuration or command line, 1 any other failure.
    pub fn run(self) -> ExitCode {
        match self.command {
            None => with_config(self.config.clone(), |config| serve(self.config, config)),
            Some(Command::Simulate(_) | Command::Talk(_) | Command::Replay(_)) if self.config.is_some() => {
                failed(&"--config goes with serving and with check", 2)
            }
            Some(Command::Check { config }) => with_config(config.or(self.config), |config| {
                announce(config.show().trim_end());
                for warning in &config.warnings {
                    eprintln!("warning: {warning}");
                }
                ExitCode::SUCCESS
            }),
            Some(Command::Simulate(args)) => simulate(args),
            Some(Command::Replay(args)) => replay::replay(&args),
            Some(Command::Talk(args)) => {
                match actix_web::rt::System::new().block_on(talk(args, &mut io::stdout())) {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(error) => failed(&error, 1),
                }
            }
        }
    }
}

fn with_config(path: Option<PathBuf>, run: impl FnOnce(Config) -> ExitCode) -> ExitCode {
    match load(path.as_deref()) {
        Ok(config) => run(config),
        Err(reason) => failed(&reason, 2),
    }
}

/// Reads the configuration and the environment. What is wrong is told with file, key and reason.
fn load(path: Option<&Path>) -> Result<Config, String> {
    let config = Config::load(path).map_err(|error| error.to_string())?;
    // Only the simulators know their options, and they are configuration all the same.
    match simulator::Options::parse(&config.simulator.openai, &config.simulator.deepgram) {
        Ok(_) => Ok(config),
        Err(reason) => Err(format!("{}: {reason}", file_name(path))),
    }
}

/// The file as it is called in messages.
fn file_name(path: Option<&Path>) -> String {
    path.map_or("config/default.toml".to_owned(), |path| path.display().to_string())
}

fn failed(error: &dyn std::fmt::Display, status: u8) -> ExitCode {
    eprintln!("voxbridge: {error}");
    ExitCode::from(status)
}

fn serve(path: Option<PathBuf>, config: Config) -> ExitCode {
    logging::start(&config.logging);
    allow_many_files(config.server.max_sessions, files_of_recording(&config.logging));
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    let tls = config.server.tls.clone();
    let token = if config.auth.mode == AuthMode::None { "" } else { " --token TOKEN" };
    let console = config.console.enabled.then(|| config.auth.allowed_origins.clone());
    let paths: Vec<String> = config.backends.iter().map(|backend| backend.path.clone()).collect();
    let server = match Server::bind(config) {
        Ok(server) => server,
        Err(error) => return failed(&error, 1),
    };
    // Before anybody can know that there is a process to send one to.
    let system = actix_web::rt::System::new();
    let signals = match system.block_on(async { Signals::watch() }) {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("signals cannot be watched: {error}"), 1),
    };
    let address = server.address();
    let (http, ws) = if tls.is_some() { ("https", "wss") } else { ("http", "ws") };
    announce(&format!("voxbridge {} listening on {http}://{address}", env!("CARGO_PKG_VERSION")));
    if let Some(admin) = server.admin_address() {
        announce(&format!("health, readiness and metrics on http://{admin}"));
    }
    if let Some(allowed_origins) = console {
        announce(&format!(
            "open: {} (console: talk to the backends in a browser)",
            console::url(http, address)
        ));
        if let Some(origin) = console::unlisted_origin(http, address, &allowed_origins) {
            log::info!(origin; "the console may not connect if it is opened here: its origin is not in auth.allowed_origins");
        }
    }
    let here = console::reached_at(address);
    let ca = tls.map_or(String::new(), |files| format!(" --ca {}", files.certificate));
    for path in paths {
        announce(&format!(
            "try: voxbridge talk --url {ws}://{here}{path}{token}{ca} --text \"What time is it?\""
        ));
    }
    finished(system.block_on(server.run(signals.requests(path))))
}

/// How many files are open for the recording of a session.
fn files_of_recording(logging: &Logging) -> u64 {
    match (&logging.record_dir, logging.record_audio) {
        (None, _) => 0,
        (Some(_), false) => 1,
        (Some(_), true) => 3,
    }
}

/// A session has a socket on each side, and one of them twice, beside its recording. What is allowed of old is less than
/// a thousand files.
fn allow_many_files(sessions: usize, of_recording: u64) {
    let of_a_session = 3 + of_recording;
    let wanted = sessions as u64 * of_a_session;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) if files >= wanted => (),
        Ok(files) => {
            let enough = files / of_a_session;
            log::warn!(files, sessions = enough; "server.max_sessions is more than the open files allow");
        }
        Err(error) => log::warn!(error:% = error; "the number of open files cannot be raised"),
    }
}

fn simulate(args: SimulateArgs) -> ExitCode {
    logging::start(&Logging::default());
    let with = |options: simulator::Options, (name, value): &(String, String)| options.with(name, value);
    let options = match args.options.iter().try_fold(simulator::Options::default(), with) {
        Ok(options) => options,
        Err(error) => return failed(&error, 2),
    };
    finished(actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || App::new().configure(simulator::configure(options.clone())))
            .workers(1)
            .bind((args.host, args.port))?;
        let address =
            server.addrs().first().copied().ok_or_else(|| io::Error::other("no address is bound"))?;
        announce(&format!("voxbridge {} simulator listening on http://{address}", env!("CARGO_PKG_VERSION")));
        server.shutdown_timeout(1).run().await
    }))
}

/// Prints at once, also into a pipe.
fn announce(text: &str) {
    let mut out = io::stdout().lock();
    // Nobody may be reading; that is no reason to fail.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn finished(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, 1),
    }
}
