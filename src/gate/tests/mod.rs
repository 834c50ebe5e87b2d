//! The gate's rules as tests: by number, as every order of two scripts, and as random input.

mod beta;
#[path = "../../../tests/grammar/mod.rs"]
mod grammar;
mod odd_servers;
mod oracle;
pub(super) mod render;
mod scenario;
mod simulated;
mod transcript;
mod words;

mod drain;
mod events;
mod interleavings;
mod liveness;
mod memory;
mod properties;
mod races;
mod races_barge_in;
mod races_calls;
mod races_errors;
mod rules_agent_message;
mod rules_barge_in;
mod rules_bounds;
mod rules_calls;
mod rules_endings;
mod rules_errors;
mod rules_functions;
mod rules_history;
mod rules_microphone;
mod rules_opening;
mod rules_output;
mod rules_refused_calls;
mod rules_speech;
mod rules_turns;
mod rules_unannounced;
mod rules_unread;
mod rules_updates;
