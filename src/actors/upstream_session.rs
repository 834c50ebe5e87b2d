//! The upstream's leg: dials, reads, writes. Knows nothing of the client.

use std::{
    borrow::Cow,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Recipient, WrapFuture};
use actix_http::ws::{Frame, OpCode};
use bytes::Bytes;
use log::Level;
use tokio::time::Instant;

use super::{
    Destination, Dialer, MAILBOX, Trace,
    budget::{Account, Part},
    dial::Upgraded,
    messages::{FromLeg, ToUpstream},
    reader::{Read, Reader},
    upstream_pumps::{ReadPump, WritePump},
    upstream_socket::{ReadError, UpstreamSocket},
};
use crate::{
    describe::milliseconds,
    gate::{Input, Leg, LegEnd, UpstreamError, sendable},
    logging::{Fields, connection_log},
    metrics::WireCounts,
    protocol::{
        self, DecodeError, Opcode,
        realtime::{Append, ClientEvent, Decoded, ServerEvent},
        shorten,
    },
    translate::beta,
    websocket::{Joined, fragment},
};

/// How long a socket that ends may take for what is queued. Nobody else knows of it by then.
const LINGER: Duration = Duration::from_secs(2);

pub(super) struct UpstreamSession {
    gate: Recipient<FromLeg>,
    dialer: Rc<Dialer>,
    destination: Destination,
    limit: usize,
    account: Rc<Account>,
    wire: Arc<WireCounts>,
    trace: Trace,
    dialled_at: Option<Instant>,
    pub(super) socket: Option<UpstreamSocket>,
    reader: Reader,
    pub(super) paused: bool,
    close_sent: bool,
    /// The gate has been told how this leg ended.
    ended: bool,
    /// Nothing more is read; what is queued still goes out, then the actor stops.
    pub(super) leaving: bool,
    /// The peer broke off nothing and may still be sending.
    pub(super) unread: bool,
}

impl UpstreamSession {
    pub(super) fn new(
        gate: Recipient<FromLeg>,
        (dialer, destination): (Rc<Dialer>, Destination),
        reader: Reader,
        (limit, account, wire): (usize, Rc<Account>, Arc<WireCounts>),
        trace: Trace,
    ) -> Self {
        Self {
            gate,
            dialer,
            destination,
            limit,
            account,
            wire,
            trace,
            dialled_at: None,
            socket: None,
            reader,
            paused: false,
            close_sent: false,
            ended: false,
            leaving: false,
            unread: false,
        }
    }

    pub(super) fn tell(&mut self, input: Input, context: &mut Context<Self>) {
        if let Err(error) = self.gate.try_send(FromLeg(input)) {
            if !self.ended {
                connection_log!(
                    Level::Error, self.trace, dir = "upstream", error:% = error;
                    "the gate takes no input"
                );
                self.ended = true;
            }
            context.stop();
        }
    }

    fn end(&mut self, end: LegEnd, context: &mut Context<Self>) {
        if !self.ended {
            self.ended = true;
            let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            self.tell(Input::UpstreamClosed { end, unix_s }, context);
        }
    }

    fn dialled(&mut self, dialled: Result<Upgraded, UpstreamError>, context: &mut Context<Self>) {
        let upgraded = match dialled {
            Ok(upgraded) => upgraded,
            Err(error) => {
                self.ended = true;
                self.tell(Input::UpstreamRefused(error), context);
                return context.stop();
            }
        };
        let request_id = upgraded.request_id.clone().map(shorten);
        connection_log!(
            Level::Info, self.trace,
            dir = "upstream", request_id = request_id, dial_ms = self.dialled_at.map(|at| milliseconds(at.elapsed()));
            "upstream open"
        );
        self.socket = Some(UpstreamSocket::new(upgraded.framed, self.limit));
        self.tell(Input::UpstreamOpened, context);
        context.spawn(ReadPump);
        context.spawn(WritePump);
    }

    pub(super) fn frame(&mut self, frame: Frame, context: &mut Context<Self>) {
        match frame {
            Frame::Text(text) => self.data(protocol::Frame::text(text), context),
            Frame::Binary(payload) => self.data(protocol::Frame::binary(payload), context),
            Frame::Continuation(item) => self.data(fragment(item), context),
            Frame::Ping(payload) => {
                if let Some(socket) = &mut self.socket {
                    socket.queue_pong(payload);
                }
                self.tell(Input::Heard(Leg::Upstream), context);
            }
            Frame::Pong(_) => self.tell(Input::Heard(Leg::Upstream), context),
            Frame::Close(reason) => {
                let (code, reason) = match reason {
                    Some(reason) => (Some(u16::from(reason.code)), reason.description.unwrap_or_default()),
                    None => (None, String::new()),
                };
                let reason = self.dialer.scrubber().scrub(&reason).into_owned();
                self.close(code.filter(|code| sendable(*code)).unwrap_or(1000), "");
                self.leave(context);
                self.end(LegEnd::Closed { code, reason }, context);
            }
        }
    }

    /// A data frame: passed on as it is, or read.
    fn data(&mut self, frame: protocol::Frame, context: &mut Context<Self>) {
        self.wire.came(Leg::Upstream, &frame);
        match self.reader.read(frame) {
            Read::Message(Joined::NotYet) => {
                // It is no silence, and it is held.
                self.account_for_unfinished();
                self.tell(Input::Heard(Leg::Upstream), context);
            }
            Read::Frame(frame) => self.pass(frame, context),
            Read::Message(Joined::Text(text)) => self.text(&text, context),
            Read::Message(Joined::Binary(audio)) => self.binary(&audio, context),
            Read::Message(Joined::TooLarge) => self.read_failed(ReadError::TooLarge, context),
        }
    }

    /// A frame for the client, whose codec writes no text that is none.
    fn pass(&mut self, frame: protocol::Frame, context: &mut Context<Self>) {
        let whole_text = frame.opcode == Opcode::Text && frame.last;
        let valid = if whole_text { str::from_utf8(&frame.payload).map(|_| ()) } else { Ok(()) };
        match valid {
            Ok(()) => self.tell(Input::UpstreamFrame(frame), context),
            Err(error) => self.read_failed(ReadError::Protocol(error.to_string()), context),
        }
    }

    fn text(&mut self, text: &[u8], context: &mut Context<Self>) {
        let input = match self.decoded(text) {
            Ok(decoded) => {
                if let Some(damage) = decoded.damage {
                    let damage = damage.without_value();
                    connection_log!(
                        Level::Warn, self.trace, dir = "upstream", error:% = damage;
                        "only the type is used"
                    );
                }
                if let ServerEvent::Unknown(unknown) = &decoded.event {
                    let kind = shorten(unknown.kind.clone());
                    connection_log!(Level::Warn, self.trace, dir = "upstream", type = kind; "unknown event");
                }
                Input::Upstream(decoded.event)
            }
            Err(error) => {
                connection_log!(Level::Warn, self.trace, dir = "upstream", error:% = error; "no event");
                Input::UpstreamMalformed(error)
            }
        };
        self.tell(input, context);
    }

    /// An event without the keys that the server may quote. Audio quotes none, and most of what comes is audio; an
    /// error may also quote a header.
    fn decoded(&self, frame: &[u8]) -> Result<Decoded, DecodeError> {
        let (decoded, scrubber) = (ServerEvent::decode(frame), self.dialer.scrubber());
        if let Ok(Decoded { event: ServerEvent::OutputAudioDelta(_), damage: None }) = &decoded {
            return decoded;
        }
        // What is no text at all is quoted by nobody.
        let Ok(text) = str::from_utf8(frame) else { return decoded };
        let scrubbed = match &decoded {
            Ok(Decoded { event: ServerEvent::Error(_) | ServerEvent::ResponseDone(_), .. }) | Err(_) => {
                scrubber.scrub(text)
            }
            Ok(_) => scrubber.scrub_keys(text),
        };
        match scrubbed {
            Cow::Borrowed(_) => decoded,
            Cow::Owned(scrubbed) => ServerEvent::decode(&scrubbed),
        }
    }

    /// The event as text, in the shape that the server takes. (An append is the same in both.)
    fn encoded(&self, event: ClientEvent) -> String {
        connection_log!(Level::Trace, self.trace, dir = "upstream", type = event.kind(); "sends");
        if !self.dialer.speaks_beta() {
            return event.encode();
        }
        let beta::Translated { event, left_out } = beta::translate(event);
        if !left_out.is_empty() {
            let left_out = left_out.into_iter().map(str::to_owned).collect::<Vec<_>>();
            let left_out = Fields::default().with("members[]", left_out);
            connection_log!(Level::Info, self.trace, dir = "upstream", ..left_out; "left out for the beta api");
        }
        event.encode()
    }

    /// The Realtime API has no binary frames.
    fn binary(&mut self, audio: &Bytes, context: &mut Context<Self>) {
        connection_log!(Level::Warn, self.trace, dir = "upstream", bytes = audio.len(); "a binary frame");
        self.tell(Input::UpstreamMalformed(DecodeError::NoType), context);
    }

    pub(super) fn read_failed(&mut self, error: ReadError, context: &mut Context<Self>) {
        self.leave(context);
        match error {
            ReadError::Ended => self.end(LegEnd::Vanished, context),
            ReadError::TooLarge => {
                self.unread = true;
                self.close(1009, "");
                self.end(LegEnd::TooLarge { limit: self.limit }, context);
            }
            ReadError::Protocol(reason) => {
                self.unread = true;
                self.close(1002, "");
                self.end(LegEnd::ProtocolError(reason), context);
            }
        }
    }

    fn leave(&mut self, context: &mut Context<Self>) {
        if !self.leaving {
            self.leaving = true;
            context.run_later(LINGER, |_, context| context.stop());
        }
    }

    /// Nothing more is there to be read for now; something may have come of a message that is not whole.
    pub(super) fn waits(&mut self, context: &mut Context<Self>) {
        self.account_for_unfinished();
        if self.socket.as_mut().is_some_and(UpstreamSocket::has_heard) {
            self.tell(Input::Heard(Leg::Upstream), context);
        }
    }

    fn account_for_unfinished(&self) {
        let frame = self.socket.as_ref().map_or(0, UpstreamSocket::unfinished);
        self.account.hold(Part::Upstream, frame + self.reader.unfinished());
    }

    /// There is no memory for what is not whole. Nothing is read behind it.
    fn forget(&mut self) {
        self.paused = true;
        self.reader.forget();
        if let Some(socket) = &mut self.socket {
            socket.forget();
        }
        self.account.hold(Part::Upstream, 0);
    }

    fn queue_text(&mut self, text: &str, weight: usize) {
        if let Some(socket) = &mut self.socket {
            self.wire.message_goes(Leg::Upstream, text.len());
            socket.queue(OpCode::Text, text.as_bytes(), weight);
        }
    }

    fn close(&mut self, code: u16, reason: &str) {
        if let Some(socket) = &mut self.socket
            && !self.close_sent
        {
            self.close_sent = true;
            socket.queue_close(code, reason);
        }
    }
}

impl Actor for UpstreamSession {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }

    fn stopped(&mut self, context: &mut Self::Context) {
        self.end(LegEnd::Vanished, context);
    }
}

impl Handler<ToUpstream> for UpstreamSession {
    type Result = ();

    fn handle(&mut self, message: ToUpstream, context: &mut Self::Context) {
        match message {
            ToUpstream::Open => {
                self.dialled_at = Some(Instant::now());
                let (dialer, destination) = (Rc::clone(&self.dialer), self.destination.clone());
                let dial = async move { dialer.dial(&destination).await };
                context
                    .spawn(dial.into_actor(self).map(|dialled, act, context| act.dialled(dialled, context)));
            }
            ToUpstream::Event { event, weight } => {
                let text = self.encoded(*event);
                self.queue_text(&text, weight);
            }
            ToUpstream::Append { audio, weight, .. } if audio.is_empty() => {
                if let Some(socket) = &mut self.socket {
                    socket.mark(weight);
                }
            }
            ToUpstream::Append { event_id, audio, weight } => {
                if let Some(socket) = &mut self.socket {
                    let length = Append::encoded_length(&event_id, &audio);
                    self.wire.message_goes(Leg::Upstream, length);
                    let append = |out: &mut Vec<u8>| Append::encode_into(&event_id, &audio, out);
                    socket.queue_with(OpCode::Text, length, append, weight);
                }
            }
            ToUpstream::Raw { json, weight } => self.queue_text(&json, weight),
            ToUpstream::Frame { frame, weight } => {
                if let Some(socket) = &mut self.socket {
                    self.wire.goes(Leg::Upstream, &frame);
                    socket.queue_frame(&frame, weight);
                }
            }
            ToUpstream::Ping => {
                if let Some(socket) = &mut self.socket {
                    socket.queue(OpCode::Ping, b"", 0);
                }
            }
            ToUpstream::Pause => self.paused = true,
            ToUpstream::Resume => self.paused = false,
            ToUpstream::Forget => self.forget(),
            ToUpstream::Close { code, reason } if self.socket.is_some() => self.close(code, &reason),
            // Nothing is open yet: the dial ends here.
            ToUpstream::Close { .. } | ToUpstream::HangUp => context.stop(),
        }
    }
}
