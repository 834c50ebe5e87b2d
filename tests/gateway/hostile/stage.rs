//! One backend of either kind between a client and an upstream of single frames, and frames with any header.

use tokio::join;

use crate::peers::gateway::Gateway;
use crate::peers::raw::{RawPeer, RawUpstream};
use crate::peers::raw_frame::{PONG, RawFrame};

const PATH: &str = "/hostile";

/// What the gateway does with what its backend says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Translated,
    PassedThrough,
}

pub(super) struct Stage {
    pub(super) gateway: Gateway,
    upstream: RawUpstream,
}

impl Stage {
    /// A gateway with more sections of configuration.
    pub(super) async fn start(kind: Kind, sections: &str) -> Self {
        let upstream = RawUpstream::start().await;
        let url = upstream.url("/v1");
        let kind = match kind {
            Kind::Translated => "openai-realtime",
            Kind::PassedThrough => "deepgram-agent",
        };
        let toml = format!(
            "[server]\nhost = \"127.0.0.1\"\nport = 0\n{sections}\n\
             [[backends]]\nname = \"one\"\nkind = \"{kind}\"\npath = \"{PATH}\"\nurl = \"{url}\"\n"
        );
        Self { gateway: Gateway::start(&toml).await, upstream }
    }

    /// A client, and what is behind the gateway for it.
    pub(super) async fn connect(&self) -> (RawPeer, RawPeer) {
        let client = RawPeer::connect(self.gateway.port(), PATH, "");
        join!(client, self.upstream.accept())
    }

    /// Somebody else is served, whatever happened to others.
    pub(super) async fn assert_serves(&self) {
        let (mut client, _upstream) = self.connect().await;
        client.send(&RawFrame::ping("are you there?")).await;
        client.expect(&RawFrame::new(PONG, true, "are you there?")).await;
    }
}

/// A frame that begins with this byte: FIN, RSV1 to RSV3 and opcode (RFC 6455, 5.2).
pub(super) fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mask_bit = if masked { 0x80 } else { 0 };
    let mut wire = vec![first];
    match payload.len() {
        length @ 0..=125 => wire.push(mask_bit | length as u8),
        length @ 126..=0xffff => {
            wire.push(mask_bit | 126);
            wire.extend((length as u16).to_be_bytes());
        }
        length => {
            wire.push(mask_bit | 127);
            wire.extend((length as u64).to_be_bytes());
        }
    }
    if masked {
        let key = [1, 2, 3, 4];
        wire.extend(key);
        wire.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        wire.extend(payload);
    }
    wire
}
