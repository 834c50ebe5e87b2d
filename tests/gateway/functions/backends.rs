//! Several backends, each with functions of its own: whose route runs a call, and what each model is offered.

use serde_json::{Value, json};

use super::stage::{Call, Session, output, route, script};
use crate::peers::application::Application;
use crate::peers::client::Client;
use crate::peers::gateway::{Config, Gateway};
use crate::peers::http;
use crate::peers::journal::Journal;
use crate::peers::mock::Mock;
use crate::peers::reply::Reply;
use crate::peers::s;
use crate::peers::sound::plain_settings;

/// A second backend in front of the same mock.
fn second(mock: &Mock) -> String {
    format!(
        "[[backends]]\nname = \"second\"\nkind = \"openai-realtime\"\npath = \"/second\"\nurl = \"{}\"\n\
         function_calls = \"server\"",
        mock.url()
    )
}

async fn session(gateway: &Gateway, mock: &Mock, path: &str, number: usize) -> Session {
    let mut client = Client::connect(&gateway.url(path)).await;
    client.open_with(&plain_settings()).await;
    Session::of(client, mock.peer(number).await, number)
}

/// What the model was offered on a connection, by name.
fn offered(journal: &Journal, connection: usize) -> Vec<Value> {
    let update = journal.on(connection).all("session.update").next().map(|(_, event)| event.clone());
    let tools = update.expect("a session was set up")["session"]["tools"].as_array().cloned();
    tools.unwrap_or_default().iter().map(|tool| tool["description"].clone()).collect()
}

#[tokio::test]
async fn each_backend_has_its_own_functions() {
    let own = Application::start(|_| Reply::content("from its own")).await;
    let general = Application::start(|_| Reply::content("from the one for all")).await;
    let mock = Mock::start(script()).await;
    let gateway = Config::for_mock(&mock)
        .backend("function_calls = \"server\"")
        .section(&route("[\"weather\"]", &general, "description = \"for all\""))
        .section(&route("[\"weather\"]", &own, "backends = [\"second\"]\ndescription = \"for the second\""))
        .section(&route("[\"secret\"]", &own, "backends = [\"second\"]"))
        .section(&second(&mock))
        .start()
        .await;
    const WEATHER: Call<'_> = ("call_a", "weather", "{}");
    for (number, path, expected, offer) in
        [(1, "/openai", "from the one for all", "for all"), (2, "/second", "from its own", "for the second")]
    {
        let mut session = session(&gateway, &mock, path, number).await;
        assert_eq!(offered(&mock.journal(), number), [offer], "{path}");
        session.call(&[WEATHER]);
        assert_eq!(output(&mock, number, "call_a").await, expected, "{path}");
        session.assert_told(WEATHER, expected).await;
        session.assert_goes_on().await;
    }
    // Whoever posts a call speaks for no backend.
    for (name, expected) in [
        ("weather", json!({"content": "from the one for all"})),
        ("secret", json!({"error": "there is no function secret"})),
    ] {
        let call = json!({"id": "call_1", "name": name, "arguments": "{}"}).to_string();
        let answer = http::post(gateway.port(), "/function-call", "", &call).await;
        assert_eq!((answer.status, answer.json()), (200, expected), "{name}");
    }
    assert_eq!((own.requests().len(), general.requests().len()), (1, 2));
    // A call that has no route for its backend is the client's.
    let mut session = session(&gateway, &mock, "/openai", 3).await;
    session.call(&[("call_b", "secret", "{}")]);
    let asked = |journal: &Journal| {
        journal.all("FunctionCallRequest").map(|(_, request)| request["functions"][0].clone()).next()
    };
    let function = session.client.wait_for("FunctionCallRequest", s(5), asked).await;
    assert_eq!((&function["name"], &function["client_side"]), (&json!("secret"), &json!(true)));
}
