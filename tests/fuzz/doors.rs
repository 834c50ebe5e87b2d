//! Requests over a real socket to a gateway in this process: heads, paths, queries, bodies, tokens and frames of any
//! kind. Nothing but a good token opens a door, every answer is one, nobody writes a line of log but the gateway, and
//! nothing is left when all are gone.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use std::sync::{Mutex, Once};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use log::{LevelFilter, Log, Metadata, Record};
use tokio::sync::oneshot;
use url::form_urlencoded;
use voxbridge::config::Config;
use voxbridge::server::{Request, Server};

use crate::MEMORY;
use crate::bytes::{damaged, damaged_text, text};
use crate::json::Corpus;
use crate::random::Random;
use crate::runner::{Fuzzer, say};
use crate::tokens::{claims, hs256};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const STATIC: &str = "static-token-of-the-shop";
/// What a server of worker threads, connections and timers may come to hold, bytes.
const GROWTH: usize = 256 * 1024;

const PATHS: [&str; 20] = [
    "/openai",
    "/openai",
    "/openai",
    "/dg",
    "/dg",
    "/dg/v1/listen",
    "/dg/v2/listen",
    "/dg/transcription",
    "/function-call",
    "/function-call",
    "/v1/auth/grant",
    "/v1/auth/grant",
    "/v1/backends",
    "/metrics",
    "/health",
    "/ready",
    "/",
    "/openai/../dg",
    "/%6fpenai",
    "/nowhere",
];

/// A gateway with tokens, on a thread of its own; its backends are where nobody is.
struct Gateway {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    fn start() -> Self {
        let backend = |name: &str, kind: &str| {
            format!(
                "[[backends]]\nname = \"{name}\"\nkind = \"{kind}\"\npath = \"/{name}\"\nurl = \"ws://127.0.0.1:9/v1/x\"\n\
                 api_key = \"key-of-{name}\"\ndial_attempts = 1\n"
            )
        };
        let text = format!(
            "[server]\nport = 0\nworkers = 1\n[auth]\nmode = \"jwt\"\nallowed_origins = [\"https://page.example\"]\n\
             [auth.jwt]\nsecret = \"{SECRET}\"\n[[auth.tokens]]\nsubject = \"shop\"\ntoken = \"{STATIC}\"\nmay_grant = true\n\
             [[functions.route]]\nnames = [\"get_current_time\"]\n{}{}transcription_url = \"ws://127.0.0.1:9/v1/listen\"\n",
            backend("openai", "openai-realtime"),
            backend("dg", "deepgram-agent"),
        );
        let config = Config::from_toml("fuzz.toml", &text, []).expect("a good configuration");
        let server = Server::bind(config).expect("a loopback port is free");
        let port = server.address().port();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            // Dropping the other end asks as well.
            let stopped = Box::pin(stream::once(stopped).map(|_| Request::Stop).chain(stream::pending()));
            actix_web::rt::System::new().block_on(server.run(stopped)).expect("it serves to its end");
        });
        Self { port, stop: Some(stop), thread: Some(thread) }
    }

    /// All that comes back for these bytes, behind which nothing more is sent.
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port)).expect("the gateway accepts connections");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("the socket is open");
        // One that has heard enough may hang up before it has all of it, with a reset at that.
        let _ = stream.write_all(request).and_then(|()| stream.shutdown(Shutdown::Write));
        let mut answer = Vec::with_capacity(4096);
        if let Err(error) = stream.read_to_end(&mut answer) {
            let waits = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
            assert!(!waits, "no end after {}", String::from_utf8_lossy(&answer));
        }
        answer
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the gateway's thread has panicked");
    }
}

/// Writes every line of the gateway, as a log does, and keeps what no line may be.
struct Judge;

static WRONG: Mutex<Option<String>> = Mutex::new(None);

impl Log for Judge {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = record.args().to_string();
        let is_ours = record.target().starts_with("voxbridge");
        if is_ours && (line.contains(char::is_control) || line.len() > 16 * 1024) {
            *WRONG.lock().expect("nobody panics with it") =
                Some(format!("{}: {line:.4000}", record.target()));
        }
    }

    fn flush(&self) {}
}

fn judge_lines() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_boxed_logger(Box::new(Judge)).expect("there is no other");
        log::set_max_level(LevelFilter::Trace);
    });
}

/// What requests are made of.
struct Pieces {
    /// The good tokens.
    tokens: Vec<String>,
    calls: Corpus,
    wishes: Corpus,
    /// Whole requests, for parts of them.
    whole: Vec<String>,
}

impl Pieces {
    fn new() -> Self {
        let claims = claims().to_string().replace("\"iss\":\"https://id\",\"aud\":\"voice\",", "");
        let jwt = hs256(r#"{"alg":"HS256"}"#, &claims, SECRET);
        let call =
            r#"{"id":"call_1","name":"get_current_time","arguments":"{\"timezone\":\"Europe/Berlin\"}"}"#;
        let wish = r#"{"ttl_s":30,"subject":"visitor 7","backends":["openai"],"functions":[],"max_session_s":600,"single_use":true}"#;
        let whole = vec![
            "GET /openai HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_owned(),
            "POST /function-call HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
                .to_owned(),
            "GET / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\nabcde"
                .to_owned(),
        ];
        Self {
            tokens: vec![STATIC.to_owned(), jwt],
            calls: Corpus::of([call]),
            wishes: Corpus::of([wish]),
            whole,
        }
    }

    fn token(&self, random: &mut Random) -> String {
        match random.below(4) {
            0 => {
                let token = random.pick(&self.tokens);
                damaged_text(random, token, &self.tokens)
            }
            1 => visible(random),
            _ => random.pick(&self.tokens).clone(),
        }
    }

    fn query(&self, random: &mut Random) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for _ in 0..random.below(4) {
            match random.below(5) {
                0 => query.append_pair("token", &self.token(random)),
                1 => query.append_pair("service", random.word(&["agent", "transcription", "x", ""])),
                2 => query.append_pair("traceId", &text(random)),
                _ => query.append_pair(&text(random), &text(random)),
            };
        }
        let query = query.finish();
        if random.one_in(8) {
            damaged_text(random, &query, &self.whole).replace(['\r', '\n', ' '], "+")
        } else {
            query
        }
    }

    fn header(&self, random: &mut Random) -> String {
        match random.below(9) {
            0 | 1 => {
                let scheme = random.word(&["Bearer", "Token", "bearer", "Basic", ""]);
                format!("Authorization: {scheme} {}", self.token(random))
            }
            2 | 3 => {
                let scheme = random.word(&["token", "bearer", "Bearer", "x-deepgram-session-id", "chat", ""]);
                format!("Sec-WebSocket-Protocol: {scheme}, {}", self.token(random))
            }
            4 => format!(
                "Origin: {}",
                random.word(&["https://page.example", "null", "https://other.example", "x"])
            ),
            5 => format!("traceparent: {}", visible(random)),
            6 => format!("X-Forwarded-For: {}", visible(random)),
            7 => (random.word(&[
                "Expect: 100-continue",
                "Sec-WebSocket-Version: 7",
                "Upgrade: h2c",
                "Connection: close",
            ]))
            .to_owned(),
            _ => format!(
                "X-{}: {}",
                random.below(10),
                if random.one_in(4) { text(random) } else { visible(random) }
            ),
        }
    }

    /// A request, mostly one that can be read.
    fn request(&self, random: &mut Random) -> Vec<u8> {
        let path = *random.pick(&PATHS);
        let is_post = matches!(path, "/function-call" | "/v1/auth/grant");
        let (mut method, mut body) = ("GET", Vec::new());
        let mut headers = vec!["Host: 127.0.0.1".to_owned()];
        if is_post {
            method = "POST";
            let corpus = if path == "/function-call" { &self.calls } else { &self.wishes };
            body = corpus.text(random).into_bytes();
            headers.push("Content-Type: application/json".to_owned());
            headers.push(format!("Content-Length: {}", body.len()));
        } else if !random.one_in(6) {
            headers.push("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13".to_owned());
            headers.push("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==".to_owned());
            // What a client would say: frames, more or less.
            let length = random.length(400);
            body = random.bytes(length);
        }
        if random.one_in(12) {
            method = random.word(&["GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "BREW", ""]);
        }
        for _ in 0..random.below(4) {
            headers.push(self.header(random));
        }
        if random.one_in(40) {
            headers.extend((0..random.below(300)).map(|number| format!("X-{number}: x")));
        }
        let query = self.query(random);
        let mark = if query.is_empty() { "" } else { "?" };
        let head = format!("{method} {path}{mark}{query} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n"));
        let request = [head.into_bytes(), body].concat();
        if random.one_in(4) { damaged(random, &request, &self.whole) } else { request }
    }

    /// Whether a good token stands in a request, as it is or in a URL.
    fn is_in(&self, request: &[u8]) -> bool {
        let text = String::from_utf8_lossy(request);
        let decoded = form_urlencoded::parse(text.as_bytes()).map(|(name, value)| format!("{name}={value}"));
        let decoded: String = decoded.collect();
        self.tokens.iter().any(|token| text.contains(token.as_str()) || decoded.contains(token.as_str()))
    }
}

/// A text that can stand in a header.
fn visible(random: &mut Random) -> String {
    let mut text = text(random);
    text.retain(|c| c.is_ascii_graphic());
    text
}

/// Status and body of an answer.
fn parsed(answer: &[u8]) -> (u16, String) {
    let text = String::from_utf8_lossy(answer);
    let text = text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&text);
    let status = text.strip_prefix("HTTP/1.1 ").or_else(|| text.strip_prefix("HTTP/1.0 "));
    let status = status.and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer: {text:.500}"));
    (status, text.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

/// Waits until nothing goes on any more: the memory that is held has been the same for a while.
fn settle() {
    let deadline = Instant::now() + Duration::from_secs(15);
    let (mut held, mut same) = (0, 0);
    while same < 10 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
        let now = MEMORY.current_usage();
        same = if now.abs_diff(held) < 4096 { same + 1 } else { 0 };
        held = now;
    }
}

#[test]
fn requests() {
    let fuzzer = Fuzzer::new("requests");
    judge_lines();
    let pieces = Pieces::new();
    let mut statuses = BTreeMap::<u16, u64>::new();
    let gateway = std::cell::OnceCell::new();
    fuzzer.run_settled(
        2_000,
        |random| {
            let gateway = gateway.get_or_init(Gateway::start);
            let request = pieces.request(random);
            let answer = gateway.answer(&request);
            let wrong = WRONG.lock().expect("nobody panics with it").take();
            assert_eq!(wrong, None, "a line that nobody may write");
            if answer.is_empty() {
                *statuses.entry(0).or_default() += 1;
                return;
            }
            let (status, body) = parsed(&answer);
            *statuses.entry(status).or_default() += 1;
            let is_inside = status == 101
                || ["\"access_token\"", "\"content\"", "\"backends\""].iter().any(|word| body.contains(word));
            assert!(
                !is_inside || pieces.is_in(&request),
                "a door opens for {}\n{}",
                String::from_utf8_lossy(&request),
                String::from_utf8_lossy(&answer)
            );
            assert!(
                (100..600).contains(&status) && status != 500,
                "{status} for {}",
                String::from_utf8_lossy(&request)
            );
        },
        settle,
        GROWTH,
    );
    drop(gateway);
    say(&format!("fuzz requests: how often which status came, 0 for none: {statuses:?}"));
    assert!(
        statuses.contains_key(&101) && statuses.contains_key(&200) && statuses.contains_key(&401),
        "{statuses:?}"
    );
}
