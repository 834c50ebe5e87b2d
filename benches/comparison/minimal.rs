//! The yardstick: the least that a translator between the two protocols can be, on tokio-tungstenite. A thread has one
//! runtime, a session two tasks; audio goes through a linear interpolation and base64 and meets no JSON parser. It keeps
//! no order, no budget and no deadline, and knows nothing of the gateway.
//!
//! The library's read buffer is the dearest thing about it: 128 KiB of it are cleared before each read, if nobody says
//! otherwise.

use std::{io, net, sync::LazyLock, thread};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use memchr::memmem::Finder;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config, client_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};

static AUDIO_DELTA: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\"response.output_audio.delta\""));
static DELTA: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\"delta\":\""));

type Socket = WebSocketStream<TcpStream>;

/// What a session goes on with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upstream {
    pub(crate) port: u16,
    /// The read buffer of each socket, bytes; the library's own, without.
    pub(crate) read_buffer: Option<usize>,
}

/// Serves in front of an upstream, with so many threads, until the process is killed. Says where it listens.
pub(crate) fn serve(upstream: Upstream, workers: usize) {
    let others: Vec<_> = (1..workers).map(|_| worker(upstream)).collect();
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        println!("listening on http://{}", listener.local_addr().expect("the listener is bound"));
        for turn in (0..workers).cycle() {
            let Ok((stream, _)) = listener.accept().await else { return };
            match others.get(turn) {
                Some(other) => {
                    let stream = stream.into_std().expect("the stream leaves the runtime");
                    other.send(stream).expect("the other threads serve to the end");
                }
                None => drop(tokio::spawn(session(stream, upstream))),
            }
        }
    });
}

/// Another thread, which serves what it is given.
fn worker(upstream: Upstream) -> mpsc::UnboundedSender<net::TcpStream> {
    let (given, mut streams) = mpsc::unbounded_channel();
    thread::spawn(move || {
        runtime().block_on(async {
            while let Some(stream) = streams.recv().await {
                let stream = TcpStream::from_std(stream).expect("the stream enters the runtime");
                tokio::spawn(session(stream, upstream));
            }
        });
    });
    given
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

async fn session(client: TcpStream, upstream: Upstream) -> Result<(), Error> {
    let Upstream { port, read_buffer } = upstream;
    let config = read_buffer.map(|bytes| WebSocketConfig::default().read_buffer_size(bytes));
    client.set_nodelay(true)?;
    let client = accept_async_with_config(client, config).await?;
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let url = format!("ws://127.0.0.1:{port}/v1/realtime?model=gpt-realtime");
    let (upstream, _) = client_async_with_config(url, stream, config).await?;
    let (to_client, from_client) = client.split();
    let (to_upstream, from_upstream) = upstream.split();
    tokio::spawn(up(from_client, to_upstream));
    down(from_upstream, to_client).await
}

/// From the client to upstream, until the client closes.
async fn up(mut client: SplitStream<Socket>, mut upstream: SplitSink<Socket, Message>) -> Result<(), Error> {
    let mut interpolation = Interpolation::default();
    while let Some(Ok(message)) = client.next().await {
        let event = match message {
            Message::Binary(audio) => append(interpolation.push(&audio)?),
            Message::Text(settings) => session_update(&settings)?,
            _ => continue,
        };
        upstream.send(Message::text(event)).await?;
    }
    upstream.close().await
}

/// From upstream to the client, until upstream closes.
async fn down(
    mut upstream: SplitStream<Socket>,
    mut client: SplitSink<Socket, Message>,
) -> Result<(), Error> {
    client.send(Message::text(r#"{"type":"Welcome","request_id":"minimal"}"#)).await?;
    while let Some(Ok(message)) = upstream.next().await {
        let Message::Text(event) = message else { continue };
        let answer = match audio(event.as_bytes()) {
            Some(audio) => Message::binary(audio),
            None if is_session_updated(&event)? => Message::text(r#"{"type":"SettingsApplied"}"#),
            None => continue,
        };
        client.send(answer).await?;
    }
    client.close().await
}

fn session_update(settings: &str) -> Result<String, Error> {
    let settings: Value = parsed(settings)?;
    let input =
        json!({"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": {"type": "server_vad"}});
    let session = json!({"type": "realtime", "instructions": settings["agent"]["think"]["prompt"],
        "audio": {"input": input}});
    Ok(json!({"type": "session.update", "session": session}).to_string())
}

fn is_session_updated(event: &str) -> Result<bool, Error> {
    Ok(parsed(event)?["type"] == "session.updated")
}

fn parsed(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::Io(error.into()))
}

fn append(audio: &[u8]) -> String {
    const BEGIN: &str = r#"{"type":"input_audio_buffer.append","audio":""#;
    let mut event =
        String::with_capacity(BEGIN.len() + base64_simd::STANDARD.encoded_length(audio.len()) + 2);
    event.push_str(BEGIN);
    base64_simd::STANDARD.encode_append(audio, &mut event);
    event.push_str("\"}");
    event
}

/// The audio of an audio delta.
fn audio(event: &[u8]) -> Option<Vec<u8>> {
    AUDIO_DELTA.find(&event[..event.len().min(64)])?;
    let begin = DELTA.find(event)? + DELTA.needle().len();
    let end = begin + memchr::memchr(b'"', &event[begin..])?;
    base64_simd::STANDARD.decode_to_vec(&event[begin..end]).ok()
}

/// From 16 to 24 kHz: of two samples three are made.
#[derive(Default)]
struct Interpolation {
    last: i32,
    out: Vec<u8>,
}

impl Interpolation {
    /// This piece at the new rate.
    fn push(&mut self, audio: &[u8]) -> io::Result<&[u8]> {
        let (pairs, []) = audio.as_chunks::<4>() else {
            return Err(io::Error::other("an odd number of samples"));
        };
        self.out.clear();
        self.out.reserve(pairs.len() * 6);
        for &[a, b, c, d] in pairs {
            let (first, second) =
                (i32::from(i16::from_le_bytes([a, b])), i32::from(i16::from_le_bytes([c, d])));
            let made = [self.last, (self.last + 2 * first) / 3, (2 * first + second) / 3];
            self.last = second;
            let [[a, b], [c, d], [e, f]] = made.map(|sample| (sample as i16).to_le_bytes());
            self.out.extend_from_slice(&[a, b, c, d, e, f]);
        }
        Ok(&self.out)
    }
}
