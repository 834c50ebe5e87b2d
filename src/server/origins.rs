//! Which web pages may use the gateway, by the `Origin` header that browsers send and pages cannot choose.
//! Knows no path: the upgrade and the function calls ask here.

use actix_web::http::header::{self, HeaderMap, HeaderValue};

use crate::config::{Auth, AuthMode, page_origin};

/// The pages that may connect and call functions.
pub(super) struct Origins {
    /// As browsers write them; any page may connect if there are none.
    allowed: Vec<String>,
    /// Whether then any page may call functions as well.
    any_may_call: bool,
}

/// What a request's `Origin` means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every page may, so none needs to be named.
    Any,
    /// This page may: its origin as the browser wrote it.
    Listed(HeaderValue),
    /// There is no `Origin`, so this is no page.
    NoPage,
    /// A page that may not.
    Refused,
    /// A page that may connect, as any may, and no more: for that it would have to be listed, and none is.
    Unlisted,
}

impl Origins {
    /// Those of a configuration.
    pub(super) fn new(auth: &Auth) -> Self {
        Self { allowed: auth.allowed_origins.clone(), any_may_call: auth.mode == AuthMode::None }
    }

    /// Judges a request that is no upgrade. Where tokens are asked for a page has to be listed: one that is not would
    /// have its token from somewhere else.
    pub(super) fn judge_call(&self, headers: &HeaderMap) -> Verdict {
        match self.judge(headers) {
            Verdict::Any if self.any_may_call => Verdict::Any,
            Verdict::Any if headers.contains_key(header::ORIGIN) => Verdict::Unlisted,
            Verdict::Any => Verdict::NoPage,
            verdict => verdict,
        }
    }

    /// Judges an upgrade by its headers.
    pub(super) fn judge(&self, headers: &HeaderMap) -> Verdict {
        if self.allowed.is_empty() {
            return Verdict::Any;
        }
        let mut named = headers.get_all(header::ORIGIN);
        let (Some(origin), None) = (named.next(), named.next()) else {
            // Two say nothing that could be believed.
            return if headers.contains_key(header::ORIGIN) { Verdict::Refused } else { Verdict::NoPage };
        };
        match origin.to_str().ok().and_then(page_origin) {
            Some(known) if self.allowed.contains(&known) => Verdict::Listed(origin.clone()),
            _ => Verdict::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(allowed: &[&str], mode: AuthMode) -> Origins {
        let allowed_origins = allowed.iter().map(|&text| text.to_owned()).collect();
        Origins::new(&Auth { mode, allowed_origins, ..Auth::default() })
    }

    fn headers(origins: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).expect("a header value"));
        }
        headers
    }

    fn judged(allowed: &[&str], origins: &[&str]) -> Verdict {
        of(allowed, AuthMode::None).judge(&headers(origins))
    }

    #[test]
    fn where_tokens_are_asked_for_only_a_listed_page_calls_functions() {
        for origins in [&[][..], &["https://a.example"], &["null"]] {
            assert_eq!(of(&[], AuthMode::None).judge_call(&headers(origins)), Verdict::Any);
            assert_eq!(of(&[], AuthMode::Tokens).judge(&headers(origins)), Verdict::Any, "it may connect");
            let expected = if origins.is_empty() { Verdict::NoPage } else { Verdict::Unlisted };
            assert_eq!(of(&[], AuthMode::Tokens).judge_call(&headers(origins)), expected);
        }
        let listing = of(&["https://a.example"], AuthMode::Tokens);
        assert_eq!(listing.judge_call(&headers(&["https://a.example"])), listed("https://a.example"));
        assert_eq!(listing.judge_call(&headers(&["https://b.example"])), Verdict::Refused);
    }

    fn listed(origin: &str) -> Verdict {
        Verdict::Listed(HeaderValue::from_str(origin).expect("a header value"))
    }

    #[test]
    fn an_empty_list_asks_nobody() {
        for origins in [&[][..], &["https://a.example"], &["null"], &["https://a.example", "x"]] {
            assert_eq!(judged(&[], origins), Verdict::Any);
        }
    }

    #[test]
    fn scheme_host_and_port_decide_and_the_default_port_goes_without_saying() {
        let allowed =
            ["https://shop.example", "http://localhost:3000", "https://b.example", "tauri://localhost"];
        for origin in [
            "https://shop.example",
            "https://shop.example:443",
            "HTTPS://SHOP.example",
            "http://localhost:3000",
            "https://b.example:443",
            "tauri://LOCALHOST",
        ] {
            assert_eq!(judged(&allowed, &[origin]), listed(origin));
        }
        for origin in [
            "http://shop.example",
            "https://shop.example:444",
            "https://shop.example.evil.example",
            "https://evil.example/https://shop.example",
            "https://sub.shop.example",
            "https://shop.example@evil.example",
            "https://user@shop.example",
            "https://shop.example/path",
            "https://shop.example?query",
            "http://localhost",
            "http://127.0.0.1:3000",
            "tauri://localhost:1",
            "null",
            "",
            "*",
            "shop.example",
        ] {
            assert_eq!(judged(&allowed, &[origin]), Verdict::Refused, "{origin}");
        }
    }

    #[test]
    fn a_request_without_an_origin_is_no_pages_and_one_with_two_is_refused() {
        let allowed = ["https://a.example"];
        assert_eq!(judged(&allowed, &[]), Verdict::NoPage);
        assert_eq!(judged(&allowed, &["https://a.example", "https://a.example"]), Verdict::Refused);
    }

    #[test]
    fn an_origin_that_is_no_text_is_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_bytes(b"https://\xff").expect("a header value"));
        let origins = of(&["https://a.example"], AuthMode::None);
        assert_eq!(origins.judge(&headers), Verdict::Refused);
    }
}
