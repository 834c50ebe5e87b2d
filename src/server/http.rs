//! The plain HTTP paths, and the shape of the refusals of all but function calls.

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route, guard,
    http::{StatusCode, header},
    web,
};
use serde_json::{Value, json};

use super::{
    credentials::{identify, refused},
    refusal_log::log_refusal,
    sessions::Sessions,
};
use crate::{config::Config, identity::Identities};

/// When somebody may ask again for whom there is no room at the moment, seconds.
pub(super) const RETRY_AFTER: &str = "5";

/// What the operator's machines ask, on whichever socket.
pub(super) fn probes(app: &mut web::ServiceConfig) {
    // Some machines ask with HEAD.
    let get = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    app.service(page("/health", get().to(health))).service(page("/ready", get().to(ready)));
}

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(page("/v1/backends", web::get().to(backends)));
}

/// A path that takes GET alone.
fn page(path: &str, get: Route) -> Resource {
    web::resource(path).route(get).default_service(web::to(only_get))
}

/// A refusal: a status, a JSON body that says why, and the header that belongs to every one of this status.
pub(super) fn refusal(status: StatusCode, code: &str, description: &str) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    match status {
        StatusCode::UNAUTHORIZED => _ = answer.insert_header((header::WWW_AUTHENTICATE, "Bearer")),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            answer.insert_header((header::RETRY_AFTER, RETRY_AFTER));
        }
        _ => {}
    }
    answer.json(refusal_body(code, description))
}

/// The body of a refusal.
pub(super) fn refusal_body(code: &str, description: &str) -> Value {
    json!({ "error": { "code": code, "description": description } })
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

async fn ready(sessions: web::Data<Sessions>) -> HttpResponse {
    if sessions.draining() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the gateway is going away");
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
    let identity = identify(&request, &identities);
    let identity = identity.and_then(|identity| identities.check_unused(&identity).map(|()| identity));
    let identity = match identity {
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
    const CODE: &str = "method_not_allowed";
    log_refusal(&request, request.path(), None, CODE, None);
    let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, CODE, "this path takes GET");
    answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET"));
    answer
}

pub(super) async fn not_found(request: HttpRequest) -> HttpResponse {
    const CODE: &str = "not_found";
    // Who has a wrong path may have put a token into it.
    log_refusal(&request, "-", None, CODE, None);
    refusal(StatusCode::NOT_FOUND, CODE, "there is nothing at this path")
}
