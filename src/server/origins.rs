//! Which web pages may use the gateway, by the `Origin` header that browsers send and pages cannot choose.
//! Knows no path: the upgrade and the function calls ask here.

use actix_web::http::header::{self, HeaderMap, HeaderValue};

use crate::config::page_origin;

/// The pages that may connect and call functions.
pub(super) struct Origins {
    /// As browsers write them; any page may if there are none.
    allowed: Vec<String>,
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
}

impl Origins {
    /// `allowed` are origins as the configuration has checked them; any page may if there are none.
    pub(super) fn new(allowed: Vec<String>) -> Self {
        Self { allowed }
    }

    /// Judges a request by its headers.
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

    fn judged(allowed: &[&str], origins: &[&str]) -> Verdict {
        let allowed = allowed.iter().map(|&text| text.to_owned()).collect();
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).expect("a header value"));
        }
        Origins::new(allowed).judge(&headers)
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
        let origins = Origins::new(vec!["https://a.example".to_owned()]);
        assert_eq!(origins.judge(&headers), Verdict::Refused);
    }
}
