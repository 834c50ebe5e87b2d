//! The paths on which the simulator is reached, the credentials they ask for, and the parameters they are given
//! ("Voice Agent protocol, Connection"). Knows nothing of sessions or of what the parameters mean.

use actix_web::http::{
    StatusCode,
    header::{AUTHORIZATION, HeaderMap, SEC_WEBSOCKET_PROTOCOL},
};
use url::form_urlencoded;

use super::options::Options;

/// A path of the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The Voice Agent.
    Agent,
    /// Transcription.
    ListenV1,
    /// Transcription with turns.
    ListenV2,
}

/// What a connection asked for.
#[derive(Debug)]
pub(super) struct Visit {
    /// The query's names and values in their order, less those of options.
    pub(super) parameters: Vec<(String, String)>,
    /// The word to echo, if the client offered subprotocols.
    pub(super) scheme: Option<&'static str>,
    pub(super) options: Options,
}

/// Why a connection is not upgraded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// For people, in `dg-error`.
    pub(super) message: String,
}

impl Refusal {
    /// 400: a parameter is missing, unknown or bad.
    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }
}

impl Door {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Agent, Self::ListenV1, Self::ListenV2];

    /// Where it is.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Agent => "/sim/deepgram/v1/agent/converse",
            Self::ListenV1 => "/sim/deepgram/v1/listen",
            Self::ListenV2 => "/sim/deepgram/v2/listen",
        }
    }

    /// Reads an upgrade's query and headers; `options` are those of the configuration. The parameters of
    /// transcription are left to its session.
    ///
    /// # Errors
    /// The key is missing or wrong, or a parameter of the agent is unknown, or an option is bad.
    pub(super) fn admit(
        self,
        query: &str,
        headers: &HeaderMap,
        mut options: Options,
    ) -> Result<Visit, Refusal> {
        let mut parameters = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match options.set(&name, &value) {
                Some(Ok(())) => {}
                Some(Err(why)) => {
                    return Err(Refusal::parameter(format!("simulator option {name} = \"{value}\": {why}")));
                }
                None => parameters.push((name.into_owned(), value.into_owned())),
            }
        }
        let offered = offered(headers);
        check(in_header(headers).or_else(|| offered.clone()), &options)?;
        if self == Self::Agent
            && let Some((name, _)) = parameters.first()
        {
            return Err(Refusal::parameter(format!("unknown query parameter {name}")));
        }
        Ok(Visit { parameters, scheme: offered.map(|offered| offered.scheme.word()), options })
    }
}

/// What a client shows at the door.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Credential {
    scheme: Scheme,
    secret: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// An API key.
    Token,
    /// A temporary JWT.
    Bearer,
}

impl Scheme {
    fn of(word: &str) -> Option<Self> {
        [Self::Token, Self::Bearer].into_iter().find(|scheme| word.eq_ignore_ascii_case(scheme.word()))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Bearer => "bearer",
        }
    }
}

fn in_header(headers: &HeaderMap) -> Option<Credential> {
    let (word, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(Credential { scheme: Scheme::of(word)?, secret: secret.to_owned() })
}

/// The subprotocols as a pair; what follows the pair, such as a session id of the SDK, is nobody's business here.
fn offered(headers: &HeaderMap) -> Option<Credential> {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|line| line.to_str().ok());
    let mut words = lines.flat_map(|line| line.split(',')).map(str::trim);
    let scheme = Scheme::of(words.next()?)?;
    Some(Credential { scheme, secret: words.next().unwrap_or_default().to_owned() })
}

/// With a key of its own the simulator wants that, as the scheme has it: an API key is no JWT and none serves as one.
fn check(shown: Option<Credential>, options: &Options) -> Result<(), Refusal> {
    let Some(expected) = &options.key else { return Ok(()) };
    let fits = |shown: &Credential| {
        shown.secret == *expected && is_jwt(&shown.secret) == (shown.scheme == Scheme::Bearer)
    };
    match shown.filter(fits) {
        Some(_) => Ok(()),
        None => Err(Refusal { status: StatusCode::UNAUTHORIZED, message: "Invalid credentials.".to_owned() }),
    }
}

/// Three parts of base64url with points between.
fn is_jwt(secret: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    secret.split('.').count() == 3 && secret.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn visit(door: Door, query: &str, headers: &[(&str, &str)]) -> Result<Visit, u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        door.admit(query, &map, Options::default()).map_err(|refused| {
            assert!(!refused.message.is_empty());
            refused.status.as_u16()
        })
    }

    const PROTOCOL: &str = "sec-websocket-protocol";

    #[test]
    fn without_a_key_of_its_own_it_lets_anyone_in() {
        for headers in [&[][..], &[("authorization", "Token x")], &[("authorization", "Bearer x")]] {
            for door in Door::ALL {
                assert!(visit(door, "", headers).is_ok(), "{headers:?}");
            }
        }
    }

    #[test]
    fn a_key_is_wanted_as_its_scheme_has_it() {
        const JWT: &str = "eyJh.eyJz.c2ln_-";
        for (key, headers, is_let_in) in [
            ("k", &[][..], false),
            ("k", &[("authorization", "Token k")], true),
            ("k", &[("authorization", "token k")], true),
            ("k", &[("authorization", "Token other")], false),
            ("k", &[("authorization", "Token k ")], false),
            ("k", &[("authorization", "Bearer k")], false),
            ("k", &[("authorization", "Basic k")], false),
            ("k", &[("authorization", "k")], false),
            ("k", &[("api-key", "k")], false),
            (JWT, &[("authorization", "Bearer eyJh.eyJz.c2ln_-")], true),
            (JWT, &[("authorization", "Token eyJh.eyJz.c2ln_-")], false),
            (JWT, &[("authorization", "Bearer eyJh.eyJz.other")], false),
            ("k", &[(PROTOCOL, "token, k")], true),
            ("k", &[(PROTOCOL, "token,k,x-deepgram-session-id,1")], true),
            ("k", &[(PROTOCOL, "token"), (PROTOCOL, "k")], true),
            ("k", &[(PROTOCOL, "bearer, k")], false),
            ("k", &[(PROTOCOL, "token, other")], false),
            ("k", &[(PROTOCOL, "token")], false),
            ("k", &[(PROTOCOL, "k, token")], false),
            (JWT, &[(PROTOCOL, "bearer, eyJh.eyJz.c2ln_-")], true),
            ("k", &[("authorization", "Token other"), (PROTOCOL, "token, k")], false),
        ] {
            for door in Door::ALL {
                let outcome = visit(door, &format!("key={key}"), headers).map(|_| ());
                let expected = if is_let_in { Ok(()) } else { Err(401) };
                assert_eq!(outcome, expected, "{key} {headers:?}");
            }
        }
    }

    #[test]
    fn only_the_scheme_word_is_echoed() {
        for (offered, echoed) in [
            (&[][..], None),
            (&[(PROTOCOL, "token, k")], Some("token")),
            (&[(PROTOCOL, "Bearer, k")], Some("bearer")),
            (&[(PROTOCOL, "chat, token, k")], None),
            (&[("authorization", "Token k")], None),
            (&[("authorization", "Token k"), (PROTOCOL, "bearer, k")], Some("bearer")),
        ] {
            assert_eq!(visit(Door::Agent, "", offered).expect("let in").scheme, echoed, "{offered:?}");
        }
    }

    #[test]
    fn the_agent_takes_options_only_and_transcription_what_its_session_knows() {
        assert_eq!(visit(Door::Agent, "model=nova-3", &[]).expect_err("unknown"), 400);
        assert_eq!(visit(Door::Agent, "delay_ms=x", &[]).expect_err("bad"), 400);
        assert_eq!(visit(Door::Agent, "delay_ms=5", &[]).expect("good").options.delay.as_millis(), 5);
        let asked = visit(Door::ListenV1, "keyterm=b&delay_ms=5&keyterm=a&model=", &[]).expect("let in");
        let parameters: Vec<_> = asked.parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(parameters, [("keyterm", "b"), ("keyterm", "a"), ("model", "")]);
        assert_eq!(visit(Door::Agent, "key=k&bogus=1", &[]).expect_err("the key is asked first"), 401);
    }
}
