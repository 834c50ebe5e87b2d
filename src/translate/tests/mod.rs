//! Translation from outside: JSON of one protocol in, JSON of the other out.

mod beta;
mod deepgram;
mod deepgram_properties;
mod functions;
mod settings;
mod to_client;
mod to_upstream;
mod updates;

use std::{fs, path::Path};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::protocol::realtime::ServerEvent;

/// Reads every case of a folder of fixtures and has it checked; at least so many are there.
fn each_case<Case: DeserializeOwned>(folder: &str, least: usize, check: impl Fn(&Case, &Path)) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/translate/fixtures").join(folder);
    let mut checked = 0;
    for file in fs::read_dir(&directory).expect("the fixtures are there") {
        let path = file.expect("a directory entry").path();
        let text = fs::read_to_string(&path).expect("a fixture is text");
        let cases: Vec<Case> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        cases.iter().for_each(|case| check(case, &path));
        checked += cases.len();
    }
    assert!(checked > least, "{checked} cases in {directory:?}");
}

/// An undamaged event of upstream.
#[track_caller]
fn event(json: &Value) -> ServerEvent {
    let decoded = ServerEvent::decode(&json.to_string()).expect("an event");
    assert_eq!(decoded.damage, None, "{json}");
    decoded.event
}
