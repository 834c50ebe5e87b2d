//! What a Settings that the schema has accepted puts in force, with its defaults, and how updates change it.
//! Knows nothing of turns.

use serde_json::{Value, json};

use super::settings::{default_rate, one_or_more};
use crate::simulator::codec::{Encoding, Format};

/// A session's configuration.
#[derive(Debug)]
pub(super) struct Configuration {
    /// `AgentStartedSpeaking` is sent.
    pub(super) is_experimental: bool,
    /// `History` is sent.
    pub(super) wants_history: bool,
    pub(super) input: Audio,
    pub(super) output: Audio,
    /// Audio comes as a WAV stream.
    pub(super) is_wav: bool,
    pub(super) greeting: Option<String>,
    /// The listener ends turns itself (Flux), and so can be told to.
    pub(super) has_turns: bool,
    pub(super) has_think_live: bool,
    /// The client has named a model server of its own.
    pub(super) has_own_model: bool,
    prompt: String,
    context: String,
    functions: Vec<Value>,
}

/// Audio as it is declared.
#[derive(Debug)]
pub(super) struct Audio {
    pub(super) encoding: String,
    /// `None` for an encoding that the simulator neither decodes nor encodes.
    pub(super) format: Option<Format>,
}

impl Configuration {
    /// Reads a Settings with an agent of its own.
    pub(super) fn of(settings: &Value) -> Self {
        let agent = &settings["agent"];
        let output = &settings["audio"]["output"];
        let mut configuration = Self {
            is_experimental: settings["experimental"] == true,
            wants_history: settings["flags"]["history"] != false,
            input: audio(&settings["audio"]["input"], |_| 24_000),
            output: audio(output, default_rate),
            is_wav: output["container"] == "wav",
            greeting: agent["greeting"].as_str().filter(|text| !text.is_empty()).map(str::to_owned),
            has_turns: false,
            has_think_live: agent.get("think_live").is_some(),
            has_own_model: false,
            prompt: String::new(),
            context: context(&agent["context"]["messages"]),
            functions: Vec::new(),
        };
        configuration.set_listen(&agent["listen"]);
        configuration.set_think(&agent["think"]);
        configuration
    }

    /// `listen` of a Settings or an `UpdateListen`.
    pub(super) fn set_listen(&mut self, listen: &Value) {
        self.has_turns = listen["provider"]["version"] == "v2";
    }

    /// `think` of a Settings or an `UpdateThink`: replaces prompt and functions. The first of several is taken.
    pub(super) fn set_think(&mut self, think: &Value) {
        let first = one_or_more(think).next();
        let of = |name: &str| first.map_or(Value::Null, |think| think[name].clone());
        self.prompt = of("prompt").as_str().unwrap_or_default().to_owned();
        self.functions = of("functions").as_array().cloned().unwrap_or_default();
        self.has_own_model = of("endpoint").is_object();
    }

    /// `UpdatePrompt` adds to the prompt.
    pub(super) fn add_prompt(&mut self, prompt: &str) {
        if !self.prompt.is_empty() {
            self.prompt.push_str("\n\n");
        }
        self.prompt.push_str(prompt);
    }

    /// Whether the prompt is longer than a managed model takes: 25,000 characters.
    pub(super) fn is_prompt_too_long(&self) -> bool {
        !self.has_own_model && self.prompt.chars().count() > 25_000
    }

    /// What the model is told: the prompt, and the conversation before this session.
    pub(super) fn instructions(&self) -> String {
        let parts = [self.prompt.as_str(), self.context.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
    }

    /// The functions as the replier reads them.
    pub(super) fn tools(&self) -> Value {
        let tool = |function: &Value| json!({"type": "function", "name": function["name"], "parameters": function["parameters"]});
        self.functions.iter().map(tool).collect()
    }

    /// Whether the client runs this function: it has no endpoint.
    pub(super) fn is_client_side(&self, name: &str) -> bool {
        let function = self.functions.iter().find(|function| function["name"] == name);
        function.is_none_or(|function| function.get("endpoint").is_none())
    }
}

fn audio(declared: &Value, default_rate: impl Fn(&str) -> u32) -> Audio {
    let encoding = declared["encoding"].as_str().unwrap_or("linear16").to_owned();
    let rate = declared["sample_rate"].as_u64().and_then(|rate| u32::try_from(rate).ok());
    let rate = rate.unwrap_or_else(|| default_rate(&encoding));
    let raw = match encoding.as_str() {
        "linear16" => Some(Encoding::Linear16),
        "linear32" => Some(Encoding::Linear32),
        "mulaw" => Some(Encoding::Mulaw),
        "alaw" => Some(Encoding::Alaw),
        _ => None,
    };
    Audio { encoding, format: raw.map(|encoding| Format { encoding, rate }) }
}

/// The earlier conversation, a line for each message and call.
fn context(messages: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = messages.as_array().into_iter().flatten().flat_map(|message| {
        let called = message["function_calls"].as_array().into_iter().flatten().map(|call| {
            format!(
                "called {}({}): {}",
                text(&call["name"]),
                text(&call["arguments"]),
                text(&call["response"])
            )
        });
        let said = message["content"].as_str().map(|said| format!("{}: {said}", text(&message["role"])));
        said.into_iter().chain(called).collect::<Vec<_>>()
    });
    let lines = lines.collect::<Vec<_>>();
    if lines.is_empty() { String::new() } else { format!("Previous conversation:\n{}", lines.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_the_prompt_its_additions_and_the_context() {
        let mut configuration = Configuration::of(&json!({"agent": {
            "context": {"messages": [
                {"type": "History", "role": "user", "content": "one"},
                {"type": "History", "function_calls": [{"id": "1", "name": "f", "client_side": true,
                    "arguments": "{}", "response": "2"}]}]},
            "think": [{"prompt": "Be kind."}, {"prompt": "Never used."}]}}));
        configuration.add_prompt("Be brief.");
        let told = "Be kind.\n\nBe brief.\n\nPrevious conversation:\nuser: one\ncalled f({}): 2";
        assert_eq!(configuration.instructions(), told);
        configuration.set_think(&json!({"prompt": "New."}));
        assert_eq!(
            configuration.instructions(),
            "New.\n\nPrevious conversation:\nuser: one\ncalled f({}): 2"
        );
        assert_eq!(Configuration::of(&json!({})).instructions(), "");
    }

    #[test]
    fn formats_have_their_defaults() {
        for (audio, input, output) in [
            (json!({}), Some((Encoding::Linear16, 24_000)), Some((Encoding::Linear16, 24_000))),
            (
                json!({"input": {"encoding": "mulaw", "sample_rate": 8000}, "output": {"encoding": "alaw"}}),
                Some((Encoding::Mulaw, 8000)),
                Some((Encoding::Alaw, 8000)),
            ),
            (
                json!({"input": {"encoding": "linear32", "sample_rate": 44_100}, "output": {"encoding": "mp3"}}),
                Some((Encoding::Linear32, 44_100)),
                None,
            ),
            (
                json!({"input": {"encoding": "opus", "sample_rate": 48_000}, "output": {"sample_rate": 48_000}}),
                None,
                Some((Encoding::Linear16, 48_000)),
            ),
        ] {
            let configuration = Configuration::of(&json!({"audio": audio}));
            let seen = |audio: &Audio| audio.format.map(|format| (format.encoding, format.rate));
            assert_eq!((seen(&configuration.input), seen(&configuration.output)), (input, output), "{audio}");
        }
    }
}
