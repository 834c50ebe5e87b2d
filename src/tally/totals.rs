//! What a connection has come to: the numbers, and their names in the line of its end. Knows nothing of where they come
//! from.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

use super::{audio::Audio, report::Report, tokens::Tokens};

/// What a connection has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Turns of the user that the agent answered: how often it began to speak, or to call functions for a client that is
    /// told, after the user had spoken or typed.
    pub turns: u64,
    /// Audio that the client sent, of which some may have gone nowhere.
    pub audio_in: Audio,
    /// Audio that the client was sent.
    pub audio_out: Audio,
    /// Function calls of the model that were handed out, to the client or to functions that run here.
    pub function_calls: u64,
    /// Calls that the client answered in time.
    pub client_answers: u64,
    /// Calls that functions answered which ran here.
    pub server_answers: u64,
    /// Responses that upstream has reported, in whatever way they ended.
    pub responses: u64,
    /// What those took.
    pub tokens: Tokens,
    /// Transcriptions of the user's speech that upstream has reported.
    pub transcriptions: u64,
    /// What those took that are billed by tokens.
    pub transcription_tokens: Tokens,
    /// How much audio those were that are billed by time.
    pub transcribed: Duration,
}

/// One of the totals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// How many.
    Count(u64),
    /// How long, shown in seconds with three digits behind the point.
    Time(Duration),
}

impl Totals {
    /// Adds what upstream has reported.
    pub(super) fn add(&mut self, report: &Report) {
        match report {
            Report::Response(response) => {
                self.responses = self.responses.saturating_add(1);
                self.tokens.add(&response.tokens);
            }
            Report::Transcription(transcription) => {
                self.transcriptions = self.transcriptions.saturating_add(1);
                self.transcription_tokens.add(&transcription.tokens);
                let duration = transcription.duration.unwrap_or_default();
                self.transcribed = self.transcribed.saturating_add(duration);
            }
        }
    }

    /// Names and values, always in this order. Left out are the length of audio whose format is not known, and tokens and
    /// audio that nobody has reported.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Amount)> {
        let Self {
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
        } = self;
        let count = |name, count: &u64| Some((name, Amount::Count(*count)));
        let time = |name, time: Option<Duration>| Some((name, Amount::Time(time?)));
        let transcribed = Some(*transcribed).filter(|transcribed| !transcribed.is_zero());
        let [responses, transcriptions] =
            [count("responses", responses), count("transcriptions", transcriptions)];
        let [tokens, transcription_tokens] = [(tokens, 0), (transcription_tokens, 1)].map(|(tokens, of)| {
            tokens.known().map(move |(kind, count)| (kind.field_names()[of], Amount::Count(count)))
        });
        let first = [
            count("turns", turns),
            time("audio_in_s", audio_in.duration()),
            time("audio_out_s", audio_out.duration()),
            count("function_calls", function_calls),
            count("client_answers", client_answers),
            count("server_answers", server_answers),
            responses,
        ];
        let then = [transcriptions, time("transcribed_s", transcribed)];
        first
            .into_iter()
            .flatten()
            .chain(tokens)
            .chain(then.into_iter().flatten())
            .chain(transcription_tokens)
    }
}

/// As ` name=number` each.
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields().try_for_each(|(name, amount)| write!(f, " {name}={amount}"))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Time(time) => write!(f, "{:.3}", time.as_secs_f64()),
        }
    }
}

/// A number, of seconds to the microsecond.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Time(time) => serializer.serialize_f64((time.as_secs_f64() * 1e6).round() / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tally::Transcription;

    #[test]
    fn every_number_has_its_name_and_what_nobody_knows_has_none() {
        assert_eq!(
            Totals::default().to_string(),
            " turns=0 audio_in_s=0.000 audio_out_s=0.000 function_calls=0 client_answers=0 server_answers=0 responses=0 \
             transcriptions=0"
        );
        let mut totals = Totals {
            turns: 1,
            function_calls: 5,
            client_answers: 2,
            server_answers: 3,
            responses: 4,
            tokens: Tokens::read(
                &json!({"input_tokens": 6, "input_token_details": {"text_tokens": 7}, "total_tokens": 8}),
            ),
            transcriptions: 9,
            transcription_tokens: Tokens::read(&json!({"input_tokens": 10})),
            transcribed: Duration::from_micros(1_250_400),
            ..Totals::default()
        };
        totals.audio_in.add(7);
        totals.audio_out.add(48_000);
        totals.audio_out.plays_at(Some(32_000));
        assert_eq!(
            totals.to_string(),
            " turns=1 audio_out_s=1.500 function_calls=5 client_answers=2 server_answers=3 responses=4 tokens_input=6 \
             tokens_input_text=7 tokens_total=8 transcriptions=9 transcribed_s=1.250 transcription_tokens_input=10"
        );
        let json: Vec<_> = totals.fields().map(|(_, amount)| json!(amount)).collect();
        assert_eq!(json[..3], [json!(1), json!(1.5), json!(5)]);
    }

    #[test]
    fn sums_end_at_the_largest() {
        let mut totals = Totals { transcriptions: u64::MAX, transcribed: Duration::MAX, ..Totals::default() };
        totals.add(&Report::Transcription(Transcription {
            item_id: None,
            model: None,
            tokens: Tokens::default(),
            duration: Some(Duration::MAX),
        }));
        assert_eq!((totals.transcriptions, totals.transcribed), (u64::MAX, Duration::MAX));
    }
}
