//! What both message sets share: the `type` tag, the error of a failed decode, and the macros that turn
//! one table of names into an enum with its decoder and encoder.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_ignored::Path;

use super::has_too_many_places;

/// Why a peer's text frame is not one of its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// The text is not JSON at all.
    NotJson {
        /// The parser's reason with line and column.
        reason: String,
    },
    /// JSON, but not an object with a text member `type`.
    NoType,
    /// More members and elements than a message may have, which would take far more memory than the text.
    TooManyPlaces,
    /// A known type with a member of the wrong type, or without a member that it cannot do without.
    Invalid {
        /// The message's `type`.
        kind: String,
        /// Dotted path of the member, `agent.think.functions[0].name`; `.` is the message itself. Cut if
        /// it is very long, as is the reason.
        path: String,
        /// What was found and what was expected.
        reason: String,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { reason } => write!(f, "not json: {reason}"),
            Self::NoType => f.write_str("not an object with a text member \"type\""),
            Self::TooManyPlaces => f.write_str("too many members and elements"),
            Self::Invalid { kind, path, reason } => write!(f, "{kind}: {path}: {reason}"),
        }
    }
}

impl std::error::Error for DecodeError {}

impl DecodeError {
    /// The same without the value that stands in that place, which may be what somebody said: for the log.
    pub(crate) fn without_value(&self) -> String {
        let Self::Invalid { kind, path, reason } = self else { return self.to_string() };
        // serde writes `invalid type: string "…", expected u32`, and where it quotes nothing no colon.
        let Some((what, value)) = reason.split_once(": ") else { return self.to_string() };
        let expected = value.rsplit_once(", expected ").map(|(_, expected)| format!(", expected {expected}"));
        format!("{kind}: {path}: {what}{}", expected.unwrap_or_default())
    }
}

/// A message whose `type` this version does not know, kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Its `type`.
    pub kind: String,
    /// The whole text frame.
    pub json: String,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// The `type` of a text frame.
pub(crate) fn kind_of(text: &str) -> Result<Cow<'_, str>, DecodeError> {
    if has_too_many_places(text) {
        return Err(DecodeError::TooManyPlaces);
    }
    match serde_json::from_str::<Tag<'_>>(text) {
        // serde takes an array for a struct too.
        Ok(tag) if text.trim_start().starts_with('{') => Ok(tag.kind),
        // The tag's own error may come before the end of the text, so ask whether all of it is JSON.
        _ => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Err(DecodeError::NoType),
            Err(error) => Err(DecodeError::NotJson { reason: error.to_string() }),
        },
    }
}

/// The members of a message of type `kind`; members that nobody knows are told to `ignored` by path.
pub(crate) fn decode_body<T: DeserializeOwned>(
    kind: &str,
    text: &str,
    mut ignored: impl FnMut(String),
) -> Result<T, DecodeError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let body = serde_ignored::deserialize(tracked, |path| {
        let path = shorten(dotted(&path));
        if path != "type" {
            ignored(path);
        }
    });
    body.map_err(|error| DecodeError::Invalid {
        kind: kind.to_owned(),
        path: shorten(track.path().to_string()),
        reason: shorten(strip_position(&error.to_string())),
    })
}

/// A member's place as [`DecodeError::Invalid`] writes it.
fn dotted(path: &Path<'_>) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", dotted(parent)),
        Path::Map { parent, key } => match dotted(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            dotted(parent)
        }
    }
}

/// What a peer named, fit for a log line or an error: it may have sent a megabyte where a number belongs, or
/// a line of log within a key.
pub(crate) fn shorten(mut text: String) -> String {
    const LONGEST: usize = 200;
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    one_line(text)
}

/// The text with a mark for each control character: no line breaks, no terminal sequences.
pub(crate) fn one_line(text: String) -> String {
    if text.contains(char::is_control) { text.replace(char::is_control, "\u{fffd}") } else { text }
}

/// A peer's text as the value of a field of a log line: short, and in quotes unless it is one word, so that it
/// looks like no further field.
pub(crate) fn log_field(text: &str) -> String {
    let short = shorten(text.to_owned());
    let is_word = !short.is_empty() && short.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
    if is_word { short } else { format!("{short:?}") }
}

/// What is read from the members of a JSON object.
pub(crate) trait FromMembers<'de>: Sized {
    fn from_members<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error>;
}

/// Reads a JSON object and nothing else: by itself serde takes an array for a struct too, member by member
/// in the order of declaration.
pub(crate) fn object<'de, T: FromMembers<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct ObjectVisitor<T>(PhantomData<T>);
    impl<'de, T: FromMembers<'de>> Visitor<'de> for ObjectVisitor<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::from_members(members)
        }
    }
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

/// serde_json ends its errors in ` at line 1 column 80`, which means nothing to whoever made the JSON
/// with a library; the path says it better.
fn strip_position(reason: &str) -> String {
    reason.split(" at line ").next().unwrap_or(reason).to_owned()
}

/// A message body under its `type`, which comes first on the wire.
#[derive(Serialize)]
pub(crate) struct Tagged<'a, T> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    #[serde(flatten)]
    pub(crate) body: &'a T,
}

/// Serializes what is made of text, numbers and maps with text keys.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("wire types have text keys only and no failing serializer")
}

/// The same behind what `out` holds.
pub(crate) fn write_json<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("wire types have text keys only and no failing serializer");
}

/// Structs of the wire. Every member is optional: peers leave out ids and whole objects, and a decoder
/// asks for `type` alone. Members bear the vendor's names and are described in the sheets.
macro_rules! wire {
    ($($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$meta])*
        #[serde_with::skip_serializing_none]
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(remote = "Self")]
        #[allow(missing_docs, reason = "the vendor's names, described in the vendor's reference")]
        pub struct $name { $($(#[$fmeta])* pub $field: Option<$type>,)* }

        impl<'de> $crate::protocol::wire::FromMembers<'de> for $name {
            fn from_members<A: serde::de::MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
                // The derived function, which `remote` has put beside the trait.
                Self::deserialize(serde::de::value::MapAccessDeserializer::new(members))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::protocol::wire::object(deserializer)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }
    )+};
}

/// One table of `"wire name" | "older name" => Variant(Body)` as an enum with `kind`, `decode` and
/// `encode`. What is not in the table decodes as `Unknown`.
macro_rules! messages {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$vmeta:meta])* $tag:literal $(| $alias:literal)* => $variant:ident($body:ty),)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $name {
            $($(#[$vmeta])* #[doc = concat!("`", $tag, "`.")] $variant($body),)+
            /// A type that is not in this table.
            Unknown(Box<$crate::protocol::Unknown>),
        }

        impl $name {
            /// Every `type` in the table, under its present name.
            pub const KINDS: &'static [&'static str] = &[$($tag),+];

            /// The `type` on the wire; an older name reads as the present one.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $tag,)+
                    Self::Unknown(unknown) => &unknown.kind,
                }
            }

            /// The message as one text frame.
            pub fn encode(&self) -> String {
                match self {
                    $(Self::$variant(body) => {
                        $crate::protocol::wire::to_json(&$crate::protocol::wire::Tagged { kind: $tag, body })
                    })+
                    Self::Unknown(unknown) => unknown.json.clone(),
                }
            }

            /// Writes the same behind what `out` holds.
            pub fn encode_into(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant(body) => $crate::protocol::wire::write_json(
                        &$crate::protocol::wire::Tagged { kind: $tag, body },
                        out,
                    ),)+
                    Self::Unknown(unknown) => out.extend_from_slice(unknown.json.as_bytes()),
                }
            }

            fn decode_kind(
                kind: &str,
                text: &str,
                ignored: impl FnMut(String),
            ) -> Result<Self, $crate::protocol::DecodeError> {
                Ok(match kind {
                    $($tag $(| $alias)* => {
                        Self::$variant($crate::protocol::wire::decode_body(kind, text, ignored)?)
                    })+
                    _ => Self::Unknown(Box::new($crate::protocol::Unknown {
                        kind: kind.to_owned(),
                        json: text.to_owned(),
                    })),
                })
            }
        }
    };
}

pub(crate) use {messages, wire};
