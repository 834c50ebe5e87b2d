//! Random clients: nothing panics, every message is a documented one, and the end is too.

use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_oneof, proptest};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Text(String),
    Binary(Vec<u8>),
}

fn any_step() -> impl Strategy<Value = (Step, u64)> {
    let sound =
        (1..400u64, 0..400u64).prop_map(|(loud, silent)| Step::Binary(pcm(&[(true, loud), (false, silent)])));
    let bytes = prop::collection::vec(0..=255u8, 0..64).prop_map(Step::Binary);
    let words = prop_oneof!["hello", "get_weather", "get_news and get_weather", "\\PC{0,12}"];
    let typed = words.prop_map(|content| Step::Text(user(&content).to_string()));
    let injected =
        ("\\PC{0,12}", prop_oneof!["default", "queue", "interrupt"]).prop_map(|(message, behavior)| {
            Step::Text(
                json!({"type": "InjectAgentMessage", "message": message, "behavior": behavior}).to_string(),
            )
        });
    // The ids are those that the session makes first.
    let answered = (1..9u64, prop_oneof!["get_weather", "get_news"]).prop_map(|(number, name)| {
        let id = format!("call_0123456789ab{number:04}");
        Step::Text(
            json!({"type": "FunctionCallResponse", "id": id, "name": name, "content": "rain"}).to_string(),
        )
    });
    let bare = prop_oneof!["KeepAlive", "ForceEndTurn"]
        .prop_map(|name| Step::Text(json!({"type": name}).to_string()));
    let prompt = "\\PC{0,12}"
        .prop_map(|prompt| Step::Text(json!({"type": "UpdatePrompt", "prompt": prompt}).to_string()));
    let wild =
        prop_oneof!["\\PC{0,40}", "\\{\"type\":\"[A-Za-z]{0,10}\"\\}", Just(settings(json!({})).to_string())]
            .prop_map(Step::Text);
    let step = prop_oneof![
        6 => sound, 2 => bytes, 6 => typed, 4 => injected, 2 => answered, 3 => bare, 2 => prompt, 1 => wild
    ];
    (step, 0..1500u64)
}

const SERVER_MESSAGES: [&str; 16] = [
    "Welcome",
    "SettingsApplied",
    "ConversationText",
    "UserStartedSpeaking",
    "AgentThinking",
    "AgentAudioDone",
    "LatencyReport",
    "FunctionCallRequest",
    "FunctionCallCancelled",
    "FunctionCallResponse",
    "PromptUpdated",
    "InjectionRefused",
    "Warning",
    "Error",
    "History",
    "(audio)",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_comes_is_answered_as_documented(
        starts in 0..10u8,
        script in prop::collection::vec(any_step(), 1..25),
    ) {
        let mut client = Client::new(&[("audio_speed", "2")]);
        let mut settings = with_functions(&[("get_weather", false), ("get_news", true)]);
        settings["flags"]["history"] = json!(true);
        if starts > 0 {
            client.send(&settings);
        }
        let mut messages = Vec::new();
        for (step, ms) in script {
            match step {
                Step::Text(text) => client.session.text(&text, client.now),
                Step::Binary(bytes) => client.session.binary(&bytes, client.now),
            }
            messages.extend(client.wait(ms));
        }
        // Left alone, every session ends.
        messages.extend(client.wait(120_000));
        assert!(matches!(client.closed, Some(1008 | 1011)), "{:?}", client.closed);
        assert_eq!(client.session.deadline(), None);
        let names = types(&messages);
        assert!(names.iter().all(|name| SERVER_MESSAGES.contains(name)), "{names:?}");
        assert_eq!(names.last(), Some(&"Error"));
        assert_eq!(names.iter().filter(|name| **name == "Error").count(), 1);
        // Audio is told to be over once, or is cut off by speech or by another text; never twice.
        let mut is_open = false;
        for message in &messages {
            match message["type"].as_str().expect("a type") {
                "(audio)" => is_open = true,
                "AgentAudioDone" => assert!(std::mem::take(&mut is_open), "{names:?}"),
                "UserStartedSpeaking" => is_open = false,
                _ => {}
            }
        }
    }
}
