//! voxbridge: a real-time voice-agent gateway.
//!
//! Clients (browser, phone, SDK) speak one WebSocket protocol to it, Deepgram's Voice Agent protocol;
//! behind it, each configured backend speaks OpenAI's Realtime API, which is translated, or is Deepgram, which is
//! passed through. Keys stay here, functions run here, and the order of events is kept by rules that have numbers.
//!
//! ```text
//!              one connection: three actors on one worker thread
//!  client  ┌───────────────┐   ┌──────────────┐   ┌─────────────────┐  vendor
//!  ◄──────►│ ClientSession │◄─►│ OrderingGate │◄─►│ UpstreamSession │◄──────►
//!   agent  └───────────────┘   │  ├─ Gate, or │   └─────────────────┘ realtime
//!   messages                   │  └─ Relay    │                       events, or
//!   (or frames)                └──────┬───────┘                       frames
//!                              ┌──────▼───────┐
//!                              │ ExecutorPool │ functions, on threads of their own
//!                              └──────────────┘
//! ```
//!
//! # Where things are
//!
//! | Module | What it is |
//! |---|---|
//! | [`protocol`] | Wire types of both legs; JSON, base64 and old names end here. `agent` and `realtime` do not see each other |
//! | [`translate`] | Stateless functions between the two, and audio conversion; the only place that names both protocols |
//! | [`gate`] | Decides what may be sent when: pure state machines with one file per topic. [`gate::Gate`] translates, with a [`gate::Rule`] per rule (start at `gate/rule.rs`); [`gate::Relay`] passes through (`gate/relay/`) |
//! | `describe` | Looks on at a gate: inputs and effects in the words of the log |
//! | [`tally`] | The same: what a connection has come to, in numbers |
//! | [`recording`] | The same: a connection as a file, and the gate once more, given what is in it |
//! | [`metrics`] | What the process counts, for Prometheus |
//! | [`usage_log`] | The file of usage, for bills |
//! | [`actors`] | The shells: sockets, clock, what looks on. [`actors::spawn_connection`] is the wiring |
//! | [`identity`] | Whose a token is and what it is good for; tokens that are granted |
//! | [`functions`] | Runs function calls on threads of its own: HTTP calls to applications, and built-in functions |
//! | [`websocket`] | Dialling, fragments, frame headers, frames to upstream: what the codecs leave to their users |
//! | [`dns`] | Host names: what the operating system says of them, shared for a moment |
//! | [`tls`] | Whom outgoing connections trust, and the certificate of the listener |
//! | [`server`] | The listener: paths, admission, health, the end of the program |
//! | [`config`] | TOML and environment into checked values |
//! | [`logging`] | The log: lines as text or JSON, with the same fields |
//! | [`simulator`] | Strict servers that speak, OpenAI's and Deepgram's, for the default configuration and the tests |
//! | [`talk`] | The command-line client |
//! | [`cli`] | The commands |
//!
//! Arrows point one way: `protocol ← translate ← gate ← actors ← server ← cli`, and `functions` stands beside the
//! gate: `protocol, translate, config ← functions ← actors, server`; so does what looks on: `gate ← describe, recording` and
//! `gate ← tally ← metrics, usage_log`, all `← actors, server`. `config`, `websocket`, `dns`, `tls` and `identity` are
//! beside them: configured values are handed down, and nothing below `server` knows what a TOML file is. The simulator
//! and `talk` share nothing with the gateway but the wire: the one has a strict schema of its own, the other knows the client's messages, and asks the built-in function for the time.
//!
//! # What always holds
//!
//! - Nothing goes upstream before its socket is open, and no audio or item before its session is.
//! - At most one response is asked for at a time, and no wish for one is lost.
//! - Each function call is handed out once and answered upstream at most once.
//! - A response that gave the client anything is followed by its end signals, once, before the next one.
//! - After `UserStartedSpeaking` nothing of the interrupted answer is sent.
//! - A connection ends once, with one reason, and each side is told once.
//! - Whatever a connection holds counts against a budget in bytes.
//!
//! # What is deliberately absent
//!
//! No task waits for another: a slow peer is met by not reading the other one. No clock below the
//! shells: time is an argument, so every ordering can be tested as data. No JSON tree for audio, and no look into
//! a frame that is passed through, unless something may have to be done about it.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test harness has a clock"))]

pub mod actors;
pub mod cli;
pub mod config;
mod console;
mod describe;
pub mod dns;
pub mod functions;
pub mod gate;
pub mod identity;
pub mod logging;
pub mod metrics;
pub mod protocol;
pub mod recording;
pub mod server;
pub mod simulator;
pub mod talk;
pub mod tally;
pub mod tls;
pub mod translate;
pub mod usage_log;
pub mod websocket;
