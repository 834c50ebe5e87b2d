//! What is put right in a `Settings` and an `UpdateThink` on their way to Deepgram, and what the operator adds to
//! them (Voice Agent sheet A4, B3). Knows nothing of the calls that come of it.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::members::{Members, array, edited, edited_elements, elements};
use crate::{
    config::{Backend, FunctionCalls, Functions, Tool},
    protocol::{
        agent::{AgentSettings, Think},
        has_too_many_places,
    },
};

/// Whether a `Settings` has one of the component's own fields, and not as null: `agent.idleTimeoutMs`,
/// `think.toolChoice` and the like (Voice Agent protocol, part B3).
pub fn is_of_component(settings: &str) -> bool {
    let is_of_component = || {
        let settings = Members::read(settings)?;
        let agent = Members::read(settings.value("agent")?)?;
        if has_any(&agent, &AgentSettings::OF_COMPONENT) {
            return Some(true);
        }
        let think = agent.value("think")?;
        let configurations = elements(think).unwrap_or_else(|| vec![think]);
        let mut configurations = configurations.into_iter().filter_map(Members::read);
        Some(configurations.any(|think| has_any(&think, &Think::OF_COMPONENT)))
    };
    is_of_component().unwrap_or(false)
}

/// How much of the agent's audio a client with these `Settings` plays in a second, bytes: without `audio.output`
/// linear16 at 24 kHz; `None` for compressed formats (Voice Agent protocol, Settings).
pub fn output_bytes_per_s(settings: &str) -> Option<u32> {
    output_rate(&read(settings)?)
}

/// How much audio makes a second, bytes: the client's and the agent's, each `None` where that cannot be said: of
/// compressed formats, within a container, and of the client's where nothing is stated, for which Deepgram has two
/// defaults (Voice Agent protocol, Settings).
pub fn bytes_per_s(settings: &str) -> [Option<u32>; 2] {
    let Some(settings) = read(settings) else { return [None; 2] };
    let encoding = settings.pointer("/audio/input/encoding").and_then(Value::as_str);
    let input = encoding.and_then(bytes_per_sample).zip(rate(settings.pointer("/audio/input/sample_rate")));
    let container = settings.pointer("/audio/output/container").and_then(Value::as_str);
    let output = output_rate(&settings).filter(|_| container.is_none_or(|container| container == "none"));
    [input.map(|(bytes, rate)| rate.saturating_mul(bytes)).filter(|rate| *rate > 0), output]
}

/// How many bytes a sample of raw audio takes; `None` for other encodings (Voice Agent protocol, Settings;
/// Transcription, query parameters).
pub fn bytes_per_sample(encoding: &str) -> Option<u32> {
    match encoding {
        "linear32" => Some(4),
        "linear16" => Some(2),
        "mulaw" | "alaw" => Some(1),
        _ => None,
    }
}

fn read(settings: &str) -> Option<Value> {
    let settings = Some(settings).filter(|settings| !has_too_many_places(settings));
    settings.map(|settings| serde_json::from_str(settings).unwrap_or_default())
}

fn rate(value: Option<&Value>) -> Option<u32> {
    value.and_then(Value::as_u64).and_then(|rate| u32::try_from(rate).ok())
}

fn output_rate(settings: &Value) -> Option<u32> {
    let output = |name: &str| settings.pointer("/audio/output").and_then(|output| output.get(name));
    let rate = rate(output("sample_rate"));
    let encoding = output("encoding").and_then(Value::as_str).unwrap_or("linear16");
    match encoding {
        "linear16" => Some(rate.unwrap_or(24_000_u32).saturating_mul(2)),
        "mulaw" | "alaw" => Some(rate.unwrap_or(8_000)),
        _ => None,
    }
    .filter(|rate| *rate > 0)
}

/// A `Settings` as it goes up; `None` if nothing in it is to be changed, or if it has another shape than the
/// protocol's (Voice Agent protocol, Settings).
///
/// With `repair_component_messages` the component's own fields are taken out of `agent` and `agent.think`, which
/// Deepgram would refuse. Where functions run on the server, what the operator offers is added to the functions of
/// `agent.think`, of each if there are several, in the place of a client's function of the same name; and functions
/// that the operator has a route for lose their `endpoint`, so that Deepgram hands their calls over. `agent` as
/// the id of a stored configuration stays, as does one without `think`.
pub fn settings(text: &str, backend: &Backend) -> Option<String> {
    let edits = Edits::of(backend)?;
    edited(text, |settings| settings.edit("agent", |agent| edits.agent(agent)))
}

/// An `UpdateThink` as it goes up; `None` if nothing in it is to be changed, or if it has another shape than the
/// protocol's. Its `think` takes the place of the one in force, so the same is done to it as in
/// [`settings`] (Voice Agent protocol, client messages).
pub fn update_think(text: &str, backend: &Backend) -> Option<String> {
    let edits = Edits::of(backend)?;
    edited(text, |update| update.edit("think", |think| edits.think(think)))
}

fn has_any(members: &Members<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| members.value(name).is_some_and(|value| value != "null"))
}

/// What a backend wants changed.
struct Edits<'a> {
    repairs: bool,
    functions: Option<OnServer<'a>>,
}

/// The functions that run here.
struct OnServer<'a> {
    table: &'a Functions,
    backend: &'a str,
    offered: Vec<&'a Tool>,
}

impl<'a> Edits<'a> {
    fn of(backend: &'a Backend) -> Option<Self> {
        let repairs = backend.deepgram().is_some_and(|deepgram| deepgram.repair_component_messages);
        let functions = match &backend.function_calls {
            FunctionCalls::Client => None,
            FunctionCalls::Server(table) => {
                let offered = table.offered(&backend.name).collect();
                Some(OnServer { table, backend: &backend.name, offered })
            }
        };
        (repairs || functions.is_some()).then_some(Self { repairs, functions })
    }

    fn agent(&self, json: &str) -> Option<String> {
        edited(json, |agent| {
            if self.repairs {
                agent.remove(&AgentSettings::OF_COMPONENT);
            }
            agent.edit("think", |think| self.think(think));
        })
    }

    fn think(&self, json: &str) -> Option<String> {
        let one = |json: &str| {
            edited(json, |think| {
                if self.repairs {
                    think.remove(&Think::OF_COMPONENT);
                }
                if let Some(functions) = &self.functions {
                    functions.edit(think);
                }
            })
        };
        if json.starts_with('[') { edited_elements(json, one) } else { one(json) }
    }
}

impl OnServer<'_> {
    fn edit(&self, think: &mut Members<'_>) {
        if think.value("functions").is_none() && !self.offered.is_empty() {
            think.add("functions", array(self.offered()));
        } else {
            think.edit("functions", |functions| self.functions(functions));
        }
    }

    /// The client's functions but for those in whose place others are offered, then those.
    fn functions(&self, json: &str) -> Option<String> {
        let given = if json == "null" { Vec::new() } else { elements(json)? };
        let mut is_changed = !self.offered.is_empty();
        let mut functions: Vec<Cow<'_, str>> = Vec::with_capacity(given.len() + self.offered.len());
        for json in given {
            let mut function = Members::read(json);
            let name = function.as_ref().and_then(|function| Some(function.text("name")?.into_owned()));
            if name.as_ref().is_some_and(|name| self.offered.iter().any(|tool| tool.name == *name)) {
                continue;
            }
            if let (Some(function), Some(name)) = (&mut function, name)
                && self.table.route(&name, Some(self.backend)).is_some()
            {
                function.remove(&["endpoint"]);
            }
            let instead = function.and_then(|function| function.if_changed());
            is_changed |= instead.is_some();
            functions.push(instead.map_or(json.into(), Cow::Owned));
        }
        functions.extend(self.offered().map(Cow::Owned));
        is_changed.then(|| array(functions))
    }

    /// What is offered, as Deepgram takes it: without `endpoint`, which would have it call by itself.
    fn offered(&self) -> impl Iterator<Item = String> {
        self.offered.iter().map(|tool| {
            let mut function = Map::from_iter([("name".to_owned(), tool.name.as_str().into())]);
            if let Some(description) = &tool.description {
                function.insert("description".to_owned(), description.as_str().into());
            }
            function.insert("parameters".to_owned(), tool.parameters.clone());
            Value::Object(function).to_string()
        })
    }
}
