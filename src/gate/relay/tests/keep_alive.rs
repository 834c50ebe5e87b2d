//! KeepAlive for a client that is silent and there.

use super::*;

const KEEP_ALIVE: [&str; 1] = [r#"up text {"type":"keepalive"}"#];

#[test]
fn a_silent_client_that_answers_is_kept_alive() {
    for (service, silence) in [(Service::Agent, 8_000), (V1, 4_000)] {
        let mut stage = Stage::open(service, backend());
        if service == V1 {
            stage.audio_up(b"a");
        }
        for _ in 0..3 {
            assert_eq!(stage.wait(silence), [format!("{silence}: ping client")]);
            assert_eq!(stage.give(Input::ClientAlive), KEEP_ALIVE);
        }
        // One answer, one KeepAlive.
        assert_eq!(stage.give(Input::ClientAlive), [""; 0]);
    }
}

#[test]
fn a_client_that_does_not_answer_is_not() {
    let mut stage = Stage::open(V1, backend());
    stage.audio_up(b"a");
    assert_eq!(stage.wait(600_000), ["4000: ping client"]);
}

#[test]
fn who_speaks_is_not_silent() {
    for (service, silence) in [(Service::Agent, 8_000), (V1, 4_000)] {
        let mut stage = Stage::open(service, backend());
        for _ in 0..5 {
            stage.audio_up(b"a");
            assert_eq!(stage.wait(silence - 1), [""; 0]);
        }
        assert_eq!(stage.wait(1), ["1: ping client"]);
        stage.audio_up(b"a");
        assert_eq!(stage.give(Input::ClientAlive), [""; 0], "it has spoken meanwhile");
        assert_eq!(stage.wait(silence), [format!("{silence}: ping client")]);
    }
}

#[test]
fn text_is_no_audio() {
    let mut stage = Stage::open(V1, backend());
    stage.audio_up(b"a");
    stage.wait(3_999);
    stage.up(r#"{"type":"Finalize"}"#);
    assert_eq!(stage.wait(1), ["1: ping client"]);
    let mut stage = Stage::open(V1, backend());
    stage.audio_up(b"a");
    stage.wait(3_999);
    stage.give(Input::ClientFrame(part(Opcode::Text, false, "a")));
    stage.give(Input::ClientFrame(part(Opcode::Continuation, true, "b")));
    assert_eq!(stage.wait(1), ["1: ping client"], "nor is it in pieces");
    let mut stage = Stage::open(Service::Agent, backend());
    stage.wait(7_999);
    stage.up(r#"{"type":"KeepAlive"}"#);
    assert_eq!(stage.wait(7_999), [""; 0]);
}

#[test]
fn nothing_goes_up_before_settings_or_the_first_audio() {
    let mut stage = Stage::new(Service::Agent, backend());
    stage.give(Input::UpstreamOpened);
    stage.audio_up(b"a");
    assert_eq!(stage.wait(59_000), [""; 0]);
    let mut stage = Stage::open(V1, backend());
    stage.up("x");
    assert_eq!(stage.wait(59_000), [""; 0]);
}

#[test]
fn silence_counts_from_the_open_socket() {
    let mut stage = Stage::new(V1, backend());
    stage.audio_up(b"a");
    assert_eq!(stage.wait(20_000), [""; 0]);
    assert_eq!(stage.give(Input::UpstreamOpened), ["up binary a"]);
    assert_eq!(stage.wait(4_000), ["4000: ping client"]);
}

#[test]
fn nothing_goes_up_behind_the_end_of_a_stream() {
    let ends: [fn(&mut Stage) -> Vec<String>; 2] =
        [|stage| stage.audio_up(b""), |stage| stage.up(r#"{"type":"CloseStream"}"#)];
    for end in ends {
        let mut stage = Stage::open(V1, backend());
        stage.audio_up(b"a");
        assert_eq!(end(&mut stage).len(), 1);
        assert_eq!(stage.wait(600_000), [""; 0]);
        let mut stage = Stage::open(V1, backend());
        stage.audio_up(b"a");
        stage.wait(4_000);
        end(&mut stage);
        assert_eq!(stage.give(Input::ClientAlive), [""; 0], "asked before the end, answered behind it");
    }
    // An empty fragment ends nothing.
    let mut stage = Stage::open(V1, backend());
    stage.give(Input::ClientFrame(part(Opcode::Binary, false, "")));
    stage.give(Input::ClientFrame(part(Opcode::Continuation, true, "")));
    assert_eq!(stage.wait(4_000), ["4000: ping client"]);
}

#[test]
fn flux_has_no_keep_alive() {
    let mut stage = Stage::open(V2, backend());
    stage.audio_up(b"a");
    assert_eq!(stage.wait(600_000), [""; 0]);
    assert_eq!(stage.give(Input::ClientAlive), [""; 0]);
}

#[test]
fn no_keep_alive_goes_into_a_message() {
    let mut stage = Stage::open(V1, backend());
    stage.give(Input::ClientFrame(part(Opcode::Binary, false, "a")));
    assert_eq!(stage.wait(4_000), ["4000: ping client"]);
    assert_eq!(stage.give(Input::ClientAlive), [""; 0]);
    // The fragments of a message count as audio.
    stage.wait(3_000);
    stage.give(Input::ClientFrame(part(Opcode::Continuation, true, "b")));
    assert_eq!(stage.wait(3_999), [""; 0]);
    assert_eq!(stage.wait(1), ["1: ping client"]);
    assert_eq!(stage.give(Input::ClientAlive), KEEP_ALIVE);
}
