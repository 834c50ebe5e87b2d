//! The gateway with one passed-through backend, between a client and an upstream of single frames.
//! Knows its configuration, and nothing of what is said through it.

use tokio::join;

use crate::peers::gateway::Gateway;
use crate::peers::raw::{RawPeer, RawUpstream};
use crate::peers::raw_frame::RawFrame;

/// Where the backend is served.
pub(super) const PATH: &str = "/dg";
/// The backend's key, as it stands nowhere else.
pub(super) const KEY: &str = "canary-key-7f3a9c";
/// Settings that have nothing of the component's, written in a way that no serializer has.
pub(super) const SETTINGS: &str =
    "{ \"type\" : \"Settings\",\"agent\":{\"think\":{ } },  \"audio\":{\"x\":1.0e0}}";

/// A gateway and its upstream.
pub(super) struct Stage {
    pub(super) gateway: Gateway,
    pub(super) upstream: RawUpstream,
}

/// Both sides of one connection.
pub(super) struct Ends {
    pub(super) client: RawPeer,
    pub(super) upstream: RawPeer,
}

impl Stage {
    /// A backend in the dialect of Deepgram, with more lines.
    pub(super) async fn start(lines: &str) -> Self {
        Self::start_at(RawUpstream::start().await, lines, &[]).await
    }

    /// The same in front of this upstream, with some environment.
    pub(super) async fn start_at(upstream: RawUpstream, lines: &str, environment: &[(&str, &str)]) -> Self {
        let url = upstream.url("/v1/agent/converse");
        let toml = format!(
            "[server]\nhost = \"127.0.0.1\"\nport = 0\n\
             [[backends]]\nname = \"deepgram\"\nkind = \"deepgram-agent\"\npath = \"{PATH}\"\nurl = \"{url}\"\n\
             api_key = \"{KEY}\"\ndialect = \"deepgram\"\n{lines}\n"
        );
        Self { gateway: Gateway::start_with(&toml, environment).await, upstream }
    }

    /// A client of this path and query, and what upstream sees of it.
    pub(super) async fn connect(&self, target: &str) -> Ends {
        self.connect_with(target, "").await
    }

    /// The same, the client with more header lines.
    pub(super) async fn connect_with(&self, target: &str, headers: &str) -> Ends {
        let client = RawPeer::connect(self.gateway.port(), target, headers);
        let (client, upstream) = join!(client, self.upstream.accept());
        Ends { client, upstream }
    }

    /// A client of the agent, whose Settings have gone through.
    pub(super) async fn agent(&self) -> Ends {
        let mut ends = self.connect(PATH).await;
        ends.open().await;
        ends
    }

    /// What upstream is asked for when a client asks for this.
    pub(super) async fn forwarded(&self, target: &str) -> String {
        self.connect(target).await.upstream.head.target().to_owned()
    }
}

impl Ends {
    /// Sends Settings, which have to arrive as they are.
    pub(super) async fn open(&mut self) {
        let settings = RawFrame::text(SETTINGS);
        self.client.send(&settings).await;
        assert_eq!(*self.upstream.expect_data(1).await[0], settings);
    }

    /// Ends the connection from the client's side; what was sent before has arrived then, and nothing else comes.
    pub(super) async fn finish(&mut self) {
        self.client.send(&RawFrame::close(Some(1000), "done")).await;
        assert_eq!(self.upstream.expect_close().await, (Some(1000), "done".to_owned()));
        self.upstream.send(&RawFrame::close(Some(1000), "done")).await;
        assert_eq!(self.client.expect_close().await.0, Some(1000));
        self.upstream.expect_end().await;
    }
}
