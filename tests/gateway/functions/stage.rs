//! The stage of these tests: an application behind the gateway's functions, sessions whose model calls them, and what
//! is true of every call that the gateway runs. Knows no particular function.

use serde_json::{Value, json};

use crate::peers::application::{Application, Request};
use crate::peers::client::Client;
use crate::peers::gateway::{Config, Gateway};
use crate::peers::journal::{Journal, What};
use crate::peers::mock::{Mock, Peer};
use crate::peers::reply::Reply;
use crate::peers::s;
use crate::peers::script::{self, Script};
use crate::peers::sound::plain_settings;

/// A call as the model makes it: id, name, arguments.
pub(super) type Call<'a> = (&'a str, &'a str, &'a str);

/// Mock, gateway, an application for the functions, and one session.
pub(super) struct Stage {
    pub(super) session: Session,
    pub(super) gateway: Gateway,
    pub(super) application: Application,
    pub(super) mock: Mock,
}

/// An open session, seen from both sides.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) upstream: Peer,
    /// The mock's number of its connection.
    pub(super) number: usize,
    responses: usize,
    turns: usize,
}

/// A route for these names (a TOML list), with further lines.
pub(super) fn route(names: &str, application: &Application, lines: &str) -> String {
    format!("[[functions.route]]\nnames = {names}\nurl = \"{}\"\n{lines}\n", application.url())
}

impl Stage {
    /// Every function is run by one application, on a route with further lines.
    pub(super) async fn any(lines: &str, reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let application = Application::start(reply).await;
        let sections = route("[\"*\"]", &application, lines);
        Self::over(application, &sections).await
    }

    /// These sections of the configuration say which functions run where.
    pub(super) async fn over(application: Application, sections: &str) -> Self {
        let mock = Mock::start(script()).await;
        let gateway = gateway(&mock, sections).await;
        let mut session = Session::open(&gateway, &mock, &plain_settings()).await;
        session.assert_goes_on().await;
        Self { session, gateway, application, mock }
    }

    /// Makes one call that the gateway runs, and waits for the output.
    pub(super) async fn output_of(&mut self, call: Call<'_>) -> String {
        self.session.call(&[call]);
        output(&self.mock, self.session.number, call.0).await
    }

    /// The next turn works, and no call was answered twice.
    pub(super) async fn assert_goes_on(&mut self) {
        self.session.assert_goes_on().await;
        assert_each_once(&self.mock.journal());
    }
}

/// A mock that answers with what the user said last, and after a function's output when it is asked to.
pub(super) fn script() -> Script {
    Script { after_function_output: |_| Vec::new(), reply: script::Reply::LastUserText, ..Script::default() }
}

/// A gateway that runs functions, with these sections in its configuration.
pub(super) async fn gateway(mock: &Mock, sections: &str) -> Gateway {
    Config::for_mock(mock).backend("function_calls = \"server\"").section(sections).start().await
}

impl Session {
    /// One more session; nobody else may open one meanwhile.
    pub(super) async fn open(gateway: &Gateway, mock: &Mock, settings: &Value) -> Self {
        let mut client = gateway.connect().await;
        client.open_with(settings).await;
        let number = mock.upgrades().len();
        Self::of(client, mock.peer(number).await, number)
    }

    /// The session of a client that has opened it.
    pub(super) fn of(client: Client, upstream: Peer, number: usize) -> Self {
        Self { client, upstream, number, responses: 0, turns: 0 }
    }

    /// The model makes these calls in one announced response.
    pub(super) fn call(&mut self, calls: &[Call<'_>]) {
        self.responses += 1;
        let response = format!("resp_calls_{}", self.responses);
        let created = json!({"id": response, "status": "in_progress"});
        self.upstream.send(&json!({"type": "response.created", "response": created}));
        let mut output = Vec::new();
        for (index, (id, name, arguments)) in calls.iter().enumerate() {
            let item = json!({"id": format!("{response}_item_{index}"), "type": "function_call", "call_id": id,
                "status": "completed", "name": name, "arguments": arguments});
            for kind in ["response.output_item.added", "response.output_item.done"] {
                let event =
                    json!({"type": kind, "response_id": response, "output_index": index, "item": item});
                self.upstream.send(&event);
            }
            output.push(item);
        }
        let done = json!({"id": response, "status": "completed", "output": output});
        self.upstream.send(&json!({"type": "response.done", "response": done}));
    }

    /// Waits until the client knows that a call which the gateway ran is over, and checks all that it was told of it.
    pub(super) async fn assert_told(&self, (id, name, arguments): Call<'_>, output: &str) {
        let journal = self.client.wait_for("AgentThinking after the result", s(5), told_of(id)).await;
        let request = json!({"id": id, "name": name, "arguments": arguments, "client_side": false});
        assert_eq!(function_of(&journal, id), request, "{journal}");
        let response = json!({"type": "FunctionCallResponse", "id": id, "name": name, "content": output});
        assert_eq!(results(&journal, id), [&response], "{journal}");
    }

    /// The next turn works.
    pub(super) async fn assert_goes_on(&mut self) {
        self.turns += 1;
        let said = format!("This is turn {} of session {}.", self.turns, self.number);
        self.client.inject(&said).await;
        let is_answered =
            |journal: &Journal| journal.spoken_texts("assistant").contains(&&*said).then_some(());
        self.client.wait_for("answer to the turn", s(5), is_answered).await;
    }
}

/// The outputs that upstream was sent on one connection, by call id.
pub(super) fn outputs(journal: &Journal, connection: usize) -> impl Iterator<Item = (&str, &str)> {
    let entries = journal.entries.iter().filter(move |entry| entry.connection == connection);
    let items = entries.filter_map(|entry| match &entry.what {
        What::Json(event) if event["type"] == "conversation.item.create" => Some(&event["item"]),
        _ => None,
    });
    items.filter(|item| item["type"] == "function_call_output").map(|item| {
        let text = |field: &str| item[field].as_str().unwrap_or_else(|| panic!("no text in {field}: {item}"));
        (text("call_id"), text("output"))
    })
}

/// Waits for a call's output on one connection.
pub(super) async fn output(mock: &Mock, connection: usize, call_id: &str) -> String {
    let wanted = format!("output of {call_id} on connection {connection}");
    mock.wait_for(&wanted, s(20), |journal| {
        outputs(journal, connection).find(|(id, _)| *id == call_id).map(|(_, output)| output.to_owned())
    })
    .await
}

/// What a failure of this text is for the model.
pub(super) fn error_output(text: &str) -> String {
    json!({ "error": text }).to_string()
}

/// Fails if a call was answered twice in one session.
#[track_caller]
pub(super) fn assert_each_once(upstream: &Journal) {
    let connections = upstream.entries.iter().map(|entry| entry.connection).max().unwrap_or(0);
    for connection in 1..=connections {
        let mut seen = Vec::new();
        for (id, _) in outputs(upstream, connection) {
            assert!(!seen.contains(&id), "{id} was answered twice:\n{}", upstream.on(connection));
            seen.push(id);
        }
    }
}

/// The entry for a call in the client's one request that has it.
#[track_caller]
pub(super) fn function_of(journal: &Journal, id: &str) -> Value {
    let functions = |(_, request): (usize, &Value)| request["functions"].as_array().expect("a list").clone();
    let mut found: Vec<Value> = journal.all("FunctionCallRequest").flat_map(functions).collect();
    found.retain(|function| function["id"] == id);
    assert_eq!(found.len(), 1, "requests of {id}:\n{journal}");
    found.remove(0)
}

/// What the client was told of a call's result.
pub(super) fn results<'a>(journal: &'a Journal, id: &str) -> Vec<&'a Value> {
    let all = journal.all("FunctionCallResponse").map(|(_, response)| response);
    all.filter(|response| response["id"] == id).collect()
}

/// What a client received, once an `AgentThinking` has followed a call's result.
fn told_of(id: &str) -> impl Fn(&Journal) -> Option<Journal> {
    move |journal| {
        let (told, _) = journal.all("FunctionCallResponse").find(|(_, response)| response["id"] == id)?;
        let thinks = journal.all("AgentThinking").any(|(position, _)| position > told);
        thinks.then(|| journal.clone())
    }
}
