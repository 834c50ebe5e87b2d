//! Peers that are silent or say too much, and what a relay does when memory is short.

use std::num::NonZeroU32;

use super::*;

fn pinged() -> Limits {
    Limits { ping_interval: Some(Duration::from_secs(20)), ..limits() }
}

/// Transcription of the second version has no KeepAlive that pings the client by itself.
fn open(limits: Limits) -> Stage {
    let mut stage = Stage::within(limits, V2, backend());
    assert_eq!(stage.give(Input::UpstreamOpened), [""; 0]);
    stage
}

#[test]
fn who_is_silent_is_pinged_and_gone_after_as_long_again() {
    let mut stage = open(pinged());
    assert_eq!(stage.wait(20_000), ["20000: ping client", "20000: ping upstream"]);
    stage.give(Input::Heard(Leg::Upstream));
    let told = stage.wait(20_000);
    assert!(told[0].starts_with("20000: client text {\"type\":\"error\""), "{told:?}");
    assert!(told[0].contains("client_silent"), "{told:?}");
    assert_eq!(told[1..], ["20000: close client 1008", "20000: close upstream 1001"]);

    let mut stage = open(pinged());
    stage.wait(20_000);
    stage.wait(1);
    stage.give(Input::ClientAlive);
    let told = stage.wait(19_999);
    assert!(told[0].contains("upstream_silent"), "{told:?}");
    assert_eq!(told[1..], ["19999: close client 1011", "19999: close upstream 1000"]);
}

#[test]
fn whatever_comes_is_a_sign_of_life() {
    let signs: [fn(&mut Stage); 4] = [
        |stage| _ = stage.audio_up(b"a"),
        |stage| _ = stage.give(Input::ClientFrame(part(Opcode::Binary, false, "a"))),
        |stage| _ = stage.give(Input::Heard(Leg::Client)),
        |stage| _ = stage.give(Input::ClientAlive),
    ];
    for sign in signs {
        let mut stage = open(pinged());
        for _ in 0..5 {
            stage.wait(19_999);
            sign(&mut stage);
            stage.give(Input::UpstreamFrame(part(Opcode::Continuation, false, "b")));
        }
        assert!(stage.relay.close_reason().is_none());
    }
}

#[test]
fn a_leg_that_is_not_read_is_not_expected_to_say_anything() {
    let patient = Limits { slow_leg_timeout: Duration::from_secs(1_000), ..pinged() };
    for (stuck, paused) in [(Leg::Client, Leg::Upstream), (Leg::Upstream, Leg::Client)] {
        let mut stage = open(patient.clone());
        stage.stuck = Some(stuck);
        let frame = Frame::binary(vec![0; 30_000]);
        let (input, heard) = match stuck {
            Leg::Client => (Input::UpstreamFrame(frame), Input::ClientAlive),
            Leg::Upstream => (Input::ClientFrame(frame), Input::Heard(Leg::Upstream)),
        };
        assert!(stage.give(input).iter().any(|line| line.starts_with("pause")));
        for _ in 0..5 {
            assert_eq!(stage.wait(15_000), [""; 0]);
            stage.give(heard.clone());
        }
        assert!(stage.loosen().iter().any(|line| line.starts_with("resume")));
        stage.wait(1);
        stage.give(heard);
        let name = if paused == Leg::Client { "client" } else { "upstream" };
        assert_eq!(stage.wait(19_999), [format!("19999: ping {name}")], "it has all of its time");
    }
}

#[test]
fn a_client_that_says_too_much_is_not_read_for_a_while() {
    let mut stage = open(Limits { messages_per_s: NonZeroU32::new(2), ..limits() });
    assert_eq!(stage.audio_up(b"a"), ["up binary a"]);
    assert_eq!(stage.audio_up(b"b"), ["up binary b"]);
    assert_eq!(stage.give(Input::Heard(Leg::Client)), [""; 0]);
    assert_eq!(stage.audio_up(b"c"), ["up binary c", "pause client"], "nothing is lost");
    assert_eq!(stage.wait(1_000), ["1000: resume client"]);
    assert!(stage.relay.deadline().is_none_or(|at| at > stage.now), "{:?}", stage.relay.deadline());
}

#[test]
fn a_relay_holds_little_while_memory_is_short() {
    let large = || Limits { leg: 1_000_000, ..limits() };
    let mut stage = open(large());
    stage.stuck = Some(Leg::Client);
    stage.give(Input::UpstreamFrame(Frame::binary(vec![0; 100_000])));
    assert_eq!(stage.give(Input::Squeeze(true)), ["pause upstream"]);
    for _ in 0..9 {
        stage.wait(1_000);
        stage.give(Input::Delivered { leg: Leg::Client, bytes: 0 });
    }
    stage.wait(1_000);
    let reason = stage.relay.close_reason().map(|reason| reason.name());
    assert_eq!(reason, Some("client_too_slow"), "a little progress is none");
    let mut stage = open(large());
    stage.stuck = Some(Leg::Upstream);
    stage.give(Input::ClientFrame(Frame::binary(vec![0; 100_000])));
    assert_eq!(stage.give(Input::Squeeze(true)), ["pause client"]);
    assert_eq!(stage.give(Input::Squeeze(false)), ["resume client"]);
    stage.loosen();
    assert_eq!(stage.give(Input::Squeeze(true)), [""; 0]);
}

#[test]
fn without_memory_what_waits_goes_first_but_no_message_is_broken_off() {
    let flooded = |last_is_part: bool| {
        let mut stage = open(Limits { leg: 1_000_000, ..limits() });
        stage.stuck = Some(Leg::Client);
        for _ in 0..6 {
            stage.give(Input::UpstreamFrame(Frame::binary(vec![0; 100_000])));
        }
        if last_is_part {
            stage.give(Input::UpstreamFrame(part(Opcode::Binary, false, "x")));
        }
        let before = stage.relay.kept_bytes();
        let told = stage.give(Input::Overload);
        (before, stage.relay.kept_bytes(), told)
    };
    let (before, after, told) = flooded(false);
    assert!(before > 600_000 && after < 400_000, "{before} before, {after} after");
    assert_eq!(told, ["close upstream 1000"], "the client's leg is full");
    let (before, after, _) = flooded(true);
    assert_eq!(before, after, "the client could be told nothing inside of a message");
    let told = open(limits()).give(Input::Overload);
    assert!(told[0].contains("gateway_overloaded"), "{told:?}");
    assert_eq!(told[1..], ["close client 1013", "close upstream 1000"]);
}

#[test]
fn everything_that_is_kept_counts() {
    let mut stage = Stage::open(Service::Agent, component());
    let begun = part(Opcode::Text, false, &"x".repeat(5_000));
    stage.give(Input::UpstreamFrame(begun.clone()));
    assert!(stage.relay.kept_bytes() >= 5_000, "a text that is looked into");
    stage.give(Input::ClientFrame(begun));
    assert!(stage.relay.kept_bytes() >= 10_000);
    stage.give(Input::UpstreamFrame(part(Opcode::Continuation, true, "")));
    stage.give(Input::ClientFrame(part(Opcode::Continuation, true, "")));
    assert_eq!(stage.relay.kept_bytes(), 0);
}
