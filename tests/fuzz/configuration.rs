//! Configuration files and overrides: each is accepted, and can be shown and used, or refused with its place.

use std::collections::BTreeMap;

use voxbridge::config::{Config, ConfigError};
use voxbridge::identity::Identities;
use voxbridge::simulator;

use crate::bytes::{LONGEST, damaged_one, damaged_text, text};
use crate::random::Random;
use crate::runner::{Fuzzer, say, within};

const FILES: [&str; 6] = [
    include_str!("../../config/azure.toml"),
    include_str!("../../config/deepgram.toml"),
    include_str!("../../config/default.toml"),
    include_str!("../../config/functions.toml"),
    include_str!("../../config/identity.toml"),
    include_str!("../../config/openai.toml"),
];

/// Values that belong elsewhere, or nowhere.
const VALUES: [&str; 34] = [
    "0",
    "-1",
    "1",
    "65536",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999",
    "0x7fffffff",
    "1e308",
    "nan",
    "-inf",
    "0.1",
    "true",
    "false",
    "\"\"",
    "\" \"",
    "\"x\"",
    "\"*\"",
    "\"/\"",
    "\"${HOME}\"",
    "\"${\"",
    "\"self:/sim/openai\"",
    "\"wss://h:0/\"",
    "\"wss://[::1]/?a=b#c\"",
    "\"http://user:pass@h\"",
    "[]",
    "[[]]",
    "[\"a\", \"a\"]",
    "{}",
    "{ a = {} }",
    "{ a = \"b\" }",
    "1979-05-27T07:32:00Z",
    "'''\n'''",
    "\"\\u0000\"",
];

/// The lines of all files, and of the tables of every key in the README.
fn lines() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let keys =
        readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(key, _)| key));
    let keys = keys.filter_map(|key| key.rsplit_once('.')).map(|(_, key)| format!("{key} = 1"));
    let lines = FILES.iter().flat_map(|file| file.lines()).map(str::to_owned);
    lines.chain(keys).collect()
}

/// The names of overrides: those of the README's keys, of a backend's by its name.
fn variables() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let keys =
        readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(key, _)| key));
    let keys = keys.filter(|key| key.contains('.') && !key.contains(' '));
    let name = |key: &str| {
        let key = key.replace('.', "__").to_ascii_uppercase();
        format!("VOXBRIDGE__{}", key.replacen("BACKENDS__", "BACKENDS__OPENAI__", 1))
    };
    keys.map(name).collect()
}

fn mutated(random: &mut Random, lines: &[String]) -> String {
    if random.one_in(5) {
        return damaged_one(random, &FILES);
    }
    let file = *random.pick(&FILES);
    let mut file: Vec<String> =
        file.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    for _ in 0..=random.below(4) {
        let at = random.below(file.len());
        match random.below(7) {
            0 => drop(file.remove(at)),
            1 => file.insert(at, random.pick(lines).clone()),
            2 => {
                let line = file[at].clone();
                let times = if random.one_in(20) { random.below(500) } else { 1 };
                file.splice(at..at, std::iter::repeat_n(line, times));
            }
            3 => {
                let other = random.below(file.len());
                file.swap(at, other);
            }
            4 => file[at] = damaged_text(random, &file[at].clone(), lines),
            5 if random.one_in(10) => {
                let depth = 1 + random.below(2_000);
                file[at] = format!("a = {}{}", "[".repeat(depth), "]".repeat(depth));
            }
            _ => {
                if let Some((key, _)) = file[at].split_once('=') {
                    let value = if random.one_in(4) {
                        format!("{:?}", text(random))
                    } else {
                        (*random.pick(&VALUES)).to_owned()
                    };
                    file[at] = format!("{key}= {value}");
                }
            }
        }
        if file.is_empty() {
            break;
        }
    }
    let mut file = file.join("\n");
    file.truncate((0..=LONGEST.min(file.len())).rev().find(|end| file.is_char_boundary(*end)).unwrap_or(0));
    file
}

fn environment(random: &mut Random, variables: &[String]) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<String, String> = [
        ("OPENAI_API_KEY", "key-of-openai"),
        ("AZURE_OPENAI_API_KEY", "key-of-azure"),
        ("DEEPGRAM_API_KEY", "key-of-deepgram"),
        ("VISITOR_TOKEN_KEY", "0123456789abcdef0123456789abcdef"),
        ("SHOP_TOKEN", "0123456789abcdef"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if random.one_in(3) {
        for _ in 0..=random.below(3) {
            let name = match random.below(6) {
                0 => damaged_one(random, variables),
                1 => format!("VOXBRIDGE__{}", text(random)),
                _ => random.pick(variables).clone(),
            };
            let value = match random.below(3) {
                0 => text(random),
                1 => random.pick(&VALUES).trim_matches('"').to_owned(),
                _ => {
                    random.pick(&["0", "1", "true", "x", "a,b", "OPENAI_API_KEY", "none", "jwt"]).to_string()
                }
            };
            environment.insert(name, value);
        }
    }
    environment
}

#[test]
fn configurations() {
    let fuzzer = Fuzzer::new("configurations");
    let (lines, variables) = (lines(), variables());
    assert!(variables.len() > 50, "the README names its keys in another way: {variables:?}");
    let mut accepted = 0_u64;
    fuzzer.run(1_500, |random| {
        let (file, environment) = (mutated(random, &lines), environment(random, &variables));
        let most = 4 * 1024 * 1024 + 256 * file.len();
        let loaded = within(most, || Config::from_toml("fuzz.toml", &file, environment.clone()));
        match loaded {
            Ok(config) => {
                accepted += 1;
                // What can be loaded can be shown and used.
                assert!(!config.show().is_empty() && !config.backends.is_empty());
                assert!(!format!("{config:?}").is_empty());
                Identities::new(&config.auth);
                // The simulators have their say later.
                let _ = simulator::Options::parse(&config.simulator.openai, &config.simulator.deepgram);
            }
            Err(error) => {
                let shown = error.to_string();
                let (place, reason) = match &error {
                    ConfigError::Unreadable { file, reason } => (file == "fuzz.toml", reason),
                    ConfigError::Syntax { file, position, reason } => {
                        (file == "fuzz.toml" && !position.is_empty(), reason)
                    }
                    ConfigError::Key { file, key, reason } => {
                        (file == "fuzz.toml" && !key.is_empty(), reason)
                    }
                    ConfigError::Variable { variable, reason } => {
                        (environment.contains_key(variable), reason)
                    }
                };
                assert!(place && !reason.is_empty(), "{shown} says no place of\n{file}\n{environment:?}");
            }
        }
    });
    say(&format!("fuzz configurations: {accepted} were accepted"));
}
