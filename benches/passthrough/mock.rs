//! The upstream: it answers Settings with `SettingsApplied`, and each frame of user audio with one of the agent's.
//! It has a thread of its own and knows nothing of what is between it and the clients.

use std::{sync::mpsc, thread};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
};
use tokio_tungstenite::{
    accept_async,
    tungstenite::{Bytes, Message},
};

/// 20 ms of audio at 24 kHz.
pub(crate) const FRAME_BYTES: usize = 960;

/// Starts it, to the end of the program; its port.
pub(crate) fn start() -> u16 {
    let (started, port) = mpsc::channel();
    let serve = async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        started.send(port).expect("the caller waits");
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    };
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(serve);
    });
    port.recv().expect("the upstream starts")
}

async fn answer(stream: TcpStream) {
    stream.set_nodelay(true).expect("the socket is open");
    // Whoever only looks whether somebody listens does not speak WebSocket.
    let Ok(mut socket) = accept_async(stream).await else { return };
    let audio = Bytes::from(vec![0; FRAME_BYTES]);
    while let Some(Ok(message)) = socket.next().await {
        let answer = match message {
            Message::Text(_) => Message::text(r#"{"type":"SettingsApplied"}"#),
            Message::Binary(_) => Message::Binary(audio.clone()),
            _ => continue,
        };
        if socket.send(answer).await.is_err() {
            return;
        }
    }
}
