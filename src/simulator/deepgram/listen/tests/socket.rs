//! Transcription behind a real socket.

use awc::{
    error::WsClientError,
    ws::{Frame, Message},
};
use futures_util::{SinkExt, StreamExt};

use super::*;
use crate::simulator::{deepgram::configure, served::Server};

fn start() -> Server {
    Server::start("/sim/deepgram", || configure(Options::default()))
}

type Socket = actix_codec::Framed<awc::BoxedSocket, awc::ws::Codec>;

/// Everything up to the close, whose code and reason are last.
async fn read_all(socket: &mut Socket) -> (Vec<Value>, (u16, String)) {
    let mut messages = Vec::new();
    loop {
        let next =
            tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("a frame in time");
        match next.expect("the socket is open").expect("a good frame") {
            Frame::Text(text) => messages.push(serde_json::from_slice(&text).expect("a message is JSON")),
            Frame::Close(reason) => {
                let reason = reason.expect("a reason");
                return (messages, (u16::from(reason.code), reason.description.unwrap_or_default()));
            }
            other => panic!("unexpected {other:?}"),
        }
    }
}

/// The question as a recording: 20 ms of it in each frame, between seconds of silence.
async fn ask(socket: &mut Socket) {
    let mut wav = hound::WavReader::open("tests/audio/question.wav").expect("the question is shipped");
    assert_eq!(wav.spec().sample_rate, 16_000, "the query says so");
    let question = wav.samples::<i16>().map(|sample| sample.expect("a sample").to_le_bytes());
    let mut audio = pcm(&[(false, 1000)]);
    audio.extend(question.flatten());
    audio.extend(pcm(&[(false, 2000)]));
    for frame in audio.chunks(640) {
        socket.send(Message::Binary(frame.to_vec().into())).await.expect("the socket takes it");
    }
    let close = r#"{"type":"CloseStream"}"#;
    socket.send(Message::Text(close.into())).await.expect("the socket takes it");
}

#[actix_web::test]
async fn a_question_is_transcribed() {
    let server = start();
    let query = format!(
        "model=nova-3&{PCM}&interim_results=true&smart_format=true&vad_events=true&endpointing=500&utterance_end_ms=1000"
    );
    let request = awc::Client::new().ws(format!("{}/v1/listen?{query}", server.url));
    let (response, mut socket) = request.connect().await.expect("an upgrade");
    let id = response.headers().get("dg-request-id").expect("an id").to_str().expect("text").to_owned();
    ask(&mut socket).await;
    let (messages, close) = read_all(&mut socket).await;
    assert_eq!(close, (1000, String::new()));
    let of = |name: &str| messages.iter().filter(|message| message["type"] == name).collect::<Vec<_>>();
    assert_eq!((of("SpeechStarted").len(), of("UtteranceEnd").len()), (1, 1), "{messages:#?}");
    let spoken: Vec<_> = of("Results").into_iter().filter(|result| result["speech_final"] == true).collect();
    let [result] = spoken[..] else { panic!("expected one utterance, got {spoken:#?}") };
    let said = &result["channel"]["alternatives"][0];
    assert_eq!(said["transcript"], "What time is it?");
    assert_eq!(said["words"].as_array().map(Vec::len), Some(4));
    assert_eq!(said["words"][3]["end"], of("UtteranceEnd")[0]["last_word_end"]);
    assert!(of("Results").iter().any(|result| result["is_final"] == false));
    let metadata = messages.last().expect("messages");
    assert_eq!((&metadata["type"], &metadata["request_id"]), (&Value::from("Metadata"), &Value::from(id)));
    assert_eq!(metadata["created"].as_str().map(|created| created.ends_with('Z')), Some(true));
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn a_question_is_a_turn() {
    let server = start();
    let request = awc::Client::new().ws(format!("{}/v2/listen?model=flux-general-en&{PCM}", server.url));
    let (_, mut socket) = request.connect().await.expect("an upgrade");
    ask(&mut socket).await;
    let (messages, close) = read_all(&mut socket).await;
    assert_eq!(close, (1000, String::new()));
    let events: Vec<_> = messages.iter().filter_map(|message| message["event"].as_str()).collect();
    assert_eq!((messages[0]["type"].as_str(), events.first()), (Some("Connected"), Some(&"StartOfTurn")));
    let end = messages.last().expect("messages");
    assert_eq!(
        (&end["event"], &end["transcript"]),
        (&Value::from("EndOfTurn"), &Value::from("What time is it?"))
    );
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn a_bad_query_is_refused_before_the_upgrade() {
    let server = start();
    for (path, query) in
        [("v1", "model=nova-3&smart_format=on"), ("v2", "model=flux-general-en&smart_format=true")]
    {
        let url = format!("{}/{path}/listen?{query}", server.url);
        let Err(WsClientError::InvalidResponseStatus(status)) = awc::Client::new().ws(&url).connect().await
        else {
            panic!("{query}: upgraded")
        };
        assert_eq!(status.as_u16(), 400);
        let response = awc::Client::new().get(&url).send().await.expect("an answer");
        let error = response.headers().get("dg-error").expect("a reason").to_str().expect("text").to_owned();
        assert!(error.contains("smart_format"), "{error}");
        assert!(response.headers().contains_key("dg-request-id"));
    }
    server.handle.stop(false).await;
}
