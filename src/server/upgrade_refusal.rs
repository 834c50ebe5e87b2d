//! Why there is no session: the status, the code and the text of each reason, told before the upgrade.
//! Knows no request beyond its answer.

use std::fmt;

use actix_http::ws::HandshakeError;
use actix_web::http::header::{self, HeaderName};

use super::{destination::NoService, refuse::Refuse, sessions::NoPlace};
use crate::identity::Stranger;

/// Why an upgrade is refused. `Display` is the text for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoUpgrade {
    /// The method is not `GET`.
    Method,
    /// It is no upgrade to WebSocket.
    NotWebsocket,
    /// The page is of an origin that is not allowed.
    Origin,
    /// There is no token that is good for anything.
    Stranger(Stranger),
    /// The token is not for the backend.
    Backend,
    /// The backend has no such service.
    Service(NoService),
    /// The handshake is not as WebSocket has it (RFC 6455, section 4.2.1).
    Handshake(HandshakeError),
    /// There is no place for one more session.
    Place(NoPlace),
    /// Memory is short in the whole process.
    Overloaded,
}

impl Refuse for NoUpgrade {
    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::Method => (405, "method_not_allowed"),
            Self::NotWebsocket => (426, "upgrade_required"),
            Self::Origin => (403, "origin_not_allowed"),
            Self::Stranger(stranger) => stranger.status_and_code(),
            Self::Backend => (403, "backend_not_allowed"),
            Self::Service(NoService::Unknown) => (400, "unknown_service"),
            Self::Service(NoService::NoTranscription) => (400, "no_transcription"),
            Self::Handshake(_) => (400, "bad_handshake"),
            Self::Place(NoPlace::AddressFull) => (429, "too_many_sessions_of_address"),
            Self::Place(NoPlace::SubjectFull) => (429, "too_many_sessions_of_subject"),
            Self::Place(NoPlace::Full) => (503, "too_many_sessions"),
            Self::Place(NoPlace::Stopping) => (503, "stopping"),
            Self::Overloaded => (503, "overloaded"),
        }
    }

    fn reason(&self) -> Option<&'static str> {
        let Self::Stranger(stranger) = self else { return None };
        stranger.reason()
    }

    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::Method => Some((header::ALLOW, "GET")),
            Self::NotWebsocket => Some((header::UPGRADE, "websocket")),
            Self::Handshake(HandshakeError::UnsupportedVersion) => {
                Some((header::SEC_WEBSOCKET_VERSION, "13"))
            }
            Self::Stranger(stranger) => stranger.header(),
            Self::Origin
            | Self::Backend
            | Self::Service(_)
            | Self::Handshake(_)
            | Self::Place(_)
            | Self::Overloaded => None,
        }
    }
}

impl From<Stranger> for NoUpgrade {
    fn from(stranger: Stranger) -> Self {
        Self::Stranger(stranger)
    }
}

impl From<NoService> for NoUpgrade {
    fn from(service: NoService) -> Self {
        Self::Service(service)
    }
}

impl From<HandshakeError> for NoUpgrade {
    fn from(handshake: HandshakeError) -> Self {
        Self::Handshake(handshake)
    }
}

impl From<NoPlace> for NoUpgrade {
    fn from(place: NoPlace) -> Self {
        Self::Place(place)
    }
}

impl fmt::Display for NoUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "this path takes GET with an upgrade",
            Self::NotWebsocket => "this path speaks websocket",
            Self::Origin => "pages of this origin may not connect",
            Self::Stranger(stranger) => return stranger.fmt(f),
            Self::Backend => "the token is not for this backend",
            Self::Service(NoService::Unknown) => "service must be \"agent\" or \"transcription\"",
            Self::Service(NoService::NoTranscription) => "this backend has no transcription_url",
            Self::Handshake(error) => return error.fmt(f),
            Self::Place(NoPlace::AddressFull) => "this address has as many sessions as it may",
            Self::Place(NoPlace::SubjectFull) => "the bearer of this token has as many sessions as it may",
            Self::Place(NoPlace::Full) => "every session is taken",
            Self::Place(NoPlace::Stopping) => "the gateway is going away",
            Self::Overloaded => "the gateway is short of memory",
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix_web::test]
    async fn every_refusal_has_its_status_its_word_its_text_and_its_header() {
        let later = Some(("retry-after", "5"));
        for (refusal, status, code, text, header) in [
            (
                NoUpgrade::Method,
                405,
                "method_not_allowed",
                "this path takes GET with an upgrade",
                Some(("allow", "GET")),
            ),
            (
                NoUpgrade::NotWebsocket,
                426,
                "upgrade_required",
                "this path speaks websocket",
                Some(("upgrade", "websocket")),
            ),
            (NoUpgrade::Origin, 403, "origin_not_allowed", "pages of this origin may not connect", None),
            (
                NoUpgrade::Stranger(Stranger::Invalid("signature")),
                401,
                "token_invalid",
                "the token is not valid",
                Some(("www-authenticate", "Bearer")),
            ),
            (
                NoUpgrade::Stranger(Stranger::Crowded),
                503,
                "too_many_tokens",
                "too many tokens for one use are remembered",
                later,
            ),
            (NoUpgrade::Backend, 403, "backend_not_allowed", "the token is not for this backend", None),
            (
                NoUpgrade::Service(NoService::Unknown),
                400,
                "unknown_service",
                "service must be \"agent\" or \"transcription\"",
                None,
            ),
            (
                NoUpgrade::Service(NoService::NoTranscription),
                400,
                "no_transcription",
                "this backend has no transcription_url",
                None,
            ),
            (
                NoUpgrade::Handshake(HandshakeError::UnsupportedVersion),
                400,
                "bad_handshake",
                "unsupported WebSocket version",
                Some(("sec-websocket-version", "13")),
            ),
            (
                NoUpgrade::Place(NoPlace::AddressFull),
                429,
                "too_many_sessions_of_address",
                "this address has as many sessions as it may",
                later,
            ),
            (
                NoUpgrade::Place(NoPlace::SubjectFull),
                429,
                "too_many_sessions_of_subject",
                "the bearer of this token has as many sessions as it may",
                later,
            ),
            (NoUpgrade::Place(NoPlace::Full), 503, "too_many_sessions", "every session is taken", later),
            (NoUpgrade::Place(NoPlace::Stopping), 503, "stopping", "the gateway is going away", later),
            (NoUpgrade::Overloaded, 503, "overloaded", "the gateway is short of memory", later),
        ] {
            let answer = refusal.answer();
            assert_eq!(answer.status().as_u16(), status, "{refusal:?}");
            for name in ["allow", "upgrade", "www-authenticate", "sec-websocket-version", "retry-after"] {
                let given = answer.headers().get(name).and_then(|value| value.to_str().ok());
                let wanted = header.filter(|(own, _)| *own == name).map(|(_, value)| value);
                assert_eq!(given, wanted, "{refusal:?}: {name}");
            }
            let body = to_bytes(answer.into_body()).await.expect("the body is in memory");
            let expected = serde_json::json!({ "error": { "code": code, "description": text } });
            assert_eq!(body, expected.to_string(), "{refusal:?}");
        }
    }
}
