//! Which addresses an endpoint of a client's may have: those of the public internet, and those that the
//! configuration names. Knows nothing of names and how they are looked up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Host;

use crate::config::EndpointHost;

/// Whether an endpoint of a client's may be at `address`: it is public, or `allowed` names it literally.
pub(super) fn may_be_called(address: SocketAddr, allowed: &[EndpointHost]) -> bool {
    let ip = address.ip().to_canonical();
    let is_named = |entry: &EndpointHost| {
        let named = match entry.host {
            Host::Domain(_) => return false,
            Host::Ipv4(named) => IpAddr::V4(named),
            Host::Ipv6(named) => IpAddr::V6(named).to_canonical(),
        };
        named == ip && entry.port.is_none_or(|port| port == address.port())
    };
    is_public(ip) || allowed.iter().any(is_named)
}

/// Whether `address` belongs to somebody on the public internet, by IANA's registries of special addresses.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|block| block.contains(address)),
        IpAddr::V6(address) => match embedded(address) {
            Some(address) => is_public(IpAddr::V4(address)),
            None => GLOBAL_V6.contains(address) && !SPECIAL_V6.iter().any(|block| block.contains(address)),
        },
    }
}

/// The IPv4 address that a packet to `address` ends up at, whatever network it is sent from.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    (V4_MAPPED.contains(address) || NAT64.contains(address)).then_some(Ipv4Addr::new(a, b, c, d))
}

/// The addresses that begin with the first `length` bits of `start`.
struct Block<A> {
    start: A,
    length: u32,
}

impl Block<Ipv4Addr> {
    const fn v4([a, b, c, d]: [u8; 4], length: u32) -> Self {
        Self { start: Ipv4Addr::new(a, b, c, d), length }
    }

    fn contains(&self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.start.to_bits()).leading_zeros() >= self.length
    }
}

impl Block<Ipv6Addr> {
    const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], length: u32) -> Self {
        Self { start: Ipv6Addr::new(a, b, c, d, e, f, g, h), length }
    }

    fn contains(&self, address: Ipv6Addr) -> bool {
        (address.to_bits() ^ self.start.to_bits()).leading_zeros() >= self.length
    }
}

const SPECIAL_V4: [Block<Ipv4Addr>; 15] = [
    Block::v4([0, 0, 0, 0], 8), // this network: RFC 791; 0.0.0.0 reaches the host itself
    Block::v4([10, 0, 0, 0], 8), // private: RFC 1918
    Block::v4([100, 64, 0, 0], 10), // shared by a carrier's customers: RFC 6598
    Block::v4([127, 0, 0, 0], 8), // loopback: RFC 1122
    Block::v4([169, 254, 0, 0], 16), // link-local, and the metadata of clouds: RFC 3927
    Block::v4([172, 16, 0, 0], 12), // private: RFC 1918
    Block::v4([192, 0, 0, 0], 24), // protocol assignments: RFC 6890
    Block::v4([192, 0, 2, 0], 24), // documentation: RFC 5737
    Block::v4([192, 88, 99, 0], 24), // relays of 6to4: RFC 7526
    Block::v4([192, 168, 0, 0], 16), // private: RFC 1918
    Block::v4([198, 18, 0, 0], 15), // benchmarks: RFC 2544
    Block::v4([198, 51, 100, 0], 24), // documentation: RFC 5737
    Block::v4([203, 0, 113, 0], 24), // documentation: RFC 5737
    Block::v4([224, 0, 0, 0], 4), // multicast: RFC 5771
    Block::v4([240, 0, 0, 0], 4), // reserved: RFC 1112; broadcast: RFC 919
];

/// All that is given to anybody so far: RFC 4291. Outside are, among others, the unspecified and the loopback
/// address, IPv4-compatible ones (RFC 4291), IPv4-translated ones (RFC 7915), NAT64 of a network's own
/// (64:ff9b:1::/48, RFC 8215), the discard prefix (RFC 6666), unique local (RFC 4193), link-local, site-local
/// (RFC 3879) and multicast ones.
const GLOBAL_V6: Block<Ipv6Addr> = Block::v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const SPECIAL_V6: [Block<Ipv6Addr>; 4] = [
    Block::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments, Teredo and ORCHID: RFC 2928, 4380, 7343
    Block::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation: RFC 3849
    Block::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4, any IPv4 address inside: RFC 3056, 7526
    Block::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation: RFC 9637
];

/// IPv4 in the clothes of IPv6: RFC 4291.
const V4_MAPPED: Block<Ipv6Addr> = Block::v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96);

/// IPv4 as a network without it sees it: RFC 6052.
const NAT64: Block<Ipv6Addr> = Block::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

#[cfg(test)]
mod tests {
    use super::*;

    /// First and last address of each block, and the neighbours outside of it.
    #[test]
    fn what_is_public() {
        for (address, expected) in [
            ("0.0.0.0", false),
            ("0.255.255.255", false),
            ("1.0.0.0", true),
            ("9.255.255.255", true),
            ("10.0.0.0", false),
            ("10.255.255.255", false),
            ("11.0.0.0", true),
            ("100.63.255.255", true),
            ("100.64.0.0", false),
            ("100.127.255.255", false),
            ("100.128.0.0", true),
            ("126.255.255.255", true),
            ("127.0.0.1", false),
            ("127.255.255.255", false),
            ("128.0.0.0", true),
            ("169.253.255.255", true),
            ("169.254.0.0", false),
            ("169.254.169.254", false),
            ("169.254.255.255", false),
            ("169.255.0.0", true),
            ("172.15.255.255", true),
            ("172.16.0.0", false),
            ("172.31.255.255", false),
            ("172.32.0.0", true),
            ("191.255.255.255", true),
            ("192.0.0.0", false),
            ("192.0.0.255", false),
            ("192.0.1.0", true),
            ("192.0.1.255", true),
            ("192.0.2.0", false),
            ("192.0.2.255", false),
            ("192.0.3.0", true),
            ("192.88.98.255", true),
            ("192.88.99.0", false),
            ("192.88.99.255", false),
            ("192.88.100.0", true),
            ("192.167.255.255", true),
            ("192.168.0.0", false),
            ("192.168.255.255", false),
            ("192.169.0.0", true),
            ("198.17.255.255", true),
            ("198.18.0.0", false),
            ("198.19.255.255", false),
            ("198.20.0.0", true),
            ("198.51.99.255", true),
            ("198.51.100.0", false),
            ("198.51.100.255", false),
            ("198.51.101.0", true),
            ("203.0.112.255", true),
            ("203.0.113.0", false),
            ("203.0.113.255", false),
            ("203.0.114.0", true),
            ("223.255.255.255", true),
            ("224.0.0.0", false),
            ("239.255.255.255", false),
            ("240.0.0.0", false),
            ("255.255.255.255", false),
            ("8.8.8.8", true),
            ("::", false),
            ("::1", false),
            ("::8.8.8.8", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("::ffff:0:8.8.8.8", false),
            ("64:ff9b::127.0.0.1", false),
            ("64:ff9b::169.254.169.254", false),
            ("64:ff9b::8.8.8.8", true),
            ("64:ff9b:0:0:0:1:808:808", false),
            ("64:ff9b:1::8.8.8.8", false),
            ("100::1", false),
            ("1fff:ffff::", false),
            ("2000::", true),
            ("2000:ffff::", true),
            ("2001::7f00:1", false),
            ("2001:0:808:808::1", false),
            ("2001:2::1", false),
            ("2001:10::1", false),
            ("2001:20::1", false),
            ("2001:1ff:ffff::", false),
            ("2001:200::", true),
            ("2001:db7:ffff::", true),
            ("2001:db8::1", false),
            ("2001:db8:ffff::", false),
            ("2001:db9::", true),
            ("2001:4860:4860::8888", true),
            ("2002:7f00:1::", false),
            ("2002:808:808::1", false),
            ("2003::", true),
            ("3ffe:ffff::", true),
            ("3fff::1", false),
            ("3fff:fff:ffff::", false),
            ("3fff:1000::", true),
            ("4000::", false),
            ("5f00::1", false),
            ("fbff::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("fe80::1", false),
            ("febf::1", false),
            ("fec0::1", false),
            ("feff::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().expect(address)), expected, "{address}");
        }
    }

    #[test]
    fn an_address_that_is_not_public_must_be_named_literally() {
        let entry = |host: &str, port| EndpointHost { host: Host::parse(host).expect(host), port };
        let allowed = [entry("localhost", None), entry("10.0.0.1", None), entry("[fd00::1]", Some(8443))];
        for (address, expected) in [
            ("127.0.0.1:80", false),
            ("10.0.0.1:80", true),
            ("10.0.0.1:8080", true),
            ("10.0.0.2:80", false),
            ("[::ffff:10.0.0.1]:80", true),
            ("[64:ff9b::10.0.0.1]:80", false),
            ("[fd00::1]:8443", true),
            ("[fd00::1]:443", false),
            ("8.8.8.8:443", true),
        ] {
            assert_eq!(may_be_called(address.parse().expect(address), &allowed), expected, "{address}");
        }
    }
}
