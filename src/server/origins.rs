//! Which web pages may use the gateway, by the `Origin` header that browsers send and pages cannot choose.
//! Knows no path: the upgrade and the function calls ask here.

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use url::Url;

/// The pages that may connect and call functions.
pub(super) struct Origins {
    /// Any if there are none.
    allowed: Vec<Origin>,
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

/// Scheme, host and port, in lower case and with the port that goes without saying.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origins {
    /// `allowed` are origins as browsers write them, such as `https://shop.example`; any if there are none.
    /// Fails with the reason for the first that is none.
    pub(super) fn parse(allowed: &[String]) -> Result<Self, String> {
        let parsed =
            allowed.iter().map(|text| Origin::parse(text).ok_or_else(|| format!("{text:?} is no origin")));
        Ok(Self { allowed: parsed.collect::<Result<_, _>>()? })
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
        match origin.to_str().ok().and_then(Origin::parse) {
            Some(parsed) if self.allowed.contains(&parsed) => Verdict::Listed(origin.clone()),
            _ => Verdict::Refused,
        }
    }
}

impl Origin {
    /// None for what is no origin: `null`, other text, or an address with more than scheme, host and port.
    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let bare = url.username().is_empty() && url.password().is_none();
        let ends = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let host = url.host_str().filter(|host| !host.is_empty() && bare && ends)?;
        // Those of schemes that the crate does not know keep their case.
        let host = host.to_ascii_lowercase();
        Some(Self { scheme: url.scheme().to_owned(), host, port: url.port_or_known_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(allowed: &[&str], origins: &[&str]) -> Verdict {
        let allowed: Vec<_> = allowed.iter().map(|&text| text.to_owned()).collect();
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).expect("a header value"));
        }
        Origins::parse(&allowed).expect("origins").judge(&headers)
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
            ["https://shop.example", "HTTP://Localhost:3000/", "https://b.example:443", "tauri://LOCALHOST"];
        for origin in [
            "https://shop.example",
            "https://shop.example:443",
            "HTTPS://SHOP.example",
            "http://localhost:3000",
            "https://b.example",
            "tauri://localhost",
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
        let origins = Origins::parse(&["https://a.example".to_owned()]).expect("an origin");
        assert_eq!(origins.judge(&headers), Verdict::Refused);
    }

    #[test]
    fn what_is_no_origin_cannot_be_allowed() {
        for text in ["", "*", "null", "shop.example", "https://shop.example/path", "https://u@shop.example"] {
            let reason = Origins::parse(&[text.to_owned()]).err();
            assert_eq!(reason, Some(format!("{text:?} is no origin")));
        }
    }
}
