//! What `voxbridge check` prints: all of it, readable again, without a secret.

use super::super::*;
use super::{BACKEND, DEEPGRAM, load, load_with};

#[test]
fn the_default_shows_every_value_and_reads_back() {
    let config = Config::from_toml(DEFAULT_NAME, DEFAULT_TEXT, []).expect("default.toml");
    let shown = config.show();
    assert_eq!(
        shown,
        r#"[server]
host = "127.0.0.1"
port = 8080
# admin_port is not set
# tls_cert is not set
# tls_key is not set
workers = 0
max_sessions = 5000
drain_timeout_s = 25
trusted_proxies = []

[logging]
level = "info"
format = "text"
log_content = false
# usage_log is not set
record_dir = ""
record_audio = false
record_session_bytes = 67108864
record_total_bytes = 1073741824

[auth]
mode = "none"
allow_anonymous = false
allowed_origins = []

[console]
enabled = true

[limits]
before_ready_bytes = 2097152
leg_bytes = 4194304
max_message_bytes = 1048576
max_upstream_message_bytes = 33554432
settings_timeout_s = 60
idle_timeout_s = 300
max_session_s = 0
slow_client_timeout_s = 10
messages_per_s = 0
process_bytes = 536870912
max_sessions_per_ip = 0
max_sessions_per_subject = 0

[functions]
client_timeout_ms = 60000
max_concurrent = 64
max_queued = 256
allowed_endpoint_hosts = []

[[functions.route]]
names = ["get_current_time"]
# backends is not set
# url is not set
timeout_ms = 10000
# description is not set
# parameters is not set

[simulator]
enabled = true

[simulator.openai]

[simulator.deepgram]

[[backends]]
name = "openai"
kind = "openai-realtime"
path = "/openai"
aliases = ["/v1/agent/converse"]
url = "self:/sim/openai"
# api_key is not set
auth_header = "bearer"
headers = {}
# tls_ca_file is not set
function_calls = "client"
dialect = "auto"
connect_timeout_ms = 10000
dial_attempts = 2
ping_interval_s = 20
model = "gpt-realtime"
api_shape = "auto"
deferred_response_timeout_ms = 20000
allow_client_json_passthrough = false
greeting_mode = "text"
lock = []
barge_in = true
turn_detection = { type = "server_vad", threshold = 0.5, prefix_padding_ms = 300, silence_duration_ms = 200, create_response = true, interrupt_response = true }
transcription = { model = "gpt-4o-transcribe" }
# voice is not set
voices = {}
# instructions is not set
tools = []

[backends.limits]
before_ready_bytes = 2097152
leg_bytes = 4194304
max_message_bytes = 1048576
max_upstream_message_bytes = 33554432
settings_timeout_s = 60
idle_timeout_s = 300
max_session_s = 0
slow_client_timeout_s = 10
messages_per_s = 0

[[backends]]
name = "deepgram"
kind = "deepgram-agent"
path = "/deepgram-proxy"
aliases = ["/v1/listen", "/v2/listen"]
url = "self:/sim/deepgram/v1/agent/converse"
# api_key is not set
auth_header = "token"
headers = {}
# tls_ca_file is not set
function_calls = "client"
dialect = "auto"
connect_timeout_ms = 10000
dial_attempts = 2
ping_interval_s = 20
transcription_url = "self:/sim/deepgram/v1/listen"
query_defaults = {}
repair_component_messages = true

[backends.limits]
before_ready_bytes = 2097152
leg_bytes = 4194304
max_message_bytes = 1048576
max_upstream_message_bytes = 33554432
settings_timeout_s = 60
idle_timeout_s = 300
max_session_s = 0
slow_client_timeout_s = 10
messages_per_s = 0
"#
    );
    assert_eq!(load(&shown).expect("shown"), config);
}

#[test]
fn everything_but_secrets_reads_back() {
    let text = format!(
        "[server]\nhost = \"::\"\nadmin_port = 9090\ndrain_timeout_s = 0\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\", \"::ffff:1.2.3.4\"]\n[limits]\nprocess_bytes = 1048576\nmax_sessions_per_ip = 3\nmax_sessions_per_subject = 4\n[auth]\nallow_anonymous = true\nallowed_origins = [\"HTTPS://a\", \"b://c:1\"]\n[logging]\nlevel = \"trace\"\nformat = \"json\"\nusage_log = \"usage.jsonl\"\n\
         [functions]\nmax_queued = 0\nallowed_endpoint_hosts = [\"Example.com:443\", \"[::1]\"]\n\
         [[functions.route]]\nnames = [\"*\"]\nurl = \"http://[::1]:9/f?a=b\"\nidempotent = true\nretries = 3\n\
         [[functions.route]]\nnames = [\"f\"]\nurl = \"https://h\"\ndescription = \"say \\\"x\\\"\"\nparameters = {{ a = {{}} }}\n\
         [[functions.route]]\nnames = [\"get_current_time\"]\ndescription = \"now\"\n\
         [[functions.route]]\nnames = [\"f\", \"g\"]\nbackends = [\"dg\", \"a\"]\nurl = \"https://h\"\n\
         [simulator.openai]\n\"odd name\" = \"a \\\"b\\\"\"\n[simulator.deepgram]\nx = 1\n\
         {BACKEND}instructions = \"one\\ntwo \\\"three\\\" \\u007f\"\nmodel = \"\"\nvoice = \"marin\"\n\
         turn_detection = {{ type = \"semantic_vad\", eagerness = \"high\" }}\n\
         transcription = {{ model = \"m\", language = \"en\", prompt = \"p\" }}\n\
         tools = [{{ name = \"t\", description = \"d\", parameters = {{ a = [1, 2.0, true, \"x\"], \"b c\" = {{}} }} }}]\n\
         lock = [\"voice\", \"instructions\"]\nvoices = {{ \"aura-2-thalia-en\" = \"coral\", \"*\" = \"a\\\"b\" }}\nfunction_calls = \"server\"\n\
         {}turn_detection = {{ type = \"manual\" }}\nbarge_in = false\n\
         {}turn_detection = {{ idle_timeout_ms = 6000, threshold = 1 }}\n\
         [backends.limits]\nleg_bytes = 5000\nmax_session_s = 9\nmessages_per_s = 100\n\
         {DEEPGRAM}transcription_url = \"wss://h/x/v2/listen?a=b\"\nrepair_component_messages = false\n\
         auth_header = \"subprotocol\"\nfunction_calls = \"server\"\nping_interval_s = 0\ndialect = \"component\"\n\
         query_defaults = {{ z = 0.5, \"a b\" = [\"one\", 2, true], keyterm = \"a, \\\"b\\\"\" }}\n\
         {}transcription_url = \"\"\nauth_header = \"bearer\"\n",
        BACKEND.replace("\"a\"", "\"b\"").replace("/a", "/b"),
        BACKEND.replace("\"a\"", "\"c\"").replace("/a", "/c"),
        DEEPGRAM.replace("\"dg\"", "\"e\"").replace("/dg", "/e"),
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

#[test]
fn parameters_that_look_like_keys_are_hidden_as_in_urls() {
    let text = format!(
        "{DEEPGRAM}transcription_url = \"wss://h/v1/listen?access_token=sekrit\"\n\
         query_defaults = {{ model = \"m\", keyterm = \"a\", keyterms = \"sekrit\", api_key = \"sekrit\", Secret = [\"sekrit\", \"sekrit\"] }}\n"
    );
    let config = load(&text).expect("parameters");
    let shown = config.show();
    assert!(shown.contains("transcription_url = \"wss://h/v1/listen?access_token=***\"\n"));
    let parameters =
        r#"{ Secret = ["***", "***"], api_key = "***", keyterm = "a", keyterms = "***", model = "m" }"#;
    assert!(shown.contains(&format!("query_defaults = {parameters}\n")), "{shown}");
    assert!(!format!("{config:?} {:?}", config.backends[0].kind).contains("sekrit"));
    load(&shown).expect("still a configuration");
}
