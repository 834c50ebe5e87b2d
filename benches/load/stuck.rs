//! Clients that open a session and then read nothing, and one that asks again and again to be let in. They share a
//! thread of their own and know nothing of what is between them and the upstream.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt, stream};
use tokio::{net::TcpSocket, runtime, time};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// What the kernel may keep for such a client, bytes; what it keeps is not the gateway's.
const RECEIVE_BUFFER: u32 = 4 * 1024;
/// How many are opened at the same time.
const AT_ONCE: usize = 16;
const OPENING: Duration = Duration::from_secs(30);
/// How often somebody asks to be let in.
const KNOCK: Duration = Duration::from_millis(100);

/// Clients whose sessions are open and who read nothing. Dropping them hangs up.
pub(crate) struct Stuck {
    runtime: runtime::Runtime,
    sockets: Vec<WebSocketStream<tokio::net::TcpStream>>,
}

impl Stuck {
    /// Opens so many sessions.
    pub(crate) fn open(port: u16, path: &str, count: usize) -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let opening = stream::iter(0..count).map(|_| time::timeout(OPENING, open(port, path)));
        let sockets = opening.buffer_unordered(AT_ONCE).map(|opened| opened.expect("opened in time"));
        let sockets = runtime.block_on(sockets.collect());
        Self { runtime, sockets }
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        // Sockets are given back where they were made.
        let _entered = self.runtime.enter();
        self.sockets.clear();
    }
}

async fn open(port: u16, path: &str) -> WebSocketStream<tokio::net::TcpStream> {
    let socket = TcpSocket::new_v4().expect("a descriptor is free (ulimit -n)");
    socket.set_recv_buffer_size(RECEIVE_BUFFER).expect("the socket is open");
    let stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.expect("somebody listens");
    stream.set_nodelay(true).expect("the socket is open");
    let (mut socket, _) =
        client_async(format!("ws://127.0.0.1:{port}{path}"), stream).await.expect("the upgrade is answered");
    socket.send(Message::text(r#"{"type":"Settings","agent":{}}"#)).await.expect("Settings are taken");
    loop {
        let message = socket.next().await.expect("the session is opened").expect("the session is opened");
        if message.to_text().is_ok_and(|text| text.contains("\"SettingsApplied\"")) {
            return socket;
        }
    }
}

/// Somebody who asks again and again for an upgrade and hangs up when it is granted.
pub(crate) struct Knocker {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<Knocks>,
}

/// What the knocks came to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Knocks {
    /// How many were granted.
    pub(crate) granted: usize,
    /// How many were answered with 503.
    pub(crate) refused: usize,
    /// From the first refusal to the end of the last.
    pub(crate) closed_for: Duration,
}

impl Knocker {
    pub(crate) fn start(port: u16, path: &'static str) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        Self { stopped, thread: thread::spawn(move || knock(port, path, &stop)) }
    }

    /// Ends it.
    pub(crate) fn stop(self) -> Knocks {
        self.stopped.store(true, Relaxed);
        self.thread.join().expect("every knock is answered with 101 or 503")
    }
}

fn knock(port: u16, path: &str, stop: &AtomicBool) -> Knocks {
    let mut knocks = Knocks::default();
    let mut first_refusal = None;
    while !stop.load(Relaxed) {
        let began = Instant::now();
        match status(port, path) {
            101 => knocks.granted += 1,
            503 => {
                knocks.refused += 1;
                knocks.closed_for = first_refusal.get_or_insert(began).elapsed();
            }
            other => panic!("a knock is answered with {other}"),
        }
        thread::sleep(KNOCK.saturating_sub(began.elapsed()));
    }
    knocks
}

fn status(port: u16, path: &str) -> u16 {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("somebody listens");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("the gateway takes the request");
    // "HTTP/1.1 101"
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).expect("the gateway answers");
    let status = str::from_utf8(&begin[9..]).ok().and_then(|digits| digits.parse().ok());
    status.expect("an answer begins with its status")
}
