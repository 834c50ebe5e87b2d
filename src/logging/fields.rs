//! The fields of a log line: names of ours with values, of which some are a peer's words. Knows no line and no format.

use std::{borrow::Cow, fmt};

use log::kv::{Error, Key, Source, Value, VisitSource};

use crate::{config::Scrubber, tally::Amount};

/// Fields that are put together one by one, in the order in which the line has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fields(Vec<(&'static str, Field)>);

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Field {
    /// A word of ours.
    Word(&'static str),
    /// Any text.
    Text(String),
    /// A number.
    Number(u64),
    /// A number of which three decimals are told.
    Decimal(f64),
    /// Yes or no.
    Truth(bool),
    /// Texts, in order. Its name ends in [`ELEMENT`]; without any text it is left out.
    List(Vec<String>),
}

/// What ends the key of an element of a list, whose other elements have the same key.
pub(super) const ELEMENT: &str = "[]";

impl Fields {
    /// Adds a field.
    pub(crate) fn push(&mut self, name: &'static str, value: impl Into<Field>) {
        self.0.push((name, value.into()));
    }

    /// The same fields and one more.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Field>) -> Self {
        self.push(name, value);
        self
    }

    /// The same fields and, if there is a value, one more.
    pub(crate) fn with_some(self, name: &'static str, value: Option<impl Into<Field>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// These fields, and then those.
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Takes keys out of every text.
    pub(crate) fn scrub(&mut self, scrubber: &Scrubber) {
        let scrub = |text: &mut String| {
            if let Cow::Owned(scrubbed) = scrubber.scrub(text) {
                *text = scrubbed;
            }
        };
        for (_, field) in &mut self.0 {
            match field {
                Field::Text(text) => scrub(text),
                Field::List(texts) => texts.iter_mut().for_each(scrub),
                Field::Word(_) | Field::Number(_) | Field::Decimal(_) | Field::Truth(_) => (),
            }
        }
    }
}

/// As a line of text has them.
impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::format::text_of(self).trim_start())
    }
}

impl Source for Fields {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        for (name, field) in &self.0 {
            let value = match field {
                Field::Word(word) => Value::from(*word),
                Field::Text(text) => Value::from(text.as_str()),
                Field::Number(number) => Value::from(*number),
                Field::Decimal(number) => Value::from(*number),
                Field::Truth(truth) => Value::from(*truth),
                Field::List(texts) => {
                    for text in texts {
                        visitor.visit_pair(Key::from_str(name), Value::from(text.as_str()))?;
                    }
                    continue;
                }
            };
            visitor.visit_pair(Key::from_str(name), value)?;
        }
        Ok(())
    }
}

impl From<&'static str> for Field {
    fn from(word: &'static str) -> Self {
        Self::Word(word)
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Field {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u16> for Field {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Field {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<f64> for Field {
    fn from(number: f64) -> Self {
        Self::Decimal(number)
    }
}

impl From<bool> for Field {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

impl From<Amount> for Field {
    fn from(amount: Amount) -> Self {
        match amount {
            Amount::Count(count) => Self::Number(count),
            Amount::Time(time) => Self::Decimal(time.as_secs_f64()),
        }
    }
}

impl From<Vec<String>> for Field {
    fn from(texts: Vec<String>) -> Self {
        Self::List(texts)
    }
}
