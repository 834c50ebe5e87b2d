//! Calls that the gateway runs for Deepgram.

use super::*;
use crate::protocol::ids::CallId;

fn request(calls: &[(&str, &str, bool)]) -> String {
    let call = |(id, name, client_side): &(&str, &str, bool)| {
        format!(r#"{{"id":"{id}","name":"{name}","arguments":"{{}}","client_side":{client_side}}}"#)
    };
    let calls: Vec<_> = calls.iter().map(call).collect();
    format!(r#"{{"type":"FunctionCallRequest","functions":[{}]}}"#, calls.join(","))
}

fn told(calls: &[(&str, &str, bool)]) -> String {
    format!("client text {}", request(calls)).to_lowercase()
}

fn finished(id: &str, outcome: Result<&str, &str>) -> Input {
    let outcome = outcome.map(str::to_owned).map_err(str::to_owned);
    Input::FunctionFinished { call_id: CallId::from(id), outcome }
}

fn answer(to: &str, id: &str, content: &str) -> String {
    format!(r#"{to} text {{"type":"functioncallresponse","id":"{id}","name":"f","content":"{content}"}}"#)
}

#[test]
fn a_call_with_a_route_is_run_answered_upstream_and_told() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    let lines = stage.down(&request(&[("a", "f", true), ("b", "g", true), ("c", "f", false)]));
    assert_eq!(
        lines,
        [told(&[("a", "f", false), ("b", "g", true), ("c", "f", false)]), "run a=f({})".to_owned()]
    );
    let lines = stage.give(finished("a", Ok("sunny")));
    assert_eq!(lines, [answer("client", "a", "sunny"), answer("up", "a", "sunny")]);
    assert_eq!(stage.give(finished("a", Ok("again"))), ["ignored R9"]);
    let error = stage.down(&request(&[("d", "f", true)]));
    assert_eq!(error[1], "run d=f({})");
    let lines = stage.give(finished("d", Err("too slow")));
    assert_eq!(lines[1], answer("up", "d", r#"{\"error\":\"too slow\"}"#));
}

#[test]
fn where_the_client_runs_functions_nothing_is_looked_for() {
    for (service, backend) in [(Service::Agent, backend()), (V1, running(1_000))] {
        let mut stage = Stage::open(service, backend);
        assert_eq!(stage.down(&request(&[("a", "f", true)])), [told(&[("a", "f", true)])]);
        let mine = r#"{"type":"FunctionCallResponse","id":"a","name":"f","content":"x"}"#;
        assert_eq!(stage.up(mine), [format!("up text {mine}").to_lowercase()]);
    }
}

#[test]
fn a_client_answers_no_call_that_is_not_its_own() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    let mine =
        |id: &str| format!(r#"{{"type":"FunctionCallResponse","id":"{id}","name":"f","content":"x"}}"#);
    stage.down(&request(&[("a", "f", true), ("b", "g", true)]));
    assert_eq!(stage.up(&mine("a")), ["ignored R9"]);
    assert_eq!(stage.up(&mine("b")), [format!("up text {}", mine("b")).to_lowercase()]);
    stage.give(finished("a", Ok("x")));
    assert_eq!(stage.up(&mine("a")), ["ignored R9"], "nor afterwards");
}

#[test]
fn a_call_that_is_asked_for_again_is_not_run_again() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    stage.down(&request(&[("a", "f", true)]));
    assert_eq!(
        stage.down(&request(&[("a", "f", true)])),
        ["ignored R9".to_owned(), told(&[("a", "f", false)])]
    );
}

#[test]
fn what_deepgram_cancels_is_stopped() {
    let mut stage = Stage::open(Service::Agent, running(15_000));
    stage.down(&request(&[("a", "f", true), ("b", "f", true)]));
    let cancelled =
        r#"{"type":"FunctionCallCancelled","functions":[{"id":"a","name":"f"},{"id":"b","name":"f"}]}"#;
    let lines = stage.down(cancelled);
    assert_eq!(lines, ["cancel a".to_owned(), format!("client text {cancelled}").to_lowercase()]);
    assert_eq!(stage.give(finished("a", Ok("x"))), ["ignored R9"]);
}

#[test]
fn of_calls_that_wait_those_that_deepgram_cancels_never_run() {
    let mut stage = Stage::open(Service::Agent, running(15_000));
    let lines = stage.down(&request(&[("a", "f", true), ("b", "f", true), ("c", "f", true)]));
    assert_eq!(lines[1..], ["run a=f({})"]);
    stage.down(r#"{"type":"FunctionCallCancelled","functions":[{"id":"b","name":"f"}]}"#);
    let lines = stage.give(finished("a", Ok("x")));
    let runs: Vec<_> = lines.iter().filter(|line| line.starts_with("run ")).collect();
    assert_eq!(runs, ["run c=f({})"]);
}

#[test]
fn functions_run_as_there_is_memory_for_what_they_return() {
    let mut stage = Stage::open(Service::Agent, running(8_000));
    let lines = stage.down(&request(&[("a", "f", true), ("b", "f", true), ("c", "f", true)]));
    assert_eq!(lines[1..], ["run a=f({})", "run b=f({})"]);
    let lines = stage.give(finished("a", Ok("x")));
    assert_eq!(lines.iter().filter(|line| *line == "run c=f({})").count(), 1, "{lines:?}");
}

#[test]
fn a_budget_that_is_used_up_holds_functions_back() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    stage.stuck = Some(Leg::Upstream);
    stage.give(Input::ClientFrame(Frame::binary(vec![b'x'; 25_000])));
    assert_eq!(stage.down(&request(&[("a", "f", true)])).len(), 1);
    assert!(stage.loosen().contains(&"run a=f({})".to_owned()));
}

#[test]
fn an_answer_waits_for_the_end_of_a_message_on_its_way() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    stage.down(&request(&[("a", "f", true)]));
    stage.give(Input::ClientFrame(part(Opcode::Binary, false, "x")));
    stage.give(Input::UpstreamFrame(part(Opcode::Binary, false, "y")));
    assert_eq!(stage.give(finished("a", Ok("z"))), [""; 0]);
    let up = stage.give(Input::ClientFrame(part(Opcode::Continuation, true, "")));
    assert_eq!(up, ["up continuation ".to_owned(), answer("up", "a", "z")]);
    let down = stage.give(Input::UpstreamFrame(part(Opcode::Continuation, true, "")));
    assert_eq!(down, ["client continuation ".to_owned(), answer("client", "a", "z")]);
}

#[test]
fn a_function_that_never_reports_is_given_up() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    stage.down(&request(&[("a", "f", true)]));
    let lines: Vec<_> = stage.wait(20_000).into_iter().filter(|line| !line.contains("ping")).collect();
    assert_eq!(lines[..2], ["15000: ran out R8", "15000: cancel a"]);
    assert_eq!(lines[3], format!("15000: {}", answer("up", "a", r#"{\"error\":\"no answer in time\"}"#)));
}

#[test]
fn an_answer_that_no_client_takes_is_told_as_a_warning() {
    let mut stage = Stage::open(Service::Agent, running(1 << 20));
    stage.down(&request(&[("a", "f", true)]));
    let lines = stage.give(finished("a", Ok(&"x".repeat(1 << 20))));
    assert!(lines[0].contains("message_too_large"), "{}", lines[0]);
    assert!(lines.iter().any(|line| line.starts_with("up text") && line.len() > 1 << 20));
}

#[test]
fn no_function_outlives_its_connection() {
    let mut stage = Stage::open(Service::Agent, running(15_000));
    stage.down(&request(&[("a", "f", true), ("b", "f", true)]));
    let lines = stage.give(Input::ClientClosed(closed(1_000, "")));
    assert_eq!(lines, ["cancel a", "close upstream 1000"]);
    assert_eq!(stage.give(finished("a", Ok("x"))), ["ignored R16"]);
}

fn client_side(line: &str, is: bool) -> usize {
    line.matches(&format!(r#""client_side":{is}"#)).count()
}

#[test]
fn calls_that_there_is_no_memory_for_stay_the_client_s() {
    let mut stage = Stage::open(Service::Agent, running(15_000));
    let ids: Vec<_> = (0..300).map(|n| format!("call_{n}")).collect();
    let calls: Vec<_> = ids.iter().map(|id| (&**id, "f", true)).collect();
    let lines = stage.down(&request(&calls));
    let taken = client_side(&lines[0], false);
    // One runs, the others wait, and all of them weigh no more than a leg may keep.
    assert!((100..=150).contains(&taken) && taken + client_side(&lines[0], true) == 300, "{taken}");
    assert_eq!(lines[1..], ["run call_0=f({})"]);
    let mine = |n| format!(r#"{{"type":"FunctionCallResponse","id":"call_{n}","name":"f","content":"x"}}"#);
    assert_eq!(stage.up(&mine(taken - 1)), ["ignored R9"]);
    assert_eq!(stage.up(&mine(taken)).len(), 1);
    let lines = stage.down(&request(&[("a", "f", true), ("call_1", "f", true)]));
    assert_eq!(lines, ["ignored R9".to_owned(), told(&[("a", "f", true), ("call_1", "f", false)])]);
    for n in 0..taken {
        stage.give(finished(&format!("call_{n}"), Ok("x")));
    }
    assert_eq!(stage.down(&request(&[("b", "f", true)]))[1], "run b=f({})");
}

#[test]
fn very_many_calls_are_neither_taken_nor_cancelled_slowly() {
    let limits = Limits { leg: 1 << 30, ..limits() };
    let mut stage = Stage::within(limits, Service::Agent, running(1 << 30));
    stage.give(Input::UpstreamOpened);
    let ids: Vec<_> = (0..50_000).map(|n| format!("call_{n}")).collect();
    let calls: Vec<_> = ids.iter().map(|id| (&**id, "f", true)).collect();
    assert_eq!(client_side(&stage.down(&request(&calls))[0], false), 1_024);
    let cancelled = request(&calls).replace("FunctionCallRequest", "FunctionCallCancelled");
    assert_eq!(stage.down(&cancelled)[0], "cancel call_0");
    assert_eq!(stage.wait(30_000), [""; 0]);
}

#[test]
fn a_call_that_still_runs_is_not_forgotten_for_others() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    stage.down(&request(&[("long", "f", true)]));
    for n in 0..5_000 {
        let id = format!("call_{n}");
        stage.down(&request(&[(&id, "f", true)]));
        stage.give(finished(&id, Ok("x")));
    }
    let again = stage.down(&request(&[("long", "f", true)]));
    assert_eq!(again, ["ignored R9".to_owned(), told(&[("long", "f", false)])]);
}

#[test]
fn a_call_alone_is_taken_whatever_it_weighs() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    let heavy = request(&[("a", "f", true)]).replace("{}", &"x".repeat(50_000));
    assert!(stage.down(&heavy).iter().any(|line| line.starts_with("run a=f(xxx")));
    assert_eq!(client_side(&stage.down(&request(&[("b", "f", true)]))[0], true), 1);
}
