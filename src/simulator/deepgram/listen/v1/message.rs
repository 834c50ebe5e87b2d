//! The text messages of a `listen` v1 client, read strictly ("Deepgram transcription WebSocket", section 3).
//! Knows nothing of what they do.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A message of the client.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "type", deny_unknown_fields)]
pub(super) enum ClientMessage {
    /// The client is there, though it says nothing.
    KeepAlive {},
    /// What has been heard of a channel, or of all, is final.
    Finalize { channel: Option<usize> },
    /// No more audio comes.
    CloseStream {},
    /// Other key terms or features; what is absent or null stays.
    Configure { keyterms: Option<Vec<String>>, features: Option<BTreeMap<String, bool>> },
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
        let configure = |keyterms: &[&str], features: &[(&str, bool)]| {
            let features = features.iter().map(|&(name, is_on)| (name.to_owned(), is_on)).collect();
            let keyterms = keyterms.iter().map(|&term| term.to_owned()).collect();
            ClientMessage::Configure { keyterms: Some(keyterms), features: Some(features) }
        };
        for (text, expected) in [
            (r#"{"type":"KeepAlive"}"#, ClientMessage::KeepAlive {}),
            (r#" {"type": "CloseStream"} "#, ClientMessage::CloseStream {}),
            (r#"{"type":"Finalize"}"#, ClientMessage::Finalize { channel: None }),
            (r#"{"channel":1,"type":"Finalize"}"#, ClientMessage::Finalize { channel: Some(1) }),
            (r#"{"type":"Configure"}"#, ClientMessage::Configure { keyterms: None, features: None }),
            (
                r#"{"type":"Configure","keyterms":null,"features":null}"#,
                ClientMessage::Configure { keyterms: None, features: None },
            ),
            (
                r#"{"type":"Configure","keyterms":["a b"],"features":{"numerals":true}}"#,
                configure(&["a b"], &[("numerals", true)]),
            ),
        ] {
            assert_eq!(ClientMessage::read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "hello",
            "null",
            "[]",
            "{}",
            r#"{"type":"keepalive"}"#,
            r#"{"type":"Settings"}"#,
            r#"{"type":"KeepAlive","id":1}"#,
            r#"{"type":"CloseStream"} {"#,
            r#"{"type":"Finalize","channel":-1}"#,
            r#"{"type":"Finalize","channel":"0"}"#,
            r#"{"type":"Finalize","channels":0}"#,
            r#"{"type":"Configure","keyterms":"a"}"#,
            r#"{"type":"Configure","keyterms":[1]}"#,
            r#"{"type":"Configure","features":{"numerals":"true"}}"#,
            r#"{"type":"ForceEndTurn"}"#,
        ] {
            assert!(!ClientMessage::read(text).expect_err(text).is_empty());
        }
    }
}
