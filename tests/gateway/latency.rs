//! How long audio takes through the gateway and back. Sockets that wait for acknowledgements show as
//! stalls of 40 ms.

use tokio::time::{Duration, Instant, interval};

use crate::peers::ms;
use crate::peers::row::Row;
use crate::peers::s;
use crate::peers::script::Script;
use crate::peers::sound::{counted, heard, plain_settings};

/// 20 ms of 24 kHz PCM.
const FRAME: usize = 960;
const FRAMES: usize = 100;
/// Frames that are sent back to back: the second is the one that would wait.
const BURST: usize = 2;

#[tokio::test]
async fn audio_comes_back_without_stalls() {
    let mut row = Row::opened_with(Script { echo: true, ..Script::default() }, &plain_settings()).await;
    let audio = counted(FRAME * FRAMES);
    let mut sent = Vec::new();
    let mut clock = interval(ms(20));
    for burst in audio.chunks(FRAME * BURST) {
        clock.tick().await;
        for frame in burst.chunks(FRAME) {
            sent.push(Instant::now());
            row.client.send_binary(frame.to_vec()).await;
        }
    }
    let all = |journal: &crate::peers::journal::Journal| {
        (journal.binaries().count() == FRAMES).then(|| journal.clone())
    };
    let journal = row.client.wait_for("all of the audio", s(5), all).await;
    assert!(heard(&journal) == audio, "the audio came back changed");
    let arrived = journal.binaries().map(|(index, _)| journal.entries[index].at);
    let mut took: Vec<Duration> = arrived.zip(sent).map(|(arrived, sent)| arrived - sent).collect();
    took.sort_unstable();
    let (half, nearly_all) = (took[FRAMES / 2], took[FRAMES * 99 / 100]);
    println!("{BURST} frames every 20 ms, round trip: p50 {half:?}, p99 {nearly_all:?}");
    // Half of the frames would stall, if any did; a busy machine delays a few.
    assert!(took[FRAMES * 6 / 10] < ms(35), "p50 {half:?}, p99 {nearly_all:?}");
}
