//! Section 6 and 8: who is silent is asked, who stays silent is gone, and who says too much is not read for a while.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    scenario::{Scenario, at, check, component, deepgram, due, fresh},
    words::{audio_delta, client, created, inject, microphone, session_updated, speech_started},
};
use crate::{
    config::{Backend, BackendUrl},
    gate::{CloseReason, Effect, Gate, Input, Leg, Limits, UpstreamError},
};

fn pinged(scenario: Scenario) -> Scenario {
    scenario.limits(|limits| limits.ping_interval = Some(Duration::from_secs(20)))
}

/// "Liveness: pings on both legs (20 s), dead peers found".
#[test]
fn a_client_that_is_silent_is_pinged_and_gone_after_as_long_again() {
    let alone = || pinged(fresh()).upto(Input::ClientConnected).limits(|limits| limits.settings_timeout *= 2);
    let dials = |scenario: Scenario| scenario.backend(|backend| backend.connect_timeout *= 10);
    check(
        dials(alone()),
        [
            due(20_000, ["ping client"]),
            due(40_000, ["client Error(client_silent)", "close client 1008", "close upstream 1001"]),
        ],
    );
    // Whatever comes is a sign of life, also a part of a frame.
    let signs = [Input::ClientAlive.into(), Input::Heard(Leg::Client).into(), client("{}"), microphone(2)];
    for sign in signs {
        let mut run = check(dials(alone()), [due(20_000, ["ping client"])]);
        run.happen(39_999, sign);
        assert_eq!(run.due_ms(), Some(59_999), "it is asked again, not cut off");
    }
}

/// A busy thread gets late to its timers: the time is also looked at when something else happens.
#[test]
fn what_comes_after_a_deadline_finds_it_over() {
    let backend = Backend::new("b", "/b", BackendUrl::SelfPath("/".to_owned()));
    let mut limits = Limits::new(&backend, Duration::from_secs(60));
    limits.ping_interval = None;
    let mut gate = Gate::new(Arc::new(backend), limits, "id".to_owned());
    let now = Instant::now();
    let _ = gate.handle(Input::ClientConnected, now);
    let dial = gate.deadline().expect("the dial has a time");
    let _ = gate.handle(Input::ClientAlive, dial - Duration::from_millis(1));
    assert_eq!(gate.close_reason(), None);
    let _ = gate.handle(Input::ClientAlive, dial);
    assert_eq!(gate.close_reason(), Some(&CloseReason::Unreachable(UpstreamError::TimedOut)));
}

#[test]
fn an_upstream_that_is_silent_is_pinged_and_gone_after_as_long_again() {
    let opened = || pinged(deepgram()).limits(|limits| limits.idle_timeout = None);
    let alive = || at(10_000, Input::ClientAlive, []);
    check(
        opened(),
        [
            alive(),
            due(20_000, ["ping upstream"]),
            at(20_001, Input::ClientAlive, []),
            due(40_000, ["client Error(upstream_silent)", "close client 1011", "close upstream 1000"]),
        ],
    );
    for sign in [Input::Heard(Leg::Upstream).into(), session_updated(), created("resp_1"), audio_delta(10)] {
        let mut run = check(opened(), [alive(), due(20_000, ["ping upstream"])]);
        run.happen(30_000, Input::ClientAlive.into());
        run.happen(39_999, sign);
        assert!(run.pass(49_999).is_empty(), "it is not cut off");
    }
}

#[test]
fn before_its_socket_is_open_upstream_is_not_expected_to_say_anything() {
    let early = pinged(fresh()).upto(Input::ClientConnected);
    let early = early.backend(|backend| backend.connect_timeout *= 10);
    check(
        early,
        [
            at(19_000, Input::ClientAlive, []),
            at(38_000, Input::ClientAlive, []),
            at(50_000, Input::UpstreamOpened, []),
            due(58_000, ["ping client"]),
        ],
    );
}

#[test]
fn a_leg_that_is_not_read_is_not_expected_to_say_anything() {
    // The client reads nothing, so upstream is not read, and does not answer pings for long.
    let slow = pinged(deepgram()).limits(|limits| {
        limits.leg = 10_000;
        limits.slow_leg_timeout = Duration::from_secs(1_000);
        limits.idle_timeout = None;
    });
    let slow = slow.upto(created("resp_1"));
    let mut run = check(slow, []);
    run.act(audio_delta(20_000));
    for n in 1..10 {
        run.pass_undelivered(n * 15_000);
        run.act(Input::ClientAlive.into());
    }
    let resumed = run.happen(150_000, Input::ClientAlive.into());
    assert_eq!(resumed, [Effect::Resume(Leg::Upstream)]);
    assert_eq!(run.due_ms(), Some(155_000), "and has had all of its time since 135 s");

    // Upstream takes nothing, so the client is not read.
    let slow = pinged(deepgram()).limits(|limits| {
        limits.leg = 1_000;
        limits.slow_leg_timeout = Duration::from_secs(1_000);
    });
    let mut run = check(slow, []);
    run.act(microphone(2_000));
    run.pass_undelivered(15_000);
    run.act(Input::Heard(Leg::Upstream).into());
    run.pass_undelivered(30_000);
    run.act(Input::Heard(Leg::Upstream).into());
    run.pass_undelivered(45_000);
    run.act(Input::Heard(Leg::Upstream).into());
    assert!(run.gate.close_reason().is_none(), "{:?}", run.gate.close_reason());
}

/// "messages_per_s … over it reading pauses, nothing is lost".
#[test]
fn a_client_that_says_too_much_is_not_read_for_a_while() {
    let limited = component().limits(|limits| limits.messages_per_s = NonZeroU32::new(2));
    let echo = ["client ConversationText(user)", "client AgentThinking", "up item"];
    let paused = [&echo[..], &["pause client"]].concat();
    check(
        limited,
        [
            // The first message was Settings.
            at(0, speech_started(), ["client UserStartedSpeaking"]),
            at(0, Input::Heard(Leg::Client), []),
            at(0, Input::Heard(Leg::Client), []),
            at(0, inject("one"), echo),
            super::scenario::at_lines(0, inject("two"), &paused),
            due(1_000, ["resume client"]),
            // Pings and fragments count as well.
            at(1_000, Input::ClientAlive, []),
            super::scenario::at_lines(1_000, inject("four"), &paused),
        ],
    );
}

#[test]
fn a_client_that_is_not_read_for_a_while_is_neither_idle_nor_gone() {
    let limited = pinged(deepgram()).limits(|limits| {
        limits.messages_per_s = NonZeroU32::new(1);
        limits.idle_timeout = Some(Duration::from_secs(10));
    });
    let mut run = check(limited, []);
    for _ in 0..60 {
        run.act(client(r#"{"type":"KeepAlive"}"#));
    }
    for n in 1..=6 {
        run.happen(n * 10_000, Input::Heard(Leg::Upstream).into());
    }
    let last = run.pass(60_500);
    assert!(run.gate.close_reason().is_none(), "{last:?}");
    assert_eq!(run.due_ms(), Some(70_500), "idle counts from when it is read again");
}
