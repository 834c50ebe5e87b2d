//! When a connection ends once the program is asked to stop: with its turn, as far as upstream tells of one.

use super::*;

fn closes(lines: &[String]) -> bool {
    lines.iter().any(|line| line.ends_with("close client 1012"))
}

fn says(kind: &str) -> String {
    format!(r#"{{"type":"{kind}","role":"user","content":"x"}}"#)
}

#[test]
fn between_two_turns_it_ends_at_once() {
    let mut stage = Stage::open(Service::Agent, backend());
    let told = stage.give(Input::Drain);
    assert!(told[0].contains("server_going_away") && closes(&told), "{told:?}");
    let mut stage = Stage::open(Service::Agent, backend());
    stage.down(&says("Welcome"));
    stage.down(&says("SettingsApplied"));
    stage.down(&says("ConversationText"));
    stage.audio_down(b"ab");
    stage.down(&says("AgentAudioDone"));
    stage.wait(1_000);
    assert!(closes(&stage.give(Input::Drain)));
}

#[test]
fn a_turn_goes_on_to_its_end() {
    let begins = ["UserStartedSpeaking", "ConversationText", "AgentThinking", "AgentStartedSpeaking"];
    for backend in [backend(), component(), running(1_000)] {
        for kind in begins {
            let mut stage = Stage::open(Service::Agent, backend.clone());
            stage.down(&says(kind));
            assert_eq!(stage.give(Input::Drain), [""; 0], "{kind}");
            assert!(!closes(&stage.down(&says("ConversationText"))));
            assert!(!closes(&stage.audio_down(b"ab")));
            // What it says has to be delivered first.
            let last = stage.down(&says("AgentAudioDone"));
            assert!(closes(&last) || closes(&stage.wait(1)), "{kind}: {last:?}");
        }
    }
}

#[test]
fn what_was_given_is_heard_to_its_end() {
    let settings = |output: &str| format!(r#"{{"type":"Settings","audio":{{"output":{output}}}}}"#);
    let mulaw = settings(r#"{"encoding":"mulaw","sample_rate":8000}"#);
    let mp3 = settings(r#"{"encoding":"mp3"}"#);
    // 48,000 bytes: a second of linear16 at 24 kHz, six of mulaw, and of MP3 nobody knows.
    for (settings, ms) in [(SETTINGS, 1_000), (&mulaw, 6_000), (&mp3, 0)] {
        let mut stage = Stage::new(Service::Agent, backend());
        stage.give(Input::UpstreamOpened);
        stage.up(settings);
        stage.give(Input::UpstreamFrame(Frame::binary(vec![0; 24_000])));
        stage.give(Input::UpstreamFrame(Frame::binary(vec![0; 24_000])));
        let done = stage.down(&says("AgentAudioDone"));
        assert!(!closes(&done));
        let ended = stage.give(Input::Drain);
        assert_eq!(closes(&ended), ms == 0, "{settings}");
        assert!(!closes(&stage.wait(ms.max(1) - 1)));
        assert_eq!(closes(&stage.wait(1)), ms > 0, "{settings}");
    }
}

#[test]
fn who_interrupts_hears_no_more_of_it() {
    let mut stage = Stage::open(Service::Agent, backend());
    stage.give(Input::UpstreamFrame(Frame::binary(vec![0; 48_000])));
    stage.down(&says("UserStartedSpeaking"));
    stage.give(Input::Drain);
    assert!(closes(&stage.down(&says("AgentAudioDone"))));
}

#[test]
fn what_waits_goes_first() {
    let mut stage = Stage::open(Service::Agent, backend());
    stage.stuck = Some(Leg::Upstream);
    stage.audio_up(b"a");
    assert_eq!(stage.give(Input::Drain), [""; 0]);
    assert!(closes(&stage.loosen()));
}

#[test]
fn functions_are_answered() {
    let mut stage = Stage::open(Service::Agent, running(1_000));
    let call = r#"{"id":"c","name":"f","arguments":"{}","client_side":true}"#;
    stage.down(&format!(r#"{{"type":"FunctionCallRequest","functions":[{call}]}}"#));
    stage.down(&says("AgentAudioDone"));
    assert_eq!(stage.give(Input::Drain), [""; 0]);
    let finished = Input::FunctionFinished { call_id: "c".into(), outcome: Ok("x".to_owned()) };
    assert!(closes(&stage.give(finished)));
}

#[test]
fn a_turn_of_text_alone_ends_where_the_component_is_told_so() {
    let mut stage = Stage::open(Service::Agent, component());
    stage.down(r#"{"type":"ConversationText","role":"assistant","content":"x"}"#);
    assert_eq!(stage.give(Input::Drain), [""; 0]);
    assert!(closes(&stage.wait(601)));
}

#[test]
fn transcription_has_no_turns_and_goes_on() {
    for service in [V1, V2] {
        let mut stage = Stage::open(service, backend());
        stage.audio_up(b"a");
        assert_eq!(stage.give(Input::Drain), [""; 0]);
        assert!(!closes(&stage.down(r#"{"type":"Results","speech_final":true}"#)));
        assert!(closes(&stage.give(Input::Shutdown)));
    }
}
