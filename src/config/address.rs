//! Addresses as the configuration writes them: which URLs, hosts and origins are taken, which are this machine's,
//! and how they are printed. Knows no key; reasons never repeat an address, which may hold a secret.

use std::fmt;

use url::{Host, Url};

use super::EndpointHost;

/// A URL of one of two schemes, with a host and without user name, password or fragment. `forms` is what a URL
/// may begin with in words, `instead` the key that a password belongs in.
pub(super) fn remote(text: &str, schemes: [&str; 2], forms: &str, instead: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is no url: {error}"))?;
    if !schemes.contains(&url.scheme()) {
        return Err(format!("must begin with {forms}, not \"{}:\"", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("must not contain a user name or password, use {instead}"));
    }
    if url.fragment().is_some() {
        return Err("must not contain \"#\"".into());
    }
    if !url.host().is_some_and(|host| is_connectable(&host)) {
        return Err("has a host that is neither a name nor an address".into());
    }
    Ok(url)
}

/// Whether the URL's host is this machine whatever a name server says.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

/// `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`, normalised as the host of a URL is; `None` for anything else.
pub(super) fn endpoint_host(text: &str) -> Option<EndpointHost> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let host = Host::parse(host).ok()?;
    if !is_connectable(&host) {
        return None;
    }
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port > 0)?)
        }
        Some(_) => return None,
    };
    Some(EndpointHost { host, port })
}

/// `SCHEME://HOST` or `SCHEME://HOST:PORT` as browsers write it in `Origin`, in lower case and without the port that
/// goes without saying; `None` for anything else. Pages of extensions and of applications have schemes of their own.
pub(crate) fn page_origin(text: &str) -> Option<String> {
    let (_, authority) = text.split_once("://")?;
    // The parser would take some of these away without a word.
    if authority.contains(|c: char| c.is_whitespace() || c.is_control() || "/\\?#@".contains(c)) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let host = url.host().filter(is_connectable)?;
    if matches!(url.scheme(), "ws" | "wss" | "file" | "ftp") {
        return None;
    }
    // Hosts of schemes that the crate does not know keep their case.
    let host = host.to_string().to_ascii_lowercase();
    Some(match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    })
}

/// A URL in print: values of its query that look like keys are hidden.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((start, query)) = self.0.split_once('?') else { return f.write_str(self.0) };
        write!(f, "{start}?")?;
        for (index, pair) in query.split('&').enumerate() {
            let separator = if index == 0 { "" } else { "&" };
            match pair.split_once('=') {
                Some((name, _)) if is_secret(name) => write!(f, "{separator}{name}=***")?,
                _ => write!(f, "{separator}{pair}")?,
            }
        }
        Ok(())
    }
}

/// Whether a query parameter of this name holds what must not be printed.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if NO_SECRETS.contains(&name.as_str()) {
        return false;
    }
    // The last is where hosted functions take their key.
    SECRET_NAMES.iter().any(|part| name.contains(part)) || name == "code"
}

/// The URL standard lets a name hold almost anything, `*` included, which would be taken for a wildcard.
fn is_connectable<S: AsRef<str>>(host: &Host<S>) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match host {
        Host::Domain(name) => !name.as_ref().is_empty() && name.as_ref().chars().all(fits),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

/// Parts of a query parameter's name that make its value a secret.
const SECRET_NAMES: [&str; 6] = ["key", "token", "secret", "pass", "auth", "sig"];
/// Parameters of Deepgram's transcription that look like one: words to listen for.
const NO_SECRETS: [&str; 2] = ["keyterm", "keywords"];
