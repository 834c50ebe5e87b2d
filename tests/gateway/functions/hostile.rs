//! Settings of a client that wants the gateway to call an address of its choice: what the configuration does not
//! allow is not connected to, however it is written.

use serde_json::{Value, json};

use super::stage::{Session, error_output, function_of, gateway, output, route, script};
use crate::peers::application::Application;
use crate::peers::gateway::Gateway;
use crate::peers::journal::Journal;
use crate::peers::mock::Mock;
use crate::peers::reply::Reply;
use crate::peers::s;

/// What becomes of a call whose function has an endpoint of the client's.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Becomes {
    /// It is the client's to answer, with a Warning at Settings.
    Clients,
    /// It fails with one of these texts.
    Failure(&'static [&'static str]),
    /// The endpoint has answered it.
    Run,
}

use Becomes::{Clients, Failure, Run};

const NOT_ALLOWED: &[&str] = &["the function is at an address that is not allowed"];
const NOT_FOUND: &[&str] =
    &["the function is at an address that is not allowed", "the function cannot be reached"];

/// Settings with one function at an endpoint.
fn settings(endpoint: &Value) -> Value {
    let functions = json!([{"name": "own", "description": "a function", "endpoint": endpoint,
        "parameters": {"type": "object", "properties": {}}}]);
    json!({"type": "Settings", "agent": {"think": {"prompt": "Be brief.", "functions": functions}}})
}

/// A gateway with some hosts on its list (a TOML list), and its mock.
async fn allowing(hosts: &str, routes: &str) -> (Mock, Gateway) {
    let mock = Mock::start(script()).await;
    // Masked, a host stands in the recording only where everybody would find it.
    let sections =
        format!("[logging]\nlog_content = true\n[functions]\nallowed_endpoint_hosts = {hosts}\n{routes}");
    let gateway = gateway(&mock, &sections).await;
    (mock, gateway)
}

/// One session with this endpoint, and one call of its function.
async fn assert_becomes(mock: &Mock, gateway: &Gateway, endpoint: &Value, becomes: Becomes) {
    let mut session = Session::open(gateway, mock, &settings(endpoint)).await;
    assert_call_becomes(mock, &mut session, endpoint, becomes).await;
    session.assert_goes_on().await;
}

async fn assert_call_becomes(mock: &Mock, session: &mut Session, endpoint: &Value, becomes: Becomes) {
    session.call(&[("call_1", "own", "{}")]);
    session.client.expect("FunctionCallRequest", s(5)).await;
    let function = function_of(&session.client.journal(), "call_1");
    assert_eq!(function["client_side"], becomes == Clients, "{endpoint}");
    let warnings = |journal: &Journal| {
        journal.all("Warning").filter(|(_, warning)| warning["code"] == "ENDPOINT_NOT_ALLOWED").count()
    };
    let journal = session.client.journal();
    assert_eq!(warnings(&journal), usize::from(becomes == Clients), "{endpoint}:\n{journal}");
    if becomes == Clients {
        let answer =
            json!({"type": "FunctionCallResponse", "id": "call_1", "name": "own", "content": "mine"});
        session.client.send(&answer).await;
    }
    let output = output(mock, session.number, "call_1").await;
    match becomes {
        Clients => assert_eq!(output, "mine", "{endpoint}"),
        Failure(texts) => {
            assert!(texts.iter().any(|text| output == error_output(text)), "{endpoint}: {output}");
        }
        Run => assert_eq!(output, "run", "{endpoint}"),
    }
}

/// Every way that leads to the port of a listener on this machine, and none that could lead to another one.
fn ways_to_loopback(port: &str) -> Vec<String> {
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.255.255.254",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "\u{ff11}\u{ff12}\u{ff17}\u{3002}0\u{3002}0\u{3002}1",
        "\u{2460}\u{2461}\u{2466}.0.0.1",
        "0.0.0.0",
        "0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "some.localhost",
        "ip6-localhost",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "example.com@127.0.0.1",
        "example.com:80@127.0.0.1",
        "user:password@example.com@127.0.0.1",
    ];
    let mut urls: Vec<String> = hosts.iter().map(|host| format!("http://{host}:{port}/functions")).collect();
    urls.extend([
        format!("http://127.0.0.1:{port}/example.com"),
        format!("http://127.0.0.1:{port}?example.com"),
        format!("http://127.0.0.1:{port}#@example.com"),
        format!("http://127.0.0.1:{port}\\@example.com/"),
        format!("http:\\\\127.0.0.1:{port}\\functions"),
        format!("http:127.0.0.1:{port}/functions"),
        format!("http:///127.0.0.1:{port}/functions"),
        format!(" http://127.0.0.1:{port}/functions"),
        format!("ht\ntp://127.0.0.1:{port}/functions"),
        format!("HTTP://127.0.0.1:{port}/functions"),
        format!("https://127.0.0.1:{port}/functions"),
        format!("ws://127.0.0.1:{port}/functions"),
    ]);
    urls
}

/// What is no address of a server at all.
#[tokio::test]
async fn settings_with_an_endpoint_that_is_none_are_refused() {
    let forbidden = Application::forbidden().await;
    let (mock, gateway) = allowing(r#"["127.0.0.1"]"#, "").await;
    let port = forbidden.port();
    for url in [
        &*format!("ftp://127.0.0.1:{port}/functions"),
        &format!("gopher://127.0.0.1:{port}/functions"),
        &format!("//127.0.0.1:{port}/functions"),
        &format!("127.0.0.1:{port}"),
        &format!("http://127.0.0.1:{port}:80/functions"),
        &format!("http://[127.0.0.1]:{port}/functions"),
        &format!("http://127.0.0.256:{port}/functions"),
        "http://127.0.0.1:65536/",
        "file:///etc/passwd",
        "unix:/var/run/docker.sock",
        "self:/function-call",
        "http://",
        "",
    ] {
        let mut client = gateway.connect().await;
        client.send(&settings(&json!({ "url": url }))).await;
        let error = client.expect_error("INVALID_SETTINGS", s(5)).await;
        assert!(error.to_string().contains("functions[0].endpoint.url"), "{url}: {error}");
    }
    assert_eq!(forbidden.connections(), 0);
    assert_eq!(mock.count("session.update"), 0);
}

#[tokio::test]
async fn no_endpoint_is_called_where_none_is_allowed() {
    let forbidden = Application::forbidden().await;
    let (mock, gateway) = allowing("[]", "").await;
    for url in ways_to_loopback(forbidden.port()) {
        assert_becomes(&mock, &gateway, &json!({ "url": url }), Clients).await;
    }
    assert_eq!(forbidden.connections(), 0);
}

#[tokio::test]
async fn no_other_host_is_called_where_one_is_allowed() {
    let forbidden = Application::forbidden().await;
    let forbidden_too = Application::start_at("[::1]", |_| Reply::content("run")).await;
    let allowed = Application::start(|_| Reply::content("run")).await;
    let hosts = json!(["example.com", "127.0.0.1:1", allowed.authority(), "[::1]:1"]).to_string();
    let (mock, gateway) = allowing(&hosts, "").await;
    for port in [forbidden.port(), forbidden_too.port()] {
        for url in ways_to_loopback(port) {
            assert_becomes(&mock, &gateway, &json!({ "url": url }), Clients).await;
        }
    }
    assert_eq!((forbidden.connections(), forbidden_too.connections(), allowed.connections()), (0, 0, 0));
    assert_becomes(&mock, &gateway, &json!({ "url": allowed.url() }), Run).await;
    assert_eq!(allowed.requests().len(), 1);
}

/// A name on the list says nothing of the addresses that it has: those of this machine have to stand there literally.
#[tokio::test]
async fn an_allowed_name_that_leads_to_this_machine_is_not_called() {
    let forbidden = Application::forbidden().await;
    let forbidden_too = Application::start_at("[::1]", |_| Reply::content("run")).await;
    let hosts = r#"["localhost", "ip6-localhost", "no-such-host.invalid", "127.0.0.1:1"]"#;
    let (mock, gateway) = allowing(hosts, "").await;
    for port in [forbidden.port(), forbidden_too.port()] {
        for (host, becomes) in [
            ("localhost", Failure(NOT_ALLOWED)),
            ("LocalHost", Failure(NOT_ALLOWED)),
            ("ip6-localhost", Failure(NOT_FOUND)),
            ("no-such-host.invalid", Failure(NOT_FOUND)),
        ] {
            let endpoint = json!({"url": format!("http://{host}:{port}/functions")});
            assert_becomes(&mock, &gateway, &endpoint, becomes).await;
        }
    }
    assert_eq!((forbidden.connections(), forbidden_too.connections()), (0, 0));
}

/// Of the addresses that a name has, the one that stands on the list is called and no other is tried.
#[tokio::test]
async fn an_allowed_name_leads_to_an_allowed_address() {
    let allowed = Application::start(|_| Reply::content("run")).await;
    let (mock, gateway) = allowing(r#"["localhost", "127.0.0.1"]"#, "").await;
    let endpoint = json!({"url": format!("http://localhost:{}/functions", allowed.port())});
    assert_becomes(&mock, &gateway, &endpoint, Run).await;
    let host = allowed.requests().remove(0).headers["host"].clone();
    assert_eq!(host, format!("localhost:{}", allowed.port()));
}

#[tokio::test]
async fn addresses_that_stand_on_the_list_are_called() {
    let four = Application::start(|_| Reply::content("run")).await;
    let six = Application::start_at("[::1]", |_| Reply::content("run")).await;
    let hosts = json!(["127.0.0.1", six.authority()]).to_string();
    let (mock, gateway) = allowing(&hosts, "").await;
    assert_becomes(&mock, &gateway, &json!({ "url": four.url() }), Run).await;
    assert_becomes(&mock, &gateway, &json!({"url": six.url(), "method": "POST"}), Run).await;
    assert_becomes(&mock, &gateway, &json!({"url": six.url(), "method": "post"}), Run).await;
    let elsewhere = json!({"url": format!("http://[::1]:{}/", four.port())});
    assert_becomes(&mock, &gateway, &elsewhere, Clients).await;
    for method in ["GET", "PUT", "DELETE", "CONNECT", "", "POST / HTTP/1.1\r\nx-evil: 1\r\n\r\nPOST"] {
        assert_becomes(&mock, &gateway, &json!({"url": four.url(), "method": method}), Clients).await;
    }
    assert_eq!((four.requests().len(), six.requests().len()), (1, 2));
}

#[tokio::test]
async fn a_redirect_of_an_allowed_host_is_not_followed() {
    let forbidden = Application::forbidden().await;
    let there = forbidden.url();
    let allowed = Application::start(move |_| Reply::body(307, &format!("Location: {there}\r\n"), "")).await;
    let (mock, gateway) = allowing(&json!([allowed.authority()]).to_string(), "").await;
    let told = Failure(&["the function answered with status 307, a redirect, which is not followed"]);
    assert_becomes(&mock, &gateway, &json!({ "url": allowed.url() }), told).await;
    assert_eq!((allowed.requests().len(), forbidden.connections()), (1, 0));
}

#[tokio::test]
async fn what_later_settings_name_is_held_to_the_same_list() {
    let forbidden = Application::forbidden().await;
    let (mock, gateway) = allowing(r#"["localhost"]"#, "").await;
    let mut session = Session::open(&gateway, &mock, &json!({"type": "Settings"})).await;
    let endpoint = json!({ "url": forbidden.url() });
    let think = settings(&endpoint)["agent"]["think"].clone();
    session.client.send(&json!({"type": "UpdateThink", "think": think})).await;
    session.client.expect("ThinkUpdated", s(5)).await;
    assert_call_becomes(&mock, &mut session, &endpoint, Clients).await;
    assert_eq!(forbidden.connections(), 0);
}

#[tokio::test]
async fn a_route_of_the_operators_goes_before_an_endpoint() {
    let forbidden = Application::forbidden().await;
    let operators = Application::start(|_| Reply::content("run")).await;
    let routes = route("[\"own\"]", &operators, "");
    let (mock, gateway) = allowing(r#"["127.0.0.1"]"#, &routes).await;
    let endpoint = json!({"url": forbidden.url(), "headers": {"x-clients": "1"}});
    assert_becomes(&mock, &gateway, &endpoint, Run).await;
    assert_eq!(forbidden.connections(), 0);
    assert_eq!(operators.requests().remove(0).headers.get("x-clients"), None);
}

#[tokio::test]
async fn headers_of_an_endpoint_change_nothing_of_the_request() {
    let allowed = Application::start(|_| Reply::content("run")).await;
    let (mock, gateway) = allowing(r#"["127.0.0.1"]"#, "").await;
    let headers = json!({"x-clients": "1", "Host": "evil.example", "Content-Length": "2", "Connection": "x-clients",
        "Transfer-Encoding": "chunked", "Content-Type": "text/plain", "Expect": "100-continue", "Upgrade": "h2c",
        "TE": "trailers", "Idempotency-Key": "mine", "traceparent": "mine", "X-Trace-Id": "mine",
        "Proxy-Authorization": "mine"});
    assert_becomes(&mock, &gateway, &json!({"url": allowed.url(), "headers": headers}), Run).await;
    let request = allowed.requests().remove(0);
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    assert_eq!(header("x-clients"), Some("1"));
    assert_eq!(header("host"), Some(allowed.authority()));
    assert_eq!(header("content-type"), Some("application/json"));
    assert!(header("idempotency-key").is_some_and(|key| key != "mine"));
    for absent in
        ["transfer-encoding", "expect", "upgrade", "te", "traceparent", "x-trace-id", "proxy-authorization"]
    {
        assert_eq!(header(absent), None, "{absent}");
    }
    assert_ne!(header("connection"), Some("x-clients"));
}

/// A header that would be two, or none: whatever becomes of the Settings, no request has another header by it.
#[tokio::test]
async fn headers_of_an_endpoint_cannot_be_split() {
    let allowed = Application::start(|_| Reply::content("run")).await;
    let (mock, gateway) = allowing(r#"["127.0.0.1"]"#, "").await;
    for (name, value) in [
        ("x-a", "b\r\nx-evil: 1"),
        ("x-a\r\nx-evil", "1"),
        ("x evil", "1"),
        ("", "x-evil: 1"),
        ("x-a", "\u{0}"),
    ] {
        let endpoint = json!({"url": allowed.url(), "headers": {name: value}});
        let mut client = gateway.connect().await;
        client.send(&settings(&endpoint)).await;
        let answered =
            |journal: &Journal| (journal.count("SettingsApplied") + journal.count("Error") > 0).then_some(());
        client.wait_for("answer to Settings", s(5), answered).await;
        if client.journal().count("SettingsApplied") > 0 {
            let number = mock.upgrades().len();
            let mut session = Session::of(client, mock.peer(number).await, number);
            session.call(&[("call_1", "own", "{}")]);
            session.client.expect("FunctionCallRequest", s(5)).await;
            let function = function_of(&session.client.journal(), "call_1");
            if function["client_side"] == false {
                output(&mock, number, "call_1").await;
            }
        }
    }
    for request in allowed.requests() {
        assert!(request.headers.keys().all(|name| !name.contains("evil")), "{request:?}");
    }
    gateway.assert_serves().await;
}
