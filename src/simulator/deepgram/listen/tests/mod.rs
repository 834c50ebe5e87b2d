//! Tests of whole sessions: frames and time in, messages out, no socket except in `socket`.

mod properties;
mod socket;
mod v1;
mod v1_query;
mod v2;
mod v2_query;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use url::form_urlencoded;

use crate::simulator::{
    deepgram::{listen, options::Options},
    socket::{Output, Session},
};

/// A client of a session that lives in simulated time.
struct Client<S> {
    session: S,
    now: Duration,
    messages: Vec<Value>,
    /// Code and reason, once it has come.
    closed: Option<(u16, String)>,
}

impl Client<listen::v1::Session> {
    /// A client of v1 with this query and these options.
    fn v1(query: &str, options: &[(&str, &str)]) -> Self {
        let id = "4c3a5a2e-9d0c-4c6f-8b5e-0f6d1d3b2a10".to_owned();
        let created: Timestamp = "2026-02-03T04:05:06.789Z".parse().expect("a time");
        let session = listen::v1::Session::open(&pairs(query), id, created, said(options));
        Self::of(session.unwrap_or_else(|refused| panic!("{query}: {}", refused.message)))
    }
}

impl Client<listen::v2::Session> {
    /// A client of v2 with this query and these options.
    fn v2(query: &str, options: &[(&str, &str)]) -> Self {
        let session = listen::v2::Session::open(&pairs(query), "request-2".to_owned(), said(options));
        Self::of(session.unwrap_or_else(|refused| panic!("{query}: {}", refused.message)))
    }
}

impl<S: Session> Client<S> {
    fn of(session: S) -> Self {
        let mut client = Self { session, now: Duration::ZERO, messages: Vec::new(), closed: None };
        client.receive();
        client
    }

    fn text(&mut self, message: &str) {
        self.session.text(message, self.now);
        self.receive();
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.session.binary(bytes, self.now);
        self.receive();
    }

    /// Lets simulated milliseconds pass.
    fn wait(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(at) = self.session.deadline().filter(|at| *at <= until && self.closed.is_none()) {
            self.now = at.max(self.now);
            self.receive();
        }
        self.now = until;
        self.receive();
    }

    fn receive(&mut self) {
        for output in self.session.poll(self.now) {
            assert_eq!(self.closed, None, "nothing follows the close");
            match output {
                Output::Text(text) => {
                    self.messages.push(serde_json::from_str(&text).expect("a message is JSON"));
                }
                Output::Binary(_) => panic!("there are no binary messages"),
                Output::Close { code, reason } => self.closed = Some((code, reason)),
            }
        }
    }

    /// What has come since the last time, with the close as the last.
    fn told(&mut self) -> Vec<String> {
        let messages = std::mem::take(&mut self.messages);
        let closed = self.closed.iter().map(|(code, reason)| format!("close {code} {reason}"));
        messages.iter().map(brief).chain(closed).map(|line| line.trim_end().to_owned()).collect()
    }
}

/// A message in one line.
fn brief(message: &Value) -> String {
    let number = |name: &str| message[name].to_string();
    match message["type"].as_str().expect("a type") {
        "Results" => {
            let flag = |name: &str| if message[name] == true { format!(" {name}") } else { String::new() };
            let channel = match message["channel_index"].to_string().as_str() {
                "[0,1]" => String::new(),
                other => other.to_owned(),
            };
            format!(
                "{channel}{}+{}{}{}{} {}",
                number("start"),
                number("duration"),
                flag("is_final"),
                flag("speech_final"),
                flag("from_finalize"),
                message["channel"]["alternatives"][0]["transcript"].as_str().expect("a transcript")
            )
        }
        "SpeechStarted" => format!("SpeechStarted {} {}", message["channel"], number("timestamp")),
        "UtteranceEnd" => format!("UtteranceEnd {} {}", message["channel"], number("last_word_end")),
        "Metadata" => format!("Metadata {} {}", number("duration"), number("channels")),
        "TurnInfo" => format!(
            "{} {} {}-{} {} {} {}",
            message["event"].as_str().expect("an event"),
            number("turn_index"),
            number("audio_window_start"),
            number("audio_window_end"),
            number("end_of_turn_confidence"),
            message["trigger"].as_str().unwrap_or("-"),
            message["transcript"].as_str().expect("a transcript")
        ),
        "ConfigureFailure" => format!("ConfigureFailure {}", number("code")),
        "Error" => format!(
            "Error {}{}",
            message["variant"].as_str().unwrap_or_default(),
            message["code"].as_str().unwrap_or_default()
        ),
        name => name.to_owned(),
    }
}

fn said(options: &[(&str, &str)]) -> Options {
    let default = [("transcript", "One, two.")];
    Options::parse(default.iter().chain(options).copied()).expect("good options")
}

fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Samples: pairs of loud or silent and milliseconds.
fn samples(sound: &[(bool, usize)], rate: usize) -> Vec<i16> {
    let tone = |index: usize| if index % 40 < 20 { 5000 } else { -5000 };
    let piece = |&(is_loud, ms): &(bool, usize)| {
        (0..ms * rate / 1000).map(move |index| if is_loud { tone(index) } else { 0 })
    };
    sound.iter().flat_map(piece).collect()
}

/// The same at 16 kHz, as linear16.
fn pcm(sound: &[(bool, usize)]) -> Vec<u8> {
    samples(sound, 16_000).into_iter().flat_map(i16::to_le_bytes).collect()
}

/// What says that audio is such.
const PCM: &str = "encoding=linear16&sample_rate=16000";
