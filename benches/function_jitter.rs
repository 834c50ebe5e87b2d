//! Whether a function that runs for long is heard in anybody's audio: the gateway's own process between a scripted
//! upstream and 51 clients, a frame of 20 ms each way and session every 20 ms, first without a function and then
//! while one session's function does not answer. Judges no time; prints how far the frames stray from 20 ms.
//!
//! The gateway is a process of its own, with its own threads and one worker: what is measured is what is shipped, all
//! sessions share the thread of the one whose function runs, and the peers' work is not on it.
//!
//! `cargo bench --bench function_jitter -- --seconds 3` is a short run.

#![allow(clippy::disallowed_methods, reason = "a harness has a clock")]

#[path = "function_jitter/application.rs"]
mod application;
#[path = "function_jitter/client.rs"]
mod client;
#[path = "function_jitter/gateway.rs"]
mod gateway;
#[path = "function_jitter/jitter.rs"]
mod jitter;
#[path = "function_jitter/sender.rs"]
mod sender;
#[path = "function_jitter/upstream.rs"]
mod upstream;

use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::Value;

use crate::{
    application::Application,
    client::Client,
    gateway::Gateway,
    jitter::{Arrivals, Jitter},
    sender::{FRAME, Lane, Sender},
    upstream::Upstream,
};

/// Not measured, at the beginning of each run.
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Parser)]
struct Arguments {
    /// How long each of the two runs is measured; the function of the second takes that long.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How often the two runs are made; their frames are taken together.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Sessions beside the one whose function runs.
    #[arg(long, default_value_t = 50)]
    others: usize,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// All peers, their sessions open; session 0 is the one whose function runs.
struct Stage {
    application: Application,
    upstream: Upstream,
    clients: Vec<Client>,
    _gateway: Gateway,
}

/// What was seen of runs of one kind: by session, one entry for each run.
#[derive(Default)]
struct Seen {
    agent: Vec<Vec<Arrivals>>,
    user: Vec<Vec<Arrivals>>,
    sent: Vec<Vec<Arrivals>>,
}

fn main() {
    let arguments = Arguments::parse();
    let Arguments { seconds, rounds, others, .. } = arguments;
    let length = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let (mut without, mut with) = (Seen::default(), Seen::default());
    runtime.block_on(async {
        let stage = Stage::set(others).await;
        for round in 0..rounds {
            without.add(stage.run(length, None).await);
            with.add(stage.run(length, Some(&format!("call_{round}"))).await);
        }
    });
    println!(
        "{} sessions, one worker, {rounds} x {seconds} s each; milliseconds between frames, less 20",
        others + 1
    );
    println!("{:<24}{:>8}{:>8}{:>8}", "", "p50", "p99", "max");
    for ((what, without), (_, with)) in without.jitter().into_iter().zip(with.jitter()) {
        println!("{what}");
        println!("{:<24}{without}", "  without a function");
        println!("{:<24}{with}", "  during its call");
        println!("{:<24}{}", "  ratio", with.ratio(&without));
    }
}

impl Seen {
    fn add(&mut self, run: [Vec<Arrivals>; 3]) {
        let [agent, user, sent] = run;
        self.agent.push(agent);
        self.user.push(user);
        self.sent.push(sent);
    }

    fn jitter(&self) -> Vec<(&'static str, Jitter)> {
        let one = |runs: &[Vec<Arrivals>]| Jitter::of(runs.iter().flat_map(|run| &run[..1]));
        let others = |runs: &[Vec<Arrivals>]| Jitter::of(runs.iter().flat_map(|run| &run[1..]));
        vec![
            ("agent audio, the session with the function", one(&self.agent)),
            ("agent audio, the others", others(&self.agent)),
            ("user audio, the session with the function", one(&self.user)),
            ("user audio, the others", others(&self.user)),
            ("as the peers sent it, all sessions", Jitter::of(self.sent.iter().flatten())),
        ]
    }
}

impl Stage {
    async fn set(others: usize) -> Self {
        let application = Application::start().await;
        let upstream = Upstream::start().await;
        let gateway = Gateway::start(&upstream.url(), &application.url()).await;
        let mut clients = Vec::new();
        for number in 0..=others {
            clients.push(Client::open(gateway.port()).await);
            // One after the other, so that both sides count the sessions alike.
            upstream.expect_sessions(number + 1).await;
        }
        Self { application, upstream, clients, _gateway: gateway }
    }

    /// Audio on all sessions for so long, with session 0's call open for all of that time if there is one. The agent's
    /// frames at the clients, the user's at upstream, and when they were sent.
    async fn run(&self, length: Duration, call: Option<&str>) -> [Vec<Arrivals>; 3] {
        for session in 1..self.clients.len() {
            self.upstream.begin_answer(session, None);
        }
        self.upstream.begin_answer(0, call);
        let answered = self.upstream.outputs();
        if call.is_some() {
            self.application.expect_request().await;
        }
        let lanes = self.clients.iter().enumerate().map(|(session, client)| Lane {
            up: client.writer(),
            up_frame: client::audio_frame(),
            down: self.upstream.writer(session),
            down_frame: self.upstream.audio_frame(session),
        });
        let sender = Sender::start(lanes.collect());
        tokio::time::sleep(WARM_UP).await;
        let began = Instant::now();
        tokio::time::sleep(length).await;
        let window = began..Instant::now();
        let sent = sender.stop();
        assert_eq!(self.upstream.outputs(), answered, "the function was answered too early");
        if let Some(call) = call {
            self.application.answer();
            let outputs = self.upstream.expect_outputs(answered.len() + 1).await;
            let expected: Vec<(usize, Value)> = vec![(0, call.into())];
            assert_eq!(outputs[answered.len()..], expected, "the calls that were answered, and where");
        }
        let agent: Vec<Arrivals> =
            self.clients.iter().map(|client| client.arrivals().within(&window)).collect();
        let user = (0..self.clients.len()).map(|session| self.upstream.arrivals(session).within(&window));
        let user: Vec<Arrivals> = user.collect();
        let frames = (length.as_secs_f64() / FRAME.as_secs_f64()) as usize;
        for (what, seen) in [("agent", &agent), ("user", &user)] {
            let fewest = seen.iter().map(|arrivals| arrivals.0.len()).min().unwrap_or(0);
            // A frame at each edge may fall out of the window, and a busy machine moves some more.
            assert!(fewest + frames / 100 + 2 >= frames, "a session had {fewest} frames of {what} audio");
        }
        [agent, user, sent.iter().map(|sent| sent.within(&window)).collect()]
    }
}
