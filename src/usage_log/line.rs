//! The lines of the usage log: numbers, and the names that go with them; never what was said, and no key. Knows nothing
//! of when or where they are written.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, Unit};
use serde::Serialize;

use crate::{
    protocol::ids::{ItemId, ResponseId},
    tally::{Amount, Report, Tokens, Totals},
};

/// The version of the lines' form. A member that is added makes no other one.
const VERSION: u32 = 1;

/// What every line of a connection says of it.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Source<'a> {
    /// The connection's name.
    pub connection: &'a str,
    /// The client's own name for it.
    pub trace: Option<&'a str>,
    /// The backend's name.
    pub backend: &'a str,
    /// Whose token it came with.
    pub subject: Option<&'a str>,
}

#[derive(Serialize)]
struct Line<'a, B> {
    v: u32,
    kind: &'a str,
    time: String,
    #[serde(flatten)]
    body: B,
}

#[serde_with::skip_serializing_none]
#[derive(Serialize)]
struct OfResponse<'a> {
    #[serde(flatten)]
    source: Source<'a>,
    model: Option<&'a str>,
    response: Option<&'a ResponseId>,
    status: Option<&'a str>,
    tokens: &'a Tokens,
}

#[serde_with::skip_serializing_none]
#[derive(Serialize)]
struct OfTranscription<'a> {
    #[serde(flatten)]
    source: Source<'a>,
    model: Option<&'a str>,
    item: Option<&'a ItemId>,
    tokens: &'a Tokens,
    seconds: Option<Amount>,
}

#[serde_with::skip_serializing_none]
#[derive(Serialize)]
struct OfSession<'a> {
    #[serde(flatten)]
    source: Source<'a>,
    cause: &'a str,
    duration_s: Amount,
    turns: u64,
    audio_in_s: Option<Amount>,
    audio_in_bytes: u64,
    audio_out_s: Option<Amount>,
    audio_out_bytes: u64,
    function_calls: u64,
    client_answers: u64,
    server_answers: u64,
    responses: u64,
    tokens: &'a Tokens,
    transcriptions: u64,
    transcription_tokens: &'a Tokens,
    transcribed_s: Amount,
}

#[derive(Serialize)]
struct OfLost {
    lines: u64,
}

impl Source<'_> {
    /// The line of what upstream has reported. `model` is the configured one, for an upstream that names none.
    pub(crate) fn reported(&self, report: &Report, model: Option<&str>) -> String {
        match report {
            Report::Response(response) => line(
                "response",
                OfResponse {
                    source: *self,
                    model: response.model.as_deref().or(model),
                    response: response.id.as_ref(),
                    status: response.status.as_deref(),
                    tokens: &response.tokens,
                },
            ),
            Report::Transcription(transcription) => line(
                "transcription",
                OfTranscription {
                    source: *self,
                    model: transcription.model.as_deref(),
                    item: transcription.item_id.as_ref(),
                    tokens: &transcription.tokens,
                    seconds: transcription.duration.map(Amount::Time),
                },
            ),
        }
    }

    /// The line of a connection that has ended, by a log word, after so long.
    pub(crate) fn ended(&self, cause: &str, lived: Duration, totals: &Totals) -> String {
        let Totals {
            turns,
            audio_in,
            audio_out,
            function_calls,
            client_answers,
            server_answers,
            responses,
            tokens,
            transcriptions,
            transcription_tokens,
            transcribed,
        } = totals;
        line(
            "session",
            OfSession {
                source: *self,
                cause,
                duration_s: Amount::Time(lived),
                turns: *turns,
                audio_in_s: audio_in.duration().map(Amount::Time),
                audio_in_bytes: audio_in.bytes(),
                audio_out_s: audio_out.duration().map(Amount::Time),
                audio_out_bytes: audio_out.bytes(),
                function_calls: *function_calls,
                client_answers: *client_answers,
                server_answers: *server_answers,
                responses: *responses,
                tokens,
                transcriptions: *transcriptions,
                transcription_tokens,
                transcribed_s: Amount::Time(*transcribed),
            },
        )
    }
}

/// The line that stands for some that were lost.
pub(super) fn lost(lines: u64) -> String {
    line("lost", OfLost { lines })
}

fn line(kind: &str, body: impl Serialize) -> String {
    let line = Line { v: VERSION, kind, time: now(), body };
    serde_json::to_string(&line).expect("lines are objects of texts and numbers")
}

/// The time of day, UTC, to the millisecond.
fn now() -> String {
    let now = Timestamp::try_from(SystemTime::now()).unwrap_or_default();
    let now = now.round(Unit::Millisecond).unwrap_or(now);
    format!("{now:.3}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{gate::Input, protocol::realtime::ServerEvent, tally::Tally};

    const SOURCE: Source<'_> =
        Source { connection: "c-1", trace: Some("t\n\"1"), backend: "openai", subject: None };

    /// The line without its time, which is a time.
    fn read(line: &str) -> Value {
        assert!(!line.contains('\n'), "{line}");
        let mut value: Value = serde_json::from_str(line).expect("JSON");
        let time = value.as_object_mut().expect("an object").shift_remove("time").expect("a time");
        let time = time.as_str().expect("text");
        assert!(
            time.parse::<Timestamp>().is_ok() && time.len() == "2026-11-21T05:37:15.000Z".len(),
            "{time}"
        );
        value
    }

    fn report(event: &Value) -> (Box<Report>, Tally) {
        let event = ServerEvent::decode(&event.to_string()).expect("an event").event;
        let mut tally = Tally::default();
        let report = tally.input(&Input::Upstream(event), std::time::Instant::now());
        (report.expect("a report"), tally)
    }

    #[test]
    fn a_response_has_its_names_and_what_it_took() {
        let (done, _) =
            report(&json!({"type": "response.done", "response": {"id": "resp_1", "status": "completed",
            "output": [{"type": "message", "content": [{"type": "output_text", "text": "a secret"}]}],
            "usage": {"input_tokens": 1, "output_token_details": {"audio_tokens": 2}}}}));
        assert_eq!(
            read(&SOURCE.reported(&done, Some("m"))),
            json!({"v": 1, "kind": "response", "connection": "c-1", "trace": "t\n\"1", "backend": "openai",
                "model": "m", "response": "resp_1", "status": "completed",
                "tokens": {"input": 1, "output_audio": 2}})
        );
        let (bare, _) = report(&json!({"type": "response.done"}));
        let source = Source { trace: None, subject: Some("shop"), ..SOURCE };
        assert_eq!(
            read(&source.reported(&bare, None)),
            json!({"v": 1, "kind": "response", "connection": "c-1", "backend": "openai", "subject": "shop",
                "tokens": {}})
        );
    }

    #[test]
    fn a_transcription_has_tokens_or_seconds() {
        let (done, _) = report(&json!({"type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1", "transcript": "a secret", "usage": {"type": "duration", "seconds": 0.9}}));
        assert_eq!(
            read(&Source { trace: None, ..SOURCE }.reported(&done, Some("m"))),
            json!({"v": 1, "kind": "transcription", "connection": "c-1", "backend": "openai", "item": "item_1",
                "tokens": {}, "seconds": 0.9})
        );
    }

    #[test]
    fn a_session_has_its_totals() {
        let (_, tally) =
            report(&json!({"type": "response.done", "response": {"usage": {"input_tokens": 7}}}));
        let ended = Source { trace: None, ..SOURCE }.ended(
            "client_closed",
            Duration::from_micros(4_003_600),
            tally.totals(),
        );
        assert_eq!(
            read(&ended),
            json!({"v": 1, "kind": "session", "connection": "c-1", "backend": "openai", "cause": "client_closed",
                "duration_s": 4.0036, "turns": 0, "audio_in_s": 0.0, "audio_in_bytes": 0, "audio_out_s": 0.0,
                "audio_out_bytes": 0, "function_calls": 0, "client_answers": 0, "server_answers": 0,
                "responses": 1, "tokens": {"input": 7}, "transcriptions": 0, "transcription_tokens": {},
                "transcribed_s": 0.0})
        );
        assert_eq!(read(&lost(3)), json!({"v": 1, "kind": "lost", "lines": 3}));
    }
}
