//! WebSocket peers, client and server, that send and note single frames, each as it stands on the wire.
//! They answer nothing by themselves, and know nothing of what the frames say.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::http::UPGRADE;
use super::raw_frame::{CLOSE, RawFrame, Side};
use super::{ms, s};

/// How long a test waits for what has to come; a loaded machine takes its time with 5 MiB.
const PATIENCE: Duration = s(20);

/// A peer whose connection is open. Dropping it drops the TCP connection.
pub(crate) struct RawPeer {
    side: Side,
    /// The other side's half of the upgrade: the request, or the answer to it.
    pub(crate) head: Head,
    received: watch::Receiver<Received>,
    writer: OwnedWriteHalf,
    reading: JoinHandle<()>,
}

/// What has arrived so far.
#[derive(Default)]
struct Received {
    frames: Vec<Arc<RawFrame>>,
    /// When the close frame came.
    closed_at: Option<Instant>,
    /// How the connection ended.
    over: Option<String>,
}

/// An upstream whose connections the test accepts one by one.
pub(crate) struct RawUpstream {
    listener: TcpListener,
    port: u16,
}

/// A connection that asks for its upgrade and has no answer yet.
pub(crate) struct Dialled {
    pub(crate) head: Head,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
}

/// A request or an answer, up to its body.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    text: String,
    /// In order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    fn parse(text: String) -> Self {
        let headers = text.lines().skip(1).filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Self { headers: headers.collect(), text }
    }

    /// What a request asks for: path and query.
    pub(crate) fn target(&self) -> &str {
        self.text.split(' ').nth(1).expect("a request line has a target")
    }

    /// The values of a header, by its name in lower case.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    }
}

impl RawPeer {
    /// A client on this path of a port, with more header lines that end in CRLF each.
    pub(crate) async fn connect(port: u16, target: &str, headers: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the gateway accepts connections");
        let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{}{headers}\r\n", UPGRADE);
        let (mut reader, mut writer) = prepared(stream);
        writer.write_all(request.as_bytes()).await.expect("the gateway takes the request");
        let (head, rest) = read_head(&mut reader).await.expect("the head comes whole");
        assert!(head.text.starts_with("HTTP/1.1 101 "), "no upgrade on {target}: {head:?}");
        Self::start(Side::Client, head, rest, reader, writer)
    }

    fn start(side: Side, head: Head, rest: Vec<u8>, reader: OwnedReadHalf, writer: OwnedWriteHalf) -> Self {
        let (noted, received) = watch::channel(Received::default());
        let from = if side == Side::Client { Side::Server } else { Side::Client };
        let reading = tokio::spawn(read_all(from, rest, reader, noted));
        Self { side, head, received, writer, reading }
    }

    pub(crate) async fn send(&mut self, frame: &RawFrame) {
        self.send_all(slice::from_ref(frame), usize::MAX).await;
    }

    /// Sends frames one behind the other, in writes of so many bytes, wherever those end. What the other side does not
    /// take is not missed here: it has not received it.
    pub(crate) async fn send_all(&mut self, frames: &[RawFrame], size: usize) {
        let mut wire = Vec::new();
        frames.iter().for_each(|frame| frame.write(self.side, &mut wire));
        self.send_bytes(&wire, size).await;
    }

    /// Sends bytes that need not be frames, in writes of so many.
    pub(crate) async fn send_bytes(&mut self, wire: &[u8], size: usize) {
        for piece in wire.chunks(size) {
            let written = timeout(PATIENCE, self.writer.write_all(piece)).await;
            if !written.is_ok_and(|written| written.is_ok()) {
                return;
            }
        }
    }

    /// Reads nothing from now on.
    pub(crate) fn stop_reading(&self) {
        self.reading.abort();
    }

    /// Ends its side of the TCP connection.
    pub(crate) async fn hang_up(&mut self) {
        // The other side may have been quicker.
        let _ = self.writer.shutdown().await;
    }

    /// Sends bytes that need not be frames; whether the other side took them.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) -> bool {
        timeout(PATIENCE, self.writer.write_all(bytes)).await.is_ok_and(|written| written.is_ok())
    }

    /// Every frame so far.
    pub(crate) fn frames(&self) -> Vec<Arc<RawFrame>> {
        self.received.borrow().frames.clone()
    }

    /// The data frames so far.
    pub(crate) fn data(&self) -> Vec<Arc<RawFrame>> {
        self.frames().into_iter().filter(|frame| frame.is_data()).collect()
    }

    /// Whether this stands somewhere in what came, the upgrade and the close included.
    pub(crate) fn has_seen(&self, what: &str) -> bool {
        let has = |bytes: &[u8]| bytes.windows(what.len()).any(|bytes| bytes == what.as_bytes());
        has(self.head.text.as_bytes()) || self.frames().iter().any(|frame| has(&frame.payload))
    }

    /// Every byte that came, but for the headers of frames.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let frames = self.frames();
        let payloads = frames.iter().flat_map(|frame| frame.payload.iter().copied());
        self.head.text.bytes().chain(payloads).collect()
    }

    /// Waits until this stands in a frame.
    pub(crate) async fn expect_seen(&self, what: &str) {
        let has = |frame: &Arc<RawFrame>| frame.payload.windows(what.len()).any(|b| b == what.as_bytes());
        self.wait(what, |frames| frames.iter().any(has)).await;
    }

    /// Whether a close frame has come, or the connection has ended without.
    pub(crate) fn is_told_of_an_end(&self) -> bool {
        let received = self.received.borrow();
        received.over.is_some() || received.frames.iter().any(|frame| frame.opcode == CLOSE)
    }

    /// Waits for so many data frames; those that have come.
    pub(crate) async fn expect_data(&self, count: usize) -> Vec<Arc<RawFrame>> {
        let wanted = format!("{count} data frames");
        self.wait(&wanted, |frames| frames.iter().filter(|frame| frame.is_data()).count() >= count).await;
        self.data()
    }

    /// Waits for so many frames of an opcode; those that have come.
    pub(crate) async fn expect_opcode(&self, opcode: u8, count: usize) -> Vec<Arc<RawFrame>> {
        let of_opcode = |frames: &[Arc<RawFrame>]| {
            frames.iter().filter(|frame| frame.opcode == opcode).cloned().collect::<Vec<_>>()
        };
        self.wait(&format!("{count} frames of opcode {opcode}"), |frames| of_opcode(frames).len() >= count)
            .await;
        of_opcode(&self.received.borrow().frames)
    }

    /// Waits for this very frame.
    pub(crate) async fn expect(&self, frame: &RawFrame) {
        self.wait(&format!("{frame:?}"), |frames| frames.iter().any(|came| **came == *frame)).await;
    }

    /// Waits until so many data frames have this in their text.
    pub(crate) async fn expect_said(&self, part: &str, count: usize) {
        let said = |frames: &[Arc<RawFrame>]| frames.iter().filter(|frame| frame.says(part)).count() >= count;
        self.wait(&format!("{count} times {part}"), said).await;
    }

    /// Waits for the close frame: its code and reason.
    pub(crate) async fn expect_close(&self) -> (Option<u16>, String) {
        self.expect_opcode(CLOSE, 1).await[0].closes_with()
    }

    /// When the close frame came, if it has.
    pub(crate) fn closed_at(&self) -> Option<Instant> {
        self.received.borrow().closed_at
    }

    /// Waits until the other side has ended the connection.
    pub(crate) async fn expect_end(&self) {
        let mut received = self.received.clone();
        let over = timeout(PATIENCE, received.wait_for(|received| received.over.is_some())).await;
        over.expect("the other side hangs up in time").expect("the reader says so");
    }

    async fn wait(&self, wanted: &str, is_there: impl Fn(&[Arc<RawFrame>]) -> bool) {
        let in_time = self.reaches(&is_there).await;
        let received = self.received.borrow();
        assert!(
            is_there(&received.frames),
            "the {:?} waits for {wanted} ({}, {:?}) and has {:?}",
            self.side,
            if in_time { "in vain" } else { "too long" },
            received.over,
            received.frames
        );
    }

    /// Waits until this is there or nothing can come any more; whether that was in time.
    async fn reaches(&self, is_there: impl Fn(&[Arc<RawFrame>]) -> bool) -> bool {
        let mut received = self.received.clone();
        let found = received.wait_for(|received| is_there(&received.frames) || received.over.is_some());
        timeout(PATIENCE, found).await.is_ok()
    }

    /// Waits until the frames are such; false if the connection has ended without, or a close frame has come.
    pub(crate) async fn comes_to(&self, wanted: &str, is_there: impl Fn(&[Arc<RawFrame>]) -> bool) -> bool {
        let closed = |frames: &[Arc<RawFrame>]| frames.last().is_some_and(|frame| frame.opcode == CLOSE);
        let in_time = self.reaches(|frames| is_there(frames) || closed(frames)).await;
        assert!(in_time, "the {:?} waits too long for {wanted}", self.side);
        is_there(&self.received.borrow().frames)
    }
}

impl RawUpstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        Self { listener, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }

    /// The next connection, with its request.
    pub(crate) async fn dialled(&self) -> Dialled {
        let accepted = timeout(PATIENCE, self.listener.accept()).await.expect("upstream is dialled in time");
        let (mut reader, writer) = prepared(accepted.expect("the listener listens").0);
        let (head, rest) = read_head(&mut reader).await.expect("the head comes whole");
        assert!(rest.is_empty(), "frames were sent before the upgrade was answered");
        Dialled { head, reader, writer }
    }

    /// The next connection whose request is whole, upgraded.
    pub(crate) async fn accept_whole(&self) -> RawPeer {
        loop {
            let (stream, _) = self.listener.accept().await.expect("the listener listens");
            let (mut reader, writer) = prepared(stream);
            if let Ok((head, _)) = read_head(&mut reader).await {
                return Dialled { head, reader, writer }.accept().await;
            }
        }
    }

    /// The next connection, upgraded.
    pub(crate) async fn accept(&self) -> RawPeer {
        self.dialled().await.accept().await
    }

    /// Leaves out connections that nobody has taken: whoever made them is gone.
    pub(crate) async fn forget(&self) {
        while timeout(ms(20), self.listener.accept()).await.is_ok() {}
    }

    /// Whether nobody has dialled since the last connection was taken.
    pub(crate) async fn is_left_alone(&self) -> bool {
        timeout(ms(0), self.listener.accept()).await.is_err()
    }
}

impl Dialled {
    /// Answers the upgrade, of the offered subprotocols with the first, as Deepgram does.
    pub(crate) async fn accept(self) -> RawPeer {
        self.accept_with("").await
    }

    /// The same with more header lines, each ending in CRLF.
    pub(crate) async fn accept_with(mut self, headers: &str) -> RawPeer {
        let key = self.head.all("sec-websocket-key").concat();
        let offered = self.head.all("sec-websocket-protocol").concat();
        let chosen = offered.split(',').next().filter(|word| !word.is_empty());
        let chosen = chosen.map(|word| format!("Sec-WebSocket-Protocol: {word}\r\n")).unwrap_or_default();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\n{chosen}{headers}\r\n",
            derive_accept_key(key.as_bytes())
        );
        // A network may have taken the gateway away.
        let _ = self.writer.write_all(answer.as_bytes()).await;
        RawPeer::start(Side::Server, self.head, Vec::new(), self.reader, self.writer)
    }

    /// Answers with this status line and these header lines, each ending in CRLF, and hangs up.
    pub(crate) async fn refuse(self, status: &str, headers: &str) {
        self.answer(&format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n"))
            .await;
    }

    /// Answers with these bytes, whatever they are, and hangs up.
    pub(crate) async fn answer(mut self, bytes: &str) {
        self.writer.write_all(bytes.as_bytes()).await.expect("the gateway waits for the answer");
    }
}

impl Drop for RawPeer {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// The two halves of a connection that sends small frames at once.
fn prepared(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    stream.set_nodelay(true).expect("the socket is open");
    stream.into_split()
}

/// Reads a request or an answer up to its empty line; what came behind that belongs to the frames. What came, if that
/// is not all of it.
async fn read_head(reader: &mut OwnedReadHalf) -> Result<(Head, Vec<u8>), String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((Head::parse(String::from_utf8(bytes).expect("a head is text")), rest));
        }
        let read = timeout(PATIENCE, reader.read_buf(&mut bytes)).await.expect("the head comes in time");
        if !read.is_ok_and(|read| read > 0) {
            return Err(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

async fn read_all(from: Side, mut bytes: Vec<u8>, mut reader: OwnedReadHalf, noted: watch::Sender<Received>) {
    let over = loop {
        match RawFrame::read(from, &bytes) {
            Ok(Some((frame, length))) => {
                bytes.drain(..length);
                noted.send_modify(|received| {
                    if frame.opcode == CLOSE {
                        received.closed_at.get_or_insert_with(Instant::now);
                    }
                    received.frames.push(Arc::new(frame));
                });
                continue;
            }
            Ok(None) => {}
            Err(broken) => break broken,
        }
        match reader.read_buf(&mut bytes).await {
            Ok(0) => break "hung up".to_owned(),
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    noted.send_modify(|received| received.over = Some(over));
}
