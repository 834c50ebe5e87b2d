//! The clients: a frame of user audio every 20 ms and session, in real time, how long each answer takes, and whether it
//! is the next one. They know nothing of what is between them and the upstream.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::{AbortHandle, JoinSet},
    time,
};

use crate::{
    audio::{self, DOWN_BYTES, NUMBER_BYTES},
    faults::Faults,
    frames::{self, BINARY, CLOSE, Incoming, PING, PONG, TEXT},
};

/// How often each session sends a frame.
pub(crate) const FRAME: Duration = Duration::from_millis(20);
/// Sessions are out of step, as people are: every tick it is another one's turn.
const TICK: Duration = Duration::from_millis(1);
const TURNS: usize = 20;

/// How long a session may take to open or to close.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last answers may take.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

const SETTINGS: &str = r#"{"type":"Settings","audio":{"input":{"encoding":"linear16","sample_rate":16000},"output":{"encoding":"linear16","sample_rate":24000,"container":"none"}},"agent":{"think":{"provider":{"type":"open_ai","model":"gpt-4o-mini"},"prompt":"You are a helpful assistant."}}}"#;

/// Open sessions. Dropping them hangs up.
pub(crate) struct Clients {
    common: Rc<Common>,
    /// The readers, and the one that sends for all.
    tasks: JoinSet<()>,
    talking: Option<AbortHandle>,
}

/// What a window of time brought.
pub(crate) struct Seen {
    /// Of the frames that were answered.
    pub(crate) round_trips: Vec<Duration>,
    /// How much later than they were due frames were sent: the peers' own fault.
    pub(crate) late: Vec<Duration>,
}

struct Common {
    faults: Faults,
    sessions: RefCell<Vec<Rc<Session>>>,
    frame: Vec<u8>,
    answer: Vec<u8>,
    is_noting: Cell<bool>,
    round_trips: RefCell<Vec<Duration>>,
    late: RefCell<Vec<Duration>>,
}

struct Session {
    writer: OwnedWriteHalf,
    /// When the frames were sent that have no answer yet.
    unanswered: RefCell<VecDeque<Instant>>,
    /// The next agent frame: its connection at the upstream, once that is known, and its place there.
    expected: Cell<(Option<[u8; 3]>, u32)>,
}

impl Clients {
    /// None yet.
    pub(crate) fn new(faults: Faults) -> Self {
        let common = Common {
            faults,
            sessions: RefCell::default(),
            frame: frames::masked(BINARY, &audio::user()),
            answer: audio::agent(),
            is_noting: Cell::new(false),
            round_trips: RefCell::default(),
            late: RefCell::default(),
        };
        Self { common: Rc::new(common), tasks: JoinSet::new(), talking: None }
    }

    /// Opens so many more at this port, one after the other.
    ///
    /// # Errors
    ///
    /// In words, if one does not open in time.
    pub(crate) async fn open(&mut self, port: u16, path: &str, count: usize) -> Result<(), String> {
        for _ in 0..count {
            let (stream, incoming) = open(port, path).await?;
            let (reader, writer) = stream.into_split();
            let session = Rc::new(Session::new(writer));
            self.common.sessions.borrow_mut().push(Rc::clone(&session));
            let read = read(reader, incoming, session, Rc::clone(&self.common));
            self.tasks.spawn_local(read);
        }
        Ok(())
    }

    pub(crate) fn count(&self) -> usize {
        self.common.sessions.borrow().len()
    }

    /// Begins the audio of all sessions, also of those that are opened later.
    pub(crate) fn talk(&mut self) {
        self.talking = Some(self.tasks.spawn_local(talk(Rc::clone(&self.common))));
    }

    /// Begins a window.
    pub(crate) fn begin(&self) {
        self.common.is_noting.set(true);
    }

    /// Ends it. The audio goes on.
    pub(crate) fn end(&self) -> Seen {
        self.common.is_noting.set(false);
        Seen { round_trips: self.common.round_trips.take(), late: self.common.late.take() }
    }

    /// Sends no more and waits for the last answers; those that do not come are a fault.
    pub(crate) async fn fall_silent(&mut self) {
        if let Some(talking) = self.talking.take() {
            talking.abort();
        }
        let unanswered = || -> usize {
            self.common.sessions.borrow().iter().map(|session| session.unanswered.borrow().len()).sum()
        };
        let began = Instant::now();
        while unanswered() > 0 && began.elapsed() < LAST_ANSWERS {
            time::sleep(TICK).await;
        }
        if unanswered() > 0 {
            self.common.faults.note(|| format!("{} frames were never answered", unanswered()));
        }
    }
}

/// A whole life of a session that says nothing: opened, closed, and hung up by the other side.
///
/// # Errors
///
/// In words, if it does not go as it should.
pub(crate) async fn open_and_close(port: u16, path: &str) -> Result<(), String> {
    let (mut stream, mut incoming) = open(port, path).await?;
    let closed = async {
        stream.write_all(&frames::masked(CLOSE, &1000_u16.to_be_bytes())).await?;
        let mut consents = false;
        loop {
            while let Some(frame) = incoming.next().map_err(io::Error::other)? {
                consents |= frame.opcode == CLOSE;
            }
            if !incoming.fill(&mut stream).await? {
                return if consents { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) };
            }
        }
    };
    match time::timeout(PATIENCE, closed).await {
        Ok(closed) => closed.map_err(|error| format!("a session that closes: {error}")),
        Err(_) => Err("a session is not closed in time".to_owned()),
    }
}

/// Connects and sends Settings; open once their answer has come all the way back.
async fn open(port: u16, path: &str) -> Result<(TcpStream, Incoming), String> {
    let opened = async {
        let (mut stream, mut incoming) = frames::connect(port, path).await?;
        stream.write_all(&frames::masked(TEXT, SETTINGS.as_bytes())).await?;
        loop {
            while let Some(frame) = incoming.next().map_err(io::Error::other)? {
                let text = frame.text().unwrap_or_default();
                if text.contains("\"SettingsApplied\"") {
                    return Ok((stream, incoming));
                }
                if !text.contains("\"Welcome\"") {
                    return Err(io::Error::other(format!("it begins with {text}")));
                }
            }
            if !incoming.fill(&mut stream).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    };
    match time::timeout(PATIENCE, opened).await {
        Ok(opened) => opened.map_err(|error| format!("a session that opens: {error}")),
        Err(_) => Err("a session is not opened in time".to_owned()),
    }
}

/// Reads a session's frames to its end, which is a fault: it is the clients that hang up.
async fn read(mut reader: OwnedReadHalf, mut incoming: Incoming, session: Rc<Session>, common: Rc<Common>) {
    let fault = loop {
        match incoming.fill(&mut reader).await {
            Ok(true) => {}
            Ok(false) => break "a session was hung up".to_owned(),
            Err(error) => break format!("a session was cut: {error}"),
        }
        if let Err(fault) = session.take_all(&mut incoming, &common) {
            break fault;
        }
    };
    common.faults.note(|| fault);
}

impl Session {
    fn new(writer: OwnedWriteHalf) -> Self {
        Self { writer, unanswered: RefCell::default(), expected: Cell::default() }
    }

    fn take_all(&self, incoming: &mut Incoming, common: &Common) -> Result<(), String> {
        let now = Instant::now();
        while let Some(frame) = incoming.next()? {
            match frame.opcode {
                BINARY if frame.raw.len() % DOWN_BYTES == 0 => {
                    for audio in frame.raw.chunks_exact(DOWN_BYTES) {
                        self.hear(audio, now, common)?;
                    }
                }
                TEXT => {
                    let text = frame.text().unwrap_or_default();
                    if text.contains("\"Error\"") || text.contains("\"Warning\"") {
                        return Err(format!("a client got {text}"));
                    }
                }
                PING => {
                    let pong = frames::masked(PONG, &frame.payload());
                    self.writer.try_write(&pong).map_err(|error| format!("a pong: {error}"))?;
                }
                opcode => {
                    return Err(format!(
                        "a client got {} bytes in a frame with opcode {opcode}",
                        frame.raw.len()
                    ));
                }
            }
        }
        Ok(())
    }

    /// One frame of the agent's audio, which must be the next one and whole.
    fn hear(&self, audio: &[u8], now: Instant, common: &Common) -> Result<(), String> {
        let (number, content) = audio.split_at(NUMBER_BYTES);
        let (connection, place) = self.expected.get();
        // The connection's number is known from its first frame.
        let connection = connection.unwrap_or([number[0], number[1], number[2]]);
        if number != audio::number(connection, place) {
            return Err(format!("a client got {number:?} where {connection:?} was at {place}"));
        }
        if *content != common.answer[NUMBER_BYTES..] {
            return Err("a client got other audio than the agent's".to_owned());
        }
        self.expected.set((Some(connection), place + 1));
        let sent = self.unanswered.borrow_mut().pop_front();
        let sent = sent.ok_or_else(|| "a client got an answer to nothing".to_owned())?;
        if common.is_noting.get() {
            common.round_trips.borrow_mut().push(now - sent);
        }
        Ok(())
    }

    fn say(&self, frame: &[u8]) -> io::Result<()> {
        self.unanswered.borrow_mut().push_back(Instant::now());
        // The kernel's buffer takes half a minute of audio.
        match self.writer.try_write(frame)? {
            whole if whole == frame.len() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }
}

/// Sends the sessions' audio, each at its time.
async fn talk(common: Rc<Common>) {
    let mut ticks = time::interval(TICK);
    for turn in (0..TURNS).cycle() {
        let due = ticks.tick().await;
        for session in common.sessions.borrow().iter().skip(turn).step_by(TURNS) {
            if let Err(error) = session.say(&common.frame) {
                common.faults.note(|| format!("a frame of user audio: {error}"));
            }
            if common.is_noting.get() {
                common.late.borrow_mut().push(due.elapsed());
            }
        }
    }
}
