//! A simulator of the OpenAI Realtime API, mounted at `/sim/openai` and, as Azure has it, under `/sim/azure`: as
//! strict as the real service, with a voice that can be heard, and trouble on request. It is the backend of the
//! default configuration and of the tests.
//!
//! It shares no types with the gateway on purpose: what both got wrong would pass unseen. It must not know the
//! Voice Agent protocol, the gateway, or where it is mounted beside its own path.
//!
//! ```text
//! door: who gets in, and what is spoken there
//! socket ── session ─┬─ beta: the older API, put into terms of the present one, and back
//!                    ├─ validate, beta_shape (item_shape, schema): is this a client event?
//!                    ├─ configuration: the session object
//!                    ├─ listening: input (vad, codec) → items, transcripts
//!                    ├─ answering: reply → script (voice) → response → events
//!                    ├─ conversation: the items
//!                    └─ wire: what leaves, and when; account: what that cost
//! ```
//!
//! What it does not do: recognise speech (every spoken input says [`Options::transcript`]), run mcp tools, or
//! keep anything after the connection.

mod account;
mod answering;
mod beta;
mod beta_shape;
mod configuration;
mod conversation;
mod door;
mod input;
mod item_shape;
mod listening;
mod options;
mod response;
mod schema;
mod script;
mod session;
mod socket;
mod validate;
#[cfg(test)]
mod virtual_time;
mod wire;

#[cfg(test)]
mod tests;

use actix_web::{HttpRequest, HttpResponse, web};

use account::Account;
use door::Door;
pub use options::Options;
#[cfg(test)]
pub(crate) use virtual_time::{Sent, Session};

/// Where the simulator says what it has reported of use.
const USAGE_PATH: &str = "/sim/openai/usage";

/// Mounts the simulator: `GET` upgrades to a session of the Realtime API, on OpenAI's path and on the two of Azure.
///
/// | Path | Takes | Speaks |
/// |---|---|---|
/// | `/sim/openai` | `model`, `intent` | the present API |
/// | `/sim/azure/openai/v1/realtime` | `model`, `intent`; a key | the present API |
/// | `/sim/azure/openai/realtime` | `api-version`, `deployment`; a key | the beta |
///
/// A key is the header `api-key` or `Authorization: Bearer`, or a parameter of either name; without the right one the
/// answer is 401. Every query string also takes each name of [`Options`], which overrides `options` for that
/// connection; anything else, or a bad value, is answered with 400 and a JSON reason. `GET /sim/openai/usage` says what
/// all sessions of the process have reported of use.
pub fn configure(options: Options) -> impl FnOnce(&mut web::ServiceConfig) {
    move |service| {
        let options = web::Data::new(options);
        for door in Door::ALL {
            let options = options.clone();
            let connect = move |request: HttpRequest, payload: web::Payload| {
                let answer = socket::connect(door, &request, payload, &options);
                async move { answer }
            };
            service.route(door.path(), web::get().to(connect));
        }
        let usage = async || HttpResponse::Ok().json(Account::of_process().shown());
        service.route(USAGE_PATH, web::get().to(usage));
    }
}
