//! The WebSocket to the server, with awc: dials, joins fragments, names why it ended. Knows nothing of the
//! messages in the frames.

use std::{sync::Arc, time::Duration};

use actix_codec::Framed;
use actix_http::ws::{CloseCode, CloseReason, Codec, Frame, Message};
use awc::{
    BoxedSocket,
    error::{SendRequestError, WsClientError},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use url::Url;

use super::TalkError;
use crate::websocket::{Fragments, Joined, fragment, websocket_client};

/// A message from the server, its fragments together, takes this much at most.
const MAX_MESSAGE_BYTES: usize = 32 << 20;
/// How long the server may take to answer our close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// A connection to the server.
pub(super) struct Connection {
    socket: Framed<BoxedSocket, Codec>,
    fragments: Fragments,
    closed: bool,
}

/// What came from the server.
#[derive(Debug)]
pub(super) enum Received {
    Text(String),
    Audio(Bytes),
    /// To be answered with the same bytes.
    Ping(Bytes),
    /// The end. The code is that of RFC 6455, 7.1.5: 1005 for none, 1006 for a lost connection.
    Closed {
        code: u16,
        reason: String,
    },
}

impl Connection {
    /// Dials `url`, with `token` as the bearer token; `tls` says who is trusted. Each step of it may take `timeout`.
    pub(super) async fn open(
        url: &Url,
        token: Option<&str>,
        tls: Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, TalkError> {
        let client = websocket_client(timeout, tls);
        let mut request = client.ws(url.as_str()).max_frame_size(MAX_MESSAGE_BYTES);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let (_, socket) = request.connect().await.map_err(|error| refused(url, error))?;
        Ok(Self { socket, fragments: Fragments::new(MAX_MESSAGE_BYTES), closed: false })
    }

    /// The next message. Nothing is lost when the future is dropped.
    pub(super) async fn receive(&mut self) -> Result<Received, TalkError> {
        loop {
            let Some(frame) = self.socket.next().await else {
                self.closed = true;
                return Ok(Received::Closed { code: 1006, reason: String::new() });
            };
            match frame {
                Ok(Frame::Text(bytes)) => return text(&bytes),
                Ok(Frame::Binary(bytes)) => return Ok(Received::Audio(bytes)),
                Ok(Frame::Continuation(item)) => match self.fragments.join(fragment(item)) {
                    Joined::NotYet => {}
                    Joined::Text(bytes) => return text(&bytes),
                    Joined::Binary(bytes) => return Ok(Received::Audio(bytes)),
                    Joined::TooLarge => {
                        let reason = format!("a message of more than {MAX_MESSAGE_BYTES} bytes");
                        return Err(TalkError::Protocol(reason));
                    }
                },
                Ok(Frame::Ping(bytes)) => return Ok(Received::Ping(bytes)),
                Ok(Frame::Pong(_)) => {}
                Ok(Frame::Close(reason)) => {
                    self.closed = true;
                    let (code, reason) = match reason {
                        Some(CloseReason { code, description }) => (code.into(), description),
                        None => (1005, None),
                    };
                    return Ok(Received::Closed { code, reason: reason.unwrap_or_default() });
                }
                Err(actix_http::ws::ProtocolError::Io(error)) => {
                    self.closed = true;
                    return Ok(Received::Closed { code: 1006, reason: error.to_string() });
                }
                Err(error) => return Err(TalkError::Protocol(error.to_string())),
            }
        }
    }

    /// Sends `message`. A failure is not told: the reading side knows better why the connection ended.
    pub(super) async fn send(&mut self, message: Message) {
        if let Err(error) = self.socket.send(message).await {
            log::debug!(error:% = error; "the server cannot be written to");
        }
    }

    /// Closes with 1000, and waits a moment for the server to do the same.
    pub(super) async fn close(mut self) {
        let close = async {
            self.send(Message::Close(Some(CloseCode::Normal.into()))).await;
            while !self.closed && self.receive().await.is_ok() {}
        };
        // A server that does not answer is left alone.
        let _ = tokio::time::timeout(CLOSE_PATIENCE, close).await;
    }
}

fn text(bytes: &[u8]) -> Result<Received, TalkError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Received::Text(text.to_owned())),
        Err(error) => Err(TalkError::Protocol(format!("a text frame that is not utf-8: {error}"))),
    }
}

fn refused(url: &Url, error: WsClientError) -> TalkError {
    // The rest of the address may hold a token.
    let server = match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => "the server".to_owned(),
    };
    match error {
        WsClientError::InvalidResponseStatus(status) => TalkError::Status { server, status: status.as_u16() },
        WsClientError::SendRequest(SendRequestError::Connect(error)) => {
            TalkError::Unreachable { server, reason: error.to_string() }
        }
        other => TalkError::Unreachable { server, reason: other.to_string() },
    }
}
