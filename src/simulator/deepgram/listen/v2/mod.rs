//! A session of `listen` v2, Flux: turns, and what is said in them.
//! Knows nothing of sockets and has no clock of its own; time is counted from the session's start.

mod message;
mod query;
mod turns;

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    CONFIDENCE,
    audio::{AudioIn, mixed},
    line::Line,
    parameters::fit,
    seconds,
    words::{Transcript, Word},
};
use crate::simulator::{
    deepgram::{door::Refusal, options::Options},
    socket::{self, Output},
};
use message::ClientMessage;
use query::{Query, Thresholds};
use turns::{Event, Trigger, TurnInfo, Turns};

/// A session.
#[derive(Debug)]
pub(in crate::simulator::deepgram) struct Session {
    query: Query,
    line: Line,
    request_id: String,
    /// Messages sent.
    sequence_id: u64,
    audio: AudioIn,
    /// None until it is known what the audio is.
    turns: Option<Turns>,
}

impl Session {
    /// A session at time zero with the query's parameters, `Connected` on its way.
    ///
    /// # Errors
    /// A parameter is missing, unknown, repeated or bad.
    pub(in crate::simulator::deepgram) fn open(
        parameters: &[(String, String)],
        request_id: String,
        options: Options,
    ) -> Result<Self, Refusal> {
        let query = Query::read(parameters).map_err(Refusal::parameter)?;
        let audio = AudioIn::new(query.raw);
        let mut session = Self {
            query,
            line: Line::new(options, NET_TIMEOUT),
            request_id,
            sequence_id: 0,
            audio,
            turns: None,
        };
        session.send("Connected", json!({}), Duration::ZERO);
        Ok(session)
    }

    fn hear(&mut self, bytes: &[u8], now: Duration) {
        let Ok(samples) = self.audio.take(bytes) else {
            return self.line.close(1008, "DATA-0000", now);
        };
        let Some(layout) = self.audio.layout() else { return };
        let transcript = &self.line.options().transcript;
        let new = || Turns::new(layout.format.rate, Transcript::new(transcript));
        let told = self.turns.get_or_insert_with(new).hear(&mixed(&samples), self.query.thresholds);
        told.into_iter().for_each(|info| self.tell(&info, now));
    }

    fn obey(&mut self, message: ClientMessage, now: Duration) {
        match message {
            ClientMessage::CloseStream {} => {
                if let Some(rest) = self.turns.as_mut().and_then(Turns::rest) {
                    self.tell(&rest, now);
                }
                self.line.close(1000, "", now);
            }
            // Between turns there is nothing to end.
            ClientMessage::ForceEndTurn {} => {
                if let Some(end) = self.turns.as_mut().and_then(Turns::force_end) {
                    self.tell(&end, now);
                }
            }
            ClientMessage::Configure { thresholds, keyterms, language_hints, numerals } => {
                let mut query = self.query.clone();
                if let Some(wanted) = thresholds {
                    let now = query.thresholds;
                    query.thresholds = Thresholds {
                        eager: wanted.eager_eot_threshold.or(now.eager),
                        end: wanted.eot_threshold.unwrap_or(now.end),
                        timeout_ms: wanted.eot_timeout_ms.unwrap_or(now.timeout_ms),
                    };
                }
                query.keyterms = keyterms.unwrap_or(query.keyterms);
                query.numerals = numerals.or(query.numerals);
                let are_hints_refused = language_hints.is_some() && !query.is_multilingual;
                query.language_hints = language_hints.unwrap_or(query.language_hints);
                let fault = if are_hints_refused {
                    Err("language_hints: only flux-general-multi knows them".to_owned())
                } else if !fit(&query.keyterms) {
                    Err("keyterms: more than 500 tokens".to_owned())
                } else {
                    query.thresholds.check()
                };
                self.configure(fault.map(|()| query), now);
            }
        }
    }

    fn configure(&mut self, wanted: Result<Query, String>, now: Duration) {
        let query = match wanted {
            Ok(query) => query,
            Err(description) => {
                let failure = json!({"code": "INVALID_CONFIGURATION", "description": description});
                return self.send("ConfigureFailure", failure, now);
            }
        };
        let Thresholds { eager, end, timeout_ms } = query.thresholds;
        let mut thresholds = json!({"eot_threshold": end, "eot_timeout_ms": timeout_ms});
        if let Some(eager) = eager {
            thresholds["eager_eot_threshold"] = json!(eager);
        }
        let mut success = json!({"thresholds": thresholds, "keyterms": query.keyterms});
        if query.is_multilingual {
            success["language_hints"] = json!(query.language_hints);
        }
        if let Some(numerals) = query.numerals {
            success["numerals"] = json!(numerals);
        }
        self.query = query;
        self.send("ConfigureSuccess", success, now);
    }

    fn tell(&mut self, info: &TurnInfo, now: Duration) {
        let rate = self.audio.layout().expect("who takes turns has audio").format.rate;
        let (event, trigger) = match info.event {
            Event::StartOfTurn => ("StartOfTurn", None),
            Event::Update => ("Update", None),
            Event::EagerEndOfTurn => ("EagerEndOfTurn", None),
            Event::TurnResumed => ("TurnResumed", None),
            Event::EndOfTurn(Trigger::Model) => ("EndOfTurn", Some("model")),
            Event::EndOfTurn(Trigger::Manual) => ("EndOfTurn", Some("manual")),
            Event::EndOfTurn(Trigger::Timeout) => ("EndOfTurn", Some("timeout")),
        };
        let transcript = info.words.iter().map(|word| word.written.as_str()).collect::<Vec<_>>().join(" ");
        let word = |word: &Word| {
            json!({"word": word.written, "confidence": CONFIDENCE, "start": seconds(word.span.from, rate),
                "end": seconds(word.span.to, rate)})
        };
        let mut turn = json!({"event": event, "turn_index": info.index,
            "audio_window_start": seconds(info.window.from, rate),
            "audio_window_end": seconds(info.window.to, rate),
            "transcript": transcript, "words": info.words.iter().map(word).collect::<Vec<_>>(),
            "end_of_turn_confidence": info.confidence});
        if let Some(trigger) = trigger {
            turn["trigger"] = json!(trigger);
        }
        if self.query.is_multilingual {
            turn["languages"] = if info.words.is_empty() { json!([]) } else { json!(["en"]) };
            if !self.query.language_hints.is_empty() {
                turn["languages_hinted"] = json!(self.query.language_hints);
            }
        }
        self.send("TurnInfo", turn, now);
    }

    /// A text message that is none of the client's: the session is over.
    fn refuse(&mut self, why: &str, now: Duration) {
        let description = format!("Could not deserialize last text message: {why}");
        let error = json!({"code": "UNPARSABLE_CLIENT_MESSAGE", "description": description});
        self.send("Error", error, now);
        self.line.close(1008, "UNPARSABLE_CLIENT_MESSAGE", now);
    }

    /// Sends a message with its number. One that the options drop has none, so that none is missed.
    fn send(&mut self, name: &str, fields: Value, now: Duration) {
        let mut message =
            json!({"type": name, "request_id": self.request_id, "sequence_id": self.sequence_id});
        let object = message.as_object_mut().expect("it is made as one");
        if name == "Error" {
            object.shift_remove("request_id");
        }
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        if !self.line.options().drop.iter().any(|dropped| dropped == name) {
            self.sequence_id += 1;
        }
        self.line.message(&message, now);
    }
}

impl socket::Session for Session {
    fn text(&mut self, message: &str, now: Duration) {
        if !self.line.goes_on(now) {
            return;
        }
        match ClientMessage::read(message) {
            Ok(message) => self.obey(message, now),
            Err(why) => self.refuse(&why, now),
        }
    }

    fn binary(&mut self, message: &[u8], now: Duration) {
        if self.line.goes_on(now) && !message.is_empty() {
            self.line.heard(now);
            self.hear(message, now);
        }
    }

    fn poll(&mut self, now: Duration) -> Vec<Output> {
        self.line.take(now)
    }

    fn deadline(&self) -> Option<Duration> {
        self.line.deadline()
    }
}

/// How long a client may send no audio.
const NET_TIMEOUT: Duration = Duration::from_secs(25);
