//! The upgrade of a request to a session, or its refusal. Knows nothing of what the frames say.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use serde_json::json;

use super::{
    account::Account,
    beta::Api,
    door::{Door, Visit},
    options::Options,
    session::{Identity, Session},
};
use crate::simulator::socket::drive;

/// Upgrades a request at a door to a session, or refuses it with a JSON body.
pub(super) fn connect(
    door: Door,
    request: &HttpRequest,
    payload: web::Payload,
    options: &Options,
) -> Result<HttpResponse, actix_web::Error> {
    let visit = match door.admit(request.query_string(), request.headers(), options.clone()) {
        Ok(visit) => visit,
        Err(refused) => return Ok(refusal(refused.status, refused.code, &refused.message)),
    };
    if let Some(status) = visit.options.refuse {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return Ok(refusal(status, refusal_code(status), "the simulator was told to refuse the connection"));
    }
    let (response, sink, stream) = actix_ws::handle_with_protocols(request, payload, &["realtime"])?;
    let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let beta = request.headers().get("openai-beta").and_then(|value| value.to_str().ok());
    let asks_for_beta = beta.is_some_and(|value| value.contains("realtime=v1"));
    let wants_beta = asks_for_beta && door.api() == Api::Ga && !visit.options.beta_names;
    let token = uuid::Uuid::new_v4().simple().to_string();
    let Visit { model, kind, options } = visit;
    let identity = Identity { token, model, kind, started_at, api: door.api(), wants_beta };
    actix_web::rt::spawn(drive(Session::new(identity, options, Account::of_process()), sink, stream));
    Ok(response)
}

fn refusal(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    let error = json!({"type": "invalid_request_error", "code": code, "message": message, "param": null});
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(json!({"error": error}).to_string())
}

fn refusal_code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "invalid_api_key",
        403 => "account_deactivated",
        404 => "model_not_found",
        429 => "rate_limit_exceeded",
        500..=599 => "server_error",
        _ => "invalid_value",
    }
}
