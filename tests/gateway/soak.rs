//! Many sessions with random faults on both legs, after which nothing of them is left. Knows of a session how it is
//! disturbed, and of the gateway what it holds.

use std::collections::BTreeMap;
use std::env;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use crate::faults::conversation::{Tempo, converse};
use crate::faults::stage::Kind;
use crate::peers::fault_proxy::{Cut, Direction, Fault, FaultProxy, Link};
use crate::peers::gateway::Gateway;
use crate::peers::raw::{RawPeer, RawUpstream};
use crate::peers::raw_frame::RawFrame;
use crate::peers::{eventually, ms, s};

/// Sessions if the environment does not say how many.
const SESSIONS: usize = 300;
/// Sessions at a time, each on a backend of its own.
const LANES: usize = 8;
/// Sessions after which the gateway has allocated what it keeps for as long as it runs.
const WARM_UP: usize = 160;
/// How much resident memory may grow meanwhile, bytes: what an allocator keeps in pieces, whatever the number of
/// sessions.
const GROWTH: usize = 4 * 1024 * 1024;
/// What a whole conversation is on each leg and in each direction at most, bytes.
const WHOLE: u64 = 140_000;

/// A backend, its upstream and the network on both sides of the gateway.
struct Lane {
    number: usize,
    kind: Kind,
    upstream: RawUpstream,
    near: FaultProxy,
    far: FaultProxy,
}

/// How a session is disturbed or ended.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    /// A leg is cut after some bytes.
    CutNear(Direction, Fault),
    CutFar(Direction, Fault),
    /// A leg is bad and the conversation goes on.
    BadNear(Fault),
    BadFar(Fault),
    /// A leg is silently dead for a while, and is cut then.
    DeadNear,
    DeadFar,
    /// A direction of a leg ends.
    HalfNear(Direction),
    HalfFar(Direction),
    /// Bytes that are no frame.
    ClientGarbage,
    UpstreamGarbage,
    /// The header of a frame of 1 GiB.
    ClientHuge,
    UpstreamHuge,
    UpstreamCloses(u16),
    /// The dial is answered with a status.
    Refused(&'static str),
    /// The client says nothing until a time is over.
    Mute,
}

/// Random numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    fn trouble(&mut self) -> Trouble {
        let direction = self.one_of(&Direction::BOTH);
        let how = self.one_of(&[Cut::Fin, Cut::Reset]);
        let cut = Fault::CutAfter(self.below(WHOLE) as usize, how);
        let bad = self.one_of(&[Fault::Latency(ms(5)), Fault::Throttle(2_000_000), Fault::Stall]);
        match self.below(32) {
            0..=3 => Trouble::None,
            4..=7 => Trouble::CutNear(direction, cut),
            8..=11 => Trouble::CutFar(direction, cut),
            12..=13 => Trouble::BadNear(bad),
            14..=15 => Trouble::BadFar(bad),
            16 => Trouble::DeadNear,
            17 => Trouble::DeadFar,
            18..=19 => Trouble::HalfNear(direction),
            20..=21 => Trouble::HalfFar(direction),
            22 => Trouble::ClientGarbage,
            23 => Trouble::UpstreamGarbage,
            24 => Trouble::ClientHuge,
            25 => Trouble::UpstreamHuge,
            26..=28 => Trouble::UpstreamCloses(self.one_of(&[1000, 1001, 1011, 4000])),
            29..=30 => Trouble::Refused(self.one_of(&["401 No", "429 No", "503 No"])),
            _ => Trouble::Mute,
        }
    }
}

impl Lane {
    fn path(&self) -> String {
        format!("/lane-{}{}", self.number, if self.kind == Kind::Transcription { "/v1/listen" } else { "" })
    }

    /// One session from its upgrade to the end of both of its sockets.
    async fn session(&self, trouble: Trouble) {
        for direction in Direction::BOTH {
            let fault = match trouble {
                Trouble::CutFar(cut, fault) if cut == direction => fault,
                _ => Fault::Pass,
            };
            self.far.set(direction, fault);
        }
        let (near, far) = (self.near.links() + 1, self.far.links() + 1);
        let mut client = RawPeer::connect(self.near.port(), &self.path(), "").await;
        let (near, far) = (self.near.link(near).await, self.far.link(far).await);
        if let Trouble::Refused(status) = trouble {
            self.upstream.dialled().await.refuse(status, "").await;
            return end(client).await;
        }
        let accepted = async { timeout(s(2), self.upstream.accept_whole()).await.ok() };
        let upstream = tokio::select! {
            upstream = accepted => upstream,
            _ = far.over() => None,
        };
        let Some(mut upstream) = upstream else {
            self.upstream.forget().await;
            return end(client).await;
        };
        self.live(trouble, &mut client, &mut upstream, &near, &far).await;
        tokio::join!(end(client), end(upstream));
    }

    async fn live(
        &self,
        trouble: Trouble,
        client: &mut RawPeer,
        upstream: &mut RawPeer,
        near: &Link,
        far: &Link,
    ) {
        match trouble {
            Trouble::CutNear(direction, fault) => near.set(direction, fault),
            Trouble::HalfNear(direction) => near.set(direction, Fault::End),
            Trouble::HalfFar(direction) => far.set(direction, Fault::End),
            Trouble::BadNear(Fault::Stall) => pause(near),
            Trouble::BadFar(Fault::Stall) => pause(far),
            Trouble::BadNear(fault) => near.set_both(fault),
            Trouble::BadFar(fault) => far.set_both(fault),
            Trouble::DeadNear => die(near),
            Trouble::DeadFar => die(far),
            Trouble::ClientGarbage => return client.send_bytes(b"\x83\x81\0\0\0\0x", 1).await,
            Trouble::UpstreamGarbage => return upstream.send_bytes(b"\x83\x01x", 1).await,
            Trouble::ClientHuge => return client.send_bytes(b"\x82\xff\0\0\0\0\x40\0\0\0abcd", 3).await,
            Trouble::UpstreamHuge => return upstream.send_bytes(b"\x82\x7f\0\0\0\0\x40\0\0\0", 3).await,
            Trouble::Mute if self.kind != Kind::Transcription => return,
            Trouble::None
            | Trouble::CutFar(..)
            | Trouble::UpstreamCloses(_)
            | Trouble::Refused(_)
            | Trouble::Mute => {}
        }
        if self.kind == Kind::Transcription {
            transcribe(client, upstream).await;
        } else {
            converse(self.kind, Tempo::Fast, client, upstream).await;
        }
        // A side that cannot be told is cut; the dead are cut by their network.
        if let Trouble::UpstreamCloses(code) = trouble {
            upstream.send(&RawFrame::close(Some(code), "that was all")).await;
        } else {
            client.send(&RawFrame::close(Some(1000), "")).await;
        }
    }
}

/// Nothing passes for a while.
fn pause(link: &Link) {
    link.set_both(Fault::Stall);
    later(link.clone(), |link| link.set_both(Fault::Pass));
}

/// Nothing passes ever again, and after a while the network says so.
fn die(link: &Link) {
    link.set_both(Fault::Swallow);
    later(link.clone(), |link| link.cut(Cut::Reset));
}

fn later(link: Link, then: impl FnOnce(&Link) + Send + 'static) {
    tokio::spawn(async move {
        sleep(ms(200)).await;
        then(&link);
    });
}

/// Audio up, words down.
async fn transcribe(client: &mut RawPeer, upstream: &mut RawPeer) {
    for words in 1..=20 {
        client.send(&RawFrame::binary([0; 960])).await;
        upstream.send(&RawFrame::text("{\"type\":\"Results\"}")).await;
        let all = |frames: &[_]| frames.len() >= words;
        if !upstream.comes_to("audio", all).await || !client.comes_to("words", all).await {
            return;
        }
    }
}

/// Waits for the end of a side, answers its close, and is gone.
async fn end(mut peer: RawPeer) {
    if peer.comes_to("its end", |_| false).await {
        return;
    }
    let close = peer.frames().into_iter().find(|frame| !frame.is_data());
    if let Some(close) = close {
        peer.send(&RawFrame::close(close.closes_with().0, "")).await;
    }
}

/// Sessions on every lane until there have been so many.
async fn run(lanes: &[Lane], count: usize, seed: u64) {
    join_all(lanes.iter().map(async |lane| {
        let mut random = Random(seed.wrapping_mul(LANES as u64).wrapping_add(lane.number as u64));
        for _ in (lane.number..count).step_by(LANES) {
            let trouble = random.trouble();
            let session = timeout(s(30), lane.session(trouble));
            let ended = session.await;
            assert!(ended.is_ok(), "{:?} with {trouble:?} does not end", lane.kind);
        }
    }))
    .await;
}

/// Every connection of the log with the causes of its ends.
fn sessions(log: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut sessions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in log.lines() {
        let Some((_, fields)) = line.split_once("] conn=") else { continue };
        let connection = fields.split(' ').next().expect("a split has a first");
        if fields.contains(" connected path=") {
            sessions.entry(connection).or_default();
        } else if let Some((_, cause)) = fields.split_once(" session ended cause=") {
            let cause = cause.split(' ').next().expect("a split has a first");
            sessions.entry(connection).or_default().push(cause);
        }
    }
    sessions
}

/// Waits until so many sessions have ended, each once, and tells how.
async fn causes(gateway: &Gateway, count: usize) -> BTreeMap<String, usize> {
    let all = async || {
        let log = gateway.log();
        (log.matches(" session ended cause=").count() >= count).then_some(log)
    };
    let log = eventually("end of every session", s(20), all).await;
    let sessions = sessions(&log);
    assert_eq!(sessions.len(), count, "connections");
    let mut causes = BTreeMap::new();
    for (connection, ends) in sessions {
        let [cause] = ends.as_slice() else { panic!("{connection} has ended with {ends:?}") };
        *causes.entry((*cause).to_owned()).or_default() += 1;
    }
    causes
}

#[tokio::test]
async fn nothing_is_left_of_sessions_with_random_faults() {
    let variable = |name| env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let count = variable("VOXBRIDGE_SOAK_SESSIONS").map_or(SESSIONS, |count| count as usize);
    let seed = variable("VOXBRIDGE_SOAK_SEED").unwrap_or(1);
    println!("{count} sessions, VOXBRIDGE_SOAK_SEED={seed}");

    let mut toml = "[server]\nhost = \"127.0.0.1\"\nport = 0\n\
        [limits]\nsettings_timeout_s = 1\nmax_session_s = 20\n"
        .to_owned();
    let mut parts = Vec::new();
    for number in 0..LANES {
        let upstream = RawUpstream::start().await;
        let far = FaultProxy::start(upstream.port()).await;
        let kind = Kind::ALL[number % Kind::ALL.len()];
        toml += &kind.backend(
            &format!("lane-{number}"),
            &format!("/lane-{number}"),
            far.port(),
            "dial_attempts = 1",
        );
        parts.push((number, kind, upstream, far));
    }
    let gateway = Gateway::start_with(&toml, &[("RUST_LOG", "info")]).await;
    let mut lanes = Vec::new();
    for (number, kind, upstream, far) in parts {
        let near = FaultProxy::start(gateway.port()).await;
        lanes.push(Lane { number, kind, upstream, near, far });
    }

    run(&lanes, WARM_UP, !seed).await;
    let warm = causes(&gateway, WARM_UP).await;
    // What remains of the last of them is on its way out.
    sleep(s(3)).await;
    let (files, threads) = gateway.files_and_threads();
    let memory = gateway.resident_memory();

    run(&lanes, count, seed).await;
    let mut causes = causes(&gateway, WARM_UP + count).await;
    warm.into_iter().for_each(|(cause, count)| *causes.get_mut(&cause).expect("they only grow") -= count);
    gateway.assert_nothing_left((files, threads), s(10)).await;
    let after = (gateway.files_and_threads(), gateway.resident_memory());
    println!("descriptors {files} before, {} after", after.0.0);
    println!("threads {threads} before, {} after", after.0.1);
    println!("resident memory {} KiB before, {} KiB after", memory / 1024, after.1 / 1024);
    causes.iter().for_each(|(cause, count)| println!("{count:>6} {cause}"));
    assert_eq!(causes.values().sum::<usize>(), count);
    assert!(causes.len() >= 8 || count < SESSIONS, "only {causes:?}");
    let growth = after.1.saturating_sub(memory);
    assert!(growth < GROWTH, "resident memory grew by {} KiB", growth / 1024);
}
