//! The simulator behind a real socket.

use awc::{
    error::WsClientError,
    ws::{Frame, Message},
};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;

use super::*;
use crate::simulator::{openai::configure, served::Server};

fn start(options: Options) -> Server {
    Server::start("/sim/openai", move || configure(options.clone()))
}

type Socket = actix_codec::Framed<awc::BoxedSocket, awc::ws::Codec>;

async fn connect(server: &Server, query: &str) -> Socket {
    let request = awc::Client::new().ws(format!("{}?{query}", server.url)).protocols(["realtime"]);
    let (response, socket) = request.max_frame_size(1 << 24).connect().await.expect("an upgrade");
    assert_eq!(response.headers().get("sec-websocket-protocol").expect("a protocol"), "realtime");
    socket
}

async fn next(socket: &mut Socket) -> Frame {
    let frame = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("a frame in time");
    frame.expect("the socket is open").expect("a good frame")
}

async fn read_until(socket: &mut Socket, name: &str) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    while events.last().is_none_or(|event| event["type"] != name) {
        if let Frame::Text(text) = next(socket).await {
            events.push(serde_json::from_slice(&text).expect("an event is JSON"));
        }
    }
    events
}

async fn send(socket: &mut Socket, event: Value) {
    socket.send(Message::Text(event.to_string().into())).await.expect("the socket takes it");
}

#[actix_web::test]
async fn a_spoken_turn_over_a_socket() {
    let server = start(Options::default());
    let mut socket = connect(&server, "model=gpt-realtime&audio_speed=100").await;
    read_until(&mut socket, "session.created").await;
    send(&mut socket, update(json!({"type": "realtime"}))).await;
    read_until(&mut socket, "session.updated").await;
    // A megabyte in one frame, and then speech: frames above the codec's usual limit are taken.
    let audio = base64_simd::STANDARD.encode_to_string(pcm(&[(false, 20_000), (true, 400), (false, 400)]));
    assert!(audio.len() > 1 << 20);
    send(&mut socket, json!({"type": "input_audio_buffer.append", "audio": audio})).await;
    let events = read_until(&mut socket, "response.done").await;
    assert!(audio_of(&events).len() > 48_000);
    assert_eq!(the(&events, "response.done")["response"]["status"], "completed");
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn closes_and_fragments_reach_the_peer() {
    let server = start(Options::default());
    let mut socket = connect(&server, "model=m&close_after=2&close_code=4001").await;
    read_until(&mut socket, "session.created").await;
    let text = update(text_session()).to_string().into_bytes();
    let (head, tail) = text.split_at(20);
    for item in [actix_ws::Item::FirstText(head.to_vec().into()), actix_ws::Item::Last(tail.to_vec().into())]
    {
        socket.send(Message::Continuation(item)).await.expect("the socket takes it");
    }
    read_until(&mut socket, "session.updated").await;
    let Frame::Close(Some(reason)) = next(&mut socket).await else { panic!("expected a close") };
    assert_eq!(u16::from(reason.code), 4001);
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn the_beta_api_is_gone() {
    let server = start(Options::default());
    let request =
        awc::Client::new().ws(format!("{}?model=m", server.url)).set_header("OpenAI-Beta", "realtime=v1");
    let (_, mut socket) = request.connect().await.expect("an upgrade");
    let events = read_until(&mut socket, "error").await;
    assert_eq!((events.len(), &events[0]["error"]["code"]), (1, &json!("beta_api_shape_disabled")));
    let Frame::Close(Some(reason)) = next(&mut socket).await else { panic!("expected a close") };
    assert_eq!(u16::from(reason.code), 4000);
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn each_path_of_azure_speaks_its_own_api_over_a_socket() {
    const KEY: (&str, &str) = ("api-key", "k");
    let server = start(Options { azure_key: Some("k".to_owned()), ..Options::default() });
    let preview = "azure/openai/realtime?api-version=2025-04-01-preview&deployment=d";
    let ga = "azure/openai/v1/realtime?model=d";
    // The header of the old clients is nothing to the preview, and too much elsewhere.
    for (path, beta, first, member) in [
        (ga, false, "session.created", "output_modalities"),
        (preview, false, "session.created", "modalities"),
        (preview, true, "session.created", "modalities"),
        (ga, true, "error", ""),
    ] {
        let url = server.url.replace("openai", path);
        let mut request = awc::Client::new().ws(url).set_header(KEY.0, KEY.1);
        if beta {
            request = request.set_header("OpenAI-Beta", "realtime=v1");
        }
        let (_, mut socket) = request.connect().await.expect("an upgrade");
        let events = read_until(&mut socket, first).await;
        match first {
            "error" => assert_eq!(events[0]["error"]["code"], "beta_api_shape_disabled"),
            _ => assert!(events[0]["session"].get(member).is_some(), "{path}: {}", events[0]),
        }
    }
    for (path, status) in [(ga, 401), (preview, 401)] {
        let request = awc::Client::new().ws(server.url.replace("openai", path)).set_header(KEY.0, "wrong");
        let Err(WsClientError::InvalidResponseStatus(got)) = request.connect().await else {
            panic!("{path}: expected a refusal")
        };
        assert_eq!(got.as_u16(), status);
    }
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn refusals_come_before_the_upgrade() {
    let server = start(Options::default());
    for (query, status) in [
        ("", 400),
        ("model=m&bogus=1", 400),
        ("model=m&delay_ms=x", 400),
        ("model=m&refuse=429", 429),
        ("model=m&refuse=503", 503),
    ] {
        let refused = awc::Client::new().ws(format!("{}?{query}", server.url)).connect().await;
        let Err(WsClientError::InvalidResponseStatus(got)) = refused else {
            panic!("{query}: expected a refusal")
        };
        assert_eq!(got.as_u16(), status, "{query}");
    }
    let mut response =
        awc::Client::new().get(format!("{}?bogus=1", server.url)).send().await.expect("an answer");
    let body: Value = serde_json::from_slice(&response.body().await.expect("a body")).expect("JSON");
    assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains("bogus")), "{body}");
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn the_process_says_what_it_has_reported() {
    let server = start(Options::default());
    let usage = async || {
        let mut answer =
            awc::Client::new().get(format!("{}/usage", server.url)).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let body = answer.body().await.expect("a body");
        serde_json::from_slice::<Value>(&body).expect("JSON")
    };
    let count = |usage: &Value| usage["responses"]["count"].as_u64().expect("a count");
    let before = count(&usage().await);
    let mut socket = connect(&server, "model=gpt-realtime").await;
    send(&mut socket, update(text_session())).await;
    send(&mut socket, user_text("hello")).await;
    send(&mut socket, respond()).await;
    read_until(&mut socket, "response.done").await;
    let after = usage().await;
    // Other sessions of this process may have had some meanwhile.
    assert!(count(&after) > before);
    assert!(after["responses"]["usage"]["total_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{after}");
    server.handle.stop(false).await;
}
