//! The configuration from outside: text and environment in, `Config` or one exact line of refusal out.

mod accepted;
mod addresses;
mod auth;
mod deepgram;
mod environment;
mod functions;
mod limits;
mod proxies;
mod recording;
mod refused;
mod routed_backends;
mod shown;
mod succession;
mod tls;

use super::{Config, ConfigError};

/// A backend of the four required keys; more keys may follow it.
const BACKEND: &str =
    "[[backends]]\nname = \"a\"\nkind = \"openai-realtime\"\npath = \"/a\"\nurl = \"wss://h\"\n";

/// A passed-through backend of the four required keys; more keys may follow it.
const DEEPGRAM: &str = "[[backends]]\nname = \"dg\"\nkind = \"deepgram-agent\"\npath = \"/dg\"\n\
                        url = \"wss://agent.deepgram.com/v1/agent/converse\"\n";

/// A route of the two required keys; more keys may follow it, and a backend must.
const ROUTE: &str = "[[functions.route]]\nnames = [\"f\"]\nurl = \"https://h\"\n";

fn load(text: &str) -> Result<Config, ConfigError> {
    load_with(text, &[])
}

fn load_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_toml("my.toml", text, environment)
}

/// Asserts that `text` is refused with exactly this line.
#[track_caller]
fn refuses(text: &str, environment: &[(&str, &str)], expected: &str) {
    match load_with(text, environment) {
        Ok(_) => panic!("accepted, expected {expected:?} for {environment:?}\n{text}"),
        Err(error) => assert_eq!(error.to_string(), expected, "{environment:?}\n{text}"),
    }
}
