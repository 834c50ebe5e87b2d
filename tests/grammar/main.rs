//! The grammar itself: words that it must take and words that it must refuse, and that it speaks of every
//! message that the README says the client gets.

#[path = "mod.rs"]
mod grammar;

use grammar::{Facts, Order, grammar};

const DEEPGRAM: Facts = Facts { component: false, early_upstream: false };
const COMPONENT: Facts = Facts { component: true, early_upstream: false };
const EARLY_UPSTREAM: Facts = Facts { component: false, early_upstream: true };

/// A word in short: each message by a sign of its own.
const SHORT: [(&str, &str); 25] = [
    ("welcome", "Welcome"),
    ("applied", "SettingsApplied"),
    ("said", "ConversationText(assistant)"),
    ("heard", "ConversationText(user)"),
    ("transcript", "Transcript"),
    ("utterance", "UtteranceEnd"),
    ("user", "UserStartedSpeaking"),
    ("thinking", "AgentThinking"),
    ("speaking", "AgentStartedSpeaking"),
    ("audio", "audio"),
    ("call", "FunctionCallRequest"),
    ("cancelled", "FunctionCallCancelled"),
    ("done", "AgentDone"),
    ("end", "AgentAudioDone"),
    ("latency", "LatencyReport"),
    ("history", "History"),
    ("prompt", "PromptUpdated"),
    ("think", "ThinkUpdated"),
    ("speak", "SpeakUpdated"),
    ("listen", "ListenUpdated"),
    ("refused", "InjectionRefused"),
    ("error", "Error"),
    ("warning", "Warning"),
    ("unknown", "Frobnicate"),
    ("report", "FunctionCallResponse"),
];

/// How many messages of the word are in order: all of them, or those before the first that is not.
fn taken(facts: Facts, word: &str) -> (usize, usize) {
    let messages: Vec<_> = word
        .split_whitespace()
        .map(|short| SHORT.iter().find(|(name, _)| *name == short).expect("a known name").1)
        .collect();
    let mut order = Order::new();
    let taken = messages.iter().take_while(|message| order.take(message, facts).is_ok()).count();
    (taken, messages.len())
}

#[track_caller]
fn accepts(facts: Facts, words: &[&str]) {
    for word in words {
        let (taken, of) = taken(facts, word);
        assert_eq!(taken, of, "{word:?} with {facts:?}");
    }
}

/// Everything but the last message of each word is in order.
#[track_caller]
fn refuses(facts: Facts, words: &[&str]) {
    for word in words {
        let (taken, of) = taken(facts, word);
        assert_eq!(taken, of - 1, "{word:?} with {facts:?}");
    }
}

#[test]
fn an_opening_is_welcome_and_trouble_and_then_settings() {
    accepts(
        DEEPGRAM,
        &[
            "",
            "welcome error warning error applied",
            "welcome applied applied said end",
            "welcome applied said history end applied",
            // A greeting that is spoken, and one that could not be.
            "welcome applied said heard speaking audio end",
            "welcome applied said heard user error end user",
        ],
    );
    refuses(
        DEEPGRAM,
        &[
            "applied",
            "error",
            "audio",
            "welcome welcome",
            "welcome applied welcome",
            "welcome user",
            "welcome heard",
            "welcome said",
            "welcome end",
            "welcome prompt",
            "welcome applied end",
            "welcome applied done",
            "welcome applied said end end",
            "welcome applied said end latency",
            "welcome applied unknown",
            // What the gateway ran is followed by what it means for the agent.
            "welcome applied report user",
            "welcome report",
        ],
    );
    accepts(COMPONENT, &["welcome applied said done end user"]);
    refuses(COMPONENT, &["welcome applied said end", "welcome applied said done user"]);
}

#[test]
fn only_an_early_upstream_lets_a_turn_come_before_settings() {
    accepts(
        EARLY_UPSTREAM,
        &["welcome error heard speaking audio said end user call applied applied said end"],
    );
    refuses(EARLY_UPSTREAM, &["heard", "welcome audio", "welcome heard speaking audio user", "welcome end"]);
    // Whether it is may change within a transcript, and so may the dialect.
    let mut order = Order::new();
    let component = Facts { component: true, ..EARLY_UPSTREAM };
    for (message, facts) in [
        ("Welcome", EARLY_UPSTREAM),
        ("ConversationText(user)", EARLY_UPSTREAM),
        ("ConversationText(user)", component),
        ("AgentThinking", component),
        ("SettingsApplied", COMPONENT),
        ("UtteranceEnd", COMPONENT),
    ] {
        order.take(message, facts).expect("it is in order");
    }
    assert!(order.take("ConversationText(assistant)", COMPONENT).is_ok());
    assert!(order.take("AgentAudioDone", COMPONENT).is_err());
}

#[test]
fn a_turn_is_framed_by_its_signals() {
    accepts(
        DEEPGRAM,
        &[
            "welcome applied speaking said end speaking audio audio said audio end",
            "welcome applied speaking audio heard history thinking error warning applied said history end latency",
            "welcome applied speaking audio prompt think speak listen refused cancelled history history end",
            "welcome applied speaking call said end call",
        ],
    );
    refuses(
        DEEPGRAM,
        &[
            "welcome applied audio",
            "welcome applied said audio",
            "welcome applied speaking audio end audio",
            "welcome applied speaking audio end end",
            "welcome applied speaking audio speaking",
            "welcome applied speaking audio done",
            "welcome applied speaking audio user",
            "welcome applied speaking audio latency",
            "welcome applied speaking audio end heard latency",
            "welcome applied speaking audio end latency latency",
            "welcome applied speaking audio history",
            "welcome applied transcript",
            "welcome applied utterance",
        ],
    );
    accepts(
        COMPONENT,
        &["welcome applied speaking audio transcript history utterance thinking done end user"],
    );
    refuses(
        COMPONENT,
        &[
            "welcome applied speaking audio end",
            "welcome applied speaking audio done audio",
            "welcome applied speaking audio done error",
            "welcome applied speaking audio done transcript",
            "welcome applied speaking audio done done",
            "welcome applied speaking audio done end latency",
            "welcome applied done",
        ],
    );
}

#[test]
fn nothing_is_heard_after_the_user_began_to_speak_until_the_agent_does() {
    accepts(DEEPGRAM, &["welcome applied speaking audio end user user heard speaking audio"]);
    refuses(
        DEEPGRAM,
        &[
            "welcome applied user audio",
            "welcome applied speaking audio end user audio",
            "welcome applied speaking audio end user heard audio",
            "welcome applied speaking audio end user end",
        ],
    );
}

#[test]
fn calls_owe_their_end_to_the_answer_after_them() {
    accepts(
        DEEPGRAM,
        &[
            "welcome applied call thinking speaking audio said end",
            "welcome applied call report thinking history report thinking speaking audio said end",
            "welcome applied call thinking history call user thinking error end user",
            "welcome applied speaking said end call cancelled end",
        ],
    );
    refuses(
        DEEPGRAM,
        &[
            "welcome applied call end end",
            "welcome applied call thinking speaking said end end",
            "welcome applied call audio",
        ],
    );
    accepts(
        COMPONENT,
        &[
            "welcome applied speaking call thinking user speaking audio done end",
            "welcome applied speaking call speaking call thinking done end",
            "welcome applied speaking call audio call done end call",
        ],
    );
    refuses(
        COMPONENT,
        &[
            "welcome applied speaking call user audio",
            "welcome applied speaking call audio user",
            "welcome applied speaking user",
        ],
    );
}

#[test]
fn what_was_said_and_its_history_stand_together() {
    accepts(COMPONENT, &["welcome applied heard history thinking said history transcript history"]);
    accepts(COMPONENT, &["welcome applied heard thinking thinking history"]);
    refuses(
        COMPONENT,
        &[
            "welcome applied heard said",
            "welcome applied heard history user",
            "welcome applied heard thinking history",
            "welcome applied utterance history",
        ],
    );
    refuses(DEEPGRAM, &["welcome applied history", "welcome applied error history"]);
}

#[test]
fn a_refusal_names_what_could_have_come() {
    let mut order = Order::new();
    let refusal = order.take("audio", DEEPGRAM).expect_err("Welcome is first");
    assert_eq!(refusal, "audio is out of order, here could come Welcome");
    // What was refused changes nothing.
    order.take("Welcome", DEEPGRAM).expect("still first");
    let refusal = order.take("audio", DEEPGRAM).expect_err("nothing plays yet");
    assert_eq!(refusal, "audio is out of order, here could come Error, SettingsApplied, Warning");
}

/// The messages that the README's table says a client gets are those of the grammar.
#[test]
fn the_grammar_speaks_of_every_message_to_the_client() {
    let readme = include_str!("../../README.md");
    let (_, table) = readme.split_once("\nTo the client:\n").expect("the README has the table");
    let rows = table.trim_start().lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut rows_with_messages = 0;
    for row in rows {
        let cell = row.split('|').nth(1).expect("a row has cells");
        let role = ["user", "assistant"].into_iter().find(|role| cell.contains(&format!("`{role}`")));
        let messages = cell.split('`').skip(1).step_by(2).filter(|word| word.starts_with(char::is_uppercase));
        for message in messages {
            let symbol = role.map_or(format!("{message:?}"), |role| format!("\"{message}({role})\""));
            assert!(grammar().contains(&symbol), "{symbol} is not in the grammar");
            rows_with_messages += 1;
        }
    }
    assert!(rows_with_messages >= 17, "only {rows_with_messages} rows");
}
