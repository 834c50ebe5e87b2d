//! What has to be in the body of `POST /v1/auth/grant`.
//! Knows nothing of who asks or of what the one who asks may have.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Deserializer};

use crate::identity::Wish;

/// The longest subject, bytes.
const MAX_SUBJECT: usize = 128;
/// A week, seconds, as elsewhere.
const MAX_SESSION: u64 = 7 * 24 * 3600;

/// The members, of which each may be missing but none null: whoever writes one wants it to count.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawWish {
    #[serde(deserialize_with = "given")]
    ttl_s: Option<u64>,
    /// Deepgram's word for it.
    #[serde(deserialize_with = "given")]
    ttl_seconds: Option<u64>,
    #[serde(deserialize_with = "given")]
    subject: Option<String>,
    #[serde(deserialize_with = "given")]
    backends: Option<BTreeSet<String>>,
    #[serde(deserialize_with = "given")]
    functions: Option<BTreeSet<String>>,
    #[serde(deserialize_with = "given")]
    max_session_s: Option<u64>,
    #[serde(deserialize_with = "given")]
    single_use: Option<bool>,
}

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What is wrong with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadWish {
    /// It is no JSON object.
    NoObject,
    /// A member is, in these words.
    Member(&'static str),
}

/// Judges a body. Nothing at all asks for a token like one's own.
pub(super) fn parse(body: &[u8]) -> Result<Wish, BadWish> {
    if body.trim_ascii().is_empty() {
        return Ok(Wish::default());
    }
    // An array could stand for the members in their order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(BadWish::NoObject);
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let raw: RawWish = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        match MEMBERS.iter().find(|(name, _)| path.split(['.', '[']).next() == Some(name)) {
            Some((_, reason)) if error.inner().is_data() => BadWish::Member(reason),
            None if error.inner().is_data() => BadWish::Member(UNKNOWN),
            _ => BadWish::NoObject,
        }
    })?;
    json.end().map_err(|_| BadWish::NoObject)?;
    let ttl = match (raw.ttl_s, raw.ttl_seconds) {
        (Some(_), Some(_)) => {
            return Err(BadWish::Member("ttl_s and ttl_seconds are the same, one is enough"));
        }
        (one, other) => one.or(other),
    };
    let is_subject =
        |text: &String| (1..=MAX_SUBJECT).contains(&text.len()) && !text.contains(char::is_control);
    if !raw.subject.iter().all(is_subject) {
        return Err(BadWish::Member(SUBJECT));
    }
    if raw.max_session_s.is_some_and(|seconds| !(1..=MAX_SESSION).contains(&seconds)) {
        return Err(BadWish::Member(SESSION));
    }
    Ok(Wish {
        ttl: ttl.map(Duration::from_secs),
        subject: raw.subject,
        backends: raw.backends,
        functions: raw.functions,
        max_session: raw.max_session_s.map(Duration::from_secs),
        single_use: raw.single_use.unwrap_or(false),
    })
}

const TTL: &str = "ttl_s must be an integer of seconds";
const SUBJECT: &str = "subject must be a string of 1 to 128 bytes without control characters";
const SESSION: &str = "max_session_s must be an integer, 1 to 604800";
const UNKNOWN: &str = "a member is unknown or stands there twice";
const MEMBERS: [(&str, &str); 7] = [
    ("ttl_s", TTL),
    ("ttl_seconds", TTL),
    ("subject", SUBJECT),
    ("backends", "backends must be a list of strings"),
    ("functions", "functions must be a list of strings"),
    ("max_session_s", SESSION),
    ("single_use", "single_use must be true or false"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_may_be_missing() {
        for body in ["", " \n", "{}", " {} "] {
            assert_eq!(parse(body.as_bytes()), Ok(Wish::default()), "{body}");
        }
        let body = r#"{"ttl_s":30,"subject":"visitor 7","backends":["a"],"functions":[],"max_session_s":600,"single_use":true}"#;
        let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
        let expected = Wish {
            ttl: Some(Duration::from_secs(30)),
            subject: Some("visitor 7".to_owned()),
            backends: names(&["a"]),
            functions: names(&[]),
            max_session: Some(Duration::from_secs(600)),
            single_use: true,
        };
        assert_eq!(parse(body.as_bytes()), Ok(expected));
        let deepgrams = parse(br#"{"ttl_seconds":30}"#).expect("it is an object");
        assert_eq!(deepgrams.ttl, Some(Duration::from_secs(30)));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_name() {
        let long = format!("{{\"subject\":\"{}\"}}", "x".repeat(129));
        for (body, reason) in [
            (r#"{"ttl_s":"30"}"#, TTL),
            (r#"{"ttl_s":null}"#, TTL),
            (r#"{"ttl_s":-1}"#, TTL),
            (r#"{"ttl_seconds":1.5}"#, TTL),
            (r#"{"ttl_s":1,"ttl_seconds":1}"#, "ttl_s and ttl_seconds are the same, one is enough"),
            (r#"{"subject":7}"#, SUBJECT),
            (r#"{"subject":""}"#, SUBJECT),
            (r#"{"subject":"a\nb"}"#, SUBJECT),
            (&long, SUBJECT),
            (r#"{"backends":null}"#, "backends must be a list of strings"),
            (r#"{"backends":"a"}"#, "backends must be a list of strings"),
            (r#"{"functions":[1]}"#, "functions must be a list of strings"),
            (r#"{"max_session_s":0}"#, SESSION),
            (r#"{"max_session_s":604801}"#, SESSION),
            (r#"{"single_use":"yes"}"#, "single_use must be true or false"),
            (r#"{"functons":[]}"#, UNKNOWN),
            (r#"{"subject":"a","subject":"b"}"#, UNKNOWN),
        ] {
            assert_eq!(parse(body.as_bytes()), Err(BadWish::Member(reason)), "{body}");
        }
        for body in
            ["[]", "7", "{", "{}{}", "{\"ttl_s\":1", "null", "\u{feff}{}", "{\"subject\":\"\\ud800\"}"]
        {
            assert_eq!(parse(body.as_bytes()), Err(BadWish::NoObject), "{body}");
        }
    }
}
