//! The client's leg: its WebSocket, as an actix-web-actors actor. Knows nothing of upstream.
//!
//! Such an actor is the body of its HTTP response and is not polled while the client reads nothing, so
//! nothing that must happen then lives here: no timer, no decision.

use std::{cell::Cell, rc::Rc, sync::Arc};

use actix::{Actor, ActorContext, Addr, AsyncContext, Handler, Recipient, StreamHandler};
use actix_http::ws::Codec;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{
    CloseCode, CloseReason, Message, ProtocolError, WebsocketContext, WsResponseBuilder,
};
use bytes::Bytes;
use log::Level;

use super::{
    MAILBOX, Trace,
    budget::{Account, Part},
    client_reading::{GuardedPayload, ReadSwitch},
    messages::{FromLeg, ToClient},
    paced_body::PacedBody,
    reader::{Read, Reader},
};
use crate::{
    gate::{Input, Leg, LegEnd, sendable},
    logging::{Fields, connection_log},
    metrics::WireCounts,
    protocol::{Frame, agent::ClientMessage},
    websocket::{self as ws, FrameGuard, Joined},
};

/// The words of an offered subprotocol that are answered; what stands behind them is a secret.
const SUBPROTOCOLS: [&str; 2] = ["token", "bearer"];

/// Members that a message does not have are named in the log up to this many.
const UNKNOWN_NAMED: usize = 8;

/// The actor.
pub(super) struct ClientSession {
    gate: Recipient<FromLeg>,
    reading: Rc<ReadSwitch>,
    too_large: Rc<Cell<bool>>,
    limit: usize,
    account: Rc<Account>,
    wire: Arc<WireCounts>,
    trace: Trace,
    reader: Reader,
    /// The gate has been told how this leg ended; what still comes is not looked at.
    ended: bool,
    /// The gate has been told that this leg is gone.
    gone: bool,
    /// What comes is no WebSocket any more and is not read; after the close frame the leg is gone.
    broken: bool,
    close_sent: bool,
}

impl ClientSession {
    pub(super) fn new(
        gate: Recipient<FromLeg>,
        reading: Rc<ReadSwitch>,
        reader: Reader,
        (limit, account, wire): (usize, Rc<Account>, Arc<WireCounts>),
        trace: Trace,
    ) -> Self {
        Self {
            gate,
            reading,
            too_large: Rc::default(),
            limit,
            account,
            wire,
            trace,
            reader,
            ended: false,
            gone: false,
            broken: false,
            close_sent: false,
        }
    }

    /// Answers the upgrade; the actor runs as the answer's body.
    pub(super) fn answer(
        self,
        request: &HttpRequest,
        payload: web::Payload,
    ) -> Result<(Addr<Self>, HttpResponse), Error> {
        let payload = GuardedPayload {
            payload,
            rest: Bytes::new(),
            guard: FrameGuard::new(self.limit),
            reading: Rc::clone(&self.reading),
            too_large: Rc::clone(&self.too_large),
            gate: self.gate.clone(),
            account: Rc::clone(&self.account),
        };
        let codec = Codec::new().max_size(self.limit);
        let (gate, account) = (self.gate.clone(), Rc::clone(&self.account));
        let (session, response) = WsResponseBuilder::new(self, request, payload)
            .protocols(&SUBPROTOCOLS)
            .codec(codec)
            .start_with_addr()?;
        Ok((session, response.map_body(|_, body| PacedBody::new(body, gate, account)).map_into_boxed_body()))
    }

    fn tell(&mut self, input: Input, context: &mut WebsocketContext<Self>) {
        if let Err(error) = self.gate.try_send(FromLeg(input)) {
            // The gate is gone, or a mailbox that cannot be full is full: nobody is left to decide.
            if !self.ended {
                connection_log!(
                    Level::Error, self.trace, dir = "client", error:% = error;
                    "the gate takes no input"
                );
                self.ended = true;
            }
            self.close(1011, String::new(), context);
            context.stop();
        }
    }

    fn end(&mut self, end: LegEnd, context: &mut WebsocketContext<Self>) {
        let gone = matches!(end, LegEnd::Closed { .. } | LegEnd::Vanished);
        if !self.ended || gone && !self.gone {
            self.ended = true;
            self.gone |= gone;
            self.tell(Input::ClientClosed(end), context);
        }
    }

    /// The peer broke the protocol. The codec stays where it is and would say so for ever.
    fn broken(&mut self, reason: String, context: &mut WebsocketContext<Self>) {
        self.broken = true;
        context.cancel_future(context.handle());
        self.end(LegEnd::ProtocolError(reason), context);
    }

    fn close(&mut self, code: u16, reason: String, context: &mut WebsocketContext<Self>) {
        if self.reading.is_lost() {
            self.reader.forget();
            self.reading.joined(0);
            self.account.hold(Part::Client, self.reading.kept());
        }
        if !self.close_sent {
            self.close_sent = true;
            let description = (!reason.is_empty()).then_some(reason);
            context.close(Some(CloseReason { code: CloseCode::from(code), description }));
        }
    }

    /// A data frame: passed on as it is, or read.
    fn data(&mut self, frame: Frame, context: &mut WebsocketContext<Self>) {
        self.wire.came(Leg::Client, &frame);
        let read = self.reader.read(frame);
        self.reading.joined(self.reader.unfinished());
        self.account.hold(Part::Client, self.reading.kept());
        match read {
            Read::Message(Joined::NotYet) => self.tell(Input::ClientAlive, context),
            Read::Frame(frame) => self.tell(Input::ClientFrame(frame), context),
            Read::Message(Joined::Binary(audio)) => self.tell(Input::ClientAudio(audio), context),
            Read::Message(Joined::Text(text)) => match str::from_utf8(&text) {
                Ok(text) => self.text(text, context),
                Err(error) => self.broken(error.to_string(), context),
            },
            Read::Message(Joined::TooLarge) => self.end(LegEnd::TooLarge { limit: self.limit }, context),
        }
    }

    fn text(&mut self, text: &str, context: &mut WebsocketContext<Self>) {
        let mut unknown = Vec::new();
        let mut count = 0_usize;
        let decoded = ClientMessage::decode(text, |path| {
            count += 1;
            if count <= UNKNOWN_NAMED {
                unknown.push(path);
            }
        });
        if count > 0 {
            let unknown = Fields::default().with("members[]", unknown);
            connection_log!(
                Level::Info, self.trace, dir = "client", count = count, ..unknown;
                "unknown members"
            );
        }
        let input = match decoded {
            Ok(message) => Input::Client(message),
            Err(error) => Input::ClientMalformed(error),
        };
        self.tell(input, context);
    }

    fn delivered(&mut self, weight: usize, context: &mut WebsocketContext<Self>) {
        if weight == 0 {
            return;
        }
        self.tell(Input::Delivered { leg: Leg::Client, bytes: weight }, context);
    }
}

impl Actor for ClientSession {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
        self.tell(Input::ClientConnected, context);
    }

    fn stopped(&mut self, context: &mut Self::Context) {
        self.end(LegEnd::Vanished, context);
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for ClientSession {
    fn handle(&mut self, message: Result<Message, ProtocolError>, context: &mut Self::Context) {
        self.reading.seen();
        let unwanted = self.ended || self.reading.is_lost();
        if unwanted && !matches!(message, Ok(Message::Close(_))) {
            return;
        }
        match message {
            Ok(Message::Text(text)) => self.data(Frame::text(text.into_bytes()), context),
            Ok(Message::Binary(payload)) => self.data(Frame::binary(payload), context),
            Ok(Message::Continuation(item)) => self.data(ws::fragment(item), context),
            Ok(Message::Ping(payload)) => {
                context.pong(&payload);
                self.tell(Input::ClientAlive, context);
            }
            Ok(Message::Pong(_)) => self.tell(Input::ClientAlive, context),
            Ok(Message::Nop) => (),
            Ok(Message::Close(reason)) => {
                let (code, reason) = match reason {
                    Some(reason) => (Some(u16::from(reason.code)), reason.description.unwrap_or_default()),
                    None => (None, String::new()),
                };
                self.close(code.filter(|code| sendable(*code)).unwrap_or(1000), String::new(), context);
                self.end(LegEnd::Closed { code, reason }, context);
                context.stop();
            }
            Err(_) if self.too_large.get() => self.end(LegEnd::TooLarge { limit: self.limit }, context),
            Err(error) => self.broken(error.to_string(), context),
        }
    }

    fn finished(&mut self, context: &mut Self::Context) {
        self.end(LegEnd::Vanished, context);
        context.stop();
    }
}

impl Handler<ToClient> for ClientSession {
    type Result = ();

    fn handle(&mut self, message: ToClient, context: &mut Self::Context) {
        match message {
            ToClient::Message { message, weight } => {
                let text = message.encode();
                self.wire.message_goes(Leg::Client, text.len());
                context.text(text);
                self.delivered(weight, context);
            }
            ToClient::Audio { audio, weight } => {
                if !audio.is_empty() {
                    self.wire.message_goes(Leg::Client, audio.len());
                    context.binary(audio);
                }
                self.delivered(weight, context);
            }
            ToClient::Frame { frame, weight } => {
                self.wire.goes(Leg::Client, &frame);
                context.write_raw(ws::message(frame));
                self.delivered(weight, context);
            }
            ToClient::Ping => context.ping(b""),
            ToClient::Close { code, reason } => {
                self.close(code, reason, context);
                if self.broken {
                    context.stop();
                }
            }
        }
    }
}
