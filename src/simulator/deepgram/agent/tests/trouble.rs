//! Scripted trouble, and the limits of time and size.

use super::*;

#[test]
fn a_silent_client_is_hung_up_on() {
    let keep_alive = json!({"type": "KeepAlive"});
    let sources: [&dyn Fn(&mut Client); 3] =
        [&|client| client.send(&keep_alive), &|client| client.speak(&[(false, 20)]), &|client| {
            client.send(&user("hello"))
        }];
    for send in sources {
        let mut client = Client::configured(&[], &settings(json!({})));
        client.wait(59_000);
        send(&mut client);
        client.wait(59_999);
        assert_eq!(client.closed, None);
        let messages = client.wait(1);
        assert_eq!(messages[0]["code"], "CLIENT_MESSAGE_TIMEOUT");
        assert_eq!(client.closed, Some(1011));
    }
    let mut client = Client::new(&[("message_timeout_ms", "50")]);
    assert_eq!(types(&client.wait(50)), ["Welcome", "Error"], "before Settings as well");
}

#[test]
fn a_session_has_a_longest_life_and_says_so_before() {
    let mut client = Client::configured(&[("max_session_ms", "24000")], &settings(json!({})));
    assert_eq!(client.wait(22_999), [Value::Null; 0]);
    assert_eq!(client.wait(1)[0]["code"], "MAXIMUM_SESSION_LENGTH_APPROACHING");
    assert_eq!(client.wait(999), [Value::Null; 0]);
    assert_eq!(client.wait(1)[0]["code"], "MAXIMUM_SESSION_LENGTH_REACHED");
    assert_eq!(client.closed, Some(1011));
}

#[test]
fn long_messages_end_the_session() {
    let mut client = Client::configured(&[("max_message_bytes", "400")], &settings(json!({})));
    client.session.binary(&[0; 400], client.now);
    assert_eq!(client.messages(), [Value::Null; 0]);
    client.session.binary(&[0; 401], client.now);
    assert_eq!(client.ended(), ("UNPARSABLE_CLIENT_MESSAGE".to_owned(), 1008));
    let mut client = Client::configured(&[], &settings(json!({})));
    client.send(&user(&"x".repeat(1 << 20)));
    assert_eq!(client.ended(), ("UNPARSABLE_CLIENT_MESSAGE".to_owned(), 1008));
}

#[test]
fn what_comes_before_late_settings_are_applied_waits() {
    let mut client =
        Client::new(&[("settings_delay_ms", "500"), ("transcript", "two"), ("text_only", "true")]);
    client.send(&settings(json!({"greeting": "Hello."})));
    client.send(&user("one"));
    client.speak(&[(true, 400), (false, 400)]);
    assert_eq!(types(&client.wait(499)), ["Welcome"]);
    let messages = client.wait(10_000);
    assert_eq!(types(&messages)[..3], ["SettingsApplied", "ConversationText", "UserStartedSpeaking"]);
    assert_eq!(messages[1]["content"], "one");
    assert_eq!(said(&messages).last(), Some(&"I heard you. You said: two"));
}

#[test]
fn errors_and_warnings_come_as_scripted() {
    let mut client =
        Client::new(&[("error", "FAILED_TO_START_LISTENING"), ("warning", "SLOW_THINK_REQUEST")]);
    client.send(&settings(json!({"greeting": "Hello."})));
    let messages = client.messages();
    assert_eq!(types(&messages), ["Welcome", "SettingsApplied", "Warning", "Error"]);
    assert_eq!((&messages[2]["code"], client.closed), (&json!("SLOW_THINK_REQUEST"), Some(1011)));
    assert_eq!(messages[3]["code"], "FAILED_TO_START_LISTENING");
    let mut client =
        Client::configured(&[("error_on", "UpdatePrompt:FAILED_TO_THINK")], &settings(json!({})));
    client.ask(&user("hello"));
    client.send(&json!({"type": "UpdatePrompt", "prompt": "x"}));
    assert_eq!(client.ended(), ("FAILED_TO_THINK".to_owned(), 1011));
}

#[test]
fn after_an_error_nothing_is_heard_or_said() {
    let mut client = Client::configured(&[("audio_speed", "1")], &settings(json!({})));
    client.send(&user("hello"));
    client.wait(100);
    client.session.text("{", client.now);
    client.send(&user("more"));
    client.speak(&[(true, 400), (false, 400)]);
    assert_eq!(types(&client.wait(600_000)), ["Error"]);
    assert_eq!(client.session.deadline(), None);
}
