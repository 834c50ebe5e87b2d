//! `POST /v1/auth/grant`: a token for a browser, for a server that has one itself.
//! Knows neither how tokens are made nor what may be in one.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, Resource,
    http::{
        Method,
        header::{self, HeaderName},
    },
    web,
};
use log::Level;
use serde_json::json;

use super::{
    body::{self, Readers, Unread},
    client_address::Sender,
    credentials::identify,
    grant_body::{self, BadWish},
    http::not_found,
    origins::{Origins, Verdict},
    refusal_log::log_refusal,
    refuse::Refuse,
    sessions::Sessions,
};
use crate::{
    config::Config,
    identity::{Granted, Identities, Identity, NoGrant, Stranger},
    logging::gateway_log,
    protocol::shorten,
};

/// The longest body, bytes.
const LIMIT: usize = 16 * 1024;

/// Why nothing is granted. `Display` is the text for the caller.
enum Refusal {
    Origin,
    Method,
    Stopping,
    Stranger(Stranger),
    Body(Unread),
    NoObject,
    Member(&'static str),
    /// A backend that there is not.
    Unknown,
    Grant(NoGrant),
}

/// The resource of the path.
pub(super) fn resource() -> Resource {
    web::resource("/v1/auth/grant").default_service(web::to(handle))
}

async fn handle(
    request: HttpRequest,
    payload: web::Payload,
    origins: web::Data<Origins>,
    sessions: web::Data<Sessions>,
    config: web::Data<Config>,
    readers: web::Data<Readers>,
    identities: web::Data<Identities>,
) -> HttpResponse {
    if !identities.can_grant() {
        return not_found(request).await;
    }
    let verdict = origins.judge_call(request.headers());
    let granted = if matches!(verdict, Verdict::Refused | Verdict::Unlisted) {
        Err(Refusal::Origin)
    } else if request.method() != Method::POST {
        Err(Refusal::Method)
    } else if sessions.stopping() {
        Err(Refusal::Stopping)
    } else {
        grant(&request, payload, &config, &readers, &identities).await
    };
    match granted {
        // As Deepgram answers it. Nobody on the way should keep it (RFC 6749, section 5.1).
        Ok(Granted { access_token, expires_in }) => HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .json(json!({ "access_token": access_token.expose(), "expires_in": expires_in })),
        Err(reason) => {
            log_refusal(&request, request.path(), None, &reason);
            reason.answer()
        }
    }
}

async fn grant(
    request: &HttpRequest,
    payload: web::Payload,
    config: &Config,
    readers: &Readers,
    identities: &Identities,
) -> Result<Granted, Refusal> {
    let giver = identify(request, identities).map_err(Refusal::Stranger)?;
    if !giver.may_grant {
        return Err(Refusal::Grant(NoGrant::NotAllowed));
    }
    let body = match has_body(request) {
        true => body::read(request, payload, readers, LIMIT).await.map_err(Refusal::Body)?,
        false => bytes::BytesMut::new(),
    };
    let wish = grant_body::parse(&body).map_err(|bad| match bad {
        BadWish::NoObject => Refusal::NoObject,
        BadWish::Member(reason) => Refusal::Member(reason),
    })?;
    let granted = identities.grant(&giver, &wish).map_err(Refusal::Grant)?;
    let is_known = |name: &String| config.backends.iter().any(|backend| backend.name == *name);
    if !wish.backends.iter().flatten().all(is_known) {
        return Err(Refusal::Unknown);
    }
    identities.admit(&giver).map_err(Refusal::Stranger)?;
    log_grant(request, &giver, wish.subject.as_deref(), granted.expires_in);
    Ok(granted)
}

fn log_grant(request: &HttpRequest, giver: &Identity, subject: Option<&str>, expires_in: u64) {
    let own = giver.subject.as_deref().unwrap_or_default();
    let (own, subject) = (shorten(own.to_owned()), shorten(subject.unwrap_or(own).to_owned()));
    let fields = Sender::of(request).fields().with("subject", subject).with("by", own);
    gateway_log!(Level::Info, ..fields.with("expires_in_s", expires_in); "granted");
}

/// Whether there is anything to read. Deepgram's callers may send nothing at all.
fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length.as_bytes() != b"0")
}

impl Refuse for Refusal {
    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::Origin => (403, "origin_not_allowed"),
            Self::Method => (405, "method_not_allowed"),
            Self::Stopping => (503, "stopping"),
            Self::Stranger(stranger) => stranger.status_and_code(),
            Self::Body(unread) => unread.status_and_code(),
            Self::NoObject => (400, "invalid_body"),
            Self::Member(_) | Self::Unknown | Self::Grant(NoGrant::Ttl(_)) => (400, "invalid_member"),
            Self::Grant(NoGrant::NotAllowed) => (403, "grant_not_allowed"),
            Self::Grant(NoGrant::Backend) => (403, "backend_not_allowed"),
            Self::Grant(NoGrant::Function) => (403, "function_not_allowed"),
        }
    }

    fn reason(&self) -> Option<&'static str> {
        let Self::Stranger(stranger) = self else { return None };
        stranger.reason()
    }

    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::Method => Some((header::ALLOW, "POST")),
            Self::Body(unread) => unread.header(),
            Self::Stranger(stranger) => stranger.header(),
            Self::Origin
            | Self::Stopping
            | Self::NoObject
            | Self::Member(_)
            | Self::Unknown
            | Self::Grant(_) => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin => f.write_str("pages of this origin may not ask for tokens"),
            Self::Method => f.write_str("this path takes POST"),
            Self::Stopping => f.write_str("the gateway is going away"),
            Self::Stranger(stranger) => stranger.fmt(f),
            Self::Body(unread) => unread.fmt(f),
            Self::NoObject => f.write_str("the body is no json object"),
            Self::Member(reason) => f.write_str(reason),
            Self::Unknown => f.write_str("backends must hold names of backends"),
            Self::Grant(NoGrant::Ttl(longest)) => write!(f, "ttl_s must be 1 to {longest}"),
            Self::Grant(NoGrant::NotAllowed) => f.write_str("the token may not grant others"),
            Self::Grant(NoGrant::Backend) => f.write_str("the token is not for every one of the backends"),
            Self::Grant(NoGrant::Function) => f.write_str("the token is not for every one of the functions"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_status_its_word_and_its_text() {
        for (refusal, expected) in [
            (Refusal::Origin, (403, "origin_not_allowed", "pages of this origin may not ask for tokens")),
            (Refusal::Method, (405, "method_not_allowed", "this path takes POST")),
            (Refusal::Stopping, (503, "stopping", "the gateway is going away")),
            (Refusal::Stranger(Stranger::Expired), (401, "token_expired", "the token has expired")),
            (Refusal::Body(Unread::Slow), (408, "body_timeout", "the body did not arrive in time")),
            (Refusal::NoObject, (400, "invalid_body", "the body is no json object")),
            (Refusal::Member("x must be y"), (400, "invalid_member", "x must be y")),
            (Refusal::Unknown, (400, "invalid_member", "backends must hold names of backends")),
            (Refusal::Grant(NoGrant::Ttl(600)), (400, "invalid_member", "ttl_s must be 1 to 600")),
            (
                Refusal::Grant(NoGrant::NotAllowed),
                (403, "grant_not_allowed", "the token may not grant others"),
            ),
            (
                Refusal::Grant(NoGrant::Backend),
                (403, "backend_not_allowed", "the token is not for every one of the backends"),
            ),
            (
                Refusal::Grant(NoGrant::Function),
                (403, "function_not_allowed", "the token is not for every one of the functions"),
            ),
        ] {
            let (status, code) = refusal.status_and_code();
            assert_eq!((status, code, refusal.to_string().as_str()), expected);
        }
    }
}
