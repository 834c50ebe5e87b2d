//! The paths on which the simulator is reached: which key and which parameters each wants, and which form of the API
//! is spoken behind it ("OpenAI Realtime, Azure variants"). Knows nothing of sessions.

use actix_web::http::{
    StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use url::form_urlencoded;

use super::{beta::Api, configuration::Kind, options::Options};

/// A path of the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// OpenAI's.
    OpenAi,
    /// Azure's, general availability.
    Azure,
    /// Azure's, preview.
    AzurePreview,
}

/// What a connection asked for.
#[derive(Debug)]
pub(super) struct Visit {
    /// The model, which Azure calls a deployment.
    pub(super) model: String,
    pub(super) kind: Kind,
    pub(super) options: Options,
}

/// Why a connection is not upgraded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Door {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::OpenAi, Self::Azure, Self::AzurePreview];

    /// Where it is.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/sim/openai",
            Self::Azure => "/sim/azure/openai/v1/realtime",
            Self::AzurePreview => "/sim/azure/openai/realtime",
        }
    }

    /// What is spoken behind it.
    pub(super) fn api(self) -> Api {
        match self {
            Self::OpenAi | Self::Azure => Api::Ga,
            Self::AzurePreview => Api::Beta,
        }
    }

    /// Reads an upgrade's query and headers; `options` are those of the configuration.
    ///
    /// # Errors
    /// The key is missing or wrong, or a parameter is missing, unknown or bad.
    pub(super) fn admit(self, query: &str, headers: &HeaderMap, options: Options) -> Result<Visit, Refusal> {
        let mut asked = Asked { options, ..Asked::default() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            self.note(&mut asked, &name, &value).map_err(|message| bad("invalid_value", message))?;
        }
        if self != Self::OpenAi {
            check_key(key(headers).or(asked.key).as_deref(), &asked.options)?;
        }
        let wants_model = match self {
            Self::OpenAi => asked.kind == Kind::Realtime && asked.options.require_model,
            Self::Azure => asked.kind == Kind::Realtime,
            Self::AzurePreview => {
                if !asked.version.as_deref().is_some_and(is_version) {
                    let message = "Resource not found: api-version is missing or unknown.".to_owned();
                    return Err(Refusal { status: StatusCode::NOT_FOUND, code: "404", message });
                }
                true
            }
        };
        if asked.model.is_empty() && wants_model {
            let name = if self == Self::AzurePreview { "deployment" } else { "model" };
            let message = format!("the query parameter {name} is required");
            return Err(bad("missing_required_parameter", message));
        }
        Ok(Visit { model: asked.model, kind: asked.kind, options: asked.options })
    }

    fn note(self, asked: &mut Asked, name: &str, value: &str) -> Result<(), String> {
        match (self, name) {
            (Self::OpenAi | Self::Azure, "model") | (Self::AzurePreview, "deployment") => {
                value.clone_into(&mut asked.model);
            }
            (Self::AzurePreview, "api-version") => asked.version = Some(value.to_owned()),
            (Self::Azure | Self::AzurePreview, "api-key") => asked.key = Some(value.to_owned()),
            (Self::Azure | Self::AzurePreview, "Authorization") => asked.key = bearer(value),
            (Self::OpenAi | Self::Azure, "intent") => {
                asked.kind = match value {
                    "realtime" => Kind::Realtime,
                    "transcription" => Kind::Transcription,
                    other => {
                        return Err(format!("intent = \"{other}\": expected realtime or transcription"));
                    }
                };
            }
            (_, option) => asked.options = std::mem::take(&mut asked.options).with(option, value)?,
        }
        Ok(())
    }
}

/// A query on its way to a [`Visit`].
#[derive(Default)]
struct Asked {
    model: String,
    version: Option<String>,
    key: Option<String>,
    kind: Kind,
    options: Options,
}

/// The key that a client gives in a header.
fn key(headers: &HeaderMap) -> Option<String> {
    let text = |value: Option<&HeaderValue>| Some(value?.to_str().ok()?.to_owned());
    text(headers.get("api-key")).or_else(|| bearer(&text(headers.get(AUTHORIZATION))?))
}

fn bearer(authorization: &str) -> Option<String> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned())
}

/// Without a key of its own the simulator takes any that is not empty.
fn check_key(given: Option<&str>, options: &Options) -> Result<(), Refusal> {
    let fits = |key: &&str| match &options.azure_key {
        Some(expected) => key == expected,
        None => !key.is_empty(),
    };
    match given.filter(fits) {
        Some(_) => Ok(()),
        None => Err(Refusal {
            status: StatusCode::UNAUTHORIZED,
            code: "401",
            message: "Access denied due to an invalid key, or a wrong endpoint.".to_owned(),
        }),
    }
}

/// A date, and perhaps that it is a preview.
fn is_version(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    let parts: Vec<_> = date.split('-').collect();
    let digits = |part: &&str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    matches!(parts.as_slice(), [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2))
}

fn bad(code: &'static str, message: String) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, code, message }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    const PREVIEW: &str = "api-version=2025-04-01-preview&deployment=d";

    fn visit(door: Door, query: &str, headers: &[(&str, &str)]) -> Result<Visit, (u16, &'static str)> {
        visit_with(door, query, headers, Options::default())
    }

    fn visit_with(
        door: Door,
        query: &str,
        headers: &[(&str, &str)],
        options: Options,
    ) -> Result<Visit, (u16, &'static str)> {
        let named = |(name, value): &(&str, &str)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            (name, HeaderValue::from_str(value).expect("a value"))
        };
        let headers = headers.iter().map(named).collect::<HeaderMap>();
        door.admit(query, &headers, options).map_err(|refused| {
            assert!(!refused.message.is_empty());
            (refused.status.as_u16(), refused.code)
        })
    }

    fn refused(door: Door, query: &str, headers: &[(&str, &str)]) -> (u16, &'static str) {
        visit(door, query, headers).expect_err(query)
    }

    #[test]
    fn the_query_names_model_intent_and_trouble_only() {
        let parse = |query| visit(Door::OpenAi, query, &[]);
        let asked = parse("model=gpt-realtime&delay_ms=5&drop=error").expect("a good query");
        assert_eq!((asked.model.as_str(), asked.options.delay.as_millis()), ("gpt-realtime", 5));
        assert_eq!(parse("intent=transcription").expect("needs no model").kind, Kind::Transcription);
        assert!(parse("require_model=false").is_ok());
        assert_eq!(parse("").expect_err("no model"), (400, "missing_required_parameter"));
        for bad in ["model=m&api-version=1", "model=m&api-key=k", "model=m&delay_ms=x", "model=m&intent=sing"]
        {
            assert_eq!(parse(bad).expect_err(bad), (400, "invalid_value"), "{bad}");
        }
    }

    #[test]
    fn azure_wants_a_key_on_both_paths() {
        for (door, query) in [(Door::Azure, "model=d"), (Door::AzurePreview, PREVIEW)] {
            for (headers, more) in [
                (&[("api-key", "k")][..], ""),
                (&[("authorization", "Bearer k")], ""),
                (&[], "&api-key=k"),
                (&[], "&Authorization=Bearer+k"),
            ] {
                let asked = visit(door, &format!("{query}{more}"), headers).expect("any key will do");
                assert_eq!(asked.model, "d");
                let query = format!("{query}{more}&azure_key=k");
                assert!(visit(door, &query, headers).is_ok(), "{query}");
                let query = query.replace("azure_key=k", "azure_key=other");
                assert_eq!(refused(door, &query, headers), (401, "401"), "{query}");
            }
            for headers in
                [&[][..], &[("api-key", "")], &[("authorization", "Basic k")], &[("authorization", "k")]]
            {
                assert_eq!(refused(door, query, headers), (401, "401"), "{headers:?}");
            }
        }
        assert!(visit(Door::OpenAi, "model=m", &[]).is_ok(), "a key is not asked for");
    }

    #[test]
    fn each_path_of_azure_wants_its_own_parameters() {
        const KEY: &[(&str, &str)] = &[("api-key", "k")];
        let missing = (400, "missing_required_parameter");
        for (door, query, expected) in [
            (Door::Azure, "", missing),
            (Door::Azure, "require_model=false", missing),
            (Door::Azure, "model=d&api-version=2025-04-01-preview", (400, "invalid_value")),
            (Door::Azure, "deployment=d", (400, "invalid_value")),
            (Door::AzurePreview, "api-version=2025-04-01-preview", missing),
            (Door::AzurePreview, "deployment=d", (404, "404")),
            (Door::AzurePreview, "deployment=d&api-version=", (404, "404")),
            (Door::AzurePreview, "deployment=d&api-version=1", (404, "404")),
            (Door::AzurePreview, "deployment=d&api-version=2025-4-1", (404, "404")),
            (Door::AzurePreview, &format!("{PREVIEW}&model=m"), (400, "invalid_value")),
            (Door::AzurePreview, &format!("{PREVIEW}&intent=transcription"), (400, "invalid_value")),
        ] {
            assert_eq!(refused(door, query, KEY), expected, "{door:?} {query}");
        }
        assert!(visit(Door::AzurePreview, "deployment=d&api-version=2024-12-17", KEY).is_ok());
        let transcription = visit(Door::Azure, "intent=transcription", KEY).expect("needs no model");
        assert_eq!(transcription.kind, Kind::Transcription);
        let key = Options { azure_key: Some("k".to_owned()), ..Options::default() };
        assert!(visit_with(Door::Azure, "model=d", KEY, key).is_ok());
    }
}
