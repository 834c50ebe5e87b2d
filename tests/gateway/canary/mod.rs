//! Secrets and words that stand nowhere else. Whatever happens to a connection, no line of the log at trace level (of
//! any crate), no output of a command, no HTTP response, no close reason and no byte to a client has one of the
//! secrets; the words of a conversation go to its client, and into the log only with `log_content`.
//!
//! `search` says what is looked for and how; the others provoke everything that could tell.

use serde_json::Value;

mod commands;
mod endings;
mod functions;
mod passed_through;
mod search;
mod tokens;
mod translated;

/// The formats that the log may have, as the environment says it.
const FORMATS: [(&str, &str); 2] =
    [("VOXBRIDGE__LOGGING__FORMAT", "text"), ("VOXBRIDGE__LOGGING__FORMAT", "json")];

/// Every line of the log is in this format, those of other crates as well.
#[track_caller]
fn assert_format((_, format): (&str, &str), log: &str) {
    assert!(log.lines().count() > 5, "nothing was logged");
    for line in log.lines() {
        if format == "text" {
            assert!(line.starts_with('[') && line.contains("] "), "{line}");
            continue;
        }
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        for member in ["time", "level", "target"] {
            assert!(object[member].is_string(), "{line} has no {member}");
        }
    }
}
