//! The agent behind a real socket.

use actix_ws::Item;
use awc::ws::{Frame, Message};
use futures_util::{SinkExt, StreamExt};

use super::*;
use crate::simulator::{deepgram::configure, served::Server};

fn start() -> Server {
    Server::start("/sim/deepgram/v1/agent/converse", || configure(Options::default()))
}

type Socket = actix_codec::Framed<awc::BoxedSocket, awc::ws::Codec>;

/// A socket whose `Welcome` bears the id of the upgrade.
async fn connect(server: &Server, query: &str) -> Socket {
    let request = awc::Client::new().ws(format!("{}?{query}", server.url)).max_frame_size(1 << 24);
    let (response, mut socket) = request.connect().await.expect("an upgrade");
    let id = response.headers().get("dg-request-id").expect("an id").to_str().expect("a text").to_owned();
    let (messages, _) = read_until(&mut socket, "Welcome").await;
    assert_eq!(messages, [json!({"type": "Welcome", "request_id": id})]);
    socket
}

async fn next(socket: &mut Socket) -> Frame {
    let frame = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("a frame in time");
    frame.expect("the socket is open").expect("a good frame")
}

/// Messages up to one of this type, and the bytes of audio that came with them.
async fn read_until(socket: &mut Socket, name: &str) -> (Vec<Value>, usize) {
    let (mut messages, mut audio): (Vec<Value>, _) = (Vec::new(), 0);
    while messages.last().is_none_or(|message| message["type"] != name) {
        match next(socket).await {
            Frame::Text(text) => messages.push(serde_json::from_slice(&text).expect("JSON")),
            Frame::Binary(bytes) => audio += bytes.len(),
            other => panic!("{other:?} before {name}"),
        }
    }
    (messages, audio)
}

async fn send(socket: &mut Socket, message: Message) {
    socket.send(message).await.expect("the socket takes it");
}

async fn close_code(socket: &mut Socket) -> (u16, Option<String>) {
    let Frame::Close(Some(reason)) = next(socket).await else { panic!("expected a close") };
    (reason.code.into(), reason.description)
}

#[actix_web::test]
async fn a_spoken_turn_over_a_socket() {
    let server = start();
    let mut socket = connect(&server, "audio_speed=100&transcript=hello").await;
    // In fragments, with a ping between.
    let text = settings(json!({})).to_string().into_bytes();
    let (head, tail) = text.split_at(20);
    send(&mut socket, Message::Continuation(Item::FirstText(head.to_vec().into()))).await;
    send(&mut socket, Message::Ping("p".into())).await;
    assert!(matches!(next(&mut socket).await, Frame::Pong(bytes) if bytes == "p"));
    send(&mut socket, Message::Continuation(Item::Last(tail.to_vec().into()))).await;
    read_until(&mut socket, "SettingsApplied").await;
    // More than the codec takes by default in one frame, then in fragments that cut a sample.
    let audio = pcm(&[(false, 2000), (true, 400)]);
    assert!(audio.len() > 1 << 16);
    send(&mut socket, Message::Binary(audio.into())).await;
    let silence = pcm(&[(false, 400)]);
    send(&mut socket, Message::Continuation(Item::FirstBinary(silence[..333].to_vec().into()))).await;
    send(&mut socket, Message::Continuation(Item::Last(silence[333..].to_vec().into()))).await;
    let (messages, audio) = read_until(&mut socket, "LatencyReport").await;
    let order =
        ["UserStartedSpeaking", "ConversationText", "AgentThinking", "ConversationText", "AgentAudioDone"];
    assert_eq!(types(&messages)[..5], order);
    assert!(audio > 48_000, "{audio} bytes");
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn errors_come_before_their_close() {
    let server = start();
    let mut socket = connect(&server, "").await;
    send(&mut socket, Message::Binary(settings(json!({})).to_string().into())).await;
    let (messages, _) = read_until(&mut socket, "Error").await;
    assert_eq!(messages[0]["code"], "UNPARSABLE_CLIENT_MESSAGE");
    let reason = Some("UNPARSABLE_CLIENT_MESSAGE".to_owned());
    assert_eq!(close_code(&mut socket).await, (1008, reason));
    let mut socket = connect(&server, "close_after=2&close_code=4001&close_reason=enough").await;
    send(&mut socket, Message::Text(settings(json!({})).to_string().into())).await;
    read_until(&mut socket, "SettingsApplied").await;
    assert_eq!(close_code(&mut socket).await, (4001, Some("enough".to_owned())));
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn a_clients_close_is_answered_with_its_code() {
    let server = start();
    let mut socket = connect(&server, "").await;
    let reason = awc::ws::CloseReason::from((awc::ws::CloseCode::Other(4002), "bye"));
    send(&mut socket, Message::Close(Some(reason))).await;
    assert_eq!(close_code(&mut socket).await, (4002, Some("bye".to_owned())));
    server.handle.stop(false).await;
}
