//! The upstreams, one like Deepgram's agent and one like OpenAI's Realtime API: each frame of user audio is answered with
//! one of the agent's. They look at the user's audio now and then, and know nothing of what is between them and the
//! clients.

use std::{io, rc::Rc};

use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

use crate::{
    audio::{self, DOWN_BYTES, NUMBER_BYTES},
    faults::Faults,
    frames::{self, BINARY, CLOSE, Frame, PING, PONG, TEXT},
};

/// Of so many frames of user audio one is looked at.
const LOOKED_AT: u32 = 50;
/// Frames at the beginning of which none is: a filter swings in.
const BEGINNING: u32 = 5;

const RESPONSE: &str = "resp_CLQLOQ1234567890abcdef";
const ITEM: &str = "item_CLQLOQ1234567890abcdef";

/// What an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OpenAI's.
    Realtime,
    /// Deepgram's.
    VoiceAgent,
}

/// Starts one, to the end of the program; its port.
pub(crate) async fn start(protocol: Protocol, faults: Faults) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let port = listener.local_addr().expect("the listener is bound").port();
    spawn_local(async move {
        for connection in 0_u32.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            let [_, connection @ ..] = connection.to_be_bytes();
            spawn_local(Session::new(protocol, connection, faults.clone()).run(stream));
        }
    });
    port
}

struct Session {
    protocol: Protocol,
    faults: Faults,
    connection: [u8; 3],
    /// Frames of user audio so far.
    heard: u32,
    /// Frames of agent audio so far.
    said: u32,
    /// The next frame of agent audio, but for its number.
    frame: Vec<u8>,
    user: Rc<[u8]>,
    /// What is to be written.
    out: Vec<u8>,
}

impl Session {
    fn new(protocol: Protocol, connection: [u8; 3], faults: Faults) -> Self {
        let frame = match protocol {
            Protocol::Realtime => frames::unmasked(TEXT, delta().as_bytes()),
            Protocol::VoiceAgent => frames::unmasked(BINARY, &audio::agent()),
        };
        let user = audio::user().into();
        Self { protocol, faults, connection, heard: 0, said: 0, frame, user, out: Vec::new() }
    }

    async fn run(mut self, mut stream: TcpStream) {
        // A peer that hangs up is not the upstream's affair: the clients miss what it should have brought them.
        let _ = self.serve(&mut stream).await;
    }

    async fn serve(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        // Whoever only looks whether somebody listens does not speak WebSocket.
        let Some(mut incoming) = frames::accept(stream).await? else { return Ok(()) };
        self.say(match self.protocol {
            Protocol::Realtime => {
                r#"{"type":"session.created","event_id":"event_1","session":{"type":"realtime","id":"sess_1"}}"#
            }
            Protocol::VoiceAgent => r#"{"type":"Welcome","request_id":"fc553ec9-5874-49ca-a47c-b670d525a4b3"}"#,
        });
        loop {
            if !self.out.is_empty() {
                stream.write_all(&self.out).await?;
                self.out.clear();
            }
            if !incoming.fill(stream).await? {
                return Ok(());
            }
            loop {
                match incoming.next() {
                    Ok(Some(frame)) if frame.opcode == CLOSE => {
                        let close = frames::unmasked(CLOSE, &frame.payload());
                        return stream.write_all(&close).await;
                    }
                    Ok(Some(frame)) => self.take(&frame),
                    Ok(None) => break,
                    Err(fault) => {
                        self.faults.note(|| format!("upstream got {fault}"));
                        return Ok(());
                    }
                }
            }
        }
    }

    fn take(&mut self, frame: &Frame) {
        match (self.protocol, frame.opcode) {
            (_, PING) => self.out.extend(frames::unmasked(PONG, &frame.payload())),
            (_, PONG) => {}
            (Protocol::VoiceAgent, BINARY) => {
                if self.looks() && frame.payload() != *self.user {
                    self.faults.note(|| "upstream got other audio than the user's".to_owned());
                }
                self.answer(1);
            }
            (Protocol::Realtime, TEXT) if frame.raw.len() > DOWN_BYTES => match self.appended(frame) {
                // A gateway may put into one append what came in two frames.
                Some(bytes) => self.answer(((bytes + DOWN_BYTES / 2) / DOWN_BYTES).max(1)),
                None => self.event(frame),
            },
            (_, TEXT) => self.event(frame),
            (_, opcode) => self.faults.note(|| format!("upstream got a frame with opcode {opcode}")),
        }
    }

    /// How many bytes of audio this event brings, if it is an `input_audio_buffer.append` that ends with them. The
    /// audio itself is looked at now and then.
    fn appended(&mut self, frame: &Frame) -> Option<usize> {
        const NAME: &[u8] = b"\"input_audio_buffer.append\"";
        const FIELD: &[u8] = b"\"audio\":\"";
        let head = frame.first(192);
        let find = |what: &[u8]| head.windows(what.len()).position(|window| window == what);
        find(NAME)?;
        let begin = find(FIELD)? + FIELD.len();
        let tail = frame.last(4);
        let padding = match tail[..] {
            [b'=', b'=', b'"', b'}'] => 2,
            [_, b'=', b'"', b'}'] => 1,
            [_, _, b'"', b'}'] => 0,
            _ => return None,
        };
        if self.looks() {
            let payload = frame.payload();
            let fault = match base64_simd::STANDARD.decode_to_vec(&payload[begin..payload.len() - 2]) {
                Ok(audio) => audio::fault_of_tone(&audio),
                Err(_) => Some("audio that is not base64".to_owned()),
            };
            if let Some(fault) = fault {
                self.faults.note(|| format!("upstream got {fault}"));
            }
        }
        Some((frame.raw.len() - 2 - begin) / 4 * 3 - padding)
    }

    /// Counts a frame; whether it is looked at. Connections that begin together do so in turn.
    fn looks(&mut self) -> bool {
        self.heard += 1;
        self.heard > BEGINNING && (self.heard + u32::from(self.connection[2])).is_multiple_of(LOOKED_AT)
    }

    /// Answers with so many frames of the agent's.
    fn answer(&mut self, count: usize) {
        if self.said == 0 && self.protocol == Protocol::Realtime {
            self.say(&format!(
                r#"{{"type":"response.created","event_id":"event_3","response":{{"id":"{RESPONSE}","object":"realtime.response","status":"in_progress","output":[]}}}}"#
            ));
            self.say(&format!(
                r#"{{"type":"response.output_item.added","event_id":"event_4","response_id":"{RESPONSE}","output_index":0,"item":{{"id":"{ITEM}","object":"realtime.item","type":"message","status":"in_progress","role":"assistant","content":[]}}}}"#
            ));
        }
        for _ in 0..count {
            let number = audio::number(self.connection, self.said);
            self.said += 1;
            match self.protocol {
                Protocol::VoiceAgent => {
                    let at = self.frame.len() - DOWN_BYTES;
                    self.frame[at..at + NUMBER_BYTES].copy_from_slice(&number);
                }
                Protocol::Realtime => {
                    let number = base64_simd::STANDARD.encode_to_string(number);
                    // Base64 of 960 bytes, and the end of the event.
                    let at = self.frame.len() - DOWN_BYTES / 3 * 4 - 2;
                    self.frame[at..at + number.len()].copy_from_slice(number.as_bytes());
                }
            }
            self.out.extend(&self.frame);
        }
    }

    /// What is not audio.
    fn event(&mut self, frame: &Frame) {
        let text = frame.text().unwrap_or_default();
        let event: Value = serde_json::from_str(&text).unwrap_or_default();
        match event["type"].as_str() {
            Some("session.update") => {
                self.say(r#"{"type":"session.updated","event_id":"event_2","session":{"type":"realtime","id":"sess_1"}}"#);
            }
            Some("Settings") => self.say(r#"{"type":"SettingsApplied"}"#),
            Some("KeepAlive") => {}
            _ => self.faults.note(|| format!("upstream got {text}")),
        }
    }

    fn say(&mut self, text: &str) {
        self.out.extend(frames::unmasked(TEXT, text.as_bytes()));
    }
}

/// An audio delta as the API writes it; the audio is its end.
fn delta() -> String {
    let audio = base64_simd::STANDARD.encode_to_string(audio::agent());
    format!(
        r#"{{"type":"response.output_audio.delta","event_id":"event_CLQLPx1234567890abcde","response_id":"{RESPONSE}","item_id":"{ITEM}","output_index":0,"content_index":0,"delta":"{audio}"}}"#
    )
}
