//! What crosses mailboxes. Every frame carries the weight that the gate gave it; the leg gives the weight
//! back once the frame is in its socket.

use actix::Message;
use bytes::Bytes;

use crate::{
    gate::Input,
    protocol::{Frame, agent::ServerMessage, ids::EventId, realtime::ClientEvent},
};

/// A leg tells the gate what happened.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromLeg(pub(crate) Input);

/// The program is asked to stop: the connection ends when its turn is over.
#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
pub struct Drain;

/// The program stops: the connection ends.
#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
pub struct Shutdown;

/// The gate tells the client's leg.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum ToClient {
    /// Send a text frame.
    Message { message: Box<ServerMessage>, weight: usize },
    /// Send a binary frame; none if it is empty.
    Audio { audio: Bytes, weight: usize },
    /// Send a frame as it is.
    Frame { frame: Frame, weight: usize },
    /// Send a ping.
    Ping,
    /// Close.
    Close { code: u16, reason: String },
}

/// The gate tells the upstream's leg.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum ToUpstream {
    /// Dial.
    Open,
    /// Send an event.
    Event { event: Box<ClientEvent>, weight: usize },
    /// Send audio in upstream's format as an append; none if it is empty.
    Append { event_id: EventId, audio: Bytes, weight: usize },
    /// Send text as it is.
    Raw { json: String, weight: usize },
    /// Send a frame as it is.
    Frame { frame: Frame, weight: usize },
    /// Send a ping.
    Ping,
    /// Read nothing until `Resume`.
    Pause,
    /// Read again.
    Resume,
    /// Read nothing any more, and keep nothing of what is not whole.
    Forget,
    /// Close.
    Close { code: u16, reason: String },
    /// Cut.
    HangUp,
}
