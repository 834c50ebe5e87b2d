//! The plain HTTP paths, and the shape of the refusals of all but function calls.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::sessions::Sessions;
use crate::config::Config;

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

/// Names, kinds and paths; nothing that tells where a backend is or how it is paid for.
async fn backends(config: web::Data<Config>) -> HttpResponse {
    let list: Vec<_> = config
        .backends
        .iter()
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
