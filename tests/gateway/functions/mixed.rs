//! Calls of different kinds in one response: run by an application, by the gateway itself, by the client. And clients
//! that answer what they were not asked, or do not answer.

use std::sync::Arc;

use serde_json::{Value, json};

use super::stage::{Call, Stage, error_output, function_of, output, outputs, results, route};
use crate::peers::application::Application;
use crate::peers::client::Client;
use crate::peers::frames;
use crate::peers::journal::Journal;
use crate::peers::reply::{Latch, Reply};
use crate::peers::s;

const CALLS: [Call<'_>; 4] = [
    ("call_a", "weather", r#"{"city":"Paris"}"#),
    ("call_b", "pick_colour", "{}"),
    ("call_c", "get_current_time", r#"{"timezone":"UTC"}"#),
    ("call_d", "weather", r#"{"city":"Oslo"}"#),
];

/// `weather` is run by an application that answers behind the latch; `pick_colour` is nobody's but the client's.
async fn stage(latch: &Arc<Latch>, sections: &str) -> Stage {
    let latch = Arc::clone(latch);
    let application = Application::start(move |request| {
        Reply::content(&format!("weather for {}", request.call_id())).behind(&latch)
    })
    .await;
    let routes = route("[\"weather\"]", &application, "timeout_ms = 600000");
    Stage::over(application, &format!("{sections}\n{routes}")).await
}

async fn answer(client: &mut Client, (id, name, _): Call<'_>, content: &str) {
    let answer = json!({"type": "FunctionCallResponse", "id": id, "name": name, "content": content});
    client.send(&answer).await;
}

/// The ids that upstream has outputs of, in their order.
fn answered(stage: &Stage) -> Vec<String> {
    outputs(&stage.mock.journal(), 1).map(|(id, _)| id.to_owned()).collect()
}

/// Waits until a response was asked for after the last of so many outputs; nobody may have asked between them.
async fn assert_one_follow_up(stage: &Stage, calls: usize) {
    let asked = |journal: &Journal| {
        let all = outputs(journal, 1).count();
        let last = journal.last_position("response.create")?;
        let create = |(position, event): (usize, &Value)| {
            (event["item"]["type"] == "function_call_output").then_some(position)
        };
        let mut outputs = journal.all("conversation.item.create").filter_map(create);
        let (first_output, last_output) = (outputs.next()?, outputs.last()?);
        (all == calls && last > last_output).then(|| {
            let asked = journal.all("response.create").filter(|(position, _)| *position > first_output);
            asked.map(|(position, _)| position > last_output).collect::<Vec<_>>()
        })
    };
    let asked = stage.mock.wait_for("response.create after the last output", s(5), asked).await;
    assert_eq!(asked, [true], "responses that were asked for, and whether after the last output");
}

#[tokio::test]
async fn calls_of_all_kinds_in_one_response() {
    let latch = Arc::new(Latch::new());
    let mut stage = stage(&latch, "").await;
    stage.session.call(&CALLS);
    // Both run at the same time.
    let requests = stage.application.expect_requests(2, s(5)).await;
    let mut called: Vec<&str> = requests.iter().map(|request| request.call_id()).collect();
    called.sort_unstable();
    assert_eq!(called, ["call_a", "call_d"]);
    // What the gateway knows by itself waits for nobody.
    let time = output(&stage.mock, 1, "call_c").await;
    stage.session.assert_told(CALLS[2], &time).await;
    let journal = stage.session.client.journal();
    let request = journal.first("FunctionCallRequest").expect("it came before the result");
    let expected: Vec<Value> = CALLS
        .iter()
        .map(|(id, name, arguments)| {
            let client_side = *name == "pick_colour";
            json!({"id": id, "name": name, "arguments": arguments, "client_side": client_side})
        })
        .collect();
    assert_eq!(request["functions"], json!(expected), "one request, in the order of the response");
    assert_eq!(journal.count("FunctionCallRequest"), 1, "{journal}");
    answer(&mut stage.session.client, CALLS[1], "green").await;
    assert_eq!(output(&stage.mock, 1, "call_b").await, "green");
    latch.open();
    for call in [CALLS[0], CALLS[3]] {
        let output = output(&stage.mock, 1, call.0).await;
        assert_eq!(output, format!("weather for {}", call.0));
        stage.session.assert_told(call, &output).await;
    }
    assert_one_follow_up(&stage, 4).await;
    stage.assert_goes_on().await;
    let journal = stage.session.client.journal();
    assert_eq!(results(&journal, "call_b"), Vec::<&Value>::new(), "the client is not told its own answer");
    assert_eq!(journal.count("Warning"), 0, "{journal}");
}

#[tokio::test]
async fn a_call_of_a_response_that_was_never_announced() {
    let mut stage = stage(&Arc::new(Latch::new()), "").await;
    stage.session.upstream.send(&frames::function_call());
    let output = output(&stage.mock, 1, "call_mock_1").await;
    let parsed: Value = serde_json::from_str(&output).expect("the time is told as JSON");
    assert!(parsed["error"].is_null(), "{output}");
    stage.session.assert_told(("call_mock_1", "get_current_time", "{}"), &output).await;
    stage.session.upstream.send(&frames::response_done());
    stage.assert_goes_on().await;
}

/// Waits for so many Warnings of this code.
async fn expect_warnings(client: &Client, code: &str, count: usize) {
    let all =
        |journal: &Journal| journal.all("Warning").filter(|(_, warning)| warning["code"] == code).count();
    client.wait_for("Warning", s(5), |journal| (all(journal) >= count).then_some(())).await;
    assert_eq!(client.journal().count("Warning"), count, "{}", client.journal());
}

#[tokio::test]
async fn a_client_cannot_answer_what_runs_here() {
    let latch = Arc::new(Latch::new());
    let mut stage = stage(&latch, "").await;
    stage.session.call(&CALLS[..2]);
    stage.application.expect_requests(1, s(5)).await;
    answer(&mut stage.session.client, CALLS[0], "forged").await;
    expect_warnings(&stage.session.client, "UNKNOWN_FUNCTION_CALL", 1).await;
    stage.assert_goes_on().await;
    assert!(answered(&stage).is_empty(), "{:?}", answered(&stage));
    latch.open();
    assert_eq!(output(&stage.mock, 1, "call_a").await, "weather for call_a");
    answer(&mut stage.session.client, CALLS[0], "forged, and late").await;
    expect_warnings(&stage.session.client, "UNKNOWN_FUNCTION_CALL", 2).await;
    // Its own part is none of that.
    answer(&mut stage.session.client, CALLS[1], "green").await;
    assert_eq!(output(&stage.mock, 1, "call_b").await, "green");
    assert_one_follow_up(&stage, 2).await;
    stage.assert_goes_on().await;
    assert_eq!(answered(&stage), ["call_a", "call_b"]);
}

#[tokio::test]
async fn a_client_that_never_answers_its_own_part() {
    let latch = Arc::new(Latch::new());
    let mut stage = stage(&latch, "[functions]\nclient_timeout_ms = 300").await;
    stage.session.call(&CALLS[..3]);
    stage.application.expect_requests(1, s(5)).await;
    let output_of_client = output(&stage.mock, 1, "call_b").await;
    assert_eq!(output_of_client, error_output("no answer in time"));
    let cancelled = stage.session.client.expect("FunctionCallCancelled", s(5)).await;
    assert!(cancelled.to_string().contains("call_b"), "{cancelled}");
    // Whoever runs the others has a deadline of its own.
    assert!(!answered(&stage).contains(&"call_a".to_owned()));
    latch.open();
    assert_eq!(output(&stage.mock, 1, "call_a").await, "weather for call_a");
    assert_one_follow_up(&stage, 3).await;
    stage.assert_goes_on().await;
    let journal = stage.session.client.journal();
    assert_eq!(journal.count("FunctionCallCancelled"), 1, "{journal}");
    assert_eq!(function_of(&journal, "call_b")["client_side"], true);
}

#[tokio::test]
async fn a_cancelled_response_calls_nobody() {
    let latch = Arc::new(Latch::new());
    let mut stage = stage(&latch, "").await;
    let send = |event: Value| stage.session.upstream.send(&event);
    send(json!({"type": "response.created", "response": {"id": "resp_cut"}}));
    let item = json!({"id": "item_cut", "type": "function_call", "status": "completed", "call_id": "call_cut",
        "name": "weather", "arguments": "{}"});
    send(
        json!({"type": "response.output_item.done", "response_id": "resp_cut", "output_index": 0, "item": item}),
    );
    send(json!({"type": "response.done", "response": {"id": "resp_cut", "status": "cancelled"}}));
    stage.assert_goes_on().await;
    assert_eq!(stage.application.connections(), 0, "a cancelled response has called");
    assert_eq!(stage.session.client.journal().count("FunctionCallRequest"), 0);
}

#[tokio::test]
async fn a_call_that_is_made_again_under_its_id_runs_once() {
    let latch = Arc::new(Latch::new());
    let mut stage = stage(&latch, "").await;
    stage.session.call(&CALLS[..1]);
    stage.application.expect_requests(1, s(5)).await;
    stage.session.call(&CALLS[..1]);
    latch.open();
    assert_eq!(output(&stage.mock, 1, "call_a").await, "weather for call_a");
    stage.session.call(&CALLS[..1]);
    stage.assert_goes_on().await;
    // Another one shows that nothing of the kind is still on its way.
    stage.session.call(&CALLS[3..]);
    assert_eq!(output(&stage.mock, 1, "call_d").await, "weather for call_d");
    let requests = stage.application.requests();
    let called: Vec<&str> = requests.iter().map(|request| request.call_id()).collect();
    assert_eq!(called, ["call_a", "call_d"]);
}
