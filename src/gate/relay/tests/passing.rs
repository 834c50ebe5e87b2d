//! Frames from leg to leg: unchanged, in order, and what is changed.

use super::*;

#[test]
fn frames_go_as_they_are_in_both_directions() {
    for service in [Service::Agent, V1, V2] {
        let mut stage = Stage::open(service, backend());
        assert_eq!(stage.up(r#"{"type":"KeepAlive"}"#), [r#"up text {"type":"keepalive"}"#]);
        assert_eq!(stage.up("no json"), ["up text no json"]);
        assert_eq!(stage.up(""), ["up text "]);
        assert_eq!(stage.audio_up(b"abc"), ["up binary abc"]);
        assert_eq!(stage.down(r#"{"type":"x"}"#), [r#"client text {"type":"x"}"#]);
        assert_eq!(stage.audio_down(b""), ["client binary "]);
        assert_eq!(stage.audio_up(b""), ["up binary "]);
    }
}

#[test]
fn a_message_in_fragments_stays_in_fragments() {
    for service in [Service::Agent, V1, V2] {
        for opcode in [Opcode::Text, Opcode::Binary] {
            let mut stage = Stage::open(service, backend());
            let frames = [
                part(opcode, false, "a"),
                part(Opcode::Continuation, false, ""),
                part(Opcode::Continuation, true, "b"),
            ];
            let name = format!("{opcode:?}").to_lowercase();
            let expected = |to| {
                [format!("{to} {name} a.."), format!("{to} continuation .."), format!("{to} continuation b")]
            };
            let up: Vec<_> =
                frames.iter().flat_map(|frame| stage.give(Input::ClientFrame(frame.clone()))).collect();
            assert_eq!(up, expected("up"));
            let down: Vec<_> =
                frames.iter().flat_map(|frame| stage.give(Input::UpstreamFrame(frame.clone()))).collect();
            assert_eq!(down, expected("client"));
        }
    }
}

#[test]
fn binary_fragments_are_not_kept_until_they_are_whole() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    let first = part(Opcode::Binary, false, "a");
    assert_eq!(stage.give(Input::ClientFrame(first.clone())), ["up binary a.."]);
    assert_eq!(stage.give(Input::UpstreamFrame(first)), ["client binary a.."]);
}

#[test]
fn what_comes_before_the_socket_is_open_waits_in_its_order() {
    let mut stage = Stage::new(Service::Agent, backend());
    assert_eq!(stage.up(SETTINGS), [""; 0]);
    assert_eq!(stage.audio_up(b"a"), [""; 0]);
    assert_eq!(stage.up("b"), [""; 0]);
    let settings = format!("up text {SETTINGS}").to_lowercase();
    assert_eq!(stage.give(Input::UpstreamOpened), [&settings, "up binary a", "up text b"]);
}

#[test]
fn what_deepgram_refuses_of_the_component_is_put_right() {
    let settings = r#"{"type":"Settings","agent":{"think":{"toolChoice":"auto","prompt":"p"}}}"#;
    let inject = r#"{"type":"InjectAgentMessage","content":"hello"}"#;
    let mut stage = Stage::open(Service::Agent, backend());
    assert_eq!(stage.up(settings), [r#"up text {"type":"settings","agent":{"think":{"prompt":"p"}}}"#]);
    assert_eq!(stage.up(inject), [r#"up text {"type":"injectagentmessage","message":"hello"}"#]);
    let parts = [part(Opcode::Text, false, &inject[..9]), part(Opcode::Continuation, true, &inject[9..])];
    let [first, last] = parts.map(|part| stage.give(Input::ClientFrame(part)));
    assert_eq!(
        (first, last),
        (vec![], vec![r#"up text {"type":"injectagentmessage","message":"hello"}"#.to_owned()])
    );

    let deepgram = Deepgram { repair_component_messages: false, ..Deepgram::default() };
    let mut stage =
        Stage::open(Service::Agent, Backend { kind: BackendKind::DeepgramAgent(deepgram), ..backend() });
    assert_eq!(stage.up(inject), [format!("up text {inject}").to_lowercase()]);
    assert_eq!(stage.up(settings), [format!("up text {settings}").to_lowercase()]);
    // Nobody looks into anything any more, so nothing is kept.
    let [first, _] = [part(Opcode::Text, false, "a"), part(Opcode::Continuation, true, "b")];
    assert_eq!(stage.give(Input::ClientFrame(first)), ["up text a.."]);
}

#[test]
fn transcription_is_not_repaired() {
    for service in [V1, V2] {
        let mut stage = Stage::open(service, backend());
        let inject = r#"{"type":"InjectAgentMessage","content":"hello"}"#;
        assert_eq!(stage.up(inject), [format!("up text {inject}").to_lowercase()]);
    }
}
