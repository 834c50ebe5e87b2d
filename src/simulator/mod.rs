//! A simulator of the OpenAI Realtime API, mounted at `/sim/openai`: as strict as the real service, with a voice
//! that can be heard, and trouble on request. It is the backend of the default configuration and of the tests.
//!
//! It shares no types with the gateway on purpose: what both got wrong would pass unseen. It must not know the
//! Voice Agent protocol, the gateway, or where it is mounted beside its own path.
//!
//! ```text
//! socket ── session ─┬─ validate (item_shape, schema): is this a client event?
//!                    ├─ configuration: the session object
//!                    ├─ listening: input (vad, codec) → items, transcripts
//!                    ├─ answering: reply → script (voice) → response → events
//!                    ├─ conversation: the items
//!                    └─ wire: what leaves, and when
//! ```
//!
//! What it does not do: recognise speech (every spoken input says [`Options::transcript`]), run mcp tools, or
//! keep anything after the connection.

mod answering;
mod codec;
mod configuration;
mod conversation;
mod input;
mod item_shape;
mod listening;
mod options;
mod reply;
mod response;
mod schema;
mod script;
mod session;
mod socket;
mod vad;
mod validate;
mod voice;
mod wire;

#[cfg(test)]
mod tests;

use actix_web::web;

pub use options::Options;

/// Mounts the simulator: `GET /sim/openai` upgrades to a session of the Realtime API.
///
/// The query string takes `model`, `intent` and every name of [`Options`], which overrides `options` for that
/// connection; anything else, or a bad value, is answered with 400 and a JSON reason.
pub fn configure(options: Options) -> impl FnOnce(&mut web::ServiceConfig) {
    move |service| {
        service.app_data(web::Data::new(options)).route("/sim/openai", web::get().to(socket::connect));
    }
}
