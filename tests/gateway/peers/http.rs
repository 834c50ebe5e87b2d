//! Plain HTTP requests: what is refused before an upgrade, and what needs none.
//! Knows HTTP/1.1 as far as a status, headers and a body of known length.

use std::net::Ipv4Addr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::s;

/// Headers that ask for a WebSocket.
pub(crate) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The body, which has to be a JSON object.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let body: Value =
            serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body));
        assert!(body.is_object(), "no JSON object: {body}");
        body
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            (own.to_ascii_lowercase() == name).then(|| value.trim())
        })
    }
}

/// A connection for one request after the other.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// Whether the request was HEAD: its answer announces a body that does not come.
    head_alone: bool,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> Self {
        Self::open_from(Ipv4Addr::LOCALHOST, port).await
    }

    /// The same from this address of loopback.
    pub(crate) async fn open_from(source: Ipv4Addr, port: u16) -> Self {
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket.bind((source, 0).into()).expect("all of 127.0.0.0/8 is this machine");
        let stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await;
        Self {
            stream: stream.expect("the gateway accepts connections"),
            received: Vec::new(),
            head_alone: false,
        }
    }

    /// Sends the head of a request, with header lines that end in CRLF each.
    pub(crate) async fn head(&mut self, method: &str, path: &str, headers: &str) {
        self.head_alone = method == "HEAD";
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n")).await;
    }

    /// Sends a request whose body is JSON.
    pub(crate) async fn post(&mut self, path: &str, headers: &str, body: &str) {
        let length = body.len();
        let headers = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n{headers}");
        self.head("POST", path, &headers).await;
        self.send(body).await;
    }

    /// Sends bytes; one that the gateway has given up does not take them.
    pub(crate) async fn send(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).await.is_ok()
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_within(5).await
    }

    pub(crate) async fn answer_within(&mut self, seconds: u64) -> Answer {
        let read = async {
            loop {
                if let Some((answer, length)) = parsed(&self.received, self.head_alone) {
                    self.received.drain(..length);
                    return answer;
                }
                let read = self.stream.read_buf(&mut self.received).await.expect("the answer can be read");
                assert!(read > 0, "cut off after: {}", String::from_utf8_lossy(&self.received));
            }
        };
        timeout(s(seconds), read).await.expect("the request is answered in time")
    }

    /// Whether the gateway ends the connection, without another answer.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let read = timeout(s(5), self.stream.read_buf(&mut self.received));
        matches!(read.await, Ok(Ok(0) | Err(_))) && self.received.is_empty()
    }

    /// Goes away with a reset in place of a close.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().expect("the socket is open");
    }
}

/// `GET path` with more header lines, each ending in CRLF.
pub(crate) async fn get(port: u16, path: &str, headers: &str) -> Answer {
    send(port, "GET", path, headers).await
}

/// A request without a body on a connection of its own.
pub(crate) async fn send(port: u16, method: &str, path: &str, headers: &str) -> Answer {
    let mut connection = Connection::open(port).await;
    connection.head(method, path, headers).await;
    connection.answer().await
}

/// A request with a JSON body on a connection of its own.
pub(crate) async fn post(port: u16, path: &str, headers: &str, body: &str) -> Answer {
    let mut connection = Connection::open(port).await;
    connection.post(path, headers, body).await;
    connection.answer().await
}

/// The answer, once all of it is there, and how long it is.
fn parsed(received: &[u8], head_alone: bool) -> Option<(Answer, usize)> {
    let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, head, body: String::new() };
    let length = match answer.header("content-length") {
        Some(length) if !head_alone => length.parse().ok()?,
        _ => 0,
    };
    let body = received[end + 4..].get(..length)?;
    answer.body = String::from_utf8_lossy(body).into_owned();
    Some((answer, end + 4 + length))
}
