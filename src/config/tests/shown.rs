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
allowed_origins = []

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
max_concurrent = 64
max_queued = 256
allowed_endpoint_hosts = []

[[functions.route]]
names = ["get_current_time"]
# url is not set
timeout_ms = 10000
# description is not set
# parameters is not set

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
        "[server]\nhost = \"::\"\n[auth]\nallow_anonymous = true\nallowed_origins = [\"HTTPS://a\", \"b://c:1\"]\n[logging]\nlevel = \"trace\"\n\
         [functions]\nmax_queued = 0\nallowed_endpoint_hosts = [\"Example.com:443\", \"[::1]\"]\n\
         [[functions.route]]\nnames = [\"*\"]\nurl = \"http://[::1]:9/f?a=b\"\nidempotent = true\nretries = 3\n\
         [[functions.route]]\nnames = [\"f\"]\nurl = \"https://h\"\ndescription = \"say \\\"x\\\"\"\nparameters = {{ a = {{}} }}\n\
         [[functions.route]]\nnames = [\"get_current_time\"]\ndescription = \"now\"\n\
         [simulator.openai]\n\"odd name\" = \"a \\\"b\\\"\"\n\
         {BACKEND}instructions = \"one\\ntwo \\\"three\\\" \\u007f\"\nmodel = \"\"\nvoice = \"marin\"\n\
         turn_detection = {{ type = \"semantic_vad\", eagerness = \"high\" }}\n\
         transcription = {{ model = \"m\", language = \"en\", prompt = \"p\" }}\n\
         tools = [{{ name = \"t\", description = \"d\", parameters = {{ a = [1, 2.0, true, \"x\"], \"b c\" = {{}} }} }}]\n\
         lock = [\"voice\", \"instructions\"]\nvoices = {{ \"aura-2-thalia-en\" = \"coral\", \"*\" = \"a\\\"b\" }}\nfunction_calls = \"server\"\n\
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
    let text = format!(
        "[[functions.route]]\nnames = [\"f\"]\nurl = \"http://f/?a=b&sig=sekrit&code=sekrit\"\nheaders = {{ X-Some = \"${{K}}\" }}\n\
         {text}headers = {{ X-Any = \"sekrit\" }}\napi_key_env = \"K\"\nfunction_calls = \"server\"\n"
    );
    let config = load_with(&text, &[("K", "sekrit")]).expect("secrets");
    assert_eq!(config.warnings.len(), 3);
    let shown = config.show();
    assert!(!format!("{config:?} {config:#?} {shown} {}", config.backends[0].url).contains("sekrit"));
    let route = &config.functions.routes[0];
    assert_eq!(format!("{:?}", route.target), "http://f/?a=b&sig=***&code=***");
    assert!(
        format!("{:?} {:?}", config.backends[0].function_calls, config.functions)
            .contains("sig=***&code=***")
    );
    assert!(!format!("{route:?} {route:#?} {:?}", config.backends[0].function_calls).contains("sekrit"));
    assert!(shown.contains("url = \"http://f/?a=b&sig=***&code=***\"\n"));
    assert!(shown.contains("headers = { X-Some = \"***\" }\n"));
    assert!(shown.contains("api_key = \"***\"\n"));
    assert!(shown.contains("headers = { X-Any = \"***\" }\n"));
    assert!(shown.contains("url = \"ws://h/?a=b&Api-Key=***&access_token=***\"\n"));
    assert_eq!(Secret::new("sekrit").to_string(), "***");
    assert_eq!(format!("{:?}", Secret::new("sekrit")), "***");
    load(&shown).expect("still a configuration");
}
