//! Spoken input: turns, interruptions, what ends them.

use super::*;

const SENTENCE: [(bool, u64); 3] = [(false, 200), (true, 400), (false, 400)];

#[test]
fn a_spoken_turn_is_what_a_typed_one_is_after_its_signal() {
    let mut client = Client::configured(&[("transcript", "hello")], &settings(json!({})));
    client.speak(&SENTENCE);
    let messages = client.wait(10_000);
    assert_eq!(types(&messages), [&["UserStartedSpeaking"], &TURN[..]].concat());
    assert_eq!(messages[1], json!({"type": "ConversationText", "role": "user", "content": "hello"}));
}

#[test]
fn speech_interrupts_an_answer_which_is_then_over() {
    let mut client = Client::configured(&[("audio_speed", "1")], &settings(json!({})));
    client.send(&user("hello"));
    assert_eq!(types(&client.wait(500)), TURN[..4]);
    client.speak(&[(true, 100)]);
    let heard = client.audio.len();
    client.speak(&[(true, 400)]);
    assert_eq!(types(&client.wait(900)), ["UserStartedSpeaking"]);
    assert_eq!(client.audio.len(), heard, "no audio after the signal");
    client.speak(&[(false, 400)]);
    let messages = client.wait(30_000);
    assert_eq!(types(&messages), TURN);
    assert_eq!(messages[0]["content"], "What time is it?");
}

#[test]
fn speech_voids_what_the_agent_was_about_to_do() {
    let mut client = Client::configured(&[("think_delay_ms", "1000")], &settings(json!({})));
    client.send(&user("one"));
    client.wait(500);
    client.speak(&[(true, 400)]);
    assert_eq!(types(&client.wait(800)), ["UserStartedSpeaking"]);
    client.speak(&[(false, 400)]);
    assert_eq!(said(&client.wait(10_000)), ["I heard you. You said: What time is it?"]);
}

#[test]
fn what_waits_behind_an_interrupted_answer_is_void() {
    let options = [("audio_speed", "1"), ("transcript", "")];
    let mut client = Client::configured(&options, &settings(json!({})));
    client.send(&user("one"));
    client.send(&user("two"));
    client.send(&json!({"type": "InjectAgentMessage", "message": "three", "behavior": "queue"}));
    client.wait(500);
    client.speak(&SENTENCE);
    assert_eq!(types(&client.wait(30_000)), ["UserStartedSpeaking"]);
}

#[test]
fn speech_ends_without_silence_when_audio_stops_coming() {
    let mut client = Client::configured(&[("transcript", "hello")], &settings(json!({})));
    client.speak(&[(true, 400)]);
    assert_eq!(types(&client.wait(999)), ["UserStartedSpeaking"]);
    assert_eq!(types(&client.wait(10_000)), TURN);
}

#[test]
fn what_says_nothing_is_not_answered() {
    let mut client = Client::configured(&[("transcript", "")], &settings(json!({})));
    client.speak(&SENTENCE);
    assert_eq!(types(&client.wait(10_000)), ["UserStartedSpeaking"]);
    client.speak(&[(false, 2000), (true, 20), (false, 2000)]);
    assert_eq!(client.wait(1000), [Value::Null; 0]);
}

#[test]
fn typed_messages_wait_while_the_user_speaks() {
    let mut client =
        Client::configured(&[("transcript", "two"), ("text_only", "true")], &settings(json!({})));
    client.speak(&[(true, 400)]);
    client.send(&user("one"));
    assert_eq!(types(&client.wait(500)), ["UserStartedSpeaking", "ConversationText"]);
    client.speak(&[(false, 400)]);
    assert_eq!(said(&client.wait(10_000)), ["I heard you. You said: two"]);
}

#[test]
fn a_turn_is_ended_by_force_where_the_listener_has_turns() {
    let flux =
        json!({"listen": {"provider": {"type": "deepgram", "version": "v2", "model": "flux-general-en"}}});
    let force = json!({"type": "ForceEndTurn"});
    let mut client = Client::configured(&[("transcript", "hello")], &settings(flux));
    assert_eq!(client.ask(&force), [Value::Null; 0], "nobody speaks");
    client.speak(&[(true, 400)]);
    assert_eq!(types(&client.wait(100)), ["UserStartedSpeaking"]);
    assert_eq!(types(&client.ask(&force)), TURN);
    let mut client = Client::configured(&[], &settings(json!({})));
    client.speak(&[(true, 400)]);
    let messages = client.ask(&force);
    assert_eq!(types(&messages)[..2], ["UserStartedSpeaking", "Warning"]);
    assert_eq!(messages[1]["code"], "FORCE_END_TURN_UNSUPPORTED");
}
