//! `talk` against a stand-in server that plays a script, over a real socket.

use std::net::TcpListener as StdListener;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use actix_ws::{CloseCode, CloseReason, Item, Message as Frame, MessageStream, Session};
use clap::Parser;
use futures_util::StreamExt;
use hound::WavReader;
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::*;

/// One act of the stand-in.
#[derive(Debug, Clone)]
enum Act {
    Say(&'static str),
    /// So many bytes of audio in one frame.
    Sound(usize),
    /// So many bytes of audio in three fragments.
    Fragments(usize),
    Ping,
    Close(u16, &'static str),
    /// Waits for a text message or a pong.
    Hear,
    /// Waits until so many bytes of audio have come.
    Listen(usize),
}
use Act::{Close, Fragments, Hear, Listen, Ping, Say, Sound};

const WELCOME: Act = Say(r#"{"type":"Welcome","request_id":"r1"}"#);
const APPLIED: Act = Say(r#"{"type":"SettingsApplied"}"#);
const ECHO: Act = Say(r#"{"type":"ConversationText","role":"user","content":"What time is it?"}"#);
const TEXT: Act = Say(r#"{"type":"ConversationText","role":"assistant","content":"It is late."}"#);
const DONE: Act = Say(r#"{"type":"AgentAudioDone"}"#);
const THINKING: Act = Say(r#"{"type":"AgentThinking","content":""}"#);
const CALL: Act = Say(
    r#"{"type":"FunctionCallRequest","functions":[{"id":"c1","name":"get_current_time","arguments":"{}","client_side":true}]}"#,
);

/// A server that plays its script to each client and tells what it hears.
struct StandIn {
    url: String,
    heard: UnboundedReceiver<String>,
}

impl StandIn {
    fn start(script: &[Act]) -> Self {
        let listener = StdListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("ws://{}/agent", listener.local_addr().expect("an address"));
        let (tell, heard) = mpsc::unbounded_channel();
        let script = web::Data::new(script.to_vec());
        let tell = web::Data::new(tell);
        let app = move || {
            let (script, tell) = (script.clone(), tell.clone());
            App::new().app_data(script).app_data(tell).route("/agent", web::get().to(upgrade))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).expect("a listener");
        actix_web::rt::spawn(server.run());
        Self { url, heard }
    }

    async fn next(&mut self) -> String {
        self.heard.recv().await.expect("the stand-in hears more")
    }
}

async fn upgrade(
    request: HttpRequest,
    body: web::Payload,
    script: web::Data<Vec<Act>>,
    tell: web::Data<UnboundedSender<String>>,
) -> actix_web::Result<HttpResponse> {
    if let Some(token) = request.headers().get("authorization") {
        let _ = tell.send(format!("token {}", String::from_utf8_lossy(token.as_bytes())));
    }
    let (response, session, frames) = actix_ws::handle(&request, body)?;
    let mut player = Player { session, frames, tell: tell.get_ref().clone() };
    actix_web::rt::spawn(async move {
        let end = player.play(&script).await.unwrap_or_else(|end| end);
        let _ = player.tell.send(end);
    });
    Ok(response)
}

/// The stand-in's side of one connection.
struct Player {
    session: Session,
    frames: MessageStream,
    tell: UnboundedSender<String>,
}

impl Player {
    /// Plays the script, then listens until the client closes; how it ended is text in any case.
    async fn play(&mut self, script: &[Act]) -> Result<String, String> {
        for act in script {
            let gone = |_| "gone".to_owned();
            match act {
                Say(json) => self.session.text(*json).await.map_err(gone)?,
                Sound(bytes) => self.session.binary(vec![1; *bytes]).await.map_err(gone)?,
                Fragments(bytes) => {
                    let part = bytes::Bytes::from(vec![2; bytes / 3]);
                    let parts =
                        [Item::FirstBinary(part.clone()), Item::Continue(part.clone()), Item::Last(part)];
                    for part in parts {
                        self.session.continuation(part).await.map_err(gone)?;
                    }
                }
                Ping => self.session.ping(b"p1").await.map_err(gone)?,
                Close(code, reason) => {
                    let reason =
                        CloseReason { code: CloseCode::from(*code), description: Some((*reason).to_owned()) };
                    self.session.clone().close(Some(reason)).await.map_err(gone)?;
                }
                Hear => while self.hear().await? > 0 {},
                Listen(bytes) => {
                    let mut missing = *bytes;
                    while missing > 0 {
                        missing = missing.saturating_sub(self.hear().await?);
                    }
                }
            }
        }
        loop {
            self.hear().await?;
        }
    }

    /// Tells what comes next, unless it is audio; the number of its bytes. Err is the end.
    async fn hear(&mut self) -> Result<usize, String> {
        let Some(Ok(frame)) = self.frames.next().await else { return Err("gone".to_owned()) };
        let line = match frame {
            Frame::Binary(audio) => return Ok(audio.len()),
            Frame::Text(json) => json.to_string(),
            Frame::Pong(bytes) => format!("pong {}", String::from_utf8_lossy(&bytes)),
            Frame::Close(reason) => {
                return Err(format!("closed {:?}", reason.map(|reason| u16::from(reason.code))));
            }
            other => format!("{other:?}"),
        };
        let _ = self.tell.send(line);
        Ok(0)
    }
}

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    talk: TalkArgs,
}

fn parse(arguments: &[&str]) -> Result<TalkArgs, clap::Error> {
    Command::try_parse_from([&["talk"], arguments].concat()).map(|command| command.talk)
}

/// Talks as the command line says: what was printed, and the reason if it failed.
async fn talk_to(url: &str, arguments: &[&str]) -> (Vec<String>, Result<(), String>) {
    let args = parse(&[&["--url", url], arguments].concat()).expect("arguments");
    let mut out = Vec::new();
    let outcome = talk(args, &mut out).await.map_err(|error| error.to_string());
    let out = String::from_utf8(out).expect("text");
    (out.lines().map(str::to_owned).collect(), outcome)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("json")
}

#[actix_web::test]
async fn a_typed_turn_with_a_function_call() {
    let script = [
        WELCOME,
        Hear,
        APPLIED,
        Hear,
        ECHO,
        Ping,
        Hear,
        CALL,
        Hear,
        THINKING,
        TEXT,
        Sound(70_000),
        Fragments(60_000),
        Sound(14_000),
        DONE,
    ];
    let mut server = StandIn::start(&script);
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("out.wav");
    let save = path.to_str().expect("a path");
    let arguments = ["--text", "What time is it?", "--prompt", "Be brief.", "--token", "t1", "--save", save];
    let (lines, outcome) = talk_to(&server.url, &arguments).await;

    assert_eq!(outcome, Ok(()));
    assert_eq!(lines[..3], ["connected: request r1", "settings applied", "you: What time is it?"]);
    let called = lines[3].strip_prefix("agent calls get_current_time({}) -> ").expect("a call");
    let saved = format!("saved 3.00 s to {save}");
    assert_eq!(lines[4..], ["agent: It is late.", "audio: 3.00 s", &saved]);
    let wav = WavReader::open(&path).expect("a wav file");
    assert_eq!((wav.spec().channels, wav.spec().sample_rate, wav.duration()), (1, 24_000, 72_000));

    assert_eq!(server.next().await, "token Bearer t1");
    let settings = json_of(&server.next().await);
    assert_eq!(settings["type"], "Settings");
    assert_eq!(settings["audio"]["input"], json!({"encoding": "linear16", "sample_rate": 16_000}));
    assert_eq!(settings["audio"]["output"]["sample_rate"], 24_000);
    assert_eq!(settings["agent"]["think"]["prompt"], "Be brief.");
    assert_eq!(settings["agent"]["think"]["functions"][0]["name"], "get_current_time");
    let turn = json!({"type": "InjectUserMessage", "content": "What time is it?"});
    assert_eq!(json_of(&server.next().await), turn);
    assert_eq!(server.next().await, "pong p1");
    let answer =
        json!({"type": "FunctionCallResponse", "id": "c1", "name": "get_current_time", "content": called});
    assert_eq!(json_of(&server.next().await), answer);
    assert!(json_of(called)["time"].as_str().is_some_and(|time| time.ends_with('Z') && time > "2026"));
    assert_eq!(server.next().await, "closed Some(1000)");
}

#[actix_web::test]
async fn a_recording_is_spoken_and_silence_follows() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("in.wav");
    recording::write(&path, &[7; 9_600]).expect("a file");
    let speech_and_silence = 9_600 + 4_800;
    let script = [WELCOME, Hear, APPLIED, Listen(speech_and_silence), ECHO, TEXT, Sound(4_800), DONE];
    let mut server = StandIn::start(&script);
    let started = Instant::now();
    let (lines, outcome) = talk_to(&server.url, &["--audio", path.to_str().expect("a path")]).await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(lines[2..], ["you: What time is it?", "agent: It is late.", "audio: 0.10 s"]);
    assert!(started.elapsed() >= Duration::from_millis(280), "the pace is that of a microphone");
    let settings = json_of(&server.next().await);
    assert_eq!(settings["audio"]["input"]["sample_rate"], 24_000);
    assert_eq!(server.next().await, "closed Some(1000)");
}

#[actix_web::test]
async fn an_error_is_the_reason_and_what_was_heard_is_saved() {
    let error = Say(r#"{"type":"Error","description":"too long","code":"session_max_duration"}"#);
    let mut server = StandIn::start(&[WELCOME, Hear, APPLIED, Hear, Sound(4_800), error, Close(1000, "")]);
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("out.wav");
    let arguments = ["--text", "Hi", "--save", path.to_str().expect("a path")];
    let (lines, outcome) = talk_to(&server.url, &arguments).await;
    assert_eq!(outcome, Err("session_max_duration: too long".to_owned()));
    assert!(lines[2].starts_with("saved 0.10 s to "), "{lines:?}");
    assert_eq!(WavReader::open(&path).expect("a wav file").duration(), 2_400);
    assert_eq!(json_of(&server.next().await)["type"], "Settings");
}

#[actix_web::test]
async fn a_close_is_the_reason_and_nothing_heard_leaves_no_file() {
    let unreadable = Say("{\"type\":7}");
    let server = StandIn::start(&[unreadable, WELCOME, Hear, Close(1011, "broken")]);
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("out.wav");
    let arguments = ["--text", "Hi", "--save", path.to_str().expect("a path")];
    let (lines, outcome) = talk_to(&server.url, &arguments).await;
    assert_eq!(outcome, Err("the server closed the connection with code 1011: broken".to_owned()));
    assert!(lines[0].starts_with("warning: unreadable message: "), "{lines:?}");
    assert!(!path.exists());
}

#[actix_web::test]
async fn an_answer_without_audio_leaves_an_empty_file() {
    let server = StandIn::start(&[WELCOME, Hear, APPLIED, Hear, TEXT, DONE]);
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("out.wav");
    let save = path.to_str().expect("a path");
    let (lines, outcome) = talk_to(&server.url, &["--text", "Hi", "--save", save]).await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(lines.last(), Some(&format!("no audio came, {save} is empty")));
    assert_eq!(WavReader::open(&path).expect("a wav file").duration(), 0);
}

#[actix_web::test]
async fn a_server_that_says_nothing_is_left_when_the_time_is_up() {
    let mut server = StandIn::start(&[WELCOME, Hear, APPLIED]);
    let (_, outcome) = talk_to(&server.url, &["--text", "Hi", "--timeout", "1"]).await;
    assert_eq!(outcome, Err("no complete answer within 1 s".to_owned()));
    assert_eq!(json_of(&server.next().await)["type"], "Settings");
    assert_eq!(json_of(&server.next().await)["type"], "InjectUserMessage");
    assert_eq!(server.next().await, "closed Some(1000)");
}

#[actix_web::test]
async fn no_connection_is_told_with_its_reason() {
    let server = StandIn::start(&[]);
    let elsewhere = server.url.replace("/agent", "/nothing?token=secret");
    let (_, outcome) = talk_to(&elsewhere, &["--text", "Hi"]).await;
    let reason = outcome.expect_err("a refusal");
    assert!(
        reason.contains(" refused the connection with http status 404: there is no such path"),
        "{reason}"
    );
    assert!(!reason.contains("secret"));

    let (_, outcome) = talk_to(&server.url.replace("ws://", "wss://"), &["--text", "Hi"]).await;
    let reason = outcome.expect_err("a server without tls");
    assert!(reason.starts_with("cannot connect to ") && !reason.contains("not supported"), "{reason}");

    let unused = StdListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let (_, outcome) = talk_to(&format!("ws://{unused}"), &["--text", "Hi"]).await;
    let reason = outcome.expect_err("no connection");
    assert!(reason.starts_with(&format!("cannot connect to {unused}: ")), "{reason}");
    assert!(reason.contains("refused"), "{reason}");
}

#[actix_web::test]
async fn a_recording_that_cannot_be_read_is_told_before_anything_is_dialled() {
    let (lines, outcome) = talk_to("ws://127.0.0.1:1", &["--audio", "/nowhere/in.wav"]).await;
    assert!(lines.is_empty());
    assert!(outcome.expect_err("no file").starts_with("/nowhere/in.wav: "));
}

#[test]
fn the_arguments_are_checked() {
    let url = ["--url", "wss://127.0.0.1/agent"];
    let with = |rest: &[&str]| parse(&[&url, rest].concat());
    let args = with(&["--text", "a", "--text", "b"]).expect("two turns");
    assert_eq!((args.text, args.timeout), (vec!["a".to_owned(), "b".to_owned()], 30));
    for wrong in [
        &[][..],
        &["--text", ""],
        &["--text", "a", "--audio", "b.wav"],
        &["--text", "a", "--timeout", "0"],
        &["--text", "a", "--url", "http://127.0.0.1/"],
    ] {
        assert!(with(wrong).is_err(), "{wrong:?}");
    }
    assert!(parse(&["--text", "a"]).is_err(), "no url");
}
