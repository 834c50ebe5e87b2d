//! The log as a test reads it: the lines of its own thread in both formats, at every level, with the times that the test
//! says. Knows nothing of what is logged.

use std::{cell::RefCell, collections::BTreeMap, sync::Once};

use log::{Level, LevelFilter, Log, Metadata, Record};
use serde_json::{Map, Value};

use super::format::{Styles, line};
use crate::config::LogFormat;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Captured {
    pub(crate) level: Level,
    pub(crate) text: String,
    pub(crate) json: String,
}

impl Captured {
    /// Asserts that both formats have the same fields with the same values.
    #[track_caller]
    pub(crate) fn assert_formats_agree(&self) {
        let Self { text, json, .. } = self;
        let json: Map<String, Value> = serde_json::from_str(json).expect("a line is JSON");
        let said = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
        let (head, rest) = text.trim_end().split_once("] ").expect("a head");
        assert_eq!(
            head.trim_start_matches('[').split_whitespace().collect::<Vec<_>>(),
            [said("time"), &said("level").to_uppercase(), said("target")]
        );
        // Between the fields of the connection and the others.
        let message = said("message");
        let rest =
            if message.is_empty() { rest.to_owned() } else { rest.replacen(&format!(" {message}"), "", 1) };
        let fields = read(&rest);
        let of_json = json.iter().filter(|(name, _)| !HEAD.contains(&name.as_str()));
        let of_json: BTreeMap<_, _> = of_json.map(|(name, value)| (name.clone(), as_text(value))).collect();
        assert_eq!(fields, of_json, "{text}");
    }
}

/// What is no field, but what every line has.
const HEAD: [&str; 4] = ["time", "level", "target", "message"];

/// A value as text has it, put together anew.
fn as_text(value: &Value) -> String {
    let quoted = |text: &str| match text.contains([' ', '"', '\\', '=']) || text.is_empty() {
        true => format!("{text:?}"),
        false => text.to_owned(),
    };
    match value {
        Value::String(text) => quoted(text),
        Value::Array(elements) => {
            let elements =
                elements.iter().filter_map(Value::as_str).map(|text| match text.contains([' ', '"', '[']) {
                    true => format!("{text:?}"),
                    false => text.to_owned(),
                });
            format!("[{}]", elements.collect::<Vec<_>>().join(" "))
        }
        Value::Number(number) if number.is_f64() => format!("{:.3}", number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

thread_local! {
    static LINES: RefCell<Option<(String, Vec<Captured>)>> = const { RefCell::new(None) };
}

struct OfThread;

/// From here on this thread's lines are kept, as written at `time`; called again, with those so far.
pub(crate) fn capture_at(time: String) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        log::set_logger(&OfThread).expect("no test starts the log of the process");
        log::set_max_level(LevelFilter::Trace);
    });
    LINES.with_borrow_mut(|lines| match lines {
        Some((now, _)) => *now = time,
        None => *lines = Some((time, Vec::new())),
    });
}

/// Ends it and gives the lines.
pub(crate) fn captured() -> Vec<Captured> {
    LINES.take().map(|(_, lines)| lines).unwrap_or_default()
}

impl Log for OfThread {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        LINES.with_borrow(Option::is_some)
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| {
            let Some((time, lines)) = lines else { return };
            let of = |format| line(format, time, Styles::default(), record);
            lines.push(Captured {
                level: record.level(),
                text: of(LogFormat::Text),
                json: of(LogFormat::Json),
            });
        });
    }

    fn flush(&self) {}
}

/// Reads the fields of a line of text, as anybody would: by blanks, outside quotes and brackets.
pub(super) fn read(mut line: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while !line.is_empty() {
        let (name, rest) = line.split_once('=').expect("a field has a name");
        let (mut quoted, mut escaped, mut listed) = (false, false, false);
        let end = rest.char_indices().find(|(at, c)| {
            let was_escaped = std::mem::take(&mut escaped);
            match c {
                '"' if !was_escaped => quoted = !quoted,
                '\\' if !was_escaped => escaped = true,
                '[' if *at == 0 => listed = true,
                ']' if !quoted => listed = false,
                _ => return c.is_whitespace() && !quoted && !listed,
            }
            false
        });
        let end = end.map_or(rest.len(), |(at, _)| at);
        fields.insert(name.to_owned(), rest[..end].to_owned());
        line = rest[end..].trim_start();
    }
    fields
}
