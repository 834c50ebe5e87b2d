//! Identifiers that both vendors hand out as text, each a type of its own so that a call id can never
//! be looked up among items. Cloning one is a reference count.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// The longest id that a peer may give a thing, bytes. Ids are kept beyond their messages, and real ones have
/// some 30 characters.
const LONGEST: usize = 256;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// What a peer calls something; none if that is longer than an id may be.
            pub(crate) fn from_peer(text: &str) -> Option<Self> {
                (text.len() <= LONGEST).then(|| Self::from(text))
            }

            /// The identifier as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let too_long = || D::Error::custom(format_args!("an id of more than {LONGEST} bytes"));
                Self::from_peer(&text).ok_or_else(too_long)
            }
        }
    };
}

id! {
    /// An OpenAI response, `resp_…`.
    ResponseId
}
id! {
    /// A conversation item, `item_…`, or one of ours (at most 32 characters, Realtime sheet section 3).
    ItemId
}
id! {
    /// A function call, the same text on both legs (`call_id` upstream, `id` at the client).
    CallId
}
id! {
    /// A client event that we sent upstream; it comes back only as `error.event_id`.
    EventId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_a_length() {
        let read = |length| serde_json::from_str::<CallId>(&format!("{:?}", "x".repeat(length)));
        assert_eq!(read(LONGEST).expect("it is short enough").as_str().len(), LONGEST);
        let refused = read(LONGEST + 1).expect_err("it is too long").to_string();
        assert!(refused.starts_with("an id of more than 256 bytes"), "{refused}");
    }
}
