//! What is refused, each with its exact line.

use std::io::Write;

use super::{BACKEND, refuses};

#[test]
fn syntax_errors_name_the_place_but_not_the_text() {
    for (text, expected) in [
        ("[server]\nport 8080\n", "my.toml: line 2, column 6: key with no value, expected `=`"),
        ("[server]\nport = 1\nport = 2\n", "my.toml: line 3, column 1: duplicate key"),
        (
            "[[backends]]\napi_key = \"sk-sekrit\n",
            "my.toml: line 2, column 21: invalid basic string, expected `\"`",
        ),
    ] {
        refuses(text, &[], expected);
    }
}

#[test]
fn unknown_keys_come_first() {
    for (text, key) in [
        ("prot = 1\n", "prot"),
        ("[server]\nprot = 1\n", "server.prot"),
        ("[server]\ntls_ca_file = \"x\"\n", "server.tls_ca_file"),
        ("[auth]\ntoken = [\"x\"]\n", "auth.token"),
        ("[auth]\ntokens = [{ name = \"x\" }]\n", "auth.tokens[0].name"),
        ("[auth.jwt]\njwks_url = \"x\"\n", "auth.jwt.jwks_url"),
        ("[functions]\nmax_qeued = 1\n", "functions.max_qeued"),
        ("[[functions.route]]\nname = \"f\"\n", "functions.route[0].name"),
        ("[simulator.azure]\nx = 1\n", "simulator.azure"),
        ("[console]\npath = \"/x\"\n", "console.path"),
        (
            "[[backends]]\nname = \"a\"\ndeferred_respnse_timeout_ms = 1\n",
            "backends[0].deferred_respnse_timeout_ms",
        ),
        ("[[backends]]\n[[backends]]\nlocks = [\"voice\"]\n", "backends[1].locks"),
        ("[[backends]]\nturn_detection = { kind = \"manual\" }\n", "backends[0].turn_detection.kind"),
        ("[[backends]]\ntools = [{ nam = \"x\" }]\n", "backends[0].tools[0].nam"),
    ] {
        refuses(text, &[], &format!("my.toml: {key}: unknown key"));
    }
}

#[test]
fn required_keys_are_named() {
    refuses("", &[], "my.toml: backends: missing, at least one is needed");
    for key in ["name", "kind", "path", "url"] {
        let start = format!("{key} = ");
        let without: String = BACKEND
            .lines()
            .filter(|line| !line.starts_with(&start))
            .map(|line| format!("{line}\n"))
            .collect();
        refuses(&without, &[], &format!("my.toml: backends[0].{key}: missing"));
        refuses(
            &format!("{without}{key} = \"\"\n"),
            &[],
            &format!("my.toml: backends[0].{key}: must not be empty"),
        );
    }
}

#[test]
fn values_of_the_wrong_type() {
    for (text, expected) in [
        ("server = 5\n", "server: expected a table"),
        ("backends = \"sk-sekrit\"\n", "backends: expected a list"),
        ("[functions]\nroute = \"sk-sekrit\"\n", "functions.route: expected a list"),
        ("[functions]\nroute = { names = [\"f\"] }\n", "functions.route: expected a list"),
        ("[[backends]]\nheaders = \"sk-sekrit\"\n", "backends[0].headers: expected a table"),
        ("[[backends]]\nturn_detection = \"manual\"\n", "backends[0].turn_detection: expected a table"),
        ("[server]\nport = \"8080\"\n", "server.port: expected an integer, found \"8080\""),
        ("[server]\nport = 80.5\n", "server.port: expected an integer, found a decimal number"),
        ("[server]\nport = nan\n", "server.port: expected an integer, found nan or infinity"),
        ("[server]\nhost = 5\n", "server.host: expected text, found an integer"),
        ("[server]\nhost = [\"a\"]\n", "server.host: expected text, found a list"),
        ("[server]\nhost = { a = 1 }\n", "server.host: expected text, found a table"),
        ("[console]\nenabled = 1\n", "console.enabled: expected true or false, found an integer"),
        ("[logging]\nlog_content = \"yes\"\n", "logging.log_content: expected true or false, found \"yes\""),
        (
            "[simulator.openai]\nx = [1]\n",
            "simulator.openai.x: expected text, a number, true or false, found a list",
        ),
        (
            "[simulator.deepgram]\nx = { y = 1 }\n",
            "simulator.deepgram.x: expected text, a number, true or false, found a table",
        ),
    ] {
        refuses(text, &[], &format!("my.toml: {expected}"));
    }
}

#[test]
fn numbers_out_of_range() {
    for (section, key, low, high) in [
        ("server", "port", 0, 65_535_i64),
        ("server", "admin_port", 1, 65_535),
        ("server", "workers", 0, 1024),
        ("server", "max_sessions", 1, 1_000_000),
        ("limits", "before_ready_bytes", 1024, 1_073_741_824),
        ("limits", "leg_bytes", 1024, 1_073_741_824),
        ("limits", "max_message_bytes", 1024, 1_073_741_824),
        ("limits", "max_upstream_message_bytes", 1024, 1_073_741_824),
        ("limits", "settings_timeout_s", 1, 604_800),
        ("limits", "idle_timeout_s", 0, 604_800),
        ("limits", "max_session_s", 0, 604_800),
        ("limits", "slow_client_timeout_s", 1, 604_800),
        ("functions", "client_timeout_ms", 1, 3_600_000),
        ("functions", "max_concurrent", 1, 10_000),
        ("functions", "max_queued", 0, 100_000),
    ] {
        for (value, fits) in [(low - 1, false), (low, true), (high, true), (high + 1, false)] {
            let text = format!("[{section}]\n{key} = {value}\n{BACKEND}");
            if fits {
                super::load(&text).unwrap_or_else(|error| panic!("{error}"));
            } else {
                let reason = format!("must be {low} to {high}, is {value}");
                refuses(&text, &[], &format!("my.toml: {section}.{key}: {reason}"));
            }
        }
    }
}

#[test]
fn bad_sections() {
    for (text, expected) in [
        (
            "[auth]\nmode = \"token\"\n",
            "auth.mode: \"token\" is not known, must be \"none\", \"tokens\" or \"jwt\"",
        ),
        (
            "[logging]\nformat = \"xml\"\n",
            "logging.format: \"xml\" is not known, must be \"text\" or \"json\"",
        ),
        (
            "[logging]\nlevel = \"loud\"\n",
            "logging.level: \"loud\" is not known, must be \"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        ),
        ("[server]\nhost = \"\"\n", "server.host: must not be empty"),
        ("[server]\nhost = \"a b\"\n", "server.host: must be an address or a host name"),
        (
            "[server]\nhost = \"0.0.0.0\"\n",
            "server.host: \"0.0.0.0\" can be reached by others and auth.mode is \"none\": \
             needs another auth.mode, or auth.allow_anonymous = true",
        ),
        (
            "[server]\nhost = \"example.com\"\n",
            "server.host: \"example.com\" can be reached by others and auth.mode is \"none\": \
             needs another auth.mode, or auth.allow_anonymous = true",
        ),
    ] {
        refuses(&format!("{text}{BACKEND}"), &[], &format!("my.toml: {expected}"));
    }
}

#[test]
fn bad_keys_of_a_backend() {
    for (line, expected) in [
        (
            "function_calls = \"both\"",
            "function_calls: \"both\" is not known, must be \"client\" or \"server\"",
        ),
        ("dialect = \"x\"", "dialect: \"x\" is not known, must be \"auto\", \"deepgram\" or \"component\""),
        ("auth_header = \"token\"", "auth_header: \"token\" does not belong to kind \"openai-realtime\""),
        ("api_shape = \"alpha\"", "api_shape: \"alpha\" is not known, must be \"auto\", \"ga\" or \"beta\""),
        ("greeting_mode = \"sing\"", "greeting_mode: \"sing\" is not known, must be \"text\" or \"speak\""),
        (
            "lock = [\"prompt\"]",
            "lock: \"prompt\" is not known, must be \"instructions\", \"tools\" or \"voice\"",
        ),
        ("lock = \"voice\"", "lock: expected a list, found \"voice\""),
        ("lock = [true]", "lock[0]: expected text, found true"),
        ("barge_in = \"false\"", "barge_in: expected true or false, found \"false\""),
        (
            "barge_in = false\nturn_detection = { interrupt_response = true }",
            "turn_detection.interrupt_response: must not be true beside barge_in = false",
        ),
        (
            "barge_in = false\nturn_detection = { type = \"semantic_vad\", interrupt_response = true }",
            "turn_detection.interrupt_response: must not be true beside barge_in = false",
        ),
        ("voices = { a = 1 }", "voices.a: expected text, found an integer"),
        ("voices = { a = \"\" }", "voices.a: must not be empty"),
        ("voices = { a = \" \" }", "voices.a: must not be empty"),
        ("voices = { \" \" = \"marin\" }", "voices. : a voice has no name"),
        ("voices = [\"marin\"]", "voices: expected a table"),
        ("dial_attempts = 0", "dial_attempts: must be 1 to 10, is 0"),
        ("dial_attempts = 11", "dial_attempts: must be 1 to 10, is 11"),
        ("connect_timeout_ms = 0", "connect_timeout_ms: must be 1 to 3600000, is 0"),
        ("deferred_response_timeout_ms = 0", "deferred_response_timeout_ms: must be 1 to 3600000, is 0"),
        (
            "allow_client_json_passthrough = 1",
            "allow_client_json_passthrough: expected true or false, found an integer",
        ),
        ("aliases = \"/x\"", "aliases: expected a list, found \"/x\""),
        ("aliases = [1]", "aliases[0]: expected text, found an integer"),
        ("model = 5", "model: expected text, found an integer"),
        ("transcription = { model = \"\" }", "transcription.model: must not be empty"),
        ("transcription = { language = 1 }", "transcription.language: expected text, found an integer"),
        (
            "transcription = { language = \"english\" }",
            "transcription.language: \"english\" is no language tag, must be like \"de\", \"pt-BR\" or \"multi\"",
        ),
        (
            "transcription = { language = \"x-y\" }",
            "transcription.language: \"x-y\" is no language tag, must be like \"de\", \"pt-BR\" or \"multi\"",
        ),
        (
            "turn_detection = { type = \"x\" }",
            "turn_detection.type: \"x\" is not known, must be \"server_vad\", \"semantic_vad\" or \"manual\"",
        ),
        ("turn_detection = { threshold = 1.5 }", "turn_detection.threshold: must be 0 to 1, is 1.5"),
        ("turn_detection = { threshold = -1 }", "turn_detection.threshold: must be 0 to 1, is -1"),
        (
            "turn_detection = { idle_timeout_ms = 4999 }",
            "turn_detection.idle_timeout_ms: must be 5000 to 30000, is 4999",
        ),
        (
            "turn_detection = { idle_timeout_ms = 30001 }",
            "turn_detection.idle_timeout_ms: must be 5000 to 30000, is 30001",
        ),
        (
            "turn_detection = { silence_duration_ms = -1 }",
            "turn_detection.silence_duration_ms: must be 0 to 60000, is -1",
        ),
        (
            "turn_detection = { prefix_padding_ms = 60001 }",
            "turn_detection.prefix_padding_ms: must be 0 to 60000, is 60001",
        ),
        (
            "turn_detection = { eagerness = \"low\" }",
            "turn_detection.eagerness: does not belong to type \"server_vad\"",
        ),
        (
            "turn_detection = { type = \"semantic_vad\", eagerness = \"x\" }",
            "turn_detection.eagerness: \"x\" is not known, must be \"low\", \"medium\", \"high\" or \"auto\"",
        ),
        (
            "turn_detection = { type = \"semantic_vad\", threshold = 0.5 }",
            "turn_detection.threshold: does not belong to type \"semantic_vad\"",
        ),
        (
            "turn_detection = { type = \"manual\", create_response = true }",
            "turn_detection.create_response: does not belong to type \"manual\"",
        ),
        ("headers = { \"a b\" = \"x\" }", "headers.a b: is no http header name"),
        ("headers = { a = \"x\\ny\" }", "headers.a: holds a character that no http header can carry"),
        ("headers = { a = 1 }", "headers.a: expected text, found an integer"),
        (
            "headers = { Sec-WebSocket-Key = \"x\" }",
            "headers.Sec-WebSocket-Key: belongs to the WebSocket handshake",
        ),
        ("tools = [{ description = \"x\" }]", "tools[0].name: missing"),
        ("tools = [{ name = \"a b\" }]", "tools[0].name: must be 1 to 64 letters, digits, \"_\" and \"-\""),
        ("tools = [{ name = \"a\" }, { name = \"a\" }]", "tools[1].name: \"a\" is defined twice"),
        (
            "tools = [{ name = \"a\", parameters = \"{}\" }]",
            "tools[0].parameters: expected a table, found \"{}\"",
        ),
        (
            "tools = [{ name = \"a\", parameters = { maximum = inf } }]",
            "tools[0].parameters: nan and infinity have no json form",
        ),
    ] {
        refuses(&format!("{BACKEND}{line}\n"), &[], &format!("my.toml: backends[0].{expected}"));
    }
    let kind = BACKEND.replace("openai-realtime", "deepgram");
    let reason = "\"deepgram\" is not known, must be \"openai-realtime\" or \"deepgram-agent\"";
    refuses(&kind, &[], &format!("my.toml: backends[0].kind: {reason}"));
}

#[test]
fn bad_urls() {
    for (url, expected) in [
        ("h", "is no url: relative URL without a base"),
        ("wss://", "is no url: empty host"),
        ("https://h", "must begin with \"ws://\", \"wss://\" or \"self:/\", not \"https:\""),
        ("wss://user:sekrit@h", "must not contain a user name or password, use api_key"),
        ("wss://h/#x", "must not contain \"#\""),
        ("self:sim", "must have a path after \"self:\", such as \"self:/sim/openai\""),
        ("self:/sim/a b", "must not contain spaces, \"#\" or letters outside ascii"),
        ("self:/sim/openai?x=1", "\"self:/sim/openai\" is a simulator and needs simulator.enabled = true"),
        ("self:/a", "\"self:/a\" leads back to backend \"a\""),
    ] {
        refuses(&BACKEND.replace("wss://h", url), &[], &format!("my.toml: backends[0].url: {expected}"));
    }
}

#[test]
fn bad_keys_and_their_sources() {
    let mut blank = tempfile::NamedTempFile::new().expect("temporary file");
    blank.write_all(b" \n").expect("written");
    let blank = blank.path().display();
    let carry = "holds a character that no http header can carry";
    for (lines, expected) in [
        ("api_key = \"\"".to_owned(), "api_key: must not be empty".to_owned()),
        ("api_key = 123".to_owned(), "api_key: expected text, found an integer".to_owned()),
        ("api_key = \"sek\\nrit\"".to_owned(), format!("api_key: the key {carry}")),
        (
            "api_key_env = \"UNSET\"".to_owned(),
            "api_key_env: environment variable UNSET is not set".to_owned(),
        ),
        ("api_key_env = \"EMPTY\"".to_owned(), "api_key_env: environment variable EMPTY is empty".to_owned()),
        (
            "api_key_env = \"sk-sekrit\"".to_owned(),
            "api_key_env: is not the name of an environment variable".to_owned(),
        ),
        (
            "api_key_file = \"no/such\"".to_owned(),
            "api_key_file: cannot read no/such: No such file or directory (os error 2)".to_owned(),
        ),
        (format!("api_key_file = \"{blank}\""), format!("api_key_file: {blank} is empty")),
        (
            "api_key = \"x\"\napi_key_env = \"K\"".to_owned(),
            "api_key_env: api_key is given as well, only one may be".to_owned(),
        ),
        (
            "api_key_file = \"x\"\napi_key_env = \"K\"".to_owned(),
            "api_key_file: api_key_env is given as well, only one may be".to_owned(),
        ),
    ] {
        let text = format!("{BACKEND}{lines}\n");
        refuses(&text, &[("EMPTY", ""), ("K", "k")], &format!("my.toml: backends[0].{expected}"));
    }
}

#[test]
fn tls_ca_files() {
    let mut blank = tempfile::NamedTempFile::new().expect("temporary file");
    blank.write_all(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").expect("written");
    let blank = blank.path().display();
    for (value, expected) in [
        ("no/such".to_owned(), "cannot read no/such: No such file or directory (os error 2)".to_owned()),
        (blank.to_string(), format!("{blank} holds no certificate, or one that cannot be used")),
        ("Cargo.toml".to_owned(), "Cargo.toml holds no certificate, or one that cannot be used".to_owned()),
    ] {
        let text = format!("{BACKEND}tls_ca_file = {value:?}\n");
        refuses(&text, &[], &format!("my.toml: backends[0].tls_ca_file: {expected}"));
    }
}

#[test]
fn names_and_paths_collide() {
    let second = BACKEND.replace("\"a\"", "\"b\"");
    for (text, expected) in [
        (
            BACKEND.replace("\"a\"", "\"a b\""),
            "backends[0].name: must be letters, digits, \"_\" and \"-\" only",
        ),
        (format!("{BACKEND}{BACKEND}"), "backends[1].name: \"a\" is the name of backends[0] as well"),
        (format!("{BACKEND}{second}"), "backends[1].path: \"/a\" is already a path of backend \"a\""),
        (
            format!("{BACKEND}aliases = [\"/a\"]\n"),
            "backends[0].aliases[0]: \"/a\" is already a path of backend \"a\"",
        ),
        (
            format!("{BACKEND}aliases = [\"/b\"]\n{}", second.replace("/a", "/b")),
            "backends[1].path: \"/b\" is already a path of backend \"a\"",
        ),
        (BACKEND.replace("/a", "a"), "backends[0].path: \"a\" must begin with \"/\""),
        (BACKEND.replace("/a", "/{a}"), "backends[0].path: \"/{a}\" must not contain '{'"),
        (BACKEND.replace("/a", "/a?b"), "backends[0].path: \"/a?b\" must not contain '?'"),
    ] {
        refuses(&text, &[], &format!("my.toml: {expected}"));
    }
    let services =
        ["/", "/health", "/ready", "/metrics", "/v1/backends", "/function-call", "/v1/auth/grant", "/sim/x"];
    // Also where they are switched off, as the simulators are here.
    let console = ["/console", "/console/", "/console/main.js", "/console/no/such.file"];
    for (own, more) in services
        .iter()
        .chain(&console)
        .map(|own| (own, ""))
        .chain(console.iter().map(|own| (own, "[console]\nenabled = false\n")))
    {
        let reason = format!("\"{own}\" is a path of voxbridge itself");
        refuses(
            &format!("{more}{BACKEND}aliases = [\"/b\", \"{own}\"]\n"),
            &[],
            &format!("my.toml: backends[0].aliases[1]: {reason}"),
        );
    }
}

#[test]
fn the_admin_port_is_another_one() {
    let text = format!("[server]\nport = 9090\nadmin_port = 9090\n{BACKEND}");
    refuses(&text, &[], "my.toml: server.admin_port: is server.port as well");
}
