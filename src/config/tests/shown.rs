//! What `voxbridge check` prints: all of it, readable again, without a secret.

use super::super::*;
use super::{BACKEND, load, load_with};

#[test]
fn the_default_shows_every_value_and_reads_back() {
    let config = Config::from_toml(DEFAULT_NAME, DEFAULT_TEXT, []).expect("default.toml");
    let shown = config.show();
    assert_eq!(
        shown,
        r#"[server]
host = "127.0.0.1"
port = 8080
workers = 0
max_sessions = 5000

[logging]
level = "info"
log_content = false

[auth]
mode = "none"
allow_anonymous = false

[limits]
before_ready_bytes = 2097152
leg_bytes = 4194304
max_message_bytes = 1048576
max_upstream_message_bytes = 33554432
settings_timeout_s = 60
idle_timeout_s = 300
max_session_s = 0
slow_client_timeout_s = 10

[functions]
client_timeout_ms = 60000

[simulator]
enabled = true

[simulator.openai]

[[backends]]
name = "openai"
kind = "openai-realtime"
path = "/openai"
aliases = ["/v1/agent/converse"]
url = "self:/sim/openai"
model = "gpt-realtime"
# api_key is not set
auth_header = "bearer"
api_shape = "auto"
headers = {}
# tls_ca_file is not set
function_calls = "client"
dialect = "auto"
deferred_response_timeout_ms = 20000
allow_client_json_passthrough = false
connect_timeout_ms = 10000
dial_attempts = 2
greeting_mode = "text"
lock = []
barge_in = true
turn_detection = { type = "server_vad", threshold = 0.5, prefix_padding_ms = 300, silence_duration_ms = 200, create_response = true, interrupt_response = true }
transcription = { model = "gpt-4o-transcribe" }
# voice is not set
voices = {}
# instructions is not set
tools = []
"#
    );
    assert_eq!(load(&shown).expect("shown"), config);
}

#[test]
fn everything_but_secrets_reads_back() {
    let text = format!(
        "[server]\nhost = \"::\"\n[auth]\nallow_anonymous = true\n[logging]\nlevel = \"trace\"\n\
         [simulator.openai]\n\"odd name\" = \"a \\\"b\\\"\"\n\
         {BACKEND}instructions = \"one\\ntwo \\\"three\\\" \\u007f\"\nmodel = \"\"\nvoice = \"marin\"\n\
         turn_detection = {{ type = \"semantic_vad\", eagerness = \"high\" }}\n\
         transcription = {{ model = \"m\", language = \"en\", prompt = \"p\" }}\n\
         tools = [{{ name = \"t\", description = \"d\", parameters = {{ a = [1, 2.0, true, \"x\"], \"b c\" = {{}} }} }}]\n\
         lock = [\"voice\", \"instructions\"]\nvoices = {{ \"aura-2-thalia-en\" = \"coral\", \"*\" = \"a\\\"b\" }}\n\
         {}turn_detection = {{ type = \"manual\" }}\nbarge_in = false\n\
         {}turn_detection = {{ idle_timeout_ms = 6000, threshold = 1 }}\n",
        BACKEND.replace("\"a\"", "\"b\"").replace("/a", "/b"),
        BACKEND.replace("\"a\"", "\"c\"").replace("/a", "/c"),
    );
    let config = load(&text).expect("text");
    assert_eq!(load(&config.show()).expect("shown"), config);
}

#[test]
fn secrets_appear_nowhere() {
    let text = BACKEND.replace("wss://h", "ws://h/?a=b&Api-Key=sekrit&access_token=sekrit");
    let text = format!("{text}headers = {{ X-Any = \"sekrit\" }}\napi_key_env = \"K\"\n");
    let config = load_with(&text, &[("K", "sekrit")]).expect("secrets");
    let shown = config.show();
    assert!(!format!("{config:?} {config:#?} {shown} {}", config.backends[0].url).contains("sekrit"));
    assert!(shown.contains("api_key = \"***\"\n"));
    assert!(shown.contains("headers = { X-Any = \"***\" }\n"));
    assert!(shown.contains("url = \"ws://h/?a=b&Api-Key=***&access_token=***\"\n"));
    assert_eq!(Secret::new("sekrit").to_string(), "***");
    assert_eq!(format!("{:?}", Secret::new("sekrit")), "***");
    load(&shown).expect("still a configuration");
}
