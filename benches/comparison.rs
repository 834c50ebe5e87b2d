//! What a frame costs the gateway, beside what it costs nginx as a plain WebSocket tunnel and the least that a translator
//! can be: each a process of its own between scripted upstreams and clients, in turns, a frame of 20 ms each way every
//! 20 ms and session. Judges no time; ends with an error if frames are lost or wrong.
//!
//! The clients and the upstreams are this program, on one thread, the same in each run; `direct` is what they take with
//! nothing between them. On two processors the process under test, which has one thread for all sessions, has the
//! other one.
//!
//! `scripts/bench` is all of it. `cargo bench --bench comparison -- --seconds 1 --rounds 1 --workers 1` is a short run.

#![allow(clippy::disallowed_methods, reason = "a harness has a clock")]

#[path = "comparison/audio.rs"]
mod audio;
#[path = "comparison/clients.rs"]
mod clients;
#[path = "comparison/faults.rs"]
mod faults;
#[path = "comparison/figures.rs"]
mod figures;
#[path = "comparison/frames.rs"]
mod frames;
#[path = "comparison/goals.rs"]
mod goals;
#[path = "comparison/linux.rs"]
mod linux;
#[path = "comparison/minimal.rs"]
mod minimal;
#[path = "common/program.rs"]
mod program;
#[path = "comparison/results.rs"]
mod results;
#[path = "comparison/runs.rs"]
mod runs;
#[path = "comparison/through.rs"]
mod through;
#[path = "comparison/upstream.rs"]
mod upstream;

use std::{path::PathBuf, process::ExitCode, thread, time::Duration};

use clap::{Parser, ValueEnum};
use tikv_jemallocator::Jemalloc;
use tokio::{runtime, task::LocalSet};

use crate::{
    faults::Faults,
    figures::Figures,
    results::{Results, Talking},
    runs::Stage,
    through::{Gateways, Through, Upstreams},
    upstream::Protocol,
};

/// The minimal translator has the gateway's.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Two descriptors for each session, and some.
const DESCRIPTORS: u64 = 16 * 1024;

/// Talking sessions where memory is measured.
const TALKING: usize = 100;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Processor time per frame pair and round trips.
    Cpu,
    /// How many sessions are held in real time.
    Held,
    /// Memory for each session.
    Memory,
    /// Sessions set up.
    Setup,
    /// What it costs to be watched: processor time and round trips with the log at info, recordings and the usage log.
    Watched,
}

#[derive(Parser)]
struct Arguments {
    /// How long each run is measured.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// How often the runs are made, in turns; the figures are of all of them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many sessions there are at once.
    #[arg(long, value_delimiter = ',', default_value = "25,100,200")]
    sessions: Vec<usize>,
    /// How many threads what is measured has.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    workers: Vec<usize>,
    /// What is measured; all of it where nothing is said.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// How many sessions are tried one after the other until they are not held.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "100,200,250,300,400,500,600,800,1000,1250,1500,2000"
    )]
    ramp: Vec<usize>,
    /// How many sessions are idle where memory is measured.
    #[arg(long, default_value_t = 500)]
    idle: usize,
    /// Another build of voxbridge, which is measured as well where the price of being watched is.
    #[arg(long, value_name = "BINARY")]
    before: Option<PathBuf>,
    /// Be the minimal translator, in front of the upstream at this port.
    #[arg(long, hide = true)]
    minimal: Option<u16>,
    /// The read buffer of the minimal translator, bytes.
    #[arg(long, hide = true, requires = "minimal")]
    read_buffer: Option<usize>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = rlimit::increase_nofile_limit(DESCRIPTORS) {
        eprintln!("the limit of open files stays: {error}");
    }
    if let Some(port) = arguments.minimal {
        let upstream = minimal::Upstream { port, read_buffer: arguments.read_buffer };
        minimal::serve(upstream, arguments.workers[0]);
        return ExitCode::FAILURE;
    }
    if through::nginx_binary().is_none() {
        eprintln!("nginx is missing: apt-get install nginx-light");
        return ExitCode::FAILURE;
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    match LocalSet::new().block_on(&runtime.expect("a runtime can be made"), compare(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

async fn compare(arguments: &Arguments) -> Result<(), String> {
    let faults = Faults::default();
    let upstreams = Upstreams {
        voice_agent: upstream::start(Protocol::VoiceAgent, faults.clone()).await,
        realtime: upstream::start(Protocol::Realtime, faults.clone()).await,
    };
    println!(
        "{} bytes up and {} down every 20 ms and session; {} x {} s each",
        audio::UP_BYTES,
        audio::DOWN_BYTES,
        arguments.rounds,
        arguments.seconds
    );
    let gateways = Gateways { now: env!("CARGO_BIN_EXE_voxbridge").into(), before: arguments.before.clone() };
    for &workers in &arguments.workers {
        let gateways = gateways.clone();
        let window = Duration::from_secs(arguments.seconds);
        let stage = Stage { gateways, upstreams, faults: faults.clone(), workers, window };
        println!("\nworkers = {workers}");
        if thread::available_parallelism().is_ok_and(|processors| processors.get() <= workers) {
            println!("the clients and the upstreams have no processor of their own");
        }
        let results = measure(&stage, arguments).await?;
        goals::print(&results);
    }
    Ok(())
}

/// All parts that are asked for, with one number of workers.
async fn measure(stage: &Stage, arguments: &Arguments) -> Result<Results, String> {
    let mut measured = Results::default();
    let is_asked_for = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    if is_asked_for(Part::Cpu) {
        measured.talking = talking(stage, arguments, &Through::ALL).await?;
    }
    if is_asked_for(Part::Watched) {
        measured.watched = talking(stage, arguments, &Through::watched(&stage.gateways)).await?;
    }
    if is_asked_for(Part::Held) {
        for through in Through::ALL {
            let held = stage.held(through, &arguments.ramp).await;
            results::print_held(through, &held);
            measured.held.push((through, held));
        }
        println!();
    }
    let (_, processes) = Through::ALL.split_at(1);
    if is_asked_for(Part::Memory) {
        for &through in processes {
            let memory = stage.memory(through, arguments.idle, TALKING).await;
            let memory = memory.map_err(at(through, "memory"))?;
            results::print_memory(through, &memory);
            measured.memory.push((through, memory));
        }
        println!();
    }
    if is_asked_for(Part::Setup) {
        for &through in processes {
            let set_ups = stage.set_ups(through).await.map_err(at(through, "set-ups"))?;
            results::print_set_ups(through, &set_ups);
            measured.set_ups.push((through, set_ups));
        }
        println!();
    }
    Ok(measured)
}

/// Talking sessions through each of these in turns, by the number of sessions.
async fn talking(stage: &Stage, arguments: &Arguments, compared: &[Through]) -> Result<Vec<Talking>, String> {
    let mut measured = Vec::new();
    results::talking_header();
    for &sessions in &arguments.sessions {
        let mut all: Vec<_> = compared.iter().map(|through| (*through, Figures::default())).collect();
        for _ in 0..arguments.rounds {
            for (through, figures) in &mut all {
                let run = stage.talk(*through, sessions).await;
                figures.add(run.map_err(at(*through, &format!("{sessions} sessions")))?);
            }
        }
        results::print_talking(sessions, &all);
        measured.push((sessions, all));
    }
    println!();
    Ok(measured)
}

/// Says of a fault where it was.
fn at(through: Through, what: &str) -> impl FnOnce(String) -> String {
    move |fault| format!("{}, {what}: {fault}", through.name())
}
