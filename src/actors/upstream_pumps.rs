//! Frames in and out of upstream's socket, as it takes and gives them. Knows nothing of what they say.

use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
};

use actix::{ActorContext, Context, fut::ActorFuture};
use actix_http::ws::{Frame, Item};

use super::{upstream_session::UpstreamSession, upstream_socket::ReadError};
use crate::gate::{Input, Leg};

/// Reads frames for as long as the leg lives. It is polled whenever anything happens to the actor.
pub(super) struct ReadPump;

impl ActorFuture<UpstreamSession> for ReadPump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        act: &mut UpstreamSession,
        context: &mut Context<UpstreamSession>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let mut bytes = 0;
        for _ in 0..FRAMES_PER_TURN {
            if act.paused {
                return Poll::Pending;
            }
            if act.leaving {
                return Poll::Ready(());
            }
            let Some(socket) = &mut act.socket else { return Poll::Ready(()) };
            match socket.poll_frame(task) {
                Poll::Pending => {
                    act.waits(context);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(frame)) => {
                    bytes += payload_bytes(&frame);
                    act.frame(frame, context);
                }
                Poll::Ready(Err(error)) => act.read_failed(error, context),
            }
            if bytes >= BYTES_PER_TURN {
                break;
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

fn payload_bytes(frame: &Frame) -> usize {
    match frame {
        Frame::Text(payload) | Frame::Binary(payload) | Frame::Ping(payload) | Frame::Pong(payload) => {
            payload.len()
        }
        Frame::Continuation(
            Item::FirstText(payload)
            | Item::FirstBinary(payload)
            | Item::Continue(payload)
            | Item::Last(payload),
        ) => payload.len(),
        Frame::Close(_) => 0,
    }
}

/// Writes what is queued. Everything that was queued since the last poll goes in as few writes as the
/// socket allows.
pub(super) struct WritePump;

impl ActorFuture<UpstreamSession> for WritePump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        act: &mut UpstreamSession,
        context: &mut Context<UpstreamSession>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let Some(socket) = &mut act.socket else { return Poll::Ready(()) };
        let (weight, state) = socket.poll_write(task);
        if let Some(weight) = weight {
            act.tell(Input::Delivered { leg: Leg::Upstream, bytes: weight }, context);
        }
        match state {
            Poll::Ready(Err(_)) => {
                act.read_failed(ReadError::Ended, context);
                context.stop();
                Poll::Ready(())
            }
            // What had to be said has been said.
            Poll::Ready(Ok(())) if act.leaving => {
                // To end the socket over unread bytes would be a reset, which may overtake the close frame.
                if act.unread
                    && let Some(socket) = &mut act.socket
                {
                    ready!(socket.poll_end(task));
                }
                context.stop();
                Poll::Ready(())
            }
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

/// Frames that are taken in one go before the other actors of the thread have their turn.
const FRAMES_PER_TURN: usize = 16;
/// The same in bytes: so much more than the client's budget may arrive before the gate can say stop.
const BYTES_PER_TURN: usize = 16 * 1024;
