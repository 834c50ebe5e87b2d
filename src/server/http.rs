//! The plain HTTP paths, and the shape of the refusals of all but function calls.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::{
    credentials::{identify, refused},
    sessions::Sessions,
};
use crate::{config::Config, identity::Identities};

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.route("/health", web::get().to(health))
        .route("/ready", web::get().to(ready))
        .route("/v1/backends", web::get().to(backends))
        .default_service(web::to(not_found));
}

/// A refusal: a status and a JSON body that says why.
pub(super) fn refusal(status: StatusCode, code: &str, description: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "error": { "code": code, "description": description } }))
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

async fn ready(sessions: web::Data<Sessions>) -> HttpResponse {
    if sessions.stopping() {
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

async fn not_found() -> HttpResponse {
    refusal(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}
