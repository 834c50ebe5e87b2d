//! Endings of a session whose time is over, by the network's fault or nobody's, and those that the program as a whole
//! is the cause of.

use std::time::Duration;

use tokio::time::Instant;

use super::stage::{Kind, LEARNS, Level, Session, Stage, is_heard};
use crate::peers::fault_proxy::{Direction, Fault};
use crate::peers::frames;
use crate::peers::raw_frame::{BINARY, RawFrame};
use crate::peers::s;
use crate::peers::sound::plain_settings;

/// The one time that each of these configures.
const LIMIT: Duration = s(1);

/// Settings are stuck in the network.
pub(super) async fn waits_for_settings(kind: Kind) {
    let stage = Stage::start(kind, "limits = { settings_timeout_s = 1 }").await;
    let began = Instant::now();
    let mut session = stage.connect().await;
    session.near.set(Direction::Up, Fault::Stall);
    session.client.send(&RawFrame::text(&plain_settings().to_string())).await;
    is_over(&mut session, began, "CLIENT_MESSAGE_TIMEOUT", 1011).await;
    stage.ended("settings_timeout", Level::Info).await;
}

/// Audio is lost in the network.
pub(super) async fn hears_nothing(kind: Kind) {
    let stage = Stage::start(kind, "limits = { idle_timeout_s = 1 }").await;
    let mut session = stage.open().await;
    let began = is_heard(&mut session.client).await;
    session.near.set(Direction::Up, Fault::Swallow);
    session.client.send(&RawFrame::binary([0; 960])).await;
    is_over(&mut session, began, "idle_timeout", 1000).await;
    stage.ended("idle_timeout", Level::Info).await;
}

pub(super) async fn is_old(kind: Kind) {
    let stage = Stage::start(kind, "limits = { max_session_s = 1 }").await;
    let began = Instant::now();
    let mut session = stage.open().await;
    is_over(&mut session, began, "session_max_duration", 1000).await;
    stage.ended("session_max_duration", Level::Info).await;
}

/// The limit is over; neither earlier nor much later both sides are told.
async fn is_over(session: &mut Session, began: Instant, error: &str, close: u16) {
    session.client.expect_said(error, 1).await;
    assert!(began.elapsed() >= LIMIT, "{:?}", began.elapsed());
    session.both_learn(began + LIMIT, (Some(error), Some(close), ""), (Some(1000), "")).await;
}

/// The client takes nothing: it reads on while there is time, or never.
pub(super) async fn is_not_read(kind: Kind) {
    let limits = "limits = { leg_bytes = 65536, slow_client_timeout_s = 1 }";
    for reads_on in [true, false] {
        let stage = Stage::start(kind, limits).await;
        let mut session = stage.open().await;
        session.near.set(Direction::Down, Fault::Stall);
        let frame = match kind {
            Kind::Translated => RawFrame::text(&frames::output_audio_delta(&[0; 16 * 1024]).to_string()),
            Kind::Agent | Kind::Transcription => RawFrame::binary([0; 16 * 1024]),
        };
        let audio = vec![frame; 500];
        let began = Instant::now();
        let sending = session.upstream.send_all(&audio, usize::MAX);
        let ((), decided) = tokio::join!(sending, async {
            stage.deciding().await;
            if reads_on {
                session.near.set(Direction::Down, Fault::Pass);
            }
            Instant::now()
        });
        assert!(began.elapsed() >= LIMIT, "{:?}", began.elapsed());
        if reads_on {
            session.both_learn(decided, (Some("client_too_slow"), Some(1008), ""), (Some(1000), "")).await;
        } else {
            session.upstream_learns(decided, (Some(1000), "")).await;
        }
        stage.ended("client_too_slow", Level::Warn).await;
        assert!(decided.elapsed() < 2 * LEARNS, "{:?}", decided.elapsed());
    }
}

/// All connections together may hold less than what this client does not take.
pub(super) async fn is_one_of_too_large(kind: Kind) {
    const LARGE: usize = 3 * 512 * 1024;
    let stage = Stage::start(kind, "[limits]\nprocess_bytes = 1048576").await;
    let mut session = stage.open().await;
    session.near.set(Direction::Down, Fault::Stall);
    let frame = match kind {
        Kind::Translated => RawFrame::text(&frames::output_audio_delta(&vec![0; LARGE]).to_string()),
        Kind::Agent | Kind::Transcription => RawFrame::binary(vec![0; LARGE]),
    };
    session.upstream.send(&frame).await;
    stage.deciding().await;
    let decided = Instant::now();
    session.near.set(Direction::Down, Fault::Pass);
    session.both_learn(decided, (Some("GATEWAY_OVERLOADED"), Some(1013), ""), (Some(1000), "")).await;
    stage.ended("overloaded", Level::Warn).await;
}

/// The program is asked to stop: between turns at once, in a turn or without any when the time for them is over.
pub(super) async fn stops(kind: Kind) {
    for in_its_turn in [false, true] {
        let mut stage = Stage::start(kind, "").await;
        let mut session = stage.open().await;
        if in_its_turn {
            let audio = match kind {
                Kind::Translated => RawFrame::text(&frames::output_audio_delta(&[0; 960]).to_string()),
                Kind::Agent | Kind::Transcription => RawFrame::binary([0; 960]),
            };
            session.upstream.send(&RawFrame::text(r#"{"type":"AgentStartedSpeaking"}"#)).await;
            session.upstream.send(&audio).await;
            session.client.expect_opcode(BINARY, 1).await;
        }
        let asked = Instant::now();
        stage.gateway.terminate().await;
        let waits = in_its_turn || kind == Kind::Transcription;
        let since = if waits { asked + LIMIT } else { asked };
        session.client.expect_said("SERVER_GOING_AWAY", 1).await;
        assert_eq!(asked.elapsed() >= LIMIT, waits, "{:?}", asked.elapsed());
        session.both_learn(since, (Some("SERVER_GOING_AWAY"), Some(1012), ""), (Some(1000), "")).await;
        assert_eq!(stage.gateway.exit(s(5)).await, Some(0));
        stage.assert_logged("shutdown", Level::Info);
    }
}
