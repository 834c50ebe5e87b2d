//! The upstreams, of both protocols: one answers each frame of user audio with one of the agent's, the other pours
//! audio into every session at a steady rate, for as long as somebody takes it. Each has a thread of its own; neither
//! knows what is between it and the clients.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    runtime,
    sync::watch,
    task::LocalSet,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{Bytes, Message},
};

/// 20 ms of audio at 24 kHz.
pub(crate) const FRAME_BYTES: usize = 960;
/// How much audio is poured at once into a session.
const POURED_BYTES: usize = 16 * 1024;
/// What the kernel may keep of it on this side, bytes: it is neither here nor there.
const SEND_BUFFER: u32 = 32 * 1024;

/// Into so many parts the time between two pieces is divided; sessions begin in turn in one of them.
const PHASES: u32 = 100;

/// What an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OpenAI Realtime, which the gateway translates.
    Realtime,
    /// Deepgram's, which it passes through.
    VoiceAgent,
}

/// What an upstream does once it has been sent Settings.
#[derive(Clone)]
enum Habit {
    /// Answers audio with audio.
    Echoes,
    /// Pours audio once it is told how often a session is to be sent a piece.
    Pours { every: watch::Receiver<Option<Duration>>, poured: Arc<AtomicUsize> },
}

/// The upstream that pours.
pub(crate) struct Fountain {
    pub(crate) port: u16,
    every: watch::Sender<Option<Duration>>,
    poured: Arc<AtomicUsize>,
}

/// Starts one that answers, to the end of the program; its port.
pub(crate) fn start(protocol: Protocol) -> u16 {
    serve(protocol, Habit::Echoes)
}

impl Fountain {
    /// Starts one that will pour, to the end of the program.
    pub(crate) fn start(protocol: Protocol) -> Self {
        let every = watch::Sender::new(None);
        let poured = Arc::default();
        let port = serve(protocol, Habit::Pours { every: every.subscribe(), poured: Arc::clone(&poured) });
        Self { port, every, poured }
    }

    /// Pours so many bytes of audio a second into so many sessions, together.
    pub(crate) fn pour(&self, bytes_per_s: usize, sessions: usize) {
        let every = Duration::from_secs_f64((POURED_BYTES * sessions) as f64 / bytes_per_s as f64);
        self.every.send_replace(Some(every));
    }

    /// Pours no more.
    pub(crate) fn stop(&self) {
        self.every.send_replace(None);
    }

    /// Bytes of audio that were taken, altogether.
    pub(crate) fn poured(&self) -> usize {
        self.poured.load(Relaxed)
    }
}

fn serve(protocol: Protocol, habit: Habit) -> u16 {
    let (started, port) = mpsc::channel();
    let serve = async move {
        let socket = TcpSocket::new_v4().expect("a descriptor is free");
        socket.set_send_buffer_size(SEND_BUFFER).expect("the socket is open");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a loopback port is free");
        let listener = socket.listen(1024).expect("the socket is bound");
        started.send(listener.local_addr().expect("the listener is bound").port()).expect("the caller waits");
        for number in 0.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            tokio::task::spawn_local(session(stream, protocol, habit.clone(), number));
        }
    };
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        LocalSet::new().block_on(&runtime.expect("a runtime can be made"), serve);
    });
    port.recv().expect("the upstream starts")
}

async fn session(stream: TcpStream, protocol: Protocol, habit: Habit, number: u32) {
    stream.set_nodelay(true).expect("the socket is open");
    let Ok(mut socket) = accept_async(stream).await else { return };
    let audio = protocol.audio(FRAME_BYTES);
    while let Some(Ok(message)) = socket.next().await {
        let answers = match message {
            Message::Text(text) if text.contains("input_audio_buffer.append") => vec![audio.clone()],
            Message::Binary(_) => vec![audio.clone()],
            Message::Text(_) => protocol.opening(),
            _ => continue,
        };
        let opens = answers.len() > 1 || answers[0] != audio;
        for answer in answers {
            if socket.send(answer).await.is_err() {
                return;
            }
        }
        if let (true, Habit::Pours { every, poured }) = (opens, &habit) {
            return pour(socket, &written(&protocol.audio(POURED_BYTES)), every.clone(), poured, number)
                .await;
        }
    }
}

/// Pours until the gateway hangs up.
async fn pour(
    mut socket: WebSocketStream<TcpStream>,
    frame: &[u8],
    mut every: watch::Receiver<Option<Duration>>,
    poured: &AtomicUsize,
    number: u32,
) {
    loop {
        let waited = every.wait_for(Option::is_some).await;
        let Ok(Some(period)) = waited.map(|every| *every) else { return };
        // Sessions are out of step, or all would be sent a piece at the same time.
        let mut ticks = interval_at(Instant::now() + period * (number % PHASES) / PHASES, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while every.borrow().is_some() {
            ticks.tick().await;
            // Past the WebSocket layer, which would copy it once more.
            if socket.get_mut().write_all(frame).await.is_err() {
                return;
            }
            poured.fetch_add(POURED_BYTES, Relaxed);
        }
    }
}

impl Protocol {
    /// What answers Settings.
    fn opening(self) -> Vec<Message> {
        match self {
            Self::VoiceAgent => vec![Message::text(r#"{"type":"SettingsApplied"}"#)],
            Self::Realtime => {
                let item = json!({"id": "item_1", "type": "message", "role": "assistant",
                    "status": "in_progress", "content": []});
                let events = [
                    json!({"type": "session.updated", "session": {"type": "realtime"}}),
                    json!({"type": "response.created", "response": {"id": "resp_1"}}),
                    json!({"type": "response.output_item.added", "response_id": "resp_1", "output_index": 0,
                        "item": item}),
                ];
                events.iter().map(|event| Message::text(event.to_string())).collect()
            }
        }
    }

    /// So many bytes of the agent's audio.
    fn audio(self, bytes: usize) -> Message {
        match self {
            Self::VoiceAgent => Message::Binary(Bytes::from(vec![0; bytes])),
            Self::Realtime => {
                let audio = base64_simd::STANDARD.encode_to_string(vec![0; bytes]);
                let event = json!({"type": "response.output_audio.delta", "event_id": "event_1",
                    "response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0,
                    "delta": audio});
                Message::text(event.to_string())
            }
        }
    }
}

/// A message of less than 64 KiB as a server's frame.
fn written(message: &Message) -> Vec<u8> {
    let payload = match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes,
        other => unreachable!("{other:?} is no audio"),
    };
    let mut frame = vec![if message.is_text() { 0x81 } else { 0x82 }, 126];
    frame.extend(u16::try_from(payload.len()).expect("less than 64 KiB").to_be_bytes());
    frame.extend(payload);
    frame
}
