//! What the simulated model answers, the same for every service: a text, or function calls, chosen from what was
//! said last. Knows nothing of audio or events.

use serde_json::{Map, Value, json};

/// A part of a conversation as the replier reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The user said it.
    User(String),
    /// The assistant or the system said it.
    Other(String),
    /// The assistant called a function.
    Call { call_id: String, name: String },
    /// The call was answered.
    Output { call_id: String, output: String },
}

impl Entry {
    /// What it adds to the model's input.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::User(text) | Self::Other(text) | Self::Output { output: text, .. } => text,
            Self::Call { name, .. } => name,
        }
    }
}

/// What a response consists of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    /// One message with this text.
    Say(String),
    /// Function calls, in order: name and arguments.
    Call(Vec<(String, Value)>),
}

/// Everything a reply is chosen from.
pub(super) struct Prompt<'a> {
    /// What was said, oldest first.
    pub(super) entries: &'a [Entry],
    /// The instructions in force for this response.
    pub(super) instructions: &'a str,
    /// Whether they were given for this response alone.
    pub(super) asked_here: bool,
    /// The tools in force: a list of objects with `type` "function", `name` and `parameters`.
    pub(super) tools: &'a Value,
    /// The tool choice in force.
    pub(super) tool_choice: &'a Value,
    /// The user has been silent for the idle timeout.
    pub(super) is_idle: bool,
}

/// Chooses the reply; the same prompt always has the same one.
///
/// A tool choice that demands a call is obeyed once per user input: after the outputs the model speaks. A
/// text to be said word for word keeps the model from no call that it may make.
pub(super) fn choose(prompt: &Prompt<'_>) -> Reply {
    let text = verbatim(prompt.instructions).filter(|_| prompt.asked_here);
    let outputs = latest_outputs(prompt.entries);
    let said = match prompt.entries.iter().rev().find(|entry| !matches!(entry, Entry::Other(_))) {
        Some(Entry::User(text)) => text.as_str(),
        _ => "",
    };
    if let Some(text) = text {
        let asked = matches!(prompt.entries.last(), Some(Entry::User(_)));
        let demanded = prompt.tool_choice != "auto" && outputs.is_empty();
        let calls = if asked || demanded { calls(said, prompt) } else { Vec::new() };
        return if calls.is_empty() { Reply::Say(text) } else { Reply::Call(calls) };
    }
    if prompt.is_idle {
        return Reply::Say("Are you still there?".to_owned());
    }
    if !outputs.is_empty() {
        return Reply::Say(result_sentence(&outputs));
    }
    let calls = calls(said, prompt);
    if !calls.is_empty() {
        return Reply::Call(calls);
    }
    Reply::Say(sentence(said, prompt.instructions))
}

fn sentence(said: &str, instructions: &str) -> String {
    let lower = said.to_lowercase();
    if lower.contains("what did i say") {
        let history = instructions.split_once("Previous conversation:").map_or("", |(_, history)| history);
        let last = history.lines().rev().find_map(|line| line.trim().strip_prefix("user:"));
        if let Some(line) = last {
            return format!("You said: {}", line.trim());
        }
    }
    if lower.contains("your instructions") {
        return format!("My instructions are: {instructions}");
    }
    let first = lower.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
    if ["hello", "hi", "hey"].contains(&first) {
        return "Hello. This is the voxbridge simulator speaking. How can I help you?".to_owned();
    }
    if said.is_empty() {
        return "I heard you. This is the voxbridge simulator speaking.".to_owned();
    }
    format!("I heard you. You said: {said}")
}

/// The text that instructions ask to be said word for word: what follows the first colon, or what is in
/// quotation marks if those come first.
fn verbatim(instructions: &str) -> Option<String> {
    let lower = instructions.to_lowercase();
    if !["word for word", "verbatim", "exactly"].iter().any(|words| lower.contains(words)) {
        return None;
    }
    let (at, mark) = instructions.char_indices().find(|(_, letter)| [':', '"'].contains(letter))?;
    let rest = instructions[at + 1..].trim();
    let text = match mark {
        ':' => rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(rest),
        _ => rest.rsplit_once('"').map_or(rest, |(quoted, _)| quoted),
    };
    (!text.is_empty()).then(|| text.to_owned())
}

/// Function name and output of every call answered since anybody last spoke.
fn latest_outputs(entries: &[Entry]) -> Vec<(&str, &str)> {
    let name_of = |id: &str| {
        let found = entries.iter().find_map(|entry| match entry {
            Entry::Call { call_id, name } if call_id == id => Some(name.as_str()),
            _ => None,
        });
        found.unwrap_or_default()
    };
    let recent = entries.iter().rev().take_while(|entry| !matches!(entry, Entry::User(_) | Entry::Other(_)));
    let mut outputs = recent
        .filter_map(|entry| match entry {
            Entry::Output { call_id, output } => Some((name_of(call_id), output.as_str())),
            _ => None,
        })
        .collect::<Vec<_>>();
    outputs.reverse();
    outputs
}

fn result_sentence(outputs: &[(&str, &str)]) -> String {
    let all = outputs.iter().map(|(_, output)| *output).collect::<Vec<_>>().join(" ");
    let time =
        outputs.iter().filter(|(name, _)| name.contains("time")).find_map(|(_, output)| time_of_day(output));
    match time {
        Some(time) => format!("The time is {time}. The tool says: {all}"),
        None => format!("The tool says: {all}"),
    }
}

/// The first `HH:MM` in a text.
fn time_of_day(text: &str) -> Option<&str> {
    let is_time = |slice: &[u8]| {
        slice
            .iter()
            .enumerate()
            .all(|(index, byte)| if index == 2 { *byte == b':' } else { byte.is_ascii_digit() })
    };
    let at = text.as_bytes().windows(5).position(is_time)?;
    text.get(at..at + 5)
}

fn calls(said: &str, prompt: &Prompt<'_>) -> Vec<(String, Value)> {
    if prompt.tool_choice == "none" {
        return Vec::new();
    }
    let tools = prompt.tools.as_array().map_or(&[][..], Vec::as_slice);
    let functions = tools.iter().filter(|tool| tool["type"] == "function").collect::<Vec<_>>();
    let lower = said.to_lowercase();
    let named = |tool: &&&Value| lower.contains(&text(&tool["name"]).to_lowercase());
    let mut chosen = functions.iter().filter(named).collect::<Vec<_>>();
    chosen.sort_by_key(|tool| lower.find(&text(&tool["name"]).to_lowercase()));
    if let Some(name) = prompt.tool_choice["name"].as_str() {
        chosen = functions.iter().filter(|tool| tool["name"] == name).collect();
    } else if chosen.is_empty() && lower.contains("time") {
        let exact = functions.iter().find(|tool| tool["name"] == "get_current_time");
        chosen.extend(exact.or_else(|| functions.iter().find(|tool| text(&tool["name"]).contains("time"))));
    }
    if chosen.is_empty() && prompt.tool_choice == "required" {
        chosen.extend(functions.first());
    }
    chosen
        .into_iter()
        .map(|tool| (text(&tool["name"]).to_owned(), arguments(&tool["parameters"], said)))
        .collect()
}

/// Arguments that hold every required property of a JSON Schema object.
fn arguments(schema: &Value, said: &str) -> Value {
    let last_word = said
        .split_whitespace()
        .last()
        .unwrap_or_default()
        .trim_matches(|letter: char| !letter.is_alphanumeric());
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let value_of = |property: &Value| match property["type"].as_str() {
        _ if property["enum"][0] != Value::Null => property["enum"][0].clone(),
        Some("integer" | "number") => property.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => arguments(property, said),
        _ => json!(last_word),
    };
    let pairs = required.map(|name| (name.to_owned(), value_of(&schema["properties"][name])));
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// A field that a schema has proven to be a text; empty where it is absent.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(entries: &[Entry], instructions: &str, tools: Value, tool_choice: Value) -> Reply {
        let (tools, tool_choice) = (&tools, &tool_choice);
        choose(&Prompt { entries, instructions, asked_here: false, tools, tool_choice, is_idle: false })
    }

    fn to(said: &str, tools: Value, tool_choice: Value) -> Reply {
        reply(&[Entry::User(said.to_owned())], "", tools, tool_choice)
    }

    fn names(reply: Reply) -> Vec<String> {
        let Reply::Call(calls) = reply else { panic!("expected calls, got {reply:?}") };
        calls.into_iter().map(|(name, _)| name).collect()
    }

    fn function(name: &str) -> Value {
        json!({"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}})
    }

    #[test]
    fn the_time_is_asked_of_a_function_unless_forbidden() {
        let tools = json!([function("other"), function("get_local_time")]);
        assert_eq!(names(to("What time is it?", tools.clone(), json!("auto"))), ["get_local_time"]);
        let both = json!([function("get_local_time"), function("get_current_time")]);
        assert_eq!(names(to("What time is it?", both, json!("auto"))), ["get_current_time"]);
        let said = Reply::Say("I heard you. You said: What time is it?".to_owned());
        assert_eq!(to("What time is it?", tools, json!("none")), said);
        assert_eq!(to("What time is it?", json!([]), json!("auto")), said);
    }

    #[test]
    fn named_functions_are_called_in_one_response() {
        let tools = json!([function("get_time"), function("get_weather"), function("quiet")]);
        assert_eq!(
            names(to("call get_weather and get_time", tools.clone(), json!("auto"))),
            ["get_weather", "get_time"]
        );
        assert_eq!(names(to("hello", tools.clone(), json!("required"))), ["get_time"]);
        assert_eq!(names(to("hello", tools, json!({"type": "function", "name": "quiet"}))), ["quiet"]);
    }

    #[test]
    fn arguments_hold_what_is_required() {
        let parameters = json!({"type": "object", "required": ["city", "days", "unit"], "properties": {
            "city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"type": "string", "enum": ["C", "F"]},
            "extra": {"type": "string"}}});
        assert_eq!(
            arguments(&parameters, "get_weather in Oslo?"),
            json!({"city": "Oslo", "days": 1, "unit": "C"})
        );
    }

    #[test]
    fn outputs_are_spoken_even_when_a_call_is_demanded() {
        let call = |id: &str, name: &str| Entry::Call { call_id: id.to_owned(), name: name.to_owned() };
        let output =
            |id: &str, output: &str| Entry::Output { call_id: id.to_owned(), output: output.to_owned() };
        let entries = [
            Entry::User("time?".to_owned()),
            call("1", "get_time"),
            call("2", "get_weather"),
            output("1", "{\"time\":\"10:42:01\"}"),
            output("2", "rain"),
        ];
        let tools = json!([function("get_time")]);
        let said = "The time is 10:42. The tool says: {\"time\":\"10:42:01\"} rain";
        assert_eq!(reply(&entries, "", tools, json!("required")), Reply::Say(said.to_owned()));
    }

    #[test]
    fn instructions_are_honoured() {
        let history =
            "Be kind.\n\nPrevious conversation:\nuser: one\nassistant: two\nuser: three\nassistant: four";
        let said = reply(&[Entry::User("What did I say?".to_owned())], history, json!([]), json!("auto"));
        assert_eq!(said, Reply::Say("You said: three".to_owned()));
        let asked = [Entry::User("What are your instructions?".to_owned())];
        let said = reply(&asked, "Be kind.\n\nBe brief.", json!([]), json!("auto"));
        assert_eq!(said, Reply::Say("My instructions are: Be kind.\n\nBe brief.".to_owned()));
        assert_eq!(
            verbatim("Say the following text word for word: Good morning."),
            Some("Good morning.".to_owned())
        );
        assert_eq!(verbatim("Say exactly \"He said: no\" please"), Some("He said: no".to_owned()));
        assert_eq!(verbatim("Say this verbatim:\n\"a \"b\" c\""), Some("a \"b\" c".to_owned()));
        assert_eq!(verbatim("Be brief: always"), None);
    }
}
