//! What a passed-through frame costs, beside what it costs nginx as a plain WebSocket tunnel: the gateway's own process
//! between a scripted upstream and its clients, then nginx's in its place, in turns, a frame of 20 ms each way every
//! 20 ms and session. Judges nothing; prints processor time, latency and memory, and the ratio of the two.
//!
//! Each run has a process of its own, with one thread for all sessions. The clients and the upstream are threads of
//! this program and the same in each run; `direct` is what the round trip takes without anything between them.
//!
//! `cargo bench --bench passthrough -- --seconds 2 --rounds 1` is a short run.

#![allow(clippy::disallowed_methods, reason = "a harness has a clock")]

#[path = "passthrough/figures.rs"]
mod figures;
#[path = "passthrough/load.rs"]
mod load;
#[path = "passthrough/mock.rs"]
mod mock;
#[path = "passthrough/tunnel.rs"]
mod tunnel;

use std::{process, thread, time::Duration};

use clap::Parser;

use crate::{figures::Figures, load::Load, tunnel::Kind};

/// Not measured, at the beginning of each run.
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Parser)]
struct Arguments {
    /// How long each run is measured.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How often the runs are made, in turns; the figures are of all of them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many sessions there are at once.
    #[arg(long, value_delimiter = ',', default_value = "25,100")]
    sessions: Vec<usize>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let Arguments { seconds, rounds, sessions, .. } = Arguments::parse();
    if tunnel::nginx().is_none() {
        eprintln!("nginx is missing: apt-get install nginx-light");
        process::exit(1);
    }
    let window = Duration::from_secs(seconds);
    let upstream = mock::start();
    println!(
        "{} bytes up and {} down every 20 ms and session, {rounds} x {seconds} s each",
        load::FRAME_BYTES,
        mock::FRAME_BYTES
    );
    println!("{}", Figures::HEADER);
    for sessions in sessions {
        let [mut direct, mut nginx, mut voxbridge] =
            [Figures::default(), Figures::default(), Figures::default()];
        for _ in 0..rounds {
            direct.add(run(None, upstream, sessions, window));
            nginx.add(run(Some(Kind::Nginx), upstream, sessions, window));
            voxbridge.add(run(Some(Kind::Voxbridge), upstream, sessions, window));
        }
        println!("{sessions:>8}  {:<10}{direct}", "direct");
        println!("{sessions:>8}  {:<10}{nginx}", Kind::Nginx.name());
        println!("{sessions:>8}  {:<10}{voxbridge}", Kind::Voxbridge.name());
        println!("{sessions:>8}  {:<10}{}", "ratio", voxbridge.ratio(&nginx));
    }
}

/// One run through this kind of tunnel, or none.
fn run(kind: Option<Kind>, upstream: u16, sessions: usize, window: Duration) -> Figures {
    let tunnel = kind.map(|kind| kind.start(upstream));
    let idle = tunnel.as_ref().map(|tunnel| tunnel.resident_memory());
    let load = Load::open(tunnel.as_ref().map_or(upstream, |tunnel| tunnel.port()), tunnel::PATH, sessions);
    thread::sleep(WARM_UP);
    let of_tunnel = || tunnel.as_ref().map_or(Duration::ZERO, |tunnel| tunnel.processor_time());
    let of_peers = || tunnel::processor_time(process::id());
    load.begin();
    let before = (of_tunnel(), of_peers());
    thread::sleep(window);
    let after = (of_tunnel(), of_peers());
    let round_trips = load.end();
    let memory =
        tunnel.as_ref().map_or(0, |tunnel| tunnel.resident_memory().saturating_sub(idle.unwrap_or(0)));
    load.close();
    let due = sessions * (window.as_millis() / load::FRAME.as_millis()) as usize;
    // What is on its way at the edges of the window, and what a busy machine puts off.
    assert!(
        round_trips.len() + due / 50 + sessions >= due,
        "{} of {due} frames came back",
        round_trips.len()
    );
    Figures::of_run(after.0 - before.0, after.1 - before.1, round_trips, memory / sessions)
}
