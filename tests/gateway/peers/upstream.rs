//! The mock upstream's side of one connection: what it answers to each event, and what it notes as
//! breaking the protocol. Knows nothing of the gateway's client.

use std::mem;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::frames::{self, Step};
use super::journal::What;
use super::mock::{Command, Peer, Shared, Upgrade};
use super::pace::Paced;
use super::recording::Recording;
use super::unlimited;

/// Serves one connection from its upgrade to its end.
///
/// # Panics
///
/// If the gateway sends what no client of the API may send: binary, no JSON, no `type`.
pub(super) async fn serve(stream: TcpStream, number: usize, shared: &Shared) {
    stream.set_nodelay(true).expect("the socket is open");
    #[expect(clippy::result_large_err, reason = "the signature is the WebSocket library's")]
    let judge = |request: &Request, response: Response| {
        note_upgrade(shared, request);
        let Some(status) = shared.script.refuse else { return Ok(response) };
        let mut refusal = ErrorResponse::new(Some("{\"error\":{\"message\":\"refused\"}}".to_owned()));
        *refusal.status_mut() = status.try_into().expect("the script names a valid status");
        Err(refusal)
    };
    let stream = Paced::new(stream, shared.script.pace.clone());
    let Ok(socket) = accept_hdr_async_with_config(stream, judge, Some(unlimited())).await else { return };
    let (peer, commands) = Peer::new();
    shared.connected(number, &peer);
    for frame in &shared.script.on_connect {
        peer.send(frame);
    }
    let connection = Connection {
        number,
        shared,
        peer,
        ready: false,
        session: Value::Null,
        responses: 0,
        assistant_item: false,
        last_user_text: String::new(),
        recording: Recording::start(shared.script.recorded),
    };
    connection.run(socket, commands).await;
}

fn note_upgrade(shared: &Shared, request: &Request) {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
        .collect();
    shared.upgraded(Upgrade { target: request.uri().to_string(), headers });
}

/// The mock's side of one connection.
struct Connection<'a> {
    number: usize,
    shared: &'a Shared,
    peer: Peer,
    /// Whether `session.updated` was sent.
    ready: bool,
    /// The last `session.update`'s session.
    session: Value,
    responses: usize,
    assistant_item: bool,
    last_user_text: String,
    recording: Recording,
}

impl Connection<'_> {
    async fn run(
        mut self,
        mut socket: WebSocketStream<Paced>,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) {
        let how = loop {
            tokio::select! {
                biased;
                Some(command) = commands.recv() => match self.carry_out(command, &mut socket).await {
                    Ok(()) => {}
                    Err(how) => break how,
                },
                message = socket.next() => match message {
                    None | Some(Err(Error::ConnectionClosed)) => break "closed".to_owned(),
                    Some(Err(error)) => break error.to_string(),
                    Some(Ok(message)) => self.receive(message),
                },
            }
        };
        self.shared.recorder.note(self.number, What::Gone(how));
    }

    async fn carry_out(
        &mut self,
        command: Command,
        socket: &mut WebSocketStream<Paced>,
    ) -> Result<(), String> {
        match command {
            Command::Send(message) => {
                let is = |kind: &str| message.to_text().is_ok_and(|text| text.starts_with(kind));
                let opens_session = is("{\"type\":\"session.updated\"");
                if let Message::Text(text) = &message {
                    self.recording.down(text);
                }
                // A failed write is not the end: what the gateway sent before may still be read.
                let _ = socket.send(message).await;
                if opens_session && !mem::replace(&mut self.ready, true) {
                    self.peer.play(self.shared.script.after_session_updated.clone());
                }
                Ok(())
            }
            Command::Raw(bytes, done) => {
                let written = socket.get_mut().write_all(&bytes).await;
                let _ = done.send(written.is_ok());
                written.map_err(|error| error.to_string())
            }
            Command::Vanish => Err("dropped by the mock".to_owned()),
        }
    }

    fn receive(&mut self, message: Message) {
        let what = match message {
            Message::Text(text) => {
                self.recording.up(&text);
                match serde_json::from_str(&text) {
                    Ok(value) => What::Json(value),
                    Err(error) => panic!("upstream got text that is no JSON ({error}): {text:.200}"),
                }
            }
            Message::Binary(bytes) => panic!("upstream got a binary frame of {} bytes", bytes.len()),
            Message::Close(frame) => What::Closed {
                code: frame.as_ref().map(|frame| frame.code.into()),
                reason: frame.map(|frame| frame.reason.to_string()).unwrap_or_default(),
            },
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return,
        };
        self.shared.recorder.note(self.number, what.clone());
        if let What::Json(event) = what {
            self.answer(&event);
        }
    }

    fn answer(&mut self, event: &Value) {
        let script = &self.shared.script;
        let kind =
            event["type"].as_str().unwrap_or_else(|| panic!("upstream got an event without a type: {event}"));
        match kind {
            "session.update" => {
                self.session = event["session"].clone();
                if let Some(after) = script.session_updated_after {
                    self.peer.play(vec![Step { after, frame: frames::session_updated() }]);
                }
            }
            "input_audio_buffer.append" if !self.ready => {
                self.shared.protocol_error("append before session.updated".to_owned());
            }
            "input_audio_buffer.append" if script.echo => {
                self.peer.send(&json!({"type": "response.output_audio.delta", "delta": event["audio"]}));
            }
            "conversation.item.create" => self.answer_item(&event["item"]),
            "response.create" => self.answer_response_create(),
            "input_audio_buffer.commit" => self.peer.send(&frames::committed()),
            _ => {}
        }
    }

    fn answer_item(&mut self, item: &Value) {
        let script = &self.shared.script;
        if script.is_late() && !self.ready {
            self.shared.protocol_error("item before session.updated".to_owned());
        }
        if item["type"] == "function_call_output" {
            self.peer.play((script.after_function_output)(item));
        } else if item["role"] == "assistant" {
            self.assistant_item = true;
            let mut parts = item["content"].as_array().into_iter().flatten();
            if parts.any(|part| part["type"] == "input_text") {
                self.shared.protocol_error("assistant item with input_text".to_owned());
            }
        } else if item["role"] == "user" {
            self.last_user_text = item["content"][0]["text"].as_str().unwrap_or_default().to_owned();
            let added = frames::user_item("conversation.item.added", &item["content"]);
            let mut steps = vec![Step { after: script.item_added_after, frame: added }];
            if script.item_done {
                steps.push(frames::now(frames::user_item("conversation.item.done", &item["content"])));
            }
            self.peer.play(steps);
        }
    }

    fn answer_response_create(&mut self) {
        let script = &self.shared.script;
        let index = self.responses;
        self.responses += 1;
        let has_tools = self.session["tools"].as_array().is_some_and(|tools| !tools.is_empty());
        if script.refuse_response_after_assistant_item && self.assistant_item {
            self.peer.send(&frames::error("server_error", "no response after an assistant item"));
        } else if script.call_on_first_response && index == 0 && has_tools {
            self.peer.send(&frames::function_call());
        } else {
            self.peer.play(script.response(index, &self.last_user_text));
        }
    }
}
