//! What is changed in messages that are passed through, as a table: `fixtures/deepgram/*.json`, each file named
//! after its function. A case has the message `in`, and `out` where it is changed, both to the letter; the
//! `backend` is one of those below.

use std::{borrow::Cow, path::Path, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use url::Url;

use super::each_case;
use crate::{
    config::{Backend, BackendKind, BackendUrl, Deepgram, FunctionCalls, Functions, Route, Target, Tool},
    protocol::agent::{Agent, AgentSettings, ClientMessage, Notice, Think},
    translate::deepgram::{
        TakenCall, call_ids, error, function_call_response, inject_agent_message, is_of_agent,
        is_of_component, kind, settings, take_over, update_think,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    backend: String,
    #[serde(rename = "in")]
    before: Box<RawValue>,
    /// Nothing is changed where the case has none.
    #[serde(rename = "out")]
    after: Option<Box<RawValue>>,
    /// Of a Settings: whether it shows that the component sent it.
    #[serde(default)]
    of_component: bool,
    /// Calls that are taken over: id, name, arguments and signature.
    #[serde(default)]
    calls: Vec<Value>,
}

/// A backend by what it changes. `repairs`: the component's messages. `runs`: it runs `get_weather` and `bare`,
/// both of which it offers, `silent`, and `local`, which no other backend has, while `abroad` and `offered_abroad`
/// are another's. `routes`: the same, offering none. `any`: it runs whatever there is, and offers nothing. `both`:
/// `repairs` and `runs`.
pub(super) fn backend(what: &str) -> Backend {
    let url = || Url::parse("wss://agent.example/v1/agent/converse").expect("a url");
    let mut backend = Backend::new("here", "/here", BackendUrl::Remote(url()));
    let repair_component_messages = matches!(what, "repairs" | "both");
    backend.kind = BackendKind::DeepgramAgent(Deepgram { repair_component_messages, ..Deepgram::default() });
    let route = |name: &str| Route::new(vec![name.to_owned()], Target::Url(url()));
    let offer = |name: &str, description: Option<&str>, parameters: Value| {
        let description = description.map(str::to_owned);
        Route { offer: Some(Tool { name: name.to_owned(), description, parameters }), ..route(name) }
    };
    let of = |backend: &str, route: Route| Route { backends: vec![backend.to_owned()], ..route };
    let mut routes = match what {
        "repairs" | "neither" => return backend,
        "any" => vec![route("*")],
        "runs" | "both" | "routes" => vec![
            offer("get_weather", Some("Weather."), json!({ "properties": {}, "type": "object" })),
            offer("bare", None, json!({ "type": "object" })),
            route("silent"),
            of("here", route("local")),
            of("elsewhere", route("abroad")),
            of("elsewhere", offer("offered_abroad", None, json!({}))),
        ],
        other => panic!("{other}"),
    };
    if what == "routes" {
        routes.iter_mut().for_each(|route| route.offer = None);
    }
    backend.function_calls = FunctionCalls::Server(Arc::new(Functions { routes, ..Functions::default() }));
    backend
}

fn check(case: &Case, path: &Path) {
    let place = format!("{path:?}, {:?}", case.name);
    let message = case.before.get();
    let after = case.after.as_ref().map(|after| after.get());
    let backend = || backend(&case.backend);
    let changed = match path.file_stem().and_then(|name| name.to_str()) {
        Some("settings") => {
            assert_eq!(is_of_component(message), case.of_component, "{place}");
            settings(message, &backend())
        }
        Some("update_think") => update_think(message, &backend()),
        Some("inject_agent_message") => inject_agent_message(message),
        Some("take_over") => take_over(message, &backend(), |_| true).map(|taken| {
            let show = |call: &TakenCall| json!([call.id, call.name, call.arguments, call.thought_signature]);
            assert_eq!(taken.calls.iter().map(show).collect::<Vec<_>>(), case.calls, "{place}");
            taken.text
        }),
        other => panic!("{other:?}"),
    };
    assert_eq!(changed.as_deref(), after, "{place}");
}

#[test]
fn each_message_becomes_what_its_fixture_says() {
    each_case("deepgram", 40, check);
}

#[test]
fn each_field_of_the_component_is_known_to_both_ways_through_the_gateway() {
    let placed = |agent: String| format!(r#"{{"type":"Settings","agent":{agent}}}"#);
    let value = |name: &str| match name {
        "idleTimeoutMs" | "maxOutputTokens" => "1",
        "useOpenAIManualAudioCommit" => "true",
        "outputModalities" => "[]",
        _ => "{}",
    };
    let agent = |name: &&str| placed(format!(r#"{{"{name}":{}}}"#, value(name)));
    let think = |name: &&str| placed(format!(r#"{{"think":{{"{name}":{}}}}}"#, value(name)));
    let backend = backend("repairs");
    let all = AgentSettings::OF_COMPONENT.iter().map(agent).chain(Think::OF_COMPONENT.iter().map(think));
    for text in all {
        assert!(is_of_component(&text), "{text}");
        let less = settings(&text, &backend).expect("the field is taken out");
        assert!(less == placed("{}".to_owned()) || less == placed(r#"{"think":{}}"#.to_owned()), "{less}");
        let decoded = ClientMessage::decode(&text, |path| panic!("{path} is not read: {text}"));
        let Ok(ClientMessage::Settings(decoded)) = decoded else { panic!("{text}: {decoded:?}") };
        let Some(Agent::Settings(agent)) = decoded.agent else { panic!("{text}") };
        assert!(agent.is_of_component(), "{text}");
    }
}

#[test]
fn the_kind_is_the_last_type_and_borrowed() {
    let borrowed = |text| match kind(text) {
        Some(Cow::Borrowed(kind)) => Some(kind),
        Some(Cow::Owned(kind)) => panic!("{kind} was copied"),
        None => None,
    };
    assert_eq!(borrowed(r#"{"type":"KeepAlive"}"#), Some("KeepAlive"));
    assert_eq!(borrowed(r#" { "a": [{"type":"b"}], "type" : "Welcome" , "c": 1e400 } "#), Some("Welcome"));
    assert_eq!(borrowed(r#"{"type":"a","type":"b","\u0074ype":"c"}"#), Some("c"));
    assert_eq!(borrowed(r#"{"type":7,"type":"b"}"#), Some("b"));
    assert_eq!(kind(r#"{"type":"Keep\u0041live"}"#).as_deref(), Some("KeepAlive"));

    let content = "\\\"x".repeat(1 << 20);
    let large = format!(r#"{{"content":"{content}","type":"FunctionCallResponse","id":"a"}}"#);
    assert_eq!(borrowed(&large), Some("FunctionCallResponse"));
}

#[test]
fn what_is_no_message_has_no_kind() {
    for text in [
        "",
        "hello",
        "7",
        "null",
        r#""type""#,
        "{}",
        r#"["type","KeepAlive"]"#,
        r#"{"type":"KeepAlive""#,
        r#"{"type":"KeepAlive"} x"#,
        r#"{"type":"KeepAlive",}"#,
        r#"{"type":null}"#,
        r#"{"type":["KeepAlive"]}"#,
        r#"{"type":"KeepAlive","type":7}"#,
        r#"{"type":"\ud800"}"#,
        r#"{"a":{"type":"KeepAlive"}}"#,
        r#"{"Type":"KeepAlive"}"#,
    ] {
        assert_eq!(kind(text), None, "{text}");
    }
}

#[test]
fn ids_are_those_of_the_calls_that_a_message_is_about() {
    let long = |length| "x".repeat(length);
    let ids = |text: &str| call_ids(text).iter().map(ToString::to_string).collect::<Vec<_>>();
    let cancelled = r#"{"type":"FunctionCallCancelled","id":"z","functions":[{"id":"b","name":"f"},{"id":"\u0061"},
        {"id":7},{"id":""},"c",{"id":"b"}]}"#;
    assert_eq!(ids(cancelled), ["b", "a", "b"]);
    let response =
        r#"{"type":"FunctionCallResponse","id":"a","name":"f","content":"","functions":[{"id":"b"}]}"#;
    assert_eq!(ids(response), ["a"]);
    assert_eq!(ids(&format!(r#"{{"type":"FunctionCallResponse","id":"{}"}}"#, long(256))), [long(256)]);
    for none in [
        &format!(r#"{{"type":"FunctionCallResponse","id":"{}"}}"#, long(257)),
        r#"{"type":"FunctionCallResponse","name":"f"}"#,
        r#"{"type":"FunctionCallResponse","functions":[{"id":"b"}]}"#,
        r#"{"type":"FunctionCallCancelled","id":"a"}"#,
        r#"{"type":"FunctionCallCancelled","functions":{"id":"b"}}"#,
        r#"{"type":"FunctionCallRequest","id":"a","functions":[{"id":"b"}]}"#,
        r#"{"id":"a"}"#,
        "a",
    ] {
        assert_eq!(ids(none), Vec::<String>::new(), "{none}");
    }
}

#[test]
fn only_an_id_of_at_most_256_bytes_is_taken_over() {
    let taken = |length: usize| {
        let id = "x".repeat(length);
        let request =
            format!(r#"{{"functions":[{{"id":"{id}","name":"f","arguments":"{{}}","client_side":true}}]}}"#);
        take_over(&request, &backend("any"), |_| true).is_some()
    };
    assert!(taken(256));
    assert!(!taken(257));
}

#[test]
fn an_answer_gives_the_signature_back() {
    let mut call = TakenCall {
        id: "a\"".into(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        thought_signature: Some("sig".to_owned()),
    };
    assert_eq!(
        function_call_response(&call, r#"{"x":1}"#),
        r#"{"type":"FunctionCallResponse","id":"a\"","name":"f","content":"{\"x\":1}","thought_signature":"sig"}"#
    );
    call.thought_signature = None;
    assert_eq!(
        function_call_response(&call, ""),
        r#"{"type":"FunctionCallResponse","id":"a\"","name":"f","content":""}"#
    );
}

#[test]
fn an_error_of_the_gateway_looks_like_deepgrams() {
    let notice = Notice { description: "went \"away\"".to_owned(), code: "upstream_closed".to_owned() };
    let start =
        r#"{"type":"Error","variant":"GatewayError","code":"upstream_closed","description":"went \"away\"""#;
    assert_eq!(error(&notice, None), format!("{start}}}"));
    assert_eq!(error(&notice, Some(7)), format!("{start},\"sequence_id\":7}}"));
}

#[test]
fn the_agents_text_is_told_from_the_users() {
    for text in [
        r#"{"type":"ConversationText","role":"assistant","content":"user"}"#,
        r#"{"role":"user","\u0072ole":"assist\u0061nt"}"#,
    ] {
        assert!(is_of_agent(text), "{text}");
    }
    for text in [
        r#"{"type":"ConversationText","role":"user","content":"assistant"}"#,
        r#"{"content":{"role":"assistant"}}"#,
        r#"{"role":["assistant"]}"#,
        r#"["role","assistant"]"#,
        "",
    ] {
        assert!(!is_of_agent(text), "{text}");
    }
}
