//! The clients: a frame of user audio every 20 ms and session, in real time, and how long each answer takes.
//! They share a thread of their own and know nothing of what is between them and the upstream.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{net::TcpStream, runtime, sync::oneshot, task::LocalSet, time};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Bytes, Message},
};

use crate::mock;

/// 20 ms of audio at 16 kHz.
pub(crate) const FRAME_BYTES: usize = 640;
/// How often each session sends a frame.
pub(crate) const FRAME: Duration = Duration::from_millis(20);
/// Sessions are out of step, as people are: every tick it is another one's turn.
const TICK: Duration = Duration::from_millis(1);

const OPENING: Duration = Duration::from_secs(10);

/// Open sessions, whose audio runs.
pub(crate) struct Load {
    wishes: mpsc::Sender<Wish>,
    thread: JoinHandle<()>,
}

/// What is asked of the thread that drives the sessions, between two ticks.
enum Wish {
    /// From now on round trips are noted; says so.
    Begin(oneshot::Sender<()>),
    /// Those since then.
    End(oneshot::Sender<Vec<Duration>>),
}

/// What the sessions of a load have in common.
#[derive(Default)]
struct Noted {
    noting: Cell<bool>,
    round_trips: RefCell<Vec<Duration>>,
}

struct Session {
    writer: SplitSink<WebSocketStream<TcpStream>, Message>,
    /// When the frames were sent that have no answer yet.
    unanswered: Rc<RefCell<VecDeque<Instant>>>,
}

impl Load {
    /// Opens so many sessions at this port, and begins their audio once all are open.
    pub(crate) fn open(port: u16, path: &'static str, sessions: usize) -> Self {
        let (wishes, wished) = mpsc::channel();
        let (opened, is_open) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let run = async {
                let noted = Rc::new(Noted::default());
                let mut open = Vec::new();
                for _ in 0..sessions {
                    let opening = Session::open(port, path, Rc::clone(&noted));
                    open.push(time::timeout(OPENING, opening).await.expect("the session is opened in time"));
                }
                opened.send(()).expect("the caller waits");
                drive(open, &wished, &noted).await;
            };
            LocalSet::new().block_on(&runtime.expect("a runtime can be made"), run);
        });
        is_open.recv().expect("every session can be opened");
        Self { wishes, thread }
    }

    /// Begins to note round trips.
    pub(crate) fn begin(&self) {
        self.ask(Wish::Begin);
    }

    /// The round trips since then. The audio goes on.
    pub(crate) fn end(&self) -> Vec<Duration> {
        self.ask(Wish::End)
    }

    /// Hangs up.
    pub(crate) fn close(self) {
        drop(self.wishes);
        self.thread.join().expect("the sessions stay open to the end");
    }

    fn ask<T>(&self, wish: impl FnOnce(oneshot::Sender<T>) -> Wish) -> T {
        let (answer, answered) = oneshot::channel();
        self.wishes.send(wish(answer)).expect("the sessions are open");
        answered.blocking_recv().expect("the sessions are open")
    }
}

impl Session {
    /// Connects and sends Settings; open once their answer has come all the way back.
    async fn open(port: u16, path: &str, noted: Rc<Noted>) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("somebody listens");
        stream.set_nodelay(true).expect("the socket is open");
        let url = format!("ws://127.0.0.1:{port}{path}");
        let (mut socket, _) = client_async(url, stream).await.expect("the upgrade is answered");
        let settings =
            r#"{"type":"Settings","audio":{"input":{"encoding":"linear16","sample_rate":16000}},"agent":{}}"#;
        socket.send(Message::text(settings)).await.expect("Settings are taken");
        loop {
            let message = socket.next().await.and_then(Result::ok);
            let message =
                message.and_then(|message| message.into_text().ok()).expect("Settings are answered");
            if message.contains("SettingsApplied") {
                break;
            }
            // A gateway that translates greets first.
            assert!(message.contains("Welcome"), "the session begins with {message}");
        }
        let (writer, reader) = socket.split();
        let unanswered = Rc::default();
        tokio::task::spawn_local(read(reader, Rc::clone(&unanswered), noted));
        Self { writer, unanswered }
    }
}

async fn read(
    mut reader: SplitStream<WebSocketStream<TcpStream>>,
    unanswered: Rc<RefCell<VecDeque<Instant>>>,
    noted: Rc<Noted>,
) {
    while let Some(Ok(message)) = reader.next().await {
        let Message::Binary(audio) = message else { continue };
        assert_eq!(audio.len(), mock::FRAME_BYTES, "agent audio comes as it was sent");
        let sent = unanswered.borrow_mut().pop_front().expect("an answer follows its frame");
        if noted.noting.get() {
            noted.round_trips.borrow_mut().push(sent.elapsed());
        }
    }
}

/// Sends the sessions' audio, each at its time, until nobody can wish any more.
async fn drive(mut sessions: Vec<Session>, wished: &mpsc::Receiver<Wish>, noted: &Noted) {
    let audio = Bytes::from(vec![0; FRAME_BYTES]);
    let turns = FRAME.as_millis() / TICK.as_millis();
    let mut ticks = time::interval(TICK);
    for turn in (0..turns).cycle() {
        ticks.tick().await;
        match wished.try_recv() {
            Ok(Wish::Begin(begun)) => {
                noted.noting.set(true);
                begun.send(()).expect("the caller waits");
            }
            Ok(Wish::End(ended)) => {
                noted.noting.set(false);
                ended.send(noted.round_trips.take()).expect("the caller waits");
            }
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => return,
        }
        for session in sessions.iter_mut().skip(turn as usize).step_by(turns as usize) {
            session.unanswered.borrow_mut().push_back(Instant::now());
            session.writer.send(Message::Binary(audio.clone())).await.expect("the session is open");
        }
    }
}
