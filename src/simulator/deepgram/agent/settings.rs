//! What may stand in a Settings ("Voice Agent protocol, Settings"): shapes, and the rules that join fields.
//! Knows nothing of what a session does with it; the providers are in `providers`.

use serde_json::Value;

use super::providers::{LISTEN_PROVIDER, SPEAK_PROVIDER, THINK_PROVIDER};
use crate::simulator::deepgram::schema::{Fault, Shape, optional, required};

/// `audio`.
pub(super) const AUDIO: Shape = Shape::Object(&[
    optional(
        "input",
        Shape::Object(&[
            required("encoding", Shape::OneOf(INPUT_ENCODINGS)),
            required("sample_rate", Shape::Integer(8000, 48_000)),
        ]),
    ),
    optional(
        "output",
        Shape::And(
            &Shape::Object(&[
                optional("encoding", Shape::OneOf(OUTPUT_ENCODINGS)),
                optional("sample_rate", Shape::Integer(1, i64::MAX)),
                optional("bitrate", Shape::Integer(1, i64::MAX)),
                optional("container", Shape::OneOf(&["none", "wav", "ogg"])),
            ]),
            output,
        ),
    ),
]);

/// `agent`; as a text, the id of a stored configuration.
pub(super) const AGENT: Shape = Shape::TextOr(&Shape::Object(&[
    optional("language", Shape::Text),
    optional("context", Shape::Object(&[optional("messages", Shape::List(&HISTORY))])),
    optional("listen", LISTEN),
    optional("think", THINK),
    optional("think_live", THINK_LIVE),
    optional("speak", SPEAK),
    optional("greeting", Shape::Text),
]));

/// `agent.listen`.
pub(super) const LISTEN: Shape = Shape::Object(&[required("provider", LISTEN_PROVIDER)]);

/// `agent.think`, alone or in order of preference.
pub(super) const THINK: Shape = Shape::OneOrMore(&Shape::And(
    &Shape::Object(&[
        required("provider", THINK_PROVIDER),
        optional("endpoint", Shape::Object(&[required("url", URL), required("headers", HEADERS)])),
        optional("prompt", Shape::Text),
        optional("context_length", Shape::And(&Shape::Any, context_length)),
        optional("functions", Shape::List(&FUNCTION)),
    ]),
    think,
));

/// `agent.think_live`.
pub(super) const THINK_LIVE: Shape = Shape::Object(&[required(
    "provider",
    Shape::Tagged(
        "type",
        &[(
            "deepgram",
            &[
                required("version", Shape::OneOf(&["v1"])),
                optional("agent_backchannel_sensitivity", Shape::Number(0.0, 1.0)),
                optional("presence_check_max_count", Shape::Integer(0, i64::MAX)),
                optional("presence_check_interval_ms", Shape::Integer(3000, i64::MAX)),
                optional("frustration_max_count", Shape::Integer(0, i64::MAX)),
                optional("restricted_terms", Shape::List(&Shape::Text)),
            ],
        )],
    ),
)]);

/// `agent.speak`, alone or in order of preference.
pub(super) const SPEAK: Shape = Shape::OneOrMore(&Shape::And(
    &Shape::Object(&[
        required("provider", SPEAK_PROVIDER),
        optional("endpoint", Shape::Object(&[required("url", URL), optional("headers", HEADERS)])),
    ]),
    speak,
));

const HISTORY: Shape = Shape::With(
    "function_calls",
    &Shape::Object(&[
        required("type", Shape::OneOf(&["History"])),
        required(
            "function_calls",
            Shape::List(&Shape::Object(&[
                required("id", Shape::Text),
                required("name", Shape::Text),
                required("client_side", Shape::Bool),
                required("arguments", Shape::Text),
                required("response", Shape::Text),
                optional("thought_signature", Shape::Text),
            ])),
        ),
    ]),
    &Shape::Object(&[
        required("type", Shape::OneOf(&["History"])),
        required("role", Shape::OneOf(&["user", "assistant"])),
        required("content", Shape::Text),
    ]),
);

const FUNCTION: Shape = Shape::Object(&[
    required("name", Shape::SomeText),
    optional("description", Shape::Text),
    optional("parameters", Shape::Map(&Shape::Any)),
    optional(
        "endpoint",
        Shape::Object(&[
            required("url", URL),
            required("method", Shape::SomeText),
            optional("headers", HEADERS),
        ]),
    ),
    optional("defer_until_eot", Shape::Bool),
    optional("initial_agent_filler", Shape::Bool),
    optional("agent_filler_max_count", Shape::Integer(0, i64::MAX)),
    optional("agent_filler_interval_ms", Shape::Integer(1000, 60_000)),
]);

const HEADERS: Shape = Shape::Map(&Shape::Text);
const URL: Shape = Shape::And(&Shape::Text, url);

/// Rules that join several parts of a Settings.
///
/// # Errors
/// A value is refused because of another.
pub(super) fn check_whole(settings: &Value) -> Result<(), Fault> {
    let agent = &settings["agent"];
    let thinks = || one_or_more(&agent["think"]);
    if settings["mip_opt_out"] == true && thinks().any(|think| think["provider"]["model"] == "think-fast") {
        return Err(Fault::refused("mip_opt_out", "think-fast cannot opt out"));
    }
    thinks().try_for_each(|think| check_functions(think, agent.get("think_live").is_some()))
}

/// Members of functions that only `think_live` understands.
///
/// # Errors
/// One of them is there without it.
pub(super) fn check_functions(think: &Value, has_think_live: bool) -> Result<(), Fault> {
    const LIVE: [&str; 3] = ["initial_agent_filler", "agent_filler_max_count", "agent_filler_interval_ms"];
    let mut functions = think["functions"].as_array().into_iter().flatten();
    match functions.find_map(|function| LIVE.into_iter().find(|name| function.get(name).is_some())) {
        Some(name) if !has_think_live => {
            Err(Fault::refused(&format!("agent.think.functions.{name}"), "needs think_live"))
        }
        _ => Ok(()),
    }
}

/// The objects of a field that is one or a list.
pub(super) fn one_or_more(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value.as_array();
    let one = (list.is_none() && !value.is_null()).then_some(value);
    list.into_iter().flatten().chain(one)
}

/// The rate of an output encoding that names none ("Output combinations").
pub(super) fn default_rate(encoding: &str) -> u32 {
    match encoding {
        "mulaw" | "alaw" => 8000,
        "mp3" | "aac" => 22_050,
        "opus" | "flac" => 48_000,
        _ => 24_000,
    }
}

fn output(value: &Value, path: &str) -> Result<(), Fault> {
    let encoding = value["encoding"].as_str().unwrap_or("linear16");
    if let Some(rate) = value["sample_rate"].as_u64() {
        let fits = match encoding {
            "linear16" => [8000, 16_000, 24_000, 32_000, 48_000].contains(&rate),
            "mulaw" | "alaw" => [8000, 16_000].contains(&rate),
            "flac" => (8000..=48_000).contains(&rate),
            _ => rate == u64::from(default_rate(encoding)),
        };
        if !fits {
            return Err(Fault::refused(
                &format!("{path}.sample_rate"),
                format!("{encoding} has no {rate} Hz"),
            ));
        }
    }
    let is_lossy = ["mp3", "opus", "aac"].contains(&encoding);
    if let Some(rate) = value["bitrate"].as_u64()
        && (!is_lossy || (encoding == "mp3" && ![32_000, 48_000].contains(&rate)))
    {
        return Err(Fault::refused(&format!("{path}.bitrate"), format!("{encoding} has no {rate} bit/s")));
    }
    let container = value["container"].as_str().unwrap_or("none");
    let is_contained = match container {
        "wav" => ["linear16", "mulaw", "alaw"].contains(&encoding),
        "ogg" => encoding == "opus",
        _ => true,
    };
    if is_contained {
        Ok(())
    } else {
        Err(Fault::refused(&format!("{path}.container"), format!("{container} holds no {encoding}")))
    }
}

fn think(value: &Value, path: &str) -> Result<(), Fault> {
    let has_endpoint = value.get("endpoint").is_some();
    if value["provider"]["type"] == "groq" && !has_endpoint {
        return Err(Fault::refused(path, "groq needs an endpoint"));
    }
    if value.get("context_length").is_some() && !has_endpoint {
        return Err(Fault::refused(&format!("{path}.context_length"), "needs an endpoint"));
    }
    Ok(())
}

fn context_length(value: &Value, path: &str) -> Result<(), Fault> {
    if value == "max" { Ok(()) } else { Shape::Integer(1, i64::MAX).check(value, path) }
}

fn speak(value: &Value, path: &str) -> Result<(), Fault> {
    let kind = value["provider"]["type"].as_str().unwrap_or_default();
    let Some(url) = value["endpoint"]["url"].as_str() else {
        let is_own = kind == "deepgram";
        return if is_own { Ok(()) } else { Err(Fault::refused(path, format!("{kind} needs an endpoint"))) };
    };
    if url.starts_with("ws") && kind != "eleven_labs" {
        return Err(Fault::refused(&format!("{path}.endpoint.url"), format!("{kind} has no WebSocket")));
    }
    Ok(())
}

fn url(value: &Value, path: &str) -> Result<(), Fault> {
    let url = value.as_str().and_then(|text| url::Url::parse(text).ok());
    match url.filter(|url| ["http", "https", "ws", "wss"].contains(&url.scheme())) {
        Some(_) => Ok(()),
        None => Err(Fault::refused(path, "expected a URL")),
    }
}

const INPUT_ENCODINGS: &[&str] = &[
    "linear16", "linear32", "flac", "alaw", "mulaw", "amr-nb", "amr-wb", "opus", "ogg-opus", "speex", "g729",
];
const OUTPUT_ENCODINGS: &[&str] = &["linear16", "mulaw", "alaw", "mp3", "opus", "flac", "aac"];
