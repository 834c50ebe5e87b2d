//! What is accepted, and what it becomes.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use log::LevelFilter;
use serde_json::json;

use super::super::*;
use super::{BACKEND, load, load_with};

#[test]
fn the_embedded_default_has_every_default_and_the_simulator() {
    let config = Config::from_toml(DEFAULT_NAME, DEFAULT_TEXT, []).expect("default.toml");
    let agent = BackendUrl::SelfPath("/sim/deepgram/v1/agent/converse".into());
    let expected = Config {
        server: Server::default(),
        logging: Logging::default(),
        auth: Auth::default(),
        console: Console { enabled: true },
        limits: Limits::default(),
        process: ProcessLimits::default(),
        functions: Arc::default(),
        simulator: Simulator { enabled: true, ..Simulator::default() },
        backends: vec![
            Backend {
                aliases: vec!["/v1/agent/converse".into()],
                ..Backend::new("openai", "/openai", BackendUrl::SelfPath("/sim/openai".into()))
            },
            Backend {
                aliases: vec!["/v1/listen".into(), "/v2/listen".into()],
                ..Backend::passed_through("deepgram", "/deepgram-proxy", agent)
            },
        ],
        warnings: Vec::new(),
    };
    assert_eq!(config, expected);
}

#[test]
fn what_only_looks_like_the_consoles_path_is_a_backends() {
    for path in ["/consoles", "/console-2", "/Console/x", "/a/console/", "/console.js"] {
        let config = load(&BACKEND.replace("\"/a\"", &format!("\"{path}\"")));
        assert_eq!(config.unwrap_or_else(|error| panic!("{error}")).backends[0].path, path);
    }
}

#[test]
fn defaults_are_those_documented() {
    let config = load(BACKEND).expect("four keys");
    assert_eq!((config.server.host.as_str(), config.server.port), ("127.0.0.1", 8080));
    assert_eq!((config.server.workers, config.server.max_sessions), (0, 5000));
    assert_eq!((config.logging.level, config.logging.log_content), (LevelFilter::Info, false));
    assert!(!config.simulator.enabled);
    assert!(config.console.enabled);
    let limits = &config.limits;
    assert_eq!((limits.before_ready_bytes, limits.leg_bytes), (2_097_152, 4_194_304));
    assert_eq!((limits.max_message_bytes, limits.max_upstream_message_bytes), (1_048_576, 33_554_432));
    assert_eq!(limits.settings_timeout, Duration::from_secs(60));
    assert_eq!(limits.idle_timeout, Some(Duration::from_secs(300)));
    assert_eq!((limits.max_session, limits.slow_client_timeout), (None, Duration::from_secs(10)));
    assert_eq!((limits.messages_per_s, config.server.drain_timeout), (None, Duration::from_secs(25)));
    let none = (config.process.sessions_per_address, config.process.sessions_per_subject);
    assert_eq!((config.process.bytes, none), (536_870_912, (None, None)));
    assert_eq!(config.functions.client_timeout, Duration::from_millis(60_000));
    let backend = &config.backends[0];
    assert_eq!(backend.model.as_deref(), Some("gpt-realtime"));
    assert_eq!((&backend.api_key, backend.auth_header), (&None, AuthHeader::Bearer));
    assert_eq!((backend.api_shape, backend.speaks_beta()), (ApiShape::Auto, false));
    assert_eq!(backend.deferred_response_timeout, Duration::from_millis(20_000));
    assert_eq!((backend.connect_timeout, backend.dial_attempts), (Duration::from_secs(10), 2));
    assert_eq!(backend.ping_interval, Some(Duration::from_secs(20)));
    assert_eq!((backend.dialect, backend.greeting_mode), (Dialect::Auto, GreetingMode::Text));
    assert_eq!(backend.transcription.model, "gpt-4o-transcribe");
    assert!(backend.aliases.is_empty() && backend.headers.is_empty() && backend.tools.is_empty());
    assert_eq!((backend.lock, backend.barge_in), (Lock::default(), true));
    assert!(backend.voices.is_empty());
}

#[test]
fn a_backend_of_five_keys_and_host_and_port_are_enough() {
    let text = "[server]\nhost = \"127.0.0.1\"\nport = 0\n[[backends]]\nname = \"openai\"\nkind = \"openai-realtime\"\n\
                path = \"/openai\"\nurl = \"ws://127.0.0.1:9/v1/realtime\"\nmodel = \"m\"\n";
    let config = load(text).expect("five keys");
    assert_eq!((config.server.port, config.backends[0].model.as_deref()), (0, Some("m")));
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn every_example_loads() {
    let mut names = Vec::new();
    let keys =
        ["OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "DEEPGRAM_API_KEY", "SHOP_TOKEN", "VISITOR_TOKEN_KEY"]
            .map(|name| (name.to_owned(), format!("{name:0>40}")));
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("config")).expect("config/") {
        let path = entry.expect("entry").path();
        // What an operator's own programs read is beside it.
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let config = Config::from_toml(&path.display().to_string(), &text, keys.clone());
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.warnings, Vec::<String>::new(), "{}", path.display());
        names.push(path.file_name().expect("name").to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(
        names,
        ["azure.toml", "deepgram.toml", "default.toml", "functions.toml", "identity.toml", "openai.toml"]
    );
}

#[test]
fn urls_may_lack_a_path_or_have_a_path_or_a_query() {
    for (url, path, query) in [
        ("ws://127.0.0.1:9", "/", None),
        ("ws://127.0.0.1:9/v1/realtime", "/v1/realtime", None),
        (
            "wss://h/openai/realtime?api-version=1&deployment=d",
            "/openai/realtime",
            Some("api-version=1&deployment=d"),
        ),
        ("wss://h?model=m", "/", Some("model=m")),
    ] {
        let config = load(&BACKEND.replace("wss://h", url)).expect(url);
        let BackendUrl::Remote(parsed) = &config.backends[0].url else { panic!("{url} became a self url") };
        assert_eq!((parsed.path(), parsed.query()), (path, query), "{url}");
    }
}

#[test]
fn the_shape_of_events_is_told_by_the_url_unless_it_is_configured() {
    const PREVIEW: &str = "wss://h/openai/realtime?api-version=2025-04-01-preview&deployment=d";
    for (url, line, is_beta) in [
        ("wss://h/openai/v1/realtime?model=d", "", false),
        ("wss://h/v1/realtime?x=api-version", "api_shape = \"auto\"", false),
        ("wss://h/v1/realtime", "api_shape = \"beta\"", true),
        (PREVIEW, "", true),
        (PREVIEW, "api_shape = \"auto\"", true),
        (PREVIEW, "api_shape = \"ga\"", false),
        ("self:/sim/azure/openai/realtime?deployment=d&api-version=1", "", true),
        ("self:/sim/openai", "", false),
    ] {
        let text = format!("[simulator]\nenabled = true\n{}{line}\n", BACKEND.replace("wss://h", url));
        assert_eq!(load(&text).expect(url).backends[0].speaks_beta(), is_beta, "{url} {line}");
    }
}

#[test]
fn a_field_that_the_beta_does_not_have_is_a_warning() {
    let of = |lines: &str| load(&format!("{BACKEND}{lines}\n")).expect(lines).warnings;
    let idle = "turn_detection = { idle_timeout_ms = 6000 }";
    assert_eq!(of(idle), Vec::<String>::new());
    assert_eq!(of("api_shape = \"beta\""), Vec::<String>::new());
    assert_eq!(
        of(&format!("api_shape = \"beta\"\n{idle}")),
        ["backends[0].turn_detection.idle_timeout_ms: upstream speaks the beta api, which has no such field"]
    );
}

#[test]
fn clear_text_to_another_host_is_a_warning() {
    for url in ["ws://localhost:9", "ws://127.1.2.3", "ws://[::1]:9", "wss://example.com"] {
        assert_eq!(
            load(&BACKEND.replace("wss://h", url)).expect(url).warnings,
            Vec::<String>::new(),
            "{url}"
        );
    }
    let config = load(&BACKEND.replace("wss://h", "ws://example.com/x?api-key=sekrit&a=b")).expect("ws");
    assert_eq!(
        config.warnings,
        ["backends[0].url: audio and keys go to ws://example.com/x?api-key=***&a=b without encryption"]
    );
}

#[test]
fn other_addresses_than_loopback_are_allowed_when_asked_for() {
    for host in ["localhost", "127.0.0.2", "::1", "[::1]"] {
        let config = load(&format!("[server]\nhost = \"{host}\"\n{BACKEND}")).expect(host);
        assert_eq!(config.warnings, Vec::<String>::new(), "{host}");
        assert_eq!(config.server.host, host.trim_matches(['[', ']']));
    }
    let text = format!("[server]\nhost = \"0.0.0.0\"\n[auth]\nallow_anonymous = true\n{BACKEND}");
    let config = load(&text).expect("allowed");
    assert_eq!(config.warnings, ["auth.allow_anonymous: anybody who reaches 0.0.0.0 may connect"]);
}

#[test]
fn zero_turns_session_limits_off() {
    let config =
        load(&format!("[limits]\nidle_timeout_s = 0\nmax_session_s = 7\n{BACKEND}")).expect("limits");
    assert_eq!((config.limits.idle_timeout, config.limits.max_session), (None, Some(Duration::from_secs(7))));
}

#[test]
fn turn_detection_has_three_types() {
    for (toml, expected) in [
        ("{}", TurnDetection::default()),
        (
            "{ type = \"server_vad\", threshold = 1, prefix_padding_ms = 0, silence_duration_ms = 500, \
             idle_timeout_ms = 5000, create_response = false, interrupt_response = false }",
            TurnDetection::ServerVad {
                threshold: 1.0,
                prefix_padding_ms: 0,
                silence_duration_ms: 500,
                idle_timeout_ms: Some(5000),
                create_response: false,
                interrupt_response: false,
            },
        ),
        (
            "{ type = \"semantic_vad\", eagerness = \"low\", interrupt_response = false }",
            TurnDetection::SemanticVad {
                eagerness: Eagerness::Low,
                create_response: true,
                interrupt_response: false,
            },
        ),
        ("{ type = \"manual\" }", TurnDetection::Manual),
    ] {
        let config = load(&format!("{BACKEND}turn_detection = {toml}\n")).expect(toml);
        assert_eq!(config.backends[0].turn_detection, expected);
    }
}

#[test]
fn any_of_three_can_be_locked() {
    let none = Lock::default();
    for (toml, expected) in [
        ("[]", none),
        ("[\"instructions\"]", Lock { instructions: true, ..none }),
        ("[\"tools\"]", Lock { tools: true, ..none }),
        ("[\"voice\", \"voice\"]", Lock { voice: true, ..none }),
        ("[\"voice\", \"tools\", \"instructions\"]", Lock { instructions: true, tools: true, voice: true }),
    ] {
        let config = load(&format!("{BACKEND}lock = {toml}\n")).expect(toml);
        assert_eq!(config.backends[0].lock, expected, "{toml}");
    }
}

#[test]
fn without_barge_in_upstream_does_not_interrupt() {
    for (lines, barge_in, interrupt) in [
        ("", true, Some(true)),
        ("barge_in = true", true, Some(true)),
        ("barge_in = false", false, Some(false)),
        ("barge_in = false\nturn_detection = { interrupt_response = false }", false, Some(false)),
        ("barge_in = true\nturn_detection = { interrupt_response = false }", true, Some(false)),
        ("barge_in = false\nturn_detection = { type = \"semantic_vad\" }", false, Some(false)),
        ("barge_in = false\nturn_detection = { type = \"manual\" }", false, None),
    ] {
        let config = load(&format!("{BACKEND}{lines}\n")).expect(lines);
        let backend = &config.backends[0];
        let interrupts = match backend.turn_detection {
            TurnDetection::ServerVad { interrupt_response, .. }
            | TurnDetection::SemanticVad { interrupt_response, .. } => Some(interrupt_response),
            TurnDetection::Manual => None,
        };
        assert_eq!((backend.barge_in, interrupts), (barge_in, interrupt), "{lines}");
    }
}

#[test]
fn voices_are_found_by_any_name() {
    let text = format!(
        "{BACKEND}[backends.voices]\n\"aura-2.thalia-en\" = \"coral\"\n\"*\" = \"cedar\"\nJoanna = \"marin\"\n"
    );
    let config = load(&text).expect("voices");
    let voices: Vec<_> = config.backends[0].voices.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(voices, [("*", "cedar"), ("Joanna", "marin"), ("aura-2.thalia-en", "coral")]);
}

#[test]
fn the_key_may_be_text_a_variable_or_a_file() {
    let mut file = tempfile::NamedTempFile::new().expect("temporary file");
    file.write_all(b"  from-file\n").expect("written");
    let from_file = format!("api_key_file = {:?}", file.path());
    for (line, expected) in [
        ("api_key = \"from-text\"", "from-text"),
        ("api_key_env = \"K\"", "from-variable"),
        (&from_file, "from-file"),
    ] {
        let config = load_with(&format!("{BACKEND}{line}\n"), &[("K", "from-variable")]).expect(line);
        assert_eq!(config.backends[0].api_key.as_ref().map(Secret::expose), Some(expected));
    }
}

#[test]
fn empty_text_takes_an_optional_value_away() {
    let config = load(&format!("{BACKEND}model = \"\"\nvoice = \"\"\ninstructions = \"\"\n")).expect("empty");
    let backend = &config.backends[0];
    assert_eq!((&backend.model, &backend.voice, &backend.instructions), (&None, &None, &None));
}

#[test]
fn tools_headers_and_simulator_options_are_carried_over() {
    let text = format!(
        "[simulator]\nenabled = true\n[simulator.openai]\ndelay_ms = 5\nspeech = \"on\"\nstrict = true\nrate = 0.5\n\
         [simulator.deepgram]\ndrop_after = 3\n{BACKEND}\
         headers = {{ \"OpenAI-Beta\" = \"realtime=v1\" }}\n\
         [[backends.tools]]\nname = \"now\"\n\
         [[backends.tools]]\nname = \"weather\"\ndescription = \"d\"\n\
         parameters = {{ type = \"object\", required = [\"b\"], properties = {{ b = {{ type = \"string\" }}, a = {{ maximum = 5 }} }} }}\n"
    );
    let config = load(&text).expect("tools");
    let options: Vec<_> = config.simulator.openai.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(options, [("delay_ms", "5"), ("rate", "0.5"), ("speech", "on"), ("strict", "true")]);
    let options: Vec<_> = config.simulator.deepgram.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(options, [("drop_after", "3")]);
    let backend = &config.backends[0];
    assert_eq!(backend.headers["OpenAI-Beta"], "realtime=v1");
    assert_eq!(backend.tools[0].parameters, json!({"type": "object", "properties": {}}));
    assert_eq!(backend.tools[1].description.as_deref(), Some("d"));
    // As text, because the order of the keys counts too: it is the same at every start.
    assert_eq!(
        backend.tools[1].parameters.to_string(),
        r#"{"properties":{"a":{"maximum":5},"b":{"type":"string"}},"required":["b"],"type":"object"}"#
    );
}

#[test]
fn load_reads_a_file_and_names_one_that_is_missing() {
    let mut file = tempfile::NamedTempFile::new().expect("temporary file");
    file.write_all(BACKEND.as_bytes()).expect("written");
    assert_eq!(Config::load(Some(file.path())).expect("file").backends[0].name, "a");
    assert_eq!(Config::load(None).expect("embedded").backends[0].name, "openai");
    let error = Config::load(Some(Path::new("no/such.toml"))).expect_err("missing");
    assert_eq!(error.to_string(), "no/such.toml: cannot be read: No such file or directory (os error 2)");
}
