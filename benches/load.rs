//! What 1,000 clients that read nothing cost while upstream pours audio at them: the memory of the gateway's own process
//! against what it may have, whether it gives it back, and what 100 healthy sessions beside them notice. Ends with an
//! error if memory goes beyond its bound or stays; of the times, while audio is poured and when nobody takes any more of
//! it, it says whether they are within 20 % or 2 ms of those of the undisturbed run, whichever is more.
//!
//! Each run has a process of its own. The clients and the upstreams are threads of this program, which the healthy
//! sessions' round trips include.
//!
//! `cargo bench --bench load -- --rounds 1 --seconds 3 --stuck 100` is a short run. The whole of it needs
//! `ulimit -n 8192` and, on the machine, memory for 1,000 times `leg_bytes`.

#![allow(clippy::disallowed_methods, reason = "a harness has a clock")]

#[path = "load/gateway.rs"]
mod gateway;
#[path = "load/load.rs"]
mod load;
#[path = "load/mock.rs"]
mod mock;
#[path = "common/program.rs"]
mod program;
#[path = "load/report.rs"]
mod report;
#[path = "load/stuck.rs"]
mod stuck;

use std::{
    process, thread,
    time::{Duration, Instant},
};

use clap::Parser;

use crate::{
    gateway::{Gateway, HEALTHY, POURED},
    load::Load,
    mock::{Fountain, Protocol},
    report::{MIB, Run},
    stuck::{Knocker, Stuck},
};

/// Not measured, at the beginning of each run.
const WARM_UP: Duration = Duration::from_secs(2);
/// Nobody takes anything any more when nothing was taken for so long.
const STILL: Duration = Duration::from_secs(3);
/// The longest that is poured.
const POURING: Duration = Duration::from_secs(180);
/// How long memory may take to come back.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Parser, Clone)]
struct Arguments {
    /// How long the undisturbed run lasts, and the other one at least.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How often each run is made.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Sessions whose clients read nothing.
    #[arg(long, default_value_t = 1_000)]
    stuck: usize,
    /// Sessions beside them.
    #[arg(long, default_value_t = 100)]
    healthy: usize,
    /// Audio that is poured, MiB a second, all sessions together.
    #[arg(long, default_value_t = 64)]
    pour: usize,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What the gateway is told, and what it may hold.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    name: &'static str,
    limits: &'static str,
    backend: &'static str,
    /// What all sessions may hold together, of which so many are stuck, bytes.
    bound: fn(usize) -> usize,
}

const LEG_BYTES: usize = 4 * MIB;

const SETTINGS: [Setting; 2] = [
    // The stuck ones stay: nobody's time is over, and nobody is asked whether he is there.
    Setting {
        name: "process_bytes = 64 GiB",
        limits: "process_bytes = 68719476736\nslow_client_timeout_s = 600\nidle_timeout_s = 0",
        backend: "ping_interval_s = 0",
        bound: |stuck| stuck * LEG_BYTES,
    },
    Setting { name: "defaults", limits: "", backend: "", bound: |_| 512 * MIB },
];

fn main() {
    let arguments = Arguments::parse();
    let Arguments { seconds, rounds, stuck, healthy, pour, .. } = arguments;
    println!(
        "{stuck} clients that read nothing, {pour} MiB/s poured at them, {healthy} healthy sessions; \
         {rounds} x {seconds} s each"
    );
    let mut kept_its_word = true;
    for protocol in [Protocol::Realtime, Protocol::VoiceAgent] {
        for setting in SETTINGS {
            println!("\n{protocol:?}, {}", setting.name);
            println!("{}", Run::HEADER);
            let runs: Vec<Run> = (0..rounds).map(|_| run(protocol, setting, &arguments)).collect();
            kept_its_word &= runs.iter().all(Run::is_within_bounds);
            println!("{}", report::summary(&runs));
        }
    }
    if !kept_its_word {
        process::exit(1);
    }
}

/// One run: alone, then beside the stuck ones, then after them.
fn run(protocol: Protocol, setting: Setting, arguments: &Arguments) -> Run {
    let Arguments { seconds, stuck, healthy, pour, .. } = *arguments;
    let fountain = Fountain::start(protocol);
    let gateway =
        Gateway::start(protocol, mock::start(protocol), fountain.port, setting.limits, setting.backend);
    let load = Load::open(gateway.port(), HEALTHY, healthy);
    thread::sleep(WARM_UP);
    load.begin();
    thread::sleep(Duration::from_secs(seconds));
    let alone = load.end();
    let baseline = gateway.resident_memory();
    let stuck_clients = Stuck::open(gateway.port(), POURED, stuck);
    let opened = gateway.resident_memory();
    let knocker = Knocker::start(gateway.port(), HEALTHY);
    load.begin();
    let began = Instant::now();
    fountain.pour(pour * MIB, stuck);
    let mut last = (0, began);
    while began.elapsed().as_secs() < seconds || last.1.elapsed() < STILL {
        assert!(began.elapsed() < POURING, "what is poured is taken for ever");
        thread::sleep(Duration::from_millis(200));
        if fountain.poured() > last.0 {
            last = (fountain.poured(), Instant::now());
        }
    }
    let due = healthy * (began.elapsed().as_millis() / load::FRAME.as_millis()) as usize;
    let beside = load.end();
    load.begin();
    thread::sleep(Duration::from_secs(seconds));
    let beside_full = load.end();
    fountain.stop();
    let knocks = knocker.stop();
    let (highest, full) = (gateway.highest_memory(), gateway.resident_memory());
    let ended = gateway.ended();
    drop(stuck_clients);
    let left = Instant::now();
    let bound = baseline + (setting.bound)(stuck);
    let mut run = Run {
        alone,
        beside,
        beside_full,
        due,
        baseline,
        opened,
        highest,
        full,
        bound,
        poured: fountain.poured(),
        filled_in: last.1 - began,
        after: gateway.resident_memory(),
        returned_in: None,
        knocks,
        ended,
    };
    while left.elapsed() < PATIENCE && run.returned_in.is_none() {
        run.after = gateway.resident_memory();
        run.returned_in = run.is_returned().then(|| left.elapsed());
        thread::sleep(Duration::from_millis(100));
    }
    load.close();
    println!("{run}");
    run
}
