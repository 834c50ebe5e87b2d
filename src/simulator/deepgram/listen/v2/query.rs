//! The query parameters of `listen` v2 ("Deepgram transcription WebSocket", section 4), and the thresholds that a
//! session may change later. Knows nothing of sessions.

use std::ops::RangeInclusive;

use super::super::{
    audio::Layout,
    parameters::{RawAudio, Seen, boolean, fit, language, number, one_of, text},
};

/// What a client of `listen` v2 asks for, as far as the simulator acts on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Query {
    pub(super) is_multilingual: bool,
    /// What the audio is; `None` for a container.
    pub(super) raw: Option<Layout>,
    pub(super) thresholds: Thresholds,
    pub(super) keyterms: Vec<String>,
    pub(super) language_hints: Vec<String>,
    pub(super) numerals: Option<bool>,
}

/// When a turn is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Thresholds {
    /// The confidence of an early end; `None` if there is none.
    pub(super) eager: Option<f64>,
    /// The confidence of the end.
    pub(super) end: f64,
    /// The silence that is the end whatever the confidence.
    pub(super) timeout_ms: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { eager: None, end: 0.7, timeout_ms: 5000 }
    }
}

impl Thresholds {
    /// Checks the ranges, and that an early end is no later than the end.
    ///
    /// # Errors
    /// The text names the threshold and what it may be.
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.eager.is_none_or(|eager| EAGER.contains(&eager)) {
            return Err(format!("eager_eot_threshold: expected {} to {}", EAGER.start(), EAGER.end()));
        }
        if !END.contains(&self.end) {
            return Err(format!("eot_threshold: expected {} to {}", END.start(), END.end()));
        }
        if !TIMEOUT_MS.contains(&self.timeout_ms) {
            return Err(format!("eot_timeout_ms: expected {} to {}", TIMEOUT_MS.start(), TIMEOUT_MS.end()));
        }
        if self.eager.is_some_and(|eager| eager > self.end) {
            return Err("eager_eot_threshold: expected at most eot_threshold".to_owned());
        }
        Ok(())
    }
}

impl Query {
    /// Reads the parameters.
    ///
    /// # Errors
    /// The text says which parameter is missing, unknown, repeated or bad.
    pub(super) fn read(parameters: &[(String, String)]) -> Result<Self, String> {
        let mut query = Self::default();
        let (mut raw, mut seen) = (RawAudio::default(), Seen::default());
        for (name, value) in parameters {
            let in_place = |why| format!("query parameter {name}: {why}");
            if query.repeated(name, value).map_err(in_place)? {
                continue;
            }
            if !SINGLE.contains(&name.as_str()) {
                return Err(format!("unknown query parameter {name}"));
            }
            seen.once(name).map_err(in_place)?;
            query.single(name, value, &mut raw).map_err(in_place)?;
        }
        if !seen.has("model") {
            return Err("query parameter model: it is required".to_owned());
        }
        query.raw = raw.layout().map_err(|why| format!("query parameter {why}"))?;
        query.thresholds.check().map_err(|why| format!("query parameter {why}"))?;
        if !query.language_hints.is_empty() && !query.is_multilingual {
            return Err("query parameter language_hint: only flux-general-multi knows it".to_owned());
        }
        if !fit(&query.keyterms) {
            return Err("query parameter keyterm: more than 500 tokens".to_owned());
        }
        Ok(query)
    }

    /// Takes a parameter that may be repeated; false if it is none.
    fn repeated(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            "keyterm" => self.keyterms.push(text(value)?),
            "language_hint" => self.language_hints.push(language(value)?),
            "tag" => drop(text(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn single(&mut self, name: &str, value: &str, raw: &mut RawAudio) -> Result<(), String> {
        match name {
            "model" => {
                one_of(value, &["flux-general-en", MULTILINGUAL])?;
                self.is_multilingual = value == MULTILINGUAL;
            }
            "encoding" => raw.read_encoding(value, ENCODINGS)?,
            "sample_rate" => raw.read_sample_rate(value)?,
            "eager_eot_threshold" => self.thresholds.eager = Some(number(value, EAGER)?),
            "eot_threshold" => self.thresholds.end = number(value, END)?,
            "eot_timeout_ms" => self.thresholds.timeout_ms = number(value, TIMEOUT_MS)?,
            "numerals" => self.numerals = Some(boolean(value)?),
            "profanity_filter" | "mip_opt_out" => drop(boolean(value)?),
            _ => one_of(value, &["numbers", "aggressive_numbers"])?,
        }
        Ok(())
    }
}

const EAGER: RangeInclusive<f64> = 0.3..=0.9;
const END: RangeInclusive<f64> = 0.5..=1.0;
const TIMEOUT_MS: RangeInclusive<u64> = 500..=60_000;
const MULTILINGUAL: &str = "flux-general-multi";
const ENCODINGS: &[&str] = &["linear16", "linear32", "mulaw", "alaw", "opus", "ogg-opus"];
/// The parameters that may stand once.
const SINGLE: &[&str] = &[
    "model",
    "encoding",
    "sample_rate",
    "eager_eot_threshold",
    "eot_threshold",
    "eot_timeout_ms",
    "profanity_filter",
    "numerals",
    "mip_opt_out",
    "redact",
];
