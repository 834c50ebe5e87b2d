//! The services of a passed-through backend, and the paths that lead to each.
//! Knows nothing of queries, which may name a service as well, or of how a path is mounted.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::Backend;

/// What the path of a passed-through backend says a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathService {
    /// The Voice Agent.
    Agent,
    /// Transcription, of this version or, where the path names none, of that of
    /// [`transcription_url`](super::Deepgram::transcription_url).
    Transcription(Option<ListenVersion>),
}

/// A version of the transcription API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenVersion {
    /// `/v1/listen`.
    V1,
    /// `/v2/listen`, Flux.
    V2,
}

impl PathService {
    /// What follows a path or alias of a passed-through backend on the further paths that it serves, each with the
    /// service that it means. The last three are what an SDK makes of a base URL.
    pub const ENDINGS: [(&str, Self); 5] = [
        ("/agent", Self::Agent),
        ("/transcription", Self::Transcription(None)),
        (AGENT_ENDING, Self::Agent),
        (ListenVersion::V1.ending(), Self::Transcription(Some(ListenVersion::V1))),
        (ListenVersion::V2.ending(), Self::Transcription(Some(ListenVersion::V2))),
    ];

    /// The service that a path says by its ending; `None` if it says none, which means the agent.
    pub fn of(path: &str) -> Option<Self> {
        Self::ENDINGS.iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, service)| *service)
    }
}

impl ListenVersion {
    /// How the path of this version ends.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::V1 => "/v1/listen",
            Self::V2 => "/v2/listen",
        }
    }

    /// The version whose ending this path has.
    pub fn of_path(path: &str) -> Option<Self> {
        [Self::V1, Self::V2].into_iter().find(|version| path.ends_with(version.ending()))
    }
}

impl Backend {
    /// Every path that leads to this backend, each once: `path`, `aliases` and, if the backend is passed through,
    /// behind each of them that says no service by its own ending the [`PathService::ENDINGS`].
    pub fn served_paths(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let mut known = BTreeSet::new();
        let own = std::iter::once(&self.path).chain(&self.aliases);
        own.flat_map(|path| self.served_by(path)).filter(move |path| known.insert(path.clone()))
    }

    /// What one path or alias of this backend serves: first itself.
    pub(super) fn served_by<'p>(&self, path: &'p str) -> impl Iterator<Item = Cow<'p, str>> {
        let is_base = self.deepgram().is_some() && PathService::of(path).is_none();
        let base = path.trim_end_matches('/');
        let endings = PathService::ENDINGS.into_iter().filter(move |_| is_base);
        let further = endings.map(move |(ending, _)| Cow::Owned(format!("{base}{ending}")));
        std::iter::once(Cow::Borrowed(path)).chain(further)
    }
}

/// How the path of the Voice Agent ends.
pub(super) const AGENT_ENDING: &str = "/v1/agent/converse";

#[cfg(test)]
mod tests {
    use super::super::{BackendKind, BackendUrl, Deepgram};
    use super::*;

    fn served(kind: BackendKind, path: &str, aliases: &[&str]) -> Vec<String> {
        let aliases = aliases.iter().map(ToString::to_string).collect();
        let backend = Backend::new("a", path, BackendUrl::SelfPath("/x".into()));
        let backend = Backend { kind, aliases, ..backend };
        backend.served_paths().map(Cow::into_owned).collect()
    }

    #[test]
    fn a_translated_backend_serves_its_path_and_aliases() {
        let paths = served(BackendKind::OpenaiRealtime, "/a", &["/v1/agent/converse"]);
        assert_eq!(paths, ["/a", "/v1/agent/converse"]);
    }

    #[test]
    fn a_passed_through_backend_serves_every_service_behind_a_path_that_says_none() {
        let kind = || BackendKind::DeepgramAgent(Deepgram::default());
        let of = |base: &str| {
            ["", "/agent", "/transcription", "/v1/agent/converse", "/v1/listen", "/v2/listen"]
                .map(|ending| format!("{base}{ending}"))
                .to_vec()
        };
        assert_eq!(served(kind(), "/dg", &[]), of("/dg"));
        assert_eq!(served(kind(), "/dg", &["/b"]), [of("/dg"), of("/b")].concat());
        assert_eq!(served(kind(), "/dg/", &[])[..2], ["/dg/".to_owned(), "/dg/agent".to_owned()]);
        let listen = ["/v1/listen", "/v2/listen", "/x/transcription", "/v1/agent/converse"];
        assert_eq!(served(kind(), "/dg", &listen), [of("/dg"), listen.map(str::to_owned).to_vec()].concat());
        // Said twice, served once.
        assert_eq!(served(kind(), "/dg", &["/dg/v1/listen"]), of("/dg"));
    }

    #[test]
    fn an_ending_means_a_service() {
        for (path, expected) in [
            ("/dg", None),
            ("/dg-agent", None),
            ("/agent", Some(PathService::Agent)),
            ("/v1/agent/converse", Some(PathService::Agent)),
            ("/x/transcription", Some(PathService::Transcription(None))),
            ("/v1/listen", Some(PathService::Transcription(Some(ListenVersion::V1)))),
            ("/x/v2/listen", Some(PathService::Transcription(Some(ListenVersion::V2)))),
            ("/v3/listen", None),
            ("/v1/listen/", None),
        ] {
            assert_eq!(PathService::of(path), expected, "{path}");
        }
        assert_eq!(ListenVersion::of_path("/x/v2/listen"), Some(ListenVersion::V2));
        assert_eq!(ListenVersion::of_path("/x/agent"), None);
    }
}
