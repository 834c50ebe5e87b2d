//! Random lives of a connection: one in which the peers say anything at all, and one in which the server is
//! a strict one with real delays. The oracle judges every step.

use std::{num::NonZeroU32, time::Duration};

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};

use super::{
    scenario::{Action, Run, Scenario, component, deepgram, fresh, here, manual},
    simulated::{Character, Move, World},
    words::{
        agent_item, answer, audio, audio_delta, audio_done, bare_audio_done, bare_call, bare_response_done,
        call_added, call_done, client, client_closes, closed, confirmed, created, done, error, error_for,
        finished, inject, message_added, microphone, output_item, say, session_updated, settings,
        speech_started, speech_stopped, text_done, transcript_delta, transcript_done, update_prompt,
        update_speed, update_voice, upstream, user_item,
    },
};
use crate::{
    config::Backend,
    gate::{Input, Leg, LegEnd, Phase, UpstreamError},
};

/// What may wait before the session is ready, and for each leg, in the random lives.
const BEFORE_READY: usize = 20_000;
const LEG: usize = 40_000;
/// The largest single thing that comes in, as the gate counts it.
const LARGEST: usize = 40_000;

/// Limits that are soon met; `strict`: also that peers who say nothing, or too much, are noticed.
fn small(strict: bool) -> impl Fn(Scenario) -> Scenario {
    move |scenario| {
        scenario.limits(|limits| {
            limits.before_ready = BEFORE_READY;
            limits.leg = LEG;
            // Deadlines are to be those that a wait has of its own.
            limits.idle_timeout = None;
            if strict {
                limits.ping_interval = Some(Duration::from_secs(20));
                limits.messages_per_s = NonZeroU32::new(5);
            }
        })
    }
}

/// Everything that a client can do, the likely things more often.
fn client_actions() -> Vec<Action> {
    vec![
        settings("{}"),
        settings(r#"{"greeting":"Hello","idleTimeoutMs":10000}"#),
        settings(r#"{"useOpenAIManualAudioCommit":true}"#),
        settings(r#"{"think":{"functions":[{"name":"no spaces"}]}}"#),
        inject("one"),
        inject("one"),
        inject("two"),
        inject(&"long ".repeat(2_000)),
        microphone(0),
        microphone(1),
        microphone(640),
        microphone(8_000),
        answer("call_1", "a"),
        answer("call_2", "b"),
        answer("call_3", "c"),
        finished("call_1", Ok("a")),
        finished("call_2", Err("b")),
        finished("call_3", Ok(&"long ".repeat(2_000))),
        client(r#"{"type":"KeepAlive"}"#),
        client(r#"{"type":"ForceEndTurn"}"#),
        update_prompt("x"),
        update_prompt(&"long ".repeat(2_000)),
        update_voice("cedar"),
        update_speed(1.25),
        client(r#"{"type":"UpdateThink","think":{"provider":{"model":"gpt-5"},"functions":[]}}"#),
        client(r#"{"type":"UpdateListen","listen":{"provider":{"language":"de"}}}"#),
        client(r#"{"type":"UpdateListen","listen":{"provider":{"language":"nonsense"}}}"#),
        say("one", "default"),
        say("two", "queue"),
        say("three", "interrupt"),
        say(&"long ".repeat(2_000), "queue"),
        say("", "queue"),
        say("four", "shout"),
        client(r#"{"type":"Sing"}"#),
        client("{"),
        client("[]"),
        Input::ClientAlive.into(),
        Input::Heard(Leg::Client).into(),
    ]
}

/// Everything that an upstream can say, for a few responses, items and calls.
fn upstream_actions() -> Vec<Action> {
    let mut all = vec![
        session_updated(),
        session_updated(),
        upstream(r#"{"type":"session.created","session":{"expires_at":100}}"#),
        upstream(r#"{"type":"session.updated"}"#),
        upstream("<html>"),
        upstream("{}"),
        upstream(r#"{"type":"something.new"}"#),
        upstream(r#"{"type":"response.created"}"#),
        upstream(r#"{"type":"response.done"}"#),
        upstream(r#"{"type":"response.output_item.added"}"#),
        upstream(
            r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"call_3"}}"#,
        ),
        upstream(r#"{"type":"response.function_call_arguments.done","call_id":"call_3"}"#),
        upstream(r#"{"type":"response.output_audio_transcript.delta","delta":"x"}"#),
        upstream(r#"{"type":"conversation.item.added"}"#),
        upstream(r#"{"type":"conversation.item.input_audio_transcription.delta","item_id":"u","delta":"x"}"#),
        upstream(r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"u"}"#),
        upstream(r#"{"type":"conversation.item.input_audio_transcription.failed","item_id":"u"}"#),
        error("conversation_already_has_active_response"),
        error("response_cancel_not_active"),
        error("idle_timeout"),
        error("server_error"),
        error_for("$create", "conversation_already_has_active_response"),
        error_for("$create", "server_error"),
        error_for("$item_event", "invalid_value"),
        error_for("$update", "invalid_value"),
        error_for("$update", "cannot_update_voice"),
        confirmed(),
        confirmed(),
        user_item("done", "item_mock_1", "one"),
        user_item("added", "item_mock_2", "two"),
        speech_started(),
        speech_stopped(),
        text_done("Hello"),
        text_done(""),
        audio_delta(2_000),
        audio_delta(0),
        bare_audio_done(),
        bare_response_done(),
        bare_call("call_1"),
        output_item("done", "call_1"),
        agent_item("added", "item_9", "Hello"),
        agent_item("done", "item_1", ""),
        Input::Heard(Leg::Upstream).into(),
    ];
    for n in 1..=3 {
        let (response, item, call) = (format!("resp_{n}"), format!("item_{n}"), format!("call_{n}"));
        all.extend([
            created(&response),
            message_added(&response, &item),
            transcript_delta(&response, &item, "Hel"),
            transcript_done(&response, &item, "Hello"),
            audio(&response, &item, 2_000),
            audio(&response, &item, 20_000),
            audio_done(&response, &item),
            agent_item("done", &item, "Hello"),
            call_added(&response, n, &call, "f"),
            call_done(&response, n, &call, "f", "completed"),
            output_item("added", &call),
            done(&response, "completed"),
            done(&response, "cancelled"),
            done(&response, "failed"),
            done(&response, "incomplete"),
        ]);
    }
    all
}

/// Ends, of which a life has few.
fn endings() -> Vec<Action> {
    vec![
        client_closes(1000),
        Input::ClientClosed(LegEnd::Vanished).into(),
        Input::ClientClosed(LegEnd::TooLarge { limit: 7 }).into(),
        Input::UpstreamClosed { end: closed(1001, ""), unix_s: 100 }.into(),
        Input::UpstreamClosed { end: LegEnd::Vanished, unix_s: 0 }.into(),
        Input::UpstreamRefused(UpstreamError::TimedOut).into(),
        Input::Drain.into(),
        Input::Overload.into(),
        Input::Shutdown.into(),
    ]
}

#[derive(Debug, Clone)]
enum Happening {
    Client(Action),
    Upstream(Action),
    Delivery(Leg),
    Other(Action),
}

fn decoded(actions: Vec<Action>) -> Vec<Action> {
    actions.into_iter().map(Action::decoded).collect()
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        30 => select(decoded(client_actions())).prop_map(Happening::Client),
        60 => select(decoded(upstream_actions())).prop_map(Happening::Upstream),
        10 => select(vec![Leg::Client, Leg::Upstream]).prop_map(Happening::Delivery),
        1 => Just(Happening::Other(Input::UpstreamOpened.into())),
        1 => Just(Happening::Other(Action::Due)),
        1 => any::<bool>().prop_map(|squeeze| Happening::Other(Input::Squeeze(squeeze).into())),
        1 => select(endings()).prop_map(Happening::Other),
    ]
}

/// A little time mostly, a long time now and then.
fn pause_ms() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..50_u64, 3 => 50..1_500_u64, 1 => 1_500..30_000_u64]
}

/// Feeds the happenings to a gate as its legs would, and judges it after each.
fn live(scenario: Scenario, happenings: Vec<(u64, Happening)>, at_once: bool) {
    let mut run = Run::new(scenario.losing_races());
    run.oracle.responses_overlap = true;
    let mut at_ms = 0;
    for (pause_ms, happening) in happenings {
        at_ms += pause_ms;
        run.pass_undelivered(at_ms);
        let action = match happening {
            // A leg that is paused says nothing.
            Happening::Client(_) if !run.gate.flow.reads(Leg::Client) => continue,
            Happening::Upstream(_)
                if !run.gate.flow.reads(Leg::Upstream) || !run.gate.opening.socket_open() =>
            {
                continue;
            }
            Happening::Client(action) | Happening::Upstream(action) | Happening::Other(action) => action,
            Happening::Delivery(leg) => Action::Delivers(leg),
        };
        // Deliveries and an open session release what was kept back, frame by frame.
        let gate = &run.gate;
        let kept = gate.opening.held_bytes() + gate.to_client.bytes() + gate.to_upstream.bytes();
        let effects = if at_once { run.happen(at_ms, action) } else { run.act(action) };
        if effects.len() > 60 + kept / 16 {
            run.fail("one step has few effects");
        }
        judge_waiting(&run);
    }
    run.pass(at_ms + 400_000);
    if run.gate.phase() == Phase::Active {
        judge_rest(&run);
    } else if run.gate.phase() != Phase::Closed || run.gate.deadline().is_some() {
        run.fail("what does not go on is over");
    }
}

/// What is kept is within the limits, and whatever is waited for has a deadline.
fn judge_waiting(run: &Run) {
    let gate = &run.gate;
    if gate.opening.held_bytes() > BEFORE_READY + LARGEST {
        run.fail("what waits for the session is bounded");
    }
    // What one input may add: an echo, a release of all that was held.
    let most = LEG + 2 * BEFORE_READY + 4 * LARGEST;
    if gate.to_client.bytes() > most || gate.to_upstream.bytes() > most {
        run.fail("what waits for a leg is bounded");
    }
    let waits = match gate.phase() {
        Phase::Opening | Phase::Configuring | Phase::Closing => true,
        Phase::Active => {
            !gate.wishes.is_empty()
                || gate.turn.running()
                || gate.speech.speaking()
                || !gate.flow.reads(Leg::Client)
                || !gate.flow.reads(Leg::Upstream)
        }
        Phase::Closed => false,
    };
    if waits && gate.deadline().is_none() {
        run.fail("whatever is waited for has a deadline");
    }
}

/// After time enough nothing is left undone.
fn judge_rest(run: &Run) {
    let gate = &run.gate;
    if !gate.wishes.is_empty() || gate.turn.running() {
        run.fail("no wish is left undone");
    }
    if let Err(broken) = run.oracle.settled() {
        run.fail(broken);
    }
}

fn cases(cases: u32) -> Config {
    Config { cases, ..Config::default() }
}

proptest! {
    #![proptest_config(cases(6_000))]

    /// From the first moment on, whatever the peers say.
    #[test]
    fn any_life_keeps_the_rules(happenings in vec((pause_ms(), happening()), 1..60), at_once: bool, strict: bool) {
        let scenario = small(strict)(fresh().upto(Input::ClientConnected));
        live(scenario, happenings, at_once);
    }

    /// The same with the session open, so that more of it is conversation.
    #[test]
    fn any_conversation_keeps_the_rules(
        kind in 0..7,
        happenings in vec((pause_ms(), happening()), 1..80),
        at_once: bool,
        strict: bool,
    ) {
        let scenario = match kind {
            0 => deepgram(),
            1 => component(),
            2 => manual(),
            3 => deepgram().backend(|backend| backend.barge_in = false),
            4 => deepgram().backend(|backend| backend.function_calls = here(&["f"])),
            5 => component().backend(|backend| backend.function_calls = here(&["*"])),
            _ => deepgram().upto(created("resp_0")).upto(done("resp_0", "completed")),
        };
        live(small(strict)(scenario), happenings, at_once);
    }
}

fn character() -> impl Strategy<Value = Character> {
    (
        prop_oneof![0..5_u64, 5..2_000_u64],
        prop_oneof![0..5_u64, 5..800_u64],
        vec(0..7_u8, 1..6),
        any::<bool>(),
        vec(select(vec![0, 1, 20, 300, 6_000]), 1..4),
    )
        .prop_map(|(latency_ms, pace_ms, responses, own_ids, answers_ms)| Character {
            latency_ms,
            pace_ms,
            responses,
            own_ids,
            answers_ms,
            barge_in: true,
        })
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => Just(Move::Inject),
        2 => select(vec!["default", "queue", "interrupt"]).prop_map(Move::Say),
        1 => Just(Move::UpdatePrompt),
        1 => Just(Move::UpdateVoice),
        2 => Just(Move::Microphone),
        1 => Just(Move::Settings),
        4 => Just(Move::SpeechStarts),
        4 => Just(Move::SpeechStops),
    ]
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// With a strict server: every user item that it took has a response that began after it, every
    /// Settings and every call is answered, every response is framed by its signals, and no request comes
    /// while the gate knows of a response.
    #[test]
    fn every_turn_is_answered_by_a_strict_server(
        character in character(),
        barge_in: bool,
        functions_run_here: bool,
        moves in vec((pause_ms(), moves()), 1..30),
    ) {
        let character = Character { barge_in, ..character };
        let backend = |backend: &mut Backend| {
            backend.barge_in = barge_in;
            if functions_run_here {
                backend.function_calls = here(&["f"]);
            }
        };
        let scenario = deepgram().backend(backend).limits(|limits| {
            limits.idle_timeout = None;
            limits.call_timeout = Duration::from_secs(5);
        });
        let mut world = World::new(scenario, character);
        let mut at_ms = 0;
        for (pause_ms, what) in moves {
            at_ms = world.now_ms().max(at_ms + pause_ms);
            world.happens(at_ms, what);
        }
        world.come_to_rest();
        judge_rest(&world.run);
        let (settings, applied) = world.run.oracle.settings();
        if settings != applied {
            world.run.fail("every Settings is answered");
        }
        world.judge_messages();
        if world.has_unanswered_items() {
            world.run.fail("every item is followed by a response that began after it");
        }
    }

    /// Audio is passed on byte for byte and in order, in both directions, whatever the windows do.
    #[test]
    fn audio_comes_out_as_it_went_in(
        pieces in vec((any::<bool>(), 1..3_000_usize, any::<bool>()), 1..60),
    ) {
        let mut run = Run::new(small(false)(deepgram()));
        run.happen(0, created("resp_1"));
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let mut next = 0_u8;
        for (upwards, length, delivered) in pieces {
            let piece: Vec<u8> = (0..length).map(|_| { next = next.wrapping_mul(31).wrapping_add(7); next }).collect();
            let action = if upwards {
                up.extend_from_slice(&piece);
                Input::ClientAudio(Bytes::from(piece)).into()
            } else {
                down.extend_from_slice(&piece);
                super::words::audio_of("resp_1", "item_1", &piece)
            };
            if delivered { run.happen(0, action); } else { run.act(action); }
        }
        run.happen(0, Input::ClientAlive.into());
        run.deliver_all();
        let (got_up, got_down) = run.audio();
        prop_assert!(got_up == up && got_down == down);
    }
}
