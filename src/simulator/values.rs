//! The values of options, read from text: one way for every simulator.
//! Knows no option; an error says what was expected, and the caller adds where.

use std::{fmt, str::FromStr, time::Duration};

/// What came of setting an option, with its name in the error; nothing comes of an unknown one.
pub(super) fn named(outcome: Option<Result<(), String>>, name: &str, value: &str) -> Result<(), String> {
    let outcome = outcome.ok_or_else(|| format!("unknown simulator option {name}"))?;
    outcome.map_err(|why| format!("simulator option {name} = \"{value}\": {why}"))
}

/// A value by its own reading, such as a text, `true` or `false`.
pub(super) fn read<T: FromStr<Err: fmt::Display>>(value: &str, into: &mut T) -> Result<(), String> {
    *into = value.parse().map_err(|error: T::Err| error.to_string())?;
    Ok(())
}

/// A number within a range.
pub(super) fn number<T: FromStr<Err: fmt::Display> + PartialOrd + fmt::Display>(
    value: &str,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, String> {
    let number = value.parse().map_err(|error: T::Err| error.to_string())?;
    if !range.contains(&number) {
        return Err(format!("expected {} to {}", range.start(), range.end()));
    }
    Ok(number)
}

/// The same, into a field.
pub(super) fn within<T: FromStr<Err: fmt::Display> + PartialOrd + fmt::Display>(
    value: &str,
    range: std::ops::RangeInclusive<T>,
    into: &mut T,
) -> Result<(), String> {
    *into = number(value, range)?;
    Ok(())
}

/// Milliseconds, at most ten minutes.
pub(super) fn milliseconds(value: &str) -> Result<Duration, String> {
    number(value, 0..=600_000).map(Duration::from_millis)
}

/// Letters, digits, points and underscores.
pub(super) fn word(value: &str) -> Result<String, String> {
    let is_word =
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
    is_word
        .then(|| value.to_owned())
        .ok_or_else(|| "expected letters, digits, points and underscores".to_owned())
}

/// Any text but an empty one.
pub(super) fn some_text(value: &str) -> Result<String, String> {
    if value.is_empty() { Err("must not be empty".to_owned()) } else { Ok(value.to_owned()) }
}

/// Words with commas between them.
pub(super) fn words(value: &str) -> Result<Vec<String>, String> {
    value.split(',').map(|name| word(name.trim())).collect()
}

/// Pairs of words, with a colon in each and commas between them.
pub(super) fn type_and_code(value: &str) -> Result<Vec<(String, String)>, String> {
    let pair = |text: &str| {
        let (name, code) = text.split_once(':').ok_or("expected TYPE:CODE")?;
        Ok((word(name.trim())?, word(code.trim())?))
    };
    value.split(',').map(pair).collect()
}
