//! One channel of `listen` v1: its audio in, what is said of it out. Final results follow each other without a gap.
//! Knows nothing of messages, and no time but that of the audio.

use super::super::{
    ear::{Ear, Frame},
    samples,
    words::{Span, Transcript, Word},
};
use super::query::Query;

/// What is said of a channel. Positions are in samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Speech began here.
    SpeechStarted(u64),
    /// The words of a window of the audio.
    Results { window: Span, words: Vec<Word>, finality: Finality },
    /// No word has followed the one that ended here.
    UtteranceEnd(u64),
}

/// What may still become of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finality {
    /// The window grows.
    Interim,
    /// The window is closed.
    Final,
    /// The window is closed, and there is a pause.
    SpeechFinal,
    /// The window is closed because the client wants it so.
    Finalized,
}

/// A channel.
#[derive(Debug)]
pub(super) struct Channel {
    ear: Ear,
    rate: u32,
    transcript: Transcript,
    /// Where the present window begins: the end of the last final results.
    window_from: u64,
    is_speaking: bool,
    /// The voice in the present window.
    speech: Option<Span>,
    last_interim: u64,
    /// End of the last final word, while it may become the end of an utterance.
    last_word_end: Option<u64>,
}

impl Channel {
    /// A channel without audio as yet, with what each stretch of speech in it says.
    pub(super) fn new(rate: u32, transcript: Transcript, query: &Query) -> Self {
        let silence_ms = query.endpointing_ms.unwrap_or(SILENCE_WITHOUT_ENDPOINTING_MS);
        Self {
            ear: Ear::new(rate, Some(silence_ms.max(GAP_BETWEEN_WORDS_MS))),
            rate,
            transcript,
            window_from: 0,
            is_speaking: false,
            speech: None,
            last_interim: 0,
            last_word_end: None,
        }
    }

    /// Takes samples.
    pub(super) fn hear(&mut self, audio: &[i16], query: &Query) -> Vec<Said> {
        let mut said = Vec::new();
        self.ear.take(audio);
        while let Some(frame) = self.ear.frame() {
            self.follow(frame, query, &mut said);
            let may_grow = self.window(frame.to).len() < samples(MAX_WINDOW_MS, self.rate);
            if frame.is_end {
                self.is_speaking = false;
                let is_endpoint = query.endpointing_ms.is_some();
                let finality = if is_endpoint { Finality::SpeechFinal } else { Finality::Final };
                said.push(self.close_window(frame.to, finality));
            } else if !may_grow {
                said.push(self.close_window(frame.to, Finality::Final));
            } else if query.interim_results
                && frame.to - self.last_interim >= samples(INTERIM_EVERY_MS, self.rate)
            {
                said.push(self.interim(frame.to));
            }
            if let Some(ms) = query.utterance_end_ms {
                let is_over = |end: &mut u64| frame.to - *end >= samples(ms, self.rate);
                let last_word_end = self.last_word_end.take_if(|end| !self.is_speaking && is_over(end));
                said.extend(last_word_end.map(Said::UtteranceEnd));
            }
        }
        said
    }

    /// Closes the window wherever the audio is; `None` if there is none in it.
    pub(super) fn flush(&mut self, finality: Finality) -> Option<Said> {
        let end = self.ear.position();
        (end > self.window_from).then(|| self.close_window(end, finality))
    }

    /// Samples taken.
    pub(super) fn position(&self) -> u64 {
        self.ear.position()
    }

    /// Notes what a frame does to the speech.
    fn follow(&mut self, frame: Frame, query: &Query, said: &mut Vec<Said>) {
        if let Some(onset) = frame.onset {
            self.is_speaking = true;
            self.speech = Some(Span { from: onset.max(self.window_from), to: frame.to });
            if query.vad_events {
                said.push(Said::SpeechStarted(onset));
            }
        } else if frame.is_voiced && self.is_speaking {
            let from = frame.from.max(self.window_from);
            self.speech.get_or_insert(Span { from, to: frame.to }).to = frame.to;
        }
    }

    fn window(&self, to: u64) -> Span {
        Span { from: self.window_from, to }
    }

    fn close_window(&mut self, to: u64, finality: Finality) -> Said {
        let window = self.window(to);
        let words = self.spoken().map_or_else(Vec::new, |speech| self.transcript.over(speech));
        self.last_word_end = words.last().map(|word| word.span.to).or(self.last_word_end);
        self.speech = None;
        self.window_from = to;
        self.last_interim = to;
        Said::Results { window, words, finality }
    }

    fn interim(&mut self, to: u64) -> Said {
        self.last_interim = to;
        let words = self.spoken().map_or_else(Vec::new, |speech| self.transcript.so_far(speech, self.rate));
        Said::Results { window: self.window(to), words, finality: Finality::Interim }
    }

    /// The voice in the window, if it is long enough to say anything: what a cut leaves over may not be.
    fn spoken(&self) -> Option<Span> {
        self.speech.filter(|speech| speech.len() >= samples(SHORTEST_SPEECH_MS, self.rate))
    }
}

/// A shorter silence is between two words: the least that counts, whatever `endpointing` says.
pub(super) const GAP_BETWEEN_WORDS_MS: u64 = 200;
/// The silence that closes a window when endpointing is off.
const SILENCE_WITHOUT_ENDPOINTING_MS: u64 = 1000;
/// The longest window.
const MAX_WINDOW_MS: u64 = 5000;
const INTERIM_EVERY_MS: u64 = 500;
const SHORTEST_SPEECH_MS: u64 = 60;
