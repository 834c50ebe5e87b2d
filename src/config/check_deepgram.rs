//! What only a passed-through backend of Deepgram has: where it transcribes, and with which parameters unless the
//! client says otherwise. Knows nothing of what it shares with other kinds, nor which parameters Deepgram has.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check_backend::url;
use super::check_request::is_header_name;
use super::error::ConfigError;
use super::raw::RawBackend;
use super::reader::Reader;
use super::{AuthHeader, Backend, BackendKind, BackendUrl, Deepgram, ListenVersion};

/// Every key that is of this kind alone, and whether it is there.
pub(super) fn given(raw: &RawBackend) -> [(&'static str, bool); 3] {
    [
        ("transcription_url", raw.transcription_url.is_some()),
        ("query_defaults", raw.query_defaults.is_some()),
        ("repair_component_messages", raw.repair_component_messages.is_some()),
    ]
}

/// Adds to a backend what is of this kind.
pub(super) fn complete(
    default: Backend,
    raw: &RawBackend,
    reader: &Reader<'_>,
) -> Result<Backend, ConfigError> {
    let auth_header = reader.word(&raw.auth_header, "auth_header", &AUTH_HEADERS, default.auth_header)?;
    let key = default.api_key.as_ref();
    // The list of subprotocols is one of HTTP's tokens, which need no quotes.
    if auth_header == AuthHeader::Subprotocol && key.is_some_and(|key| !is_header_name(key.expose())) {
        return Err(reader.error("auth_header", "the key holds a character that no subprotocol can carry"));
    }
    let transcription_url = transcription_url(raw, &default, reader)?;
    let query_defaults = match &raw.query_defaults {
        Some(raw) => query_defaults(raw, &reader.inside("query_defaults"))?,
        None => Vec::new(),
    };
    if transcription_url.is_none() && !query_defaults.is_empty() {
        return Err(reader.error("query_defaults", "needs transcription_url: they are for transcription"));
    }
    let repair_component_messages = reader.flag(
        &raw.repair_component_messages,
        "repair_component_messages",
        Deepgram::default().repair_component_messages,
    )?;
    Ok(Backend {
        kind: BackendKind::DeepgramAgent(Deepgram {
            transcription_url,
            query_defaults,
            repair_component_messages,
        }),
        auth_header,
        ..default
    })
}

fn transcription_url(
    raw: &RawBackend,
    default: &Backend,
    reader: &Reader<'_>,
) -> Result<Option<BackendUrl>, ConfigError> {
    const KEY: &str = "transcription_url";
    match reader.given_text(&raw.transcription_url, KEY)? {
        None => Ok(default.deepgram().and_then(|deepgram| deepgram.transcription_url.clone())),
        Some(text) if text.is_empty() => Ok(None),
        Some(_) => {
            let url = url(&raw.transcription_url, KEY, reader)?;
            let [v1, v2] = [ListenVersion::V1, ListenVersion::V2].map(ListenVersion::ending);
            match ListenVersion::of_path(url.path()) {
                Some(_) => Ok(Some(url)),
                None => Err(reader.error(KEY, format!("must have a path that ends in \"{v1}\" or \"{v2}\""))),
            }
        }
    }
}

/// The parameters, sorted by name, each value on its own. Empty text takes one away, as everywhere.
fn query_defaults(
    raw: &BTreeMap<String, Value>,
    reader: &Reader<'_>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut parameters = Vec::new();
    for (name, value) in raw {
        if name.trim().is_empty() {
            return Err(reader.error(name, "a parameter has no name"));
        }
        if OWN_PARAMETERS.contains(&name.as_str()) {
            return Err(reader.error(name, "is a parameter of voxbridge itself, which does not go upstream"));
        }
        let values = reader.values(value, name)?;
        parameters.extend(values.into_iter().map(|value| (name.clone(), value)));
    }
    Ok(parameters)
}

pub(super) const AUTH_HEADERS: [(&str, AuthHeader); 3] =
    [("token", AuthHeader::Token), ("bearer", AuthHeader::Bearer), ("subprotocol", AuthHeader::Subprotocol)];
/// What a client's query says to the gateway.
const OWN_PARAMETERS: [&str; 3] = ["service", "token", "traceId"];
