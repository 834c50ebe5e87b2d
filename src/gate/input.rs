//! Everything that can happen to a connection, as data.

use bytes::Bytes;

use crate::protocol::{DecodeError, Frame, agent::ClientMessage, ids::CallId, realtime::ServerEvent};

/// One thing that happened. Garbage from a peer is an input too: what to do about it is a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The client's WebSocket is open.
    ClientConnected,
    /// A ping or pong of the client, or a fragment of its message.
    ClientAlive,
    /// The peer of a leg is there, as far as a part of a frame or, of upstream, a ping or pong shows it.
    Heard(Leg),
    /// A text frame of the client.
    Client(ClientMessage),
    /// A binary frame of the client.
    ClientAudio(Bytes),
    /// A text frame of the client that is no message.
    ClientMalformed(DecodeError),
    /// A data frame of the client, where frames are passed through.
    ClientFrame(Frame),
    /// The client's WebSocket is gone.
    ClientClosed(LegEnd),
    /// The upstream's WebSocket is open.
    UpstreamOpened,
    /// The upstream could not be reached, after every attempt.
    UpstreamRefused(UpstreamError),
    /// An event of upstream.
    Upstream(ServerEvent),
    /// A frame of upstream that is no event.
    UpstreamMalformed(DecodeError),
    /// A data frame of upstream, where frames are passed through.
    UpstreamFrame(Frame),
    /// The upstream's WebSocket is gone. `unix_s` is the time of day in seconds since 1970.
    UpstreamClosed {
        /// How it went.
        end: LegEnd,
        /// When, to be compared with `session.expires_at`.
        unix_s: u64,
    },
    /// A function that `Effect::Execute` asked for is over.
    FunctionFinished {
        /// The call.
        call_id: CallId,
        /// What it returned, or why it returned nothing, for the model.
        outcome: Result<String, String>,
    },
    /// A leg has handed frames of this total weight to its socket.
    Delivered {
        /// Which leg.
        leg: Leg,
        /// The weights of the frames, as the effects carried them; 0 if it was part of one.
        bytes: usize,
    },
    /// Time has passed.
    Timeout,
    /// Whether memory is short in the whole process: then the connection is to hold little.
    Squeeze(bool),
    /// There is no more memory for all connections together, and this one holds more than its share.
    Overload,
    /// The program is asked to stop: the connection may finish its turn.
    Drain,
    /// The program stops.
    Shutdown,
}

impl Input {
    /// Whose peer shows by this that it is there.
    pub(super) fn heard_from(&self) -> Option<Leg> {
        match self {
            Self::Heard(leg) => Some(*leg),
            Self::ClientConnected => Some(Leg::Client),
            Self::UpstreamOpened
            | Self::Upstream(_)
            | Self::UpstreamMalformed(_)
            | Self::UpstreamFrame(_) => Some(Leg::Upstream),
            message if message.is_message_of_client() => Some(Leg::Client),
            _ => None,
        }
    }

    /// Whether this counts against the number of messages that the client may send.
    pub(super) fn is_message_of_client(&self) -> bool {
        matches!(
            self,
            Self::Client(_)
                | Self::ClientAudio(_)
                | Self::ClientMalformed(_)
                | Self::ClientFrame(_)
                | Self::ClientAlive
        )
    }
}

/// One side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leg {
    /// The side of the client.
    Client,
    /// The side of the vendor.
    Upstream,
}

/// How a leg's socket ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegEnd {
    /// With a close frame; no code is 1005.
    Closed {
        /// WebSocket close code.
        code: Option<u16>,
        /// The peer's reason.
        reason: String,
    },
    /// Without one: reset, cut, or dead.
    Vanished,
    /// It announced or sent more than the limit, bytes.
    TooLarge {
        /// The limit that was passed.
        limit: usize,
    },
    /// It broke the WebSocket protocol.
    ProtocolError(String),
}

/// Why upstream could not be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamError {
    /// No connection: refused, no such name, no route, TLS.
    Unreachable(String),
    /// Nothing within the time limit.
    TimedOut,
    /// The upgrade was answered with this HTTP status.
    Status(u16),
}
