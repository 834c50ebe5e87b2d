//! Every way in which a connection that is passed through ends, and what each side is told.

use super::*;
use crate::gate::{CloseReason, UpstreamError};

fn error(code: &str, description: &str) -> String {
    format!(r#"client text {{"type":"error","description":"{description}","code":"{code}"}}"#)
}

#[test]
fn the_client_s_close_goes_upstream() {
    for service in [Service::Agent, V1] {
        let mut stage = Stage::open(service, backend());
        assert_eq!(
            stage.give(Input::ClientClosed(closed(4_001, "enough"))),
            [r#"close upstream 4001 "enough""#]
        );
        let gone = Input::UpstreamClosed { end: closed(4_001, ""), unix_s: 0 };
        assert_eq!(stage.give(gone), ["finished"]);
        assert_eq!(stage.relay.close_reason(), Some(&CloseReason::Client(closed(4_001, "enough"))));
        assert_eq!(stage.relay.deadline(), None);
    }
}

#[test]
fn upstream_s_close_goes_to_the_client_and_says_all_there_is() {
    for (end, expected) in [
        (closed(1_000, ""), "close client 1000"),
        (closed(1_011, "NET-0001"), r#"close client 1011 "NET-0001""#),
        (closed(4_321, "why"), r#"close client 4321 "why""#),
        (closed(1_006, ""), "close client 1011"),
        (closed(1_015, ""), "close client 1011"),
        (LegEnd::Closed { code: None, reason: String::new() }, "close client 1000"),
    ] {
        let mut stage = Stage::open(Service::Agent, backend());
        assert_eq!(stage.give(Input::UpstreamClosed { end, unix_s: 0 }), [expected]);
        assert_eq!(stage.give(Input::ClientClosed(LegEnd::Vanished)), ["finished"]);
    }
}

#[test]
fn what_upstream_said_before_it_closed_reaches_the_client() {
    let mut stage = Stage::open(Service::Agent, backend());
    stage.stuck = Some(Leg::Client);
    let big = "x".repeat(300_000);
    assert_eq!(stage.down(&big).len(), 2, "it goes out, and upstream is paused");
    assert_eq!(stage.down("last words"), [""; 0]);
    assert_eq!(stage.give(Input::UpstreamClosed { end: closed(1_000, ""), unix_s: 0 }), ["resume upstream"]);
    assert_eq!(stage.loosen(), ["client text last words", "close client 1000"]);
}

#[test]
fn what_the_client_said_before_it_closed_reaches_upstream() {
    let mut stage = Stage::open(V1, backend());
    stage.stuck = Some(Leg::Upstream);
    let big = "x".repeat(300_000);
    assert_eq!(stage.up(&big).len(), 2, "it goes out, and the client is paused");
    assert_eq!(stage.up("last words"), [""; 0]);
    assert_eq!(stage.give(Input::ClientClosed(closed(1_000, ""))), ["resume client"]);
    assert_eq!(stage.loosen(), ["up text last words", "close upstream 1000"]);
}

#[test]
fn what_waits_for_a_socket_does_not_hold_up_the_end() {
    let mut stage = Stage::new(Service::Agent, backend());
    assert_eq!(stage.up(SETTINGS), [""; 0]);
    let told = stage.give(Input::Shutdown);
    assert_eq!(told[1..], ["close client 1012", "close upstream 1000"]);
}

#[test]
fn who_vanishes_is_spoken_for() {
    let mut stage = Stage::open(Service::Agent, backend());
    let told = stage.give(Input::UpstreamClosed { end: LegEnd::Vanished, unix_s: 0 });
    assert_eq!(told, [error("upstream_closed", "upstream vanished"), "close client 1011".to_owned()]);
    let mut stage = Stage::open(Service::Agent, backend());
    assert_eq!(stage.give(Input::ClientClosed(LegEnd::Vanished)), ["close upstream 1001"]);
}

#[test]
fn a_failed_dial_is_told_in_the_words_of_the_service() {
    let refused = || Input::UpstreamRefused(UpstreamError::Status(401));
    let description = "upstream refused the connection with status 401";
    let close = "close client 1011".to_owned();
    assert_eq!(
        Stage::new(Service::Agent, backend()).give(refused()),
        [error("upstream_auth_failed", description), close.clone()]
    );
    let shape = |more: &str| {
        format!(
            r#"client text {{"type":"error","variant":"gatewayerror","code":"upstream_auth_failed","description":"{description}"{more}}}"#
        )
    };
    assert_eq!(Stage::new(V1, backend()).give(refused()), [shape(""), close.clone()]);
    assert_eq!(Stage::new(V2, backend()).give(refused()), [shape(r#","sequence_id":0"#), close]);
}

#[test]
fn an_error_of_ours_has_the_number_that_is_next() {
    let mut stage = Stage::open(V2, backend());
    stage.down("0");
    let _ = stage.give(Input::UpstreamFrame(part(Opcode::Text, false, "1")));
    let _ = stage.give(Input::UpstreamFrame(part(Opcode::Continuation, true, "")));
    let told = stage.give(Input::Shutdown);
    assert!(told[0].ends_with(r#""sequence_id":2}"#), "{told:?}");
    assert_eq!(told[1..], ["close client 1012", "close upstream 1000"]);
}

#[test]
fn nothing_is_said_inside_a_message() {
    let mut stage = Stage::open(Service::Agent, backend());
    assert_eq!(stage.give(Input::UpstreamFrame(part(Opcode::Binary, false, "a"))), ["client binary a.."]);
    assert_eq!(stage.give(Input::Shutdown), ["close client 1012", "close upstream 1000"]);
}

#[test]
fn a_dial_that_takes_for_ever_ends() {
    let mut stage = Stage::new(V1, backend());
    // Two attempts of ten seconds, and the time that they may take to report.
    let told = stage.wait(60_000);
    assert!(
        told[0].starts_with("35000: client text") && told[0].contains("upstream_unreachable"),
        "{told:?}"
    );
    assert_eq!(told[1..3], ["35000: close client 1011", "35000: close upstream 1000"]);
}

#[test]
fn who_closes_during_the_dial_is_still_heard() {
    let mut stage = Stage::new(Service::Agent, backend());
    assert_eq!(stage.up(SETTINGS), [""; 0]);
    assert_eq!(stage.give(Input::ClientClosed(closed(1_000, ""))), ["held R1"]);
    let settings = format!("up text {SETTINGS}").to_lowercase();
    assert_eq!(stage.give(Input::UpstreamOpened), [&settings, "close upstream 1000"]);
    let gone = Input::UpstreamClosed { end: closed(1_000, ""), unix_s: 0 };
    assert_eq!(stage.give(gone), ["finished"]);

    let mut stage = Stage::new(Service::Agent, backend());
    let told = stage.give(Input::ClientClosed(closed(1_000, "")));
    assert_eq!(told, ["close upstream 1000"], "there is nothing to be heard");
    let mut stage = Stage::new(Service::Agent, backend());
    stage.up(SETTINGS);
    stage.give(Input::ClientClosed(closed(1_000, "")));
    assert_eq!(stage.give(Input::UpstreamRefused(UpstreamError::TimedOut)), ["finished"]);
}

#[test]
fn a_dial_that_fails_after_the_end_is_no_second_end() {
    let mut stage = Stage::new(V1, backend());
    stage.give(Input::Shutdown);
    assert_eq!(stage.give(Input::UpstreamRefused(UpstreamError::TimedOut)), ["ignored R16"]);
    assert_eq!(stage.relay.close_reason(), Some(&CloseReason::Shutdown));
    assert_eq!(stage.give(Input::ClientClosed(LegEnd::Vanished)), ["finished"]);
}

#[test]
fn settings_and_idle_limits_are_the_agent_s_alone() {
    let mut stage = Stage::new(Service::Agent, backend());
    stage.give(Input::UpstreamOpened);
    let told = stage.wait(60_000);
    let expected = error("CLIENT_MESSAGE_TIMEOUT", "no usable Settings came in time").to_lowercase();
    assert_eq!(told[0], format!("60000: {expected}"));
    assert_eq!(told[1], "60000: close client 1011");

    let mut stage = Stage::open(Service::Agent, backend());
    let told = stage.wait(300_000);
    assert_eq!(told[0], "8000: ping client");
    let expected = error("idle_timeout", "nothing came from the client for too long");
    assert_eq!(told[1], format!("300000: {expected}"));

    for service in [V1, V2] {
        let mut stage = Stage::new(service, backend());
        stage.give(Input::UpstreamOpened);
        assert_eq!(stage.wait(1_000_000), [""; 0]);
    }
}

#[test]
fn both_services_have_a_longest_session() {
    for service in [Service::Agent, V1, V2] {
        let limits = Limits { max_session: Some(Duration::from_secs(5)), ..limits() };
        let mut stage = Stage::within(limits, service, backend());
        stage.give(Input::UpstreamOpened);
        let told = stage.wait(5_000);
        assert!(told[0].contains("session_max_duration"), "{told:?}");
        assert_eq!(told[1..], ["5000: close client 1000", "5000: close upstream 1000"]);
    }
}

#[test]
fn a_client_that_breaks_a_limit_is_told() {
    for (end, code, close) in [
        (LegEnd::TooLarge { limit: 5 }, "MESSAGE_TOO_LARGE", "close client 1009"),
        (LegEnd::ProtocolError("x".to_owned()), "UNPARSABLE_CLIENT_MESSAGE", "close client 1002"),
    ] {
        let mut stage = Stage::open(Service::Agent, backend());
        let told = stage.give(Input::ClientClosed(end));
        assert!(told[0].contains(&code.to_lowercase()), "{told:?}");
        assert_eq!(told[1..], [close, "close upstream 1000"]);
        // What still comes changes nothing.
        assert_eq!(stage.audio_up(b"a"), ["ignored R16"]);
        assert_eq!(stage.audio_down(b"a"), ["ignored R16"]);
    }
}

#[test]
fn an_upstream_that_breaks_a_limit_is_spoken_for() {
    let mut stage = Stage::open(Service::Agent, backend());
    let end = LegEnd::TooLarge { limit: 5 };
    let told = stage.give(Input::UpstreamClosed { end, unix_s: 0 });
    assert!(told[0].contains("upstream_message_too_large"), "{told:?}");
    assert_eq!(told[1..], ["close client 1011"]);
}

#[test]
fn who_does_not_close_is_cut() {
    let mut stage = Stage::open(Service::Agent, backend());
    stage.give(Input::Shutdown);
    assert_eq!(stage.wait(2_000), ["2000: hang up client", "2000: hang up upstream", "2000: finished"]);
    assert_eq!(stage.audio_up(b"a"), ["ignored R16"]);
    assert_eq!(stage.relay.deadline(), None);
}
