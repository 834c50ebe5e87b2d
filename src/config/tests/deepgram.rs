//! Passed-through backends: what is accepted and what it becomes, what is refused and with which line.

use super::super::*;
use super::{BACKEND, DEEPGRAM, load, load_with, refuses};

fn backend_of(lines: &str) -> Backend {
    let config = load(&format!("{DEEPGRAM}{lines}\n"));
    config.unwrap_or_else(|error| panic!("{error}: {lines}")).backends[0].clone()
}

fn deepgram_of(lines: &str) -> Deepgram {
    backend_of(lines).deepgram().expect("the kind is Deepgram's").clone()
}

fn parameters(lines: &str) -> Vec<(String, String)> {
    deepgram_of(lines).query_defaults
}

#[test]
fn defaults_are_those_documented() {
    let backend = backend_of("");
    assert_eq!((backend.kind.name(), &backend.model, &backend.api_key), ("deepgram-agent", &None, &None));
    assert_eq!((backend.auth_header, backend.dialect), (AuthHeader::Token, Dialect::Auto));
    assert_eq!((&backend.function_calls, backend.dial_attempts), (&FunctionCalls::Client, 2));
    let deepgram = backend.deepgram().expect("the kind is Deepgram's");
    assert_eq!(deepgram.listen_version(), Some(ListenVersion::V1));
    assert!(deepgram.query_defaults.is_empty() && deepgram.repair_component_messages);
    let url = "wss://agent.deepgram.com/v1/agent/converse".parse().expect("a url");
    assert_eq!(backend, Backend::passed_through("dg", "/dg", BackendUrl::Remote(url)));
}

#[test]
fn where_it_transcribes_follows_from_where_the_agent_is() {
    for (url, expected) in [
        ("wss://agent.deepgram.com/v1/agent/converse", Some("wss://api.deepgram.com/v1/listen")),
        ("wss://Agent.Deepgram.com/v1/agent/converse?a=b", Some("wss://api.deepgram.com/v1/listen")),
        ("wss://h:99/x/v1/agent/converse", Some("wss://h:99/x/v1/listen")),
        ("wss://agent.deepgram.com.h/v1/agent/converse", Some("wss://agent.deepgram.com.h/v1/listen")),
        ("self:/up/v1/agent/converse?a=b", Some("self:/up/v1/listen")),
        ("wss://h/converse", None),
        ("wss://h/v1/agent/converse/", None),
        ("wss://h/?x=/v1/agent/converse", None),
        ("self:/up?x=/v1/agent/converse", None),
    ] {
        let text = DEEPGRAM.replace("wss://agent.deepgram.com/v1/agent/converse", url);
        let config = load(&text).unwrap_or_else(|error| panic!("{error}: {url}"));
        let deepgram = config.backends[0].deepgram().expect("the kind is Deepgram's");
        let transcription = deepgram.transcription_url.as_ref().map(ToString::to_string);
        assert_eq!(transcription.as_deref(), expected, "{url}");
    }
}

#[test]
fn where_it_transcribes_can_be_said_or_taken_away() {
    for (url, expected, version) in [
        ("wss://h/v1/listen?tag=a", Some("wss://h/v1/listen?tag=a"), Some(ListenVersion::V1)),
        ("ws://[::1]:9/x/v2/listen", Some("ws://[::1]:9/x/v2/listen"), Some(ListenVersion::V2)),
        ("self:/up/v2/listen?a=b", Some("self:/up/v2/listen?a=b"), Some(ListenVersion::V2)),
        ("", None, None),
    ] {
        let deepgram = deepgram_of(&format!("transcription_url = \"{url}\""));
        let transcription = deepgram.transcription_url.as_ref().map(ToString::to_string);
        assert_eq!((transcription.as_deref(), deepgram.listen_version()), (expected, version), "{url}");
    }
}

#[test]
fn what_both_kinds_have_is_said_as_for_the_other() {
    let backend = backend_of(
        "aliases = [\"/b\"]\napi_key = \"k\"\nheaders = { X-Team = \"a\" }\nfunction_calls = \"server\"\n\
         dialect = \"component\"\nconnect_timeout_ms = 5\ndial_attempts = 3\nrepair_component_messages = false",
    );
    assert_eq!(backend.aliases, ["/b"]);
    assert_eq!(backend.api_key.as_ref().map(Secret::expose), Some("k"));
    assert_eq!((backend.headers["X-Team"].as_str(), backend.dialect), ("a", Dialect::Component));
    assert!(matches!(backend.function_calls, FunctionCalls::Server(_)));
    assert_eq!((backend.connect_timeout.as_millis(), backend.dial_attempts), (5, 3));
    assert!(!backend.deepgram().expect("the kind is Deepgram's").repair_component_messages);
}

#[test]
fn the_key_goes_in_a_header_of_its_kind() {
    for (word, expected) in [
        ("token", AuthHeader::Token),
        ("bearer", AuthHeader::Bearer),
        ("subprotocol", AuthHeader::Subprotocol),
    ] {
        let lines = format!("auth_header = \"{word}\"\napi_key = \"a-b_c.9\"");
        assert_eq!(backend_of(&lines).auth_header, expected);
    }
    for (text, word, reason) in [
        (DEEPGRAM, "api-key", "\"api-key\" does not belong to kind \"deepgram-agent\""),
        (BACKEND, "token", "\"token\" does not belong to kind \"openai-realtime\""),
        (BACKEND, "subprotocol", "\"subprotocol\" does not belong to kind \"openai-realtime\""),
        (DEEPGRAM, "x", "\"x\" is not known, must be \"token\", \"bearer\" or \"subprotocol\""),
        (BACKEND, "x", "\"x\" is not known, must be \"bearer\" or \"api-key\""),
    ] {
        let expected = format!("my.toml: backends[0].auth_header: {reason}");
        refuses(&format!("{text}auth_header = \"{word}\"\n"), &[], &expected);
    }
    // Commas, slashes and the like would need quotes.
    let lines = "auth_header = \"subprotocol\"\napi_key = \"sek/rit\"\n";
    let reason = "auth_header: the key holds a character that no subprotocol can carry";
    refuses(&format!("{DEEPGRAM}{lines}"), &[], &format!("my.toml: backends[0].{reason}"));
}

#[test]
fn keys_of_the_other_kind_are_refused() {
    for line in [
        "model = \"m\"",
        "model = \"\"",
        "api_shape = \"ga\"",
        "deferred_response_timeout_ms = 1",
        "allow_client_json_passthrough = false",
        "greeting_mode = \"text\"",
        "lock = []",
        "barge_in = true",
        "turn_detection = { type = \"manual\" }",
        "transcription = { model = \"m\" }",
        "voice = \"v\"",
        "voices = { a = \"b\" }",
        "instructions = \"i\"",
        "tools = [{ name = \"t\" }]",
    ] {
        load(&format!("{BACKEND}{line}\n")).unwrap_or_else(|error| panic!("{error}"));
        let key = line.split(" = ").next().expect("a line has a key");
        let expected = format!("my.toml: backends[0].{key}: does not belong to kind \"deepgram-agent\"");
        refuses(&format!("{DEEPGRAM}{line}\n"), &[], &expected);
    }
    for line in [
        "transcription_url = \"wss://h/v1/listen\"",
        "query_defaults = { a = \"b\" }",
        "repair_component_messages = true",
    ] {
        load(&format!("{DEEPGRAM}{line}\n")).unwrap_or_else(|error| panic!("{error}"));
        let key = line.split(" = ").next().expect("a line has a key");
        let expected = format!("my.toml: backends[0].{key}: does not belong to kind \"openai-realtime\"");
        refuses(&format!("{BACKEND}{line}\n"), &[], &expected);
    }
    let name = "VOXBRIDGE__BACKENDS__DG__VOICE";
    let reason = "backends[0].voice: does not belong to kind \"deepgram-agent\"";
    refuses(DEEPGRAM, &[(name, "marin")], &format!("environment variable {name}: {reason}"));
}

#[test]
fn parameters_are_text_numbers_flags_or_lists_of_them() {
    let lines = "query_defaults = { model = \"nova-3\", keyterm = [\"a b\", \"c,d\"], eot_threshold = 0.7, \
                 endpointing = false, mixed = [1, true, \"x\"], sample_rate = 16000, none = \"\", nothing = [] }";
    let expected = [
        ("endpointing", "false"),
        ("eot_threshold", "0.7"),
        ("keyterm", "a b"),
        ("keyterm", "c,d"),
        ("mixed", "1"),
        ("mixed", "true"),
        ("mixed", "x"),
        ("model", "nova-3"),
        ("sample_rate", "16000"),
    ];
    assert_eq!(parameters(lines), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(parameters("[backends.query_defaults]\na = 1"), [("a".to_owned(), "1".to_owned())]);
    assert_eq!(parameters("transcription_url = \"\"\nquery_defaults = {}"), []);
}

#[test]
fn bad_keys() {
    let own = "is a parameter of voxbridge itself, which does not go upstream";
    let kinds = "expected text, a number, true or false, or a list of those";
    for (line, expected) in [
        ("query_defaults = 5", "query_defaults: expected a table".to_owned()),
        ("query_defaults = { a = { b = 1 } }", format!("query_defaults.a: {kinds}, found a table")),
        ("query_defaults = { a = nan }", format!("query_defaults.a: {kinds}, found nan or infinity")),
        (
            "query_defaults = { a = [1, [2]] }",
            "query_defaults.a[1]: expected text, a number, true or false, found a list".to_owned(),
        ),
        ("query_defaults = { a = [\"x\", \"\"] }", "query_defaults.a[1]: must not be empty".to_owned()),
        ("query_defaults = { \"\" = 1 }", "query_defaults.: a parameter has no name".to_owned()),
        ("query_defaults = { service = \"agent\" }", format!("query_defaults.service: {own}")),
        ("query_defaults = { token = \"t\" }", format!("query_defaults.token: {own}")),
        ("query_defaults = { traceId = \"t\" }", format!("query_defaults.traceId: {own}")),
        (
            "transcription_url = \"\"\nquery_defaults = { a = 1 }",
            "query_defaults: needs transcription_url: they are for transcription".to_owned(),
        ),
        ("transcription_url = 5", "transcription_url: expected text, found an integer".to_owned()),
        (
            "transcription_url = \"https://h/v1/listen\"",
            "transcription_url: must begin with \"ws://\", \"wss://\" or \"self:/\", not \"https:\"".to_owned(),
        ),
        (
            "transcription_url = \"wss://h/listen\"",
            "transcription_url: must have a path that ends in \"/v1/listen\" or \"/v2/listen\"".to_owned(),
        ),
        (
            "transcription_url = \"wss://h?x=/v1/listen\"",
            "transcription_url: must have a path that ends in \"/v1/listen\" or \"/v2/listen\"".to_owned(),
        ),
        (
            "transcription_url = \"self:/sim/deepgram/v1/listen\"",
            "transcription_url: \"self:/sim/deepgram/v1/listen\" is a simulator and needs simulator.enabled = true"
                .to_owned(),
        ),
        (
            "transcription_url = \"self:/dg/v1/listen?a=b\"",
            "transcription_url: \"self:/dg/v1/listen\" leads back to backend \"dg\"".to_owned(),
        ),
        (
            "repair_component_messages = \"no\"",
            "repair_component_messages: expected true or false, found \"no\"".to_owned(),
        ),
    ] {
        refuses(&format!("{DEEPGRAM}{line}\n"), &[], &format!("my.toml: backends[0].{expected}"));
    }
}

#[test]
fn variables_set_parameters() {
    let of = |text: &str, variables: &[(&str, &str)]| {
        let config = load_with(text, variables).unwrap_or_else(|error| panic!("{error}"));
        let parameters = &config.backends[0].deepgram().expect("the kind is Deepgram's").query_defaults;
        parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    let name = |parameter: &str| format!("VOXBRIDGE__BACKENDS__DG__QUERY_DEFAULTS__{parameter}");
    let variables = [(&*name("UTTERANCE_END_MS"), "1000"), (&*name("KEYTERM"), "a b, c")];
    assert_eq!(of(DEEPGRAM, &variables), ["keyterm=a b", "keyterm=c", "utterance_end_ms=1000"]);
    let text = format!("{DEEPGRAM}query_defaults = {{ Some-Name = \"file\", model = \"nova-3\" }}\n");
    assert_eq!(of(&text, &[(&name("SOME_NAME"), "x"), (&name("MODEL"), "")]), ["Some-Name=x"]);
    let url = ("VOXBRIDGE__BACKENDS__DG__TRANSCRIPTION_URL", "");
    assert_eq!(of(DEEPGRAM, &[url]), Vec::<String>::new());
    let name = name("TOKEN");
    let reason =
        "backends[0].query_defaults.token: is a parameter of voxbridge itself, which does not go upstream";
    refuses(DEEPGRAM, &[(&name, "t")], &format!("environment variable {name}: {reason}"));
}

#[test]
fn clear_text_to_another_host_is_a_warning() {
    let of = |lines: &str| load(&format!("{DEEPGRAM}{lines}\n")).expect(lines).warnings;
    assert_eq!(of("transcription_url = \"ws://localhost/v1/listen\""), Vec::<String>::new());
    let reason = "audio and keys go to ws://h/v1/listen?api_key=***&a=b without encryption";
    let warning = format!("backends[0].transcription_url: {reason}");
    assert_eq!(of("transcription_url = \"ws://h/v1/listen?api_key=sekrit&a=b\""), [warning]);
}

#[test]
fn paths_collide_with_all_that_is_served() {
    let other = |path: &str, aliases: &str| format!("{}aliases = [{aliases}]\n", BACKEND.replace("/a", path));
    for (text, expected) in [
        (
            format!("{}{DEEPGRAM}", other("/dg/v1/listen", "")),
            "backends[1].path: \"/dg\" also serves \"/dg/v1/listen\", which is already a path of backend \"a\"",
        ),
        (
            format!("{DEEPGRAM}{}", other("/b", "\"/dg/agent\"")),
            "backends[1].aliases[0]: \"/dg/agent\" is already a path of backend \"dg\"",
        ),
        (
            format!("{}{DEEPGRAM}aliases = [\"/x/\"]\n", other("/x/v2/listen", "")),
            "backends[1].aliases[0]: \"/x/\" also serves \"/x/v2/listen\", which is already a path of backend \"a\"",
        ),
        (
            format!("{DEEPGRAM}aliases = [\"/v1/listen\", \"/v1/listen\"]\n"),
            "backends[0].aliases[1]: \"/v1/listen\" is already a path of backend \"dg\"",
        ),
        (
            DEEPGRAM.replace("/dg", "/sim"),
            "backends[0].path: \"/sim\" also serves \"/sim/agent\", which is a path of voxbridge itself",
        ),
        (DEEPGRAM.replace("/dg", "/console"), "backends[0].path: \"/console\" is a path of voxbridge itself"),
    ] {
        refuses(&text, &[], &format!("my.toml: {expected}"));
    }
    let text =
        format!("{DEEPGRAM}aliases = [\"/dg/v1/listen\", \"/v1/listen\"]\n{}", other("/v1/listen/agent", ""));
    let config = load(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.backends[0].served_paths().count(), 7);
}
