//! The plain HTTP paths. Knows no token by itself.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route, guard,
    http::header::{self, HeaderName},
    web,
};
use serde_json::json;

use super::{
    credentials::{identify_unused, refused},
    refusal_log::log_refusal,
    refuse::Refuse,
    scrape,
    sessions::Sessions,
};
use crate::{config::Config, identity::Identities};

/// Why there is no page. `Display` is the text for whoever wanted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoPage {
    NotFound,
    /// Another method than these.
    Method(&'static str),
    /// The program stops.
    Stopping,
}

/// What the operator's machines ask, on whichever socket.
pub(super) fn probes(app: &mut web::ServiceConfig) {
    // Some machines ask with HEAD.
    let get = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    app.service(page("/health", get().to(health)))
        .service(page("/ready", get().to(ready)))
        .service(page("/metrics", get().to(scrape::metrics)));
}

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(page("/v1/backends", web::get().to(backends)));
}

/// A path that takes GET alone.
fn page(path: &str, get: Route) -> Resource {
    web::resource(path).route(get).default_service(web::to(only_get))
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

async fn ready(sessions: web::Data<Sessions>) -> HttpResponse {
    if sessions.draining() {
        return NoPage::Stopping.answer();
    }
    HttpResponse::Ok().json(json!({ "status": "ready" }))
}

/// Names, kinds and paths of the backends that the token is for; nothing that tells where a backend is or how it is
/// paid for. A token for one use is not used up.
async fn backends(
    request: HttpRequest,
    config: web::Data<Config>,
    identities: web::Data<Identities>,
) -> HttpResponse {
    let identity = match identify_unused(&request, &identities) {
        Ok(identity) => identity,
        Err(stranger) => return refused(&request, stranger),
    };
    let list: Vec<_> = config
        .backends
        .iter()
        .filter(|backend| identity.rights.allow_backend(&backend.name))
        .map(|backend| {
            let paths: Vec<_> = std::iter::once(&backend.path).chain(&backend.aliases).collect();
            json!({ "name": backend.name, "kind": backend.kind.name(), "paths": paths })
        })
        .collect();
    HttpResponse::Ok().json(json!({ "backends": list }))
}

async fn only_get(request: HttpRequest) -> HttpResponse {
    no_method(&request, "GET")
}

/// The answer to another method than those that a path takes, of which one is GET.
pub(super) fn no_method(request: &HttpRequest, methods: &'static str) -> HttpResponse {
    log_refusal(request, request.path(), None, &NoPage::Method(methods));
    NoPage::Method(methods).answer()
}

pub(super) async fn not_found(request: HttpRequest) -> HttpResponse {
    // Who has a wrong path may have put a token into it.
    log_refusal(&request, "-", None, &NoPage::NotFound);
    NoPage::NotFound.answer()
}

impl Refuse for NoPage {
    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::NotFound => (404, "not_found"),
            Self::Method(_) => (405, "method_not_allowed"),
            Self::Stopping => (503, "stopping"),
        }
    }

    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::Method(methods) => Some((header::ALLOW, methods)),
            Self::NotFound | Self::Stopping => None,
        }
    }
}

impl fmt::Display for NoPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is nothing at this path",
            Self::Method(_) => "this path takes GET",
            Self::Stopping => "the gateway is going away",
        })
    }
}
