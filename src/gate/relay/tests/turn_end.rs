//! The end signals that the component waits for.

use super::*;

const DONE: &str = r#"client text {"type":"agentdone"}"#;
const AUDIO_DONE: &str = r#"client text {"type":"agentaudiodone"}"#;
const TEXT: &str = r#"{"type":"ConversationText","role":"assistant","content":"Hi"}"#;

#[test]
fn agent_done_comes_directly_before_deepgram_s_own() {
    let mut stage = Stage::open(Service::Agent, component());
    stage.down(TEXT);
    stage.audio_down(b"a");
    assert_eq!(stage.down(r#"{"type":"AgentAudioDone"}"#), [DONE, AUDIO_DONE]);
    assert_eq!(stage.wait(7_000), [""; 0]);
    let mut stage = Stage::open(Service::Agent, backend());
    assert_eq!(stage.down(r#"{"type":"AgentAudioDone"}"#), [AUDIO_DONE], "others need none");
}

#[test]
fn a_turn_of_text_alone_ends_after_silence() {
    let mut stage = Stage::open(Service::Agent, component());
    stage.down(TEXT);
    assert_eq!(stage.wait(599), [""; 0]);
    stage.down(r#"{"type":"History"}"#);
    let both = [format!("600: {DONE}"), format!("600: {AUDIO_DONE}")];
    assert_eq!(stage.wait(600), both, "anything breaks the silence");
    assert_eq!(stage.wait(5_000), [""; 0], "once");
    stage.down(TEXT);
    assert_eq!(stage.wait(600), both, "and in the next turn");
    let mut stage = Stage::open(Service::Agent, backend());
    stage.down(TEXT);
    assert_eq!(stage.wait(5_000), [""; 0], "others need none");
}

#[test]
fn a_turn_that_is_not_over_has_no_end() {
    for next in [
        r#"{"type":"UserStartedSpeaking"}"#,
        r#"{"type":"ConversationText","role":"user","content":"Stop"}"#,
        r#"{"type":"AgentThinking","content":""}"#,
        r#"{"type":"FunctionCallRequest","functions":[]}"#,
    ] {
        let mut stage = Stage::open(Service::Agent, component());
        stage.down(TEXT);
        stage.down(next);
        assert_eq!(stage.wait(5_000), [""; 0], "{next}");
    }
    let mut stage = Stage::open(Service::Agent, component());
    stage.down(TEXT);
    stage.audio_down(b"a");
    stage.down(TEXT);
    assert_eq!(stage.wait(5_000), [""; 0], "a turn with audio is ended by Deepgram");
    stage.down(r#"{"type":"UserStartedSpeaking"}"#);
    stage.down(TEXT);
    assert_eq!(stage.wait(600).len(), 2, "the next one is another");
}

#[test]
fn the_component_shows_itself_in_its_settings() {
    let settings = r#"{"type":"Settings","agent":{"think":{"toolChoice":"auto"}}}"#;
    for (dialect, given) in [(Dialect::Auto, 2), (Dialect::Deepgram, 1)] {
        let mut stage = Stage::new(Service::Agent, Backend { dialect, ..backend() });
        stage.give(Input::UpstreamOpened);
        stage.up(settings);
        stage.up(SETTINGS);
        assert_eq!(stage.down(r#"{"type":"AgentAudioDone"}"#).len(), given, "{dialect:?}");
    }
    let mut stage = Stage::open(V1, component());
    assert_eq!(stage.down(r#"{"type":"AgentAudioDone"}"#), [AUDIO_DONE], "transcription has no turns");
}

#[test]
fn silence_is_not_counted_while_upstream_is_not_read() {
    let mut stage = Stage::open(Service::Agent, component());
    stage.stuck = Some(Leg::Client);
    let long = TEXT.replace("Hi", &"x".repeat(30_000));
    assert_eq!(stage.down(&long).last().map(String::as_str), Some("pause upstream"));
    assert_eq!(stage.wait(5_000), [""; 0]);
    assert_eq!(stage.loosen(), ["resume upstream"]);
    assert_eq!(stage.wait(599), [""; 0]);
    assert_eq!(stage.wait(1).len(), 2);
}
