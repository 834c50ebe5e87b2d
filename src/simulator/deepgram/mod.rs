//! A simulator of Deepgram's WebSocket services, mounted under `/sim/deepgram`: the Voice Agent and transcription, as
//! strict as the real ones, with a voice that can be heard, and trouble on request.
//!
//! It shares no types with the gateway on purpose: what both got wrong would pass unseen. It must not know the
//! gateway, OpenAI's API, or where it is mounted beside its own paths.
//!
//! ```text
//! door: who gets in, and with which parameters
//! connection: the upgrade ─┬─ agent: the Voice Agent
//!                          └─ listen: transcription
//! schema: shapes of JSON; wire: what leaves, and when
//! ```
//!
//! What it does not do: recognise speech (every spoken input says [`Options::transcript`]), think or call functions
//! over the network, or keep anything after the connection.

mod agent;
mod connection;
mod door;
mod listen;
mod options;
mod schema;
mod wire;

#[cfg(test)]
mod tests;

use actix_web::{HttpRequest, web};

use door::Door;
pub use options::Options;

/// Mounts the simulator: `GET` upgrades to a session.
///
/// | Path | Speaks |
/// |---|---|
/// | `/sim/deepgram/v1/agent/converse` | the Voice Agent protocol |
/// | `/sim/deepgram/v1/listen` | transcription |
/// | `/sim/deepgram/v2/listen` | transcription with turns (Flux) |
///
/// A key is asked for as [`Options::key`] says: `Authorization: Token KEY` or `Bearer JWT`, or the subprotocols
/// `token, KEY` or `bearer, JWT`, of which the first is echoed. Every query string also takes each name of
/// [`Options`], which overrides `options` for that connection. A refusal has the headers `dg-error` and
/// `dg-request-id`, an upgrade the second.
pub fn configure(options: Options) -> impl FnOnce(&mut web::ServiceConfig) {
    move |service| {
        let options = web::Data::new(options);
        for door in Door::ALL {
            let options = options.clone();
            let connect = move |request: HttpRequest, payload: web::Payload| {
                let answer = connection::connect(door, &request, payload, &options);
                async move { answer }
            };
            service.route(door.path(), web::get().to(connect));
        }
    }
}
