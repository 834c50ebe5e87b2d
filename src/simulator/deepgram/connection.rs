//! The upgrade of a request to a session, or its refusal ("Voice Agent protocol, Connection").
//! Knows nothing of what the frames say.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL},
    },
    web,
};
use jiff::Timestamp;
use serde_json::json;

use super::{
    agent,
    door::{Door, Refusal, Visit},
    listen,
    options::Options,
};
use crate::simulator::socket::{Session, drive};

/// Upgrades a request at a door to a session, or refuses it with `dg-error` and a JSON body.
pub(super) fn connect(
    door: Door,
    request: &HttpRequest,
    payload: web::Payload,
    options: &Options,
) -> Result<HttpResponse, actix_web::Error> {
    let request_id = uuid::Uuid::new_v4().to_string();
    let visit = match door.admit(request.query_string(), request.headers(), options.clone()) {
        Ok(visit) => visit,
        Err(refused) => return Ok(refusal(&refused, &request_id)),
    };
    let Visit { parameters, scheme, options } = visit;
    if let Some(status) = options.refuse {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = "the simulator was told to refuse the connection".to_owned();
        return Ok(refusal(&Refusal { status, message }, &request_id));
    }
    let upgrade = Upgrade { request, payload, scheme, request_id: &request_id };
    let request_id = request_id.clone();
    match door {
        Door::Agent => upgrade.start(Ok(agent::Session::new(&request_id, options))),
        Door::ListenV1 => {
            upgrade.start(listen::v1::Session::open(&parameters, request_id, Timestamp::now(), options))
        }
        Door::ListenV2 => upgrade.start(listen::v2::Session::open(&parameters, request_id, options)),
    }
}

/// A request that is let in.
struct Upgrade<'a> {
    request: &'a HttpRequest,
    payload: web::Payload,
    scheme: Option<&'static str>,
    request_id: &'a str,
}

impl Upgrade<'_> {
    /// Answers with the session, or with its refusal of the parameters.
    fn start(
        self,
        session: Result<impl Session + 'static, Refusal>,
    ) -> Result<HttpResponse, actix_web::Error> {
        let session = match session {
            Ok(session) => session,
            Err(refused) => return Ok(refusal(&refused, self.request_id)),
        };
        let (mut response, sink, stream) = actix_ws::handle(self.request, self.payload)?;
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, printable(self.request_id));
        // Browsers drop a connection that answers none of the protocols they offer.
        if let Some(scheme) = self.scheme {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(scheme));
        }
        actix_web::rt::spawn(drive(session, sink, stream));
        Ok(response)
    }
}

fn refusal(refused: &Refusal, request_id: &str) -> HttpResponse {
    let code = match refused.status.as_u16() {
        401 => "INVALID_AUTH",
        403 => "INSUFFICIENT_PERMISSIONS",
        429 => "TOO_MANY_REQUESTS",
        500..=599 => "INTERNAL_SERVER_ERROR",
        _ => "Bad Request",
    };
    let body = json!({"err_code": code, "err_msg": refused.message, "request_id": request_id});
    HttpResponse::build(refused.status)
        .insert_header((ERROR, printable(&refused.message)))
        .insert_header((REQUEST_ID, printable(request_id)))
        .insert_header((CONTENT_TYPE, "application/json"))
        .body(body.to_string())
}

/// A text as a header can carry it.
fn printable(text: &str) -> HeaderValue {
    let ascii = text.escape_default().to_string();
    HeaderValue::from_str(&ascii).expect("escapes leave printable ASCII")
}

const REQUEST_ID: HeaderName = HeaderName::from_static("dg-request-id");
const ERROR: HeaderName = HeaderName::from_static("dg-error");
