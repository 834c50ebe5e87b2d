//! The time table of a response: which piece of which output is sent when, and how the response ends.
//! Knows nothing of events; `response` turns each beat into them.

use std::{collections::VecDeque, time::Duration};

use super::options::Options;
use crate::simulator::{
    codec::Format,
    reply::Reply,
    voice::{self, Segment},
};

/// How a response ends ("OpenAI Realtime, response object").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It said all it had to say.
    Completed,
    /// `turn_detected` or `client_cancelled`.
    Cancelled(&'static str),
    /// With this error code.
    Failed(String),
    /// `max_output_tokens` or `content_filter`.
    Incomplete(String),
}

/// One step of a response. The numbers are output indices.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Beat {
    /// The response is announced.
    Begin,
    /// An output begins.
    Open(usize),
    /// A piece of text or transcript.
    Text(usize, String),
    /// A piece of audio as wire bytes, and its length.
    Audio(usize, Vec<u8>, u64),
    /// A piece of a call's arguments.
    Arguments(usize, String),
    /// An output is complete.
    Close(usize),
    /// The response ends, and with it whatever is open.
    End(Ending),
}

/// What shapes a script beside the reply itself.
pub(super) struct Manner<'a> {
    /// Audio in this format and at this speed, or text alone.
    pub(super) audio: Option<(Format, f64)>,
    /// The most tokens that may be said.
    pub(super) max_tokens: Option<u64>,
    /// The trouble to make.
    pub(super) options: &'a Options,
}

/// Writes the script of a reply that begins at `start`.
pub(super) fn script(reply: &Reply, manner: &Manner<'_>, start: Duration) -> VecDeque<(Duration, Beat)> {
    let mut beats = VecDeque::from([(start, Beat::Begin)]);
    let mut at = start + STEP;
    if let Some(code) = &manner.options.fail {
        beats.push_back((at, Beat::End(Ending::Failed(code.clone()))));
        return beats;
    }
    let outputs = match reply {
        Reply::Say(text) => vec![message(text, manner)],
        Reply::Call(calls) => {
            let pieces = |(index, (_, arguments)): (usize, &(String, _))| {
                let arguments = serde_json::Value::to_string(arguments);
                chunks(&arguments).into_iter().map(|text| Beat::Arguments(index, text)).collect()
            };
            calls.iter().enumerate().map(pieces).collect()
        }
    };
    let total = outputs.iter().map(Vec::len).sum::<usize>();
    let mut sent = 0;
    let mut tokens = Tokens::default();
    for (index, pieces) in outputs.into_iter().enumerate() {
        beats.push_back((at, Beat::Open(index)));
        at += STEP;
        for piece in pieces {
            tokens.count(&piece);
            let cut = if manner.max_tokens.is_some_and(|most| tokens.total() > most) {
                Some("max_output_tokens".to_owned())
            } else {
                manner.options.incomplete.clone().filter(|_| sent >= total.div_ceil(2))
            };
            if let Some(reason) = cut {
                beats.push_back((at, Beat::End(Ending::Incomplete(reason))));
                return beats;
            }
            let lasts = match &piece {
                Beat::Audio(_, _, ms) => {
                    Duration::from_secs_f64(*ms as f64 / 1000.0 / manner.options.audio_speed)
                }
                Beat::Text(..) if manner.audio.is_some() => Duration::ZERO,
                _ => STEP,
            };
            beats.push_back((at, piece));
            at += lasts;
            sent += 1;
        }
        beats.push_back((at, Beat::Close(index)));
        at += STEP;
    }
    beats.push_back((at, Beat::End(Ending::Completed)));
    beats
}

/// A message's pieces: text alone, or each segment's words spread over its audio.
fn message(text: &str, manner: &Manner<'_>) -> Vec<Beat> {
    let Some((format, speed)) = manner.audio else {
        return chunks(text).into_iter().map(|text| Beat::Text(0, text)).collect();
    };
    voice::speak(text, format, speed).iter().flat_map(|segment| spoken(segment, format)).collect()
}

fn spoken(segment: &Segment, format: Format) -> Vec<Beat> {
    let words = chunks(&segment.text);
    let slices = segment.samples.chunks(SLICE_MS * format.samples_per_ms()).collect::<Vec<_>>();
    let mut beats = Vec::new();
    let mut said = 0;
    for (index, slice) in slices.iter().enumerate() {
        // The words run ahead of the audio, as they do in the real service.
        let due = (words.len() * (index + 1)).div_ceil(slices.len());
        beats.extend(words[said..due.max(said)].iter().map(|word| Beat::Text(0, word.clone())));
        said = due.max(said);
        let ms = (slice.len() / format.samples_per_ms()) as u64;
        beats.push(Beat::Audio(0, format.encode(slice), ms));
    }
    beats
}

/// Words with the space before them; long texts in at most [`MAX_CHUNKS`] pieces.
pub(super) fn chunks(text: &str) -> Vec<String> {
    let words = text.split_inclusive(' ').collect::<Vec<_>>();
    let size = words.len().div_ceil(MAX_CHUNKS).max(1);
    words.chunks(size).map(<[&str]>::concat).filter(|chunk| !chunk.is_empty()).collect()
}

/// The tokens of so many characters of text.
pub(super) fn text_tokens(letters: u64) -> u64 {
    letters.div_ceil(4)
}

/// The tokens of so much audio of the user.
pub(super) fn audio_tokens(ms: u64) -> u64 {
    ms / 100
}

/// Tokens as the simulator counts them: four characters of text, 50 ms of audio made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    letters: u64,
    audio_ms: u64,
}

impl Tokens {
    /// Counts what a beat sends.
    pub(super) fn count(&mut self, beat: &Beat) {
        match beat {
            Beat::Text(_, text) | Beat::Arguments(_, text) => self.letters += text.chars().count() as u64,
            Beat::Audio(_, _, ms) => self.audio_ms += ms,
            Beat::Begin | Beat::Open(_) | Beat::Close(_) | Beat::End(_) => {}
        }
    }

    /// Text tokens.
    pub(super) fn text(self) -> u64 {
        text_tokens(self.letters)
    }

    /// Audio tokens.
    pub(super) fn audio(self) -> u64 {
        self.audio_ms.div_ceil(50)
    }

    /// Both.
    pub(super) fn total(self) -> u64 {
        self.text() + self.audio()
    }
}

/// Between two steps that carry no audio.
const STEP: Duration = Duration::from_millis(1);
/// Audio in one delta.
const SLICE_MS: usize = 120;
/// The most deltas that one text becomes.
const MAX_CHUNKS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, manner: &Manner<'_>) -> VecDeque<(Duration, Beat)> {
        script(&Reply::Say(text.to_owned()), manner, Duration::from_secs(1))
    }

    #[test]
    fn audio_takes_its_time_divided_by_the_speed() {
        let options = Options { audio_speed: 4.0, ..Options::default() };
        let beats = of(
            "Hello. How can I help you?",
            &Manner { audio: Some((Format::PCM, 1.0)), max_tokens: None, options: &options },
        );
        let audio = beats.iter().filter_map(|(_, beat)| {
            if let Beat::Audio(_, bytes, ms) = beat { Some((bytes.len(), *ms)) } else { None }
        });
        let (bytes, ms) = audio.fold((0, 0), |sum, piece| (sum.0 + piece.0, sum.1 + piece.1));
        assert!((bytes / 48) as u64 - ms < 20 && ms > 1000, "{bytes} bytes, {ms} ms");
        let lasts = beats.back().expect("an end").0 - Duration::from_secs(1);
        assert!(
            lasts.abs_diff(Duration::from_millis(ms / 4)) < Duration::from_millis(10),
            "{lasts:?} for {ms} ms"
        );
        let words: String = beats
            .iter()
            .filter_map(|(_, beat)| if let Beat::Text(_, text) = beat { Some(text.as_str()) } else { None })
            .collect();
        assert_eq!(words, "Hello. How can I help you?");
    }

    #[test]
    fn the_token_limit_cuts() {
        let options = Options::default();
        let beats =
            of("one two three four five", &Manner { audio: None, max_tokens: Some(2), options: &options });
        assert_eq!(
            beats.back().map(|(_, beat)| beat),
            Some(&Beat::End(Ending::Incomplete("max_output_tokens".to_owned())))
        );
        assert_eq!(beats.iter().filter(|(_, beat)| matches!(beat, Beat::Text(..))).count(), 2);
    }

    #[test]
    fn long_texts_have_few_chunks() {
        let text = "word ".repeat(10_000);
        assert_eq!(chunks(&text).concat(), text);
        assert!(chunks(&text).len() <= MAX_CHUNKS);
        assert_eq!(chunks(""), Vec::<String>::new());
    }
}
