//! Black-box tests of the gateway: its own process between a scripted upstream, a scripted client and, where functions
//! run, a scripted application.
//!
//! `peers` are these neighbours and the process; `rows_*` are the compatibility cases under their
//! numbers; the others go where those do not look.

mod admin_port;
mod admission;
mod audio;
mod azure;
mod canary;
mod client_input;
mod console;
mod dialling;
mod drain;
mod endings;
mod example_functions;
mod faults;
mod function_call;
mod functions;
#[path = "../grammar/mod.rs"]
mod grammar;
mod handshake;
mod hostile;
mod identity;
mod interruptions;
mod latency;
mod limits;
mod memory;
mod message_sizes;
mod metrics;
mod passthrough;
mod peers;
mod process;
mod recordings;
mod reload;
mod rows_completion;
mod rows_connection;
mod rows_context;
mod rows_functions;
mod rows_microphone;
mod rows_order;
mod rows_races;
mod rows_transcripts;
mod self_test;
mod slow_clients;
mod slow_upstreams;
mod soak;
mod startup;
mod tls;
mod tls_listener;
#[path = "../grammar/transcript.rs"]
mod transcript;
mod upstream_input;
mod usage;
