//! What all connections may hold together, and how many messages of each are read: many clients that read nothing, and
//! messages that never end, from either side; who goes on, who is ended, who is let in. On both kinds of backend.

use base64_simd::STANDARD;
use futures_util::future::join_all;
use serde_json::json;
use tokio::join;
use tokio::time::{Instant, sleep};

use crate::peers::frames;
use crate::peers::gateway::{Config, Gateway};
use crate::peers::http::{Connection, UPGRADE};
use crate::peers::raw::{RawPeer, RawUpstream};
use crate::peers::raw_frame::{CONTINUATION, RawFrame, Side, TEXT};
use crate::peers::sound::counted;
use crate::peers::{eventually, ms, s};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Connections that are to hold more than there is.
const GREEDY: usize = 40;
/// What each of them may hold on each side; all of it would be ten times as much as there is.
const LEG: usize = 2 * MIB;
/// What all connections together may hold.
const PROCESS: usize = 8 * MIB;
/// What the process needs beside that: buffers of sockets and actors of so many connections, and what the allocator
/// cannot give back at once.
const BESIDES: usize = GREEDY * 768 * KIB;

/// How a backend is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Translated,
    PassedThrough,
}

/// A gateway with one backend, whose upstream's connections the test holds.
struct Stage {
    kind: Kind,
    gateway: Gateway,
    upstream: RawUpstream,
}

/// Both sides of one connection, opened.
struct Pair {
    client: RawPeer,
    upstream: RawPeer,
    kind: Kind,
    turns: u32,
}

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::Translated => "/openai",
            Self::PassedThrough => "/dg",
        }
    }

    fn audio(self, audio: &[u8]) -> RawFrame {
        match self {
            Self::Translated => RawFrame::text(&frames::output_audio_delta(audio).to_string()),
            Self::PassedThrough => RawFrame::binary(audio),
        }
    }
}

impl Stage {
    async fn start(kind: Kind, limits: &str, ping_interval_s: usize) -> Self {
        let upstream = RawUpstream::start().await;
        let config = match kind {
            Kind::Translated => Config::for_url(&upstream.url("/v1/realtime")),
            Kind::PassedThrough => Config::passed_through(&upstream.url("/v1/agent/converse"), kind.path()),
        };
        let config = config
            .backend("dialect = \"deepgram\"")
            .backend(&format!("ping_interval_s = {ping_interval_s}"))
            .section(&format!("[limits]\n{limits}"));
        let stage = Self { kind, gateway: config.start().await, upstream };
        // What the first connection loads.
        stage.open().await.goes_on().await;
        stage
    }

    /// One with little memory, in which a leg that is stuck is ended after this time.
    async fn with_little_memory(kind: Kind, slow_client_timeout_s: usize) -> Self {
        let limits = format!(
            "process_bytes = {PROCESS}\nleg_bytes = {LEG}\nmax_message_bytes = {}\n\
             slow_client_timeout_s = {slow_client_timeout_s}",
            2 * LEG
        );
        Self::start(kind, &limits, 0).await
    }

    async fn open(&self) -> Pair {
        let client = RawPeer::connect(self.gateway.port(), self.kind.path(), "");
        let (mut client, mut upstream) = join!(client, self.upstream.accept());
        let format = json!({"encoding": "linear16", "sample_rate": 24000});
        let settings = json!({"type": "Settings", "audio": {"input": format, "output": format}, "agent": {}});
        client.send(&RawFrame::text(&settings.to_string())).await;
        upstream.expect_data(1).await;
        let opened = match self.kind {
            Kind::Translated => frames::session_updated(),
            Kind::PassedThrough => json!({"type": "SettingsApplied"}),
        };
        upstream.send(&RawFrame::text(&opened.to_string())).await;
        client.expect_seen("SettingsApplied").await;
        Pair { client, upstream, kind: self.kind, turns: 0 }
    }

    async fn open_many(&self) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for _ in 0..GREEDY {
            pairs.push(self.open().await);
        }
        pairs
    }

    fn ended(&self, cause: &str) -> usize {
        self.gateway.log().matches(&format!("session ended cause={cause} ")).count()
    }

    /// Whether somebody new is let in.
    async fn admits(&self) -> bool {
        let mut connection = Connection::open(self.gateway.port()).await;
        connection.head("GET", self.kind.path(), UPGRADE).await;
        let answer = connection.answer().await;
        if answer.status == 101 {
            // The gateway dials for it as for anybody.
            drop(self.upstream.dialled().await);
            return true;
        }
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (503, Some("overloaded")));
        assert_eq!(answer.header("retry-after"), Some("5"));
        false
    }

    /// What its memory grew by at most, beside what it may.
    fn assert_growth(&self, before: usize) {
        let growth = self.gateway.highest_memory().saturating_sub(before);
        println!("{:?}: resident memory grew by {} KiB", self.kind, growth / KIB);
        assert!(growth < PROCESS + BESIDES, "resident memory grew by {} KiB", growth / KIB);
    }
}

impl Pair {
    /// 20 ms of audio each way, which have to arrive.
    async fn goes_on(&mut self) {
        self.turns += 1;
        let audio = self.turns.to_le_bytes().repeat(240);
        let frame = RawFrame::binary(audio.clone());
        self.client.send(&frame).await;
        match self.kind {
            Kind::Translated => self.upstream.expect_seen(&STANDARD.encode_to_string(&audio)).await,
            Kind::PassedThrough => self.upstream.expect(&frame).await,
        }
        self.upstream.send(&self.kind.audio(&audio)).await;
        self.client.expect(&frame).await;
    }
}

/// Does this while a healthy connection goes on and on.
async fn beside<T>(healthy: &mut Pair, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = healthy.goes_on() => sleep(ms(20)).await,
        }
    }
}

/// Upstream pours audio at clients that read nothing.
async fn stuck_clients(kind: Kind) {
    let stage = Stage::with_little_memory(kind, 3).await;
    let mut healthy = stage.open().await;
    let mut pairs = stage.open_many().await;
    let before = stage.gateway.resident_memory();
    assert!(stage.admits().await);
    let audio = vec![kind.audio(&[0; 16 * KIB]); 2 * LEG / (16 * KIB)];
    let pouring = join_all(pairs.iter_mut().map(async |pair| {
        pair.client.stop_reading();
        pair.upstream.send_all(&audio, usize::MAX).await;
    }));
    let refused = eventually("refusal", s(10), async || (!stage.admits().await).then_some(()));
    beside(&mut healthy, async { join!(pouring, refused) }).await;
    let everybody = async || {
        let ended = stage.ended("client_too_slow") + stage.ended("overloaded");
        (ended == GREEDY).then_some(())
    };
    beside(&mut healthy, eventually("end of every stuck session", s(20), everybody)).await;
    eventually("place", s(5), async || stage.admits().await.then_some(())).await;
    healthy.goes_on().await;
    stage.assert_growth(before);
}

#[tokio::test]
async fn clients_that_read_nothing_share_what_there_is() {
    stuck_clients(Kind::Translated).await;
}

#[tokio::test]
async fn clients_that_read_nothing_of_what_is_passed_through_share_what_there_is() {
    stuck_clients(Kind::PassedThrough).await;
}

/// Who sends a message that does not end, and how.
#[derive(Clone, Copy, Debug)]
enum Endless {
    /// The client, in fragments.
    Fragments,
    /// The client, one frame, of which the rest does not come.
    Frame,
    /// Upstream, in fragments.
    FragmentsOfUpstream,
    /// Upstream, one frame.
    FrameOfUpstream,
}

impl Endless {
    /// So many bytes of it, as the sender's frames or, of one frame, as its beginning.
    async fn send(self, pair: &mut Pair, bytes: usize) {
        const FRAGMENT: usize = 16 * KIB;
        let (peer, side) = match self {
            Self::Fragments | Self::Frame => (&mut pair.client, Side::Client),
            Self::FragmentsOfUpstream | Self::FrameOfUpstream => (&mut pair.upstream, Side::Server),
        };
        match self {
            Self::Fragments | Self::FragmentsOfUpstream => {
                let fragment =
                    |n| RawFrame::new(if n == 0 { TEXT } else { CONTINUATION }, false, vec![b'x'; FRAGMENT]);
                let fragments: Vec<_> = (0..bytes / FRAGMENT).map(fragment).collect();
                peer.send_all(&fragments, usize::MAX).await;
            }
            Self::Frame | Self::FrameOfUpstream => {
                // A byte is left out.
                let mut wire = Vec::new();
                RawFrame::binary(vec![7; bytes]).write(side, &mut wire);
                let (_, begin) = wire.split_last().expect("a frame has bytes");
                peer.send_bytes(begin, 4 * KIB).await;
            }
        }
    }
}

/// Many such messages together are more than there is; each is less than a message may be.
async fn endless_messages(kind: Kind, endless: Endless) {
    let stage = Stage::with_little_memory(kind, 30).await;
    let mut healthy = stage.open().await;
    let mut pairs = stage.open_many().await;
    let before = stage.gateway.resident_memory();
    let sending = join_all(pairs.iter_mut().map(async |pair| endless.send(pair, LEG).await));
    beside(&mut healthy, sending).await;
    // All of it is ten times what there is.
    let ended = async || (stage.ended("overloaded") >= GREEDY / 2).then_some(());
    beside(&mut healthy, eventually("end of those who hold most", s(10), ended)).await;
    stage.assert_growth(before);
    let ended = stage.ended("overloaded");
    assert!(ended < GREEDY, "everybody is ended");
    let told = async || {
        let told = pairs.iter().filter(|pair| pair.client.has_seen("GATEWAY_OVERLOADED")).count();
        (told >= ended).then_some(())
    };
    eventually("word to those who were ended", s(5), told).await;
    drop(pairs);
    eventually("place", s(5), async || stage.admits().await.then_some(())).await;
    healthy.goes_on().await;
}

#[tokio::test]
async fn fragments_of_clients_that_never_end_count() {
    endless_messages(Kind::Translated, Endless::Fragments).await;
}

#[tokio::test]
async fn frames_of_clients_that_never_end_count() {
    endless_messages(Kind::Translated, Endless::Frame).await;
}

#[tokio::test]
async fn fragments_of_upstreams_that_never_end_count() {
    endless_messages(Kind::Translated, Endless::FragmentsOfUpstream).await;
}

#[tokio::test]
async fn frames_of_upstreams_that_never_end_count() {
    endless_messages(Kind::Translated, Endless::FrameOfUpstream).await;
}

#[tokio::test]
async fn frames_that_never_end_and_are_to_be_passed_through_count() {
    endless_messages(Kind::PassedThrough, Endless::Frame).await;
}

#[tokio::test]
async fn frames_of_upstreams_that_never_end_and_are_to_be_passed_through_count() {
    endless_messages(Kind::PassedThrough, Endless::FrameOfUpstream).await;
}

/// More messages at once than are read in a second. The client says nothing else for that time, answers no ping, and is
/// found to be neither idle nor silent before they are read.
async fn message_rate(kind: Kind) {
    const MESSAGES: usize = 1_000;
    const PER_S: usize = 200;
    let stage = Stage::start(kind, &format!("messages_per_s = {PER_S}\nidle_timeout_s = 1"), 1).await;
    let Pair { mut client, mut upstream, .. } = stage.open().await;
    let audio = counted(4 * MESSAGES);
    let messages: Vec<_> = audio.chunks(4).map(RawFrame::binary).collect();
    let before = upstream.data().len();
    let began = Instant::now();
    client.send_all(&messages, usize::MAX).await;
    let mut came = Vec::new();
    while came.len() < MESSAGES {
        // Upstream is not silent either.
        upstream.send(&RawFrame::ping([])).await;
        sleep(ms(100)).await;
        came = upstream.data().split_off(before);
        assert!(began.elapsed() < s(20), "{} messages came", came.len());
        assert!(!client.has_seen("idle_timeout") && !client.has_seen("client_silent"), "ended");
    }
    let took = began.elapsed();
    assert!(took >= s((MESSAGES - PER_S) as u64) / PER_S as u32, "all of them in {took:?}");
    let messages = messages.iter().map(|message| match kind {
        Kind::Translated => STANDARD.encode_to_string(&message.payload).into_bytes(),
        Kind::PassedThrough => message.payload.clone(),
    });
    for (number, (came, sent)) in came.iter().zip(messages).enumerate() {
        let is_there = came.payload.windows(sent.len()).any(|bytes| bytes == sent);
        assert!(is_there, "message {number} arrived as {came:?}");
    }
    // It still is a session.
    client.send(&RawFrame::close(Some(1000), "")).await;
    assert_eq!(upstream.expect_close().await.0, Some(1000));
}

#[tokio::test]
async fn messages_over_the_rate_wait_and_none_is_lost() {
    message_rate(Kind::Translated).await;
}

#[tokio::test]
async fn messages_over_the_rate_wait_and_are_passed_through_in_order() {
    message_rate(Kind::PassedThrough).await;
}
