//! A session of `listen` v1: Results of what is said, and what marks its beginnings and ends.
//! Knows nothing of sockets and has no clock of its own; time is counted from the session's start.

mod channel;
mod message;
mod query;
mod shape;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    MAX_CHANNELS,
    audio::{AudioIn, mixed},
    line::Line,
    parameters::fit,
    seconds,
    words::Transcript,
};
use crate::simulator::{
    deepgram::{door::Refusal, options::Options},
    socket::{self, Output},
};
use channel::{Channel, Finality, Said};
use message::ClientMessage;
use query::Query;

/// A session.
#[derive(Debug)]
pub(in crate::simulator::deepgram) struct Session {
    query: Query,
    line: Line,
    request_id: String,
    created: Timestamp,
    audio: AudioIn,
    /// None until it is known what the audio is.
    channels: Vec<Channel>,
}

impl Session {
    /// A session at time zero with the query's parameters.
    ///
    /// # Errors
    /// A parameter is missing, unknown, repeated or bad.
    pub(in crate::simulator::deepgram) fn open(
        parameters: &[(String, String)],
        request_id: String,
        created: Timestamp,
        options: Options,
    ) -> Result<Self, Refusal> {
        let query = Query::read(parameters).map_err(Refusal::parameter)?;
        let audio = AudioIn::new(query.raw);
        let mut session = Self {
            query,
            line: Line::new(options, NET_TIMEOUT),
            request_id,
            created,
            audio,
            channels: Vec::new(),
        };
        session.make_channels();
        Ok(session)
    }

    /// As soon as it is known what the audio is.
    fn make_channels(&mut self) {
        let Some(layout) = self.audio.layout().filter(|_| self.channels.is_empty()) else { return };
        let count = if self.query.multichannel { layout.channels } else { 1 };
        let transcript = Transcript::new(&self.line.options().transcript);
        let channel = || Channel::new(layout.format.rate, transcript.clone(), &self.query);
        self.channels = std::iter::repeat_with(channel).take(count).collect();
        debug_assert!(self.channels.len() <= MAX_CHANNELS, "the query and the header are checked");
    }

    fn hear(&mut self, bytes: &[u8], now: Duration) {
        let Ok(samples) = self.audio.take(bytes) else {
            return self.line.close(1008, "DATA-0000", now);
        };
        self.make_channels();
        let samples = if self.query.multichannel { samples } else { vec![mixed(&samples)] };
        let mut said = Vec::new();
        for (index, (channel, samples)) in self.channels.iter_mut().zip(&samples).enumerate() {
            said.extend(channel.hear(samples, &self.query).into_iter().map(|said| (index, said)));
        }
        for (index, said) in said {
            self.say(index, &said, now);
        }
    }

    fn obey(&mut self, message: ClientMessage, now: Duration) {
        match message {
            ClientMessage::KeepAlive {} => self.line.heard(now),
            ClientMessage::Finalize { channel: Some(index) } if index >= self.channel_count() => {
                self.refuse(&format!("Finalize: there is no channel {index}"), now);
            }
            ClientMessage::Finalize { channel } => self.flush(channel, Finality::Finalized, now),
            ClientMessage::CloseStream {} => self.end(now),
            ClientMessage::Configure { keyterms, features } => self.configure(keyterms, features, now),
        }
    }

    /// One while it is not known.
    fn channel_count(&self) -> usize {
        self.channels.len().max(1)
    }

    /// Closes the windows of a channel, or of all.
    fn flush(&mut self, only: Option<usize>, finality: Finality, now: Duration) {
        for index in (0..self.channels.len()).filter(|index| only.is_none_or(|only| only == *index)) {
            if let Some(said) = self.channels[index].flush(finality) {
                self.say(index, &said, now);
            }
        }
    }

    /// The rest of the results, the summary, and the close.
    fn end(&mut self, now: Duration) {
        self.flush(None, Finality::Final, now);
        let metadata = json!({"type": "Metadata", "transaction_key": "deprecated", "request_id": self.request_id,
            "sha256": self.audio.sha256(), "created": self.created.to_string(),
            "duration": self.duration(), "channels": self.audio.layout().map_or(0, |layout| layout.channels)});
        self.send(&metadata, now);
        self.line.close(1000, "", now);
    }

    /// Seconds of audio taken.
    fn duration(&self) -> f64 {
        match (self.channels.first(), self.audio.layout()) {
            (Some(channel), Some(layout)) => seconds(channel.position(), layout.format.rate),
            _ => 0.0,
        }
    }

    fn configure(
        &mut self,
        keyterms: Option<Vec<String>>,
        features: Option<BTreeMap<String, bool>>,
        now: Duration,
    ) {
        let fault = match &keyterms {
            Some(_) if !self.query.has_keyterms() => Some((
                "CONFIGURE_KEYTERMS_NOT_SUPPORTED",
                format!("The model {} does not know key terms.", self.query.model),
            )),
            Some(terms) if !fit(terms) => Some((
                "CONFIGURE_KEYTERM_LIMIT_EXCEEDED",
                "The key terms have more than 500 tokens.".to_owned(),
            )),
            Some(_) | None => None,
        };
        if let Some((code, description)) = fault {
            let failure = json!({"type": "ConfigureFailure", "request_id": self.request_id, "code": code,
                "description": description});
            return self.send(&failure, now);
        }
        for (name, is_on) in features.into_iter().flatten() {
            match name.as_str() {
                "punctuate" => self.query.punctuate = is_on,
                "smart_format" => self.query.smart_format = is_on,
                // The others change the writing of what is not in a simulated transcript.
                _ => {}
            }
        }
        let mut success = json!({"type": "ConfigureSuccess", "request_id": self.request_id});
        if let Some(keyterms) = keyterms {
            success["keyterms"] = json!(keyterms);
            self.query.keyterms = keyterms;
        }
        self.send(&success, now);
    }

    /// A text message that is none of the client's: the session is over.
    fn refuse(&mut self, why: &str, now: Duration) {
        let description = format!("Could not deserialize last text message: {why}");
        let error =
            json!({"type": "Error", "variant": "SchemaError", "description": description, "message": why});
        self.send(&error, now);
        self.line.close(1008, "SchemaError", now);
    }

    fn say(&mut self, index: usize, said: &Said, now: Duration) {
        let layout = self.audio.layout().expect("a channel that says something has audio");
        let scene = shape::Scene {
            query: &self.query,
            request_id: &self.request_id,
            rate: layout.format.rate,
            channel: [index, self.channels.len()],
        };
        let message = scene.message(said);
        self.send(&message, now);
    }

    fn send(&mut self, message: &Value, now: Duration) {
        self.line.message(message, now);
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
        if !self.line.goes_on(now) {
            return;
        }
        if message.is_empty() {
            return self.end(now);
        }
        self.line.heard(now);
        self.hear(message, now);
    }

    fn poll(&mut self, now: Duration) -> Vec<Output> {
        self.line.take(now)
    }

    fn deadline(&self) -> Option<Duration> {
        self.line.deadline()
    }
}

/// How long a client may send neither audio nor KeepAlive.
const NET_TIMEOUT: Duration = Duration::from_secs(10);
