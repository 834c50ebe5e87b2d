//! Tokens by kind, as upstream reports them ("OpenAI Realtime, response object", `usage`). Every count may be missing or
//! of a wrong type: then it is not known, and nothing is put in its place. Knows nothing of who reports what.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal, $($member:literal)/+;)+) => {
        /// A kind of tokens. Those of a detail are among those of the sum above it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum TokenKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl TokenKind {
            /// Every kind, each sum before its details.
            pub const ALL: [Self; KINDS] = [$(Self::$kind),+];

            /// Its name in the usage log.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// Its name in a line of the log: of responses, and of transcriptions.
            pub const fn field_names(self) -> [&'static str; 2] {
                match self {
                    $(Self::$kind => [concat!("tokens_", $name), concat!("transcription_tokens_", $name)],)+
                }
            }

            /// Where a `usage` has it.
            const fn path(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$($member),+],)+ }
            }
        }
    };
}

/// How many kinds there are.
const KINDS: usize = 12;

kinds! {
    /// All that was read.
    Input = "input", "input_tokens";
    /// Text that was read.
    InputText = "input_text", "input_token_details" / "text_tokens";
    /// Audio that was read.
    InputAudio = "input_audio", "input_token_details" / "audio_tokens";
    /// Images that were read.
    InputImage = "input_image", "input_token_details" / "image_tokens";
    /// What of all that was read is billed as cached.
    Cached = "cached", "input_token_details" / "cached_tokens";
    /// What of the text is.
    CachedText = "cached_text", "input_token_details" / "cached_tokens_details" / "text_tokens";
    /// What of the audio is.
    CachedAudio = "cached_audio", "input_token_details" / "cached_tokens_details" / "audio_tokens";
    /// What of the images is.
    CachedImage = "cached_image", "input_token_details" / "cached_tokens_details" / "image_tokens";
    /// All that was made.
    Output = "output", "output_tokens";
    /// Text that was made, transcripts of audio and arguments of calls among it.
    OutputText = "output_text", "output_token_details" / "text_tokens";
    /// Audio that was made.
    OutputAudio = "output_audio", "output_token_details" / "audio_tokens";
    /// What upstream calls the total.
    Total = "total", "total_tokens";
}

/// Counts of tokens, those that are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens([Option<u64>; KINDS]);

impl Tokens {
    /// Reads a `usage`; of one that is no object nothing is known.
    pub(super) fn read(usage: &Value) -> Self {
        let count = |kind: TokenKind| {
            kind.path().iter().try_fold(usage, |object, member| object.get(member))?.as_u64()
        };
        Self(TokenKind::ALL.map(count))
    }

    /// How many of a kind; none if nobody has said.
    pub fn of(&self, kind: TokenKind) -> Option<u64> {
        self.0[kind as usize]
    }

    /// The kinds that are known, in the order of [`TokenKind::ALL`].
    pub fn known(&self) -> impl Iterator<Item = (TokenKind, u64)> {
        TokenKind::ALL.into_iter().filter_map(|kind| Some((kind, self.of(kind)?)))
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known().next().is_none()
    }

    /// Adds others. A sum that is larger than the largest number is that number.
    pub(super) fn add(&mut self, others: &Self) {
        for (kind, count) in others.known() {
            let sum = &mut self.0[kind as usize];
            *sum = Some(sum.unwrap_or(0).saturating_add(count));
        }
    }
}

/// An object of the kinds that are known, by their names.
impl Serialize for Tokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (kind, count) in self.known() {
            map.serialize_entry(kind.name(), &count)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_has_its_member() {
        let usage = json!({
            "total_tokens": 12, "input_tokens": 1, "output_tokens": 9,
            "input_token_details": {"text_tokens": 2, "audio_tokens": 3, "image_tokens": 4, "cached_tokens": 5,
                "cached_tokens_details": {"text_tokens": 6, "audio_tokens": 7, "image_tokens": 8}},
            "output_token_details": {"text_tokens": 10, "audio_tokens": 11},
        });
        let tokens = Tokens::read(&usage);
        let counts: Vec<_> = tokens.known().map(|(_, count)| count).collect();
        assert_eq!(counts, (1..=12).collect::<Vec<_>>());
        let named = serde_json::to_string(&tokens).expect("an object");
        assert_eq!(
            named,
            r#"{"input":1,"input_text":2,"input_audio":3,"input_image":4,"cached":5,"cached_text":6,"cached_audio":7,"cached_image":8,"output":9,"output_text":10,"output_audio":11,"total":12}"#
        );
    }

    #[test]
    fn what_is_missing_or_of_a_wrong_type_is_not_known() {
        for usage in [json!(null), json!(7), json!("x"), json!([1]), json!({}), json!({"type": "tokens"})] {
            assert!(Tokens::read(&usage).is_empty(), "{usage}");
        }
        let usage = json!({
            "total_tokens": -1, "input_tokens": 1.5, "output_tokens": "9", "input_token_details": [3],
            "output_token_details": {"text_tokens": 4, "audio_tokens": {"text_tokens": 5}},
        });
        assert_eq!(Tokens::read(&usage).known().collect::<Vec<_>>(), [(TokenKind::OutputText, 4)]);
    }

    #[test]
    fn sums_end_at_the_largest_number_and_know_what_any_part_knew() {
        let read = |usage| Tokens::read(&usage);
        let mut sum = read(json!({"input_tokens": u64::MAX - 1, "output_tokens": 3}));
        sum.add(&read(json!({"input_tokens": 2, "total_tokens": 5})));
        let known: Vec<_> = sum.known().collect();
        assert_eq!(
            known,
            [(TokenKind::Input, u64::MAX), (TokenKind::Output, 3), (TokenKind::Total, 5)],
            "an output of 3 and one that nobody has told of"
        );
    }
}
