//! Hostile JSON, mutated from fixtures: another value, a member too many, too few or twice, a part of another message,
//! numbers and depths that nobody means. Knows no message.

use serde_json::{Map, Value, json};

use crate::bytes::{LONGEST, damaged_one, text};
use crate::random::Random;

/// What messages are made from.
pub(crate) struct Corpus {
    lines: Vec<String>,
    values: Vec<Value>,
    /// Names of members, and short texts: words of the protocol, as a rule.
    names: Vec<String>,
    words: Vec<String>,
}

impl Corpus {
    /// Of files with a message on each line.
    pub(crate) fn of_lines(files: &[&str]) -> Self {
        Self::of(files.iter().flat_map(|file| file.lines()).filter(|line| !line.is_empty()))
    }

    /// Of texts that are JSON each.
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let lines: Vec<String> = texts.into_iter().map(str::to_owned).collect();
        let values: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).expect("a fixture is JSON")).collect();
        let (mut names, mut words) = (Vec::new(), Vec::new());
        values.iter().for_each(|value| collect(value, &mut names, &mut words));
        for list in [&mut names, &mut words] {
            list.sort();
            list.dedup();
        }
        Self { lines, values, names, words }
    }

    /// A text that may be a message still, of at most [`LONGEST`] bytes or little more.
    pub(crate) fn text(&self, random: &mut Random) -> String {
        self.text_with(random, &[])
    }

    /// The same; `ids` are put where texts are.
    pub(crate) fn text_with(&self, random: &mut Random, ids: &[String]) -> String {
        match random.below(20) {
            0 => random.pick(&self.lines).clone(),
            1 => text(random),
            2..5 => damaged_one(random, &self.lines),
            _ => {
                let mut value = random.pick(&self.values).clone();
                for _ in 0..=random.below(3) {
                    self.mutate(random, &mut value, ids);
                }
                if !ids.is_empty() {
                    know(random, &mut value, ids);
                }
                self.written(random, &value)
            }
        }
    }

    /// One of the fixtures, as it is.
    pub(crate) fn fixture(&self, random: &mut Random) -> String {
        random.pick(&self.lines).clone()
    }

    /// Changes one place.
    fn mutate(&self, random: &mut Random, value: &mut Value, ids: &[String]) {
        let place = some_place(random, value);
        match (random.below(10), &mut *place) {
            (0, Value::Object(members)) => {
                let name = members.keys().nth(random.below(members.len().max(1))).cloned();
                name.map(|name| members.shift_remove(&name));
            }
            (1, Value::Object(members)) => {
                let new = self.value(random, ids);
                members.insert(random.pick(&self.names).clone(), new);
            }
            (2, Value::Array(elements)) if !elements.is_empty() => {
                let one = random.pick(elements).clone();
                let times = if random.one_in(10) { random.below(1_000) } else { random.below(4) };
                let room = LONGEST / (one.to_string().len() + 1);
                elements.extend(std::iter::repeat_n(one, times.min(room)));
            }
            (3, Value::Array(elements)) => elements.reverse(),
            (4, Value::Array(elements)) => drop(elements.pop()),
            (5, _) => {
                let mut other = random.pick(&self.values).clone();
                *place = some_place(random, &mut other).take();
            }
            _ => *place = self.value(random, ids),
        }
    }

    /// Any value.
    fn value(&self, random: &mut Random, ids: &[String]) -> Value {
        match random.below(12) {
            0 => Value::Null,
            1 => json!(random.one_in(2)),
            2 => json!(*random.pick(&[
                0,
                1,
                -1,
                i64::MAX,
                i64::MIN,
                2_147_483_648,
                4_294_967_296,
                9_007_199_254_740_993
            ])),
            3 => json!(*random.pick(&[0.5, -0.0, 1e308, -1e308, 5e-324, 1e19, f64::EPSILON])),
            4 => json!(u64::MAX - u64::from(random.one_in(2))),
            5 => json!([]),
            6 => json!({}),
            7 => Value::Object(
                (0..random.below(5))
                    .map(|_| (random.pick(&self.names).clone(), json!(7)))
                    .collect::<Map<_, _>>(),
            ),
            8 => (0..1 + random.below(100)).fold(json!("deep"), |deep, _| json!([deep])),
            9 if !ids.is_empty() => json!(random.pick(ids)),
            10 => json!(text(random)),
            _ => json!(random.pick(&self.words)),
        }
    }

    /// As text, with what a tree cannot hold.
    fn written(&self, random: &mut Random, value: &Value) -> String {
        let mut json = value.to_string();
        if random.one_in(10) && json.starts_with("{\"") {
            // A member twice: at the beginning, where the other one comes after it, or at the end.
            let member = format!("\"{}\":{}", random.pick(&self.names), self.value(random, &[]));
            json = match random.one_in(2) {
                true => format!("{{{member},{}", &json[1..]),
                false => format!("{},{member}}}", &json[..json.len() - 1]),
            };
        }
        if random.one_in(20) {
            let number =
                *random.pick(&["1e999", "-1e999", "1e-999", "-0", "0.1e1", "123456789012345678901234567890"]);
            json = instead_of_a_number(&json, number);
        }
        if random.one_in(40) {
            json = json.replacen("\"deep\"", &format!("{}{}", "[".repeat(30_000), "]".repeat(30_000)), 1);
        }
        if random.one_in(20) {
            let half =
                *random.pick(&["\\ud800", "\\udc00\\ud800", "\\u0000", "\\ud83d\\ude00", "\\/", "\\x"]);
            json = json.replacen("a", half, 1);
        }
        json
    }
}

/// Puts ids that are known in place of some that are not.
fn know(random: &mut Random, value: &mut Value, ids: &[String]) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(id) if name.ends_with("id") && !random.one_in(4) => {
                        *id = random.pick(ids).clone()
                    }
                    other => know(random, other, ids),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| know(random, element, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

fn instead_of_a_number(json: &str, number: &str) -> String {
    let digits =
        |from: usize| json[from..].find(|c: char| !c.is_ascii_digit()).map_or(json.len(), |end| from + end);
    match json.find(":7").or_else(|| json.find(":1")).or_else(|| json.find(":0")) {
        Some(colon) => format!("{}{number}{}", &json[..=colon], &json[digits(colon + 1)..]),
        None => json.to_owned(),
    }
}

/// A place in a value, likely one of depth.
fn some_place<'a>(random: &mut Random, value: &'a mut Value) -> &'a mut Value {
    let inside = match value {
        Value::Object(members) => members.len(),
        Value::Array(elements) => elements.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    };
    if inside == 0 || random.one_in(4) {
        return value;
    }
    let which = random.below(inside);
    let next = match value {
        Value::Object(members) => members.values_mut().nth(which),
        Value::Array(elements) => elements.get_mut(which),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    some_place(random, next.expect("there are so many"))
}

fn collect(value: &Value, names: &mut Vec<String>, words: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                names.push(name.clone());
                collect(value, names, words);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, names, words)),
        Value::String(text) if text.len() < 60 => words.push(text.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}
