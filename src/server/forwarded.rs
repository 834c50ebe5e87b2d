//! What `Forwarded` (RFC 7239) and `X-Forwarded-For` say, the nearest hop first. Lists are read from their end, where
//! the nearest proxy writes: what somebody further away wrote in front of that cannot change how it is read.
//! Knows nothing of who is trusted.

use std::{
    borrow::Cow,
    iter,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str,
};

use actix_web::http::header::{self, HeaderMap, HeaderName};

/// Whom a proxy had its request from, in its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hop {
    /// Its address; IPv4 is never written as IPv6.
    Address(IpAddr),
    /// The proxy keeps it to itself: `unknown`, a name like `_hidden`, or other words alone.
    Hidden,
    /// An empty place in the list, which says nothing (RFC 9110, section 5.6.1).
    Empty,
    /// No such thing as the header should hold.
    Malformed,
}

/// The hops in `Forwarded`, nearest first.
pub(super) fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    let lines = lines(headers, &header::FORWARDED);
    lines.flat_map(|line| from_the_end(line, b',', is_quote)).map(hop_of_element)
}

/// The hops in `X-Forwarded-For`, nearest first.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    let lines = lines(headers, &header::X_FORWARDED_FOR);
    // It has no quotes, so that one in it is no reason to look for another.
    lines.flat_map(|line| from_the_end(line, b',', |_, _| false)).map(|element| {
        match str::from_utf8(element) {
            Ok("") => Hop::Empty,
            Ok(node) => hop_of_node(node),
            Err(_) => Hop::Malformed,
        }
    })
}

/// The lines of a header, the last one first; together they are one list.
fn lines<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    let lines: Vec<&[u8]> = headers.get_all(name).map(|line| line.as_bytes()).collect();
    lines.into_iter().rev()
}

/// The parts of a line, the last one first, without the space around them.
fn from_the_end(
    line: &[u8],
    separator: u8,
    is_quote: fn(&[u8], usize) -> bool,
) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    iter::from_fn(move || {
        let line = rest?;
        let mut quoted = false;
        let cut = (0..line.len()).rev().find(|&index| {
            quoted ^= is_quote(line, index);
            !quoted && line[index] == separator
        });
        rest = cut.map(|index| &line[..index]);
        Some(line[cut.map_or(0, |index| index + 1)..].trim_ascii())
    })
}

/// Whether a quoted string begins or ends here. After an odd number of backslashes a quote is part of one.
fn is_quote(line: &[u8], index: usize) -> bool {
    let escapes = || line[..index].iter().rev().take_while(|&&byte| byte == b'\\').count();
    line[index] == b'"' && escapes() % 2 == 0
}

fn hop_of_element(element: &[u8]) -> Hop {
    if element.is_empty() {
        return Hop::Empty;
    }
    let mut node = None;
    for pair in from_the_end(element, b';', is_quote).filter(|pair| !pair.is_empty()) {
        let pair = str::from_utf8(pair).ok().and_then(|pair| pair.split_once('='));
        let pair = pair.and_then(|(name, value)| Some((name, unquoted(value)?)));
        let Some((name, value)) = pair else { return Hop::Malformed };
        if name.eq_ignore_ascii_case("for") && node.replace(value).is_some() {
            return Hop::Malformed;
        }
    }
    node.map_or(Hop::Hidden, |node| hop_of_node(&node))
}

/// A value without its quotes. More than the letter allows stands without some, such as `[::1]:80`.
fn unquoted(value: &str) -> Option<Cow<'_, str>> {
    let Some(inner) = value.strip_prefix('"') else {
        let is_plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        return is_plain.then_some(Cow::Borrowed(value));
    };
    let mut text = String::new();
    let mut rest = inner.chars();
    loop {
        match rest.next()? {
            '"' => return rest.as_str().is_empty().then_some(Cow::Owned(text)),
            '\\' => text.push(rest.next()?),
            plain => text.push(plain),
        }
    }
}

/// A node of either header: an address or a word, and perhaps a port. IPv6 without brackets has none.
fn hop_of_node(node: &str) -> Hop {
    if let Ok(address) = node.parse::<IpAddr>() {
        return Hop::Address(address.to_canonical());
    }
    let (name, port) = match node.strip_prefix('[') {
        Some(v6) => match v6.split_once(']') {
            Some((v6, rest)) => match v6.parse::<Ipv6Addr>() {
                Ok(address) if is_port(rest) => return Hop::Address(IpAddr::V6(address).to_canonical()),
                _ => return Hop::Malformed,
            },
            None => return Hop::Malformed,
        },
        None => node.split_at(node.find(':').unwrap_or(node.len())),
    };
    match name.parse::<Ipv4Addr>() {
        _ if !is_port(port) => Hop::Malformed,
        Ok(address) => Hop::Address(IpAddr::V4(address)),
        Err(_) if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) => Hop::Hidden,
        Err(_) => Hop::Malformed,
    }
}

/// What may follow a node: nothing, or a colon and a port, which may be hidden as well.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    let is_number = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    is_number || is_obfuscated(port)
}

fn is_obfuscated(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.strip_prefix('_').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(fits))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(name: &HeaderName, lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(line).expect("a header value"));
        }
        headers
    }

    fn rfc(lines: &[&str]) -> Vec<Hop> {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        forwarded(&headers(&header::FORWARDED, &lines)).collect()
    }

    fn x(lines: &[&str]) -> Vec<Hop> {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        x_forwarded_for(&headers(&header::X_FORWARDED_FOR, &lines)).collect()
    }

    fn at(address: &str) -> Hop {
        Hop::Address(address.parse().expect("an address"))
    }

    #[test]
    fn the_forms_of_rfc_7239() {
        for (element, hop) in [
            ("for=192.0.2.43", at("192.0.2.43")),
            ("For=\"192.0.2.43:4711\"", at("192.0.2.43")),
            ("FOR=\"[2001:db8:cafe::17]\"", at("2001:db8:cafe::17")),
            ("for=\"[2001:db8:cafe::17]:4711\"", at("2001:db8:cafe::17")),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", at("192.0.2.60")),
            ("proto=https; host=\"a,b;c\\\"d\" ;for=192.0.2.60;", at("192.0.2.60")),
            ("for=\"192.0.2.43:_port\"", at("192.0.2.43")),
            ("for=\"\\192.0.2.43\"", at("192.0.2.43")),
            ("for=\"[::ffff:192.0.2.43]\"", at("192.0.2.43")),
            ("for=192.0.2.43:80", at("192.0.2.43")),
            ("for=[::1]:80", at("::1")),
            ("for=unknown", Hop::Hidden),
            ("for=Unknown", Hop::Hidden),
            ("for=\"unknown:4711\"", Hop::Hidden),
            ("for=_gazonk", Hop::Hidden),
            ("for=\"_SEVKISEK-1.a:_2\"", Hop::Hidden),
            ("proto=https;by=10.0.0.1", Hop::Hidden),
        ] {
            assert_eq!(rfc(&[element]), [hop], "{element}");
        }
    }

    #[test]
    fn what_is_no_element_is_malformed() {
        for element in [
            "192.0.2.43",
            "for",
            "for=",
            "for=\"\"",
            "for=\"192.0.2.43",
            "for=192.0.2.43\"",
            "for=\"192.0.2.43\"x",
            "for=\"192.0.2.43\\\"",
            "for=192.0.2.43;for=192.0.2.44",
            "for=192.0.2.43 proto=https",
            "for=192.0.2.256",
            "for=192.0.2",
            "for=\"192.0.2.43:\"",
            "for=\"192.0.2.43:123456\"",
            "for=\"192.0.2.43:http\"",
            "for=\"[2001:db8::1\"",
            "for=\"[2001:db8::1]4711\"",
            "for=\"[192.0.2.43]\"",
            "for=\"fe80::1%eth0\"",
            "for=_",
            "for=_a/b",
            "for=hidden",
            "for=localhost",
        ] {
            assert_eq!(rfc(&[element]), [Hop::Malformed], "{element}");
        }
        let line = headers(&header::FORWARDED, &[b"for=\xff"]);
        assert_eq!(forwarded(&line).collect::<Vec<_>>(), [Hop::Malformed]);
    }

    #[test]
    fn lists_are_read_from_the_end_and_lines_are_one_list() {
        assert_eq!(
            rfc(&[
                "for=10.0.0.1,for=\"10.0.0.2\" , for=unknown",
                "",
                "for=10.0.0.4;by=\"x,y\",, for=10.0.0.5"
            ]),
            [
                at("10.0.0.5"),
                Hop::Empty,
                at("10.0.0.4"),
                Hop::Empty,
                Hop::Hidden,
                at("10.0.0.2"),
                at("10.0.0.1")
            ]
        );
        assert_eq!(
            x(&["10.0.0.1,10.0.0.2:80 , ", "unknown"]),
            [Hop::Hidden, Hop::Empty, at("10.0.0.2"), at("10.0.0.1")]
        );
        assert_eq!(rfc(&[]), []);
        assert_eq!(x(&[]), []);
    }

    #[test]
    fn an_open_quote_further_away_does_not_reach_the_end() {
        for element in ["for=10.0.0.9", "for=\"10.0.0.9:80\"", "for=\"10.0.0.9\";by=\"a\\\"b\""] {
            for before in ["for=\"", "\"", "for=\"\\", "\\", "for=\"a\\\"", "for=\"x\" \"", ";;;\"=,"] {
                let hops = rfc(&[&format!("{before}, {element}")]);
                assert_eq!(hops[0], at("10.0.0.9"), "{before} {element}");
            }
        }
        assert_eq!(x(&["\", 10.0.0.9"]), [at("10.0.0.9"), Hop::Malformed]);
    }

    #[test]
    fn the_older_header_has_addresses_with_and_without_port() {
        for (node, hop) in [
            ("192.0.2.43", at("192.0.2.43")),
            ("192.0.2.43:4711", at("192.0.2.43")),
            ("2001:db8::17", at("2001:db8::17")),
            ("[2001:db8::17]", at("2001:db8::17")),
            ("[2001:db8::17]:4711", at("2001:db8::17")),
            ("::ffff:192.0.2.43", at("192.0.2.43")),
            ("unknown", Hop::Hidden),
            ("", Hop::Empty),
            ("for=192.0.2.43", Hop::Malformed),
            ("\"192.0.2.43\"", Hop::Malformed),
            ("192.0.2.43 192.0.2.44", Hop::Malformed),
            ("192.0.2.043", Hop::Malformed),
            ("a.example", Hop::Malformed),
        ] {
            assert_eq!(x(&[node]), [hop], "{node}");
        }
    }
}
