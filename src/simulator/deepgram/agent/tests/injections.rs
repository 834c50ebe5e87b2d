//! Messages that the client puts into the agent's mouth, and updates of what is in force.

use super::*;

const INJECTED: [&str; 3] = ["ConversationText", "(audio)", "AgentAudioDone"];

fn inject(message: &str, behavior: Option<&str>) -> Value {
    let mut inject = json!({"type": "InjectAgentMessage", "message": message});
    if let Some(behavior) = behavior {
        inject["behavior"] = json!(behavior);
    }
    inject
}

#[test]
fn an_idle_agent_says_it_at_once() {
    for behavior in [None, Some("default"), Some("queue"), Some("interrupt")] {
        let mut client = Client::configured(&[], &settings(json!({})));
        let messages = client.ask(&inject("Are you still there?", behavior));
        assert_eq!(types(&messages), INJECTED, "{behavior:?}");
        assert_eq!(said(&messages), ["Are you still there?"]);
    }
}

/// What comes when it is injected 100 ms after `busy` has made the agent or the user busy.
fn injected(behavior: Option<&str>, busy: impl Fn(&mut Client)) -> (Client, Vec<Value>) {
    let options = [("audio_speed", "1"), ("think_delay_ms", "200"), ("transcript", "")];
    let mut client = Client::configured(&options, &with_functions(&[("get_weather", false)]));
    busy(&mut client);
    client.wait(100);
    let messages = client.ask(&inject("Hello.", behavior));
    (client, messages)
}

#[test]
fn a_busy_agent_refuses_queues_or_is_interrupted() {
    let speaking = |client: &mut Client| {
        client.send(&user("hello"));
        client.wait(300);
    };
    let thinking = |client: &mut Client| client.send(&user("hello"));
    let calling = |client: &mut Client| {
        client.send(&user("get_weather"));
        client.wait(300);
    };
    let rest_of_turn = ["(audio)", "AgentAudioDone", "LatencyReport"];
    for (behavior, refused) in [(None, true), (Some("default"), true), (Some("queue"), false)] {
        let (_, messages) = injected(behavior, speaking);
        let expected: Vec<&str> = if refused {
            [&["InjectionRefused"], &rest_of_turn[..]].concat()
        } else {
            [&rest_of_turn[..], &INJECTED[..]].concat()
        };
        assert_eq!(types(&messages), expected, "{behavior:?}");
        let (_, messages) = injected(behavior, thinking);
        assert_eq!(types(&messages).contains(&"InjectionRefused"), refused, "{behavior:?}");
        let (_, messages) = injected(behavior, calling);
        let expected = if refused { &["InjectionRefused"][..] } else { &INJECTED[..] };
        assert_eq!(types(&messages), expected, "{behavior:?}");
    }
    let (_, messages) = injected(Some("interrupt"), speaking);
    assert_eq!(types(&messages), INJECTED, "the answer is not ended");
    let (_, messages) = injected(Some("interrupt"), thinking);
    assert_eq!(types(&messages), [&INJECTED[..], &TURN[1..]].concat(), "the answer comes afterwards");
}

#[test]
fn while_the_user_speaks_only_an_interruption_is_said() {
    let speaking = |client: &mut Client| client.speak(&[(true, 400)]);
    for behavior in [None, Some("default"), Some("queue")] {
        let (_, messages) = injected(behavior, speaking);
        assert_eq!(types(&messages), ["InjectionRefused"], "{behavior:?}");
        assert!(messages[0]["message"].is_string());
    }
    let (_, messages) = injected(Some("interrupt"), speaking);
    assert_eq!(types(&messages), INJECTED);
}

#[test]
fn results_of_calls_are_not_lost_to_an_interruption() {
    let (mut client, _) = injected(Some("interrupt"), |_| {});
    let asked = client.ask(&user("get_weather"));
    let id = the(&asked, "FunctionCallRequest")["functions"][0]["id"].clone();
    client.send(&json!({"type": "FunctionCallResponse", "id": id, "name": "get_weather", "content": "rain"}));
    let messages = client.ask(&inject("Hello.", Some("interrupt")));
    assert_eq!(said(&messages), ["Hello.", "The tool says: rain"]);
}

#[test]
fn a_message_of_the_agents_own_needs_think_live() {
    let dynamic = json!({"type": "InjectAgentMessage", "is_dynamic": true});
    let mut client = Client::configured(&[], &settings(json!({})));
    assert_eq!(types(&client.ask(&dynamic)), ["InjectionRefused"]);
    let live = json!({"type": "UpdateThink_Live", "think_live": {"provider": {"type": "deepgram", "version": "v1"}}});
    assert_eq!(types(&client.ask(&live)), ["ThinkLiveUpdated"]);
    assert_eq!(types(&client.ask(&dynamic)), INJECTED);
}

#[test]
fn updates_are_acknowledged_and_change_what_is_in_force() {
    let mut client = Client::configured(&[("text_only", "true")], &with_functions(&[("get_weather", false)]));
    let instructions = user("What are your instructions?");
    let prompt = json!({"type": "UpdatePrompt", "prompt": "Be brief."});
    assert_eq!(types(&client.ask(&prompt)), ["PromptUpdated"]);
    assert_eq!(said(&client.ask(&instructions)), ["My instructions are: Be kind.\n\nBe brief."]);
    let think = json!({"type": "UpdateThink", "think": [{"prompt": "New.",
        "provider": {"type": "anthropic", "model": "claude"}}]});
    assert_eq!(types(&client.ask(&think)), ["ThinkUpdated"]);
    assert_eq!(said(&client.ask(&instructions)), ["My instructions are: New."]);
    assert_eq!(said(&client.ask(&user("get_weather"))).len(), 1, "its functions are gone");
    let speak =
        json!({"type": "UpdateSpeak", "speak": {"provider": {"type": "deepgram", "model": "aura-2"}}});
    assert_eq!(types(&client.ask(&speak)), ["SpeakUpdated"]);
    let listen = json!({"type": "UpdateListen", "listen": {"provider":
        {"type": "deepgram", "version": "v2", "model": "flux-general-multi"}}});
    assert_eq!(types(&client.ask(&listen)), ["ListenUpdated"]);
    assert_eq!(client.ask(&json!({"type": "ForceEndTurn"})), [Value::Null; 0], "turns are known now");
    assert_eq!(client.ask(&json!({"type": "KeepAlive"})), [Value::Null; 0]);
}

#[test]
fn a_model_server_of_the_clients_talks_back() {
    let custom = json!({"type": "__customToThinkProvider", "content": {"a": [1, null]}});
    let mut client = Client::configured(&[], &settings(json!({})));
    assert_eq!(client.ask(&custom), [Value::Null; 0]);
    let own = settings(json!({"think": {"provider": {"type": "open_ai", "model": "m"},
        "endpoint": {"url": "https://example.com", "headers": {}}}}));
    let mut client = Client::configured(&[], &own);
    let echoed = json!({"type": "__customFromThinkProvider", "content": {"a": [1, null]}});
    assert_eq!(client.ask(&custom), [echoed]);
}

#[test]
fn long_prompts_of_managed_models_are_warned_of() {
    let mut client = Client::configured(&[], &with_functions(&[]));
    let update = |length| json!({"type": "UpdatePrompt", "prompt": "\u{e9}".repeat(length)});
    assert_eq!(types(&client.ask(&update(24_990))), ["PromptUpdated"], "25,000 characters");
    let messages = client.ask(&update(1));
    assert_eq!(types(&messages), ["PromptUpdated", "Warning"]);
    assert_eq!(messages[1]["code"], "PROMPT_TOO_LONG");
}
