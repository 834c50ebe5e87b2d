//! An application as a thread with a listener: each connection is served by a script, in plain bytes, and
//! everything that it saw is told in order.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{sync::mpsc, time::timeout};
use url::Url;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server saw of its clients; connections are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// A connection.
    Connected(usize),
    /// A request: its head and its body.
    Request(usize, String, String),
    /// The client closed the connection, or lost it.
    Closed(usize),
}

/// An application under a test's control.
pub(super) struct Server {
    /// Where it listens.
    pub(super) address: SocketAddr,
    seen: mpsc::UnboundedReceiver<Seen>,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

/// One connection, in the hands of a script.
pub(super) struct Peer {
    socket: TcpStream,
    number: usize,
    seen: mpsc::UnboundedSender<Seen>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// A server that hands each connection to `script`, on a thread of its own. A script that panics fails
    /// the test by what the client then misses.
    pub(super) fn start(script: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", script)
    }

    fn start_at(address: &str, script: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, seen) = mpsc::unbounded_channel();
        let (requests, connections) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let script = Arc::new(script);
        let (asked, taken) = (Arc::clone(&requests), Arc::clone(&connections));
        // The thread ends with the test's process, which does not wait for it.
        thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(socket) = socket else { return };
                let number = taken.fetch_add(1, Ordering::SeqCst) + 1;
                let _ = sender.send(Seen::Connected(number));
                let peer = Peer { socket, number, seen: sender.clone(), requests: Arc::clone(&asked) };
                let script = Arc::clone(&script);
                thread::spawn(move || script(peer));
            }
        });
        Self { address, seen, requests, connections }
    }

    /// A server that answers every request with `answer`, and keeps its connections.
    pub(super) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        Self::at("127.0.0.1:0", answer)
    }

    /// The same at another address.
    pub(super) fn at(address: &str, answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start_at(address, move |mut peer| {
            while peer.request().is_some() {
                peer.send(&answer);
            }
        })
    }

    /// `http` at its address.
    pub(super) fn url(&self) -> Url {
        Url::parse(&format!("http://{}/run", self.address)).expect("a url")
    }

    /// What it saw next.
    pub(super) async fn next(&mut self) -> Seen {
        let seen = timeout(PATIENCE, self.seen.recv()).await.expect("the server sees something");
        seen.expect("the server goes on")
    }

    /// Waits until it has seen a client's end of connection `number`.
    pub(super) async fn closed(&mut self, number: usize) {
        while self.next().await != Seen::Closed(number) {}
    }

    /// Waits for a request.
    pub(super) async fn request(&mut self) -> (String, String) {
        loop {
            if let Seen::Request(_, head, body) = self.next().await {
                return (head, body);
            }
        }
    }

    /// How many requests it has seen, whole ones.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// How many connections were made to it.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Peer {
    /// Reads a request, if there is another.
    pub(super) fn request(&mut self) -> Option<(String, String)> {
        let request = read_request(&mut self.socket);
        match &request {
            Some((head, body)) => {
                self.requests.fetch_add(1, Ordering::SeqCst);
                let _ = self.seen.send(Seen::Request(self.number, head.clone(), body.clone()));
            }
            None => self.gone(),
        }
        request
    }

    /// Waits until the client has begun to send, and reads nothing.
    pub(super) fn wait_for_request(&self) {
        self.socket.peek(&mut [0]).expect("a request");
    }

    /// Sends `bytes`; a client that does not want them shows at the next read.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).is_ok()
    }

    /// Waits until the client has closed the connection, whatever it sends before.
    pub(super) fn until_closed(&mut self) {
        let mut buffer = [0; 1024];
        while self.socket.read(&mut buffer).is_ok_and(|read| read > 0) {}
        self.gone();
    }

    /// Which connection this is, from 1.
    pub(super) fn connection(&self) -> usize {
        self.number
    }

    /// Says that the client has gone.
    pub(super) fn gone(&self) {
        let _ = self.seen.send(Seen::Closed(self.number));
    }

    /// Ends the connection in order.
    pub(super) fn close(self) {
        self.end();
    }

    /// The same, for a script that goes on.
    pub(super) fn end(&self) {
        // The client may have been faster.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Ends the connection with a reset: what a process that dies with unread bytes gives.
    pub(super) fn reset(self) {
        let socket = tokio_socket(&self.socket);
        socket.set_zero_linger().expect("an option");
        drop((self, socket));
    }

    /// The socket, for a script that speaks TLS over it.
    pub(super) fn into_parts(self) -> (TcpStream, impl FnMut(String, String)) {
        let Self { socket, number, seen, requests } = self;
        let note = move |head, body| {
            requests.fetch_add(1, Ordering::SeqCst);
            let _ = seen.send(Seen::Request(number, head, body));
        };
        (socket, note)
    }
}

fn tokio_socket(socket: &TcpStream) -> tokio::net::TcpSocket {
    tokio::net::TcpSocket::from_std_stream(socket.try_clone().expect("a second handle"))
}

/// Reads a request with its body; none at the end of the connection.
pub(super) fn read_request(socket: &mut impl Read) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match socket.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            Ok(_) => return None,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    let head = String::from_utf8(bytes).expect("a head of text");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    socket.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).expect("a body of text")))
}

/// An answer in one piece, with its length.
pub(super) fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
