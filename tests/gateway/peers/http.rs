//! One plain HTTP request on a connection of its own, for what is refused before an upgrade.
//! Knows HTTP/1.1 as far as a status, headers and a body of known length.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::s;

/// Headers that ask for a WebSocket.
pub(crate) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
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
}

/// `GET path` with more header lines, each ending in CRLF.
pub(crate) async fn get(port: u16, path: &str, headers: &str) -> Answer {
    timeout(s(5), exchange(port, path, headers)).await.expect("the request is answered in time")
}

async fn exchange(port: u16, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the gateway accepts connections");
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("the request can be written");
    let mut received = Vec::new();
    loop {
        if let Some(answer) = parsed(&received) {
            return answer;
        }
        let read = stream.read_buf(&mut received).await.expect("the answer can be read");
        assert!(read > 0, "cut off after: {}", String::from_utf8_lossy(&received));
    }
}

/// The answer, once all of it is there.
fn parsed(received: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(received);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    (body.len() >= length.unwrap_or(0)).then(|| Answer { status, body: body.to_owned() })
}
