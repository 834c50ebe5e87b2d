//! Where a connection goes: the URL to dial, from the backend's configuration, the path that the client came by and
//! its query. Knows no socket and no header.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Url, form_urlencoded};

use crate::{
    actors::Destination,
    config::{Backend, BackendKind, BackendUrl, Deepgram, ListenVersion, PathService},
    gate::Service,
};

/// The destinations of one backend.
pub(super) enum Destinations {
    /// The same for every client.
    Translated(Place),
    PassedThrough(Box<Deepgrams>),
}

/// Deepgram's URLs, with what the configuration has in their queries.
pub(super) struct Deepgrams {
    agent: Place,
    /// The URL that is configured for transcription, and its version.
    transcription: Option<(Place, ListenVersion)>,
    query_defaults: Vec<(String, String)>,
}

/// A configured URL as it is dialled.
#[derive(Clone)]
pub(super) struct Place {
    url: Url,
    /// Whether it is at our own listener.
    own: bool,
}

/// Where our own listener is to be reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    address: SocketAddr,
    tls: bool,
}

impl Own {
    /// The listener that is bound to `bound`, with or without TLS.
    pub(super) fn new(bound: SocketAddr, tls: bool) -> Self {
        let ip = match bound.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        Self { address: SocketAddr::new(ip, bound.port()), tls }
    }

    /// The address to dial.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Why a client that asks for a service has come to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoService {
    /// `service` is neither `agent` nor `transcription`.
    Unknown,
    /// The backend transcribes nothing.
    NoTranscription,
}

impl Destinations {
    /// Those of `backend`; `own` is where this server listens.
    pub(super) fn new(backend: &Backend, own: Own) -> Self {
        match &backend.kind {
            BackendKind::OpenaiRealtime => {
                let Place { url, own } = Place::of(&backend.url, own);
                Self::Translated(Place { url: with_model(url, backend), own })
            }
            BackendKind::DeepgramAgent(deepgram) => {
                let Deepgram { transcription_url, query_defaults, .. } = deepgram;
                let transcription = transcription_url.as_ref().map(|url| {
                    let place = Place::of(url, own);
                    let version = ListenVersion::of_path(place.url.path()).unwrap_or(ListenVersion::V1);
                    (place, version)
                });
                Self::PassedThrough(Box::new(Deepgrams {
                    agent: Place::of(&backend.url, own),
                    transcription,
                    query_defaults: query_defaults.clone(),
                }))
            }
        }
    }

    /// Where a client goes that came by this path with this query.
    pub(super) fn of(&self, path: &str, query: &str) -> Result<Destination, NoService> {
        match self {
            Self::Translated(place) => Ok(place.destination(None)),
            Self::PassedThrough(deepgrams) => deepgrams.of(path, query),
        }
    }
}

impl Deepgrams {
    fn of(&self, path: &str, query: &str) -> Result<Destination, NoService> {
        let of_path = PathService::of(path);
        let named = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "service").last();
        let wanted = match (named.as_ref().map(|(_, service)| &**service), of_path) {
            (Some("agent"), _) | (None, None) => PathService::Agent,
            (Some("transcription"), Some(version @ PathService::Transcription(_))) => version,
            (Some("transcription"), _) => PathService::Transcription(None),
            (Some(_), _) => return Err(NoService::Unknown),
            (None, Some(service)) => service,
        };
        let mut parameters: Vec<&str> =
            query.split('&').filter(|parameter| is_upstreams(parameter)).collect();
        let version = match wanted {
            PathService::Agent => {
                let place = self.agent.clone().map(|url| with_query(url, &parameters));
                return Ok(place.destination(Some(Service::Agent)));
            }
            PathService::Transcription(version) => version,
        };
        let (place, configured) = self.transcription.as_ref().ok_or(NoService::NoTranscription)?;
        let version = version.unwrap_or(*configured);
        // The other version has other parameters.
        let defaults = if version == *configured { &self.query_defaults[..] } else { &[] };
        let left_out =
            defaults.iter().filter(|(name, _)| !parameters.iter().any(|one| name_of(one) == *name));
        let encoded = |(name, value): &(String, String)| {
            form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
        };
        let added: Vec<String> = left_out.map(encoded).collect();
        parameters.extend(added.iter().map(String::as_str));
        let place = place.clone().map(|url| with_query(of_version(url, version), &parameters));
        Ok(place.destination(Some(Service::Transcription(version))))
    }
}

/// Whether a parameter of the client goes upstream. The others are the gateway's own: what a client asks for, who it
/// is, and what it calls its connection.
fn is_upstreams(parameter: &str) -> bool {
    !parameter.is_empty() && !["service", "token", "traceId"].contains(&&*name_of(parameter))
}

/// The name of a parameter, whichever way it is written.
fn name_of(parameter: &str) -> String {
    let mut pairs = form_urlencoded::parse(parameter.as_bytes());
    pairs.next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// The parameters as they are written, behind those that the URL has.
fn with_query(mut url: Url, parameters: &[&str]) -> Url {
    let own = url.query().filter(|query| !query.is_empty());
    let all: Vec<&str> = own.into_iter().chain(parameters.iter().copied()).collect();
    let query = all.join("&");
    url.set_query((!query.is_empty()).then_some(&query));
    url
}

/// The same place in another version, if its path says one at all.
fn of_version(mut url: Url, version: ListenVersion) -> Url {
    let other = ListenVersion::of_path(url.path()).filter(|other| *other != version);
    if let Some(base) = other.and_then(|other| url.path().strip_suffix(other.ending())) {
        let path = format!("{base}{}", version.ending());
        url.set_path(&path);
    }
    url
}

impl Place {
    /// A configured URL: `self:` is our own listener. What dials it there needs no name, and with TLS an IPv6 address
    /// could not stand for one.
    fn of(url: &BackendUrl, own: Own) -> Self {
        let path = match url {
            BackendUrl::Remote(url) => return Self { url: url.clone(), own: false },
            BackendUrl::SelfPath(path) => path,
        };
        let url = match own {
            Own { address, tls: false } => format!("ws://{address}{path}"),
            Own { address, tls: true } => format!("wss://localhost:{}{path}", address.port()),
        };
        let url = Url::parse(&url).expect("the configuration has checked the path");
        Self { url, own: true }
    }

    fn map(self, change: impl FnOnce(Url) -> Url) -> Self {
        Self { url: change(self.url), ..self }
    }

    fn destination(&self, service: Option<Service>) -> Destination {
        Destination { url: self.url.to_string(), own: self.own, service }
    }
}

/// The model goes into the query unless the configured URL names one.
fn with_model(mut url: Url, backend: &Backend) -> Url {
    let named = url.query_pairs().any(|(name, _)| name == "model" || name == "deployment");
    if let Some(model) = backend.model.as_deref().filter(|_| !named) {
        url.query_pairs_mut().append_pair("model", model);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(backend: &Backend, own: &str, path: &str, query: &str) -> Result<Destination, NoService> {
        let own = Own::new(own.parse().expect("a socket address"), false);
        Destinations::new(backend, own).of(path, query)
    }

    fn remote(url: &str) -> BackendUrl {
        BackendUrl::Remote(url.parse().expect("a url"))
    }

    fn translated(url: BackendUrl, own: &str) -> String {
        let mut backend = Backend::new("b", "/b", url);
        backend.model = Some("m".to_owned());
        let Destination { url, service, own: _ } =
            of(&backend, own, "/b", "service=agent&model=x").expect("one for all");
        assert_eq!(service, None);
        url
    }

    #[test]
    fn the_model_goes_into_the_query_unless_the_url_names_one() {
        let own = "127.0.0.1:80";
        for (url, expected) in [
            ("ws://h/v1", "ws://h/v1?model=m"),
            ("wss://h", "wss://h/?model=m"),
            ("ws://h/v1?a=b", "ws://h/v1?a=b&model=m"),
            ("ws://h/v1?model=other", "ws://h/v1?model=other"),
            ("ws://h/v1?api-version=1&deployment=d", "ws://h/v1?api-version=1&deployment=d"),
        ] {
            assert_eq!(translated(remote(url), own), expected);
        }
    }

    #[test]
    fn self_is_the_own_listener_on_loopback() {
        let of = |own| translated(BackendUrl::SelfPath("/sim/openai".to_owned()), own);
        assert_eq!(of("127.0.0.1:8080"), "ws://127.0.0.1:8080/sim/openai?model=m");
        assert_eq!(of("0.0.0.0:81"), "ws://127.0.0.1:81/sim/openai?model=m");
        assert_eq!(of("[::]:82"), "ws://[::1]:82/sim/openai?model=m");
        assert_eq!(of("10.1.2.3:83"), "ws://10.1.2.3:83/sim/openai?model=m");
    }

    #[test]
    fn with_tls_self_needs_no_name_and_what_is_elsewhere_stays_as_it_is() {
        let at = |url: BackendUrl, own: &str| {
            let own = Own::new(own.parse().expect("a socket address"), true);
            let backend = Backend { model: None, ..Backend::new("b", "/b", url) };
            let to = Destinations::new(&backend, own).of("/b", "").expect("one for all");
            (to.url, to.own, own.address().to_string())
        };
        for (bound, dialled) in
            [("0.0.0.0:81", "127.0.0.1:81"), ("[::]:81", "[::1]:81"), ("10.1.2.3:81", "10.1.2.3:81")]
        {
            let own = at(BackendUrl::SelfPath("/sim/openai".to_owned()), bound);
            assert_eq!(own, ("wss://localhost:81/sim/openai".to_owned(), true, dialled.to_owned()));
        }
        assert!(!at(remote("wss://localhost:81/a"), "127.0.0.1:81").1);
        let mut backend = deepgram(None, &[]);
        let BackendKind::DeepgramAgent(deepgram) = &mut backend.kind else { unreachable!("it is one") };
        deepgram.transcription_url = Some(BackendUrl::SelfPath("/v1/listen".to_owned()));
        let of = |path| {
            let own = Own::new("[::]:81".parse().expect("a socket address"), true);
            Destinations::new(&backend, own).of(path, "").map(|to| (to.url, to.own))
        };
        assert_eq!(of("/dg"), Ok(("wss://h/v1/agent/converse".to_owned(), false)));
        assert_eq!(of("/v2/listen"), Ok(("wss://localhost:81/v2/listen".to_owned(), true)));
    }

    fn deepgram(transcription: Option<&str>, query_defaults: &[(&str, &str)]) -> Backend {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let deepgram = Deepgram {
            transcription_url: transcription.map(remote),
            query_defaults: query_defaults.iter().map(pair).collect(),
            ..Deepgram::default()
        };
        let backend = Backend::new("dg", "/dg", remote("wss://h/v1/agent/converse"));
        Backend { kind: BackendKind::DeepgramAgent(deepgram), ..backend }
    }

    #[test]
    fn the_query_and_then_the_path_say_the_service() {
        const AGENT: (&str, Service) = ("wss://h/v1/agent/converse", Service::Agent);
        const V1: (&str, Service) = ("wss://h/v1/listen", Service::Transcription(ListenVersion::V1));
        const V2: (&str, Service) = ("wss://h/v2/listen", Service::Transcription(ListenVersion::V2));
        let backend = deepgram(Some("wss://h/v1/listen"), &[]);
        for (path, query, (url, service)) in [
            ("/dg", "", AGENT),
            ("/dg", "service=agent", AGENT),
            ("/dg", "service=transcription", V1),
            // The component puts its own behind what the page's URL has.
            ("/dg", "service=agent&service=transcription", V1),
            ("/dg/transcription", "", V1),
            ("/dg/agent", "", AGENT),
            ("/dg/agent", "service=transcription", V1),
            ("/v1/listen", "", V1),
            ("/v2/listen", "", V2),
            ("/v2/listen", "service=transcription", V2),
            ("/v2/listen", "service=agent", AGENT),
            ("/dg/v1/agent/converse", "", AGENT),
        ] {
            let expected = Destination { url: url.to_owned(), own: false, service: Some(service) };
            assert_eq!(of(&backend, "127.0.0.1:80", path, query), Ok(expected), "{path}?{query}");
        }
        let unknown = of(&backend, "127.0.0.1:80", "/dg", "service=speech");
        assert_eq!(unknown, Err(NoService::Unknown));
        let none = of(&deepgram(None, &[]), "127.0.0.1:80", "/dg/transcription", "");
        assert_eq!(none, Err(NoService::NoTranscription));
    }

    fn query(backend: &Backend, path: &str, query: &str) -> String {
        let url = of(backend, "127.0.0.1:80", path, query).expect("a service").url;
        url.split_once('?').map_or(String::new(), |(_, query)| query.to_owned())
    }

    #[test]
    fn a_client_s_parameters_go_upstream_as_they_are_written() {
        let backend = deepgram(Some("wss://h/v1/listen?mip_opt_out=true"), &[("model", "nova-3")]);
        for (given, expected) in [
            ("", "mip_opt_out=true&model=nova-3"),
            (
                "model=nova-2&keyterm=b&keyterm=a%20b&x=1+2",
                "mip_opt_out=true&model=nova-2&keyterm=b&keyterm=a%20b&x=1+2",
            ),
            ("token=t&a=1&traceId=i&service=transcription&tok%65n=t", "mip_opt_out=true&a=1&model=nova-3"),
            ("&&mod%65l=&tokens=1&", "mip_opt_out=true&mod%65l=&tokens=1"),
        ] {
            assert_eq!(query(&backend, "/v1/listen", given), expected, "{given}");
        }
        assert_eq!(query(&backend, "/dg", "token=t&a=1"), "a=1", "an agent has no defaults");
        assert_eq!(query(&backend, "/dg", "token=t"), "");
        assert_eq!(query(&backend, "/v2/listen", "a=1"), "mip_opt_out=true&a=1", "nor has another version");
    }

    #[test]
    fn a_url_that_names_no_version_is_left_alone() {
        let backend = deepgram(Some("wss://h/listen"), &[]);
        let at = |path| of(&backend, "127.0.0.1:80", path, "").map(|to| (to.url, to.service));
        let v2 = Service::Transcription(ListenVersion::V2);
        assert_eq!(at("/v2/listen"), Ok(("wss://h/listen".to_owned(), Some(v2))));
    }
}
