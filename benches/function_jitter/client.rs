//! One client: it opens a session and notes when agent audio arrives. What it sends later is written past it.

use std::{
    net,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{client_async, tungstenite::Message};

use crate::jitter::Arrivals;

/// 20 ms at 16 kHz, as the protocol has it where Settings is silent.
const FRAME_BYTES: usize = 640;

/// A connected client.
pub(crate) struct Client {
    writer: net::TcpStream,
    arrivals: Arc<Mutex<Arrivals>>,
}

impl Client {
    /// Connects and waits for `SettingsApplied`.
    pub(crate) async fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the gateway accepts connections");
        let (stream, writer) = twice(stream);
        let url = format!("ws://127.0.0.1:{port}/openai");
        let (mut socket, _) = client_async(url, stream).await.expect("the gateway upgrades");
        let settings = r#"{"type":"Settings","agent":{"think":{"prompt":"You are a helpful assistant."}}}"#;
        socket.send(Message::text(settings)).await.expect("the gateway takes Settings");
        let applied = async {
            while let Some(Ok(message)) = socket.next().await {
                if message.to_text().is_ok_and(|text| text.contains("\"SettingsApplied\"")) {
                    return;
                }
            }
            panic!("the gateway does not open the session");
        };
        timeout(Duration::from_secs(10), applied).await.expect("the session is opened in time");
        let arrivals = Arc::new(Mutex::new(Arrivals::default()));
        let noted = Arc::clone(&arrivals);
        tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                if message.is_binary() {
                    noted.lock().expect("no holder panics").0.push(Instant::now());
                }
            }
        });
        Self { writer, arrivals }
    }

    pub(crate) fn writer(&self) -> net::TcpStream {
        self.writer.try_clone().expect("a descriptor is free")
    }

    /// When agent audio came, so far.
    pub(crate) fn arrivals(&self) -> Arrivals {
        self.arrivals.lock().expect("no holder panics").clone()
    }
}

/// 20 ms of audio as a client's WebSocket frame; its masking key is zero.
pub(crate) fn audio_frame() -> Vec<u8> {
    let mut frame = vec![0x82, 0x80 | 126];
    frame.extend((FRAME_BYTES as u16).to_be_bytes());
    frame.resize(frame.len() + 4 + FRAME_BYTES, 0);
    frame
}

/// The same connection for the runtime and for a thread that writes whole frames.
pub(crate) fn twice(stream: TcpStream) -> (TcpStream, net::TcpStream) {
    stream.set_nodelay(true).expect("the socket is open");
    let stream = stream.into_std().expect("the stream leaves the runtime");
    let writer = stream.try_clone().expect("a descriptor is free");
    (TcpStream::from_std(stream).expect("the stream enters the runtime"), writer)
}
