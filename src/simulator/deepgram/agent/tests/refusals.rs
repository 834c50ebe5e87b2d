//! Each refusal by the code it ends the session with ("Voice Agent protocol, Codes").

use super::*;

fn refused_first(message: &str) -> (String, u16) {
    let mut client = Client::new(&[]);
    client.messages();
    client.session.text(message, client.now);
    client.ended()
}

fn refused(message: &str) -> (String, u16) {
    let mut client = Client::configured(&[], &settings(json!({})));
    client.session.text(message, client.now);
    client.ended()
}

#[test]
fn before_settings_nothing_else_is_taken() {
    for (message, code) in [
        (r#"{"type":"KeepAlive"}"#, "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"),
        (r#"{"type":"InjectUserMessage","content":"x"}"#, "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"),
        ("RIFF", "UNPARSABLE_CLIENT_MESSAGE"),
        (r#"{"type":"Setting"}"#, "UNPARSABLE_CLIENT_MESSAGE"),
        (r#"{"type":"Settings"}"#, "UNPARSABLE_CLIENT_MESSAGE"),
        (r#"{"type":"Settings","audio":{},"agent":"my agent"}"#, "INVALID_AGENT_ID"),
        (
            r#"{"type":"Settings","audio":{},"agent":"01234567-89ab-cdef-0123-456789abcdef"}"#,
            "AGENT_ID_NOT_SUPPORTED",
        ),
    ] {
        assert_eq!(refused_first(message), (code.to_owned(), 1008), "{message}");
    }
    let mut client = Client::new(&[]);
    client.speak(&[(false, 20)]);
    assert_eq!(client.ended(), ("NON_SETTINGS_MESSAGE_BEFORE_SETTINGS".to_owned(), 1008));
}

#[test]
fn settings_come_once() {
    let ended = ("SETTINGS_ALREADY_APPLIED".to_owned(), 1008);
    assert_eq!(refused(&settings(json!({})).to_string()), ended);
    let mut client = Client::new(&[("settings_delay_ms", "500")]);
    client.send(&settings(json!({})));
    client.send(&settings(json!({})));
    assert_eq!(client.ended(), ended);
}

#[test]
fn messages_that_cannot_be_read_end_the_session() {
    for message in [
        "",
        "hello",
        "[]",
        "{}",
        r#"{"type":1}"#,
        r#"{"type":"keepAlive"}"#,
        r#"{"type":"SettingsApplied"}"#,
        r#"{"type":"KeepAlive","x":1}"#,
        r#"{"type":"InjectUserMessage"}"#,
        r#"{"type":"InjectUserMessage","content":null}"#,
        r#"{"type":"InjectUserMessage","content":"x","role":"user"}"#,
        r#"{"type":"InjectAgentMessage","content":"x"}"#,
        r#"{"type":"InjectAgentMessage","message":"x","behavior":"later"}"#,
        r#"{"type":"InjectAgentMessage","message":"x","is_dynamic":true}"#,
        r#"{"type":"InjectAgentMessage","is_dynamic":false}"#,
        r#"{"type":"UpdatePrompt"}"#,
        r#"{"type":"UpdatePrompt","prompt":["x"]}"#,
        r#"{"type":"UpdateSpeak","model":"aura-asteria-en"}"#,
        r#"{"type":"UpdateThink","think":{"prompt":"x"}}"#,
        r#"{"type":"UpdateThinkLive","think_live":{}}"#,
        r#"{"type":"UpdateListen","provider":{"type":"deepgram"}}"#,
        r#"{"type":"FunctionCallResponse","name":"f","content":"x"}"#,
        r#"{"type":"FunctionCallResponse","id":"1","content":"x"}"#,
        r#"{"type":"FunctionCallResponse","id":"1","name":"f"}"#,
        r#"{"type":"FunctionCallResponse","id":"1","name":"f","content":{"a":1}}"#,
        r#"{"type":"ForceEndTurn","force":true}"#,
        r#"{"type":"__customToThinkProvider"}"#,
    ] {
        assert_eq!(refused(message), ("UNPARSABLE_CLIENT_MESSAGE".to_owned(), 1008), "{message}");
    }
}

#[test]
fn the_opcode_decides_what_a_message_is() {
    for (message, is_refused) in [
        (r#"{"type":"KeepAlive"}"#, true),
        (r#"{"type":"InjectUserMessage","content":"x"}"#, true),
        (r#"{"kind":1}"#, false),
        ("{{{{", false),
        ("", false),
    ] {
        let mut client = Client::configured(&[], &settings(json!({})));
        client.session.binary(message.as_bytes(), client.now);
        if is_refused {
            assert_eq!(client.ended(), ("UNPARSABLE_CLIENT_MESSAGE".to_owned(), 1008), "{message}");
        } else {
            assert_eq!((client.messages(), client.closed), (Vec::new(), None), "{message}");
        }
    }
}

#[test]
fn formats_that_the_simulator_does_not_speak_fail_when_they_are_needed() {
    let mut opus = settings(json!({}));
    opus["audio"]["input"] = json!({"encoding": "opus", "sample_rate": 48000});
    let mut client = Client::configured(&[("text_only", "true")], &opus);
    assert_eq!(said(&client.ask(&user("hello"))).len(), 1);
    client.session.binary(&[1, 2], client.now);
    assert_eq!(client.ended(), ("USER_AUDIO_FORMAT".to_owned(), 1008));
    let mut mp3 = settings(json!({}));
    mp3["audio"]["output"] = json!({"encoding": "mp3"});
    let mut client = Client::configured(&[], &mp3);
    client.send(&user("hello"));
    client.wait(0);
    assert_eq!(client.closed, Some(1011));
    let mut client = Client::configured(&[("text_only", "true")], &mp3);
    assert_eq!(said(&client.ask(&user("hello"))).len(), 1);
}

#[test]
fn every_other_error_can_be_asked_for() {
    for (code, close) in [
        ("FAILED_TO_START_LISTENING", 1011),
        ("FAILED_TO_LISTEN", 1011),
        ("ASR_CONNECTION_CLOSED", 1011),
        ("ASR_DRIVER_TIMEOUT", 1011),
        ("USER_AUDIO_FORMAT", 1008),
        ("FAILED_TO_THINK", 1011),
        ("FAILED_TO_SPEAK", 1011),
        ("NON_EXISTENT_FUNCTION_CALLED", 1008),
        ("INTERNAL_SERVER_ERROR", 1011),
        ("SERVER_GOING_AWAY", 1011),
    ] {
        let mut client = Client::new(&[("error", code)]);
        client.send(&settings(json!({})));
        assert_eq!(client.ended(), (code.to_owned(), close));
    }
}
