//! `server.trusted_proxies`: addresses and networks, each in one spelling.
//! Knows nothing of what proxies say, or of who asks them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::error::ConfigError;
use super::raw::Raw;
use super::reader::Reader;

/// Checks the list.
pub(super) fn trusted_proxies(raw: &Raw, reader: &Reader<'_>) -> Result<Vec<IpNet>, ConfigError> {
    const KEY: &str = "trusted_proxies";
    let entries = reader.list(raw, KEY)?;
    let network = |(index, text): (usize, &String)| {
        network(text).map_err(|reason| reader.error(&format!("{KEY}[{index}]"), reason))
    };
    entries.iter().enumerate().map(network).collect()
}

/// What is allowed but worth a line: whoever is trusted may say that they are anybody.
pub(super) fn whoever(proxies: &[IpNet]) -> Option<String> {
    proxies.iter().any(|network| network.prefix_len() == 0).then(|| {
        "server.trusted_proxies: every address is trusted, so that clients can say where they are themselves"
            .to_owned()
    })
}

fn network(text: &str) -> Result<IpNet, String> {
    let parsed = match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address)),
        Err(_) => text.parse::<IpNet>().ok(),
    };
    let network = parsed.ok_or_else(|| {
        "must be an address or a network, like \"10.0.0.7\", \"10.0.0.0/8\" or \"fd00::/8\"".to_owned()
    })?;
    if network.trunc() != network {
        return Err(format!("has bits set behind its prefix, is {} meant?", network.trunc()));
    }
    Ok(canonical(network))
}

/// IPv4 written as IPv6 is IPv4, as it is where addresses are compared with it.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let prefix = v6.prefix_len().checked_sub(MAPPED_PREFIX);
    let v4 = v6.network().to_ipv4_mapped().zip(prefix);
    v4.and_then(|(v4, prefix)| Ipv4Net::new(v4, prefix).ok()).map_or(network, IpNet::V4)
}

/// What all of IPv4 has in common when it is written as IPv6, bits.
const MAPPED_PREFIX: u8 = 96;
