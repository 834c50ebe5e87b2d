//! Who sends a request: where a token is looked for, and how somebody without a good one is refused.
//! Knows no token by itself, and never logs one.

use actix_web::{HttpRequest, HttpResponse, http::header};
use url::form_urlencoded;

use super::{refusal_log::log_refusal, refuse::Refuse};
use crate::identity::{Identities, Identity, Stranger};

/// The words for a token, as schemes of `Authorization` and as subprotocols in front of one.
const SCHEMES: [&str; 2] = ["token", "bearer"];

/// Whose the token of a request is.
pub(super) fn identify(request: &HttpRequest, identities: &Identities) -> Result<Identity, Stranger> {
    if identities.is_open() {
        return identities.identify(None);
    }
    identities.identify(token_of(request)?.as_deref())
}

/// The same for what does not use up a token for one use, but is not for one that was used.
pub(super) fn identify_unused(request: &HttpRequest, identities: &Identities) -> Result<Identity, Stranger> {
    let identity = identify(request, identities)?;
    identities.check_unused(&identity)?;
    Ok(identity)
}

/// The refusal of somebody who is not let in, with its line in the log.
pub(super) fn refused(request: &HttpRequest, stranger: Stranger) -> HttpResponse {
    log_refusal(request, request.path(), None, &stranger);
    stranger.answer()
}

/// The token of a request: in `Authorization`, behind its word among the subprotocols, or in the query, where the last
/// one counts. Different ones at the same time are none: which of them was meant nobody should have to guess.
fn token_of(request: &HttpRequest) -> Result<Option<String>, Stranger> {
    let mut found: Option<String> = None;
    for token in [authorization(request)?, subprotocol(request)?, parameter(request)].into_iter().flatten() {
        match &found {
            Some(other) if *other != token => return Err(Stranger::Invalid("two different tokens")),
            _ => found = Some(token),
        }
    }
    Ok(found)
}

/// Of schemes that are no token's there may be others, such as a proxy's.
fn authorization(request: &HttpRequest) -> Result<Option<String>, Stranger> {
    let mut found: Option<String> = None;
    for value in request.headers().get_all(header::AUTHORIZATION) {
        let value = value.to_str().map_err(|_| Stranger::Invalid("not visible ascii"))?;
        let Some((scheme, token)) = value.trim().split_once(' ') else { continue };
        let token = token.trim_start();
        if !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            continue;
        }
        if found.as_ref().is_some_and(|other| other != token) {
            return Err(Stranger::Invalid("two different tokens"));
        }
        found = Some(token.to_owned());
    }
    Ok(found)
}

/// The word behind `token` or `bearer` in the list of subprotocols, which may be spread over several headers.
fn subprotocol(request: &HttpRequest) -> Result<Option<String>, Stranger> {
    let mut words = Vec::new();
    for value in request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        let value = value.to_str().map_err(|_| Stranger::Invalid("not visible ascii"))?;
        words.extend(value.split(',').map(str::trim));
    }
    let scheme = words.iter().position(|word| SCHEMES.iter().any(|known| word.eq_ignore_ascii_case(known)));
    let token = scheme.and_then(|index| words.get(index + 1)).filter(|token| !token.is_empty());
    Ok(token.map(|token| (*token).to_owned()))
}

fn parameter(request: &HttpRequest) -> Option<String> {
    let pairs = form_urlencoded::parse(request.query_string().as_bytes());
    let tokens = pairs.filter(|(name, token)| name == "token" && !token.is_empty());
    tokens.last().map(|(_, token)| token.into_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::HeaderValue, test::TestRequest};

    use super::*;

    const AUTHORIZATION: &str = "authorization";
    const PROTOCOL: &str = "sec-websocket-protocol";

    fn found(query: &str, headers: &[(&str, &str)]) -> Result<Option<String>, Stranger> {
        let request = TestRequest::with_uri(&format!("/openai?{query}"));
        let request = headers.iter().fold(request, |request, &header| request.append_header(header));
        token_of(&request.to_http_request())
    }

    fn some(token: &str) -> Result<Option<String>, Stranger> {
        Ok(Some(token.to_owned()))
    }

    #[test]
    fn a_token_is_found_wherever_clients_put_it() {
        for value in ["Bearer t-1", "bearer t-1", "Token t-1", "TOKEN   t-1", " Bearer t-1 "] {
            assert_eq!(found("", &[(AUTHORIZATION, value)]), some("t-1"), "{value}");
        }
        for value in [
            "token, t-1",
            "bearer,t-1",
            "Bearer , t-1",
            "token, t-1, x-deepgram-session-id, s",
            "x-deepgram-session-id, s, token, t-1",
            "chat, token, t-1",
        ] {
            assert_eq!(found("", &[(PROTOCOL, value)]), some("t-1"), "{value}");
        }
        assert_eq!(found("", &[(PROTOCOL, "token"), (PROTOCOL, "t-1")]), some("t-1"));
        for query in
            ["token=t-1", "a=b&tok%65n=t%2d1&service=agent", "token=old&token=t-1", "token=t-1&token="]
        {
            assert_eq!(found(query, &[]), some("t-1"), "{query}");
        }
        assert_eq!(found("token=a+b%20c", &[]), some("a b c"), "which is no token, but its own");
    }

    #[test]
    fn what_is_no_token_is_not_taken_for_one() {
        assert_eq!(found("", &[]), Ok(None));
        for value in ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "t-1", "", "BearerX t-1"] {
            assert_eq!(found("", &[(AUTHORIZATION, value)]), Ok(None), "{value}");
        }
        for value in ["token", "token,", "token, ", "chat, t-1", "tokens, t-1"] {
            assert_eq!(found("", &[(PROTOCOL, value)]), Ok(None), "{value}");
        }
        for query in ["tokens=t-1", "token", "token=", "Token=t-1"] {
            assert_eq!(found(query, &[]), Ok(None), "{query}");
        }
    }

    #[test]
    fn several_tokens_have_to_be_the_same() {
        let two = Err(Stranger::Invalid("two different tokens"));
        assert_eq!(
            found("token=t-1", &[(AUTHORIZATION, "Bearer t-1"), (PROTOCOL, "token, t-1")]),
            some("t-1")
        );
        assert_eq!(found("token=t-1", &[(AUTHORIZATION, "Basic x")]), some("t-1"));
        assert_eq!(found("token=t-2", &[(AUTHORIZATION, "Bearer t-1")]), two);
        assert_eq!(found("token=t-2", &[(PROTOCOL, "token, t-1")]), two);
        assert_eq!(found("", &[(AUTHORIZATION, "Bearer t-1"), (PROTOCOL, "bearer, t-2")]), two);
        assert_eq!(found("", &[(AUTHORIZATION, "Bearer t-1"), (AUTHORIZATION, "Token t-2")]), two);
        assert_eq!(found("", &[(AUTHORIZATION, "Bearer t-1"), (AUTHORIZATION, "Token t-1")]), some("t-1"));
    }

    #[test]
    fn headers_that_are_no_text_are_no_tokens() {
        for name in [AUTHORIZATION, PROTOCOL] {
            let value = HeaderValue::from_bytes(b"Bearer, Bearer t\xff").expect("a header value");
            let request = TestRequest::default().insert_header((name, value)).to_http_request();
            assert_eq!(token_of(&request), Err(Stranger::Invalid("not visible ascii")), "{name}");
        }
    }
}
