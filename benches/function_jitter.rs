//! Whether a function that runs for long is heard in anybody's audio: the gateway's own process between a scripted
//! upstream and 51 clients, a frame of 20 ms each way and session every 20 ms, first without a function and then
//! while one session's function does not answer. Judges nothing; prints how far the frames stray from 20 ms.
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

fn main() {
    let arguments = Arguments::parse();
    let length = Duration::from_secs(arguments.seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let stage = runtime.block_on(Stage::set(arguments.others));
    let without = runtime.block_on(stage.run(length, None));
    let with = runtime.block_on(stage.run(length, Some("call_jitter")));
    println!(
        "{} sessions, one worker, {} s each run; milliseconds between the frames, less 20",
        arguments.others + 1,
        arguments.seconds
    );
    println!("{:<24}{:>8}{:>8}{:>8}", "", "p50", "p99", "max");
    for (without, with) in without.iter().zip(&with) {
        println!("{}", with.what);
        println!("{:<24}{without}", "  without a function");
        println!("{:<24}{with}", "  during its call");
        println!("{:<24}{}", "  ratio", with.ratio(without));
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

    /// Audio on all sessions for so long, with session 0's call open for all of that time if there is one.
    async fn run(&self, length: Duration, call: Option<&str>) -> Vec<Jitter> {
        let others = self.clients.len() - 1;
        for session in 1..=others {
            self.upstream.begin_answer(session, None);
        }
        self.upstream.begin_answer(0, call);
        if call.is_some() {
            self.clients[0].expect("FunctionCallRequest").await;
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
        let ended = Instant::now();
        let sent = sender.stop();
        if let Some(call) = call {
            assert_eq!(self.upstream.outputs().len(), 0, "the function was answered too early");
            self.application.answer();
            let outputs = self.upstream.expect_output().await;
            let expected: Vec<(usize, Value)> = vec![(0, call.into())];
            assert_eq!(outputs, expected, "the calls that were answered, and where");
        }
        let window = began..ended;
        let agent = self.clients.iter().map(Client::arrivals).collect::<Vec<Arrivals>>();
        let user = (0..=others).map(|session| self.upstream.arrivals(session)).collect::<Vec<Arrivals>>();
        let frames =
            |arrivals: &[Arrivals]| arrivals.iter().map(|one| one.within(&window)).min().unwrap_or(0);
        let expected = (length.as_secs_f64() / FRAME.as_secs_f64()) as usize;
        for (what, fewest) in [("agent", frames(&agent)), ("user", frames(&user))] {
            // A frame at each edge may fall out of the window, and a busy machine moves some more.
            assert!(fewest + expected / 100 + 2 >= expected, "a session had {fewest} frames of {what} audio");
        }
        let (one, others) = ("with the function", format!("{others} others"));
        vec![
            Jitter::of(format!("agent audio, session {one}"), &agent[..1], &window),
            Jitter::of(format!("agent audio, {others}"), &agent[1..], &window),
            Jitter::of(format!("user audio, session {one}"), &user[..1], &window),
            Jitter::of(format!("user audio, {others}"), &user[1..], &window),
            Jitter::of("as the peers sent it, all".to_owned(), &sent, &window),
        ]
    }
}
