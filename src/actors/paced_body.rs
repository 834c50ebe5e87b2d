//! The body of an upgraded response in pieces. Such a body gives all that is queued in one chunk, which
//! may take a slow client many seconds; in pieces the gate can see that the client reads all the time.

use std::{
    error::Error,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix::Recipient;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

use super::{
    budget::{Account, Part},
    messages::FromLeg,
};
use crate::gate::{Input, Leg};

/// What the server is given at once, bytes. It asks for more when it has less than twice that.
const PIECE: usize = 16 * 1024;

pub(super) struct PacedBody {
    body: BoxBody,
    rest: Bytes,
    gate: Recipient<FromLeg>,
    /// What the rest takes.
    account: Rc<Account>,
}

impl PacedBody {
    pub(super) fn new(body: BoxBody, gate: Recipient<FromLeg>, account: Rc<Account>) -> Self {
        Self { body, rest: Bytes::new(), gate, account }
    }
}

impl MessageBody for PacedBody {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(task)) {
                Some(Ok(chunk)) => self.rest = chunk,
                end => return Poll::Ready(end),
            }
        } else {
            // Who is gone needs no progress.
            let _ = self.gate.try_send(FromLeg(Input::Delivered { leg: Leg::Client, bytes: 0 }));
        }
        let piece = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(piece);
        self.account.hold(Part::Body, self.rest.len());
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::Arc};

    use actix::{Actor, Context as ActorContext, Handler};

    use super::*;
    use crate::actors::Budget;

    struct Gate;

    impl Actor for Gate {
        type Context = ActorContext<Self>;
    }

    impl Handler<FromLeg> for Gate {
        type Result = ();

        fn handle(&mut self, _: FromLeg, _: &mut Self::Context) {}
    }

    #[actix_web::test]
    async fn what_the_socket_has_still_to_take_counts_until_it_is_taken() {
        let budget = Arc::new(Budget::new(1 << 30));
        let body = BoxBody::new(Bytes::from(vec![7; 2 * PIECE + 100]));
        let mut body = PacedBody::new(body, Gate.start().recipient(), Account::open(&budget));
        for left in [PIECE + 100, 100, 0] {
            let piece = poll_fn(|task| Pin::new(&mut body).poll_next(task)).await;
            assert!(piece.is_some_and(|piece| piece.is_ok()));
            assert_eq!(budget.held(), left);
        }
    }
}
