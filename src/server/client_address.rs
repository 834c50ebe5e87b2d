//! Where the client of a request is: at the other end of the connection, or behind proxies that are trusted to say.
//! Knows neither how their headers are written nor what an address is counted for.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Once,
};

use actix_web::{HttpRequest, http::header::HeaderMap, web};
use ipnet::IpNet;

use super::forwarded::{Hop, forwarded, x_forwarded_for};
use crate::logging::Fields;

/// How many entries of a header are looked at.
const MAX_HOPS: usize = 32;

/// The proxies whose word counts.
pub(super) struct TrustedProxies(Vec<IpNet>);

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    peer: Option<SocketAddr>,
    client: IpAddr,
}

/// What one header says of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Address(IpAddr),
    /// That nobody is to know.
    Hidden,
    /// Nothing that can be understood.
    Malformed,
}

impl TrustedProxies {
    /// Those of a configuration.
    pub(super) fn new(networks: &[IpNet]) -> Self {
        Self(networks.to_vec())
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Where the client is; where its proxy does not tell, or not clearly, the proxy's own address. `unclear` is
    /// called in the latter case, with what was not.
    fn client(&self, peer: IpAddr, headers: &HeaderMap, unclear: impl FnOnce(&str)) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return peer;
        }
        let told = match (self.told(forwarded(headers)), self.told(x_forwarded_for(headers))) {
            (None, None) => return peer,
            (Some(one), None) | (None, Some(one)) => one,
            (Some(one), Some(other)) if one == other => one,
            (Some(_), Some(_)) => {
                // A proxy that sets one hands on the client's own words in the other.
                unclear("Forwarded and X-Forwarded-For name different clients");
                return peer;
            }
        };
        match told {
            Told::Address(client) => client,
            Told::Hidden => peer,
            Told::Malformed => {
                unclear("Forwarded or X-Forwarded-For cannot be understood");
                peer
            }
        }
    }

    /// The nearest hop that is no trusted proxy; if all are, the first of them, which is then the client itself.
    fn told(&self, hops: impl Iterator<Item = Hop>) -> Option<Told> {
        let mut told = None;
        for (index, hop) in hops.enumerate() {
            told = match hop {
                _ if index == MAX_HOPS => return Some(Told::Malformed),
                Hop::Empty => told,
                Hop::Address(address) if self.trust(address) => Some(Told::Address(address)),
                Hop::Address(address) => return Some(Told::Address(address)),
                // What stands further away came from somebody who is not known to be trusted.
                Hop::Hidden => return Some(Told::Hidden),
                Hop::Malformed => return Some(Told::Malformed),
            };
        }
        told
    }
}

impl Sender {
    /// That of a request. Without [`TrustedProxies`] among the application's data nobody is trusted.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let peer = request.peer_addr();
        // Who has hung up already has no address any more; such connections share one.
        let Some(address) = peer.map(|peer| peer.ip()) else {
            return Self { peer, client: IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
        };
        let client = match request.app_data::<web::Data<TrustedProxies>>() {
            Some(proxies) => proxies.client(address, request.headers(), |what| warn_once(address, what)),
            None => address.to_canonical(),
        };
        Self { peer, client }
    }

    /// The address that counts; IPv4 is never written as IPv6.
    pub(super) fn client(&self) -> IpAddr {
        self.client
    }

    /// For the log: `peer`, and `client` where that is somebody else.
    pub(super) fn fields(&self) -> Fields {
        let peer = self.peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
        let other = self.peer.filter(|peer| peer.ip().to_canonical() != self.client);
        Fields::default().with("peer", peer).with_some("client", other.map(|_| self.client.to_string()))
    }
}

/// Once, because a client can bring it about as often as it likes.
fn warn_once(proxy: IpAddr, what: &str) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        log::warn!(proxy:% = proxy; "{what}: the address of the proxy counts; this is told once, have it set one and drop the other");
    });
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use actix_web::{
        http::header::{HeaderName, HeaderValue},
        test::TestRequest,
    };
    use proptest::prelude::*;

    use super::*;

    const RFC: &str = "forwarded";
    const X: &str = "x-forwarded-for";
    const PROXY: &str = "10.0.0.1";

    fn proxies() -> TrustedProxies {
        let networks = ["10.0.0.0/8", "fd00::/8", "::1/128"];
        TrustedProxies(networks.map(|network| network.parse().expect("a network")).to_vec())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn headers<'h>(lines: impl IntoIterator<Item = (&'static str, &'h [u8])>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            let Ok(value) = HeaderValue::from_bytes(line) else { continue };
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    /// The client, and whether that was unclear.
    fn client(peer: &str, lines: &[(&'static str, &str)]) -> (IpAddr, bool) {
        let unclear = Cell::new(false);
        let lines = headers(lines.iter().map(|(name, line)| (*name, line.as_bytes())));
        (proxies().client(ip(peer), &lines, |_| unclear.set(true)), unclear.get())
    }

    #[test]
    fn the_nearest_address_that_is_no_proxy_is_the_client() {
        for (lines, expected) in [
            (&[(X, "203.0.113.7")][..], "203.0.113.7"),
            (&[(X, "198.51.100.1, 203.0.113.7, 10.9.9.9")], "203.0.113.7"),
            (&[(X, "198.51.100.1, 203.0.113.7"), (X, "10.9.9.9, fd00::7")], "203.0.113.7"),
            (&[(X, "garbage, 203.0.113.7, ::ffff:10.0.0.3")], "203.0.113.7"),
            (&[(X, "unknown, 203.0.113.7")], "203.0.113.7"),
            (&[(X, "2001:db8::7")], "2001:db8::7"),
            (&[(X, "::ffff:203.0.113.7")], "203.0.113.7"),
            (&[(RFC, "for=198.51.100.1, for=\"203.0.113.7:80\";proto=https, for=10.1.1.1")], "203.0.113.7"),
            (&[(RFC, "for=203.0.113.7"), (X, "203.0.113.7:99")], "203.0.113.7"),
            // A machine of one's own that is a proxy at other times.
            (&[(X, "10.2.2.2, 10.1.1.1")], "10.2.2.2"),
        ] {
            assert_eq!(client(PROXY, lines), (ip(expected), false), "{lines:?}");
        }
        assert_eq!(client("::ffff:10.0.0.1", &[(X, "203.0.113.7")]), (ip("203.0.113.7"), false));
        assert_eq!(client("::1", &[(X, "203.0.113.7")]), (ip("203.0.113.7"), false));
    }

    #[test]
    fn a_proxy_that_does_not_tell_counts_itself() {
        for lines in [
            &[][..],
            &[(X, "")],
            &[(X, " , ,")],
            &[(X, "unknown")],
            &[(X, "198.51.100.1, unknown, 10.1.1.1")],
            &[(RFC, "for=_hidden")],
            &[(RFC, "for=198.51.100.1, for=unknown")],
            &[(RFC, "proto=https")],
            &[(RFC, "for=unknown"), (X, "unknown")],
        ] {
            assert_eq!(client(PROXY, lines), (ip(PROXY), false), "{lines:?}");
        }
    }

    #[test]
    fn headers_that_contradict_each_other_or_are_damaged_count_for_nothing() {
        let through = |proxies: usize| format!("203.0.113.7{}", ", 10.0.0.3".repeat(proxies));
        let (long, too_long) = (through(MAX_HOPS - 1), through(MAX_HOPS));
        for lines in [
            &[(RFC, "for=203.0.113.7"), (X, "203.0.113.8")][..],
            &[(RFC, "for=unknown"), (X, "203.0.113.8")],
            &[(RFC, "proto=https"), (X, "203.0.113.8")],
            &[(RFC, "for=203.0.113.7"), (X, "nonsense")],
            &[(RFC, "nonsense"), (X, "203.0.113.8")],
            &[(RFC, "nonsense"), (X, "nonsense")],
            &[(X, "nonsense")],
            &[(X, "203.0.113.7, nonsense, 10.1.1.1")],
            &[(RFC, "for=203.0.113.7\"")],
            &[(X, &too_long)],
        ] {
            assert_eq!(client(PROXY, lines), (ip(PROXY), true), "{lines:?}");
        }
        assert_eq!(client(PROXY, &[(X, &long)]), (ip("203.0.113.7"), false));
    }

    #[test]
    fn a_sender_is_shown_with_its_client_where_that_is_somebody_else() {
        let shown = |peer: Option<&str>| {
            let request = TestRequest::default().app_data(web::Data::new(proxies()));
            let request = request.insert_header((X, "203.0.113.7"));
            let request = match peer {
                Some(peer) => request.peer_addr(peer.parse().expect("an address with a port")),
                None => request,
            };
            Sender::of(&request.to_http_request()).fields().to_string()
        };
        assert_eq!(shown(Some("10.0.0.1:80")), "peer=10.0.0.1:80 client=203.0.113.7");
        assert_eq!(shown(Some("192.0.2.1:80")), "peer=192.0.2.1:80");
        assert_eq!(shown(Some("[::ffff:192.0.2.1]:80")), r#"peer="[::ffff:192.0.2.1]:80""#);
        assert_eq!(shown(None), "peer=-");
    }

    /// Bytes that look like a header's value and those that do not.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b",".to_vec()),
            Just(b"for=".to_vec()),
            Just(b"\"".to_vec()),
            Just(b"\\".to_vec()),
            Just(b";".to_vec()),
            Just(b"[2001:db8::1]:80".to_vec()),
            Just(b"203.0.113.9".to_vec()),
            Just(b"10.0.0.9".to_vec()),
            Just(b"unknown".to_vec()),
            Just(b"_x".to_vec()),
            prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    fn some_lines() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
        prop::collection::vec((prop::sample::select(vec![RFC, X]), line()), 0..4)
    }

    fn borrowed<'l>(lines: &'l [(&'static str, Vec<u8>)]) -> impl Iterator<Item = (&'static str, &'l [u8])> {
        lines.iter().map(|(name, line)| (*name, &line[..]))
    }

    proptest! {
        #[test]
        fn the_headers_of_one_who_is_not_trusted_never_matter(lines in some_lines(), peer in any::<[u8; 4]>()) {
            let peer = IpAddr::from(peer);
            prop_assume!(!proxies().trust(peer));
            let unclear = |what: &str| panic!("{what}");
            prop_assert_eq!(proxies().client(peer, &headers(borrowed(&lines)), unclear), peer);
        }

        #[test]
        fn whatever_stands_left_of_the_nearest_one_it_is_the_client(
            before in some_lines(),
            start in line(),
            nearest in any::<[u8; 4]>(),
            proxies_behind in 0_usize..5,
            named in prop::sample::select(vec![RFC, X]),
        ) {
            let nearest = IpAddr::from(nearest);
            prop_assume!(!proxies().trust(nearest));
            // The other header is not there: with both, they have to say the same.
            let before = before.into_iter().filter(|(name, _)| *name == named);
            let node = |address: IpAddr| if named == RFC { format!("for=\"{address}:1\"") } else { address.to_string() };
            let behind = format!(",{}", node(ip("10.3.3.3"))).repeat(proxies_behind);
            let start: Vec<u8> = start.into_iter().filter(|byte| *byte == b'\t' || (b' '..127).contains(byte)).collect();
            let last = [&start[..], b",", node(nearest).as_bytes(), behind.as_bytes()].concat();
            let lines: Vec<_> = before.chain([(named, last)]).collect();
            let unclear = |what: &str| panic!("{what}");
            prop_assert_eq!(proxies().client(ip(PROXY), &headers(borrowed(&lines)), unclear), nearest);
        }

        #[test]
        fn any_bytes_give_some_address(lines in some_lines()) {
            let lines = headers(borrowed(&lines));
            let mut unclear = false;
            let client = proxies().client(ip(PROXY), &lines, |_| unclear = true);
            prop_assert!(!unclear || client == ip(PROXY));
        }
    }
}
