//! Overrides by environment variable.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use super::super::*;
use super::{BACKEND, load_with, refuses};

/// Two backends, the first with a key of its own.
fn two() -> String {
    let second = BACKEND.replace("\"a\"", "\"Open-AI\"").replace("/a", "/b");
    format!(
        "{BACKEND}api_key_env = \"UNSET\"\nturn_detection = {{ type = \"server_vad\", threshold = 0.5 }}\n{second}"
    )
}

#[test]
fn sections_and_types_follow_the_key() {
    let config = load_with(
        BACKEND,
        &[
            ("VOXBRIDGE__SERVER__PORT", "9000"),
            ("voxbridge__server__Host", "localhost"),
            ("VOXBRIDGE__LOGGING__LOG_CONTENT", "TRUE"),
            ("VOXBRIDGE__LOGGING__LEVEL", "debug"),
            ("VOXBRIDGE__LOGGING__FORMAT", "json"),
            ("VOXBRIDGE__CONSOLE__ENABLED", "false"),
            ("VOXBRIDGE__LIMITS__IDLE_TIMEOUT_S", "0"),
            ("VOXBRIDGE__SIMULATOR__OPENAI__DELAY_MS", "5"),
            ("VOXBRIDGE__AUTH__ALLOWED_ORIGINS", "https://a, http://b:1"),
            ("VOXBRIDGE__FUNCTIONS__CLIENT_TIMEOUT_MS", "7"),
            ("VOXBRIDGE__FUNCTIONS__MAX_CONCURRENT", "3"),
            ("VOXBRIDGE__FUNCTIONS__MAX_QUEUED", "0"),
            ("VOXBRIDGE__FUNCTIONS__ALLOWED_ENDPOINT_HOSTS", "a.example, [::1]:80"),
            ("VOXBRIDGE_CONFIG", "is no override"),
            ("PATH", "/bin"),
        ],
    )
    .expect("overrides");
    assert_eq!((config.server.host.as_str(), config.server.port), ("localhost", 9000));
    assert_eq!((config.logging.level, config.logging.format), (LevelFilter::Debug, LogFormat::Json));
    assert!(config.logging.log_content);
    assert!(!config.console.enabled);
    assert_eq!(config.limits.idle_timeout, None);
    assert_eq!(config.simulator.openai["delay_ms"], "5");
    assert_eq!(config.auth.allowed_origins, ["https://a", "http://b:1"]);
    let functions = &config.functions;
    assert_eq!(functions.client_timeout, Duration::from_millis(7));
    assert_eq!((functions.max_concurrent, functions.max_queued), (3, 0));
    let hosts: Vec<_> = functions.allowed_endpoint_hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["a.example", "[::1]:80"]);
}

#[test]
fn backends_are_found_by_name_and_text_stays_text() {
    let config = load_with(
        &two(),
        &[
            ("VOXBRIDGE__BACKENDS__A__API_KEY", "123"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__API_KEY", "true"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__MODEL", "007"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__VOICE", "1e3"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__ALIASES", "/x, /y"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__CONNECT_TIMEOUT_MS", "250"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__TRANSCRIPTION__LANGUAGE", "no"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__TURN_DETECTION__THRESHOLD", "0.25"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__HEADERS__X_TEAM", "12"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__VOICES__AURA_ASTERIA_EN", "marin"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__LOCK", "tools, voice"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__BARGE_IN", "FALSE"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__HEADERS__X_KEY", "${KEY}!"),
            ("VOXBRIDGE__BACKENDS__OPEN_AI__FUNCTION_CALLS", "server"),
            ("KEY", "sekrit"),
        ],
    )
    .expect("overrides");
    let [a, b] = &config.backends[..] else { panic!("two backends") };
    assert_eq!(a.api_key.as_ref().map(Secret::expose), Some("123"));
    assert_eq!(b.api_key.as_ref().map(Secret::expose), Some("true"));
    assert_eq!((b.model.as_deref(), b.voice.as_deref()), (Some("007"), Some("1e3")));
    assert_eq!(
        (&b.aliases[..], b.connect_timeout),
        (&["/x".to_owned(), "/y".to_owned()][..], Duration::from_millis(250))
    );
    assert_eq!(b.transcription.language.as_deref(), Some("no"));
    assert!(matches!(b.turn_detection, TurnDetection::ServerVad { threshold: 0.25, .. }));
    assert_eq!(b.headers["x-team"], "12");
    assert_eq!(b.headers["x-key"], "sekrit!");
    assert!(matches!(b.function_calls, FunctionCalls::Server(_)));
    assert_eq!(b.voices["aura-asteria-en"], "marin");
    assert_eq!((b.lock, b.barge_in), (Lock { tools: true, voice: true, ..Lock::default() }, false));
}

#[test]
fn an_override_replaces_the_files_alternatives() {
    let turn_type = ("VOXBRIDGE__BACKENDS__A__TURN_DETECTION__TYPE", "manual");
    let key = ("VOXBRIDGE__BACKENDS__A__API_KEY_ENV", "OTHER");
    let config = load_with(&two(), &[key, turn_type, ("OTHER", "from-other")]).expect("replaced");
    assert_eq!(config.backends[0].api_key.as_ref().map(Secret::expose), Some("from-other"));
    assert_eq!(config.backends[0].turn_detection, TurnDetection::Manual);

    let text = format!("{BACKEND}headers = {{ X-Team = \"a\" }}\n");
    let config = load_with(&text, &[("VOXBRIDGE__BACKENDS__A__HEADERS__X_TEAM", "b")]).expect("replaced");
    let headers: Vec<_> = config.backends[0].headers.iter().collect();
    assert_eq!(headers, [(&"X-Team".to_owned(), &"b".to_owned())]);

    let text = format!("{BACKEND}voices = {{ Aura_2-en = \"a\" }}\n");
    let config = load_with(&text, &[("VOXBRIDGE__BACKENDS__A__VOICES__AURA_2_EN", "b")]).expect("replaced");
    let voices: Vec<_> = config.backends[0].voices.iter().collect();
    assert_eq!(voices, [(&"Aura_2-en".to_owned(), &"b".to_owned())]);
}

#[test]
fn barge_in_of_the_default_configuration_can_be_turned_off() {
    let name = "VOXBRIDGE__BACKENDS__OPENAI__BARGE_IN".to_owned();
    let config = Config::from_toml(DEFAULT_NAME, DEFAULT_TEXT, [(name, "false".to_owned())]);
    assert!(!config.expect("nothing contradicts it").backends[0].barge_in);
}

#[test]
fn the_same_type_keeps_the_files_fields() {
    let name = "VOXBRIDGE__BACKENDS__A__TURN_DETECTION__TYPE";
    let text = two().replace("0.5", "0.75");
    let key = ("VOXBRIDGE__BACKENDS__A__API_KEY", "k");
    let config = load_with(&text, &[key, (name, "server_vad")]).expect("same type");
    assert!(matches!(config.backends[0].turn_detection, TurnDetection::ServerVad { threshold: 0.75, .. }));
}

#[test]
fn the_longest_name_is_meant() {
    let text = format!("{BACKEND}{}", BACKEND.replace("\"a\"", "\"a__b\"").replace("/a", "/b"));
    let config = load_with(&text, &[("VOXBRIDGE__BACKENDS__A__B__MODEL", "m")]).expect("longest");
    assert_eq!(config.backends[1].model.as_deref(), Some("m"));
}

#[test]
fn refusals_name_the_variable() {
    for (name, value, expected) in [
        ("VOXBRIDGE__SERVER__PROT", "1", "unknown key server.prot"),
        ("VOXBRIDGE__SERVER__PORT__X", "1", "server.port: expected an integer, found a table"),
        ("VOXBRIDGE__SRV__PORT", "1", "unknown key srv"),
        ("VOXBRIDGE__SERVER", "1", "server: expected a table"),
        ("VOXBRIDGE__SERVER__PORT", "", "server.port: expected an integer, found \"\""),
        ("VOXBRIDGE__SERVER__PORT", "80.5", "server.port: expected an integer, found \"80.5\""),
        ("VOXBRIDGE__SERVER__PORT", "70000", "server.port: must be 0 to 65535, is 70000"),
        (
            "VOXBRIDGE__LOGGING__LOG_CONTENT",
            "yes",
            "logging.log_content: expected true or false, found \"yes\"",
        ),
        ("VOXBRIDGE__FUNCTIONS__MAX_CONCURRENT", "0", "functions.max_concurrent: must be 1 to 10000, is 0"),
        (
            "VOXBRIDGE__FUNCTIONS__ALLOWED_ENDPOINT_HOSTS",
            "a, *",
            "functions.allowed_endpoint_hosts[1]: must be like \"example.com\", \"example.com:8443\" or \
             \"[fd00::1]:8443\"",
        ),
        (
            "VOXBRIDGE__AUTH__ALLOWED_ORIGINS",
            "null",
            "auth.allowed_origins[0]: must be scheme, host and port alone, like \"https://example.com\" or \
             \"http://localhost:3000\"",
        ),
        ("VOXBRIDGE__FUNCTIONS__ROUTE", "x", "functions.route: expected a list"),
        ("VOXBRIDGE__FUNCTIONS__ROUTE__URL", "https://h", "functions.route: expected a list"),
        ("VOXBRIDGE__FUNCTIONS__ROUTE__0__URL", "https://h", "functions.route: expected a list"),
        ("VOXBRIDGE__BACKENDS__A__ALIASES", "/b,c", "backends[0].aliases[1]: \"c\" must begin with \"/\""),
        ("VOXBRIDGE__BACKENDS", "x", "backends: expected a list"),
        ("VOXBRIDGE__BACKENDS__OPENAI__API_KEY", "k", "no backend is named openai"),
        ("VOXBRIDGE__BACKENDS__A__APIKEY", "k", "unknown key backends[0].apikey"),
        ("VOXBRIDGE__BACKENDS__A__API_KEY", "", "backends[0].api_key: must not be empty"),
        ("VOXBRIDGE__BACKENDS__A__TOOLS", "[]", "backends[0].tools: expected a list"),
        ("VOXBRIDGE__BACKENDS__A__NAME__X", "1", "unknown key backends[0].name.x"),
        (
            "VOXBRIDGE__BACKENDS__A__LOCK",
            "voice,prompt",
            "backends[0].lock: \"prompt\" is not known, must be \"instructions\", \"tools\" or \"voice\"",
        ),
        ("VOXBRIDGE__BACKENDS__A__VOICES__X", "", "backends[0].voices.x: must not be empty"),
        ("VOXBRIDGE__BACKENDS__A__DIAL_ATTEMPTS", "11", "backends[0].dial_attempts: must be 1 to 10, is 11"),
        (
            "VOXBRIDGE__BACKENDS__A__TURN_DETECTION__EAGERNESS",
            "low",
            "backends[0].turn_detection.eagerness: does not belong to type \"server_vad\"",
        ),
    ] {
        refuses(BACKEND, &[(name, value)], &format!("environment variable {name}: {expected}"));
    }
}

#[test]
fn routes_are_set_by_the_file_alone() {
    let text = format!("[[functions.route]]\nnames = [\"f\"]\nurl = \"https://h\"\n{BACKEND}");
    for key in ["functions.route.0.url", "functions.route.f.url", "functions.route.headers"] {
        let name = format!("VOXBRIDGE__{}", key.to_uppercase().replace('.', "__"));
        refuses(&text, &[(&name, "https://x")], &format!("environment variable {name}: unknown key {key}"));
    }
}

#[test]
fn overrides_that_contradict_each_other_are_refused() {
    refuses(
        BACKEND,
        &[("VOXBRIDGE__SERVER__PORT", "1"), ("VOXBRIDGE__server__port", "2")],
        "environment variable VOXBRIDGE__server__port: server.port is set by VOXBRIDGE__SERVER__PORT as well",
    );
    refuses(
        BACKEND,
        &[("VOXBRIDGE__BACKENDS__A__API_KEY", "k"), ("VOXBRIDGE__BACKENDS__A__API_KEY_ENV", "K"), ("K", "k")],
        "environment variable VOXBRIDGE__BACKENDS__A__API_KEY_ENV: backends[0].api_key_env: \
         api_key is given as well, only one may be",
    );
    let text = format!("{BACKEND}{}", BACKEND.replace("\"a\"", "\"A\"").replace("/a", "/b"));
    refuses(
        &text,
        &[("VOXBRIDGE__BACKENDS__A__MODEL", "m")],
        "environment variable VOXBRIDGE__BACKENDS__A__MODEL: more than one backend's name reads a",
    );
}

#[test]
fn variables_that_are_no_text_are_left_out_unless_they_are_overrides() {
    let odd = || OsString::from_vec(vec![b'x', 0xff]);
    let others = [(OsString::from("A"), odd()), (odd(), "x".into()), ("B".into(), "b".into())];
    assert_eq!(env::variables(others), Ok(vec![("B".to_owned(), "b".to_owned())]));
    let error = env::variables([("VOXBRIDGE__SERVER__HOST".into(), odd())]).expect_err("not text");
    assert_eq!(error.to_string(), "environment variable VOXBRIDGE__SERVER__HOST: is not valid UTF-8");
}

#[test]
fn a_key_without_a_name_is_refused() {
    for name in ["VOXBRIDGE____OPENAI__MODEL", "VOXBRIDGE__SERVER____PORT", "VOXBRIDGE__SERVER__"] {
        let expected = format!("environment variable {name}: names a key that has no name");
        refuses(BACKEND, &[(name, "1")], &expected);
    }
    refuses(&format!("\"\" = 1\n{BACKEND}"), &[], "my.toml: \"\": unknown key");
}

#[test]
fn a_name_of_any_depth_is_refused() {
    let name = format!("VOXBRIDGE__SERVER{}", "__X".repeat(5_000));
    let expected =
        format!("environment variable {name}: names more than 16 keys, each inside the one before");
    refuses(BACKEND, &[(&name, "1")], &expected);
}

#[test]
fn keys_of_any_depth_are_refused() {
    let deep = ["a"; 5_000].join(".");
    for text in [format!("{deep} = 1\n"), format!("[{deep}]\n"), format!("a = {}", "[".repeat(5_000))] {
        assert!(load_with(&format!("{text}\n{BACKEND}"), &[]).is_err(), "{text:.20}");
    }
}
