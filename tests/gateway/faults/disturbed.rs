//! A conversation through a network that is slow, late or interrupted: whatever it does, everything arrives, whole and
//! in order, as it does undisturbed.

use tokio::time::sleep;

use super::conversation::{Reached, Received, Tempo, converse, received};
use super::stage::{Kind, Session, Stage};
use crate::peers::fault_proxy::{Direction, Fault, Link};
use crate::peers::raw_frame::RawFrame;
use crate::peers::{eventually, ms, s};

/// Just above the rate of the audio: 48,000 bytes a second, which are 64,000 as base64, in messages of 20 ms each.
const ABOVE_AUDIO: usize = 80_000;

/// What both sides have received, and what had to go through each leg for it, up and down.
struct Outcome {
    client: Vec<Received>,
    upstream: Vec<Received>,
    near: [usize; 2],
    far: [usize; 2],
}

/// One conversation, during which this is done to the network.
async fn held(stage: &Stage, disturb: impl AsyncFnOnce(&Link, &Link)) -> Outcome {
    let mut session = stage.connect().await;
    let (near, far) = (session.near.clone(), session.far.clone());
    let Session { client, upstream, .. } = &mut session;
    let (reached, ()) =
        tokio::join!(converse(stage.kind, Tempo::Natural, client, upstream), disturb(&near, &far));
    assert_eq!(reached, Reached::Whole, "{:?} {:?}", client.frames(), upstream.frames());
    let passed = |link: &Link| Direction::BOTH.map(|direction| link.passed(direction));
    let (near, far) = (passed(&near), passed(&far));
    let outcome = Outcome { client: received(client), upstream: received(upstream), near, far };
    client.send(&RawFrame::close(Some(1000), "")).await;
    assert_eq!(upstream.expect_close().await.0, Some(1000));
    // Nothing came behind what the conversation waited for.
    assert_eq!(
        (received(client).len(), received(upstream).len()),
        (outcome.client.len(), outcome.upstream.len())
    );
    outcome
}

/// The same conversation twice, undisturbed and with this done to the network: nobody notices.
async fn is_the_same(kind: Kind, disturb: impl AsyncFnOnce(&Link, &Link, &Outcome)) {
    let stage = Stage::start(kind, "").await;
    let undisturbed = held(&stage, async |_, _| ()).await;
    assert!(undisturbed.client.len() > 40 && undisturbed.upstream.len() > 25, "too little was said");
    let disturbed = held(&stage, async |near, far| disturb(near, far, &undisturbed).await).await;
    for (side, before, after) in [
        ("client", &undisturbed.client, &disturbed.client),
        ("upstream", &undisturbed.upstream, &disturbed.upstream),
    ] {
        let differs = before.iter().zip(after).position(|(before, after)| before != after);
        if let Some(at) = differs {
            panic!("the {side}'s message {at} was {:?} and is {:?}", before[at], after[at]);
        }
        assert_eq!(before.len(), after.len(), "the {side} has not received as much");
    }
}

/// Both legs and both directions at once.
async fn under(kind: Kind, fault: Fault) {
    is_the_same(kind, async |near, far, _| [near, far].iter().for_each(|link| link.set_both(fault))).await;
}

/// Each leg and direction in its turn stops for 3 s in the middle of speech, and goes on.
async fn with_pauses(kind: Kind) {
    const PAUSE: std::time::Duration = s(3);
    let pause = async |link: &Link, direction: Direction, whole: usize| {
        // A quarter is in the middle of speech, whichever way it goes.
        eventually("speech", s(10), async || (link.passed(direction) > whole / 4).then_some(())).await;
        link.set(direction, Fault::Stall);
        sleep(PAUSE).await;
        link.set(direction, Fault::Pass);
    };
    let one = async |leg: usize, direction: Direction| {
        is_the_same(kind, async |near, far, undisturbed| {
            let (link, whole) = [(near, undisturbed.near), (far, undisturbed.far)][leg];
            pause(link, direction, whole[direction as usize]).await;
        })
        .await;
    };
    tokio::join!(
        one(0, Direction::Up),
        one(0, Direction::Down),
        one(1, Direction::Up),
        one(1, Direction::Down)
    );
}

#[tokio::test]
async fn byte_by_byte_translated() {
    under(Kind::Translated, Fault::ByteByByte).await;
}

#[tokio::test]
async fn byte_by_byte_passed_through() {
    under(Kind::Agent, Fault::ByteByByte).await;
}

#[tokio::test]
async fn late_by_200_ms_translated() {
    under(Kind::Translated, Fault::Latency(ms(200))).await;
}

#[tokio::test]
async fn late_by_200_ms_passed_through() {
    under(Kind::Agent, Fault::Latency(ms(200))).await;
}

#[tokio::test]
async fn as_slow_as_the_audio_translated() {
    under(Kind::Translated, Fault::Throttle(ABOVE_AUDIO)).await;
}

#[tokio::test]
async fn as_slow_as_the_audio_passed_through() {
    under(Kind::Agent, Fault::Throttle(ABOVE_AUDIO)).await;
}

#[tokio::test]
async fn with_a_pause_of_3_s_translated() {
    with_pauses(Kind::Translated).await;
}

#[tokio::test]
async fn with_a_pause_of_3_s_passed_through() {
    with_pauses(Kind::Agent).await;
}
