//! Translation from outside: JSON of one protocol in, JSON of the other out.

mod beta;
mod settings;
mod to_client;
mod to_upstream;
mod updates;

use serde_json::Value;

use crate::protocol::realtime::ServerEvent;

/// An undamaged event of upstream.
#[track_caller]
fn event(json: &Value) -> ServerEvent {
    let decoded = ServerEvent::decode(&json.to_string()).expect("an event");
    assert_eq!(decoded.damage, None, "{json}");
    decoded.event
}
