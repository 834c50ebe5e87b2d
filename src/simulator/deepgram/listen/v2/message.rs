//! The text messages of a `listen` v2 client, read strictly ("Deepgram transcription WebSocket", section 5).
//! Knows nothing of what they do.

use serde::Deserialize;

/// A message of the client. There is no KeepAlive and no Finalize.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(tag = "type", deny_unknown_fields)]
pub(super) enum ClientMessage {
    /// No more audio comes.
    CloseStream {},
    /// The turn is over.
    ForceEndTurn {},
    /// Other settings; what is absent or null stays.
    Configure {
        thresholds: Option<Thresholds>,
        keyterms: Option<Vec<String>>,
        language_hints: Option<Vec<String>>,
        numerals: Option<bool>,
    },
}

/// The thresholds of a Configure.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Thresholds {
    pub(super) eager_eot_threshold: Option<f64>,
    pub(super) eot_threshold: Option<f64>,
    pub(super) eot_timeout_ms: Option<u64>,
}

impl ClientMessage {
    /// Reads a text message.
    ///
    /// # Errors
    /// The text says what about it is no message of this list.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_read() {
        let nothing = || ClientMessage::Configure {
            thresholds: None,
            keyterms: None,
            language_hints: None,
            numerals: None,
        };
        let everything = ClientMessage::Configure {
            thresholds: Some(Thresholds {
                eager_eot_threshold: Some(0.4),
                eot_threshold: Some(1.0),
                eot_timeout_ms: Some(800),
            }),
            keyterms: Some(vec!["a".to_owned()]),
            language_hints: Some(Vec::new()),
            numerals: Some(true),
        };
        for (text, expected) in [
            (r#"{"type":"CloseStream"}"#, ClientMessage::CloseStream {}),
            (r#"{"type":"ForceEndTurn"}"#, ClientMessage::ForceEndTurn {}),
            (r#"{"type":"Configure"}"#, nothing()),
            (r#"{"type":"Configure","keyterms":null}"#, nothing()),
            (
                r#"{"type":"Configure","thresholds":{"eager_eot_threshold":0.4,"eot_threshold":1,
                    "eot_timeout_ms":800},"keyterms":["a"],"language_hints":[],"numerals":true}"#,
                everything,
            ),
        ] {
            assert_eq!(ClientMessage::read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"type":"KeepAlive"}"#,
            r#"{"type":"Finalize"}"#,
            r#"{"type":"closeStream"}"#,
            r#"{"type":"ForceEndTurn","turn":0}"#,
            r#"{"type":"Configure","thresholds":{"eot_threshold":"0.7"}}"#,
            r#"{"type":"Configure","thresholds":{"eot_timeout_ms":0.5}}"#,
            r#"{"type":"Configure","thresholds":{"threshold":0.5}}"#,
            r#"{"type":"Configure","features":{}}"#,
        ] {
            assert!(!ClientMessage::read(text).expect_err(text).is_empty());
        }
    }
}
