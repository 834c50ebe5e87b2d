//! The providers of listening, thinking and speaking ("Voice Agent protocol, Listen providers", "Think and speak
//! providers"): one list of fields for each. Knows nothing of where they stand.

use serde_json::Value;

use crate::simulator::deepgram::schema::{Fault, Shape, optional, required};

/// `listen.provider`; without a version it is the first.
pub(super) const LISTEN_PROVIDER: Shape = Shape::And(
    &Shape::Tagged(
        "version",
        &[
            (
                "v1",
                &[
                    required("type", DEEPGRAM),
                    optional("model", Shape::And(&Shape::SomeText, no_flux)),
                    optional("language", Shape::SomeText),
                    optional("keyterms", Shape::List(&Shape::Text)),
                    optional("smart_format", Shape::Bool),
                ],
            ),
            (
                "v2",
                &[
                    required("type", DEEPGRAM),
                    required("model", Shape::OneOf(&["flux-general-en", "flux-general-multi"])),
                    optional("language_hints", Shape::List(&Shape::Text)),
                    optional("keyterms", Shape::List(&Shape::Text)),
                    optional("eot_threshold", Shape::Number(0.5, 1.0)),
                    optional("eager_eot_threshold", Shape::Number(0.3, 0.9)),
                    optional("eot_timeout_ms", Shape::Integer(500, 60_000)),
                ],
            ),
        ],
    ),
    listen,
);

/// `think.provider`.
pub(super) const THINK_PROVIDER: Shape = Shape::And(
    &Shape::Tagged(
        "type",
        &[
            (
                "open_ai",
                &[
                    required("model", Shape::SomeText),
                    optional("version", V1),
                    optional("temperature", Shape::Number(0.0, 2.0)),
                    optional("reasoning_mode", REASONING),
                ],
            ),
            (
                "anthropic",
                &[
                    required("model", Shape::SomeText),
                    optional("version", V1),
                    optional("temperature", Shape::Number(0.0, 1.0)),
                ],
            ),
            (
                "google",
                &[
                    required("model", Shape::SomeText),
                    optional("version", Shape::OneOf(GOOGLE_VERSIONS)),
                    optional("temperature", Shape::Number(0.0, 2.0)),
                ],
            ),
            (
                "groq",
                &[
                    required("model", Shape::OneOf(&["openai/gpt-oss-20b"])),
                    optional("temperature", Shape::Number(0.0, 2.0)),
                    optional("reasoning_mode", REASONING),
                ],
            ),
            (
                "aws_bedrock",
                &[
                    required("model", Shape::SomeText),
                    optional("temperature", Shape::Number(0.0, 2.0)),
                    optional("credentials", CREDENTIALS),
                ],
            ),
            (
                "deepgram",
                &[
                    required("model", Shape::OneOf(&["think-fast", "phonellm-mini-alpha-2-fp8"])),
                    optional("version", Shape::SomeText),
                    optional("temperature", Shape::Number(0.0, 2.0)),
                    optional("reasoning_mode", REASONING),
                    optional("voice_prompt_opt_out", Shape::Bool),
                ],
            ),
        ],
    ),
    typed,
);

/// `speak.provider`.
pub(super) const SPEAK_PROVIDER: Shape = Shape::And(
    &Shape::Tagged(
        "type",
        &[
            (
                "deepgram",
                &[
                    required("model", Shape::SomeText),
                    optional("version", Shape::OneOf(&["v1", "v2"])),
                    optional("speed", Shape::Number(0.5, 1.5)),
                    optional("expressivity", Shape::Integer(-2, 2)),
                ],
            ),
            (
                "eleven_labs",
                &[
                    required("model_id", Shape::SomeText),
                    optional("language", Shape::Text),
                    optional("version", Shape::SomeText),
                    optional("language_code", Shape::Text),
                ],
            ),
            (
                "cartesia",
                &[
                    required("model_id", Shape::SomeText),
                    required(
                        "voice",
                        Shape::Object(&[required("mode", Shape::SomeText), required("id", Shape::SomeText)]),
                    ),
                    optional("language", Shape::Text),
                    optional("volume", Shape::Number(0.5, 2.0)),
                    optional("version", Shape::SomeText),
                ],
            ),
            (
                "open_ai",
                &[
                    required("model", Shape::OneOf(&["tts-1", "tts-1-hd"])),
                    required("voice", Shape::OneOf(&["alloy", "echo", "fable", "onyx", "nova", "shimmer"])),
                    optional("version", Shape::SomeText),
                ],
            ),
            (
                "aws_polly",
                &[
                    required("voice", Shape::SomeText),
                    required("language", Shape::SomeText),
                    required("engine", Shape::SomeText),
                    required("credentials", CREDENTIALS),
                ],
            ),
        ],
    ),
    speak,
);

const DEEPGRAM: Shape = Shape::OneOf(&["deepgram"]);
const V1: Shape = Shape::OneOf(&["v1"]);
const REASONING: Shape = Shape::OneOf(&["none", "minimal", "low", "medium", "high"]);
const GOOGLE_VERSIONS: &[&str] = &["ai-studio-v1beta", "gemini-enterprise-agent-v1", "v1beta"];
const CREDENTIALS: Shape = Shape::Object(&[
    required("type", Shape::OneOf(&["sts", "iam"])),
    required("region", Shape::SomeText),
    required("access_key_id", Shape::SomeText),
    required("secret_access_key", Shape::SomeText),
    optional("session_token", Shape::Text),
]);

/// A provider says what it is; only a listener may leave out its version.
fn typed(value: &Value, path: &str) -> Result<(), Fault> {
    match value.get("type") {
        Some(_) => Ok(()),
        None => Err(Fault::unreadable(&format!("{path}.type"), "missing")),
    }
}

fn no_flux(value: &Value, path: &str) -> Result<(), Fault> {
    match value.as_str() {
        Some(model) if model.starts_with("flux") => Err(Fault::refused(path, "needs version v2")),
        _ => Ok(()),
    }
}

fn listen(value: &Value, path: &str) -> Result<(), Fault> {
    if value["model"] == "flux-general-en" && value.get("language_hints").is_some() {
        return Err(Fault::refused(&format!("{path}.language_hints"), "for the multi model only"));
    }
    Ok(())
}

/// What the version of Deepgram's own voice allows.
fn speak(value: &Value, path: &str) -> Result<(), Fault> {
    typed(value, path)?;
    if value["type"] != "deepgram" {
        return Ok(());
    }
    let model = value["model"].as_str().unwrap_or_default();
    let of_model = if model.starts_with("flux") { "v2" } else { "v1" };
    if value["version"].as_str().is_some_and(|version| version != of_model) {
        return Err(Fault::refused(&format!("{path}.version"), format!("{model} has {of_model}")));
    }
    let Some(speed) = value["speed"].as_f64() else { return Ok(()) };
    let is_step = (speed * 20.0 - (speed * 20.0).round()).abs() < 1e-6;
    if if of_model == "v1" { speed >= 0.7 } else { is_step } {
        Ok(())
    } else {
        Err(Fault::refused(&format!("{path}.speed"), "expected 0.7 to 1.5, or for v2 0.5 to 1.5 by 0.05"))
    }
}
