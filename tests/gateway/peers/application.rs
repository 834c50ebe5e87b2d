//! An HTTP application that runs functions, on a port of its own: raw TCP, so that it can misbehave in every way that
//! `reply` has words for. Notes each request and whether its caller stayed. Fails the test if it panics.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::reply::{Part, Reply};

/// One request, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Headers, names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
    /// Whether the reply has begun, unless it is one that never ends.
    pub(crate) answered: bool,
    /// When the caller hung up before the reply was over.
    pub(crate) cut_off: Option<Instant>,
}

impl Request {
    /// The `id` of the body: the function call's.
    pub(crate) fn call_id(&self) -> &str {
        self.body["id"].as_str().expect("a request has an id")
    }

    fn is_open(&self) -> bool {
        !self.answered && self.cut_off.is_none()
    }
}

/// A running application.
pub(crate) struct Application {
    authority: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    reply: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    notes: Mutex<Notes>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Notes {
    connections: usize,
    requests: Vec<Request>,
    most_open: usize,
    sent: u64,
    panics: Vec<String>,
}

impl Application {
    /// On a loopback port; each request gets the reply that `reply` makes of it.
    pub(crate) async fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1", reply).await
    }

    /// On a port of another address of this host; an IPv6 one has brackets.
    pub(crate) async fn start_at(
        host: &str,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(format!("{host}:0")).await.expect("a loopback port is free");
        let authority = listener.local_addr().expect("the listener is bound").to_string();
        let (notes, changed) = (Mutex::default(), watch::Sender::new(()));
        let shared = Arc::new(Shared { reply: Box::new(reply), notes, changed });
        let accepting = tokio::spawn(accept_all(listener, Arc::clone(&shared)));
        Self { authority, shared, accepting }
    }

    /// One that nobody may connect to.
    pub(crate) async fn forbidden() -> Self {
        Self::start(|request| panic!("nobody may call this application: {request:?}")).await
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn port(&self) -> &str {
        self.authority.rsplit_once(':').expect("an authority has a port").1
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/functions", self.authority)
    }

    /// Every request so far, in the order of their arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.notes().requests.clone()
    }

    /// How many connections there were, with or without a request.
    pub(crate) fn connections(&self) -> usize {
        self.shared.notes().connections
    }

    /// How many requests at the same time had no answer yet, at most.
    pub(crate) fn most_open(&self) -> usize {
        self.shared.notes().most_open
    }

    /// How many bytes it could write.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.notes().sent
    }

    /// Waits until `look` finds what it wants among the requests.
    ///
    /// # Panics
    ///
    /// With all requests, if that has not happened in time.
    pub(crate) async fn wait_for<T>(
        &self,
        wanted: &str,
        within: Duration,
        mut look: impl FnMut(&[Request]) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + within;
        let mut changed = self.shared.changed.subscribe();
        loop {
            if let Some(found) = look(&self.shared.notes().requests) {
                return found;
            }
            if timeout_at(deadline, changed.changed()).await.is_err() {
                panic!("no {wanted} at the application within {within:?}: {:#?}", self.requests());
            }
        }
    }

    /// Waits for so many requests.
    pub(crate) async fn expect_requests(&self, count: usize, within: Duration) -> Vec<Request> {
        let wanted = format!("{count} requests");
        self.wait_for(&wanted, within, |all| (all.len() >= count).then(|| all.to_vec())).await
    }

    /// Waits until the callers of so many requests have hung up without waiting for the answer.
    pub(crate) async fn expect_cut_off(&self, count: usize, within: Duration) {
        let cut_off = |all: &[Request]| all.iter().filter(|request| request.cut_off.is_some()).count();
        let wanted = format!("{count} requests that were cut off");
        self.wait_for(&wanted, within, |all| (cut_off(all) >= count).then_some(())).await;
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.accepting.abort();
        let panics = self.shared.notes().panics.clone();
        if !panics.is_empty() && !thread::panicking() {
            panic!("the application failed: {panics:?}");
        }
    }
}

impl Shared {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("no holder panics")
    }

    /// Notes a request; where it stands.
    fn note(&self, request: Request) -> usize {
        let mut notes = self.notes();
        notes.requests.push(request);
        let open = notes.requests.iter().filter(|request| request.is_open()).count();
        notes.most_open = notes.most_open.max(open);
        let index = notes.requests.len() - 1;
        drop(notes);
        self.changed.send_replace(());
        index
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Request)) {
        change(&mut self.notes().requests[index]);
        self.changed.send_replace(());
    }
}

async fn accept_all(listener: TcpListener, shared: Arc<Shared>) {
    for connection in 1.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        shared.notes().connections = connection;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let served = AssertUnwindSafe(serve(stream, &shared)).catch_unwind().await;
            if let Err(panic) = served {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                shared.notes().panics.push(text.unwrap_or_else(|| "a panic without text".to_owned()));
            }
        });
    }
}

/// Serves one connection from its first request to its end.
///
/// # Panics
///
/// If the caller sends what the contract does not have: no JSON, no length, a request before the last one is answered.
async fn serve(mut stream: TcpStream, shared: &Shared) {
    stream.set_nodelay(true).expect("the socket is open");
    while let Some(request) = next_request(&mut stream).await {
        let reply = (shared.reply)(&request);
        let index = shared.note(request);
        match carry_out(&mut stream, reply, index, shared).await {
            Ended::Complete => {}
            Ended::Closed => return,
            Ended::Reset => {
                stream.set_zero_linger().expect("the socket is open");
                return;
            }
            Ended::CutOff => {
                shared.change(index, |request| request.cut_off = Some(Instant::now()));
                return;
            }
        }
    }
}

/// How a reply ended.
enum Ended {
    Complete,
    Closed,
    Reset,
    CutOff,
}

async fn carry_out(stream: &mut TcpStream, reply: Reply, index: usize, shared: &Shared) -> Ended {
    let (mut reader, mut writer) = stream.split();
    let mut byte = [0];
    let hung_up = async {
        match reader.read(&mut byte).await {
            Ok(0) | Err(_) => Ended::CutOff,
            Ok(_) => panic!("a request before the last one is answered"),
        }
    };
    let is_answer = reply.parts.iter().all(|part| !matches!(part, Part::Hang));
    let answer = async {
        for part in reply.parts {
            // Before its caller can know, or the next request would seem to be one too many.
            if is_answer && !matches!(part, Part::Pause(_) | Part::Wait(_)) {
                shared.change(index, |request| request.answered = true);
            }
            match part {
                Part::Write(bytes) => {
                    if writer.write_all(&bytes).await.is_err() {
                        return Ended::CutOff;
                    }
                    shared.notes().sent += bytes.len() as u64;
                }
                Part::Flood(letters) => {
                    static PIECE: [u8; 64 * 1024] = [b'a'; 64 * 1024];
                    let mut left = letters;
                    while left > 0 {
                        let most = usize::try_from(left).map_or(PIECE.len(), |left| left.min(PIECE.len()));
                        let Ok(written) = writer.write(&PIECE[..most]).await else { return Ended::CutOff };
                        left -= written as u64;
                        shared.notes().sent += written as u64;
                    }
                }
                Part::Pause(time) => sleep(time).await,
                Part::Wait(mut latch) => {
                    // A test that has gone opens nothing any more.
                    let _ = latch.wait_for(|open| *open).await;
                }
                Part::Hang => std::future::pending().await,
                Part::Close => return Ended::Closed,
                Part::Reset => return Ended::Reset,
            }
        }
        Ended::Complete
    };
    tokio::select! {
        biased;
        ended = answer => ended,
        ended = hung_up => ended,
    }
}

/// The next request of a connection, if there is one.
async fn next_request(stream: &mut TcpStream) -> Option<Request> {
    let mut received = Vec::new();
    let head = loop {
        if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        // A caller may hang up at any time, and even with a reset.
        if stream.read_buf(&mut received).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let text = str::from_utf8(&received[..head]).expect("a head is text");
    let (line, fields) = text.split_once("\r\n").expect("a request has headers");
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().expect("a method"), words.next().expect("a target"));
    let mut headers = BTreeMap::new();
    for field in fields.split("\r\n") {
        let (name, value) = field.split_once(':').expect("a header has a colon");
        let twice = headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        assert!(twice.is_none(), "{name} stands twice");
    }
    let length = headers.get("content-length").expect("a request has a length");
    let length = head + 4 + length.parse::<usize>().expect("its length is a number");
    while received.len() < length {
        if stream.read_buf(&mut received).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    assert_eq!(received.len(), length, "more than one request");
    let body = serde_json::from_slice(&received[head + 4..]).expect("a request's body is JSON");
    Some(Request { method, target, headers, body, answered: false, cut_off: None })
}
