//! The gateway with one backend between two fault proxies, behind them a client and an upstream of single frames, and
//! what an ending looks like to each of them and in the log. Knows no cause of an ending.

use std::cell::Cell;
use std::time::Duration;

use serde_json::Value;
use tokio::join;
use tokio::time::Instant;

use crate::peers::fault_proxy::{FaultProxy, Link};
use crate::peers::frames;
use crate::peers::gateway::Gateway;
use crate::peers::raw::{Dialled, RawPeer, RawUpstream};
use crate::peers::raw_frame::{PONG, RawFrame, TEXT};
use crate::peers::sound::plain_settings;
use crate::peers::{eventually, s};

/// How soon a side learns of an end.
pub(super) const LEARNS: Duration = s(2);

/// What a client came for, and so by which kind of backend it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A conversation, translated.
    Translated,
    /// A conversation, passed through.
    Agent,
    /// A transcription, passed through.
    Transcription,
}

/// How the log takes an ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Warn,
}

/// A gateway and the network around it.
pub(super) struct Stage {
    pub(super) kind: Kind,
    pub(super) gateway: Gateway,
    /// Between client and gateway.
    pub(super) near: FaultProxy,
    /// Between gateway and upstream.
    pub(super) far: FaultProxy,
    pub(super) upstream: RawUpstream,
    /// Files of the gateway without a session.
    files: usize,
    sessions: Cell<usize>,
}

/// Both sides of one connection and the network between them.
pub(super) struct Session {
    pub(super) client: RawPeer,
    pub(super) upstream: RawPeer,
    pub(super) near: Link,
    pub(super) far: Link,
    kind: Kind,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Translated, Self::Agent, Self::Transcription];

    /// The kind of a test, by its name.
    pub(super) fn named(name: &str) -> Self {
        let is = |kind: &Self| format!("{kind:?}").eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(is).expect("tests are named by the kinds")
    }

    /// Where its clients connect.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Translated => "/openai",
            Self::Agent => "/dg",
            Self::Transcription => "/dg/v1/listen",
        }
    }

    /// A backend for it, which is dialled at this port, with more lines.
    pub(crate) fn backend(self, name: &str, path: &str, port: u16, lines: &str) -> String {
        let (kind, target) = match self {
            Self::Translated => ("openai-realtime", "/v1/realtime"),
            Self::Agent | Self::Transcription => ("deepgram-agent", "/v1/agent/converse"),
        };
        format!(
            "[[backends]]\nname = \"{name}\"\nkind = \"{kind}\"\npath = \"{path}\"\n\
             url = \"ws://127.0.0.1:{port}{target}\"\n{lines}\n"
        )
    }
}

impl Stage {
    /// With more lines of the backend.
    pub(super) async fn start(kind: Kind, lines: &str) -> Self {
        let upstream = RawUpstream::start().await;
        let far = FaultProxy::start(upstream.port()).await;
        let path = if kind == Kind::Translated { kind.path() } else { "/dg" };
        let backend = kind.backend("backend", path, far.port(), lines);
        let toml = format!("[server]\nhost = \"127.0.0.1\"\nport = 0\nworkers = 1\n{backend}");
        // What is decided because time has passed is told by `trace` alone.
        let log = ("RUST_LOG", "debug");
        let drain = ("VOXBRIDGE__SERVER__DRAIN_TIMEOUT_S", "1");
        let gateway = Gateway::start_with(&toml, &[log, drain]).await;
        let near = FaultProxy::start(gateway.port()).await;
        let mut stage =
            Self { kind, gateway, near, far, upstream, files: usize::MAX, sessions: Cell::new(0) };
        let mut first = stage.open().await;
        let closed = Instant::now();
        first.client.send(&RawFrame::close(Some(1000), "")).await;
        first.both_learn(closed, (None, Some(1000), ""), (Some(1000), "")).await;
        stage.ended("client_closed", Level::Info).await;
        stage.files = stage.gateway.files_and_threads().0;
        stage
    }

    /// A client and what comes of its upstream's upgrade.
    pub(super) async fn dial(&self) -> (RawPeer, Dialled) {
        self.sessions.set(self.sessions.get() + 1);
        join!(RawPeer::connect(self.near.port(), self.kind.path(), ""), self.upstream.dialled())
    }

    /// A client alone, whose upstream is out of reach.
    pub(super) async fn client(&self) -> RawPeer {
        self.sessions.set(self.sessions.get() + 1);
        RawPeer::connect(self.near.port(), self.kind.path(), "").await
    }

    /// A connection of which nobody has said anything.
    pub(super) async fn connect(&self) -> Session {
        let (client, dialled) = self.dial().await;
        let upstream = dialled.accept().await;
        // Until the gateway knows its upstream, the connection is only being dialled.
        let opened = async || (self.lines(" type=(opened)") >= self.sessions.get()).then_some(());
        eventually("upstream for the gateway", s(5), opened).await;
        let (near, far) = join!(self.near.link(self.near.links()), self.far.link(self.far.links()));
        Session { client, upstream, near, far, kind: self.kind }
    }

    /// A connection after its opening.
    pub(super) async fn open(&self) -> Session {
        let mut session = self.connect().await;
        session.open().await;
        session
    }

    /// Waits for the log line of the session that began last. It has this cause and level, no session has had two, and
    /// nothing of any is left.
    pub(super) async fn ended(&self, cause: &str, level: Level) {
        let all = async || (self.ends().len() >= self.sessions.get()).then_some(());
        eventually("line of the end", s(5), all).await;
        let files = async || (self.gateway.files_and_threads().0 <= self.files).then_some(());
        eventually("files as before", s(5), files).await;
        self.assert_logged(cause, level);
    }

    /// Looks at the same once the program has ended.
    pub(super) fn assert_logged(&self, cause: &str, level: Level) {
        let ends = self.ends();
        assert_eq!(ends.len(), self.sessions.get(), "not one end for each session: {ends:?}");
        let line = ends.last().expect("there was a session");
        let word = if level == Level::Info { " INFO " } else { " WARN " };
        assert!(line.contains(&format!(" cause={cause} ")) && line.contains(word), "not {cause}: {line}");
    }

    /// How many lines of the log have this.
    fn lines(&self, part: &str) -> usize {
        self.gateway.log().lines().filter(|line| line.contains(part)).count()
    }

    fn ends(&self) -> Vec<String> {
        let log = self.gateway.log();
        log.lines().filter(|line| line.contains(" session ended ")).map(str::to_owned).collect()
    }

    /// Waits until the end of the session that began last is decided; `ended` has more to say of it.
    pub(super) async fn deciding(&self) {
        let decided = async || {
            let log = self.gateway.log();
            let is_decision = |line: &&str| line.contains("->Closing") && !line.contains("Closing->Closing");
            (log.lines().filter(is_decision).count() >= self.sessions.get()).then_some(())
        };
        eventually("decision", s(10), decided).await;
    }
}

impl Session {
    /// What is said before a session is ready.
    pub(super) async fn open(&mut self) {
        if self.kind == Kind::Transcription {
            self.upstream.send(&RawFrame::text("{}")).await;
            self.client.expect_data(1).await;
            return;
        }
        self.client.send(&RawFrame::text(&plain_settings().to_string())).await;
        self.upstream.expect_data(1).await;
        if self.kind == Kind::Translated {
            self.upstream.send(&RawFrame::text(&frames::session_updated().to_string())).await;
            self.client.expect_said("SettingsApplied", 1).await;
        }
    }

    /// Both sides are told of an end in time, and answer: the client by this `Error`, code and reason, upstream by
    /// this code and reason.
    pub(super) async fn both_learn(
        &mut self,
        since: Instant,
        (error, code, reason): (Option<&str>, Option<u16>, &str),
        upstream: (Option<u16>, &str),
    ) {
        join!(
            learns(&mut self.client, since, error, (code, reason)),
            learns(&mut self.upstream, since, None, upstream)
        );
    }

    /// The client is told of an end in time, and answers.
    pub(super) async fn client_learns(
        &mut self,
        since: Instant,
        error: Option<&str>,
        close: (Option<u16>, &str),
    ) {
        learns(&mut self.client, since, error, close).await;
    }

    /// Upstream is told of an end in time, and answers.
    pub(super) async fn upstream_learns(&mut self, since: Instant, close: (Option<u16>, &str)) {
        learns(&mut self.upstream, since, None, close).await;
    }
}

/// Asks the gateway for a sign of life and gets it: the gateway has heard of this peer after the time that is returned,
/// however long the opening took.
pub(super) async fn is_heard(peer: &mut RawPeer) -> Instant {
    let before = Instant::now();
    peer.send(&RawFrame::ping(*b"?")).await;
    peer.expect_opcode(PONG, 1).await;
    before
}

/// A peer learns of an end in time and answers the close.
pub(super) async fn learns(
    peer: &mut RawPeer,
    since: Instant,
    error: Option<&str>,
    (code, reason): (Option<u16>, &str),
) {
    let told = peer.expect_close().await;
    // The test may have been busy meanwhile.
    let after = peer.closed_at().expect("it has just come").saturating_duration_since(since);
    assert_eq!((told.0, told.1.as_str()), (code, reason));
    assert!(after < LEARNS, "told {after:?} after the cause");
    let texts: Vec<Value> = peer
        .data()
        .iter()
        .filter(|frame| frame.opcode == TEXT)
        .map(|frame| serde_json::from_slice(&frame.payload).expect("text is JSON"))
        .collect();
    let errors: Vec<_> =
        texts.iter().filter(|text| text["type"] == "Error").map(|error| error["code"].as_str()).collect();
    assert_eq!(errors, error.iter().copied().map(Some).collect::<Vec<_>>());
    if error.is_some() {
        assert_eq!(
            texts.last().map(|text| &text["type"]),
            Some(&"Error".into()),
            "the Error was not the last"
        );
    }
    peer.send(&RawFrame::close(code, "")).await;
    // The gateway would wait a while for a client to do so.
    peer.hang_up().await;
    peer.expect_end().await;
}
