//! Turns: greeting, typed messages, what is told beside them.

use super::*;

#[test]
fn the_greeting_is_spoken_after_settings_were_applied() {
    let mut client = Client::new(&[]);
    client.send(&settings(json!({"greeting": "Hello."})));
    let messages = client.wait(10_000);
    let order = ["Welcome", "SettingsApplied", "ConversationText", "(audio)", "AgentAudioDone"];
    assert_eq!(types(&messages), order);
    assert_eq!(messages[0]["request_id"], "01234567-89ab-cdef-0123-456789abcdef");
    assert_eq!(messages[2], json!({"type": "ConversationText", "role": "assistant", "content": "Hello."}));
    assert!(client.audio.len() > 12_000);
}

#[test]
fn a_typed_message_is_a_turn() {
    let mut client = Client::configured(&[], &settings(json!({})));
    let messages = client.ask(&user("hello"));
    assert_eq!(types(&messages), TURN);
    assert_eq!(messages[0], json!({"type": "ConversationText", "role": "user", "content": "hello"}));
    let answer = "Hello. This is the voxbridge simulator speaking. How can I help you?";
    assert_eq!(said(&messages), [answer]);
    let seconds = client.audio.len() as f64 / 48_000.0;
    assert!(seconds > 2.0, "{seconds}");
}

#[test]
fn messages_typed_during_an_answer_are_answered_after_it_together() {
    let mut client = Client::configured(&[("audio_speed", "1")], &settings(json!({})));
    client.send(&user("one"));
    client.wait(500);
    client.send(&user("two"));
    client.send(&user("three"));
    let messages = client.wait(30_000);
    let order = [
        "ConversationText",
        "ConversationText",
        "(audio)",
        "AgentAudioDone",
        "LatencyReport",
        "AgentThinking",
    ];
    assert_eq!(types(&messages)[..6], order);
    assert_eq!(said(&messages), ["I heard you. You said: three"]);
}

#[test]
fn history_repeats_texts_unless_it_is_not_wanted() {
    let mut wanted = settings(json!({"greeting": "Hi."}));
    wanted.as_object_mut().expect("an object").remove("flags");
    let mut client = Client::new(&[("text_only", "true")]);
    client.send(&wanted);
    client.send(&user("hello"));
    let messages = client.wait(1000);
    let texts: Vec<_> = messages.iter().filter(|message| message["type"] == "ConversationText").collect();
    let repeated: Vec<_> = messages.iter().filter(|message| message["type"] == "History").collect();
    assert_eq!((texts.len(), repeated.len()), (3, 3));
    for (text, repeated) in texts.iter().zip(repeated) {
        let expected = json!({"type": "History", "role": text["role"], "content": text["content"]});
        assert_eq!(*repeated, expected);
    }
    let mut client = Client::configured(&[], &settings(json!({})));
    assert!(!types(&client.ask(&user("hello"))).contains(&"History"));
}

#[test]
fn the_start_of_speech_is_told_to_experimental_sessions_only() {
    let mut experimental = settings(json!({}));
    experimental["experimental"] = json!(true);
    let mut client = Client::configured(&[("think_delay_ms", "500")], &experimental);
    let messages = client.ask(&user("hello"));
    let mut order = TURN.to_vec();
    order.insert(3, "AgentStartedSpeaking");
    assert_eq!(types(&messages), order);
    let started = the(&messages, "AgentStartedSpeaking");
    assert_eq!((&started["total_latency"], &started["ttt_latency"]), (&json!(0.5), &json!(0.5)));
    assert!(started["tts_latency"].is_number());
    assert_eq!(the(&messages, "LatencyReport")["total_latency"], 0.5);
}

#[test]
fn answers_follow_prompt_and_context() {
    let agent = json!({
        "context": {"messages": [{"type": "History", "role": "user", "content": "I like tea"}]},
        "think": {"provider": {"type": "open_ai", "model": "gpt-4o-mini"}, "prompt": "Be kind."}});
    let mut client = Client::configured(&[("text_only", "true")], &settings(agent));
    assert_eq!(said(&client.ask(&user("What did I say?"))), ["You said: I like tea"]);
    let told = client.ask(&user("What are your instructions?"));
    let expected = "My instructions are: Be kind.\n\nPrevious conversation:\nuser: I like tea";
    assert_eq!(said(&told), [expected]);
}

#[test]
fn text_only_answers_have_no_audio_and_no_end_of_it() {
    let mut client = Client::configured(&[("text_only", "true")], &settings(json!({})));
    let messages = client.ask(&user("hello"));
    let order = ["ConversationText", "AgentThinking", "ConversationText", "LatencyReport"];
    assert_eq!((types(&messages), client.audio.len()), (order.to_vec(), 0));
}

#[test]
fn sentences_may_come_one_by_one() {
    let mut client = Client::configured(&[("sentences", "true")], &settings(json!({})));
    let messages = client.ask(&user("hello"));
    let expected = ["Hello.", "This is the voxbridge simulator speaking.", "How can I help you?"];
    assert_eq!(said(&messages), expected);
    assert_eq!(types(&messages).iter().filter(|name| **name == "AgentAudioDone").count(), 1);
}

#[test]
fn audio_comes_in_the_declared_format() {
    let mut lengths = Vec::new();
    for (output, per_second) in [
        (json!({}), 48_000.0),
        (json!({"encoding": "linear16", "sample_rate": 8000}), 16_000.0),
        (json!({"encoding": "linear16", "sample_rate": 16000}), 32_000.0),
        (json!({"encoding": "linear16", "sample_rate": 32000}), 64_000.0),
        (json!({"encoding": "linear16", "sample_rate": 48000, "container": "none"}), 96_000.0),
        (json!({"encoding": "mulaw"}), 8000.0),
        (json!({"encoding": "mulaw", "sample_rate": 16000}), 16_000.0),
        (json!({"encoding": "alaw", "sample_rate": 8000}), 8000.0),
    ] {
        let mut settings = settings(json!({}));
        settings["audio"]["output"] = output.clone();
        let mut client = Client::configured(&[], &settings);
        assert_eq!(types(&client.ask(&user("hello"))), TURN, "{output}");
        lengths.push(client.audio.len() as f64 / per_second);
        settings["audio"]["output"]["container"] = json!("wav");
        let mut wav = Client::configured(&[], &settings);
        wav.ask(&user("hello"));
        assert_eq!((wav.audio.len(), &wav.audio[..4]), (client.audio.len() + 44, &b"RIFF"[..]));
    }
    assert!(lengths.iter().all(|seconds| (seconds - lengths[0]).abs() < 0.01), "{lengths:?}");
}
