//! What upstream reports of one response or one transcription: read once from the event that ends it, whoever may have
//! lost interest in it meanwhile. A report that comes again is no second one: nobody is billed twice for an id.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use serde_json::Value;

use super::tokens::Tokens;
use crate::protocol::{
    ids::{ItemId, ResponseId},
    realtime::{ResponseEvent, ServerEvent, Session, TranscriptionEvent},
    shorten,
};

/// What upstream reports at the end of something that costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// `response.done`.
    Response(Response),
    /// `conversation.item.input_audio_transcription.completed`.
    Transcription(Transcription),
}

/// A response that has ended, in whatever way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The response; not every server names it.
    pub id: Option<ResponseId>,
    /// `completed`, `cancelled`, `failed`, `incomplete`, or what upstream says instead.
    pub status: Option<String>,
    /// The session's model, as upstream calls it.
    pub model: Option<String>,
    /// What it took.
    pub tokens: Tokens,
}

/// Speech of the user that was transcribed, which is billed beside the response to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcription {
    /// The item that was transcribed.
    pub item_id: Option<ItemId>,
    /// The model that did it, as upstream calls it.
    pub model: Option<String>,
    /// What it took, where it is billed by tokens.
    pub tokens: Tokens,
    /// How much audio it was, where it is billed by time.
    pub duration: Option<Duration>,
}

/// Reads upstream's events for what they report.
#[derive(Debug, Default)]
pub(super) struct Reports {
    model: Option<String>,
    transcription_model: Option<String>,
    responses: Recent,
    transcriptions: Recent,
}

impl Reports {
    /// What an event reports; none if that was reported before.
    pub(super) fn read(&mut self, event: &ServerEvent) -> Option<Report> {
        match event {
            ServerEvent::ResponseDone(done) => self.response(done).map(Report::Response),
            ServerEvent::TranscriptionCompleted(done) => self.transcription(done).map(Report::Transcription),
            ServerEvent::SessionCreated(event) | ServerEvent::SessionUpdated(event) => {
                self.session(event.session.as_ref()?);
                None
            }
            _ => None,
        }
    }

    fn response(&mut self, done: &ResponseEvent) -> Option<Response> {
        let response = done.response.as_ref();
        let id = response.and_then(|response| response.id.as_ref()).or(done.response_id.as_ref());
        if id.is_some_and(|id| !self.responses.is_new(id)) {
            return None;
        }
        Some(Response {
            id: id.cloned(),
            status: response.and_then(|response| response.status.clone()).map(shorten),
            model: self.model.clone(),
            tokens: tokens(response.and_then(|response| response.usage.as_ref())),
        })
    }

    fn transcription(&mut self, done: &TranscriptionEvent) -> Option<Transcription> {
        let part = done.item_id.as_ref().map(|item| (item, done.content_index));
        if part.is_some_and(|part| !self.transcriptions.is_new(&part)) {
            return None;
        }
        let seconds = done.usage.as_ref().and_then(|usage| usage.get("seconds")).and_then(Value::as_f64);
        Some(Transcription {
            item_id: done.item_id.clone(),
            model: self.transcription_model.clone(),
            tokens: tokens(done.usage.as_ref()),
            duration: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        })
    }

    fn session(&mut self, session: &Session) {
        if let Some(model) = &session.model {
            self.model = Some(shorten(model.clone()));
        }
        let input = session.audio.as_ref().and_then(|audio| audio.input.as_ref());
        let transcription = input.and_then(|input| input.transcription.as_ref());
        let transcription = transcription.or(session.input_audio_transcription.as_ref());
        if let Some(model) = transcription.and_then(|transcription| transcription.model.as_ref()) {
            self.transcription_model = Some(shorten(model.clone()));
        }
    }
}

fn tokens(usage: Option<&Value>) -> Tokens {
    usage.map(Tokens::read).unwrap_or_default()
}

/// What was reported last, as hashes. Whatever is older than these comes no second time.
#[derive(Debug, Default)]
struct Recent(VecDeque<u64>);

/// How many of a kind are remembered.
const REMEMBERED: usize = 256;

impl Recent {
    fn is_new(&mut self, id: &impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let hash = hasher.finish();
        if self.0.contains(&hash) {
            return false;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(hash);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::TokenKind;

    fn read(reports: &mut Reports, event: &str) -> Option<Report> {
        let event = ServerEvent::decode(event).expect("an event").event;
        reports.read(&event)
    }

    fn response(report: Option<Report>) -> Response {
        match report {
            Some(Report::Response(response)) => response,
            other => panic!("{other:?} is no response"),
        }
    }

    fn transcription(report: Option<Report>) -> Transcription {
        match report {
            Some(Report::Transcription(transcription)) => transcription,
            other => panic!("{other:?} is no transcription"),
        }
    }

    #[test]
    fn a_response_says_what_it_was_and_took() {
        let mut reports = Reports::default();
        assert_eq!(read(&mut reports, r#"{"type":"session.created","session":{"model":"m-1"}}"#), None);
        let done = r#"{"type":"response.done","response":{"id":"resp_1","status":"cancelled","usage":{"input_tokens":7}}}"#;
        let Response { id, status, model, tokens } = response(read(&mut reports, done));
        assert_eq!(id, Some("resp_1".into()));
        assert_eq!((status.as_deref(), model.as_deref()), (Some("cancelled"), Some("m-1")));
        assert_eq!(tokens.known().collect::<Vec<_>>(), [(TokenKind::Input, 7)]);
    }

    #[test]
    fn an_id_is_reported_once_and_what_has_none_each_time() {
        let mut reports = Reports::default();
        let named = r#"{"type":"response.done","response":{"id":"resp_1","usage":{"input_tokens":7}}}"#;
        assert!(read(&mut reports, named).is_some());
        assert_eq!(read(&mut reports, named), None);
        // The same id in the place where compatible servers have it.
        assert_eq!(read(&mut reports, r#"{"type":"response.done","response_id":"resp_1"}"#), None);
        let transcript = r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","content_index":0}"#;
        assert!(read(&mut reports, transcript).is_some());
        assert_eq!(read(&mut reports, transcript), None);
        assert!(read(&mut reports, &transcript.replace("0}", "1}")).is_some());
        for unnamed in [
            r#"{"type":"response.done"}"#,
            r#"{"type":"response.done","response":null}"#,
            r#"{"type":"conversation.item.input_audio_transcription.completed"}"#,
        ] {
            assert!(read(&mut reports, unnamed).is_some(), "{unnamed}");
            assert!(read(&mut reports, unnamed).is_some(), "{unnamed}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut recent = Recent::default();
        assert!((0..10 * REMEMBERED).all(|id| recent.is_new(&id)));
        assert_eq!(recent.0.len(), REMEMBERED);
        assert!(!recent.is_new(&(9 * REMEMBERED)));
        assert!(recent.is_new(&0));
    }

    #[test]
    fn a_transcription_is_billed_by_tokens_or_by_time() {
        let mut reports = Reports::default();
        let session =
            r#"{"type":"session.updated","session":{"audio":{"input":{"transcription":{"model":"t-1"}}}}}"#;
        assert_eq!(read(&mut reports, session), None);
        let mut with = |usage: &str| {
            let event = "conversation.item.input_audio_transcription.completed";
            transcription(read(&mut reports, &format!(r#"{{"type":"{event}","usage":{usage}}}"#)))
        };
        let by_time = with(r#"{"type":"duration","seconds":0.9}"#);
        assert_eq!((by_time.duration, by_time.tokens.is_empty()), (Some(Duration::from_millis(900)), true));
        assert_eq!(by_time.model.as_deref(), Some("t-1"));
        let by_tokens =
            with(r#"{"type":"tokens","input_tokens":3,"input_token_details":{"audio_tokens":2}}"#);
        let known: Vec<_> = by_tokens.tokens.known().collect();
        assert_eq!(
            (known, by_tokens.duration),
            (vec![(TokenKind::Input, 3), (TokenKind::InputAudio, 2)], None)
        );
        for usage in ["null", "7", r#"{"seconds":-1}"#, r#"{"seconds":1e300}"#, r#"{"seconds":"1"}"#, "[]"] {
            let nothing = with(usage);
            assert_eq!((nothing.duration, nothing.tokens.is_empty()), (None, true), "{usage}");
        }
    }

    #[test]
    fn a_word_of_upstream_has_a_length() {
        let mut reports = Reports::default();
        let long = "x".repeat(100_000);
        read(&mut reports, &format!(r#"{{"type":"session.created","session":{{"model":"{long}"}}}}"#));
        let done = format!(r#"{{"type":"response.done","response":{{"status":"{long}"}}}}"#);
        let Response { status, model, .. } = response(read(&mut reports, &done));
        assert!(
            status.is_some_and(|status| status.len() < 300) && model.is_some_and(|model| model.len() < 300)
        );
    }
}
