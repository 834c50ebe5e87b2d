//! Hostile frames of a passed-through connection: whatever both peers send, the relay keeps its budgets, waits for
//! nothing without an end, and ends.

use std::sync::Arc;

use bytes::Bytes;
use voxbridge::config::ListenVersion;
use voxbridge::gate::{Input, Relay, Service};
use voxbridge::protocol::{Frame, Opcode};

use crate::bytes::LONGEST;
use crate::json::Corpus;
use crate::life::{BEFORE_READY, LEG, Life, limits};
use crate::messages::{CLIENT, SERVER, backends};
use crate::random::Random;
use crate::runner::{Fuzzer, say};

/// What a relay may hold, bytes of memory: what may wait, what came over that at last, and tables.
const HELD: usize = BEFORE_READY + 2 * (LEG + LONGEST) + 64 * 1024;

/// One direction: the rest of the message that is on its way.
#[derive(Default)]
struct Way(Vec<Frame>);

impl Way {
    /// The next frame: of the message that has begun, else of a new one.
    fn next(&mut self, random: &mut Random, corpus: &Corpus) -> Frame {
        if self.0.is_empty() {
            let (opcode, payload) = match random.below(5) {
                0 => {
                    let length = random.below(LONGEST / 4);
                    (Opcode::Binary, Bytes::from(vec![7; length]))
                }
                _ => (Opcode::Text, Bytes::from(corpus.text(random))),
            };
            self.0 = pieces(random, opcode, &payload);
            self.0.reverse();
        }
        self.0.pop().expect("a message has a frame")
    }
}

fn pieces(random: &mut Random, opcode: Opcode, payload: &Bytes) -> Vec<Frame> {
    let count = if random.one_in(5) { 1 + random.below(20) } else { 1 };
    let size = payload.len().div_ceil(count).max(1);
    let mut frames: Vec<Frame> = payload
        .chunks(size)
        .map(|piece| Frame {
            opcode: Opcode::Continuation,
            last: false,
            payload: Bytes::copy_from_slice(piece),
        })
        .collect();
    if frames.is_empty() {
        frames.push(Frame { opcode, last: true, payload: Bytes::new() });
    }
    frames[0].opcode = opcode;
    let last = frames.len() - 1;
    frames[last].last = true;
    frames
}

#[test]
fn passed_through_connections() {
    let fuzzer = Fuzzer::new("passed_through_connections");
    let (of_client, of_upstream) = (Corpus::of_lines(&CLIENT), Corpus::of_lines(&SERVER));
    let backends: Vec<_> =
        backends().into_iter().filter(|backend| backend.deepgram().is_some()).map(Arc::new).collect();
    let services = [
        Service::Agent,
        Service::Agent,
        Service::Transcription(ListenVersion::V1),
        Service::Transcription(ListenVersion::V2),
    ];
    let mut most = 0;
    fuzzer.run(400, |random| {
        let (backend, service) = (Arc::clone(random.pick(&backends)), *random.pick(&services));
        let limits = limits(random);
        let (mut up, mut down) = (Way::default(), Way::default());
        let mut life = Life::new(|| Relay::new(backend, limits, service));
        if !random.one_in(4) {
            life.upstream_opens();
        }
        let steps = if random.one_in(4) {
            life.is_stuck();
            300
        } else {
            random.below(150)
        };
        for _ in 0..steps {
            match random.below(10) {
                0..4 => {
                    let frame = down.next(random, &of_upstream);
                    life.upstream_says(|| Input::UpstreamFrame(frame));
                }
                4..7 => {
                    let frame = up.next(random, &of_client);
                    life.client_says(|| Input::ClientFrame(frame));
                }
                7 => life.client_says(|| Input::ClientAlive),
                _ => life.other(random),
            }
            // The rest of a message is the harness's own.
            let rest: usize = up.0.iter().chain(&down.0).map(|frame| frame.payload.len() + 100).sum();
            let held = life.held().saturating_sub(rest);
            assert!(held <= HELD, "{held} bytes are held");
            most = most.max(held);
        }
        life.come_to_an_end(random);
    });
    say(&format!("fuzz passed_through_connections: a relay held {most} bytes at most, of {HELD}"));
}
