//! Conversations without a socket: what comes, at which millisecond, and what it leads to.

use serde_json::{Value, json};

use super::*;
use crate::{protocol::audio::PCM_16K, talk::recording::Recording};

const ECHO: &str = r#"{"type":"ConversationText","role":"user","content":"Hi"}"#;
const TEXT: &str = r#"{"type":"ConversationText","role":"assistant","content":"Hello"}"#;
const STARTED: &str =
    r#"{"type":"AgentStartedSpeaking","total_latency":0.1,"tts_latency":0,"ttt_latency":0}"#;
const THINKING: &str = r#"{"type":"AgentThinking","content":""}"#;
const DONE: &str = r#"{"type":"AgentAudioDone"}"#;
const USER: &str = r#"{"type":"UserStartedSpeaking"}"#;
const APPLIED: &str = r#"{"type":"SettingsApplied"}"#;
const WELCOME: &str = r#"{"type":"Welcome","request_id":"3f2a"}"#;

fn call(name: &str, client_side: bool) -> String {
    let call = json!({"id": "c1", "name": name, "arguments": "{}", "client_side": client_side});
    json!({"type": "FunctionCallRequest", "functions": [call]}).to_string()
}

/// A conversation and its clock; what it leads to is noted as short text.
struct Talk {
    conversation: Conversation,
    start: Instant,
    ms: u64,
}

impl Talk {
    fn of(turns: Vec<Turn>) -> Self {
        let conversation = Conversation::new(Settings::default(), turns);
        let mut talk = Self { conversation, start: Instant::now(), ms: 0 };
        assert_eq!(talk.hear(WELCOME), ["connected: request 3f2a", "> Settings"]);
        talk
    }

    /// Typed turns, of which the first has been sent.
    fn typed(texts: &[&str]) -> Self {
        let mut talk = Self::of(texts.iter().map(|text| Turn::Text((*text).to_owned())).collect());
        assert_eq!(talk.hear(APPLIED), ["settings applied".to_owned(), format!("> inject {}", texts[0])]);
        talk
    }

    /// A spoken turn of `frames` frames, of which none has been sent.
    fn spoken(frames: usize) -> Self {
        let recording = Recording { format: PCM_16K, pcm: vec![1; 640 * frames].into() };
        let mut talk = Self::of(vec![Turn::Speech(Box::new(Microphone::new(recording)))]);
        assert_eq!(talk.hear(APPLIED), ["settings applied"]);
        talk
    }

    fn give(&mut self, input: Input) -> Vec<String> {
        let instant = self.start + Duration::from_millis(self.ms);
        let now = Now { instant, utc: SystemTime::UNIX_EPOCH };
        self.conversation.handle(input, now).into_iter().map(noted).collect()
    }

    fn hear(&mut self, json: &str) -> Vec<String> {
        let message = ServerMessage::decode(json).expect("a message");
        assert!(!matches!(message, ServerMessage::Unknown(_)), "{json}");
        self.give(Input::Message(Box::new(message)))
    }

    /// What each of `messages` leads to, all of it.
    fn hear_all(&mut self, messages: &[&str]) -> Vec<String> {
        messages.iter().flat_map(|json| self.hear(json)).collect()
    }

    /// Lets `ms` milliseconds pass, and every deadline in them.
    fn wait(&mut self, ms: u64) -> Vec<String> {
        let end = self.ms + ms;
        let mut noted = Vec::new();
        while let Some(deadline) = self.conversation.deadline() {
            let due = u64::try_from((deadline - self.start).as_millis()).expect("a short test");
            if due > end {
                break;
            }
            self.ms = self.ms.max(due);
            noted.extend(self.give(Input::Elapsed));
        }
        self.ms = end;
        noted
    }
}

fn noted(step: Step) -> String {
    match step {
        Step::Print(line) => line,
        Step::SendAudio(frame) if frame.iter().all(|byte| *byte == 0) => "> silence".to_owned(),
        Step::SendAudio(_) => "> speech".to_owned(),
        Step::End(Ok(())) => "end".to_owned(),
        Step::End(Err(error)) => format!("end: {error}"),
        Step::Send(message) => match *message {
            ClientMessage::InjectUserMessage(turn) => format!("> inject {}", turn.content),
            ClientMessage::FunctionCallResponse(answer) => {
                let content = answer.content.as_ref().and_then(Value::as_str).expect("text");
                format!("> {}={content}", answer.id)
            }
            other => format!("> {}", other.kind()),
        },
    }
}

#[test]
fn settings_wait_for_welcome_and_turns_for_settings_applied() {
    let conversation = Conversation::new(Settings::default(), [Turn::Text("Hi".to_owned())]);
    let mut talk = Talk { conversation, start: Instant::now(), ms: 0 };
    assert!(talk.hear(APPLIED).is_empty());
    assert_eq!(talk.hear(WELCOME), ["connected: request 3f2a", "> Settings"]);
    assert!(talk.hear(WELCOME).is_empty());
    assert!(talk.wait(20_000).is_empty());
    assert_eq!(talk.hear(APPLIED), ["settings applied", "> inject Hi"]);
    assert!(talk.hear(APPLIED).is_empty());
}

#[test]
fn an_answer_ends_300_ms_after_its_audio() {
    let mut talk = Talk::typed(&["Hi"]);
    assert_eq!(talk.hear_all(&[ECHO, THINKING, STARTED, TEXT]), ["you: Hi", "agent: Hello"]);
    assert!(talk.give(Input::Audio(24_000)).is_empty());
    assert!(talk.give(Input::Audio(140_160)).is_empty());
    assert!(talk.hear(DONE).is_empty());
    assert!(talk.wait(299).is_empty());
    assert_eq!(talk.wait(1), ["audio: 3.42 s", "end"]);
    assert!(talk.hear(TEXT).is_empty(), "nothing follows the end");
    assert_eq!(talk.conversation.deadline(), None);
}

#[test]
fn turns_follow_one_another() {
    let mut talk = Talk::typed(&["one", "two"]);
    assert!(talk.give(Input::Audio(48_000)).is_empty());
    assert!(talk.hear(DONE).is_empty());
    assert_eq!(talk.wait(300), ["audio: 1.00 s", "> inject two"]);
    assert!(talk.wait(1_000).is_empty(), "the first answer is not the second");
    assert!(talk.hear(DONE).is_empty());
    assert_eq!(talk.wait(300), ["audio: 0.00 s", "end"]);
}

#[test]
fn audio_or_speech_that_begins_within_the_quiet_is_waited_for() {
    let mut talk = Talk::typed(&["Hi"]);
    assert!(talk.hear(DONE).is_empty());
    assert!(talk.wait(200).is_empty());
    assert!(talk.give(Input::Audio(480)).is_empty());
    assert!(talk.wait(299).is_empty());
    assert!(talk.hear(STARTED).is_empty());
    assert!(talk.wait(5_000).is_empty());
    assert!(talk.hear(DONE).is_empty());
    assert_eq!(talk.wait(300), ["audio: 0.01 s", "end"]);
}

#[test]
fn a_response_that_only_calls_is_followed_by_one_that_speaks() {
    let mut talk = Talk::typed(&["What time is it?"]);
    assert_eq!(
        talk.hear(&call("get_current_time", true)),
        [
            r#"agent calls get_current_time({}) -> {"time":"1970-01-01T00:00:00Z","timezone":"UTC"}"#,
            r#"> c1={"time":"1970-01-01T00:00:00Z","timezone":"UTC"}"#,
        ]
    );
    assert!(talk.wait(3_000).is_empty());
    assert_eq!(talk.hear_all(&[THINKING, TEXT, DONE]), ["agent: Hello"]);
    assert_eq!(talk.wait(300), ["audio: 0.00 s", "end"]);
}

#[test]
fn a_call_within_the_quiet_after_speech_keeps_the_turn_open() {
    let mut talk = Talk::typed(&["Hi"]);
    assert_eq!(talk.hear_all(&[TEXT, DONE]), ["agent: Hello"]);
    assert!(talk.wait(250).is_empty());
    assert_eq!(talk.hear(&call("get_current_time", true)).len(), 2);
    assert!(talk.wait(3_000).is_empty());
    assert_eq!(talk.hear_all(&[THINKING, TEXT, DONE]), ["agent: Hello"]);
    assert_eq!(talk.wait(300), ["audio: 0.00 s", "end"]);
}

#[test]
fn the_end_of_the_speech_before_a_call_is_not_the_end_of_the_answer() {
    let mut talk = Talk::typed(&["Hi"]);
    assert_eq!(talk.hear(TEXT), ["agent: Hello"]);
    assert_eq!(talk.hear(&call("get_current_time", true)).len(), 2);
    assert!(talk.hear(DONE).is_empty());
    assert!(talk.wait(3_000).is_empty());
    assert_eq!(talk.hear_all(&[STARTED, TEXT, DONE]), ["agent: Hello"]);
    assert_eq!(talk.wait(300), ["audio: 0.00 s", "end"]);
}

#[test]
fn an_unknown_function_is_answered_with_an_error() {
    let mut talk = Talk::typed(&["Hi"]);
    assert_eq!(talk.hear(&call("sing", true))[1], r#"> c1={"error":"there is no function sing"}"#);
}

#[test]
fn a_call_that_the_server_runs_is_waited_for() {
    let result = r#"{"type":"FunctionCallResponse","id":"c1","name":"weather","content":"rain"}"#;
    let cancelled = r#"{"type":"FunctionCallCancelled","functions":[{"id":"c1","name":"weather"}]}"#;
    for (settled, line) in [(result, "server answers weather -> rain"), (cancelled, "server cancels weather")]
    {
        let mut talk = Talk::typed(&["Hi"]);
        assert_eq!(talk.hear(&call("weather", false)), ["agent calls weather({}) on the server"]);
        assert!(talk.hear_all(&[THINKING, DONE]).is_empty());
        assert!(talk.wait(3_000).is_empty(), "the call is open");
        assert_eq!(talk.hear(settled), [line]);
        assert!(talk.wait(3_000).is_empty(), "its follow-up is owed");
        assert_eq!(talk.hear_all(&[TEXT, DONE]), ["agent: Hello"]);
        assert_eq!(talk.wait(300), ["audio: 0.00 s", "end"]);
    }
}

#[test]
fn trouble_ends_the_conversation_with_its_reason() {
    let error = r#"{"type":"Error","description":"the session\nis over","code":"session_expired"}"#;
    let refused = r#"{"type":"InjectionRefused","message":"busy"}"#;
    let mut talk = Talk::typed(&["Hi"]);
    assert_eq!(talk.hear(error), ["end: session_expired: the session is over"]);
    assert!(talk.give(Input::Closed { code: 1000, reason: String::new() }).is_empty(), "it ends once");
    assert_eq!(Talk::typed(&["Hi"]).hear(refused), ["end: the turn was refused: busy"]);
    for (code, reason, line) in [
        (1011, "broken", "end: the server closed the connection with code 1011: broken"),
        (1000, "", "end: the server closed the connection with code 1000"),
        (1006, "", "end: the connection was lost without a close frame"),
    ] {
        let closed = || Input::Closed { code, reason: reason.to_owned() };
        assert_eq!(Talk::typed(&["Hi"]).give(closed()), [line]);
        assert_eq!(Talk::of(Vec::new()).give(closed()), [line], "before the settings are applied");
    }
}

#[test]
fn a_normal_close_after_the_last_answer_is_no_trouble() {
    let close = |code| Input::Closed { code, reason: String::new() };
    let mut talk = Talk::typed(&["Hi"]);
    assert_eq!(talk.hear_all(&[TEXT, DONE]), ["agent: Hello"]);
    assert_eq!(talk.give(close(1000)), ["audio: 0.00 s", "end"]);
    let mut talk = Talk::typed(&["one", "two"]);
    assert!(talk.hear(DONE).is_empty());
    assert_eq!(talk.give(close(1000)), ["end: the server closed the connection with code 1000"]);
}

#[test]
fn a_warning_is_shown_and_goes_on() {
    let warning = r#"{"type":"Warning","description":"hm","code":"W1"}"#;
    let mut talk = Talk::typed(&["Hi"]);
    assert_eq!(talk.hear_all(&[warning, TEXT, DONE]), ["warning: W1: hm", "agent: Hello"]);
    assert_eq!(talk.wait(300), ["audio: 0.00 s", "end"]);
}

#[test]
fn history_and_reports_are_not_shown_and_end_nothing() {
    let said =
        |role: &str, content: &str| json!({"type": "History", "role": role, "content": content}).to_string();
    let called = r#"{"type":"History","function_calls":[{"id":"c1","name":"get_current_time","client_side":true,"arguments":"{}","response":"{}"}]}"#;
    let report = r#"{"type":"LatencyReport","total_latency":0.1}"#;
    let mut talk = Talk::typed(&["Hi"]);
    assert_eq!(talk.hear_all(&[ECHO, &said("user", "Hi")]), ["you: Hi"]);
    assert_eq!(talk.hear(&call("get_current_time", true)).len(), 2);
    assert!(talk.hear_all(&[THINKING, called]).is_empty());
    assert!(talk.wait(3_000).is_empty(), "the history of a call is not its follow-up");
    assert_eq!(talk.hear_all(&[STARTED, TEXT, &said("assistant", "Hello")]), ["agent: Hello"]);
    assert!(talk.hear_all(&[DONE, report]).is_empty());
    for kind in ["PromptUpdated", "SpeakUpdated", "ThinkUpdated", "ListenUpdated"] {
        assert!(talk.hear(&json!({ "type": kind }).to_string()).is_empty(), "{kind}");
    }
    assert_eq!(talk.wait(300), ["audio: 0.00 s", "end"]);
}

#[test]
fn the_component_dialect_is_understood() {
    let transcript = |text: &str, is_final: bool| {
        json!({
            "type": "Transcript", "transcript": text, "is_final": is_final, "speech_final": is_final,
            "channel": 0, "channel_index": [0, 1], "start": 0, "duration": 1, "alternatives": [],
        })
        .to_string()
    };
    let mut talk = Talk::spoken(1);
    assert_eq!(talk.wait(0), ["> speech"]);
    assert!(talk.hear(&transcript("Wha", false)).is_empty());
    assert_eq!(talk.hear(&transcript("What", true)), ["you: What"]);
    assert!(talk.hear(r#"{"type":"AgentDone"}"#).is_empty());
    assert!(talk.wait(3_000).iter().all(|line| line == "> silence"), "AgentDone is not the end");
    assert!(talk.hear(DONE).is_empty());
    assert_eq!(talk.wait(300).last().map(String::as_str), Some("end"));
}

#[test]
fn peers_cannot_command_the_terminal() {
    let mut talk = Talk::typed(&["Hi"]);
    let text = json!({"type": "ConversationText", "role": "assistant", "content": "a\nyou: b\u{1b}[2J"});
    assert_eq!(talk.hear(&text.to_string()), ["agent: a you: b [2J"]);
}

#[test]
fn speech_is_followed_by_silence_until_the_agent_answers() {
    let mut talk = Talk::spoken(3);
    assert_eq!(talk.wait(79), ["> speech", "> speech", "> speech", "> silence"]);
    assert!(talk.hear(USER).is_empty());
    assert_eq!(talk.wait(40), ["> silence"; 2]);
    assert!(talk.hear_all(&[THINKING, STARTED]).is_empty());
    assert!(talk.wait(2_000).is_empty());
    assert!(talk.hear(DONE).is_empty());
    assert_eq!(talk.wait(300), ["audio: 0.00 s", "end"]);
}

#[test]
fn silence_lasts_five_seconds_and_then_the_session_is_kept_alive() {
    let mut talk = Talk::spoken(1);
    assert_eq!(talk.wait(12_000).len(), 251);
    assert_eq!(talk.wait(8_000), ["> KeepAlive"]);
    assert!(talk.hear(DONE).is_empty());
    assert_eq!(talk.wait(300), ["audio: 0.00 s", "end"]);
}

#[test]
fn an_answer_to_the_first_words_is_not_the_end_while_the_user_goes_on() {
    let mut talk = Talk::spoken(100);
    talk.wait(500);
    assert!(talk.hear_all(&[USER, STARTED, DONE]).is_empty());
    assert!(talk.wait(1_000).iter().all(|line| line == "> speech"));
    assert!(talk.hear(USER).is_empty());
    assert!(talk.wait(2_000).iter().all(|line| line.starts_with('>')), "the first answer does not count");
    assert!(talk.hear_all(&[STARTED, DONE]).is_empty());
    assert_eq!(talk.wait(300), ["audio: 0.00 s", "end"]);
}

#[test]
fn an_answer_that_came_during_the_recording_counts_when_the_recording_is_over() {
    let mut talk = Talk::spoken(100);
    talk.wait(100);
    assert!(talk.hear_all(&[USER, STARTED, DONE]).is_empty());
    let lines = talk.wait(2_000);
    assert_eq!(lines.iter().filter(|line| *line == "> speech").count(), 94);
    assert_eq!(lines[94..], ["audio: 0.00 s", "end"]);
}
