//! The example application behind the gateway, with the configuration that is made for it.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::peers::gateway::Gateway;
use crate::peers::http;
use crate::peers::s;

const CONFIG: &str = include_str!("../../config/functions.toml");

/// The running application.
struct Example {
    _child: Child,
    port: u16,
}

impl Example {
    async fn start(environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/example-functions"));
        command.arg("0").env_remove("FUNCTIONS_TOKEN").envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("the example can be run");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let line = timeout(s(10), lines.next_line()).await.expect("it says where it listens");
        let line = line.expect("it can be read").expect("it goes on running");
        let port =
            line.strip_prefix("functions at http://127.0.0.1:").and_then(|rest| rest.strip_suffix('/'));
        let port = port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port in {line:?}"));
        Self { _child: child, port }
    }

    /// What the application answers when it is asked without the gateway.
    async fn call(&self, headers: &str, name: &str, arguments: &Value) -> (u16, Value) {
        let answer = http::post(self.port, "/", headers, &body(name, arguments)).await;
        (answer.status, answer.json())
    }
}

fn body(name: &str, arguments: &Value) -> String {
    json!({"id": "call_1", "name": name, "arguments": arguments.to_string()}).to_string()
}

/// The JSON in the content of an answer.
fn content(answer: &Value) -> Value {
    let text = answer["content"].as_str().unwrap_or_else(|| panic!("no content: {answer}"));
    serde_json::from_str(text).expect("the content of this application is JSON")
}

fn table(people: u32) -> Value {
    json!({"name": "Müller", "people": people, "time": "2026-01-31T19:30"})
}

#[tokio::test]
async fn both_functions_run_with_the_configuration_for_them() {
    let example = Example::start(&[]).await;
    let config = CONFIG.replace("127.0.0.1:8090", &format!("127.0.0.1:{}", example.port));
    let gateway = Gateway::start(&config.replace("port = 8080", "port = 0")).await;
    let call = async |name, arguments| {
        let answer = http::post(gateway.port(), "/function-call", "", &body(name, &arguments)).await;
        assert_eq!(answer.status, 200);
        answer.json()
    };
    let weather = call("get_weather", json!({"city": "oslo"})).await;
    assert_eq!(content(&weather), json!({"city": "oslo", "weather": "6 degrees and rainy"}));
    let unknown = call("get_weather", json!({"city": "Rome"})).await;
    assert_eq!(unknown, json!({"error": "no weather for Rome; there is one for Berlin, Lisbon, Oslo"}));
    let mut booked = content(&call("book_table", table(2)).await);
    assert_eq!(booked["booking"], "T0001");
    booked.as_object_mut().expect("a booking is an object").remove("booking");
    assert_eq!(booked, table(2));
    // Another call is another booking, whatever it asks for.
    assert_eq!(content(&call("book_table", table(2)).await)["booking"], "T0002");
    for (arguments, told) in [
        (json!({"people": 2, "time": "19:30"}), "name is missing: ask the user for it"),
        (table(9), "people must be a whole number from 1 to 8: larger parties book by telephone"),
        (json!([]), "the arguments must be an object"),
    ] {
        assert_eq!(call("book_table", arguments).await, json!({"error": told}));
    }
}

#[tokio::test]
async fn a_call_that_is_sent_again_gets_the_same_booking() {
    let example = Example::start(&[]).await;
    let (_, first) = example.call("Idempotency-Key: a\r\n", "book_table", &table(2)).await;
    let (_, again) = example.call("Idempotency-Key: a\r\n", "book_table", &table(2)).await;
    let (_, other) = example.call("Idempotency-Key: b\r\n", "book_table", &table(2)).await;
    assert_eq!(first, again);
    assert_ne!(content(&first)["booking"], content(&other)["booking"]);
}

#[tokio::test]
async fn a_token_is_asked_for_where_there_is_one() {
    let example = Example::start(&[("FUNCTIONS_TOKEN", "secret-7")]).await;
    let weather = json!({"city": "Oslo"});
    for headers in ["", "Authorization: Bearer secret-8\r\n", "Authorization: secret-7\r\n"] {
        let refused = (401, json!({"error": "the function is not available"}));
        assert_eq!(example.call(headers, "get_weather", &weather).await, refused, "{headers}");
    }
    let (status, _) = example.call("Authorization: Bearer secret-7\r\n", "get_weather", &weather).await;
    assert_eq!(status, 200);
}
