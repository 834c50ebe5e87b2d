//! A WebSocket client of the gateway. It keeps a transcript of all that arrives and reads on
//! whatever else it does. Knows the Voice Agent protocol's opening and nothing of upstream.

use std::net;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::journal::{Journal, Recorder, What};
use super::pace::{Pace, Paced};
use super::tls::Trust;
use super::{fragments, s, unlimited};
use crate::transcript::{AUDIO, judge, symbol};

type Socket = WebSocketStream<Box<dyn Transport>>;

/// What a WebSocket runs on: TCP, or TLS above it.
trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A connected client. Dropping it drops the TCP connection.
pub(crate) struct Client {
    recorder: Arc<Recorder>,
    writer: SplitSink<Socket, Message>,
    reading: JoinHandle<()>,
    /// The same socket once more, for bytes that are no message.
    raw: TcpStream,
    /// The subprotocol that the server chose.
    pub(crate) subprotocol: Option<String>,
    transcript: Transcript,
}

/// What the order of the received messages is held against in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transcript {
    /// The README's grammar.
    Session,
    /// The same, of an upstream that does something before it has seen Settings.
    EarlySession,
    /// Nothing: the other side is no gateway, or one that passes through.
    Unjudged,
}

impl Client {
    /// Connects to a WebSocket URL.
    pub(crate) async fn connect(url: &str) -> Self {
        Self::connect_with(url, &[]).await
    }

    /// Connects to something that is no gateway.
    pub(crate) async fn connect_to_mock(url: &str) -> Self {
        let mut client = Self::connect(url).await;
        client.transcript = Transcript::Unjudged;
        client
    }

    /// Connects with a pace of its own.
    pub(crate) async fn connect_at(url: &str, pace: Pace) -> Self {
        Self::connect_as(url, &[], pace, None).await
    }

    /// Connects with more headers.
    pub(crate) async fn connect_with(url: &str, headers: &[(&'static str, &str)]) -> Self {
        Self::connect_as(url, headers, Pace::FREE, None).await
    }

    /// Connects over TLS.
    pub(crate) async fn connect_tls(url: &str, trust: &Trust, pace: Pace) -> Self {
        Self::connect_as(url, &[], pace, Some(trust)).await
    }

    async fn connect_as(
        url: &str,
        headers: &[(&'static str, &str)],
        pace: Pace,
        trust: Option<&Trust>,
    ) -> Self {
        let mut request = url.into_client_request().expect("the test's URL is valid");
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a valid header"));
        }
        let authority = request.uri().authority().expect("the test's URL has a host").to_string();
        let (stream, raw, hang_up) = connect_thrice(&authority, &pace).await;
        let stream = Paced::new(stream, pace);
        let stream: Box<dyn Transport> = match trust {
            None => Box::new(stream),
            Some(trust) => {
                Box::new(trust.handshake(stream).await.expect("the gateway's certificate is trusted"))
            }
        };
        let connecting = client_async_with_config(request, stream, Some(unlimited()));
        let (socket, response) = tokio::time::timeout(s(10), connecting)
            .await
            .expect("the upgrade is answered")
            .unwrap_or_else(|error| panic!("no upgrade on {url}: {error}"));
        let chosen = response.headers().get("sec-websocket-protocol");
        let subprotocol = chosen.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (writer, reader) = socket.split();
        let recorder = Arc::new(Recorder::new("the client"));
        let reading = tokio::spawn(read_all(reader, hang_up, Arc::clone(&recorder)));
        Self { recorder, writer, reading, raw, subprotocol, transcript: Transcript::Session }
    }

    /// This client's upstream opens its session, or begins a response, before it has seen Settings.
    pub(crate) fn expect_early_upstream(&mut self) {
        self.transcript = Transcript::EarlySession;
    }

    /// This client's upstream speaks for itself, in an order of its own.
    pub(crate) fn expect_passed_through(&mut self) {
        self.transcript = Transcript::Unjudged;
    }

    /// Sends a message and does not mind if the gateway no longer takes it: what came of it is in the transcript.
    pub(crate) async fn send_message(&mut self, message: Message) {
        let _ = tokio::time::timeout(s(10), self.writer.send(message)).await;
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    pub(crate) async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.send_message(Message::binary(bytes)).await;
    }

    /// Silence, so many bytes of it.
    pub(crate) async fn send_silence(&mut self, bytes: usize) {
        self.send_binary(vec![0; bytes]).await;
    }

    /// One message in several frames.
    pub(crate) async fn send_fragmented(&mut self, first: Data, payload: &[u8], size: usize) {
        for fragment in fragments(first, payload, size) {
            self.send_message(fragment).await;
        }
    }

    /// Writes bytes past the WebSocket layer; false once the gateway does not take them.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) -> bool {
        matches!(tokio::time::timeout(s(5), self.raw.write_all(bytes)).await, Ok(Ok(())))
    }

    pub(crate) async fn inject(&mut self, content: &str) {
        self.send(&inject_user_message(content)).await;
    }

    /// Answers a function call with `content`.
    pub(crate) async fn answer_call(&mut self, content: &str) {
        self.send(
            &json!({"type": "FunctionCallResponse", "id": "call_mock_1", "name": super::frames::FUNCTION,
            "content": content}),
        )
        .await;
    }

    /// Goes away with a reset in place of a close.
    pub(crate) fn reset(self) {
        self.raw.set_zero_linger().expect("the socket is open");
    }

    pub(crate) async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.send_message(Message::Close(Some(frame))).await;
    }

    /// The usual opening: Settings of the manual mode, answered.
    pub(crate) async fn open_s(&mut self) {
        self.open_with(&settings(&json!({}))).await;
    }

    /// Sends Settings and waits for their `SettingsApplied`, with no `Error` before it.
    pub(crate) async fn open_with(&mut self, settings: &Value) {
        self.send(settings).await;
        self.expect("SettingsApplied", s(5)).await;
        self.journal().assert_no_error();
    }

    /// Everything received so far.
    pub(crate) fn journal(&self) -> Journal {
        self.recorder.journal()
    }

    /// Waits until `look` finds what it wants in what was received.
    pub(crate) async fn wait_for<T>(
        &self,
        wanted: &str,
        within: Duration,
        look: impl FnMut(&Journal) -> Option<T>,
    ) -> T {
        self.recorder.wait_for(wanted, within, look).await
    }

    /// Waits for the first message of a type.
    pub(crate) async fn expect(&self, kind: &str, within: Duration) -> Value {
        self.wait_for(kind, within, |journal| journal.first(kind).cloned()).await
    }

    /// Waits for the first `Error` with a code.
    pub(crate) async fn expect_error(&self, code: &str, within: Duration) -> Value {
        let wanted = format!("Error with code {code}");
        let has_code = |(_, error): &(usize, &Value)| error["code"] == code;
        self.wait_for(&wanted, within, |journal| {
            journal.all("Error").find(has_code).map(|(_, error)| error.clone())
        })
        .await
    }

    /// Waits for the first `ConversationText` of a role; gives what came up to it, itself included.
    pub(crate) async fn expect_spoken(&self, role: &str, within: Duration) -> Journal {
        let wanted = format!("ConversationText ({role})");
        self.wait_for(&wanted, within, |journal| {
            journal.spoken(role).map(|(index, _)| journal.before(index + 1))
        })
        .await
    }

    /// Completes a turn: whatever happened before, the session goes on.
    pub(crate) async fn assert_goes_on(&mut self) {
        let turns = self.journal().spoken_texts("assistant").len();
        self.inject("Are you still there?").await;
        self.wait_for("answer: the session should go on", s(5), |journal| {
            (journal.spoken_texts("assistant").len() > turns).then_some(())
        })
        .await;
        assert!(self.journal().closed().is_none(), "closed");
    }

    /// Waits for an `Error` with a code and then a close frame with another.
    pub(crate) async fn expect_ending(&self, error: &str, close: u16) {
        self.expect_error(error, s(10)).await;
        let (code, _) = self.expect_close(s(5)).await;
        assert_eq!(code, Some(close), "{}", self.journal());
    }

    /// Waits for the close frame: its code and reason.
    pub(crate) async fn expect_close(&self, within: Duration) -> (Option<u16>, String) {
        self.wait_for("close frame", within, |journal| {
            journal.closed().map(|(code, reason)| (code, reason.to_owned()))
        })
        .await
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reading.abort();
        let journal = self.journal();
        if thread::panicking() {
            eprintln!("--- the client received\n{journal}");
        } else if self.transcript != Transcript::Unjudged {
            let order = judge(symbols(&journal), self.transcript == Transcript::EarlySession);
            order.unwrap_or_else(|broken| panic!("{broken}; the client received:\n{journal}"));
        }
    }
}

/// What arrived, in the words of the grammar.
fn symbols(journal: &Journal) -> impl Iterator<Item = String> {
    journal.entries.iter().filter_map(|entry| match &entry.what {
        What::Json(message) => Some(symbol(message)),
        What::Text(_) => Some("text that is no JSON".to_owned()),
        What::Binary(_) => Some(AUDIO.to_owned()),
        What::Closed { .. } | What::Gone(_) => None,
    })
}

/// One TCP connection in three handles: to speak the protocol, to write past it, to hang up.
async fn connect_thrice(authority: &str, pace: &Pace) -> (TcpStream, TcpStream, net::TcpStream) {
    let address = lookup_host(authority).await.expect("the authority is an address").next();
    let socket = TcpSocket::new_v4().expect("a descriptor is free");
    pace.prepare(&socket);
    let stream = socket.connect(address.expect("it is one address")).await;
    let stream = stream.expect("the gateway accepts connections");
    stream.set_nodelay(true).expect("the socket is open");
    let stream = stream.into_std().expect("the stream leaves the runtime");
    let again = || stream.try_clone().expect("a descriptor is free");
    let enter = |stream| TcpStream::from_std(stream).expect("the stream enters the runtime");
    let (raw, hang_up) = (again(), again());
    (enter(stream), enter(raw), hang_up)
}

async fn read_all(mut reader: SplitStream<Socket>, hang_up: net::TcpStream, recorder: Arc<Recorder>) {
    let how = loop {
        let what = match reader.next().await {
            None | Some(Err(Error::ConnectionClosed)) => break "closed".to_owned(),
            Some(Err(error)) => break error.to_string(),
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(value) => What::Json(value),
                Err(_) => What::Text(text.to_string()),
            },
            Some(Ok(Message::Binary(bytes))) => What::Binary(bytes),
            Some(Ok(Message::Close(frame))) => What::Closed {
                code: frame.as_ref().map(|frame| frame.code.into()),
                reason: frame.map(|frame| frame.reason.to_string()).unwrap_or_default(),
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
        };
        recorder.note(1, what);
    };
    // A client that has seen the end hangs up, although the test still holds its handles. The
    // gateway may have hung up already.
    let _ = hang_up.shutdown(net::Shutdown::Both);
    recorder.note(1, What::Gone(how));
    recorder.finish();
}

/// The opening's Settings, with `agent` laid over them.
pub(crate) fn settings(agent: &Value) -> Value {
    let base =
        json!({"useOpenAIManualAudioCommit": true, "think": {"prompt": "You are a helpful assistant."}});
    json!({"type": "Settings", "agent": overlaid(base, agent)})
}

fn overlaid(base: Value, above: &Value) -> Value {
    match (base, above) {
        (Value::Object(mut base), Value::Object(above)) => {
            for (key, value) in above {
                let below = base.remove(key).unwrap_or_default();
                base.insert(key.clone(), overlaid(below, value));
            }
            Value::Object(base)
        }
        (_, above) => above.clone(),
    }
}

/// A typed message of the user.
pub(crate) fn inject_user_message(content: &str) -> Value {
    json!({"type": "InjectUserMessage", "content": content})
}
