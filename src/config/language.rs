//! Language tags as far as the transcription of speech needs them. Knows neither who gave a tag nor what
//! stands in for one that is absent.

/// The word for more than one language; upstream finds out if it is told none.
pub(crate) const SEVERAL: &str = "multi";

/// The code of two or three letters (ISO 639) that a tag (BCP 47, `_` allowed) begins with, in lower case,
/// or [`SEVERAL`]. `None` for what is no tag: upstream would drop its whole update for it.
pub(crate) fn primary_language(tag: &str) -> Option<String> {
    let language = tag.split(['-', '_']).next().unwrap_or(tag).to_ascii_lowercase();
    let is_code =
        (2..=3).contains(&language.len()) && language.chars().all(|letter| letter.is_ascii_lowercase());
    (is_code || language == SEVERAL).then_some(language)
}
