//! The upstream: it opens every session, begins answers when it is told, and notes when user audio arrives. The audio
//! of its answers is written past it.

use std::{
    net,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use crate::{client::twice, jitter::Arrivals};

/// 20 ms of 24 kHz PCM.
const FRAME_BYTES: usize = 960;

/// A running upstream. Its sessions are numbered from 0, in the order in which they were opened.
pub(crate) struct Upstream {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    sessions: Mutex<Vec<Session>>,
    /// By session and call id.
    outputs: Mutex<Vec<(usize, Value)>>,
    changed: watch::Sender<()>,
}

struct Session {
    events: mpsc::UnboundedSender<Value>,
    writer: net::TcpStream,
    arrivals: Arrivals,
    answers: usize,
}

#[derive(Deserialize)]
struct Event<'a> {
    r#type: &'a str,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&accepting)));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/v1/realtime", self.port)
    }

    /// Waits for so many sessions.
    pub(crate) async fn expect_sessions(&self, count: usize) {
        self.wait("every session", || self.shared.sessions().len() >= count).await;
    }

    /// Waits until so many calls are answered; all answers.
    pub(crate) async fn expect_outputs(&self, count: usize) -> Vec<(usize, Value)> {
        self.wait("the call's output", || self.outputs().len() >= count).await;
        self.outputs()
    }

    /// The calls that were answered so far, by session and id.
    pub(crate) fn outputs(&self) -> Vec<(usize, Value)> {
        self.shared.outputs.lock().expect("no holder panics").clone()
    }

    async fn wait(&self, wanted: &str, is_there: impl Fn() -> bool) {
        let mut changed = self.shared.changed.subscribe();
        while !is_there() {
            let waited = timeout(Duration::from_secs(10), changed.changed()).await;
            waited.unwrap_or_else(|_| panic!("upstream waits in vain for {wanted}")).expect("it is shared");
        }
    }

    /// Ends the answer that runs, calls a function in one of its own if there is one to call, and begins the answer
    /// to which the audio belongs from now on.
    pub(crate) fn begin_answer(&self, session: usize, call: Option<&str>) {
        let mut sessions = self.shared.sessions();
        let session = &mut sessions[session];
        let send = |event: Value| session.events.send(event).expect("the session is open");
        let done = |id: &str| json!({"type": "response.done", "response": {"id": id, "status": "completed", "output": []}});
        if session.answers > 0 {
            send(done(&format!("resp_{}", session.answers)));
        }
        if let Some(call) = call {
            let id = "resp_call";
            let item = json!({"id": "item_call", "type": "function_call", "status": "completed", "call_id": call,
                "name": "slow", "arguments": "{}"});
            send(json!({"type": "response.created", "response": {"id": id}}));
            for kind in ["response.output_item.added", "response.output_item.done"] {
                send(json!({"type": kind, "response_id": id, "output_index": 0, "item": item}));
            }
            send(done(id));
        }
        session.answers += 1;
        let (response, item) = (format!("resp_{}", session.answers), format!("item_{}", session.answers));
        send(json!({"type": "response.created", "response": {"id": response}}));
        let item = json!({"id": item, "type": "message", "role": "assistant", "status": "in_progress", "content": []});
        send(
            json!({"type": "response.output_item.added", "response_id": response, "output_index": 0, "item": item}),
        );
    }

    pub(crate) fn writer(&self, session: usize) -> net::TcpStream {
        self.shared.sessions()[session].writer.try_clone().expect("a descriptor is free")
    }

    /// 20 ms of the answer that runs, as a server's WebSocket frame.
    pub(crate) fn audio_frame(&self, session: usize) -> Vec<u8> {
        let answer = self.shared.sessions()[session].answers;
        let audio = base64_simd::STANDARD.encode_to_string([0; FRAME_BYTES]);
        let event = json!({"type": "response.output_audio.delta", "event_id": "event_1",
            "response_id": format!("resp_{answer}"), "item_id": format!("item_{answer}"), "output_index": 0,
            "content_index": 0, "delta": audio})
        .to_string();
        let mut frame = vec![0x81, 126];
        frame.extend(u16::try_from(event.len()).expect("20 ms are less than 64 KiB").to_be_bytes());
        frame.extend(event.as_bytes());
        frame
    }

    /// When user audio came, so far.
    pub(crate) fn arrivals(&self, session: usize) -> Arrivals {
        self.shared.sessions()[session].arrivals.clone()
    }
}

impl Shared {
    fn sessions(&self) -> MutexGuard<'_, Vec<Session>> {
        self.sessions.lock().expect("no holder panics")
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let (stream, writer) = twice(stream);
    let socket = accept_async(stream).await.expect("the gateway speaks WebSocket");
    let (events, mut to_send) = mpsc::unbounded_channel();
    let number = {
        let mut sessions = shared.sessions();
        sessions.push(Session { events: events.clone(), writer, arrivals: Arrivals::default(), answers: 0 });
        sessions.len() - 1
    };
    shared.changed.send_replace(());
    let (mut sink, mut reader) = socket.split();
    tokio::spawn(async move {
        while let Some(event) = to_send.recv().await {
            let event: Value = event;
            // The gateway may have gone, at the end.
            let _ = sink.send(Message::text(event.to_string())).await;
        }
    });
    while let Some(Ok(message)) = reader.next().await {
        let Message::Text(text) = message else { continue };
        let event: Event<'_> = serde_json::from_str(&text).expect("upstream gets events");
        match event.r#type {
            "input_audio_buffer.append" => shared.sessions()[number].arrivals.0.push(Instant::now()),
            "session.update" => {
                events
                    .send(json!({"type": "session.updated", "session": {"type": "realtime"}}))
                    .expect("it is read");
            }
            "conversation.item.create" => {
                let event: Value = serde_json::from_str(&text).expect("just read");
                shared
                    .outputs
                    .lock()
                    .expect("no holder panics")
                    .push((number, event["item"]["call_id"].clone()));
                shared.changed.send_replace(());
            }
            _ => {}
        }
    }
}
