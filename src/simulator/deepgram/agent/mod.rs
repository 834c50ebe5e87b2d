//! The Voice Agent: one session of it, driven by time ("Voice Agent protocol").
//!
//! It must not know sockets, keys or transcription.
//!
//! ```text
//! session ─┬─ messages (settings, providers): is this a client message?
//!          ├─ configuration: what is in force
//!          ├─ requests: what each client message does
//!          ├─ listening: ear → turns of the user
//!          ├─ answering: reply → speech (voice), calls
//!          └─ wire: what leaves, and when
//! ```

mod answering;
mod calls;
mod configuration;
mod ear;
mod listening;
mod messages;
mod providers;
mod requests;
mod session;
mod settings;
mod speech;

#[cfg(test)]
mod tests;

pub(super) use session::Session;
