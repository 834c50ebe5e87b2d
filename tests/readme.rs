//! The README against the code: what it says of configuration, endings, codes and rules is what there is.
//! Must not know how any of it is done, only its names and numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::{Map, Value};
use voxbridge::{
    config::Config,
    gate::{CloseReason, LegEnd, Rule, Severity, UpstreamError},
    metrics::{BudgetReading, GATE_DIED, Metrics, NOTICES, REFUSALS},
    simulator::Options,
};

const README: &str = include_str!("../README.md");

/// The blocks of one language, without their fences.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if line == fence {
            blocks.push(lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n"));
        }
    }
    blocks
}

/// The rows of the table whose header begins with this cell, as cells without their spaces.
fn table(first_header: &str) -> Vec<Vec<&'static str>> {
    let header = format!("| {first_header} |");
    let lines = README.lines().skip_while(|line| !line.starts_with(&header)).skip(2);
    let rows: Vec<Vec<_>> = lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "no table {first_header:?}");
    rows
}

/// What stands in back quotes in a cell.
fn quoted(cell: &str) -> BTreeSet<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn numbers(cell: &str) -> BTreeSet<u16> {
    cell.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
}

/// A secret for each variable that the examples name, each another one and long enough for all of them.
fn environment() -> BTreeMap<String, String> {
    let names = [
        "OPENAI_API_KEY",
        "AZURE_OPENAI_API_KEY",
        "DEEPGRAM_API_KEY",
        "FUNCTIONS_TOKEN",
        "SHOP_TOKEN",
        "KIOSK_TOKEN",
        "VISITOR_TOKEN_KEY",
    ];
    names.iter().map(|name| (name.to_string(), format!("{name:0>40}"))).collect()
}

/// What `voxbridge check` prints, of every section that can be there.
fn shown() -> String {
    let default = include_str!("../config/default.toml");
    let functions = include_str!("../config/functions.toml");
    let identity = include_str!("../config/identity.toml");
    let show =
        |text| Config::from_toml("an example", text, environment()).expect("the example is valid").show();
    show(default) + &show(functions) + &show(identity)
}

#[test]
fn every_configuration_in_the_readme_is_accepted() {
    let environment = environment();
    let mut backends = 0;
    for block in blocks("toml") {
        // A fragment of other sections stands for itself in front of any backend.
        let whole = if block.contains("[[backends]]") {
            block.clone()
        } else {
            format!(
                "{block}\n[[backends]]\nname = \"a\"\nkind = \"openai-realtime\"\npath = \"/a\"\nurl = \"ws://[::1]/\""
            )
        };
        let config = Config::from_toml("README.md", &whole, environment.clone())
            .unwrap_or_else(|error| panic!("{error} in:\n{block}"));
        Options::parse(&config.simulator.openai, &config.simulator.deepgram)
            .unwrap_or_else(|error| panic!("{error} in:\n{block}"));
        backends += usize::from(block.contains("[[backends]]"));
    }
    assert!(backends >= 4, "only {backends} blocks hold a backend");
}

#[test]
fn every_key_that_check_prints_is_in_the_table_of_keys() {
    let known: BTreeSet<_> = table("Key").iter().flat_map(|row| quoted(row[0])).collect();
    let shown = shown();
    let mut section = String::new();
    let mut checked = 0;
    for line in shown.lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            continue;
        }
        let line = line.trim_start_matches("# ").replace(" is not set", " = ");
        let (key, value) = line.split_once(" = ").expect("a line is a header, a key or a missing key");
        let key = format!("{section}.{key}");
        let fields = value.strip_prefix("{ ").and_then(|fields| fields.strip_suffix(" }"));
        // What a schema holds is the operator's own.
        let fields = fields.filter(|_| !key.ends_with(".parameters"));
        let inner = fields.into_iter().flat_map(|fields| fields.split(", "));
        let inner = inner.map(|field| format!("{key}.{}", field.split(" = ").next().unwrap_or_default()));
        let wanted: Vec<String> = match fields {
            None => vec![key.clone()],
            Some(_) => inner.collect(),
        };
        for key in wanted {
            assert!(known.contains(key.as_str()), "{key} is not in the README");
            checked += 1;
        }
    }
    assert!(checked > 60, "only {checked} keys");
}

/// A close code that only a peer can have given.
const CARRIED: u16 = 4321;

/// One of each variant and, where the row depends on it, of what is inside. A new variant does not compile.
fn endings() -> Vec<CloseReason> {
    let closed = |code| LegEnd::Closed { code, reason: String::new() };
    let legs = [
        closed(None),
        closed(Some(1000)),
        closed(Some(CARRIED)),
        LegEnd::Vanished,
        LegEnd::TooLarge { limit: 1 },
        LegEnd::ProtocolError(String::new()),
    ];
    let mut all: Vec<_> = legs.iter().cloned().map(CloseReason::Client).collect();
    all.extend(legs.iter().cloned().map(CloseReason::Relayed));
    for end in legs {
        for ready in [false, true] {
            all.push(CloseReason::Upstream { end: end.clone(), ready, expired: false });
        }
    }
    all.push(CloseReason::Upstream { end: closed(Some(1001)), ready: true, expired: true });
    let dials = [
        UpstreamError::Unreachable(String::new()),
        UpstreamError::TimedOut,
        UpstreamError::Status(401),
        UpstreamError::Status(403),
        UpstreamError::Status(429),
        UpstreamError::Status(503),
    ];
    all.extend(dials.into_iter().map(CloseReason::Unreachable));
    all.extend([
        CloseReason::UpstreamSilent,
        CloseReason::ClientSilent,
        CloseReason::Overloaded,
        CloseReason::SettingsTimeout,
        CloseReason::IdleTimeout,
        CloseReason::SessionAge,
        CloseReason::ClientTooSlow,
        CloseReason::UpstreamTooSlow,
        CloseReason::TooMuchInput { limit: 1 },
        CloseReason::Shutdown,
    ]);
    let variants: BTreeSet<u8> = all
        .iter()
        .map(|reason| match reason {
            CloseReason::Client(_) => 0,
            CloseReason::Upstream { .. } => 1,
            CloseReason::Unreachable(_) => 2,
            CloseReason::UpstreamSilent => 3,
            CloseReason::SettingsTimeout => 4,
            CloseReason::IdleTimeout => 5,
            CloseReason::SessionAge => 6,
            CloseReason::ClientTooSlow => 7,
            CloseReason::UpstreamTooSlow => 8,
            CloseReason::TooMuchInput { .. } => 9,
            CloseReason::Shutdown => 10,
            CloseReason::Relayed(_) => 11,
            CloseReason::ClientSilent => 12,
            CloseReason::Overloaded => 13,
        })
        .collect();
    assert_eq!(variants.len(), 14, "a variant has no sample");
    all
}

/// What the code gives for one log word, over all its samples.
#[derive(Default)]
struct Given {
    errors: BTreeSet<String>,
    client: BTreeSet<u16>,
    upstream: BTreeSet<u16>,
    levels: BTreeSet<&'static str>,
}

#[test]
fn the_table_of_endings_is_the_one_in_the_code() {
    let table = table("Log word");
    let rows: BTreeMap<_, _> = table.iter().map(|row| (row[0].trim_matches('`'), row)).collect();
    assert_eq!(rows.len(), table.len(), "a log word has two rows");
    let mut all: BTreeMap<&str, Given> = BTreeMap::new();
    for reason in endings() {
        let ending = reason.ending();
        let name = reason.name();
        let row = rows.get(name).unwrap_or_else(|| panic!("{name} has no row"));
        let given = all.entry(name).or_default();
        match ending.error {
            Some(notice) => _ = given.errors.insert(notice.code),
            None => assert!(row[2].contains("none"), "{name}: {reason:?} has no Error"),
        }
        let client = (ending.client_code, row[3], &mut given.client);
        let upstream = (ending.upstream_code, row[4], &mut given.upstream);
        for (code, cell, codes) in [client, upstream] {
            if code == CARRIED {
                assert!(cell.contains("same code"), "{name}: the peer's code is carried over: {cell}");
            } else {
                codes.insert(code);
            }
        }
        given.levels.insert(match ending.severity {
            Severity::Expected => "info",
            Severity::Trouble => "warn",
        });
    }
    let named: Vec<_> = rows.keys().copied().collect();
    let existing: Vec<_> = all.keys().copied().collect();
    assert_eq!(named, existing);
    let counted: BTreeSet<_> = CloseReason::NAMES.into_iter().collect();
    assert!(
        counted.iter().eq(&existing) && counted.len() == CloseReason::NAMES.len(),
        "{counted:?} are counted"
    );
    for (name, given) in all {
        let row = rows[name];
        let errors: BTreeSet<_> = given.errors.iter().map(String::as_str).collect();
        assert_eq!(quoted(row[2]), errors, "{name}: Error");
        for (cell, codes) in [(row[3], given.client), (row[4], given.upstream)] {
            let said = numbers(cell);
            assert!(said.is_subset(&codes), "{name}: {cell} is not {codes:?}");
            // That 1000 is carried over need not be said.
            let missing: Vec<_> = codes.difference(&said).collect();
            let carried = cell.contains("same code") && missing == [&1000];
            assert!(missing.is_empty() || carried, "{name}: {missing:?} is not in {cell}");
        }
        for level in given.levels {
            assert!(row[5].contains(level), "{name}: {level} is not in {}", row[5]);
        }
    }
}

/// The sources of a directory, without tests.
fn sources(directory: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut text = String::new();
    for entry in fs::read_dir(directory).expect("the directory is there") {
        let path = entry.expect("the directory can be read").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("the source can be read");
            text += source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        }
    }
    text
}

/// The literals that follow `mark`, white space between them not counted.
fn literals<'s>(source: &'s str, mark: &str) -> BTreeSet<&'s str> {
    let after = source.split(mark).skip(1);
    after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next()).collect()
}

#[test]
fn the_table_of_codes_holds_every_code_that_can_be_sent() {
    let table = table("Code");
    let kinds = |code: &str| {
        let rows = table.iter().filter(|row| quoted(row[0]).contains(code));
        let kinds: BTreeSet<_> = rows.map(|row| row[1]).collect();
        assert!(!kinds.is_empty(), "{code} is not in the README");
        kinds
    };
    let sources = sources("src/gate") + &sources("src/translate");
    let mut sent = BTreeSet::new();
    for (mark, kind) in [("tell_error(", "Error"), ("warning(", "Warning"), (" code: ", "Error")] {
        let codes = literals(&sources, mark);
        assert!(!codes.is_empty(), "nothing follows {mark}");
        for code in codes {
            assert!(kinds(code).contains(kind), "{code} is sent as {kind}");
            sent.insert(code.to_owned());
        }
    }
    for reason in endings() {
        if let Some(notice) = reason.ending().error {
            assert!(kinds(&notice.code).contains("Error"), "{} ends a connection", notice.code);
            sent.insert(notice.code);
        }
    }
    for code in table.iter().flat_map(|row| quoted(row[0])) {
        assert!(sent.contains(code), "{code} is never sent");
    }
    let told: BTreeSet<_> =
        table.iter().flat_map(|row| quoted(row[0]).into_iter().map(|code| (row[1], code))).collect();
    let counted: BTreeSet<_> = NOTICES[..NOTICES.len() - 1].iter().copied().collect();
    assert_eq!(counted, told, "what is counted, and what is told");
}

/// Status and code of each arm of a table of refusals.
fn refusals(source: &'static str) -> BTreeSet<(&'static str, &'static str)> {
    let arms = source.lines().filter_map(|line| line.trim().split_once("=> (")?.1.strip_suffix("),"));
    let given: BTreeSet<_> = arms.filter_map(|arm| arm.split_once(", ")).collect();
    assert!(given.len() > 5, "only {given:?}");
    given.into_iter().map(|(status, code)| (status, code.trim_matches('"'))).collect()
}

#[test]
fn the_tables_of_statuses_are_the_ones_in_the_code() {
    let of_all = refusals(include_str!("../src/server/refuse.rs"));
    let mut of_calls = refusals(include_str!("../src/server/call_refusal.rs"));
    let mut of_grants = refusals(include_str!("../src/server/grant.rs"));
    let mut of_upgrades = refusals(include_str!("../src/server/upgrade_refusal.rs"));
    // A call is refused like this where functions are busy as well.
    of_calls.extend(of_all.iter().filter(|(_, code)| *code != "busy"));
    of_grants.extend(&of_all);
    // An upgrade has no body.
    of_upgrades.extend(of_all.iter().filter(|(_, code)| code.contains("token")));
    let tables =
        [("Status", of_calls), ("Status of a grant", of_grants), ("Status of an upgrade", of_upgrades)];
    for (header, given) in tables {
        let rows = table(header);
        let told: BTreeSet<_> = rows.iter().map(|row| (row[0], row[1].trim_matches('`'))).collect();
        assert_eq!(told, given, "{header}");
    }
}

#[test]
fn every_word_of_a_refusal_is_counted() {
    let mut given: BTreeSet<&str> = BTreeSet::new();
    for source in [
        include_str!("../src/server/refuse.rs"),
        include_str!("../src/server/call_refusal.rs"),
        include_str!("../src/server/grant.rs"),
        include_str!("../src/server/upgrade_refusal.rs"),
    ] {
        given.extend(refusals(source).into_iter().map(|(_, code)| code));
    }
    for source in [
        include_str!("../src/server/http.rs"),
        include_str!("../src/server/scrape.rs"),
        include_str!("../src/server/head_guard/refusal.rs"),
    ] {
        let arms = source.lines().filter_map(|line| line.trim().split_once("=> (")?.1.strip_suffix("),"));
        given.extend(arms.filter_map(|arm| arm.split('"').nth(1)));
    }
    // These functions may have been run.
    for run in ["timed_out", "client_closed"] {
        assert!(given.remove(run), "{run} is no word of a refusal");
    }
    assert_eq!(REFUSALS.into_iter().collect::<BTreeSet<_>>(), given);
}

/// The names of a scrape's families, with their types and the labels of their series.
fn families(scrape: &str) -> BTreeMap<&str, (&str, BTreeSet<&str>)> {
    let mut families = BTreeMap::new();
    let mut current = "";
    for line in scrape.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            current = name;
            families.insert(name, (kind, BTreeSet::new()));
        } else if !line.starts_with('#')
            && let Some((_, labels)) = line.split_once('{')
            && let Some((labels, _)) = labels.rsplit_once('}')
        {
            let names = labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0));
            let (_, known) = families.get_mut(current).expect("a family begins with its type");
            known.extend(names.filter(|name| *name != "le"));
        }
    }
    families
}

#[test]
fn every_family_of_metrics_is_in_its_table() {
    let metrics = Metrics::new();
    metrics.backend("a");
    let scrape = metrics.text(BudgetReading::default());
    let existing = families(&scrape);
    let rows = table("Metric");
    let told: BTreeMap<_, _> =
        rows.iter().map(|row| (row[0].trim_matches('`'), (row[1], quoted(row[2])))).collect();
    assert_eq!(told.len(), rows.len(), "a family has two rows");
    assert_eq!(told, existing);
    let cause = format!("`{GATE_DIED}`");
    assert!(README.contains(&cause), "{cause} is not in the README");
}

#[test]
fn every_text_that_the_model_is_told_of_a_failure_is_in_its_table() {
    let source = include_str!("../src/functions/failure.rs");
    let (_, display) = source.split_once("impl fmt::Display for Failure").expect("failures have a text");
    let display = display.split("impl fmt::Debug").next().expect("there is a beginning");
    let mut texts = literals(display, "f.write_str(");
    texts.extend(literals(display, "write!(f, ").into_iter().filter(|text| *text != "{text}"));
    texts.extend(literals(include_str!("../src/gate/answers.rs"), "const NO_ANSWER: &str = "));
    assert!(texts.len() > 15, "only {texts:?}");
    let rows = table("Text");
    let told: BTreeSet<_> =
        rows.iter().flat_map(|row| quoted(row[0])).filter(|text| *text != "error").collect();
    // A number or a name stands where the text has a place for one.
    let is = |told: &str, text: &str| {
        let (before, after) = text.split_once('{').unwrap_or((text, ""));
        let after = after.split_once('}').map_or("", |(_, after)| after);
        told.len() >= before.len() + after.len()
            && told.starts_with(before)
            && told.ends_with(after)
            && (text.contains('{') || told == text)
    };
    for text in &texts {
        assert!(told.iter().any(|told| is(told, text)), "{text:?} is not in the README");
    }
    for told in &told {
        assert!(texts.iter().any(|text| is(told, text)), "nobody says {told:?}");
    }
}

#[test]
fn every_rule_has_its_sentence() {
    let rows = table("Rule");
    let named: Vec<_> = rows.iter().map(|row| row[0].to_owned()).collect();
    let existing: Vec<_> = Rule::ALL.iter().map(Rule::to_string).collect();
    assert_eq!(named, existing);
    assert!(rows.iter().all(|row| row[1].ends_with('.')), "a rule has no sentence");
}

/// The lines of the golden logs.
fn logged() -> Vec<Map<String, Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/actors/witness/tests/golden");
    let files = fs::read_dir(folder).expect("the golden logs are there");
    let files = files.map(|file| file.expect("a file").path());
    let text: String = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|file| fs::read_to_string(file).expect("a golden log is text"))
        .collect();
    let lines: Vec<_> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert!(lines.len() > 100, "only {} lines", lines.len());
    lines
}

#[test]
fn every_field_of_the_log_is_in_the_table_and_the_table_has_no_other() {
    let table: BTreeSet<_> = table("Field of a line").iter().flat_map(|row| quoted(row[0])).collect();
    // Kinds of tokens are many, and those of the usage log.
    let begins = |field: &str| {
        table.iter().filter_map(|name| name.strip_suffix('…')).any(|kind| field.starts_with(kind))
    };
    let is_told = |field: &str| table.contains(field) || begins(field);
    for line in logged() {
        for field in line.keys() {
            assert!(is_told(field), "{field} is not in the README");
        }
    }
    let source: String = ["actors", "describe", "functions", "gate", "logging", "server", "tally"]
        .map(|module| sources(&format!("src/{module}")))
        .concat();
    for field in &table {
        let named = match field.strip_suffix('…') {
            Some(kind) => vec![format!("\"{kind}\"")],
            None => vec![
                format!("\"{field}\""),
                format!("\"{field}[]\""),
                format!("{field} = "),
                format!("{field}:% = "),
            ],
        };
        assert!(named.iter().any(|name| source.contains(name)), "nothing logs {field}");
    }
    for line in
        README.lines().filter(|line| line.starts_with("DEBUG step=") || line.starts_with("INFO  session "))
    {
        let (line, _) = line.split_once("effects=").unwrap_or((line, ""));
        for (field, _) in line.split(' ').filter_map(|word| word.split_once('=')) {
            assert!(is_told(field), "{field} is not in the README's table");
        }
    }
}

#[test]
fn every_effect_in_the_log_is_in_the_table() {
    let table: Vec<_> = table("Effect").iter().flat_map(|row| quoted(row[0])).collect();
    let heads: Vec<_> = table.iter().map(|effect| effect.split('=').next().unwrap_or_default()).collect();
    let mut seen = BTreeSet::new();
    for line in logged() {
        for effect in line.get("effects").and_then(Value::as_array).into_iter().flatten() {
            let effect = effect.as_str().expect("an effect is text");
            let head = effect.split('=').next().unwrap_or_default();
            assert!(heads.contains(&head), "{effect} is not in the README");
            seen.insert(head.to_owned());
        }
    }
    assert!(seen.len() > 6, "only {seen:?}");
}

#[test]
fn every_format_of_the_log_is_in_the_table_of_keys() {
    let rows = table("Key");
    let row = rows.iter().find(|row| row[0] == "`logging.format`").expect("the key is there");
    let named = quoted(row[2]);
    assert_eq!(named, BTreeSet::from(["json", "text"]));
    for format in named {
        let toml = include_str!("../config/default.toml")
            .replace("format = \"text\"", &format!("format = {format:?}"));
        let config = Config::from_toml("an example", &toml, environment()).expect("the format is known");
        assert!(config.show().contains(&format!("format = {format:?}\n")), "{format}");
    }
}

#[test]
fn every_option_of_the_simulators_is_in_its_table() {
    for (header, source) in [
        ("Option", include_str!("../src/simulator/openai/options.rs")),
        ("Option for Deepgram", include_str!("../src/simulator/deepgram/options.rs")),
    ] {
        let rows = table(header);
        let options: BTreeSet<_> = rows.iter().flat_map(|row| quoted(row[0])).collect();
        let arms = source.lines().filter(|line| line.contains("\" => ") || line.contains("\" if "));
        let names: BTreeSet<_> =
            arms.filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
        assert!(names.len() > 10, "only {names:?}");
        assert_eq!(options, names);
    }
}
