//! Section 6, "and the sum has one": what a connection does when memory is short in the whole process.

use super::{
    scenario::{Action, Run, at, check, deepgram},
    words::{audio_delta, created, done, inject, microphone, transcript_done},
};
use bytes::Bytes;

use crate::{
    gate::{ClientFrame, Effect, Input, Leg, Phase, WINDOW},
    protocol::realtime::{AudioDelta, ServerEvent},
};

/// A client that reads nothing of what it is given.
fn unread(bytes: usize) -> Run {
    let mut run = check(deepgram().upto(created("resp_1")), []);
    let effects = run.act(audio_delta(bytes));
    assert!(!effects.contains(&Effect::Pause(Leg::Upstream)), "it is within the budget");
    run
}

#[test]
fn a_connection_holds_little_while_memory_is_short() {
    let mut run = unread(100_000);
    assert_eq!(run.act(Input::Squeeze(true).into()), [Effect::Pause(Leg::Upstream)]);
    run.pass_undelivered(10_000);
    assert_eq!(run.gate.close_reason().map(|reason| reason.name()), Some("client_too_slow"));
    // With memory again the budget is the configured one.
    let mut run = unread(100_000);
    run.act(Input::Squeeze(true).into());
    assert_eq!(run.act(Input::Squeeze(false).into()), [Effect::Resume(Leg::Upstream)]);
    run.pass_undelivered(10_000);
    assert_eq!(run.gate.phase(), Phase::Active);
}

#[test]
fn the_same_of_what_waits_for_upstream() {
    let mut run = check(deepgram(), []);
    run.act(microphone(40_000));
    assert_eq!(run.act(Input::Squeeze(true).into()), [Effect::Pause(Leg::Client)]);
    run.pass_undelivered(10_000);
    assert_eq!(run.gate.close_reason().map(|reason| reason.name()), Some("upstream_too_slow"));
}

/// A leg that takes a little now and then keeps its memory as long as there is enough.
#[test]
fn a_little_progress_is_none_while_memory_is_short() {
    let trickling = |squeezed: bool| {
        let mut run = check(deepgram().limits(|limits| limits.leg = 50_000).upto(created("resp_1")), []);
        run.act(audio_delta(100_000));
        if squeezed {
            run.act(Input::Squeeze(true).into());
        }
        for second in 1..=30 {
            run.pass_undelivered(second * 1_000);
            run.act(Input::Delivered { leg: Leg::Client, bytes: 0 }.into());
        }
        run.gate.close_reason().map(|reason| reason.name())
    };
    assert_eq!((trickling(false), trickling(true)), (None, Some("client_too_slow")));
}

#[test]
fn without_memory_what_waits_goes_first_and_the_connection_ends() {
    let mut run = unread(400_000);
    run.act(audio_delta(200_000));
    assert!(run.gate.kept_bytes() > 600_000);
    let effects = run.act(Input::Overload.into());
    assert_eq!(run.gate.close_reason().map(|reason| reason.name()), Some("overloaded"));
    // What the leg was handed is the leg's.
    assert!(run.gate.kept_bytes() < 500_000, "{} bytes are kept", run.gate.kept_bytes());
    let upstream = Effect::Close { leg: Leg::Upstream, code: 1000, reason: String::new() };
    assert!(effects.contains(&upstream), "{effects:?}");
    check(
        deepgram(),
        [at(
            0,
            Input::Overload,
            ["client Error(GATEWAY_OVERLOADED)", "close client 1013", "close upstream 1000"],
        )],
    );
}

#[test]
fn everything_that_is_kept_counts() {
    let text = "x".repeat(10_000);
    let kept: [(&str, Vec<Action>); 4] = [
        ("audio for the client", vec![audio_delta(10_000)]),
        (
            "text for the client",
            vec![transcript_done("resp_1", "item_1", &text), done("resp_1", "completed")],
        ),
        ("audio for upstream", vec![microphone(10_000)]),
        ("a typed turn", vec![inject(&text)]),
    ];
    for (what, actions) in kept {
        let mut run = check(deepgram().upto(created("resp_1")), []);
        let before = run.gate.kept_bytes();
        actions.into_iter().for_each(|action| _ = run.act(action));
        let kept = run.gate.kept_bytes() - before;
        assert!((9_000..45_000).contains(&kept), "{what}: {kept} bytes");
    }
}

/// A leg that takes a little now and then does not keep a connection from ending.
#[test]
fn closing_has_an_end_however_slow_the_leg() {
    let mut run = unread(400_000);
    run.act(Input::Shutdown.into());
    for second in 1..30 {
        run.pass_undelivered(second * 1_000);
        assert_eq!(run.gate.phase(), Phase::Closing, "after {second} s");
        run.act(Input::Delivered { leg: Leg::Client, bytes: 0 }.into());
    }
    run.pass_undelivered(30_000);
    assert_eq!(run.gate.phase(), Phase::Closed);
}

/// What upstream's events were read with may be much more than their audio.
#[test]
fn audio_that_has_to_wait_keeps_no_more_memory_than_its_own() {
    let mut run = check(deepgram().upto(created("resp_1")), []);
    run.act(audio_delta(WINDOW));
    let roomy = Bytes::from(vec![0; 100_000]);
    let place = roomy.as_ptr_range();
    let event = ServerEvent::OutputAudioDelta(AudioDelta {
        response_id: None,
        item_id: None,
        output_index: None,
        content_index: None,
        delta: roomy.slice(..1_000),
    });
    run.act(Input::Upstream(event).into());
    let effects = run.act(Action::Delivers(Leg::Client));
    let audio = effects.iter().find_map(|effect| match effect {
        Effect::ToClient(ClientFrame::Audio(audio)) => Some(audio),
        _ => None,
    });
    let audio = audio.expect("it has waited for the window");
    assert!(audio.len() == 1_000 && !place.contains(&audio.as_ptr()));
}
