//! The drain of passed-through sessions: an agent's ends with its turn, a transcription when the drain is over.

use std::time::Duration;

use super::stage::{Ends, PATH, Stage};
use crate::peers::raw::RawUpstream;
use crate::peers::raw_frame::RawFrame;

const DRAIN_OF_1_S: [(&str, &str); 1] = [("VOXBRIDGE__SERVER__DRAIN_TIMEOUT_S", "1")];
const WITHIN: Duration = Duration::from_secs(3);

/// A piece of the agent's audio, and a text of upstream.
fn audio() -> RawFrame {
    RawFrame::binary([7; 480])
}

fn text(kind: &str) -> RawFrame {
    RawFrame::text(&format!("{{\"type\":\"{kind}\"}}"))
}

/// An agent in the middle of an answer: it has two frames of it.
async fn in_its_turn(stage: &Stage) -> Ends {
    let mut ends = stage.agent().await;
    ends.upstream.send(&text("AgentStartedSpeaking")).await;
    ends.upstream.send(&audio()).await;
    ends.client.expect_data(2).await;
    ends
}

/// The gateway says goodbye to both sides, which answer.
async fn expect_goodbye(ends: &mut Ends) {
    assert_eq!(ends.client.expect_close().await.0, Some(1012));
    assert!(ends.client.has_seen("SERVER_GOING_AWAY"));
    assert_eq!(ends.upstream.expect_close().await.0, Some(1000));
    ends.upstream.send(&RawFrame::close(Some(1000), "")).await;
    ends.client.send(&RawFrame::close(Some(1012), "")).await;
}

#[tokio::test]
async fn an_answer_is_finished_before_its_session_ends() {
    let mut stage = Stage::start("").await;
    let mut idle = stage.agent().await;
    let mut ends = in_its_turn(&stage).await;
    stage.gateway.terminate().await;
    stage.gateway.expect_log(&["INFO", "draining sessions=2 at_most_s=25"], WITHIN).await;
    expect_goodbye(&mut idle).await;
    let rest = [audio(), audio(), text("AgentAudioDone")];
    ends.upstream.send_all(&rest, usize::MAX).await;
    expect_goodbye(&mut ends).await;
    let data: Vec<_> = ends.client.data().iter().map(|frame| (**frame).clone()).collect();
    assert_eq!(data[2..5], rest, "what came before the end");
    assert_eq!(data.len(), 6, "the last is the end's own");
    assert_eq!(stage.gateway.exit(WITHIN).await, Some(0));
}

#[tokio::test]
async fn a_turn_without_an_end_and_a_transcription_are_cut_when_the_drain_is_over() {
    let mut stage = Stage::start_at(RawUpstream::start().await, "", &DRAIN_OF_1_S).await;
    let mut agent = in_its_turn(&stage).await;
    let mut transcription = stage.connect(&format!("{PATH}/v1/listen")).await;
    stage.gateway.terminate().await;
    stage.gateway.expect_log(&["INFO", "stopping sessions=2"], WITHIN).await;
    for ends in [&mut agent, &mut transcription] {
        expect_goodbye(ends).await;
    }
    assert_eq!(stage.gateway.exit(WITHIN).await, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_both_at_once() {
    let mut stage = Stage::start("").await;
    let mut agent = in_its_turn(&stage).await;
    let mut transcription = stage.connect(&format!("{PATH}/v1/listen")).await;
    stage.gateway.terminate().await;
    stage.gateway.expect_log(&["INFO", "draining sessions=2 "], WITHIN).await;
    stage.gateway.terminate().await;
    for ends in [&mut agent, &mut transcription] {
        expect_goodbye(ends).await;
    }
    assert_eq!(stage.gateway.exit(WITHIN).await, Some(0));
}
