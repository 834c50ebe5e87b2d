//! A leg that does not read: the other is not read either, for a time.

use super::*;
use crate::gate::{ClientFrame, CloseReason, Phase, UpstreamFrame};

fn big() -> Frame {
    Frame::binary(vec![b'x'; 15_000])
}

#[test]
fn a_client_that_does_not_read_stops_upstream_and_ends() {
    let mut stage = Stage::open(V1, backend());
    stage.stuck = Some(Leg::Client);
    assert_eq!(stage.give(Input::UpstreamFrame(big())).len(), 1);
    assert_eq!(stage.give(Input::UpstreamFrame(big()))[1], "pause upstream");
    assert_eq!(stage.loosen(), ["resume upstream"]);
    assert_eq!(stage.wait(100_000), [""; 0]);

    stage.stuck = Some(Leg::Client);
    for _ in 0..2 {
        stage.give(Input::UpstreamFrame(big()));
    }
    stage.wait(9_000);
    // A part of a frame is progress.
    assert_eq!(stage.give(Input::Delivered { leg: Leg::Client, bytes: 0 }), [""; 0]);
    assert_eq!(stage.wait(9_999), [""; 0]);
    assert!(stage.wait(1).contains(&"1: resume upstream".to_owned()));
    assert_eq!(stage.relay.close_reason(), Some(&CloseReason::ClientTooSlow));
}

#[test]
fn an_upstream_that_does_not_read_stops_the_client_and_ends() {
    let mut stage = Stage::open(Service::Agent, backend());
    stage.stuck = Some(Leg::Upstream);
    stage.give(Input::ClientFrame(big()));
    assert_eq!(stage.give(Input::ClientFrame(big()))[1], "pause client");
    assert_eq!(stage.loosen(), ["resume client"]);
    stage.stuck = Some(Leg::Upstream);
    for _ in 0..2 {
        stage.give(Input::ClientFrame(big()));
    }
    stage.wait(9_999);
    assert_eq!(stage.relay.close_reason(), None);
    stage.wait(1);
    assert_eq!(stage.relay.close_reason(), Some(&CloseReason::UpstreamTooSlow));
}

#[test]
fn a_client_that_is_not_read_is_not_idle() {
    let limits = Limits { slow_leg_timeout: Duration::from_secs(1_000), ..limits() };
    let mut stage = Stage::within(limits, Service::Agent, backend());
    stage.give(Input::UpstreamOpened);
    stage.up(SETTINGS);
    stage.stuck = Some(Leg::Upstream);
    for _ in 0..2 {
        stage.give(Input::ClientFrame(big()));
    }
    stage.wait(500_000);
    assert_eq!(stage.relay.close_reason(), None);
    assert_eq!(stage.loosen(), ["resume client"]);
    stage.wait(300_000);
    assert_eq!(stage.relay.close_reason(), Some(&CloseReason::IdleTimeout));
}

#[test]
fn before_the_socket_is_open_a_client_is_held_back_and_nothing_is_lost() {
    let mut stage = Stage::new(V1, backend());
    assert_eq!(stage.give(Input::ClientFrame(big())), ["pause client"]);
    assert_eq!(stage.wait(30_000), [""; 0], "the dial has its own time");
    let opened = stage.give(Input::UpstreamOpened);
    assert!(opened[0].starts_with("up binary xxx") && opened[1..] == ["resume client"], "{opened:?}");
}

#[test]
fn a_frame_larger_than_the_budget_goes_alone() {
    let mut stage = Stage::open(V1, backend());
    let huge = Frame::binary(vec![b'x'; 5 << 20]);
    assert_eq!(
        stage.give(Input::ClientFrame(huge.clone())).len(),
        3,
        "it goes up; the client pauses and resumes"
    );
    assert_eq!(stage.give(Input::UpstreamFrame(huge)).len(), 3);
    assert_eq!(stage.relay.phase(), Phase::Active);
}

#[test]
fn a_message_that_is_kept_until_it_is_whole_stops_nobody() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    let text = "x".repeat(15_000);
    for _ in 0..3 {
        assert_eq!(stage.give(Input::UpstreamFrame(part(Opcode::Text, false, ""))), [""; 0]);
        for _ in 0..3 {
            assert_eq!(stage.give(Input::UpstreamFrame(part(Opcode::Continuation, false, &text))), [""; 0]);
        }
        let whole = stage.give(Input::UpstreamFrame(part(Opcode::Continuation, true, "")));
        assert_eq!(whole.iter().filter(|line| line.starts_with("client ")).count(), 5);
    }
}

#[test]
fn what_has_to_wait_keeps_no_more_memory_than_its_own() {
    for stuck in [Leg::Client, Leg::Upstream] {
        let mut stage = Stage::within(Limits { leg: 1_000_000, ..limits() }, V1, backend());
        stage.give(Input::UpstreamOpened);
        let read = bytes::Bytes::from(vec![7; 400_000]);
        let place = read.as_ptr_range();
        let (mut shared, mut weight) = (Vec::new(), 0);
        let mut step = |input: Input| {
            for effect in stage.handle(input) {
                weight += weight_for(stuck, &effect);
                if let Effect::ToClient(ClientFrame::Frame(frame))
                | Effect::ToUpstream(UpstreamFrame::Frame(frame)) = effect
                {
                    shared.push(place.contains(&frame.payload.as_ptr()));
                }
            }
            std::mem::take(&mut weight)
        };
        let mut handed = 0;
        for n in 0..10 {
            let frame = Frame::binary(read.slice(n * 30_000..(n + 1) * 30_000));
            handed += step(match stuck {
                Leg::Client => Input::UpstreamFrame(frame),
                Leg::Upstream => Input::ClientFrame(frame),
            });
        }
        step(Input::Delivered { leg: stuck, bytes: handed });
        assert_eq!(shared, [[true; 9].as_slice(), &[false]].concat(), "a window of nine is not copied");
    }
}
