//! Where turns begin and end: audio in, the events of turns out. Windows of turns follow each other without a gap.
//! Knows nothing of messages, and no time but that of the audio.

use super::super::{
    ear::{Ear, Frame},
    samples,
    words::{Span, Transcript, Word},
};
use super::query::Thresholds;

/// What happened to a turn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TurnInfo {
    pub(super) event: Event,
    /// Which turn it is, from 0.
    pub(super) index: u64,
    /// The turn's audio so far.
    pub(super) window: Span,
    /// What has been said in it.
    pub(super) words: Vec<Word>,
    /// How sure it is that the turn is over.
    pub(super) confidence: f64,
}

/// An event of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    StartOfTurn,
    Update,
    EagerEndOfTurn,
    TurnResumed,
    EndOfTurn(Trigger),
}

/// What ended a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// The confidence is high enough.
    Model,
    /// The client said so.
    Manual,
    /// The silence is long enough.
    Timeout,
}

/// The turns of a stream.
#[derive(Debug)]
pub(super) struct Turns {
    ear: Ear,
    rate: u32,
    transcript: Transcript,
    index: u64,
    /// Where the window of this turn begins: the end of the one before.
    window_from: u64,
    turn: Option<Turn>,
}

/// A turn that is going on.
#[derive(Debug)]
struct Turn {
    /// What was said up to the last early end.
    said: Vec<Word>,
    /// The voice after it.
    speech: Option<Span>,
    voice_end: u64,
    last_told: u64,
}

impl Turns {
    /// A stream without audio as yet, with what each stretch of speech in it says.
    pub(super) fn new(rate: u32, transcript: Transcript) -> Self {
        Self { ear: Ear::new(rate, None), rate, transcript, index: 0, window_from: 0, turn: None }
    }

    /// Takes samples.
    pub(super) fn hear(&mut self, audio: &[i16], thresholds: Thresholds) -> Vec<TurnInfo> {
        self.ear.take(audio);
        let mut told = Vec::new();
        while let Some(frame) = self.ear.frame() {
            told.extend(self.follow(frame, thresholds));
        }
        told
    }

    /// Ends the turn wherever the audio is; `None` if there is no turn.
    pub(super) fn force_end(&mut self) -> Option<TurnInfo> {
        let to = self.ear.position();
        let confidence = self.confidence(to);
        self.turn.is_some().then(|| self.end(Trigger::Manual, to, confidence))
    }

    /// What has not been told of the turn when the audio ends.
    pub(super) fn rest(&mut self) -> Option<TurnInfo> {
        let to = self.ear.position();
        let confidence = self.confidence(to);
        self.turn.as_ref().is_some_and(|turn| turn.speech.is_some()).then(|| {
            let words = self.all_words();
            self.tell(Event::Update, to, words, confidence)
        })
    }

    fn follow(&mut self, frame: Frame, thresholds: Thresholds) -> Option<TurnInfo> {
        let to = frame.to;
        let from = frame.onset.unwrap_or(frame.from).max(self.window_from);
        let Some(turn) = &mut self.turn else {
            frame.onset?;
            let speech = Some(Span { from, to });
            self.turn = Some(Turn { said: Vec::new(), speech, voice_end: to, last_told: to });
            let words = self.words_so_far();
            return Some(self.tell(Event::StartOfTurn, to, words, 0.0));
        };
        if let (Some(_), None) = (frame.onset, turn.speech) {
            turn.speech = Some(Span { from, to });
            turn.voice_end = to;
            let words = self.words_so_far();
            return Some(self.tell(Event::TurnResumed, to, words, 0.0));
        }
        if let (Some(speech), true) = (&mut turn.speech, frame.is_voiced) {
            speech.to = to;
            turn.voice_end = to;
        }
        let is_eager = turn.speech.is_none();
        let is_update_due = to - turn.last_told >= samples(UPDATE_EVERY_MS, self.rate);
        let silence_ms = (to - turn.voice_end) * 1000 / u64::from(self.rate);
        let confidence = self.confidence(to);
        if !frame.is_voiced && confidence >= thresholds.end {
            Some(self.end(Trigger::Model, to, confidence))
        } else if !frame.is_voiced && silence_ms >= thresholds.timeout_ms {
            Some(self.end(Trigger::Timeout, to, confidence))
        } else if !is_eager && thresholds.eager.is_some_and(|eager| confidence >= eager) {
            let words = self.all_words();
            let turn = self.turn.as_mut()?;
            turn.speech = None;
            turn.said.clone_from(&words);
            self.ear.forget_speech();
            Some(self.tell(Event::EagerEndOfTurn, to, words, confidence))
        } else if !is_eager && is_update_due {
            let words = self.words_so_far();
            Some(self.tell(Event::Update, to, words, confidence))
        } else {
            None
        }
    }

    /// How sure it is that the turn is over: the longer the silence, the surer, but never certain.
    fn confidence(&self, to: u64) -> f64 {
        let Some(turn) = &self.turn else { return 0.0 };
        let silence_ms = (to - turn.voice_end) * 1000 / u64::from(self.rate);
        (silence_ms as f64 / SURE_AFTER_MS).min(HIGHEST_CONFIDENCE)
    }

    fn end(&mut self, trigger: Trigger, to: u64, confidence: f64) -> TurnInfo {
        let words = self.all_words();
        let info = self.tell(Event::EndOfTurn(trigger), to, words, confidence);
        self.turn = None;
        self.index += 1;
        self.window_from = to;
        self.ear.forget_speech();
        info
    }

    fn all_words(&self) -> Vec<Word> {
        self.words(|speech| self.transcript.over(speech))
    }

    fn words_so_far(&self) -> Vec<Word> {
        self.words(|speech| self.transcript.so_far(speech, self.rate))
    }

    fn words(&self, latest: impl Fn(Span) -> Vec<Word>) -> Vec<Word> {
        let Some(turn) = &self.turn else { return Vec::new() };
        let latest = turn.speech.map(latest).unwrap_or_default();
        turn.said.iter().cloned().chain(latest).collect()
    }

    fn tell(&mut self, event: Event, to: u64, words: Vec<Word>, confidence: f64) -> TurnInfo {
        if let Some(turn) = &mut self.turn {
            turn.last_told = to;
        }
        let window = Span { from: self.window_from, to };
        TurnInfo { event, index: self.index, window, words, confidence }
    }
}

const UPDATE_EVERY_MS: u64 = 240;
/// The silence after which the end would be certain.
const SURE_AFTER_MS: f64 = 1000.0;
/// Below 1, so that a threshold of 1 leaves the end to the client and to time.
const HIGHEST_CONFIDENCE: f64 = 0.99;
