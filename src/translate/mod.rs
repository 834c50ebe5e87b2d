//! Stateless translation between the two protocols: the only place that names both. What is said when is
//! the gate's business; here is what the bytes say.
//!
//! | File | From | To |
//! |---|---|---|
//! | `settings.rs` | `Settings` | the first `session.update`, and how audio is converted |
//! | `updates.rs` | `UpdatePrompt` and the like | what changes in the session |
//! | `think.rs`, `listen.rs`, `speak.rs`, `context.rs`, `formats.rs`, `turns.rs` | members of both | members of the session |
//! | `functions.rs` | functions of the configuration and of the client | tools of the session, endpoints that may be called |
//! | `providers.rs` | provider objects | nothing: it says which of their values are refused |
//! | `to_upstream.rs` | the client's other messages | events |
//! | `to_client.rs` | upstream's events | messages |
//! | `beta.rs` | events of the present API | events of the beta, for upstreams that speak that |
//! | `deepgram/` | messages that are passed through | the same with the few changes that are made to them |
//! | `audio.rs`, `resample.rs`, `g711.rs` | audio | the same in another format |

pub mod audio;
pub mod beta;
mod context;
pub mod deepgram;
mod formats;
pub mod functions;
pub mod g711;
mod listen;
mod providers;
pub mod resample;
pub mod settings;
mod speak;
#[cfg(test)]
mod tests;
mod think;
pub mod to_client;
pub mod to_upstream;
mod turns;
pub mod updates;
