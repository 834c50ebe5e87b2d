//! What has to be in the body of `POST /function-call`.
//! Knows nothing of how it is read, of who sends it or of what becomes of the call.

use serde::{Deserialize, de::IgnoredAny};

use super::{call_refusal::Refusal, upgrade::is_loggable};
use crate::protocol::ids::CallId;

/// A call as a page hands it on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CallBody {
    /// The model's name for the call.
    pub(super) id: CallId,
    /// The function.
    pub(super) name: String,
    /// JSON text.
    pub(super) arguments: String,
}

/// The same, with members that may be missing.
#[derive(Deserialize)]
struct RawBody {
    id: Option<CallId>,
    name: Option<String>,
    arguments: Option<String>,
}

/// Judges a body.
pub(super) fn parse(body: &[u8]) -> Result<CallBody, Refusal> {
    // An array could stand for the members in their order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::NoObject);
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let raw: RawBody = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        match error.path().to_string().as_str() {
            "id" if error.inner().is_data() => Refusal::Id,
            "name" if error.inner().is_data() => Refusal::Name,
            "arguments" if error.inner().is_data() => Refusal::Arguments,
            _ => Refusal::NoObject,
        }
    })?;
    json.end().map_err(|_| Refusal::NoObject)?;
    let is_json_text = |text: &String| serde_json::from_str::<IgnoredAny>(text).is_ok();
    Ok(CallBody {
        id: raw.id.filter(|id| !id.as_str().is_empty()).ok_or(Refusal::Id)?,
        name: raw.name.filter(|name| is_loggable(name)).ok_or(Refusal::Name)?,
        arguments: raw.arguments.filter(is_json_text).ok_or(Refusal::Arguments)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &str) -> Result<CallBody, Refusal> {
        parse(body.as_bytes())
    }

    #[test]
    fn a_call_is_an_object_with_three_strings() {
        let call = CallBody { id: "c1".into(), name: "f".to_owned(), arguments: "{\"a\":1}".to_owned() };
        for body in [
            r#"{"id":"c1","name":"f","arguments":"{\"a\":1}"}"#,
            r#" {"name":"f","more":[{"id":7}],"arguments":"{\"a\":1}","id":"c1"} "#,
        ] {
            assert_eq!(parsed(body).as_ref(), Ok(&call), "{body}");
        }
    }

    #[test]
    fn what_is_no_object_is_no_call() {
        for body in [
            "",
            " ",
            "null",
            "\"text\"",
            "[\"c1\",\"f\",\"{}\"]",
            "{",
            "{}{}",
            r#"{"id":"c1","name":"f","arguments":"{}"} more"#,
            r#"{"id":"c1","name":"f","arguments":"{}"#,
            r#"{"id":"c1","id":"c2","name":"f","arguments":"{}"}"#,
            r#"{"id":"\ud800","name":"f","arguments":"{}"}"#,
            "\u{feff}{}",
        ] {
            assert_eq!(parsed(body), Err(Refusal::NoObject), "{body}");
        }
        assert_eq!(parse(b"{\"id\":\"\xff\"}"), Err(Refusal::NoObject));
    }

    #[test]
    fn the_member_that_is_wrong_is_told() {
        let with = |id: &str, name: &str, arguments: &str| {
            parsed(&format!("{{\"id\":{id},\"name\":{name},\"arguments\":{arguments}}}"))
        };
        let long = |length| format!("{:?}", "x".repeat(length));
        for id in ["1", "null", "\"\"", "{\"deep\":[]}", &long(257)] {
            assert_eq!(with(id, "\"f\"", "\"{}\""), Err(Refusal::Id), "{id}");
        }
        for name in ["1", "null", "\"\"", "[]", "\"a\\nb\"", "\"a b\"", "\"\u{e4}\"", &long(129)] {
            assert_eq!(with("\"c\"", name, "\"{}\""), Err(Refusal::Name), "{name}");
        }
        for arguments in ["{}", "null", "\"\"", "\"{\"", "\"{} x\"", "true"] {
            assert_eq!(with("\"c\"", "\"f\"", arguments), Err(Refusal::Arguments), "{arguments}");
        }
        assert!(with(&long(256), &long(128), "\"null\"").is_ok());
        assert_eq!(parsed("{}"), Err(Refusal::Id));
        assert_eq!(parsed(r#"{"id":"c"}"#), Err(Refusal::Name));
        assert_eq!(parsed(r#"{"id":"c","name":"f"}"#), Err(Refusal::Arguments));
    }
}
