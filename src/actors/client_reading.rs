//! What is read of a client, and when: the body of its upgrade as the WebSocket codec may see it. Knows nothing of what frames
//! say.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use actix::Recipient;
use actix_web::{error::PayloadError, web};
use bytes::Bytes;
use futures_util::Stream;

use super::{
    budget::{Account, Part},
    messages::FromLeg,
};
use crate::{
    gate::{Input, Leg},
    websocket::{FrameGuard, Unacceptable},
};

/// Turns the reading of a client off and on. It is off as well while a frame that was read has still to be looked at: the
/// stream of messages would read on and on before it gives the first of them, and the gate could not say stop.
#[derive(Default)]
pub(super) struct ReadSwitch {
    paused: Cell<bool>,
    /// A frame is read and not looked at.
    unseen: Cell<bool>,
    /// What comes is read and thrown away.
    lost: Cell<bool>,
    /// Bytes of a frame that is not whole.
    begun: Cell<usize>,
    /// Bytes of the fragments that wait for the rest of their message.
    joined: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl ReadSwitch {
    pub(super) fn pause(&self) {
        self.paused.set(true);
    }

    pub(super) fn resume(&self) {
        self.paused.set(false);
        self.wake();
    }

    /// From now on everything that comes is thrown away, so that the client can get rid of it and read why.
    pub(super) fn lose(&self) {
        self.lost.set(true);
        self.wake();
    }

    fn is_off(&self) -> bool {
        !self.lost.get() && (self.paused.get() || self.unseen.get())
    }

    /// A frame is looked at. Nobody has to be woken: whoever looked at it asks for the next one at once.
    pub(super) fn seen(&self) {
        self.unseen.set(false);
    }

    /// What waits for the rest of its message is of so many bytes.
    pub(super) fn joined(&self, bytes: usize) {
        self.joined.set(bytes);
    }

    /// Whether what comes is thrown away.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.get()
    }

    /// Bytes of what is not whole.
    pub(super) fn kept(&self) -> usize {
        self.begun.get() + self.joined.get()
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The request's body as the WebSocket codec may see it: frame by frame, within the limit, and nothing while
/// reading is off. A broken connection is simply its end. Behind a header over the limit everything is
/// read and thrown away, so that the peer can get rid of it and read why.
pub(super) struct GuardedPayload {
    pub(super) payload: web::Payload,
    /// What has come and is not read.
    pub(super) rest: Bytes,
    pub(super) guard: FrameGuard,
    pub(super) reading: Rc<ReadSwitch>,
    /// Set once a frame is over the limit.
    pub(super) too_large: Rc<Cell<bool>>,
    pub(super) gate: Recipient<FromLeg>,
    /// What the message that is not whole takes.
    pub(super) account: Rc<Account>,
}

impl Stream for GuardedPayload {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.reading.is_off() {
                self.reading.waker.replace(Some(task.waker().clone()));
                return Poll::Pending;
            }
            if self.rest.is_empty() {
                // The server feeds this body, and then polls the answer's, of which it is a part, in the same task: to be
                // woken for that would be to be polled twice for each frame.
                match Pin::new(&mut self.payload).poll_next(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Some(Ok(chunk))) => self.rest = chunk,
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                }
            }
            if self.too_large.get() || self.reading.lost.get() {
                self.rest = Bytes::new();
                continue;
            }
            let Self { guard, rest, .. } = &mut *self;
            match guard.follow_one(rest) {
                Ok((bytes, ended)) => {
                    let chunk = rest.split_to(bytes);
                    self.reading.unseen.set(ended);
                    self.reading.begun.set(self.guard.unfinished());
                    self.account.hold(Part::Client, self.reading.kept());
                    if !ended {
                        // Who is slow is not silent. Who is gone is told by others.
                        let _ = self.gate.try_send(FromLeg(Input::Heard(Leg::Client)));
                    }
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Err(Unacceptable::TooLarge) => {
                    self.too_large.set(true);
                    return Poll::Ready(Some(Err(PayloadError::Overflow)));
                }
                Err(broken @ Unacceptable::ControlFrame) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, broken.reason());
                    return Poll::Ready(Some(Err(PayloadError::Io(error))));
                }
            }
        }
    }
}
