//! `[functions]` and its routes: what is accepted and what it becomes, what is refused and with which line.

use std::time::Duration;

use serde_json::json;
use url::Url;

use super::super::*;
use super::{BACKEND, ROUTE, load, refuses};

fn route_of(lines: &str) -> Route {
    let config = load(&format!("[[functions.route]]\n{lines}\n{BACKEND}"));
    config.unwrap_or_else(|error| panic!("{error}: {lines}")).functions.routes[0].clone()
}

#[test]
fn defaults_are_those_documented() {
    let functions = load(BACKEND).expect("no section").functions;
    assert_eq!(functions.client_timeout, Duration::from_secs(60));
    assert_eq!((functions.max_concurrent, functions.max_queued), (64, 256));
    assert_eq!(functions.allowed_endpoint_hosts, []);
    let [built_in] = &functions.routes[..] else { panic!("one route") };
    assert_eq!((&built_in.names[..], &built_in.offer), (&["get_current_time".to_owned()][..], &None));
    assert_eq!(built_in.target, Target::BuiltIn(BuiltIn::GetCurrentTime));

    let route = route_of("names = [\"f\"]\nurl = \"https://h/x\"");
    let url = Url::parse("https://h/x").expect("a url");
    assert_eq!(route, Route::new(vec!["f".to_owned()], Target::Url(url)));
    assert_eq!((route.timeout, route.max_response_bytes), (Duration::from_secs(10), 262_144));
    assert!(!route.idempotent && route.retries == 0 && route.headers.is_empty());
    assert_eq!((route.tls_ca, route.offer), (None, None));
}

#[test]
fn a_route_says_all_of_a_request() {
    let route = route_of(
        "names = [\"get_weather\", \"a-B_9\"]\nurl = \"http://127.0.0.1:8090/f?x=1\"\ntimeout_ms = 600000\n\
         headers = { X-Team = \"voice\" }\nidempotent = true\nretries = 10\nmax_response_bytes = 1048576",
    );
    assert_eq!(route.names, ["get_weather", "a-B_9"]);
    assert_eq!(format!("{:?}", route.target), "http://127.0.0.1:8090/f?x=1");
    assert_eq!((route.timeout, route.max_response_bytes), (Duration::from_secs(600), 1_048_576));
    assert_eq!((route.idempotent, route.retries, route.headers["X-Team"].as_str()), (true, 10, "voice"));
}

#[test]
fn a_name_has_its_own_route_then_the_built_in_one_then_that_of_any() {
    let text = format!(
        "{ROUTE}[[functions.route]]\nnames = [\"*\"]\nurl = \"https://any\"\n\
         [[functions.route]]\nnames = [\"g\", \"k\"]\nurl = \"https://g\"\n{BACKEND}"
    );
    let functions = load(&text).expect("three routes").functions;
    let target =
        |name| format!("{:?}", functions.route(name, None).unwrap_or_else(|| panic!("no {name}")).target);
    for (name, expected) in [
        ("f", "https://h/"),
        ("k", "https://g/"),
        ("other", "https://any/"),
        ("F", "https://any/"),
        ("get_current_time", "GetCurrentTime"),
        ("*", "https://any/"),
    ] {
        assert_eq!(target(name), expected, "{name}");
    }
    let functions = load(&format!("{ROUTE}{BACKEND}")).expect("one route").functions;
    assert_eq!(functions.route("other", None), None);
}

#[test]
fn the_operators_own_takes_the_place_of_a_built_in_function() {
    let route = "[[functions.route]]\nnames = [\"get_current_time\"]\n";
    for (more, expected) in [("url = \"https://mine\"", "https://mine/"), ("", "GetCurrentTime")] {
        let functions = load(&format!("{route}{more}\n{BACKEND}")).expect(more).functions;
        assert_eq!(functions.routes.len(), 1, "{more}");
        let target = functions.route("get_current_time", None).map(|route| format!("{:?}", route.target));
        assert_eq!(target.as_deref(), Some(expected));
    }
    let route = route_of("names = [\"get_current_time\"]\ntimeout_ms = 5");
    assert_eq!(route.timeout, Duration::from_millis(5));
}

#[test]
fn a_described_function_is_offered() {
    let text = format!(
        "{ROUTE}description = \"d\"\nparameters = {{ type = \"object\", properties = {{ b = {{}}, a = {{}} }} }}\n\
         [[functions.route]]\nnames = [\"g\"]\nurl = \"https://h\"\ndescription = \"e\"\n\
         [[functions.route]]\nnames = [\"get_current_time\"]\ndescription = \"now\"\n\
         [[functions.route]]\nnames = [\"k\", \"l\"]\nurl = \"https://h\"\ndescription = \"\"\n\
         [[functions.route]]\nnames = [\"*\"]\nurl = \"https://h\"\n{BACKEND}"
    );
    let functions = load(&text).expect("five routes").functions;
    let offered: Vec<_> = functions
        .offered("b")
        .map(|tool| (tool.name.as_str(), tool.description.as_deref(), tool.parameters.to_string()))
        .collect();
    let of_time = BuiltIn::GetCurrentTime.parameters();
    assert_eq!(of_time["properties"]["timezone"]["type"], "string");
    assert_eq!(
        offered,
        [
            ("f", Some("d"), r#"{"properties":{"a":{},"b":{}},"type":"object"}"#.to_owned()),
            ("g", Some("e"), r#"{"type":"object","properties":{}}"#.to_owned()),
            ("get_current_time", Some("now"), of_time.to_string()),
        ]
    );
    // With a url it is the operator's function, whatever its name is.
    let route = route_of("names = [\"get_current_time\"]\nurl = \"https://h\"\ndescription = \"mine\"");
    let parameters = route.offer.map(|tool| tool.parameters);
    assert_eq!(parameters, Some(json!({"type": "object", "properties": {}})));
}

#[test]
fn a_backend_holds_the_routes_if_it_is_told_to() {
    let server = BACKEND.replace("\"a\"", "\"b\"").replace("/a", "/b") + "function_calls = \"server\"\n";
    let config = load(&format!("{ROUTE}{BACKEND}function_calls = \"client\"\n{server}")).expect("both");
    assert_eq!(config.backends[0].function_calls, FunctionCalls::Client);
    let FunctionCalls::Server(functions) = &config.backends[1].function_calls else { panic!("server") };
    assert!(Arc::ptr_eq(functions, &config.functions));
    assert!(functions.route("f", None).is_some());
}

#[test]
fn bad_names_and_targets() {
    let name = "must be 1 to 64 letters, digits, \"_\" and \"-\", or \"*\"";
    let long = "a".repeat(65);
    for (lines, expected) in [
        ("url = \"https://h\"", "names: missing".to_owned()),
        ("names = []\nurl = \"https://h\"", "names: must not be empty".to_owned()),
        ("names = \"f\"\nurl = \"https://h\"", "names: expected a list, found \"f\"".to_owned()),
        ("names = [1]\nurl = \"https://h\"", "names[0]: expected text, found an integer".to_owned()),
        ("names = [\"f\", \"\"]\nurl = \"https://h\"", format!("names[1]: {name}")),
        ("names = [\"a b\"]\nurl = \"https://h\"", format!("names[0]: {name}")),
        ("names = [\"**\"]\nurl = \"https://h\"", format!("names[0]: {name}")),
        ("names = [\"é\"]\nurl = \"https://h\"", format!("names[0]: {name}")),
        (&format!("names = [\"{long}\"]\nurl = \"https://h\""), format!("names[0]: {name}")),
        ("names = [\"f\", \"f\"]\nurl = \"https://h\"", "names[1]: \"f\" stands here twice".to_owned()),
        ("names = [\"*\", \"*\"]\nurl = \"https://h\"", "names[0]: \"*\" must stand alone".to_owned()),
        ("names = [\"f\", \"*\"]\nurl = \"https://h\"", "names[1]: \"*\" must stand alone".to_owned()),
        ("names = [\"f\"]", "url: missing, only \"get_current_time\" is built in".to_owned()),
        ("names = [\"*\"]", "url: missing, only \"get_current_time\" is built in".to_owned()),
        (
            "names = [\"get_current_time\", \"f\"]",
            "url: missing, only \"get_current_time\" is built in".to_owned(),
        ),
        ("names = [\"f\"]\nurl = \"\"", "url: must not be empty".to_owned()),
        ("names = [\"f\"]\nurl = 1", "url: expected text, found an integer".to_owned()),
        ("names = [\"f\"]\nurl = \"h\"", "url: is no url: relative URL without a base".to_owned()),
        ("names = [\"f\"]\nurl = \"http://\"", "url: is no url: empty host".to_owned()),
        (
            "names = [\"f\"]\nurl = \"wss://h\"",
            "url: must begin with \"http://\" or \"https://\", not \"wss:\"".to_owned(),
        ),
        (
            "names = [\"f\"]\nurl = \"self:/x\"",
            "url: must begin with \"http://\" or \"https://\", not \"self:\"".to_owned(),
        ),
        (
            "names = [\"f\"]\nurl = \"https://user:sekrit@h\"",
            "url: must not contain a user name or password, use headers".to_owned(),
        ),
        (
            "names = [\"f\"]\nurl = \"https://:sekrit@h\"",
            "url: must not contain a user name or password, use headers".to_owned(),
        ),
        ("names = [\"f\"]\nurl = \"https://h/#x\"", "url: must not contain \"#\"".to_owned()),
        (
            "names = [\"f\"]\nurl = \"https://*.h\"",
            "url: has a host that is neither a name nor an address".to_owned(),
        ),
        ("names = [\"f\"]\nulr = \"https://h\"", "ulr: unknown key".to_owned()),
    ] {
        let text = format!("[[functions.route]]\n{lines}\n{BACKEND}");
        refuses(&text, &[], &format!("my.toml: functions.route[0].{expected}"));
    }
    for (first, second, place) in [("\"f\"", "\"g\", \"f\"", 1), ("\"*\"", "\"*\"", 0)] {
        let name = if place == 0 { "*" } else { "f" };
        let text = format!(
            "[[functions.route]]\nnames = [{first}]\nurl = \"https://a\"\n\
             [[functions.route]]\nnames = [{second}]\nurl = \"https://b\"\n{BACKEND}"
        );
        let reason = format!("\"{name}\" is a name of functions.route[0] as well");
        refuses(&text, &[], &format!("my.toml: functions.route[1].names[{place}]: {reason}"));
    }
}

#[test]
fn bad_keys_of_a_route() {
    let own = "is set by voxbridge itself";
    for (lines, expected) in [
        ("timeout_ms = 0", "timeout_ms: must be 1 to 600000, is 0"),
        ("timeout_ms = 600001", "timeout_ms: must be 1 to 600000, is 600001"),
        ("max_response_bytes = 0", "max_response_bytes: must be 1 to 1048576, is 0"),
        ("max_response_bytes = 1048577", "max_response_bytes: must be 1 to 1048576, is 1048577"),
        ("idempotent = true\nretries = 11", "retries: must be 0 to 10, is 11"),
        ("idempotent = \"yes\"", "idempotent: expected true or false, found \"yes\""),
        ("retries = 1", "retries: needs idempotent = true: a call may then be run more than once"),
        (
            "idempotent = false\nretries = 1",
            "retries: needs idempotent = true: a call may then be run more than once",
        ),
        ("headers = \"x\"", "headers: expected a table"),
        ("headers = { \"a b\" = \"x\" }", "headers.a b: is no http header name"),
        ("headers = { a = 1 }", "headers.a: expected text, found an integer"),
        ("headers = { a = \"x\\ny\" }", "headers.a: holds a character that no http header can carry"),
        ("headers = { x = \"1\", X = \"2\" }", "headers.x: is the header X, which stands here as well"),
        ("headers = { Host = \"h\" }", &format!("headers.Host: {own}")),
        ("headers = { content-TYPE = \"text/plain\" }", &format!("headers.content-TYPE: {own}")),
        ("headers = { Proxy-Authorization = \"x\" }", &format!("headers.Proxy-Authorization: {own}")),
        ("headers = { idempotency-key = \"x\" }", &format!("headers.idempotency-key: {own}")),
        ("headers = { traceparent = \"x\" }", &format!("headers.traceparent: {own}")),
        ("headers = { X-Trace-Id = \"x\" }", &format!("headers.X-Trace-Id: {own}")),
        ("headers = { HTTP2-Settings = \"x\" }", &format!("headers.HTTP2-Settings: {own}")),
        (
            "tls_ca_file = \"no/such\"",
            "tls_ca_file: cannot read no/such: No such file or directory (os error 2)",
        ),
        ("parameters = {}", "parameters: needs description: a function is offered by both"),
        (
            "description = \"\"\nparameters = {}",
            "parameters: needs description: a function is offered by both",
        ),
        ("description = 1", "description: expected text, found an integer"),
        ("description = \"d\"\nparameters = \"{}\"", "parameters: expected a table, found \"{}\""),
        (
            "description = \"d\"\nparameters = { maximum = inf }",
            "parameters: nan and infinity have no json form",
        ),
    ] {
        let text = format!("{ROUTE}{lines}\n{BACKEND}");
        refuses(&text, &[], &format!("my.toml: functions.route[0].{expected}"));
    }
    for names in ["\"f\", \"g\"", "\"*\""] {
        let text = format!("{ROUTE}description = \"d\"\n{BACKEND}").replace("\"f\"", names);
        let reason = "describes one function, so names must hold one name";
        refuses(&text, &[], &format!("my.toml: functions.route[0].description: {reason}"));
    }
    for (line, key) in [
        ("headers = { a = \"b\" }", "headers"),
        ("idempotent = false", "idempotent"),
        ("retries = 0", "retries"),
        ("max_response_bytes = 1000", "max_response_bytes"),
        ("tls_ca_file = \"ca.pem\"", "tls_ca_file"),
    ] {
        let text = format!("[[functions.route]]\nnames = [\"get_current_time\"]\n{line}\n{BACKEND}");
        let reason = "needs url: no request is sent for a built-in function";
        refuses(&text, &[], &format!("my.toml: functions.route[0].{key}: {reason}"));
    }
}

/// Pages of some origin alone.
const LISTED: &str = "[auth]\nallowed_origins = [\"https://shop.example\"]\n";

#[test]
fn functions_that_any_page_may_call_are_a_warning() {
    let of = |text: &str| load(text).expect("a configuration").warnings;
    let reason =
        "any page in a browser that reaches the listener may call the functions of [[functions.route]]";
    assert_eq!(of(&format!("{ROUTE}{BACKEND}")), [format!("auth.allowed_origins: {reason}")]);
    let built_in = "[[functions.route]]\nnames = [\"get_current_time\"]\n";
    for text in [format!("{LISTED}{ROUTE}{BACKEND}"), format!("{built_in}{BACKEND}"), BACKEND.to_owned()] {
        assert_eq!(of(&text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn clear_text_to_another_host_is_a_warning() {
    let of = |url: &str| {
        load(&format!("{LISTED}{ROUTE}{BACKEND}").replace("https://h", url)).expect("a route").warnings
    };
    for url in
        ["http://localhost:1", "http://127.1.2.3", "http://[::1]", "http://[::ffff:7f00:1]", "https://h"]
    {
        assert_eq!(of(url), Vec::<String>::new(), "{url}");
    }
    let reason = "calls and headers go to http://h/x?api_key=***&a=b without encryption";
    assert_eq!(of("http://h/x?api_key=sekrit&a=b"), [format!("functions.route[0].url: {reason}")]);
}
