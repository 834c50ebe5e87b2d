//! One thousand interrupted answers in one session, against the built-in simulator, which refuses what the API
//! refuses: a truncation past the end, a cancel of nothing, a second response. Time passes in audio, so that a
//! session of hours takes seconds. And one against a mock, event by event.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::peers::client::Client;
use crate::peers::frames;
use crate::peers::gateway::{Config, Gateway, PATH};
use crate::peers::journal::{Journal, What};
use crate::peers::row::Row;
use crate::peers::s;
use crate::peers::script::Script;
use crate::peers::sound::plain_settings;

/// 24 kHz PCM.
const BYTES_PER_MS: usize = 48;
const TURNS: usize = 1_000;

/// The simulator on the gateway's own listener, with this turn detection and this pace of its voice: at 16 an
/// answer is still being made when it is interrupted, at 1000 it is over and merely plays.
async fn gateway(interrupt_response: bool, audio_speed: u32) -> Gateway {
    let url = format!("self:/sim/openai?audio_speed={audio_speed}");
    let detection = format!(
        "turn_detection = {{ type = \"server_vad\", silence_duration_ms = 100, \
         interrupt_response = {interrupt_response} }}"
    );
    Config::for_url(&url).backend(&detection).section("[simulator]\nenabled = true").start().await
}

/// Audio that the simulator takes for speech.
fn loud(ms: usize) -> Vec<u8> {
    let samples = (0..ms * BYTES_PER_MS / 2).map(|n| if n % 2 == 0 { 6_000_i16 } else { -6_000 });
    samples.flat_map(i16::to_le_bytes).collect()
}

/// Waits for the first entry from `from` on that is wanted; where it stands.
async fn after(client: &Client, from: usize, what: &str, wanted: impl Fn(&What) -> bool) -> usize {
    let look = |journal: &Journal| {
        let mut entries = journal.entries.iter().enumerate().skip(from);
        entries.find(|(_, entry)| wanted(&entry.what)).map(|(index, _)| index)
    };
    client.wait_for(what, s(10), look).await
}

fn is(kind: &'static str) -> impl Fn(&What) -> bool {
    move |what| what.kind() == Some(kind)
}

/// Lets the agent begin to speak and the user speak over it, again and again, and what was typed with it:
/// sometimes during the answer, during the user's speech, or right behind it.
async fn talk_over(client: &mut Client, turns: usize) {
    client.inject("Tell me a story").await;
    let mut from = 0;
    for turn in 0..turns {
        let started = after(client, from, "AgentStartedSpeaking", is("AgentStartedSpeaking")).await;
        let heard = after(client, started, "audio", |what| matches!(what, What::Binary(_))).await;
        if turn % 7 == 1 {
            client.inject("And another thing").await;
        }
        client.send_binary(loud(80)).await;
        from = after(client, heard, "UserStartedSpeaking", is("UserStartedSpeaking")).await;
        if turn % 7 == 3 {
            client.inject("I was saying").await;
        }
        client.send_silence(140 * BYTES_PER_MS).await;
        if turn % 7 == 5 {
            client.inject("Are you listening?").await;
        }
    }
    // The last answer is left alone.
    after(client, from, "the last answer's end", is("AgentAudioDone")).await;
}

/// What the client must have had, whatever the server was quick or slow at.
fn assert_clean(journal: &Journal, turns: usize) {
    journal.assert_no_error();
    assert_eq!(journal.count("Warning"), 0);
    assert_eq!(journal.count("UserStartedSpeaking"), turns);
    let (mut speaking, mut texts) = (false, 0);
    for (index, entry) in journal.entries.iter().enumerate() {
        match &entry.what {
            What::Binary(_) => assert!(speaking, "audio of an answer that was cut off, at {index}"),
            What::Json(message) => match message["type"].as_str() {
                Some("AgentStartedSpeaking") => {
                    assert!(!speaking, "an answer within another, at {index}");
                    (speaking, texts) = (true, 0);
                }
                Some("AgentAudioDone") => speaking = false,
                Some("UserStartedSpeaking") => {
                    assert!(!speaking, "the answer that was cut off has not ended, at {index}");
                }
                Some("ConversationText") if message["role"] == "assistant" => {
                    texts += 1;
                    assert!(
                        speaking && texts == 1,
                        "a text that belongs to no answer, or a second, at {index}"
                    );
                }
                _ => {}
            },
            other => panic!("{other} at {index}"),
        }
    }
}

/// Numbers out of the gateway's log, which at debug has a line for each message.
struct Log {
    errors: usize,
    lost_cancels: usize,
    cancels: usize,
    truncates: usize,
    truncated: usize,
}

impl Log {
    fn of(gateway: &Gateway) -> Self {
        let log = gateway.log();
        let count = |part: &str| log.matches(part).count();
        Self {
            errors: count("dir=upstream type=error"),
            lost_cancels: count("dir=upstream type=error code=response_cancel_not_active"),
            cancels: count(">upstream=response.cancel"),
            truncates: count(">upstream=conversation.item.truncate"),
            truncated: count("dir=upstream type=conversation.item.truncated"),
        }
    }
}

/// A session of so many interrupted answers; what the gateway says of it afterwards.
async fn interrupted(interrupt_response: bool, audio_speed: u32, turns: usize) -> Log {
    let gateway = gateway(interrupt_response, audio_speed).await;
    let began = Instant::now();
    let mut client = Client::connect(&gateway.url(PATH)).await;
    client.open_with(&plain_settings()).await;
    talk_over(&mut client, turns).await;
    let journal = client.journal();
    client.close(1000, "").await;
    gateway.expect_log(&["session ended cause=client_closed"], s(5)).await;
    let took: Duration = began.elapsed();
    println!("{turns} interrupted answers in {took:?}");
    assert_clean(&journal, turns);
    let log = Log::of(&gateway);
    assert_eq!(log.errors, log.lost_cancels, "upstream refused something");
    assert_eq!(log.truncates, log.truncated, "a truncation was not accepted");
    assert_eq!(log.truncates, turns, "every answer was playing when the user spoke");
    let lost = format!(" lost_cancels={}", log.lost_cancels);
    assert_eq!(gateway.log().contains(&lost), log.lost_cancels > 0);
    log
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_thousand_answers_that_upstream_interrupts() {
    let log = interrupted(true, 16, TURNS).await;
    assert_eq!(log.cancels, 0, "upstream cancels by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_thousand_answers_that_we_interrupt() {
    let log = interrupted(false, 16, TURNS).await;
    assert!(log.cancels >= TURNS / 2, "only {} of {TURNS} ran when the user spoke", log.cancels);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_over_and_still_play() {
    for interrupt_response in [true, false] {
        let log = interrupted(interrupt_response, 1_000, TURNS / 10).await;
        // What is over cannot be cancelled, and what upstream interrupts need not be.
        let too_many = if interrupt_response { 1 } else { TURNS / 10 };
        assert!(log.cancels < too_many, "{} cancels", log.cancels);
    }
}

/// A configuration that lets the agent finish: the user is heard, and nothing is cut off.
#[tokio::test]
async fn what_is_not_interrupted_is_not_truncated() {
    let gateway = gateway(true, 1_000).await;
    let mut client = Client::connect(&gateway.url(PATH)).await;
    client.open_with(&plain_settings()).await;
    client.send_binary(loud(80)).await;
    client.expect("UserStartedSpeaking", s(5)).await;
    client.send_silence(140 * BYTES_PER_MS).await;
    client.expect("AgentAudioDone", s(5)).await;
    let journal = client.journal();
    assert_clean(&journal, 1);
    let spoken: Vec<&Value> = journal.all("ConversationText").map(|(_, text)| text).collect();
    assert!(spoken.iter().any(|text| text["role"] == "assistant"), "{journal}");
    let log = Log::of(&gateway);
    assert_eq!((log.errors, log.cancels, log.truncates), (0, 0, 0));
}

/// One answer is played, the next one runs and lies behind it at the client: that one is cancelled, and the one that
/// plays is cut where the client can have heard it, not past its end.
#[tokio::test]
async fn the_response_that_runs_is_cancelled_and_the_item_that_plays_is_cut() {
    let quiet = Script { response_after: s(3_600), ..Script::default() };
    let ours = "turn_detection = { type = \"server_vad\", interrupt_response = false }";
    let mut row = Row::connected_to(quiet, |config| config.backend(ours)).await;
    row.client.open_with(&plain_settings()).await;
    let peer = row.mock.peer(1).await;
    const FIRST_MS: usize = 20_000;
    for (response, item, length_ms) in [("resp_1", "item_1", FIRST_MS), ("resp_2", "item_2", 500)] {
        peer.send(&json!({"type": "response.created", "response": {"id": response}}));
        let mut delta = frames::output_audio_delta(&vec![0; length_ms * BYTES_PER_MS]);
        delta["response_id"] = json!(response);
        delta["item_id"] = json!(item);
        peer.send(&delta);
        if response == "resp_1" {
            peer.send(&json!({"type": "response.done", "response": {"id": response, "status": "completed"}}));
        }
    }
    let both = |journal: &Journal| (journal.count("AgentStartedSpeaking") == 2).then_some(());
    row.client.wait_for("both answers", s(5), both).await;
    peer.send(&frames::speech_started());
    let cut = row.mock.expect("conversation.item.truncate", s(2)).await;
    assert_eq!((&cut["item_id"], &cut["content_index"]), (&json!("item_1"), &json!(0)));
    assert!(cut["audio_end_ms"].as_u64().is_some_and(|ms| ms < FIRST_MS as u64), "{cut}");
    let cancel = row.mock.expect("response.cancel", s(2)).await;
    assert_eq!(cancel["response_id"], "resp_2");
    row.client.expect("UserStartedSpeaking", s(2)).await;
    row.client.journal().assert_no_error();
}
