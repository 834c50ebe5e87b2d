//! `GET /` and `/console/…`: the files of the console, for whoever asks, and what browsers may do with them.
//! Knows none of them by name.

use actix_web::{
    HttpRequest, HttpResponse, Resource,
    http::{
        Method,
        header::{self, EntityTag, Header, IfNoneMatch},
    },
    web,
};

use super::http::{no_method, not_found};
use crate::{config::Config, console};

/// The methods of each path.
const METHODS: &str = "GET, HEAD";

/// What every file is answered with. The page loads nothing from elsewhere, talks to the gateway that it came from and to
/// nobody else, stands in no frame of others, and of the machine it may use the microphone alone.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        // Features that Chromium has known for long: of one that it does not know it complains.
        "permissions-policy",
        "microphone=(self), autoplay=(self), accelerometer=(), camera=(), clipboard-read=(), \
         display-capture=(), encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), gyroscope=(), \
         hid=(), idle-detection=(), local-fonts=(), magnetometer=(), midi=(), payment=(), \
         picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), \
         sync-xhr=(), usb=(), xr-spatial-tracking=()",
    ),
    // Kept, but asked for each time: another version of the program has other files.
    ("cache-control", "no-cache"),
];

/// The resource of all its paths.
pub(super) fn resource() -> Resource {
    web::resource(["/", "/console/{file:.*}"]).default_service(web::to(file))
}

async fn file(request: HttpRequest, config: web::Data<Config>) -> HttpResponse {
    // As the router has decoded it.
    let file = console::at(request.match_info().as_str()).filter(|_| config.console.enabled);
    let Some(file) = file else { return not_found(request).await };
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return no_method(&request, METHODS);
    }
    let version = EntityTag::new_strong(file.version.clone());
    let is_known = is_known(&request, &version);
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    for header in HEADERS {
        answer.insert_header(header);
    }
    answer.insert_header((header::ETAG, version.to_string()));
    if is_known { answer.finish() } else { answer.content_type(file.media_type).body(file.content) }
}

/// Whether the browser has this version (RFC 9110, section 13.1.2).
fn is_known(request: &HttpRequest, version: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(version)),
        Err(_) => false,
    }
}
