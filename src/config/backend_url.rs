//! Where a backend's upstream is, and how that is printed.
//! Knows nothing of how a URL is checked or dialled.

use std::fmt;

use url::Url;

use super::service::AGENT_ENDING;
use super::{ListenVersion, address};

/// Where upstream is. `Display` and `Debug` hide values of the query that look like keys.
#[derive(Clone, PartialEq, Eq)]
pub enum BackendUrl {
    /// A `ws` or `wss` URL with a host, without user name, password or fragment.
    Remote(Url),
    /// Path (and query) on this server's own listener, written `self:/…`.
    SelfPath(String),
}

impl BackendUrl {
    /// Whether audio and keys would cross a network in clear: `ws` to a host other than loopback.
    pub fn is_cleartext_to_others(&self) -> bool {
        let Self::Remote(url) = self else { return false };
        url.scheme() == "ws" && !address::is_loopback(url)
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        match self {
            Self::Remote(url) => url.path(),
            Self::SelfPath(path) => path.split_once('?').map_or(path, |(path, _)| path),
        }
    }

    /// Where Deepgram transcribes if this is where its agent is: `/v1/listen` in the place of
    /// `/v1/agent/converse`, on the host that its public service has for it, without the query.
    pub(super) fn transcription(&self) -> Option<Self> {
        let base = self.path().strip_suffix(AGENT_ENDING)?;
        let path = format!("{base}{}", ListenVersion::V1.ending());
        let Self::Remote(url) = self else { return Some(Self::SelfPath(path)) };
        let mut url = url.clone();
        url.set_path(&path);
        url.set_query(None);
        if url.host_str() == Some("agent.deepgram.com") {
            url.set_host(Some("api.deepgram.com")).expect("a name is a host");
        }
        Some(Self::Remote(url))
    }

    /// Whether the query has a parameter of this name.
    pub fn has_parameter(&self, name: &str) -> bool {
        let query = match self {
            Self::Remote(url) => url.query(),
            Self::SelfPath(path) => path.split_once('?').map(|(_, query)| query),
        };
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).any(|(known, _)| known == name)
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote(url) => write!(f, "{}", address::Shown(url.as_str())),
            Self::SelfPath(path) => write!(f, "self:{}", address::Shown(path)),
        }
    }
}

impl fmt::Debug for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
