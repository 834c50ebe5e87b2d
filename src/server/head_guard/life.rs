//! What a connection is good for: requests first, then perhaps a WebSocket, and nothing after that. Knows nothing of what
//! either says.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    web::Bytes,
};

/// The part of its life that a connection is in. A handle: its clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::server) struct Life(Rc<Cell<Part>>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Part {
    /// It answers requests.
    #[default]
    Requests,
    /// It is a WebSocket, and whoever writes to it looks after its peer.
    WebSocket,
    /// Everything is said, and the peer is waiting for our end of the connection (RFC 6455, 7.1.1).
    Over,
}

impl Life {
    pub(super) fn part(&self) -> Part {
        self.0.get()
    }

    /// From now on the connection is a WebSocket, which says what `body` gives and is over with it.
    pub(in crate::server) fn becomes_websocket(&self, body: BoxBody) -> BoxBody {
        self.0.set(Part::WebSocket);
        WebSocketBody { body, life: self.clone() }.boxed()
    }
}

struct WebSocketBody {
    body: BoxBody,
    life: Life,
}

impl MessageBody for WebSocketBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(task)
    }
}

impl Drop for WebSocketBody {
    fn drop(&mut self) {
        self.life.0.set(Part::Over);
    }
}
