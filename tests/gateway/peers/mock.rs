//! A scripted OpenAI Realtime server on a port of its own, as a test holds it: what it has received
//! and noted, and a way to send at will. Fails the test if it panics. Knows no event by name.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::frames::Step;
use super::journal::{Journal, Recorder};
use super::script::Script;
use super::upstream::serve;
use super::{ms, s};

/// The upgrade request of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Upgrade {
    /// Path and query.
    pub(crate) target: String,
    /// Headers, names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

/// A running mock. Connections are numbered from 1.
pub(crate) struct Mock {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What the mock's connections share with the test.
pub(super) struct Shared {
    pub(super) script: Script,
    pub(super) recorder: Recorder,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    upgrades: Vec<Upgrade>,
    peers: BTreeMap<usize, Peer>,
    protocol_errors: Vec<String>,
    panics: Vec<String>,
}

/// A way to send on one of the mock's connections.
#[derive(Clone)]
pub(crate) struct Peer(mpsc::UnboundedSender<Command>);

/// What a connection is told to do.
pub(super) enum Command {
    Send(Message),
    Raw(Vec<u8>, oneshot::Sender<bool>),
    Vanish,
}

impl Mock {
    pub(crate) async fn start(script: Script) -> Self {
        let socket = TcpSocket::new_v4().expect("a descriptor is free");
        script.pace.prepare(&socket);
        socket.bind("127.0.0.1:0".parse().expect("a valid address")).expect("a loopback port is free");
        let listener = socket.listen(1024).expect("the socket is bound");
        let port = listener.local_addr().expect("the listener is bound").port();
        let recorder = Recorder::new("the mock upstream");
        let shared = Arc::new(Shared { script, recorder, notes: Mutex::default() });
        let accepting = tokio::spawn(accept_all(listener, Arc::clone(&shared)));
        Self { port, shared, accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where a backend finds this mock.
    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/v1/realtime", self.port)
    }

    /// All that was received so far, on all connections.
    pub(crate) fn journal(&self) -> Journal {
        self.shared.recorder.journal()
    }

    /// How many messages of a type were received.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.journal().count(kind)
    }

    /// Waits until `look` finds what it wants in what was received.
    pub(crate) async fn wait_for<T>(
        &self,
        wanted: &str,
        within: Duration,
        look: impl FnMut(&Journal) -> Option<T>,
    ) -> T {
        self.shared.recorder.wait_for(wanted, within, look).await
    }

    /// Waits for the first message of a type.
    pub(crate) async fn expect(&self, kind: &str, within: Duration) -> Value {
        self.wait_for(kind, within, |journal| journal.first(kind).cloned()).await
    }

    /// A connection by its number, waiting until it is there.
    pub(crate) async fn peer(&self, number: usize) -> Peer {
        let mut left = 500;
        loop {
            if let Some(peer) = self.shared.notes().peers.get(&number) {
                return peer.clone();
            }
            assert!(left > 0, "connection {number} did not reach the mock");
            left -= 1;
            sleep(ms(10)).await;
        }
    }

    /// The upgrade requests so far, refused ones included.
    pub(crate) fn upgrades(&self) -> Vec<Upgrade> {
        self.shared.notes().upgrades.clone()
    }

    /// What broke the protocol so far.
    pub(crate) fn protocol_errors(&self) -> Vec<String> {
        self.shared.notes().protocol_errors.clone()
    }

    #[track_caller]
    pub(crate) fn assert_no_protocol_error(&self) {
        let errors = self.protocol_errors();
        assert!(errors.is_empty(), "protocol errors {errors:?}; received:\n{}", self.journal());
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.accepting.abort();
        if thread::panicking() {
            eprintln!("--- the mock upstream received\n{}", self.journal());
        }
        let panics = self.shared.notes().panics.clone();
        if !panics.is_empty() && !thread::panicking() {
            panic!("the mock upstream failed: {panics:?}; it received:\n{}", self.journal());
        }
    }
}

impl Peer {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (sender, commands) = mpsc::unbounded_channel();
        (Self(sender), commands)
    }

    pub(crate) fn send(&self, frame: &Value) {
        self.send_message(Message::text(frame.to_string()));
    }

    /// Sends any message: text that is no JSON, binary, a fragment, a close.
    pub(crate) fn send_message(&self, message: Message) {
        // A connection that has ended takes nothing more, like the network.
        let _ = self.0.send(Command::Send(message));
    }

    /// Writes bytes past the WebSocket layer; false once the gateway does not take them.
    pub(crate) async fn send_raw(&self, bytes: Vec<u8>) -> bool {
        let (done, written) = oneshot::channel();
        let sent = self.0.send(Command::Raw(bytes, done)).is_ok();
        sent && matches!(tokio::time::timeout(s(5), written).await, Ok(Ok(true)))
    }

    pub(crate) fn close(&self, code: u16, reason: &'static str) {
        self.send_message(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })));
    }

    /// Ends the TCP connection without a close frame.
    pub(crate) fn vanish(&self) {
        let _ = self.0.send(Command::Vanish);
    }

    /// Sends frames one after the other, each after its delay.
    pub(super) fn play(&self, steps: Vec<Step>) {
        if steps.iter().all(|step| step.after.is_zero()) {
            steps.iter().for_each(|step| self.send(&step.frame));
            return;
        }
        let peer = self.clone();
        tokio::spawn(async move {
            for step in steps {
                sleep(step.after).await;
                peer.send(&step.frame);
            }
        });
    }
}

impl Shared {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("no holder panics")
    }

    pub(super) fn connected(&self, number: usize, peer: &Peer) {
        self.notes().peers.insert(number, peer.clone());
    }

    pub(super) fn upgraded(&self, upgrade: Upgrade) {
        self.notes().upgrades.push(upgrade);
    }

    pub(super) fn protocol_error(&self, text: String) {
        self.notes().protocol_errors.push(text);
    }
}

async fn accept_all(listener: TcpListener, shared: Arc<Shared>) {
    for _ in 0..shared.script.dropped {
        drop(listener.accept().await);
    }
    for number in 1.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let served = AssertUnwindSafe(serve(stream, number, &shared)).catch_unwind().await;
            if let Err(panic) = served {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                shared.notes().panics.push(text.unwrap_or_else(|| "a panic without text".to_owned()));
                shared.recorder.finish();
            }
        });
    }
}
