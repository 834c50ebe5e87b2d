//! The values of a transcription socket's query, read strictly: one way for both versions.
//! Knows the kinds of values and what raw audio needs, and no version's list of names.

use std::{collections::BTreeSet, fmt, ops::RangeInclusive, str::FromStr};

use super::audio::{self, Layout};
use crate::simulator::{codec::Format, values};

/// The names that have been seen, for those that may stand once.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeSet<String>);

impl Seen {
    /// Notes a name that may stand once.
    ///
    /// # Errors
    /// It has been seen.
    pub(super) fn once(&mut self, name: &str) -> Result<(), String> {
        if self.0.insert(name.to_owned()) { Ok(()) } else { Err("may stand once only".to_owned()) }
    }

    /// Whether a name that may stand once has been seen.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// What the query says of the audio.
#[derive(Debug, Default)]
pub(super) struct RawAudio {
    pub(super) encoding: Option<crate::simulator::codec::Encoding>,
    pub(super) sample_rate: Option<u32>,
    pub(super) channels: Option<usize>,
}

impl RawAudio {
    /// Puts the parts together; `None` for audio in a container, which says by itself what it is.
    ///
    /// # Errors
    /// Of encoding and sample rate one is missing.
    pub(super) fn layout(&self) -> Result<Option<Layout>, String> {
        match (self.encoding, self.sample_rate) {
            (Some(encoding), Some(rate)) => {
                let format = Format { encoding, rate };
                Ok(Some(Layout { format, channels: self.channels.unwrap_or(1) }))
            }
            (Some(_), None) => Err("encoding: raw audio needs sample_rate as well".to_owned()),
            (None, Some(_)) => Err("sample_rate: raw audio needs encoding as well".to_owned()),
            (None, None) => Ok(None),
        }
    }

    /// Reads `encoding`, of those that the version knows.
    ///
    /// # Errors
    /// The name is unknown or not simulated.
    pub(super) fn read_encoding(&mut self, value: &str, known: &[&str]) -> Result<(), String> {
        self.encoding = Some(audio::encoding(value, known)?);
        Ok(())
    }

    /// Reads `sample_rate`, in Hz.
    ///
    /// # Errors
    /// It is no number or out of range.
    pub(super) fn read_sample_rate(&mut self, value: &str) -> Result<(), String> {
        self.sample_rate = Some(number(value, super::RATES)?);
        Ok(())
    }
}

/// `true` or `false`.
pub(super) fn boolean(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| "expected true or false".to_owned())
}

/// A number in a range.
pub(super) fn number<T: FromStr<Err: fmt::Display> + PartialOrd + fmt::Display>(
    value: &str,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    values::number(value, range)
}

/// One of some words.
pub(super) fn one_of(value: &str, words: &[&str]) -> Result<(), String> {
    if words.contains(&value) { Ok(()) } else { Err(format!("expected one of {}", words.join(", "))) }
}

/// Any text but an empty one.
pub(super) fn text(value: &str) -> Result<String, String> {
    values::some_text(value)
}

/// A language tag, such as `en` or `pt-BR` (BCP 47).
pub(super) fn language(value: &str) -> Result<String, String> {
    let mut parts = value.split('-');
    let is_part =
        |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let first =
        parts.next().is_some_and(|part| is_part(part) && part.bytes().all(|b| b.is_ascii_alphabetic()));
    if first && parts.all(is_part) { Ok(value.to_owned()) } else { Err("expected a language tag".to_owned()) }
}

/// Whether key terms are within the limit; a word counts as a token.
pub(super) fn fit(keyterms: &[String]) -> bool {
    keyterms.iter().flat_map(|term| term.split_whitespace()).count() <= MAX_KEYTERM_TOKENS
}

/// How many tokens all key terms may have together.
pub(super) const MAX_KEYTERM_TOKENS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_tags() {
        for good in ["en", "multi", "pt-BR", "zh-Hans-CN", "es-419"] {
            assert_eq!(language(good), Ok(good.to_owned()));
        }
        for bad in ["", "e", "en_US", "en-", "-en", "12", "englishest", "en-u"] {
            assert!(language(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_of_key_terms_are_counted() {
        assert!(fit(&vec!["two words".to_owned(); 250]));
        assert!(!fit(&vec!["two words".to_owned(); 251]));
    }
}
