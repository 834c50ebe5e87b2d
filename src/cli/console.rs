//! What the program says of its console at start: where a browser finds it, and whether it may connect from there.
//! Knows nothing of the page, nor of the names by which a proxy in front may serve it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::page_origin;

/// Where a browser on this machine finds the console of a listener.
pub(super) fn url(scheme: &str, listener: SocketAddr) -> String {
    format!("{scheme}://{}/", reached_at(listener))
}

/// Where a client on this machine finds a listener.
pub(super) fn reached_at(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        // Any address will do; browsers give the microphone to pages of this one, and certificates may be for it.
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        _ => return listener,
    };
    SocketAddr::new(ip, listener.port())
}

/// The origin that the console has there, if pages have to be of a listed origin and it is not. Nothing where the listener has
/// every address of the machine: then nobody knows by which name it is reached.
pub(super) fn unlisted_origin(
    scheme: &str,
    listener: SocketAddr,
    allowed_origins: &[String],
) -> Option<String> {
    if allowed_origins.is_empty() || listener.ip().is_unspecified() {
        return None;
    }
    // An address with a zone, which has no place in a URL, gives none.
    let origin = page_origin(&format!("{scheme}://{listener}"))?;
    (!allowed_origins.contains(&origin)).then_some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_browser_is_sent_to_an_address_that_it_can_connect_to() {
        for (listener, expected) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("192.0.2.1:80", "http://192.0.2.1:80/"),
            ("[::1]:8080", "http://[::1]:8080/"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080/"),
            ("[::]:8080", "http://[::1]:8080/"),
        ] {
            assert_eq!(url("http", address(listener)), expected);
        }
    }

    #[test]
    fn an_origin_that_is_not_listed_is_told_where_it_is_known() {
        let listed = |origins: &[&str]| origins.iter().map(|&origin| origin.to_owned()).collect::<Vec<_>>();
        let of =
            |scheme, listener, origins: &[&str]| unlisted_origin(scheme, address(listener), &listed(origins));
        assert_eq!(of("http", "127.0.0.1:8080", &[]), None, "every page may connect");
        let shop = "https://shop.example";
        assert_eq!(of("http", "127.0.0.1:8080", &[shop]).as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(of("http", "127.0.0.1:8080", &[shop, "http://127.0.0.1:8080"]), None);
        for other in ["http://localhost:8080", "https://127.0.0.1:8080", "http://127.0.0.1"] {
            assert!(of("http", "127.0.0.1:8080", &[other]).is_some(), "{other} is another one");
        }
        assert_eq!(of("https", "192.0.2.1:443", &["https://192.0.2.1"]), None, "as browsers write it");
        assert_eq!(of("http", "[::1]:8080", &["http://[::1]:8080"]), None);
        for unknown in ["0.0.0.0:8080", "[::]:8080", "[fe80::1%2]:8080"] {
            assert_eq!(of("http", unknown, &[shop]), None, "{unknown}");
        }
    }
}
