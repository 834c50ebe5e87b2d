//! Routes that are for some backends: whose calls they run, and what they must not say.

use super::super::Functions;
use super::{BACKEND, DEEPGRAM, load, refuses};

/// A route to `https://TARGET/`, with more lines.
fn route(target: &str, lines: &str) -> String {
    format!("[[functions.route]]\nurl = \"https://{target}\"\n{lines}\n")
}

/// The backends `a` and `dg`, both with functions on the server.
fn both() -> String {
    format!("{BACKEND}function_calls = \"server\"\n{DEEPGRAM}function_calls = \"server\"\n")
}

#[test]
fn a_backends_own_route_goes_before_that_of_all() {
    let text = [
        route("all", "names = [\"f\", \"h\"]"),
        route("dg", "names = [\"f\", \"g\"]\nbackends = [\"dg\"]"),
        route("a", "names = [\"f\"]\nbackends = [\"a\"]"),
        route("any", "names = [\"*\"]"),
        route("any-dg", "names = [\"*\"]\nbackends = [\"dg\"]"),
        both(),
    ]
    .concat();
    let functions = load(&text).expect("five routes").functions;
    for (name, backend, expected) in [
        ("f", Some("dg"), "https://dg/"),
        ("f", Some("a"), "https://a/"),
        ("f", Some("other"), "https://all/"),
        // Nobody's call, as by POST /function-call.
        ("f", None, "https://all/"),
        ("g", Some("dg"), "https://dg/"),
        ("g", Some("a"), "https://any/"),
        ("g", None, "https://any/"),
        ("h", Some("dg"), "https://all/"),
        ("x", Some("dg"), "https://any-dg/"),
        ("x", Some("a"), "https://any/"),
        ("get_current_time", Some("dg"), "GetCurrentTime"),
    ] {
        let target = functions.route(name, backend).map(|route| format!("{:?}", route.target));
        assert_eq!(target.as_deref(), Some(expected), "{name} {backend:?}");
    }
}

#[test]
fn a_route_of_some_backends_alone_leaves_the_others_without() {
    let text = [route("dg", "names = [\"f\"]\nbackends = [\"dg\"]"), both()].concat();
    let functions = load(&text).expect("one route").functions;
    assert!(functions.route("f", Some("dg")).is_some());
    assert_eq!((functions.route("f", Some("a")), functions.route("f", None)), (None, None));
}

#[test]
fn the_built_in_function_stays_with_those_that_have_no_route_of_their_own() {
    let own = route("dg", "names = [\"get_current_time\"]\nbackends = [\"dg\"]");
    let built_in =
        "[[functions.route]]\nnames = [\"get_current_time\"]\nbackends = [\"a\"]\ntimeout_ms = 5\n";
    let functions = load(&format!("{own}{built_in}{}", both())).expect("two routes").functions;
    let target = |backend| {
        let route = functions.route("get_current_time", backend).expect("built in");
        (format!("{:?}", route.target), route.timeout.as_millis())
    };
    assert_eq!(target(Some("dg")), ("https://dg/".to_owned(), 10_000));
    assert_eq!(target(Some("a")), ("GetCurrentTime".to_owned(), 5));
    assert_eq!(target(None), ("GetCurrentTime".to_owned(), 10_000));
    assert_eq!(functions.routes.len(), 3);
}

#[test]
fn a_function_is_offered_by_the_route_that_runs_it() {
    let text = [
        route("all", "names = [\"f\"]\ndescription = \"for all\""),
        route("dg", "names = [\"f\"]\nbackends = [\"dg\"]\ndescription = \"for dg\""),
        route("a", "names = [\"g\"]\nbackends = [\"a\"]\ndescription = \"for a\""),
        route("all", "names = [\"h\"]\ndescription = \"unless a\""),
        route("a", "names = [\"h\"]\nbackends = [\"a\"]"),
        both(),
    ]
    .concat();
    let functions = load(&text).expect("five routes").functions;
    let offered = |backend| {
        let tools = functions.offered(backend);
        tools.filter_map(|tool| tool.description.as_deref()).collect::<Vec<_>>()
    };
    assert_eq!(offered("a"), ["for all", "for a"]);
    assert_eq!(offered("dg"), ["for dg", "unless a"]);
    assert_eq!(offered("other"), ["for all", "unless a"]);
}

#[test]
fn a_name_stands_once_for_each_backend_and_once_for_all() {
    let of = |backends: &str| route("h", &format!("names = [\"x\", \"f\"]\n{backends}"));
    let (all, a, dg, two) =
        (of(""), of("backends = [\"a\"]"), of("backends = [\"dg\"]"), of("backends = [\"dg\", \"a\"]"));
    for (first, second, whose) in
        [(&all, &all, ""), (&a, &two, ", for backend \"a\""), (&dg, &dg, ", for backend \"dg\"")]
    {
        let reason = format!("\"x\" is a name of functions.route[0] as well{whose}");
        let expected = format!("my.toml: functions.route[1].names[0]: {reason}");
        refuses(&format!("{first}{second}{}", both()), &[], &expected);
    }
    for (first, second) in [(&all, &a), (&a, &dg), (&two, &all)] {
        load(&format!("{first}{second}{}", both())).unwrap_or_else(|error| panic!("{error}"));
    }
    let any = |backends: &str| route("h", &format!("names = [\"*\"]\n{backends}"));
    let text = format!("{}{}{}", any(""), any("backends = [\"a\"]"), both());
    load(&text).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn bad_backends() {
    for (line, expected) in [
        ("backends = [\"dg\", \"b\"]", "backends[1]: no backend is named \"b\""),
        ("backends = [\"A\"]", "backends[0]: no backend is named \"A\""),
        ("backends = [\"a\", \"a\"]", "backends[1]: \"a\" stands here twice"),
        ("backends = []", "backends: must not be empty; without it the route is for every backend"),
        ("backends = \"a\"", "backends: expected a list, found \"a\""),
        ("backends = [1]", "backends[0]: expected text, found an integer"),
    ] {
        let text = format!("{}{}", route("h", &format!("names = [\"f\"]\n{line}")), both());
        refuses(&text, &[], &format!("my.toml: functions.route[0].{expected}"));
    }
}

#[test]
fn a_route_for_a_backend_that_runs_nothing_here_is_a_warning() {
    let route = route("h", "names = [\"f\"]\nbackends = [\"dg\", \"a\"]");
    let text = format!("[auth]\nallowed_origins = [\"https://a\"]\n{route}{}", both());
    let of = |text: &str| load(text).expect("a configuration").warnings;
    assert_eq!(of(&text), Vec::<String>::new());
    let reason = "backend \"a\" has function_calls = \"client\", so nothing runs here for it";
    let text = text.replacen("function_calls = \"server\"", "", 1);
    assert_eq!(of(&text), [format!("functions.route[0].backends[1]: {reason}")]);
}

#[test]
fn what_is_left_of_the_functions_is_what_was_named_as_its_backend_has_it() {
    let described = "names = [\"f\"]\ndescription = \"d\"";
    let text = format!(
        "[functions]\nallowed_endpoint_hosts = [\"h\"]\n{}{}{}{}",
        route("all", described),
        route("own", "names = [\"f\", \"g\"]\nbackends = [\"a\"]"),
        route("any", "names = [\"*\"]"),
        both()
    );
    let functions = load(&text).expect("a configuration").functions;
    let names = ["f", "x", "get_current_time", "*"].map(str::to_owned).into();
    for backend in ["a", "dg"] {
        let left = functions.only(&names, backend);
        let target = |functions: &Functions, name| {
            functions.route(name, Some(backend)).map(|route| route.target.clone())
        };
        for name in ["f", "x", "get_current_time"] {
            assert_eq!(target(&left, name), target(&functions, name), "{name} of {backend}");
        }
        for name in ["g", "y", "*"] {
            assert_eq!(target(&left, name), None, "{name} of {backend}");
        }
        let offered = |functions: &Functions| functions.offered(backend).cloned().collect::<Vec<_>>();
        assert_eq!(offered(&left), offered(&functions), "{backend}");
        assert!(left.allowed_endpoint_hosts.is_empty());
        assert_eq!(offered(&functions.only(&["x".to_owned()].into(), backend)), []);
    }
}
